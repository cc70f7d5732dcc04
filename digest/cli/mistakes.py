"""A command that was typed wrongly, in one line that says what was meant or where to look."""

from __future__ import annotations

import difflib
import re

import click

from digest.errors import one_line

_NO_COMMAND = re.compile(r"No such command '")


def words_of(error: click.ClickException) -> str:
    """What is wrong with a command line, in our words where click's would not say what to do."""
    where = (
        f"{error.ctx.command_path} --help"
        if isinstance(error, click.UsageError) and error.ctx
        else "--help"
    )
    match error:
        case click.NoSuchOption():
            return _unknown_option(error)
        case click.UsageError(ctx=click.Context(command=click.Group() as group) as ctx) if (
            _NO_COMMAND.match(error.message)
        ):
            return _unknown_command(
                ctx.command_path, error.message.split("'")[1], group.list_commands(ctx)
            )
        case click.MissingParameter(param=click.Argument() as argument):
            return f"{argument.make_metavar(error.ctx or click.Context(click.Command(None)))} is missing: see '{where}'"
        case click.BadParameter(param=click.Argument()):
            return error.message.rstrip(".")
        case click.BadParameter(param=click.Option() as option):
            return f"{max(option.opts, key=len)}: {error.message.rstrip('.')}"
        case click.BadOptionUsage() if "requires an argument" in error.message:
            return f"{error.option_name} needs a value: --help tells which"  # click gives no context here
        case click.UsageError() if "unexpected extra argument" in error.message:
            return f"{error.message[0].lower()}{error.message[1:]}: see '{where}'"
    return one_line(error.format_message())


def _unknown_command(path: str, name: str, names: list[str]) -> str:
    """A command that does not exist, with another where that is near; `path` is what stands before
    it.
    """
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean '{path} {near[0]}'?" if near else f"'{path} --help' lists the commands"
    return f"there is no command {name!r}: {hint}"


def _unknown_option(error: click.NoSuchOption) -> str:
    """An unknown flag, with another only where that is really near, or with the field of that
    name.
    """
    name = error.option_name
    if error.ctx and any("FIELD=VALUE" in str(p.metavar) for p in error.ctx.command.params):
        return f"there is no flag {name}: a field is written without dashes, such as at=07:00"
    near = difflib.get_close_matches(name, error.possibilities or (), n=1, cutoff=0.75)
    return f"there is no flag {name}: {f'did you mean {near[0]}?' if near else '--help lists the flags'}"
