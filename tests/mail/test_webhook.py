"""Digests posted to a program over loopback: signed, the same at each attempt, and each answer
taken for what it means."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from ipaddress import ip_address
from typing import Any

import jsonschema
import pytest

from digest.demo.samples import samples
from digest.mail import webhook
from digest.mail.targets import Target, Targets
from digest.mail.webhook import WebhookTransport, assemble_webhook, is_public, key_of
from digest.model import Channel, Outcome, Outgoing, Receipt
from digest.rendering.payload import render_payload
from tests.world.http_server import Answer, HttpServer, http_server

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
SOON = "Tue, 24 Nov 2026 07:00:00 GMT"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""That of Standard Webhooks' own example."""
TOKEN = "s3cr3t-t0ken"
OUTGOING = Outgoing(
    id=1,
    attempt=1,
    address="webhook:Lab chat",
    name="Lab chat",
    message_id="<0123456789abcdef@example.org>",
    date=NOW,
    subject="2 new papers",
    pieces=(b'{"title":"2 new papers"}',),
    channel=Channel.WEBHOOK,
)


def transport(url: str, secret: str = SECRET, *, private: bool = True, **variables: str) -> Any:
    targets = Targets({"webhook:lab chat": Target(url, secret)}, variables)
    return WebhookTransport(targets, private=private, clock=lambda: NOW)


async def posted(way: WebhookTransport, outgoing: Outgoing = OUTGOING) -> tuple[Receipt, int]:
    """What came of one attempt, and how often it was about to be handed over."""
    steps: list[int] = []
    receipt = await way.send(assemble_webhook(outgoing), lambda: steps.append(1))
    return receipt, len(steps)


async def sent(server: HttpServer) -> tuple[Receipt, int]:
    return await posted(transport(f"{server.url}/in/{TOKEN}?x=1"))


async def test_a_message_is_posted_with_the_headers_of_standard_webhooks() -> None:
    async with http_server() as server:
        assert await sent(server) == (Receipt(Outcome.SENT, "200 OK"), 1)
    [request] = server.requests
    assert (request.method, request.path) == ("POST", f"/in/{TOKEN}?x=1")
    assert json.loads(request.body) == {
        "type": "digest",
        "timestamp": "2026-11-24T06:00:00Z",
        "reader": "Lab chat",
        "data": {"title": "2 new papers"},
    }
    unique, stamp = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    assert stamp == str(int(NOW.timestamp()))
    said = f"{unique}.{stamp}.".encode() + request.body
    code = hmac.new(base64.b64decode(SECRET[6:]), said, hashlib.sha256).digest()
    assert request.headers["webhook-signature"] == f"v1,{base64.b64encode(code).decode()}"
    assert "." not in unique
    assert TOKEN not in unique


def test_the_signature_is_that_of_the_standards_own_example() -> None:
    said = b'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{"test": 2432232314}'
    code = base64.b64encode(hmac.digest(key_of(SECRET), said, "sha256")).decode()
    assert code == "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_each_attempt_has_the_same_id_and_the_same_body() -> None:
    async with http_server(Answer(503)) as server:
        way = transport(server.url)
        await posted(way)
        await posted(way, replace(OUTGOING, attempt=2))
        other = replace(OUTGOING, message_id="<another@example.org>")
        await posted(way, other)
    first, second, third = server.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert first.headers["webhook-id"] != third.headers["webhook-id"]


@pytest.mark.parametrize(
    ("answer", "outcome", "rest"),
    [
        (Answer(204), Outcome.SENT, None),
        (Answer(429, {"Retry-After": "120"}), Outcome.DEFERRED, 120),
        (Answer(429), Outcome.DEFERRED, None),
        (Answer(503, {"Retry-After": SOON}), Outcome.DEFERRED, 3600),
        (Answer(503, {"Retry-After": "99999999"}), Outcome.DEFERRED, 86400),
        (Answer(500, {"Retry-After": "soon"}), Outcome.DEFERRED, None),
        (Answer(503, {"Retry-After": f"{SOON[:-3]}+{'9' * 19}"}), Outcome.DEFERRED, None),
        (Answer(301, {"Location": "http://127.0.0.1:9/"}), Outcome.FAILED, None),
        (Answer(401), Outcome.FAILED, None),
        (Answer(404), Outcome.FAILED, None),
        (Answer(410), Outcome.FAILED, None),
        (Answer(599), Outcome.DEFERRED, None),
        (Answer(then="reset"), Outcome.UNKNOWN, None),
        (Answer(then="garbage"), Outcome.UNKNOWN, None),
    ],
)
async def test_each_answer_is_taken_for_what_it_means(
    answer: Answer, outcome: Outcome, rest: int | None
) -> None:
    body = TOKEN.encode()
    async with http_server(replace(answer, body=body)) as server:
        receipt, steps = await sent(server)
    assert (receipt.outcome, steps) == (outcome, 1)
    assert receipt.rest == (None if rest is None else timedelta(seconds=rest))
    assert len(server.requests) == 1
    assert TOKEN not in receipt.reply


async def test_a_receiver_that_says_nothing_leaves_it_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(webhook, "ANSWER", 0.05)
    async with http_server(Answer(then="hang")) as server:
        receipt, steps = await sent(server)
    assert (receipt.outcome, steps) == (Outcome.UNKNOWN, 1)


@pytest.mark.parametrize(
    ("url", "secret", "private", "said"),
    [
        (f"http://127.0.0.1:1/{TOKEN}", SECRET, True, "could not be connected to"),
        (f"https://127.0.0.1:1/{TOKEN}", SECRET, False, "this machine or its network"),
        (f"https://localhost:1/{TOKEN}", SECRET, False, "this machine or its network"),
        (f"https://[::ffff:10.0.0.1]/{TOKEN}", SECRET, False, "this machine or its network"),
        (f"http://127.0.0.1:1/{TOKEN}", SECRET, False, "only https:// is safe"),
        (f"https://nobody.invalid/{TOKEN}", SECRET, True, "its host has no address"),
        (f"https://me:{TOKEN}@127.0.0.1/", SECRET, True, "no login in its URL"),
        (f"ftp://127.0.0.1/{TOKEN}", SECRET, True, "begins with https://"),
        (f"https://127.0.0.1/{TOKEN}\r\nX: y", SECRET, True, "printable ASCII"),
        (f"https://127.0.0.1:99999/{TOKEN}", SECRET, True, "its host or port cannot be read"),
        (f"https://bot:{TOKEN}/x@127.0.0.1/", SECRET, True, "its host or port cannot be read"),
        (f"https://[{TOKEN}]/x", SECRET, True, "its host or port cannot be read"),
        ("https://127.0.0.1/", "tooshort", True, "its secret is wrong"),
        ("$NOWHERE", SECRET, True, "the variable NOWHERE"),
    ],
)
async def test_what_never_left_waits_and_no_token_is_told(
    url: str, secret: str, private: bool, said: str
) -> None:
    receipt, steps = await posted(transport(url, secret, private=private))
    assert (receipt.outcome, steps) == (Outcome.DEFERRED, 0)
    assert said in receipt.reply
    assert TOKEN not in receipt.reply


async def test_a_variable_holds_the_url_and_the_secret() -> None:
    async with http_server() as server:
        way = transport("$HOOK", "${KEY}", HOOK=f"{server.url}/a\n", KEY=SECRET)
        receipt, _ = await posted(way)
    assert receipt.outcome is Outcome.SENT
    assert server.requests[0].path == "/a"


async def test_whoever_left_the_file_gets_nothing() -> None:
    receipt, steps = await posted(transport("$HOOK"), replace(OUTGOING, address="webhook:Gone"))
    assert (receipt.outcome, steps) == (Outcome.DEFERRED, 0)


async def test_the_doctor_connects_and_sends_nothing() -> None:
    async with http_server() as server:
        found = await transport(server.url).examine("webhook:Lab chat")
    assert found.outcome is Outcome.SENT
    assert server.requests == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.215.14", True),
        ("2606:2800:21f:cb07::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("::1", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:7f00:1::1", False),
    ],
)
def test_only_addresses_that_all_can_reach_are_public(address: str, public: bool) -> None:
    assert is_public(ip_address(address)) is public


def test_all_samples_have_the_form_that_is_shipped() -> None:
    schema = json.loads((files("digest.rendering") / "webhook.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    validator.check_schema(schema)
    for sample in (sample for sample in samples() if sample.digest.papers < 20):
        digest = replace(sample.digest, channel=Channel.WEBHOOK)
        data = render_payload(digest).data
        whole = json.loads(assemble_webhook(replace(OUTGOING, pieces=(data,))).data)
        papers = [paper for section in whole["data"]["sections"] for paper in section["papers"]]
        assert len(papers) == digest.papers
        validator.validate(whole)
