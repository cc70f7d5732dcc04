"""Whether the machine's clock can be believed: arXiv's answers say what time it is.

Nothing is stamped under a clock that is known to be wrong; the program waits until it is right, and
puts right what was stamped before that was known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from digest.arxiv.line import Response, answered_at
from digest.errors import ArxivError, ClockError
from digest.keywords.words import counted
from digest.store import Store
from digest.store.clock import SKEW, PutRight
from digest.times import in_utc

SET_IT = (
    "set it, and let it be kept (timedatectl set-ntp true); runs wait until it is right. Where it"
    " is, and a proxy's is not, say so: 'digest db clock --trust'"
)


def compare(now: datetime, there: datetime, trusted: timedelta = timedelta(0)) -> None:
    """Raise ClockError where the machine's clock is wrong, by arXiv's; `trusted`: how far a person
    knows the dates of its answers to be off, such as by a proxy.
    """
    off = now - there
    if abs(off) >= SKEW and abs(off - trusted) >= SKEW:
        error = ClockError(
            f"this machine's clock says {in_utc(now)}, and is {off_by(now, there)}", remedy=SET_IT
        )
        error.off = off
        raise error


def off_by(now: datetime, there: datetime) -> str:
    """How far the machine's clock is from arXiv's, in words."""
    minutes = round(abs(now - there) / timedelta(minutes=1))
    span = f"{minutes} minutes"
    if minutes >= 2 * 24 * 60:
        span = f"{minutes // (24 * 60)} days"
    elif minutes >= 120:
        span = f"{minutes // 60} hours"
    return f"{span} {'ahead of' if now > there else 'behind'} arXiv's"


def comparing(clock: Callable[[], datetime], trusted: timedelta) -> Callable[[Response], None]:
    """A check of each answer of arXiv's, before anything of it is used: it raises ClockError."""

    def check(response: Response) -> None:
        now = clock()
        there = answered_at(response.headers, now)
        if there is not None:
            compare(now, there, trusted)

    return check


async def settle(
    store: Store,
    clock: Callable[[], datetime],
    ask: Callable[[], Awaitable[datetime | None]],
    *,
    always: bool = False,
) -> str:
    """Make sure of the time before a cycle stamps anything; returns what was put right, in a line.

    Where the clock lies far from what the database has seen, or `always`, `ask` gives arXiv's time,
    or None where its answer tells none. Raises ClockError where the clock is wrong, or may be.
    """
    now = clock()
    if not always and not store.clock.is_doubtful(now):
        store.clock.note_trouble("")
        return ""
    try:
        there = await _asked(store, now, ask)
        now = clock()
        if there is not None:
            compare(now, there, store.clock.trusted())
        elif always or store.clock.is_stamped_ahead_of(now):
            raise ClockError(
                f"this machine's clock says {in_utc(now)}, the last run was at"
                f" {in_utc(store.clock.stamped() or now)}, and arXiv's answer tells no time",
                remedy="where the clock is right, say so: 'digest db clock --trust'",
            )
    except ClockError as error:
        store.clock.note_trouble(error.message, error.off)
        raise
    store.clock.note_trouble("")
    # Whoever was away for days is right to be ahead of what was seen.
    if not store.clock.is_stamped_ahead_of(now):
        return ""
    return in_words(store.clock.put_right(now), now)


async def _asked(
    store: Store, now: datetime, ask: Callable[[], Awaitable[datetime | None]]
) -> datetime | None:
    try:
        return await ask()
    except ArxivError as error:
        seen = store.clock.stamped() or now
        raise ClockError(
            f"this machine's clock says {in_utc(now)}, the last run was at {in_utc(seen)}, and"
            f" arXiv could not be asked for the time ({error.message})",
            remedy="the next run asks again",
        ) from error


def in_words(done: PutRight, now: datetime) -> str:
    """What was put right, in a line."""
    of_what = ", ".join(
        (
            counted(done.keywords, "keyword"),
            counted(done.readers, "reader"),
            counted(done.digests, "digest"),
        )
    )
    again = f"; {counted(done.papers, 'paper')} taken for old then can come now"
    return (
        f"a clock had run ahead, to {in_utc(done.seen or now)}: what was stamped since is put right"
        f" ({of_what}{again if done.papers else ''})"
    )
