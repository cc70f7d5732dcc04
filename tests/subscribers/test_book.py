"""The book of readers: the file, those who signed up, and what readers of the file took away."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.errors import UsageError
from digest.model import Away, Origin, Roster, SignUp, Subscriber, Wish
from digest.subscribers.book import Book, with_wishes
from digest.subscribers.fields import Value
from digest.subscribers.follow import follow_text

NOW = datetime(2026, 11, 30, tzinfo=UTC)
FILE = """\
defaults: {timezone: Europe/Berlin}
keywords: {RL: 'ti:"reinforcement learning"', Agents: 'ti:agent*'}
groups: {vision: [MLLM, Agents]}
subscribers:
  - {email: ada@example.org, keywords: [RL, Agents, diffusion]}
  - {email: lin@example.org, keywords: [RL], paused_until: 2026-12-24}
"""


def read(text: str = FILE) -> Book:
    return follow_text(text, "subscribers.yaml", lambda problem: problem.message, may_be_empty=True)


def signed(email: str = "eve@example.org", book: Book | None = None, **fields: Value) -> SignUp:
    return (book or read()).sign_up(email, {"keywords": ["RL"], **fields})


def only(roster: Roster, email: str) -> Subscriber:
    (reader,) = [reader for reader in roster.subscribers if reader.email == email]
    return reader


def names(roster: Roster, email: str) -> list[str]:
    return [keyword.name for keyword in only(roster, email).keywords]


def left(name: str, query: str) -> Wish:
    return Wish("ada@example.org", Away.KEYWORD, query, name, NOW)


def paused(until: str, entry: str = "", email: str = "ada@example.org") -> Wish:
    return Wish(email, Away.PAUSE, until, entry, NOW)


def test_an_entry_means_what_it_would_in_the_file() -> None:
    fields: dict[str, Value] = {
        "keywords": ["rl", "+vision", "ti:flow"],
        "at": "07:00",
        "schedule": ["mon", "thu"],
        "max_papers": 7,
        "revisions": True,
        "exclude": ["Agents"],
        "name": "Eve",
        "paused_until": "2026-12-01",
    }
    text = FILE + f"  - {json.dumps({'email': 'eve@example.org', **fields})}\n"
    in_file = only(read(text).roster, "eve@example.org")
    roster = read().with_sign_ups([read().sign_up("eve@EXAMPLE.org", fields)])
    own = only(roster, "eve@example.org")
    assert own.origin is Origin.WEB
    assert own.timezone == "Europe/Berlin"
    assert repr(own).replace("WEB: 'web'", "FILE: 'file'") == repr(in_file)
    assert {k.query for k in own.keywords} <= {k.query for k in roster.keywords}


@pytest.mark.parametrize("entry", ["", ", keywords: [nothing] wrong"])
def test_whom_the_file_names_is_the_files_reader_alone(entry: str) -> None:
    others = "".join(f"  - {{email: r{n}@example.org, keywords: [x]}}\n" for n in range(3))
    text = f"subscribers:\n  - {{email: EVE@example.org{entry or ', keywords: [x]'}}}\n{others}"
    text = text if not entry else text.replace(" wrong", ", nonsense: 1")
    roster = read(text).with_sign_ups([SignUp("eve@example.org", '{"keywords": ["RL"]}')])
    assert all(reader.origin is Origin.FILE for reader in roster.subscribers)
    assert bool(roster.why_held_back("eve@example.org")) is bool(entry)


def test_a_keyword_taken_out_of_the_file_holds_back_who_had_it_alone() -> None:
    eve, tom = signed(), signed("tom@example.org", keywords=["Agents"])
    mary = signed("mary@example.org")
    roster = read(FILE.replace("RL: ", "Reinforcement: ").replace("[RL", "[x")).with_sign_ups(
        [eve, tom, mary]
    )
    assert names(roster, "tom@example.org") == ["Agents"]
    (mistake,) = roster.mistakes
    assert mistake.holds_back == ("eve@example.org", "mary@example.org")
    assert mistake.words == "a sign-up: RL is no longer among the keywords"


def test_a_mistake_in_the_file_holds_back_those_who_signed_up_and_rest_on_it() -> None:
    text = FILE.replace("'ti:agent*'", "'ti:('")
    text += "".join(f"  - {{email: r{n}@example.org, keywords: [x]}}\n" for n in range(3))
    tom = signed("tom@example.org", keywords=["+vision"])
    roster = read(text).with_sign_ups([signed(), tom])
    assert names(roster, "eve@example.org") == ["RL"]
    (mistake,) = roster.mistakes
    assert mistake.holds_back == ("ada@example.org", "tom@example.org")


def test_a_word_that_is_almost_a_name_is_the_readers_own() -> None:
    eve = signed(keywords=["agent"])
    assert names(read().with_sign_ups([eve]), "eve@example.org") == ["agent"]


def test_without_a_reader_in_the_file_those_who_signed_up_are_all() -> None:
    empty = read("")
    roster = empty.with_sign_ups([signed(book=empty, keywords=["diffusion"])])
    assert [reader.email for reader in roster.subscribers] == ["eve@example.org"]
    assert not roster.names_readers


@pytest.mark.parametrize(
    ("email", "fields", "says"),
    [
        ("no address", {}, "no mail address"),
        ("github:ada/papers", {}, "no mail address"),
        ("eve@example.org", {"keywords": []}, "the entry has no keywords"),
        ("eve@example.org", {"keywords": ["ti:("]}, "before a group"),
        ("eve@example.org", {"keywords": "RL"}, "keywords is a list"),
        ("eve@example.org", {"keywords": ["+nobody"]}, "there is no group"),
        ("eve@example.org", {"keywords": ["x"] * 51}, "too much"),
        ("eve@example.org", {"name": "x" * 9000}, "too much"),
        ("eve@example.org", {"timezone": "Berlin"}, "Europe/Berlin"),
        ("eve@example.org", {"max_papers": 0}, "max_papers"),
        ("eve@example.org", {"github": "eve/papers"}, "means nothing"),
    ],
)
def test_what_somebody_asks_for_is_checked(email: str, fields: dict[str, Value], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        signed(email, **fields)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
FIELDS = ["keywords", "at", "schedule", "max_papers", "within", "revisions", "name", "nonsense"]


@settings(max_examples=60, deadline=None)
@given(entry=st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_whatever_an_entry_holds_it_is_read_or_holds_back_its_reader(
    entry: dict[str, object],
) -> None:
    roster = BOOK.with_sign_ups([SignUp("eve@example.org", json.dumps(entry)), TOM])
    held = bool(roster.why_held_back("eve@example.org"))
    assert held is not any(reader.email == "eve@example.org" for reader in roster.subscribers)
    assert names(roster, "tom@example.org") == ["RL"]


def test_an_entry_that_is_damaged_holds_back_its_reader_alone() -> None:
    roster = BOOK.with_sign_ups([SignUp("eve@example.org", '{"keywords": ["RL'), TOM])
    assert roster.why_held_back("eve@example.org")
    assert names(roster, "tom@example.org") == ["RL"]


BOOK, TOM = read(), SignUp("tom@example.org", '{"keywords": ["RL"]}')


def test_a_wish_takes_a_keyword_away_and_nothing_else() -> None:
    roster = with_wishes(read().roster, [left("RL", 'ti:"reinforcement learning"')])
    assert names(roster, "ada@example.org") == ["Agents", "diffusion"]
    assert names(roster, "lin@example.org") == ["RL"]
    assert roster.keywords == read().roster.keywords
    assert only(roster, "ada@example.org").wishes
    assert not roster.ended_wishes


def test_a_wish_about_a_keyword_outlives_another_query_of_that_name_and_other_keywords() -> None:
    wish = left("RL", 'ti:"reinforcement learning"')
    edited = FILE.replace('ti:"reinforcement learning"', "ti:bandit").replace("diffusion", "flow")
    assert names(with_wishes(read(edited).roster, [wish]), "ada@example.org") == ["Agents", "flow"]
    renamed = FILE.replace("RL", "Learning")
    assert names(with_wishes(read(renamed).roster, [wish]), "ada@example.org") == [
        "Agents",
        "diffusion",
    ]


def test_a_wish_ends_when_the_file_no_longer_says_what_it_took_away() -> None:
    wish = left("RL", 'ti:"reinforcement learning"')
    roster = with_wishes(read(FILE.replace("[RL, Agents", "[Agents")).roster, [wish])
    assert roster.ended_wishes == (wish,)
    assert not only(roster, "ada@example.org").wishes


def test_a_pause_is_the_later_one_of_file_and_wish() -> None:
    shorter = paused("2026-12-01", "2026-12-24", "lin@example.org")
    longer = paused("2027-01-15", "2026-12-24", "lin@example.org")
    for wish, day in ((shorter, date(2026, 12, 24)), (longer, date(2027, 1, 15))):
        roster = with_wishes(read().roster, [wish])
        assert only(roster, "lin@example.org").paused_until == day
    resumed = FILE.replace(", paused_until: 2026-12-24", "")
    roster = with_wishes(read(resumed).roster, [longer])
    assert only(roster, "lin@example.org").paused_until is None
    assert roster.ended_wishes == (longer,)


def test_with_no_keyword_left_nothing_is_mailed() -> None:
    wish = Wish("lin@example.org", Away.KEYWORD, 'ti:"reinforcement learning"', "RL", NOW)
    lin = only(with_wishes(read().roster, [wish]), "lin@example.org")
    assert (lin.keywords, lin.paused_until) == ((), date.max)


def test_who_is_held_back_keeps_the_wishes() -> None:
    text = FILE.replace("[RL, Agents, diffusion]", "[RL], nonsense: 1")
    text += "  - {email: tom@example.org, keywords: [x]}\n"
    roster = with_wishes(read(text).roster, [left("RL", 'ti:"reinforcement learning"')])
    assert roster.why_held_back("ada@example.org")
    assert not roster.ended_wishes
