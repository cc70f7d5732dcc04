"""The tour: the whole way through three days, against a small arXiv on this machine and into a
Maildir.
"""

from __future__ import annotations

import email
import email.policy
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

from digest.demo.api import Index
from digest.demo.papers import KEYWORDS, Day, three_days
from digest.keywords.words import counted
from digest.model import Outcome
from digest.run.cycle import Parts, Summary, run_cycle
from digest.store.runs import KeywordRecord

SUBSCRIBERS = f"""\
# The readers of the demo. A plain keyword of several words must stand in title or abstract; of one
# word, in both.
subscribers:
  - email: ada@example.org
    name: Ada
    keywords: [{KEYWORDS[0]}, {KEYWORDS[1]}]
  - email: lin@example.org
    keywords: [{KEYWORDS[2]}, {KEYWORDS[0]}]
    at: "07:00"
    timezone: Europe/Berlin
"""
PREVIEW = "preview.html"


def prepare(folder: Path) -> None:
    """Write the demo's subscribers file into an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "subscribers.yaml").write_text(SUBSCRIBERS, encoding="utf-8")


async def walk(parts: Parts, index: Index, start: date, echo: Callable[[str], None]) -> None:
    """Run the real cycle on each of the three days, and say what came of it."""
    for number, day in enumerate(three_days(start), 1):
        index.serve(day.papers)
        summary = await run_cycle(replace(parts, clock=_stand_still(day)))
        echo(f"Day {number}, {day.now:%A %d %B %Y}: {day.story}.")
        for line in story(summary):
            echo(f"  {line}")


def _stand_still(day: Day) -> Callable[[], datetime]:
    return lambda: day.now


def story(summary: Summary) -> list[str]:
    """Lines about a run: one for each keyword, and one for the mail."""
    lines = [_keyword_line(record) for record in summary.keywords]
    sent = summary.outcomes[Outcome.SENT]
    lines.append(f"Mailed: {counted(sent, 'digest')}." if sent else "Nothing was mailed.")
    return lines


def _keyword_line(record: KeywordRecord) -> str:
    if record.status != "ok":
        return f"{record.keyword}: {record.why}"
    counts = [
        f"{record.new + record.late} new"
        + (f", {record.late} of them announced late" if record.late else "")
    ]
    counts += [f"{record.revised} revised, not mailed"] if record.revised else []
    counts += (
        ["noted as seen (a first digest shows the latest)"] if record.first and record.new else []
    )
    return f"{record.keyword}: {', '.join(counts)}" + (f" ({record.why})" if record.why else "")


def write_preview(maildir: Path, target: Path) -> None:
    """Save the HTML part of the newest mail to the first reader, to be opened in a browser."""
    # Names in the Maildir are hashes and tell no order; the time of writing does.
    messages = [
        email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        for path in sorted((maildir / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    ]
    newest = [m for m in messages if "ada@example.org" in m["To"]][-1]
    part = newest.get_body(("html",))
    assert part is not None
    target.write_text(part.get_content(), encoding="utf-8")
