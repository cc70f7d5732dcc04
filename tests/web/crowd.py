"""Many readers who press buttons at once, in a process of their own: what they take of a processor
is not taken from who asks how fast the web side is.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from urllib.parse import urlencode, urlsplit

TRIES, WAIT = 100, 0.2


@dataclass(frozen=True)
class Press:
    """A form that a reader posts, and what the page must say then."""

    reader: int
    path: str
    form: dict[str, str]
    says: str


@dataclass(frozen=True)
class Answered:
    """When (by the machine's monotonic clock) a reader had the answer, the tries before among
    `statuses`.
    """

    reader: int
    at: float
    statuses: tuple[int, ...]


def press_all(url: str, presses: Sequence[Press], connections: int) -> list[Answered]:
    """Post all forms, as fast as they are answered; who is told to wait tries again. Raises
    AssertionError for an answer that is neither.
    """

    def work(own: Sequence[Press]) -> list[Answered]:
        with closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)) as client:
            return [_press(client, press) for press in own]

    with ThreadPoolExecutor(connections) as threads:
        shares = [presses[first::connections] for first in range(connections)]
        return [*chain.from_iterable(threads.map(work, shares))]


def _press(client: http.client.HTTPConnection, press: Press) -> Answered:
    statuses: list[int] = []
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    while len(statuses) < TRIES:
        client.request("POST", press.path, urlencode(press.form), headers)
        answer = client.getresponse()
        page = answer.read().decode()
        statuses.append(answer.status)
        if answer.status != 503:
            assert answer.status == 200, page
            assert press.says in page, page
            break
        assert int(answer.headers["Retry-After"]) > 0
        time.sleep(WAIT)
    return Answered(press.reader, time.monotonic(), tuple(statuses))
