"""In a workflow of a public repository no address is worked with; one that cannot be asked counts
as public."""

from __future__ import annotations

import asyncio

import pytest

from digest.errors import ConfigError
from digest.model import Roster, Subscriber
from digest.setup.exposure import refuse_exposure
from tests.world.github_server import TOKEN, Refuse, github

ADA = Roster((Subscriber("ada@example.org", ()),), ())
WORKFLOW = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "ada/papers"}


async def refusal(api: str, roster: Roster = ADA) -> str:
    try:
        await asyncio.to_thread(refuse_exposure, roster, WORKFLOW, api=api, token=TOKEN)
    except ConfigError as error:
        return str(error)
    return ""


async def test_a_public_repository_gets_no_addresses_and_a_private_one_does() -> None:
    async with github() as server:
        public = await refusal(server.url)
        server.private.add("ada/papers")
        private = await refusal(server.url)
    assert "ada/papers is public" in public
    assert "DIGEST_SUBSCRIBERS_YAML" in public
    assert "ada@example.org" not in public
    assert private == ""


async def test_what_cannot_be_asked_counts_as_public() -> None:
    async with github() as server:
        server.private.add("ada/papers")
        server.next["GET"] = [Refuse(500)]
        assert "cannot be asked" in await refusal(server.url)
    assert "cannot be asked" in await refusal("http://127.0.0.1:9")


@pytest.mark.parametrize("reader", ["reader:0123456789abcdef01234567", "github:ada/papers"])
async def test_readers_without_an_address_are_no_secret(reader: str) -> None:
    async with github() as server:
        assert await refusal(server.url, Roster((Subscriber(reader, ()),), ())) == ""
    assert server.requests == []


def test_outside_of_a_workflow_nobody_is_asked() -> None:
    refuse_exposure(ADA, {}, api="http://127.0.0.1:9", token=TOKEN)
