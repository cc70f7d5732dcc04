"""Subscribers files as texts, and what is wrong in them."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

from digest.errors import Exit
from digest.model import Roster
from digest.subscribers import Problem, SubscribersFileError, load_roster
from digest.subscribers.check import check_text
from digest.subscribers.edit import roster_entry

READERS = "subscribers:\n  - email: ada@example.org\n    keywords: [reasoning]\n"


def written(folder: Path, text: str) -> Path:
    """A subscribers file with this text."""
    path = folder / "subscribers.yaml"
    path.write_text(text)
    return path


def load(text: str) -> Roster:
    return check_text(text, "subscribers.yaml").roster


def problems(text: str) -> tuple[Problem, ...]:
    with pytest.raises(SubscribersFileError) as caught:
        load(text)
    assert caught.value.exit_code is Exit.CONFIG
    return caught.value.problems


def mistakes(text: str) -> tuple[Problem, ...]:
    """All mistakes of a text; none of a right one."""
    try:
        load(text)
    except SubscribersFileError as error:
        return error.problems
    return ()


def only(text: str) -> Problem:
    found = problems(text)
    assert len(found) == 1, found
    return found[0]


def field(line: str) -> str:
    return f"{READERS}    {line}\n"


TEXT = """\
# the lab's readers
defaults:   {timezone: Europe/Berlin,  at: "08:00"}   # for all

keywords:
  Reward Model:  '"reward model" OR "preference model"'   # aligned by hand
  # about robots
  Robots: {query: 'cat:cs.RO'}

groups:
  vision: [MLLM, "Hallucination"]

subscribers:
  # the head of the lab
  - email: ada@example.org
    name: 'Ada'
    keywords: [Reward Model, +vision]   # hers

  - email: grace@example.org     # abroad
    keywords:
      - robots
      # she asked twice
      - chain of thought
    max_papers: 30
# the end
"""


def difference(path: Path, before: str = TEXT) -> tuple[list[str], list[str]]:
    """The lines that went and the lines that came."""
    lines = list(difflib.ndiff(before.splitlines(), path.read_text().splitlines()))
    return [line[2:] for line in lines if line[0] == "-"], [
        line[2:] for line in lines if line[0] == "+"
    ]


def names(path: Path, email: str) -> list[str]:
    reader = roster_entry(load_roster(path), email)
    assert reader is not None
    return [keyword.name for keyword in reader.keywords]
