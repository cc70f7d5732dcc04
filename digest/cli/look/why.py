"""`digest why`: the chain of facts for one reader, about a paper or about a day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import YEARS, Command, Context, json_option, now_option, pass_context
from digest.errors import ConfigError, UsageError
from digest.setup.parts import existing_store, holds_unknown, machine_now
from digest.setup.subscribers import known_as, place_of_subscribers, read_roster

if TYPE_CHECKING:
    from digest.explain.paper import Asked
    from digest.model import Roster, Subscriber
    from digest.rules.verdict import PaperName
    from digest.store import Store
    from digest.store.history import Reader


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
    how delivered, in the mail server's own words. Without DATE or ARXIV-ID: the last day with
    something to tell, and what comes next.
    """
    from digest.explain.day import explain_day, latest_day
    from digest.explain.paper import Asked, explain_paper
    from digest.rules.verdict import read_paper_name

    moment = now or machine_now()
    roster = read_roster(context.settings)
    name = read_paper_name(about) if about else None
    with existing_store(context.settings) as store:
        subscriber, past = find_reader(context, roster, store, email)
        if store is None:
            report = _nothing_yet(context, email)
        else:
            address = subscriber.email if subscriber else past.address if past else email
            holds = holds_unknown(context.settings, address)
            asked = Asked(store, moment, address, subscriber, past, hold_unknown=holds)
            if name is not None:
                report = explain_paper(asked, name)
            else:
                report = explain_day(asked, _day(about, asked) if about else latest_day(asked))
            report["note"] = _note(asked, context)
    if as_json:
        context.print_json(report)
    else:
        _tell(context, report, name)


def find_reader(
    context: Context, roster: Roster, store: Store | None, email: str
) -> tuple[Subscriber | None, Reader | None]:
    """A reader as the file and the database know them; ConfigError, with the nearest, where neither
    does.
    """
    wanted = known_as(context.settings, email).strip()
    subscriber = next(
        (s for s in roster.subscribers if s.email.casefold() == wanted.casefold()), None
    )
    past = store.history.reader(wanted) if store else None
    if subscriber is None and past is None:
        known = [s.email for s in roster.subscribers] + (store.history.addresses() if store else [])
        from digest.subscribers.unknown import nearest_address

        near = nearest_address(email, known)
        remedy = (
            f"did you mean {near}?" if near else "'digest subscribers' lists who is in the file"
        )
        place = place_of_subscribers(context.settings)
        raise ConfigError(f"neither {place} nor the database knows {email}", remedy=remedy)
    return subscriber, past


def _nothing_yet(context: Context, email: str) -> dict[str, Any]:
    return {
        "email": email,
        "about": "nothing",
        "verdict": "no_database",
        "answer": f"Nothing has happened yet: there is no database at {context.settings.db}; 'digest run' makes it.",
    }


def _note(asked: Asked, context: Context) -> str:
    """What is odd about the reader: in only one of file and database."""
    from digest.rules.verdict import moment

    if asked.past is None:
        return f"{asked.address} is in {context.settings.subscribers.name}, and not yet in the database."
    if asked.subscriber is None and asked.past.left_at is not None:
        return f"{asked.address} left on {moment(asked.past.left_at, asked.zone)} UTC."
    if asked.subscriber is None:
        return f"{asked.address} is no longer in {context.settings.subscribers.name}; the next run lets them go."
    if asked.past.left_at is not None:
        return f"{asked.address} had left on {moment(asked.past.left_at, asked.zone)}, and is back with the next run."
    return ""


def _day(text: str, asked: Asked) -> date:
    """A day in the reader's zone; UsageError where the text is neither a day nor a paper."""
    from digest.rules.schedule import local_date

    today = local_date(asked.now, asked.zone)
    words = {"today": today, "yesterday": today - timedelta(days=1)}
    if text.casefold() in words:
        return words[text.casefold()]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is neither a date nor an arXiv id",
            remedy="write 2026-11-09, yesterday, 2503.14895 or hep-th/9901001",
        ) from None
    if day.year not in YEARS:
        raise UsageError(f"{text} lies outside the years {YEARS.start} to {YEARS.stop - 1}")
    return day


def _tell(context: Context, report: dict[str, Any], name: PaperName | None) -> None:
    """The report in lines for people: the answer first, then the chain that leads to it."""
    from digest.rendering.texts import clean

    context.echo(clean(report["answer"], 2000))
    if report.get("note"):
        context.echo(report["note"])
    for heading, lines in _paper_lines(report) if name else _day_lines(report):
        for number, line in enumerate(lines):
            context.echo(f"{'' if number else heading:<10}{clean(line, 2000)}")
    if "timezone" in report:
        context.echo(f"(times in {report['timezone']})")


def _paper_lines(report: dict[str, Any]) -> list[tuple[str, list[str]]]:
    paper = report.get("paper")
    if paper is None:
        return []
    from digest.rules.verdict import moment
    from digest.times import from_text

    zone = report["timezone"]
    submitted = f"submitted {moment(from_text(paper['published']), zone)}"
    if paper["version"] > 1:
        submitted += f", version {paper['version']} on {moment(from_text(paper['updated']), zone)}"
    keywords = []
    for k in report["keywords"]:
        for row in k["recorded"]:
            why_not = "" if row["status"] == "had" else f": {row['why']}"
            keywords.append(f"{k['keyword']}: {row['text']}{why_not}")
        if not k["recorded"]:
            keywords.append(f"{k['keyword']}: {k['why']}")
    digests = [f"{d['date']} “{d['subject']}”: {d['text']}" for d in report["digests"]]
    return [
        ("Paper", [paper["title"], submitted, paper["url"]]),
        ("Keywords", keywords),
        ("Digests", digests or ["none with this paper"]),
    ]


def _day_lines(report: dict[str, Any]) -> list[tuple[str, list[str]]]:
    if report["about"] != "day":
        return []
    from digest.rules.verdict import moment
    from digest.times import from_text

    zone, recorded = report["timezone"], report["recorded"]
    announced = [
        f"{date.fromisoformat(a['evening']):%a %Y-%m-%d}, served from {moment(from_text(a['served']), zone)} on"
        for a in report["announced"]
    ] or [f"nothing ({report['silent'] or 'no announcement was served on this day'})"]
    counts = [
        f"{recorded[kind]} {kind}" for kind in ("new", "late", "revised") if recorded[kind]
    ] or ["nothing"]
    beside = recorded["not_for_this_reader"]
    matched = ", ".join(counts)
    if beside:
        matched += (
            f"; {beside} more not for this reader (before the start, too old, or a new version)"
        )
    return [
        ("Announced", announced),
        (
            "Fetched",
            [f["text"] for f in report["fetched"]]
            or ["none of the reader's keywords was asked for"],
        ),
        ("Recorded", [matched]),
        ("Digests", [f"“{d['subject']}”: {d['text']}" for d in report["digests"]] or ["none"]),
        ("Also", report["reasons"][1:]),
        ("Next", [report["next"]] if report["next"] else []),
    ]
