"""The subscribers file edited in place: each change is made under a lock, checked, and written
whole or not at all.

A file with mistakes is not edited, and neither is a sound file so that it would have some. What an
edit does not name must mean the same before and after; this too is checked, whatever the file looks
like.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from digest.errors import UsageError
from digest.keywords.grammar import parse
from digest.model import REPOSITORY, Keyword, Roster, Rule, Subscriber
from digest.subscribers import tree
from digest.subscribers.document import Sequence
from digest.subscribers.draft import Draft, Entry, block_lines
from digest.subscribers.fields import ADDRESSES, FIELDS, normal_address
from digest.subscribers.load import Checked, check_text, fold, read_text
from digest.subscribers.problems import RosterError
from digest.subscribers.quoting import quote, write
from digest.subscribers.unknown import unknown_reader
from digest.subscribers.write import ready_folder
from digest.system.files import replace_file
from digest.system.locks import file_lock

WAIT = 10.0
"""Seconds to wait for another edit to end: each takes a blink, or some seconds with 50,000
readers."""
HEADER = """\
# Who gets which new arXiv papers. Edit this file, or use 'digest subscribe' and 'digest keywords';
# 'digest subscribers check' tells whether it is right. Longer queries get a name under keywords:,
# what all readers share stands under defaults:, such as {timezone: Europe/Berlin, at: "08:00"}.
"""

Value = str | bool | int | list[str] | None
"""A field's value as the file shows it; None takes the field out."""
CLEARED = {
    "at": "null",
    "paused_until": "null",
    "exclude": "[]",
    "authors": "[]",
    "categories": "[]",
    "name": '""',
    "subject_prefix": '""',
}
"""What a reader's cleared field says where the defaults would fill it again."""


@dataclass(frozen=True, slots=True)
class Edit:
    """What the file said before an edit and says after it."""

    before: Roster
    after: Roster

    @property
    def changed(self) -> bool:
        """Whether the edit made any difference."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one reader is to have: keywords, added to those that are there, and fields, None for a
    cleared one.
    """

    email: str
    keywords: tuple[str, ...] = ()
    fields: Mapping[str, Value] = field(default_factory=dict)


def find_reader(roster: Roster, email: str) -> Subscriber | None:
    """The reader with this address, in whatever case."""
    wanted = _folded_email(email)
    return next(
        (reader for reader in roster.subscribers if reader.email.casefold() == wanted), None
    )


def add_subscribers(
    path: Path,
    emails: Iterable[str],
    keywords: Iterable[str] = (),
    fields: Mapping[str, Value] | None = None,
    *,
    match: Rule | None = None,
) -> Edit:
    """Add readers, or keywords and fields to readers who are there; the file is made where it is
    missing.

    `match` defines those keywords that are plain and have no name yet, with this rule. Raises
    UsageError where the file would become wrong, RosterError where it is already, ConfigError where
    it cannot be written.
    """
    each = [Wanted(email, tuple(keywords), fields or {}) for email in emails]
    return add_all(path, each, match=match)


def add_all(
    path: Path, readers: Iterable[Wanted], *, match: Rule | None = None, dry_run: bool = False
) -> Edit:
    """Do for each reader what `add_subscribers` does for one, all in one edit; with `dry_run` only
    say what it is.
    """
    wanted = {
        reader.email.casefold(): reader
        for reader in (replace(r, email=_email(r.email)) for r in readers)
    }

    def change(checked: Checked, draft: Draft) -> None:
        for text in dict.fromkeys(
            text for reader in wanted.values() for text in _excluded(reader.fields)
        ):
            if fold(text) not in checked.names:
                parse(text)
        named = {
            text: _as_named(checked, text) for reader in wanted.values() for text in reader.keywords
        }
        if match:
            plain = [text for text in dict.fromkeys(named.values()) if not text.startswith("+")]
            tree.define_all(checked, draft, [(text, None, match) for text in plain])
        known = {reader.email.casefold(): reader for reader in checked.roster.subscribers}
        entries = []
        for folded, reader in wanted.items():
            texts = list(dict.fromkeys(named[text] for text in reader.keywords))
            if folded in checked.entries:
                _extend(checked, draft, known[folded], texts, reader.fields)
            else:
                entries.append(_new_entry(checked, reader.email, texts, reader.fields))
        if entries:
            found = tree.section(checked.document, "subscribers")
            if found:
                draft.add_entries(*found, entries)
            else:
                draft.add_section("subscribers", block_lines(entries, 2))

    return _edit(path, change, touched=wanted, create=True, dry_run=dry_run)


def set_fields(path: Path, emails: Iterable[str], fields: Mapping[str, Value]) -> Edit:
    """Set fields of readers who are there, None for a cleared one. Raises ConfigError for an
    unknown reader.
    """
    wanted = {_folded_email(email): email for email in emails}

    def change(checked: Checked, draft: Draft) -> None:
        for text in _excluded(fields):
            if fold(text) not in checked.names:
                parse(text)
        known = {reader.email.casefold(): reader for reader in checked.roster.subscribers}
        for folded, email in wanted.items():
            if folded not in known:
                raise unknown_reader(path, email, (reader.email for reader in known.values()))
            _extend(checked, draft, known[folded], [], fields)

    return _edit(path, change, touched=wanted)


def remove_subscribers(path: Path, emails: Iterable[str], keywords: Iterable[str] = ()) -> Edit:
    """Take readers out, or only some of their keywords; one left without any goes. Unknown ones are
    passed over.

    Raises UsageError where a keyword comes with a group, so that taking it out would mean more than
    was asked.
    """
    folded = {_folded_email(email) for email in emails}
    unwanted = list(keywords)

    def change(checked: Checked, draft: Draft) -> None:
        found = tree.section(checked.document, "subscribers")
        if not found:
            return
        key, entries = found
        going = set()
        for email in folded & checked.entries.keys():
            entry = checked.entries[email]
            items = tree.keyword_items(checked, entry)
            drop = {
                i for i, item in enumerate(items) if any(_same(checked, item, k) for k in unwanted)
            }
            if not unwanted or (drop and len(drop) == len(items)):
                going |= {i for i, node in enumerate(tree.items(entries)) if node is entry}
                continue
            _refuse_groups(
                checked, email, [item for i, item in enumerate(items) if i not in drop], unwanted
            )
            if drop:
                tree.drop_keywords(draft, entry, items, drop)
        if going:
            draft.remove_items(key, tree.as_list(entries), going)

    return _edit(path, change, touched=folded)


def move_subscriber(path: Path, old: str, new: str) -> Edit:
    """Give a reader another address. Raises ConfigError for an unknown one, UsageError for a taken
    one.
    """
    source, address = _folded_email(old), _email(new)

    def change(checked: Checked, draft: Draft) -> None:
        if source not in checked.entries:
            raise unknown_reader(path, old, (reader.email for reader in checked.roster.subscribers))
        if address.casefold() in checked.entries and address.casefold() != source:
            raise UsageError(
                f"{address} is a subscriber already",
                remedy=f"'digest unsubscribe {old}' lets one go",
            )
        [(field, value)] = _identity(address).items()
        if tree.pair(checked.entries[source], field) is None:
            raise UsageError(
                f"{old} and {new} are not of one kind", remedy="'digest subscribe' adds the new one"
            )
        draft.set_field(checked.entries[source], field, field_text(field, value))

    return _edit(path, change, touched={source, address.casefold()})


def add_keyword(path: Path, name: str, query: str | None = None, match: Rule | None = None) -> Edit:
    """Give a query a name; without a query the name is what is searched for. Raises as
    `add_subscribers` does.
    """

    def change(checked: Checked, draft: Draft) -> None:
        if fold(name) in checked.names:
            known = checked.names[fold(name)]
            raise UsageError(
                f"there is a keyword {known.name} already", remedy="change its query in the file"
            )
        tree.define_all(checked, draft, [(name, query, match)])

    return _edit(path, change, create=True, everything=True)


def remove_keyword(path: Path, name: str, *, force: bool = False) -> Edit:
    """Take a named keyword out.

    Where readers or groups have it: UsageError naming them, or with `force` it is taken from them
    too.
    """

    def change(checked: Checked, draft: Draft) -> None:
        _known(checked, name)
        lists = [
            (who, key, node) for who, key, node in tree.keyword_lists(checked) if _holds(node, name)
        ]
        if lists and not force:
            people = ", ".join(who for who, _, _ in lists[:5]) + (
                f" and {len(lists) - 5} more" if lists[5:] else ""
            )
            raise UsageError(f"{name} is used by {people}", remedy="--force takes it from them too")
        for _, key, node in lists:
            draft.remove_items(
                key,
                node,
                {i for i, text in enumerate(tree.texts(node)) if fold(text) == fold(name)},
            )
        tree.undefine(checked, draft, name)

    return _edit(path, change, everything=True)


def rename_keyword(path: Path, old: str, new: str) -> Edit:
    """Give a named keyword another name, wherever it stands; its query stays, and so does all that
    was sent.
    """

    def change(checked: Checked, draft: Draft) -> None:
        _known(checked, old)
        if fold(new) in checked.names and fold(new) != fold(old):
            raise UsageError(f"there is a keyword {new} already")
        tree.rename(checked, draft, old, new)

    def same_queries(edit: Edit) -> bool:
        return _queries(edit.before) == _queries(edit.after)

    return _edit(path, change, everything=True, only_if=same_queries)


def _edit(
    path: Path,
    change: Callable[[Checked, Draft], None],
    *,
    touched: Collection[str] = (),
    create: bool = False,
    everything: bool = False,
    dry_run: bool = False,
    only_if: Callable[[Edit], bool] = lambda _edit: True,
) -> Edit:
    """Make one change. `touched` are the readers (casefolded) that may come out differently; or
    `everything`.
    """
    target = Path(os.path.realpath(path))
    if not create:
        # What is missing is told before the lock, whose own file would need the folder.
        read_text(target)
    if not dry_run:
        ready_folder(target.parent)
    with nullcontext() if dry_run else file_lock(target, WAIT):
        is_new = create and not target.exists()
        checked = _checked(target, path.name, is_new=is_new)
        draft = Draft(checked.document, path.name)
        change(checked, draft)
        result = draft.result()
        if result == checked.document.text:
            return Edit(checked.roster, checked.roster)
        edit = Edit(checked.roster, _checked_result(result, path.name))
        if not everything and _others(edit.before, touched) != _others(edit.after, touched):
            raise UsageError(
                f"not done: it would change what other readers in {path.name} get",
                remedy="give the keyword another name, or edit the file by hand",
            )
        if not only_if(edit):
            raise UsageError(
                f"not done: it would change what readers in {path.name} get",
                remedy="choose another name",
            )
        if dry_run:
            return edit
        mark = b"" if is_new else target.read_bytes()[:3]
        replace_file(target, (mark if mark == b"\xef\xbb\xbf" else b"") + result.encode())
    return edit


def check_or_begin(path: Path) -> Checked:
    """The file as an edit finds it: checked, or the beginning of one where there is none yet."""
    return _checked(path, path.name, is_new=not path.exists())


def _checked(path: Path, name: str, *, is_new: bool) -> Checked:
    text = "" if is_new else read_text(path)
    return check_text(text if text.strip() else HEADER, name, may_be_empty=True)


def _checked_result(text: str, name: str) -> Roster:
    """The roster of the edited text; its mistakes are mistakes of the edit that was asked for."""
    try:
        return check_text(text, name).roster
    except RosterError as error:
        first, more = error.problems[0], len(error.problems) - 1
        message = f"not done: {first.message}" + (f" (and {more} more)" if more else "")
        raise UsageError(
            message, remedy=f"did you mean {first.suggestion}?" if first.suggestion else ""
        ) from error


def _extend(
    checked: Checked,
    draft: Draft,
    reader: Subscriber,
    texts: list[str],
    fields: Mapping[str, Value],
) -> None:
    """Add to a reader who is there the keywords that are missing, and the fields that differ."""
    entry = checked.entries[reader.email.casefold()]
    had = {keyword.query for keyword in reader.keywords}
    items = tree.keyword_items(checked, entry)
    groups = {fold(item) for item in items if item.startswith("+")}
    missing = [
        t
        for t in texts
        if (fold(t) not in groups if t.startswith("+") else checked.find(t).query not in had)
    ]
    if missing:
        tree.add_keywords(draft, entry, items, missing)
    by_default = tree.default_fields(checked)
    for name, value in fields.items():
        if value is None and name in CLEARED and name in by_default:
            draft.set_field(entry, name, CLEARED[name])
        elif value is None:
            tree.remove_field(draft, entry, name)
        else:
            draft.set_field(entry, name, field_text(name, value))


def _new_entry(
    checked: Checked, address: str, texts: list[str], fields: Mapping[str, Value]
) -> Entry:
    values: dict[str, Value] = {**_identity(address), **fields, "keywords": texts or None}
    if not texts and not tree.default_items(checked):
        raise UsageError(
            f"{address} needs a keyword", remedy="name one or more, such as -k 'reward model'"
        )
    order = (*ADDRESSES, "name", "keywords", *FIELDS)
    cleared = {
        name: CLEARED[name]
        for name in fields
        if name in CLEARED and name in tree.default_fields(checked)
    }
    written = cleared | {
        name: field_text(name, value) for name, value in values.items() if value is not None
    }
    return [(name, written[name]) for name in dict.fromkeys(order) if name in written]


def _identity(address: str) -> dict[str, Value]:
    """The field that says who a subscriber is."""
    if address.startswith(REPOSITORY):
        return {"github": address.removeprefix(REPOSITORY)}
    return {"email": address}


def _excluded(fields: Mapping[str, Value]) -> list[str]:
    value = fields.get("exclude")
    return value if isinstance(value, list) else []


def field_text(name: str, value: Value) -> str:
    """Write a field's value as the file shows it."""
    if isinstance(value, list):
        return "[" + ", ".join(write(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) or name == "paused_until":
        return str(value)
    return quote(value or "") if name == "at" else write(value or "")


def _as_named(checked: Checked, text: str) -> str:
    """A keyword as the file writes its name, where it has one."""
    if text.startswith("+"):
        return text
    found = checked.find(text)
    return found.name if fold(text) in checked.names else text.strip()


def _same(checked: Checked, item: str, text: str) -> bool:
    """Whether an item of a reader's list is what the text names: the same words, or the same
    query.
    """
    if fold(item) == fold(text):
        return True
    return (
        not item.startswith("+")
        and not text.startswith("+")
        and checked.find(item).query == checked.find(text).query
    )


def _refuse_groups(checked: Checked, email: str, remaining: list[str], unwanted: list[str]) -> None:
    for group in (item for item in remaining if item.startswith("+")):
        held = {keyword.query for keyword in checked.groups[fold(group[1:])]}
        for text in unwanted:
            if not text.startswith("+") and checked.find(text).query in held:
                remedy = f"'digest unsubscribe {email} -k {group}' takes the whole group away"
                raise UsageError(f"{text} comes to {email} with the group {group}", remedy=remedy)


def _known(checked: Checked, name: str) -> Keyword:
    if fold(name) not in checked.names:
        raise UsageError(f"there is no keyword named {name}", remedy="'digest keywords' lists them")
    return checked.names[fold(name)]


def _holds(node: Sequence, name: str) -> bool:
    return any(fold(text) == fold(name) for text in tree.texts(node))


def _others(roster: Roster, touched: Collection[str]) -> list[Subscriber]:
    return [reader for reader in roster.subscribers if reader.email.casefold() not in touched]


def _queries(roster: Roster) -> object:
    readers = [
        (reader.email, frozenset(k.query for k in reader.keywords), reader.exclude)
        for reader in roster.subscribers
    ]
    return readers, {keyword.query for keyword in roster.keywords}


def _email(text: str) -> str:
    try:
        return normal_address(text.strip())
    except ValueError as error:
        what = "repository" if text.strip().lower().startswith(REPOSITORY) else "mail address"
        raise UsageError(f"{text!r} is no {what}: {str(error).rstrip('.')}") from error


def _folded_email(text: str) -> str:
    """The form in which addresses are compared; what is none is nobody's."""
    try:
        return normal_address(text.strip()).casefold()
    except ValueError:
        return text.strip().casefold()
