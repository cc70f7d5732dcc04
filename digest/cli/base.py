"""What all commands share: the settings' flags, the clock that --now sets, output and logging."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from digest.errors import UsageError
from digest.setup.settings import SETTINGS, Settings, load_settings
from digest.setup.subscribers import IN_PLACE

if TYPE_CHECKING:
    from rich.console import Console


V = TypeVar("V")


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
    text = fit_for_log(text)
    if not as_json:
        click.echo(f"digest: {text}", err=True)
        return
    time = datetime.now(UTC).isoformat(timespec="milliseconds")
    entry = {"time": time, "level": level, "logger": "digest", "message": text}
    click.echo(json.dumps(entry, ensure_ascii=False), err=True)


class Context:
    """What a command is given: settings, the time it is to take for now, and ways to speak."""

    def __init__(self) -> None:
        self.flags: dict[str, str] = {}
        self.verbosity = 0
        self.log_json = False
        self.debug = False

    @cached_property
    def settings(self) -> Settings:
        """The settings, read once; what is odd about them is said on stderr."""
        settings = load_settings(self.flags)
        secrets = (
            settings.mail_password,
            settings.inbox_password,
            settings.heartbeat_url,
            settings.secret,
            settings.github_token,
        )
        set_up_logging(self.verbosity, as_json=self.log_json, secrets=secrets)
        for name in settings.unknown:
            self.warn(f"{name} is set, and no such setting exists")
        from digest.setup.holidays import take_holidays

        if trouble := take_holidays(settings.home):
            self.warn(trouble)
        return settings

    def echo(self, text: str = "") -> None:
        """Print a line for people."""
        click.echo(text)

    def print_json(self, value: Any) -> None:
        """Print a value as JSON."""
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))

    def warn(self, text: str) -> None:
        """Say on stderr what a person should know, and go on."""
        say(text, as_json=self.log_json)

    @cached_property
    def console(self) -> Console:
        """Where tables and progress go when a person looks."""
        from rich.console import Console

        return Console(stderr=True)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 digest`, `2 digests`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


YEARS = range(1991, 9999)
"""What --now may be: since arXiv began, and so that there is a next day in Python's calendar."""

pass_context = click.make_pass_decorator(Context, ensure=True)


def parse_now(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """Read --now: an ISO date or time, UTC where it names no zone."""
    from digest.times import from_text

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


class _Described(click.Command):
    """What takes the settings' flags and the logging flags wherever they stand, and shows examples.

    `examples` are command lines that work as printed; help and manual pages show them.
    """

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = examples
        self.params.extend(common_options(hidden=True))

    def get_short_help_str(self, limit: int = 0) -> str:  # noqa: ARG002 - nothing is cut, whatever click's limit
        """The first sentence of the help, whole: a list of commands wraps it."""
        if self.short_help:
            return self.short_help
        return (self.help or "").partition("\n\n")[0].replace("\n", " ").partition(". ")[0].rstrip(
            "."
        ) + "."

    def format_epilog(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the examples last, where the eye rests."""
        if not self.examples:
            return
        with formatter.section("Examples" if len(self.examples) > 1 else "Example"):
            for example in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{example}\n")


class Command(_Described):
    """A single command."""


class ListingGroup(_Described, click.Group):
    """A group that lists where no command follows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invoke_without_command = True
        self.no_args_is_help = False


def common_options(*, hidden: bool) -> list[click.Option]:
    """The flags of all settings and of logging; they write into the Context."""

    def remember(name: str) -> Callable[[click.Context, click.Parameter, Any], None]:
        def callback(ctx: click.Context, _param: click.Parameter, value: Any) -> None:
            if value is not None and value is not False and value != 0:
                context = ctx.find_root().ensure_object(Context)
                if name.startswith("DIGEST_"):
                    context.flags[name] = value
                else:
                    setattr(context, name, value)

        return callback

    options = [
        click.Option(
            [s.flag, f"setting_{s.variable.lower()}"],
            metavar=s.variable.removeprefix("DIGEST_"),
            help=f"{s.help}.",
            hidden=hidden,
            expose_value=False,
            callback=remember(s.variable),
        )
        for s in SETTINGS
        if not s.secret
    ]
    for names, attribute, text in (
        (["-v", "--verbose"], "verbosity", "Log what is done; twice: every detail."),
        (["--log-json"], "log_json", "Log one JSON object a line."),
        (["--debug"], "debug", "Show the traceback of an error."),
    ):
        options.append(
            click.Option(
                names,
                help=text,
                count=attribute == "verbosity",
                is_flag=True if attribute != "verbosity" else None,
                hidden=hidden,
                expose_value=False,
                callback=remember(attribute),
            )
        )
    return options


def flags_as(
    values: Callable[..., V],
) -> Callable[[Callable[[Context, V], None]], Callable[..., None]]:
    """Give a command its arguments and flags as one value, a dataclass with a field for each of them."""

    def decorate(command: Callable[[Context, V], None]) -> Callable[..., None]:
        def call(context: Context, **flags: Any) -> None:
            command(context, values(**flags))

        return pass_context(functools.update_wrapper(call, command))

    return decorate


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to stderr without secrets, in tracebacks too."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(sys.stderr)
        self.secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return fit_for_log(text)


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
    handler = _Handler(tuple(secret for secret in secrets if secret))
    handler.setFormatter(
        _JsonFormatter() if as_json else logging.Formatter("%(levelname)s %(name)s: %(message)s")
    )
    root = logging.getLogger()
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


def labelled(rows: Iterable[tuple[str, ...]], width: int) -> Iterator[str]:
    """Lines for people of rows of a label and texts: the label stands before the first of its texts
    that is not empty; a row without any is left out.
    """
    for label, *texts in rows:
        for number, text in enumerate(filter(None, texts)):
            yield f"{'' if number else label:<{width}}{text}"
