"""`digest doctor`: a line for each thing that digests depend on, and what to do where one is not
well.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from digest.cli.base import Command, Context, json_option, pass_context, set_up_logging
from digest.cli.daily import timer
from digest.errors import UsageError
from digest.keywords.words import counted
from digest.mail.message import is_mailbox
from digest.setup.doctor import exposure, files, machine, names, network, trial
from digest.setup.doctor.check import Check, Examine, State, exit_code, redacted, run_checks
from digest.setup.doctor.masks import secrets_of
from digest.setup.doctor.repositories import check_repositories
from digest.setup.doctor.returns import return_checks
from digest.setup.doctor.sender import check_mail, sender_domain
from digest.setup.doctor.settings import check_settings
from digest.setup.exposure import in_workflow
from digest.setup.parts import machine_now
from digest.setup.settings import Settings, Survey, survey_settings

WORDS = {"ok": "ok", "warn": "warning", "fail": "FAILED", "skip": "-"}
COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
WIDTH, STATE_WIDTH, NAME_WIDTH = 80, 8, 16

Checks = list[tuple[str, Examine]]


@click.command(cls=Command, examples=("digest doctor",))
@click.option("--send", "address", metavar="EMAIL", help="Send a test digest to this address, too.")
@json_option
@pass_context
def doctor(context: Context, address: str | None, as_json: bool) -> None:
    """Check all that digests depend on, and say what to do: settings, files, arXiv, mail, timer.

    Nothing is changed, and nothing is mailed without --send. The exit code is 0 where no check
    failed (warnings are no failures), 78 where one about a setting or a file did, 75 where only the
    network did, else 1.
    """
    if address is not None and not is_mailbox(address):
        raise UsageError(
            f"--send {address!r} is no mail address", remedy="write it as ada@example.org"
        )
    survey = survey_settings(context.flags)
    secrets = secrets_of(survey)
    set_up_logging(context.verbosity, as_json=context.log_json, secrets=secrets)
    if not as_json and not _is_set_up(survey.settings):
        context.echo(
            f"Nothing is set up yet in {survey.settings.home}: begin with 'digest init'.\n"
        )
    checks = []
    for check in _checks(survey, address):
        checks.append(redacted(check, secrets))
        if not as_json:
            _show(checks[-1])
    code, fields = exit_code(checks), ("name", "state", "found", "remedy")
    shown = [{field: getattr(check, field) for field in fields} for check in checks]
    summary = _summary(Counter(check.state for check in checks))
    context.show({"checks": shown, "exit_code": int(code)}, summary, as_json=as_json)
    context.exit(code)


def _is_set_up(settings: Settings) -> bool:
    return settings.subscribers.exists() or settings.db.exists()


def _checks(survey: Survey, address: str | None) -> Iterator[Check]:
    """Make the checks; a test digest goes last, in place of the probe of the mail server."""
    yield from run_checks(_on_this_machine(survey))
    mail: Checks = [] if address else [("mail", lambda: check_mail(survey))]
    yield from run_checks(_over_the_network(survey, mail))
    if address:
        yield from run_checks(
            [("mail", lambda: trial.check_by_sending(survey, address, machine_now()))],
            seconds=trial.SECONDS + 5,
        )


def _on_this_machine(survey: Survey) -> Checks:
    """What can be told without a network."""
    now = machine_now()

    def others() -> Check:
        homes = files.candidate_homes(survey, Path.cwd(), [item.home for item in timer.installed()])
        return files.check_others(survey, homes, now)

    checks: Checks = [
        ("settings", lambda: check_settings(survey)),
        ("subscribers", lambda: files.check_subscribers(survey)),
        ("database", lambda: files.check_database(survey)),
        ("disk", lambda: files.check_disk(survey)),
        ("timer", lambda: machine.check_caller(survey, timer.installed())),
        ("last run", lambda: machine.check_last_run(survey, now)),
        ("cycle", lambda: files.check_cycle(survey, now)),
        ("other installs", others),
        ("zone data", lambda: machine.check_zones(now)),
        ("holidays", lambda: machine.check_holidays(now.date(), survey.settings.home)),
    ]
    if in_workflow(os.environ):
        checks.append(("addresses", lambda: exposure.check_exposure(survey, os.environ)))
    if survey.values["DIGEST_TEMPLATES"]:
        checks.append(("templates", lambda: trial.check_templates(survey, now)))
    return checks


def _over_the_network(survey: Survey, mail: Checks) -> Checks:
    """What others are asked for: arXiv, the mail server, GitHub, and what the sender's domain
    publishes, where there is such a domain.
    """
    checks: Checks = [
        ("arXiv", lambda: network.check_arxiv(survey, machine_now)),
        ("source", lambda: network.check_source(survey, machine_now())),
        *mail,
        ("issues", lambda: check_repositories(survey)),
        *return_checks(survey),
    ]
    domain = sender_domain(survey)
    if domain:
        ask = names.asking(names.make_resolver())
        checks += [
            ("SPF", lambda: names.check_spf(domain, ask)),
            ("DKIM", lambda: names.check_dkim(domain, ask)),
            ("DMARC", lambda: names.check_dmarc(domain, ask)),
        ]
    return checks


def _show(check: Check) -> None:
    """Print one check in a line or a few, aligned; the word says what the colour does."""
    first, *rest = [
        *(_fold(check.found) or [""]),
        *_fold(f"To do: {check.remedy}" if check.remedy else ""),
    ]
    state = click.style(f"{WORDS[check.state]:<{STATE_WIDTH}}", fg=COLORS.get(check.state))
    # Colours on a terminal only, and not where somebody wants none (no-color.org).
    color = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{state}{check.name:<{NAME_WIDTH}}{first}", color=color)
    for line in rest:
        click.echo(f"{'':{STATE_WIDTH + NAME_WIDTH}}{line}")


def _fold(text: str) -> list[str]:
    """Lines beside the two columns; a path or an address stays whole, to be copied."""
    return textwrap.wrap(
        text, WIDTH - STATE_WIDTH - NAME_WIDTH, break_long_words=False, break_on_hyphens=False
    )


def _summary(counts: Counter[State]) -> Iterator[str]:
    """How many of each, the worst first, and where to begin."""
    words = {
        State.FAIL: f"{counts[State.FAIL]} failed",
        State.WARN: counted(counts[State.WARN], "warning"),
        State.OK: f"{counts[State.OK]} ok",
        State.SKIP: f"{counts[State.SKIP]} not checked",
    }
    shown = [text for state, text in words.items() if counts[state] or state is State.OK]
    yield f"\n{', '.join(shown)}."
    if counts[State.FAIL] > 1:
        yield "Mend what failed from the top: what is below may follow from it."
