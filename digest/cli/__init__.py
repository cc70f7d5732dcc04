"""The command line, where settings are read, words are printed and exit codes chosen.

Uses: all rooms.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click
from click.shell_completion import CompletionItem

from digest import __version__
from digest.errors import ConfigError, Exit

GROUPS: dict[str, dict[str, tuple[str, str]]] = {
    "To begin": {
        "demo": ("begin.demo:demo", "Three days of the whole way, without a network."),
        "init": ("begin.init:init", "Set up a first digest, step by step."),
        "doctor": ("begin.doctor:doctor", "Check everything; a line a check, with what to do."),
    },
    "Who gets what": {
        "subscribe": (
            "readers.subscribe:subscribe",
            "Add readers, or keywords and wishes of readers.",
        ),
        "unsubscribe": (
            "readers.subscribe:unsubscribe",
            "Take readers, or some of their keywords, out.",
        ),
        "subscribers": (
            "readers.subscribers:subscribers",
            "List, show, set, pause, move, forget, import; check.",
        ),
        "library": (
            "readers.libraries:library",
            "What readers have: import, list and check papers.",
        ),
        "keywords": ("readers.keywords:keywords", "List, check, name, rename and remove keywords."),
        "likes": ("readers.likes:likes", "The papers that a reader likes: listed, added, removed."),
    },
    "Every day": {
        "run": ("daily.run:run", "One cycle: fetch what is due, mail what is new."),
        "daemon": ("daily.daemon:daemon", "Stay, and do a cycle whenever one is due."),
        "send": ("daily.send:send", "Mail one reader what is due now, whatever the hour."),
        "serve": ("daily.serve:serve", "The web side: the links in mails, an archive, sign-up."),
        "notice": ("daily.notice:notice", "Tell all readers something for a while."),
        "inbox": ("daily.inbox:inbox", "Act on bounces, complaints and requests to leave."),
        "timer": ("daily.timer:timer", "Let the machine call 'digest run'."),
    },
    "To look and to mend": {
        "preview": ("look.preview:preview", "The next digest of a reader; nothing is mailed."),
        "status": ("look.status:status", "The last run, what comes next, and why nothing came."),
        "why": ("look.why:why", "Why a paper came to a reader or not; how a day went."),
        "audit": ("look.audit:audit", "arXiv's own record beside what readers were sent."),
        "history": ("look.history:history", "All digests of a reader, or all runs."),
        "outbox": ("look.outbox:outbox", "What waits to be mailed, and why it waits."),
        "resend": ("look.resend:resend", "Send a digest again that has gone."),
    },
    "Besides": {
        "db": ("besides.db:db", "Back up, restore, check and prune the database."),
        "config": ("besides.config:config", "Each setting, and where it came from."),
        "publish": ("besides.publish:publish", "Write the Daily Papers page, or the archive."),
        "import": (
            "besides.import_page:import_page",
            "Take the papers of such a page in, as seen.",
        ),
        "export": ("besides.export:export", "Papers seen or mailed: JSON, CSV, BibTeX, RIS, CSL."),
        "mcp": ("besides.mcp:mcp", "Let an AI assistant read what is on record (MCP)."),
        "completion": (
            "besides.manual:completion",
            "Make the Tab key complete commands and flags.",
        ),
        "manual": ("besides.manual:manual", "Write the manual pages."),
    },
}
"""The commands by what people do, in the order in which a newcomer needs them: where each is, and
its summary."""

COMMANDS = {name: entry for commands in GROUPS.values() for name, entry in commands.items()}


LET_THROUGH = {"--version", "--help", "-h", "timer"}
"""Arguments that are let through on Windows itself; `timer` refuses there in its own words."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for, so that starting is
    quick.
    """

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Name the commands, in the order in which a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        place, summary = COMMANDS[cmd_name]
        module, _, name = place.partition(":")
        command: click.Command = getattr(importlib.import_module(f"digest.cli.{module}"), name)
        # The summary stands here as well as in the command's help, so that listing the commands
        # imports none of them.
        command.short_help = summary
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Offer the commands with their summaries, and the flags; no command is imported for
        that, since the Tab key is not to wait for it.
        """
        commands = [
            CompletionItem(name, help=summary)
            for name, (_, summary) in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        # Not the group's own way, which asks every command for its help.
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by what people do; none of them is imported for that."""
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl(
                    [(f"{name:<11}", summary) for name, (_, summary) in commands.items()]
                )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Put the commands first: the settings' flags are looked up more rarely."""
        self.format_commands(ctx, formatter)
        records = (parameter.get_help_record(ctx) for parameter in self.get_params(ctx))
        with formatter.section("Options, before or after the command"):
            formatter.write_dl(list(filter(None, records)))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Add the settings' flags, which take longer to import than `--version` may last."""
        if args != ["--version"] and not any(p.name == "verbose" for p in self.params):
            from digest.cli.base import common_options

            self.params.extend(common_options(hidden=False))
        return super().parse_args(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="digest", message="%(prog)s %(version)s")
def cli() -> None:
    """New arXiv papers, by keyword, in your mail: each once, none missed, none twice.

    Try it without a network: digest demo
    """


def main(args: list[str] | None = None) -> None:
    """Run the command line; every failure ends in one line on stderr and the exit code that
    fits.
    """
    arguments = sys.argv[1:] if args is None else args
    code: Any = Exit.GIVEN_UP
    try:
        if sys.platform == "win32" and not LET_THROUGH & set(arguments):
            raise ConfigError(
                "Windows itself lacks the file locks that Digest needs",
                remedy="use WSL, where all of it works (docs/windows.md)",
            )
        code = cli.main(args=arguments, prog_name="digest", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = Exit.USAGE
    except click.Abort as error:
        code = _report(error, [])
    except BrokenPipeError:
        # Whoever read the output has had enough; Python would complain once more as it ends.
        sys.stderr.close()
    except Exception as error:
        code = _report(error, arguments)
    sys.exit(int(code) if isinstance(code, int) else 0)


def _report(error: Exception, arguments: list[str]) -> int:
    """Say what went wrong, with the traceback where that was asked for; returns the exit code."""
    from digest.cli.base import say
    from digest.cli.mistakes import explain

    if "--debug" in arguments:
        import traceback

        traceback.print_exception(error)
    text, code = explain(error)
    # An error that came before the settings were read must follow --log-json as well.
    say(text, as_json="--log-json" in arguments, level="error")
    return code
