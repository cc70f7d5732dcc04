"""Webhooks and chats by the commands: what would go, what went, and no token in any word."""

from __future__ import annotations

import json

import pytest

from digest.demo.papers import KEYWORDS
from tests.world.house import FRIDAY, THURSDAY, House, refused
from tests.world.http_server import Answer, HttpServer, in_a_thread

LAB, CHAT = "webhook:Lab program", "apprise:Lab chat"
TOKEN = "T0KENofTheLab"
FILE = f"""\
subscribers:
  - webhook: $HOOK
    name: Lab program
    secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
    keywords: [{KEYWORDS[0]}]
  - apprise: $CHAT
    name: Lab chat
    keywords: [{KEYWORDS[0]}]
"""


def named(house: House, server: HttpServer, patch: pytest.MonkeyPatch) -> None:
    """Two readers whose digests go to this server."""
    house.write(FILE)
    patch.setenv("HOOK", f"{server.url}/hook/{TOKEN}")
    patch.setenv("CHAT", f"ntfy://tk_{TOKEN}@127.0.0.1:{server.port}/papers?auth=token")
    patch.setenv("DIGEST_WEBHOOK_TARGETS", "any")


@pytest.mark.heavy
def test_a_run_posts_and_each_command_knows_the_names_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    with in_a_thread() as server:
        named(house, server, monkeypatch)
        for reader in (LAB, CHAT):
            said.append(house("preview", reader, now=THURSDAY))
        assert server.requests == []
        said.append(house("run", "-vv", now=THURSDAY))
        assert len(server.requests) == 2
        server.usual = Answer(404)
        for command in ("send", "resend", "why", "history"):
            said += [house(command, reader) for reader in (LAB, CHAT)]
        said.append(house("run", "-vv", now=FRIDAY))
        for reader in (LAB, CHAT):
            said.append(house("history", reader, "--show"))
            said.append(house("subscribers", "show", reader, "--json"))
        for command in ("status", "doctor", "config", "outbox", "subscribers"):
            said.append(house(command))
    for told in said:
        assert TOKEN not in told.out + "\n".join(told.complaints)
        assert "Traceback" not in "\n".join(told.complaints)
    program = next(request for request in server.requests if "hook" in request.path)
    chat = next(request for request in server.requests if "hook" not in request.path)
    previews = [json.loads(said[0].out), said[1].out]
    assert json.loads(program.body)["data"]["sections"] == previews[0]["sections"]
    message = json.loads(chat.body)
    assert previews[1].rstrip() == f"{message['title']}\n\n{message['message']}"
    kept = b"".join(path.read_bytes() for path in house.home.glob("digest.db*"))
    assert TOKEN.encode() not in kept


@pytest.mark.heavy
def test_no_mail_is_shown_where_none_goes(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with in_a_thread() as server:
        named(house, server, monkeypatch)
        refused(house("preview", LAB, "--eml", now=THURSDAY), 2, "gets messages, and no mail")
        refused(house("preview", CHAT, "--html", now=THURSDAY), 2, "gets messages, and no mail")


def test_readers_behind_a_url_are_added_in_the_file(house: House) -> None:
    refused(house("subscribe", "apprise:New", "-k", "x"), 2, "only be said there", "channels.md")
    refused(house("subscribers", "set", LAB, "webhook=https://x.example"), 2, "webhook")
