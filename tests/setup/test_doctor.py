"""`digest doctor`: how the checks are made, independent of each other, and what the command says:
its exit codes, its silence about secrets."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from digest.cli.daily import timer as timer_module
from digest.errors import ConfigError, Exit, TryLaterError
from digest.setup import settings as settings_module
from digest.setup.doctor import names
from digest.setup.doctor.check import Cause, Check, Finding, Level, exit_code, ok, run_checks
from digest.setup.doctor.mail import TITLE
from tests.setup.doctor import (
    LOGIN,
    PAPERS,
    PASSWORD,
    SENDER,
    make_database,
    states,
    with_user,
)
from tests.world.shell import Told, run_main
from tests.world.smtp_server import Act, smtp_server
from tests.world.standin import ScriptedAnswer, Standin
from tests.world.worlds import mail


@pytest.fixture
def arxiv() -> Iterator[Standin]:
    with Standin(PAPERS) as standin:
        yield standin


def test_a_check_that_breaks_off_hides_no_other_and_neither_does_one_that_hangs() -> None:
    ended = threading.Event()

    def breaks() -> Finding:
        raise ZeroDivisionError("a\nb")

    def refuses() -> Finding:
        raise ConfigError("it is wrong", remedy="mend it")

    def hangs() -> Finding:
        ended.wait(30)
        return ok("")

    def waits() -> Finding:
        raise TryLaterError("locked")

    made = list(
        run_checks(
            [
                Check("hangs", hangs),
                Check("breaks", breaks),
                Check("refuses", refuses),
                Check("waits", waits),
                Check("two", lambda: [ok("a"), ok("b")]),
            ],
            seconds=0.3,
        )
    )
    ended.set()
    assert [check.name for check in made] == ["hangs", "breaks", "refuses", "waits", "two", "two"]
    assert states(made) == [Level.FAIL] * 4 + [Level.OK] * 2
    assert [check.cause for check in made[:4]] == [
        Cause.OTHER,
        Cause.OTHER,
        Cause.CONFIG,
        Cause.NETWORK,
    ]
    assert "no result after 0.3 seconds" in made[0].found
    assert made[1].found == "the check broke off (ZeroDivisionError: a b)"
    assert (made[2].found, made[2].remedy) == ("it is wrong", "mend it")


@pytest.mark.parametrize(
    ("causes", "code"),
    [
        ([], Exit.DONE),
        ([Cause.NETWORK], Exit.TRY_LATER),
        ([Cause.NETWORK, Cause.CONFIG], Exit.CONFIG),
        ([Cause.CONFIG, Cause.OTHER], Exit.CONFIG),
        ([Cause.NETWORK, Cause.OTHER], Exit.GIVEN_UP),
        ([Cause.OTHER], Exit.GIVEN_UP),
    ],
)
def test_the_exit_code_says_what_failed(causes: list[Cause], code: Exit) -> None:
    failed = [Finding(Level.FAIL, "", "", cause) for cause in causes]
    assert exit_code([*failed, Finding(Level.WARN, ""), ok("")]) is code


class Diagnosis(Told):
    """What the doctor found."""

    def check(self, name: str) -> dict[str, str]:
        """A check from the JSON."""
        found: dict[str, str] = next(c for c in self.json()["checks"] if c["name"] == name)
        return found


class Clinic:
    """A machine with nothing on it but a home folder, a small arXiv and no DNS."""

    def __init__(self, home: Path, arxiv: Standin, capture: pytest.CaptureFixture[str]) -> None:
        self.home, self.arxiv, self._capture = home, arxiv, capture

    def __call__(self, *args: str) -> Diagnosis:
        told = run_main(["doctor", *args, "--home", str(self.home)], self._capture)
        return Diagnosis(told.code, told.out, told.err)

    async def beside(self, *args: str) -> Diagnosis:
        """The command while this loop serves mail."""
        return await asyncio.to_thread(self, *args)

    def env(self, **values: str) -> None:
        (self.home / ".env").write_text(
            "".join(f"{name}='{value}'\n" for name, value in values.items())
        )
        (self.home / ".env").chmod(0o600)


@pytest.fixture
def clinic(
    tmp_path: Path,
    arxiv: Standin,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Clinic]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("DIGEST_ARXIV_API", arxiv.url)
    monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
    monkeypatch.setattr(settings_module, "SYSTEM_HOME", tmp_path / "system")
    monkeypatch.setattr(names, "make_resolver", lambda: None)
    monkeypatch.setattr(timer_module, "installed", list)
    monkeypatch.chdir(tmp_path)
    yield Clinic(home, arxiv, capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_on_a_fresh_machine_it_says_what_to_do_first(clinic: Clinic) -> None:
    told = clinic()
    assert (told.code, told.err) == (78, "")
    assert "begin with 'digest init'" in told.out.splitlines()[0]
    assert not clinic.home.exists()
    assert all(len(line) <= 80 or str(clinic.home.parent) in line for line in told.out.splitlines())
    assert "\x1b" not in told.out


def test_where_all_is_well_only_warnings_are_left_and_the_code_is_0(clinic: Clinic) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))
    clinic.env(DIGEST_CONTACT="ada@example.org")
    told = clinic("--json")
    report = json.loads(told.out)
    assert (told.code, report["exit_code"]) == (0, 0)
    assert not [check for check in report["checks"] if check["state"] == "fail"]
    assert set(report["checks"][0]) == {"name", "state", "found", "remedy"}
    assert [check["name"] for check in report["checks"]] == [
        "settings",
        "subscribers",
        "database",
        "disk",
        "timer",
        "last run",
        "cycle",
        "other installs",
        "zone data",
        "holidays",
        "arXiv",
        "clock",
        "mail",
    ]
    assert len(clinic.arxiv.requests) == 1


def test_only_the_network_failing_is_75(clinic: Clinic) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))
    clinic.arxiv.script(ScriptedAnswer(reset=True))
    told = clinic()
    assert told.code == 75
    assert "FAILED  arXiv" in told.out


def test_each_line_begins_with_a_word_and_the_names_are_aligned(clinic: Clinic) -> None:
    lines = clinic().out.splitlines()
    table = lines[2 : lines.index("", 2)]
    for line in table:
        assert re.match(r"(?:ok|warning|FAILED|-) +[a-zA-Z]", line) or line.startswith(" " * 24)
        assert line[23] == " " or line[:24].strip() == ""
    assert re.fullmatch(
        r"\d failed, \d warnings?, \d+ ok(, \d not checked)?\.", lines[lines.index("", 2) + 1]
    )


def test_a_check_that_breaks_off_is_one_line_among_the_others(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))

    def broken() -> Any:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(timer_module, "installed", broken)
    told = clinic("--json")
    assert told.code == 1
    assert told.check("timer")["found"] == "the check broke off (RuntimeError: no such thing)"
    assert told.check("database")["state"] == "ok"


def test_own_templates_are_tried(clinic: Clinic) -> None:
    own = clinic.home / "own"
    own.mkdir(parents=True)
    clinic.env(DIGEST_TEMPLATES="own")
    assert clinic("--json").check("templates")["state"] == "ok"
    (own / "digest.txt").write_text("{% if %}")
    assert clinic("--json").check("templates")["state"] == "fail"


async def test_a_test_digest_goes_out_and_the_servers_words_are_told(clinic: Clinic) -> None:
    clinic.home.mkdir()
    path = make_database(clinic.home, last=datetime.now(UTC))
    before = path.read_bytes()
    async with smtp_server(extensions=LOGIN) as server:
        clinic.env(DIGEST_MAIL=with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD, **SENDER)
        told = await clinic.beside("--send", "eve@example.org")
    assert told.code == 0
    assert "a test digest went to eve@example.org" in " ".join(told.out.split())
    assert "2.0.0 Queued as 7" in " ".join(told.out.split())
    (taken,) = server.messages
    assert taken.recipient == "eve@example.org"
    message = mail(taken.data)
    assert message["Subject"].startswith("Test: ")
    for part in ("plain", "html"):
        body = message.get_body((part,))
        assert body is not None
        assert TITLE in body.get_content()
    assert path.read_bytes() == before
    assert server.verbs().count("AUTH") == 1


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ({"AUTH": "535 5.7.8 bad login"}, 78, "535 5.7.8 bad login"),
        ({"RCPT": "550 5.1.1 no such user"}, 1, "550 5.1.1 no such user"),
        ({"RCPT": "450 4.2.0 greylisted"}, 75, "greylisted"),
        ({"message": Act.DROP}, 75, "maybe delivered"),
    ],
)
async def test_a_test_digest_that_is_refused_is_told(
    clinic: Clinic, script: dict[str, Any], code: int, words: str
) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))
    async with smtp_server(script, extensions=LOGIN) as server:
        clinic.env(DIGEST_MAIL=with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD, **SENDER)
        told = await clinic.beside("--send", "eve@example.org", "--json")
    assert told.code == code
    assert told.check("mail")["state"] == "fail"
    assert words in told.check("mail")["found"]


def test_what_is_no_address_is_refused_before_anything_is_done(clinic: Clinic) -> None:
    told = clinic("--send", "eve")
    assert (told.code, told.out) == (2, "")
    assert clinic.arxiv.requests == []


async def test_no_secret_is_ever_printed(clinic: Clinic) -> None:
    clinic.home.mkdir()
    leaky = {
        "AUTH": f"535 5.7.8 {PASSWORD} is not the password",
        "connect": f"220 hello {PASSWORD}",
    }
    async with smtp_server(leaky, extensions=LOGIN) as server:
        clinic.env(DIGEST_MAIL=with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD, **SENDER)
        told = [
            await clinic.beside(*args)
            for args in ((), ("--json",), ("-vv",), ("--send", "eve@example.org"))
        ]
    for one in told:
        assert PASSWORD not in one.out + one.err
    assert "***" in told[0].out
