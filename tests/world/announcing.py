"""What the stand-in's feeds and OAI service hold, and how they answer: ETags, full feeds, lists
page by page.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import date
from urllib.parse import unquote

from digest.keywords.categories import ARCHIVES, CATEGORIES
from digest.model import Paper
from tests.world.announcements import (
    Batch,
    announcement_feed,
    feed_error,
    oai_error,
    oai_page,
    oai_sets,
)

Reply = tuple[int, bytes, Mapping[str, str]]
_NAMES = frozenset(name.lower() for name in CATEGORIES | ARCHIVES)


class Announcing:
    """The announcements so far. The feeds hold the last one (`announce` it empty for a day
    without), the OAI service every record under the day on which it was changed last; `page` is how
    many come at once.
    """

    def __init__(self) -> None:
        self.page = 2_500
        self._batch = Batch(date(1991, 8, 14))
        self._records: dict[str, tuple[Paper, date]] = {}

    def announce(
        self, day: date, new: Iterable[Paper] = (), replaced: Iterable[Paper] = ()
    ) -> None:
        """Let the feeds of this New York date hold these papers, and change their OAI records on
        that day.
        """
        self._batch = Batch(day, tuple(new), tuple(replaced))
        self.change(day, *self._batch.new, *self._batch.replaced)

    def change(self, day: date, *papers: Paper) -> None:
        """Change records without an announcement, as when a DOI is added."""
        self._records |= {paper.id: (paper, day) for paper in papers}

    def answer(
        self, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Reply | None:
        """Return the answer to a request, None where there is nothing at this path."""
        service, _, rest = path.strip("/").partition("/")
        if service in ("atom", "rss") and rest:
            return self._feed(
                unquote(rest).split("+"), service == "rss", headers.get("if-none-match", "")
            )
        if service == "oai":
            return 200, self._list(params), {"Content-Type": "text/xml"}
        return None

    def _feed(self, names: list[str], rss: bool, held: str) -> Reply:
        kind = {"Content-Type": f"application/{'rss' if rss else 'atom'}+xml"}
        if unknown := [name for name in names if name.lower() not in _NAMES]:
            return (
                400,
                feed_error(names, f"Bad archive '{unknown[0]}'.", self._batch.day, rss=rss),
                kind,
            )
        names.sort(key=lambda name: "." in name)  # arXiv names archives first
        body = announcement_feed(self._batch, names, rss=rss)
        etag = hashlib.sha256(body).hexdigest()
        return (304, b"", {"ETag": etag}) if held == etag else (200, body, kind | {"ETag": etag})

    def _list(self, params: Mapping[str, str]) -> bytes:
        if params.get("verb") != "ListRecords":
            return oai_error(
                "badVerb", f"Bad verb. Verb '{params.get('verb', '')}' not implemented."
            )
        if token := params.get("resumptionToken"):
            try:
                first, last, name, start = token.split("|")
                since, until, cursor = (
                    date.fromisoformat(first),
                    date.fromisoformat(last),
                    int(start),
                )
            except ValueError:
                return oai_error(
                    "badResumptionToken",
                    "The resumptionToken supplied is illegal for this repository",
                )
        elif params.get("metadataPrefix") != "arXivRaw":
            return oai_error("cannotDisseminateFormat", "The stand-in knows arXivRaw only")
        else:
            since = date.fromisoformat(params.get("from", "1991-01-01"))
            until = date.fromisoformat(params.get("until", "9999-12-31"))
            name, cursor = params.get("set", ""), 0
        found = sorted(
            (
                (paper, stamp)
                for paper, stamp in self._records.values()
                if since <= stamp <= until and (not name or name in oai_sets(paper))
            ),
            key=lambda record: (record[1], record[0].id),
        )
        if not found:
            return oai_error(
                "noRecordsMatch", "The combination of arguments results in an empty list"
            )
        following = cursor + self.page
        more = f"{since}|{until}|{name}|{following}" if following < len(found) else ""
        return oai_page(found[cursor:following], token=more, cursor=cursor, total=len(found))
