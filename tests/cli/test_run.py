"""`digest run` as a person meets it: words, JSON, and what a dry run leaves alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from digest.demo.papers import KEYWORDS
from digest.system.signals import Stop
from tests.world.house import DAYS, FRIDAY, SATURDAY, THURSDAY, House
from tests.world.shell import MAILDIR_LINE
from tests.world.worlds import hashes, text


def test_a_first_run_mails_a_welcome_and_says_what_it_did(house: House) -> None:
    told = house("run", now=THURSDAY)
    assert told.code == 0
    assert re.search(rf"^{KEYWORDS[0]}: \d+ new(, noted as seen.*)?$", told.out, re.MULTILINE)
    assert told.out.endswith("Digests: 2 sent.\n")
    assert [m["Subject"][:24] for m in house.mails()] == ["Your arXiv digest starts"] * 2
    assert told.err.count(MAILDIR_LINE) == 1
    assert told.complaints == [f"digest: a new database was made: {house.home / 'digest.db'}"]


def test_repeating_a_run_does_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    asked = len(house.arxiv.requests)
    for minutes in (0, 15):
        told = house("run", now=THURSDAY + timedelta(minutes=minutes))
        assert (told.code, told.complaints) == (0, [])
        assert "No keyword was due: no announcement since the last fetch" in told.out
        assert told.out.endswith("No digest was due.\n")
    assert len(house.mails()) == 2
    assert len(house.arxiv.requests) == asked


def test_a_run_with_nothing_due_uses_no_network(house: House) -> None:
    house("run", now=THURSDAY)
    house.arxiv.requests.clear()
    house("run", now=THURSDAY + timedelta(hours=3))
    assert house.arxiv.requests == []
    house("run", "--fetch", now=THURSDAY + timedelta(hours=4))
    assert len(house.arxiv.requests) == 3


def test_three_days_bring_new_late_and_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    told = house("run", now=FRIDAY)
    assert re.search(rf"^{KEYWORDS[0]}: \d+ new, 1 of them announced late", told.out, re.MULTILINE)
    house("run", now=FRIDAY + timedelta(hours=3))
    ada, lin = house.mails("ada@"), house.mails("lin@")
    assert (len(ada), len(lin)) == (2, 2)
    house.serve(DAYS[2])
    told = house("run", now=SATURDAY)
    assert "weekend" in told.out
    assert "No digest was due." in told.out
    assert len(house.mails()) == 4


def test_the_json_of_a_run_has_the_shape_of_the_design(house: House) -> None:
    told = house("run", "--json", now=THURSDAY)
    assert told.code == 0
    assert MAILDIR_LINE not in told.err
    record = told.json()
    assert list(record) == [
        "started",
        "finished",
        "keywords",
        "unanswered",
        "next_fetch",
        "digests",
        "mistakes",
    ]
    assert record["started"] == record["finished"] == THURSDAY.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [k["keyword"] for k in record["keywords"]] == list(KEYWORDS)
    for k in record["keywords"]:
        assert list(k) == [
            "keyword",
            "status",
            "fetched",
            "new",
            "revised",
            "late",
            "requests",
            "why",
        ]
        assert (k["status"], k["requests"], k["why"]) == ("ok", 1, "")
        assert k["fetched"] == k["new"] > 0
    assert record["digests"] == {"composed": 2, "sent": 2, "deferred": 0, "failed": 0, "unknown": 0}
    again = house("run", "--json", now=THURSDAY).json()
    assert {k["status"] for k in again["keywords"]} == {"skipped"}
    assert all(k["why"] for k in again["keywords"])


def test_a_date_alone_stands_for_its_midnight_in_utc(house: House) -> None:
    told = house("run", "--json", "--now", "2026-11-05")
    assert told.json()["started"] == "2026-11-05T00:00:00Z"


@pytest.mark.parametrize(
    "now", ["tomorrow", "2026-13-01", "0001-01-01", "9999-12-31", "0001-01-01T00:00+14:00", ""]
)
def test_a_time_that_is_none_is_a_matter_of_usage(house: House, now: str) -> None:
    told = house("run", "--now", now)
    assert told.code == 2
    assert len(told.complaints) == 1
    assert "--now" in told.complaints[0]
    assert not (house.home / "digest.db").exists()


def test_an_earlier_time_is_refused_naming_a_way_to_rehearse(house: House) -> None:
    house("run", now=FRIDAY)
    for command in ("run", "preview"):
        told = house(command, *(["ada@example.org"] if command == "preview" else []), now=THURSDAY)
        assert told.code == 78
        (line,) = told.complaints
        assert "already seen" in line
        assert "--db" in line


def test_a_clock_set_back_by_minutes_does_not_stop_a_run(house: House) -> None:
    house("run", now=FRIDAY)
    told = house("run", "--json", now=FRIDAY - timedelta(minutes=5))
    assert (told.code, told.complaints) == (0, [])
    assert told.json()["started"] == FRIDAY.strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize("known", [False, True])
def test_a_dry_run_writes_nothing_at_all_and_sends_nothing(house: House, known: bool) -> None:
    if known:
        house("run", now=THURSDAY)
        house.serve(DAYS[1])
    before = hashes(house.home)
    told = house("run", "--dry-run", now=FRIDAY)
    assert told.code == 0
    assert len(house.arxiv.requests) == 3
    assert "Would be mailed to ada@example.org" in told.out
    assert "would be sent" in told.out
    assert hashes(house.home) == before
    told = house("run", "--dry-run", "--json", now=FRIDAY)
    assert told.json()["digests"]["composed"] >= 1
    assert hashes(house.home) == before


def test_a_dry_run_waits_for_no_limit_on_mails(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = "".join(
        f"  - email: reader{number}@example.org\n    keywords: [{KEYWORDS[0]}]\n"
        for number in range(3)
    )
    house.write(f"subscribers:\n{readers}")
    rests: list[float] = []

    async def rest(_stop: Stop, seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(Stop, "rest", rest)
    told = house("run", "--dry-run", "--mail-rate", "1/min", now=THURSDAY)
    assert told.code == 0
    assert told.out.count("Would be mailed to") == 3
    assert not any(rests)


def test_what_a_dry_run_showed_is_what_the_run_does(house: House) -> None:
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    shown = house("run", "--dry-run", "--json", now=FRIDAY).json()
    assert house("run", "--json", now=FRIDAY).json() == shown


def test_a_paper_that_arxiv_serves_without_an_author_is_named_and_comes_once_it_has_one(
    house: House,
) -> None:
    house("run", now=THURSDAY)
    had = {paper.id for paper in DAYS[0].papers}
    news = [paper for paper in DAYS[1].papers if paper.id not in had]
    odd = next(paper for paper in news if "reward model" in paper.title.lower())
    house.arxiv.serve(replace(p, authors=()) if p is odd else p for p in DAYS[1].papers)
    told = house("run", now=FRIDAY)
    words = f"left out, and asked for again: {odd.id} has no author in arXiv's feed"
    assert told.code == 0
    assert words in told.out
    assert words in house("status", now=FRIDAY).out
    sent = "".join(text(mail) for mail in house.mails())
    assert odd.id not in sent
    assert [p.id for p in news if p is not odd and p.id not in sent] == []
    house.serve(DAYS[1])
    told = house("run", now=SATURDAY)
    assert "asked for again" not in told.out
    assert sum(odd.id in text(mail) for mail in house.mails("ada@")) == 1
