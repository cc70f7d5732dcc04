"""One reader of whom something is asked: as the subscribers file and the database know them."""

from __future__ import annotations

from dataclasses import dataclass

from digest.cli.base import Context
from digest.errors import ConfigError
from digest.model import Channel, Roster, Subscriber
from digest.setup.parts import held_back_error
from digest.setup.settings import Settings
from digest.setup.subscribers import known_as, place_of_subscribers, read_roster
from digest.store import Store
from digest.store.history import Reader
from digest.subscribers.guesses import nearest_address

LONGEST = 2000
"""Characters of a text that are shown: titles and servers' words come from outside."""


@dataclass(frozen=True, slots=True)
class KnownReader:
    """A reader whom the subscribers file names, or the database remembers, or both; `held_back` are
    the words of the mistake in the file for which nothing is certain of them.
    """

    address: str
    subscriber: Subscriber | None
    past: Reader | None
    held_back: str = ""

    @property
    def number(self) -> int:
        """The reader's number in the database, 0 where that does not know them."""
        return self.past.id if self.past else 0

    @property
    def channel(self) -> Channel:
        """The channel by which digests come to the reader."""
        known = self.subscriber or self.past
        return known.channel if known else Channel.MAIL

    @property
    def zone(self) -> str:
        """The zone in which times are shown."""
        return self.subscriber.timezone if self.subscriber else "UTC"


def known_reader(settings: Settings, roster: Roster, store: Store, email: str) -> KnownReader:
    """One reader by address; ConfigError, with the nearest, where neither file nor database knows
    it.
    """
    wanted = known_as(settings, email).strip()
    past = store.history.reader(wanted)
    for subscriber in roster.subscribers:
        if subscriber.email.casefold() == wanted.casefold():
            return KnownReader(subscriber.email, subscriber, past)
    why = roster.why_held_back(wanted)
    if past is not None:
        anybody = roster.held_back.get("", "")
        return KnownReader(past.address, None, past, why or anybody)
    if why:
        raise held_back_error(email, why)
    known = [s.email for s in roster.subscribers] + store.history.addresses()
    near = nearest_address(email, known)
    raise ConfigError(
        f"neither {place_of_subscribers(settings)} nor the database knows {email}",
        remedy=f"did you mean {near}?" if near else "'digest subscribers' lists who is in the file",
    )


def readable_roster(context: Context, *, why: str) -> Roster:
    """The subscribers file, for names and zones; what happened is told without it, too, and `why`
    says how.
    """
    try:
        return read_roster(context.settings)
    except ConfigError as error:
        context.warn(f"{error.message.splitlines()[0]}; {why}")
        return Roster((), ())
