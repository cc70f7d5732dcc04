"""`digest config`: each setting, its value and where that came from, and all that is wrong with
them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context, set_up_logging
from digest.errors import Exit, masked
from digest.setup.doctor.settings import all_mistakes
from digest.setup.masks import secrets_of, shown
from digest.setup.settings import SETTINGS, Survey, survey_settings

WIDTH = 80
NAME_WIDTH = max(len(setting.variable) for setting in SETTINGS) + 2
ORIGIN_WIDTH = len("systemd credential") + 2


@click.command(cls=Command, examples=("digest config",))
@json_option
@pass_context
def config(context: Context, as_json: bool) -> None:
    """Show each setting, its value, and where it came from; passwords are masked.

    What is wrong stands below the setting, and all of it is shown; the exit code is 78 then.
    """
    survey = survey_settings(context.flags)
    secrets = secrets_of(survey.settings)
    # Not by `context.settings`, which ends with the first thing that is wrong.
    set_up_logging(context.verbosity, as_json=context.log_json, secrets=secrets)
    mistakes = {name: masked(str(error), secrets) for name, error in all_mistakes(survey).items()}
    report = _report(survey, mistakes)
    context.show(report, _lines(report), as_json=as_json)
    context.exit(Exit.CONFIG if mistakes else Exit.DONE)


def _report(survey: Survey, mistakes: dict[str, str]) -> dict[str, Any]:
    """Everything that is shown, as plain values."""
    settings = survey.settings
    values = {setting.variable: shown(setting, survey) for setting in SETTINGS}
    return {
        "home": str(settings.home),
        "dotenv": str(survey.dotenv) if survey.dotenv.exists() else None,
        "settings": [
            {
                "variable": variable,
                "value": value,
                "set": bool(value),
                "origin": settings.origins[variable],
                "mistake": mistakes.get(variable, ""),
            }
            for variable, value in values.items()
        ],
        "unknown": [
            {"variable": name, "nearest": near or None} for name, near in settings.unknown.items()
        ],
        # What concerns several settings together.
        "mistakes": [text for name, text in mistakes.items() if name not in values],
    }


def _lines(report: dict[str, Any]) -> Iterator[str]:
    """A line for each setting, the value last, since it may be long."""
    for row in report["settings"]:
        name = f"{row['variable']:<{NAME_WIDTH}}{row['origin']:<{ORIGIN_WIDTH}}"
        yield f"{name}{row['value'] or '(not set)'}".rstrip()
        yield from _complaint(row["mistake"])
    yield ""
    found, home = report["dotenv"], report["home"]
    yield f"The .env file: {found}" if found else f"There is no .env file in {home}."
    for mistake in report["mistakes"]:
        yield from _complaint(mistake)
    for unknown in report["unknown"]:
        near = f": did you mean {unknown['nearest']}?" if unknown["nearest"] else "."
        yield f"{unknown['variable']} is set, and no such setting exists{near}"


def _complaint(mistake: str) -> list[str]:
    """What is wrong, in lines that are indented below what it is about; none where nothing is."""
    text = f"WRONG: {mistake}" if mistake else ""
    return textwrap.wrap(
        text, WIDTH, initial_indent="  ", subsequent_indent="  ", break_long_words=False
    )
