"""Readers who signed up, and what readers of the file took away, as commands show and change
them.
"""

from __future__ import annotations

import json
from datetime import date

import pytest

from digest.store import open_store
from digest.subscribers import load_roster
from digest.subscribers.book import fields_of
from digest.subscribers.fields import Value
from digest.subscribers.load import follow_file
from tests.world.shell import NOW, Shell

EVE, ADA = "eve@example.org", "ada@example.org"
FIELDS: dict[str, Value] = {
    "keywords": ["diffusion", "RL"],
    "at": "07:00",
    "name": "Eve",
    "schedule": "weekly",
}
KEYWORDS = "keywords: {RL: 'ti:\"reinforcement learning\"'}\n"


def sign_up(shell: Shell, email: str = EVE, **fields: Value) -> None:
    """What the web side does once an address is confirmed."""
    book = follow_file(shell.path, may_be_missing=True)
    with open_store(shell.home / "digest.db") as store:
        assert store.signups.sign_up(book.sign_up(email, FIELDS | fields), NOW)


def entry(shell: Shell, email: str = EVE) -> dict[str, Value]:
    with open_store(shell.home / "digest.db") as store:
        signup = store.signups.of(email)
    return fields_of(signup) if signup else {}


def sync(shell: Shell) -> None:
    with open_store(shell.home / "digest.db") as store:
        store.subscribers.sync(load_roster(shell.path), NOW)


@pytest.fixture
def eve(shell: Shell) -> Shell:
    shell.path.write_text(KEYWORDS)
    sign_up(shell)
    return shell


@pytest.fixture
def ada(shell: Shell) -> Shell:
    shell("subscribe", ADA, "-k", "reward model", "-k", "hallucination")
    sync(shell)
    return shell


def left(shell: Shell, word: str) -> None:
    found = next(k for k in load_roster(shell.path).subscribers[0].keywords if k.name == word)
    with open_store(shell.home / "digest.db") as store:
        assert store.wishes.leave(1, found, NOW)


def paused(shell: Shell, until: str) -> None:
    with open_store(shell.home / "digest.db") as store:
        assert store.wishes.pause(1, date.fromisoformat(until), "", NOW)


def test_who_signed_up_is_listed_and_shown_beside_the_file(eve: Shell) -> None:
    listed = eve("subscribers", "list")
    assert listed == "eve@example.org  mon, 07:00 (UTC)  diffusion, RL  (signed up)\n"
    assert eve("subscribers", "show", EVE).startswith("eve@example.org (Eve), signed up\n")
    shown = json.loads(eve("subscribers", "show", EVE, "--json"))
    assert (shown["origin"], shown["wishes"]) == ("web", [])


@pytest.mark.heavy
def test_a_service_with_sign_ups_alone_needs_no_file(shell: Shell) -> None:
    sign_up(shell, keywords=["diffusion"])
    assert "eve@example.org" in shell("subscribers")
    assert "eve@example.org" in shell("status")
    shell("subscribers", "set", EVE, "at=none")
    assert "at" not in entry(shell)
    shell("unsubscribe", EVE)
    assert entry(shell) == {}
    shell("subscribers", code=78)


@pytest.mark.heavy
def test_a_file_that_is_lost_is_no_service_without_one(ada: Shell) -> None:
    sign_up(ada, keywords=["diffusion"])
    ada.path.unlink()
    ada("subscribers", code=78)
    ada.path.write_text("# empty\n")
    ada("subscribers", code=78)


@pytest.mark.heavy
def test_the_operator_changes_the_entry_itself(eve: Shell) -> None:
    said = eve("subscribers", "set", EVE, "at=09:30", "timezone=Europe/Berlin", "name=none")
    assert "at is now 09:30" in said
    assert entry(eve) == {
        "keywords": ["diffusion", "RL"],
        "at": "09:30",
        "schedule": "weekly",
        "timezone": "Europe/Berlin",
    }
    eve("subscribers", "pause", EVE, "--until", "2099-12-24")
    assert entry(eve)["paused_until"] == "2099-12-24"
    eve("subscribers", "resume", EVE)
    assert "paused_until" not in entry(eve)
    assert eve.text == KEYWORDS


@pytest.mark.heavy
def test_a_field_of_the_defaults_is_cleared_for_good(eve: Shell) -> None:
    eve.path.write_text(KEYWORDS + "defaults: {at: '08:00', exclude: [RL]}\n")
    eve("subscribers", "set", EVE, "at=none", "exclude=none")
    shown = json.loads(eve("subscribers", "show", EVE, "--json"))
    assert (shown["at"], shown["exclude"]) == (None, [])


@pytest.mark.heavy
def test_unsubscribing_takes_a_keyword_or_lets_go(eve: Shell) -> None:
    assert eve("unsubscribe", EVE, "-k", "rl") == (
        "eve@example.org no longer gets RL; what stays is diffusion.\n"
    )
    assert entry(eve)["keywords"] == ["diffusion"]
    assert eve("unsubscribe", EVE, "-k", "diffusion") == (
        "eve@example.org is unsubscribed, since no keyword is left.\n"
    )
    assert entry(eve) == {}
    assert eve("unsubscribe", EVE) == "eve@example.org was not subscribed.\n"


def test_subscribing_takes_the_entry_over_into_the_file_whole(eve: Shell) -> None:
    said = eve("subscribe", EVE, "-k", "graphs", "--at", "10:00")
    assert "eve@example.org (Eve): now also graphs; at is now 10:00" in said
    assert "eve@example.org had signed up; from now on the file says what is wanted." in said
    reader = eve.reader(EVE)
    assert [keyword.name for keyword in reader.keywords] == ["diffusion", "RL", "graphs"]
    assert (reader.name, f"{reader.at:%H:%M}", len(reader.days)) == ("Eve", "10:00", 1)
    sync(eve)
    assert entry(eve) == {}
    assert json.loads(eve("subscribers", "show", EVE, "--json"))["origin"] == "file"
    assert eve("unsubscribe", EVE) == "eve@example.org is unsubscribed.\n"
    assert "eve" not in eve("subscribers", "list")


@pytest.mark.heavy
def test_importing_takes_over_too(eve: Shell) -> None:
    people = eve.csv("email,keywords\neve@example.org,graphs\n")
    said = eve("subscribers", "import", people)
    assert "0 readers were added, 1 changed" in said
    assert [k.name for k in eve.reader(EVE).keywords] == ["diffusion", "RL", "graphs"]


@pytest.mark.heavy
def test_a_move_works_for_both(eve: Shell) -> None:
    eve("subscribe", ADA, "-k", "RL")
    sync(eve)
    assert eve("subscribers", "move", EVE, "eve@example.net").startswith(
        "eve@example.org is now eve@example.net, with all"
    )
    assert entry(eve, "eve@example.net")
    for old, new in ((ADA, "eve@example.net"), ("eve@example.net", ADA)):
        eve("subscribers", "move", old, new, code=2)
        assert "is a subscriber already" in eve.err
    eve("subscribers", "move", "eve@example.net", "nobody", code=2)
    assert entry(eve, "eve@example.net")


@pytest.mark.heavy
def test_a_keyword_that_is_gone_holds_back_who_had_it(eve: Shell) -> None:
    eve.path.write_text("keywords: {Bandits: 'ti:bandit'}\n")
    eve("subscribers", "list")
    assert "a sign-up: RL is no longer among the keywords" in eve.err
    assert "nothing is mailed to eve@example.org" in eve.err
    assert "is held back by a mistake" in eve("subscribers", "show", EVE)
    eve("subscribers", "set", EVE, "at=09:00", code=2)
    assert entry(eve)["at"] == "07:00"
    eve("unsubscribe", EVE, "-k", "RL")
    assert "eve@example.org" in eve("subscribers", "list")


def test_what_a_reader_of_the_file_took_away_is_shown_and_counted(ada: Shell) -> None:
    left(ada, "reward model")
    paused(ada, "2099-12-24")
    shown = ada("subscribers", "show", ADA)
    assert "left reward model by themselves on 2026-11-23" in shown
    assert "paused until 2099-12-24 by themselves" in shown
    assert "\n  hallucination:" in shown
    assert "\n  reward model:" not in shown
    assert json.loads(ada("subscribers", "show", ADA, "--json"))["wishes"] == [
        {"field": "keyword", "value": "reward model", "since": "2026-11-23T12:00:00Z"},
        {"field": "paused_until", "value": "2099-12-24", "since": "2026-11-23T12:00:00Z"},
    ]
    assert json.loads(ada("status", "--json"))["wishes"] == 2
    assert "2 things that readers took away by themselves" in ada("status")


@pytest.mark.heavy
def test_subscribe_ends_what_it_names_and_nothing_else(ada: Shell) -> None:
    left(ada, "reward model")
    paused(ada, "2099-12-24")
    ada("subscribe", ADA, "-k", "graphs", "--at", "07:00")
    assert len(json.loads(ada("subscribers", "show", ADA, "--json"))["wishes"]) == 2
    said = ada("subscribe", ADA, "-k", "Reward Model")
    assert "ada@example.org had left reward model by themselves; that is over." in said
    told = json.loads(ada("subscribe", ADA, "--paused-until", "none", "--json"))
    assert [one["field"] for one in told["subscribers"][0]["ended_wishes"]] == ["paused_until"]
    assert json.loads(ada("subscribers", "show", ADA, "--json"))["wishes"] == []


@pytest.mark.heavy
def test_resuming_ends_a_pause_that_the_file_does_not_have(ada: Shell) -> None:
    paused(ada, "2099-12-24")
    said = ada("subscribers", "resume", ADA)
    assert "had paused until 2099-12-24 by themselves; that is over." in said
    assert json.loads(ada("subscribers", "show", ADA, "--json"))["paused_until"] is None


@pytest.mark.heavy
def test_renaming_and_removing_a_keyword_follow_those_who_signed_up(eve: Shell) -> None:
    sign_up(eve, "tom@example.org", keywords=["rl"])
    eve("keywords", "rename", "RL", "Learning")
    assert entry(eve)["keywords"] == ["diffusion", "Learning"]
    eve("keywords", "remove", "Learning", code=2)
    assert "Learning is used by 2 readers who signed up" in eve.err
    eve("keywords", "remove", "Learning", "--force")
    assert entry(eve)["keywords"] == ["diffusion"]
    assert "tom@example.org signed up for Learning alone, and is held back" in eve.err
    eve("subscribers", "list")
    assert "nothing is mailed to tom@example.org" in eve.err


@pytest.mark.heavy
def test_readers_in_a_secret_and_sign_ups_do_not_go_together(
    eve: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", "subscribers: []\nkeywords: [x]\n")
    monkeypatch.setenv("DIGEST_SECRET", "a long random text of one's own")
    eve("run", "--dry-run", code=78)
    assert "1 reader signed up" in eve.err
    assert entry(eve)
