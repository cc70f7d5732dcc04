"""What becomes of mail that comes back, through `digest inbox`, against a table of what should.

Run it from a checkout: python -m bench.returned FOLDER [TABLE.csv]

FOLDER holds messages (.eml), and TABLE (FOLDER/verdicts.csv) has a line for each: `file,verdict`
and, where it is known, `recipient`. The verdicts are

    dead       the address does not exist, and is not mailed any more from the first report on
    living     the message was refused, or came too late; the address may be as good as ever
    delay      a notice without a failure, a note of absence: nothing to do
    complaint  the reader called the mail spam
    leave      the reader asks to leave
    person     none of these: a person reads it

Each message meets a database of its own, with one reader who was sent one digest, and is given to
`digest inbox` as the bounce address of that digest would have got it: with a Delivered-To line on
top, and nothing else changed. tests/returned is such a folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
import shutil
import sqlite3
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from digest.cli import main as digest
from digest.mail.message import Sender
from digest.setup.mail import make_signer
from tests.world.worlds import World, eprint, reader

READER = "reader@example.org"
RESULTS = ("suppressed", "noted", "nothing to do", "left for a person")
WRONG = {
    "living": ("suppressed", "nothing to do"),
    "dead": ("nothing to do",),
    "delay": ("suppressed", "noted"),
    "complaint": ("noted", "nothing to do"),
    "leave": ("noted", "nothing to do"),
    "person": ("suppressed", "noted", "nothing to do"),
}
"""The results that do harm, by verdict: the others cost a person a look, or a reader some days."""


@dataclass(frozen=True)
class Case:
    """One message and what should become of it."""

    path: Path
    verdict: str
    recipient: str = READER


@dataclass(frozen=True)
class Place:
    """A database after its one reader was sent a digest, and the envelope sender of that digest."""

    database: Path
    bounce: str


def read_table(folder: Path, table: Path | None = None) -> list[Case]:
    """The cases of a folder. Raises ValueError where the table names what is not there."""
    cases = []
    with (table or folder / "verdicts.csv").open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            case = Case(folder / row["file"], row["verdict"], row.get("recipient") or READER)
            if case.verdict not in WRONG or not case.path.is_file():
                raise ValueError(f"{row}: no such verdict or file")
            cases.append(case)
    return cases


async def make_place(folder: Path) -> Place:
    """Mail a first digest to one reader."""
    world = World(folder / "digest.db")
    world.readers = [reader(READER, "Reasoning")]
    world.arxiv.announce("Reasoning", eprint(1))
    sender = Sender(
        "Digest <papers@example.org>",
        signer=make_signer(world.store),
        bounce="bounces@example.org",
    )
    await world.cycle(sender=sender)
    bounce = world.relay.taken[0].sender
    world.close()
    return Place(folder / "digest.db", bounce)


def result_of(case: Case, place: Place, home: Path) -> tuple[str, str]:
    """What `digest inbox` makes of a message, as one of RESULTS and in its own words."""
    home.mkdir(exist_ok=True)
    shutil.copy(place.database, home / "digest.db")
    with contextlib.closing(sqlite3.connect(home / "digest.db")) as database, database:
        database.execute("UPDATE subscriber SET address = ?", [case.recipient])
    letter = home / "letter.eml"
    raw = case.path.read_bytes()
    letter.write_bytes(f"Delivered-To: {place.bounce}\n".encode() + raw)
    told = io.StringIO()
    with contextlib.redirect_stdout(told), contextlib.suppress(SystemExit):
        digest(["inbox", str(letter), "--json", "--home", str(home)])
    (heard,) = json.loads(told.getvalue())
    with contextlib.closing(sqlite3.connect(home / "digest.db")) as database:
        (suppressed,) = database.execute("SELECT COUNT(*) FROM suppression").fetchone()
        (noted,) = database.execute("SELECT COUNT(*) FROM bounce").fetchone()
    if not heard["handled"]:
        return RESULTS[3], heard["did"]
    return RESULTS[0 if suppressed else 1 if noted else 2], heard["did"]


def judge(folder: Path, table: Path | None = None) -> list[tuple[Case, str, str]]:
    """What becomes of each message of a folder."""
    cases = read_table(folder, table)
    with tempfile.TemporaryDirectory() as scratch:
        place = asyncio.run(make_place(Path(scratch)))
        home = Path(scratch) / "home"
        return [(case, *result_of(case, place, home)) for case in cases]


def main() -> None:
    """Print what became of the messages, by verdict, and each one that came to harm."""
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    found = judge(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else None)
    counts = Counter((case.verdict, result) for case, result, _ in found)
    print(f"{'':12}", *(f"{result:>18}" for result in RESULTS))
    for verdict in WRONG:
        print(f"{verdict:12}", *(f"{counts[verdict, result]:18}" for result in RESULTS))
    dead = sum(number for (verdict, _), number in counts.items() if verdict == "dead")
    later = counts["dead", "noted"] + counts["dead", "left for a person"]
    print(f"living suppressed at the first report: {counts['living', 'suppressed']}")
    print(f"dead filed as nothing to do: {counts['dead', 'nothing to do']}")
    print(f"dead only noted or left for a person: {later} of {dead}")
    for case, result, did in found:
        if result in WRONG[case.verdict]:
            print(f"harm: {case.path.name} ({case.verdict}): {did}")


if __name__ == "__main__":
    main()
