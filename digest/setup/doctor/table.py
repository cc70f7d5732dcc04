"""All checks, a row each: what it looks at, which settings must be right for it, and which few
values it is given.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from digest.setup.doctor import mail, names
from digest.setup.doctor.chats import check_chats
from digest.setup.doctor.check import Check, Finding, ok, run_checks
from digest.setup.doctor.files import (
    candidate_homes,
    check_cycle,
    check_database,
    check_disk,
    check_others,
    check_subscribers,
)
from digest.setup.doctor.libraries import (
    check_libraries,
    check_zotero,
    has_libraries,
    zotero_items,
)
from digest.setup.doctor.machine import check_caller, check_holidays, check_last_run, check_zones
from digest.setup.doctor.network import check_arxiv, check_source
from digest.setup.doctor.returns import (
    check_base_url,
    check_bounce,
    check_inbox,
    check_likes,
    check_repositories,
)
from digest.setup.doctor.settings import all_mistakes, check_settings
from digest.setup.doctor.summaries import check_summaries, wants_summaries
from digest.setup.doctor.webhooks import check_webhooks
from digest.setup.exposure import in_workflow, read_unexposed_roster
from digest.setup.settings import Settings, Survey
from digest.setup.subscribers import roster_or_empty
from digest.system.timers.plan import Installed

MAIL = ("DIGEST_MAIL", "DIGEST_FROM")
"""The settings without which mail is not tried; a name stands for all that begin with it."""


def examine(
    survey: Survey,
    find_timers: Callable[[], Sequence[Installed]],
    clock: Callable[[], datetime],
    address: str | None = None,
) -> Iterator[Finding]:
    """Make all checks; with an address, a test digest to it goes last, in place of the probe of the
    mail server.
    """
    wrong = all_mistakes(survey)
    # What is here comes first, since what is asked of others may follow from it.
    yield from run_checks(local_checks(survey, find_timers, clock()), wrong)
    yield from run_checks(remote_checks(survey, clock, probe_mail=address is None), wrong)
    if address is not None:
        sending = Check(
            "mail",
            lambda: mail.check_by_sending(survey.settings, address, clock()),
            MAIL,
            consequence=", so nothing was sent",
        )
        yield from run_checks([sending], wrong, seconds=mail.SEND_SECONDS + 5)


def local_checks(
    survey: Survey, find_timers: Callable[[], Sequence[Installed]], now: datetime
) -> list[Check]:
    """The checks that need no network."""
    s, values = survey.settings, survey.values
    secret = ("DIGEST_SECRET",) if s.subscribers_yaml else ()

    def others() -> Finding:
        homes = candidate_homes(s.home, Path.cwd(), [timer.home for timer in find_timers()])
        return check_others(s.db, _addresses(s), homes, now)

    return [
        Check("settings", lambda: check_settings(survey)),
        Check("subscribers", lambda: check_subscribers(s), ("DIGEST_SUBSCRIBERS", *secret)),
        Check("database", lambda: check_database(s.db, s.subscribers), ("DIGEST_DB",)),
        Check("disk", lambda: check_disk(s.db)),
        Check(
            "libraries",
            lambda: check_libraries(s),
            ("DIGEST_DB", "DIGEST_SUBSCRIBERS", *secret),
            wanted=has_libraries(s),
        ),
        Check("timer", lambda: check_caller(s.home, find_timers())),
        Check("last run", lambda: check_last_run(s.db, now)),
        Check("cycle", lambda: check_cycle(s.db, now)),
        Check("other installs", others),
        Check("zone data", lambda: check_zones(now)),
        Check("likes", lambda: check_likes(s), ("DIGEST_SUBSCRIBERS", *secret)),
        Check("holidays", lambda: check_holidays(now.date(), s.home)),
        Check("addresses", lambda: _check_exposure(s), wanted=in_workflow(os.environ)),
        Check(
            "templates",
            lambda: mail.check_templates(s.templates, s.contact, now),
            ("DIGEST_TEMPLATES",),
            wanted=values["DIGEST_TEMPLATES"],
        ),
    ]


def _addresses(settings: Settings) -> frozenset[str]:
    """The readers by their casefolded addresses; none where they cannot be read."""
    readers = roster_or_empty(settings).subscribers
    return frozenset(reader.email.casefold() for reader in readers)


def _check_exposure(settings: Settings) -> Finding:
    """Whether addresses stay among those who may know them."""
    read_unexposed_roster(settings)
    return ok("none that strangers could see")


def remote_checks(
    survey: Survey, clock: Callable[[], datetime], *, probe_mail: bool
) -> list[Check]:
    """The checks that ask others over the network."""
    s, values = survey.settings, survey.values
    no_api = "DIGEST_ARXIV_API" in survey.mistakes
    domain = mail.sender_domain(s)
    ask = names.asking(names.make_resolver() if domain else None)
    return [
        Check("arXiv", lambda: check_arxiv(s, clock, wrong=no_api)),
        Check(
            "source",
            lambda: check_source(s, clock()),
            wanted="DIGEST_SOURCE" not in survey.mistakes,
        ),
        Check(
            "Zotero",
            lambda: check_zotero(s),
            ("DIGEST_ZOTERO_API", "DIGEST_ZOTERO_KEY"),
            wanted=zotero_items(s),
        ),
        Check(
            "summaries",
            lambda: check_summaries(s, clock()),
            ("DIGEST_LLM_",),
            wanted=wants_summaries(s),
        ),
        Check("mail", lambda: mail.check_mail(s), MAIL, wanted=probe_mail),
        Check("issues", lambda: check_repositories(s)),
        Check("webhooks", lambda: check_webhooks(s)),
        Check("chats", lambda: check_chats(s)),
        Check(
            "inbox",
            lambda: check_inbox(s.inbox, s.inbox_password, s.mail_ca),
            ("DIGEST_INBOX",),
            wanted=values["DIGEST_INBOX"],
        ),
        Check(
            "bounces",
            lambda: check_bounce(s.bounce, s.inbox, s.sender),
            ("DIGEST_BOUNCE",),
            wanted=values["DIGEST_BOUNCE"],
        ),
        Check(
            "web side",
            lambda: check_base_url(s.base_url),
            ("DIGEST_BASE_URL",),
            wanted=values["DIGEST_BASE_URL"],
        ),
        Check("SPF", lambda: names.check_spf(domain, ask), wanted=domain),
        Check("DKIM", lambda: names.check_dkim(domain, ask), wanted=domain),
        Check("DMARC", lambda: names.check_dmarc(domain, ask), wanted=domain),
    ]
