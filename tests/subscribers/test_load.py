from __future__ import annotations

import re
import time
from datetime import date
from datetime import time as clock
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, Exit
from digest.model import Order, Revisions, Roster, Rule, Weekly
from digest.subscribers import Problem, SubscribersFileError, load_roster
from digest.subscribers.check import check_text
from digest.subscribers.document import Document, Kind
from digest.subscribers.quoting import write

EXAMPLE = Path(__file__).parent.parent.parent / "subscribers.yaml"
READERS = "subscribers:\n  - email: ada@example.org\n    keywords: [reasoning]\n"


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
        "subscribers:\n  - email: ada@example.org\n  - email: grace@example.org\n    at: null\n    keywords: [x]\n"
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


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "suggestion"),
    [
        (field("timezone: Europe/Berln"), 4, 15, "no time zone", "Europe/Berlin"),
        (field("timezone: Berlin"), 4, 15, "no time zone", "Europe/Berlin"),
        (field("timezone: ../x"), 4, 15, "no time zone", None),
        (field('at: "25:00"'), 4, 9, "no time of day", ""),
        (field("at: 7"), 4, 9, "no time of day", '"07:00"'),
        (field("at: 7pm"), 4, 9, "no time of day", '"19:00"'),
        (field("at: 420"), 4, 9, "no time of day", '"07:00"'),
        (field("max_papers: -3"), 4, 17, "whole number", "3"),
        (field("max_papers: many"), 4, 17, "whole number", ""),
        (field("max_papers: 0"), 4, 17, "whole number", ""),
        (field("revisions: yes"), 4, 16, "true, false or published", "true"),
        (field("quiet_days: true"), 4, 17, "tell or silent", "tell"),
        (field("order: newst"), 4, 12, "likeliest or newest", "newest"),
        (field("schedule: mondays"), 4, 15, "no schedule", "[mon]"),
        (field("schedule: monthly"), 4, 15, "no schedule", ""),
        (field("schedule: [monthly]"), 4, 16, "no day", ""),
        (field("schedule: [mon, tuesday]"), 4, 21, "no day", "tue"),
        (field("schedule: []"), 4, 15, "empty", ""),
        (field("paused_until: 1.12.2026"), 4, 19, "no date", "2026-12-01"),
        (field("paused_until: 2026-02-30"), 4, 19, "no date", ""),
        (field("shedule: daily"), 4, 5, "means nothing", "schedule"),
        (field("name: [Ada]"), 4, 11, "one text", ""),
        (field("name: 2024"), 4, 11, "a number", '"2024"'),
        (field("exclude: 'cat:cs.RO'"), 4, 14, "is a list", '["cat:cs.RO"]'),
        (field("exclude: ['(cat:cs.RO']"), 4, 16, "not closed", ""),
        (field("email: ada@example.org"), 4, 5, "second time", ""),
        (READERS.replace("reasoning", "1e3"), 3, 16, "a number", '"1e3"'),
        (READERS.replace("reasoning", "2024"), 3, 16, "a number", '"2024"'),
        (READERS.replace("reasoning", "on"), 3, 16, "as true", '"on"'),
        (READERS.replace("reasoning", "~"), 3, 16, "as nothing", ""),
        (READERS.replace("reasoning", "2026-12-01"), 3, 16, "a date", '"2026-12-01"'),
        (READERS.replace("reasoning", ""), 3, 15, "no keywords", ""),
        (READERS.replace("[reasoning]", "reasoning"), 3, 15, "is a list", "[reasoning]"),
        (READERS.replace("[reasoning]", "\n      -"), 4, 8, "missing", ""),
        (READERS.replace("[reasoning]", "\n      - #x"), 4, 9, "a comment", '"#x"'),
        (READERS.replace("reasoning", "+visoin") + "groups: {vision: [a]}\n", 3, 16, "no group", "+vision"),
        ("keywords: {Reasoning: ti:x}\n" + READERS.replace("reasoning", "reasonnig"), 4, 16, "almost", "Reasoning"),
        (READERS.replace("ada@example.org", "Ada <ada@example.org>"), 2, 12, "no mail address", "ada@example.org"),
        (READERS + "  - email: ADA@example.org\n    keywords: [x]\n", 4, 12, "first in line 2", ""),
        ("subscribers:\n  - ada@example.org\n", 2, 5, "name: value", ""),
        ("defaults: {keywords: [x]}\nsubscribers:\n  - a@example.org\n", 3, 5, "name: value", "email: a@example.org"),
        ("subscribers:\n  - keywords: [x]\n", 2, 5, "no email", ""),
        ("subscribers: 3\n", 1, 14, "is a list", ""),
        ("keywords: {Reward Model: 'ti:x', reward model: 'ti:y'}\n", 1, 34, "case", ""),
        ("groups: {Vision: [a], vision: [b]}\n", 1, 23, "case", ""),
        ("groups: {vision: [+other]}\n", 1, 19, "no other group", ""),
        ("keywords: {A: 'ti:x', A: 'ti:y'}\n", 1, 23, "second time, first in line 1", ""),
        ("keywords: {2024: 'ti:x'}\n", 1, 12, "a number", '"2024"'),
        ("keywords: {+A: 'ti:x'}\n", 1, 12, "marks groups", "A"),
        ("keywords:\n  MLLM:\n", 2, 3, "no query", "MLLM: MLLM"),
        ("keywords:\n  A: #b\n", 2, 6, "a comment", '"#b"'),
        ("keywords:\n  A: '(ti:x OR ti:y'\n", 2, 7, "not closed", ""),
        ("keywords: {A: {query: x, match: titel}}\n", 1, 33, "match is", "title"),
        ("keywords: {A: {query: x, mach: title}}\n", 1, 26, "means nothing", "match"),
        ("keywords: {A: {query: 'ti:x', match: title}}\n", 1, 24, "plain word", ""),
        ("subscribrs: []\n", 1, 1, "means nothing", "subscribers"),
        ("defaults: {email: ada@example.org}\nkeywords: [a]\n", 1, 12, "means nothing", None),
        ("", 1, 1, "holds nothing", ""),
        ("# nothing but words\n", 1, 1, "holds nothing", ""),
        ("hello\n", 1, 1, "name: value", ""),
        # What is no YAML at all.
        ("keywords:\n  A: \"a\" OR b\n", 2, 6, "as a whole", "A: '\"a\" OR b'"),
        (READERS.replace("[reasoning]", '\n      - "a" OR b'), 4, 9, "as a whole", "- '\"a\" OR b'"),
        (READERS.replace("reasoning", 'x, "a" OR b'), 3, 19, "as a whole", "keywords: [x, '\"a\" OR b']"),
        ("keywords:\n  A: ti: x\n", 2, 6, "colon", 'A: "ti:x"'),
        ("keywords:\n  A: ti: x y\n", 2, 6, "colon", "A: 'ti:\"x y\"'"),
        (field("name: Dr: Ada"), 4, 11, "colon", 'name: "Dr: Ada"'),
        ("keywords:\n  A: @x\n", 2, 6, "in quotes", 'A: "@x"'),
        ("keywords:\n\tA: ti:x\n", 2, 1, "a tab", "2 blanks for each tab"),
        ("keywords:\n  A: *x\n", 2, 6, "another value", ""),
        ("keywords:\n  A: !x\n", 2, 6, "type of a value", ""),
        ("keywords:\n  A: \"ti:x\n", 2, 6, "never closed", ""),
        ("keywords: [a\n", 1, 11, "this [ is not closed", ""),
        ("keywords: [", 1, 11, "this [ is not closed", ""),
        ("keywords:\n  - a\ngroups: {vision: [\n# ]\n", 3, 18, "this [ is not closed", ""),
        ("keywords: {a: x, b: ", 1, 11, "this { is not closed", ""),
        ("keywords:\n  - [b\ngroups: {}\n", 3, 7, "bracket of line 2", ""),
        ("keywords:\n  A: \"\\d\"\n", 2, 7, "backslash", ""),
        (field('name: "Ada \\d"'), 4, 16, "backslash", "name: 'Ada \\d'"),
        ("keywords: [a]\n---\nkeywords: [b]\n", 2, 1, "second document", ""),
        ("keywords: [a\x07]\n", 1, 13, "U+0007", ""),
        ("keywords:\n  [a]: b\n", 2, 3, "name is expected", ""),
    ],
)  # fmt: skip
def test_a_mistake_is_shown_where_it_stands(
    text: str, line: int, column: int, words: str, suggestion: str | None
) -> None:
    problem = only(text)
    assert (problem.line, problem.column) == (line, column), problem
    assert words in problem.message
    assert suggestion is None or problem.suggestion == suggestion


def test_all_mistakes_are_reported_at_once_those_of_yaml_itself_included() -> None:
    text = (
        "defaults: {timezone: Europe/Berln}\n"
        'keywords:\n  A: "a" OR b\n  B: "c" OR d\n'
        "subscribers:\n  - email: ada@example.org\n    keywords: [1e3, +none]\n    max_papers: -1\n"
    )
    assert [(p.line, p.column) for p in problems(text)] == [
        (1, 22),
        (3, 6),
        (4, 6),
        (7, 16),
        (7, 21),
        (8, 17),
    ]


def test_the_text_of_the_error_shows_line_caret_and_suggestion() -> None:
    with pytest.raises(SubscribersFileError) as caught:
        load(field("timezone: Europe/Berln"))
    assert str(caught.value).split("\n") == [
        "subscribers.yaml:4:15: 'Europe/Berln' is no time zone",
        "      timezone: Europe/Berln",
        "                ^",
        "  did you mean: Europe/Berlin",
    ]


def test_several_mistakes_are_framed_and_counted() -> None:
    with pytest.raises(SubscribersFileError) as caught:
        load(field("timezone: Europe/Berln\n    at: 7am\n    order: newst"))
    lines = str(caught.value).split("\n")
    assert lines[0] == "subscribers.yaml is not right:"
    assert [line for line in lines[1:-1] if line.startswith("subscribers.yaml:")] == [
        "subscribers.yaml:4:15: 'Europe/Berln' is no time zone",
        "subscribers.yaml:5:9: '7am' is no time of day: write hours and minutes in quotes",
        "subscribers.yaml:6:12: order is likeliest or newest, and not 'newst'",
    ]
    assert lines[-1] == "3 mistakes in subscribers.yaml; nothing was changed"


@pytest.mark.parametrize(
    "lines",
    [
        "\t- email: ada@example.org\n\t  keywords: [x]\n\t- email: lin@example.org\n\t  keywords: [y]\n",
        "\t- email: ada@example.org\n\t\tkeywords: [x]\n\n\t- email: lin@example.org\n\t\tkeywords:\n\t\t\t- y\n",
        "  - email: ada@example.org\n\tkeywords: [x]\n  - email: lin@example.org\n\tkeywords: [y]\n",
        "    - email: ada@example.org\n\tkeywords: [x]\n    - email: lin@example.org\n\tkeywords: [y]\n",
        "- email: ada@example.org\n\tkeywords: [x]\n- email: lin@example.org\n\tkeywords: [y]\n",
    ],
)
def test_tabs_are_one_mistake_and_what_is_proposed_keeps_each_reader_whole(lines: str) -> None:
    text = "subscribers:\n" + lines
    problem = only(text)
    assert "YAML is indented with blanks" in problem.message
    width = int(problem.suggestion.split()[0])
    indented = re.sub(r"(?m)^[ \t]+", lambda match: match[0].replace("\t", " " * width), text)
    assert [(r.email, [k.name for k in r.keywords]) for r in load(indented).subscribers] == [
        ("ada@example.org", ["x"]),
        ("lin@example.org", ["y"]),
    ]


def test_tabs_hide_no_other_mistake() -> None:
    text = "subscribers:\n\t- email: ada@example.org\n\t\tkeywords: [x]\n\t\tat: 7am\n"
    tabs, hour = problems(text)
    assert (tabs.line, tabs.column, hour.line, hour.column) == (2, 1, 4, 7)
    assert "2 more lines" in tabs.message
    assert hour.suggestion == '"07:00"'


def test_tabs_that_cannot_be_mended_by_blanks_are_only_named() -> None:
    text = "subscribers:\n  - email: ada@example.org\n    keywords: [x]\n \t    \tat: [\n"
    assert all(problem.suggestion == "" for problem in problems(text))


def test_two_slips_that_would_come_to_the_same_are_not_both_proposed() -> None:
    first, second = problems(field("shedule: daily\n    schedul: weekly"))
    assert (first.suggestion, second.suggestion) == ("schedule", "")


PIECES = st.sampled_from(
    "a ti abs cs.LG b: ti: x: \" ' # @ * ! % ` [ ] { } , - + & | > ? \\ ( ) AND OR 1e3 ~ on 2024 7 pm :".split()
)


@settings(max_examples=300)
@given(st.lists(PIECES, min_size=1, max_size=5), st.sampled_from(["", " "]))
def test_a_file_is_right_at_the_place_where_its_suggestion_was_taken(
    pieces: list[str], between: str
) -> None:
    value = between.join(pieces)
    for before, after in (
        ("keywords:\n  A: ", "\n  B: x\n"),
        ("keywords:\n  - ", "\n  - y\n"),
        (
            "subscribers:\n  - email: ada@example.org\n    keywords: [x]\n    at: ",
            "\n    order: newest\n",
        ),
        (
            "subscribers:\n  - email: ada@example.org\n    keywords: [x]\n    name: ",
            "\n    order: newest\n",
        ),
    ):
        text = before + value + after
        found = [problem for problem in mistakes(text) if problem.suggestion]
        row = before.count("\n")
        for problem in found:
            lines = text.split("\n")
            assert problem.line == row + 1, problem
            line = lines[row]
            start = len(line) - len(line.lstrip())
            whole = problem.suggestion.startswith(line.split()[0])
            if not whole and problem.column - 1 > start + len(line.split()[0]) + 1:
                continue  # in the midst of the line: where its end lies only the file's tree knows
            lines[row] = line[: start if whole else problem.column - 1] + problem.suggestion
            assert row + 1 not in {p.line for p in mistakes("\n".join(lines))}, (text, problem)


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
    started = time.monotonic()
    assert "aliases" in only(bomb).message
    assert time.monotonic() - started < 2


def test_endless_nesting_is_refused() -> None:
    assert "deeper" in only("keywords: " + "[" * 5000).message


def test_an_enormous_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digest.subscribers.load.MAX_BYTES", 10)
    path = tmp_path / "subscribers.yaml"
    path.write_text(READERS)
    with pytest.raises(ConfigError, match="more than"):
        load_roster(path)


def test_two_thousand_readers_load_in_bounded_time(tmp_path: Path) -> None:
    text = "subscribers:\n" + "".join(
        f"  - email: r{i}@example.org\n    keywords: [reasoning, reward model]\n    at: '07:00'\n"
        for i in range(2000)
    )
    started = time.monotonic()
    assert len(load(text).subscribers) == 2000
    assert time.monotonic() - started < 6


@given(st.text(alphabet=st.sampled_from("a1e:#-[]{}\"' ,&*!|>%@`\n\t?~+\\"), max_size=60))
def test_whatever_stands_in_the_file_is_read_or_reported(text: str) -> None:
    for whole in (text, f"keywords:\n  A: {text}", READERS.replace("reasoning", text)):
        found: tuple[Problem, ...] = ()
        try:
            check_text(whole, "subscribers.yaml")
        except SubscribersFileError as error:
            found = error.problems or (Problem(0, 0, ""),)
        assert all(
            problem.line >= 1 and problem.column >= 1 and problem.message for problem in found
        )


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
        assert node.kind is Kind.TEXT
        assert node.value == text
