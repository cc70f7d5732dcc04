"""`digest doctor`: a line for each thing that digests depend on, and what to do where one is not
well.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from digest.cli.base import Command, Context, json_option, pass_context, set_up_logging
from digest.errors import UsageError
from digest.keywords.words import counted
from digest.setup.parts import machine_now
from digest.setup.settings import Survey, survey_settings

if TYPE_CHECKING:
    from digest.setup.doctor.check import Check, Examine

WORDS = {"ok": "ok", "warn": "warning", "fail": "FAILED", "skip": "-"}
COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
WIDTH, STATE_WIDTH, NAME_WIDTH = 80, 8, 16


@click.command(cls=Command, examples=("digest doctor",))
@click.option("--send", "address", metavar="EMAIL", help="Send a test digest to this address, too.")
@json_option
@pass_context
@click.pass_context
def doctor(
    click_context: click.Context, context: Context, address: str | None, as_json: bool
) -> None:
    """Check all that digests depend on, and say what to do: settings, files, arXiv, mail, timer.

    Nothing is changed, and nothing is mailed without --send. The exit code is 0 where no check
    failed (warnings are no failures), 78 where one about a setting or a file did, 75 where only the
    network did, else 1.
    """
    from digest.mail.message import is_mailbox
    from digest.setup.doctor.check import State, exit_code, redacted
    from digest.setup.doctor.masks import secrets_of

    if address is not None and not is_mailbox(address):
        raise UsageError(
            f"--send {address!r} is no mail address", remedy="write it as ada@example.org"
        )
    survey = survey_settings(context.flags)
    secrets = secrets_of(survey)
    set_up_logging(context.verbosity, as_json=context.log_json, secrets=secrets)
    if not as_json and not survey.settings.subscribers.exists() and not survey.settings.db.exists():
        context.echo(
            f"Nothing is set up yet in {survey.settings.home}: begin with 'digest init'.\n"
        )
    checks = []
    for check in (redacted(check, secrets) for check in _made(survey, address)):
        checks.append(check)
        if not as_json:
            _tell(check)
    code = exit_code(checks)
    if as_json:
        context.print_json(
            {"checks": [_as_json(check) for check in checks], "exit_code": int(code)}
        )
    else:
        context.echo()
        context.echo(_summary(Counter(check.state for check in checks)))
        if sum(check.state is State.FAIL for check in checks) > 1:
            context.echo("Mend what failed from the top: what is below may follow from it.")
    click_context.exit(code)


def _made(survey: Survey, address: str | None) -> Iterator[Check]:
    """Make the checks; a test digest goes last, in place of the probe of the mail server."""
    from digest.setup.doctor.check import run_checks
    from digest.setup.doctor.repositories import check_repositories
    from digest.setup.doctor.returns import return_checks
    from digest.setup.doctor.sender import check_mail
    from digest.setup.doctor.trial import SECONDS, check_by_sending

    yield from run_checks(_local(survey))
    away: list[tuple[str, Examine]] = [] if address else [("mail", lambda: check_mail(survey))]
    away.append(("issues", lambda: check_repositories(survey)))
    yield from run_checks([*_arxiv(survey), *away, *return_checks(survey), *_names(survey)])
    if address:
        yield from run_checks(
            [("mail", lambda: check_by_sending(survey, address, machine_now()))],
            seconds=SECONDS + 5,
        )


def _local(survey: Survey) -> list[tuple[str, Examine]]:
    """What can be told without a network."""
    from digest.cli.daily.timer import installed
    from digest.setup.doctor.exposure import check_exposure
    from digest.setup.doctor.files import (
        candidate_homes,
        check_cycle,
        check_database,
        check_disk,
        check_others,
        check_subscribers,
    )
    from digest.setup.doctor.machine import (
        check_caller,
        check_holidays,
        check_last_run,
        check_zones,
    )
    from digest.setup.doctor.settings import check_settings
    from digest.setup.doctor.trial import check_templates
    from digest.setup.exposure import in_workflow

    now = machine_now()

    def others() -> Check:
        homes = candidate_homes(survey, Path.cwd(), [item.home for item in installed()])
        return check_others(survey, homes, now)

    checks: list[tuple[str, Examine]] = [
        ("settings", lambda: check_settings(survey)),
        ("subscribers", lambda: check_subscribers(survey)),
        ("database", lambda: check_database(survey)),
        ("disk", lambda: check_disk(survey)),
        ("timer", lambda: check_caller(survey, installed())),
        ("last run", lambda: check_last_run(survey, now)),
        ("cycle", lambda: check_cycle(survey, now)),
        ("other installs", others),
        ("zone data", lambda: check_zones(now)),
        ("holidays", lambda: check_holidays(now.date(), survey.settings.home)),
    ]
    if in_workflow(os.environ):
        checks.append(("addresses", lambda: check_exposure(survey, os.environ)))
    if survey.values["DIGEST_TEMPLATES"]:
        checks.append(("templates", lambda: check_templates(survey, now)))
    return checks


def _arxiv(survey: Survey) -> list[tuple[str, Examine]]:
    from digest.setup.doctor.network import check_arxiv, check_source

    return [
        ("arXiv", lambda: check_arxiv(survey, machine_now)),
        ("source", lambda: check_source(survey, machine_now())),
    ]


def _names(survey: Survey) -> list[tuple[str, Examine]]:
    """What the sender's domain publishes, where there is such a domain."""
    from digest.setup.doctor.names import asking, check_dkim, check_dmarc, check_spf, make_resolver
    from digest.setup.doctor.sender import sender_domain

    domain = sender_domain(survey)
    if not domain:
        return []
    ask = asking(make_resolver())
    return [
        ("SPF", lambda: check_spf(domain, ask)),
        ("DKIM", lambda: check_dkim(domain, ask)),
        ("DMARC", lambda: check_dmarc(domain, ask)),
    ]


def _tell(check: Check) -> None:
    """One check in a line or a few, aligned; the word says what the colour does."""
    state = f"{WORDS[check.state]:<{STATE_WIDTH}}"
    color = COLORS.get(check.state)
    indent = " " * (STATE_WIDTH + NAME_WIDTH)
    lines = fold(check.found) or [""]
    click.echo(
        click.style(state, fg=color) + f"{check.name:<{NAME_WIDTH}}{lines[0]}", color=_colors()
    )
    rest = [*lines[1:], *fold(f"To do: {check.remedy}" if check.remedy else "")]
    for line in rest:
        click.echo(f"{indent}{line}")


def _colors() -> bool | None:
    """Colours on a terminal only, and not where somebody wants none (no-color.org)."""
    return False if os.environ.get("NO_COLOR") else None


def fold(text: str) -> list[str]:
    """Lines beside the two columns; a path or an address stays whole, to be copied."""
    return textwrap.wrap(
        text, WIDTH - STATE_WIDTH - NAME_WIDTH, break_long_words=False, break_on_hyphens=False
    )


def _summary(counts: Counter[str]) -> str:
    """How many of each, the worst first."""
    warnings = counts["warn"]
    parts = [
        f"{counts['fail']} failed" if counts["fail"] else "",
        f"{counted(warnings, 'warning')}" if warnings else "",
        f"{counts['ok']} ok",
        f"{counts['skip']} not checked" if counts["skip"] else "",
    ]
    return f"{', '.join(filter(None, parts))}."


def _as_json(check: Check) -> dict[str, str]:
    return {
        "name": check.name,
        "state": check.state.value,
        "found": check.found,
        "remedy": check.remedy,
    }
