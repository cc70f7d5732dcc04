"""Decides which of arXiv's services is asked for which query, how deep, and when.

Rules only: nothing is asked here.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from datetime import UTC, date, datetime, timedelta

from digest.model import Query
from digest.rules.calendar import NEW_YORK, Announcement, last_served, quiet_night, served_between

API, FEEDS, OAI = "api", "feeds", "oai"
AUTO = "auto"
SOURCES = (AUTO, API, FEEDS, OAI)

FEW = 60
"""With at most this many different queries `auto` asks the API; with more it reads the announcement
feeds."""
ALONE = 20
"""At most this many queries are asked one by one, since then arXiv's own answer is the match."""
OVERLAP = timedelta(days=8)
"""Every window reaches back this far before the last good one, and is compared with what is known
of these days."""
DEEP = timedelta(days=38)
"""A query's first window, those of nights without an announcement, and those asked for while it is
held back reach this far back behind the deep one before: a paper that moderation held stands in the
list at its old date, weeks down. Holds of 34 days are on record; up to four more lie between a
deadline and the announcement after a long weekend."""
DEEP_ROWS, DEEP_ROWS_AT_ONCE = 300, 5_000
"""A window reaches as deep on every day where that is at most DEEP_ROWS rows of a query, and all
such of one run DEEP_ROWS_AT_ONCE: what moderation held comes on its day."""
DEEP_EVERY = timedelta(days=6)
"""A deep window that fell out, since the machine was off or arXiv was away on those nights, is made
up for at once."""
AT_LEAST_EVERY = timedelta(hours=24)
COMPARED_EVERY = timedelta(days=6)
COMPARED_LATEST = timedelta(days=9)
COMPARED_AT_ONCE = 400
"""Where feeds or OAI are read, the API is asked for each query once a week too, on a night without
an announcement, or on any other once that is overdue, and for at most COMPARED_AT_ONCE queries a
cycle: what it brings then, the other source lacked."""
NEW_AT_ONCE = 100
"""So many queries that came with sign-ups are asked for the first time in one cycle; the rest waits
for the next one."""
FIRST_HARVEST = timedelta(days=7)
LONGEST_HARVEST = timedelta(days=31)
"""OAI gives a query its first week, since a first digest shows no more, and no more than a month
after an absence: all of arXiv are about 4,000 records a day."""
FIRST_PAGE = 500
PAGE = range(50, 2001)
"""arXiv serves at most 2,000 rows an answer (API user manual, "start and max_results paging")."""


def order(choice: str, queries: int, there: Container[str] = SOURCES) -> tuple[str, ...]:
    """The sources in the order in which they are tried: the chosen one, and those that stand in for
    it.

    Sources that are not `there` are left out.
    """
    first = choice if choice != AUTO else (API if queries <= FEW else FEEDS)
    return tuple(name for name in dict.fromkeys((first, API, FEEDS, OAI)) if name in there)


def is_due(query: Query, now: datetime, first: str = API) -> bool:
    """Whether to ask: an announcement was served since the last good window, or a day has passed.

    After a failure the stored wait comes first. Where `first`, the source tried first, is not the
    API, a day without an announcement brings nothing, but is the time to compare it with the API.
    """
    if query.next_fetch_at is not None:
        return query.next_fetch_at <= now
    if query.last_good_at is None or query.last_good_at < last_served(now).served_at:
        return True
    if first == API:
        return query.last_good_at <= now - AT_LEAST_EVERY
    return is_compared(query, now)


def asked_again(query: Query, now: datetime) -> datetime | None:
    """When arXiv is asked again for a query that it has not answered since the last announcement,
    or in which it failed last; None where it has answered.
    """
    if query.next_fetch_at is not None:
        return max(query.next_fetch_at, now)
    is_behind = query.last_good_at is None or query.last_good_at < last_served(now).served_at
    return now if is_behind else None


def is_compared(query: Query, now: datetime) -> bool:
    """Whether a query that another source serves is to be compared with the API now: once that has
    all of its own.

    A machine that is off at weekends hardly knows a night without an announcement.
    """
    if query.last_good_at is None or query.last_good_at < last_served(now).served_at:
        return False
    # On such a night the API has nothing else to do, and its list is at rest.
    wait = COMPARED_EVERY if quiet_night(now) else COMPARED_LATEST
    return query.deep_at is None or query.deep_at <= now - wait


def at_once(due: Sequence[Query], now: datetime, first: str = API) -> list[Query]:
    """The due queries without those that are compared with the API in a later cycle: the longest
    uncompared first.
    """
    if first == API:
        return list(due)
    never = datetime.min.replace(tzinfo=UTC)
    compared = sorted(
        (query for query in due if is_compared(query, now)),
        key=lambda query: query.deep_at or never,
    )
    later = {query.id for query in compared[COMPARED_AT_ONCE:]}
    return [query for query in due if query.id not in later]


def put_off(due: Sequence[Query], brought: Container[str]) -> list[Query]:
    """Those due queries of `brought`, by their texts, that wait for a later cycle since too many
    others are new: arXiv is asked first for those that it has never failed in, then for the oldest.
    """
    new = [query for query in due if query.last_good_at is None and query.text in brought]
    return sorted(new, key=lambda query: (query.failures, query.id))[NEW_AT_ONCE:]


def rows_per_day(query: Query) -> float | None:
    """The rows that arXiv serves for what it is asked; None before the first answer."""
    return query.rows_per_day if query.asked_per_day is None else query.asked_per_day


def always_deep(queries: Sequence[Query]) -> frozenset[int]:
    """The numbers of the queries whose windows reach as far back as DEEP on every day: those with
    the fewest rows, as many as fit.
    """
    rows = sorted(
        (rate * (DEEP / timedelta(days=1)), query.id)
        for query in queries
        if (rate := rows_per_day(query)) is not None
    )
    found, total = [], 0.0
    for of_one, number in rows:
        total += of_one
        if of_one <= DEEP_ROWS and total <= DEEP_ROWS_AT_ONCE:
            found.append(number)
    return frozenset(found)


def depth(query: Query, now: datetime, *, is_deep: bool = False) -> datetime:
    """How far back a window must reach to be good; `is_deep`: as far as DEEP at least."""
    since = (query.last_good_at or now) - OVERLAP
    if is_deep:
        since = min(since, now - DEEP)
    # docs/decisions.md, “A deep window reaches 38 days behind the deep one before it”.
    overdue = query.deep_at is None or query.deep_at <= now - DEEP_EVERY
    if (
        query.last_good_at is None
        or query.quarantined_since is not None
        or overdue
        or quiet_night(now)
    ):
        since = min(since, (query.deep_at or now) - DEEP)
    return since


def page_size(queries: Sequence[Query], since: datetime, now: datetime) -> int:
    """Rows to ask for at once: all that are expected, a fifth more, in arXiv's bounds."""
    rates = list(map(rows_per_day, queries))
    if len(rates) == 1 and rates[0] is None:
        return FIRST_PAGE
    if any(rate is None for rate in rates):
        return PAGE.stop - 1
    expected = sum(rate or 0.0 for rate in rates) * ((now - since) / timedelta(days=1)) * 1.2
    return min(max(math.ceil(expected / 50) * 50, PAGE.start), PAGE.stop - 1)


def in_the_feeds(now: datetime) -> Announcement | None:
    """The announcement that the feeds hold now; None where they are empty, as from New York's
    Saturday on.
    """
    announcement = last_served(now)
    return announcement if feed_day(announcement) == now.astimezone(NEW_YORK).date() else None


def previous(announcement: Announcement) -> Announcement:
    """The announcement before this one."""
    return last_served(announcement.served_at - timedelta(seconds=1))


def feed_day(announcement: Announcement) -> date:
    """New York's date on which an announcement is in the feeds: the day after its evening."""
    return announcement.evening + timedelta(days=1)


def reaches(name: str, query: Query, now: datetime, first: str = API) -> bool:
    """Whether a window from this source would leave no gap behind the query's last good one, and is
    of use.

    Where `first`, the source tried first, is not the API, what is only to be compared is for the
    API alone.
    """
    if name == FEEDS:
        return only_todays_is_missing(query, now)
    if name == OAI and first != API and is_compared(query, now):
        return False
    return name != OAI or harvested_since(query, now) >= (now - LONGEST_HARVEST).date()


def harvested_since(query: Query, now: datetime) -> date:
    """The day from which on records are harvested for a query: one before its last good window, or
    a week ago.
    """
    return ((query.last_good_at or now - FIRST_HARVEST) - timedelta(days=1)).date()


def only_todays_is_missing(query: Query, now: datetime) -> bool:
    """Whether a query lacks exactly the announcement that is in the feeds: no more, which they do
    not hold, no less.
    """
    announcement = in_the_feeds(now)
    if announcement is None or query.last_good_at is None:
        return False
    return served_between(query.last_good_at, now) == (announcement,)
