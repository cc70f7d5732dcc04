"""`digest status`: what happened last, what comes next, and why nothing came."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import (
    Command,
    Context,
    fit_for_log,
    json_option,
    now_option,
    pass_context,
    say_where_mail_goes,
)
from digest.cli.daily.folder import say_what_the_folder_holds
from digest.cli.look.status_sources import report_sources, tell_sources
from digest.cli.readers.describe import suppression_json
from digest.cli.readers.keywords_windows import what_to_do
from digest.keywords.words import counted
from digest.model import REPOSITORY, in_words
from digest.setup.arxiv import source_order
from digest.setup.holidays import HOLIDAYS_FILE
from digest.setup.mail import make_transport
from digest.setup.parts import existing_store, machine_now
from digest.setup.subscribers import read_roster
from digest.times import from_text, text_or_none, to_text

if TYPE_CHECKING:
    from digest.model import Keyword, Roster, Subscriber
    from digest.setup.settings import Settings
    from digest.store import Store
    from digest.store.runs import RunRecord

EXPLAINED = 200
"""Up to so many readers are told why nothing came today; of more, one at a time by `digest why`."""


@click.command(cls=Command, examples=("digest status", "digest status --json"))
@json_option
@now_option
@pass_context
def status(context: Context, as_json: bool, now: datetime | None) -> None:
    """Tell what the last run did, how each keyword and the outbox are, and when each reader's
    digest comes.
    """
    moment = now or machine_now()
    roster = read_roster(context.settings)
    if not as_json:
        say_where_mail_goes(context)
        say_what_the_folder_holds(context, moment)
    with existing_store(context.settings) as store:
        report = _report(context, store, roster, moment)
    if as_json:
        context.print_json(report)
    else:
        _tell(context, report)


def _report(context: Context, store: Store | None, roster: Roster, now: datetime) -> dict[str, Any]:
    """Everything that status knows, as plain values."""
    from digest.rules.calendar import is_year_known, last_served, next_served, quiet_night
    from digest.run.fetch import paused

    last, coming = last_served(now), next_served(now)
    unknown = [
        year for year in sorted({last.evening.year, coming.evening.year}) if not is_year_known(year)
    ]
    run = store.runs.latest() if store else None
    counts = store.outbox.counts() if store else {}
    keywords: dict[str, Keyword] = {}
    for keyword in roster.keywords:
        keywords.setdefault(keyword.query, keyword)
    first = source_order(context.settings, len(keywords))[0]
    return {
        "now": to_text(now),
        "home": str(context.settings.home),
        "database": str(context.settings.db),
        "mail": make_transport(context.settings).description,
        "relay": _relay(context, store, len(roster.subscribers), now),
        "leaving": _leaving(context.settings),
        "bounces": surge.words if store and (surge := store.suppressions.surge(now)) else "",
        "last_announcement": last.evening.isoformat(),
        "silent": quiet_night(now),
        "next_announcement": to_text(coming.served_at),
        "holidays_unknown": unknown,
        "arxiv_pause": paused(store, now) if store else "",
        "run": _run(run),
        "source": report_sources(store, context.settings, len(keywords), now),
        "keywords": [_keyword(store, keyword, now, first) for keyword in keywords.values()],
        "outbox": {
            state.value: number
            for state, number in sorted(counts.items())
            if state in ("queued", "leased", "in_data", "deferred", "unknown", "failed")
        },
        "waiting": _waiting(context, store, now),
        "subscribers": [
            _subscriber(store, subscriber, now, explained=len(roster.subscribers) <= EXPLAINED)
            for subscriber in roster.subscribers
        ],
    }


def _leaving(settings: Settings) -> dict[str, Any] | None:
    """Where requests to leave arrive by mail, and whether a program reads them there."""
    from digest.setup.mail import make_sender

    if not settings.mails_for_real:
        return None
    sender = make_sender(settings)
    return {
        "to": settings.bounce if settings.inbox and settings.bounce else sender.reply_address,
        "read": bool(settings.inbox),
    }


def _run(run: RunRecord | None) -> dict[str, Any] | None:
    if run is None:
        return None
    return {
        "started": to_text(run.started),
        "finished": text_or_none(run.finished),
        "trouble": run.trouble,
        "composed": run.composed,
        "sent": run.outcomes.get("sent", 0),  # type: ignore[call-overload]
    }


def _relay(context: Context, store: Store | None, readers: int, now: datetime) -> dict[str, Any]:
    """How the mail server is, and what the limits leave."""
    from digest.cli.look.outbox import server_words
    from digest.mail.presets import limit_hint
    from digest.store.relay import RelayState

    state = store.relay.state() if store else RelayState()
    limits = context.settings.mail_rate
    room_at = store.relay.room_at(now, limits) if store else now
    left = store.relay.handed_over(now) if store else 0
    hint = limit_hint(context.settings.mail, max(readers, left), limits)
    return {
        "failures": state.failures,
        "tripped_since": text_or_none(state.tripped_since),
        "paused_until": to_text(state.paused_until)
        if state.paused_until and state.is_paused(now)
        else None,
        "reason": state.reason,
        "last_24_hours": left,
        "room_at": to_text(room_at) if room_at > now else None,
        "text": [*server_words(store, context, now), *([f"to do: {hint}"] if hint else [])],
    }


def _keyword(store: Store | None, keyword: Keyword, now: datetime, first: str) -> dict[str, Any]:
    """How one keyword is: its last answer, what that brought, and what is wrong."""
    from digest.rules.plan import is_due

    found = store.windows.queries([keyword.query]) if store else []
    query = found[0] if found else None
    fetch = store.runs.last_fetch(keyword.query) if store else None
    return {
        "keyword": keyword.name,
        "query": keyword.query,
        "last_good": text_or_none(query.last_good_at if query else None),
        "held_since": to_text(query.quarantined_since)
        if query and query.quarantined_since
        else None,
        "failures": query.failures if query else 0,
        "trouble": query.trouble if query else "",
        "next_fetch": text_or_none(query.next_fetch_at if query else None),
        "due": query is None or is_due(query, now, first),
        "new": fetch[1].new + fetch[1].late if fetch else None,
        "why": fetch[1].why if fetch else "not asked for yet",
    }


def _waiting(context: Context, store: Store | None, now: datetime) -> list[dict[str, Any]]:
    if store is None:
        return []
    opens_at = store.relay.opens_at(now, context.settings.mail_rate)
    return [
        {
            "id": e.id,
            "email": e.address,
            "state": e.state.value,
            "next": to_text(
                e.next_at if e.address.startswith(REPOSITORY) else max(e.next_at, opens_at)
            ),
            "reply": e.reply,
        }
        for e in store.outbox.entries()[:20]
    ]


def _subscriber(
    store: Store | None, subscriber: Subscriber, now: datetime, *, explained: bool
) -> dict[str, Any]:
    """How one reader is: the last digest, the next, and what keeps it; with `explained`, why none
    came today.
    """
    from digest.model import Format
    from digest.rules.schedule import (
        FOR_EVER,
        gives_way,
        is_paused,
        latest_slot,
        next_digest,
        pause_in_words,
    )

    state = store.subscribers.state(subscriber.email) if store else None
    moment, evening = next_digest(subscriber, now, taken=state.slot if state else None)
    why, sent = "", "issue" if subscriber.format is Format.ISSUE else "mail"
    if subscriber.paused_until is not None and is_paused(subscriber, now):
        why = pause_in_words(subscriber.paused_until)
    elif state and state.suppressed:
        why = f"mail to this address is suppressed: {state.suppressed}"
    elif state and state.refused:
        why = f"the last {sent} was refused for good ({state.refused}); its papers come with the next digest"
    elif state and state.unplaced:
        why = f"arXiv has not yet answered for {', '.join(state.unplaced)}"
    elif state is None or state.last_digest_at is None:
        waits = gives_way(subscriber, latest_slot(subscriber, now), now)
        why = "no digest yet" if waits else "the first digest comes with the next run"
    elif store is not None and explained:
        why = _why_none_today(store, subscriber, state.last_digest_at, now)
    held = store.suppressions.of(subscriber.email) if store else None
    return {
        "email": subscriber.email,
        "timezone": subscriber.timezone,
        "suppressed": suppression_json(held),
        "last_digest": text_or_none(state.last_digest_at if state else None),
        "last_state": state.last_state if state else None,
        "next_digest": None if subscriber.paused_until == FOR_EVER else to_text(moment),
        "covers": None if subscriber.paused_until == FOR_EVER else evening.isoformat(),
        "why": why,
    }


def _why_none_today(store: Store, subscriber: Subscriber, last: datetime, now: datetime) -> str:
    """Why the reader's local day has brought no digest so far; "" where it has."""
    from digest.explain.day import explain_day
    from digest.explain.paper import Asked
    from digest.rules.schedule import local_date

    today = local_date(now, subscriber.timezone)
    if local_date(last, subscriber.timezone) == today:
        return ""
    asked = Asked(store, now, subscriber.email, subscriber, store.history.reader(subscriber.email))
    reasons = explain_day(asked, today)["reasons"]
    return f"none today: {reasons[0]}" if reasons else ""


def _tell(context: Context, report: dict[str, Any]) -> None:
    """The report in lines for people."""
    _tell_places(context, report)
    _tell_last_run(context, report)
    _tell_arxiv(context, report)
    _tell_keywords(context, report["keywords"])
    _tell_outbox(context, report)
    _tell_subscribers(context, report["subscribers"])


def _tell_places(context: Context, report: dict[str, Any]) -> None:
    context.echo(f"Database  {report['database']}")
    context.echo(f"Mail      {report['mail']}")
    for line in report["relay"]["text"]:
        context.echo(f"          {line}")
    if report["bounces"]:
        context.echo(f"          {report['bounces']}")
    if report["leaving"] and not report["leaving"]["read"]:
        context.echo(
            f"Leaving   requests arrive at {fit_for_log(report['leaving']['to'])};"
            " act on each with 'digest inbox MAIL.eml'"
        )


def _tell_last_run(context: Context, report: dict[str, Any]) -> None:
    run = report["run"]
    if run is None:
        context.echo("Last run  none yet: 'digest run' does one")
    else:
        ended = "" if run["finished"] else " (interrupted; the next run finishes it)"
        composed = counted(run["composed"], "digest")
        context.echo(
            f"Last run  {_time(run['started'])}{ended}: {composed} composed, {run['sent']} sent"
        )
        if run["trouble"] and not (
            report["relay"]["reason"] and report["relay"]["reason"] in run["trouble"]
        ):
            context.echo(f"          {run['trouble']}")


def _tell_arxiv(context: Context, report: dict[str, Any]) -> None:
    silent = f"nothing last evening ({report['silent']}); " if report["silent"] else ""
    context.echo(f"arXiv     {silent}next announcement served {_time(report['next_announcement'])}")
    for number, line in enumerate(tell_sources(report["source"])):
        context.echo(f"{'' if number else 'Source':10}{line}")
    if report["arxiv_pause"]:
        context.echo(f"          {report['arxiv_pause']}")
    for year in report["holidays_unknown"]:
        context.echo(
            f"          {year}'s holidays are not known: write them into {report['home']}/{HOLIDAYS_FILE}"
        )


def _tell_keywords(context: Context, keywords: list[dict[str, Any]]) -> None:
    context.echo("\nKeywords")
    for keyword in keywords:
        _tell_keyword(context, keyword)
    if not keywords:
        context.echo("  none")


def _tell_outbox(context: Context, report: dict[str, Any]) -> None:
    waiting = ", ".join(f"{number} {in_words(state)}" for state, number in report["outbox"].items())
    context.echo(f"\nOutbox\n  {waiting or 'empty'}")
    for entry in report["waiting"]:
        context.echo(
            f"  {entry['id']} to {entry['email']}: {in_words(entry['state'])}, next at {_time(entry['next'])}"
            + (
                f": {entry['reply']}"
                if entry["reply"] not in ("", report["relay"]["reason"])
                else ""
            )
        )


def _tell_subscribers(context: Context, subscribers: list[dict[str, Any]]) -> None:
    context.echo("\nSubscribers")
    for s in subscribers:
        zone = s["timezone"]
        last = (
            f"last digest {_time(s['last_digest'], zone)} ({in_words(s['last_state'])})"
            if s["last_digest"]
            else ""
        )
        covers = f", with the announcement of {s['covers']}"
        coming = f"next {_time(s['next_digest'], zone)}{covers}" if s["next_digest"] else ""
        context.echo(
            f"  {s['email']}: " + "; ".join(part for part in (last, s["why"], coming) if part)
        )
    if not subscribers:
        context.echo("  none: keywords are fetched and recorded, and nothing is mailed")


def _tell_keyword(context: Context, k: dict[str, Any]) -> None:
    """One keyword's last answer, and what is wrong with it and can be done."""
    asked = f"last answer {_time(k['last_good'])}" if k["last_good"] else "no answer yet"
    brought = "" if k["new"] is None or k["trouble"] else f", {k['new']} new"
    reason = k["trouble"] or (k["why"] if not k["new"] else "")
    context.echo(f"  {k['keyword']}: {asked}{brought}" + (f" ({reason})" if reason else ""))
    if k["trouble"]:
        times = "once" if k["failures"] == 1 else f"{k['failures']} times"
        context.echo(f"    failed {times}, asked again from {_time(k['next_fetch'])} on")
    if k["held_since"]:
        context.echo(f"    held back since {_time(k['held_since'])}, nothing is mailed from it:")
        for line in what_to_do(k["keyword"]):
            context.echo(f"      {line}")


def _time(text: str | None, zone: str = "UTC") -> str:
    """A moment for people, in a reader's zone."""
    from zoneinfo import ZoneInfo

    if text is None:
        return "never"
    return f"{from_text(text).astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"
