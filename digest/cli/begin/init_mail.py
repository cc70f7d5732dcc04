"""How mail leaves a new installation: asked for or taken from flags, then tried with a real
message.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import click

from digest.cli.base import Context
from digest.cli.begin.init_ask import ask, ask_secret, one_of
from digest.errors import ConfigError, DigestError, TryLaterError, UsageError
from digest.mail.presets import PRESETS, Preset, find_preset, guess_preset, hint_for, preset_of
from digest.mail.server import Server, read_server
from digest.model import Outcome, Outgoing, Receipt, Rendered
from digest.setup.mail import make_sender, make_transport
from digest.setup.settings import load_settings

PASSWORD, PASSWORD_FILE, TOKEN = (
    "DIGEST_MAIL_PASSWORD",
    "DIGEST_MAIL_PASSWORD_FILE",
    "DIGEST_MAIL_TOKEN_COMMAND",
)
MAIL = (
    "DIGEST_MAIL",
    PASSWORD,
    PASSWORD_FILE,
    TOKEN,
    "DIGEST_MAIL_CA",
    "DIGEST_FROM",
    "DIGEST_CONTACT",
)
"""The settings that init settles, and writes down: what starts the timer's run knows nothing of
this shell."""

NO_LOGIN = "none"


@dataclass(slots=True)
class Plan:
    """How mail is to leave: the settings, by variable, and the provider where one was chosen."""

    values: dict[str, str]
    preset: Preset | None = None

    @property
    def mail(self) -> str:
        """The DIGEST_MAIL setting."""
        return self.values.get("DIGEST_MAIL", "")

    @property
    def server(self) -> Server | None:
        """The SMTP server, where mail goes to one. Raises ConfigError where the setting cannot be
        read.
        """
        scheme, _, rest = self.mail.partition(":")
        return read_server(scheme.lower(), rest) if scheme.lower() in ("smtp", "smtps") else None

    @property
    def lacks_secret(self) -> bool:
        """Whether the server wants a login, and there is neither password nor token."""
        given = any(self.values.get(name) for name in (PASSWORD, PASSWORD_FILE, TOKEN))
        return self.server is not None and bool(self.server.user) and not given

    def fill(self, address: str) -> None:
        """Set what follows from the rest: the sender, and the address to which people write."""
        server = self.server
        login = server.user if server and "@" in server.user else address
        if not self.mail.startswith("maildir:"):
            self.values.setdefault("DIGEST_FROM", f"Digest <{login}>")
        self.values.setdefault("DIGEST_CONTACT", address)


def plan_from_flags(
    known: Mapping[str, str], provider: str | None, address: str
) -> tuple[Plan, list[str]]:
    """The plan without questions, and the flags that are missing for it."""
    plan = Plan({name: known[name] for name in MAIL if known.get(name)})
    if provider and not plan.mail:
        plan.preset = find_preset(provider)
        if plan.preset.scheme_is_smtp and not plan.preset.host:
            return plan, [
                f"--mail smtp://HOST:{plan.preset.port} (the server of --provider {plan.preset.name})"
            ]
        plan.values["DIGEST_MAIL"] = plan.preset.url(address)
    if not plan.mail:
        return plan, ["--provider or --mail"]
    plan.fill(address)
    if plan.lacks_secret:
        return plan, [
            f"--mail-password-file (or {PASSWORD} in the environment, or --mail-token-command)"
        ]
    return plan, []


def ask_plan(
    context: Context, known: Mapping[str, str], provider: str | None, address: str
) -> Plan:
    """Ask for what is not known yet."""
    plan = Plan({name: known[name] for name in MAIL if known.get(name)})
    if plan.mail:
        context.echo(f"Mail leaves by {_without_login(plan)}.")
    else:
        plan.preset = (
            find_preset(provider) if provider else _ask_provider(context, guess_preset(address))
        )
        _ask_server(context, plan, address)
    _ask_secret_if_needed(plan)
    server = plan.server
    if server or plan.mail.startswith("sendmail:"):
        login = server.user if server and "@" in server.user else address
        if "DIGEST_FROM" not in plan.values:
            _ask_sender(plan, f"Digest <{login}>")
    plan.fill(address)
    return plan


def _without_login(plan: Plan) -> str:
    server = plan.server
    return server.url if server else plan.mail


def _ask_provider(context: Context, default: Preset | None) -> Preset:
    context.echo("How is mail to leave?")
    for preset in PRESETS:
        context.echo(f"  {preset.name:13} {preset.title}")
    known = one_of(preset.name for preset in PRESETS)
    return find_preset(ask("Provider", known, default=default.name if default else "folder"))


def _ask_server(context: Context, plan: Plan, address: str) -> None:
    """Ask for server and login of the chosen provider, as far as it leaves them open."""
    preset = plan.preset
    assert preset is not None
    if not preset.scheme_is_smtp:
        plan.values["DIGEST_MAIL"] = preset.url()
        return
    limit = f"; {preset.daily_limit:,} messages a day at most" if preset.daily_limit else ""
    context.echo(f"{preset.title}: step by step in {preset.guide}{limit}.")
    if preset.host:
        plan.values["DIGEST_MAIL"] = preset.url(_ask_login(address))
        return
    url = ask(
        "Server (HOST, HOST:PORT, or smtps://HOST:465)", lambda text: server_url(text, preset)
    )
    plan.values["DIGEST_MAIL"] = url
    if preset.login and not (plan.server and plan.server.user):
        plan.values["DIGEST_MAIL"] = with_login(url, _ask_login(address, f" ({NO_LOGIN}: without)"))


def _ask_login(default: str, remark: str = "") -> str:
    def check(text: str) -> str:
        if not text.isprintable():
            raise UsageError("a login has no control characters")
        return "" if text == NO_LOGIN else text

    return ask(f"Login{remark}", check, default=default)


def _ask_secret_if_needed(plan: Plan) -> None:
    if not plan.lacks_secret:
        return
    preset = plan.preset or preset_of(plan.mail)
    if preset and preset.token:
        command = ask(
            "Command that prints an access token (empty: log in with a password)",
            _command,
            default="",
        )
        if command:
            plan.values[TOKEN] = command
            return
    if preset and preset.host and preset.login:
        click.echo(f"The password is {preset.login}.")
    plan.values[PASSWORD] = ask_secret("Password")


def _command(text: str) -> str:
    from digest.mail.token import read_command

    if text:
        read_command(text)
    return text


def _ask_sender(plan: Plan, default: str) -> None:
    def check(text: str) -> str:
        return load_settings({"DIGEST_FROM": text}, {}).sender

    plan.values["DIGEST_FROM"] = ask("Sender", check, default=default)


def server_url(text: str, preset: Preset) -> str:
    """The DIGEST_MAIL setting for a server as people write it. Raises ConfigError."""
    scheme, rest = "smtp", text
    found = re.match(r"(smtps?)://", text, re.IGNORECASE)
    if found:
        scheme, rest = found[1].lower(), text[found.end() :]
    else:
        place, mark, options = text.partition("?")
        scheme = "smtps" if place.endswith(":465") else scheme
        if not re.search(r":\d+$", place):
            rest = f"{place}:{preset.port}{mark}{options}"
    if not text:
        raise UsageError("a server is needed", remedy="write its name, such as smtp.example.org")
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


def try_out(context: Context, plan: Plan, address: str, now: datetime, *, asking: bool) -> bool:
    """Send a test mail; with a person there, let what is wrong be corrected. Whether it was
    accepted.

    Without a person, raises ConfigError or TryLaterError where it was not.
    """
    while True:
        patience = (
            ""
            if plan.mail.startswith("maildir:")
            else " (a silent server is given up after a minute)"
        )
        context.echo(f"A test mail goes to {address} by {_without_login(plan)}{patience}")
        receipt = _send(context, plan, address, now)
        if receipt.outcome is Outcome.SENT:
            context.echo(f"  accepted: {receipt.reply}")
            return True
        hint = hint_for(plan.mail, receipt.reply)
        if not asking:
            failure = (
                ConfigError
                if receipt.permanent or receipt.outcome is Outcome.FAILED
                else TryLaterError
            )
            raise failure(
                f"the test mail was not accepted ({receipt.reply})",
                remedy=f"{hint + '; ' if hint else ''}nothing was written; --no-test-mail goes on without",
            )
        context.echo(f"  not accepted: {receipt.reply}")
        if hint:
            context.echo(f"  {hint}")
        if not _correct(context, plan, receipt.reply, address):
            return False


def _send(context: Context, plan: Plan, address: str, now: datetime) -> Receipt:
    async def send() -> Receipt:
        settings = load_settings({**context.flags, **plan.values})
        transport = make_transport(settings)
        try:
            from digest.mail.message import assemble, message_id

            sender = make_sender(settings)
            outgoing = Outgoing(
                id=0,
                attempt=1,
                address=address,
                name="",
                message_id=message_id(f"test.{secrets.token_hex(12)}", sender.domain),
                date=now,
                subject="Digest can send you mail",
                pieces=_body(),
            )
            return await transport.send(assemble(outgoing, sender), lambda: None)
        finally:
            await transport.close()

    try:
        return asyncio.run(send())
    except DigestError as error:
        return Receipt(Outcome.RELAY, str(error), permanent=True)


def _body() -> tuple[bytes, ...]:
    from digest.mail.message import freeze

    mark = secrets.token_hex(16)
    words = "This is the test mail of 'digest init': what you set up works, and digests will come this way."
    rendered = Rendered(
        subject="",
        text=f"{words}\n\n-- \n{mark}\n",
        html=f'<!DOCTYPE html>\n<html lang="en">\n<body>\n<p>{words}</p>\n<p>\n{mark}\n</p>\n</body>\n</html>\n',
        mark=mark,
    )
    return freeze(rendered)


CORRECTIONS = {
    "again": "nothing: try once more as it is",
    "password": "the password, or the token command",
    "login": "the name to log in with",
    "ca": "the certificate of a private authority",
    "server": "the provider, and the server",
    "from": "the sender",
    "without": "nothing: go on without a test mail",
}
"""What can be corrected after a test mail that was not accepted."""


def _correct(context: Context, plan: Plan, reply: str, address: str) -> bool:
    """Let one thing be corrected; False: go on without a test mail that was accepted."""
    server = plan.server
    choices = ["again", "server", "from", "without"]
    if server:
        choices[1:1] = ["login", "ca"]
    if server and server.user:
        choices[1:1] = ["password"]
    probable = _probable(reply)
    default = probable if probable in choices else "again"
    context.echo("What is to be corrected?")
    for name in choices:
        context.echo(f"  {name:<9} {CORRECTIONS[name]}")
    choice = ask("Correct", one_of(choices), default=default)
    if choice == "password":
        for name in (PASSWORD_FILE, TOKEN):
            plan.values.pop(name, None)
        plan.values.pop(PASSWORD, None)
        _ask_secret_if_needed(plan)
    elif choice == "login" and server:
        login = _ask_login(server.user or address, f" ({NO_LOGIN}: without)")
        plan.values["DIGEST_MAIL"] = with_login(plan.mail, login)
        _ask_secret_if_needed(plan)
    elif choice == "ca":
        plan.values["DIGEST_MAIL_CA"] = ask("File with the authority's certificate", _certificate)
    elif choice == "server":
        plan.preset = _ask_provider(
            context, plan.preset or preset_of(plan.mail) or find_preset("server")
        )
        _ask_server(context, plan, server.user if server and server.user else address)
        _ask_secret_if_needed(plan)
        if not plan.mail.startswith("maildir:") and "DIGEST_FROM" not in plan.values:
            _ask_sender(plan, f"Digest <{address}>")
    elif choice == "from":
        _ask_sender(plan, plan.values.get("DIGEST_FROM", f"Digest <{address}>"))
    return choice != "without"


def _probable(reply: str) -> str:
    """What is most likely to be corrected."""
    for pattern, choice in (
        (r"certificate", "ca"),
        (r"connecting to|starttls|wrong version", "server"),
        (r"\b53[45]\b|no login with|token", "password"),
        (r"\b530\b", "login"),
        (r"\b55[0-4]\b", "from"),
    ):
        if re.search(pattern, reply, re.IGNORECASE):
            return choice
    return "again"


def _certificate(text: str) -> str:
    """A file with certificates, by its whole path: what is typed here is meant from the current
    folder.
    """
    import ssl

    path = Path(text)
    try:
        path = path.expanduser().absolute()
        ssl.create_default_context().load_verify_locations(cafile=path)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"{path} holds no certificates that can be read", remedy="name a PEM file"
        ) from error
    return str(path)
