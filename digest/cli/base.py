"""Parts of all commands: the settings' flags, the clock that --now sets, output and logging."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import click

from digest.errors import UsageError, masked
from digest.model import Mistake
from digest.setup.masks import secrets_of
from digest.setup.settings import IN_PLACE, SETTINGS, Settings, load_settings
from digest.times import from_text

if TYPE_CHECKING:
    from digest.subscribers.transaction import Edit

V = TypeVar("V")
MOST_MISTAKES = 10
"""At most so many mistakes of the subscribers file are shown beside other things."""


def fit_for_log(text: str) -> str:
    """A text without addresses where the readers come from a secret: strangers can read what is
    said there.
    """
    if not os.environ.get(IN_PLACE):
        return text
    from digest.subscribers.pseudonyms import conceal

    return conceal(text)


def say(text: str, *, as_json: bool, level: str = "warning") -> None:
    """Say a line on stderr: for people, or in the form of the log where that is collected by a
    program.
    """
    text = fit_for_log(masked(text))
    record = logging.makeLogRecord({"name": "digest", "levelname": level, "msg": text})
    click.echo(_JsonFormatter().format(record) if as_json else f"digest: {text}", err=True)


class Context:
    """The surroundings of a command: settings, the time it takes for now, and ways to speak."""

    def __init__(self) -> None:
        self.flags: dict[str, str] = {}
        self.verbosity = 0
        self.log_json = False
        self.debug = False

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once; what is odd about them is said on stderr."""
        settings = load_settings(self.flags)
        set_up_logging(self.verbosity, as_json=self.log_json, secrets=secrets_of(settings))
        for name, near in settings.unknown.items():
            guess = f" (did you mean {near}?)" if near else ""
            self.warn(f"{name}{guess} is set, and no such setting exists")
        from digest.setup.holidays import take_holidays

        if trouble := take_holidays(settings.home):
            self.warn(trouble)
        return settings

    def echo(self, *lines: str) -> None:
        """Print lines for people."""
        for line in lines:
            click.echo(line)

    def print_json(self, value: Any) -> None:
        """Print a value as JSON."""
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))

    def show(self, value: Any, lines: Iterable[str], *, as_json: bool) -> None:
        """Print a value as JSON, or the lines that say the same to people."""
        if as_json:
            self.print_json(value)
            return
        self.echo(*lines)

    def exit(self, code: int) -> NoReturn:
        """End the command with this exit code."""
        raise click.exceptions.Exit(int(code))

    def warn(self, text: str) -> None:
        """Say on stderr what a person should know, and go on."""
        say(text, as_json=self.log_json)


YEARS = range(1991, 9999)
"""The years that --now may name: since arXiv began, and with a next day in Python's calendar."""

pass_context = click.make_pass_decorator(Context, ensure=True)


def parse_now(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """Read --now: an ISO date or time, UTC where it names no zone."""
    if value is None:
        return None
    try:
        now = from_text(value).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise UsageError(
            f"--now {value!r} is no date", remedy="write 2026-11-23, or 2026-11-23T07:00, in UTC"
        ) from None
    if now.year not in YEARS:
        raise UsageError(
            f"--now {value!r} lies outside the years {YEARS.start} to {YEARS.stop - 1}"
        )
    return now


now_option = click.option(
    "--now",
    callback=parse_now,
    metavar="TIME",
    help="Take this ISO date or time (UTC) for now, to rehearse a day.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


class Command(click.Command):
    """A command that takes the settings' flags and the logging flags wherever they stand, and shows
    examples.

    `examples` are command lines that work as printed; help and manual pages show them.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        # Hidden: a command's help is about its own flags, and `digest --help` lists these.
        self.params.extend(common_options(hidden=True))

    def get_short_help_str(self, limit: int = 0) -> str:
        """The first sentence of the help, whole whatever the limit: a list of commands wraps it."""
        return super().get_short_help_str(max(limit, 1000))

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the examples last, where the eye rests."""
        if not self.examples:
            return
        with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


class ListingGroup(Command, click.Group):
    """A group that lists where no command follows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        metavar = "COMMAND [ARGS]..."  # click's own would be another with this flag
        super().__init__(*args, invoke_without_command=True, subcommand_metavar=metavar, **kwargs)


def common_options(*, hidden: bool) -> list[click.Option]:
    """The flags of all settings and of logging; they write into the Context."""
    settings = [
        _remembered(
            [s.flag, f"setting_{s.variable.lower()}"],
            s.variable,
            metavar=s.variable.removeprefix("DIGEST_"),
            help=f"{s.help}.",
            hidden=hidden,
        )
        for s in SETTINGS
        if not s.secret
    ]
    flag = {"is_flag": True, "hidden": hidden}
    verbose = "Log what is done; twice: every detail."
    return [
        *settings,
        _remembered(["-v", "--verbose"], "verbosity", help=verbose, count=True, hidden=hidden),
        _remembered(["--log-json"], "log_json", help="Log one JSON object a line.", **flag),
        _remembered(["--debug"], "debug", help="Show the traceback of an error.", **flag),
    ]


def _remembered(names: list[str], target: str, **attributes: Any) -> click.Option:
    """An option whose value goes into the Context: a setting by its variable, else an attribute."""

    def remember(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
        # The same option stands before the command and behind it: the one that was not given must
        # not take back what the other said.
        if value in (None, 0):
            return
        context = ctx.find_root().ensure_object(Context)
        if target.startswith("DIGEST_"):
            context.flags[target] = value
        else:
            setattr(context, target, value)

    return click.Option(names, expose_value=False, callback=remember, **attributes)


def flags_as(
    values: Callable[..., V],
) -> Callable[[Callable[[Context, V], None]], Callable[..., None]]:
    """Give a command its arguments and flags as one value, made by a dataclass with a field for
    each of them.
    """

    def decorate(command: Callable[[Context, V], None]) -> Callable[..., None]:
        def call(context: Context, **flags: Any) -> None:
            command(context, values(**flags))

        # click takes a command's name and help from the function that it is given.
        return pass_context(functools.update_wrapper(call, command))

    return decorate


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to stderr without secrets, in tracebacks too."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(sys.stderr)
        self.secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        # Here and not in a filter, since only the whole text has the traceback and what libraries
        # put into it.
        text = super().format(record)
        return fit_for_log(masked(text, self.secrets))


class _JsonFormatter(logging.Formatter):
    """One JSON object a line, for programs that collect logs."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def set_up_logging(verbosity: int, *, as_json: bool, secrets: tuple[str, ...]) -> None:
    """Log to stderr: warnings, with -v what is done, with -vv the libraries' details too."""
    handler = _Handler(secrets)
    handler.setFormatter(
        _JsonFormatter() if as_json else logging.Formatter("%(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
    # Replaced, not added: within one process, as in tests, commands follow each other.
    root.handlers = [handler]
    root.setLevel(logging.DEBUG if verbosity > 1 else logging.WARNING)
    logging.getLogger("digest").setLevel(
        (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbosity, 2)]
    )


def say_where_mail_goes(context: Context) -> None:
    """One line while mail only goes to a folder of this machine, and somebody is to get some."""
    from digest.setup.mail import make_transport
    from digest.setup.subscribers import has_mail_readers

    if not context.settings.mails_for_real and has_mail_readers(context.settings):
        place = make_transport(context.settings).description
        context.warn(
            f"mail goes to the {place}, and to nobody's inbox, until DIGEST_MAIL names a server"
        )


def warn_of_mistakes(context: Context, mistakes: Sequence[Mistake]) -> None:
    """Say on stderr what is wrong in the subscribers file, and whom that holds back."""
    for line in mistake_lines(mistakes):
        context.warn(line)


def edited(context: Context, edit: Edit) -> Edit:
    """The same edit, with a word on stderr of each mistake that the file has kept."""
    warn_of_mistakes(context, edit.mistakes)
    return edit


def mistake_lines(mistakes: Sequence[Mistake]) -> Iterator[str]:
    """What is wrong in the subscribers file, and whom that holds back, in lines for people."""
    yield from map(str, mistakes[:MOST_MISTAKES])
    if more := len(mistakes[MOST_MISTAKES:]):
        yield f"{more} more mistakes in the file: 'digest subscribers check' shows them"


def shortened(lines: Sequence[str], command: str) -> Iterator[str]:
    """As many of some lines as are shown beside other things, and which command shows them all."""
    yield from lines[:MOST_MISTAKES]
    if more := len(lines[MOST_MISTAKES:]):
        yield f"{more} more: {command} shows them"


def mistakes_json(mistakes: Sequence[Mistake]) -> list[dict[str, Any]]:
    """The mistakes of the subscribers file with their readers, for programs."""
    return [{"text": one.words, "holds_back": list(one.holds_back)} for one in mistakes]


def labelled(rows: Iterable[tuple[str, ...]], width: int) -> Iterator[str]:
    """Lines for people of rows of a label and texts: the label stands before the first of its texts
    that is not empty; a row without any is left out.
    """
    for label, *texts in rows:
        for number, text in enumerate(filter(None, texts)):
            yield f"{'' if number else label:<{width}}{text}"
