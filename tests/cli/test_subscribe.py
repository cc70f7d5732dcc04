"""`digest subscribe` and `unsubscribe`: what they say, and what then stands in the file."""

from __future__ import annotations

import json
import sqlite3

import pytest

from digest.store import open_store
from digest.subscribers import load_roster
from tests.world.shell import NOW, Shell


@pytest.fixture
def ada(shell: Shell) -> Shell:
    shell("subscribe", "ada@example.org", "-k", "reward model", "-k", "hallucination")
    return shell


def test_subscribing_says_which_rule_applies_when_the_digest_comes_and_where_the_file_lies(
    shell: Shell,
) -> None:
    out = shell(
        "subscribe",
        "ada@example.org",
        "-k",
        "reward model",
        "-k",
        "hallucination",
        "-k",
        "ti:x AND au:y",
    )
    assert out.splitlines() == [
        "ada@example.org: subscribed to 3 keywords",
        '  reward model: "reward model" in title or abstract',
        "  hallucination: hallucination in title and abstract",
        "  ti:x AND au:y: the query ti:x AND au:y",
        "  The first digest comes with the next 'digest run';"
        " the one after that Tue 24 Nov 06:15 (UTC), with the announcement of Mon 23 Nov.",
        f"The subscribers file is {shell.path}",
    ]
    assert "nobody's inbox" in shell.err


def test_every_field_has_its_flag(shell: Shell) -> None:
    flags = (
        "--name Ada --schedule mon,thu --at 07:00 --timezone Europe/Berlin --revisions"
        " --max-papers 9"
    ).split()
    more = (
        "--exclude cat:cs.RO --exclude survey --quiet-days tell --order newest"
        " --paused-until 2026-12-01 --within cs.*"
    ).split()
    looks = (
        "--abstracts none --format text --author Noether --category cs.lg --category stat.*".split()
    )
    looks += ["--subject-prefix", "[arXiv]", "--top", "10", "--feedback", "--attach", "ris"]
    looks += ["--summary", "tldr", "--language", "pt-br"]
    shell("subscribe", "ada@example.org", "-k", "x1", "--match", "title", *flags, *more, *looks)
    (value,) = json.loads(shell("subscribers", "--json"))
    assert value == {
        "email": "ada@example.org",
        "origin": "file",
        "keywords": [{"name": "x1", "query": "ti:x1", "rule": "title"}],
        "name": "Ada",
        "schedule": ["mon", "thu"],
        "at": "07:00",
        "timezone": "Europe/Berlin",
        "revisions": True,
        "max_papers": 9,
        "exclude": ["cat:cs.RO", "all:survey"],
        "within": ["cs.*"],
        "quiet_days": "tell",
        "order": "newest",
        "paused_until": "2026-12-01",
        "suppressed": None,
        "abstracts": "none",
        "layout": "both",
        "top": 10,
        "format": "text",
        "authors": ["Noether"],
        "categories": ["cs.LG", "stat.*"],
        "subject_prefix": "[arXiv]",
        "feedback": True,
        "attach": "ris",
        "summary": "tldr",
        "language": "pt-BR",
        "library": [],
        "wishes": [],
    }


def test_subscribing_again_says_what_changed(ada: Shell) -> None:
    out = ada(
        "subscribe", "Ada@example.org", "-k", "reward model", "-k", "mllm", "--schedule", "mon"
    )
    assert out.splitlines()[0] == "ada@example.org: now also mllm; schedule is now mon"
    out = ada("subscribe", "ada@example.org", "--at", "07:00", "--revisions")
    assert out.splitlines()[0] == "ada@example.org: at is now 07:00; revisions is now true"
    before = ada.path.read_text()
    out = ada("subscribe", "ada@example.org", "-k", "MLLM", "--at", "07:00")
    assert out.splitlines()[:2] == [
        "ada@example.org: nothing changed",
        '  reward model: "reward model" in title or abstract',
    ]
    assert ada.path.read_text() == before
    assert "at is now none" in ada("subscribe", "ada@example.org", "--at", "none")


def test_several_readers_are_subscribed_at_once(ada: Shell) -> None:
    out = ada(
        "subscribe",
        "ada@example.org",
        "grace@example.org",
        "grace@example.org",
        "-k",
        "mllm",
        "--json",
    )
    value = json.loads(out)
    assert value["file"] == str(ada.path)
    assert [(r["email"], r["new"], r["added"]) for r in value["subscribers"]] == [
        ("ada@example.org", False, ["mllm"]),
        ("grace@example.org", True, ["mllm"]),
    ]
    assert value["subscribers"][0]["next_digest"] == {
        "at": "2026-11-24T06:15:00Z",
        "announcement": "2026-11-23",
    }


def test_the_rule_of_a_keyword_can_be_changed_by_subscribing_again(ada: Shell) -> None:
    out = ada("subscribe", "ada@example.org", "-k", "reward model", "--match", "title")
    assert out.splitlines()[0] == "ada@example.org: now read otherwise: reward model"
    assert '  reward model: "reward model" in the title' in out.splitlines()


def test_each_of_several_readers_is_told_about_in_a_block_of_their_own(ada: Shell) -> None:
    ada("subscribe", "lin@example.org", "-k", "mllm", "--name", "Lin", "--at", "13:00")
    out = ada("subscribe", "ada@example.org", "lin@example.org", "new@example.org", "-k", "mllm")
    assert out.splitlines()[:-1] == [
        "ada@example.org: now also mllm",
        '  reward model: "reward model" in title or abstract',
        "  hallucination: hallucination in title and abstract",
        "  mllm: mllm in title and abstract",
        "  The first digest comes with the next 'digest run';"
        " the one after that Tue 24 Nov 06:15 (UTC), with the announcement of Mon 23 Nov.",
        "lin@example.org (Lin): nothing changed",
        "  mllm: mllm in title and abstract",
        "  The first digest comes Mon 23 Nov 13:00 (UTC);"
        " the one after that Tue 24 Nov 13:00 (UTC), with the announcement of Mon 23 Nov.",
        "new@example.org: subscribed to 1 keyword",
        "  mllm: mllm in title and abstract",
        "  The first digest comes with the next 'digest run';"
        " the one after that Tue 24 Nov 06:15 (UTC), with the announcement of Mon 23 Nov.",
    ]


def test_of_many_readers_those_with_equal_blocks_share_one(ada: Shell) -> None:
    many = [f"r{number}@example.org" for number in range(8)]
    lines = ada("subscribe", "ada@example.org", *many, "-k", "mllm").splitlines()
    heads = [line for line in lines if not line.startswith(" ")][:-1]
    assert heads == [
        "ada@example.org: now also mllm",
        "r0@example.org, r1@example.org, r2@example.org and 5 others: subscribed to 1 keyword",
    ]
    assert lines.count("  mllm: mllm in title and abstract") == 2


def test_only_who_never_had_a_digest_is_told_of_a_first_one(ada: Shell) -> None:
    first = "The first digest comes with the next 'digest run'"
    roster = load_roster(ada.path)
    with open_store(ada.home / "digest.db") as store:
        store.subscribers.sync(roster, NOW)
    assert first in ada("subscribers", "show", "ada@example.org")
    value = json.loads(ada("subscribers", "show", "ada@example.org", "--json"))
    assert value["first_digest"] == "2026-11-23T12:00:00Z"
    database = sqlite3.connect(ada.home / "digest.db")
    with database:
        database.execute("INSERT INTO content(id, key, subject) VALUES(1, 'k', 's')")
        database.execute(
            "INSERT INTO delivery"
            "(subscriber, slot, content, message_id, queued_at, from_seq, next_at, state)"
            " VALUES(1, '2026-11-23T00:00:00Z', 1, 'm', '2026-11-23T07:00:00Z', 0, '', 'sent')"
        )
        database.execute("UPDATE query SET last_good_at = '2026-11-23T07:00:00Z'")
    database.close()
    assert "The next digest comes Tue 24 Nov 06:15 (UTC)" in ada(
        "subscribers", "show", "ada@example.org"
    )
    assert (
        json.loads(ada("subscribers", "show", "ada@example.org", "--json"))["first_digest"] is None
    )


def test_a_first_digest_waits_for_the_end_of_a_pause(ada: Shell) -> None:
    out = ada("subscribe", "ada@example.org", "--paused-until", "2026-12-01")
    assert (
        "The first digest comes Tue 01 Dec 00:00 (UTC); the one after that Wed 02 Dec 00:00 (UTC)"
        in out
    )


def test_a_database_that_cannot_be_read_does_not_keep_a_reader_out(shell: Shell) -> None:
    (shell.home / "digest.db").write_bytes(
        b"no database at all, but long enough to be taken for one" * 20
    )
    assert "ada@example.org: subscribed" in shell("subscribe", "ada@example.org", "-k", "mllm")
    assert "digest.db" in shell.err


@pytest.mark.parametrize("empty", ["", "none"])
def test_an_empty_value_clears(ada: Shell, empty: str) -> None:
    plain = ada.path.read_text()
    flags = (
        "--name Ada --schedule mon,thu --at 07:00 --timezone Europe/Berlin --max-papers 9"
        " --order newest"
    ).split()
    more = "--exclude cat:cs.RO --quiet-days tell --paused-until 2026-12-01".split()
    ada("subscribe", "ada@example.org", *flags, *more)
    given = [word if word.startswith("--") else empty for word in flags + more]
    ada("subscribe", "ada@example.org", *given)
    assert ada.path.read_text() == plain


def test_the_help_says_that_an_empty_value_clears(shell: Shell) -> None:
    text = " ".join(shell("subscribe", "--help").split())
    assert "A setting given as '' or none is cleared" in text
    assert "digest subscribe grace@example.org" in text


def test_leaving_wholly_or_by_keyword(ada: Shell) -> None:
    assert ada("unsubscribe", "ada@example.org", "-k", "mllm").startswith(
        "ada@example.org had no such keyword"
    )
    out = ada("unsubscribe", "ADA@example.org", "nobody@example.org", "-k", "Hallucination")
    assert out.splitlines() == [
        "ada@example.org no longer gets hallucination; what stays is reward model.",
        "nobody@example.org was not subscribed.",
    ]
    value = json.loads(ada("unsubscribe", "ada@example.org", "-k", "reward model", "--json"))
    assert value == [
        {
            "email": "ada@example.org",
            "status": "removed",
            "removed": ["reward model"],
            "keywords": [],
        }
    ]
    assert "names no reader" in ada("subscribers")


def test_the_last_to_leave_is_let_go_by_the_database_too(ada: Shell) -> None:
    with open_store(ada.home / "digest.db") as store:
        store.subscribers.sync(load_roster(ada.path), NOW)
    assert ada("unsubscribe", "ada@example.org") == "ada@example.org is unsubscribed.\n"
    with open_store(ada.home / "digest.db") as store:
        assert store.subscribers.known() == 0
        store.subscribers.sync(load_roster(ada.path), NOW)
