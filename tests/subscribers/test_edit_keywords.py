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
    path.write_text("keywords: [a1, reasoning]\n")
    edit_keywords.rename_keyword(path, "Reasoning", "Thought")
    assert path.read_text() == "keywords: {a1: a1, Thought: reasoning}\n"


def test_a_name_that_stands_for_something_else_already_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="would change what readers"):
        edit_keywords.rename_keyword(path, "Reward Model", "chain of thought")
    with pytest.raises(UsageError, match="there is a keyword robots already"):
        edit_keywords.rename_keyword(path, "Reward Model", "robots")
    assert path.read_text() == TEXT


PLAIN = (
    "subscribers:\n  - email: ada@example.org\n    keywords: [reward model, MLLM]\n"
    "  - email: lin@example.org\n    keywords:\n      - Reward  Model   # hers\n      - x\n"
    "    exclude: [MLLM]\n"
)


def test_a_keyword_that_only_readers_have_can_be_renamed_and_removed(path: Path) -> None:
    path.write_text(PLAIN)
    done = edit_keywords.rename_keyword(path, "reward model", "RM")
    assert path.read_text() == PLAIN.replace("[reward model, M", "[RM, M").replace(
        "Reward  Model ", "RM "
    ) + ("\nkeywords:\n  RM: reward model\n")
    assert [k.query for k in done.before.keywords] == [k.query for k in done.after.keywords]
    path.write_text(PLAIN)
    with pytest.raises(UsageError, match=r"used by ada@example.org, lin@example.org: --force"):
        edit_keywords.remove_keyword(path, "reward model")
    edit_keywords.remove_keyword(path, "reward model", force=True)
    assert path.read_text() == PLAIN.replace("[reward model, M", "[M").replace(
        "      - Reward  Model   # hers\n", ""
    )
    for name in ("nothing", "(ti:x", "+none"):
        with pytest.raises(UsageError, match="there is no"):
            edit_keywords.remove_keyword(path, name)


def test_a_query_can_be_changed_again_and_again(path: Path) -> None:
    for query in ("ti:a", "ti:b", "c d"):
        edit_keywords.set_keyword(path, "robots", query)
        assert {k.name: k.query for k in load_roster(path).keywords}["Robots"] == (
            '(ti:"c d" OR abs:"c d")' if query == "c d" else query
        )
    for rule in (Rule.TITLE, Rule.BOTH):
        edit_keywords.set_keyword(path, "robots", None, rule)
    assert difference(path)[1] == ["  Robots: {query: c d, match: both}"]
    path.write_text("keywords: [a1, b1]\n")
    edit_keywords.set_keyword(path, "B1", "ti:b")
    edit_keywords.set_keyword(path, "a1", None, Rule.TITLE)
    assert path.read_text() == 'keywords: {a1: {query: a1, match: title}, b1: "ti:b"}\n'
    path.write_text(PLAIN)
    edit_keywords.set_keyword(path, "MLLM", "ti:MLLM")
    edit_keywords.set_keyword(path, "MLLM", "abs:MLLM")
    assert path.read_text() == PLAIN + '\nkeywords:\n  MLLM: "abs:MLLM"\n'
    with pytest.raises(UsageError, match="there is no keyword named other"):
        edit_keywords.set_keyword(path, "other", "x")


def test_groups_are_made_changed_renamed_and_removed(path: Path) -> None:
    path.write_text(PLAIN)
    edit_keywords.set_group(path, "Lab", ["reward model", "x"])
    edit_keywords.set_group(path, "lab", ["MLLM", 'ti:"a b"'])
    edit.add_subscribers(path, ["ada@example.org"], ["+LAB"])
    assert edit_keywords.list_groups(path) == [("Lab", ["MLLM", 'ti:"a b"'], ["ada@example.org"])]
    edit_keywords.rename_keyword(path, "+lab", "+Team")
    assert "[reward model, MLLM, +Team]" in path.read_text()
    for nameless in (
        lambda: edit_keywords.rename_keyword(path, "+team", "+"),
        lambda: edit_keywords.set_group(path, " ", ["x"]),
    ):
        with pytest.raises(UsageError, match="name is empty"):
            nameless()
    with pytest.raises(UsageError, match=r"\+team is used by ada@example.org"):
        edit_keywords.remove_keyword(path, "+team")
    edit_keywords.remove_keyword(path, "+team", force=True)
    assert path.read_text() == PLAIN + "\ngroups: {}\n"
