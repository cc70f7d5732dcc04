"""An error in the words that a person reads: what is wrong, and what was meant or where to look."""

from __future__ import annotations

import difflib
import re

import click

from digest.errors import DigestError, Exit, QueryError, one_line

_NO_COMMAND = re.compile(r"No such command '([^']*)'")


def explain(error: Exception) -> tuple[str, int]:
    """What ended the program, and its exit code."""
    match error:
        case QueryError():
            return with_caret(error), error.exit_code
        case DigestError():
            return str(error), error.exit_code
        case click.ClickException():
            return usage_error_words(error), Exit.USAGE
        case click.Abort():
            return "stopped", 130  # as a shell has it: 128 and the number of SIGINT
    what = f"{type(error).__name__}: {one_line(str(error))}"
    return (
        f"an error of the program itself ({what}): please report it with what --debug shows",
        Exit.GIVEN_UP,
    )


def with_caret(error: QueryError) -> str:
    """A keyword's mistake, with the keyword and a caret under the place at fault."""
    from digest.subscribers.problems import excerpt

    if not error.text.strip():
        return str(error)
    source, caret = excerpt(error.text, error.position)
    return f"{error}\n  {source}\n  {' ' * caret}^"


def usage_error_words(error: click.ClickException) -> str:
    """What is wrong with a command line, in our words where click's would not say what to do."""
    context: click.Context | None = getattr(error, "ctx", None)
    see = f"see '{context.command_path} --help'" if context else "see '--help'"
    match error:
        case click.NoSuchOption():
            return _unknown_option(error)
        case click.MissingParameter(param=click.Argument() as argument):
            name = argument.make_metavar(context or click.Context(click.Command(None)))
            return f"{name} is missing: {see}"
        case click.BadParameter(param=click.Argument()):
            return error.message.rstrip(".")
        case click.BadParameter(param=click.Option() as option):
            return f"{max(option.opts, key=len)}: {error.message.rstrip('.')}"
        case click.BadOptionUsage() if "requires an argument" in error.message:
            # click gives this error no context, so the command cannot be named
            return f"{error.option_name} needs a value: --help tells which"
        case click.UsageError() if "unexpected extra argument" in error.message:
            return f"{error.message[0].lower()}{error.message[1:]}: {see}"
    return _unknown_command(error.message, context) or one_line(error.format_message())


def _unknown_command(message: str, context: click.Context | None) -> str:
    """A command that does not exist, with another where that is near; else nothing."""
    found = _NO_COMMAND.match(message)
    if not found or not context or not isinstance(context.command, click.Group):
        return ""
    path = context.command_path
    near = difflib.get_close_matches(found[1], context.command.list_commands(context), n=1)
    hint = f"did you mean '{path} {near[0]}'?" if near else f"'{path} --help' lists the commands"
    return f"there is no command {found[1]!r}: {hint}"


def _unknown_option(error: click.NoSuchOption) -> str:
    """An unknown flag, with another only where that is really near, or with the field of that
    name.
    """
    name = error.option_name
    if error.ctx and any("FIELD=VALUE" in str(p.metavar) for p in error.ctx.command.params):
        return f"there is no flag {name}: a field is written without dashes, such as at=07:00"
    # Flags share so many letters (--no-timer, --no-test-mail) that a far guess would mislead.
    near = difflib.get_close_matches(name, error.possibilities or (), n=1, cutoff=0.75)
    hint = f"did you mean {near[0]}?" if near else "--help lists the flags"
    return f"there is no flag {name}: {hint}"
