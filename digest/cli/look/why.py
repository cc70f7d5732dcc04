"""`digest why`: the chain of facts for one reader, about a paper or about a day."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import (
    YEARS,
    Command,
    Context,
    json_option,
    labelled,
    now_option,
    pass_context,
)
from digest.cli.look.ranked import ranking_texts
from digest.cli.look.reader import LONGEST, KnownReader, known_reader
from digest.cli.readers.describe import suppression_line
from digest.errors import ArxivError, TryLaterError, UsageError
from digest.rendering.texts import printable_line
from digest.rules.schedule import local_date
from digest.rules.verdict import PaperName, moment, read_paper_name
from digest.setup.parts import holds_unknown, machine_now, reading_store
from digest.setup.subscribers import read_roster
from digest.times import from_text

if TYPE_CHECKING:
    from digest.explain.inquiry import Inquiry
    from digest.explain.paper import Asked
    from digest.setup.settings import Settings
    from digest.store import Store


@click.command(
    cls=Command,
    examples=(
        "digest why ada@example.org",
        "digest why ada@example.org yesterday",
        "digest why ada@example.org 2503.14895",
    ),
)
@click.argument("email")
@click.argument("about", required=False, metavar="[DATE | ARXIV-ID]")
@json_option
@now_option
@pass_context
def why(
    context: Context, email: str, about: str | None, as_json: bool, now: datetime | None
) -> None:
    """Tell why a paper came to a reader or did not, or how a day went.

    The chain in plain lines: announced, fetched, matched (or which term failed), in which digest,
    how delivered, in the mail server's own words; where the reader has papers of their own, how it
    is ranked by them now. A paper that no keyword brought is asked for at arXiv by its id. Without
    DATE or ARXIV-ID: the last day with something to tell, and what comes next.
    """
    settings = context.settings
    roster = read_roster(settings)
    with reading_store(settings) as store:
        reader = known_reader(settings, roster, store, email)
        asked = inquiry_of(settings, store, reader, now or machine_now())
        if not settings.db.exists():
            report = {
                "email": email,
                "about": "nothing",
                "verdict": "no_database",
                "answer": f"Nothing has happened yet: there is no database at {settings.db};"
                " 'digest run' makes it.",
            }
        else:
            report = explained(asked, about, partial(_ask_arxiv, settings, asked))
        # Without a database the file alone knows the reader, which is nothing odd.
        if settings.db.exists():
            report["note"] = _note(asked, settings.subscribers.name)
    context.show(report, report_lines(report), as_json=as_json)


def inquiry_of(settings: Settings, store: Store, reader: KnownReader, now: datetime) -> Inquiry:
    """A question about one reader, to be answered from the database."""
    from digest.explain.inquiry import Inquiry

    return Inquiry(
        store,
        now,
        reader.address,
        reader.subscriber,
        reader.past,
        hold_unknown=holds_unknown(settings, reader.channel),
        held_back=reader.held_back,
    )


def explained(
    asked: Inquiry, about: str | None, ask: Callable[[PaperName], Asked]
) -> dict[str, Any]:
    """The report on a paper, on a day, or on the last day with something to tell; `ask` is asked
    for a paper that the database lacks.
    """
    from digest.explain.day import explain_day, latest_day
    from digest.explain.paper import explain_paper

    name = read_paper_name(about) if about else None
    if name is not None:
        return explain_paper(asked, name, ask(name))
    return explain_day(asked, _day(about, asked) if about else latest_day(asked))


def _ask_arxiv(settings: Settings, asked: Inquiry, name: PaperName) -> Asked:
    """What arXiv says of a paper that the database lacks, asked once by its id."""
    from digest.arxiv.line import Timeouts
    from digest.explain.paper import Asked
    from digest.run.fetch import why_paused
    from digest.setup.arxiv import make_arxiv

    async def ask() -> Asked:
        async with make_arxiv(settings, timeouts=Timeouts(connect=10, read=30, whole=30)) as arxiv:
            return Asked(next(iter(await arxiv.by_ids([name.id], attempts=1)), None))

    if asked.store.history.paper(name.id) is not None:
        return Asked()
    if paused := why_paused(asked.store, machine_now()):
        return Asked(trouble=paused)
    try:
        return asyncio.run(ask())
    except (ArxivError, TryLaterError) as error:
        return Asked(trouble=error.message)


def _note(asked: Inquiry, file: str) -> str:
    """What is odd about the reader: in only one of file and database."""
    if asked.past is None and (forgotten := asked.store.suppressions.of(asked.address)):
        return f"{asked.address} is {suppression_line(forgotten)}."
    if asked.past is None:
        return f"{asked.address} is in {file}, and not yet in the database."
    left = moment(asked.past.left_at, asked.zone) if asked.past.left_at else ""
    if asked.subscriber is not None:
        return f"{asked.address} had left on {left}, and is back with the next run." if left else ""
    if left:
        return f"{asked.address} left on {left} UTC."
    if asked.held_back:
        return f"{asked.address} is held back by a mistake in {file}: {asked.held_back}."
    return f"{asked.address} is no longer in {file}; the next run lets them go."


def _day(text: str, asked: Inquiry) -> date:
    """A day in the reader's zone; UsageError where the text is neither a day nor a paper."""
    today = local_date(asked.now, asked.zone)
    words = {"today": today, "yesterday": today - timedelta(days=1)}
    try:
        day = words.get(text.casefold()) or date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is neither a date nor an arXiv id",
            remedy="write 2026-11-09, yesterday, 2503.14895 or hep-th/9901001",
        ) from None
    if day.year not in YEARS:
        raise UsageError(f"{text} lies outside the years {YEARS.start} to {YEARS.stop - 1}")
    return day


def report_lines(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people: the answer first, then the chain that leads to it."""
    yield printable_line(report["answer"], LONGEST)
    if report.get("note"):
        yield report["note"]
    rows = {"paper": _paper_rows, "day": _day_rows}.get(report["about"], lambda _report: [])(report)
    yield from labelled(
        ((label, *(printable_line(text, LONGEST) for text in texts)) for label, *texts in rows), 10
    )
    if "timezone" in report:
        yield f"(times in {report['timezone']})"


def _paper_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    paper, zone = report["paper"], report["timezone"]
    if paper is None:
        known = [f"{one['keyword']}: {one['why']}" for one in report["keywords"]]
        return [("Keywords", *known)]
    submitted = f"submitted {moment(from_text(paper['published']), zone)}"
    if paper["version"] > 1:
        submitted += f", version {paper['version']} on {moment(from_text(paper['updated']), zone)}"
    keywords = [text for keyword in report["keywords"] for text in _keyword_texts(keyword)]
    digests = [f"{d['date']} “{d['subject']}”: {d['text']}" for d in report["digests"]]
    digests += [f"one of {m['month']}, which is no longer kept" for m in report["months"]]
    return [
        ("Paper", paper["title"], submitted, paper["url"]),
        ("Keywords", *keywords),
        ("Digests", *(digests or ["none with this paper"])),
        ("Ranked", *ranking_texts(report["ranking"])),
        ("Summary", *_summary_texts(report["summary"])),
    ]


def _summary_texts(summary: dict[str, Any] | None) -> Iterator[str]:
    """What a model says of a paper, or why it says nothing."""
    if summary is None:
        return
    by = f"by {summary['by']}: " if summary["by"] else ""
    if summary["text"]:
        yield f"{by}“{summary['text']}”"
    if summary["why"]:
        yield (
            f"none in the digest: {summary['why']}"
            if summary["text"]
            else (f"none {by}{summary['why']}" if by else summary["why"])
        )


def _keyword_texts(keyword: dict[str, Any]) -> Iterator[str]:
    """What one keyword's log says of a paper."""
    for row in keyword["recorded"]:
        why_not = "" if row["status"] == "had" else f": {row['why']}"
        yield f"{keyword['keyword']}: {row['text']}{why_not}"
    if not keyword["recorded"]:
        yield f"{keyword['keyword']}: {keyword['why']}"


def _day_rows(report: dict[str, Any]) -> list[tuple[str, ...]]:
    zone = report["timezone"]
    silent = report["silent"] or "no announcement was served on this day"
    announced = [
        f"{date.fromisoformat(one['evening']):%a %Y-%m-%d},"
        f" served from {moment(from_text(one['served']), zone)} on"
        for one in report["announced"]
    ]
    fetched = [one["text"] for one in report["fetched"]]
    digests = [f"“{d['subject']}”: {d['text']}" for d in report["digests"]]
    none_asked, none = "none of the reader's keywords was asked for", "none"
    if report["verdict"] == "no_record":
        none_asked = none = "not known any more"
    return [
        ("Announced", *(announced or [f"nothing ({silent})"])),
        ("Fetched", *(fetched or [none_asked])),
        ("Recorded", _recorded(report["recorded"])),
        ("Digests", *(digests or [none])),
        ("Also", *report["reasons"][1:]),
        ("Next", report["next"]),
    ]


def _recorded(counts: dict[str, int]) -> str:
    """What a day brought into the reader's logs, in numbers."""
    kinds = [f"{counts[kind]} {kind}" for kind in ("new", "late", "revised") if counts[kind]]
    others = counts["not_for_this_reader"]
    why_not = f"; {others} more not for this reader (before the start, too old, or a new version)"
    return ", ".join(kinds or ["nothing"]) + (why_not if others else "")
