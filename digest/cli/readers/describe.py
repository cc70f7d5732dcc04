"""A reader as commands show them: options, when digests come, and whether mail may go there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, TypeVar

from digest.cli.base import Context
from digest.errors import StoreError
from digest.keywords.grammar import describe
from digest.keywords.lint import warnings
from digest.keywords.words import counted
from digest.mail.reader_tokens import Purpose
from digest.model import Away, Channel, Keyword, Rule, Subscriber, Weekly, Wish
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
from digest.setup.mail import make_signer
from digest.setup.parts import reading_store, require_subscriber
from digest.setup.subscribers import place_of_subscribers, read_roster
from digest.store import Store
from digest.store.suppressions import Suppression
from digest.times import in_utc, to_text

T = TypeVar("T")


def address_and_name(reader: Subscriber) -> str:
    """A reader's address, with the name where there is one that it does not hold."""
    is_known = not reader.name or reader.target
    return reader.email if is_known else f"{reader.email} ({reader.name})"


_FORMATS = {Channel.GITHUB: "issue", Channel.WEBHOOK: "json", Channel.APPRISE: "message"}
"""What is made of a digest where no mail is."""


def keyword_names(reader: Subscriber) -> str:
    """The wishes of a reader, by name."""
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
        "within": list(reader.within),
        "quiet_days": "tell" if reader.quiet_days else "silent",
        "order": str(reader.order),
        "paused_until": reader.paused_until.isoformat() if reader.paused_until else None,
        "abstracts": str(reader.abstracts),
        "layout": str(reader.layout),
        "top": reader.top,
        "format": _FORMATS.get(reader.channel) or str(reader.format),
        "authors": list(reader.authors),
        "categories": list(reader.categories),
        "subject_prefix": reader.subject_prefix,
        "feedback": reader.feedback,
        "attach": str(reader.attach),
        "summary": str(reader.summary),
        "language": reader.language,
        "library": list(reader.items_of_library),
    }


def subscriber_json(reader: Subscriber) -> dict[str, Any]:
    """A reader as the subscribers file has them, or their own entry; less what they took away."""
    keywords = [{"name": k.name, "query": k.query, "rule": str(k.rule)} for k in reader.keywords]
    wishes = [wish_json(wish) for wish in reader.wishes]
    return {
        "email": reader.email,
        "origin": reader.origin.value,
        "keywords": keywords,
        **options_json(reader),
        "wishes": wishes,
    }


def wish_json(wish: Wish) -> dict[str, Any]:
    """What a reader of the file took away, as JSON shows it."""
    value = wish.value if wish.field is Away.PAUSE else wish.entry
    return {"field": wish.field.value, "value": value, "since": to_text(wish.since)}


def next_digest_json(
    reader: Subscriber, now: datetime, *, first: bool, awaited: datetime | None = None
) -> dict[str, Any]:
    """When a reader's digests come; `first`: none ever went; `awaited`: when arXiv is asked again
    for what it has not answered.
    """
    begin, at, evening = _coming(reader, now, first=first, awaited=awaited)
    if reader.paused_until == FOR_EVER:
        return {"first_digest": None, "next_digest": None}
    return {
        "first_digest": to_text(begin) if first else None,
        "next_digest": {"at": to_text(at), "announcement": evening.isoformat()},
    }


def _coming(
    reader: Subscriber,
    now: datetime,
    *,
    first: bool,
    taken: datetime | None = None,
    awaited: datetime | None = None,
) -> tuple[datetime, datetime, date]:
    """From when on the `first` digest may come, when the one after that (UTC), and the evening of
    the last announcement in that; where digests have gone, the first of these is `now`.
    """
    if not first:
        return now, *next_digest(reader, now, taken=taken, awaited=awaited)
    begin = _first_digest(reader, now)
    return begin, *next_digest(reader, begin, taken=latest_slot(reader, begin))


def _first_digest(reader: Subscriber, now: datetime) -> datetime:
    """From when on a run may compose the first digest of a reader: at once, or after a pause or
    their hour (UTC).
    """
    if reader.paused_until is not None and is_paused(reader, now):
        now = resumes_at(reader.paused_until, reader.timezone)
    return next_slot(reader, now) if gives_way(reader, latest_slot(reader, now), now) else now


def next_digest_line(
    reader: Subscriber,
    now: datetime,
    *,
    first: bool = False,
    taken: datetime | None = None,
    awaited: datetime | None = None,
) -> str:
    """When the next digest comes, in the reader's zone, and which announcement it covers.

    `first`: none ever went to the reader, so that one comes as soon as a run may compose it;
    `taken`: the slot in which the last one went; `awaited`: when arXiv is asked again for what it
    has not answered.
    """
    if reader.paused_until == FOR_EVER:
        return f"No digest comes before 'digest subscribers resume {reader.email}'."

    def local(moment: datetime) -> str:
        in_zone = moment.astimezone(parse_zone(reader.timezone))
        return f"{in_zone:%a %d %b %H:%M} ({reader.timezone})"

    begin, at, evening = _coming(reader, now, first=first, taken=taken, awaited=awaited)
    when = "with the next 'digest run'" if at == now else local(at)
    covers = f"{when}, with the announcement of {evening:%a %d %b}."
    if not first:
        return f"The next digest comes {covers}"
    soon = "with the next 'digest run'" if begin == now else local(begin)
    return f"The first digest comes {soon}; the one after that {covers}"


def schedule_words(reader: Subscriber) -> str:
    """The days and the hour at which digests come, for people."""
    week = tuple(Weekly)
    days = {week: "daily", week[:5]: "weekdays"}.get(reader.days, "+".join(reader.days))
    at = f"{reader.at:%H:%M}" if reader.at else "as soon as the papers are in"
    pause = f", {pause_in_words(reader.paused_until)}" if reader.paused_until else ""
    return f"{days}, {at} ({reader.timezone}){pause}"


def content_words(reader: Subscriber) -> str:
    """What comes then, for people."""
    if reader.channel is Channel.GITHUB:
        return "an issue with all papers that no earlier one listed"
    if reader.channel is Channel.WEBHOOK:
        return "all papers as JSON"
    if reader.channel is Channel.APPRISE:
        return "a message with as many papers as its chat takes at once"
    return f"{reader.max_papers} papers with abstracts, {reader.order} first"


def warn_about(context: Context, readers: Sequence[Subscriber]) -> None:
    """Say on stderr what is probably not meant in these readers' keywords and categories."""
    warn_of(
        context,
        (keyword for reader in readers for keyword in reader.keywords),
        (category for reader in readers for category in (*reader.categories, *reader.within)),
    )


def warn_of(context: Context, keywords: Iterable[Keyword], categories: Iterable[str]) -> None:
    """Say on stderr what is probably not meant in keywords and categories."""
    # Each query is looked at once, however many readers share it.
    keywords = {keyword.query: keyword for keyword in keywords}.values()
    texts = [_as_written(keyword) for keyword in keywords]
    texts += [(f"cat:{category}", None) for category in dict.fromkeys(categories)]
    for warning in (warning for text, rule in texts for warning in warnings(text, rule)):
        context.warn(warning)


def _as_written(keyword: Keyword) -> tuple[str, Rule | None]:
    """What somebody wrote for a keyword: a plain one is its name, unless that was given to it."""
    plain = keyword.rule is not Rule.QUERY and keyword.name.casefold() in keyword.query
    return (keyword.name, keyword.rule) if plain else (keyword.query, None)


def _from_store(context: Context, read: Callable[[Store], T], otherwise: T) -> T:
    """What the database says; one that cannot be read keeps nobody from editing the file."""
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
        # Who was taken out and came back has a history, and no state before the next run.
        return bool(state.last_digest_at if state else past)

    return _from_store(
        context,
        lambda store: {one.email for one in readers if not has_digest(store, one.email)},
        set(),
    )


def awaited_answers(
    context: Context, readers: Iterable[Subscriber], now: datetime
) -> dict[str, datetime]:
    """When arXiv is asked again for what it has not answered of these readers' keywords, by
    address; who has all answers is left out.
    """
    from digest.run.fetch import unanswered

    def read(store: Store) -> dict[str, datetime]:
        asked = {one.email: unanswered(store, one.keywords, now) for one in readers}
        return {email: found.again for email, found in asked.items() if found}

    return _from_store(context, read, {})


def suppressions(context: Context, readers: Iterable[Subscriber]) -> dict[str, Suppression]:
    """Who must not be mailed, by casefolded address; those who were forgotten among `readers`."""

    def read(store: Store) -> dict[str, Suppression]:
        forgotten = store.suppressions.forgotten(reader.email for reader in readers).values()
        return {one.address.casefold(): one for one in (*store.suppressions.all(), *forgotten)}

    return _from_store(context, read, {})


def feed_lines(context: Context, reader: Subscriber) -> list[str]:
    """The address of a reader's own feed, where there is a web side."""

    def read(store: Store) -> list[str]:
        known, base = store.history.reader(reader.email), context.settings.base_url
        if known is None or not base or reader.channel is not Channel.MAIL:
            return []
        signer = make_signer(store, context.settings.secret)
        token = signer.own(Purpose.FEED, known.id, store.letters.links(known.id))
        return [f"  feed: {base}/reader/{token}.atom"]

    return _from_store(context, read, [])


def stored_json(context: Context, address: str) -> dict[str, Any]:
    """Every row that the database holds about a reader, by table; empty where it knows nobody."""

    def read(store: Store) -> dict[str, Any]:
        return {
            table: [
                {name: v.hex() if isinstance(v, bytes) else v for name, v in row.items()}
                for row in rows
            ]
            for table, rows in store.personal.known(address).items()
        }

    return _from_store(context, read, {})


def show_left(
    context: Context,
    email: str,
    name: str,
    stored: dict[str, Any],
    *,
    held_back: str,
    as_json: bool,
) -> None:
    """Show what is remembered of a reader whom the subscribers file does not name, or names in an
    entry with a mistake.
    """
    held = suppressions(context, ()).get(name.casefold())
    digests = counted(len(stored["delivery"]), "digest")
    known = f"is not in {place_of_subscribers(context.settings)}"
    if held_back:
        known = f"is held back by a mistake in the subscribers file: {held_back}"
    lines = [
        f"{email} {known};",
        f"  the database remembers {digests}.",
        *([f"  {suppression_line(held)}"] if held else []),
        f"  --json shows all of it, and 'digest subscribers forget {email}' erases it.",
    ]
    value = {"email": email, "keywords": [], "held_back": held_back, "stored": stored}
    context.show({**value, "suppressed": suppression_json(held)}, lines, as_json=as_json)


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
    readers = [require_subscriber(roster, email, context.settings) for email in emails]
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
