"""Readers of the subscribers file added, changed, moved and taken out, in place."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from digest.errors import UsageError
from digest.keywords.grammar import parse
from digest.model import Channel, Roster, Rule, Subscriber
from digest.subscribers.addresses import NAMED, channel_of, folded_address, normal_address
from digest.subscribers.book import listed_in
from digest.subscribers.check import Checked, fold
from digest.subscribers.document import YamlNode
from digest.subscribers.draft import Draft, Member, entry_member, single
from digest.subscribers.edit_keywords import Definition, define
from digest.subscribers.fields import ADDRESSES, FIELDS, Value
from digest.subscribers.follow import entries_of_readers
from digest.subscribers.guesses import unknown_reader
from digest.subscribers.identity import identity_field, kind_of, refuse_renaming
from digest.subscribers.quoting import quote, write
from digest.subscribers.transaction import Edit, Guard, edit_file, refuse_unread


@dataclass(frozen=True, slots=True)
class Wanted:
    """The wishes for one reader: keywords, added to those that are there, and fields, None for a
    cleared one.
    """

    email: str
    keywords: tuple[str, ...] = ()
    fields: Mapping[str, Value] = field(default_factory=dict)

    @property
    def excluded(self) -> list[str]:
        """The queries that are never wanted."""
        value = self.fields.get("exclude")
        return value if isinstance(value, list) else []


# The fields of readers' own entries, by folded address.
Own = Mapping[str, Mapping[str, Value]]
NOBODY: Own = {}


def roster_entry(roster: Roster, email: str) -> Subscriber | None:
    """The reader with this address, in whatever case."""
    return _readers(roster).get(folded_address(email))


def _readers(roster: Roster) -> dict[str, Subscriber]:
    return {reader.email.casefold(): reader for reader in roster.subscribers}


def add_subscribers(
    path: Path,
    emails: Iterable[str],
    keywords: Iterable[str] = (),
    fields: Mapping[str, Value] | None = None,
    *,
    match: Rule | None = None,
    own: Own = NOBODY,
) -> Edit:
    """Add readers, or keywords and fields to readers who are there; the file is made where it is
    missing. Of a new reader who signed up, `own` has the entry that the file takes over, by the
    folded address.

    `match` defines those keywords that are plain and have no name yet, with this rule. Raises
    UsageError where the file would become wrong, SubscribersFileError where it is already,
    ConfigError where it cannot be written.
    """
    each = [Wanted(email, tuple(keywords), fields or {}) for email in emails]
    return add_all(path, each, match=match, own=own)


def add_all(
    path: Path,
    readers: Iterable[Wanted],
    *,
    match: Rule | None = None,
    own: Own = NOBODY,
    dry_run: bool = False,
) -> Edit:
    """Do for each reader what `add_subscribers` does for one, all in one edit; with `dry_run` only
    say what it is.
    """
    wanted = [replace(reader, email=address_of(reader.email)) for reader in readers]
    for reader in wanted:
        refuse_renaming(reader.email, reader.fields)

    def change(checked: Checked, draft: Draft) -> None:
        refuse_unread(checked, [reader.email for reader in wanted], path.name)
        _parse_excluded(checked, wanted)
        if match:
            texts = dict.fromkeys(_named(checked, t) for reader in wanted for t in reader.keywords)
            plain = [text for text in texts if not text.startswith("+")]
            define(checked, draft, [Definition(text, match=match) for text in plain])
        _apply(checked, draft, wanted, own)

    return edit_file(
        path, change, _only([r.email for r in wanted], path.name), create=True, dry_run=dry_run
    )


def set_fields(path: Path, emails: Iterable[str], fields: Mapping[str, Value]) -> Edit:
    """Set fields of readers who are there, also of those whose entry has a mistake, None for a
    cleared one. Raises ConfigError for an unknown reader.
    """
    emails = list(emails)
    wanted = [Wanted(email, fields=fields) for email in emails]
    for reader in wanted:
        refuse_renaming(reader.email, reader.fields)

    def change(checked: Checked, draft: Draft) -> None:
        entries = entries_of_readers(checked)
        refuse_unread(checked, emails, path.name, readers=entries)
        _parse_excluded(checked, wanted)
        for reader in wanted:
            if folded_address(reader.email) not in entries:
                raise unknown_reader(
                    path, reader.email, (r.email for r in checked.roster.subscribers)
                )
        written = _written(checked, fields)
        for entry in (
            e for one in dict.fromkeys(map(folded_address, emails)) for e in entries[one]
        ):
            for name, text in written.items():
                draft.set_field(entry, name, text)

    return edit_file(path, change, _only(emails, path.name), however_few=True)


def remove_subscribers(path: Path, emails: Iterable[str], keywords: Iterable[str] = ()) -> Edit:
    """Take readers out, or only some of their keywords; one left without any goes. Unknown ones are
    passed over. To leave wholly, an entry need not be right, nor the rest of the file.

    Raises UsageError where a keyword comes with a group, so that taking it out would mean more than
    was asked.
    """
    folded = {folded_address(email) for email in emails}
    unwanted = list(keywords)

    def change(checked: Checked, draft: Draft) -> None:
        theirs = entries_of_readers(checked)
        refuse_unread(checked, folded, path.name, readers=None if unwanted else theirs)
        section = checked.document.section("subscribers")
        leaving = []
        for address in folded & theirs.keys():
            if not unwanted:
                leaving += theirs[address]
                continue
            entry = theirs[address][0]
            listed = listed_keywords(checked, entry)
            kept = kept_keywords(checked, address, listed, unwanted)
            if listed and not kept:
                leaving.append(entry)
            else:
                _list_keywords(draft, entry, listed, kept)
        if section and leaving:
            key, entries = section
            indexes = {i for i, node in enumerate(entries.items) if any(node is e for e in leaving)}
            draft.remove(key, entries, indexes)

    return edit_file(path, change, _only(folded, path.name), however_few=not unwanted)


def kept_keywords(
    checked: Checked, email: str, listed: Iterable[str], unwanted: Iterable[str]
) -> list[str]:
    """What stays of a reader's listed keywords without the unwanted ones. Raises UsageError where
    one of those comes with a group that stays.
    """
    unwanted = list(unwanted)
    kept = [text for text in listed if not any(_same(checked, text, one) for one in unwanted)]
    _refuse_groups(checked, email, kept, unwanted)
    return kept


def move_subscriber(path: Path, old: str, new: str) -> Edit:
    """Give a reader another address. Raises ConfigError for an unknown one, UsageError for a taken
    one.
    """
    address = address_of(new)

    def change(checked: Checked, draft: Draft) -> None:
        refuse_unread(checked, [old, address], path.name)
        entry = _entry(checked, path, old)
        if checked.entries.get(address.casefold(), entry) is not entry:
            raise UsageError(
                f"{address} is a subscriber already",
                remedy=f"'digest unsubscribe {old}' lets one go",
            )
        name, value = identity_field(address)
        if entry.get(kind_of(address)) is None:
            raise UsageError(
                f"{old} and {new} are not of one kind", remedy="'digest subscribe' adds the new one"
            )
        draft.set_field(entry, name, write(value))

    return edit_file(path, change, _only([old, address], path.name))


def _only(emails: Collection[str], name: str) -> Guard:
    """Refuses what would change anything for other readers than these; `name` is the file's."""
    touched = {folded_address(email) for email in emails}

    def guard(edit: Edit) -> None:
        before, after = (
            [reader for email, reader in _readers(roster).items() if email not in touched]
            for roster in (edit.before, edit.after)
        )
        if before != after or edit.redefined:
            raise UsageError(
                f"not done: it would change what other readers in {name} get",
                remedy="give the keyword another name, or edit the file by hand",
            )

    return guard


def _parse_excluded(checked: Checked, wanted: Iterable[Wanted]) -> None:
    """Refuse queries that cannot be read in their own words, not as mistakes of the file."""
    for query in (query for reader in wanted for query in reader.excluded):
        if fold(query) not in checked.names:
            parse(query)


def _apply(checked: Checked, draft: Draft, wanted: Iterable[Wanted], own: Own = NOBODY) -> None:
    """Give each reader what is wanted, with a new entry where there is none."""
    readers, entries = _readers(checked.roster), []
    # The address that is named last counts: a table may have a reader twice.
    for folded, reader in {folded_address(reader.email): reader for reader in wanted}.items():
        if folded in own and folded not in readers:
            reader = _taken_over(reader, own[folded])
        texts = list(dict.fromkeys(_named(checked, text) for text in reader.keywords))
        if folded in readers:
            _extend(checked, draft, readers[folded], texts)
            for name, written in _written(checked, reader.fields).items():
                draft.set_field(checked.entries[folded], name, written)
        else:
            entries.append(_new_entry(checked, reader, texts))
    if entries:
        draft.add_to_section("subscribers", entries)


def _taken_over(reader: Wanted, own: Mapping[str, Value]) -> Wanted:
    """What is wanted for a reader who signed up, beyond what stands in their own entry."""
    fields = {name: value for name, value in own.items() if name != "keywords"} | {**reader.fields}
    return Wanted(reader.email, (*listed_in(own), *reader.keywords), fields)


def _extend(checked: Checked, draft: Draft, reader: Subscriber, texts: list[str]) -> None:
    """Add to a reader who is there the keywords that are missing."""
    entry = checked.entries[reader.email.casefold()]
    listed = listed_keywords(checked, entry)
    groups = {fold(text) for text in listed if text.startswith("+")}
    had = groups | {keyword.query for keyword in reader.keywords}
    missing = [text for text in texts if _meant(checked, text) not in had]
    _list_keywords(draft, entry, listed, listed + missing)


def _list_keywords(draft: Draft, entry: YamlNode, listed: list[str], wanted: list[str]) -> None:
    """Make a reader's keywords, so far those `listed`, the wanted ones; one who had those of all
    gets a list where it differs.
    """
    found = entry.get("keywords")
    gone = {index for index, text in enumerate(listed) if text not in wanted}
    if found is None and wanted != listed:
        draft.set_field(entry, "keywords", field_text("keywords", wanted))
    elif found and gone:
        draft.remove(*found, gone)
    elif found and wanted != listed:
        draft.add(*found, [single(write(text)) for text in wanted[len(listed) :]])


def with_fields(
    checked: Checked, own: Mapping[str, Value], fields: Mapping[str, Value]
) -> dict[str, Value]:
    """A reader's own entry with these fields, None for a cleared one."""
    by_default = checked.document.part("defaults").texts
    entry = {**own, **fields}
    for name in [name for name, value in fields.items() if value is None]:
        del entry[name]
        if name in by_default and FIELDS[name].cleared:
            entry[name] = json.loads(FIELDS[name].cleared)
    return entry


def _written(checked: Checked, fields: Mapping[str, Value]) -> dict[str, str]:
    """Fields as the file shows them; nothing for those that go out of it."""
    by_default = checked.document.part("defaults").texts
    written = {}
    for name, value in fields.items():
        written[name] = "" if value is None else field_text(name, value)
        if value is None and name in by_default:
            written[name] = FIELDS[name].cleared
    return written


def _new_entry(checked: Checked, reader: Wanted, texts: list[str]) -> Member:
    if channel_of(reader.email) in NAMED:
        raise UsageError(
            f"{reader.email} is not in the file, and where its digests go can only be said there",
            remedy="write the entry by hand (docs/channels.md)",
        )
    if not texts and not listed_keywords(checked):
        raise UsageError(
            f"{reader.email} needs a keyword", remedy="name one or more, such as -k 'reward model'"
        )
    own = {"keywords": texts} if texts else {}
    values = dict([identity_field(reader.email)]) | dict(reader.fields) | own
    written = _written(checked, values)
    order = dict.fromkeys((*ADDRESSES, "name", "keywords", *FIELDS))
    return entry_member((name, written[name]) for name in order if written.get(name))


def field_text(name: str, value: Value) -> str:
    """Write a field's value as the file shows it."""
    if isinstance(value, list):
        return "[" + ", ".join(map(write, value)) + "]"
    if isinstance(value, int) or name == "paused_until":
        return str(value).lower()
    return quote(value or "") if name == "at" else write(value or "")


def _entry(checked: Checked, path: Path, email: str) -> YamlNode:
    """The entry of a reader who is there. Raises ConfigError."""
    if found := checked.entries.get(folded_address(email)):
        return found
    raise unknown_reader(path, email, (reader.email for reader in checked.roster.subscribers))


def listed_keywords(checked: Checked, entry: YamlNode | None = None) -> list[str]:
    """A reader's keywords as written: their own list, or the one of all."""
    nodes = [entry, checked.document.part("defaults")]
    found = [pair for node in nodes if node and (pair := node.get("keywords"))]
    return found[0][1].texts if found else []


def _named(checked: Checked, text: str) -> str:
    """A keyword as the file writes its name, where it has one."""
    if text.startswith("+"):
        return text
    found = checked.find(text)
    return found.name if fold(text) in checked.names else text.strip()


def _meant(checked: Checked, text: str) -> str:
    """What an item of a reader's list stands for: a group by its name, or a query."""
    return fold(text) if text.startswith("+") else checked.find(text).query


def _same(checked: Checked, item: str, text: str) -> bool:
    """Whether an item of a reader's list is what the text names: the same words, or the same
    query.
    """
    return fold(item) == fold(text) or _meant(checked, item) == _meant(checked, text)


def _refuse_groups(checked: Checked, email: str, remaining: list[str], unwanted: list[str]) -> None:
    for group in (item for item in remaining if item.startswith("+")):
        held = {keyword.query for keyword in checked.groups[fold(group[1:])]}
        for text in unwanted:
            if _meant(checked, text) in held:
                raise UsageError(
                    f"{text} comes to {email} with the group {group}",
                    remedy=f"'digest unsubscribe {email} -k {group}' takes the whole group away",
                )


def address_of(text: str) -> str:
    """An address that was given to a command, in its stored form. Raises UsageError."""
    try:
        return normal_address(text.strip())
    except ValueError as error:
        kinds = {Channel.MAIL: "mail address", Channel.GITHUB: "repository"}
        what = kinds.get(channel_of(text.strip()), "reader")
        raise UsageError(f"{text!r} is no {what}: {str(error).rstrip('.')}") from error
