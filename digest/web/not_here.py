"""Why a paper stands nowhere in the archive, by what strangers may know."""

from __future__ import annotations

import re
from datetime import date

from digest.rules.verdict import PaperName
from digest.store import Store
from digest.times import MONTHS
from digest.web.listings import day_words
from digest.web.public import Public

DID_NOT_COME = "This paper did not come"
_MONTH = re.compile(r"(\d\d)(0[1-9]|1[0-2])\.")


def why_not(store: Store, public: Public, name: PaperName) -> str:
    """Why no public keyword has brought a paper. It is the same whether another one has."""
    words = f"None of the keywords that are public here has brought arXiv:{name.id}."
    answers = [query.last_good_at for query in store.windows.queries(public.queries)]
    answered = min((at for at in answers if at is not None), default=None)
    if answered is None:
        return f"{words} arXiv has not answered for them yet."
    first, month = store.archive.first_day(public.queries), _month(name)
    if first and month and month < first.replace(day=1):
        told = f"{MONTHS[month.month - 1]} {month.year}"
        return (
            f"{words} Its id is of {told}, and the first papers that are on record came on"
            f" {day_words(first)}: what was announced long before that is not."
        )
    last = day_words(answered.date())
    return (
        f"{words} arXiv last answered for all of them on {last} (UTC); what was announced since"
        " then may yet come. Else it does not match, by title, abstract, authors or category: each"
        " keyword's page says what it looks for."
    )


def _month(name: PaperName) -> date | None:
    """The month that an id tells; of old ones nobody asks."""
    found = _MONTH.match(name.id)
    return date(2000 + int(found[1]), int(found[2]), 1) if found else None
