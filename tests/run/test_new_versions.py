"""New versions through whole cycles: late papers, revisions, acceptances, and withdrawals that are
always told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.model import Outcome, Paper, Receipt, Revisions, Subscriber
from tests.world.asking import asked_world
from tests.world.worlds import DAY, MONDAY, World, bad_answer, eprint, numbers, reader, text

ADA, BOB, EVE = "ada@example.org", "bob@example.org", "eve@example.org"
WITHDRAWN = "This paper has been withdrawn by the authors due to an error in Lemma 2"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    yield world
    world.close()


async def settle_in(world: World, *readers: Subscriber, name: str = "Alpha") -> None:
    """Let these readers have paper 1."""
    world.readers = list(readers)
    world.arxiv.announce(name, eprint(1, comment="12 pages"))
    await world.cycle(MONDAY)
    assert all(world.titles(r.email) == [[1]] for r in readers)
    world.relay.taken.clear()


def version(number: int, **changes: object) -> Paper:
    """Paper 1 in a later version, submitted a day after the one before it."""
    first = eprint(1, comment="12 pages")
    return replace(first, version=number, updated=first.updated + (number - 1) * DAY, **changes)


def lines(world: World, address: str) -> list[str]:
    """The lines of the only mail to a reader."""
    (message,) = world.mails(address)
    return [line.strip() for line in text(message).splitlines()]


async def test_a_paper_held_for_weeks_comes_marked_as_late(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.arxiv.announce("Alpha", eprint(2, MONDAY - 22 * DAY), eprint(3, MONDAY))
    await world.cycle(MONDAY + DAY)
    said = lines(world, ADA)
    marked = [number for number, line in enumerate(said) if "announced late" in line.split(" · ")]
    assert marked == [said.index("https://arxiv.org/abs/2611.00002v1") + 2]


async def test_an_old_paper_first_seen_in_a_later_version_is_a_revision(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha", revisions=Revisions.ALL), reader(BOB, "Alpha"))
    world.arxiv.announce("Alpha", eprint(2, MONDAY - 300 * DAY, version=3, updated=MONDAY))
    world.arxiv.announce("Alpha", eprint(3, MONDAY - 9 * DAY, version=2, updated=MONDAY))
    summary = await world.cycle(MONDAY + DAY)
    assert [(k.new, k.revised) for k in summary.keywords] == [(1, 1)]
    said = lines(world, ADA)
    assert said.index("New versions (1 version)") < said.index("https://arxiv.org/abs/2611.00002v3")
    assert not any(line.startswith("Changed") for line in said), "what it was before is not known"
    assert world.titles(BOB) == [[3]]


async def test_a_revision_says_what_changed(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha", revisions=Revisions.ALL))
    world.arxiv.announce("Alpha", version(2, title="Better", comment="Accepted at ICML 2027"))
    await world.cycle(MONDAY + DAY)
    said = lines(world, ADA)
    assert "Changed: title (before: Title 1), comment; abstract as before" in said
    assert any("v2 · accepted at ICML 2027" in line for line in said)


async def test_changes_add_up_over_versions_that_the_reader_did_not_get(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha", revisions=Revisions.ALL))
    world.relay.answers[ADA] = [Receipt(Outcome.DEFERRED, "450 later")] * 2
    world.arxiv.announce("Alpha", version(2, title="Better", abstract="Other"))
    await world.cycle(MONDAY + DAY)
    world.arxiv.announce(
        "Alpha", version(3, title="Best", abstract="Other"), eprint(2, MONDAY + DAY)
    )
    await world.cycle(MONDAY + 2 * DAY)
    assert "Changed: title (before: Title 1), abstract" in lines(world, ADA)


async def test_a_version_without_any_visible_change_says_so(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha", revisions=Revisions.ALL))
    world.arxiv.announce("Alpha", version(2))
    await world.cycle(MONDAY + DAY)
    assert "Changed: nothing in title, abstract or comment" in lines(world, ADA)


async def test_only_acceptances_where_only_they_are_asked_for(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha", revisions=Revisions.PUBLISHED))
    world.arxiv.announce("Alpha", version(2, comment="14 pages"))
    await world.cycle(MONDAY + DAY)
    assert world.mails(ADA) == []
    world.arxiv.announce("Alpha", version(3, comment="14 pages, accepted at ICML 2027"))
    await world.cycle(MONDAY + 2 * DAY)
    assert numbers(world.mails(ADA)[0]) == [1]
    world.arxiv.announce("Alpha", version(4, comment="ICML 2027"))
    await world.cycle(MONDAY + 3 * DAY)
    assert len(world.mails(ADA)) == 1, "what was told is not told again"


async def test_an_acceptance_told_by_a_version_between_is_not_lost(world: World) -> None:
    """Another keyword's window saw the version that told of it; this reader's saw only the one
    after it."""
    await settle_in(
        world, reader(ADA, "Alpha", revisions=Revisions.PUBLISHED), reader(BOB, "Alpha", "Beta")
    )
    world.arxiv.fail("Alpha", bad_answer())
    world.arxiv.announce("Beta", version(2, comment="accepted at ICML 2027"))
    await world.cycle(MONDAY + DAY)
    world.arxiv.announce("Alpha", version(3, comment="accepted at ICML 2027, typos mended"))
    await world.cycle(MONDAY + 2 * DAY)
    assert world.titles(ADA) == [[1]]


@pytest.mark.parametrize("revisions", list(Revisions))
async def test_a_withdrawal_of_what_was_sent_is_always_told_once(
    world: World, revisions: Revisions
) -> None:
    await settle_in(world, reader(ADA, "Alpha", revisions=revisions))
    world.arxiv.announce("Alpha", version(2, comment=WITHDRAWN))
    await world.cycle(MONDAY + DAY)
    said = lines(world, ADA)
    assert any("v2 · withdrawn" in line for line in said)
    assert WITHDRAWN in said
    world.arxiv.announce("Alpha", version(3, comment=WITHDRAWN))
    await world.cycle(MONDAY + 2 * DAY)
    assert len(world.mails(ADA)) == (2 if revisions is Revisions.ALL else 1)


async def test_who_was_not_sent_the_paper_is_not_bothered(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.readers.append(reader(BOB, "Beta"))
    world.arxiv.announce("Beta", eprint(9))
    await world.cycle(MONDAY + DAY)
    world.arxiv.announce("Alpha", version(2, comment=WITHDRAWN))
    world.arxiv.announce("Beta", version(2, comment=WITHDRAWN, published=MONDAY - 300 * DAY))
    await world.cycle(MONDAY + 2 * DAY)
    assert world.titles(ADA) == [[1]]
    assert world.titles(BOB) == [[9]]


async def test_neither_exclude_nor_a_keyword_taken_away_keeps_a_withdrawal_back(
    world: World,
) -> None:
    await settle_in(world, reader(ADA, "Alpha", "Beta"), reader(BOB, "Alpha"), reader(EVE, "Alpha"))
    world.readers = [
        reader(ADA, "Beta"),
        reader(BOB, "Alpha", exclude=("ti:title",)),
        reader(EVE, "Alpha"),
    ]
    world.arxiv.announce("Alpha", version(2, comment=WITHDRAWN))
    await world.cycle(MONDAY + DAY)
    assert world.titles(ADA) == world.titles(BOB) == world.titles(EVE) == [[1]]


async def test_a_withdrawal_that_another_keyword_saw_is_told_too(world: World) -> None:
    """The withdrawn version no longer matches the reader's keyword; somebody else's window holds
    it."""
    await settle_in(world, reader(ADA, "Alpha"))
    world.readers.append(reader(BOB, "Beta"))
    world.arxiv.announce("Beta", version(2, abstract=WITHDRAWN, comment=""))
    await world.cycle(MONDAY + DAY)
    assert world.titles(ADA) == [[1]]


async def test_a_withdrawal_whose_mail_is_refused_is_told_with_the_next(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.arxiv.announce("Alpha", version(2, comment=WITHDRAWN))
    world.relay.answers[ADA] = [Receipt(Outcome.FAILED, "550 full")]
    await world.cycle(MONDAY + DAY)
    assert world.mails(ADA) == []
    await world.cycle(MONDAY + 2 * DAY)
    assert world.titles(ADA) == [[1]]


async def test_after_a_pause_a_withdrawal_is_never_among_what_is_let_go(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha", max_papers=2))
    world.readers = [reader(ADA, "Alpha", max_papers=2, paused_until=(MONDAY + 5 * DAY).date())]
    world.arxiv.announce("Alpha", version(2, comment=WITHDRAWN))
    await world.cycle(MONDAY + DAY)
    world.arxiv.announce("Alpha", *(eprint(n, MONDAY + DAY) for n in range(2, 7)))
    await world.cycle(MONDAY + 2 * DAY)
    await world.cycle(MONDAY + 5 * DAY)
    assert sorted(world.titles(ADA)[0]) == [1, 5, 6]


async def test_a_paper_that_stands_again_is_not_told_as_withdrawn(world: World) -> None:
    await settle_in(world, reader(ADA, "Alpha"))
    world.readers = [reader(ADA, "Alpha", paused_until=(MONDAY + 5 * DAY).date())]
    world.arxiv.announce("Alpha", version(2, comment=WITHDRAWN))
    await world.cycle(MONDAY + DAY)
    world.arxiv.announce("Alpha", version(3, comment="The proof is mended"))
    await world.cycle(MONDAY + 2 * DAY)
    await world.cycle(MONDAY + 5 * DAY)
    assert world.mails(ADA) == []


async def test_why_tells_of_a_withdrawal_that_is_still_to_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with asked_world(tmp_path, capsys) as world:
        await settle_in(world, reader(ADA, "Alpha"))
        world.readers = [replace(reader(ADA, "Alpha"), paused_until=(MONDAY + 9 * DAY).date())]
        world.arxiv.announce("Alpha", version(2, comment=WITHDRAWN))
        await world.cycle(MONDAY + DAY)
        told = world.ask("why", ADA, "2611.00001v2", "--json").json()
        assert told["verdict"] == "paused"
        assert told["keywords"][0]["status"] == "due"
        assert "always told" in told["keywords"][0]["why"]
