"""From the settings to who gets what: the subscribers file, or the secret that stands in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from digest.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from digest.model import Roster
    from digest.settings import Settings

IN_PLACE = "DIGEST_SUBSCRIBERS_YAML"


def read_roster(settings: Settings) -> Roster:
    """Who gets what; where that comes from a secret, each reader under a name that tells nobody the address.

    Raises ConfigError with every mistake in the file, or with what to do where there is none. A mistake in the
    secret is not shown: whoever keeps readers in a secret has a log that others can read.
    """
    from digest.pseudonyms import Pseudonyms
    from digest.roster import RosterError, load_roster
    from digest.roster.load import check_text

    if not settings.subscribers_yaml:
        return load_roster(settings.subscribers)
    try:
        roster = check_text(settings.subscribers_yaml, IN_PLACE).roster
    except RosterError as error:
        lines = ", ".join(str(line) for line in sorted({problem.line for problem in error.problems})[:5])
        raise ConfigError(
            f"{IN_PLACE} is not right (line {lines})",
            remedy="'digest subscribers check' on your own machine, with the same text in a file, shows what is wrong",
        ) from None
    return Pseudonyms(settings.secret).hide(roster)


def known_as(settings: Settings, address: str) -> str:
    """What the database and the roster call the reader with this address."""
    from digest.pseudonyms import Pseudonyms

    return Pseudonyms(settings.secret).of(address) if settings.subscribers_yaml else address


def subscribers_file(settings: Settings) -> Path:
    """The file that commands edit. Raises UsageError where a secret stands in its place."""
    if settings.subscribers_yaml:
        raise UsageError(f"the subscribers come from {IN_PLACE}, which no command can edit", remedy="edit it there")
    return settings.subscribers


def place_of_subscribers(settings: Settings) -> str:
    """Where the subscribers stand, in words."""
    return IN_PLACE if settings.subscribers_yaml else str(settings.subscribers)
