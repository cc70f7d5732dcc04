"""How the channels differ: what a digest may be there, what trouble means, and in what words people
hear of it; and the terms on which an installation lets digests leave.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from digest.model import Channel


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `number` messages in any stretch of time of the length `period`."""

    number: int
    period: timedelta


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms the digests of a channel leave: within `limits`; with `hold_unknown` what was
    maybe delivered waits for a person.
    """

    limits: Sequence[RateLimit] = ()
    hold_unknown: bool = False


@dataclass(frozen=True, slots=True)
class ChannelRules:
    """How one channel differs from others.

    `finds`: what was maybe delivered can be looked for, so that a repeat never comes twice and
    nobody need decide. `guesses`: the other side does not tell whether a refusal is one reader's or
    everybody's, so the same one in a row, and silences, are taken for everybody's. `empty`: a
    digest without a paper may go there. In words: `server`, who takes the digests; `item`, what
    each is, and `items`, several; `waits` and `untaken`, what is wrong while the server is given a
    rest; `leaving` and `would_leave`, before the address to which one leaves, or would.
    """

    finds: bool
    guesses: bool
    empty: bool
    server: str
    item: str
    items: str
    waits: str
    untaken: str
    leaving: str
    would_leave: str

    @property
    def subject(self) -> str:
        """The server, where a sentence begins with it."""
        return self.server[:1].upper() + self.server[1:]


RULES: Mapping[Channel, ChannelRules] = {
    Channel.MAIL: ChannelRules(
        finds=False,
        guesses=True,
        empty=True,
        server="the mail server",
        item="mail",
        items="mail",
        waits="mail waits",
        untaken="could not be handed over",
        leaving="mailing",
        would_leave="mailed to",
    ),
    Channel.GITHUB: ChannelRules(
        finds=True,
        guesses=False,
        empty=False,
        server="GitHub",
        item="issue",
        items="issues",
        waits="issues wait",
        untaken="could not be posted",
        leaving="posting to",
        would_leave="posted to",
    ),
    Channel.WEBHOOK: ChannelRules(
        finds=False,
        guesses=False,
        empty=True,
        server="the receiver",
        item="message",
        items="messages",
        waits="messages wait",
        untaken="could not be posted",
        leaving="posting to",
        would_leave="posted to",
    ),
    Channel.APPRISE: ChannelRules(
        finds=False,
        guesses=False,
        empty=True,
        server="the chat",
        item="message",
        items="messages",
        waits="messages wait",
        untaken="could not be sent",
        leaving="sending to",
        would_leave="sent to",
    ),
}


def make_terms(
    limits: Sequence[RateLimit] = (), *, hold_unknown: bool = False
) -> dict[Channel, Terms]:
    """The terms of each channel, where mail is to keep to `limits` and nothing that may be
    delivered twice is to be repeated.
    """
    return {
        channel: Terms(limits if channel is Channel.MAIL else (), hold_unknown and not rules.finds)
        for channel, rules in RULES.items()
    }
