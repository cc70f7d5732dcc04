"""`digest status`: what happened last, what comes next, and why nothing came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import click

from digest.cli.base import (
    Command,
    Context,
    json_option,
    labelled,
    mistake_lines,
    mistakes_json,
    now_option,
    pass_context,
    say_where_mail_goes,
    shortened,
)
from digest.cli.daily.folder import say_what_the_folder_holds
from digest.cli.look.mailbox import (
    report_leaving,
    report_mailbox,
    tell_leaving,
    tell_mailbox,
)
from digest.cli.look.outbox import leaves_at, openings, server_words
from digest.cli.look.status_held_back import held_back_readers
from digest.cli.look.status_readers import last_receipt, trouble_of, why_none_today
from digest.cli.look.status_sources import report_sources, tell_sources
from digest.cli.look.status_summaries import summary_lines
from digest.cli.readers.describe import suppression_json
from digest.cli.readers.keywords import quarantine_advice
from digest.keywords.words import counted
from digest.mail.presets import limit_hint
from digest.model import OPEN, Channel, Keyword, Mistake, Query, Roster, State, Subscriber
from digest.rules.calendar import is_year_known, last_served, next_served, quiet_night
from digest.rules.channels import RULES
from digest.rules.plan import is_due
from digest.rules.schedule import (
    FOR_EVER,
    gives_way,
    is_paused,
    latest_slot,
    pause_in_words,
)
from digest.rules.verdict import moment
from digest.rules.words import in_words
from digest.setup.arxiv import source_order
from digest.setup.holidays import HOLIDAYS_FILE
from digest.setup.mail import make_transport
from digest.setup.parts import machine_now, reading_store, terms_of
from digest.setup.settings import Settings
from digest.setup.subscribers import read_roster
from digest.store import Store
from digest.store.runs import RunRecord
from digest.store.subscribers import SubscriberState
from digest.store.windows import Listed
from digest.times import from_text, in_utc, text_or_none, to_text

EXPLAINED = 200
"""With at most this many readers the report says of each why nothing came today, and how the last
digest adds up; beyond that, `digest why` and the digest do for one."""
SHOWN = 20
"""At most this many waiting deliveries are named; `digest outbox` has all."""
LISTED_FOR = timedelta(days=30)
COUNTED = OPEN | {State.FAILED}
"""The states of which the deliveries are counted: those on their way, and the failed ones, which a
person may want to send again. Those that have arrived or were given up on purpose need nobody."""


@click.command(cls=Command, examples=("digest status", "digest status --json"))
@json_option
@now_option
@pass_context
def status(context: Context, as_json: bool, now: datetime | None) -> None:
    """Tell what the last run did, how each keyword and the outbox are, and when each reader's
    digest comes.
    """
    rehearsed, now = now is not None, now or machine_now()
    roster = read_roster(context.settings)
    if not as_json:
        say_where_mail_goes(context)
        say_what_the_folder_holds(context, now)
    with reading_store(context.settings) as store:
        # As of another moment nothing is said of the machine's clock.
        clock = "" if rehearsed else clock_words(store, now)
        report = {"clock": clock} | _report(context.settings, store, roster, now)
    context.show(report, _lines(report), as_json=as_json)


def _report(settings: Settings, store: Store, roster: Roster, now: datetime) -> dict[str, Any]:
    """Everything that status knows, as plain values."""
    from digest.explain.libraries import doubtful_libraries
    from digest.run.fetch import why_paused

    last, coming = last_served(now), next_served(now)
    years = sorted({last.evening.year, coming.evening.year})
    counts = sorted(store.outbox.counts().items())
    keywords: dict[str, Keyword] = {}
    for keyword in store.mistakes.completed(
        roster
    ).keywords:  # two names of one query are one to arXiv: the first stands
        keywords.setdefault(keyword.query, keyword)
    first = source_order(settings, len(keywords))[0]
    surge = store.suppressions.surge(now)
    explained = len(roster.subscribers) <= EXPLAINED
    return {
        "now": to_text(now),
        "home": str(settings.home),
        "database": str(settings.db),
        "mail": make_transport(settings).description,
        "relay": _relay(settings, store, len(roster.subscribers), now),
        "leaving": report_leaving(settings),
        "mailbox": report_mailbox(store, settings),
        "bounces": surge.words if surge else "",
        "last_announcement": last.evening.isoformat(),
        "silent": night.words if (night := quiet_night(now)) else None,
        "next_announcement": to_text(coming.served_at),
        "holidays_unknown": [year for year in years if not is_year_known(year)],
        "arxiv_pause": why_paused(store, now),
        "run": _run(store.runs.latest()),
        "source": report_sources(store, settings, len(keywords), now),
        "keywords": list(_keywords(store, keywords, now, first)),
        "outbox": {state.value: number for state, number in counts if state in COUNTED},
        "waiting": _waiting(store, openings(store, terms_of(settings), now)),
        "mistakes": mistakes_json(roster.mistakes),
        "summaries": list(summary_lines(store, settings, roster, now)),
        "libraries": list(doubtful_libraries(store, roster, settings.home)),
        "wishes": sum(len(one.wishes) for one in roster.subscribers),
        "subscribers": [
            *(_reader(store, one, now, explained=explained) for one in roster.subscribers),
            *held_back_readers(store, roster),
        ],
    }


def clock_words(store: Store, now: datetime) -> str:
    """What is wrong with the machine's clock, or with what the database has seen; or nothing."""
    seen = store.clock.latest()
    if seen is not None and store.clock.is_ahead_of(now):
        return (
            f"FAILED: the database has seen {in_utc(seen)}, which lies ahead of this machine's"
            " clock; to do: 'digest db clock'"
        )
    return f"FAILED: {trouble}" if (trouble := store.clock.trouble()) else ""


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


def _relay(settings: Settings, store: Store, readers: int, now: datetime) -> dict[str, Any]:
    """How the mail server is, and what the limits leave."""
    state, limits = store.relay.state(), settings.mail_rate
    room_at, left = store.relay.room_at(now, limits), store.relay.handed_over(now)
    hint = limit_hint(settings.mail, max(readers, left), limits)
    words = list(server_words(store, terms_of(settings), now))
    return {
        "failures": state.failures,
        "tripped_since": text_or_none(state.tripped_since),
        "paused_until": text_or_none(state.paused_until) if state.is_paused(now) else None,
        "reason": state.reason,
        "last_24_hours": left,
        "room_at": to_text(room_at) if room_at > now else None,
        "text": [*words, f"to do: {hint}"] if hint else words,
    }


def _keywords(
    store: Store, keywords: dict[str, Keyword], now: datetime, first: str
) -> Iterator[dict[str, Any]]:
    """How each keyword is: its last answer, what that brought, and what is wrong. `first` is the
    source that is tried first.
    """
    known = {query.text: query for query in store.windows.queries(list(keywords))}
    listed = {each.query: each for each in store.windows.listed_since(now - LISTED_FOR)}
    for keyword in keywords.values():
        query = known.get(keyword.query, Query(0, keyword.query, None, None, 0, "", None))
        fetch = store.runs.last_fetch(keyword.query)
        yield {
            "keyword": keyword.name,
            "query": keyword.query,
            "last_good": text_or_none(query.last_good_at),
            "held_since": text_or_none(query.quarantined_since),
            "failures": query.failures,
            "trouble": query.trouble,
            "next_fetch": text_or_none(query.next_fetch_at),
            "due": is_due(query, now, first),
            "new": fetch[1].new + fetch[1].late if fetch else None,
            "why": fetch[1].why if fetch else "not asked for yet",
            "also_listed": _also_listed(listed.get(keyword.query)),
        }


def _also_listed(listed: Listed | None) -> dict[str, Any] | None:
    """What arXiv's search lists for a keyword that does not match here."""
    return {"papers": listed.papers, "since": to_text(listed.since)} if listed else None


def _waiting(store: Store, opens: Mapping[Channel, datetime]) -> list[dict[str, Any]]:
    return [
        {
            "id": row.id,
            "email": row.address,
            "state": row.state.value,
            "next": to_text(leaves_at(row, opens)),
            "reply": row.reply,
        }
        for row in islice(store.outbox.entries(), SHOWN)
    ]


def _reader(store: Store, reader: Subscriber, now: datetime, *, explained: bool) -> dict[str, Any]:
    """How one reader is: the last digest, the next, and what keeps it; with `explained`, why none
    came today.
    """
    from digest.explain.inquiry import Inquiry, coming

    state = store.subscribers.state(reader.email)
    inquiry = Inquiry(store, now, reader.email, reader, store.history.reader(reader.email))
    at, evening = coming(inquiry, reader)
    reasons = _reasons(store, reader, state, now, explained=explained)
    comes = reader.paused_until != FOR_EVER
    return {
        "email": reader.email,
        "timezone": reader.timezone,
        "suppressed": suppression_json(store.suppressions.of(reader.email)),
        "last_digest": text_or_none(state.last_digest_at) if state else None,
        "last_state": state.last_state if state else None,
        "next_digest": to_text(at) if comes else None,
        "covers": evening.isoformat() if comes else None,
        "why": next(filter(None, reasons), ""),
        "receipt": last_receipt(inquiry, state) if state and explained else "",
    }


def _reasons(
    store: Store,
    reader: Subscriber,
    state: SubscriberState | None,
    now: datetime,
    *,
    explained: bool,
) -> Iterator[str]:
    """What keeps a reader's digest away, the weightiest reason first; an empty one is none."""
    if reader.paused_until is not None and is_paused(reader, now):
        yield pause_in_words(reader.paused_until)
    if suppressed := store.suppressions.of(reader.email):
        yield f"mail to this address is suppressed: {suppressed.why}"
    if state is not None:
        yield trouble_of(state, RULES[reader.channel].item)
    if state is None or state.last_digest_at is None:
        waits = gives_way(reader, latest_slot(reader, now), now)
        yield "no digest yet" if waits else "the first digest comes with the next run"
    elif explained:
        yield why_none_today(store, reader, state.last_digest_at, now)


def _lines(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people."""
    relay, silent = report["relay"], report["silent"]
    announced = f"next announcement served {_time(report['next_announcement'])}"
    place = f"{report['home']}/{HOLIDAYS_FILE}"
    said = _said(relay["text"])
    rows = [
        ("Database", report["database"]),
        ("Mail", report["mail"], *relay["text"], report["bounces"]),
        ("Leaving", tell_leaving(report["leaving"]), tell_mailbox(report["mailbox"])),
        ("Clock", report["clock"]),
        (
            "Mistakes",
            *mistake_lines(
                [Mistake(m["text"], tuple(m["holds_back"])) for m in report["mistakes"]]
            ),
        ),
        ("Libraries", *shortened(report["libraries"], "'digest status --json'")),
        ("Summaries", *report["summaries"]),
        ("Last run", *_run_lines(report["run"], said)),
        ("arXiv", f"nothing last evening ({silent}); {announced}" if silent else announced),
        (
            "Source",
            *tell_sources(report["source"]),
            report["arxiv_pause"],
            *(
                f"{year}'s holidays are not known: write them into {place}"
                for year in report["holidays_unknown"]
            ),
        ),
    ]
    yield from labelled(rows, 10)
    yield from ("", "Keywords")
    for keyword in report["keywords"]:
        yield from _keyword_lines(keyword)
    if not report["keywords"]:
        yield "  none"
    states = (f"{number} {in_words(state)}" for state, number in report["outbox"].items())
    yield from ("", "Outbox", f"  {', '.join(states) or 'empty'}")
    for row in report["waiting"]:
        reply = f": {row['reply']}" if row["reply"] and row["reply"] not in said else ""
        at = f"next at {_time(row['next'])}"
        yield f"  {row['id']} to {row['email']}: {in_words(row['state'])}, {at}{reply}"
    yield from ("", "Subscribers")
    yield from _subscriber_lines(report)


def _subscriber_lines(report: dict[str, Any]) -> Iterator[str]:
    for reader in report["subscribers"]:
        yield _reader_line(reader, report["now"])
        if reader["receipt"]:
            yield f"    {reader['receipt']}"
    if not report["subscribers"]:
        yield "  none: keywords are fetched and recorded, and nothing is mailed"
    if report["wishes"]:
        taken = counted(report["wishes"], "thing that a reader", "things that readers")
        yield f"  {taken} took away by themselves: 'digest subscribers show EMAIL' tells each"


def _said(text: Sequence[str]) -> list[str]:
    """The servers' words, which stand above once for all that they keep back."""
    return [line.partition(": ")[2] for line in text if ": " in line]


def _run_lines(run: dict[str, Any] | None, said: Sequence[str]) -> Iterator[str]:
    if run is None:
        yield "none yet: 'digest run' does one"
        return
    ended = "" if run["finished"] else " (interrupted; the next run finishes it)"
    composed = counted(run["composed"], "digest")
    yield f"{_time(run['started'])}{ended}: {composed} composed, {run['sent']} sent"
    if not any(words in run["trouble"] for words in said):
        yield run["trouble"]


def _keyword_lines(keyword: dict[str, Any]) -> Iterator[str]:
    """One keyword's last answer, and what is wrong with it and can be done."""
    new, trouble, good = keyword["new"], keyword["trouble"], keyword["last_good"]
    asked = f"last answer {_time(good)}" if good else "no answer yet"
    said = f"  {keyword['keyword']}: {asked}"
    if not trouble:
        brought = "" if new is None else f", {new} new"
        yield f"{said}{brought}" + (f" ({keyword['why']})" if keyword["why"] else "")
    else:
        times = "once" if keyword["failures"] == 1 else f"{keyword['failures']} times"
        yield f"{said} ({trouble})"
        yield f"    failed {times}, asked again from {_time(keyword['next_fetch'])} on"
    if besides := keyword["also_listed"]:
        papers = counted(besides["papers"], "paper")
        yield f"    arXiv's search also lists {papers} since {_time(besides['since'])} that"
        yield "    do not match by this program's own reading; they are mailed as title lines"
    if keyword["held_since"]:
        yield f"    held back since {_time(keyword['held_since'])}, nothing is mailed from it:"
        yield from (f"      {line}" for line in quarantine_advice(keyword["keyword"]))


def _reader_line(reader: dict[str, Any], now: str) -> str:
    zone, last, coming = reader["timezone"], reader["last_digest"], reader["next_digest"]
    at = "with the next run" if coming == now else _time(coming, zone)
    parts = (
        f"last digest {_time(last, zone)} ({in_words(reader['last_state'])})" if last else "",
        reader["why"],
        f"next {at}, with the announcement of {reader['covers']}" if coming else "",
    )
    return f"  {reader['email']}: {'; '.join(filter(None, parts))}"


def _time(text: str | None, zone: str = "UTC") -> str:
    """A moment for people, in a reader's zone."""
    return f"{moment(from_text(text), zone)} {zone}" if text else "never"
