"""What the program says of itself is so: examples run, documents name what exists, and all that
exists is named."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import click
import pytest

from digest.cli import GROUPS, cli, main
from digest.cli.besides.manual import _commands, reference
from digest.demo.papers import three_days
from digest.setup.settings import SETTINGS
from digest.store.bodies import Bodies
from tests.world.shell import run_main
from tests.world.standin import Standin

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]
VARIABLES = {"DIGEST_REPOSITORY", "DIGEST_COMMIT"}
"""What is set in a repository on GitHub and never reaches the program."""
KEYWORDS = """
keywords:
  RL theory: 'ti:"reinforcement learning" AND cat:cs.LG'
"""
READERS = """
subscribers:
  - email: ada@example.org
    name: Ada
    keywords: [Reward Model, Hallucination]
  - email: lin@example.org
    keywords: [Time Series, Reward Model]
    at: "07:00"
    timezone: Europe/Berlin
"""
PAGE = """
## Reward Model
| **Title** | **Date** |
| --- | --- |
| **[A Paper](http://arxiv.org/abs/2503.14895v1)** | 2025-03-19 |
"""


def everything() -> list[tuple[str, click.Command]]:
    """Each command by its full name."""

    def below(
        command: click.Command, context: click.Context, name: str
    ) -> Iterator[tuple[str, click.Command]]:
        yield name, command
        if isinstance(command, click.Group):
            for word in command.list_commands(context):
                inner = command.get_command(context, word)
                assert inner is not None
                yield from below(
                    inner, click.Context(inner, info_name=word, parent=context), f"{name} {word}"
                )

    return list(below(cli, click.Context(cli, info_name="digest"), "digest"))


COMMANDS = dict(everything())
EXAMPLES = [
    example for command in COMMANDS.values() for example in getattr(command, "examples", ())
]


def is_service(example: str) -> bool:
    """Whether an example runs until it is stopped."""
    return example.split()[1] in ("daemon", "serve", "mcp")


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Standin]]:
    """A home with two readers and a day of history, and the small arXiv that it asks."""
    home = tmp_path_factory.mktemp("home")
    (home / "subscribers.yaml").write_text(KEYWORDS + READERS, encoding="utf-8")
    days = three_days(date.today() - timedelta(days=16))  # noqa: DTZ011 - the tour's own way of choosing days
    with Standin(days[0].papers) as standin, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIGEST_ARXIV_API", standin.url)
        patch.setenv("DIGEST_ARXIV_DELAY", "0")
        # One delivery is left waiting, as after a refusal, for the examples that settle such: its
        # body must not go.
        patch.setattr(Bodies, "let_go", lambda _: ())
        with contextlib.suppress(SystemExit):
            main(["run", "--home", str(home), "--now", days[0].now.isoformat(), "--quiet"])
        with contextlib.closing(sqlite3.connect(home / "digest.db")) as database:
            database.execute(
                "UPDATE delivery SET state = 'deferred', reply = '450 later' WHERE id = 2"
            )
            database.commit()
        with contextlib.suppress(SystemExit):
            main(["db", "backup", str(home / "backup.db"), "--home", str(home)])
        standin.serve(days[1].papers)
        yield home, standin


@pytest.fixture
def at_home(
    lived_in: tuple[Path, Standin], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A copy of that home, the files beside it that the examples name, and its settings."""
    lived, standin = lived_in
    home = tmp_path / "home"
    shutil.copytree(lived, home)
    shutil.copy(lived / "backup.db", tmp_path)
    (tmp_path / "people.csv").write_text(
        "email,keywords\nkim@example.org,reward model\n", encoding="utf-8"
    )
    (tmp_path / "refs.bib").write_text("@misc{one, title={One}}\n", encoding="utf-8")
    (tmp_path / "request.eml").write_bytes(b"From: ada@example.org\r\nSubject: unsubscribe\r\n\r\n")
    (tmp_path / "README.md").write_text(PAGE, encoding="utf-8")
    monkeypatch.setenv("DIGEST_HOME", str(home))
    monkeypatch.setenv("DIGEST_ARXIV_API", standin.url)
    monkeypatch.setenv("DIGEST_ARXIV_OAI", standin.oai_url)
    monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return home


@pytest.mark.parametrize("example", [e for e in EXAMPLES if not is_service(e)])
@pytest.mark.usefixtures("at_home")
def test_each_example_works_as_printed(example: str, capfd: pytest.CaptureFixture[str]) -> None:
    told = run_main(shlex.split(example)[1:], capfd)
    assert told.code == 0, f"{told.out}\n{told.err}"


@pytest.mark.parametrize("example", [e for e in EXAMPLES if is_service(e)])
def test_each_service_works_as_printed_until_it_is_stopped(example: str, at_home: Path) -> None:
    had = len(list((at_home / "mail" / "new").iterdir()))
    process = subprocess.Popen(
        [sys.executable, "-m", *shlex.split(example)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if "daemon" in example:
        # Its first cycle mails what came since; then it only waits, and can be stopped.
        patience = time.monotonic() + 30
        while (
            len(list((at_home / "mail" / "new").iterdir())) == had and time.monotonic() < patience
        ):
            time.sleep(0.05)
    elif "mcp" in example:
        process.wait(60)  # for it ends with its input
    else:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Listening")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, f"{out}\n{err}"
    assert "Traceback" not in err


def test_each_command_has_a_summary_a_group_and_an_example() -> None:
    listed = [name for group in GROUPS.values() for name in group]
    assert sorted(listed) == sorted(set(listed))
    for name, command in COMMANDS.items():
        assert command.help, name
        if not isinstance(command, click.Group):
            assert getattr(command, "examples", ()), f"{name} has no example"
            for example in command.examples:  # type: ignore[attr-defined]
                assert example.startswith(name.removesuffix(" list")), example


def test_the_help_fits_eighty_columns_and_cuts_no_summary() -> None:
    text = cli.get_help(_root(terminal_width=80))
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    "name", [name for name, command in COMMANDS.items() if isinstance(command, click.Group)]
)
def test_the_help_of_a_group_cuts_no_summary(name: str) -> None:
    command = COMMANDS[name]
    text = command.get_help(click.Context(command, info_name=name, parent=_root(terminal_width=80)))
    assert "..." not in text.replace("[ARGS]...", "")


def test_a_summary_is_one_sentence_without_gaps() -> None:
    summaries = [command.get_short_help_str() for _, command in everything()]
    assert [text for text in summaries if "  " in text or "\n" in text] == []


def test_the_reference_of_commands_is_current() -> None:
    expected = reference(list(_commands(cli, _root(), "digest")))
    written = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert written == expected, (
        "docs/commands.md is out of date: run 'digest manual --markdown docs'"
    )


def _root(**options: int) -> click.Context:
    """The context of a whole command line, in which the settings' flags are there."""
    return cli.make_context("digest", ["demo"], **options)


def test_each_setting_has_a_row_and_each_one_named_exists() -> None:
    known = {setting.variable for setting in SETTINGS} | VARIABLES
    listed = re.findall(
        r"^\| `(DIGEST_\w+)` \|",
        (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert listed == [setting.variable for setting in SETTINGS]
    for document in DOCUMENTS:
        named = set(re.findall(r"\bDIGEST_[A-Z_]+[A-Z]\b", document.read_text(encoding="utf-8")))
        assert named <= known, (
            f"{document.name} names settings that do not exist: {sorted(named - known)}"
        )


def test_each_command_and_flag_that_a_document_names_exists() -> None:
    wrong = []
    for document in DOCUMENTS:
        for line in _code(document.read_text(encoding="utf-8")):
            wrong += [f"{document.name}: {line} ({what})" for what in _unknown(line)]
    assert wrong == []


def test_each_command_that_an_example_runs_exists() -> None:
    wrong, found = [], 0
    for path in (ROOT / "examples").rglob("*"):
        if path.is_file() and path.suffix != ".md":
            for call in re.findall(
                r"(?<![\w#:-])digest ([a-z]+\b[^|;>&\n\"]*)", path.read_text(encoding="utf-8")
            ):
                if f"digest {call.split()[0]}" in COMMANDS:
                    found += 1
                    wrong += [
                        f"{path.name}: {call} ({what})" for what in _unknown(f"digest {call}")
                    ]
    assert wrong == []
    assert found >= 6


def _code(text: str) -> Iterator[str]:
    """Calls of the program in code spans and in indented or fenced blocks."""
    yield from re.findall(r"`(digest [^`]+)`", text)
    for line in re.findall(
        r"^(?:    |\$ )(?:.*(?:&& |/bin/|\* |sudo -u digest |--rm |exec digest ))?"
        r"(digest [a-z].*)$",
        text,
        re.MULTILINE,
    ):
        yield line.split("  #")[0].split("&&")[0]


def _unknown(line: str) -> Iterator[str]:
    """What of a call does not exist: the command, or a flag of it."""
    words = line.replace("…", " ").replace("[", " ").replace("]", " ").split()
    name = "digest"
    for word in words[1:]:
        if f"{name} {word}" in COMMANDS:
            name = f"{name} {word}"
        else:
            break
    if name == "digest" and len(words) > 1 and re.fullmatch(r"[a-z]+", words[1]):
        yield f"there is no command {words[1]}"
        return
    command = COMMANDS[name]
    flags = {
        flag
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
    }
    flags |= {
        "--help",
        "-h",
        "--version",
        *(setting.flag for setting in SETTINGS),
        "-v",
        "-vv",
        "--log-json",
        "--debug",
    }
    for word in words:
        flag = re.match(r"(--[a-z-]+|-[a-zA-Z]+)\b", word)
        if flag and flag[1] not in flags:
            yield f"{name} has no flag {flag[1]}"


def test_the_manual_pages_can_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["manual", str(tmp_path)])
    assert ended.value.code == 0
    pages = {page.name for page in tmp_path.iterdir()}
    assert pages == {f"{name.replace(' ', '-')}.1" for name in COMMANDS}
    if shutil.which("man") is None:
        pytest.skip("there is no man here to read them with")
    for page in sorted(tmp_path.iterdir()):
        read = subprocess.run(
            ["man", "--warnings", "-l", str(page)],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | {"MANWIDTH": "80"},
        )
        assert read.stderr == "", page.name
        assert "NAME" in read.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["completion", shell])
    assert ended.value.code == 0
    assert "_DIGEST_COMPLETE" in capsys.readouterr().out


def test_the_tab_key_completes_commands_and_flags() -> None:
    def completed(words: str, count: int) -> str:
        environment = os.environ | {
            "_DIGEST_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(count),
        }
        program = "import sys; sys.argv[0] = 'digest'; from digest.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", program],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout

    assert "plain,subscribe" in completed("digest sub", 1)
    assert "plain,--timezone" in completed("digest subscribe --time", 2)
