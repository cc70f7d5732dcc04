"""From the folder to real mail: what only went to the folder is offered, and mailed once if
somebody says so."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.world.house import DAYS, FRIDAY, SATURDAY, THURSDAY, House
from tests.world.smtp_server import SmtpServer, smtp_server
from tests.world.worlds import mail, text

ADA, LIN = "ada@example.org", "lin@example.org"
LINE = "only went to the folder"


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    """An SMTP server with a loop of its own, so that commands can run in this thread."""
    ready, ended = threading.Event(), asyncio.Event()
    held: list[SmtpServer] = []

    async def serve() -> None:
        async with smtp_server() as server:
            held.append(server)
            ready.set()
            await ended.wait()

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert ready.wait(10)
    yield held[0]
    loop.call_soon_threadsafe(ended.set)
    thread.join(10)
    loop.close()


@pytest.fixture
def switch(server: SmtpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on mail leaves by SMTP: to be asked for by `request.getfixturevalue` in the middle
    of a test."""
    monkeypatch.setenv("DIGEST_MAIL", f"smtp://127.0.0.1:{server.port}?tls=none")
    monkeypatch.setenv("DIGEST_FROM", "papers@example.org")


def papers(server: SmtpServer, address: str) -> list[list[str]]:
    """The ids of the papers in each mail that a reader got."""
    mails = [mail(taken.data) for taken in server.messages if address in taken.recipient]
    return [re.findall(r"arxiv\.org/abs/([\d.]+)v", text(m)) for m in mails]


def in_folder(house: House, address: str) -> list[list[str]]:
    return [re.findall(r"arxiv\.org/abs/([\d.]+)v", text(m)) for m in house.mails(address)]


def test_what_lies_in_the_folder_is_offered_in_a_line_and_mailed_once_at_once_and_to_all(
    house: House,
    server: SmtpServer,
    request: pytest.FixtureRequest,
) -> None:
    assert LINE not in house("run", now=THURSDAY).err
    house.serve(DAYS[1])
    assert LINE not in house("run", now=FRIDAY).err
    had = {
        address: [paper for papers in in_folder(house, address) for paper in papers]
        for address in (ADA, LIN)
    }
    request.getfixturevalue("switch")
    house.serve(DAYS[2])
    told = house("run", now=SATURDAY)
    count = sum(map(len, had.values()))
    offer = f"in the last 7 days {count} papers for 2 readers {LINE}"
    assert f"{offer}: 'digest run --folder mail' mails them too" in told.err
    assert not server.messages
    assert LINE in house("status", now=SATURDAY).err
    assert LINE not in house("run", "--quiet", now=SATURDAY).err
    told = house("run", "--folder", "mail", "--dry-run", now=SATURDAY)
    assert "2 would be sent" in told.out
    assert not server.messages
    told = house("run", "--folder", "mail", now=SATURDAY)
    assert (told.code, LINE in told.err) == (0, False)
    for address in (ADA, LIN):
        (got,) = papers(server, address)
        assert sorted(got) == sorted(had[address])
    first = mail(server.messages[0].data)["Subject"]
    assert first.startswith("Your arXiv digest starts")  # to them it is the first
    house("run", "--folder", "mail", now=SATURDAY + timedelta(days=1))
    assert len(server.messages) == 2


def test_what_is_to_be_left_is_left_and_the_line_ends(
    house: House,
    server: SmtpServer,
    request: pytest.FixtureRequest,
) -> None:
    house("run", now=THURSDAY)
    request.getfixturevalue("switch")
    house.serve(DAYS[1])
    assert LINE in house("run", now=FRIDAY).err
    assert len(server.messages) == 2  # what is new since goes out as on any day
    assert LINE not in house("run", "--folder", "leave", now=FRIDAY).err
    assert LINE not in house("run", now=SATURDAY).err
    house("run", "--folder", "mail", now=SATURDAY)
    assert len(server.messages) == 2


def test_what_is_older_than_a_week_or_for_somebody_who_left_is_not_offered(
    house: House,
    server: SmtpServer,
    request: pytest.FixtureRequest,
) -> None:
    house("run", now=THURSDAY)
    request.getfixturevalue("switch")
    house("unsubscribe", LIN)
    assert "for 1 reader" in house("run", now=THURSDAY).err
    assert LINE not in house("run", now=THURSDAY + timedelta(days=7)).err
    house("run", "--folder", "mail", now=THURSDAY + timedelta(days=7))
    assert not server.messages


def test_a_paused_reader_gets_the_folders_papers_on_return(
    house: House,
    server: SmtpServer,
    request: pytest.FixtureRequest,
) -> None:
    house("run", now=THURSDAY)
    had = in_folder(house, ADA)[0]
    request.getfixturevalue("switch")
    house("subscribe", ADA, "--paused-until", "2099-01-01")
    house("run", "--folder", "mail", now=THURSDAY)
    assert not papers(server, ADA)
    house("subscribe", ADA, "--paused-until", "none")
    house("run", now=FRIDAY)
    assert set(had) <= set(papers(server, ADA)[0])


def test_without_a_server_there_is_nobody_to_mail_to(house: House) -> None:
    told = house("run", "--folder", "mail", now=THURSDAY)
    assert told.code == 2
    assert "set DIGEST_MAIL to a server first" in told.err
