"""The subscribers file read: what each field means, and which files are refused as a whole."""

from __future__ import annotations

from datetime import date
from datetime import time as clock
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.model import Order, Revisions, Rule, Weekly
from digest.subscribers import SubscribersFileError, load_roster
from digest.subscribers.document import Document, NodeKind
from digest.subscribers.quoting import write
from tests.subscribers.files import READERS, field, load, only, problems

EXAMPLE = Path(__file__).parent.parent.parent / "subscribers.yaml"


def test_the_example_shows_every_field_and_is_right() -> None:
    roster = load_roster(EXAMPLE)
    ada, grace = roster.subscribers
    assert (ada.name, ada.timezone, ada.at, ada.days) == (
        "Ada",
        "Europe/Berlin",
        clock(8),
        tuple(Weekly),
    )
    assert [k.name for k in ada.keywords] == ["Reward Model", "MLLM", "Hallucination"]
    assert [k.rule for k in grace.keywords] == [Rule.QUERY, Rule.TITLE, Rule.EITHER]
    assert grace.days == (Weekly.MON, Weekly.THU)
    assert (grace.exclude, grace.quiet_days, grace.order) == (("cat:cs.RO",), True, Order.NEWEST)
    assert all(reader.email.endswith("@example.org") for reader in roster.subscribers)


def test_what_is_left_out_has_the_model_s_defaults() -> None:
    (ada,) = load(READERS).subscribers
    assert (ada.timezone, ada.at, ada.max_papers, ada.revisions, ada.paused_until) == (
        "UTC",
        None,
        50,
        Revisions.NONE,
        None,
    )


def test_defaults_hold_for_whoever_does_not_say_otherwise() -> None:
    text = (
        'defaults: {timezone: Asia/Tokyo, at: "08:00", keywords: [mllm], exclude: ["cat:cs.RO"]}\n'
        "subscribers:\n  - email: ada@example.org\n"
        "  - email: grace@example.org\n    at: null\n    keywords: [x]\n"
    )
    ada, grace = load(text).subscribers
    assert (ada.timezone, ada.at, [k.name for k in ada.keywords]) == (
        "Asia/Tokyo",
        clock(8),
        ["mllm"],
    )
    assert (grace.timezone, grace.at, [k.name for k in grace.keywords]) == (
        "Asia/Tokyo",
        None,
        ["x"],
    )
    assert grace.exclude == ("cat:cs.RO",)


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("schedule: weekdays", "days", tuple(Weekly)[:5]),
        ("schedule: weekly", "days", (Weekly.MON,)),
        ("schedule: [thu, mon, thu]", "days", (Weekly.MON, Weekly.THU)),
        ("at: 7:00", "at", clock(7)),
        ("at: '23:59'", "at", clock(23, 59)),
        ("revisions: true", "revisions", Revisions.ALL),
        ("revisions: published", "revisions", Revisions.PUBLISHED),
        ("max_papers: 7", "max_papers", 7),
        ("top: 7", "top", 7),
        ("library: refs.bib", "items_of_library", ("refs.bib",)),
        ("library: [refs.bib, 2301.00010]", "items_of_library", ("refs.bib", "2301.00010")),
        ("top: null", "top", None),
        ("feedback: true", "feedback", True),
        ("feedback: false", "feedback", False),
        ("quiet_days: silent", "quiet_days", False),
        ("order: newest", "order", Order.NEWEST),
        ("paused_until: 2026-12-01", "paused_until", date(2026, 12, 1)),
        ("name: !!str 2024", "name", "2024"),
    ],
)
def test_each_field_reads_as_the_model_has_it(line: str, name: str, value: object) -> None:
    assert getattr(load(field(line)).subscribers[0], name) == value


def test_a_plain_list_of_keywords_is_enough_for_a_page() -> None:
    roster = load("keywords: [reasoning, reward model]\n")
    assert [(k.name, k.rule) for k in roster.keywords] == [
        ("reasoning", Rule.BOTH),
        ("reward model", Rule.EITHER),
    ]
    assert roster.subscribers == ()


def test_labels_are_matched_whatever_their_case() -> None:
    text = "keywords: {Reward Model: 'ti:x'}\ngroups: {Vision: [reward model]}\n" + READERS.replace(
        "reasoning", "REWARD  model, +vision"
    )
    assert [(k.name, k.query) for k in load(text).subscribers[0].keywords] == [
        ("Reward Model", "ti:x")
    ]


def test_two_names_with_one_query_share_it() -> None:
    text = "keywords: {A: 'ti:x', B: 'ti:X'}\n" + READERS.replace("reasoning", "B, A")
    roster = load(text)
    assert [k.name for k in roster.keywords] == ["A"]
    assert [k.name for k in roster.subscribers[0].keywords] == ["B"]


def test_an_excluded_name_stands_for_its_query() -> None:
    text = "keywords: {Robots: 'cat:cs.RO'}\n" + field("exclude: [robots, survey]")
    assert load(text).subscribers[0].exclude == ("cat:cs.RO", "all:survey")


def test_a_keyword_s_query_may_run_over_lines_or_be_named_by_an_alias() -> None:
    text = "keywords:\n  A: >-\n    ti:x\n    OR ti:y\n" + READERS.replace(
        "[reasoning]", "&mine [A]"
    )
    text += "  - email: grace@example.org\n    keywords: *mine\n"
    assert [r.keywords[0].query for r in load(text).subscribers] == ["(ti:x OR ti:y)"] * 2


def test_addresses_are_stored_normalised() -> None:
    assert (
        load(READERS.replace("ada@example.org", "Ada@EXAMPLE.org")).subscribers[0].email
        == "Ada@example.org"
    )
    assert (
        load(READERS.replace("ada@example.org", "root@localhost")).subscribers[0].email
        == "root@localhost"
    )


def test_keywords_that_are_alike_but_not_slips_stand_for_themselves() -> None:
    names = "keywords: [supervised learning, LLM, GPT-4 reasoning, vision language model]\n"
    others = "unsupervised learning, MLLM, GPT-5 reasoning, vision language action model"
    assert len(load(names + READERS.replace("reasoning", others)).subscribers[0].keywords) == 4


def test_an_absent_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="digest subscribe EMAIL -k KEYWORD"):
        load_roster(tmp_path / "subscribers.yaml")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_roster(tmp_path)


@pytest.mark.parametrize(
    ("data", "line", "column", "words"),
    [
        (b"keywords:\n  - caf\xe9\n", 2, 8, "0xe9"),
        ("keywords: [a]\n".encode("utf-16"), 1, 1, "UTF-16"),
    ],
)
def test_a_file_that_is_not_utf_8_says_where(
    tmp_path: Path, data: bytes, line: int, column: int, words: str
) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_bytes(data)
    with pytest.raises(SubscribersFileError, match=words) as caught:
        load_roster(path)
    assert (caught.value.problems[0].line, caught.value.problems[0].column) == (line, column)


def test_a_byte_order_mark_and_dos_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + READERS.replace("\n", "\r\n").encode())
    assert load_roster(path).subscribers[0].email == "ada@example.org"


def test_aliases_that_stand_for_billions_are_refused_at_once() -> None:
    bomb = "keywords:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"  a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    assert "aliases" in only(bomb).message


def test_endless_nesting_is_refused() -> None:
    assert "deeper" in only("keywords: " + "[" * 5000).message


def test_an_enormous_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.subscribers.load.MAX_BYTES", 10)
    path = tmp_path / "subscribers.yaml"
    path.write_text(READERS)
    with pytest.raises(ConfigError, match="more than"):
        load_roster(path)


def test_a_file_is_read_once_however_many_readers_it_has(parsed: list[str]) -> None:
    text = "subscribers:\n" + "".join(
        f"  - email: r{i}@example.org\n    keywords: [reasoning, reward model]\n    at: '07:00'\n"
        for i in range(2000)
    )
    assert len(load(text).subscribers) == 2000
    assert parsed == [text]


def test_what_a_value_suggests_is_not_tried_by_reading_the_file_again(parsed: list[str]) -> None:
    text = field("timezone: Berlin\n    at: 7\n    shedule: daily\n    name: 2024")
    assert [problem.suggestion for problem in problems(text)] == [
        "Europe/Berlin",
        '"07:00"',
        "schedule",
        '"2024"',
    ]
    assert parsed == [text]


def test_a_broken_line_costs_one_reading_more(parsed: list[str]) -> None:
    problems('keywords:\n  A: "a" OR b\n  B: "c" OR d\n  C: ti: x\n')
    assert len(parsed) == 4


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are parsed, in their order."""
    texts: list[str] = []

    class Counted(Document):
        def __init__(self, text: str) -> None:
            texts.append(text)
            super().__init__(text)

    monkeypatch.setattr("digest.subscribers.repair.Document", Counted)
    return texts


@given(
    st.text(
        alphabet=st.characters(exclude_categories=["Cs"], max_codepoint=0x2FFF),
        min_size=1,
        max_size=30,
    )
)
def test_a_text_is_written_so_that_it_reads_as_itself(text: str) -> None:
    for document in (Document(f"- [{write(text)}, x]"), Document(f"- - {write(text)}\n  - x")):
        node = document.root.items[0].items[0]  # type: ignore[union-attr]
        assert node.kind is NodeKind.TEXT
        assert node.value == text
