"""Short tokens that nobody else can make: by them a mail, a link or a bounce proves whom it is
about.

A token is a number and a message authentication code over its purpose, the database, the number and
whatever else it is bound to: `42-k3jq…`. It has no `=`, no case that matters and 20 letters of
code, so it fits into a local part and into a short link, and survives mail systems that change the
case of addresses.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

CODE_LETTERS = 20
"""Letters of base32, five bits each: one guess in 2^100 is right."""
LONGEST_NUMBER = 12
"""Digits: more readers or deliveries than any database will hold."""
LONGEST_TOKEN = LONGEST_NUMBER + 1 + CODE_LETTERS

TOKEN = re.compile(
    rf"(?<![a-z0-9])([0-9]{{1,{LONGEST_NUMBER}}})-([a-z2-7]{{{CODE_LETTERS}}})(?![a-z0-9])"
)
"""Matches what looks like a token, in lower case."""
NOBODYS = f"0-{'a' * CODE_LETTERS}"
"""A token that leads nowhere, for what is only shown."""


class Purpose(StrEnum):
    """The purpose of a token; a token for one is never valid for another."""

    LEAVE = "leave"
    BOUNCE = "bounce"
    VIEW = "view"
    FEED = "feed"
    CHOICES = "choices"
    LETTER = "letter"
    FORM = "form"
    LIKE = "like"


@dataclass(frozen=True, slots=True)
class Signer:
    """Makes and checks tokens with a secret; `database` keeps those of another database from
    counting here.
    """

    secret: str = field(repr=False)
    database: str

    def token(self, purpose: Purpose, number: int, bound_to: str = "") -> str:
        """The token for a reader (LEAVE, CHOICES, FEED), a delivery (BOUNCE, LIKE), a digest
        (VIEW), a letter, or the minute in which a form was shown; it counts as long as what it is
        `bound_to` beside that stays so.
        """
        text = f"{self.database} {purpose} {number}" + (f" {bound_to}" if bound_to else "")
        code = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()
        return f"{number}-{base64.b32encode(code).decode()[:CODE_LETTERS].lower()}"

    def own(self, purpose: Purpose, number: int, links: int) -> str:
        """A token that its reader can make worthless; `links` says how often they did."""
        return self.token(purpose, number, str(links or ""))

    def numbers(self, purpose: Purpose, text: str) -> Iterator[int]:
        """The numbers of all genuine tokens of this purpose in a text, whatever stands around
        them.
        """
        for found in TOKEN.finditer(text.lower()):
            number = int(found[1])
            if hmac.compare_digest(self.token(purpose, number), found[0]):
                yield number

    def number(self, purpose: Purpose, token: str) -> int | None:
        """The number of one token, or None where it is not genuine."""
        is_token = TOKEN.fullmatch(token.lower())
        return next(self.numbers(purpose, token), None) if is_token else None

    def is_genuine(self, purpose: Purpose, token: str, bound_to: str) -> bool:
        """Whether a token counts that is bound to something beside its number."""
        number = claimed_number(token)
        return number is not None and hmac.compare_digest(
            self.token(purpose, number, bound_to), token.lower()
        )

    def is_own(self, purpose: Purpose, token: str, links: int) -> bool:
        """Whether a token counts that its reader can make worthless (`own`)."""
        return self.is_genuine(purpose, token, str(links or ""))


def claimed_number(token: str) -> int | None:
    """The number that a token names, genuine or not; None where it is no token."""
    found = TOKEN.fullmatch(token.lower())
    return int(found[1]) if found else None
