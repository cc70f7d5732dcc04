"""What arXiv said: queries and their health, good windows as rows of the log, bad ones kept for
inspection.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.model import Change, Kind, Paper, Query, Window
from digest.rules.calendar import last_served, submitted_by
from digest.rules.diff import Seen, diff
from digest.rules.revision import changes, is_withdrawn, merged
from digest.store.database import Database
from digest.store.held import Held
from digest.store.pages import MOVED, before_the_page, imported_until
from digest.store.papers import load_papers, write_paper
from digest.store.subscribers import head, place
from digest.times import from_text, moment_or_none, to_text

LONGEST_PAUSE = 24
"""Hours. The pause after arXiv asked us to slow down is an hour, and twice as long after each
further time."""
FAR_BACK = timedelta(days=30)
"""A window of the API that reaches back so far shows what other sources lacked."""
LOG_LOOKED_AT = 2_000
"""Of a query's log so many of the newest rows are looked at for what is known of the last days."""
WATCHED_AT_ONCE = timedelta(days=7)
"""The most that one good window adds to the days for which its query was watched: an outage is no
silence."""


@dataclass(frozen=True, slots=True)
class Pause:
    """arXiv asked us to slow down, and nobody is to ask it before `until` (UTC), which was so many
    hours away.
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


class Windows:
    """The queries, and what each fetch of them brought."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.held = Held(database)

    def queries(self, texts: list[str]) -> list[Query]:
        """The named queries in the given order, each once; ones that the database lacks are left
        out.
        """
        # Only the rows that are named: whoever asks for each reader, or each keyword, in turn would
        # otherwise read the whole table as often.
        rows = self._db.rows(
            """SELECT q.* FROM json_each(?) named JOIN query q ON q.text = named.value
               ORDER BY named.key""",
            [json.dumps(list(dict.fromkeys(texts)))],
        )
        return [
            Query(
                id=row["id"],
                text=row["text"],
                last_good_at=moment_or_none(row["last_good_at"]),
                next_fetch_at=moment_or_none(row["next_fetch_at"]),
                failures=row["failures"],
                trouble=row["trouble"],
                rows_per_day=row["rows_per_day"],
                quarantined_since=moment_or_none(row["quarantined_since"]),
                judged_since=moment_or_none(row["judged_since"]),
                covered_since=moment_or_none(row["covered_since"]),
                total=row["total"],
                source=row["source"],
                deep_at=moment_or_none(row["deep_at"]),
            )
            for row in rows
        ]

    def known_since(self, query: Query, since: datetime) -> dict[str, datetime]:
        """The papers of a query's log whose last version is younger than that, with the version's
        date.
        """
        rows = self._db.rows(
            """SELECT p.id, p.updated FROM (SELECT DISTINCT paper FROM
                   (SELECT paper FROM seen WHERE query = ? ORDER BY seq DESC LIMIT ?)) m
               JOIN paper p ON p.id = m.paper WHERE p.updated >= ?""",
            [query.id, LOG_LOOKED_AT, to_text(since)],
        )
        return {row["id"]: from_text(row["updated"]) for row in rows}

    def growth(self) -> Growth:
        """How far the index has come, and how fast it grows."""
        newest = self._db.value("SELECT MAX(updated) FROM paper")
        rate = self._db.value(
            "SELECT TOTAL(rows_per_day) FROM query WHERE last_good_at IS NOT NULL"
        )
        return Growth(moment_or_none(newest), rate)

    def papers_since(self, text: str, since: datetime) -> list[Paper]:
        """The papers in a query's log that were first submitted at `since` (UTC) or later."""
        rows = self._db.rows(
            "SELECT DISTINCT p.id FROM query q JOIN seen m ON m.query = q.id JOIN paper p ON p.id = m.paper"
            " WHERE q.text = ? AND p.published >= ?",
            [text, to_text(since)],
        )
        return list(load_papers(self._db, [row["id"] for row in rows]).values())

    def record(
        self,
        query: Query,
        window: Window,
        now: datetime,
        run: int,
        *,
        beside: tuple[Paper, ...] = (),
        old: Collection[str] = (),
        anew: bool = False,
    ) -> Counter[Kind]:
        """Write one good window in one transaction: papers, log, health; returns how many rows of
        each kind.

        The API's ends a spell of windows that were held back; `beside` are papers that only those
        showed. `old` are ids of papers that are no news whatever their date; `anew`: no later
        window is compared with what was known before this one. What the API's later windows are
        compared with is left as it is by a window from elsewhere.
        """
        partial = window.total is None or len(window.papers) < window.total
        with self._db.transaction():
            until = imported_until(self._db, query.id)
            if until is not None:
                old = before_the_page(self._db, query.id, window.papers) | set(old)
            begin = head(self._db)
            counts = self._log(query, (*window.papers, *beside), now, run, old)
            covered = (
                min(now - query.last_good_at, WATCHED_AT_ONCE)
                if query.last_good_at
                else timedelta()
            )
            self._db.write(
                "UPDATE query SET last_good_at = ?, source = ?, next_fetch_at = NULL, failures = 0, trouble = '',"
                " watched = watched + ?, covered_since = COALESCE(covered_since, ?),"
                " imported_until = NULL WHERE id = ?",
                [
                    to_text(now),
                    window.source,
                    covered // timedelta(seconds=1),
                    to_text(window.since) if query.last_good_at is None and partial else None,
                    query.id,
                ],
            )
            self._note_match(query, counts)
            if window.source == "api":
                self._measure(query, window, now, anew)
            moved = until is not None and until >= now - MOVED
            place(self._db, query.id, now, start=begin if moved else None)
        return counts

    def _measure(self, query: Query, window: Window, now: datetime, anew: bool) -> None:
        """Write what the API's next windows are expected to be like, and let go of what was held
        back.
        """
        days = max((now - window.since) / timedelta(days=1), 1.0)
        deep = window.since <= now - FAR_BACK
        self._db.write(
            "UPDATE query SET rows_per_day = ?, total = ?, covered_since = MIN(covered_since, ?),"
            " quarantined_since = NULL, judged_since = COALESCE(?, judged_since), deep_at = COALESCE(?, deep_at)"
            " WHERE id = ?",
            [
                sum(p.updated >= window.since for p in window.papers) / days,
                window.total,
                to_text(window.since),
                to_text(now) if anew else None,
                to_text(now) if deep else None,
                query.id,
            ],
        )
        self.held.forget(query.id)
        self._db.set_meta("arxiv_pause", "")

    def complete(self, papers: Sequence[Paper]) -> None:
        """Write what is known now of papers of which only the announcement was."""
        with self._db.transaction():
            self._keep_papers(tuple(papers))

    def accept(
        self, query: Query, papers: tuple[Paper, ...], now: datetime, *, old: Collection[str] = ()
    ) -> Counter[Kind]:
        """Believe what the held-back windows of a query showed, as far as it is among `papers`, and
        begin anew.

        It is no good window: how deep it reached is not known. So the next one still reaches back
        behind the last good one; but it is compared with nothing.
        """
        with self._db.transaction():
            counts = self._log(query, papers, now, None, old)
            self._db.write(
                "UPDATE query SET next_fetch_at = NULL, failures = 0, trouble = '', quarantined_since = NULL,"
                " judged_since = ?, total = NULL WHERE id = ?",
                [to_text(now), query.id],
            )
            self._note_match(query, counts)
            self.held.forget(query.id)
        return counts

    def hold(
        self,
        query: Query,
        why: str,
        papers: tuple[Paper, ...],
        raw: bytes,
        now: datetime,
        next_fetch_at: datetime,
        *,
        ordered: bool,
    ) -> None:
        """Write that a window is held back: the answer is kept, and those papers of it that would
        have been news.

        `ordered`: the rows came in the order that was asked for, so that another such window may
        confirm it.
        """
        with self._db.transaction():
            self._fail(query, why, next_fetch_at)
            self._db.write(
                "UPDATE query SET quarantined_since = COALESCE(quarantined_since, ?) WHERE id = ?",
                [to_text(now), query.id],
            )
            self._db.set_meta("arxiv_pause", "")
            ids = [paper.id for paper in papers]
            number = self.held.keep(
                query.id, now, why, raw, held=True, fetched=len(papers), ids=ids if ordered else []
            )
            if query.last_good_at is not None:
                known = self._known(query.id, ids)
                news = diff(papers, known, query.last_good_at, now, query.covered_since)
                self.held.keep_papers(
                    query.id, number, [row.paper for row in news if row.kind is not Kind.OLD]
                )

    def record_failure(
        self, query: Query, why: str, raw: bytes, now: datetime, next_fetch_at: datetime
    ) -> None:
        """Write that a fetch failed: nothing of it is diffed; the answer is kept, bounded, and the
        wait stored.
        """
        with self._db.transaction():
            self._fail(query, why, next_fetch_at)
            self.held.keep(query.id, now, why, raw)

    def pause(self) -> Pause | None:
        """The pause that arXiv asked for last, past or not; None once it has answered since."""
        text = self._db.meta("arxiv_pause")
        if not text:
            return None
        values = json.loads(text)
        return Pause(from_text(values["until"]), values["hours"])

    def slow_down(self, now: datetime, asked_for: timedelta | None) -> Pause:
        """Write that arXiv asked us to slow down; `asked_for` is the pause that it named. Returns
        the pause.

        Whoever asked during a pause does not make it grow.
        """
        with self._db.transaction():
            before = self.pause()
            if before is not None and before.until > now:
                hours, until = before.hours, before.until
            else:
                hours = min(before.hours * 2, LONGEST_PAUSE) if before else 1
                until = now + timedelta(hours=hours)
            pause = Pause(max(until, now + (asked_for or timedelta(0))), hours)
            self._db.set_meta(
                "arxiv_pause", json.dumps({"until": to_text(pause.until), "hours": hours})
            )
        return pause

    def _note_match(self, query: Query, counts: Counter[Kind]) -> None:
        """Let a query's silence begin anew where something new matched it."""
        if counts[Kind.NEW] or counts[Kind.LATE]:
            self._db.write("UPDATE query SET matched = watched WHERE id = ?", [query.id])

    def _fail(self, query: Query, why: str, next_fetch_at: datetime) -> None:
        self._db.write(
            "UPDATE query SET failures = failures + 1, trouble = ?, next_fetch_at = ? WHERE id = ?",
            [why, to_text(next_fetch_at), query.id],
        )

    def _log(
        self,
        query: Query,
        papers: tuple[Paper, ...],
        now: datetime,
        run: int | None,
        old: Collection[str],
    ) -> Counter[Kind]:
        """Keep the papers, and write what is news of them into the query's log; first-seen ones
        among `old` are old.
        """
        known = self._known(query.id, [p.id for p in papers])
        rows = tuple(
            replace(row, kind=Kind.OLD)
            if row.paper.id in old and row.paper.id not in known
            else row
            for row in diff(
                papers, known, query.last_good_at, now, query.covered_since, self._had_until(query)
            )
        )
        self._keep_papers(papers)
        self._db.write_many(
            "INSERT INTO seen(query, paper, version, kind, run) VALUES(?, ?, ?, ?, ?)",
            [[query.id, row.paper.id, row.paper.version, row.kind, run] for row in rows],
        )
        return _count(rows)

    def _had_until(self, query: Query) -> datetime | None:
        """After a restored backup, of whose lack a person said that it was mailed: what was
        submitted by then.

        Only for the query's first window since, which brings what the backup lacks.
        """
        text = self._db.meta("mailed_until")
        if text is None or query.last_good_at is None or query.last_good_at >= from_text(text):
            return None
        return submitted_by(last_served(from_text(text)))

    def _known(self, query: int, ids: list[str]) -> dict[str, int]:
        """The highest version of each paper in a query's log."""
        rows = self._db.rows(
            """SELECT m.paper, MAX(m.version) AS version FROM seen m
               WHERE m.query = ? AND m.paper IN (SELECT value FROM json_each(?)) GROUP BY m.paper""",
            [query, json.dumps(ids)],
        )
        return {row["paper"]: row["version"] for row in rows}

    def _keep_papers(self, papers: tuple[Paper, ...]) -> None:
        """Keep each paper in the highest version ever served, and note what a new version
        changed.
        """
        held = load_papers(self._db, [p.id for p in papers])
        for paper in papers:
            before = held.get(paper.id)
            # An imported page tells no authors, an announcement no dates: both guess when a paper
            # was submitted.
            guessed = before is not None and (before.approximate or not before.authors)
            if before is not None and (before.version, not guessed) >= (
                paper.version,
                not paper.approximate,
            ):
                continue
            write_paper(self._db, paper, anew=guessed)
            if (
                before is not None
                and paper.version > 1
                and (before.version < paper.version or before.approximate)
            ):
                self._note_changes(
                    before if before.authors else replace(before, authors=paper.authors), paper
                )
            self._note_withdrawal(paper)

    def _note_changes(self, before: Paper, paper: Paper) -> None:
        """Note what a version changed; of one whose announcement only was known till now, what that
        did not tell.
        """
        changed = changes(before, paper)
        row = self._db.row(
            "SELECT changed, old_title FROM revision WHERE paper = ? AND version = ?",
            [paper.id, paper.version],
        )
        if row is not None:
            changed = merged(map(Change, json.loads(row["changed"])), changed)
        self._db.write(
            "INSERT OR REPLACE INTO revision(paper, version, changed, accepted, old_title) VALUES(?, ?, ?, ?, ?)",
            [
                paper.id,
                paper.version,
                json.dumps(changed),
                Change.ACCEPTED in changed,
                row["old_title"]
                if row is not None
                else before.title
                if Change.TITLE in changed
                else "",
            ],
        )

    def _note_withdrawal(self, paper: Paper) -> None:
        """Note from which version on a paper is withdrawn, and who was sent it before."""
        if not is_withdrawn(paper):
            self._db.write(
                "UPDATE paper SET withdrawn = 0 WHERE id = ? AND withdrawn > 0", [paper.id]
            )
        elif self._db.write(
            "UPDATE paper SET withdrawn = version WHERE id = ? AND withdrawn = 0", [paper.id]
        ):
            self._db.write(
                "UPDATE subscriber SET corrections = 1 WHERE id IN (SELECT d.subscriber FROM content_paper cp"
                " JOIN delivery d ON d.content = cp.content WHERE cp.paper = ?)",
                [paper.id],
            )


def _count(rows: tuple[Seen, ...]) -> Counter[Kind]:
    return Counter(row.kind for row in rows)
