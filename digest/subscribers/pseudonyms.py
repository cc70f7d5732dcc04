"""Readers under keyed hashes: so a database and a log that strangers may see hold no address."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from urllib.parse import quote

from digest.model import Channel, Outgoing, Roster, Subscriber
from digest.subscribers.addresses import channel_of

# Begins the name by which the database and the log know a reader whose address is kept out of them.
PREFIX = "reader:"
# 96 bits: too many for two readers to meet, and without the key too many to try.
HEX_DIGITS = 24

_ADDRESS = re.compile(r"[^\s<>()\[\]\"',;:]+@[^\s<>()\[\]\"',;:]+")


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Makes the names of readers with a key; without it nobody can find out whose a name is."""

    key: str = field(repr=False)

    def of(self, address: str) -> str:
        """The name of an address, in whatever case it is written; a repository is public, and
        keeps its own.
        """
        if channel_of(address) is Channel.GITHUB or address.startswith(PREFIX):
            return address
        code = hmac.new(self.key.encode(), address.strip().casefold().encode(), hashlib.sha256)
        return PREFIX + code.hexdigest()[:HEX_DIGITS]

    @property
    def mark(self) -> str:
        """Tells whether names were made with the same key."""
        return self.of("the key of these names")

    def hide(self, roster: Roster) -> Roster:
        """The same roster, in which each reader goes by that name; only `mailbox` still holds the
        address.
        """
        mistakes = (
            replace(one, holds_back=tuple(a and self.of(a) for a in one.holds_back))
            for one in roster.mistakes
        )
        return replace(
            roster,
            subscribers=tuple(self._hidden(reader) for reader in roster.subscribers),
            mistakes=tuple(mistakes),
        )

    def _hidden(self, reader: Subscriber) -> Subscriber:
        if reader.channel is Channel.GITHUB:
            return reader
        return replace(reader, email=self.of(reader.email), name="", mailbox=reader.email)


def mailboxes(roster: Roster) -> dict[str, str]:
    """The address of each reader who goes by another name."""
    return {reader.email: reader.mailbox for reader in roster.subscribers if reader.mailbox}


def reveal(outgoing: Outgoing, known: Mapping[str, str]) -> Outgoing | None:
    """The delivery with the address it really goes to; None where the roster no longer holds the
    reader.
    """
    if not outgoing.address.startswith(PREFIX):
        return outgoing
    mailbox = known.get(outgoing.address)
    return replace(outgoing, address=mailbox) if mailbox else None


def conceal(text: str, mailbox: str = "") -> str:
    """What a server said, without the address and any other; servers repeat it, whole or its first
    part.
    """
    if not mailbox:
        return _ADDRESS.sub("…", text)
    text = _ADDRESS.sub("…", re.sub(re.escape(mailbox), "…", text, flags=re.IGNORECASE))
    local = mailbox.rpartition("@")[0]
    if not local:
        return text
    return re.sub(rf"(?<!\w){re.escape(local)}(?!\w)", "…", text, flags=re.IGNORECASE)


def without(body: bytes, address: str) -> bytes:
    """A body without an address, however quoted-printable cuts it into lines (RFC 2045, section
    6.7).
    """
    for spelling in {address, quote(address, safe="@+"), escape(address)} - {""}:
        letters = (re.escape(bytes([byte])) for byte in spelling.encode())
        body = re.sub(rb"(?:=\r\n)?".join(letters), b"", body, flags=re.IGNORECASE)
    return body
