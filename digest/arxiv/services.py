"""Asking arXiv's announcement feeds and its OAI-PMH service, over the line that the API is asked on
too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass
from datetime import date

from digest.arxiv.feeds import AnnouncementFeed, check_announcements, parse_announcements, stale
from digest.arxiv.line import Answer, Line, check_status
from digest.arxiv.oai import FORMAT, Page, TokenExpiredError, parse_records
from digest.errors import ArxivError

_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class ServedFeed:
    """A feed that is believed, and its entity tag."""

    feed: AnnouncementFeed
    etag: str


class FeedClient:
    """Reads announcement feeds; `url` is the address to which the categories are added."""

    def __init__(self, line: Line, url: str) -> None:
        self._line = line
        self._url = url.rstrip("/")

    async def fetch(
        self,
        names: Sequence[str],
        day: date,
        *,
        before: Set[str] = frozenset(),
        etag: str = "",
        attempts: int = 3,
    ) -> ServedFeed:
        """Return the feed of some categories or archives as it is on `day` (New York's date).

        `before` and `etag` are of the previous announcement's feed; where nothing has changed
        since, not even the body comes. Raises StaleFeedError, FullFeedError, or ArxivError.
        """
        return await self._line.patiently(lambda: self._ask(names, day, before, etag), attempts)

    @property
    def requests(self) -> int:
        """How many requests were made on the line, whatever was asked."""
        return self._line.requests

    async def _ask(
        self, names: Sequence[str], day: date, before: Set[str], etag: str
    ) -> ServedFeed:
        headers = {"If-None-Match": etag} if etag else {}
        answer = await self._line.get(f"{self._url}/{'+'.join(names)}", headers=headers)
        if answer.status == _NOT_MODIFIED and etag:
            raise stale(names, day)
        try:
            check_status(answer, parse_announcements)
            kind = answer.headers.get("content-type", "")
            feed = await asyncio.to_thread(parse_announcements, answer.body, content_type=kind)
            check_announcements(feed, names=names, day=day, before=before)
        except ArxivError as error:
            error.body = answer.body
            raise
        return ServedFeed(feed, answer.headers.get("etag", ""))


class OaiClient:
    """Harvests records; `url` is the service's address."""

    def __init__(self, line: Line, url: str) -> None:
        self._line = line
        self._url = url

    async def harvest(
        self, since: date, set_name: str = "", *, attempts: int = 3
    ) -> AsyncIterator[Page]:
        """Yield all records changed on `since` (UTC) or later, page after page; each page is asked
        for so often.

        A list whose token ends meanwhile is begun anew, once, and its first pages come again.
        Raises ArxivError.
        """
        first = {"verb": "ListRecords", "metadataPrefix": FORMAT, "from": since.isoformat()}
        if set_name:
            first["set"] = set_name
        parameters, restarted = first, False
        while True:
            try:
                page = await self._page(parameters, attempts)
            except TokenExpiredError:
                if restarted:
                    raise
                parameters, restarted = first, True
                continue
            yield page
            if not page.token:
                return
            parameters = {"verb": "ListRecords", "resumptionToken": page.token}

    @property
    def requests(self) -> int:
        """How many requests were made on the line, whatever was asked."""
        return self._line.requests

    async def _page(self, parameters: dict[str, str], attempts: int) -> Page:
        return await self._line.patiently(lambda: self._ask(parameters), attempts)

    async def _ask(self, parameters: dict[str, str]) -> Page:
        answer: Answer = await self._line.get(
            self._url, parameters, {"Accept": "text/xml, application/xml"}
        )
        try:
            check_status(answer, parse_records)
            kind = answer.headers.get("content-type", "")
            return await asyncio.to_thread(parse_records, answer.body, content_type=kind)
        except ArxivError as error:
            error.body = answer.body
            raise
