"""The way of the mail: whether the server lets us in, and what the sender's domain says in DNS."""

from __future__ import annotations

import asyncio
import os
import re
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING

from digest.setup.doctor.check import Cause, Check, fail, ok, skip, unresolved, warn
from digest.setup.doctor.settings import all_mistakes, read_server_of
from digest.setup.mail import make_sender, make_transport
from digest.setup.settings import Settings, Survey

if TYPE_CHECKING:
    from digest.model import Receipt

NAME = "mail"
SECONDS = 9.0
_MAIL_SETTINGS = re.compile("DIGEST_(MAIL|FROM)")


def mail_is_wrong(survey: Survey) -> str:
    """The setting that keeps mail from being tried at all, or nothing."""
    return next((name for name in all_mistakes(survey) if _MAIL_SETTINGS.match(name)), "")


def check_mail(survey: Survey) -> Check:
    """Go all the way to a message, once, and mail nothing: connect, TLS, login, sender; or the
    folder, the program.
    """
    settings = survey.settings
    if wrong := mail_is_wrong(survey):
        return skip(NAME, f"{wrong} is wrong")
    server = read_server_of(settings)
    if server is None:
        return _folder(settings) if not settings.mails_for_real else _program(settings)
    if trouble := unresolved(server.host):
        found = f"{server.url}: {server.host} is not found ({trouble})"
        return fail(NAME, found, "is the name right, and the network up?", Cause.NETWORK)
    receipt = asyncio.run(_probe(settings))
    if receipt is None:
        how = {"always": "TLS", "starttls": "STARTTLS", "none": "no TLS"}[server.tls]
        login = f", logged in as {server.user}" if server.user else ", no login"
        return ok(NAME, f"{server.url} is ready: {how}{login}; nothing was mailed")
    return judged(settings, receipt)


def judged(settings: Settings, receipt: Receipt) -> Check:
    """What a receipt that is no success means for the settings."""
    from digest.mail.presets import hint_for
    from digest.model import Outcome

    place = make_transport(settings).description
    found = f"{place}: {receipt.reply}"
    hint = hint_for(settings.mail, receipt.reply)
    if receipt.outcome is Outcome.RELAY:
        cause = Cause.CONFIG if receipt.permanent else Cause.NETWORK
        return fail(NAME, found, hint or "check DIGEST_MAIL and the network", cause)
    if receipt.outcome is Outcome.DEFERRED:
        return ok(NAME, f"{place} lets us in; to the sender's own address it says: {receipt.reply}")
    return warn(
        NAME,
        f"{place} lets us in, and takes no mail to the sender's own address: {receipt.reply}",
        hint or "set DIGEST_FROM to an address that takes mail, or answers get lost",
    )


async def _probe(settings: Settings) -> Receipt | None:
    from digest.mail.probe import probe
    from digest.model import Outcome, Receipt

    transport = make_transport(settings)
    try:
        async with asyncio.timeout(SECONDS):
            return await probe(transport, make_sender(settings))
    except TimeoutError:
        return Receipt(Outcome.RELAY, f"timed out: no answer in {SECONDS:g} s")
    finally:
        await transport.close()


def _folder(settings: Settings) -> Check:
    """A Maildir: writable, or a place where it can be made."""
    path = Path(make_transport(settings).description.removeprefix("Maildir "))
    if path.is_dir():
        closed = [
            p
            for p in (path, *map(path.joinpath, ("tmp", "new", "cur")))
            if p.exists() and not _writable(p)
        ]
        if closed:
            return fail(
                NAME,
                f"the Maildir {closed[0]} is not writable",
                "mend its rights, or run as its owner",
            )
        return ok(NAME, f"the Maildir {path} is writable")
    if path.exists():
        return fail(NAME, f"{path} is no folder", "name another with DIGEST_MAIL=maildir:PATH")
    above = next(parent for parent in path.parents if parent.exists())
    if not (above.is_dir() and _writable(above)):
        return fail(
            NAME, f"the Maildir {path} cannot be made: {above} is not writable", "mend its rights"
        )
    return ok(NAME, f"the first mail makes the Maildir {path}")


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _program(settings: Settings) -> Check:
    """A sendmail program that can be started; what stands behind it only a mail can tell."""
    path = Path(make_transport(settings).description.removeprefix("sendmail "))
    if path.is_dir() or not os.access(path, os.X_OK):
        return fail(
            NAME,
            f"there is no program {path}",
            "install a mail system that brings it (msmtp-mta, postfix), or set DIGEST_MAIL to smtp://…",
        )
    return ok(NAME, f"{path} is there; 'digest doctor --send EMAIL' tries it")


def sender_domain(survey: Survey) -> str:
    """The domain of DIGEST_FROM in ASCII, where mail leaves this machine and the domain is a public
    one; or nothing.
    """
    import idna

    settings = survey.settings
    if not settings.mails_for_real or "DIGEST_FROM" in survey.mistakes:
        return ""
    domain = parseaddr(settings.sender)[1].rpartition("@")[2].rstrip(".").lower()
    if "." not in domain:
        return ""
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain
