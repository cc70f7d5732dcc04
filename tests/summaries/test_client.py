"""The endpoint is asked over loopback, and whatever it does costs no more than its bounds."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from digest.summaries import client as module
from digest.summaries.client import LATE, Client, Endpoint, EndpointError
from tests.world.http_server import Answer, http_server
from tests.world.llm import FAULTS, SAYS, refused, said

ASKED = [{"role": "user", "content": "What?"}]


async def ask(answer: Answer, *more: Answer, key: str = "") -> tuple[module.Answer, list[object]]:
    async with (
        http_server(answer, *more) as server,
        Client(Endpoint(f"{server.url}/v1/", "m", key)) as client,
    ):
        answered = await client.ask(ASKED)
        return answered, [*server.requests]


async def test_a_chat_is_asked_for_in_openais_form() -> None:
    answer, requests = await ask(said(), key="sk-1")
    assert answer == module.Answer(SAYS, 321, is_whole=True)
    (request,) = requests
    assert (request.method, request.path) == ("POST", "/v1/chat/completions")  # type: ignore[attr-defined]
    assert request.headers["authorization"] == "Bearer sk-1"  # type: ignore[attr-defined]
    sent = json.loads(request.body)  # type: ignore[attr-defined]
    assert sent == {"model": "m", "messages": ASKED, "max_tokens": module.MAX_TOKENS}


async def test_the_newer_name_of_the_limit_is_used_where_it_is_asked_for() -> None:
    words = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    answer, requests = await ask(refused(400, words), said())
    assert answer.text == SAYS
    assert "max_completion_tokens" in json.loads(requests[1].body)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("fault", "words", "of_paper", "of_endpoint"),
    [
        ("reset", "broke off", True, True),
        ("garbage", "broke off", True, True),
        ("429", "HTTP 429: slow down", False, True),
        ("400 for its length", "HTTP 400: maximum context length", True, False),
        ("400 for what it says", "HTTP 400: content", True, False),
        ("401", "HTTP 401: Incorrect API key provided: ***", False, True),
        ("404", "HTTP 404", False, True),
        ("500", "HTTP 500: oh no", True, True),
        ("503", "HTTP 503", False, True),
        ("a redirect", "HTTP 302", False, True),
        ("cut JSON", "cannot be read", True, True),
        ("HTML", "cannot be read", True, True),
        ("deep JSON", "cannot be read", True, True),
        ("other JSON", "cannot be read", True, True),
        ("ten megabytes", "more than 500,000 bytes", True, True),
        ("packed", "packed", True, True),
    ],
)
async def test_what_goes_wrong_is_told_in_a_line(
    fault: str, words: str, *, of_paper: bool, of_endpoint: bool
) -> None:
    with pytest.raises(EndpointError, match=words.replace("*", r"\*")) as caught:
        await ask(FAULTS[fault], key="sk-secret")
    error = caught.value
    assert (error.of_paper, error.of_endpoint) == (of_paper, of_endpoint)
    assert error.permanent is (fault in ("401", "404", "a redirect"))
    assert error.rest == (timedelta(minutes=30) if fault == "429" else None)
    assert "\n" not in str(error)


@pytest.mark.parametrize("fault", ["hang", "drip"])
async def test_nobody_is_waited_for_beyond_the_time(
    fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SECONDS", 0.1)
    with pytest.raises(EndpointError, match="no answer in time"):
        await ask(FAULTS[fault])
    monkeypatch.setattr(module, "SECONDS", 1000)
    async with (
        http_server(FAULTS[fault]) as server,
        Client(Endpoint(server.url, "m")) as client,
    ):
        with pytest.raises(EndpointError, match=LATE) as caught:
            await client.ask(ASKED, seconds=0.1)
    assert not caught.value.of_endpoint, "where less time was given than is due"


async def test_who_cannot_be_reached_is_named_without_a_secret() -> None:
    async with Client(Endpoint("http://ada:secret@127.0.0.1:9/v1", "m")) as client:
        with pytest.raises(EndpointError) as caught:
            await client.ask(ASKED)
    assert "127.0.0.1 cannot be reached" in str(caught.value)
    assert "secret" not in str(caught.value)
    async with Client(Endpoint("http://127.0.0.1:9", "m", "sk\n-é")) as client:
        with pytest.raises(EndpointError, match="cannot be asked"):
            await client.ask(ASKED)


@pytest.mark.parametrize(("usage", "tokens"), [(7, 7), (10**30, 100_000), (-1, 27), (True, 27)])
async def test_no_count_is_believed_that_cannot_be(usage: object, tokens: int) -> None:
    answer, _ = await ask(said(tokens=usage))
    assert answer.tokens == tokens
