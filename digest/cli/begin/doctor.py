"""`digest doctor`: a line for each thing that digests depend on, and what to do where one is not
well.
"""

from __future__ import annotations

import os
import textwrap
from collections import Counter
from collections.abc import Iterator

import click

from digest.cli.base import Command, Context, json_option, pass_context, set_up_logging
from digest.cli.daily import timer
from digest.errors import UsageError
from digest.keywords.words import counted
from digest.mail.message import is_mailbox
from digest.setup.doctor.check import Finding, Level, exit_code, redacted
from digest.setup.masks import secrets_of
from digest.setup.parts import machine_now
from digest.setup.settings import Settings, survey_settings

WORDS = {"ok": "ok", "warn": "warning", "fail": "FAILED", "skip": "-"}
COLORS = {"ok": "green", "warn": "yellow", "fail": "red"}
WIDTH, STATE_WIDTH, NAME_WIDTH = 80, 8, 16


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
    # What asks arXiv and the mail server takes a second to import, and the help does not need it.
    from digest.setup.doctor.table import examine

    survey = survey_settings(context.flags)
    secrets = secrets_of(survey.settings)
    set_up_logging(context.verbosity, as_json=context.log_json, secrets=secrets)
    if not as_json and not _is_set_up(survey.settings):
        context.echo(
            f"Nothing is set up yet in {survey.settings.home}: begin with 'digest init'.\n"
        )
    # Each is shown as soon as it is known: a network that hangs takes ten seconds and more.
    findings = []
    for finding in examine(survey, timer.installed, machine_now, address):
        findings.append(redacted(finding, secrets))
        if not as_json:
            _show(findings[-1])
    code = exit_code(findings)
    shown = [
        {"name": each.name, "state": each.level, "found": each.found, "remedy": each.remedy}
        for each in findings
    ]
    summary = _summary(Counter(each.level for each in findings))
    context.show({"checks": shown, "exit_code": int(code)}, summary, as_json=as_json)
    context.exit(code)


def _is_set_up(settings: Settings) -> bool:
    return settings.subscribers.exists() or settings.db.exists()


def _show(finding: Finding) -> None:
    """Print one check in a line or a few, aligned; the word says what the colour does."""
    first, *rest = [
        *(_fold(finding.found) or [""]),
        *_fold(f"To do: {finding.remedy}" if finding.remedy else ""),
    ]
    state = click.style(f"{WORDS[finding.level]:<{STATE_WIDTH}}", fg=COLORS.get(finding.level))
    # Colours on a terminal only, and not where somebody wants none (no-color.org).
    color = False if os.environ.get("NO_COLOR") else None
    click.echo(f"{state}{finding.name:<{NAME_WIDTH}}{first}", color=color)
    for line in rest:
        click.echo(f"{'':{STATE_WIDTH + NAME_WIDTH}}{line}")


def _fold(text: str) -> list[str]:
    """Lines beside the two columns; a path or an address stays whole, to be copied."""
    return textwrap.wrap(
        text, WIDTH - STATE_WIDTH - NAME_WIDTH, break_long_words=False, break_on_hyphens=False
    )


def _summary(counts: Counter[Level]) -> Iterator[str]:
    """How many of each, the worst first, and where to begin."""
    words = {
        Level.FAIL: f"{counts[Level.FAIL]} failed",
        Level.WARN: counted(counts[Level.WARN], "warning"),
        Level.OK: f"{counts[Level.OK]} ok",
        Level.SKIP: f"{counts[Level.SKIP]} not checked",
    }
    shown = [text for state, text in words.items() if counts[state] or state is Level.OK]
    yield f"\n{', '.join(shown)}."
    if counts[Level.FAIL] > 1:
        yield "Mend what failed from the top: what is below may follow from it."
