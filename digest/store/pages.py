"""The Daily Papers page and the database: the most recent papers of each query, and a page imported
as history.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from digest.keywords.categories import is_outside
from digest.model import Kind, Paper
from digest.store.database import Concern, Database
from digest.store.log import Entry, append, known_versions
from digest.store.papers import load_papers, write_paper
from digest.store.rows import from_text, loads, stored

_LINKS = "page_links"
_SHOWN = "page_shows"
AT_ONCE = 200
"""Papers that are read in one question, where there may be many."""
MOVED = timedelta(days=7)
"""Whoever moves here within this time after the page's last update gets all that came after it."""


@dataclass(frozen=True, slots=True)
class PageImport:
    """What a page brought for one query: its rows, those that the log lacked, and whether its
    history begins so.
    """

    rows: int
    added: int
    begins: bool


class Pages(Concern):
    """The verbs of publishing and importing."""

    def recent(self, query: str, limit: int, within: Sequence[str] = ()) -> tuple[Paper, ...]:
        """The papers in a query's log that were submitted last, the newest first, each in its
        highest version; those alone that are `within` some categories, where they are named.
        """
        ids = self._db.column(
            """SELECT p.id FROM paper p
               WHERE p.id IN (
                   SELECT m.paper FROM seen m JOIN query q ON q.id = m.query WHERE q.text = ?)
               ORDER BY p.published DESC, p.id DESC""",
            [query],
        )
        found: list[Paper] = []
        while ids and len(found) < limit:
            some, ids = ids[:limit], ids[limit:]
            papers = load_papers(self._db, some)
            found += [
                papers[base] for base in some if not is_outside(papers[base].categories, within)
            ]
        return tuple(found[:limit])

    def latest(self, since: datetime, most: int) -> Iterator[Paper]:
        """The papers on record that were submitted since then, the newest first, `most` of them;
        those whose abstract is no longer kept are older. A few are read at a time.
        """
        found = self._db.column(
            """SELECT published || ' ' || id FROM paper WHERE updated >= :since AND abstract <> ''
                   AND published >= :since
               ORDER BY updated DESC LIMIT :most""",
            {"since": since, "most": most},
        )
        ids = [row.rpartition(" ")[2] for row in sorted(found, reverse=True)]
        for first in range(0, len(ids), AT_ONCE):
            some = ids[first : first + AT_ONCE]
            papers = load_papers(self._db, some)
            yield from (papers[each] for each in some if each in papers)

    def note_shown(self, queries: Sequence[str], limit: int, within: Sequence[str]) -> None:
        """Remember what the page shows: so many papers of each of these queries, as `recent` gives
        them.
        """
        shown = json.dumps([list(queries), limit, list(within)])
        if shown != self._db.meta(_SHOWN):
            self._db.set_meta(_SHOWN, shown)

    def shown(self) -> frozenset[str]:
        """The ids of the papers that the page shows, as it was written last; none without one."""
        queries, limit, within = _shown(self._db.meta(_SHOWN) or "[[], 0, []]")
        papers = (self.recent(query, limit, within) for query in queries)
        return frozenset(paper.id for some in papers for paper in some)

    def links(self) -> str:
        """The scheme of the links on the page that was imported last; "" where none was."""
        return self._db.meta(_LINKS) or ""

    def import_page(
        self,
        papers: Mapping[str, Paper],
        logs: Mapping[str, Sequence[str]],
        until: datetime,
        links: str,
    ) -> dict[str, PageImport]:
        """Write a page into the logs as history, in one transaction: nothing of it is ever mailed.

        `logs` names the papers of each query, the newest submission first; `until` is when the page
        was last updated; `links` is the scheme of its links. What the database knows already stays
        as it is.
        """
        with self._db.transaction():
            self._db.set_meta(_LINKS, links)
            held = load_papers(self._db, list(papers))
            for base, paper in papers.items():
                if base not in held:
                    write_paper(self._db, paper)
            return {
                query: self._import(query, bases, papers, until) for query, bases in logs.items()
            }

    def _import(
        self, text: str, bases: Sequence[str], papers: Mapping[str, Paper], until: datetime
    ) -> PageImport:
        self._db.write("INSERT INTO query(text) VALUES(?) ON CONFLICT DO NOTHING", [text])
        (query,) = self._db.rows("SELECT id, last_good_at FROM query WHERE text = ?", [text])
        known = known_versions(self._db, query["id"], list(bases))
        # The log has the oldest first.
        added = [base for base in dict.fromkeys(reversed(bases)) if base not in known]
        append(
            self._db,
            [Entry(query["id"], base, papers[base].version, Kind.OLD) for base in added],
        )
        begins = query["last_good_at"] is None and bool(bases)
        if begins:
            self._db.write("UPDATE query SET imported_until = ? WHERE id = ?", [until, query["id"]])
        return PageImport(len(bases), len(added), begins)


@stored
def _shown(text: str) -> tuple[list[str], int, list[str]]:
    """What `note_shown` wrote: the queries, the limit, the categories."""
    queries, limit, within = loads(text)
    return queries, int(limit), within


def imported_until(database: Database, query: int) -> datetime | None:
    """When a page was last updated that was imported for a query which had no good window since."""
    return database.moment("SELECT imported_until FROM query WHERE id = ?", [query])


def before_the_page(database: Database, query: int, papers: Sequence[Paper]) -> frozenset[str]:
    """The ids of those papers of a first window that are history: submitted before the oldest that
    the page showed.

    A page holds the most recent papers of its keyword, so what is younger and not on it came after
    it. When a paper was submitted is taken from the window where it shows the paper, since the page
    gives only the day.
    """
    # docs/decisions.md, "An imported page is history, and the first window after it is cut at its
    # oldest row"
    on_page = database.rows(
        "SELECT p.id, p.published FROM seen m JOIN paper p ON p.id = m.paper"
        " WHERE m.query = ? AND m.run IS NULL AND m.kind = 'old'",
        [query],
    )
    served = {paper.id: paper.published for paper in papers}
    oldest = min(
        (served.get(row["id"]) or from_text(row["published"]) for row in on_page), default=None
    )
    return frozenset(
        paper.id for paper in papers if oldest is not None and paper.published < oldest
    )
