"""Nothing missed, nothing twice: days of keyword windows, recorded and invented, through the real
`digest run`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.world.faults import Faults, walk_with_faults
from tests.world.replay import (
    Day,
    Figures,
    Home,
    invented_days,
    judge,
    recorded_days,
    subscribers_file,
    walk,
    wrong_receipts,
)
from tests.world.shared import shared
from tests.world.standin import Standin

WITH_PARTS = slice(33, 42)
"""Nine recorded days, on two of which a keyword's window had one row."""


def replay(folder: Path, days: Sequence[Day], *, audited: bool = False) -> Figures:
    """Walk through the days with a reader for each keyword and one for all of them; `audited`: then
    let the last month be compared with arXiv's own record.
    """
    keywords = list(days[0].windows)
    readers = {f"reader{number}@example.org": [keyword] for number, keyword in enumerate(keywords)}
    readers["all@example.org"] = keywords
    with Standin() as standin:
        home = Home.make(folder, standin, subscribers_file(readers))
        walked = walk(home, standin, days)
        if audited:
            check_audit(home, standin, days)
    figures = judge(days, readers, home.mails(), walked.held)
    assert wrong_receipts(home.mails(), walked, readers) == []
    figures.pages, figures.seconds, figures.held = walked.pages, walked.seconds, walked.held
    print(f"\n{figures.table()}")
    return figures


def check_audit(home: Home, standin: Standin, days: Sequence[Day]) -> None:
    """Let the record hold all that any window did. What no digest carried is matched here, and was
    listed by no answer for that keyword.
    """
    for day in days:
        for papers in day.windows.values():
            standin.announcing.change(day.now.date(), *papers)
    now, span = days[-1].now, (days[-1].now - days[0].now).days - 2
    back = ("--days", str(min(span, 30)), "--now", now.isoformat())
    told = home.digest("audit", "--arxiv-oai", standin.oai_url, *back, "--json")
    assert told.code == 0, told.err
    readers = json.loads(told.out)["readers"]
    papers = sum(reader["papers"] for reader in readers)
    missing = [paper for reader in readers for paper in reader["missing"]]
    print(f"\n{'audited':>28}  {papers} papers, {len(missing)} in no digest")
    assert papers
    assert {paper["verdict"] for paper in missing} <= {"not_served"}
    assert all(paper["why"].endswith("arXiv's search does not list it") for paper in missing)
    assert len(missing) <= 0.02 * papers


def check(figures: Figures) -> None:
    """Each paper once, as soon as it could be known, and nothing else."""
    assert figures.lost == []
    assert figures.repeated == []
    assert figures.foreign == []
    assert figures.revisions == []
    assert figures.tardy == []


def test_recorded_days_with_partial_answers_lose_and_repeat_nothing(tmp_path):
    days = recorded_days(shared("arxiv/replay"))[WITH_PARTS]
    assert sum(len(papers) == 1 for day in days for papers in day.windows.values()) == 2
    figures = replay(tmp_path, days)
    check(figures)
    assert figures.waits.total() > 200


@pytest.mark.heavy
def test_all_recorded_days_lose_and_repeat_nothing(tmp_path, capsys):
    days = recorded_days(shared("arxiv/replay"))
    with capsys.disabled():
        figures = replay(tmp_path, days, audited=True)
    check(figures)
    assert figures.runs == 321
    assert figures.waits.total() > 13_000


def replay_with_faults(folder: Path, days: Sequence[Day], seed: int) -> tuple[Figures, Faults]:
    """Walk through the days with a bad answer to every third request."""
    keywords = list(days[0].windows)
    readers = {f"reader{number}@example.org": [keyword] for number, keyword in enumerate(keywords)}
    readers["all@example.org"] = keywords
    faults = Faults(seed, 1 / 3)
    with Standin() as standin:
        home = Home.make(folder, standin, subscribers_file(readers))
        walked = walk_with_faults(home, standin, days, faults)
    # A recorded window reaches back ten days. What stood in one that was never sent, and in no
    # later one, is nothing that the program could have known; arXiv itself would serve it again.
    sent = [
        replace(
            day,
            windows={
                name: papers
                for name, papers in day.windows.items()
                if (day.now, name) not in walked.unserved
            },
        )
        for day in days
    ]
    figures = judge(sent, readers, home.mails(), walked.held)
    assert wrong_receipts(home.mails(), walked, readers) == []
    figures.pages, figures.seconds, figures.held = walked.pages, walked.seconds, walked.held
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(faults.given.items()))
    print(
        f"\n{figures.table()}\n{'bad answers':>28}  {faults.given.total()} of {faults.requests}: "
        f"{counts}"
    )
    assert figures.lost == []
    assert figures.repeated == []
    assert figures.foreign == []
    assert figures.revisions == []
    return figures, faults


@pytest.mark.heavy
def test_with_a_third_of_all_answers_bad_a_few_days_lose_and_repeat_nothing(tmp_path):
    figures, faults = replay_with_faults(tmp_path, recorded_days(shared("arxiv/replay"))[35:40], 1)
    assert faults.given.total() > 5
    assert figures.waits.total() > 50


@pytest.mark.heavy
def test_with_a_third_of_all_answers_bad_all_recorded_days_lose_and_repeat_nothing(
    tmp_path, capsys
):
    with capsys.disabled():
        figures, faults = replay_with_faults(tmp_path, recorded_days(shared("arxiv/replay")), 2)
    assert 0.25 < faults.given.total() / faults.requests < 0.4
    assert figures.waits.total() > 13_000


@pytest.fixture(scope="module")
def four_weeks(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """Invented days, to the end of a weekend: its deep window brings what was held for long."""
    days = invented_days(28, start=date(2026, 3, 2), seed=5)
    assert days[-1].now.strftime("%A") == "Sunday"
    return replay(tmp_path_factory.mktemp("home"), days)


@pytest.mark.heavy
def test_papers_held_for_weeks_and_partial_answers_lose_and_repeat_nothing(four_weeks):
    check(four_weeks)
    late = sum(count for wait, count in four_weeks.waits.items() if wait)
    assert late >= 2, "no paper was held so long that it stood deeper than what is asked for daily"
    assert max(four_weeks.waits) <= 7, "the next weekend's deep window brings them all"


@pytest.mark.heavy
def test_a_steady_stream_is_asked_for_in_pages_of_a_steady_size(four_weeks):
    assert max(four_weeks.pages) <= 750  # 45 days of 13 rows, and a fifth more
