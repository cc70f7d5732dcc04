"""What arXiv is asked for where its search reads a query otherwise: the same papers come from each
of its services, and what only the wider question brought comes to nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from digest.keywords.grammar import make_keyword, parse, to_text
from digest.model import Paper, Subscriber
from tests.world.skies import ADA, MONDAY, TUESDAY, SourcesWorld, about, sources_world
from tests.world.worlds import DAY, eprint, reader


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[SourcesWorld]:
    async with sources_world(tmp_path / "digest.db") as made:
        yield made


QUERIES = {
    "abs:hallucinat*": ("hallucinations", "hallucinated thing", "hallux"),
    "abs:optimiz*": ("optimization", "optimizer", "optimum"),
    "abs:multimodal*": ("multimodality", "multimodal thing", "multitude"),
    'abs:"theory of mind"': ("theory of mind", "theory of minds", "theory in mind"),
    'abs:"maxwell equations"': ("Maxwell's equations", "Maxwell equation", "Maxwell or equations"),
    'abs:"GPT-4"': ("GPT-4", "GPT 4's", "GPT-4.5"),
    "abs:schrodinger": ("Schrödinger equation", "Schrodinger equation", "Schwinger equation"),
}
"""Queries, each with two papers' words that match and some that do not."""


@pytest.mark.parametrize("source", ["api", "feeds", "oai"])
async def test_the_same_papers_match_whoever_tells_of_them(
    world: SourcesWorld, source: str
) -> None:
    world.readers = [
        Subscriber(f"reader{n}@example.org", (make_keyword("Mine", query),))
        for n, query in enumerate(QUERIES)
    ]
    first, second = [], []
    for n, (one, two, other) in enumerate(QUERIES.values()):
        first += [about(10 * n + 1, one, MONDAY)]
        second += [about(10 * n + 2, two, TUESDAY), about(10 * n + 3, other, TUESDAY)]
    world.sky.announce(MONDAY, *first)
    await world.cycle(MONDAY, source=source)
    world.relay.taken.clear()
    world.sky.announce(TUESDAY, *second)
    summary = await world.cycle(TUESDAY, source=source)
    assert {k.status for k in summary.keywords} == {"ok"}
    for n in range(len(QUERIES)):
        assert world.titles(f"reader{n}@example.org") == [[10 * n + 2]], list(QUERIES)[n]
    assert world.value("SELECT COUNT(*) FROM seen") == 2 * len(QUERIES)


@pytest.mark.parametrize("source", ["api", "feeds"])
async def test_names_match_in_either_order_with_hyphens_or_without(
    world: SourcesWorld, source: str
) -> None:
    queries = ("au:serre_j", 'au:"serre jean pierre"', 'au:"Jean-Pierre Serre"', "au:pierre")
    world.readers = [
        Subscriber(f"reader{n}@example.org", (make_keyword("Mine", query),))
        for n, query in enumerate(queries)
    ]
    world.sky.announce(MONDAY, about(1, "thing", MONDAY))
    await world.cycle(MONDAY, source=source)
    world.relay.taken.clear()
    theirs = about(2, "thing", TUESDAY, authors=("Jean-Pierre Serre", "Ada Example"))
    world.sky.announce(TUESDAY, theirs, about(3, "thing", TUESDAY, authors=("Jean Valjean",)))
    await world.cycle(TUESDAY, source=source)
    got = [world.titles(f"reader{n}@example.org") for n in range(len(queries))]
    assert got == [[[2]], [[2]], [[2]], []]


async def test_in_a_shared_request_a_wider_question_brings_nobody_what_does_not_match(
    world: SourcesWorld,
) -> None:
    words = [f"word{n:02}" for n in range(24)]
    wide = make_keyword("Wide", "abs:generaliz*")
    near = make_keyword("Near", 'abs:"generation gap"')
    others = (make_keyword("Other", f"abs:{word}") for word in words)
    world.readers = [replace(reader(ADA), keywords=(wide, near, *others))]
    world.sky.announce(MONDAY, about(1, "word01", MONDAY))
    await world.cycle(MONDAY, source="api")
    world.relay.taken.clear()
    world.sky.announce(
        TUESDAY,
        about(2, "generalization", TUESDAY),
        about(3, "gap of a generation", TUESDAY),
        about(4, "general thing", TUESDAY),
    )
    await world.cycle(TUESDAY, source="api")
    assert world.titles(ADA) == [[2]]


async def test_a_database_from_before_keeps_its_baseline_and_gets_what_it_lacked(
    world: SourcesWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, arXiv was asked for `abs:hallucinat*` itself, and found one word in a hundred."""

    def lost(number: int, day: datetime) -> Paper:
        return about(number, "hallucination", day)

    world.readers = [replace(reader(ADA), keywords=(make_keyword("Mine", "abs:hallucinat*"),))]
    with monkeypatch.context() as before:
        before.setattr("digest.run.sources.api.asked_text", lambda text: to_text(parse(text)))
        before.setattr("digest.run.sources.api.listed", lambda node: node)
        for n in range(12):
            kept = eprint(100 + n, MONDAY - (13 - n) * DAY, abstract="Hallucinatory things.")
            world.sky.announce(MONDAY, kept, lost(200 + n, MONDAY))
        await world.cycle(MONDAY, source="api")
        query = world.value("SELECT id FROM query")
        assert world.value("SELECT COUNT(*) FROM seen") == 12
        assert world.value("SELECT asked FROM query") == ""
    world.relay.taken.clear()
    world.sky.announce(TUESDAY, lost(300, TUESDAY))
    summary = await world.cycle(TUESDAY, source="api")
    assert [(k.status, k.first) for k in summary.keywords] == [("ok", False)]
    assert sorted(world.titles(ADA)[0]) == [*range(200, 212), 300]
    assert world.value("SELECT id FROM query") == query
    assert world.value("SELECT text FROM query") == "abs:hallucinat*"
    assert world.value("SELECT asked FROM query") == "abs:hallucin*"
    wednesday = TUESDAY + DAY
    world.sky.announce(wednesday, lost(400, wednesday))
    await world.cycle(wednesday, source="api")
    assert world.titles(ADA)[1:] == [[400]]


@pytest.mark.parametrize("matching", [0, 1])
async def test_what_only_arxivs_reading_brought_before_is_not_missed_when_it_is_left_out(
    world: SourcesWorld, monkeypatch: pytest.MonkeyPatch, matching: int
) -> None:
    """Before, all that arXiv lists came: for `at the edge` whatever holds the word edge."""
    mine = make_keyword("Mine", 'abs:"at the edge"')
    world.readers = [replace(reader(ADA), keywords=(mine,))]
    alone = {"feeds": None, "oai": None}
    with monkeypatch.context() as before:
        before.setattr("digest.run.sources.api.listed", lambda node: node)
        for n in range(12):
            listed_then = eprint(100 + n, MONDAY - (3 + n % 5) * DAY, abstract="An edge detector.")
            world.sky.announce(MONDAY, listed_then)
        await world.cycle(MONDAY, sources=replace(world.sources, choice="api", **alone))
        assert world.value("SELECT COUNT(*) FROM seen") == 12
    world.relay.taken.clear()
    world.sky.announce(TUESDAY, about(200, "edge", TUESDAY))
    for n in range(matching):
        world.sky.announce(TUESDAY, about(300 + n, "thing at the edge", TUESDAY))
    summary = await world.cycle(TUESDAY, sources=replace(world.sources, choice="api", **alone))
    assert [(k.status, k.new) for k in summary.keywords] == [("ok", matching)]
    assert world.titles(ADA) == [[300]] * matching


async def test_of_a_sifted_answer_what_matched_before_is_missed_still(
    world: SourcesWorld,
) -> None:
    world.readers = [replace(reader(ADA), keywords=(make_keyword("Mine", 'abs:"at the edge"'),))]
    known = [
        eprint(n, MONDAY - (3 + n % 5) * DAY, abstract="A thing at the edge.") for n in range(9)
    ]
    world.sky.announce(MONDAY, *known)
    sources = replace(world.sources, choice="api", feeds=None, oai=None)
    await world.cycle(MONDAY, sources=sources)
    world.sky.papers.clear()
    world.sky.announce(TUESDAY, about(200, "edge", TUESDAY))
    summary = await world.cycle(TUESDAY, sources=sources)
    assert [k.status for k in summary.keywords] == ["quarantined"]
