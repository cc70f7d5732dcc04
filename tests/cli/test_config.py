"""`digest config`: every setting is shown with its origin, every mistake is told, and no secret
ever is."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from digest.cli import main
from digest.setup.settings import SETTINGS, survey_settings
from tests.world.shell import Told, run_main

PASSWORD = "tr0ub4dor-and-3"
LOGIN = {
    "DIGEST_MAIL": "smtp://ada@mail.example.org:587",
    "DIGEST_FROM": "Papers <papers@example.org>",
}


class Shown(Told):
    """The settings as they were told."""

    def row(self, variable: str) -> dict[str, Any]:
        """A setting from the JSON."""
        found: dict[str, Any] = next(
            r for r in self.json()["settings"] if r["variable"] == variable
        )
        return found

    def line(self, variable: str) -> list[str]:
        """A setting's line, in its columns."""
        lines = [line for line in self.out.splitlines() if line.startswith(f"{variable} ")]
        assert len(lines) == 1
        return [lines[0][:28].strip(), lines[0][28:48].strip(), lines[0][48:]]


class Desk:
    """A home folder, and the command as a person types it."""

    def __init__(
        self, home: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch
    ) -> None:
        self.home, self._capture, self._patch = home, capture, patch

    def __call__(self, *args: str, **environ: str) -> Shown:
        for name, value in environ.items():
            self._patch.setenv(name, value)
        told = run_main([*args, "--home", str(self.home)], self._capture)
        return Shown(told.code, told.out, told.err)

    def dotenv(self, text: str) -> None:
        (self.home / ".env").write_text(text)


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    yield Desk(tmp_path, capsys, monkeypatch)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_every_setting_is_shown_with_its_value_and_where_it_came_from(desk: Desk) -> None:
    desk.dotenv("DIGEST_CONTACT=ada@example.org\nDIGEST_DB=file.db\n")
    told = desk("config", "--db", "flag.db", DIGEST_ARXIV_DELAY="4")
    assert (told.code, told.err) == (0, "")
    assert [line.split()[0] for line in told.out.splitlines()[: len(SETTINGS)]] == [
        s.variable for s in SETTINGS
    ]
    assert told.line("DIGEST_DB")[1:] == ["flag", str(desk.home / "flag.db")]
    assert told.line("DIGEST_ARXIV_DELAY")[1:] == ["environment", "4"]
    assert told.line("DIGEST_CONTACT")[1:] == [".env", "ada@example.org"]
    assert told.line("DIGEST_ON_UNKNOWN")[1:] == ["default", "retry"]
    assert told.line("DIGEST_FROM")[1:] == ["default", "(not set)"]
    assert str(desk.home / ".env") in told.out


def test_the_home_folder_that_nobody_named_is_the_current_one(tmp_path: Path) -> None:
    (tmp_path / "digest.db").touch()
    assert survey_settings({}, {}, tmp_path).settings.origins["DIGEST_HOME"] == "current folder"
    assert (
        survey_settings({"DIGEST_HOME": str(tmp_path)}, {}).settings.origins["DIGEST_HOME"]
        == "flag"
    )
    assert (
        survey_settings({}, {"DIGEST_HOME": str(tmp_path)}).settings.origins["DIGEST_HOME"]
        == "environment"
    )


def test_the_password_is_masked_and_its_origin_is_told(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "mail-password").write_text(f"{PASSWORD}\n")
    told = desk("config", **LOGIN, CREDENTIALS_DIRECTORY=str(tmp_path))
    assert told.line("DIGEST_MAIL_PASSWORD")[1:] == ["systemd credential", "***"]
    assert told.code == 0
    more = desk("config", DIGEST_MAIL_PASSWORD_FILE="mail-password")
    assert more.line("DIGEST_MAIL_PASSWORD")[1:] == ["password file", "***"]
    desk.dotenv(f"DIGEST_MAIL_PASSWORD={PASSWORD}\n")
    most = desk("config")
    assert most.line("DIGEST_MAIL_PASSWORD")[1:] == [".env", "***"]
    for text in (told, more, most):
        assert PASSWORD not in text.out + text.err


def test_a_wrong_setting_hides_no_other_and_all_mistakes_are_told(desk: Desk) -> None:
    wrong = {
        "DIGEST_ARXIV_DELAY": "soon",
        "DIGEST_ON_UNKNOWN": "resend",
        "DIGEST_CONTACT": "nobody at all",
    }
    told = desk(
        "config", **wrong, DIGEST_MAIL="smpt://ada@mail.example.org", DIGEST_TEMPLATES="nowhere"
    )
    assert told.code == 78
    assert told.out.count("WRONG: ") == 6
    lines = told.out.splitlines()
    for variable in (*wrong, "DIGEST_TEMPLATES", "DIGEST_MAIL", "DIGEST_FROM"):
        below = next(i for i, line in enumerate(lines) if line.startswith(f"{variable} ")) + 1
        assert lines[below].startswith("  WRONG: DIGEST_"), variable
    assert told.line("DIGEST_ARXIV_API")[1:] == ["default", "https://export.arxiv.org/api/query"]
    assert "did you mean smtp:?" in " ".join(told.out.split())


def test_other_commands_stop_at_the_first_mistake_with_one_line(desk: Desk) -> None:
    told = desk("status", DIGEST_ARXIV_DELAY="soon", DIGEST_ON_UNKNOWN="resend")
    assert (told.code, told.out, told.err.count("\n")) == (78, "", 1)
    assert "DIGEST_ON_UNKNOWN" in told.err


@pytest.mark.parametrize("broken", ["bytes", "folder"])
def test_a_dotenv_that_cannot_be_read_hides_nothing(desk: Desk, broken: str) -> None:
    path = desk.home / ".env"
    path.mkdir() if broken == "folder" else path.write_bytes(b"DIGEST_DB=\xff\xfe")
    told = desk("config", DIGEST_DB="environment.db")
    assert told.code == 78
    assert told.line("DIGEST_DB")[1:] == ["environment", str(desk.home / "environment.db")]
    assert told.out.count("WRONG: ") == 1


def test_a_home_folder_of_nobody_hides_nothing(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["config", "--home", "~nobody-has-this-name/x"])
    out = capsys.readouterr().out
    assert ended.value.code == 78
    assert "WRONG: DIGEST_HOME" in out
    assert "DIGEST_TEMPLATES" in out


@pytest.mark.parametrize(
    ("variable", "value", "shows"),
    [
        ("DIGEST_MAIL", f"smtp://ada:{PASSWORD}@mail.example.org", "smtp:***"),
        ("DIGEST_MAIL", f"smtp://mail.example.org:{PASSWORD}", "smtp:***"),
        ("DIGEST_MAIL", PASSWORD, "***"),
        (
            "DIGEST_DB",
            f"postgresql://ada:{PASSWORD}@db.example.org/x",
            "postgresql://ada:***@db.example.org/x",
        ),
        (
            "DIGEST_ARXIV_API",
            f"https://ada:{PASSWORD}@proxy.example.org/q",
            "https://ada:***@proxy.example.org/q",
        ),
        (
            "DIGEST_ARXIV_API",
            f"https://proxy.example.org/q?user=ada&Password={PASSWORD}&x=1",
            "https://proxy.example.org/q?user=ada&Password=***&x=1",
        ),
        (
            "DIGEST_ARXIV_OAI",
            f"https://proxy.example.org/q?api_key={PASSWORD}",
            "https://proxy.example.org/q?api_key=***",
        ),
        (
            "DIGEST_GITHUB_API",
            f"https://{PASSWORD}@github.example.org/api",
            "https://***@github.example.org/api",
        ),
        ("DIGEST_ARXIV_FEEDS", f"ftp://ada:{PASSWORD}@x/y", "ftp://ada:***@x/y"),
        ("DIGEST_HEARTBEAT_URL", f"https://ping.example.org/{PASSWORD}", "***"),
        ("DIGEST_HEARTBEAT_URL", f"ping.example.org/{PASSWORD}", "***"),
        ("DIGEST_MAIL_TOKEN_COMMAND", f"fetch-token --refresh {PASSWORD}", "fetch-token ***"),
        ("DIGEST_MAIL_TOKEN_COMMAND", f"fetch-token '{PASSWORD}", "***"),
    ],
)
def test_a_secret_that_stands_where_it_should_not_is_not_shown(
    desk: Desk, variable: str, value: str, shows: str
) -> None:
    for told in (
        desk("config", "--json", **{variable: value}),
        desk("config", **{variable: value}),
    ):
        assert PASSWORD not in told.out + told.err
    assert desk("config", "--json", **{variable: value}).row(variable)["value"] == shows


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("DIGEST_HEARTBEAT_URL", f"ping.example.org/{PASSWORD}"),
        ("DIGEST_ARXIV_API", f"ftp://ada:{PASSWORD}@proxy.example.org/q"),
        ("DIGEST_ARXIV_OAI", f"proxy.example.org/q?token={PASSWORD}"),
        ("DIGEST_BASE_URL", f"https://ada:{PASSWORD}@digest.example.org/?x"),
        ("DIGEST_DB", f"mysql://ada:{PASSWORD}@db/x"),
    ],
)
def test_no_command_repeats_it_either(desk: Desk, variable: str, value: str) -> None:
    nobody = {"DIGEST_ARXIV_API": "http://127.0.0.1:1/", "DIGEST_MAIL": "maildir:mail"}
    for command in (["status"], ["doctor"], ["run", "--log-json"], ["status", "-vv"]):
        told = desk(*command, **(nobody | {variable: value}))
        assert told.code == 78
        assert variable in told.out + told.err
        assert PASSWORD not in told.out + told.err


@pytest.mark.parametrize("flags", [["-vv"], ["-vv", "--log-json"]])
def test_no_log_repeats_the_heartbeats_address_however_it_is_written(
    desk: Desk, flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"https://PING.example.org:443/{PASSWORD}?also={PASSWORD[::-1]}"
    assert desk("status", *flags, DIGEST_HEARTBEAT_URL=address).code in (0, 78)
    for text in (
        f"HTTP Request: GET https://ping.example.org/{PASSWORD}?also={PASSWORD[::-1]}",
        f"path=/{PASSWORD}",
        f"https://other.example.org/x?also={PASSWORD[::-1]}",
        f"proxy http://ada:{PASSWORD}@127.0.0.1:3128",
    ):
        logging.getLogger("httpx").warning(text)
    said = capsys.readouterr().err
    assert said.count("***") >= 4
    assert PASSWORD not in said
    assert PASSWORD[::-1] not in said


def test_json_tells_the_same(desk: Desk) -> None:
    desk.dotenv("DIGEST_MIAL=x\nDIGEST_QQQQ=1\n")
    told = desk("config", "--json", DIGEST_ARXIV_DELAY="soon", DIGEST_MAIL_PASSWORD=PASSWORD)
    report = json.loads(told.out)
    assert told.code == 78
    assert [row["variable"] for row in report["settings"]] == [s.variable for s in SETTINGS]
    assert told.row("DIGEST_MAIL_PASSWORD") == {
        "variable": "DIGEST_MAIL_PASSWORD",
        "value": "***",
        "set": True,
        "origin": "environment",
        "mistake": "",
    }
    assert "write a number of seconds" in told.row("DIGEST_ARXIV_DELAY")["mistake"]
    assert report["unknown"] == [
        {"variable": "DIGEST_MIAL", "nearest": "DIGEST_MAIL"},
        {"variable": "DIGEST_QQQQ", "nearest": None},
    ]
    assert report["dotenv"] == str(desk.home / ".env")


def test_what_means_nothing_is_told_with_the_nearest_that_does(desk: Desk) -> None:
    told = desk("config", DIGEST_SUBSCRIBER="x.yaml")
    assert told.code == 0
    assert (
        "DIGEST_SUBSCRIBER is set, and no such setting exists: did you mean DIGEST_SUBSCRIBERS?"
        in told.out
    )


def test_what_the_program_says_fits_into_80_columns(desk: Desk) -> None:
    told = desk(
        "config",
        DIGEST_ARXIV_DELAY="soon",
        DIGEST_MAIL="smtp://ada@mail.example.org",
        DIGEST_CONTACT="x y",
    )
    long = [line for line in told.out.splitlines() if len(line) > 80]
    assert all(str(desk.home) in line or "https://" in line for line in long)
