"""The web side as mail services, link scanners and readers meet it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from digest.mail.reader_tokens import Purpose
from digest.model import Roster
from digest.setup.doctor.check import Level
from digest.setup.doctor.returns import check_base_url
from digest.setup.mail import make_signer
from digest.setup.settings import survey_settings
from digest.store import Store, open_store
from tests.world.worlds import MONDAY, reader

ADA, LIN = "ada@example.org", "lin@example.org"


@dataclass
class Site:
    """A running `digest serve`."""

    url: str
    store: Store
    process: subprocess.Popen[str]

    def link(self, reader_number: int = 1) -> str:
        return f"{self.url}/u/{make_signer(self.store).token(Purpose.LEAVE, reader_number)}"

    def suppressed(self) -> list[str]:
        return [one.address for one in self.store.suppressions.all()]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    store = open_store(home / "digest.db")
    readers = (reader(ADA, "Reasoning"), reader(LIN, "Reasoning"))
    store.subscribers.sync(Roster(readers, readers[0].keywords), MONDAY)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "digest",
        "serve",
        "--home",
        str(home),
        "--listen",
        f"127.0.0.1:{port}",
    ]
    command += ["--base-url", "https://example.org/digest", "-vv"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield Site(f"http://127.0.0.1:{port}", store, process)
    finally:
        process.kill()
        process.communicate()
        store.close()


@pytest.fixture(autouse=True)
def nobody_left(site: Site) -> None:
    for address in site.suppressed():
        site.store.suppressions.lift(address)


def test_looking_changes_nothing_and_shows_a_button(site: Site) -> None:
    for _ in range(2):
        answer = httpx.get(site.link())
        assert answer.status_code == 200
        assert '<form method="post">' in answer.text
    assert httpx.head(site.link()).status_code == 200
    assert site.suppressed() == []
    assert ADA not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {},
        {"content": b"\0" * 100_000},
    ],
)
def test_a_post_unsubscribes_at_once_in_any_encoding_and_again_without_harm(
    site: Site, body: dict[str, object]
) -> None:
    for _ in range(2):
        answer = httpx.post(site.link(), **body)  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert not answer.history
        assert "You are unsubscribed" in answer.text
    assert site.suppressed() == [ADA]
    assert site.store.suppressions.all()[0].why == "unsubscribed: by the link in a mail"


def test_the_path_of_the_public_address_may_be_there(site: Site) -> None:
    assert httpx.post(site.link(2).replace("/u/", "/digest/u/")).status_code == 200
    assert site.suppressed() == [LIN]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path", ["/u/1-aaaaaaaaaaaaaaaaaaaa", "/u/", "/", "/u/..%2f..%2fetc", "/u/1"]
)
def test_what_was_not_signed_leads_nowhere(site: Site, method: str, path: str) -> None:
    assert httpx.request(method, site.url + path).status_code == 404
    assert site.suppressed() == []


def test_a_token_for_a_bounce_or_for_nobody_leads_nowhere(site: Site) -> None:
    signer = make_signer(site.store)
    for token in (signer.token(Purpose.BOUNCE, 1), signer.token(Purpose.LEAVE, 999)):
        assert httpx.post(f"{site.url}/u/{token}").status_code == 404
    assert httpx.put(site.link()).status_code == 405
    assert site.suppressed() == []


def test_doctor_knows_it(site: Site, tmp_path: Path) -> None:
    survey = survey_settings(
        {"DIGEST_HOME": str(tmp_path), "DIGEST_BASE_URL": site.url}, {}, tmp_path
    )
    found = check_base_url(survey.settings.base_url)
    assert found.level is Level.OK, found


def test_it_ends_on_a_signal_and_its_log_holds_no_token(site: Site) -> None:
    httpx.post(site.link())
    site.process.send_signal(signal.SIGTERM)
    out, err = site.process.communicate(timeout=15)
    assert site.process.returncode == 0
    assert "Listening on" in out
    assert f"{ADA}: unsubscribed" in err
    assert "/u/" not in err
    assert "Traceback" not in err
