"""A file with mistakes: whom each holds back, and when nobody can be served."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Roster
from digest.subscribers import Problem, SubscribersFileError
from digest.subscribers.follow import follow_text

OTHERS = "".join(f"  - email: r{n}@example.org\n    keywords: [x]\n" for n in range(4))


def follow(text: str) -> Roster:
    def words(problem: Problem) -> str:
        return f"line {problem.line}: {problem.message}"

    return follow_text(text, "subscribers.yaml", words).roster


def held(text: str) -> list[str]:
    """Whom the file holds back; everybody else is served."""
    roster = follow(text)
    found = {address for mistake in roster.mistakes for address in mistake.holds_back}
    assert not found & {reader.email for reader in roster.subscribers}
    return sorted(found)


def readers(*entries: str) -> str:
    return "subscribers:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries) + OTHERS


ADA, LIN = "email: ada@example.org", "email: lin@example.org"


@pytest.mark.parametrize(
    "mistake",
    [
        "timezone: Europe/Berln",
        "time: '07:00'",
        "keywords: ['(ti:x']",
        "keywords: [+none]",
        "keywords: [1e3]",
        "keywords: []",
        "exclude: ['ti:']",
        "paused_until: 2026-02-30",
        "schedule: []",
        "max_papers: many",
        "name: [Ada]",
    ],
)
def test_a_mistake_in_an_entry_holds_back_its_reader_alone(mistake: str) -> None:
    own = "" if mistake.startswith("keywords") else "keywords: [x], "
    roster = follow(readers(f"{ADA}, {own}{mistake}", f"{LIN}, keywords: [y]"))
    [found] = roster.mistakes
    assert found.holds_back == ("ada@example.org",)
    assert found.words.startswith("line 2: ")
    assert [r.email for r in roster.subscribers][:2] == ["lin@example.org", "r0@example.org"]


@pytest.mark.parametrize(
    ("above", "reader", "expected"),
    [
        ("keywords: {A: '(ti:x'}", "keywords: [a]", "ada@example.org"),
        ("keywords: {A: x, a: y}", "keywords: [A]", "ada@example.org"),
        ("keywords: {A: ti:x, A: ti:y}", "keywords: [A]", "ada@example.org"),
        ("keywords: {+A: ti:x}", "keywords: [A]", "ada@example.org"),
        ("keywords: {1e3: ti:x}", "keywords: ['1e3']", "ada@example.org"),
        ("keywords: {A: {qeury: x}}", "keywords: [A]", "ada@example.org"),
        ("keywords: {A: '(ti:x'}", "keywords: [x], exclude: [A]", "ada@example.org"),
        ("keywords: {A: '(ti:x'}\ngroups: {g: [A, y]}", "keywords: [+g]", "ada@example.org"),
        ("groups: {g: ['(ti:x']}", "keywords: [+G]", "ada@example.org"),
        ("groups: {g: [x], G: [y]}", "keywords: [+g]", "ada@example.org"),
        ("keywords: {A: '(ti:x'}", "keywords: [x]", ""),
        ("groups: {g: [+x]}", "keywords: [g]", ""),
    ],
)
def test_a_shared_mistake_holds_back_those_who_use_it(
    above: str, reader: str, expected: str
) -> None:
    text = f"{above}\n{readers(f'{ADA}, {reader}', f'{LIN}, keywords: [y]')}"
    assert held(text) == ([expected] if expected else [])


def test_a_mistake_in_the_defaults_holds_back_those_who_use_that_default() -> None:
    own = "".join(
        f"  - {{email: r{n}@example.org, keywords: [x], at: '08:00'}}\n" for n in range(3)
    )
    text = f"defaults: {{at: 7x, order: newest}}\nsubscribers:\n{own}  - {{{ADA}, keywords: [x]}}\n"
    assert held(text) == ["ada@example.org"]
    roster = follow(text)
    assert str(roster.mistakes[0]).startswith("line 1: '7x' is no time of day")
    for default in ("at: 7x, order: newest, at: '09:00'", "at: '09:00', at: '08:00'"):
        assert held(text.replace("at: 7x, order: newest", default)) == ["ada@example.org"]
    # Which default a name stands for that means nothing, nobody knows.
    with pytest.raises(SubscribersFileError, match="time: means nothing"):
        follow(text.replace("at: 7x", "time: 7"))


@pytest.mark.parametrize(
    "entry",
    [
        "keywords: [x]",
        "email: ada@example, keywords: [x]",
        "emial: ada@example.org, keywords: [x]",
        "email: [ada@example.org], keywords: [x]",
        "email: ada@example.org, github: ada/papers, keywords: [x]",
        "email: ada@example.org, keywords: [x], email: lin@example.org",
        "email: ada@example.org, keywords: [x], keywords: [y]",
        "email: ada@example.org, keywords: [x, {email: lin@example.org, keywords: [y]}]",
        "email: ada@example.org, keywords: [x], name: {email: lin@example.org}",
        "email: ada@example.org, keywords: [x], name: 'A\n\n      email: lin@example.org'",
    ],
)
def test_where_it_cannot_be_told_who_is_meant_nobody_in_particular_is_held_back(entry: str) -> None:
    assert held(readers(entry)) == [""]


def test_an_address_that_stands_twice_holds_back_its_reader_once() -> None:
    text = readers(f"{ADA}, keywords: [x]", "email: ADA@example.org, keywords: [y]")
    roster = follow(text)
    assert held(text) == ["ADA@example.org"]
    assert all(r.email.startswith("r") for r in roster.subscribers)


@pytest.mark.parametrize(
    ("wrong", "right", "follows"), [(2, 2, True), (2, 1, False), (1, 0, False)]
)
def test_nobody_is_served_where_more_than_half_would_be_held_back(
    wrong: int, right: int, *, follows: bool
) -> None:
    entries = [f"  - {{email: w{n}@example.org, keywords: [x], at: no}}\n" for n in range(wrong)]
    entries += [f"  - {{email: r{n}@example.org, keywords: [x]}}\n" for n in range(right)]
    text = "subscribers:\n" + "".join(entries)
    if follows:
        assert len(follow(text).subscribers) == right
        return
    with pytest.raises(SubscribersFileError, match=f"w{wrong - 1}@|at: no"):
        follow(text)


@pytest.mark.parametrize(
    "text",
    [
        f"subscribers:\n  - email: ada@example.org\n    keywords: [x\n{OTHERS}",
        f'subscribers:\n  - email: ada@example.org\n    keywords:\n    - "a" OR b\n{OTHERS}',
        f"subscribrs: []\nsubscribers:\n{OTHERS}",
        f"keywords: x\nsubscribers:\n{OTHERS}",
        f"keywords: {{~: x}}\nsubscribers:\n{OTHERS}",
        "subscribers: {email: ada@example.org}\n",
        "",
    ],
)
def test_what_concerns_all_stops_all(text: str) -> None:
    with pytest.raises(SubscribersFileError):
        follow(text)


def test_each_mistake_of_an_entry_names_whom_it_holds_back() -> None:
    roster = follow(readers(f"{ADA}, at: 7x, order: newst, keywords: [x]"))
    assert [m.holds_back for m in roster.mistakes] == [("ada@example.org",)] * 2


def test_the_keywords_of_those_who_are_served_are_fetched() -> None:
    text = "keywords: {A: '(ti:x', B: ti:b}\n" + readers(f"{ADA}, keywords: [y], at: 7x")
    assert {k.name for k in follow(text).keywords} == {"B", "x"}


SIX = "keywords:\n  A: ti:x\n\nsubscribers:\n" + "".join(
    f'  - email: r{n}@example.org\n    keywords: [A, "b c"]\n    at: "0{n}:00"\n'
    if n % 2
    else f"  - email: r{n}@example.org\n    name: R\n    keywords:\n      - A\n      - d e\n"
    for n in range(6)
)
SOUND = {reader.email: reader for reader in follow(SIX).subscribers}


def check_one_slip(start: int, length: int, typed: str) -> bool:
    """Make one slip in the file. Where it is followed at all (True), whoever it does not touch is
    served as before or held back, and nobody is taken for one who left.
    """
    text = SIX[:start] + typed + SIX[start + length :]
    try:
        roster = follow(text)
    except SubscribersFileError:
        return False
    if not roster.mistakes:
        return False
    served = {reader.email: reader for reader in roster.subscribers}
    touched = {n for n in range(6) if f"r{n}@" in SIX[max(0, start - 90) : start + length + 90]}
    for number in {*range(6)} - touched:
        address = f"r{number}@example.org"
        held = address in roster.held_back or "" in roster.held_back
        assert held or served.get(address) == SOUND[address], text
    for number in touched:
        address = f"r{number}@example.org"
        renamed = address not in text
        assert (
            renamed or address in served or address in roster.held_back or ("" in roster.held_back)
        ), text
    return True


SLIPS = st.tuples(
    st.integers(SIX.index("subscribers:") + 13, len(SIX) - 1),
    st.integers(0, 12),
    st.text(alphabet="ab1:-\"'[]{}#,&*! \n@", max_size=4),
)


@settings(max_examples=60, deadline=None)
@given(SLIPS)
def test_no_slip_makes_another_reader_one_who_left(slip: tuple[int, int, str]) -> None:
    check_one_slip(*slip)


@pytest.mark.heavy
def test_no_slip_of_many_makes_another_reader_one_who_left() -> None:
    followed = []

    @settings(max_examples=1500, deadline=None, database=None)
    @given(SLIPS)
    def check(slip: tuple[int, int, str]) -> None:
        followed.append(check_one_slip(*slip))

    check()
    assert sum(followed) > 50
