"""What is wrong in a subscribers file: each mistake with its place, words and suggestion."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.subscribers import Problem, SubscribersFileError
from digest.subscribers.check import check_text
from digest.subscribers.problems import Entry
from tests.subscribers.files import READERS, field, load, mistakes, only, problems


def readers(keywords: str) -> str:
    return READERS.replace("reasoning", keywords)


NAMED = READERS.replace("ada@example.org", "Ada <ada@example.org>")
BARE = "defaults: {keywords: [x]}\nsubscribers:\n  - a@example.org\n"
LISTED = READERS.replace("[reasoning]", "")


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
        (readers("+visoin") + "groups: {vision: [a]}\n", 3, 16, "no group", "+vision"),
        ("keywords: {Reasoning: ti:x}\n" + readers("reasonnig"), 4, 16, "almost", "Reasoning"),
        (NAMED, 2, 12, "no mail address", "ada@example.org"),
        (READERS + "  - email: ADA@example.org\n    keywords: [x]\n", 4, 12, "first in line 2", ""),
        ("subscribers:\n  - ada@example.org\n", 2, 5, "name: value", ""),
        (BARE, 3, 5, "name: value", "email: a@example.org"),
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
        (LISTED + '      - "a" OR b\n', 4, 9, "as a whole", "- '\"a\" OR b'"),
        (readers('x, "a" OR b'), 3, 19, "as a whole", "keywords: [x, '\"a\" OR b']"),
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


def test_a_mistake_knows_which_part_of_the_file_it_spoils() -> None:
    text = (
        "defaults: {timezone: Europe/Berln}\n"
        "keywords: {A: '(ti:x', B: {query: x, match: titel}, +C: x}\n"
        "groups: {vision: [a, ~], +: [+x]}\n"
        "subscribrs: []\n"
        "subscribers:\n"
        "  - {email: ada@example.org, keywords: [x]}\n"
        "  - {email: lin@example.org, keywords: [+none], at: 7}\n"
        "  - ada@example.org\n"
        "  - {email: ADA@example.org, keywords: [x], order: newst}\n"
    )
    assert [problem.entry for problem in problems(text)] == [
        Entry("defaults", "timezone"),
        Entry("keywords", "A"),
        Entry("keywords", "B"),
        Entry("keywords", "+C"),
        Entry("groups", "vision"),
        Entry("groups", "+"),
        Entry(),
        Entry("subscribers", 2),
        Entry("subscribers", 2),
        Entry("subscribers", 3),
        Entry("subscribers", 4),
        Entry("subscribers", 4),
    ]


@pytest.mark.parametrize(
    "value", ["99999999999999999999-1-1", f"{'1' * 5000}-01-01", "1.1.99999999999999999999"]
)
def test_a_date_with_a_number_that_no_calendar_has_is_a_mistake_like_any_other(value: str) -> None:
    problem = only(field(f"paused_until: {value}"))
    assert "is no date" in problem.message
    assert problem.suggestion == ""


def test_in_a_line_with_tabs_the_caret_stands_under_the_mistake_of_yaml() -> None:
    text = "keywords:\n\tA: x\n\tB: @y\n"
    tabs, quotes = problems(text)
    assert (tabs.line, tabs.column) == (2, 1)
    assert (quotes.line, quotes.column) == (3, 1 + text.split("\n")[2].index("@"))


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
        "\t- email: {}\n\t  keywords: [x]\n\t- email: {}\n\t  keywords: [y]\n",
        "\t- email: {}\n\t\tkeywords: [x]\n\n\t- email: {}\n\t\tkeywords:\n\t\t\t- y\n",
        "  - email: {}\n\tkeywords: [x]\n  - email: {}\n\tkeywords: [y]\n",
        "    - email: {}\n\tkeywords: [x]\n    - email: {}\n\tkeywords: [y]\n",
        "- email: {}\n\tkeywords: [x]\n- email: {}\n\tkeywords: [y]\n",
    ],
)
def test_tabs_are_one_mistake_and_what_is_proposed_keeps_each_reader_whole(lines: str) -> None:
    text = "subscribers:\n" + lines.format("ada@example.org", "lin@example.org")
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
    "a ti abs cs.LG b: ti: x: \" ' # @ * ! % ` [ ] { } , - + & | > ? \\ ( ) AND OR".split()
    + "1e3 ~ on 2024 7 pm :".split()
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
