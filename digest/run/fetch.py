"""The fetching step of a cycle: sources are tried in their order, and what each query gets is
judged and recorded.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from digest.arxiv.line import Line
from digest.errors import ArxivError, DoubtfulError
from digest.keywords.words import listed
from digest.model import Keyword, Kind, Origin, Query, Roster, Subscriber, Window
from digest.rules import plan
from digest.rules.calendar import why_nothing
from digest.rules.plan import (
    API,
    AUTO,
    FEEDS,
    OAI,
    asked_again,
    at_once,
    is_compared,
    is_due,
    order,
    reaches,
)
from digest.rules.plausibility import is_baseline_reset, no_news
from digest.rules.quiet import why_no_news, why_stale
from digest.run.quarantine import Doubt, held_news, judge, matching_ids, only_listed
from digest.run.session import Session
from digest.run.sources.api import ApiSource
from digest.run.sources.base import Arxiv, FetchRequest, Source
from digest.run.sources.feeds import Feeds, FeedsSource
from digest.run.sources.oai import Oai, OaiSource
from digest.store import Store
from digest.store.runs import KeywordRecord
from digest.store.windows import Judgement
from digest.times import in_utc

log = logging.getLogger(__name__)

WAITS = tuple(timedelta(minutes=m) for m in (15, 30, 60, 120, 240, 360))
"""How long a query is left alone after its first, second … failure. Where arXiv asks to slow down
there is a pause for all queries besides."""
UNREACHABLE_WAIT = timedelta(minutes=1)
"""The same for each failure in which no request reached arXiv (no network), up to WAITS[0]: the
network may be back any minute."""
FULL = (
    "new, and waits for the next run: one asks arXiv for at most"
    f" {plan.NEW_AT_ONCE} new keywords of readers who signed up"
)
"""Why a query waits that came with a sign-up."""
SOURCE_WORDS = {API: "the API", FEEDS: "the announcement feeds", OAI: "OAI"}


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources that can be asked: arXiv's API, its announcement feeds and OAI where there are
    such; `choice` is the one that is tried first (auto, api, feeds, oai), `line` the one by which
    all are asked. `previews`: people are told what keywords would bring before they have them.
    """

    arxiv: Arxiv
    feeds: Feeds | None = None
    oai: Oai | None = None
    choice: str = AUTO
    line: Line | None = None
    previews: bool = False

    def by_name(self, store: Store) -> dict[str, Source]:
        """Those that there are."""
        found: dict[str, Source] = {API: ApiSource(self.arxiv)}
        if self.feeds is not None:
            found[FEEDS] = FeedsSource(self.feeds, self.arxiv, store, keeps_whole=self.previews)
        if self.oai is not None:
            found[OAI] = OaiSource(self.oai)
        return found


@dataclass(frozen=True, slots=True)
class Fetched:
    """The result for one query: its record, the error where there was one, and the source that was
    asked.
    """

    record: KeywordRecord
    error: ArxivError | None = None
    source: str = ""


async def fetch_due(
    session: Session,
    sources: Sources,
    roster: Roster,
    run: int,
    *,
    only: Subscriber | None = None,
    force: bool = False,
) -> list[Fetched]:
    """Fetch what is due, or with `force` all: from the first source that can give it, and where
    that fails from the next one. With `only`, this reader's keywords alone.
    """
    keywords, now = roster.keywords if only is None else only.keywords, session.clock()
    names: dict[str, str] = {}
    for keyword in (*keywords, *roster.keywords):
        names.setdefault(keyword.query, keyword.name)
    queries = session.store.windows.queries([keyword.query for keyword in keywords])
    there = sources.by_name(session.store)
    if sources.line is not None:
        sources.line.begin_round()
    ranked = order(sources.choice, len(queries), there)
    due = [query for query in queries if force or is_due(query, now, ranked[0])]
    due = at_once(due, now, ranked[0])
    later = {} if force else _put_off(due, roster)
    due = [query for query in due if query.id not in later]
    request = FetchRequest(now, names, session.stop, session.progress)
    fetching = FetchRound(session, run, request, force)
    fetching.skip_others(queries, [*due, *later.values()], now)
    for query in later.values():
        fetching.skip(query, FULL)
    for name in ranked:
        await fetching.ask(there[name], due, first=ranked[0])
    return [fetching.done[query.text] for query in queries if query.text in fetching.done]


def _put_off(due: Sequence[Query], roster: Roster) -> dict[int, Query]:
    """The due queries that wait for the next cycle, by number: new ones, one too many, that no
    reader of the subscribers file has.
    """
    if sum(query.last_good_at is None for query in due) <= plan.NEW_AT_ONCE:
        return {}
    by_origin: dict[Origin, set[str]] = defaultdict(set)
    for reader in roster.subscribers:
        by_origin[reader.origin].update(keyword.query for keyword in reader.keywords)
    brought = by_origin[Origin.WEB] - by_origin[Origin.FILE]
    return {query.id: query for query in plan.put_off(due, brought)}


def explain_silence(session: Session, fetched: Sequence[Fetched], run: int) -> list[Fetched]:
    """Give the keywords that found nothing the true reason where the index stands still, in the
    run's record too.
    """
    silent = [f.record.status == "ok" and not f.record.new + f.record.late for f in fetched]
    if not any(silent):
        return list(fetched)
    growth = session.store.windows.growth()
    why = why_stale(growth.newest, growth.rows_per_day, session.clock())
    if not why:
        return list(fetched)
    session.store.runs.explain_silence(run, why)
    return [
        replace(each, record=replace(each.record, why=why)) if is_silent else each
        for each, is_silent in zip(fetched, silent, strict=True)
    ]


def why_paused(store: Store, now: datetime) -> str:
    """Why nobody may ask arXiv now, or ""."""
    pause = store.windows.pause()
    if pause is None or pause.until <= now:
        return ""
    return f"arXiv asked to slow down: it is asked again from {in_utc(pause.until)} on"


@dataclass(frozen=True, slots=True)
class Unanswered:
    """Queries that arXiv has not answered since its last announcement, and when it is asked again
    for the first of them (UTC).
    """

    queries: frozenset[str]
    again: datetime

    def names(self, keywords: Iterable[Keyword]) -> list[str]:
        """The names of those keywords that are unanswered, each query's first."""
        named: dict[str, str] = {}
        for keyword in keywords:
            named.setdefault(keyword.query, keyword.name)
        return [name for query, name in named.items() if query in self.queries]


def unanswered(store: Store, keywords: Iterable[Keyword], now: datetime) -> Unanswered | None:
    """Which of these keywords arXiv still has to answer, those among them that no run has met yet;
    None where it has answered for all.
    """
    texts = list(dict.fromkeys(keyword.query for keyword in keywords))
    known = {query.text: asked_again(query, now) for query in store.windows.queries(texts)}
    again = {text: at for text in texts if (at := known.get(text, now)) is not None}
    if not again:
        return None
    pause = store.windows.pause()
    first = min(again.values())
    return Unanswered(frozenset(again), max(first, pause.until) if pause is not None else first)


def why_not_due(query: Query, now: datetime) -> str:
    """Why a query is not asked for now."""
    if query.next_fetch_at is not None:
        return f"asked again at {in_utc(query.next_fetch_at)}: {query.trouble}"
    return why_nothing(now=now, previous_good=query.last_good_at, fetched=0, first_seen=0)


@dataclass(slots=True)
class FetchRound:
    """One run's asking. `force`: even while arXiv wants a pause, till it says so again.

    `done` has what became of each query so far, by its text: a source's window is recorded at once,
    and so is a failure, which the next source may still make good.
    """

    session: Session
    run: int
    request: FetchRequest
    force: bool = False
    done: dict[str, Fetched] = field(default_factory=dict)

    def skip_others(self, queries: Sequence[Query], due: Sequence[Query], now: datetime) -> None:
        """Note that those of the queries which are not due are not asked for."""
        wanted = {query.id for query in due}
        for query in queries:
            if query.id not in wanted:
                self.skip(query, why_not_due(query, now))

    def skip(self, query: Query, why: str) -> None:
        """Note that a query is not asked for."""
        record = KeywordRecord(self.request.name(query), "skipped", why=why)
        # docs/decisions.md, “The run's record has no rows for keywords that were not asked”.
        self.done[query.text] = Fetched(record)

    async def ask(self, source: Source, due: Sequence[Query], *, first: str) -> None:
        """Ask a source for those due queries that have no window yet, as far as it leaves no gap in
        them.

        `first` names the source that is tried first. What does not fit its history is asked for a
        second time after all others.
        """
        now = self.session.clock()
        left = [query for query in due if not self._has_window(query)]
        waiting = [query for query in left if reaches(source.name, query, now, first)]
        if left:
            await self._ask(source, waiting, replace(self.request, first=source.name == first))
        doubtful = [query.text for query in waiting if self._is_doubtful(query)]
        if source.name == API and doubtful:
            # Their rows now tell that they are held back: the second window reaches deeper.
            again = self.session.store.windows.queries(doubtful)
            await self._ask(source, again, replace(self.request, attempts=1))

    async def _ask(self, source: Source, waiting: Sequence[Query], request: FetchRequest) -> None:
        """Ask for some queries; while arXiv wants a pause, only feeds are read, which are served
        elsewhere.
        """
        session = self.session
        pause = why_paused(session.store, session.clock())
        if not pause or self.force or source.name == FEEDS:
            now, attempts = session.clock(), 1 if pause else request.attempts
            request = replace(request, now=now, throttled=bool(pause), attempts=attempts)
            # Recorded one by one: what came before a stop or a crash is kept.
            async for query, answer in source.windows(waiting, request):
                self._take(source.name, query, answer, now)
            pause = why_paused(session.store, session.clock())
        for query in waiting if pause and not session.stop.is_set() else ():
            if query.text not in self.done:
                self.skip(query, pause)

    def _has_window(self, query: Query) -> bool:
        one = self.done.get(query.text)
        return one is not None and one.record.status == "ok"

    def _is_doubtful(self, query: Query) -> bool:
        one = self.done.get(query.text)
        return one is not None and isinstance(one.error, DoubtfulError) and one.error.ordered

    def _take(
        self, source: str, query: Query, answer: Window | ArxivError, asked: datetime
    ) -> None:
        """Record what a source said of one query; a failure is recorded too, and stops nobody else.

        A window is as old as its question: an announcement that was served while it was open is not
        in it.
        """
        store, doubt = self.session.store, Doubt()
        if source == API and isinstance(answer, Window):
            doubt = judge(store, query, answer, self.session.clock())
            if doubt.why and not doubt.confirmed:
                answer = _doubtful(doubt.why, answer)
        if isinstance(answer, ArxivError):
            fetched = self._record_failure(source, query, answer)
        else:
            counts = self._record_window(source, query, answer, asked, doubt)
            fetched = self._described(source, query, answer, asked, counts)
        store.runs.note_keyword(self.run, query.id, fetched.record)
        self.done[query.text] = fetched

    def _record_window(
        self, source: str, query: Query, window: Window, now: datetime, doubt: Doubt
    ) -> Counter[Kind]:
        """Record a window. Papers of held-back windows come with the API's, which is what they are
        compared with.
        """
        store, run = self.session.store, self.run
        # docs/decisions.md, “Windows from feeds and OAI end no quarantine”.
        if source != API:
            return store.windows.record(query, window, now, run)
        resets = doubt.confirmed or is_baseline_reset(query)
        brings = Judgement(
            held_news(store, query, window.papers),
            no_news(query, window.papers, partial(matching_ids, query)) if resets else (),
            doubt.confirmed,
            only_listed(store, query, window.papers),
        )
        counts = store.windows.record(query, window, now, run, brings)
        # Only a week's comparison tells what another source lacked, not the one window that the API
        # stood in for.
        if query.source not in ("", API) and is_compared(query, now):
            store.sources.note_brought(query.source, query.id, run, now)
        return counts

    def _described(
        self, source: str, query: Query, window: Window, now: datetime, counts: Counter[Kind]
    ) -> Fetched:
        """The record of a good window; of the failure before it, where one source stood in for
        another.
        """
        before = self.done.get(query.text)
        has_news = counts[Kind.NEW] + counts[Kind.LATE]
        why = "" if has_news else why_no_news(query, window, counts[Kind.OLD], now)
        if before is not None and before.source != source:
            of_whom = f"{SOURCE_WORDS[before.source]}: " if before.source else ""
            failed = f"{of_whom}{before.record.why}"
            why = "; ".join(filter(None, (why, f"from {SOURCE_WORDS[source]}", failed)))
        if window.odd:
            left_out = f"left out, and asked for again: {listed(window.odd)}"
            why = "; ".join(filter(None, (why, left_out)))
        record = KeywordRecord(
            self.request.name(query),
            "ok",
            fetched=len(window.papers),
            new=counts[Kind.NEW],
            revised=counts[Kind.REVISED],
            late=counts[Kind.LATE],
            requests=window.requests + (before.record.requests if before else 0),
            why=why,
            first=query.last_good_at is None,
        )
        words = "%s: %d rows, %d new, %d late"
        log.info(words, record.keyword, record.fetched, record.new, record.late)
        return Fetched(record, source=source)

    def _record_failure(self, source: str, query: Query, error: ArxivError) -> Fetched:
        """Keep what came, and when to ask again; what was whole and is not believed is held back.

        A source that stands in for another one only adds its words: the failure is counted once.
        """
        store, now = self.session.store, self.session.clock()
        name, before, why = self.request.name(query), self.done.get(query.text), str(error)
        log.info("%s: %s: %s", name, source, why)
        again = now + _wait(query, error)
        if error.throttled:
            again = store.windows.slow_down(now, error.retry_after).until
            # docs/decisions.md, “`--fetch` asks once during a pause”.
            self.force = False
        error.requests += before.record.requests if before else 0
        if isinstance(error, DoubtfulError):
            store.windows.quarantine(query, error, now, again)
            status, rows = "quarantined", len(error.papers)
        # The failure of the source that is tried first is the one that is counted.
        elif before is not None and before.error is not None:
            words = "likewise" if why in before.record.why else why
            why = f"{before.record.why}; {SOURCE_WORDS[source]}: {words}"
            record = replace(before.record, requests=error.requests, why=why)
            return Fetched(record, before.error, before.source)
        else:
            store.windows.record_failure(query, error, now, again)
            status, rows = "failed", 0
        record = KeywordRecord(name, status, rows, requests=error.requests, why=why)
        return Fetched(record, error, source)


def _doubtful(why: str, window: Window) -> DoubtfulError:
    error = DoubtfulError(why, window.papers, ordered=True, body=window.raw)
    error.requests = window.requests
    return error


def _wait(query: Query, error: ArxivError) -> timedelta:
    """How long to leave a failed query alone, the longer the more often it failed."""
    wait = WAITS[min(query.failures, len(WAITS) - 1)]
    if error.unreachable:
        wait = min(UNREACHABLE_WAIT * (query.failures + 1), WAITS[0])
    return max(wait, error.retry_after or wait)
