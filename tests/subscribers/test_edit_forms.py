"""Edits of files in every form that YAML allows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, UsageError
from digest.model import Rule
from digest.subscribers import edit, edit_keywords, load_roster
from digest.subscribers.check import check_text
from tests.subscribers.files import TEXT, names

FLOW = (
    '{"keywords": {"A": "ti:x"}, '
    '"subscribers": [{"email": "ada@example.org", "keywords": ["A", "b1"]}, '
    '{"email": "grace@example.org", "keywords": ["c1"]}]}'
)


INDENTLESS = (
    "subscribers:\n- email: ada@example.org\n  keywords:\n  - A\n  -   b1\n\n"
    "- keywords: [c1]\n  email: grace@example.org\nkeywords:\n    A: ti:x\n"
)


WEIRD = (
    "---\nkeywords:\n  A: |\n    ti:x\n\nsubscribers:\n"
    "    -\n      email: ada@example.org\n      keywords: [A,\n        b1, # yes\n      ]\n"
    "    - email: grace@example.org\n      keywords: [ c1 ]\n      name:\n        Grace\n"
    "...\n"
).replace("name:\n        Grace", "name: >\n        Grace\n\n")


ONE_READER = "subscribers:\n  - email: ada@example.org\n    keywords: [A]\n"


OPERATIONS: list[Callable[[Path], object]] = [
    lambda p: edit.add_subscribers(p, ["ada@example.org", "new@example.org"], ["d1", "+none"[1:]]),
    lambda p: edit.add_subscribers(
        p, ["grace@example.org"], ["e 1"], {"name": "Gr: a", "at": "07:00"}
    ),
    lambda p: edit.add_subscribers(p, ["grace@example.org"], ["title word"], match=Rule.TITLE),
    lambda p: edit.add_subscribers(
        p, ["ada@example.org"], [], {"at": None, "name": None, "exclude": ["cat:cs.RO"]}
    ),
    lambda p: edit.remove_subscribers(p, ["ada@example.org"], ["b1"]),
    lambda p: edit.remove_subscribers(p, ["ada@example.org", "new@example.org"], ["A", "d1"]),
    lambda p: edit.remove_subscribers(p, ["ada@example.org"]),
    lambda p: edit.remove_subscribers(p, ["grace@example.org"]),
    lambda p: edit.move_subscriber(p, "grace@example.org", "grace@example.net"),
    lambda p: edit.move_subscriber(p, "grace@example.net", "grace@example.org"),
    lambda p: edit_keywords.add_keyword(p, "Named", "ti:named"),
    lambda p: edit_keywords.rename_keyword(p, "A", "An A"),
    lambda p: edit_keywords.rename_keyword(p, "An A", "A"),
    lambda p: edit_keywords.remove_keyword(p, "Named", force=True),
    lambda p: edit_keywords.remove_keyword(p, "A", force=True),
]


@settings(max_examples=60, deadline=None)
@given(
    start=st.sampled_from([TEXT, FLOW, INDENTLESS, WEIRD]),
    steps=st.lists(st.sampled_from(OPERATIONS), max_size=6),
)
def test_whatever_is_done_in_whatever_form_the_file_stays_right(
    tmp_path_factory: pytest.TempPathFactory, start: str, steps: list[Callable[[Path], object]]
) -> None:
    path = tmp_path_factory.mktemp("edit") / "subscribers.yaml"
    path.write_text(start)
    for step in steps:
        before = path.read_text()
        try:
            step(path)
        except (UsageError, ConfigError):
            assert path.read_text() == before
        check_text(path.read_text(), path.name)


@pytest.mark.parametrize("start", [FLOW, INDENTLESS, WEIRD])
def test_every_form_of_the_file_can_be_edited(path: Path, start: str) -> None:
    path.write_text(start)
    edit.add_subscribers(path, ["ada@example.org", "new@example.org"], ["d1"], {"max_papers": 3})
    assert names(path, "ada@example.org") == ["A", "b1", "d1"]
    edit.remove_subscribers(path, ["ada@example.org"], ["A", "d1"])
    edit.remove_subscribers(path, ["grace@example.org"])
    edit_keywords.rename_keyword(path, "A", "Z")
    edit.move_subscriber(path, "new@example.org", "old@example.org")
    edit_keywords.add_keyword(path, "B", "ti:b")
    roster = load_roster(path)
    assert [(r.email, [k.name for k in r.keywords], r.max_papers) for r in roster.subscribers] == [
        ("ada@example.org", ["b1"], 3),
        ("old@example.org", ["d1"], 3),
    ]
    assert [k.name for k in roster.keywords] == ["Z", "B", "b1", "d1"]


MARKS = ["&all", "!", "!!str", "&all !", "! &all"]


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("comment", ["", "  # by - name"])
def test_a_section_with_an_anchor_or_a_tag_is_added_to(path: Path, mark: str, comment: str) -> None:
    text = f"keywords: {mark}{comment}\n  A: ti:x\n{ONE_READER}"
    path.write_text(text)
    edit_keywords.add_keyword(path, "B", "ti:b")
    assert path.read_text() == text.replace("ti:x\n", 'ti:x\n  B: "ti:b"\n')
    edit_keywords.remove_keyword(path, "B")
    assert path.read_text() == text


@pytest.mark.parametrize("mark", MARKS)
@pytest.mark.parametrize("indent", ["", "    "])
def test_a_list_with_an_anchor_or_a_tag_is_added_to(path: Path, mark: str, indent: str) -> None:
    text = (
        (
            f"subscribers: {mark}\n{indent}- {mark}2\n{indent}  email: ada@example.org\n"
            f"{indent}  keywords: {mark}3  # - hers\n{indent}  - A\n{indent}  -\n{indent}    b1\n"
        )
        .replace("!2", "!")
        .replace("!3", "!")
        .replace("str2", "str")
        .replace("str3", "str")
    )
    path.write_text(text)
    edit.add_subscribers(path, ["ada@example.org"], ["c1"])
    edit.add_subscribers(path, ["lin@example.org"], ["d1"])
    edit.remove_subscribers(path, ["ada@example.org"], ["b1"])
    assert names(path, "ada@example.org") == ["A", "c1"]
    assert names(path, "lin@example.org") == ["d1"]
    edit.remove_subscribers(path, ["lin@example.org"])
    edit.remove_subscribers(path, ["ada@example.org"], ["c1"])
    assert path.read_text() == text.replace(f"{indent}  -\n{indent}    b1\n", "")
