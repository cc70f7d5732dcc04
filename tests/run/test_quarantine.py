"""Windows that are held back: by which rule, until when, and what was news in them, through real
HTTP."""

from __future__ import annotations

import copy
import json
import shlex
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

import pytest

from digest.demo.feeds import feed
from digest.demo.papers import World, newest_first
from digest.demo.words import TOPICS, Topic
from digest.keywords.grammar import make_keyword
from digest.model import Paper
from digest.rendering.texts import sentences
from tests.world.replay import Home, Result, subscribers_file
from tests.world.standin import ScriptedAnswer, Standin

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
MONDAY = datetime(2026, 3, 9, 7, 0, tzinfo=UTC)
"""A Monday morning, when Sunday's announcement is served."""
ADA = "ada@example.org"
TOPIC = TOPICS[0]
NAME = TOPIC.name.title()
QUERY = make_keyword(NAME).query


def brief(world: World, at: datetime, topic: Topic) -> Paper:
    """A paper with its first author and the first sentences of its abstract: windows are judged by
    rows, not by texts, and hundreds of long ones take seconds to read."""
    paper = world.paper(at, topic)
    abstract = " ".join(sentences(paper.abstract)[:2])
    return replace(paper, abstract=abstract, authors=paper.authors[:1])


@cache
def years() -> tuple[World, list[Paper], list[Paper]]:
    """What a house's arXiv has at first: where its papers are from, and those of two months and of
    the years before."""
    world = World(11)
    papers = [brief(world, MONDAY - timedelta(hours=12 * n + 40), TOPIC) for n in range(70)]
    return (
        world,
        papers,
        [brief(world, MONDAY - timedelta(days=400 + 45 * n), TOPIC) for n in range(60)],
    )


class House:
    """A home folder with one reader of one keyword, an arXiv with years of papers of it, and what
    `run` says."""

    def __init__(self, folder: Path, arxiv: Standin) -> None:
        self.home = Home.make(folder, arxiv, subscribers_file({ADA: [NAME]}))
        self.arxiv = arxiv
        world, papers, old = years()
        self.world, self.papers, self.old = copy.deepcopy(world), list(papers), list(old)
        self.announced: list[str] = []

    def paper(self, at: datetime) -> Paper:
        return brief(self.world, at, TOPIC)

    def announce(self, now: datetime, number: int = 4) -> list[Paper]:
        """New papers of the last day."""
        new = [self.paper(now - timedelta(hours=16, minutes=n)) for n in range(number)]
        self.papers += new
        self.announced += [paper.id for paper in new]
        return new

    @property
    def rows(self) -> tuple[Paper, ...]:
        return newest_first([*self.papers, *self.old])

    def serve(self, rows: tuple[Paper, ...] | None = None) -> None:
        self.arxiv.serve_windows({QUERY: self.rows if rows is None else rows})

    def run(self, now: datetime, *arguments: str) -> Result:
        return self.home.digest("run", "--now", now.isoformat(), *arguments)

    def record(self, now: datetime, *arguments: str) -> dict[str, object]:
        """One run, and what it says of the keyword."""
        told = self.run(now, "--json", *arguments)
        assert told.out, told.err
        (record,) = json.loads(told.out)["keywords"]
        return dict(record)

    def mailed(self) -> list[str]:
        """Every paper in a mail after the first one, each as often as it came."""
        return [paper for mail in self.home.mails()[1:] for paper in mail.ids]


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a house in which the first digest was mailed."""
    folder = tmp_path_factory.mktemp("begun")
    with Standin() as arxiv:
        made = House(folder, arxiv)
        made.serve()
        assert made.record(MONDAY)["status"] == "ok"
        assert len(made.home.mails()) == 1, "the first digest"
    return folder


@pytest.fixture
def house(tmp_path: Path, begun: Path) -> Iterator[House]:
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    with Standin() as arxiv:
        made = House(tmp_path, arxiv)
        made.serve()
        yield made


def shuffled(rows: tuple[Paper, ...], seed: int) -> tuple[Paper, ...]:
    return tuple(Random(seed).sample(rows, len(rows)))


def test_two_days_of_ignored_sorting_mail_no_old_paper_and_lose_no_new_one(house: House) -> None:
    house.announce(MONDAY + DAY)
    house.serve()
    assert house.record(MONDAY + DAY)["status"] == "ok"
    for day in (2, 3):
        house.announce(MONDAY + day * DAY)
        house.serve(shuffled(house.rows, day))
        for hour in (0, 1, 5, 12):
            record = house.record(MONDAY + day * DAY + hour * HOUR)
            assert record["status"] in ("quarantined", "skipped")
        assert house.run(MONDAY + day * DAY + 23 * HOUR).code == 1
    assert sorted(house.mailed()) == sorted(house.announced[:4])
    house.announce(MONDAY + 4 * DAY)
    house.serve()
    assert house.record(MONDAY + 4 * DAY + 6 * HOUR)["status"] == "ok"
    assert sorted(house.mailed()) == sorted(house.announced)
    house.record(MONDAY + 5 * DAY)
    assert sorted(house.mailed()) == sorted(house.announced)


def part(house: House) -> tuple[Paper, ...]:
    """One row, where hundreds were."""
    return house.rows[:1]


@cache
def of_another_topic(seed: int, number: int, apart: timedelta) -> list[Paper]:
    """Papers that nothing else in the house is about."""
    world = World(seed)
    return [brief(world, MONDAY - apart * n, TOPICS[1]) for n in range(number)]


def another(house: House) -> tuple[Paper, ...]:
    """A sorted answer that has nothing in common with what came before."""
    return newest_first(of_another_topic(12, 240, 5 * HOUR))


def wider(house: House) -> tuple[Paper, ...]:
    """A sorted answer to a query that also matches what this one does not."""
    return newest_first([*house.rows, *of_another_topic(13, 450, HOUR)])


def nothing(house: House) -> tuple[Paper, ...]:
    """No match at all."""
    return ()


def stale(house: House) -> tuple[Paper, ...]:
    """Sorted, and nothing younger than a year."""
    return newest_first(house.old)


Rows = Callable[[House], tuple[Paper, ...]]


@pytest.mark.parametrize("answer", [part, another, wider, nothing, stale])
def test_an_answer_that_does_not_fit_is_held_back_and_nothing_mailed_from_it(
    house: House, answer: Rows
) -> None:
    new = house.announce(MONDAY + DAY)
    house.serve(answer(house))
    before = len(house.arxiv.requests)
    ran = house.run(MONDAY + DAY)
    assert ran.code == 1
    assert f"{NAME}: held back, nothing is mailed from it" in ran.out
    assert len(house.arxiv.requests) >= before + 2, "it is asked for a second time in the same run"
    assert house.mailed() == []
    house.serve()
    assert house.record(MONDAY + DAY + 5 * MINUTE)["status"] == "skipped", (
        "it is left alone for a while"
    )
    assert house.record(MONDAY + DAY + 40 * MINUTE)["status"] == "ok"
    assert sorted(house.mailed()) == sorted(paper.id for paper in new)


def test_what_only_a_held_back_window_showed_is_mailed_once(house: House) -> None:
    (fleeting, *others) = house.announce(MONDAY + DAY)
    house.serve((fleeting,))
    house.record(MONDAY + DAY)
    house.papers.remove(fleeting)
    house.serve()
    assert house.record(MONDAY + DAY + HOUR)["new"] == 4
    house.papers.append(fleeting)
    house.serve()
    house.record(MONDAY + 2 * DAY)
    assert sorted(house.mailed()) == sorted([fleeting.id, *(paper.id for paper in others)])


def test_strangers_that_only_a_held_back_window_showed_are_not_mailed(house: House) -> None:
    house.announce(MONDAY + DAY)
    house.serve(another(house))
    house.record(MONDAY + DAY)
    house.serve()
    house.record(MONDAY + DAY + HOUR)
    assert sorted(house.mailed()) == sorted(house.announced)


def test_days_off_are_no_reason_to_hold_anything_back(house: House) -> None:
    for day in range(1, 31):
        house.announce(MONDAY + day * DAY)
    house.serve()
    record = house.record(MONDAY + 30 * DAY)
    assert (record["status"], record["new"]) == ("ok", 120)
    assert sorted(house.mailed()) == sorted(house.announced)


def test_two_windows_in_order_that_agree_for_hours_are_believed(house: House) -> None:
    """An interface that has changed for good: the papers of the last days come, and from then on it
    is normal."""
    house.announce(MONDAY + DAY)
    house.serve(wider(house))
    assert house.record(MONDAY + DAY)["status"] == "quarantined"
    assert house.record(MONDAY + DAY + 5 * HOUR)["status"] == "quarantined"
    assert house.record(MONDAY + 2 * DAY)["status"] == "ok"
    assert set(house.announced) < set(house.mailed())
    assert not set(house.mailed()) & {paper.id for paper in house.old}
    strangers = {paper.id: paper for paper in wider(house)}.keys() & set(house.mailed()) - set(
        house.announced
    )
    assert 0 < len(strangers) <= 24 * 5, "what the other query had brought for weeks is history"
    new = house.announce(MONDAY + 3 * DAY)
    house.serve(wider(house))
    assert house.record(MONDAY + 3 * DAY)["status"] == "ok"
    assert {paper.id for paper in new} <= set(house.mailed())
    assert len(house.mailed()) == len(set(house.mailed()))


def test_another_querys_answer_given_twice_confirms_nothing(house: House) -> None:
    house.announce(MONDAY + DAY)
    house.serve(another(house))
    for wait in (DAY, DAY + 8 * HOUR, 2 * DAY):
        assert house.record(MONDAY + wait)["status"] == "quarantined"
    house.serve()
    assert house.record(MONDAY + 3 * DAY)["status"] == "ok"
    assert sorted(house.mailed()) == sorted(house.announced)


@pytest.mark.parametrize("answer", [nothing, lambda house: shuffled(house.rows, 3)])
def test_windows_that_are_empty_or_out_of_order_confirm_nothing(house: House, answer: Rows) -> None:
    house.serve(answer(house))
    for day in range(1, 5):
        assert house.record(MONDAY + day * DAY)["status"] == "quarantined"


def test_a_mistyped_keyword_is_told_with_the_nearest_one(house: House) -> None:
    told = house.home.digest("keywords", "accept", f"{NAME}x")
    assert told.code == 78
    assert f"did you mean {NAME}?" in told.err


def test_accepting_mails_what_is_new_in_it_and_ends_the_spell(house: House) -> None:
    new = house.announce(MONDAY + DAY)
    house.serve(shuffled(house.rows, 5))
    house.record(MONDAY + DAY)
    told = house.home.digest("keywords", "accept", NAME, "--now", (MONDAY + DAY + HOUR).isoformat())
    assert told.code == 0, told.err
    assert f"{NAME} is believed again" in told.out
    house.serve()
    assert house.record(MONDAY + DAY + HOUR)["status"] == "ok"
    assert sorted(house.mailed()) == sorted(paper.id for paper in new)
    again = house.home.digest("keywords", "accept", NAME)
    assert again.code == 0
    assert "is not held back" in again.out


def test_after_accepting_the_changed_answer_is_taken_as_it_is(house: House) -> None:
    house.announce(MONDAY + DAY)
    house.serve(house.rows[:2])
    house.record(MONDAY + DAY)
    house.home.digest("keywords", "accept", NAME, "--now", (MONDAY + DAY).isoformat())
    assert house.record(MONDAY + DAY)["status"] == "ok"
    assert house.record(MONDAY + 2 * DAY)["status"] == "ok"


def test_a_first_window_is_compared_with_nothing(tmp_path: Path) -> None:
    with Standin() as arxiv:
        house = House(tmp_path, arxiv)
        house.serve(house.rows[:1])
        assert house.record(MONDAY)["status"] == "ok"


def test_a_first_window_out_of_order_is_held_back(tmp_path: Path) -> None:
    with Standin() as arxiv:
        house = House(tmp_path, arxiv)
        house.serve(shuffled(house.rows, 1))
        assert house.record(MONDAY)["status"] == "quarantined"
        house.serve()
        assert house.record(MONDAY + DAY)["status"] == "ok"
        (first,) = house.home.mails()
        assert 0 < len(first.ids) <= 20


def test_a_keyword_with_few_papers_is_not_held_back_for_one_that_left(tmp_path: Path) -> None:
    with Standin() as arxiv:
        house = House(tmp_path, arxiv)
        house.papers, house.old = house.papers[:2], []
        house.serve()
        house.record(MONDAY)
        house.serve(())
        assert house.record(MONDAY + DAY)["status"] == "ok"


def test_where_few_papers_are_known_another_querys_answer_is_told_by_its_strangers(
    tmp_path: Path,
) -> None:
    """Rows alone tell nothing here: too few are on record for their absence to mean something."""
    with Standin() as arxiv:
        house = House(tmp_path, arxiv)
        house.papers, house.old = house.papers[:1], []
        house.serve()
        house.record(MONDAY)
        house.announce(MONDAY + DAY, 1)
        house.serve(another(house))
        record = house.record(MONDAY + DAY)
        assert record["status"] == "quarantined"
        assert "do not match the query" in str(record["why"])
        house.serve()
        assert house.record(MONDAY + 2 * DAY)["status"] == "ok"
        assert house.mailed() == house.announced


def test_status_and_why_tell_of_a_held_back_keyword_and_what_to_do(house: House) -> None:
    new = house.announce(MONDAY + DAY)
    house.serve(tuple(new[:1]))
    house.record(MONDAY + DAY)
    now = (MONDAY + DAY + HOUR).isoformat()
    status = house.home.digest("status", "--now", now).out
    assert "held back since Tue 2026-03-10 07:00 UTC, nothing is mailed from it" in status
    assert f"to believe them:    digest keywords accept {shlex.quote(NAME)}\n" in status
    told = json.loads(house.home.digest("status", "--now", now, "--json").out)
    assert told["keywords"][0]["held_since"] == "2026-03-10T07:00:00Z"
    why = json.loads(house.home.digest("why", ADA, new[0].id, "--now", now, "--json").out)
    assert why["verdict"] == "held_back"
    day = json.loads(house.home.digest("why", ADA, "2026-03-10", "--now", now, "--json").out)
    assert day["verdict"] == "held_back"
    assert "arXiv counts 1 match" in house.home.digest("history").out


def test_bad_answers_are_listed_and_can_be_written_out(house: House, tmp_path: Path) -> None:
    assert (
        house.home.digest("keywords", "windows").out
        == "No answer of arXiv's is kept: all were believed.\n"
    )
    house.serve(house.rows[:1])
    house.record(MONDAY + DAY)
    house.serve()
    house.arxiv.script(*[ScriptedAnswer(200, b"<html>no</html>")] * 4)
    house.record(MONDAY + DAY + 6 * HOUR)
    listed = json.loads(house.home.digest("keywords", "windows", NAME, "--json").out)
    assert [(one["status"], one["fetched"]) for one in listed] == [
        ("failed", None),
        ("quarantined", 1),
        ("quarantined", 1),
    ]
    lines = house.home.digest("keywords", "windows").out
    assert "held back, 1 row" in lines
    place = tmp_path / "answer.xml"
    assert (
        house.home.digest("keywords", "windows", "--save", str(listed[1]["id"]), str(place)).code
        == 0
    )
    assert b"<entry>" in place.read_bytes()
    assert len(place.read_bytes()) == listed[1]["bytes"]
    assert (
        house.home.digest("keywords", "windows", "--save", str(listed[1]["id"]), str(place)).code
        == 2
    )
    assert house.home.digest("keywords", "windows", "--save", "999", str(tmp_path / "x")).code == 2
    assert house.home.digest("keywords", "windows", "nobody reads this").code == 78


def test_a_deeper_window_does_not_bring_what_the_first_did_not_reach(tmp_path: Path) -> None:
    """The first window ends where it is deep enough; later ones are cut from larger pages and reach
    further."""
    with Standin() as arxiv:
        house = House(tmp_path, arxiv)
        # The first 500 rows end 40 days back; what lies 41 to 45 days back only the guard keeps.
        house.papers = [
            house.paper(MONDAY - timedelta(minutes=112 * n + 2400)) for n in range(1500)
        ]
        house.serve()
        assert house.record(MONDAY)["fetched"] == 500
        new = house.announce(MONDAY + 5 * DAY)
        house.serve()
        record = house.record(MONDAY + 5 * DAY)  # a Saturday: its window is deep
        assert int(str(record["fetched"])) > 600
        assert (record["new"], record["late"]) == (4, 0)
        assert sorted(house.mailed()) == sorted(paper.id for paper in new)


def pause_of(house: House, now: datetime) -> str:
    told = json.loads(house.home.digest("status", "--now", now.isoformat(), "--json").out)
    return str(told["arxiv_pause"])


def test_after_being_asked_to_slow_down_nobody_asks_for_hours(house: House) -> None:
    slow = ScriptedAnswer(429, b"Rate exceeded.")
    now = MONDAY + DAY
    house.arxiv.on_query = lambda _params: slow
    for hours in (1, 2, 4, 8, 16):
        assert house.record(now)["status"] == "failed"
        asked = len(house.arxiv.requests)
        until = now + hours * HOUR
        assert f"asked again from {until:%Y-%m-%d %H:%M} UTC" in pause_of(house, now)
        ran = house.run(until - MINUTE)
        assert (ran.code, len(house.arxiv.requests)) == (0, asked)
        assert f"{until:%Y-%m-%d %H:%M} UTC" in ran.out
        now = until
    house.arxiv.on_query = None
    assert house.record(now)["status"] == "ok"
    assert pause_of(house, now) == ""
    house.arxiv.on_query = lambda _params: slow
    house.record(now + DAY)
    assert f"{now + DAY + HOUR:%Y-%m-%d %H:%M}" in pause_of(house, now + DAY)


def test_fetch_asks_once_in_spite_of_a_pause_and_a_good_answer_ends_it(house: House) -> None:
    house.arxiv.script(*[ScriptedAnswer(406, b"")] * 4)
    house.record(MONDAY + DAY)
    asked = len(house.arxiv.requests)
    house.arxiv.script(ScriptedAnswer(429, b""))
    assert house.record(MONDAY + DAY + MINUTE, "--fetch")["status"] == "failed"
    assert len(house.arxiv.requests) == asked + 1
    assert house.record(MONDAY + DAY + 2 * MINUTE)["status"] == "skipped"
    assert house.record(MONDAY + DAY + 3 * MINUTE, "--fetch")["status"] == "ok"
    assert pause_of(house, MONDAY + DAY + 3 * MINUTE) == ""


def test_a_pause_is_for_all_keywords(tmp_path: Path) -> None:
    with Standin() as arxiv:
        home = Home.make(tmp_path, arxiv, subscribers_file({ADA: [topic.name for topic in TOPICS]}))
        arxiv.script(*[ScriptedAnswer(429, b"Rate exceeded.")] * 4)
        records = json.loads(home.digest("run", "--json", "--now", MONDAY.isoformat()).out)[
            "keywords"
        ]
        assert [record["status"] for record in records] == ["failed", "skipped", "skipped"]
        assert len(arxiv.requests) == 4


def test_an_answer_with_the_title_of_another_query_is_refused(house: House) -> None:
    body = feed(house.rows[:100], query="all:something", start=0, max_results=100, total=100)
    house.arxiv.on_query = lambda _params: ScriptedAnswer(body=body)
    record = house.record(MONDAY + DAY)
    assert record["status"] == "failed"
    assert "another query" in str(record["why"])


def test_revisions_in_a_held_back_window_come_in_their_highest_version(house: House) -> None:
    (new,) = house.announce(MONDAY + DAY, 1)
    house.serve((new,))
    house.record(MONDAY + DAY)
    house.serve((replace(new, version=2, updated=new.updated + HOUR),))
    house.record(MONDAY + DAY + 3 * HOUR)
    house.papers.remove(new)
    house.serve()
    assert house.record(MONDAY + 2 * DAY)["new"] == 1
    assert house.mailed() == [new.id]
