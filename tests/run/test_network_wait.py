"""`run --wait`: a run that needs a network waits for it, at most two minutes; one that needs none
is not delayed."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from digest.demo.papers import KEYWORDS, three_days
from digest.run import network_wait as waiting
from digest.run.network_wait import LONGEST, NetworkWait
from digest.system.signals import Stop
from tests.world.imap_server import imap_server
from tests.world.letters import letter
from tests.world.shell import Told, run_main
from tests.world.standin import Standin
from tests.world.worlds import mail

THURSDAY, FRIDAY, _SATURDAY = three_days(date(2026, 11, 1))
SUBSCRIBERS = f"subscribers:\n  - {{email: ada@example.org, keywords: [{KEYWORDS[0]}]}}\n"


def free_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Time:
    """A clock that only sleeping moves; `at` calls something once so many seconds have passed."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.at: dict[float, Callable[[], object]] = {}

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        for moment in [m for m in self.at if m <= self.now]:
            self.at.pop(moment)()

    def monotonic(self) -> float:
        return self.now


def patience(time: Time, stop: Stop | None = None) -> NetworkWait:
    return NetworkWait(
        stop or Stop(), lambda _text: None, sleep=time.sleep, monotonic=time.monotonic
    )


async def test_the_waits_grow_and_end_after_two_minutes() -> None:
    time = Time()
    impatient = patience(time)
    assert "refused" in await impatient.unreachable(("127.0.0.1", free_port()))
    assert time.slept == [2, 4, 8, 16, 32, 58]
    assert time.now == LONGEST == 120
    assert impatient.in_vain


async def test_it_ends_as_soon_as_somebody_answers() -> None:
    time, port = Time(), free_port()
    with ExitStack() as open_sockets:

        def listen() -> None:
            server = open_sockets.enter_context(socket.create_server(("127.0.0.1", port)))
            server.listen()

        time.at[14] = listen
        patient = patience(time)
        assert await patient.unreachable(("127.0.0.1", port)) == ""
    assert time.slept == [2, 4, 8]
    assert not patient.in_vain


async def test_two_hosts_share_the_two_minutes() -> None:
    time = Time()
    impatient = patience(time)
    await impatient.unreachable(("127.0.0.1", free_port()))
    await impatient.unreachable(("127.0.0.1", free_port()))
    assert time.now == LONGEST


async def test_a_name_that_is_not_found_is_waited_for_too() -> None:
    time = Time()
    assert await patience(time).unreachable(("host.invalid", 443))
    assert time.now == LONGEST


@pytest.mark.parametrize("words", ["smtp://{}", "GitHub issues by http://{}"])
async def test_the_server_of_each_channel_is_waited_for(words: str) -> None:
    time, port = Time(), free_port()
    with ExitStack() as open_sockets:

        def listen() -> None:
            server = open_sockets.enter_context(socket.create_server(("127.0.0.1", port)))
            server.listen()

        time.at[6] = listen
        patient = patience(time)
        await patient.relay(words.format(f"127.0.0.1:{port}"))
    assert (time.slept, patient.in_vain) == ([2, 4], False)


@pytest.mark.parametrize("words", ["Maildir /srv/my mail", "/usr/sbin/sendmail"])
async def test_a_folder_and_a_program_are_not_waited_for(words: str) -> None:
    time = Time()
    await patience(time).relay(words)
    assert time.slept == []


async def test_a_stop_ends_the_waiting() -> None:
    stop = Stop()
    real = NetworkWait(stop, lambda _text: None)
    asyncio.get_running_loop().call_later(0.05, stop.set)
    async with asyncio.timeout(5):
        assert await real.unreachable(("127.0.0.1", free_port()))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ("export.arxiv.org", 443)),
        ({"https_proxy": "http://proxy.example.org:3128"}, ("proxy.example.org", 3128)),
        ({"https_proxy": "proxy.example.org:3128"}, ("proxy.example.org", 3128)),
        (
            {"https_proxy": "http://proxy.example.org:3128", "no_proxy": "arxiv.org"},
            ("export.arxiv.org", 443),
        ),
    ],
)
def test_behind_a_proxy_it_is_the_proxy_that_must_answer(
    variables: dict[str, str], expected: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert waiting._behind_proxy("https://export.arxiv.org/api/query") == expected


# As the timer calls it


class House:
    """An installation whose waits are sleeps of a clock that only they move."""

    def __init__(
        self, home: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.home, self.time = home, Time()
        self._patch, self._capture = monkeypatch, capture
        self.folder("maildir:mail")
        time = self.time

        def made(stop: Stop, progress: Callable[[str], None]) -> NetworkWait:
            return NetworkWait(stop, progress, sleep=time.sleep, monotonic=time.monotonic)

        monkeypatch.setattr(waiting, "NetworkWait", made)
        monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
        monkeypatch.setenv("DIGEST_FROM", "digest@example.org")

    def folder(self, mail: str) -> None:
        (self.home / "subscribers.yaml").write_text(SUBSCRIBERS)
        self._patch.setenv("DIGEST_MAIL", mail)

    def arxiv_at(self, url: str) -> None:
        self._patch.setenv("DIGEST_ARXIV_API", url)

    def run(self, now: datetime, *more: str, home: Path | None = None) -> Told:
        place = ["--home", str(home or self.home), "--now", now.isoformat()]
        return run_main(["run", *place, *more], self._capture)

    def mails(self) -> int:
        return len(list((self.home / "mail" / "new").glob("*")))

    def ids(self, home: Path) -> set[str]:
        """The papers in the mails of an installation."""
        texts = [read_mail(path.read_bytes()) for path in (home / "mail" / "new").glob("*")]
        return {found for text in texts for found in re.findall(r"arxiv\.org/abs/(\S+?)v\d", text)}


@pytest.fixture
def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[House]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    yield House(home, monkeypatch, capsys)
    root.handlers[:], root.level = handlers, level


def read_mail(data: bytes) -> str:
    part = mail(data).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def nowhere() -> str:
    return f"http://127.0.0.1:{free_port()}/api/query"


def test_with_nobody_there_it_ends_with_75_after_two_minutes(house: House) -> None:
    house.arxiv_at(nowhere())
    told = house.run(THURSDAY.now, "--wait")
    assert told.code == 75
    assert "arXiv could not be reached" in told.err
    assert house.time.now == LONGEST


class Late:
    """A web server that is not there until `start`, and then sends everybody on to the stand-in."""

    def __init__(self, standin: Standin) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/api/query"
        self._target = standin.url
        self._server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        target = self._target

        class Redirect(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(307)
                self.send_header("Location", f"{target}?{self.path.partition('?')[2]}")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Redirect)
        threading.Thread(target=self._server.serve_forever, args=(0.02,)).start()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


def test_an_arxiv_that_comes_late_is_asked(house: House) -> None:
    with Standin() as standin, closing(Late(standin)) as late:
        standin.serve(THURSDAY.papers)
        house.arxiv_at(late.url)
        house.time.at[6] = late.start
        told = house.run(THURSDAY.now, "--wait")
        assert told.code == 0, told.err
        assert len(standin.requests) >= 1
    assert house.time.slept == [2, 4]
    assert house.mails() == 1


def test_without_the_option_nobody_waits(house: House) -> None:
    house.arxiv_at(nowhere())
    told = house.run(THURSDAY.now)
    assert told.code == 75
    assert house.time.slept == []


def test_a_run_with_nothing_due_is_not_delayed(house: House) -> None:
    with Standin() as standin:
        standin.serve(THURSDAY.papers)
        house.arxiv_at(standin.url)
        assert house.run(THURSDAY.now, "--wait").code == 0
    # Nobody answers any more, and nothing is asked; nor is a relay that has nothing to do.
    house.folder(f"smtp://127.0.0.1:{free_port()}")
    told = house.run(THURSDAY.now, "--wait")
    assert told.code == 0
    assert house.time.slept == []


def test_the_mailbox_is_waited_for_so_that_nobody_is_mailed_who_asked_to_leave(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a laptop that wakes: digests would go out as soon as the network is up."""
    port = free_port()
    monkeypatch.setenv("DIGEST_CONTACT", "help@example.org")
    with Standin() as standin, ExitStack() as late:
        standin.serve(THURSDAY.papers)
        house.arxiv_at(standin.url)
        assert house.run(THURSDAY.now).code == 0
        (path,) = (house.home / "mail" / "new").iterdir()
        button = mail(path.read_bytes())["List-Unsubscribe"].strip("<>")
        asks = letter(button.partition("?subject=")[2].replace("%20", " "))
        monkeypatch.setenv("DIGEST_INBOX", f"imap://ada@127.0.0.1:{port}")
        monkeypatch.setenv("DIGEST_INBOX_PASSWORD", "a secret of ours")
        standin.serve(FRIDAY.papers)
        house.time.at[6] = lambda: late.enter_context(imap_server({1: asks}, port=port))
        told = house.run(FRIDAY.now, "--wait")
        assert told.code == 0, told.err
        assert (house.time.slept, house.mails()) == ([2, 4], 1)
    # In vain it is no failure of the run.
    told = house.run(FRIDAY.now, "--wait")
    assert (told.code, house.time.now) == (0, 6 + LONGEST)
    assert "could not be reached" in told.err


class Inbox:
    """Takes every message."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: Any) -> str:  # noqa: N802
        self.taken.append(envelope.content)
        return "250 Ok"


def test_with_nothing_to_fetch_it_waits_for_the_relay(house: House) -> None:
    port, inbox = free_port(), Inbox()
    house.folder(f"smtp://127.0.0.1:{port}")
    soon = THURSDAY.now + timedelta(minutes=15)
    with Standin() as standin:
        standin.serve(THURSDAY.papers)
        house.arxiv_at(standin.url)
        assert "left in the outbox" in house.run(THURSDAY.now).out
        asked = len(standin.requests)
        told = house.run(soon, "--wait")
        assert told.code == 75
        assert "mail could not be handed over" in told.err
        assert house.time.now == LONGEST

        relay = Controller(inbox, hostname="127.0.0.1", port=port)
        house.time.at[LONGEST + 6] = relay.start
        told = house.run(soon + timedelta(minutes=15), "--wait")
        relay.stop()
        assert told.code == 0, told.err
        assert len(standin.requests) == asked
    assert house.time.now == LONGEST + 6
    assert len(inbox.taken) == 1


# Moving


def test_a_copied_installation_mails_nothing_twice_and_misses_nothing(
    house: House, tmp_path: Path
) -> None:
    """What docs/moving.md says: both files, or a copy by SQLite's own backup, and the old timer
    off."""
    new, back = tmp_path / "new", tmp_path / "back"
    new.mkdir(), back.mkdir()
    with Standin() as standin:
        standin.serve(THURSDAY.papers)
        house.arxiv_at(standin.url)
        assert house.run(THURSDAY.now).code == 0
        first = house.ids(house.home)
        assert first
        for name in ("digest.db", "subscribers.yaml"):
            shutil.copy(house.home / name, new / name)
        told = house.run(THURSDAY.now + timedelta(minutes=15), home=new)
        assert told.code == 0
        assert "No digest was due" in told.out
        standin.serve(FRIDAY.papers)
        assert house.run(FRIDAY.now, home=new).code == 0
        second = house.ids(new)
        assert second
        assert not second & first

        with (
            sqlite3.connect(new / "digest.db") as source,
            sqlite3.connect(back / "digest.db") as copy,
        ):
            source.backup(copy)
        source.close(), copy.close()
        shutil.copy(new / "subscribers.yaml", back / "subscribers.yaml")
        assert "No digest was due" in house.run(FRIDAY.now + timedelta(minutes=15), home=back).out
        assert house.ids(back) == set()


def test_without_its_database_a_moved_installation_begins_anew(
    house: House, tmp_path: Path
) -> None:
    """Why the database must come along: the subscribers file alone knows nothing of what was
    mailed."""
    new = tmp_path / "new"
    new.mkdir()
    with Standin() as standin:
        standin.serve(THURSDAY.papers)
        house.arxiv_at(standin.url)
        house.run(THURSDAY.now)
        shutil.copy(house.home / "subscribers.yaml", new)
        told = house.run(THURSDAY.now + timedelta(minutes=15), home=new)
        assert "a new database was made" in told.err
    assert house.ids(new) & house.ids(house.home)
