"""Where subscriptions begin, and what a change of the subscribers file does to them."""

from __future__ import annotations

import pytest

from digest.errors import ConfigError, Exit
from digest.model import (
    Channel,
    Outcome,
    Subscriber,
)
from tests.store.house import ADA, BOB, MINUTE, House
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, keyword, reader

# -- placement


def test_a_new_subscription_starts_with_the_last_20_of_the_last_7_days(house: House) -> None:
    house.sync(reader(BOB, "Alpha"))
    house.record("Alpha", *(eprint(n, MONDAY - 7 * DAY + n * HOUR) for n in range(1, 31)))
    house.sync(reader(BOB, "Alpha"), reader(ADA, "Alpha"))
    assert house.due() == list(range(11, 31))


def test_older_papers_than_7_days_are_not_among_the_first(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    old = [eprint(n, MONDAY - 7 * DAY - (20 - n) * HOUR) for n in range(1, 11)]
    house.record("Alpha", *old, *(eprint(n, MONDAY - 7 * DAY + n * HOUR) for n in range(11, 18)))
    assert house.due() == list(range(11, 18))


@pytest.mark.parametrize(
    ("young", "recorded", "shown"), [(0, 12, 5), (2, 12, 5), (6, 12, 6), (0, 3, 3), (0, 0, 0)]
)
def test_at_least_5_are_among_the_first_where_there_are(
    house: House, young: int, recorded: int, shown: int
) -> None:
    house.sync(reader(ADA, "Alpha"))
    papers = [
        eprint(n, MONDAY - (1 if n > recorded - young else 20) * DAY - (30 - n) * MINUTE)
        for n in range(1, recorded + 1)
    ]
    house.record("Alpha", *papers)
    assert house.due() == list(range(recorded - shown + 1, recorded + 1))


def test_revisions_and_old_papers_do_not_count_as_first_ones(house: House) -> None:
    house.sync(reader(BOB, "Alpha"))
    house.record("Alpha", *(eprint(n, MONDAY - 3 * DAY + n * MINUTE) for n in range(1, 21)))
    house.record(
        "Alpha",
        *(eprint(n, MONDAY - 3 * DAY, version=2, updated=MONDAY - HOUR) for n in range(1, 6)),
        *(eprint(n, MONDAY - 100 * DAY) for n in range(31, 36)),
        at=MONDAY + HOUR,
    )
    house.sync(reader(BOB, "Alpha"), reader(ADA, "Alpha"))
    assert house.due() == list(range(1, 21))


@pytest.mark.parametrize(("hours", "at_once"), [(35, True), (37, False)])
def test_a_subscription_is_placed_at_once_only_after_a_recent_window(
    house: House, hours: int, at_once: bool
) -> None:
    house.sync(reader(BOB, "Alpha"))
    house.record("Alpha", eprint(1))
    house.sync(reader(BOB, "Alpha"), reader(ADA, "Alpha"), at=MONDAY + hours * HOUR)
    assert house.due() == ([1] if at_once else [])
    assert len(house.plan().unplaced) == (0 if at_once else 1)
    house.record("Alpha", eprint(1), eprint(2, MONDAY + DAY), at=MONDAY + (hours + 1) * HOUR)
    assert house.due() == [1, 2]


def test_placing_a_reader_does_not_move_others(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.queue()
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(3))
    assert settled.due(BOB) == [1, 2, 3]
    settled.settle(Outcome.SENT)
    assert settled.due(ADA) == [3]


# -- the subscribers file changes


def test_syncing_an_unchanged_file_writes_nothing(house: House) -> None:
    assert house.sync(reader(ADA, "Alpha"))
    assert not house.sync(reader(ADA, "Alpha"), at=MONDAY + DAY)


def test_an_edited_keyword_still_brings_what_was_recorded_before(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    edited = Subscriber(ADA, (keyword("Alpha", "all:beta"),))
    settled.sync(edited)
    assert settled.due() == [2]
    settled.sync(edited, reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(3))
    assert settled.due() == [2]
    settled.record("Beta", eprint(2), eprint(4))
    assert settled.due() == [2, 4]
    settled.queue()
    settled.settle(Outcome.SENT)
    assert settled.due() == []


def test_a_name_that_differs_only_by_case_is_an_edit(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(Subscriber(ADA, (keyword("ALPHA", "all:beta"),)))
    assert settled.due() == [2]


def test_a_removed_keyword_is_due_no_more_at_once(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(reader(ADA, "Beta"))
    assert settled.due() == []


@pytest.mark.parametrize(("days", "due"), [(6, [2, 3]), (8, [4, 5, 6, 7, 8])])
def test_a_keyword_back_within_7_days_goes_on_and_later_starts_anew(
    settled: House, days: int, due: list[int]
) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(reader(ADA, "Beta"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(3))
    if days > 7:
        settled.record("Alpha", *(eprint(n, settled.now - 8 * DAY) for n in range(4, 9)))
    back = settled.now + days * DAY
    settled.record("Alpha", at=back - HOUR)
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), at=back)
    assert settled.due() == due


def test_what_the_reader_had_does_not_come_again_after_a_long_absence(settled: House) -> None:
    settled.sync(reader(ADA, "Beta"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2), at=settled.now + 10 * DAY)
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert settled.due() == [2]


def test_a_reader_who_left_and_came_back_does_not_get_papers_again(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(reader(BOB, "Alpha"))
    assert settled.store.digests.reader(ADA) is None
    assert settled.store.subscribers.known() == 1
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), at=settled.now + DAY)
    assert settled.due() == [2]


def test_a_keyword_that_was_never_answered_and_is_back_is_placed_at_once_after_a_recent_window(
    house: House,
) -> None:
    house.sync(reader(ADA, "Alpha", "Beta"), reader(BOB, "Beta"))
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Beta"))
    house.record("Beta", eprint(1))
    house.sync(reader(ADA, "Alpha", "Beta"), reader(BOB, "Beta"), at=MONDAY + HOUR)
    assert house.due() == [1]


def test_two_names_with_one_query_are_one_subscription(house: House) -> None:
    house.sync(Subscriber(ADA, (keyword("One", "all:alpha"), keyword("Two", "all:alpha"))))
    house.record("Alpha", eprint(1))
    (item,) = house.plan().items
    assert item.keywords == ("One",)
    assert house.value("SELECT COUNT(*) FROM query") == 1


def test_a_renamed_keyword_is_only_a_label(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    settled.sync(Subscriber(ADA, (keyword("Other name", "all:alpha"),)))
    (item,) = settled.plan().items
    assert (item.paper.id, item.keywords) == ("2611.00002", ("Other name",))


def test_an_empty_file_removes_nobody_and_is_a_matter_of_configuration(settled: House) -> None:
    with pytest.raises(ConfigError, match="names nobody") as caught:
        settled.sync()
    assert caught.value.exit_code == Exit.CONFIG
    assert settled.store.subscribers.known() == 1
    assert settled.store.digests.reader(ADA) is not None


def test_an_empty_file_is_right_where_nobody_is_known(house: House) -> None:
    house.sync()
    assert house.store.subscribers.known() == 0


def test_whoever_was_let_go_and_subscribes_again_in_the_same_words_is_known_again(
    house: House,
) -> None:
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert house.store.subscribers.remove(ADA, MONDAY)
    assert not house.store.subscribers.remove(ADA, MONDAY)
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert house.store.digests.reader(ADA) is not None


def test_a_reader_who_moved_keeps_the_history(settled: House) -> None:
    settled.record("Alpha", eprint(2))
    assert settled.store.subscribers.move(ADA, "ada@example.net")
    settled.sync(reader("ada@example.net", "Alpha"))
    assert settled.due("ada@example.net") == [2]
    assert settled.store.digests.reader(ADA) is None
    assert not settled.store.subscribers.move(ADA, "ada@example.com")


def test_a_reader_who_moved_to_an_address_with_a_history_keeps_the_own_one(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", eprint(2))
    settled.queue(BOB)
    settled.settle(Outcome.SENT)
    settled.sync(reader(ADA, "Alpha"))
    assert settled.store.subscribers.move(ADA, BOB)
    settled.sync(reader(BOB, "Alpha"))
    assert settled.due(BOB) == [2]
    assert settled.value("SELECT COUNT(*) FROM subscriber WHERE gone = 0") == 1


def test_an_addresss_case_does_not_make_another_reader(settled: House) -> None:
    settled.sync(reader("ADA@example.org", "Alpha"))
    assert settled.store.subscribers.known() == 1
    assert settled.value("SELECT address FROM subscriber") == "ADA@example.org"
    assert settled.due("ada@EXAMPLE.org") == []


def test_a_readers_channel_is_written_with_the_reader(house: House) -> None:
    house.sync(reader(ADA, "Alpha"), reader("github:ada/papers", "Alpha"))
    channels = house.database.rows("SELECT address, channel FROM subscriber ORDER BY id")
    assert [row["channel"] for row in channels] == ["mail", "github"]
    known = house.store.history.reader("github:ada/papers")
    assert known is not None
    assert known.channel is Channel.GITHUB


def test_a_repositorys_case_does_not_make_another_reader(house: House) -> None:
    house.sync(reader("github:ada/papers", "Alpha"))
    house.sync(reader("github:Ada/Papers", "Alpha"))
    assert house.value("SELECT COUNT(*) FROM subscriber") == 1


def test_a_slots_day_does_not_begin_anew_when_somebody_else_edits_the_file(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    due = house.store.digests.reader(ADA)
    assert due is not None
    house.store.digests.note_empty_slots([due.id], MONDAY)
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), at=MONDAY + HOUR)
    due = house.store.digests.reader(ADA)
    assert due is not None
    assert due.found_empty_at == MONDAY
