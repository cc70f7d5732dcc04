"""Messages to the service manager arrive whole, and a manager that is not there stops no work."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from digest.system.systemd import Notifier


@pytest.fixture(params=["path", "abstract"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """A service manager's socket and the NOTIFY_SOCKET that leads to it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.settimeout(5)
        if request.param == "path":
            name = str(tmp_path / "notify")
            server.bind(name)
        else:
            name = f"@digest-test-{os.getpid()}"
            server.bind("\0" + name[1:])
        yield server, name


def test_each_message_arrives_whole(manager):
    server, name = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": name})
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert notifier.ready("waiting")
    assert notifier.status("42 mails\nMAINPID=1 \r sent")
    assert notifier.alive()
    assert notifier.reloading()
    assert notifier.stopping("one message in flight")
    received = [server.recv(4096).decode() for _ in range(5)]
    assert received[0] == "READY=1\nSTATUS=waiting"
    assert received[1] == "STATUS=42 mails MAINPID=1 sent"
    assert received[2] == "WATCHDOG=1"
    head, moment = received[3].rsplit("=", 1)
    assert head == "RELOADING=1\nMONOTONIC_USEC"
    assert before <= int(moment) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert received[4] == "STOPPING=1\nSTATUS=one message in flight"


@pytest.mark.parametrize("value", [None, "", "relative", "vsock:2:1234"])
def test_without_a_socket_nothing_is_sent_and_nothing_watched(value):
    environ = {"WATCHDOG_USEC": "1000000"} | ({} if value is None else {"NOTIFY_SOCKET": value})
    notifier = Notifier.from_environment(environ)
    assert notifier == Notifier()
    assert not notifier.ready()
    assert not notifier.alive()


@pytest.mark.parametrize("name", ["/nowhere/notify", "/" + "x" * 200, "@nobody-listens-here"])
def test_a_manager_that_is_not_there_stops_no_work(name):
    assert not Notifier.from_environment({"NOTIFY_SOCKET": name}).ready()


@pytest.mark.parametrize(
    ("variables", "seconds"),
    [
        ({"WATCHDOG_USEC": "120000000"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "77"}, 120.0),
        ({"WATCHDOG_USEC": "120000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_counts_where_it_is_meant_for_this_process(variables, seconds):
    environ = {"NOTIFY_SOCKET": "/run/systemd/notify", **variables}
    assert Notifier.from_environment(environ, pid=77).watchdog_seconds == seconds
