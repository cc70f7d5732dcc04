"""Readers who must not be mailed, as far as the database knows: looked up, shown, and let in again.

A database that cannot be read keeps nobody from editing the file: it is said, and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from digest.cli.base import Context
from digest.cli.readers.describe import subscriber_json
from digest.errors import StoreError
from digest.model import Subscriber
from digest.setup.parts import find_subscriber, reading_store
from digest.setup.subscribers import read_roster
from digest.times import in_utc, to_text

if TYPE_CHECKING:
    from digest.store import Store
    from digest.store.suppressions import Suppression

T = TypeVar("T")


def _from_store(context: Context, read: Callable[[Store], T], otherwise: T) -> T:
    try:
        with reading_store(context.settings) as store:
            return read(store)
    except StoreError as error:
        context.warn(str(error))
        return otherwise


def without_digest(context: Context, readers: Iterable[Subscriber]) -> set[str]:
    """The addresses among these to which no digest ever went, so that the next run brings the
    first.
    """

    def has_digest(store: Store, address: str) -> bool:
        state, past = store.subscribers.state(address), store.history.reader(address)
        return bool(state.last_digest_at if state else past)

    return _from_store(
        context,
        lambda store: {one.email for one in readers if not has_digest(store, one.email)},
        set(),
    )


def suppressions(context: Context) -> dict[str, Suppression]:
    """Who must not be mailed, by casefolded address."""
    return _from_store(
        context,
        lambda store: {one.address.casefold(): one for one in store.suppressions.all()},
        {},
    )


def lift_suppressions(context: Context, readers: Iterable[Subscriber]) -> dict[str, Suppression]:
    """Let these readers be mailed again; returns what was lifted, by address."""

    def lift(store: Store) -> dict[str, Suppression]:
        lifted = {one.email: store.suppressions.lift(one.email) for one in readers}
        return {email: found for email, found in lifted.items() if found}

    return _from_store(context, lift, {})


def lifted_lines(lifted: Mapping[str, Suppression]) -> Iterator[str]:
    """Who is mailed again."""
    for email, was in lifted.items():
        yield f"{email} is mailed again: it was {suppression_line(was)}"


def mail_again(context: Context, emails: Iterable[str], *, as_json: bool) -> None:
    """Lift suppressions where the subscribers come from a secret, so that nothing else of a reader
    can be changed.
    """
    roster = read_roster(context.settings)
    readers = [find_subscriber(roster, email, context.settings) for email in emails]
    lifted = lift_suppressions(context, readers)
    shown = [
        {**subscriber_json(one), "lifted": suppression_json(lifted.get(one.email))}
        for one in readers
    ]
    others = (
        f"{one.email} was not suppressed, and the rest of it stands in the secret."
        for one in readers
        if one.email not in lifted
    )
    context.show(
        {"file": None, "subscribers": shown}, [*lifted_lines(lifted), *others], as_json=as_json
    )


def suppression_json(found: Suppression | None) -> dict[str, str] | None:
    """A suppression as JSON shows it."""
    if found is None:
        return None
    return {"reason": found.reason, "words": found.words, "since": to_text(found.since)}


def suppression_line(found: Suppression) -> str:
    """A suppression in words."""
    return f"not mailed since {in_utc(found.since)} ({found.why})"
