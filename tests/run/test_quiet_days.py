"""Why nothing came: each empty day has a reason in status, in the run's record and in a note;
holidays can be added."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from digest.rules.calendar import (
    doubt_about,
    is_year_known,
    known_holidays,
    load_holidays,
    quiet_night,
    use_holidays,
)
from digest.rules.quiet import STALE
from tests.world.asking import AskedWorld, asked_world
from tests.world.worlds import DAY, MONDAY, bad_answer, eprint, reader, text

ADA = "ada@example.org"
OWN = '{"years": {"2026": {"2026-11-10": "Founders Day"}, "2027": {"2027-01-18": "King Day"}}}'


@pytest.fixture(autouse=True)
def _built_in_list_alone() -> Iterator[None]:
    yield
    use_holidays(None)


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[AskedWorld]:
    with asked_world(tmp_path, capsys) as world:
        world.readers = [reader(ADA, "Alpha", at=time(7), quiet_days=True)]
        world.arxiv.announce("Alpha", eprint(1))
        yield world


def status(world: AskedWorld, *, now: datetime | None = None) -> tuple[str, dict[str, Any]]:
    """What status says, in lines and as JSON."""
    arguments = ["--now", (now or world.now).isoformat()]
    lines, values = world.ask("status", *arguments), world.ask("status", *arguments, "--json")
    assert (lines.code, values.code) == (0, 0)
    return lines.out, values.json()


async def test_a_weekend_is_told_in_all_three_places(world: AskedWorld) -> None:
    await world.cycle(MONDAY)
    for day in range(1, 6):
        summary = await world.cycle(MONDAY + day * DAY)
    assert summary.keywords[0].why.startswith(
        "weekend: nothing is announced on Friday and Saturday evenings; next Sun"
    )
    assert world.mails(ADA)[-1]["Subject"] == "No new papers: weekend (14 Nov)"
    lines, values = status(world)
    assert values["silent"] == "weekend"
    assert (
        "arXiv     nothing last evening (weekend);"
        " next announcement served Mon 2026-11-16 06:15 UTC" in lines
    )
    assert "(weekend: nothing is announced on Friday and Saturday evenings" in lines
    assert values["subscribers"][0]["why"] == "", "a note came today"


async def test_an_empty_day_of_a_reader_who_wants_no_note_has_its_reason_in_status(
    world: AskedWorld,
) -> None:
    world.readers = [reader(ADA, "Alpha")]
    await world.cycle(MONDAY)
    await world.cycle(MONDAY + DAY)
    assert len(world.mails(ADA)) == 1
    why = status(world)[1]["subscribers"][0]["why"]
    assert why.startswith("none today: no match that is new")
    world.arxiv.fail("Alpha", bad_answer("half a feed"))
    await world.cycle(MONDAY + 2 * DAY)
    assert (
        status(world)[1]["subscribers"][0]["why"]
        == "none today: Alpha could not be fetched: half a feed"
    )
    await world.cycle(MONDAY + 5 * DAY)
    assert (
        status(world)[1]["subscribers"][0]["why"] == "none today: nothing was announced (weekend)"
    )
    lines, _ = status(world, now=MONDAY + 6 * DAY)
    assert "none today: no run was made on this day yet" in lines


async def test_a_stale_index_is_told_in_the_note_too(world: AskedWorld) -> None:
    world.arxiv.announce("Alpha", *(eprint(n, MONDAY - (n % 8) * DAY - DAY) for n in range(2, 400)))
    await world.cycle(MONDAY)
    for day in range(1, 9):
        await world.cycle(MONDAY + day * DAY)
    assert world.mails(ADA)[-1]["Subject"].startswith(
        "No new papers: stale index: an announcement was served"
    )


async def test_a_rare_keyword_learns_from_a_busy_one_that_the_index_stands_still(
    world: AskedWorld,
) -> None:
    """Alone it could not tell a standing index from a day without a match; told it would be wrongly
    of no match."""
    world.readers = [reader(ADA, "Busy"), reader("bob@example.org", "Rare", quiet_days=True)]
    world.arxiv.announce(
        "Busy", *(eprint(n, MONDAY - (n % 20) * DAY / 2 - 2.6 * DAY) for n in range(2, 400))
    )
    world.arxiv.announce("Rare", eprint(1, MONDAY - 3 * DAY))
    await world.cycle(MONDAY)
    summary = await world.cycle(MONDAY + DAY)
    assert {k.keyword: k.why.partition(":")[0] for k in summary.keywords} == {
        "Busy": STALE,
        "Rare": STALE,
    }
    assert status(world)[1]["keywords"][1]["why"].startswith(STALE)
    await world.cycle(MONDAY + DAY + timedelta(hours=9))
    assert f"No new papers: {STALE}" in world.mails("bob@example.org")[-1]["Subject"]
    world.arxiv.announce("Busy", *(eprint(n, MONDAY + 1.4 * DAY) for n in range(400, 420)))
    summary = await world.cycle(MONDAY + 2 * DAY)
    assert [(k.keyword, k.new, k.why[:8]) for k in summary.keywords] == [
        ("Busy", 20, ""),
        ("Rare", 0, "no match"),
    ]


async def test_a_standing_index_is_told_on_the_weekend_too(world: AskedWorld) -> None:
    world.arxiv.announce(
        "Alpha", *(eprint(n, MONDAY - (n % 20) * DAY / 2 - 2.6 * DAY) for n in range(2, 400))
    )
    await world.cycle(MONDAY)
    for day in range(1, 6):
        summary = await world.cycle(MONDAY + day * DAY)
    assert summary.keywords[0].why.startswith(STALE)


async def test_few_keywords_of_few_papers_are_not_enough_to_say_that_the_index_stands_still(
    world: AskedWorld,
) -> None:
    await world.cycle(MONDAY)
    for day in range(1, 5):
        summary = await world.cycle(MONDAY + day * DAY)
        assert summary.keywords[0].why.startswith("no match")


async def test_an_operators_holiday_is_told_by_its_name(world: AskedWorld) -> None:
    (world.home / "holidays.json").write_text(OWN)
    await world.cycle(MONDAY)
    lines, values = status(world, now=MONDAY + 2 * DAY)
    assert values["silent"] == "holiday: Founders Day"
    assert "nothing last evening (holiday: Founders Day)" in lines
    summary = await world.cycle(MONDAY + 2 * DAY)
    assert summary.keywords[0].why.startswith("no match")  # Monday's announcement came between
    await world.cycle(MONDAY + 2 * DAY)
    assert "No new papers: no match" in world.mails(ADA)[-1]["Subject"]
    (world.home / "holidays.json").unlink()
    assert status(world, now=MONDAY + 2 * DAY)[1]["silent"] is None


async def test_a_broken_list_is_named_and_keeps_nothing_back(world: AskedWorld) -> None:
    await world.cycle(MONDAY)
    for written, words in (
        ('{"years": {"2027": {"2027-02-30": "x"}}}', "'2027-02-30' is no date"),
        ("\xff", "is not used"),
    ):
        (world.home / "holidays.json").write_text(written, encoding="latin-1")
        told = world.ask("status", "--now", world.now.isoformat())
        assert told.code == 0
        assert "holidays.json is not used" in told.err
        assert words in told.err
        assert known_holidays().years == {2026}


async def test_a_year_without_a_list_is_said_to_be_unknown(world: AskedWorld) -> None:
    new_year = datetime(2027, 1, 5, 7, tzinfo=UTC)
    world.arxiv.announce("Alpha", eprint(1, new_year - 2 * DAY))
    await world.cycle(new_year)
    summary = await world.cycle(new_year + DAY)
    assert summary.keywords[0].why.endswith("(2027's holidays are not known)")
    assert "announcement (2027's holidays are not known)." in " ".join(
        text(world.mails(ADA)[-1]).split()
    )
    lines, values = status(world)
    assert values["holidays_unknown"] == [2027]
    assert "2027's holidays are not known: write them into" in lines
    (world.home / "holidays.json").write_text(OWN)
    assert status(world)[1]["holidays_unknown"] == []


def test_an_operators_list_counts_until_it_is_taken_back() -> None:
    use_holidays(load_holidays(OWN))
    for moment, name in (
        (datetime(2027, 1, 19, 12, tzinfo=UTC), "King Day"),
        (datetime(2026, 11, 27, 12, tzinfo=UTC), "Thanksgiving"),
    ):
        night = quiet_night(moment)
        assert night is not None
        assert night.words == f"holiday: {name}"
    assert is_year_known(2027)
    assert doubt_about(datetime(2028, 1, 3).date()) == " (2028's holidays are not known)"  # noqa: DTZ001 - a date
    use_holidays(None)
    assert not is_year_known(2027)
