"""How mail leaves a new installation: asked for or taken from flags, then tried with a real
message.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from urllib.parse import quote

import click

from digest.cli.begin.init_ask import ask, ask_secret, one_of
from digest.errors import ConfigError, DigestError, TryLaterError, UsageError
from digest.mail.body import freeze
from digest.mail.oauth import read_command
from digest.mail.presets import (
    PRESETS,
    Preset,
    check_issued,
    find_preset,
    guess_preset,
    hint_for,
    preset_of,
)
from digest.mail.server import Server, read_server
from digest.model import Outcome, Receipt, Rendered
from digest.setup.mail import send_alone
from digest.setup.settings import load_settings

MAIL, PASSWORD, PASSWORD_FILE, TOKEN, CA, FROM, CONTACT = SETTINGS_OF_MAIL = (
    "DIGEST_MAIL",
    "DIGEST_MAIL_PASSWORD",
    "DIGEST_MAIL_PASSWORD_FILE",
    "DIGEST_MAIL_TOKEN_COMMAND",
    "DIGEST_MAIL_CA",
    "DIGEST_FROM",
    "DIGEST_CONTACT",
)
"""The settings that init makes, and writes down: what starts the timer's run knows nothing of this
shell."""

NO_LOGIN = "none"
OR_NO_LOGIN = f" ({NO_LOGIN}: without)"


@dataclass(slots=True)
class MailSetup:
    """The way by which mail is to leave: the settings, by variable, the address that gets the first
    digest, and the provider where one was chosen.
    """

    values: dict[str, str]
    address: str
    preset: Preset | None = None

    @property
    def mail(self) -> str:
        """The DIGEST_MAIL setting."""
        return self.values.get(MAIL, "")

    @property
    def leaves(self) -> bool:
        """Whether mail leaves this machine's files."""
        return not self.mail.startswith("maildir:")

    @property
    def server(self) -> Server | None:
        """The SMTP server, where mail goes to one. Raises ConfigError where the setting cannot be
        read.
        """
        scheme, _, rest = self.mail.partition(":")
        return read_server(scheme.lower(), rest) if scheme.lower() in ("smtp", "smtps") else None

    @property
    def login(self) -> str:
        """The name to log in with; nothing where the server wants none."""
        return self.server.user if self.server else ""

    @property
    def place(self) -> str:
        """The server or folder to which mail goes, without the login."""
        return self.server.url if self.server else self.mail

    @property
    def sender(self) -> str:
        """The sender that is set, or else follows from the login."""
        return self.values.get(
            FROM, f"Digest <{self.login if '@' in self.login else self.address}>"
        )

    @property
    def lacks_secret(self) -> bool:
        """Whether the server wants a login, and there is neither password nor token."""
        given = any(self.values.get(name) for name in (PASSWORD, PASSWORD_FILE, TOKEN))
        return bool(self.login) and not given

    def fill(self) -> None:
        """Set what follows from the rest: the sender, and the address to which people write."""
        if self.leaves:
            self.values[FROM] = self.sender
        self.values.setdefault(CONTACT, self.address)

    def take(self, provider: Preset | None) -> list[str]:
        """Set it up without questions; returns the flags that are missing for it."""
        if not self.mail and not provider:
            return ["--provider or --mail"]
        if not self.mail and provider:
            if provider.scheme_is_smtp and not provider.host:
                server = f"the server of --provider {provider.name}"
                return [f"--mail smtp://HOST:{provider.port} ({server})"]
            self.values[MAIL] = provider.url(self.address)
        self.fill()
        others = f"or {PASSWORD} in the environment, or --mail-token-command"
        return [f"--mail-password-file ({others})"] if self.lacks_secret else []

    def ask(self, provider: Preset | None) -> None:
        """Ask for what is not known yet."""
        if self.mail:
            click.echo(f"Mail leaves by {self.place}.")
            self.ask_secret()
        else:
            guess = guess_preset(self.address)
            self.ask_server(provider or ask_provider(guess), self.address)
        self.ask_missing_sender()
        self.fill()

    def ask_server(self, preset: Preset, login: str) -> None:
        """Ask for server and login of a provider, as far as it leaves them open; `login` is the
        default.
        """
        self.preset = preset
        if not preset.scheme_is_smtp:
            self.values[MAIL] = preset.url()
            return
        limit = f"; {preset.daily_limit:,} messages a day at most" if preset.daily_limit else ""
        click.echo(f"{preset.title}: step by step in {preset.guide}{limit}.")
        if preset.host:
            self.values[MAIL] = preset.url(ask_login(login))
        else:
            question = "Server (HOST, HOST:PORT, or smtps://HOST:465)"
            self.values[MAIL] = ask(question, lambda text: server_url(text, preset))
            if preset.login and not self.login:
                self.values[MAIL] = with_login(self.mail, ask_login(login, OR_NO_LOGIN))
        self.ask_secret()

    def ask_secret(self) -> None:
        """Ask for a token command or a password, where one is needed and not known."""
        if not self.lacks_secret:
            return
        preset = self.preset or preset_of(self.mail)
        # Providers of this kind take no password, or soon none; the command is offered first.
        if preset and preset.token:
            question = "Command that prints an access token (empty: log in with a password)"
            if command := ask(question, _command, default=""):
                self.values[TOKEN] = command
                return
        if preset and preset.host and preset.login:
            click.echo(f"The password is {preset.login}.")
        self.values[PASSWORD] = ask_secret("Password", partial(check_issued, self.mail))

    def check_password(self, flags: Mapping[str, str]) -> None:
        """Raise ConfigError where the provider cannot have issued the password. `flags` are the
        other settings that were given.
        """
        settings = load_settings({**flags, **self.values})
        if self.login and settings.mail_password and not settings.mail_token_command:
            check_issued(self.mail, settings.mail_password)

    def ask_sender(self) -> None:
        """Ask for the sender."""
        self.values[FROM] = ask("Sender", _sender, default=self.sender)

    def ask_missing_sender(self) -> None:
        """Ask for the sender where mail leaves and none is known."""
        if self.leaves and FROM not in self.values:
            self.ask_sender()

    def correct_secret(self) -> None:
        """Ask for another password or token command."""
        # Of several that are set one goes before the other: the new one must be alone.
        for name in (PASSWORD, PASSWORD_FILE, TOKEN):
            self.values.pop(name, None)
        self.ask_secret()

    def correct_login(self) -> None:
        """Ask for another login."""
        login = ask_login(self.login or self.address, OR_NO_LOGIN)
        self.values[MAIL] = with_login(self.mail, login)
        self.ask_secret()

    def correct_server(self) -> None:
        """Ask for another provider or server."""
        known = self.preset or preset_of(self.mail) or find_preset("server")
        self.ask_server(ask_provider(known), self.login or self.address)
        self.ask_missing_sender()

    def correct_authority(self) -> None:
        """Ask for the certificate of a private authority."""
        self.values[CA] = ask("File with the authority's certificate", _certificate)


CORRECTIONS: dict[str, tuple[str, Callable[[MailSetup], None]]] = {
    "again": ("nothing: try once more as it is", lambda _setup: None),
    "password": ("the password, or the token command", MailSetup.correct_secret),
    "login": ("the name to log in with", MailSetup.correct_login),
    "ca": ("the certificate of a private authority", MailSetup.correct_authority),
    "server": ("the provider, and the server", MailSetup.correct_server),
    "from": ("the sender", MailSetup.ask_sender),
    "without": ("nothing: go on without a test mail", lambda _setup: None),
}
"""The answers that can be corrected after a refused test mail, and how."""

PROBABLE = {
    r"certificate": "ca",
    r"connecting to|starttls|wrong version": "server",
    r"\b53[45]\b|no login with|token": "password",
    r"\b530\b": "login",
    r"\b55[0-4]\b": "from",
}
"""The answer most likely to be wrong, by words of the reply; the first match counts."""


def try_out(setup: MailSetup, flags: Mapping[str, str], now: datetime, *, asking: bool) -> bool:
    """Send a test mail; with a person there, let what is wrong be corrected. Whether it was
    accepted.

    `flags` are the other settings that were given. Without a person, raises ConfigError or
    TryLaterError where it was not.
    """
    while True:
        patience = " (a silent server is given up after a minute)" if setup.leaves else ""
        click.echo(f"A test mail goes to {setup.address} by {setup.place}{patience}")
        receipt = _send({**flags, **setup.values}, setup.address, now)
        if receipt.outcome is Outcome.SENT:
            click.echo(f"  accepted: {receipt.reply}")
            return True
        hint = hint_for(setup.mail, receipt.reply)
        if not asking:
            final = receipt.permanent or receipt.outcome is Outcome.FAILED
            advice = "nothing was written; --no-test-mail goes on without"
            raise (ConfigError if final else TryLaterError)(
                f"the test mail was not accepted ({receipt.reply})",
                remedy=f"{hint}; {advice}" if hint else advice,
            )
        for line in filter(None, (f"not accepted: {receipt.reply}", hint)):
            click.echo(f"  {line}")
        if not _correct(setup, receipt.reply):
            return False


def _correct(setup: MailSetup, reply: str) -> bool:
    """Let one thing be corrected; False: go on without a test mail that was accepted."""
    possible = {"password": setup.login, "login": setup.server, "ca": setup.server}
    choices = {name: how for name, how in CORRECTIONS.items() if possible.get(name, True)}
    found = (name for words, name in PROBABLE.items() if re.search(words, reply, re.IGNORECASE))
    probable = next(found, "again")
    click.echo("What is to be corrected?")
    for name, (what, _) in choices.items():
        click.echo(f"  {name:<9} {what}")
    default = probable if probable in choices else "again"
    choice = ask("Correct", one_of(choices), default=default)
    choices[choice][1](setup)
    return choice != "without"


def _send(flags: Mapping[str, str], address: str, now: datetime) -> Receipt:
    try:
        subject = "Digest can send you mail"
        return asyncio.run(send_alone(load_settings(flags), address, subject, _body(), now))
    except DigestError as error:
        # A setting that cannot be used is corrected in the same way as what a server refuses.
        return Receipt(Outcome.RELAY, str(error), permanent=True)


def _body() -> tuple[bytes, ...]:
    mark = secrets.token_hex(16)
    words = (
        "This is the test mail of 'digest init': what you set up works, and digests will come"
        " this way."
    )
    html = (
        '<!DOCTYPE html>\n<html lang="en">\n<body>\n'
        f"<p>{words}</p>\n<p>\n{mark}\n</p>\n</body>\n</html>\n"
    )
    return freeze(Rendered(subject="", text=f"{words}\n\n-- \n{mark}\n", html=html, mark=mark))


def ask_provider(default: Preset | None) -> Preset:
    """Ask how mail is to leave."""
    click.echo("How is mail to leave?")
    for preset in PRESETS:
        click.echo(f"  {preset.name:13} {preset.title}")
    known = one_of(preset.name for preset in PRESETS)
    return find_preset(ask("Provider", known, default=default.name if default else "folder"))


def ask_login(default: str, remark: str = "") -> str:
    """Ask for the name to log in with; nothing: log in with none."""
    return ask(f"Login{remark}", _login, default=default)


def server_url(text: str, preset: Preset) -> str:
    """The DIGEST_MAIL setting for a server as people write it. Raises ConfigError."""
    if not text:
        raise UsageError("a server is needed", remedy="write its name, such as smtp.example.org")
    if found := re.match(r"(smtps?)://", text, re.IGNORECASE):
        scheme, rest = found[1].lower(), text[found.end() :]
    else:
        place, mark, options = text.partition("?")
        scheme = "smtps" if place.endswith(":465") else "smtp"
        port = "" if re.search(r":\d+$", place) else f":{preset.port}"
        rest = f"{place}{port}{mark}{options}"
    # Raises what is wrong with it, also a password that was typed into it.
    read_server(scheme, f"//{rest}")
    return f"{scheme}://{rest}"


def with_login(url: str, login: str) -> str:
    """The same setting with this login, or without one. Raises ConfigError where that would be
    unsafe.
    """
    scheme, _, rest = url.partition("://")
    user = f"{quote(login, safe='@.+-_')}@" if login else ""
    rest = user + rest.rpartition("@")[2]
    read_server(scheme, f"//{rest}")
    return f"{scheme}://{rest}"


# What an answer must be; the value comes back, an error of ours says what is wrong.


def _login(text: str) -> str:
    if not text.isprintable():
        raise UsageError("a login has no control characters")
    return "" if text == NO_LOGIN else text


def _command(text: str) -> str:
    if text:
        read_command(text)
    return text


def _sender(text: str) -> str:
    return load_settings({FROM: text}, {}).sender


def _certificate(text: str) -> str:
    """A file with certificates, by its whole path: what is typed here is meant from the current
    folder.
    """
    path = Path(text)
    try:
        # Loaded into a context that is thrown away: this is how the test mail will read it.
        path = path.expanduser().absolute()
        ssl.create_default_context().load_verify_locations(cafile=path)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{path} holds no certificates that can be read", remedy="name a PEM file"
        ) from error
    return str(path)
