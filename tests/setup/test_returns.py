"""What doctor says of the mailbox, the bounce address and the web side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from digest.cli import main
from digest.setup.doctor.check import Cause, Finding, Level, run_checks
from digest.setup.doctor.table import local_checks, remote_checks
from digest.setup.parts import machine_now
from digest.setup.settings import survey_settings

MAIL = {"DIGEST_MAIL": "smtp://localhost:25", "DIGEST_FROM": "Papers <papers@example.org>"}
INBOX = {"DIGEST_INBOX": "imap://bounces@127.0.0.1:1", "DIGEST_INBOX_PASSWORD": "a secret of ours"}


def checks(home: Path, **environ: str) -> dict[str, Finding]:
    survey = survey_settings({"DIGEST_HOME": str(home)}, {**MAIL, **environ}, home)
    rows = remote_checks(survey, machine_now, probe_mail=False)
    chosen = [row for row in rows if row.name in ("inbox", "bounces", "web side")]
    return {finding.name: finding for finding in run_checks(chosen, survey.mistakes)}


@pytest.fixture
def elsewhere() -> Iterator[str]:
    """A web server that knows nothing of digests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"Welcome!")

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_nothing_is_said_of_what_is_not_set(tmp_path: Path) -> None:
    assert checks(tmp_path) == {}


def test_a_mailbox_that_does_not_answer_is_the_networks_failure(tmp_path: Path) -> None:
    found = checks(tmp_path, **INBOX)["inbox"]
    assert (found.level, found.cause) == (Level.FAIL, Cause.NETWORK)
    assert "could not be reached" in found.found


def test_a_mailbox_without_a_password_is_a_settings_failure(tmp_path: Path) -> None:
    found = checks(tmp_path, DIGEST_INBOX=INBOX["DIGEST_INBOX"])["inbox"]
    assert (found.level, found.cause) == (Level.FAIL, Cause.CONFIG)
    assert "DIGEST_INBOX_PASSWORD" in found.remedy


def test_what_is_wrong_already_is_not_checked(tmp_path: Path) -> None:
    found = checks(
        tmp_path,
        DIGEST_INBOX="nonsense",
        DIGEST_BOUNCE="nobody",
        DIGEST_BASE_URL="http://example.org",
    )
    assert {check.level for check in found.values()} == {Level.SKIP}
    assert len(found) == 3


def test_a_bounce_address_that_nobody_reads_or_that_is_elsewhere_is_a_warning(
    tmp_path: Path,
) -> None:
    unread = checks(tmp_path, DIGEST_BOUNCE="bounces@example.org")["bounces"]
    assert unread.level is Level.WARN
    assert "nobody reads them" in unread.found
    foreign = checks(tmp_path, DIGEST_BOUNCE="bounces@notexample.org", **INBOX)["bounces"]
    assert "SPF is not aligned" in foreign.found
    for address in ("bounces@example.org", "papers@bounce.example.org"):
        own = checks(tmp_path, DIGEST_BOUNCE=address, **INBOX)["bounces"]
        assert own.level is Level.OK
        assert "+7-…@" in own.found


def test_a_web_side_that_nobody_answers_for_fails(tmp_path: Path, elsewhere: str) -> None:
    away = checks(tmp_path, DIGEST_BASE_URL="http://127.0.0.1:1")["web side"]
    assert (away.level, away.cause) == (Level.FAIL, Cause.NETWORK)
    other = checks(tmp_path, DIGEST_BASE_URL=elsewhere)["web side"]
    assert (other.level, other.cause) == (Level.FAIL, Cause.CONFIG)
    assert "answered by something else (HTTP 200)" in other.found


def test_secrets_are_shown_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = {
        "DIGEST_INBOX_PASSWORD": "inbox-tr0ub4dor",
        "DIGEST_HEARTBEAT_URL": "https://hc.example/tr0ub4dor",
        "DIGEST_SECRET": "signing-tr0ub4dor-secret",
    }
    for name, value in {**secrets, "DIGEST_INBOX": "imap://ada:tr0ub4dor@localhost"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        main(["config", "--home", str(tmp_path), "--json"])
    out, err = capsys.readouterr()
    shown = {row["variable"]: row["value"] for row in json.loads(out)["settings"]}
    assert {shown[name] for name in (*secrets, "DIGEST_INBOX")} == {"***"}
    assert "tr0ub4dor" not in out + err


ASKED = """subscribers:
  - {email: ada@example.org, keywords: [x1], feedback: true}
  - {github: ada/papers, keywords: [x1], feedback: true}
"""


@pytest.mark.parametrize(
    ("environ", "level", "words"),
    [
        ({}, Level.WARN, "1 reader can like papers, and nothing reads what they answer"),
        (INBOX, Level.OK, "by mail to papers@example.org"),
        ({**INBOX, "DIGEST_BOUNCE": "b@example.org"}, Level.OK, "by mail to b@example.org"),
        ({"DIGEST_BASE_URL": "https://x.example"}, Level.OK, "by links to https://x.example"),
    ],
)
def test_likes_that_nothing_reads_are_a_warning(
    tmp_path: Path, environ: dict[str, str], level: Level, words: str
) -> None:
    survey = survey_settings({"DIGEST_HOME": str(tmp_path)}, {**MAIL, **environ}, tmp_path)
    rows = [row for row in local_checks(survey, list, machine_now()) if row.name == "likes"]
    assert list(run_checks(rows)) == []
    (tmp_path / "subscribers.yaml").write_text(ASKED, encoding="utf-8")
    [found] = run_checks(rows)
    assert (found.level, words in found.found) == (level, True)
