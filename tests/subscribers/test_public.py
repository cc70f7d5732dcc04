"""The list of keywords that strangers may see."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.model import SignUp
from digest.subscribers.book import Book
from digest.subscribers.edit_keywords import remove_keyword, rename_keyword
from digest.subscribers.follow import follow_text
from digest.subscribers.load import load_roster
from tests.subscribers.files import READERS, load, only

FILE = "keywords:\n  RL: 'ti:rl'\n  Unused: 'abs:x'\n" + READERS.replace("[r", "[RL, r")


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("", []),
        ("public:\n", []),
        ("public: []\n", []),
        ("public: [rl]\n", ["RL"]),
        ("public: [reasoning, RL, rl]\n", ["reasoning", "RL"]),
        ("public: all\n", ["RL", "Unused", "reasoning"]),
    ],
)
def test_nothing_is_public_that_is_not_named(written: str, names: list[str]) -> None:
    assert [keyword.name for keyword in load(FILE + written).public] == names


@pytest.mark.parametrize(
    ("written", "words", "suggestion"),
    [
        ("public: [RLL]\n", "no keyword 'RLL'", "RL"),
        ("public: RL\n", "is a list", "[RL]"),
        ("public: [1e3]\n", "a number", ""),
        ("public: {RL: yes}\n", "is a list", ""),
    ],
)
def test_a_mistake_in_it_is_told(written: str, words: str, suggestion: str) -> None:
    problem = only(FILE + written)
    assert words in problem.message
    assert problem.suggestion == suggestion


def test_a_mistake_in_it_holds_back_nobody_and_makes_one_keyword_less_public() -> None:
    book = follow_text(FILE + "public: [nothing, RL]\n", "file", lambda problem: problem.message)
    assert [keyword.name for keyword in book.roster.public] == ["RL"]
    assert [mistake.holds_back for mistake in book.roster.mistakes] == [()]
    assert len(book.roster.subscribers) == 1


def test_what_strangers_bring_is_never_public_by_itself() -> None:
    book: Book = follow_text(FILE + "public: all\n", "file", str)
    roster = book.with_sign_ups([SignUp("x@example.org", '{"keywords": ["secret"]}')])
    assert "secret" in [keyword.name for keyword in roster.keywords]
    assert "secret" not in [keyword.name for keyword in roster.public]


def test_a_keyword_is_renamed_and_removed_there_too(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_text(FILE + "public: [reasoning, RL]  # ours\n")
    rename_keyword(path, "RL", "Rewards")
    assert "public: [reasoning, Rewards]  # ours" in path.read_text()
    remove_keyword(path, "Rewards", force=True)
    assert [keyword.name for keyword in load_roster(path).public] == ["reasoning"]
