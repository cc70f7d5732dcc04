"""What readers say themselves, in the store: sign-ups, wishes, and how the file takes over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.model import Away, Mistake, Origin, Outcome, Roster, SignUp, Subscriber, Wish
from digest.store import open_store, read_own
from digest.store.suppressions import Reason, suppress
from digest.subscribers.book import with_wishes
from tests.store.house import ADA, BOB, House
from tests.world.worlds import DAY, MONDAY, eprint, keyword, reader

EVE = "eve@example.org"
SIGN_UP = SignUp(EVE, '{"keywords": ["a"]}')


def eve(*names: str) -> Subscriber:
    return replace(reader(EVE, *names), origin=Origin.WEB)


def gone(house: House, address: str = EVE) -> bool:
    row = house.database.row("SELECT gone FROM subscriber WHERE address = ?", [address])
    assert row is not None
    return bool(row["gone"])


def wish_for(house: House, ada: Subscriber, name: str) -> None:
    number = house.database.number("SELECT id FROM subscriber WHERE address = ?", [ada.email])
    assert house.store.wishes.leave(number, keyword(name), house.now)


def test_who_signed_up_is_mailed_without_any_file(house: House) -> None:
    assert house.store.signups.sign_up(SIGN_UP, MONDAY) == 1
    assert house.sync(eve("a"))
    house.record("a", eprint(1))
    assert house.due(EVE) == [1]
    assert not house.sync(eve("a"))


def test_a_file_without_readers_is_refused_only_where_the_file_had_some(house: House) -> None:
    house.sync(reader(ADA, "a"))
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    with pytest.raises(ConfigError, match="names nobody, and the database knows 1 of them"):
        house.sync(eve("a"))
    house.store.subscribers.remove(ADA, MONDAY)
    assert house.sync(eve("a"))
    assert not gone(house)


def test_only_their_own_word_lets_go_who_signed_up(house: House) -> None:
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    house.sync(reader(ADA, "a"), eve("a"))
    house.sync(reader(ADA, "a", "b"))
    assert not gone(house)
    assert house.store.subscribers.remove(EVE, MONDAY)
    assert gone(house)
    assert house.store.signups.of(EVE) is None


def test_a_roster_read_before_somebody_left_revives_nobody(house: House) -> None:
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    house.sync(reader(ADA, "a"), eve("a"))
    house.store.subscribers.remove(EVE, MONDAY)
    house.sync(reader(ADA, "a"), eve("a", "b"))
    assert gone(house)


def test_who_left_and_signed_up_again_goes_on_where_they_were(house: House) -> None:
    number = house.store.signups.sign_up(SIGN_UP, MONDAY)
    house.sync(eve("a"))
    house.record("a", eprint(1))
    house.queue(EVE)
    house.settle(Outcome.SENT)
    house.store.subscribers.remove(EVE, MONDAY)
    assert house.store.signups.sign_up(SIGN_UP, MONDAY) == number
    assert house.sync(eve("a"))
    assert house.store.digests.reader(EVE) is not None
    assert house.due(EVE) == []


def test_signing_up_again_forgives_what_kept_mail_away(house: House) -> None:
    number = house.store.signups.sign_up(SIGN_UP, MONDAY)
    assert number is not None
    with house.database.transaction():
        suppress(house.database, number, Reason.UNSUBSCRIBED, "by mail", MONDAY)
    assert house.store.signups.change(SIGN_UP, MONDAY)
    assert house.store.suppressions.of(EVE) is not None
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    assert house.store.suppressions.of(EVE) is None


def test_the_file_takes_over_who_signed_up_and_lets_go_for_good(house: House) -> None:
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    house.sync(eve("a"))
    house.record("a", eprint(1))
    house.queue(EVE)
    house.settle(Outcome.SENT)
    house.sync(reader(ADA, "a"), reader(EVE, "a"))
    assert house.store.signups.of(EVE) is None
    assert house.due(EVE) == []
    house.record("a", eprint(1), eprint(2), at=MONDAY + DAY)
    assert house.due(EVE) == [2]
    house.sync(reader(ADA, "a"))
    assert gone(house)
    assert house.store.signups.sign_up(SIGN_UP, MONDAY) is not None
    house.sync(reader(ADA, "a"), eve("a"))
    assert house.due(EVE) == [2]


def test_whom_the_file_names_cannot_sign_up(house: House) -> None:
    house.sync(reader(ADA, "a"))
    assert house.store.signups.sign_up(replace(SIGN_UP, email=ADA.upper()), MONDAY) is None
    assert house.store.signups.all() == []
    assert not house.store.signups.change(replace(SIGN_UP, email=ADA), MONDAY)


def test_nobody_signs_up_where_the_database_keeps_no_addresses(house: House) -> None:
    house.database.set_meta("names", "reader:123")
    with pytest.raises(ConfigError, match="nobody can sign up while the subscribers come from a"):
        house.store.signups.sign_up(SIGN_UP, MONDAY)


def test_a_mistake_of_nobody_knows_whose_holds_back_no_one_who_signed_up(house: House) -> None:
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    house.sync(reader(ADA, "a"), reader(BOB, "a"))
    roster = replace(house.roster, subscribers=(reader(ADA, "a"),), mistakes=(Mistake("x", ("",)),))
    house.store.subscribers.sync(roster, MONDAY)
    assert list(house.store.mistakes.held_back()) == [BOB]


def test_a_wish_holds_until_the_file_says_something_else(house: House) -> None:
    ada = reader(ADA, "a", "b")
    house.sync(ada)
    house.record("a", eprint(1))
    house.record("b", eprint(2))
    wish_for(house, ada, "a")
    roster = with_wishes(house.roster, house.store.wishes.all())
    house.store.subscribers.sync(roster, MONDAY)
    assert house.due() == [2]
    # The file no longer says what was taken away; back in it, it counts again.
    without = with_wishes(replace(house.roster, subscribers=(reader(ADA, "b"),)), wishes(house))
    house.store.subscribers.sync(without, MONDAY)
    assert wishes(house) == []
    house.store.subscribers.sync(with_wishes(house.roster, wishes(house)), MONDAY)
    assert house.due() == [1, 2]


def wishes(house: House) -> list[Wish]:
    return house.store.wishes.all()


def test_a_wish_made_anew_meanwhile_does_not_end_with_the_old_one(house: House) -> None:
    ada = reader(ADA, "a", "b")
    house.sync(ada)
    wish_for(house, ada, "a")
    ended = Roster((ada,), ada.keywords, ended_wishes=tuple(wishes(house)))
    house.now += DAY
    wish_for(house, ada, "a")
    house.store.subscribers.sync(ended, house.now)
    assert [wish.since for wish in wishes(house)] == [house.now]


def test_a_later_pause_takes_the_place_of_an_earlier_one(house: House) -> None:
    house.sync(reader(ADA, "a"))
    for days in (3, 9):
        assert house.store.wishes.pause(1, (MONDAY + days * DAY).date(), "", MONDAY)
    (wish,) = wishes(house)
    assert (wish.field, wish.value) == (Away.PAUSE, (MONDAY + 9 * DAY).date().isoformat())
    house.store.wishes.end([wish])
    assert wishes(house) == []


def test_who_signed_up_has_no_wishes_and_who_leaves_has_none_left(house: House) -> None:
    number = house.store.signups.sign_up(SIGN_UP, MONDAY)
    assert number is not None
    assert not house.store.wishes.leave(number, keyword("a"), MONDAY)
    ada = reader(ADA, "a", "b")
    house.sync(ada, eve("a"))
    wish_for(house, ada, "a")
    house.store.subscribers.remove(ADA, MONDAY)
    assert wishes(house) == []


def test_a_move_takes_sign_up_and_wishes_along(house: House) -> None:
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    ada = reader(ADA, "a", "b")
    house.sync(ada, eve("a"))
    wish_for(house, ada, "a")
    house.store.signups.sign_up(replace(SIGN_UP, email=BOB), MONDAY)
    assert house.store.subscribers.move(EVE, "eve@example.net")
    assert house.store.subscribers.move(ADA, BOB)
    assert [one.email for one in house.store.signups.all()] == ["eve@example.net"]
    assert [wish.email for wish in wishes(house)] == [BOB]


@pytest.mark.sqlite
def test_the_file_of_a_database_is_read_without_writing(house: House, tmp_path: Path) -> None:
    assert read_own(tmp_path / "none.db").signups == ()
    house.store.signups.sign_up(SIGN_UP, MONDAY)
    house.sync(reader(ADA, "a"), eve("a"))
    house.store.close()
    own = read_own(house.path)
    assert (own.signups, own.wishes, own.of_file) == ((SIGN_UP,), (), 1)
    with open_store(house.path) as store:
        before = store.signups.revision()
        store.signups.change(SIGN_UP, MONDAY)
        assert store.signups.revision() != before
