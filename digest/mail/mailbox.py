"""The mailbox that is read for bounces and requests to leave, over IMAP (RFC 9051).

All calls block, for as long as the server likes: `mailbox_process` makes them in a process of their
own. Nothing is deleted; what was not handled stays as unread as it was.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from digest.errors import ConfigError, DigestError, TryLaterError, masked
from digest.mail.message import words
from digest.mail.server import is_loopback

if TYPE_CHECKING:
    from imaplib import IMAP4

EXAMPLE = "write it as imaps://USER@HOST or imaps://USER@HOST/FOLDER"
IMAP_PORT, IMAPS_PORT = 143, 993
TIMEOUT = 20.0
"""Seconds for which the server may be silent."""
HIGHEST = 2**32 - 1
"""The highest number of a message, and the highest UIDVALIDITY (RFC 9051 section 2.3.1.1)."""
HANDLED = b"DigestHandled"
"""The keyword by which people see in their mail program what was acted upon, where the server keeps
keywords."""

_URL = re.compile(r"(imaps?)://(?:(.+)@)?([^/@\s]+)(?:/(.*))?", re.IGNORECASE)
_PLACE = re.compile(r"(\[[0-9a-fA-F:]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class MailboxLocation:
    """A mailbox and how it is reached: `tls` is `always`, `starttls`, or `none`."""

    host: str
    port: int
    user: str
    folder: str
    tls: str

    @property
    def name(self) -> str:
        """The mailbox in words, without secrets; what is remembered of it is remembered under this
        name.
        """
        return f"{self.user}@{self.host}/{self.folder}"


def read_mailbox(setting: str) -> MailboxLocation:
    """Read DIGEST_INBOX. No part of it is repeated in an error: any may be a misplaced password.

    The user may be a mail address: host and port begin behind the last @. Raises ConfigError.
    """
    found = _URL.fullmatch(setting.strip())
    if found is None:
        raise ConfigError("DIGEST_INBOX cannot be read", remedy=EXAMPLE)
    scheme, login, place, folder = found.groups()
    if not login:
        raise ConfigError("DIGEST_INBOX names no user to log in as", remedy=EXAMPLE)
    if ":" in login:
        raise ConfigError(
            "DIGEST_INBOX holds a password, where others can read it",
            remedy="take it out, and set DIGEST_INBOX_PASSWORD or DIGEST_INBOX_PASSWORD_FILE",
        )
    secure = scheme.lower() == "imaps"
    host, port = _address(place, IMAPS_PORT if secure else IMAP_PORT)
    tls = "always" if secure else "offered" if is_loopback(host) else "starttls"
    user, box = unquote(login), unquote(folder or "INBOX")
    if not user.isprintable() or not box.isprintable():
        raise ConfigError("DIGEST_INBOX holds control characters", remedy=EXAMPLE)
    return MailboxLocation(host, port, user, box, tls)


def _address(place: str, default_port: int) -> tuple[str, int]:
    """Split `host:port`, where an IPv6 host stands in brackets."""
    parts = _PLACE.fullmatch(place)
    port = int(parts[2] or default_port) if parts else 0
    if parts is None or not 0 < port < 65536:
        raise ConfigError("DIGEST_INBOX names a host or port that cannot be", remedy=EXAMPLE)
    return parts[1].strip("[]"), port


class Mailbox:
    """An open mailbox. `validity` changes when the server has numbered its messages anew
    (UIDVALIDITY).

    Every call raises ConfigError where it can only fail, TryLaterError where that may pass.
    """

    def __init__(
        self, place: MailboxLocation, password: str, *, tls_context: ssl.SSLContext | None = None
    ) -> None:
        """Connect, log in and select the folder."""
        if not password:
            raise ConfigError(
                "DIGEST_INBOX names a mailbox, and there is no password",
                remedy="set DIGEST_INBOX_PASSWORD or DIGEST_INBOX_PASSWORD_FILE",
            )
        self._place, self._password = place, password
        self._client: Any = None
        try:
            with self._in_our_words():
                self._connect(tls_context or ssl.create_default_context())
        except BaseException:
            self.close()
            raise

    def _connect(self, context: ssl.SSLContext) -> None:
        from imapclient import IMAPClient

        place = self._place
        secure = place.tls == "always"
        self._client = IMAPClient(
            place.host,
            place.port,
            ssl=secure,
            ssl_context=context if secure else None,
            timeout=TIMEOUT,
        )
        # Before the login, which would else go over the network as it is.
        offered = place.tls == "offered" and self._client.has_capability("STARTTLS")
        if offered or place.tls == "starttls":
            self._client.starttls(context)
        self._client.login(place.user, self._password)
        selected = self._client.select_folder(place.folder)
        self.validity: int = selected.get(b"UIDVALIDITY", 0)
        if not 0 < self.validity <= HIGHEST:
            raise TryLaterError(
                f"the mailbox {place.name} gives its messages no lasting numbers (UIDVALIDITY)",
                remedy="name another folder, or another mailbox, in DIGEST_INBOX",
            )
        flags = selected.get(b"PERMANENTFLAGS", ())
        self._flags = [b"\\Seen", *([HANDLED] if b"\\*" in flags or HANDLED in flags else [])]

    def uids(self, *, after: int, since: date | None, limit: int) -> list[int]:
        """The numbers (UIDs) of messages beyond `after`, in their order; none that came before the
        day `since`.
        """
        with self._in_our_words():
            found = self._client.search(
                ["UID", f"{after + 1}:*", "UNDELETED", *(["SINCE", since] if since else [])]
            )
            # A range with * always holds the last message, be its number smaller or not (RFC 9051
            # section 9).
            return sorted({uid for uid in found if after < uid <= HIGHEST})[:limit]

    def fetch(self, uid: int, limit: int) -> bytes | str | None:
        """The first `limit` bytes of a message, which stays as unread as it was. None where it is
        gone; the server's words where it will not send this one.
        """
        from imaplib import IMAP4

        with self._in_our_words():
            try:
                # PEEK leaves it unread; a partial fetch bounds what a huge mail takes of memory.
                answer = self._client.fetch([uid], [f"BODY.PEEK[]<0.{limit}>"]).get(uid, {})
            except IMAP4.error as error:
                return self._refusal(error)
            parts = (value for key, value in answer.items() if key.startswith(b"BODY["))
            found: bytes | None = next(parts, None)
            # Not every server knows how to send a part of a message.
            return None if found is None else bytes(found[:limit])

    def size(self, uid: int) -> int:
        """The size of a message in bytes, as the server says; 0 where it does not."""
        from imaplib import IMAP4

        with self._in_our_words():
            try:
                answer = self._client.fetch([uid], ["RFC822.SIZE"]).get(uid, {})
            except IMAP4.error as error:
                self._refusal(error)
                return 0
            return int(answer.get(b"RFC822.SIZE", 0))

    def mark_handled(self, uid: int) -> None:
        """Mark a message read, since nobody needs to read it, and as handled by us; in a mailbox
        that may only be looked at it stays as it was.
        """
        from imaplib import IMAP4

        with self._in_our_words():
            try:
                self._client.add_flags([uid], self._flags, silent=True)
            except IMAP4.error as error:
                self._refusal(error)

    def _refusal(self, error: IMAP4.error) -> str:
        """The words with which the server refused one thing (NO or BAD); raised again where the
        connection broke.
        """
        from imaplib import IMAP4

        if isinstance(error, IMAP4.abort):
            raise error
        return self._words(error)

    def close(self) -> None:
        """Say goodbye. Never fails."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                client.logout()
            # Where the connection broke, the library has left its socket open.
            with contextlib.suppress(Exception):
                client.shutdown()

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        from imaplib import IMAP4

        from imapclient.exceptions import LoginError

        where = f"the mailbox {self._place.name}"
        try:
            yield
        except LoginError as error:
            raise ConfigError(
                f"{where} refused the login ({self._words(error)})",
                remedy="check user and password",
            ) from error
        except IMAP4.error as error:
            broken = isinstance(error, IMAP4.abort)
            raise TryLaterError(
                f"{where} could not be read ({self._words(error)})",
                remedy="is that an IMAP server?" if broken else "is the folder's name right?",
            ) from error
        except ssl.SSLCertVerificationError as error:
            raise ConfigError(
                f"{where} shows a certificate that cannot be trusted ({error.verify_message})",
                remedy="is the host name right? DIGEST_MAIL_CA names a private authority",
            ) from error
        except OSError as error:
            raise TryLaterError(
                f"{where} could not be reached ({self._words(error)})",
                remedy="is the host right, and the network up?",
            ) from error
        except Exception as error:
            # The library trusts the server: what is no IMAP may end in any error of Python's.
            if isinstance(error, DigestError):
                raise
            raise TryLaterError(
                f"{where} answered what cannot be understood ({self._words(error)})",
                remedy="is that an IMAP server?",
            ) from error

    def _words(self, error: Exception) -> str:
        """One line of what was said, without the password that some servers repeat."""
        said = getattr(error, "strerror", None) or str(error) or type(error).__name__
        # IMAPClient passes some words on as Python shows bytes.
        said = re.sub(r"""^b(['"])(.*)\1$""", r"\2", said)
        return words(masked(said, [self._password]))
