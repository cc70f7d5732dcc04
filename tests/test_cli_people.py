from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from digest.cli import main
from digest.locks import cycle_lock
from digest.roster import load_roster
from digest.store import open_store

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
def shell(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.setattr("digest.cli.people.machine_now", lambda: NOW)
    return Shell(tmp_path, capfd)


@pytest.fixture
def ada(shell: Shell) -> Shell:
    shell("subscribe", "ada@example.org", "-k", "reward model", "-k", "hallucination")
    return shell


def test_subscribing_says_which_rule_applies_when_the_digest_comes_and_where_the_file_lies(shell: Shell) -> None:
    out = shell("subscribe", "ada@example.org", "-k", "reward model", "-k", "hallucination", "-k", "ti:x AND au:y")
    assert out.splitlines() == [
        "ada@example.org is subscribed to 3 keywords:",
        '  reward model: "reward model" in title or abstract',
        "  hallucination: hallucination in title and abstract",
        "  ti:x AND au:y: the query ti:x AND au:y",
        "The next digest comes Tue 24 Nov 06:15 (UTC), with the announcement of Mon 23 Nov.",
        f"The subscribers file is {shell.path}",
    ]
    assert "nobody's inbox" in shell.err


def test_every_field_has_its_flag(shell: Shell) -> None:
    flags = "--name Ada --schedule mon,thu --at 07:00 --timezone Europe/Berlin --revisions --max-papers 9".split()
    more = "--exclude cat:cs.RO --exclude survey --quiet-days tell --order newest --paused-until 2026-12-01".split()
    shell("subscribe", "ada@example.org", "-k", "x1", "--match", "title", *flags, *more)
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
    }


def test_subscribing_again_says_what_changed(ada: Shell) -> None:
    out = ada("subscribe", "Ada@example.org", "-k", "reward model", "-k", "mllm", "--schedule", "mon")
    assert out.splitlines()[0] == "ada@example.org now also gets mllm; schedule is now mon:"
    out = ada("subscribe", "ada@example.org", "--at", "07:00", "--revisions")
    assert out.splitlines()[0] == "ada@example.org: at is now 07:00, revisions is now true; the keywords:"
    assert "nothing changed" in ada("subscribe", "ada@example.org", "-k", "MLLM")
    assert "at is now none" in ada("subscribe", "ada@example.org", "--at", "none")


def test_several_readers_are_subscribed_at_once(ada: Shell) -> None:
    out = ada("subscribe", "ada@example.org", "grace@example.org", "grace@example.org", "-k", "mllm", "--json")
    value = json.loads(out)
    assert value["file"] == str(ada.path)
    assert [(r["email"], r["new"], r["added"]) for r in value["subscribers"]] == [
        ("ada@example.org", False, ["mllm"]),
        ("grace@example.org", True, ["mllm"]),
    ]
    assert value["subscribers"][0]["next_digest"] == {"at": "2026-11-24T06:15:00Z", "announcement": "2026-11-23"}


def test_the_rule_of_a_keyword_can_be_changed_by_subscribing_again(ada: Shell) -> None:
    out = ada("subscribe", "ada@example.org", "-k", "reward model", "--match", "title")
    assert '  reward model: "reward model" in the title' in out.splitlines()


def test_a_doubtful_keyword_is_warned_about(shell: Shell) -> None:
    shell("subscribe", "ada@example.org", "-k", "learning")
    assert "large share of all papers" in shell.err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["subscribe", "ada@example", "-k", "x1"], "no mail address"),
        (["subscribe", "new@example.org"], "needs a keyword"),
        (["subscribe"], "EMAIL"),
        (["subscribe", "new@example.org", "-k", "(a OR"], "\n  (a OR\n"),
        (["subscribe", "new@example.org", "-k", "+vision"], "no group 'vision'"),
        (["subscribe", "ada@example.org", "--timezone", "Berlin"], "did you mean Europe/Berlin?"),
        (["subscribe", "ada@example.org", "--at", "7am"], 'did you mean "07:00"?'),
        (["subscribe", "ada@example.org", "--schedule", "mon,tuesday"], "did you mean tue?"),
        (["subscribe", "ada@example.org", "--max-papers", "-1"], "whole number"),
        (["subscribe", "ada@example.org", "--max-papers", "x"], "not a valid integer"),
        (["subscribe", "ada@example.org", "--paused-until", "soon"], "no date"),
        (["subscribe", "ada@example.org", "-k", "ti:x", "--match", "title"], "plain word or phrase"),
        (["subscribe", "ada@example.org", "--quiet-days", "maybe"], "maybe"),
        (["keywords", "check", "(a OR"], "\n  (a OR\n"),
        (["keywords", "remove", "nothing"], "no keyword named nothing"),
        (["keywords", "rename", "nothing", "x"], "no keyword named nothing"),
        (["subscribers", "move", "nobody@example.org", "x@example.org"], "names no subscriber"),
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
    assert ada("unsubscribe", "ada@example.org", "-k", "mllm").startswith("ada@example.org had no such keyword")
    out = ada("unsubscribe", "ADA@example.org", "nobody@example.org", "-k", "Hallucination")
    assert out.splitlines() == [
        "ada@example.org no longer gets hallucination; what stays is reward model.",
        "nobody@example.org was not subscribed.",
    ]
    value = json.loads(ada("unsubscribe", "ada@example.org", "-k", "reward model", "--json"))
    assert value == [{"email": "ada@example.org", "status": "removed", "removed": ["reward model"], "keywords": []}]
    assert "names no reader" in ada("subscribers")


def test_the_last_to_leave_is_let_go_by_the_database_too(ada: Shell) -> None:
    with open_store(ada.home / "digest.db") as store:
        store.subscribers.sync(load_roster(ada.path), NOW)
    assert ada("unsubscribe", "ada@example.org") == "ada@example.org is unsubscribed.\n"
    with open_store(ada.home / "digest.db") as store:
        assert store.subscribers.known() == 0
        store.subscribers.sync(load_roster(ada.path), NOW)


def test_the_readers_are_listed_and_shown(ada: Shell) -> None:
    line = "ada@example.org  daily, as soon as the papers are in (UTC)  reward model, hallucination\n"
    assert ada("subscribers") == ada("subscribers", "list") == line
    out = ada("subscribers", "show", "ADA@example.org")
    assert "hallucination in title and abstract" in out
    assert "The next digest comes Tue 24 Nov" in out
    assert json.loads(ada("subscribers", "show", "ada@example.org", "--json"))["next_digest"]["announcement"]
    ada("subscribers", "show", "aad@example.org", code=78)
    assert "did you mean ada@example.org?" in ada.err


def test_checking_shows_every_mistake_and_exits_as_a_matter_of_configuration(ada: Shell) -> None:
    assert "is right: 1 reader, 2 keywords" in ada("subscribers", "check")
    assert json.loads(ada("subscribers", "check", "--json"))["problems"] == []
    ada.path.write_text(ada.path.read_text() + "    at: 7am\n    order: newst\n")
    ada("subscribers", "check", code=78)
    assert ada.err.count("did you mean") == 2
    problems = json.loads(ada("subscribers", "check", "--json", code=78))["problems"]
    assert [(p["line"], p["suggestion"]) for p in problems] == [(8, '"07:00"'), (9, "newest")]


@pytest.mark.parametrize("command", [["subscribers"], ["keywords"], ["unsubscribe", "a@example.org"]])
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
    assert "with all that was sent" in ada("subscribers", "move", "ada@example.org", "ada@example.net")
    with open_store(ada.home / "digest.db") as store:
        assert store.subscribers.state("ada@example.net") is not None
    ada("subscribers", "move", "ada@example.org", "ada@example.net", code=2)


def test_a_move_waits_for_no_run(ada: Shell) -> None:
    with open_store(ada.home / "digest.db") as store:
        store.subscribers.sync(load_roster(ada.path), NOW)
    before = ada.path.read_text()
    with cycle_lock(ada.home / "digest.db"):
        ada("subscribers", "move", "ada@example.org", "ada@example.net", code=75)
    assert ada.path.read_text() == before


def test_keywords_are_listed_added_renamed_and_removed(ada: Shell) -> None:
    assert ada("keywords", "add", "RL", 'ti:"reinforcement learning"') == 'RL: the query ti:"reinforcement learning"\n'
    out = ada("keywords", "add", "Hallucination", "--match", "title")
    assert out.splitlines() == [
        "Hallucination: hallucination in the title",
        "Read so from now on for ada@example.org.",
    ]
    assert ada("keywords", "rename", "hallucination", "Made-up") == "hallucination is now Made-up.\n"
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
    assert shell("keywords", "check", "reasoning").splitlines() == [
        "Matches reasoning in title and abstract.",
        "arXiv is asked for (ti:reasoning AND abs:reasoning)",
    ]
    assert "reasoning in the title" in shell("keywords", "check", "reasoning", "--match", "title")
    value = json.loads(shell("keywords", "check", "cat:cs.ZZ OR au:x", "--json"))
    assert (value["query"], value["rule"]) == ("(cat:cs.ZZ OR au:x)", "query")
    assert "cs.ZZ" in value["warnings"][0]
    value = json.loads(shell("keywords", "check", "(a OR", "--json", code=2))
    assert value["position"] == 3
