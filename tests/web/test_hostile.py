"""Random and hostile requests: none is a fault of the program's, and none tells who is known."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.mail.reader_tokens import Purpose
from tests.world.web_side import BASE, WebSide, web_side

EXAMPLES = int(os.environ.get("EXAMPLES", "60"))
BUTTONS = (
    "sign up",
    "show",
    "save",
    "leave",
    "leave all",
    "leave:RL",
    "undo",
    "undo:1",
    "return",
    "pause",
    "key",
    "data",
    "move",
    "renew",
    "confirm",
    "back:keyword x",
    "back:paused_until 2026-01-01",
)
FIELDS = (
    "keywords",
    "address",
    "at",
    "timezone",
    "order",
    "abstracts",
    "revisions",
    "paused_until",
    "form",
    "agreed",
    "meant",
    "website",
    "day_mon",
    "button",
)
TEXTS = st.text(max_size=60) | st.sampled_from(
    [
        "ada@example.org",
        "new@example.org",
        "2026-12-24",
        "0001-01-01",
        "9999-12-31",
        "25:00",
        "RL",
        'ti:"no end',
        "(" * 100,
        "a OR " * 300,
        "\0",
        "\ud7ff\r\nBcc: x@example.org",
        "+RL",
        "x" * 5000,
    ]
)
FORMS = st.dictionaries(st.sampled_from(FIELDS), TEXTS, max_size=8)


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebSide]:
    with web_side(tmp_path_factory.mktemp("hostile")) as side:
        asyncio.run(side.run())
        yield side


def paths(side: WebSide) -> st.SearchStrategy[str]:
    """Addresses with tokens that are genuine, of another purpose, cut, or made up."""
    number = side.store.subscribers.number("ada@example.org") or 0
    genuine = [side.token(p, n) for p in Purpose for n in (0, 1, number, 999)]
    tokens = (
        st.sampled_from(genuine)
        | st.text(max_size=40)
        | st.from_regex(r"\A[0-9]{1,14}-[a-z2-7]{0,22}\Z")
    )
    cut = st.tuples(st.sampled_from(genuine), st.integers(0, 30)).map(lambda t: t[0][: t[1]])
    # Behind some stands a number: of a paper in a mail, or of a change.
    behind = st.just("") | st.sampled_from(["/0", "/1", "/99", f"/{9**30}", "/x"])
    return st.just("/signup") | st.tuples(st.sampled_from("upc"), tokens | cut, behind).map(
        lambda t: f"/{t[0]}/{quote(t[1], safe='', errors='replace')}{t[2]}"
    )


@pytest.mark.heavy
def test_no_request_is_a_fault_of_the_programs(side: WebSide) -> None:
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(path=paths(side), form=st.none() | FORMS, button=st.sampled_from(BUTTONS), body=TEXTS)
    def ask(path: str, form: dict[str, str] | None, button: str, body: str) -> None:
        if form is not None:
            form = {"button": button} | form
        answer = asyncio.run(posted(side, path, form, body.encode("utf-8", "replace")))
        assert answer.status_code in (200, 404, 405, 410) or (
            answer.status_code == 503 and "Retry-After" in answer.headers
        ), (path, form)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "set-cookie" not in answer.headers

    ask()


async def posted(
    side: WebSide, path: str, form: dict[str, str] | None, body: bytes
) -> httpx.Response:
    """A GET, a form, or something else in its place."""
    if form is not None and len(body) % 5:
        return await side.ask(path, form)
    if form is None:
        return await side.ask(path)
    transport = httpx.ASGITransport(side.app, client=("198.51.100.7", 4000))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as asking:
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return await asking.post(path, content=body, headers=kind)


@pytest.mark.heavy
def test_no_answer_to_a_sign_up_tells_who_is_known(side: WebSide) -> None:
    known: Any = ["ada@example.org", "ADA@example.org", "gone@example.org"]
    number = side.store.subscribers.number("ada@example.org") or 0
    token = side.token(Purpose.FORM, 1)

    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    @given(form=FORMS, one=st.sampled_from(known), place=st.integers(0, 2**16))
    def ask(form: dict[str, str], one: str, place: int) -> None:
        client = f"203.{place >> 8}.{place & 255}.9"
        filled = {"keywords": "x", "agreed": "on"} | form | {"button": "sign up", "form": token}
        answers = [
            asyncio.run(side.ask("/signup", filled | {"address": address}, client))
            for address in (one, "nobody-yet@example.org")
        ]
        pages = [a.text.replace(one, "…").replace("nobody-yet@example.org", "…") for a in answers]
        assert pages[0] == pages[1]
        assert answers[0].status_code == answers[1].status_code

    side.now = side.now.replace(year=2020, month=1, day=1)
    ask()
    side.store.suppressions.unsubscribe(number, "by mail", side.now)
    ask()
