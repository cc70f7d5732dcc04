"""Readers with papers of their own: in which order their digests come, and what others see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.model import Order
from digest.run.bodies import Bodies
from digest.run.tastes import Tastes
from digest.store.preferences import LibraryPaper
from tests.world.worlds import DAY, MONDAY, RENDERER, World, eprint, numbers, reader, text

ADA, BOB = "ada@example.org", "bob@example.org"

WORDS = ("walrus tusks on sea ice", "comet tails in winter skies", "yeast in old bread ovens")
"""Of which the papers tell, in turn; the reader has such of the second kind."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    yield world
    world.close()


def library(count: int = 5) -> list[LibraryPaper]:
    return [
        LibraryPaper(f"2401.{n:05d}", f"Comet tails, part {n}", f"{n} comet tails in skies.")
        for n in range(1, count + 1)
    ]


def announce(world: World, count: int = 12, first: int = 1) -> None:
    for n in range(first, first + count):
        words = WORDS[n % 3]
        title = f"Alpha {n}: of {words}"
        made = eprint(n, MONDAY - DAY, title=title, abstract=f"We tell of {words}. " * 3)
        world.arxiv.announce("Alpha", made)


def own(world: World, address: str, papers: list[LibraryPaper]) -> None:
    known = world.store.digests.reader(address)
    assert known is not None
    assert world.store.preferences.replace_library(known.id, papers, MONDAY)


async def joined(world: World, *addresses: str) -> None:
    world.readers = [reader(address, "Alpha") for address in addresses]
    await world.cycle(MONDAY - 2 * DAY)


def contents(world: World) -> dict[str, int]:
    rows = world.database.rows(
        "SELECT r.address, MAX(d.content) AS content FROM delivery d"
        " JOIN subscriber r ON r.id = d.subscriber GROUP BY r.address"
    )
    return {row["address"]: row["content"] for row in rows}


async def test_five_papers_of_ones_own_bring_first_what_is_like_them(world: World) -> None:
    await joined(world, ADA, BOB)
    own(world, ADA, library())
    announce(world)
    await world.cycle(MONDAY)
    mine, others = (world.mails(address)[-1] for address in (ADA, BOB))
    assert [n % 3 for n in numbers(mine)[:4]] == [1, 1, 1, 1]
    assert sorted(numbers(mine)) == sorted(numbers(others))
    assert "Close to “Comet tails, part" in text(mine)
    assert "https://arxiv.org/abs/2401.0000" in text(mine)
    assert "omet tails, part" not in text(others), "what a reader has is told to nobody else"


@pytest.mark.parametrize("held", [0, 4])
async def test_with_fewer_nothing_changes(world: World, held: int) -> None:
    await joined(world, ADA, BOB)
    own(world, ADA, library(held))
    announce(world)
    await world.cycle(MONDAY)
    assert contents(world)[ADA] == contents(world)[BOB], "not a byte differs"


async def test_by_the_newest_first_nothing_changes(world: World) -> None:
    world.readers = [replace(reader(a, "Alpha"), order=Order.NEWEST) for a in (ADA, BOB)]
    await world.cycle(MONDAY - 2 * DAY)
    own(world, ADA, library())
    announce(world)
    await world.cycle(MONDAY)
    assert contents(world)[ADA] == contents(world)[BOB]


async def test_library_and_likes_count_together_and_a_paper_in_both_once(world: World) -> None:
    await joined(world, ADA)
    announce(world, 6)
    await world.cycle(MONDAY)
    known = world.store.digests.reader(ADA)
    assert known is not None
    own(world, ADA, [*library(3), LibraryPaper("arXiv:2611.00001v2", "Alpha 1", "")])
    world.store.preferences.like(known.id, "2611.00001", MONDAY)
    tastes = Tastes(world.store)
    assert [t.title[:5] for t in tastes.texts(known.id)] == ["Comet"] * 3 + ["Alpha"]
    assert tastes.texts(known.id)[-1].abstract.startswith("We tell")
    reader_ = world.readers[0]
    assert tastes.of(known.id, reader_) is None
    assert tastes.why_not(known.id, reader_).startswith("the reader has 4 of the 5 papers")
    world.store.preferences.like(known.id, "2611.00004", MONDAY)
    assert Tastes(world.store).of(known.id, reader_)
    assert Tastes(world.store).why_not(known.id, reader_) == ""


async def test_what_was_sent_is_rendered_again_when_the_library_is_another(world: World) -> None:
    await joined(world, ADA)
    own(world, ADA, library())
    announce(world)
    await world.cycle(MONDAY)
    number = world.database.number("SELECT MAX(id) FROM delivery")
    before = Bodies(world.store, RENDERER).again(number)
    assert before is not None
    own(world, ADA, [])
    assert Bodies(world.store, RENDERER).again(number) == before
    assert before[1] == ""
    sent = text(world.mails(ADA)[-1])
    assert "Close to “" in sent


async def test_who_is_forgotten_leaves_no_title_of_theirs(world: World) -> None:
    await joined(world, ADA, BOB)
    own(world, ADA, library())
    announce(world)
    await world.cycle(MONDAY)
    world.store.personal.forget(ADA, MONDAY)
    kept = world.database.column("SELECT digest FROM content")
    assert kept
    assert not [value for value in kept if "omet tails, part" in value]


async def test_a_repository_is_told_of_nobodys_papers(world: World) -> None:
    await joined(world, "github:ada/papers")
    own(world, "github:ada/papers", library())
    announce(world)
    await world.cycle(MONDAY)
    assert not [v for v in world.database.column("SELECT digest FROM content") if "Comet" in v]


async def test_whose_rank_decides_across_keywords(world: World) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    await world.cycle(MONDAY - 2 * DAY)
    own(world, ADA, library())
    announce(world, 6)
    made = eprint(30, MONDAY - DAY, title="Beta of comet tails", abstract="Comet tails in skies.")
    world.arxiv.announce("Beta", made)
    await world.cycle(MONDAY)
    assert "Likeliest first (7 papers)" in text(world.mails(ADA)[-1])
    assert numbers(world.mails(ADA)[-1])[0] == 30
