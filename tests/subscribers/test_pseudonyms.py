"""Readers under keyed hashes: always the same name, no way back, and no address in what a server
said."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Channel, Outgoing, Roster, Subscriber
from digest.subscribers.pseudonyms import Pseudonyms, conceal, mailboxes, reveal

NAMES = Pseudonyms("a key that nobody else has")
ADA = Subscriber("ada@example.org", (), name="Ada")
PAGE = Subscriber("github:ada/papers", (), channel=Channel.GITHUB)


def outgoing(address: str) -> Outgoing:
    return Outgoing(
        1,
        1,
        address,
        "",
        "<1@example.org>",
        datetime(2026, 11, 24, tzinfo=UTC),
        "s",
        (b"", b"", b""),
    )


def test_a_reader_has_one_name_in_every_case_and_another_under_another_key() -> None:
    name = NAMES.of("ada@example.org")
    assert name == NAMES.of(" Ada@Example.ORG ")
    assert name.startswith("reader:")
    assert "@" not in name
    assert name != Pseudonyms("another key").of("ada@example.org")
    assert NAMES.of(name) == name


def test_only_the_mailbox_of_a_hidden_reader_still_holds_the_address() -> None:
    ada, page = NAMES.hide(Roster((ADA, PAGE), ())).subscribers
    assert ada == Subscriber(NAMES.of("ada@example.org"), (), mailbox="ada@example.org")
    assert page == PAGE
    assert "ada@example" not in repr(ada)


def test_a_delivery_goes_to_the_address_and_to_nobody_who_left() -> None:
    roster = NAMES.hide(Roster((ADA, PAGE), ()))
    known = mailboxes(roster)
    revealed = reveal(outgoing(NAMES.of("ada@example.org")), known)
    assert revealed is not None
    assert revealed.address == "ada@example.org"
    assert reveal(outgoing(NAMES.of("lin@example.org")), known) is None
    assert reveal(outgoing("github:ada/papers"), known) == outgoing("github:ada/papers")


@pytest.mark.parametrize(
    "said",
    [
        "550 5.1.1 <Ada.L@Example.org>: Recipient address rejected: User unknown",
        "550 ada.l: no such user here",
        "452 mailbox full for ada.l@example.org; forwarded to somebody.else@example.net",
    ],
)
def test_what_a_server_said_holds_no_address(said: str) -> None:
    told = conceal(said, "ada.l@example.org")
    assert "@" not in told
    assert "ada.l" not in told.lower()
    assert told[:3] == said[:3]


def test_what_is_said_to_a_reader_without_an_address_stays_as_it_is() -> None:
    said = "the connection broke (TimeoutError): look, and try again"
    assert conceal(f"{said} WEBHOOK:lab", "webhook:lab") == f"{said} …"


@given(st.emails(), st.text(max_size=60), st.text(max_size=60))
def test_an_address_never_comes_through(address: str, before: str, after: str) -> None:
    assert address.lower() not in conceal(f"{before}<{address}>{after}", address).lower()
