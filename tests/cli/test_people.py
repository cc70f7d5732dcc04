from __future__ import annotations

import json
import shlex
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.cli import main
from digest.cli.base import Command
from digest.cli.readers.keywords import keywords
from digest.cli.readers.subscribe import subscribe, unsubscribe
from digest.cli.readers.subscribers import subscribers
from digest.store import open_store
from digest.subscribers import load_roster
from digest.system.locks import cycle_lock

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


class Shell:
    """Runs `digest` in a home of its own, as a person would."""

    def __init__(self, home: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.home = home
        self.path = home / "subscribers.yaml"
        self.capfd = capfd
        self.err = ""

    def __call__(self, *args: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as ended:
            main([*args, "--home", str(self.home)])
        out, self.err = self.capfd.readouterr()
        assert ended.value.code == code, self.err or out
        assert "Traceback" not in self.err
        return out


@pytest.fixture
def shell(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Shell:
    for module in ("subscribe", "subscribers"):
        monkeypatch.setattr(f"digest.cli.readers.{module}.machine_now", lambda: NOW)
    return Shell(tmp_path, capfd)


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
        " --paused-until 2026-12-01"
    ).split()
    looks = (
        "--abstracts none --format text --author Noether --category cs.lg --category stat.*".split()
    )
    looks += ["--subject-prefix", "[arXiv]"]
    shell("subscribe", "ada@example.org", "-k", "x1", "--match", "title", *flags, *more, *looks)
    (value,) = json.loads(shell("subscribers", "--json"))
    assert value == {
        "email": "ada@example.org",
        "keywords": [{"name": "x1", "query": "ti:x1", "rule": "title"}],
        "name": "Ada",
        "schedule": ["mon", "thu"],
        "at": "07:00",
        "timezone": "Europe/Berlin",
        "revisions": True,
        "max_papers": 9,
        "exclude": ["cat:cs.RO", "all:survey"],
        "quiet_days": "tell",
        "order": "newest",
        "paused_until": "2026-12-01",
        "suppressed": None,
        "abstracts": "none",
        "format": "text",
        "authors": ["Noether"],
        "categories": ["cs.LG", "stat.*"],
        "subject_prefix": "[arXiv]",
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
        database.execute("INSERT INTO content(id, key, subject, pieces) VALUES(1, 'k', 's', x'')")
        database.execute(
            "INSERT INTO delivery"
            "(subscriber, slot, content, message_id, queued_at, from_seq, next_at, state)"
            " VALUES(1, '2026-11-23T00:00:00Z', 1, 'm', '2026-11-23T07:00:00Z', 0, '', 'sent')"
        )
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


@pytest.fixture
def lab(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(shell.home)
    (shell.home / "people.csv").write_text("email,keywords\nkim@example.org,reward model\n")
    shell.path.write_text(
        "keywords: {RL theory: 'ti:\"reinforcement learning\" AND cat:cs.LG'}\n"
        "subscribers:\n  - email: ada@example.org\n    keywords: [Reward Model, Hallucination]\n"
        "  - email: lin@example.org\n    keywords: [Time Series, Reward Model]\n"
    )
    return shell


COMMANDS = [
    subscribe,
    unsubscribe,
    *subscribers.commands.values(),
    *keywords.commands.values(),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.callback.__name__)
def test_each_example_works_as_printed(lab: Shell, command: Command) -> None:
    before = lab.path.read_text()
    assert command.examples
    for example in command.examples:
        lab.path.write_text(before)
        program, *args = shlex.split(example)
        assert program == "digest"
        assert lab(*args)


def test_a_doubtful_keyword_is_warned_about(shell: Shell) -> None:
    shell("subscribe", "ada@example.org", "-k", "learning")
    assert "large share of all papers" in shell.err
    shell("subscribe", "ada@example.org", "-k", "a NOT b")
    assert "did you mean 'a ANDNOT b'?" in shell.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["subscribe", "ada@example", "-k", "x1"], "no mail address"),
        (["subscribe", "new@example.org"], "needs a keyword"),
        (["subscribe"], "EMAIL"),
        (["subscribe", "new@example.org", "-k", "(a OR"], "\n  (a OR\n"),
        (["subscribe", "new@example.org", "-k", "+vision"], "no group 'vision'"),
        (["subscribe", "ada@example.org", "--timezone", "Berlin"], "did you mean Europe/Berlin?"),
        (
            ["subscribe", "ada@example.org", "--at", "7am"],
            "--at '7am' is not a time of day: did you mean 07:00?",
        ),
        (
            ["subscribe", "ada@example.org", "--at", "25:00"],
            "write hours and minutes, such as 07:00\n",
        ),
        (["subscribe", "ada@example.org", "--schedule", "mon,tuesday"], "did you mean mon,tue?"),
        (
            ["subscribe", "ada@example.org", "--schedule", "monthly"],
            "write daily, weekdays, weekly, or days such as",
        ),
        (["subscribe", "ada@example.org", "--exclude", "(a OR"], "\n  (a OR\n"),
        (
            ["subscribe", "ada@example.org", "-k", ""],
            "a keyword needs a name: write a word or a phrase\n",
        ),
        (
            ["subscribe", "ada@example.org", "-k", "reward", "model"],
            "goes in quotes: -k 'reward model'",
        ),
        (
            ["subscribe", "ada@example.org", "-k", "x", "-k", "reward", "model"],
            "goes in quotes: -k 'several words'",
        ),
        (
            ["unsubscribe", "ada@example.org", "-k", "reward", "model"],
            "goes in quotes: -k 'reward model'",
        ),
        (
            ["subscribe", "ada@example.org", "lin@example.org", "-k", "x", "--name", "Lin"],
            "--name is for one reader",
        ),
        (["keywords", "add", "Reward", "Model", "reward model"], "in quotes"),
        (["keywords", "rename", "a", "b", "c"], "in quotes"),
        (["subscribe", "ada@example.org", "--max-papers", "-1"], "whole number"),
        (["subscribe", "ada@example.org", "--max-papers", "x"], "whole number"),
        (["subscribe", "ada@example.org", "--paused-until", "soon"], "not a date"),
        (
            ["subscribe", "ada@example.org", "-k", "ti:x", "--match", "title"],
            "plain word or phrase",
        ),
        (["subscribe", "ada@example.org", "--quiet-days", "maybe"], "maybe"),
        (["keywords", "check", "--offline", "(a OR"], "\n  (a OR\n"),
        (["keywords", "remove", "nothing"], "no keyword named nothing"),
        (["keywords", "rename", "nothing", "x"], "no keyword named nothing"),
    ],
)
def test_wrong_input_ends_with_usage_and_a_clear_line_and_changes_nothing(
    ada: Shell, args: list[str], words: str
) -> None:
    before = ada.path.read_text()
    ada(*args, code=2)
    assert words in ada.err
    assert ada.err.startswith("digest: ")
    assert ada.path.read_text() == before


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


def test_the_readers_are_listed_and_shown(ada: Shell) -> None:
    line = (
        "ada@example.org  daily, as soon as the papers are in (UTC)  reward model, hallucination\n"
    )
    assert ada("subscribers") == ada("subscribers", "list") == line
    out = ada("subscribers", "show", "ADA@example.org")
    assert "hallucination in title and abstract" in out
    assert "the one after that Tue 24 Nov" in out
    assert json.loads(ada("subscribers", "show", "ada@example.org", "--json"))["next_digest"][
        "announcement"
    ]
    ada("subscribers", "show", "aad@example.org", code=78)
    assert "did you mean ada@example.org?" in ada.err


@pytest.mark.parametrize(
    "command", [["show", "nobody@example.org"], ["move", "nobody@example.org", "x@example.org"]]
)
def test_an_unknown_reader_is_a_matter_of_configuration_without_a_far_guess(
    ada: Shell, command: list[str]
) -> None:
    ada("subscribers", *command, code=78)
    assert ada.err == (
        f"digest: {ada.path} names no subscriber nobody@example.org:"
        " 'digest subscribers' lists who is in it\n"
    )


def test_checking_shows_every_mistake_and_exits_as_a_matter_of_configuration(ada: Shell) -> None:
    assert "is right: 1 reader, 2 keywords" in ada("subscribers", "check")
    assert json.loads(ada("subscribers", "check", "--json"))["problems"] == []
    ada.path.write_text(ada.path.read_text() + "    at: 7am\n    order: newst\n")
    ada("subscribers", "check", code=78)
    assert ada.err.count("did you mean") == 2
    problems = json.loads(ada("subscribers", "check", "--json", code=78))["problems"]
    assert [(p["line"], p["suggestion"]) for p in problems] == [(8, '"07:00"'), (9, "newest")]
    ada("subscribers", "check", code=78)
    assert ada.err.splitlines()[-1] == "2 mistakes in subscribers.yaml; nothing was changed"


@pytest.mark.parametrize(
    "command", [["subscribers"], ["keywords"], ["unsubscribe", "a@example.org"]]
)
def test_without_a_file_it_says_what_makes_one(shell: Shell, command: list[str]) -> None:
    shell(*command, code=78)
    assert "'digest subscribe EMAIL -k KEYWORD' makes one" in shell.err
    assert shell.err.count("\n") == 1


def test_moving_takes_the_history_along(ada: Shell) -> None:
    with open_store(ada.home / "digest.db") as store:
        store.subscribers.sync(load_roster(ada.path), NOW)
    out = ada("subscribers", "move", "ADA@example.org", "Ada@EXAMPLE.net")
    assert out == "ada@example.org is now Ada@example.net, with all that was sent.\n"
    with open_store(ada.home / "digest.db") as store:
        assert store.subscribers.state("ada@example.org") is None
        assert store.subscribers.state("Ada@example.net") is not None
        assert store.subscribers.known() == 1


def test_a_move_that_was_interrupted_is_finished_by_the_same_command(ada: Shell) -> None:
    with open_store(ada.home / "digest.db") as store:
        store.subscribers.sync(load_roster(ada.path), NOW)
    ada.path.write_text(ada.path.read_text().replace("ada@example.org", "ada@example.net"))
    assert "with all that was sent" in ada(
        "subscribers", "move", "ada@example.org", "ada@example.net"
    )
    with open_store(ada.home / "digest.db") as store:
        assert store.subscribers.state("ada@example.net") is not None
    ada("subscribers", "move", "ada@example.org", "ada@example.net", code=78)


def test_a_move_waits_for_no_run(ada: Shell) -> None:
    with open_store(ada.home / "digest.db") as store:
        store.subscribers.sync(load_roster(ada.path), NOW)
    before = ada.path.read_text()
    with cycle_lock(ada.home / "digest.db"):
        ada("subscribers", "move", "ada@example.org", "ada@example.net", code=75)
    assert ada.path.read_text() == before


def test_keywords_are_listed_added_renamed_and_removed(ada: Shell) -> None:
    assert (
        ada("keywords", "add", "RL", 'ti:"reinforcement learning"')
        == 'RL: the query ti:"reinforcement learning"\n'
    )
    out = ada("keywords", "add", "Hallucination", "--match", "title")
    assert out.splitlines() == [
        "Hallucination: hallucination in the title",
        "Read so from now on for ada@example.org.",
    ]
    assert (
        ada("keywords", "rename", "hallucination", "Made-up") == "hallucination is now Made-up.\n"
    )
    lines = ada("keywords", "list").splitlines()
    assert lines == [
        'RL: the query ti:"reinforcement learning"  (0 readers)',
        "Made-up: hallucination in the title  (1 reader)",
        'reward model: "reward model" in title or abstract  (1 reader)',
    ]
    assert [k["readers"] for k in json.loads(ada("keywords", "--json"))] == [0, 1, 1]
    ada("keywords", "remove", "Made-up", code=2)
    assert "used by ada@example.org" in ada.err
    assert ada("keywords", "remove", "Made-up", "--force") == "Made-up is removed.\n"
    assert [k.name for k in load_roster(ada.path).subscribers[0].keywords] == ["reward model"]


def test_a_keyword_is_checked_before_it_is_used(shell: Shell) -> None:
    assert shell("keywords", "check", "--offline", "reasoning").splitlines() == [
        "Matches reasoning in title and abstract; words are compared by their stems: reason.",
        "arXiv is asked for (ti:reasoning AND abs:reasoning)",
    ]
    assert '"reward model" in title or abstract' in shell(
        "keywords", "check", "--offline", "reward", "model"
    )
    shell("keywords", "check", "--offline", "a NOT b")
    assert "did you mean 'a ANDNOT b'?" in shell.err
    assert "reasoning in the title" in shell(
        "keywords", "check", "--offline", "reasoning", "--match", "title"
    )
    value = json.loads(shell("keywords", "check", "--offline", "cat:cs.ZZ OR au:x", "--json"))
    assert (value["query"], value["rule"]) == ("(cat:cs.ZZ OR au:x)", "query")
    assert "cs.ZZ" in value["warnings"][0]
    value = json.loads(shell("keywords", "check", "--offline", "(a OR", "--json", code=2))
    assert value["position"] == 3
