"""What a database lets go of as the years pass, and what it never forgets."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from digest.errors import StoreError, UsageError
from digest.model import Change, Outcome, Receipt, Revisions, State
from digest.store import Store, ageing, ledger, withdrawals
from digest.store.database import Database
from digest.store.papers import write_paper
from digest.store.pruning import prune
from digest.store.runs import KeywordRecord
from tests.store.house import ADA, BOB, House, numbers
from tests.world.stopping import stopped_at_each_statement
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, reader

YEAR = 366 * DAY
LONG = ageing.KEPT + DAY


def age(house: House, at: datetime | None = None) -> None:
    """Do all of a day's ageing."""
    house.now = at or house.now
    while house.store.ageing.step(house.now):
        pass


def look_for_readers(house: House) -> None:
    """Take all the steps of the search for those who had what is withdrawn."""
    while house.store.withdrawals.step():
        pass


def carried(house: House, *papers: int, at: datetime, address: str = ADA) -> None:
    """Let a digest with what is due be sent then."""
    house.queue(address, at=at, revisions=Revisions.ALL)
    assert house.settle(Outcome.SENT) == State.SENT


def test_nothing_comes_again_and_no_first_digest(settled: House) -> None:
    age(settled, MONDAY + LONG)
    assert settled.value("SELECT COUNT(*) FROM delivery") == 0
    assert settled.value("SELECT COUNT(*) FROM content") == 0
    settled.sync(reader(ADA, "Alpha", "Beta"))
    settled.record("Beta", eprint(1), eprint(2, MONDAY + 55 * DAY))
    plan = settled.plan()
    assert (numbers(plan), plan.first, plan.previous) == ([2], False, MONDAY)
    state = settled.store.subscribers.state(ADA)
    assert state is not None
    assert (state.last_digest_at, state.last_state) == (MONDAY, "sent")
    assert not settled.store.digests.has_news(settled.plan().reader) or numbers(plan)


def test_what_has_not_ended_or_ended_lately_stays(settled: House) -> None:
    settled.record("Alpha", eprint(2, MONDAY), at=MONDAY + DAY)
    settled.queue()
    settled.settle(Outcome.UNKNOWN, hold=True)
    age(settled, MONDAY + LONG + DAY)
    assert settled.value("SELECT group_concat(state) FROM delivery") == "unknown"
    settled.store.outbox.drop(2, settled.now)
    age(settled, settled.now + DAY)
    assert settled.state(2) == "dropped"
    age(settled, settled.now + LONG)
    assert settled.due() == []


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.FAILED])
def test_the_last_digest_is_the_last_though_it_has_aged_and_an_earlier_one_has_not(
    settled: House, outcome: Outcome
) -> None:
    """Else a reader is told of a silence within the month after a digest."""
    settled.record("Alpha", eprint(2, MONDAY), at=MONDAY + DAY)
    settled.queue(at=MONDAY + DAY)
    earlier = settled.claim(hold=True)
    assert earlier is not None
    settled.store.outbox.enter_data(earlier)
    if outcome is Outcome.UNKNOWN:
        settled.ended(earlier, Receipt(outcome, "the server hung up"))
    settled.record("Alpha", eprint(3, MONDAY + DAY), at=MONDAY + 2 * DAY)
    settled.queue(at=MONDAY + 2 * DAY)
    assert settled.settle(Outcome.SENT, hold=True) == State.SENT
    if outcome is Outcome.FAILED:
        settled.now += 9 * DAY
        settled.ended(earlier, Receipt(outcome, "550 no"))
    age(settled, MONDAY + LONG + 2 * DAY)
    assert settled.value("SELECT group_concat(id) FROM delivery") == "2"
    assert settled.plan().previous == MONDAY + 2 * DAY
    state = settled.store.subscribers.state(ADA)
    assert state is not None
    assert (state.last_digest_at, state.last_state) == (MONDAY + 2 * DAY, "sent")
    assert state.refused == ""


def test_what_did_not_arrive_is_not_remembered(house: House) -> None:
    house.sync(reader(ADA, "Alpha"))
    house.record("Alpha", eprint(1))
    house.queue()
    assert house.settle(Outcome.FAILED) == State.FAILED
    age(house, MONDAY + LONG)
    assert house.value("SELECT COUNT(*) FROM delivery") == 0
    assert house.due() == [1]
    assert house.plan().first


def test_a_repeat_ages_before_what_it_repeats(settled: House) -> None:
    settled.store.outbox.again(1, settled.now, "example.org")
    settled.settle(Outcome.SENT)
    age(settled, MONDAY + LONG)
    assert settled.value("SELECT group_concat(id) FROM delivery") == "1"
    age(settled, MONDAY + LONG + DAY)
    assert settled.value("SELECT COUNT(*) FROM delivery") == 0
    assert settled.plan().previous == MONDAY


def test_a_repeat_takes_the_moment_of_no_other_one_though_some_have_aged(settled: House) -> None:
    """A clock that had run ahead can let the ledger age and tell the same second again."""
    again, moment = settled.store.outbox.again, settled.now
    again(1, moment, "example.org")
    settled.settle(Outcome.SENT)
    second = again(1, moment, "example.org")
    age(settled, MONDAY + LONG)
    assert settled.value("SELECT group_concat(id) FROM delivery") == f"1,{second.id}"
    assert again(1, moment, "example.org").id > second.id


def test_a_bounce_keeps_its_delivery_while_it_counts(settled: House) -> None:
    settled.store.inbox.bounce(
        "key", 1, "550 5.1.1 gone", MONDAY + 50 * DAY, status="", undelivered=False
    )
    age(settled, MONDAY + LONG)
    assert settled.value("SELECT COUNT(*) FROM bounce") == 1
    age(settled, MONDAY + 50 * DAY + LONG)
    assert settled.value("SELECT COUNT(*) FROM bounce") == 0
    assert settled.value("SELECT COUNT(*) FROM delivery") == 0


def test_ten_years_forget_no_paper_no_version_and_no_withdrawal(house: House) -> None:
    """Digests of ten years, aged as the time goes; then all of it comes once more, by another
    keyword, as new versions, and withdrawn."""
    luck, readers = random.Random(13), (ADA, BOB)
    house.sync(*(reader(each, "Alpha") for each in readers))
    had: dict[str, dict[int, int]] = {each: {} for each in readers}
    versions: dict[int, int] = {}
    for month in range(0, 120, 5):
        now = MONDAY + month * 30 * DAY
        new = range(len(versions) + 1, len(versions) + 3)
        again = luck.sample(sorted(versions), k=min(2, len(versions)))
        papers = [eprint(number, now - DAY) for number in new]
        for number in again:
            first = house.store.history.paper(f"2611.{number:05d}")
            assert first is not None
            papers.append(
                eprint(number, first.published, version=versions[number] + 1, updated=now - HOUR)
            )
        versions |= {int(paper.id[-5:]): paper.version for paper in papers}
        house.run = house.store.runs.begin(now)
        house.record("Alpha", *papers, at=now)
        for address in luck.sample(readers, k=luck.choice([1, 2])):
            due = house.due(address, revisions=Revisions.ALL)
            carried(house, at=now, address=address)
            had[address] |= {number: versions[number] for number in due}
        if luck.random() < 0.8:
            age(house)
    house.now += LONG
    age(house)
    assert house.value("SELECT COUNT(*) FROM delivery") == 0
    everything = [house.store.history.paper(f"2611.{number:05d}") for number in versions]
    papers = [paper for paper in everything if paper is not None]
    house.sync(*(reader(each, "Alpha", "Beta") for each in readers))
    house.run = house.store.runs.begin(house.now)
    house.record("Beta", *papers)
    for address in readers:
        new = set(house.due(address)) - set(house.due(address, revisions=Revisions.ALL))
        assert not new
        assert not set(house.due(address)) & had[address].keys()
    oldest = papers[0]
    withdrawn = eprint(
        1, oldest.published, version=9, updated=house.now, comment="This paper is withdrawn."
    )
    house.record("Beta", withdrawn, at=house.now + DAY)
    look_for_readers(house)
    for address in readers:
        told = [item for item in house.plan(address).items if item.paper.version == 9]
        assert bool(told) is (1 in had[address])
        house.queue(address)
        house.settle(Outcome.SENT)
    age(house, house.now + LONG)
    for address in readers:
        assert 1 not in house.due(address, revisions=Revisions.ALL)
    assert house.value("SELECT COUNT(*) FROM correction") == 0


@pytest.mark.parametrize("stopped", [False, True])
def test_a_withdrawal_is_told_of_a_paper_whose_delivery_aged_after_it(
    settled: House, stopped: bool
) -> None:
    """The reader is marked while the delivery is there, or where the run was stopped before, in a
    later one, and is away until long after it is gone.
    """
    gone = eprint(1, version=2, updated=MONDAY + DAY, comment="Withdrawn by the authors")
    settled.record("Alpha", gone, at=MONDAY + 2 * DAY)
    if not stopped:
        look_for_readers(settled)
    age(settled, MONDAY + LONG)
    look_for_readers(settled)
    age(settled, MONDAY + 10 * YEAR)
    (item,) = settled.plan().items
    assert (item.paper.version, settled.store.digests.has_news(1)) == (2, True)
    settled.queue()
    settled.settle(Outcome.SENT)
    assert settled.due() == []
    age(settled, settled.now + LONG)
    assert settled.due() == []


@pytest.mark.sqlite
def test_the_search_for_who_had_what_is_withdrawn_may_be_stopped_at_each_statement(
    settled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(withdrawals, "ROWS", 2)
    others = [f"r{number}@example.org" for number in range(7)]
    settled.sync(*(reader(each, "Alpha") for each in (ADA, BOB, *others)))
    settled.record("Alpha", eprint(2, MONDAY - DAY))
    for address in (BOB, *others[:6]):
        carried(settled, at=MONDAY + HOUR, address=address)
    age(settled, MONDAY + LONG + DAY)
    gone = [
        eprint(n, MONDAY - DAY, version=2, updated=settled.now, comment="Withdrawn by the authors")
        for n in (1, 2)
    ]
    settled.record("Alpha", *gone, at=settled.now)
    assert not settled.value("SELECT COUNT(*) FROM correction"), "all in one transaction"
    settled.store.close()
    assert stopped_at_each_statement(settled.path, lambda store: store.withdrawals.step()) > 20
    settled.open_again()
    marked = "SELECT COUNT(*) FROM subscriber WHERE corrections = 1"
    assert settled.value("SELECT COUNT(*) FROM correction WHERE paper = '2611.00002'") == 7
    assert settled.value(marked) == 8
    assert [item.paper.version for item in settled.plan(BOB).items] == [2, 2]


def test_who_had_what_is_withdrawn_is_marked_in_small_steps(
    settled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Among deliveries a step ends within a digest that several had, and between two."""
    monkeypatch.setattr(withdrawals, "ROWS", 2)
    others = [f"r{number}@example.org" for number in range(5)]
    settled.sync(*(reader(each, "Alpha") for each in (ADA, *others)))
    for address in others:
        carried(settled, at=MONDAY + HOUR, address=address)
    settled.database.write("UPDATE delivery SET content = 2 WHERE content > 2")
    gone = eprint(1, version=2, updated=MONDAY + DAY, comment="Withdrawn by the authors")
    settled.record("Alpha", gone, at=MONDAY + 2 * DAY)
    marked = [0]
    while settled.store.withdrawals.step():
        marked.append(settled.value("SELECT COUNT(*) FROM subscriber WHERE corrections = 1"))
    assert marked == [0, 2, 4, 6, 6]


def test_a_repeat_by_a_clock_that_is_behind_hides_no_withdrawal(
    settled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ages first, with the contents that it shares."""
    monkeypatch.setattr(ageing, "SHARED_COSTS", -1_000_000)
    settled.store.outbox.again(1, MONDAY - YEAR, "example.org")
    settled.settle(Outcome.SENT)
    for later in (MONDAY + LONG, MONDAY + LONG + DAY):
        age(settled, later)
    assert settled.value("SELECT COUNT(*) FROM delivery") == 0
    gone = eprint(1, version=2, updated=MONDAY + YEAR, comment="Withdrawn by the authors")
    settled.record("Alpha", gone, at=MONDAY + YEAR)
    look_for_readers(settled)
    assert [item.paper.version for item in settled.plan().items] == [2]


@pytest.mark.sqlite
def test_ageing_may_be_stopped_at_each_statement(settled: House) -> None:
    settled.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    settled.record("Alpha", *(eprint(n, MONDAY) for n in range(2, 6)), at=MONDAY + DAY)
    for address in (ADA, BOB):
        settled.queue(address)
        settled.settle(Outcome.SENT)
    now = MONDAY + DAY + LONG
    settled.store.close()
    assert stopped_at_each_statement(settled.path, lambda store: store.ageing.step(now)) > 20


def test_a_pair_takes_few_bytes(house: House) -> None:
    """Thirty papers, in one digest for forty readers, and in one for a reader alone."""
    with house.database.transaction():
        thirty_papers_for_forty_one(house.database)
    age(house, MONDAY + LONG)
    sizes = house.database.rows("SELECT length(contents) + length(papers) AS size FROM carried")
    assert [row["size"] for row in sizes] == [4] * 40 + [120]
    assert house.value("SELECT SUM(length(papers)) FROM aged") == 120


def thirty_papers_for_forty_one(database: Database) -> None:
    for number in range(30):
        write_paper(database, eprint(number))
    for content in (1, 2):
        database.write(
            "INSERT INTO content(id, key, subject) VALUES(?, ?, 's')",
            [content, f"key {content}"],
        )
        database.write(
            "INSERT INTO content_paper(content, paper, version, revised)"
            " SELECT ?, id, 1, 0 FROM paper",
            [content],
        )
    for number in range(1, 42):
        database.write(
            "INSERT INTO subscriber(id, address, since, due_at) VALUES(?, ?, ?, ?)",
            [number, f"r{number}@example.org", MONDAY, MONDAY],
        )
        database.write(
            "INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, from_seq,"
            " state, next_at, ended_at) VALUES(?, ?, ?, ?, ?, 0, 'sent', ?, ?)",
            [number, "", 1 if number < 41 else 2, f"<{number}>", MONDAY, MONDAY, MONDAY],
        )


def test_the_abstract_of_an_old_paper_goes_and_a_new_version_says_no_more_than_that(
    settled: House,
) -> None:
    settled.run = settled.store.runs.begin(MONDAY + 2 * YEAR)
    age(settled, MONDAY + 2 * YEAR)
    assert settled.value("SELECT abstract FROM paper") == ""
    accepted = eprint(
        1, version=2, updated=settled.now, title="Another", journal_ref="J. of Examples 1"
    )
    settled.record("Alpha", accepted)
    for wish in (Revisions.ALL, Revisions.PUBLISHED):
        (item,) = settled.plan(revisions=wish).items
        assert (item.changes, item.old_title, item.paper.abstract) == (None, "", "Abstract 1.")
    settled.record("Alpha", eprint(1, version=3, updated=settled.now, comment="3 pages"))
    (item,) = settled.plan(revisions=Revisions.ALL).items
    assert item.changes is None
    carried(settled, at=settled.now)
    settled.record("Alpha", eprint(1, version=4, updated=settled.now, comment="4 pages"))
    (item,) = settled.plan(revisions=Revisions.ALL).items
    assert item.changes == (Change.COMMENT,)


def test_an_abstract_stays_that_is_young_liked_in_a_library_or_on_a_page(settled: House) -> None:
    old = MONDAY - 400 * DAY
    settled.record("Alpha", *(eprint(number, old) for number in range(2, 6)))
    settled.database.write("INSERT INTO liked VALUES(1, '2611.00002', ?)", [MONDAY])
    settled.database.write(
        "INSERT INTO library(subscriber, id, title, abstract, at)"
        " VALUES(1, '2611.00003', 't', 'a', ?)",
        [MONDAY],
    )
    settled.store.pages.note_shown(["all:alpha"], 2, ())
    settled.run = settled.store.runs.begin(MONDAY + 2 * YEAR)
    settled.sync(reader(ADA, "Alpha", "Beta"), at=MONDAY + 2 * YEAR)
    settled.record("Beta", eprint(6, old))
    age(settled)
    kept = settled.database.column("SELECT id FROM paper WHERE abstract <> '' ORDER BY id")
    # The page shows 1 and 5, the newest of its query by their submission.
    assert [int(each[-5:]) for each in kept] == [1, 2, 3, 5, 6]


def test_abstracts_that_stay_are_passed_in_small_steps_too(
    settled: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step must not go through all that runs of the last year brought."""
    monkeypatch.setattr(ageing, "STEP", 2)
    old = MONDAY - 400 * DAY
    settled.record("Alpha", *(eprint(number, old) for number in range(2, 12)))
    places = []
    while settled.store.ageing.step(MONDAY):
        places.append(settled.database.meta("ageing"))
    assert len(set(places)) >= 5 + 2
    assert settled.value("SELECT COUNT(*) FROM paper WHERE abstract = ''") == 0


def test_a_delivery_of_long_ago_is_told_to_be_kept_no_longer(settled: House) -> None:
    age(settled, MONDAY + LONG)
    with pytest.raises(UsageError, match="no delivery 1"):
        settled.store.outbox.again(1, settled.now, "example.org")
    assert settled.store.history.sent_long_ago(1, "2611.00001") == [
        (datetime(2026, 11, 1, 11, tzinfo=MONDAY.tzinfo), 1)
    ]
    (one,) = settled.store.exports.export(reader=1)
    assert one.mailed is not None
    assert f"{one.mailed:%Y-%m-%d}" == "2026-11-01"
    (one,) = settled.store.exports.export()
    assert one.mailed is not None
    assert list(settled.store.exports.export(reader=1, unmailed=True)) == []


@pytest.mark.sqlite
def test_a_new_file_gives_room_back_by_itself_and_an_older_one_after_a_prune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "digest.db"
    with Store(Database.open(path)) as store:
        assert store._database.number("PRAGMA auto_vacuum") == 2
        store._database.value("PRAGMA synchronous = OFF")
        store._database.set_meta("much", "x" * 5_500_000)
        store._database.checkpoint()
        full = path.stat().st_size
        store._database.set_meta("much", "")
        while store.ageing.step(MONDAY):
            pass
        store._database.checkpoint()
        assert path.stat().st_size < full / 1.5
        store._database.value("PRAGMA auto_vacuum = NONE")
        store._database._execute("VACUUM")
        assert not store._database.shrink(whole=True)
    prune(path, MONDAY, MONDAY)
    with Store(Database.open(path)) as store:
        assert store._database.number("PRAGMA auto_vacuum") == 2


def test_a_month_and_its_numbers_are_read_as_they_were_written() -> None:
    assert ledger.unpacked(ledger.packed([3, 1, 3, 2**32 - 1])) == (1, 3, 2**32 - 1)
    assert ledger.pair(7, 300) == ledger.pair(7, 255)
    month = ledger.month_of(datetime(2026, 12, 31, 23, tzinfo=MONDAY.tzinfo))
    assert f"{ledger.begin_of(month):%Y-%m-%d}" == "2026-12-01"
    assert ledger.begin_of(month + 1) - ledger.begin_of(month) == timedelta(days=31)


def test_what_runs_did_goes_by_and_by_and_their_dates_stay(settled: House) -> None:
    for number in range(2 * ageing.RUNS):
        run = settled.store.runs.begin(MONDAY + number * HOUR)
        settled.store.runs.note_keyword(run, 1, KeywordRecord("Alpha", "failed", why="away"))
        settled.store.runs.finish(
            run, settled.now, composed=0, outcomes={}, trouble="arXiv was away"
        )
    settled.store.runs.begin(MONDAY + LONG + 10 * HOUR)
    age(settled, MONDAY + LONG - DAY + 10 * HOUR)
    left = settled.value("SELECT COUNT(*) FROM run WHERE trouble <> ''")
    assert left == settled.value("SELECT COUNT(*) FROM run_keyword") == 2 * ageing.RUNS - 10
    (row,) = settled.store.history.log("2611.00001")
    assert row.recorded_at == MONDAY


def test_a_paper_without_its_abstract_proves_nothing_of_how_well_matches_are_read(
    settled: House,
) -> None:
    settled.record("Alpha", eprint(2, MONDAY), at=MONDAY + DAY)
    settled.database.write("UPDATE paper SET abstract = '' WHERE id = '2611.00001'")
    on_record = settled.store.windows.matches_on_record(settled.query("Alpha"))
    assert [paper.id for paper in on_record] == ["2611.00002"]


@pytest.mark.parametrize("damage", ["papers = x'010203'", "contents = x'01000000'"])
def test_a_damaged_row_of_long_ago_says_what_to_do(settled: House, damage: str) -> None:
    age(settled, MONDAY + LONG)
    settled.database.write(f"UPDATE carried SET {damage}")
    with pytest.raises(StoreError, match="cannot be read"):
        settled.store.history.months(1)


def test_who_was_told_of_a_silence_is_known_where_the_mail_arrived(house: House) -> None:
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    house.record("Alpha", eprint(1))
    for address, outcome in ((ADA, Outcome.SENT), (BOB, Outcome.FAILED)):
        delivery = house.queue(address)
        house.settle(outcome)
        house.database.write(
            "INSERT INTO silence(subscriber, query, delivery) VALUES(?, 1, ?)", [delivery, delivery]
        )
    age(house, MONDAY + LONG)
    assert house.database.column("SELECT subscriber FROM silence") == [1]
