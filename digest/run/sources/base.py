"""The interface of a source: queries in, a window or an error for each out, and what it may need
on the way.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol, TypeAlias

from digest.errors import ArxivError
from digest.keywords.grammar import Node
from digest.keywords.match import Matcher
from digest.model import Paper, Query, Window
from digest.system.signals import Stop

SourceResult: TypeAlias = tuple[Query, Window | ArxivError]
"""A source's answer for one query."""
ATTEMPTS = 4


class Arxiv(Protocol):
    """Whoever can answer a query with a whole window, or with an ArxivError."""

    async def fetch(
        self,
        query: str,
        *,
        since: datetime,
        page_size: int,
        attempts: int = ATTEMPTS,
        progress: Callable[[int, int], None] | None = None,
    ) -> Window:
        """Return every match whose served version is younger than `since`, newest first."""

    async def by_ids(self, ids: Sequence[str], attempts: int = ATTEMPTS) -> tuple[Paper, ...]:
        """Return the papers with these base ids in their latest versions, as far as the index has
        them.
        """


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """One round of asking. `now` is UTC; `names` are the queries' names for people; `throttled`:
    the API is not to be asked for what can be done without; `attempts`: how often each answer is
    asked for; `first`: this source is the chosen one, and others can be asked after it.
    """

    now: datetime
    names: Mapping[str, str] = field(default_factory=dict)
    stop: Stop = field(default_factory=Stop)
    progress: Callable[[str], None] = lambda _text: None
    throttled: bool = False
    attempts: int = ATTEMPTS
    first: bool = False

    def name(self, query: Query) -> str:
        """A query's name for people."""
        return self.names.get(query.text, query.text)


class Source(Protocol):
    """One way to learn what was announced."""

    name: str

    def windows(
        self, wanted: Sequence[Query], request: FetchRequest
    ) -> AsyncIterator[SourceResult]:
        """Give a window or an error for each query; those for which nothing could be asked are left
        out.

        Requests that several queries share are counted with the first of them.
        """


def counted_once(results: Iterable[SourceResult], requests: int) -> list[SourceResult]:
    """The results of requests that several queries share, counted with the first of them."""
    counted: list[SourceResult] = []
    for query, result in results:
        if isinstance(result, Window):
            result = replace(result, requests=requests)
        else:
            # Each keyword's error gets its own words later.
            result = copy.copy(result)
            result.requests = requests
        counted.append((query, result))
        requests = 0
    return counted


async def attribute(
    papers: Sequence[Paper], nodes: Mapping[str, Node]
) -> dict[str, tuple[Paper, ...]]:
    """The papers that each query matches by this program's own reading, in their order; found in a
    thread, so that the event loop goes on.
    """
    return await asyncio.to_thread(_attribute, papers, nodes)


def _attribute(papers: Sequence[Paper], nodes: Mapping[str, Node]) -> dict[str, tuple[Paper, ...]]:
    found: dict[str, tuple[Paper, ...]] = {}
    with Matcher(papers) as matcher:
        for text, node in nodes.items():
            ids = matcher.match(node)
            found[text] = tuple(paper for paper in papers if paper.id in ids) if ids else ()
    return found
