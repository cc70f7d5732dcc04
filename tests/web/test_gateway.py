"""What a request meets first: its length, whom it comes from, and what stands beside all pages."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from digest.store import open_store
from digest.web.database_thread import DatabaseThread
from digest.web.gateway import LONGEST_BODY, client_of
from tests.web.archive_world import make_gateway

PROXIES = [ip_network("10.0.0.0/8"), ip_network("::1")]


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    with (
        open_store(tmp_path / "digest.db") as store,
        contextlib.closing(DatabaseThread(tmp_path / "digest.db", seconds=0.05)) as database,
    ):
        transport = httpx.ASGITransport(make_gateway(store, database))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield client


@pytest.mark.parametrize(
    ("peer", "header", "value", "address"),
    [
        ("10.0.0.1", "Forwarded", "for=192.0.2.43", "192.0.2.43"),
        ("10.0.0.1", "Forwarded", 'For="[2001:db8::17]:4711";proto=https', "2001:db8::17"),
        ("10.0.0.1", "Forwarded", "for=9.9.9.9, for=192.0.2.43;by=10.0.0.1", "192.0.2.43"),
        ("10.0.0.1", "Forwarded", "for=_hidden", "10.0.0.1"),
        ("10.0.0.1", "X-Forwarded-For", "9.9.9.9, 192.0.2.43", "192.0.2.43"),
        ("::1", "X-Forwarded-For", "192.0.2.43, 10.9.9.9", "192.0.2.43"),
        ("::ffff:10.0.0.1", "X-Forwarded-For", "192.0.2.43", "192.0.2.43"),
        ("192.0.2.1", "X-Forwarded-For", "9.9.9.9", "192.0.2.1"),
        ("192.0.2.1", "Forwarded", "for=9.9.9.9", "192.0.2.1"),
        ("10.0.0.1", "X-Forwarded-For", "", "10.0.0.1"),
    ],
)
def test_only_a_trusted_server_says_for_whom_it_asks(
    peer: str, header: str, value: str, address: str
) -> None:
    assert client_of(peer, Headers({header: value}), PROXIES) == address


@given(st.text(), st.sampled_from(["Forwarded", "X-Forwarded-For"]))
def test_whatever_is_forwarded_an_address_comes_of_it(text: str, header: str) -> None:
    raw = [(header.lower().encode(), text.encode("latin-1", "replace"))]
    found = client_of("10.0.0.1", Headers(raw=raw), PROXIES)
    assert ip_network(found)


async def test_a_body_that_is_too_long_is_refused_before_it_comes(
    client: httpx.AsyncClient,
) -> None:
    async def body() -> AsyncIterator[bytes]:
        raise AssertionError("nobody asks for it")
        yield b""

    headers = {"Content-Length": str(100 * LONGEST_BODY)}
    answer = await client.post("/u/1", content=body(), headers=headers)
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"
    assert "too much" in answer.text


async def test_the_style_is_kept_for_ever_and_changes_its_address_with_its_content(
    client: httpx.AsyncClient,
) -> None:
    page = await client.get("/nowhere")
    path = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    answer = await client.get(path)
    assert answer.headers["content-type"].startswith("text/css")
    assert "immutable" in answer.headers["cache-control"]
    assert (await client.get(path.replace(".css", "0.css"))).status_code == 404


async def test_health_says_whether_the_database_can_be_read_and_no_more(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    good = await client.get("/healthz")
    assert (good.status_code, good.json()) == (200, {"status": "ok"})


async def test_health_of_a_database_that_is_gone(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "digest.db").rename(tmp_path / "away.db")
    gone = await client.get("/healthz")
    assert (gone.status_code, gone.json()) == (503, {"status": "unavailable"})
