"""What readers said themselves, as commands that edit the subscribers file meet it: the entries of
those who signed up, and what readers of the file took away.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from digest.cli.base import Context, edited
from digest.errors import TryLaterError
from digest.model import Away, Roster, SignUp, Subscriber, Wish
from digest.setup.parts import existing_store, machine_now
from digest.setup.settings import Settings
from digest.setup.subscribers import read_book, read_own_words, subscribers_file
from digest.store import Own
from digest.subscribers.addresses import folded_address
from digest.subscribers.book import Book, fields_of, has_name, named_wishes, with_name
from digest.subscribers.check import Checked
from digest.subscribers.edit import set_fields, with_fields
from digest.subscribers.fields import Value
from digest.subscribers.transaction import Edit, check_or_begin

# Fields of readers' own entries, by folded address.
Entries = Mapping[str, Mapping[str, Value]]
NOBODY = Roster((), ())


@dataclass(frozen=True, slots=True)
class SignedUp:
    """Those among some addresses who signed up and whom the file does not name, by folded address:
    their sign-ups, and as `readers` those whose entry can be read. `book`: None where there are
    none.
    """

    book: Book | None
    signups: Mapping[str, SignUp]
    readers: Mapping[str, Subscriber]

    @property
    def entries(self) -> dict[str, dict[str, Value]]:
        """The fields of their entries, by folded address."""
        return {address: fields_of(signup) for address, signup in self.signups.items()}

    def others(self, emails: Iterable[str]) -> list[str]:
        """Those of these addresses that are none of theirs."""
        return [email for email in emails if folded_address(email) not in self.signups]

    def is_free(self, address: str, *, except_for: str) -> bool:
        """Whether one of them, known by another address, may have this one."""
        folded = folded_address(address)
        named = self.book.checked.entries.keys() if self.book else set()
        return folded == folded_address(except_for) or folded not in named | self.signups.keys()

    def known_before(self, edit: Edit) -> Edit:
        """An edit of the file by which it takes them over: they were readers before it."""
        known = (*edit.before.subscribers, *self.readers.values())
        return Edit(replace(edit.before, subscribers=known), edit.after)

    def taken_over_lines(self) -> Iterator[str]:
        """Whom the file takes over, for people."""
        for signup in self.signups.values():
            yield f"{signup.email} had signed up; from now on the file says what is wanted."

    def change(self, context: Context, change: Callable[[Checked, Entries], Entries]) -> Edit:
        """Change their entries: all, or none where one would become wrong. Whom the change leaves
        out stays as they are. Raises UsageError.
        """
        before = replace(NOBODY, subscribers=tuple(self.readers.values()))
        if self.book is None:
            return Edit(before, before)
        book, entries = self.book, change(self.book.checked, self.entries)
        had = self.signups
        new = [book.sign_up(had[a].email, entry, had[a].names) for a, entry in entries.items()]
        with existing_store(context.settings) as store:
            for signup in new:
                if store is None or not store.signups.change(signup, machine_now()):
                    raise TryLaterError(f"{signup.email} has left meanwhile, or is in the file")
        return Edit(before, replace(before, subscribers=_readers(book, new)))


def signed_up(settings: Settings, emails: Iterable[str]) -> SignedUp:
    """Those among these addresses who signed up. Raises as `read_book` does, but only where there
    are any.
    """
    folded = {folded_address(email) for email in emails}
    return _chosen(settings, lambda signup: signup.email.casefold() in folded)


def having(settings: Settings, name: str) -> SignedUp:
    """Those who signed up and have a keyword, or a group (+NAME), of this name. Raises as
    `signed_up` does.
    """
    return _chosen(settings, lambda signup: has_name(fields_of(signup), name))


def _chosen(settings: Settings, is_meant: Callable[[SignUp], bool]) -> SignedUp:
    found = [one for one in _own(settings).signups if is_meant(one)]
    if not found:
        return SignedUp(None, {}, {})
    book, _ = read_book(settings)
    named = book.checked.entries
    signups = {one.email.casefold(): one for one in found if one.email.casefold() not in named}
    readers = {one.email.casefold(): one for one in _readers(book, signups.values())}
    return SignedUp(book if signups else None, signups, readers)


def rename_in_entries(context: Context, old: str, new: str) -> None:
    """Follow in the entries of those who signed up that a keyword or a group of the file has
    another name.
    """
    having(context.settings, old).change(
        context, lambda _, entries: {a: with_name(had, old, new) for a, had in entries.items()}
    )


def remove_from_entries(context: Context, name: str) -> None:
    """Take a keyword or a group out of the entries of those who signed up; who has no other one
    keeps it, and is held back.
    """

    def change(_: Checked, entries: Entries) -> Entries:
        left = {a: with_name(had, name, None) for a, had in entries.items()}
        return {a: fields for a, fields in left.items() if fields["keywords"]}

    own = having(context.settings, name)
    own.change(context, change)
    for email in having(context.settings, name).signups:
        context.warn(f"{email} signed up for {name} alone, and is held back from now on")


def _own(settings: Settings) -> Own:
    return Own() if settings.subscribers_yaml else read_own_words(settings)


def _readers(book: Book, signups: Iterable[SignUp]) -> tuple[Subscriber, ...]:
    served = len(book.roster.subscribers)
    return book.with_sign_ups(signups).subscribers[served:]


def set_anywhere(
    context: Context, emails: Sequence[str], fields: Mapping[str, Value]
) -> tuple[Edit, list[Wish]]:
    """Set fields of readers in the file, or in the entry of those who signed up; returns the wishes
    that end with it, too. Raises as `set_fields` does.
    """

    def change(checked: Checked, entries: Entries) -> Entries:
        return {a: with_fields(checked, had, fields) for a, had in entries.items()}

    path, own = subscribers_file(context.settings), signed_up(context.settings, emails)
    of_file, edit = own.others(emails), Edit(NOBODY, NOBODY)
    if of_file:
        edit = edited(context, set_fields(path, of_file, fields))
    edit = together(edit, own.change(context, change))
    return edit, end_wishes(context, of_file, fields)


def together(edit: Edit, other: Edit) -> Edit:
    """Two edits as one: of the file, and of readers' own entries."""

    def both(one: Roster, two: Roster) -> Roster:
        return replace(one, subscribers=(*one.subscribers, *two.subscribers))

    return Edit(both(edit.before, other.before), both(edit.after, other.after))


def end_wishes(
    context: Context,
    emails: Iterable[str],
    fields: Collection[str] = (),
    keywords: Collection[str] = (),
) -> list[Wish]:
    """End what these readers of the file took away of fields and keywords that a command names;
    returns what that was.
    """
    folded = {folded_address(email) for email in emails}
    wishes = [w for w in _own(context.settings).wishes if w.email.casefold() in folded]
    if not wishes:
        return []
    checked = check_or_begin(subscribers_file(context.settings))
    named = named_wishes(checked, wishes, fields, keywords)
    with existing_store(context.settings) as store:
        if store is not None and named:
            store.wishes.end(named)
    return named


def ended_lines(wishes: Iterable[Wish]) -> Iterator[str]:
    """What ended, for people."""
    for wish in wishes:
        yield f"{wish.email} had {wish_words(wish)} by themselves; that is over."


def wish_words(wish: Wish) -> str:
    """What a reader took away, in words that follow "had"."""
    return f"paused until {wish.value}" if wish.field is Away.PAUSE else f"left {wish.entry}"
