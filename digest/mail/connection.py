"""One connection over SMTP, stage by stage, since only the stage tells what may have been accepted.

Nothing of a message leaves before the server has answered DATA with 354. So a connection that is
lost earlier, even between DATA and 354, accepted nothing; one that is lost later may have (RFC 5321
section 6.1).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass, field, replace
from typing import TypeVar

from aiosmtplib import (
    SMTP,
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPException,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from digest.errors import masked
from digest.mail.message import NO_ADDRESS, EndedError, Message, is_mailbox, words
from digest.mail.oauth import TokenError
from digest.mail.server import Server
from digest.model import Outcome, Receipt
from digest.rules.bounces import Fault, fault_of, status_of

T = TypeVar("T")

GOODBYE_TIMEOUT = 3.0
"""Seconds for which the answer to QUIT is awaited; nothing depends on it."""

START_INPUT, UNAVAILABLE, THROTTLED, TOO_LARGE = 354, 421, 454, 552
_OUR_FAULT = {503, 530, 535, 538}
"""Refusals at RCPT that concern the session: bad sequence, login or encryption needed (RFC
4954)."""


@dataclass(slots=True)
class Account:
    """The settings that all connections to one server share.

    `token`, where it is given, brings an access token for each new connection, which logs in with
    XOAUTH2 instead of `password`. `tls_context` is None only where `server.tls` is `none`. Timeouts
    are in seconds: for each command, for the answer to a whole message (RFC 5321 section
    4.5.3.2.6), and how long an idle connection is trusted. `refused_login`: the refusal, which is
    not asked for again: servers lock accounts. `secrets` are never repeated.
    """

    server: Server
    password: str = field(default="", repr=False)
    token: Callable[[], Awaitable[str]] | None = None
    tls_context: ssl.SSLContext | None = None
    command_timeout: float = 60
    data_timeout: float = 600
    idle_timeout: float = 30
    refused_login: Receipt | None = None
    secrets: list[str] = field(default_factory=list, repr=False)

    def __post_init__(self) -> None:
        if self.password:
            self.secrets.append(self.password)


class Connection:
    """Hands over one message after the other; after any error the next one gets a new
    connection.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._client: SMTP | None = None
        self._used_at = 0.0
        self.turned_away = False
        """Whether the last attempt ended before the server was ready to hear of a message."""

    @property
    def is_open(self) -> bool:
        """Whether there is a connection to be used again."""
        return self._client is not None and self._client.is_connected

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Hand over one message, connecting and logging in where needed."""
        self.turned_away = False
        try:
            receipt = await self._attempt(message, before_data)
        except BaseException:
            self._drop()  # in the middle of anything: the next message must not go on there
            raise
        if receipt.outcome is Outcome.SENT:
            self._used_at = asyncio.get_running_loop().time()
        else:
            self._drop(politely=receipt.outcome in (Outcome.FAILED, Outcome.DEFERRED))
        return receipt

    async def close(self) -> None:
        """Say goodbye, which a server may answer or not."""
        client, self._client = self._client, None
        if client is None:
            return
        with contextlib.suppress(SMTPException, OSError):
            async with asyncio.timeout(GOODBYE_TIMEOUT):
                await client.quit(timeout=GOODBYE_TIMEOUT)
        client.close()

    async def _attempt(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        if not is_mailbox(message.recipient):
            return NO_ADDRESS
        try:
            client = await self._begin(message)
            await self._stage(
                "RCPT", client.rcpt(message.recipient, encoding="utf-8"), self._judge_recipient
            )
            before_data()
            answer = await self._stage("DATA", client.execute_command(b"DATA"), self._judge_relay)
            if answer.code != START_INPUT:
                return self._judge_data(answer.code, answer.message)
            return await self._transfer(client, message)
        except EndedError as ended:
            return ended.receipt

    async def _begin(self, message: Message) -> SMTP:
        """Name the sender on a connection that is ready for it, a new one where the old one has
        gone.
        """
        client = self._reusable()
        if client is not None:
            try:
                await self._name_sender(client, message)
                return client
            except EndedError as ended:
                if not ended.lost:
                    raise
                self._drop()
        self.turned_away = True
        client = await self._connect()
        self.turned_away = False
        await self._name_sender(client, message)
        return client

    def _reusable(self) -> SMTP | None:
        idle = asyncio.get_running_loop().time() - self._used_at
        # Routers forget idle connections without a word; what is sent on one then waits in vain.
        if not self.is_open or idle > self._account.idle_timeout:
            self._drop(politely=True)
        return self._client

    async def _connect(self) -> SMTP:
        """Connect, encrypt, greet and log in. Raises EndedError with RELAY where any of it
        fails.
        """
        if self._account.refused_login is not None:
            raise EndedError(self._account.refused_login)
        client = self._client = SMTP(
            hostname=self._account.server.host,
            port=self._account.server.port,
            timeout=self._account.command_timeout,
            use_tls=self._account.server.tls == "always",
            start_tls=self._account.server.tls == "starttls",
            tls_context=self._account.tls_context,
            local_hostname=_own_name(),
        )
        await self._stage(
            f"connecting to {self._account.server.url}", client.connect(), self._judge_relay
        )
        await self._stage("EHLO", client.ehlo(), self._judge_relay)
        if self._account.server.tls == "offered" and client.supports_extension("starttls"):
            await self._stage("STARTTLS", client.starttls(), self._judge_relay)
            await self._stage("EHLO", client.ehlo(), self._judge_relay)
        if self._account.server.user:
            await self._log_in(client)
        return client

    async def _log_in(self, client: SMTP) -> None:
        """Log in by one method, once: trying them all would count as several failures."""
        account = self._account
        method = self._login_method(client)
        secret = await self._fresh_token(account.token) if account.token else account.password
        login = method(account.server.user.encode(), secret.encode())
        try:
            await self._stage("AUTH", login, self._judge_relay)
        except EndedError as ended:
            cause = ended.__cause__
            if isinstance(cause, SMTPAuthenticationError) and cause.code // 100 != 4:
                account.refused_login = replace(ended.receipt, permanent=True)
                raise EndedError(account.refused_login) from cause
            raise

    def _login_method(self, client: SMTP) -> Callable[[bytes, bytes], Awaitable[object]]:
        """The first method that we know and the server offers. Raises EndedError without one."""
        known: dict[str, Callable[[bytes, bytes], Awaitable[object]]] = {
            "plain": client.auth_plain,
            "login": client.auth_login,
            "cram-md5": client.auth_crammd5,
        }
        kind = "a password"
        if self._account.token is not None:
            known, kind = {"xoauth2": client.auth_xoauth2}, "a token (XOAUTH2)"
        for name, method in known.items():
            if name in client.server_auth_methods:
                return method
        offered = " ".join(client.server_auth_methods) or "none"
        reply = f"{self._account.server.url} offers no login with {kind} (offered: {offered})"
        raise EndedError(Receipt(Outcome.RELAY, self._words(reply), permanent=True))

    async def _fresh_token(self, fetch: Callable[[], Awaitable[str]]) -> str:
        """A token for this connection, kept out of all that is said from now on."""
        try:
            token = await fetch()
        except TokenError as error:
            raise EndedError(
                Receipt(Outcome.RELAY, words(str(error)), permanent=error.permanent)
            ) from error
        self._account.secrets.append(token)
        return token

    async def _name_sender(self, client: SMTP, message: Message) -> None:
        """MAIL FROM, with what a server has to know of the message beforehand (RFC 1870, 6531)."""
        url, size = self._account.server.url, len(message.data)
        # With a limit of 0 there is none (RFC 1870).
        limit = client.esmtp_extensions.get("size", "")
        if limit.isascii() and limit.isdecimal() and 0 < int(limit) < size:
            reply = f"the message has {size} bytes, and {url} takes {limit}"
            raise EndedError(Receipt(Outcome.FAILED, reply))
        if message.smtputf8 and not client.supports_extension("smtputf8"):
            reply = f"the address has letters beyond ASCII, and {url} cannot take such"
            raise EndedError(Receipt(Outcome.FAILED, f"{reply} (no SMTPUTF8)"))
        options = [f"SIZE={size}"] if client.supports_extension("size") else []
        options += ["SMTPUTF8"] if message.smtputf8 else []
        sender = client.mail(message.sender, options=options, encoding="utf-8")
        await self._stage("MAIL", sender, self._judge_sender)

    async def _transfer(self, client: SMTP, message: Message) -> Receipt:
        """Send the message itself after 354; from here on it may have been accepted unless the
        server says not.

        Not by `client.data()`, which neither tells 354 from what follows nor spares two passes of
        regular expressions over each message.
        """
        protocol = client.protocol
        try:
            if protocol is None:
                raise SMTPServerDisconnected("Connection lost")
            if protocol._buffer:
                # What comes before the message cannot be about it, and would be taken for its
                # answer.
                return Receipt(
                    Outcome.RELAY, f"{self._account.server.url} answered before it was asked"
                )
            # A dot that begins a line is doubled (RFC 5321 section 4.5.2).
            protocol.write(message.data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
        except SMTPServerDisconnected as error:
            return Receipt(Outcome.RELAY, self._words(f"DATA: {error.message}"))
        try:
            answer = await protocol.read_response(timeout=self._account.data_timeout)
        except (SMTPException, OSError) as error:
            return Receipt(Outcome.UNKNOWN, self._words(f"after the message: {_reason(error)}"))
        if answer.code // 100 in (4, 5):
            return self._judge_data(answer.code, answer.message)
        outcome = Outcome.SENT if answer.code // 100 == 2 else Outcome.UNKNOWN
        return Receipt(outcome, self._words(f"{answer.code} {answer.message}"))

    async def _stage(
        self, name: str, step: Awaitable[T], judge: Callable[[int, str], Receipt]
    ) -> T:
        """Await a step; a refusal is judged by `judge`, and whatever else goes wrong is the relay's
        trouble.
        """
        try:
            return await step
        except SMTPResponseException as error:
            # With 421 a server closes the connection, whatever it was asked (RFC 5321 section 3.8).
            lost = error.code == UNAVAILABLE
            judged = self._judge_relay if lost or error.code // 100 not in (4, 5) else judge
            raise EndedError(judged(error.code, error.message), lost=lost) from error
        except (SMTPException, OSError, ValueError) as error:
            # Without STARTTLS, with a wrong certificate or an impossible name, asking again changes
            # nothing.
            permanent = (
                type(error) is SMTPException
                or isinstance(error, ValueError)
                or ssl.SSLCertVerificationError in (type(error), type(error.__cause__))
            )
            receipt = Receipt(
                Outcome.RELAY, self._words(f"{name}: {_reason(error)}"), permanent=permanent
            )
            raise EndedError(receipt, lost=isinstance(error, SMTPServerDisconnected)) from error

    def _judge_relay(self, code: int, text: str) -> Receipt:
        reply = f"{code} {text}"
        permanent = code // 100 == 5 and fault_of(reply) is not Fault.QUOTA
        return Receipt(Outcome.RELAY, self._words(reply), permanent=permanent)

    def _judge_sender(self, code: int, text: str) -> Receipt:
        is_message = code // 100 == 5 and fault_of(f"{code} {text}") is Fault.MESSAGE
        if code == TOO_LARGE or is_message:
            return Receipt(Outcome.FAILED, self._words(f"{code} {text}"))
        return self._judge_relay(code, text)

    def _judge_recipient(self, code: int, text: str) -> Receipt:
        """Judge a refusal of the recipient; where no cause is named, it is the address."""
        if code in _OUR_FAULT:
            return self._judge_relay(code, text)
        return self._judge(code, text, {Fault.MAILBOX, Fault.ROUTE, Fault.UNKNOWN, Fault.ADDRESS})

    def _judge_data(self, code: int, text: str) -> Receipt:
        """Judge a refusal of the message; an address is blamed only where the server does so."""
        # 454 is a temporary failure of login or TLS (RFC 4954 section 6), whatever the stage.
        if code in (UNAVAILABLE, THROTTLED) or code // 100 not in (4, 5):
            return self._judge_relay(code, text)
        return self._judge(code, text, {Fault.MAILBOX, Fault.ADDRESS})

    def _judge(self, code: int, text: str, blamed: Set[Fault]) -> Receipt:
        """Judge a refusal by what it says; `blamed` are the faults for which the address
        answers.
        """
        reply = self._words(f"{code} {text}")
        fault = fault_of(reply)
        if fault is Fault.QUOTA or (fault is Fault.SENDER and code // 100 == 5):
            # A code names the sender for sure; words may be one reader's server's, passed on, and
            # with growing rests the others lose minutes.
            permanent = fault_of(status_of(reply)) is Fault.SENDER
            return Receipt(Outcome.RELAY, reply, permanent=permanent)
        if code // 100 == 4:
            return Receipt(Outcome.DEFERRED, reply)
        return Receipt(Outcome.FAILED, reply, bounce=fault in blamed, policy=fault is Fault.POLICY)

    def _words(self, text: str) -> str:
        """One line of what the server said; some repeat a password that they refuse."""
        user = self._account.server.user.encode()
        # As it is, and as LOGIN, PLAIN and XOAUTH2 send it: some servers repeat that.
        shapes = list(self._account.secrets)
        for secret in self._account.secrets:
            plain = secret.encode()
            forms = (
                plain,
                b"\0" + user + b"\0" + plain,
                b"user=" + user + b"\x01auth=Bearer " + plain + b"\x01\x01",
            )
            shapes += [base64.b64encode(form).decode() for form in forms]
        return words(masked(text, shapes))

    def _drop(self, *, politely: bool = False) -> None:
        """Let go of the connection without waiting; what is still to be written goes nowhere."""
        client, self._client = self._client, None
        if client is None:
            return
        if politely and client.protocol is not None:
            with contextlib.suppress(SMTPServerDisconnected):
                client.protocol.write(b"QUIT\r\n")
        elif isinstance(client.transport, asyncio.WriteTransport):
            client.transport.abort()
        client.close()


def _reason(error: Exception) -> str:
    """What went wrong in words; of a connection that could not be made, the system's own."""
    cause = error.__cause__ if isinstance(error, SMTPConnectError) else None
    # The numbers of TLS and of the resolver are no errno, and those of the resolver are negative.
    if (
        isinstance(cause, OSError)
        and not isinstance(cause, ssl.SSLError)
        and (cause.errno or 0) > 0
    ):
        return os.strerror(cause.errno or 0)
    return error.message if isinstance(error, SMTPException) else str(error) or type(error).__name__


def _own_name() -> str:
    """The name for EHLO: the machine's where it is a full one, else a literal (RFC 5321 section
    4.1.4).

    No resolver is asked, which could take long and would change nothing for a relay that one logs
    in to.
    """
    name = socket.gethostname()
    return name if re.fullmatch(r"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+", name) else "[127.0.0.1]"
