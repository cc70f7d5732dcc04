"""Why nothing new came: for one good window, for an index that stands still, for a day on which a
reader gets no digest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from digest.model import Query, Subscriber, Window
from digest.rules.calendar import (
    Announcement,
    doubt_about,
    last_served,
    next_served,
    quiet_night,
    submitted_by,
    why_nothing,
)
from digest.rules.diff import MODERATION_HOLD
from digest.rules.plan import previous
from digest.rules.schedule import local_date, resumes_at

STALE = "stale index"
"""The first words of the reason where an announcement was served and the index shows none of it."""
QUIET_WAIT = timedelta(hours=6)
"""How long, after the slot opened, the note that nothing came waits for an announcement and for
arXiv's answers."""
_EXPECTED = 8
"""At least this many rows of all keywords together must be expected of an announcement before their
absence means something; with this many, counted twice where they match two keywords, a quiet day
comes once in years."""
_BUSY = 3
"""Rows a day from which on one query alone can tell a standing index from a day without a match."""


def why_no_news(query: Query, window: Window, old: int, now: datetime) -> str:
    """Why a good window brought nothing new, but `old` papers that are too old to be mailed."""
    served = last_served(now).served_at
    newest = max((p.updated for p in window.papers), default=served)
    is_missed = query.last_good_at is not None and query.last_good_at < served
    if is_missed and newest < served - MODERATION_HOLD and (query.rows_per_day or 0) >= _BUSY:
        return _stale(newest)
    return why_nothing(
        now=now, previous_good=query.last_good_at, fetched=len(window.papers), first_seen=old
    )


def why_stale(newest: datetime | None, rows_per_day: float, now: datetime) -> str:
    """Why the index seems to stand still; "" where it has moved, or where too little is expected of
    it. `newest` is the date of the newest row of all keywords (UTC), `rows_per_day` the rate of all
    together.

    One rare keyword cannot tell a standing index from a day without a match; all of them can.
    """
    latest = last_served(now)
    if newest is None or newest >= submitted_by(previous(latest)):
        return ""
    # docs/decisions.md, “All keywords together tell whether the index stands still”.
    expected = rows_per_day * ((submitted_by(latest) - newest) / timedelta(days=1))
    return _stale(newest) + doubt_about(latest.evening) if expected >= _EXPECTED else ""


def _stale(newest: datetime) -> str:
    return f"{STALE}: an announcement was served, and the newest row is of {newest:%Y-%m-%d}"


def why_quiet(
    subscriber: Subscriber,
    slot: datetime,
    now: datetime,
    *,
    queries: Sequence[Query],
    reasons: Iterable[str],
    previous_digest: datetime | None,
) -> str:
    """Why nothing came since the reader's previous digest, for one who wants to be told.

    `reasons` are what the queries' last fetches said. Empty while an answer of arXiv's is still
    awaited: the note takes the slot, and would keep the papers waiting.
    """
    served = last_served(now)
    if _announcement_is_near(subscriber, slot, now):
        return ""
    behind = _behind(queries, served)
    if behind is not None:
        is_awaited = now - max(slot, served.served_at) < QUIET_WAIT
        trouble = behind.trouble or "arXiv could not be asked since its last announcement"
        return "" if is_awaited else trouble
    stale = next((why for why in reasons if why.startswith(STALE)), None)
    # What that announcement brought was told already: it is the night since that was quiet.
    if previous_digest is None or previous_digest < served.served_at:
        night = None
    else:
        night = quiet_night(max(now, _end_of_day(subscriber, slot)))
    none = f"no match in arXiv's last announcement{doubt_about(served.evening)}"
    return stale or (night.words if night else none)


def _behind(queries: Sequence[Query], served: Announcement) -> Query | None:
    """The first query whose last good window does not know an announcement."""
    at = served.served_at
    return next((q for q in queries if q.last_good_at is None or q.last_good_at < at), None)


def _end_of_day(subscriber: Subscriber, slot: datetime) -> datetime:
    tomorrow = local_date(slot, subscriber.timezone) + timedelta(days=1)
    return resumes_at(tomorrow, subscriber.timezone) - timedelta(seconds=1)


def _announcement_is_near(subscriber: Subscriber, slot: datetime, now: datetime) -> bool:
    """Whether the slot's own day still brings an announcement, soon enough to wait for it."""
    coming, zone = next_served(now).served_at, subscriber.timezone
    is_today = local_date(coming, zone) == local_date(slot, zone)
    return is_today and (subscriber.at is None or coming - slot < QUIET_WAIT)
