"""Whether arXiv's index stands still: an announcement was served, and no keyword's answer holds
anything of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from digest.rules.calendar import doubt_about, last_served, submitted_by
from digest.run.fetch import STALE, Fetched
from digest.store import Store

EXPECTED = 8
"""So many rows of all keywords together must be expected of an announcement before their absence
means something; with this many, counted twice where they match two keywords, a quiet day comes once
in years."""


def doubt_silence(
    store: Store, fetched: Sequence[Fetched], run: int, now: datetime
) -> list[Fetched]:
    """Give the keywords that found nothing the true reason where the index stands still, in the
    run's record too.

    One rare keyword cannot tell a standing index from a day without a match; all of them together
    can.
    """
    silent = [f.record.status == "ok" and not f.record.new + f.record.late for f in fetched]
    why = why_stale(store, now) if any(silent) else ""
    if not why:
        return list(fetched)
    store.runs.explain_silence(run, why)
    return [
        replace(each, record=replace(each.record, why=why)) if is_silent else each
        for each, is_silent in zip(fetched, silent, strict=True)
    ]


def why_stale(store: Store, now: datetime) -> str:
    """Why the index seems to stand still; "" where it has moved, or where too little is expected of
    it.
    """
    latest = last_served(now)
    before = last_served(latest.served_at - timedelta(seconds=1))
    growth = store.windows.growth()
    line = submitted_by(before)
    if growth.newest is None or growth.newest >= line:
        return ""
    if (
        growth.rows_per_day * ((submitted_by(latest) - growth.newest) / timedelta(days=1))
        < EXPECTED
    ):
        return ""
    return (
        f"{STALE}: an announcement was served, and the newest row is of {growth.newest:%Y-%m-%d}"
        f"{doubt_about(latest.evening)}"
    )
