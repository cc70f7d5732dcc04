"""From the settings to who gets what: the subscribers file, or the secret that stands in its
place, and what readers said themselves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from digest.errors import ConfigError, StoreError, UsageError
from digest.keywords.words import counted
from digest.mail.message import address_in
from digest.model import Channel, Mistake, Roster
from digest.setup.settings import IN_PLACE, Settings
from digest.store import Own, Store, read_own
from digest.store.naming import Disguise
from digest.store.rows import pack
from digest.subscribers import Problem, SubscribersFileError, load_roster
from digest.subscribers.book import Book, with_wishes
from digest.subscribers.check import check_text
from digest.subscribers.follow import follow_text
from digest.subscribers.load import follow_file
from digest.subscribers.pseudonyms import Pseudonyms, conceal, without

LIKES_NOT_KEPT = f"with {IN_PLACE} strangers may see the database, which keeps no likes"
"""Why a reader's `feedback` is refused there."""


def read_roster(settings: Settings, *, whole: bool = False) -> Roster:
    """Who gets what, by the file and by what readers said themselves; where the file is a secret,
    each reader under a name that tells nobody the address. Mistakes in the file hold back some of
    the readers. With `whole` it is the file alone, which is to be right as a whole.

    Raises ConfigError with every mistake where they concern all, or with what to do where there is
    no file. A mistake in the secret is not shown: whoever keeps readers in a secret has a log that
    others can read.
    """
    if not settings.subscribers_yaml:
        if whole:
            needless = _needs_no_file(read_own_words(settings))
            return load_roster(settings.subscribers, may_be_missing=needless)
        book, own = read_book(settings)
        return with_wishes(book.with_sign_ups(own.signups), own.wishes)
    names = Pseudonyms(settings.secret)
    try:
        if whole:
            roster = _without_feedback(
                names.hide(check_text(settings.subscribers_yaml, IN_PLACE).roster)
            )
            if roster.mistakes:
                raise ConfigError(LIKES_NOT_KEPT, remedy="take feedback out of it")
            return roster
        book = follow_text(settings.subscribers_yaml, IN_PLACE, _line_alone)
    except SubscribersFileError as error:
        lines = sorted({problem.line for problem in error.problems})[:5]
        # Without the error itself, whose text repeats what stands in the secret.
        raise ConfigError(
            f"{IN_PLACE} is not right (line {', '.join(map(str, lines))})",
            remedy="'digest subscribers check' on your own machine, "
            "with the same text in a file, shows what is wrong",
        ) from None
    wishes = (replace(wish, email=names.of(wish.email)) for wish in read_own_words(settings).wishes)
    return _without_feedback(with_wishes(names.hide(book.roster), wishes))


def _without_feedback(roster: Roster) -> Roster:
    """The same readers, none of whom is asked what they like, and a mistake where one was to be."""
    if not any(reader.feedback for reader in roster.subscribers):
        return roster
    return replace(
        roster,
        subscribers=tuple(replace(reader, feedback=False) for reader in roster.subscribers),
        mistakes=(*roster.mistakes, Mistake(f"{LIKES_NOT_KEPT}: feedback is left out")),
    )


def read_book(settings: Settings) -> tuple[Book, Own]:
    """What the subscribers file says, and what readers said themselves. Raises as `read_roster`
    does.
    """
    own = read_own_words(settings)
    return follow_file(settings.subscribers, may_be_missing=_needs_no_file(own)), own


def _needs_no_file(own: Own) -> bool:
    """Whether all readers signed up; one that lost its file is no such service."""
    return bool(own.signups) and not own.of_file


def read_own_words(settings: Settings) -> Own:
    """What readers said themselves, by the database; nothing where that cannot be read."""
    try:
        return read_own(settings.db)
    except StoreError:
        # Who needs the database says what is wrong with it. Nobody is let go for what the roster
        # lacks of this.
        return Own()


def _line_alone(problem: Problem) -> str:
    return f"{IN_PLACE} is not right in line {problem.line}"


def pseudonyms_of(settings: Settings) -> Pseudonyms | None:
    """The maker of readers' names; None where they are known by their addresses."""
    return Pseudonyms(settings.secret) if settings.subscribers_yaml else None


def roster_or_empty(settings: Settings) -> Roster:
    """Who gets what; nobody where that cannot be read, for those whom its mistakes do not
    concern.
    """
    try:
        return read_roster(settings)
    except ConfigError:
        return Roster((), ())


def has_mail_readers(settings: Settings) -> bool:
    """Whether somebody else than repositories is served; also where nobody knows yet."""
    readers = roster_or_empty(settings).subscribers
    return not readers or any(reader.channel is Channel.MAIL for reader in readers)


def known_as(settings: Settings, address: str) -> str:
    """The name by which database and roster know the reader with this address."""
    names = pseudonyms_of(settings)
    return names.of(address) if names else address


def apply_naming(settings: Settings, store: Store, roster: Roster | None = None) -> None:
    """Make the database call its readers as the settings want: by pseudonyms; or, which needs the
    roster, by their addresses again.

    Raises ConfigError where the names were made with another key: all readers would be taken for
    new ones.
    """
    names, mark = Pseudonyms(settings.secret), store.naming.mark
    if settings.subscribers_yaml:
        _refuse_sign_ups(store)
        if mark and mark != names.mark:
            raise ConfigError(
                "the database knows its readers by names that were made with another DIGEST_SECRET",
                remedy="set that one again; "
                "where it is lost, begin anew with another database (DIGEST_DB)",
            )
        contact = address_in(settings.contact)
        # docs/decisions.md: A database that forgets addresses renames its readers.
        if not mark:
            store.naming.hide(names.mark, _disguise(settings, store, names, contact))
        store.naming.drop_bodies()
    # Only the key by which they were hidden tells whose the names are.
    elif mark == names.mark and roster is not None:
        held = roster.held_back
        if "" in held:
            # Who keeps the old name would be taken for one who left, and then for a new reader.
            raise ConfigError(
                f"the database is to know its readers by their addresses again, and {held['']}",
                remedy="mend that first",
            )
        addresses = [*(reader.email for reader in roster.subscribers), *held]
        store.naming.show({names.of(address): address for address in addresses})


def _disguise(settings: Settings, store: Store, names: Pseudonyms, contact: str) -> Disguise:
    from digest.rendering.render import Renderer
    from digest.rendering.value import impersonal
    from digest.run.bodies import Bodies

    def body_of(delivery: int) -> bytes:
        made = Bodies(store, Renderer(settings.templates)).again(delivery)
        return made[0].body if made else pack(())

    return Disguise(names.of, conceal, lambda body: without(body, contact), impersonal, body_of)


def _refuse_sign_ups(store: Store) -> None:
    if signed_up := len(store.signups.all()):
        raise ConfigError(
            f"{counted(signed_up, 'reader')} signed up, and with {IN_PLACE} the database keeps no"
            " addresses, so that no mail would reach them",
            remedy=f"take {IN_PLACE} out, and keep the readers in a file",
        )


def subscribers_file(settings: Settings) -> Path:
    """The file that commands edit. Raises UsageError where a secret stands in its place."""
    if settings.subscribers_yaml:
        raise UsageError(
            f"the subscribers come from {IN_PLACE}, which no command can edit",
            remedy="edit it there",
        )
    return settings.subscribers


def place_of_subscribers(settings: Settings) -> str:
    """The place of the subscribers, in words."""
    return IN_PLACE if settings.subscribers_yaml else str(settings.subscribers)
