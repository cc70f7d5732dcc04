"""The doctor's lines for webhooks and chats, by real HTTP; no message is sent by it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from digest.setup.doctor import webhooks
from digest.setup.doctor.chats import check_chats
from digest.setup.doctor.check import Cause, Finding, Level
from digest.setup.doctor.webhooks import check_webhooks
from digest.setup.settings import Settings, load_settings
from tests.mail.test_apprise import SERVICES, TOKEN, Service
from tests.world.http_server import Answer, HttpServer, http_server

KNOWN = {
    "slack": Answer(400, body=b"no_text"),
    "telegram": Answer(body=b'{"ok": true, "result": {"id": 1}}'),
}
UNKNOWN = {
    "slack": Answer(404, body=b"no_service"),
    "telegram": Answer(401, body=b'{"ok": false}'),
}


def settings_of(home: Path, entry: str, **variables: str) -> Settings:
    (home / "subscribers.yaml").write_text(
        f"subscribers:\n  - {{{entry}, name: Lab, keywords: [MLLM]}}\n", encoding="utf-8"
    )
    return load_settings({}, {"DIGEST_HOME": str(home), **variables}, home)


async def chats(
    home: Path, service: Service, server: HttpServer, patch: pytest.MonkeyPatch
) -> Finding:
    if service.plugin:
        patch.setattr(service.plugin, service.place, server.url + service.base)
        if service.name == "slack":
            patch.setattr(service.plugin, "api_url", server.url + "/api/{}")
    url = service.url.replace("HOST", f"127.0.0.1:{server.port}")
    settings = settings_of(home, "apprise: $CHAT", CHAT=url)
    [found] = await asyncio.to_thread(check_chats, settings)
    return found


@pytest.mark.heavy
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
async def test_each_service_is_asked_whether_it_knows_the_token(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = KNOWN.get(service.name, Answer())
    wrong = UNKNOWN.get(service.name, Answer(401))
    async with http_server(right, wrong) as server:
        found = await chats(tmp_path, service, server, monkeypatch)
        refused = await chats(tmp_path, service, server, monkeypatch)
    assert (found.level, refused.level) == (Level.OK, Level.FAIL)
    assert found.found.endswith("knows the token")
    assert "does not know the token" in refused.found
    assert TOKEN not in found.found + refused.found
    assert all(request.method == "GET" or request.body == b"{}" for request in server.requests), (
        "no message is posted"
    )
    unreachable = await chats(tmp_path, service, server, monkeypatch)
    assert "does not answer" in unreachable.found
    assert TOKEN not in unreachable.found


@pytest.mark.heavy
async def test_a_service_that_is_busy_says_nothing_of_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with http_server(Answer(429), Answer(503)) as server:
        for status in (429, 503):
            found = await chats(tmp_path, SERVICES[2], server, monkeypatch)
            assert f"cannot be asked now ({status})" in found.found
            assert found.cause is Cause.NETWORK


@pytest.mark.heavy
def test_a_service_that_cannot_be_asked_is_said_so(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "apprise: 'feishu://abcdefgh'")
    [found] = check_chats(settings)
    assert found.level is Level.SKIP
    assert "is asked nothing without a message" in found.found


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "apprise: $CHAT")
    [found] = check_chats(settings)
    assert found.level is Level.FAIL
    assert "the variable CHAT" in found.found


async def test_a_webhook_is_connected_to_and_not_posted_to(tmp_path: Path) -> None:
    entry = "webhook: $HOOK, secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    async with http_server() as server:
        url = f"{server.url}/{TOKEN}"
        settings = settings_of(tmp_path, entry, HOOK=url, DIGEST_WEBHOOK_TARGETS="any")
        [found] = await asyncio.to_thread(check_webhooks, settings)
        settings = settings_of(tmp_path, entry, HOOK=url)
        [refused] = await asyncio.to_thread(check_webhooks, settings)
    assert found == Finding(Level.OK, "webhook:Lab can be connected to; nothing was sent")
    nothing = settings_of(tmp_path, entry)
    [unset] = await asyncio.to_thread(check_webhooks, nothing)
    assert refused.level is Level.FAIL
    assert (unset.level, unset.cause) == (Level.FAIL, Cause.CONFIG)
    assert TOKEN not in refused.found
    assert server.requests == []


async def test_a_webhook_that_says_nothing_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr("digest.mail.webhook.WebhookTransport._connected", silent)
    monkeypatch.setattr(webhooks, "SECONDS", 0.01)
    entry = "webhook: 'https://hooks.example.org/x', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    settings = settings_of(tmp_path, entry)
    [found] = await asyncio.to_thread(check_webhooks, settings)
    assert (found.cause, "no answer" in found.found) == (Cause.NETWORK, True)
