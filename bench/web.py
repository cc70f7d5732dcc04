"""What each kind of page of the web side costs the server, beside a plain answer of Starlette's.

Run it from the project: python -m bench.web [PAPERS] (20,000 if none is named, as in bench.archive,
with 300 public keywords, 1,000 readers of the subscribers file and 300 who signed up). Each page is
asked for over one connection; what is printed is the server's processor time, not the client's.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from bench.archive import BOUND_MB, KEYWORDS, fill, memory_of, times_of
from digest.keywords.grammar import make_keyword
from digest.mail.reader_tokens import Purpose
from digest.model import SignUp
from digest.setup.mail import make_signer
from digest.store import Store, open_store
from digest.subscribers.load import follow_file
from digest.web.server import make_server

READERS, SIGNED_UP, REQUESTS, PORT = 1_000, 300, 250, 8945
AIM = 200
"""Requests a second of processor time."""
FORM = "application/x-www-form-urlencoded"


def main() -> None:
    if sys.argv[1:] == ["plain"]:
        serve_plain()
        return
    papers = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        tokens = prepare(home, papers)
        with serving([sys.executable, "-m", "bench.web", "plain"]) as process:
            plain = cost(process, lambda _: ("GET", "/", ""))
        print(f"a plain answer of Starlette's, 70 kB: {plain * 1000:.2f} ms")
        command = [sys.executable, "-m", "digest", "serve", "--home", str(home), "--signup", "open"]
        address = ["--base-url", "https://x.example.org", "--listen", f"127.0.0.1:{PORT}"]
        with serving([*command, *address]) as process:
            for name, asked in kinds(tokens).items():
                took = cost(process, asked)
                over = "" if 1 / took >= AIM else f" (aim: {AIM})"
                print(f"{name}: {took * 1000:.2f} ms, {took / plain:.1f} times the plain answer,"
                      f" {1 / took:.0f} a second{over}")  # fmt: skip
            memory = memory_of(process.pid)
            over = "" if memory <= BOUND_MB else f" (aim: at most {BOUND_MB:.0f})"
            print(f"at most {memory:.0f} MB of memory{over}")


def serve_plain() -> None:
    """The server of the pages before an application that does nothing."""

    async def answer(_request: Request) -> HTMLResponse:
        return HTMLResponse("x" * 70_000)

    listener = socket.create_server(("127.0.0.1", PORT))
    print("Listening.", flush=True)
    asyncio.run(make_server(Starlette(routes=[Route("/", answer)])).serve(sockets=[listener]))


def prepare(home: Path, papers: int) -> dict[Purpose, list[str]]:
    """An installation, and its readers' tokens."""
    keywords = [make_keyword(f"subject{number}") for number in range(KEYWORDS)]
    names = ", ".join(keyword.name for keyword in keywords)
    readers = "\n".join(
        f"  - {{email: r{n}@example.org, keywords: [subject{n % KEYWORDS}, subject0]}}"
        for n in range(READERS)
    )
    text = f"keywords: [{names}]\npublic: all\nsubscribers:\n{readers}\n"
    (home / "subscribers.yaml").write_text(text)
    fill(home / "digest.db", papers, [keyword.query for keyword in keywords])
    with open_store(home / "digest.db", create=False) as store:
        now = datetime.now(UTC)
        store.subscribers.sync(follow_file(home / "subscribers.yaml").roster, now)
        entry = json.dumps({"keywords": ["subject1", "all:diffusion"]})
        for n in range(SIGNED_UP):
            store.signups.sign_up(SignUp(f"s{n}@example.org", entry, ("subject1",)), now)
        # The server would make it meanwhile.
        while store.search.step([keyword.query for keyword in keywords]):
            pass
        return tokens_of(store)


def tokens_of(store: Store) -> dict[Purpose, list[str]]:
    """The links of all readers, those who signed up last."""
    signer = make_signer(store)
    numbers = range(1, READERS + SIGNED_UP + 1)
    links = [str(store.letters.links(number) or "") for number in numbers]
    return {
        purpose: [signer.token(purpose, n, links[n - 1] if bound else "") for n in numbers]
        for purpose, bound in ((Purpose.LEAVE, False), (Purpose.CHOICES, True))
    }


def kinds(tokens: dict[Purpose, list[str]]) -> dict[str, Callable[[int], tuple[str, str, str]]]:
    """The kinds of requests, each as what the n-th of them asks for."""
    shown = urlencode({"button": "show", "keywords": "all:diffusion\nreward model"})
    saved = ({"button": "save", "keywords": f"subject{n}", "timezone": "UTC"} for n in count())

    def get(path: str) -> Callable[[int], tuple[str, str, str]]:
        return lambda n: ("GET", path.format((n + 1) % KEYWORDS), "")

    def link(
        letter: str, purpose: Purpose, first: int = 0
    ) -> Callable[[int], tuple[str, str, str]]:
        return lambda n: ("GET", f"/{letter}/{tokens[purpose][first + n]}", "")

    choice = tokens[Purpose.CHOICES][-1]
    return {
        "keyword page, made": get("/keyword/subject{}.html"),
        "keyword page, kept": get("/keyword/subject299.html"),
        "latest day, kept": get("/"),
        "older page of a keyword, made": get("/keyword/subject{}/1.html"),
        "feed, made": get("/keyword/subject{}.atom"),
        "feed, kept": get("/feed.atom"),
        "page to leave": link("u", Purpose.LEAVE),
        "choices of a reader of the file": link("p", Purpose.CHOICES),
        "choices of who signed up": link("p", Purpose.CHOICES, READERS),
        "choices saved": lambda _: ("POST", f"/p/{choice}", urlencode(next(saved))),
        "sign-up page": get("/signup"),
        "sign-up page, two keywords counted": lambda _: ("POST", "/signup", shown),
        "not there": get("/nowhere/{}"),
    }


def cost(process: subprocess.Popen[str], asked: Callable[[int], tuple[str, str, str]]) -> float:
    """Seconds of the server's processor time for a request."""
    client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)

    def ask(n: int) -> int:
        method, path, body = asked(n)
        client.request(method, path, body or None, {"Content-Type": FORM} if body else {})
        answer = client.getresponse()
        answer.read()
        return answer.status

    # What is read first, such as the subscribers file, counts for no page.
    while ask(REQUESTS) == 503:
        time.sleep(0.5)
    before = times_of(process.pid)
    assert {ask(n) for n in range(REQUESTS)} <= {200, 404}
    client.close()
    return max(times_of(process.pid) - before, 1 / os.sysconf("SC_CLK_TCK")) / REQUESTS


@contextmanager
def serving(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """A server that says a line once it listens."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
