"""The way of the mail: whether the server lets us in, and what the sender's domain is in DNS."""

from __future__ import annotations

import asyncio
import os
from email.utils import parseaddr
from pathlib import Path

from digest.mail.presets import hint_for
from digest.mail.probe import probe
from digest.model import Outcome, Receipt
from digest.setup.doctor.check import Cause, Finding, fail, first, must_resolve, ok, warn
from digest.setup.mail import make_sender, make_transport, server_of
from digest.setup.settings import Settings

SECONDS = 9.0


def check_mail(settings: Settings) -> Finding:
    """Go all the way to a message, once, and mail nothing: connect, TLS, login, sender; or the
    folder, the program.
    """
    server = server_of(settings.mail)
    if server is None:
        look = _program if settings.mails_for_real else _folder
        return look(Path(make_transport(settings).description.partition(" ")[2]))
    must_resolve(server.host, "is the name right, and the network up?", place=f"{server.url}: ")
    receipt = asyncio.run(_probe(settings))
    if receipt is None:
        how = {"always": "TLS", "starttls": "STARTTLS", "none": "no TLS"}[server.tls]
        login = f", logged in as {server.user}" if server.user else ", no login"
        return ok(f"{server.url} is ready: {how}{login}; nothing was mailed")
    return judged(settings, receipt)


def judged(settings: Settings, receipt: Receipt) -> Finding:
    """What a receipt that is no success means for the settings."""
    place, reply = make_transport(settings).description, receipt.reply
    hint = hint_for(settings.mail, reply)
    return first(
        (
            receipt.outcome is Outcome.RELAY,
            fail(
                f"{place}: {reply}",
                hint or "check DIGEST_MAIL and the network",
                Cause.CONFIG if receipt.permanent else Cause.NETWORK,
            ),
        ),
        (
            receipt.outcome is Outcome.DEFERRED,
            ok(f"{place} lets us in; to the sender's own address it says: {reply}"),
        ),
        (
            True,
            warn(
                f"{place} lets us in, and takes no mail to the sender's own address: {reply}",
                hint or "set DIGEST_FROM to an address that takes mail, or answers get lost",
            ),
        ),
    )


async def _probe(settings: Settings) -> Receipt | None:
    transport = make_transport(settings)
    try:
        async with asyncio.timeout(SECONDS):
            return await probe(transport, make_sender(settings))
    except TimeoutError:
        return Receipt(Outcome.RELAY, f"timed out: no answer in {SECONDS:g} s")
    finally:
        await transport.close()


def _folder(path: Path) -> Finding:
    """A Maildir: writable, or a place where it can be made."""
    if path.is_dir():
        places = (path, *(path / name for name in ("tmp", "new", "cur")))
        closed = [place for place in places if place.exists() and not _writable(place)]
        if closed:
            return fail(
                f"the Maildir {closed[0]} is not writable",
                "mend its rights, or run as its owner",
            )
        return ok(f"the Maildir {path} is writable")
    above = next(parent for parent in path.parents if parent.exists())
    return first(
        (
            path.exists(),
            fail(f"{path} is no folder", "name another with DIGEST_MAIL=maildir:PATH"),
        ),
        (
            not (above.is_dir() and _writable(above)),
            fail(f"the Maildir {path} cannot be made: {above} is not writable", "mend its rights"),
        ),
        (True, ok(f"the first mail makes the Maildir {path}")),
    )


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK)


def _program(path: Path) -> Finding:
    """A sendmail program that can be started; what stands behind it only a mail can tell."""
    if path.is_dir() or not os.access(path, os.X_OK):
        return fail(
            f"there is no program {path}",
            "install a mail system that brings it (msmtp-mta, postfix), "
            "or set DIGEST_MAIL to smtp://…",
        )
    return ok(f"{path} is there; 'digest doctor --send EMAIL' tries it")


def sender_domain(settings: Settings) -> str:
    """The domain of DIGEST_FROM in ASCII, where mail leaves this machine and the domain is a public
    one; or nothing.
    """
    import idna

    domain = parseaddr(settings.sender)[1].rpartition("@")[2].rstrip(".").lower()
    if not settings.mails_for_real or "." not in domain:
        return ""
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return domain
