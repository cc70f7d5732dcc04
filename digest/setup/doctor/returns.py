"""What comes back: whether the mailbox can be read, bounces get there, and the link to leave is
answered.
"""

from __future__ import annotations

from email.utils import parseaddr
from urllib.parse import urlsplit

from digest.mail.mailbox import Mailbox, read_mailbox
from digest.mail.transport import make_tls_context
from digest.setup.doctor.check import Cause, Check, Examine, fail, ok, skip, unresolved, warn
from digest.setup.settings import Survey

TIMEOUT = 8.0
"""Seconds for an answer from the web side."""
PROBE = f"/u/0-{'a' * 20}"
"""A link that leads nowhere, which only `digest serve` says in its own words."""


def return_checks(survey: Survey) -> list[tuple[str, Examine]]:
    """The checks for what is set."""
    checks: list[tuple[str, Examine]] = []
    if survey.values["DIGEST_INBOX"]:
        checks.append(("inbox", lambda: check_inbox(survey)))
    if survey.values["DIGEST_BOUNCE"]:
        checks.append(("bounces", lambda: check_bounce(survey)))
    if survey.values["DIGEST_BASE_URL"]:
        checks.append(("web side", lambda: check_base_url(survey)))
    return checks


def check_inbox(survey: Survey) -> Check:
    """Log in and select the folder; nothing is read or marked. What goes wrong is raised."""
    name, settings = "inbox", survey.settings
    wrong = [v for v in ("DIGEST_INBOX", "DIGEST_INBOX_PASSWORD_FILE") if v in survey.mistakes]
    if wrong:
        return skip(name, f"{wrong[0]} is wrong")
    place = read_mailbox(settings.inbox)
    if trouble := unresolved(place.host):
        return fail(
            name, f"{place.host} is not found ({trouble})", "is the name right?", Cause.NETWORK
        )
    Mailbox(place, settings.inbox_password, tls_context=make_tls_context(settings.mail_ca)).close()
    return ok(name, f"{place.name} can be read")


def check_bounce(survey: Survey) -> Check:
    """Whether bounces come to a mailbox that is read, and from a domain that helps the mail."""
    name, settings = "bounces", survey.settings
    if "DIGEST_BOUNCE" in survey.mistakes:
        return skip(name, "DIGEST_BOUNCE is wrong")
    local, _, domain = settings.bounce.rpartition("@")
    if not settings.inbox:
        return warn(
            name,
            f"bounces go to {settings.bounce}, and nobody reads them",
            "set DIGEST_INBOX to that mailbox, or act on single ones with 'digest inbox MAIL.eml'",
        )
    own = parseaddr(settings.sender)[1].rpartition("@")[2].lower()
    if own and not f".{domain.lower()}".endswith(f".{own}"):
        return warn(
            name,
            f"the bounce address is at {domain}, and mail comes from {own}: SPF is not aligned with the sender",
            f"use an address at {own}, or see that DKIM signs for it",
        )
    return ok(
        name,
        f"each delivery has its own, such as {local}+7-…@{domain}: does the server deliver such to the inbox?",
    )


def check_base_url(survey: Survey) -> Check:
    """Ask for a link that leads nowhere: `digest serve` says so in its own words."""
    import httpx

    name, settings = "web side", survey.settings
    if "DIGEST_BASE_URL" in survey.mistakes:
        return skip(name, "DIGEST_BASE_URL is wrong")
    host = urlsplit(settings.base_url).hostname or ""
    if trouble := unresolved(host):
        return fail(
            name, f"{host} is not found ({trouble})", "every mail leads there", Cause.NETWORK
        )
    try:
        answer = httpx.get(settings.base_url + PROBE, timeout=TIMEOUT)
    except httpx.HTTPError as error:
        found = f"{settings.base_url} does not answer ({type(error).__name__}), and every mail leads there"
        return fail(name, found, "start 'digest serve' behind your web server", Cause.NETWORK)
    if answer.status_code == httpx.codes.NOT_FOUND and "This link leads nowhere" in answer.text:
        return ok(name, f"{settings.base_url} is answered by 'digest serve'")
    found = f"{settings.base_url} is answered by something else (HTTP {answer.status_code}), and every mail leads there"
    return fail(name, found, "pass /u/ on to 'digest serve', or take DIGEST_BASE_URL out")
