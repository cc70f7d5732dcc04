"""A reader as the command line shows them: options as JSON, and in words when digests come."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from digest.cli.base import Context
from digest.errors import StoreError
from digest.model import Format, Keyword, Subscriber, Weekly
from digest.setup.parts import existing_store
from digest.times import to_text

if TYPE_CHECKING:
    from digest.store import Store
    from digest.store.suppressions import Suppression


def titled(reader: Subscriber) -> str:
    """A reader's address, with the name where there is one."""
    return f"{reader.email} ({reader.name})" if reader.name else reader.email


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


def subscriber_json(
    reader: Subscriber, now: datetime | None = None, *, first: bool = False
) -> dict[str, Any]:
    """A reader as JSON shows them; with `now`, the next digest too, and the `first` where none ever
    went.
    """
    value = {
        "email": reader.email,
        "keywords": [
            {"name": k.name, "query": k.query, "rule": str(k.rule)} for k in reader.keywords
        ],
        **options_json(reader),
    }
    if now is not None:
        from digest.rules.schedule import FOR_EVER, latest_slot, next_digest

        begin = first_digest(reader, now) if first else None
        at, evening = next_digest(
            reader, begin or now, taken=latest_slot(reader, begin) if begin else None
        )
        value["first_digest"] = (
            to_text(begin) if begin and reader.paused_until != FOR_EVER else None
        )
        coming = {"at": to_text(at), "announcement": evening.isoformat()}
        value["next_digest"] = None if reader.paused_until == FOR_EVER else coming
    return value


def first_digest(reader: Subscriber, now: datetime) -> datetime:
    """From when on a run may compose the first digest of a reader: at once, or after a pause or
    their hour (UTC).
    """
    from digest.rules.schedule import gives_way, is_paused, latest_slot, next_slot, resumes_at

    if reader.paused_until is not None and is_paused(reader, now):
        now = resumes_at(reader.paused_until, reader.timezone)
    return next_slot(reader, now) if gives_way(reader, latest_slot(reader, now), now) else now


def without_digest(context: Context, readers: list[Subscriber]) -> set[str]:
    """The addresses among these to which no digest ever went, so that the next run brings the
    first.
    """
    try:
        with existing_store(context.settings) as store:
            return {
                reader.email
                for reader in readers
                if store is None or not _has_digest(store, reader.email)
            }
    except StoreError as error:
        context.warn(str(error))
        return set()


def suppressions(context: Context) -> dict[str, Suppression]:
    """Who must not be mailed, by casefolded address."""
    try:
        with existing_store(context.settings) as store:
            return (
                {one.address.casefold(): one for one in store.suppressions.all()} if store else {}
            )
    except StoreError as error:
        context.warn(str(error))
        return {}


def lift_suppressions(context: Context, readers: list[Subscriber]) -> dict[str, Suppression]:
    """Let these readers be mailed again; returns what was lifted, by address."""
    try:
        with existing_store(context.settings) as store:
            found = (
                {reader.email: store.suppressions.lift(reader.email) for reader in readers}
                if store
                else {}
            )
    except StoreError as error:
        context.warn(str(error))
        return {}
    return {email: one for email, one in found.items() if one is not None}


def tell_lifted(context: Context, lifted: dict[str, Suppression]) -> None:
    """Say who is mailed again."""
    for email, was in lifted.items():
        context.echo(f"{email} is mailed again: it was {suppression_line(was)}")


def mail_again(context: Context, emails: tuple[str, ...], *, as_json: bool) -> None:
    """Lift suppressions where the subscribers come from a secret, so that nothing else of a reader
    can be changed.
    """
    from digest.setup.parts import find_subscriber
    from digest.setup.subscribers import read_roster

    roster = read_roster(context.settings)
    readers = [find_subscriber(roster, email, context.settings) for email in emails]
    lifted = lift_suppressions(context, readers)
    if as_json:
        told = [
            {**subscriber_json(r), "lifted": suppression_json(lifted.get(r.email))} for r in readers
        ]
        context.print_json({"file": None, "subscribers": told})
        return
    tell_lifted(context, lifted)
    for reader in readers:
        if reader.email not in lifted:
            context.echo(
                f"{reader.email} was not suppressed, and the rest of it stands in the secret."
            )


def suppression_json(found: Suppression | None) -> dict[str, str] | None:
    """A suppression as JSON shows it."""
    if found is None:
        return None
    return {"reason": found.reason, "words": found.words, "since": to_text(found.since)}


def suppression_line(found: Suppression) -> str:
    """A suppression in words."""
    return f"not mailed since {found.since:%Y-%m-%d %H:%M} UTC ({found.why})"


def _has_digest(store: Store, address: str) -> bool:
    state, past = store.subscribers.state(address), store.history.reader(address)
    return bool(state.last_digest_at if state else past)


def when(reader: Subscriber) -> str:
    """On which days and at what hour digests come, for people."""
    from digest.rules.schedule import pause_in_words

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


def next_line(
    reader: Subscriber, now: datetime, *, first: bool = False, taken: datetime | None = None
) -> str:
    """When the next digest comes, in the reader's zone, and which announcement it covers.

    `first`: none ever went to the reader, so that one comes as soon as a run may compose it;
    `taken`: the slot in which the last one went.
    """
    from digest.rules.schedule import FOR_EVER, latest_slot, next_digest, parse_zone

    if reader.paused_until == FOR_EVER:
        return f"No digest comes before 'digest subscribers resume {reader.email}'."

    def local(moment: datetime) -> str:
        return (
            f"{moment.astimezone(parse_zone(reader.timezone)):%a %d %b %H:%M} ({reader.timezone})"
        )

    begin = first_digest(reader, now) if first else now
    at, evening = next_digest(reader, begin, taken=latest_slot(reader, begin) if first else taken)
    covers = f"{local(at)}, with the announcement of {evening:%a %d %b}."
    if not first:
        return f"The next digest comes {covers}"
    soon = "with the next 'digest run'" if begin == now else local(begin)
    return f"The first digest comes {soon}; the one after that {covers}"


def keyword_line(keyword: Keyword) -> str:
    """A keyword and what it matches, for people."""
    from digest.keywords.grammar import describe

    return f"{keyword.name}: {describe(keyword)}"
