"""The web side as mail services, link scanners and readers meet it."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from digest.mail.reader_tokens import Purpose
from digest.model import Roster
from digest.setup.doctor.check import Level
from digest.setup.doctor.returns import check_base_url
from digest.setup.mail import make_signer
from digest.setup.settings import survey_settings
from digest.store import Store, open_store
from digest.web import server as serving_pages
from digest.web.answers import HEADERS
from digest.web.database_thread import DatabaseThread
from tests.web.archive_world import make_gateway
from tests.world.worlds import MONDAY, reader

ADA, LIN = "ada@example.org", "lin@example.org"
FILES = 128
"""Files that the server may have open, connections among them."""


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


@contextlib.contextmanager
def running(
    home: Path, command: str, *flags: str, port: int = 0
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A command that listens, and where it is reached."""
    with socket.create_server(("127.0.0.1", port)) as free:
        port = free.getsockname()[1]
    listen = ("--home", str(home), "--listen", f"127.0.0.1:{port}")
    process = subprocess.Popen(
        [sys.executable, "-m", "digest", command, *listen, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)),
    )
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    home = tmp_path_factory.mktemp("site")
    store = open_store(home / "digest.db")
    readers = (reader(ADA, "Reasoning"), reader(LIN, "Reasoning"))
    store.subscribers.sync(Roster(readers, readers[0].keywords), MONDAY)
    flags = ("--base-url", "https://example.org/digest", "-vv")
    with running(home, "serve", *flags) as (url, process):
        yield Site(url, store, process)
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


def button_of(answer: httpx.Response) -> dict[str, str]:
    """What a press of the only button of a page posts."""
    names = re.findall(r'<button type="submit" name="([^"]+)" value="([^"]+)">', answer.text)
    assert len(names) == 1
    return dict(names)


def test_a_press_of_the_pages_button_can_be_undone_on_the_page_it_leads_to(site: Site) -> None:
    pressed = httpx.post(site.link(), data=button_of(httpx.get(site.link())))
    assert "You are unsubscribed" in pressed.text
    assert site.suppressed() == [ADA]
    assert [one.address for one in site.store.suppressions.farewells(datetime.now(UTC))] == [ADA]
    for _ in range(2):
        back = httpx.post(site.link(), data=button_of(pressed))
        assert "You are subscribed" in back.text
        assert "<button" not in back.text  # what presses all buttons ends here
        assert site.suppressed() == []
    assert site.store.suppressions.farewells(datetime.now(UTC)) == []


def test_a_second_press_is_the_same_leave(site: Site) -> None:
    for _ in range(2):
        assert button_of(httpx.post(site.link(), data={"button": "leave"})) == {"button": "undo"}
    assert len(site.store.suppressions.farewells(datetime.now(UTC))) == 1


@pytest.mark.parametrize("way", [{"button": "leave"}, {"List-Unsubscribe": "One-Click"}])
def test_whoever_looks_after_leaving_returns_by_a_box_that_no_scanner_ticks(
    site: Site, way: dict[str, str]
) -> None:
    httpx.post(site.link(), data=way)
    answer = httpx.get(site.link())
    assert "You are unsubscribed" in answer.text
    assert '<input type="checkbox" name="meant" required>' in answer.text
    assert button_of(answer) == {"button": "return"}
    untouched = httpx.post(site.link(), data=button_of(answer))
    assert "You are unsubscribed" in untouched.text
    assert site.suppressed() == [ADA]
    back = httpx.post(site.link(), data=button_of(answer) | {"meant": "on"})
    assert "You are subscribed" in back.text
    assert site.suppressed() == []


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"List-Unsubscribe": "One-Click"}},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"files": {"button": (None, "undo")}},
        {"data": {"button": "look"}},
        {"data": {"button": "x" * 1000}},
        {},
    ],
)
@pytest.mark.parametrize("before", [None, "leave"])
def test_mail_services_posts_are_followed_by_no_mail(
    site: Site, body: dict[str, object], before: str | None
) -> None:
    if before:
        httpx.post(site.link(), data={"button": before})
    answer = httpx.post(site.link(), **body)  # type: ignore[arg-type]
    assert button_of(answer) == {"button": "return"}
    assert site.store.suppressions.farewells(datetime.now(UTC)) == []
    assert site.suppressed() == [ADA]


def test_who_left_in_another_way_cannot_undo_it_by_the_link(site: Site) -> None:
    for left_before in (True, False):
        if left_before:
            httpx.post(site.link())
        site.store.suppressions.unsubscribe(1, "by mail", datetime.now(UTC))
        httpx.post(site.link())
        for form in ({"button": "undo"}, {"button": "return", "meant": "on"}):
            answer = httpx.post(site.link(), data=form)
            assert "You are unsubscribed" in answer.text
            assert "<button" not in answer.text
        assert site.suppressed() == [ADA]
        site.store.suppressions.lift(ADA)


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


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("path", ["{}/", "//evil.example/u", "{}?x=1/", "/digest{}//"])
def test_nothing_leads_to_another_host(site: Site, method: str, path: str) -> None:
    link = site.link().removeprefix(site.url)
    answer = httpx.request(method, site.url + path.format(link), headers={"Host": "evil.example"})
    assert answer.status_code in (200, 404)
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "", 200),
        ("PUT", "", 405),
        ("OPTIONS", "", 405),
        ("TRACE", "", 405),
        ("GET", "/", 404),
        ("GET", "/u/1", 404),
        ("DELETE", "/nowhere", 404),
    ],
)
def test_every_answer_has_the_headers_of_security(
    site: Site, method: str, path: str, status: int
) -> None:
    answer = httpx.request(method, site.url + path if path else site.link())
    assert answer.status_code == status
    assert (
        HEADERS.items() <= {name.title(): value for name, value in answer.headers.items()}.items()
    )
    assert ("allow" in answer.headers) == (status == 405)


def test_half_requests_in_any_number_cost_nothing_and_keep_nobody_out(site: Site) -> None:
    halves = [
        b"",
        b"GET /u/x HTTP/1.1\r\nHost: x",
        b"POST /u/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf",
        b"POST /u/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\0 no HTTP\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"GET /" + b"a" * 20_000,
    ]
    with contextlib.ExitStack() as held:
        for number in range(2 * FILES):
            half = held.enter_context(socket.socket())
            half.setblocking(False)
            half.connect_ex(("127.0.0.1", urlsplit(site.url).port))
            with contextlib.suppress(OSError):  # one that is still waiting to be taken
                half.send(halves[number % len(halves)])
        assert _asked(site.link()).status_code == 200


def _asked(url: str, tries: int = 5) -> httpx.Response:
    """A page as a browser gets it: where its connection had to make room for another one, it asks
    again.
    """
    for _ in range(tries):
        with contextlib.suppress(httpx.RemoteProtocolError, httpx.ReadError):
            return httpx.get(url, timeout=20)
    raise AssertionError(f"no answer to {tries} requests")


async def test_half_a_request_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, site: Site
) -> None:
    monkeypatch.setattr(serving_pages, "SECONDS", 0.1)
    database = DatabaseThread(Path(site.store._database.name))
    server = serving_pages.make_server(make_gateway(site.store, database))
    listener = socket.create_server(("127.0.0.1", 0))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    for half in (
        b"",
        b"GET / HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n",
    ):
        reading, writing = await asyncio.open_connection(*listener.getsockname())
        writing.write(half)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            answer = await reading.read()
        assert answer.count(b"404 Not Found") == half.count(b"\r\n\r\n")
        writing.close()
    server.should_exit = True
    await task


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[tuple[httpx.AsyncClient, Store, str]]:
    """The pages without a server, before a database of their own; they wait for it only briefly."""
    with open_store(tmp_path / "digest.db") as store:
        readers = (reader(ADA, "Reasoning"),)
        store.subscribers.sync(Roster(readers, readers[0].keywords), MONDAY)
        signer = make_signer(store)
        with contextlib.closing(DatabaseThread(tmp_path / "digest.db", seconds=0.2)) as database:
            transport = httpx.ASGITransport(make_gateway(store, database))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                yield client, store, f"/u/{signer.token(Purpose.LEAVE, 1)}"


async def test_a_locked_database_keeps_nobody_else_waiting(
    database: tuple[httpx.AsyncClient, Store, str],
) -> None:
    client, store, link = database
    done = []

    async def ask(method: str, path: str) -> httpx.Response:
        answer = await client.request(method, path)
        done.append(path)
        return answer

    with store._database.transaction():
        posts = [ask("POST", link) for _ in range(20)]
        *busy, other = await asyncio.gather(*posts, ask("GET", "/"))
    assert done[0] == "/"
    assert other.status_code == 404
    assert {(answer.status_code, answer.headers["retry-after"]) for answer in busy} == {(503, "30")}
    assert (await client.post(link)).status_code == 200
    assert [one.address for one in store.suppressions.all()] == [ADA]


async def test_a_database_that_is_gone_is_a_page_too(
    database: tuple[httpx.AsyncClient, Store, str], tmp_path: Path
) -> None:
    client, _, link = database
    (tmp_path / "digest.db").rename(tmp_path / "away.db")
    answer = await client.get(link)
    assert answer.status_code == 503
    assert "Not now" in answer.text


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
    assert "nothing that was found ('public:' in the subscribers file opens it)." in out
    assert f"{ADA}: unsubscribed" in err
    assert "/u/" not in err
    assert "Traceback" not in err
    assert "uvicorn" not in err


@pytest.mark.heavy
def test_the_daemon_answers_the_same_beside_its_work(tmp_path: Path) -> None:
    text = f"subscribers: [{{email: {ADA}, keywords: [Reasoning]}}]\n"
    (tmp_path / "subscribers.yaml").write_text(text)
    nowhere = ("--arxiv-api", "http://127.0.0.1:9", "--arxiv-delay", "0")
    with running(tmp_path, "daemon", *nowhere) as (url, process):
        assert httpx.get(f"{url}/healthz").json() == {"status": "ok"}
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=15) == 0
