"""A reader as the command line shows them: options as JSON, and in words when digests come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from digest.cli.base import Context
from digest.keywords.grammar import describe
from digest.keywords.lint import warnings
from digest.model import Format, Keyword, Rule, Subscriber, Weekly
from digest.rules.schedule import (
    FOR_EVER,
    gives_way,
    is_paused,
    latest_slot,
    next_digest,
    next_slot,
    parse_zone,
    pause_in_words,
    resumes_at,
)
from digest.times import to_text


def titled(reader: Subscriber) -> str:
    """A reader's address, with the name where there is one."""
    return f"{reader.email} ({reader.name})" if reader.name else reader.email


def keyword_names(reader: Subscriber) -> str:
    """What a reader asks for, by name."""
    return ", ".join(keyword.name for keyword in reader.keywords)


def keyword_line(keyword: Keyword) -> str:
    """A keyword and what it matches, for people."""
    return f"{keyword.name}: {describe(keyword)}"


def options_json(reader: Subscriber) -> dict[str, Any]:
    """A reader's options under the names of the subscribers file."""
    return {
        "name": reader.name,
        "schedule": [str(day) for day in reader.days],
        "at": f"{reader.at:%H:%M}" if reader.at else None,
        "timezone": reader.timezone,
        "revisions": {"true": True, "false": False}.get(reader.revisions, reader.revisions.value),
        "max_papers": reader.max_papers,
        "exclude": list(reader.exclude),
        "quiet_days": "tell" if reader.quiet_days else "silent",
        "order": str(reader.order),
        "paused_until": reader.paused_until.isoformat() if reader.paused_until else None,
        "abstracts": str(reader.abstracts),
        "format": str(reader.format),
        "authors": list(reader.authors),
        "categories": list(reader.categories),
        "subject_prefix": reader.subject_prefix,
    }


def subscriber_json(reader: Subscriber) -> dict[str, Any]:
    """A reader as the subscribers file has them."""
    keywords = [{"name": k.name, "query": k.query, "rule": str(k.rule)} for k in reader.keywords]
    return {"email": reader.email, "keywords": keywords, **options_json(reader)}


def next_digest_json(reader: Subscriber, now: datetime, *, first: bool) -> dict[str, Any]:
    """When a reader's digests come; `first`: none ever went."""
    begin, at, evening = _coming(reader, now, first=first)
    if reader.paused_until == FOR_EVER:
        return {"first_digest": None, "next_digest": None}
    return {
        "first_digest": to_text(begin) if first else None,
        "next_digest": {"at": to_text(at), "announcement": evening.isoformat()},
    }


def _coming(
    reader: Subscriber, now: datetime, *, first: bool, taken: datetime | None = None
) -> tuple[datetime, datetime, date]:
    """From when on the `first` digest may come, when the one after that (UTC), and the evening of
    the last announcement in that; where digests have gone, the first of these is `now`.
    """
    begin = _first_digest(reader, now) if first else now
    at, evening = next_digest(reader, begin, taken=latest_slot(reader, begin) if first else taken)
    return begin, at, evening


def _first_digest(reader: Subscriber, now: datetime) -> datetime:
    """From when on a run may compose the first digest of a reader: at once, or after a pause or
    their hour (UTC).
    """
    if reader.paused_until is not None and is_paused(reader, now):
        now = resumes_at(reader.paused_until, reader.timezone)
    return next_slot(reader, now) if gives_way(reader, latest_slot(reader, now), now) else now


def next_line(
    reader: Subscriber, now: datetime, *, first: bool = False, taken: datetime | None = None
) -> str:
    """When the next digest comes, in the reader's zone, and which announcement it covers.

    `first`: none ever went to the reader, so that one comes as soon as a run may compose it;
    `taken`: the slot in which the last one went.
    """
    if reader.paused_until == FOR_EVER:
        return f"No digest comes before 'digest subscribers resume {reader.email}'."

    def local(moment: datetime) -> str:
        in_zone = moment.astimezone(parse_zone(reader.timezone))
        return f"{in_zone:%a %d %b %H:%M} ({reader.timezone})"

    begin, at, evening = _coming(reader, now, first=first, taken=taken)
    covers = f"{local(at)}, with the announcement of {evening:%a %d %b}."
    if not first:
        return f"The next digest comes {covers}"
    soon = "with the next 'digest run'" if begin == now else local(begin)
    return f"The first digest comes {soon}; the one after that {covers}"


def when(reader: Subscriber) -> str:
    """On which days and at what hour digests come, for people."""
    week = tuple(Weekly)
    days = {week: "daily", week[:5]: "weekdays"}.get(reader.days, "+".join(reader.days))
    at = f"{reader.at:%H:%M}" if reader.at else "as soon as the papers are in"
    pause = f", {pause_in_words(reader.paused_until)}" if reader.paused_until else ""
    return f"{days}, {at} ({reader.timezone}){pause}"


def what(reader: Subscriber) -> str:
    """What comes then, for people."""
    if reader.format is Format.ISSUE:
        return "an issue with all papers that no earlier one listed"
    return f"{reader.max_papers} papers with abstracts, {reader.order} first"


def warn_about(context: Context, readers: Sequence[Subscriber]) -> None:
    """Say on stderr what is probably not meant in these readers' keywords and categories."""
    keywords = {keyword.query: keyword for reader in readers for keyword in reader.keywords}
    categories = dict.fromkeys(category for reader in readers for category in reader.categories)
    texts = [_as_written(keyword) for keyword in keywords.values()]
    texts += [(f"cat:{category}", None) for category in categories]
    for warning in (warning for text, rule in texts for warning in warnings(text, rule)):
        context.warn(warning)


def _as_written(keyword: Keyword) -> tuple[str, Rule | None]:
    """What somebody wrote for a keyword: a plain one is its name, unless that was given to it."""
    plain = keyword.rule is not Rule.QUERY and keyword.name.casefold() in keyword.query
    return (keyword.name, keyword.rule) if plain else (keyword.query, None)
