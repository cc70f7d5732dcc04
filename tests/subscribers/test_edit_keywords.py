"""Named keywords added, renamed and removed: only what must change does."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.errors import UsageError
from digest.model import Rule
from digest.subscribers import edit, edit_keywords, load_roster
from tests.subscribers.files import TEXT, difference


def test_a_keyword_is_added_under_its_name(path: Path) -> None:
    edit_keywords.add_keyword(path, "RL", 'ti:"reinforcement learning"')
    edit_keywords.add_keyword(path, "Scaling", None, Rule.TITLE)
    assert difference(path)[1] == [
        "  RL: 'ti:\"reinforcement learning\"'",
        "  Scaling: {query: Scaling, match: title}",
    ]
    with pytest.raises(UsageError, match="there is a keyword Robots already"):
        edit_keywords.add_keyword(path, "robots")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "keywords:\n  - a1  # one\n  - b1\n",
            'keywords:\n  a1: a1  # one\n  b1: b1\n  RL: "ti:x"\n',
        ),
        ("keywords: [a1, b1]\n", 'keywords: {a1: a1, b1: b1, RL: "ti:x"}\n'),
        ("keywords: []\nsubscribers: []\n", 'keywords:\n  RL: "ti:x"\nsubscribers: []\n'),
        ("keywords:  # none yet\n", 'keywords:  # none yet\n  RL: "ti:x"\n'),
        ("subscribers: []", 'subscribers: []\n\nkeywords:\n  RL: "ti:x"\n'),
        ('{"keywords": {}}', '{"keywords": {RL: "ti:x"}}'),
    ],
)  # fmt: skip
def test_a_name_finds_its_place_in_every_form_of_the_section(
    path: Path, before: str, after: str
) -> None:
    path.write_text(before)
    edit_keywords.add_keyword(path, "RL", "ti:x")
    assert path.read_text() == after


def test_a_used_keyword_is_only_removed_by_force_and_then_everywhere(path: Path) -> None:
    edit.add_subscribers(path, ["ada@example.org"], ["Robots"], {"exclude": ["Reward Model"]})
    before = path.read_text()
    with pytest.raises(UsageError, match=r"used by ada@example.org, grace@example.org"):
        edit_keywords.remove_keyword(path, "robots")
    assert path.read_text() == before
    edit_keywords.remove_keyword(path, "robots", force=True)
    assert difference(path, before) == (
        [
            "  Robots: {query: 'cat:cs.RO'}",
            "    keywords: [Reward Model, +vision, Robots]   # hers",
            "      - robots",
        ],
        ["    keywords: [Reward Model, +vision]   # hers"],
    )


def test_a_keyword_whose_removal_leaves_a_reader_with_nothing_stays(path: Path) -> None:
    path.write_text(
        "keywords: {A: 'ti:x'}\nsubscribers:\n  - email: ada@example.org\n    keywords: [a]\n"
    )
    with pytest.raises(UsageError, match=r"ada@example\.org has no keywords"):
        edit_keywords.remove_keyword(path, "A", force=True)


def test_a_renamed_keyword_changes_its_name_wherever_it_stands(path: Path) -> None:
    done = edit_keywords.rename_keyword(path, "reward model", "RM: all")
    assert difference(path)[1] == [
        '  "RM: all":  \'"reward model" OR "preference model"\'   # aligned by hand',
        '    keywords: ["RM: all", +vision]   # hers',
    ]
    assert [k.query for k in done.before.keywords] == [k.query for k in done.after.keywords]
    edit_keywords.rename_keyword(path, "RM: all", "rm: ALL")


def test_a_name_that_is_its_own_query_keeps_it_when_renamed(path: Path) -> None:
    path.write_text("keywords: {Reasoning: {match: title}}\n")
    edit_keywords.rename_keyword(path, "Reasoning", "Thought")
    assert [(k.name, k.query) for k in load_roster(path).keywords] == [("Thought", "ti:reasoning")]
    path.write_text("keywords: [reasoning]\n")
    with pytest.raises(UsageError, match="plain list"):
        edit_keywords.rename_keyword(path, "Reasoning", "Thought")


def test_a_name_that_stands_for_something_else_already_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="would change what readers"):
        edit_keywords.rename_keyword(path, "Reward Model", "chain of thought")
    with pytest.raises(UsageError, match="there is a keyword robots already"):
        edit_keywords.rename_keyword(path, "Reward Model", "robots")
    assert path.read_text() == TEXT
