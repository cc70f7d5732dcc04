"""New keywords of readers who signed up: so many are asked for in a cycle, and the rest later."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.model import Origin, SignUp
from digest.rules import plan
from digest.rules.channels import make_terms
from digest.run.daemon import NEXT_CYCLE, next_work
from digest.run.fetch import FULL
from tests.world.worlds import HOUR, MONDAY, World, eprint, reader, text

ADA, EVE, LIN = "ada@example.org", "eve@example.org", "lin@example.org"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Two who signed up with five keywords, one the file's too; a cycle has room for two."""
    monkeypatch.setattr(plan, "NEW_AT_ONCE", 2)
    world = World(tmp_path / "digest.db")
    signed_up = (reader(EVE, "Beta", "Gamma", "Alpha"), reader(LIN, "Delta", "Epsilon", "Gamma"))
    web = [replace(one, origin=Origin.WEB) for one in signed_up]
    world.readers = [reader(ADA, "Alpha"), *web]
    for one in web:
        world.store.signups.sign_up(SignUp(one.email, "{}", ()), MONDAY)
    for number, name in enumerate(("Alpha", "Beta", "Gamma", "Delta", "Epsilon"), 1):
        world.arxiv.announce(name, eprint(number))
    yield world
    world.close()


async def test_what_one_cycle_has_no_room_for_comes_with_the_next_and_nothing_is_missed(
    world: World,
) -> None:
    summary = await world.cycle(MONDAY)
    later = [each.keyword for each in summary.keywords if each.status == "skipped"]
    assert len(later) == 2
    assert "Alpha" not in later
    assert {each.why for each in summary.keywords if each.status == "skipped"} == {FULL}
    assert (list(summary.unanswered), summary.asked_again) == (later, MONDAY)
    following = next_work(world.store, world.roster, MONDAY, now=world.now, on=make_terms())
    assert following == MONDAY + NEXT_CYCLE
    summary = await world.cycle(following)
    assert summary.awaited == ""
    await world.cycle(MONDAY + 24 * HOUR)
    for address, papers in ((ADA, [1]), (EVE, [1, 2, 3]), (LIN, [3, 4, 5])):
        assert sorted(number for mail in world.titles(address) for number in mail) == papers


async def test_a_reader_whose_keywords_wait_is_told_so(world: World) -> None:
    world.readers = [
        *world.readers[:2],
        reader(LIN, "Gamma", "Delta", "Epsilon", origin=Origin.WEB),
    ]
    await world.cycle(MONDAY)
    mails = world.mails(LIN)
    assert all("arXiv has not answered for" in text(mail) for mail in mails)


async def test_who_asks_for_all_gets_all(world: World) -> None:
    summary = await world.cycle(MONDAY, fetch_all=True)
    assert {each.status for each in summary.keywords} == {"ok"}
