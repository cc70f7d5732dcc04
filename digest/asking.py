"""From settings to a client of arXiv's that takes turns with all others on the same database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from digest.locks import ArxivTurns
from digest.settings import Settings

if TYPE_CHECKING:
    from digest.arxiv.client import ArxivClient


def make_arxiv(settings: Settings, **options: Any) -> ArxivClient:
    """The client; `options` are its own, such as `timeouts`."""
    from digest.arxiv.client import ArxivClient

    return ArxivClient(
        settings.arxiv_api,
        contact=settings.contact,
        delay=settings.arxiv_delay,
        turn=ArxivTurns(settings.db),
        **options,
    )
