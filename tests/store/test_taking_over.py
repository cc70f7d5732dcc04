"""What a restored backup takes over from the database before it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from digest.model import Away, SignUp
from digest.store import Store, open_store
from digest.store.database import Database
from digest.store.preferences import LibraryPaper
from digest.store.taking_over import TakenOver
from digest.store.upkeep import back_up, restore
from digest.times import to_text
from tests.store.house import ADA, BOB, House
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, keyword, reader

pytestmark = pytest.mark.sqlite
LIN, TOM = "lin@example.org", "tom@example.org"
PAPER = LibraryPaper("10.1/a", "A", "of a")


class Restored:
    """A house whose backup knows Ada and Bob, and is put back after something has happened."""

    def __init__(self, house: House, folder: Path) -> None:
        self.house, self.backup = house, folder / "backup.db"
        house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
        house.record("Alpha", eprint(1), eprint(2))
        ada, bob = self.number(ADA), self.number(BOB)
        house.store.preferences.agree(ada, "Mail me.", MONDAY)
        house.store.preferences.like(bob, eprint(1).id, MONDAY)
        house.store.runs.begin(MONDAY)
        back_up(house.path, self.backup)

    def __call__(self) -> TakenOver:
        self.house.store.close()
        taken = restore(self.backup, self.house.path, MONDAY + 2 * DAY, mailed=False).taken
        self.house.database = Database.open(self.house.path)
        self.house.store = Store(self.house.database)
        return taken

    def number(self, address: str) -> int:
        return int(self.house.value("SELECT id FROM subscriber WHERE address = ?", address) or 0)


@pytest.fixture
def restored(house: House, tmp_path: Path) -> Restored:
    return Restored(house, tmp_path)


def test_what_readers_said_since_is_taken_over(restored: Restored) -> None:
    said, house = restored.house.store.preferences, restored.house
    house.record("Alpha", eprint(3, MONDAY))
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), reader(LIN, "Alpha"), at=MONDAY + DAY)
    lin = restored.number(LIN)
    for number in (1, lin):
        said.like(number, eprint(3).id, MONDAY + DAY)
        said.replace_library(number, [PAPER], MONDAY + DAY)
        said.agree(number, "Keep my likes.", MONDAY + DAY)
    said.unlike(2, eprint(1).id)
    house.database.write("UPDATE consent SET place = '192.0.2.0/24' WHERE words LIKE 'Keep%'")
    restored()
    said = house.store.preferences
    assert restored.number(LIN) == lin, "by that the links in her mails know her"
    for number in (1, lin):
        assert list(said.liked(number)) == [eprint(3).id]
        assert said.papers_of_library(number) == [PAPER]
    assert house.value("SELECT COUNT(*) FROM consent WHERE subscriber = 1") == 2
    assert house.value("SELECT COUNT(*) FROM consent") == 3
    agreed = said.consent(lin)
    assert agreed is not None
    assert agreed.place == "192.0.2.0/24"
    assert list(said.liked(2)) == [eprint(1).id], "what was taken back alone is not known"
    assert house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), reader(LIN, "Alpha"))
    assert restored.number(LIN) == lin
    assert house.value("SELECT COUNT(*) FROM seen WHERE paper = ?", eprint(3).id) == 0
    house.record("Alpha", eprint(3, MONDAY))
    assert 3 in house.due(ADA), "a paper that is liked is due all the same"


def test_who_signed_up_since_is_taken_over_and_who_left_since_is_gone(
    house: House, tmp_path: Path
) -> None:
    house.store.signups.sign_up(SignUp(TOM, "{}"), MONDAY)
    restored = Restored(house, tmp_path)
    assert house.store.signups.sign_up(SignUp(LIN, '{"keywords": ["a"]}'), MONDAY + DAY)
    assert house.store.signups.change(SignUp(LIN, '{"keywords": ["b"]}'), MONDAY + DAY)
    house.store.subscribers.remove(TOM, MONDAY + DAY)
    assert house.store.wishes.pause(restored.number(ADA), MONDAY.date(), "", MONDAY + DAY)
    lin, revision = restored.number(LIN), house.store.signups.revision()
    assert restored() == TakenOver(signups=1)
    assert [(one.email, one.entry) for one in house.store.signups.all()] == [
        (LIN, '{"keywords": ["b"]}')
    ]
    assert restored.number(LIN) == lin
    assert house.store.signups.revision() > revision
    assert [wish.email for wish in house.store.wishes.all()] == [ADA]
    assert house.value("SELECT gone FROM subscriber WHERE address = ?", TOM) == 1


def test_who_left_and_came_back_since_is_mailed(house: House, tmp_path: Path) -> None:
    number = house.store.signups.sign_up(SignUp(TOM, "{}"), MONDAY)
    assert number
    house.store.suppressions.unsubscribe(number, "by the page", MONDAY)
    house.store.subscribers.remove(TOM, MONDAY)
    restored = Restored(house, tmp_path)
    assert house.store.signups.sign_up(SignUp(TOM, "{}"), MONDAY + DAY) == number
    assert restored() == TakenOver(signups=1)
    assert house.store.suppressions.all() == []
    assert restored.number(TOM) == number, "what went to him is known"


def test_who_signed_up_and_left_again_before_any_run_stays_away(
    house: House, tmp_path: Path
) -> None:
    everybody = (reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    house.sync(*everybody, reader(TOM, "Alpha"))
    house.sync(*everybody)
    assert house.store.signups.sign_up(SignUp(TOM, "{}"), MONDAY + HOUR)
    restored = Restored(house, tmp_path)
    house.store.subscribers.remove(TOM, MONDAY + DAY)
    for _ in range(2):
        restored()
        assert house.value("SELECT gone FROM subscriber WHERE address = ?", TOM) == 1


def test_whom_the_file_took_over_since_keeps_what_they_took_away(
    house: House, tmp_path: Path
) -> None:
    house.store.signups.sign_up(SignUp(TOM, "{}"), MONDAY)
    restored = Restored(house, tmp_path)
    everybody = (reader(ADA, "Alpha"), reader(BOB, "Alpha"), reader(TOM, "Alpha"))
    house.sync(*everybody, at=MONDAY + DAY)
    assert house.store.wishes.pause(restored.number(TOM), MONDAY.date(), "", MONDAY + DAY)
    restored()
    house.sync(*everybody, at=MONDAY + 2 * DAY)
    assert [wish.email for wish in house.store.wishes.all()] == [TOM]
    assert house.store.signups.all() == []


@dataclass
class TakenAway:
    """Ada has paused and left a keyword; then the backup was made."""

    restored: Restored
    house: House

    def __init__(self, restored: Restored) -> None:
        self.restored, self.house = restored, restored.house
        assert self.pause(MONDAY)
        assert self.house.store.wishes.leave(1, keyword("Alpha"), MONDAY, "keywords left: Alpha")
        self.back_up()

    def pause(self, at: datetime) -> bool:
        return self.house.store.wishes.pause(1, MONDAY.date(), "", at, "paused")

    def back_up(self) -> None:
        self.restored.backup.unlink()
        back_up(self.house.path, self.restored.backup)

    def take_back(self, field: Away, at: datetime) -> None:
        wishes = self.house.store.wishes
        (one,) = (wish for wish in wishes.of(1) if wish.field is field)
        wishes.take_back(1, one, at, "taken back")

    def left(self) -> set[Away]:
        """What is away once the backup was restored."""
        self.restored()
        return {wish.field for wish in self.house.store.wishes.of(1)}


@pytest.fixture
def away(restored: Restored) -> TakenAway:
    return TakenAway(restored)


def test_what_was_only_taken_back_since_does_not_come_back(away: TakenAway) -> None:
    away.take_back(Away.PAUSE, MONDAY + DAY)
    assert away.left() == {Away.KEYWORD}
    away.back_up()
    away.house.store.wishes.put_back(1, (), MONDAY + 3 * DAY, "taken back: Alpha")
    assert away.left() == set()


def test_what_the_operator_ended_since_does_not_come_back(away: TakenAway) -> None:
    away.house.store.wishes.end(away.house.store.wishes.all())
    assert away.left() == set()


def test_a_link_to_undo_a_change_goes_on_to_mean_that_change(away: TakenAway) -> None:
    wishes = away.house.store.wishes
    assert wishes.pause(2, MONDAY.date(), "", MONDAY + DAY, "paused")
    assert wishes.leave(1, keyword("Beta"), MONDAY + DAY, "keywords left: Beta")
    kept = "SELECT id FROM choice WHERE words = 'keywords left: Beta'"
    number = away.house.value(kept)
    away.house.store.personal.forget(BOB, MONDAY + DAY)
    away.restored()
    assert away.house.value(kept) == number


def test_what_a_database_never_heard_of_was_not_taken_back_there(
    away: TakenAway, tmp_path: Path
) -> None:
    """Where the wrong backup was restored first, and the database before it could not be read."""
    away.take_back(Away.KEYWORD, MONDAY + HOUR)
    away.back_up()
    earlier = tmp_path / "earlier.db"
    away.restored.backup.rename(earlier)
    away.take_back(Away.PAUSE, MONDAY + 2 * HOUR)
    assert away.pause(MONDAY + DAY)
    back_up(away.house.path, away.restored.backup)
    younger, away.restored.backup = away.restored.backup, earlier
    away.house.path.write_bytes(b"damaged" * 1000)
    assert away.left() == {Away.PAUSE}, "as it was on Monday"
    away.restored.backup = younger
    assert away.left() == {Away.PAUSE}
    assert away.house.value("SELECT at FROM wish") == to_text(MONDAY + DAY)


def test_whom_the_file_took_over_and_who_took_all_back_since_has_no_sign_up(
    house: House, tmp_path: Path
) -> None:
    house.store.signups.sign_up(SignUp(TOM, "{}"), MONDAY)
    restored = Restored(house, tmp_path)
    everybody = (reader(ADA, "Alpha"), reader(BOB, "Alpha"), reader(TOM, "Alpha"))
    house.sync(*everybody, at=MONDAY + DAY)
    tom = restored.number(TOM)
    assert house.store.wishes.pause(tom, MONDAY.date(), "", MONDAY + DAY, "paused")
    house.store.wishes.put_back(tom, (), MONDAY + DAY + HOUR, "taken back: the pause")
    assert restored() == TakenOver()
    assert (house.store.signups.all(), house.store.wishes.all()) == ([], [])
    assert house.value("SELECT origin FROM subscriber WHERE id = ?", tom) == "file"
    # And the other way round, where the younger one knows it.
    back_up(house.path, tmp_path / "taken back.db")
    house.store.close()
    house.path.write_bytes(restored.backup.read_bytes())
    restored.backup = tmp_path / "taken back.db"
    assert restored() == TakenOver()
    assert house.store.signups.all() == []


def test_who_signed_up_since_no_longer_has_what_they_took_from_the_file(
    restored: Restored,
) -> None:
    house = restored.house
    assert house.store.wishes.pause(restored.number(BOB), MONDAY.date(), "", MONDAY)
    restored.backup.unlink()
    back_up(house.path, restored.backup)
    house.sync(reader(ADA, "Alpha"), at=MONDAY + DAY)
    assert house.store.signups.sign_up(SignUp(BOB, "{}"), MONDAY + DAY)
    assert restored() == TakenOver(signups=1)
    assert house.store.wishes.all() == []


def test_who_left_moved_or_was_suppressed_since_stays_so(restored: Restored) -> None:
    house = restored.house
    house.store.subscribers.move(ADA, LIN)
    house.sync(reader(LIN, "Alpha"), at=MONDAY + DAY)
    house.suppress(LIN)
    assert restored() == TakenOver(suppressions=1)
    assert restored.number(LIN) == 1
    assert house.value("SELECT gone FROM subscriber WHERE address = ?", BOB) == 1
    assert house.store.subscribers.known() == 1
    assert house.sync(reader(LIN, "Alpha"))
    assert restored.number(LIN) == 1


def test_who_was_forgotten_since_is_so_in_the_restored_copy(restored: Restored) -> None:
    house = restored.house
    house.store.personal.forget(ADA, MONDAY + DAY)
    assert restored() == TakenOver(forgotten=1)
    assert ADA.encode() not in house.path.read_bytes()
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert restored.number(ADA) == 0


def test_what_was_erased_does_not_come_back_with_who_subscribed_anew(restored: Restored) -> None:
    house = restored.house
    house.store.personal.forget(ADA, MONDAY + HOUR)
    house.store.suppressions.lift(ADA)
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), at=MONDAY + DAY)
    assert restored() == TakenOver(forgotten=1)
    assert restored.number(ADA) == 3
    assert house.store.preferences.consent(3) is None
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    assert restored.number(ADA) == 3


def test_who_came_back_since_is_no_longer_forgotten(house: House, tmp_path: Path) -> None:
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    house.store.personal.forget(LIN, MONDAY - HOUR)
    restored = Restored(house, tmp_path)
    house.store.suppressions.lift(LIN)
    house.sync(reader(LIN, "Alpha"), reader(BOB, "Alpha"), at=MONDAY + DAY)
    restored()
    house.sync(reader(LIN, "Alpha"), reader(BOB, "Alpha"))
    assert restored.number(LIN)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"damaged" * 1000)])
def test_a_database_that_cannot_be_read_is_no_hindrance(
    restored: Restored, spoil: Callable[[Path], object]
) -> None:
    restored.house.store.close()
    spoil(restored.house.path)
    for part in ("-wal", "-shm"):
        restored.house.path.with_name(restored.house.path.name + part).unlink(missing_ok=True)
    assert restored() == TakenOver()


def test_a_younger_backup_loses_nothing_to_an_older_database(
    restored: Restored, tmp_path: Path
) -> None:
    """Where the wrong backup was restored first, and the database before it could not be read."""
    house = restored.house
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), reader(LIN, "Alpha"), at=MONDAY + DAY)
    house.store.preferences.like(3, eprint(2).id, MONDAY + DAY)
    house.store.preferences.like(2, eprint(2).id, MONDAY + DAY)
    back_up(house.path, tmp_path / "younger.db")
    house.path.write_bytes(b"damaged" * 1000)
    restored()
    restored.backup = tmp_path / "younger.db"
    house.now = MONDAY + 2 * DAY
    restored()
    assert list(house.store.preferences.liked(3)) == [eprint(2).id]
    assert set(house.store.preferences.liked(2)) == {eprint(1).id, eprint(2).id}
    with closing(Database.copy_of(restored.backup)) as younger:
        assert younger.number("SELECT COUNT(*) FROM liked") == 3


def test_a_number_that_a_copy_gave_to_another_reader_makes_no_move(
    restored: Restored, tmp_path: Path
) -> None:
    house = restored.house
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"), reader(LIN, "Alpha"), at=MONDAY + DAY)
    with open_store(restored.backup) as copy:
        copy.signups.sign_up(SignUp(TOM, "{}"), MONDAY + HOUR)
    assert restored() == TakenOver()
    assert restored.number(TOM) == 3
    assert restored.number(LIN) > 3


async def test_a_slot_that_is_used_again_has_another_message_id(tmp_path: Path) -> None:
    world = World(tmp_path / "digest.db")
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY)
    back_up(world.path, tmp_path / "backup.db")
    for number in (2, 3):
        world.arxiv.announce("Alpha", eprint(number, MONDAY))
        await world.cycle(MONDAY + DAY, fetch_all=True)
        world.close()
        restore(tmp_path / "backup.db", world.path, MONDAY + DAY, mailed=False)
        world.open_again()
    assert [sorted(numbers) for numbers in world.titles(ADA)] == [[1], [2], [2, 3]]
    assert len({mail["Message-ID"] for mail in world.mails()}) == 3
    world.close()
