"""A clock that is wrong, seen from the command line: runs wait, recover by themselves, say so."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta

import pytest

from digest.errors import Exit
from digest.store import open_store
from tests.world.house import DAYS, FRIDAY, SATURDAY, THURSDAY, House, refused
from tests.world.house import house as house
from tests.world.standin import ScriptedAnswer

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
IN_TEN_YEARS = THURSDAY + 3650 * DAY


class Times:
    """The machine's clock, and arXiv's."""

    machine = THURSDAY
    arxiv: datetime | None = THURSDAY

    def set(self, both: datetime) -> None:
        self.machine = self.arxiv = both


@pytest.fixture
def times(house: House, monkeypatch: pytest.MonkeyPatch) -> Times:
    times = Times()
    for module in ("setup.clock", "setup.parts", "cli.look.status", "cli.besides.db"):
        monkeypatch.setattr(f"digest.{module}.machine_now", lambda: times.machine)
    house.arxiv.clock = lambda: times.arxiv
    return times


def test_a_run_years_ahead_stamps_nothing_and_waits(house: House, times: Times) -> None:
    house("run")
    before = house.value("SELECT MAX(started_at) FROM run")
    times.machine = IN_TEN_YEARS
    refused(house("run"), Exit.TRY_LATER, "3650 days ahead of arXiv's", "timedatectl")
    assert house.value("SELECT MAX(started_at) FROM run") == before
    assert "FAILED" in house("status").out
    times.set(FRIDAY)
    house.serve(DAYS[1])
    told = house("run")
    assert (told.code, told.complaints) == (Exit.DONE, [])
    assert "FAILED" not in house("status").out


def test_a_first_run_years_ahead_records_nothing_that_arxiv_dates(
    house: House, times: Times
) -> None:
    times.machine = IN_TEN_YEARS
    told = house("run")
    assert told.code == Exit.TRY_LATER
    assert house.value("SELECT COUNT(*) FROM seen") == 0
    times.machine = THURSDAY
    told = house("run")
    assert told.code == Exit.DONE
    assert "a clock had run ahead, to 2036" in told.complaints[-1]
    assert len(house.mails()) == 2


def run_unconfirmed(house: House, times: Times, moment: datetime) -> None:
    """A run whose clock nothing contradicts: a proxy takes the Date out of arXiv's answers."""
    times.machine, times.arxiv = moment, None
    assert house("run").code == Exit.DONE


def mailed(house: House) -> set[str]:
    """Who was mailed which paper, by the deliveries or by the ledger of long ago; each once."""
    with closing(sqlite3.connect(house.home / "digest.db")) as connection:
        rows = connection.execute(
            """SELECT r.address || ' ' || c.paper FROM delivery d
               JOIN subscriber r ON r.id = d.subscriber
               JOIN content_paper c ON c.content = d.content WHERE NOT c.revised"""
        ).fetchall()
    found = [text for (text,) in rows]
    with open_store(house.home / "digest.db", create=False) as store:
        for address in store.history.addresses():
            reader = store.history.reader(address)
            assert reader is not None
            months = store.history.months(reader.id).values()
            found += [f"{address} {paper}" for held in months for paper, _ in held]
    assert len(found) == len(set(found))
    return set(found)


def three_days(house: House, times: Times, ahead: timedelta) -> set[str]:
    """Who was mailed what in three days, on the second of which the clock was ahead."""
    house.serve(DAYS[0])
    times.set(THURSDAY)
    house("run")
    run_unconfirmed(house, times, THURSDAY + HOUR + ahead)
    house.serve(DAYS[1])
    run_unconfirmed(house, times, FRIDAY + ahead)
    times.set(FRIDAY + HOUR)
    told = house("run")
    assert (told.code, len(told.complaints)) == (Exit.DONE, 1 if ahead else 0)
    for text in ("queued_at FROM delivery", "slot FROM delivery", "slot FROM subscriber"):
        column, _, table = text.partition(" FROM ")
        assert house.value(f"SELECT MAX({column}) FROM {table}") < "2026-11-06T23", text
    assert house.value("SELECT MAX(last_good_at) FROM query") < "2026-11-06T23"
    house.serve(DAYS[2])
    times.set(SATURDAY)
    assert house("run").complaints == []
    return mailed(house)


@pytest.mark.parametrize(
    "ahead",
    [
        60 * DAY,
        pytest.param(3 * HOUR, marks=pytest.mark.heavy),
        pytest.param(3650 * DAY, marks=pytest.mark.heavy),
    ],
)
def test_after_a_clock_that_was_ahead_nothing_is_missed_and_nothing_comes_twice(
    house: House, times: Times, capsys: pytest.CaptureFixture[str], ahead: timedelta
) -> None:
    (house.home / "right").mkdir()
    right = House(house.home / "right", house.arxiv, capsys)
    assert three_days(house, times, ahead) == three_days(right, times, timedelta())


def test_what_a_database_has_seen_is_believed_until_arxiv_says_otherwise(
    house: House, times: Times
) -> None:
    run_unconfirmed(house, times, IN_TEN_YEARS)
    times.machine = THURSDAY
    refused(house("run"), Exit.TRY_LATER, "tells no time", "digest db clock --trust")
    house.arxiv.script(*[ScriptedAnswer(reset=True)] * 9)
    refused(house("run"), Exit.TRY_LATER, "could not be asked for the time")
    refused(house("preview", "ada@example.org"), Exit.TRY_LATER, "digest db clock")
    assert "FAILED" in house("status").out
    assert house("status", "--json").json()["clock"].startswith("FAILED: the database has seen")


def test_the_command_compares_and_puts_right(house: House, times: Times) -> None:
    run_unconfirmed(house, times, IN_TEN_YEARS)
    times.machine, times.arxiv = THURSDAY, THURSDAY + 2 * DAY
    refused(house("db", "clock"), Exit.TRY_LATER, "2 days behind arXiv's")
    times.arxiv = None
    refused(house("db", "clock"), Exit.TRY_LATER, "tells no time")
    told = house("db", "clock", "--trust", "--json")
    assert told.code == Exit.DONE
    assert told.json()["put_right"].startswith("a clock had run ahead, to 2036-")
    times.arxiv = THURSDAY
    told = house("db", "clock")
    assert (told.code, "nothing to put right" in told.out) == (Exit.DONE, True)


def test_a_proxy_that_dates_answers_wrongly_is_known_once_a_person_says_so(
    house: House, times: Times
) -> None:
    house("run")
    times.machine, times.arxiv = FRIDAY, FRIDAY + 3 * HOUR
    house.serve(DAYS[1])
    refused(house("run"), Exit.TRY_LATER, "3 hours behind", "proxy", "digest db clock --trust")
    assert house("db", "clock", "--trust").code == Exit.DONE
    assert (house("run").code, len(house.mails("ada@"))) == (Exit.DONE, 2)
    # Neither that, nor what it should be, is a clock that is wrong; anything else is.
    times.machine, times.arxiv = SATURDAY, SATURDAY + 6 * HOUR
    refused(house("run", "--fetch"), Exit.TRY_LATER, "6 hours behind")
    times.arxiv = SATURDAY
    assert house("run", "--fetch").code == Exit.DONE


def test_the_operator_hears_once_of_a_clock_that_stays_wrong(
    house: House, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_OPERATOR", "op@example.org")
    house("run")
    times.machine = FRIDAY + 2 * DAY
    for _ in range(5):
        assert house("run", "--fetch").code == Exit.TRY_LATER
    [told] = house.mails("op@")
    assert "this machine's clock says" in told["Subject"]
    times.set(FRIDAY)
    assert house("run", "--fetch").code == Exit.DONE
    assert [mail["Subject"] for mail in house.mails("op@")][1:] == ["Digest: all is well again"]


def test_a_machine_that_was_off_for_weeks_asks_once_and_goes_on(house: House, times: Times) -> None:
    house("run")
    times.set(THURSDAY + 30 * DAY)
    house.arxiv.requests.clear()
    told = house("run")
    assert (told.code, told.complaints) == (Exit.DONE, [])
    asked = [request.params.get("max_results") for request in house.arxiv.requests]
    assert asked.count("1") == 1


def test_one_broken_connection_does_not_keep_a_weekly_run_from_working(
    house: House, times: Times
) -> None:
    house("run")
    times.set(FRIDAY + 7 * DAY)
    house.serve(DAYS[1])
    house.arxiv.script(ScriptedAnswer(reset=True))
    told = house("run")
    assert (told.code, told.complaints) == (Exit.DONE, [])


@pytest.mark.parametrize("service", ["feeds", "oai"])
def test_where_the_api_is_away_another_service_tells_the_time(
    house: House, times: Times, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    house("run")
    times.set(FRIDAY + 7 * DAY)
    monkeypatch.setenv(f"DIGEST_ARXIV_{service.upper()}", getattr(house.arxiv, f"{service}_url"))
    house.arxiv.on_query = lambda _params: ScriptedAnswer(reset=True)
    told = house("run")
    assert "could not be asked for the time" not in told.err
    assert house.value("SELECT MAX(started_at) FROM run") > "2026-11-13"


@pytest.mark.parametrize("age", [5 * HOUR, 0 * HOUR])
def test_an_answer_from_a_cache_has_the_date_of_its_making_or_of_its_delivery(
    house: House, times: Times, age: timedelta
) -> None:
    house("run")
    times.set(FRIDAY)
    times.arxiv = FRIDAY - age
    house.serve(DAYS[1])
    house.arxiv.script(*[ScriptedAnswer(headers={"Age": "18000"})] * 4)
    told = house("run")
    assert (told.code, told.complaints) == (Exit.DONE, [])


def test_now_may_lie_ahead_in_a_copy_or_a_dry_run_only(house: House, times: Times) -> None:
    house("run")
    ahead = THURSDAY + 300 * DAY
    refused(house("run", now=ahead), Exit.USAGE, "lies ahead of the clock", "--dry-run", "copy.db")
    refused(house("send", "ada@example.org", now=ahead), Exit.USAGE, "lies ahead")
    refused(house("resend", "ada@example.org", now=ahead), Exit.USAGE, "lies ahead")
    assert house("run", "--dry-run", now=ahead).code == Exit.DONE
    copy = str(house.home / "copy.db")
    assert house("db", "backup", copy).code == Exit.DONE
    assert house("run", "--db", copy, now=ahead).code == Exit.DONE
    assert house.value("SELECT value FROM meta WHERE key = 'latest_now'") < "2027"
