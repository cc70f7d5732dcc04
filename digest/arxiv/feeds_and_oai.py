"""Asking arXiv's announcement feeds and its OAI-PMH service, over the same line as the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence, Set
from dataclasses import dataclass
from datetime import date
from functools import partial

from digest.arxiv.feeds import AnnouncementFeed, check_announcements, parse_announcements, stale
from digest.arxiv.line import Line, parsed
from digest.arxiv.oai import FORMAT, RecordPage, TokenExpiredError, parse_records

_NOT_MODIFIED = 304


@dataclass(frozen=True, slots=True)
class ServedFeed:
    """A feed that is believed, and its entity tag."""

    feed: AnnouncementFeed
    etag: str


@dataclass(frozen=True)
class _Service:
    """One of arXiv's services at `url`, asked over a line that others may use too."""

    line: Line
    url: str

    @property
    def requests(self) -> int:
        """How many requests were made on the line, whatever was asked."""
        return self.line.requests


class FeedClient(_Service):
    """Reads announcement feeds; `url` is the address to which the categories are added."""

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
        return await self.line.patiently(lambda: self._ask(names, day, before, etag), attempts)

    async def _ask(
        self, names: Sequence[str], day: date, before: Set[str], etag: str
    ) -> ServedFeed:
        headers = {"If-None-Match": etag} if etag else {}
        response = await self.line.get(f"{self.url.rstrip('/')}/{'+'.join(names)}", headers=headers)
        if response.status == _NOT_MODIFIED and etag:
            raise stale(names, day)
        check = partial(check_announcements, names=names, day=day, before=before)
        feed = await parsed(response, parse_announcements, check)
        return ServedFeed(feed, response.headers.get("etag", ""))


class OaiClient(_Service):
    """Harvests records; `url` is the service's address."""

    async def harvest(
        self, since: date, set_name: str = "", *, attempts: int = 3
    ) -> AsyncIterator[RecordPage]:
        """Yield all records changed on `since` (UTC) or later, page after page.

        Each page is asked for up to `attempts` times. A list whose token ends meanwhile is begun
        again, once, and its first pages come twice. Raises ArxivError.
        """
        first = {"verb": "ListRecords", "metadataPrefix": FORMAT, "from": since.isoformat()}
        if set_name:
            first["set"] = set_name
        parameters, restarted = first, False
        while True:
            try:
                page = await self.line.patiently(partial(self._ask, parameters), attempts)
            except TokenExpiredError:
                # Tokens end at midnight; one that ends twice in a run has another reason.
                if restarted:
                    raise
                parameters, restarted = first, True
                continue
            yield page
            if not page.token:
                return
            parameters = {"verb": "ListRecords", "resumptionToken": page.token}

    async def _ask(self, parameters: dict[str, str]) -> RecordPage:
        accept = {"Accept": "text/xml, application/xml"}
        return await parsed(await self.line.get(self.url, parameters, accept), parse_records)
