"""Whatever stands in a mailbox, and whatever its server answers, costs that reading at most.

More examples than the gate's:

    EXAMPLES=4000 pytest -n0 -s -m heavy tests/promise/test_hostile_mailbox.py
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, TryLaterError
from digest.run.inbox import InboxReader, Reading, process_inbox
from tests.run.test_inbox import ADA, Post, request
from tests.world.hostile_mails import HostileMail, hostile_mails
from tests.world.imap_server import ImapServer, imap_server
from tests.world.letters import letter
from tests.world.worlds import eprint, reader

pytestmark = pytest.mark.heavy
EXAMPLES = int(os.environ.get("EXAMPLES", "25"))
many = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
SECONDS = 1.0
"""The time limit of a reading here; the process that reads takes a tenth of it to start."""

_PIECES = st.sampled_from(
    [
        *(b"* ", b"TAG ", b"OK ", b"NO ", b"BAD ", b"BYE ", b"PREAUTH ", b"+ ", b"\r\n", b"\n"),
        *(b"SEARCH ", b"FETCH ", b"FLAGS ", b"(", b")", b"[", b"]", b'"', b"\\", b"NIL ", b"word "),
        *(b"UID ", b"1 ", b"0 ", b"-1 ", b"4294967296 ", b"9" * 40, b"BODY[] ", b"BODY[]<0> "),
        *(b"{3}\r\nabc", b"{4000000000}\r\n", b"{-1}\r\n", b"{x}\r\n", b"\x00", b"\xff", b"&-"),
        *(
            b"[UIDVALIDITY 7] ",
            b"[UIDVALIDITY x] ",
            b"[PERMANENTFLAGS ()] ",
            b"EXISTS ",
            b"* " * 9_999,
        ),
    ]
) | st.binary(max_size=6)
_ANSWERS = st.tuples(
    st.lists(_PIECES, max_size=14).map(b"".join),
    st.sampled_from(
        (b"", b"\r\n", b"\r\nTAG OK done\r\n", b"\r\nTAG OK done\r\n", b"\r\nTAG NO\r\n")
    ),
).map(b"".join)
_COMMANDS = ("GREETING", "CAPABILITY", "LOGIN", "SELECT", "SEARCH", "FETCH", "STORE", "LOGOUT")
hostile_answers = st.dictionaries(st.sampled_from(_COMMANDS), _ANSWERS, min_size=1, max_size=3)


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Post]:
    post = Post(tmp_path / "digest.db")
    post.readers = [reader(ADA, "Reasoning")]
    post.arxiv.announce("Reasoning", *(eprint(number) for number in range(1, 4)))
    asyncio.run(post.mail())
    yield post
    post.store.close()


def read(post: Post, server: ImapServer, number: int, seconds: float) -> Reading | None:
    """Read a mailbox that was never read before; None where that ended in an error for people."""
    place = replace(server.place, folder=f"Folder {number}")
    inbox = InboxReader(post.store, post.signer, place, "secret", None, lambda: post.now)

    async def within() -> Reading:
        async with asyncio.timeout(seconds + 20):  # the machine may be busy: a guard, no measure
            return await process_inbox(inbox, seconds)

    try:
        return asyncio.run(within())
    except (TryLaterError, ConfigError):
        return None


def test_no_server_costs_more_than_the_reading(post: Post) -> None:
    seen: dict[str, int] = {}

    @many
    @given(answers=hostile_answers, closes=st.sampled_from(("all", "all", "all", "none")))
    def tried(answers: dict[str, Any], closes: str) -> None:
        with imap_server({1: letter("Lunch?"), 2: letter("unsubscribe")}, **answers) as server:
            server.closes = frozenset(answers if closes == "all" else ())
            found = read(post, server, sum(seen.values()), SECONDS)
        kind = "error" if found is None else "read" if found.finished else "out of time"
        seen[kind] = seen.get(kind, 0) + 1
        assert post.suppressed() == {}

    tried()
    print(f"\n{seen}")
    assert seen["error"]


def test_no_mail_keeps_a_request_to_leave_from_being_read(post: Post) -> None:
    seen: dict[str, int] = {}

    @many
    @given(mails=st.lists(hostile_mails, min_size=1, max_size=3))
    def tried(mails: list[HostileMail]) -> None:
        number = seen["readings"] = seen.get("readings", 0) + 1
        asks = b"X-Number: %d\r\n" % number + request(post)
        messages = dict(enumerate([*map(bytes, mails), asks], start=1))
        with imap_server(messages) as server:
            found = read(post, server, number, 60)
        assert found is not None
        assert found.finished
        assert found.results[-1].did == "unsubscribed"
        assert post.suppressed() == {ADA: "unsubscribed"}
        left = sum("too much" in one.did for one in found.results)
        seen["given up"] = seen.get("given up", 0) + left
        post.store.suppressions.lift(ADA)

    tried()
    print(f"\n{seen}")
