"""What people want to know of keywords that are not theirs yet, and only arXiv can tell."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from datetime import date, datetime, timedelta

from digest.errors import TryLaterError
from digest.store import Store
from digest.store.previews import AGAIN, Question

FROM_ONE_PLACE = 10
"""Questions that one network may bring in a day (UTC)."""
A_RUN = timedelta(minutes=1)
REFUSED = "; arXiv is asked no more for previews today, but for each keyword of a reader"


class Questions:
    """Notes questions. From which networks they came is known to the process alone, for a day."""

    def __init__(self) -> None:
        self._day = date.min
        self._from: Counter[str] = Counter()

    def look(self, store: Store, query: str, place: str, now: datetime) -> Question | None:
        """The question about a query, which is noted where it is new; None where that is too
        much, or the database is busy.
        """
        question = store.previews.question(query)
        if question is not None:
            return question
        if self._day != now.date():
            self._day = now.date()
            self._from.clear()
        with suppress(TryLaterError):
            if self._from[place] < FROM_ONE_PLACE and store.previews.ask(query, now):
                self._from[place] += 1
        return store.previews.question(query)


def in_words(store: Store, question: Question | None, now: datetime) -> str:
    """What there is to say of a count for which arXiv has no answer yet."""
    if question is None:
        return REFUSED
    if question.answered_at is not None:
        return "; arXiv gave no answer to it"
    pause = store.windows.pause()
    asked = max(now, question.next_at, pause.until if pause else now)
    # The timer's runs and the daemon's looks are as far apart.
    after = asked + AGAIN + A_RUN
    return (
        f"; arXiv is not asked yet: the next run does that, so look again after {after:%H:%M} UTC"
    )
