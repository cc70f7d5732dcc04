"""`digest config`: each setting, its value and where that came from, and all that is wrong with
them.
"""

from __future__ import annotations

import textwrap
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context, set_up_logging
from digest.errors import ConfigError, Exit
from digest.setup.doctor.masks import MASK, secrets_of, shown
from digest.setup.doctor.settings import all_mistakes
from digest.setup.settings import SETTINGS, Survey, survey_settings

WIDTH = 80
NAME_WIDTH = max(len(setting.variable) for setting in SETTINGS) + 2
ORIGIN_WIDTH = len("systemd credential") + 2


@click.command(cls=Command, examples=("digest config",))
@json_option
@pass_context
@click.pass_context
def config(click_context: click.Context, context: Context, as_json: bool) -> None:
    """Show each setting, its value, and where it came from; passwords are masked.

    What is wrong stands below the setting, and all of it is shown; the exit code is 78 then.
    """
    survey = survey_settings(context.flags)
    secrets = secrets_of(survey.settings)
    set_up_logging(context.verbosity, as_json=context.log_json, secrets=secrets)
    mistakes = all_mistakes(survey)
    report = _report(survey, mistakes, secrets)
    if as_json:
        context.print_json(report)
    else:
        _tell(context, report)
    click_context.exit(Exit.CONFIG if mistakes else Exit.DONE)


def _report(
    survey: Survey, mistakes: dict[str, ConfigError], secrets: tuple[str, ...]
) -> dict[str, Any]:
    """Everything that is shown, as plain values."""

    def told(error: ConfigError | None) -> str:
        text = str(error) if error else ""
        for secret in secrets:
            text = text.replace(secret, MASK)
        return text

    rows = []
    for setting in SETTINGS:
        value = shown(setting, survey)
        rows.append(
            {
                "variable": setting.variable,
                "value": value,
                "set": bool(value),
                "origin": survey.settings.origins[setting.variable],
                "mistake": told(mistakes.get(setting.variable)),
            }
        )
    variables = {setting.variable for setting in SETTINGS}
    return {
        "home": str(survey.settings.home),
        "dotenv": str(survey.dotenv) if survey.dotenv.exists() else None,
        "settings": rows,
        "unknown": [
            {"variable": name, "nearest": near or None}
            for name, near in survey.settings.unknown.items()
        ],
        "mistakes": [told(error) for name, error in mistakes.items() if name not in variables],
    }


def _tell(context: Context, report: dict[str, Any]) -> None:
    """A line for each setting, the value last, since it may be long."""
    for row in report["settings"]:
        value = row["value"] or "(not set)"
        context.echo(
            f"{row['variable']:<{NAME_WIDTH}}{row['origin']:<{ORIGIN_WIDTH}}{value}".rstrip()
        )
        if row["mistake"]:
            _complain(context, row["mistake"])
    context.echo()
    found = report["dotenv"]
    context.echo(
        f"The .env file: {found}" if found else f"There is no .env file in {report['home']}."
    )
    for mistake in report["mistakes"]:
        _complain(context, mistake)
    for unknown in report["unknown"]:
        near = f": did you mean {unknown['nearest']}?" if unknown["nearest"] else "."
        context.echo(f"{unknown['variable']} is set, and no such setting exists{near}")


def _complain(context: Context, mistake: str) -> None:
    lines = textwrap.wrap(
        f"WRONG: {mistake}",
        WIDTH,
        initial_indent="  ",
        subsequent_indent="  ",
        break_long_words=False,
    )
    for line in lines:
        context.echo(line)
