"""The tests read each entry once: what they take for an answer's entries is what the program
reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from digest.demo.feeds import feed
from digest.demo.papers import World
from digest.errors import ArxivError
from digest.model import Paper
from tests.world.templates import ENTRIES, remembered_entries

NOW = datetime(2026, 3, 9, tzinfo=UTC)
PAPERS = World(5).papers(12, NOW - timedelta(days=3), NOW)


def answer(*papers: Paper) -> bytes:
    return feed(papers, query="all:x", start=0, max_results=20, total=len(papers))


@pytest.mark.parametrize(
    "body",
    [
        answer(*PAPERS[:5]),
        answer(*PAPERS[3:], PAPERS[0], PAPERS[0]),
        answer(*PAPERS).replace(b"<entry>", b"<entry xml:lang='en'>"),
        answer(*PAPERS).replace(b"<title>", b"<title><!-- </entry> -->", 9),
        answer(*PAPERS).replace(b' xmlns="http://www.w3.org/2005/Atom"', b""),
        answer(),
    ],
)
def test_remembered_entries_are_those_that_the_program_reads(body: bytes) -> None:
    for _ in range(2):
        assert remembered_entries(body) == ENTRIES(body)


def test_a_document_that_has_to_be_repaired_is_refused_all_the_same() -> None:
    assert remembered_entries(answer(*PAPERS))
    for body in (answer(*PAPERS)[:-9], answer(*PAPERS).replace(b"</title>", b"", 3)):
        with pytest.raises(ArxivError, match="repaired"):
            remembered_entries(body)
