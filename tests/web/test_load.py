"""While a run mails two thousand readers, a hundred of them a second change what comes or leave."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import pytest

from digest.mail.reader_tokens import Purpose, Signer
from digest.model import SignUp
from digest.setup.mail import make_signer
from digest.store import open_store
from digest.subscribers.book import fields_of
from digest.times import to_text
from digest.web.forms import stamp
from tests.web.crowd import Answered, Press, press_all
from tests.web.test_serve import running
from tests.world.replay import Home
from tests.world.smtp_server import Answer, SmtpServer, smtp_server
from tests.world.standin import Standin
from tests.world.worlds import HOUR, eprint

READERS = int(os.environ.get("READERS", "2000"))
ACTING = READERS // 4
"""So many change what comes, and as many leave."""
AT_ONCE = 16
"""Connections of the readers."""
TIMEZONE = "Europe/Paris"


def settle(home: Path) -> tuple[Signer, list[int], list[str]]:
    """Readers who signed up, by number, and what their links are bound to."""
    with open_store(home / "digest.db") as store:
        now = to_text(datetime.now(UTC))
        numbers = list(range(1, READERS + 1))
        entry = json.dumps({"keywords": ["all:diffusion"]})
        with store._database.transaction():
            store._database.write_many(
                "INSERT INTO subscriber(id, address, name, since, due_at, origin)"
                " VALUES(?, ?, '', ?, ?, 'web')",
                [[n, address(n), now, now] for n in numbers],
            )
            store._database.write_many(
                "INSERT INTO signup(subscriber, entry, names, at) VALUES(?, ?, '[]', ?)",
                [[n, entry, now] for n in numbers],
            )
        bound = [str(store.letters.links(n) or "") for n in numbers]
        return make_signer(store), numbers, bound


def address(number: int) -> str:
    return f"reader{number}@example.org"


def presses(numbers: list[int], signer: Signer, bound: list[str]) -> Iterator[Press]:
    """What each of some readers does: odd ones change what comes, the others leave."""
    for number in numbers:
        if number % 2:
            token = signer.token(Purpose.CHOICES, number, bound[number - 1])
            shown = stamp(signer, datetime.now(UTC), f"reader {number}")
            form = {"form": shown, "button": "save", "keywords": "all:diffusion"}
            form |= {"order": "newest", "abstracts": "short", "revisions": "false"}
            yield Press(number, f"/p/{token}", form | {"timezone": TIMEZONE}, "Saved: ")
        else:
            path = f"/u/{signer.token(Purpose.LEAVE, number)}"
            form = {"List-Unsubscribe": "One-Click"}
            yield Press(number, path, form, "You are unsubscribed")


@pytest.mark.heavy
async def test_while_a_run_mails_no_change_is_lost_and_nobody_is_mailed_who_left(
    tmp_path: Path,
) -> None:
    home = tmp_path
    named: dict[int, float] = {}
    begun = asyncio.Event()

    def rcpt(line: str) -> Answer:
        found = re.search(r"reader(\d+)@", line)
        assert found
        named[int(found[1])] = time.monotonic()
        if len(named) > READERS // 10:
            begun.set()
        return None

    with Standin() as standin, ProcessPoolExecutor(1, get_context("spawn")) as crowd:
        async with smtp_server({"RCPT": rcpt}) as relay:
            mail = f"smtp://127.0.0.1:{relay.port}"
            Home.make(home, standin, "keywords: [all:reasoning]\n", mail)
            signer, numbers, bound = settle(home)
            standin.serve([eprint(n, datetime.now(UTC) - HOUR, title="diffusion") for n in (1, 2)])
            flags = ("--base-url", "https://example.org", "--signup", "open")
            with running(home, "serve", *flags) as (url, _):
                run = await asyncio.create_subprocess_exec(
                    sys.executable, "-m", "digest", "run", "--home", str(home),
                    stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
                )  # fmt: skip
                ended = asyncio.create_task(run.communicate())
                await asyncio.wait([ended, asyncio.create_task(begun.wait())],
                                   return_when=asyncio.FIRST_COMPLETED)  # fmt: skip
                assert begun.is_set(), await ended
                # The last ones are mailed last: so many act who are still to be mailed.
                wanted = [*presses(numbers[: -2 * ACTING - 1 : -1], signer, bound)]
                start = time.monotonic()
                answered = await asyncio.get_running_loop().run_in_executor(
                    crowd, press_all, url, wanted, AT_ONCE
                )
                took = max(one.at for one in answered) - start
                out, err = await ended
    statuses = Counter(status for one in answered for status in one.statuses)
    print(f"{2 * ACTING / took:.0f} a second beside the run: {dict(statuses)}")
    assert run.returncode == 0, (out, err)
    judge(home, relay, answered, named)


def judge(home: Path, relay: SmtpServer, answered: list[Answered], named: dict[int, float]) -> None:
    """All that was answered is in the database; and who was mailed had not left before."""
    changed = [one.reader for one in answered if one.reader % 2]
    left = {one.reader: one.at for one in answered if one.reader % 2 == 0}
    assert len(left) == len(changed) == ACTING
    with open_store(home / "digest.db") as store:
        kept = {one.email: one for one in store.signups.all()}
        gone = {one.address for one in store.suppressions.all()}
    assert gone == {address(n) for n in left}
    for number in changed:
        one = kept[address(number)]
        assert isinstance(one, SignUp)
        assert fields_of(one)["timezone"] == TIMEZONE, number
    mailed = Counter(taken.recipient for taken in relay.messages)
    assert max(mailed.values()) == 1
    # A mail is on the wire once its reader is named to the server: whoever has been told before
    # that they left is not mailed.
    late = [n for n, at in left.items() if mailed[address(n)] and named[n] > at]
    assert not late
    missed = {address(n) for n in range(1, READERS + 1)} - mailed.keys() - gone
    assert not missed
    assert sum(not mailed[address(n)] for n in left) > ACTING / 10, "all had their mail before"
