"""Ten thousand random and hostile requests: none is a fault of the program's, a token that is not
genuine changes nothing, and no answer tells who is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes, unquote, urlencode, urlsplit

import pytest

from bench.archive import memory_of
from digest.mail.reader_tokens import Purpose
from digest.setup.mail import make_signer
from digest.store import open_store
from digest.web.choices import LONGEST_FORM
from digest.web.forms import stamp
from digest.web.gateway import LONGEST_BODY
from tests.web.test_hostile import BUTTONS, FIELDS
from tests.web.test_serve import running
from tests.world.web_side import FILE, WebSide, web_side
from tests.world.worlds import DAY, eprint

REQUESTS = int(os.environ.get("EXAMPLES", "10000"))
ADA, EVE, LATE = "ada@example.org", "eve@example.org", "late@example.org"
SIGN_UP = {"keywords": "x", "address": "new@example.org", "agreed": "on", "button": "sign up"}
URLENCODED = "application/x-www-form-urlencoded"
OWN = ("/u/{}", "/u/{}/1", "/p/{}", "/p/{}/1", "/c/{}", "/d/{}", "/d/{}.bib", "/reader/{}.atom")
PUBLIC = (
    "/", "/index.html", "/index.bib", "/feed.atom", "/day/2026-11-09.html", "/signup",
    "/search.html", "/search.bib",
    "/keyword/rl.html", "/keyword/rl/1.html", "/keyword/rl.atom", "/keyword/reasoning.html",
    "/paper/2611.00001.html", "/privacy", "/healthz", "/static/x.css", "/metrics", "*",
)  # fmt: skip
NETWORKS = random.Random(18)
METHODS = (
    "GET",
    "GET",
    "POST",
    "POST",
    "HEAD",
    "PUT",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "PROPFIND",
    "X",
)
PIECES = (
    b"\0", b"%00", b"..", b"/", b"//", b"%2f", b"'", b'"', b"<script>", b"\xff\xfe", b"%", b"%zz",
    "é\u202e\ud7ff".encode(), b"a" * 3_000, b"{{7*7}}", b"1" * 400, b"-", b"\r\nX: y", b"?", b"&=&",
    b"2026-02-30", b"9" * 18, b"+RL", b"ti:(", b" OR " * 200, b"(" * 300, b"0001-01-01",
)  # fmt: skip
HEADERS = (
    "If-None-Match", "If-Modified-Since", "Forwarded", "X-Forwarded-For", "Accept-Language",
    "Range", "Cookie", "Host", "Origin", "Expect", "Content-Type", "Content-Length", "Accept",
)  # fmt: skip
VISIBLE = bytes(range(0x21, 0x7F))
TABLES = ("subscriber", "suppression", "signup", "wish", "choice", "liked")


@dataclass(frozen=True)
class Answer:
    """What came back; `taken` are the octets of the body that were asked for."""

    status: int
    headers: dict[str, str]
    body: bytes
    taken: int


def visible(text: bytes) -> bytes:
    """A text as a request's line can hold it: the server refuses all else."""
    return quote_from_bytes(text, safe=VISIBLE).encode()


async def ask(app: Any, method: str, target: bytes, headers: Any = (), body: Any = b"") -> Answer:
    """Ask as a server does; a `body` of several pieces comes one by one."""
    path, _, query = target.partition(b"?")
    pieces, taken, sent = iter([body] if isinstance(body, bytes) else body), 0, []

    async def receive() -> dict[str, Any]:
        nonlocal taken
        piece = next(pieces, None)
        taken += len(piece or b"")
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path.decode()),
        "raw_path": path,
        "root_path": "",
        "query_string": query,
        "headers": [(name.lower().encode(), value) for name, value in headers],
        "client": (f"198.51.{NETWORKS.randrange(256)}.{NETWORKS.randrange(256)}", 4000),
        "server": ("x", 80),
    }
    await app(scope, receive, send)
    named = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], named, content, taken)


class Stranger:
    """Makes up requests, with tokens out of a pool and what is made of them."""

    def __init__(self, chance: random.Random, tokens: list[str]) -> None:
        self.chance, self.tokens = chance, tokens

    def text(self) -> bytes:
        found = [self.chance.choice(PIECES) for _ in range(self.chance.randrange(3))]
        return b"".join([*found, self.chance.randbytes(self.chance.randrange(8))])

    def spoilt(self, token: str) -> str:
        """A token that is not genuine."""
        number, _, code = token.partition("-")
        return self.chance.choice(
            [
                token[: self.chance.randrange(len(token))],
                f"{token}{self.chance.choice('a2-. ')}",
                f"{int(number) + 1}-{code}",
                f"0{number}-{code}",
                f"{number}-{code[::-1]}",
                f"{'9' * 30}-{code}",
                code,
                f"{number}-{'a' * 20}",
            ]
        )

    def request(self, *, genuine: bool) -> tuple[str, bytes, list[tuple[str, bytes]], bytes]:
        """A method, a target, headers, and a body."""
        chance, token = self.chance, self.chance.choice(self.tokens)
        if not genuine:
            token = self.spoilt(token)
        path = chance.choice(OWN if chance.random() < 0.6 else PUBLIC).format(token).encode()
        if chance.random() < 0.2:
            path += visible(self.text())
        searches = path.startswith(b"/search")
        if chance.random() < (0.9 if searches else 0.2):
            path += (b"?q=" if searches else b"?") + visible(self.text())
        headers = [
            (chance.choice(HEADERS), self.text().translate(None, b"\0\r\n"))
            for _ in range(chance.randrange(3))
        ]
        body = self.text()
        if chance.random() < 0.7:
            fields = {chance.choice(FIELDS): self.text() for _ in range(chance.randrange(6))}
            body = urlencode({"button": chance.choice(BUTTONS), **fields}).encode()
            headers.append(("Content-Type", URLENCODED.encode()))
        return chance.choice(METHODS), path, headers, body


@dataclass(frozen=True)
class Known:
    """A web side and tokens of all purposes; those of letters were used, or are too old."""

    side: WebSide
    tokens: list[str]
    numbers: dict[str, int]


async def settle(side: WebSide) -> list[str]:
    """Let two readers sign up, of whom one confirms; the tokens of their letters."""
    letters = []
    for address in (EVE, LATE):
        await side.sign_up(address)
        await side.run()
        letters.append(side.link(address, "c").removeprefix("/c/"))
    await side.ask(f"/c/{letters[0]}", {"button": "confirm"})
    await side.run()
    return letters


@pytest.fixture
def known(tmp_path: Path) -> Iterator[Known]:
    with web_side(tmp_path) as side:
        (tmp_path / "subscribers.yaml").write_text(FILE + "public: [RL]\n")
        side.arxiv.announce("RL", eprint(1, side.now - DAY))
        letters = asyncio.run(settle(side))
        side.now += 3 * DAY
        numbers = {each: side.store.subscribers.number(each) or 0 for each in (ADA, EVE)}
        tokens = [side.token(p, number) for p in Purpose for number in (1, 2, *numbers.values())]
        yield Known(side, tokens + letters, numbers)


def rows(side: WebSide) -> dict[str, list[Any]]:
    return {table: side.database.rows(f"SELECT * FROM {table}") for table in TABLES}


def check(answer: Answer, asked: object, *, secret: bytes = b"all:reasoning") -> None:
    assert answer.status < 500 or (answer.status == 503 and "retry-after" in answer.headers), asked
    assert "default-src 'none'" in answer.headers["content-security-policy"], asked
    assert "set-cookie" not in answer.headers
    assert b"Traceback" not in answer.body
    assert not secret or secret not in answer.body, asked


@pytest.mark.heavy
def test_ten_thousand_requests_are_no_fault_and_a_forged_token_does_nothing(known: Known) -> None:
    side, stranger = known.side, Stranger(random.Random(15), known.tokens)
    seen: Counter[int] = Counter()

    async def storm(requests: int, *, genuine: bool) -> None:
        for _ in range(requests):
            asked = stranger.request(genuine=genuine)
            answer = await ask(side.app, *asked)
            check(answer, asked, secret=b"" if genuine else b"all:reasoning")
            seen[answer.status] += 1

    before = rows(side)
    asyncio.run(storm(REQUESTS * 2 // 3, genuine=False))
    assert rows(side) == before
    asyncio.run(storm(REQUESTS // 3, genuine=True))
    assert {200, 400, 404, 405} <= seen.keys()  # 400: a search that cannot be read


@pytest.mark.heavy
def test_no_answer_differs_for_who_is_known(known: Known) -> None:
    side, chance = known.side, random.Random(16)
    side.store.suppressions.unsubscribe(known.numbers[ADA], "by mail", side.now)

    async def compare() -> None:
        for number in range(300):
            # As long as the others, so that the answers' lengths can be told apart.
            nobody = f"{chance.randrange(900) + 100}@example.org"
            fields = {chance.choice(FIELDS): visible(b"x" * 9) for _ in range(chance.randrange(3))}
            filled = {"keywords": "x", "agreed": "on", **fields, "button": "sign up"}
            filled["form"] = stamp(side.signer, side.now)
            answers = []
            for address in (chance.choice((ADA, EVE)), nobody):
                form = urlencode(filled | {"address": address}).encode()
                headers = [("Content-Type", URLENCODED.encode())]
                answer = await ask(side.app, "POST", b"/signup", headers, form)
                answers.append((answer.status, answer.headers, answer.body.replace(
                    address.encode(), nobody.encode())))  # fmt: skip
            assert answers[0] == answers[1], number
            answers = []
            code = "".join(chance.choices("abcdefghij234567", k=20))
            path, method = chance.choice(OWN), chance.choice(("GET", "POST"))
            for number in (known.numbers[EVE], 990):
                target = path.format(f"{number}-{code}").encode()
                answers.append(await ask(side.app, method, target))
            assert answers[0] == answers[1], path

    asyncio.run(compare())


def endless(piece: bytes = b"a" * 65_536, octets: int = 100_000_000) -> Iterator[bytes]:
    for _ in range(octets // len(piece)):
        yield piece


@pytest.mark.heavy
def test_of_a_body_without_end_little_is_read(known: Known) -> None:
    paths = [path.format(token) for path in (*OWN, *PUBLIC) for token in known.tokens[::5]]
    headers = [("Content-Type", URLENCODED.encode())]

    async def post() -> None:
        for path in dict.fromkeys(paths):
            told = [("Content-Length", str(100_000_000).encode()), *headers]
            refused = await ask(known.side.app, "POST", path.encode(), told, endless())
            assert (refused.status, refused.taken) == (413, 0), path
            answer = await ask(known.side.app, "POST", path.encode(), headers, endless())
            check(answer, path)
            assert answer.taken <= LONGEST_FORM + 65_536 < LONGEST_BODY, path

    asyncio.run(post())


@pytest.mark.heavy
def test_whatever_writes_says_when_to_come_back_where_the_database_is_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_side(tmp_path) as side:
        asyncio.run(side.sign_up(EVE))
        asyncio.run(side.run())
        letter, number = side.link(EVE, "c"), side.store.subscribers.number(ADA) or 0
        pressed = [
            (f"/u/{side.token(Purpose.LEAVE, number)}", {}),
            (f"/p/{side.token(Purpose.CHOICES, number)}", {"button": "leave all"}),
            (f"/p/{side.token(Purpose.CHOICES, number)}", {"button": "leave:RL"}),
            (letter, {"button": "confirm"}),
            ("/signup", SIGN_UP | {"form": stamp(side.signer, side.now)}),
        ]
        monkeypatch.setattr(side.thread, "_seconds", 0.1)
        with side.database.transaction():
            for path, form in pressed:
                answer = asyncio.run(side.ask(path, form))
                assert (answer.status_code, answer.headers["retry-after"]) == (503, "30"), path
        monkeypatch.setattr(side.thread, "_seconds", 20)
        assert asyncio.run(side.ask(*pressed[0])).status_code == 200
        assert side.store.suppressions.of(ADA) is not None


@pytest.mark.heavy
def test_through_a_real_socket_slow_ones_keep_nobody_waiting_and_a_long_body_is_refused(
    tmp_path: Path,
) -> None:
    (tmp_path / "subscribers.yaml").write_text(FILE + "public: [RL]\n")
    with open_store(tmp_path / "digest.db") as store:
        signer = make_signer(store)
    tokens = [signer.token(purpose, number) for purpose in Purpose for number in (1, 2)]
    stranger = Stranger(random.Random(17), tokens)
    flags = ("--base-url", "https://digest.example.org", "--signup", "open")
    with running(tmp_path, "serve", *flags) as (url, process), contextlib.ExitStack() as held:
        port = urlsplit(url).port or 0
        for _ in range(30):
            slow = held.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(b"POST /signup HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")
        seen = Counter(status_of(port, raw_request(stranger)) for _ in range(400))
        # 503: the search may ask for patience.
        assert seen.keys() <= {200, 303, 304, 400, 404, 405, 410, 413, 503}, seen
        begin = b"POST /signup HTTP/1.1\r\nHost: x\r\n"
        told = begin + b"Content-Length: 100000000\r\n\r\n"
        assert status_of(port, told) == 413
        in_pieces = begin + b"Transfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n"
        assert sent_until_refused(port, in_pieces, b"10000\r\n" + b"a" * 65_536 + b"\r\n") < 20e6
        assert status_of(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n") == 200
        assert memory_of(process.pid) < 120
        process.terminate()
        _, err = process.communicate(timeout=20)
        assert "Traceback" not in err


def raw_request(stranger: Stranger) -> bytes:
    """A request in octets, some of which are no HTTP."""
    method, target, headers, body = stranger.request(genuine=False)
    named = [(name, value) for name, value in headers if name not in ("Content-Length", "Expect")]
    named += [("Host", b"x"), ("Connection", b"close"), ("Content-Length", b"%d" % len(body))]
    lines = [b"%s %s HTTP/1.1" % (method.encode(), target)]
    lines += [b"%s: %s" % (name.encode(), value) for name, value in named]
    whole = b"\r\n".join(lines) + b"\r\n\r\n" + body
    return whole if stranger.chance.random() < 0.9 else stranger.chance.randbytes(40) + whole


def status_of(port: int, raw: bytes) -> int:
    """The status of the answer to some octets."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as asking:
        asking.sendall(raw)
        answer = asking.recv(4096)
    return int(answer.split(b" ")[1])


def sent_until_refused(port: int, begin: bytes, piece: bytes) -> int:
    """How many octets of a body without end the server lets come."""
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=30) as asking:
        asking.sendall(begin)
        with contextlib.suppress(ConnectionError):
            while sent < 100_000_000:
                asking.sendall(piece)
                sent += len(piece)
    return sent
