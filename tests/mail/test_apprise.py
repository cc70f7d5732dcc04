"""Digests sent into chats by Apprise itself, to five services on loopback in their own forms of
payload: one message each, inert, cut between papers, and each answer taken for what it means."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from apprise import NotifyBase
from apprise.plugins.discord import NotifyDiscord
from apprise.plugins.matrix import NotifyMatrix
from apprise.plugins.slack import NotifySlack
from apprise.plugins.telegram import NotifyTelegram
from markdown_it import MarkdownIt

from digest.demo.samples import samples
from digest.mail.apprise import AppriseTransport, assemble_chat, meaning, written
from digest.mail.message import Message, Sender
from digest.mail.targets import Target, Targets
from digest.model import Channel, Digest, Outcome, Outgoing, Receipt
from digest.rendering.chat import inert, render_chat
from digest.system import apprise_urls
from tests.world.http_server import Answer, HttpServer, Request, http_server

pytestmark = pytest.mark.heavy

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
TOKEN = "TIiajkdnlazkcOXrIdevi7FQ"
SENDER = Sender("Digest <digest@example.org>", "ops@example.org")
DIGESTS = {sample.name: replace(sample.digest, channel=Channel.APPRISE) for sample in samples()}


@dataclass(frozen=True)
class Service:
    """A service as Apprise speaks to it: its URL, the class and attribute that hold its address,
    the path by which messages come, what it answers, and where the text stands in a request.
    """

    name: str
    url: str
    path: str
    answer: bytes
    text: Callable[[dict[str, Any]], str]
    plugin: Any = None
    place: str = ""
    base: str = ""


SERVICES = [
    Service(
        "slack",
        f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}/#papers",
        "/services/T1JJ3T3L2",
        b"ok",
        lambda body: str(body["attachments"][0]["title"] + body["attachments"][0]["text"]),
        NotifySlack,
        "webhook_url",
        "/services",
    ),
    Service(
        "telegram",
        f"tgram://123456789:{TOKEN}abcdefghijkl/12315544",
        "/sendMessage",
        b'{"ok": true, "result": {}}',
        lambda body: str(body["text"]),
        NotifyTelegram,
        "notify_url",
        "/bot",
    ),
    Service(
        "discord",
        f"discord://4174216298/{TOKEN}",
        "/webhooks/4174216298",
        b"{}",
        lambda body: str(body["content"]),
        NotifyDiscord,
        "notify_url",
        "/webhooks",
    ),
    Service(
        "matrix",
        f"matrix://{TOKEN}@HOST/!papers:127.0.0.1",
        "/send/",
        b'{"room_id": "!papers:127.0.0.1", "event_id": "$1", "user_id": "@d:127.0.0.1"}',
        lambda body: str(body["formatted_body"]),
    ),
    Service(
        "ntfy",
        f"ntfy://tk_{TOKEN}@HOST/papers?auth=token",
        "/",
        b'{"id": "1"}',
        lambda body: f"{body.get('title', '')} {body['message']}",
    ),
]
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between requests."""
    for plugin in (NotifyBase, NotifySlack, NotifyDiscord, NotifyTelegram):
        monkeypatch.setattr(plugin, "request_rate_per_sec", 0)
    monkeypatch.setattr(NotifyMatrix, "default_wait_ms", 1)


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that any library logs, as with -vv."""
    root, said = logging.getLogger(), list[str]()
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield said
    root.removeHandler(handler)
    root.setLevel(level)


@asynccontextmanager
async def running(service: Service, patch: pytest.MonkeyPatch, *script: Answer) -> Any:
    """The service on loopback, and a transport to it; its script is for messages alone."""
    async with http_server(*script) as server:
        server.usual, server.at = Answer(body=service.answer), service.path
        if service.plugin:
            patch.setattr(service.plugin, service.place, server.url + service.base)
        url = service.url.replace("HOST", f"127.0.0.1:{server.port}")
        yield server, AppriseTransport(Targets({"apprise:lab": Target("$CHAT")}, {"CHAT": url}))


def message_of(digest: Digest, sender: Sender = SENDER) -> Message:
    chat = render_chat(digest)
    outgoing = Outgoing(
        id=1,
        attempt=1,
        address="apprise:Lab",
        name="Lab",
        message_id="<0123456789abcdef@example.org>",
        date=NOW,
        subject=chat.title,
        pieces=(chat.data,),
        channel=Channel.APPRISE,
    )
    return assemble_chat(outgoing, sender)


async def attempt(way: AppriseTransport, name: str = "short") -> tuple[Receipt, int]:
    steps: list[int] = []
    receipt = await way.send(message_of(DIGESTS[name]), lambda: steps.append(1))
    return receipt, len(steps)


def messages(server: HttpServer, service: Service) -> list[Request]:
    return [request for request in server.requests if service.path in request.path]


@each_service
async def test_a_digest_is_one_message_in_the_services_own_form(
    service: Service, monkeypatch: pytest.MonkeyPatch, logged: list[str]
) -> None:
    async with running(service, monkeypatch) as (server, way):
        receipt, steps = await attempt(way)
    assert (receipt.outcome, steps) == (Outcome.SENT, 1)
    [request] = messages(server, service)
    text = service.text(json.loads(request.body))
    shown = re.findall(r"arxiv\.org/abs/(\S+?)v", text)
    more = re.search(r"and \[?([0-9]+) more papers", text)
    assert len(set(shown)) == len(shown) == DIGESTS["short"].papers - int(more[1] if more else 0)
    assert "To pause or leave, write to ops@example.org: this goes to “Lab”." in text
    assert TOKEN not in receipt.reply + "".join(logged)


@each_service
@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(429, {"Retry-After": "0"}), Outcome.DEFERRED),
        (Answer(503), Outcome.DEFERRED),
        (Answer(401), Outcome.DEFERRED),
        (Answer(then="reset"), Outcome.UNKNOWN),
        (Answer(then="hang"), Outcome.UNKNOWN),
    ],
)
async def test_what_a_no_means_is_read_from_what_the_library_logged(
    service: Service,
    answer: Answer,
    outcome: Outcome,
    monkeypatch: pytest.MonkeyPatch,
    logged: list[str],
) -> None:
    if answer.then == "hang":
        monkeypatch.setattr(apprise_urls, "READ", 0.2)
    async with running(service, monkeypatch, *[answer] * 9) as (server, way):
        receipt, steps = await attempt(way)
        first = len(messages(server, service))
    assert (receipt.outcome, steps) == (outcome, 1), receipt
    assert first >= 1
    assert TOKEN not in receipt.reply + "".join(logged)


@each_service
async def test_the_words_of_a_paper_are_none_of_the_services(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    [first, *others] = (digest := DIGESTS["short"]).sections
    [item, *rest] = first.items
    paper = replace(item.paper, title="Exception handling, and error=503, in agents")
    first = replace(first, items=(replace(item, paper=paper), *rest))
    digest = replace(digest, sections=(first, *others))
    async with running(service, monkeypatch, *[Answer(401)] * 9) as (_server, way):
        receipt = await way.send(message_of(digest), lambda: None)
    assert (receipt.outcome, receipt.reply) == (Outcome.DEFERRED, "the service refused it (401)")


@each_service
async def test_where_no_connection_stood_nothing_was_delivered(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(service, monkeypatch) as (_server, way):
        pass
    receipt, _ = await attempt(way)
    assert receipt.outcome is Outcome.DEFERRED
    assert TOKEN not in receipt.reply


@each_service
@pytest.mark.parametrize("name", ["hostile", "hundreds"])
async def test_no_message_is_longer_than_its_service_takes_and_no_paper_is_cut(
    service: Service, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(service, monkeypatch) as (server, way):
        receipt, _ = await attempt(way, name)
    assert receipt.outcome is Outcome.SENT
    [request] = messages(server, service)
    text = service.text(json.loads(request.body))
    most = {"slack": 20_000, "telegram": 4_096, "discord": 2_000, "matrix": 20_000, "ntfy": 4_096}
    assert len(text.encode()) <= most[service.name]
    digest = DIGESTS[name]
    shown = len(re.findall(r"arxiv\.org/abs/", text))
    more = re.search(r"([0-9]+) more papers?", text)
    assert more or name != "hundreds"
    assert shown + (int(more[1]) if more else 0) == digest.papers
    assert "To pause or leave" in text


def test_what_is_left_leads_to_the_digests_page_where_there_is_one() -> None:
    ids = [f"2611.{number:05}" for number in range(300)]
    papers = {"head": "For MLLM.", "end": "", "papers": [f"A title ({each})" for each in ids]}
    message = {
        "title": "300 new papers",
        "leave": "To leave, say so.",
        "link": "https://papers.example.org/d/abc",
        "digest": {"ids": ids, "forms": {"text": papers, "markdown": papers}},
    }
    text = written(message, "markdown", 2_000, titled=False, lines=0)
    assert "more papers](<https://papers.example.org/d/abc>)" in text
    text = written(message | {"link": ""}, "text", 2_000, titled=False, lines=0)
    found = re.search(
        r"and ([0-9]+) more papers, the first ([0-9]+) of them: https://export\.arxiv\.org/api/query"
        r"\?max_results=([0-9]+)&id_list=(\S+)",
        text,
    )
    assert found
    listed = found[4].split(",")
    assert int(found[1]) > int(found[2]) == int(found[3]) == len(listed)
    assert ids[len(ids) - int(found[1]) :][: len(listed)] == listed
    assert f"A title ({ids[len(ids) - int(found[1]) - 1]})" in text


def test_a_service_of_two_lines_gets_what_is_around_the_papers() -> None:
    message = json.loads(message_of(DIGESTS["short"]).data)
    text = written(message, "text", 300, titled=True, lines=2)
    assert "more papers" in text
    assert "arxiv.org/abs" not in text


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_hostile_titles_are_inert(form: str) -> None:
    message = json.loads(message_of(DIGESTS["hostile"]).data)
    text = written(message, form, 20_000, titled=False, lines=0)
    links = set(re.findall(r"https?://[^\s\"'<>)]+", text))
    assert all(link.startswith("https://arxiv.org/abs/") for link in links)
    assert not re.search(r"@\w", text.replace("ops@example.org", ""))
    if form == "html":
        assert set(re.findall(r"<(/?\w+)", text)) == {"b", "/b", "br", "a", "/a"}
    if form == "markdown":
        tokens = MarkdownIt("commonmark").parse(text)
        kinds = {child.type for token in tokens for child in token.children or ()}
        assert kinds <= {
            *("text", "hardbreak", "softbreak", "strong_open", "strong_close"),
            *("link_open", "link_close", "text_special"),
        }


def test_what_reads_as_markup_anywhere_is_written_otherwise() -> None:
    hostile = "*b* _i_ ~s~ `c` ||s|| [x](http://e.example) <!channel> @everyone #1 \\"
    assert not set("*_~`|[]<>\\") & set(inert(hostile))
    assert "@everyone" not in inert(hostile)
    assert "http://" not in inert(hostile)
    assert inert('O(n log n) & C++: 50% of "it" – don\'t!') == (
        'O(n log n) & C++: 50% of "it" – don\'t!'
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}/#a/#b", "this URL names 2 targets"),
        (f"nothing://{TOKEN}", "Apprise knows no service"),
        ("$NOT_SET", "the variable NOT_SET"),
    ],
)
async def test_a_wrong_url_waits_and_is_not_repeated(url: str, said: str) -> None:
    way = AppriseTransport(Targets({"apprise:lab": Target(url)}, {}))
    receipt, steps = await attempt(way)
    assert (receipt.outcome, steps) == (Outcome.DEFERRED, 0)
    assert said in receipt.reply
    assert TOKEN not in receipt.reply


def test_repeating_and_splitting_are_not_the_librarys_to_do() -> None:
    service = apprise_urls.open_service(
        f"slack://T1JJ3T3L2/A1BRTD4JD/{TOKEN}/#a?retry=3&optional=yes&overflow=split"
    )
    assert (service.retry, service.optional, len(service)) == (0, False, 1)


def test_a_no_without_a_reason_may_have_been_delivered() -> None:
    assert meaning([]).outcome is Outcome.UNKNOWN
    assert meaning(["Failed: error=500.", "Socket Exception: read timed out"]).outcome is (
        Outcome.UNKNOWN
    )
