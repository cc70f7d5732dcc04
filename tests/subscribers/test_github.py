"""A GitHub repository in the subscribers file: read, refused where it is none, added and taken out
by the commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.errors import UsageError
from digest.subscribers.edit import (
    add_subscribers,
    move_subscriber,
    remove_subscribers,
    roster_entry,
)
from digest.subscribers.load import load_roster
from digest.subscribers.problems import SubscribersFileError
from tests.subscribers.files import written

FILE = """\
# who gets what
subscribers:
  - email: ada@example.org
    keywords: [MLLM]
  - github: Ada/papers.daily   # the page's watchers
    keywords: [MLLM, Reward Model]
    schedule: weekdays
"""


def test_a_repository_is_a_subscriber_like_any_other(tmp_path: Path) -> None:
    _, repository = load_roster(written(tmp_path, FILE)).subscribers
    assert repository.email == "github:Ada/papers.daily"
    assert [keyword.name for keyword in repository.keywords] == ["MLLM", "Reward Model"]
    assert len(repository.days) == 5


@pytest.mark.parametrize(
    ("value", "suggestion"),
    [
        ("https://github.com/ada/papers", "ada/papers"),
        ("https://github.com/ada/papers.git", "ada/papers"),
        ("git@github.com:ada/papers.git", "ada/papers"),
        ("github:ada/papers", "ada/papers"),
        ("papers", ""),
        ("ada/papers/issues", ""),
        ("-ada/papers", ""),
        ("ada/..", ""),
        ("ada/pa pers", ""),
        ("ada/papers\\r\\nX: y", ""),
    ],
)
def test_what_is_no_repository_is_refused_with_the_nearest_one(
    tmp_path: Path, value: str, suggestion: str
) -> None:
    path = written(tmp_path, f'subscribers:\n  - github: "{value}"\n    keywords: [x]\n')
    with pytest.raises(SubscribersFileError) as caught:
        load_roster(path)
    [problem] = caught.value.problems
    assert "OWNER/REPO" in problem.message
    assert problem.suggestion == suggestion


def test_nobody_is_a_reader_and_a_repository_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path, "subscribers:\n  - {email: a@example.org, github: a/b, keywords: [x]}\n"
    )
    with pytest.raises(SubscribersFileError, match="write two subscribers"):
        load_roster(path)


def test_two_spellings_of_one_repository_are_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, FILE + "  - github: ada/Papers.Daily\n    keywords: [x]\n")
    with pytest.raises(SubscribersFileError, match="second time"):
        load_roster(path)


def test_the_commands_add_change_move_and_remove_one(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    add_subscribers(path, ["github:grace/arxiv"], ["Reasoning"], {"at": "07:00"})
    assert (
        '  - github: grace/arxiv\n    keywords: [Reasoning]\n    at: "07:00"\n' in path.read_text()
    )
    add_subscribers(path, ["GitHub:ada/papers.daily"], ["Reasoning"])
    reader = roster_entry(load_roster(path), "github:ADA/papers.daily")
    assert reader is not None
    assert [keyword.name for keyword in reader.keywords] == ["MLLM", "Reward Model", "Reasoning"]
    move_subscriber(path, "github:grace/arxiv", "github:grace/papers")
    assert "- github: grace/papers\n" in path.read_text()
    with pytest.raises(UsageError, match="not of one kind"):
        move_subscriber(path, "github:grace/papers", "grace@example.org")
    remove_subscribers(path, ["github:grace/papers"])
    remove_subscribers(path, ["github:ada/papers.daily"])
    assert path.read_text() == FILE.split("  - github")[0]


def test_the_commands_call_a_repository_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="'github:ada' is no repository: a GitHub repository is written OWNER/REPO"
    ):
        add_subscribers(written(tmp_path, FILE), ["github:ada"], ["x"])
