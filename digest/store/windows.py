"""The answers of arXiv: queries and their health, good windows as rows of the log, bad ones kept
for inspection.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.errors import ArxivError, DoubtfulError
from digest.model import Kind, Paper, Query, Window
from digest.rules.calendar import last_served, submitted_by
from digest.rules.diff import Seen, diff
from digest.store.database import Concern, Database
from digest.store.held import Held
from digest.store.log import Entry, append, head, known_versions, versions_since
from digest.store.pages import MOVED, before_the_page, imported_until
from digest.store.papers import keep_papers, load_papers
from digest.store.rows import from_text, loads, moment_or_none, stored
from digest.store.subscribers import start_subscriptions
from digest.times import to_text

PAUSE_HOURS_AT_MOST = 24
"""The pause after arXiv asked us to slow down is an hour, and twice as long after each further
time, up to this."""
ARXIV_PAUSE = "arxiv_pause"
"""Meta key: the pause that arXiv asked for last."""
FAR_BACK = timedelta(days=30)
"""A window of the API that reaches back this far shows what other sources lacked."""
RECORD_LOOKED_AT = 500
"""So many of the newest rows of a query's log tell how well this program's reading agrees with
arXiv's."""
WATCHED_AT_ONCE = timedelta(days=7)
"""The most that one good window adds to the days for which its query was watched: an outage is no
silence."""


@dataclass(frozen=True, slots=True)
class Pause:
    """arXiv asked us to slow down, and nobody is to ask it before `until` (UTC), which was
    `hours` away.
    """

    until: datetime
    hours: int


@dataclass(frozen=True, slots=True)
class Growth:
    """The date (UTC) of the newest version that any window held, and the rows a day of all queries
    together.
    """

    newest: datetime | None
    rows_per_day: float


@dataclass(frozen=True, slots=True)
class Listed:
    """How many papers arXiv's search listed for a query that do not match here, the first of them
    `since` then (UTC).
    """

    query: str
    papers: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the caller has found out about a window that is good.

    `extra` are papers that only windows showed which were held back before it; `old` are ids of
    papers that are no news whatever their date; `new_baseline`: no later window is compared with
    what was known before this one; `listed` are ids of papers that do not match by this program's
    own reading.
    """

    extra: tuple[Paper, ...] = ()
    old: Collection[str] = ()
    new_baseline: bool = False
    listed: Collection[str] = ()


class Windows(Concern):
    """The queries, and what each fetch of them brought."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.held = Held(database)

    def queries(self, texts: list[str]) -> list[Query]:
        """The named queries in the given order, each once; ones that the database lacks are left
        out.
        """
        # Only the rows that are named: whoever asks for each reader, or each keyword, in turn would
        # otherwise read the whole table as often.
        named = dict.fromkeys(texts)
        found = self._db.all(Query, "SELECT * FROM query WHERE text IN many(?)", [list(named)])
        known = {query.text: query for query in found}
        return [known[text] for text in named if text in known]

    def known_since(self, query: Query, since: datetime) -> dict[str, datetime]:
        """The papers whose last version stands in a query's log and is younger than that, with the
        version's date.
        """
        return versions_since(self._db, query.id, since)

    def growth(self) -> Growth:
        """How far the index has come, and how fast it grows."""
        newest = self._db.moment("SELECT MAX(updated) FROM paper")
        rate = self._db.value(
            "SELECT COALESCE(SUM(rows_per_day), 0.0) FROM query WHERE last_good_at IS NOT NULL"
        )
        return Growth(newest, rate)

    def papers_since(self, text: str, since: datetime) -> list[Paper]:
        """The papers in a query's log that were first submitted at `since` (UTC) or later."""
        ids = self._db.column(
            """SELECT DISTINCT p.id FROM query q
               JOIN seen m ON m.query = q.id JOIN paper p ON p.id = m.paper
               WHERE q.text = ? AND p.published >= ?""",
            [text, since],
        )
        return list(load_papers(self._db, ids).values())

    def first_seen(self, query: Query, papers: Sequence[Paper]) -> list[Paper]:
        """Those of the papers that stand in no row of a query's log."""
        known = known_versions(self._db, query.id, [paper.id for paper in papers])
        return [paper for paper in papers if paper.id not in known]

    def matches_on_record(self, query: Query) -> list[Paper]:
        """The papers that arXiv served last as matches of a query, those whose abstracts are kept;
        not those of an imported page, which has none.
        """
        ids = self._db.column(
            """SELECT DISTINCT paper FROM (
                   SELECT paper FROM seen WHERE query = ? AND run IS NOT NULL AND listed = 0
                   ORDER BY seq DESC LIMIT ?) AS latest""",
            [query.id, RECORD_LOOKED_AT],
        )
        return [paper for paper in load_papers(self._db, ids).values() if paper.abstract]

    def listed_since(self, since: datetime) -> list[Listed]:
        """What arXiv's search has listed since then that does not match here, by query."""
        return self._db.all(
            Listed,
            """SELECT q.text AS query, COUNT(DISTINCT m.paper) AS papers,
                   MIN(r.started_at) AS since
               FROM seen m JOIN query q ON q.id = m.query JOIN run r ON r.id = m.run
               WHERE r.started_at >= ? AND m.listed = 1 GROUP BY q.id""",
            [since],
        )

    def record(
        self,
        query: Query,
        window: Window,
        now: datetime,
        run: int,
        judgement: Judgement = Judgement(),
    ) -> Counter[Kind]:
        """Write one good window in one transaction: papers, log, health; returns how many rows of
        each kind.

        The API's ends a spell of windows that were held back. What the API's later windows are
        compared with is left as it is by a window from elsewhere.
        """
        with self._db.transaction():
            until = imported_until(self._db, query.id)
            if until is not None:
                shown = before_the_page(self._db, query.id, window.papers)
                judgement = replace(judgement, old={*judgement.old, *shown})
            begin = head(self._db)  # before what this window brings
            rows = self._log(query, (*window.papers, *judgement.extra), now, run, judgement)
            self._note_good(query, window, now)
            self._note_match(query, rows, judgement.listed)
            # Feeds and OAI answer other questions than the API, so they set it no standard.
            if window.source == "api":
                self._measure(query, window, now, new_baseline=judgement.new_baseline)
            # Whoever moves here gets all that came after the page's last update.
            moved = until is not None and until >= now - MOVED
            start_subscriptions(self._db, query.id, now, start=begin if moved else None)
        return Counter(row.kind for row in rows)

    def _note_good(self, query: Query, window: Window, now: datetime) -> None:
        """Write that a query is in good health, and for how long it was watched."""
        watched = min(now - (query.last_good_at or now), WATCHED_AT_ONCE)
        partial = window.total is None or len(window.papers) < window.total
        self._db.write(
            """UPDATE query
               SET last_good_at = ?, source = ?, next_fetch_at = NULL, failures = 0, trouble = '',
                   watched = watched + ?, covered_since = COALESCE(covered_since, ?),
                   imported_until = NULL
               WHERE id = ?""",
            [
                now,
                window.source,
                watched // timedelta(seconds=1),
                window.since if query.last_good_at is None and partial else None,
                query.id,
            ],
        )

    def _measure(self, query: Query, window: Window, now: datetime, *, new_baseline: bool) -> None:
        """Write what the API's next windows are expected to be like, and delete what was held
        back.
        """
        days = max((now - window.since) / timedelta(days=1), 1.0)
        rows = sum(paper.updated >= window.since for paper in window.papers)
        self._db.write(
            """UPDATE query
               SET rows_per_day = ?, asked = ?, asked_per_day = ?, total = ?,
                   covered_since = CASE WHEN covered_since > ? THEN ? ELSE covered_since END,
                   quarantined_since = NULL, judged_since = COALESCE(?, judged_since),
                   deep_at = COALESCE(?, deep_at)
               WHERE id = ?""",
            [
                rows / days,
                window.asked,
                (rows if window.served is None else window.served) / days,
                window.total,
                window.since,
                window.since,
                now if new_baseline else None,
                now if window.since <= now - FAR_BACK else None,
                query.id,
            ],
        )
        self.held.forget(query.id)
        self._db.set_meta(ARXIV_PAUSE, "")

    def complete(self, papers: Sequence[Paper]) -> None:
        """Write what is known now of papers of which only the announcement was."""
        with self._db.transaction():
            keep_papers(self._db, papers)

    def accept(
        self, query: Query, papers: tuple[Paper, ...], now: datetime, *, old: Collection[str] = ()
    ) -> Counter[Kind]:
        """Believe what the held-back windows of a query showed, as far as it is among `papers`, and
        reset what later ones are compared with.

        It is no good window: how deep it reached is not known. So the next one still reaches back
        behind the last good one; but it is compared with nothing.
        """
        # docs/decisions.md, "Accepting moves no baseline"
        with self._db.transaction():
            rows = self._log(query, papers, now, None, Judgement(old=old))
            self._db.write(
                """UPDATE query
                   SET next_fetch_at = NULL, failures = 0, trouble = '', quarantined_since = NULL,
                       judged_since = ?, total = NULL
                   WHERE id = ?""",
                [now, query.id],
            )
            self._note_match(query, rows, ())
            self.held.forget(query.id)
        return Counter(row.kind for row in rows)

    def quarantine(
        self, query: Query, error: DoubtfulError, now: datetime, next_fetch_at: datetime
    ) -> None:
        """Write that a window is held back: the answer is kept, and those papers of it that would
        have been news.
        """
        with self._db.transaction():
            self._fail(query, error, next_fetch_at)
            self._db.write(
                """UPDATE query
                   SET quarantined_since = COALESCE(quarantined_since, ?) WHERE id = ?""",
                [now, query.id],
            )
            # Whatever it was, arXiv has answered.
            self._db.set_meta(ARXIV_PAUSE, "")
            number = self.held.keep(query.id, error, now)
            # Of a query that had no good window yet everything would be news.
            if query.last_good_at is not None:
                known = known_versions(self._db, query.id, [paper.id for paper in error.papers])
                # Whether they are news is judged once the query is believed again.
                self.held.keep_papers(
                    query.id, number, [p for p in error.papers if p.version > known.get(p.id, 0)]
                )

    def record_failure(
        self, query: Query, error: ArxivError, now: datetime, next_fetch_at: datetime
    ) -> None:
        """Write that a fetch failed: nothing of it is diffed; the answer is kept, bounded, and the
        wait stored.
        """
        with self._db.transaction():
            self._fail(query, error, next_fetch_at)
            self.held.keep(query.id, error, now)

    def pause(self) -> Pause | None:
        """The pause that arXiv asked for last, past or not; None once it has answered since."""
        text = self._db.meta(ARXIV_PAUSE)
        return _pause(text) if text else None

    def slow_down(self, now: datetime, asked_for: timedelta | None) -> Pause:
        """Write that arXiv asked us to slow down; `asked_for` is the pause that it named. Returns
        the pause.

        Whoever asked during a pause does not make it grow.
        """
        with self._db.transaction():
            before = self.pause()
            # Whoever asked all the same, such as a person with --fetch, has been refused again.
            if before is not None and before.until > now:
                hours, until = before.hours, before.until
            else:
                hours = min(before.hours * 2, PAUSE_HOURS_AT_MOST) if before else 1
                until = now + timedelta(hours=hours)
            pause = Pause(max(until, now + (asked_for or timedelta())), hours)
            self._db.set_meta(
                ARXIV_PAUSE, json.dumps({"until": to_text(pause.until), "hours": hours})
            )
        return pause

    def _note_match(self, query: Query, rows: Sequence[Seen], besides: Collection[str]) -> None:
        """End a query's silence where something new matched it, and was not only listed besides."""
        matched = (row for row in rows if row.paper.id not in besides)
        if any(row.kind in (Kind.NEW, Kind.LATE) for row in matched):
            self._db.write("UPDATE query SET matched = watched WHERE id = ?", [query.id])

    def _fail(self, query: Query, error: ArxivError, next_fetch_at: datetime) -> None:
        self._db.write(
            "UPDATE query SET failures = failures + 1, trouble = ?, next_fetch_at = ? WHERE id = ?",
            [str(error), next_fetch_at, query.id],
        )

    def _log(
        self,
        query: Query,
        papers: tuple[Paper, ...],
        now: datetime,
        run: int | None,
        judgement: Judgement,
    ) -> list[Seen]:
        """Keep the papers, and write what is news of them into the query's log; first-seen ones
        among the judgement's `old` are old.
        """
        known = known_versions(self._db, query.id, [p.id for p in papers])
        had_until = counted_as_mailed(self._db, query.last_good_at)
        news = diff(papers, known, query.last_good_at, now, query.covered_since, had_until)
        history = set(judgement.old) - known.keys()
        besides = set(judgement.listed) - known.keys()
        rows = [replace(row, kind=Kind.OLD) if row.paper.id in history else row for row in news]
        keep_papers(self._db, papers)
        entries = [
            Entry(query.id, row.paper.id, row.paper.version, row.kind, run, row.paper.id in besides)
            for row in rows
        ]
        append(self._db, entries)
        return rows


def counted_as_mailed(database: Database, last_good_at: datetime | None) -> datetime | None:
    """After a restored backup, of whose lack a person said that it was mailed: what was submitted
    by then. None for a query that has had a good window since, which brought what the backup lacks.
    """
    mailed = moment_or_none(database.meta("mailed_until"))
    if mailed is None or last_good_at is None or last_good_at >= mailed:
        return None
    return submitted_by(last_served(mailed))


@stored
def _pause(text: str) -> Pause:
    values = loads(text)
    return Pause(from_text(values["until"]), values["hours"])
