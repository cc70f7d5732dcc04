"""From settings to clients of arXiv's services that take turns with all others on the same
database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digest.setup.settings import Settings
from digest.system.locks import ArxivTurns

if TYPE_CHECKING:
    from digest.arxiv.api import ArxivClient
    from digest.arxiv.feeds_and_oai import FeedClient, OaiClient
    from digest.arxiv.line import Line


def make_arxiv(settings: Settings, **options: Any) -> ArxivClient:
    """The client; `options` are its own, such as `timeouts`."""
    from digest.arxiv.api import ArxivClient  # brings httpx and feedparser, which take long

    return ArxivClient(
        settings.arxiv_api,
        contact=settings.contact,
        delay=settings.arxiv_delay,
        turn=ArxivTurns(settings.db),
        **options,
    )


def make_feeds(settings: Settings, line: Line) -> FeedClient | None:
    """The reader of announcement feeds, where there are such."""
    from digest.arxiv.feeds_and_oai import FeedClient

    return FeedClient(line, settings.arxiv_feeds) if settings.arxiv_feeds else None


def make_oai(settings: Settings, line: Line) -> OaiClient | None:
    """The harvester of records, where there is such a service."""
    from digest.arxiv.feeds_and_oai import OaiClient

    return OaiClient(line, settings.arxiv_oai) if settings.arxiv_oai else None


def source_order(settings: Settings, queries: int) -> tuple[str, ...]:
    """The sources in the order in which they are tried for this many different queries."""
    from digest.rules.plan import API, FEEDS, OAI, order

    there = {API: settings.arxiv_api, FEEDS: settings.arxiv_feeds, OAI: settings.arxiv_oai}
    return order(settings.source, queries, {name for name, address in there.items() if address})
