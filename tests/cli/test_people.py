"""`digest subscribers` and `keywords`: listed, shown, checked, moved; and what is typed wrongly."""

from __future__ import annotations

import json
import shlex

import pytest

from digest.cli.base import Command
from digest.cli.readers.keywords import keywords
from digest.cli.readers.subscribe import subscribe, unsubscribe
from digest.cli.readers.subscribers import subscribers
from digest.store import open_store
from digest.subscribers import load_roster
from digest.system.locks import cycle_lock
from tests.world.shell import NOW, Shell


@pytest.fixture
def ada(shell: Shell) -> Shell:
    shell("subscribe", "ada@example.org", "-k", "reward model", "-k", "hallucination")
    return shell


@pytest.fixture
def lab(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(shell.home)
    (shell.home / "people.csv").write_text("email,keywords\nkim@example.org,reward model\n")
    shell.path.write_text(
        "keywords: {RL theory: 'ti:\"reinforcement learning\" AND cat:cs.LG'}\n"
        "groups: {vision: [MLLM]}\n"
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
