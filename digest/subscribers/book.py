"""The book of readers: those whom the subscribers file names and those who signed up, less what
readers of the file took away by themselves.

The rows of the database come in as plain values. An entry of somebody who signed up is read as one
of the file is, with its names, groups and defaults.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from digest.errors import UsageError
from digest.model import Away, Keyword, Mistake, Origin, Roster, SignUp, Subscriber, Wish
from digest.subscribers.addresses import normal_email
from digest.subscribers.check import Checked, fold
from digest.subscribers.document import NodeKind, YamlNode
from digest.subscribers.fields import ADDRESSES, FIELDS, Value
from digest.subscribers.problems import Entry, Problem
from digest.subscribers.values import WrongValueError

# The section under which a report has the entries of those who signed up; the file has none such.
SIGN_UPS = "sign-ups"
# The fields that list keywords by their names.
NAMING = ("keywords", "exclude")
# What one entry may hold: it comes from outside, and each run reads it.
MAX_ENTRY = 8000
MAX_KEYWORDS = 50


@dataclass(frozen=True, slots=True)
class Book:
    """The subscribers file: what it says, the roster of those whom it serves, and how a mistake in
    it is told in a line.
    """

    checked: Checked
    roster: Roster
    words: Callable[[Problem], str]

    def with_sign_ups(self, signups: Iterable[SignUp]) -> Roster:
        """The roster with those who signed up; whom the file names, with a mistake or without, is
        the file's reader alone.

        An entry that cannot be read, since a keyword was taken out of the file, holds back its
        reader and nobody else. 100,000 of them take about 3 s.
        """
        signups = list(signups)
        if not signups:
            return self.roster
        beside = self.checked.beside()
        readers, unread = [], []
        served = (reader.email for reader in self.roster.subscribers)
        known = {address.casefold() for address in (*served, *self.roster.held_back)}
        for signup in signups:
            if signup.email.casefold() in known:
                continue
            reader = _read(beside, signup)
            if reader is None:
                unread.append(signup.email)
            else:
                readers.append(reader)
        roster = self.roster
        keywords = {keyword.query: keyword for keyword in roster.keywords}
        for reader in readers:
            for keyword in reader.keywords:
                keywords.setdefault(keyword.query, keyword)
        return replace(
            roster,
            subscribers=(*roster.subscribers, *readers),
            keywords=tuple(keywords.values()),
            mistakes=self._mistakes(beside, unread),
        )

    def _mistakes(self, beside: Checked, unread: Iterable[str]) -> tuple[Mistake, ...]:
        """The mistakes of the file with those of the entries, which many may share."""
        held: dict[str, list[str]] = {one.words: [*one.holds_back] for one in self.roster.mistakes}
        for email in unread:
            for problem in dict.fromkeys(beside.report.spoilt[Entry(SIGN_UPS, email).key]):
                own = problem.entry.section == SIGN_UPS
                words = f"a sign-up: {problem.message}" if own else self.words(problem)
                held.setdefault(words, []).append(email)
        return tuple(Mistake(words, tuple(whom)) for words, whom in held.items())

    def sign_up(
        self, email: str, fields: Mapping[str, Value], names: Collection[str] = ()
    ) -> SignUp:
        """A sign-up of what somebody asks for, checked as an entry of the file is; `names` are
        those of the entry that it is made of. Raises UsageError with the first mistake.
        """
        try:
            address = normal_email(email.strip())
        except ValueError as error:
            raise UsageError(f"{email!r} is no mail address: {str(error).rstrip('.')}") from error
        entry = json.dumps(dict(fields), ensure_ascii=False, sort_keys=True)
        listed = [text for name in NAMING for text in listed_in(fields, name)]
        if len(entry) > MAX_ENTRY or len(listed) > MAX_KEYWORDS:
            raise UsageError(
                "that is too much for one reader",
                remedy=f"choose at most {MAX_KEYWORDS} keywords, and write shorter ones",
            )
        named = (t for t in listed if t in names or fold(t) in self.checked.names)
        signup = SignUp(address, entry, tuple(dict.fromkeys(named)))
        self._refuse_mistake(signup)
        return signup

    def _refuse_mistake(self, signup: SignUp) -> None:
        beside = self.checked.beside()
        if _read(beside, signup) is None:
            first = beside.report.spoilt[Entry(SIGN_UPS, signup.email).key][0]
            meant = f"did you mean {first.suggestion}?" if first.suggestion else ""
            raise UsageError(first.message, remedy=meant)


def fields_of(signup: SignUp) -> dict[str, Value]:
    """The fields of an entry."""
    fields: dict[str, Value] = json.loads(signup.entry)
    return fields


def has_name(fields: Mapping[str, Value], name: str) -> bool:
    """Whether an entry lists a keyword or a group (+NAME) by its name."""
    return any(fold(text) == fold(name) for one in NAMING for text in listed_in(fields, one))


def with_name(fields: Mapping[str, Value], old: str, new: str | None) -> dict[str, Value]:
    """An entry in which a keyword or a group goes by another name, or is gone."""
    changed = dict(fields)
    for one in NAMING:
        listed = [new if fold(text) == fold(old) else text for text in listed_in(fields, one)]
        if listed:
            changed[one] = [text for text in listed if text is not None]
    return changed


def with_wishes(roster: Roster, wishes: Iterable[Wish]) -> Roster:
    """The roster less what readers of the file took away. A wish holds as long as the file says
    what it said then; it never adds anything.
    """
    by_reader: dict[str, list[Wish]] = defaultdict(list)
    for wish in wishes:
        by_reader[wish.email.casefold()].append(wish)
    if not by_reader:
        return roster
    readers, ended = [], []
    for reader in roster.subscribers:
        own = by_reader.get(reader.email.casefold(), []) if reader.origin is Origin.FILE else []
        holding = tuple(wish for wish in own if _holds(wish, reader))
        ended += [wish for wish in own if wish not in holding]
        readers.append(_without(reader, holding) if holding else reader)
    return replace(roster, subscribers=tuple(readers), ended_wishes=tuple(ended))


def _holds(wish: Wish, reader: Subscriber) -> bool:
    """Whether the file still says what it said when a reader took that away."""
    if wish.field is Away.PAUSE:
        return wish.entry == pause_text(reader)
    return any(_is_meant(wish, keyword) for keyword in reader.keywords)


def _is_meant(wish: Wish, keyword: Keyword) -> bool:
    """Whether a wish names this keyword: by its query, or by its name where that was given
    another query since.
    """
    return keyword.query == wish.value or fold(keyword.name) == fold(wish.entry)


def _without(reader: Subscriber, wishes: tuple[Wish, ...]) -> Subscriber:
    days = [date.fromisoformat(wish.value) for wish in wishes if wish.field is Away.PAUSE]
    left = [wish for wish in wishes if wish.field is Away.KEYWORD]
    kept = tuple(k for k in reader.keywords if not any(_is_meant(wish, k) for wish in left))
    days += [reader.paused_until] if reader.paused_until else []
    # With no keyword left there is nothing to mail, a welcome or a note neither.
    until = max(days, default=None) if kept else date.max
    return replace(reader, keywords=kept, paused_until=until, wishes=wishes)


def named_wishes(
    checked: Checked, wishes: Iterable[Wish], fields: Collection[str], keywords: Iterable[str]
) -> list[Wish]:
    """Those wishes that are about one of these fields, or these items of a list of keywords."""
    meant: list[Keyword] = []
    for text in keywords:
        group = checked.groups.get(fold(text[1:]), ()) if text.startswith("+") else ()
        meant += group or [checked.find(text)]
    return [
        wish
        for wish in wishes
        if wish.field.value in fields
        or (wish.field is Away.KEYWORD and any(_is_meant(wish, keyword) for keyword in meant))
    ]


def pause_text(reader: Subscriber) -> str:
    """The day until which the file pauses a reader, as a wish keeps it."""
    return reader.paused_until.isoformat() if reader.paused_until else ""


def listed_in(fields: Mapping[str, Value], name: str = "keywords") -> list[str]:
    """The texts that an entry lists in a field; none where it is no list."""
    value = fields.get(name)
    return [str(text) for text in value] if isinstance(value, list) else []


def _read(beside: Checked, signup: SignUp) -> Subscriber | None:
    """The reader of an entry; None where it has a mistake, which is then among the spoilt ones, or
    rests on what has one.
    """
    with beside.report.entry(SIGN_UPS, signup.email):
        # Read as a text of its own it would bring something else.
        for name in signup.names:
            if fold(name) not in beside.names:
                raise WrongValueError(f"{name} is no longer among the keywords")
        known = [name for name in FIELDS if name not in ADDRESSES]
        values = beside.options(beside.report.fields(_entry(signup), known, "a subscriber"))
        if beside.report.is_spoilt:
            return None
        if not values.get("keywords"):
            raise WrongValueError("the entry has no keywords")
        return Subscriber(**values | {"email": signup.email, "origin": Origin.WEB})
    return None


def _entry(signup: SignUp) -> YamlNode:
    """The entry as YAML has it; nothing where it is no JSON."""
    try:
        return _node(json.loads(signup.entry))
    except ValueError:
        return YamlNode(NodeKind.TEXT, 0, 0, plain=True)


def _node(value: Any) -> YamlNode:
    """A value of JSON as YAML has it."""
    if isinstance(value, dict):
        pairs = [(_node(str(name)), _node(each)) for name, each in value.items()]
        return YamlNode(NodeKind.MAPPING, 0, 0, pairs=pairs, flow=True)
    if isinstance(value, list):
        return YamlNode(NodeKind.LIST, 0, 0, items=[_node(each) for each in value], flow=True)
    if isinstance(value, str):
        return YamlNode(NodeKind.TEXT, 0, 0, value)
    return YamlNode(NodeKind.TEXT, 0, 0, json.dumps(value), plain=True)
