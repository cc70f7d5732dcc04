"""`digest timer`: let systemd, launchd or cron call `digest run`; tell what does; take it away
again.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.errors import ConfigError, DigestError, UsageError
from digest.setup.settings import SETTINGS, SYSTEM_HOME, Settings, find_home, load_settings

if TYPE_CHECKING:
    from digest.system.timers.found import Installed
    from digest.system.timers.job import Job
    from digest.system.timers.machine import Machine
    from digest.system.timers.plan import Plan


def scope_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """--user and --system, for whom a timer is."""
    for flag, text in (
        ("system", "For the whole machine, as the account that owns the home folder; needs root."),
        ("user", "For you alone."),
    ):
        command = click.option(
            f"--{flag}", "scope", flag_value=flag, type=click.STRING, default=None, help=text
        )(command)
    return command


yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
print_option = click.option(
    "--print", "only_print", is_flag=True, help="Show what would be done, and do nothing."
)


@click.group()
def timer() -> None:
    """Let the machine call 'digest run --wait' every 15 minutes; tell what calls it; end that.

    Where systemd runs it makes a service and a timer, on macOS a launchd agent, else a line in your
    crontab.
    """


@timer.command(
    cls=Command, examples=("digest timer install --print", "digest timer install --user --print")
)
@scope_options
@click.option(
    "--linger/--no-linger", default=True, help="Let a user's timer go on after logout (systemd)."
)
@yes_option
@print_option
@pass_context
def install(context: Context, scope: str | None, linger: bool, yes: bool, only_print: bool) -> None:
    """Set up the timer, or bring it up to date. What will be done is shown first.

    As root it is for the whole machine, else for you alone; --user and --system choose.
    """
    machine = _machine()
    system = _is_system(machine, scope)
    settings = _settings(context, system=system)
    from digest.system.timers.install import plan_install

    plan = plan_install(
        machine, make_job(settings), system=system, linger=linger, only_print=only_print
    )
    _show(context, plan, _notes(context, settings, system=system))
    if only_print:
        return
    if not _agreed(context, assume_yes=yes):
        return
    _carry_out(context, machine, plan)
    scope_flag = "" if system == (machine.uid == 0) else " --user"
    context.echo(
        f"Done. 'digest timer status' tells the next run, 'digest timer remove{scope_flag}' ends it."
    )


@timer.command(cls=Command, examples=("digest timer status",))
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Tell what calls Digest, whether it is active, and its last and next run."""
    from digest.system.timers.found import details, find_installed

    machine = _machine()
    found = find_installed(machine)
    said = [details(machine, item) for item in found]
    if as_json:
        context.print_json(
            [
                {
                    "kind": item.kind,
                    "path": item.path,
                    "active": item.active,
                    "home": str(item.home) if item.home else None,
                    "made_here": item.made_here,
                    "details": lines,
                }
                for item, lines in zip(found, said, strict=True)
            ]
        )
        return
    if not found:
        context.echo("Nothing calls Digest here: 'digest timer install' sets that up.")
    for item, lines in zip(found, said, strict=True):
        state = {True: "active", False: "not active", None: "installed"}[item.active]
        context.echo(f"{item.kind}: {state} ({item.path})")
        if item.home:
            context.echo(f"  home folder: {item.home}")
        for line in lines:
            context.echo(f"  {line}")


@timer.command(cls=Command, examples=("digest timer remove --print",))
@scope_options
@yes_option
@print_option
@pass_context
def remove(context: Context, scope: str | None, yes: bool, only_print: bool) -> None:
    """Take away the timer that 'digest timer install' made, and nothing else."""
    from digest.system.timers.found import plans_to_remove

    machine = _machine()
    system = _is_system(machine, scope)
    plans = plans_to_remove(machine, system=system)
    if not plans and scope is None and system:
        plans = plans_to_remove(machine, system=False)
    if not plans:
        context.echo("There is no timer that 'digest timer install' made: nothing to remove.")
        return
    if any(plan.kind == "systemd" for plan in plans) and machine.uid != 0:
        raise ConfigError(
            "the system's timer lies in /etc, which only root may change",
            remedy="call it with sudo",
        )
    for plan in plans:
        _show(context, plan, [])
    if only_print:
        return
    if not _agreed(context, assume_yes=yes):
        return
    homes = {item.home for item in installed() if item.made_here and item.home}
    for plan in plans:
        _carry_out(context, machine, plan)
    kept = ", ".join(sorted(map(str, homes))) or "the home folder"
    context.echo(f"Done. The database, the subscribers file and the settings stay ({kept}).")
    for item in installed():
        context.echo(f"Still there: {item.kind} ({item.path}).")


def installed() -> list[Installed]:
    """What calls Digest on this machine, for this user and for the system. Never fails: not known
    is empty.
    """
    from digest.system.timers.found import find_installed

    try:
        return find_installed(_machine())
    except (DigestError, OSError, ImportError):
        return []


def offer_install(context: Context, *, assume_yes: bool) -> bool:
    """Say in two lines what a timer would be, ask, and set it up; tell whether it was.

    Where it cannot be, one line says why; nothing is raised. Without a terminal and without
    `assume_yes` one line says which command sets it up.
    """
    try:
        machine = _machine()
        system = _is_system(machine, None)
        from digest.system.timers.install import plan_install

        plan = plan_install(machine, make_job(context.settings), system=system)
    except DigestError as error:
        context.warn(f"no timer was set up: {error}")
        return False
    made = [str(file.path) for file in plan.files] or ["a line in your crontab"]
    context.echo(f"A timer: {plan.summary}.")
    context.echo(
        f"It makes {', '.join(made)}; 'digest timer install --print' shows all, 'digest timer remove' ends it."
    )
    for note in _notes(context, context.settings, system=system):
        context.echo(f"Note: {note}.")
    if not assume_yes and not sys.stdin.isatty():
        context.echo(
            "Nothing was set up, since nobody can be asked here: call 'digest timer install --yes'."
        )
        return False
    if not assume_yes and not click.confirm("Set it up?", default=True):
        context.echo("Later: digest timer install")
        return False
    try:
        _carry_out(context, machine, plan)
    except DigestError as error:
        context.warn(f"the timer was not set up: {error}")
        return False
    context.echo("The timer is set up; 'digest timer status' shows it.")
    return True


def make_job(settings: Settings) -> Job:
    """What a timer is to call for this installation, and what it needs to see and to write."""
    import digest
    from digest.system.timers.job import Job

    command = _program()
    scheme, _, rest = settings.mail.strip().partition(":")
    writes = [settings.db.parent]
    if scheme.lower() == "maildir":
        mail = settings.home / Path(rest.removeprefix("//")).expanduser()
        writes.append(mail if mail.is_dir() else mail.parent)
    reads = [
        Path(command[0]).resolve(),
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(digest.__file__).parent,
    ]
    reads += [path for path in (settings.subscribers, settings.templates, settings.mail_ca) if path]
    return Job(
        command,
        settings.home,
        writes=tuple(path for path in writes if not path.is_relative_to(settings.home)),
        reads=tuple(path for path in (*reads, settings.home.resolve()) if path != settings.home),
        sendmail=scheme.lower() == "sendmail",
    )


def _program() -> tuple[str, ...]:
    """The absolute path of the `digest` that runs: as it was called, else beside its Python."""
    for candidate in (Path(sys.argv[0]), Path(sys.executable).parent / "digest"):
        if candidate.name == "digest" and candidate.is_file() and os.access(candidate, os.X_OK):
            return (os.path.abspath(candidate),)  # noqa: PTH100 - takes out .. too, and leaves links alone
    return (sys.executable, "-m", "digest")


def _machine() -> Machine:
    from digest.system.timers.machine import Machine

    return Machine.this(os.environ)


def _is_system(machine: Machine, scope: str | None) -> bool:
    """For whom: as asked; else as root for the system, where that has a manager for it."""
    if scope is not None:
        return scope == "system"
    return machine.uid == 0 and machine.systemd


def _settings(context: Context, *, system: bool) -> Settings:
    """The settings; a system's timer is for /var/lib/digest where no other installation is to be
    found.
    """
    named = context.flags.get("DIGEST_HOME") or os.environ.get("DIGEST_HOME", "")
    if system and not named and not find_home("", Path.cwd()).exists():
        context.flags["DIGEST_HOME"] = str(SYSTEM_HOME)
    return context.settings


def _notes(context: Context, settings: Settings, *, system: bool) -> list[str]:
    """What the calls of a timer will not find as this command found it."""
    notes = []
    with_known_file = settings.home == SYSTEM_HOME or settings.subscribers.exists()
    if not with_known_file:
        notes.append(
            f"there is no {settings.subscribers} yet: until there is, each run ends with a line that says so"
        )
    try:
        bare = load_settings({"DIGEST_HOME": str(settings.home)}, environ={})
    except ConfigError:
        bare = None
    if bare != settings:
        here = {*os.environ, *context.flags} - {"DIGEST_HOME"}
        if names := sorted(here & {s.variable for s in SETTINGS}):
            place = f"{settings.home / '.env'}" + (
                " or to /etc/digest/environment" if system else ""
            )
            notes.append(
                f"a timer does not see what was set for this command alone ({', '.join(names)}): add it to {place}"
            )
    if names := sorted(
        n
        for n in os.environ
        if n.lower() in ("https_proxy", "http_proxy", "all_proxy", "ssl_cert_file")
    ):
        notes.append(
            f"a timer does not see {', '.join(names)} of this shell: docs/timer.md says where to set it"
        )
    if system and settings.mail_token_command:
        notes.append(f"DIGEST_MAIL_TOKEN_COMMAND will be able to write to {settings.home} alone")
    return notes


def _show(context: Context, plan: Plan, notes: list[str]) -> None:
    """Show every step: files with what they will hold, and commands."""
    context.echo(f"{plan.summary[0].upper()}{plan.summary[1:]}.")
    from digest.system.timers.plan import File

    for step in plan.steps:
        context.echo()
        if not isinstance(step, File):
            context.echo(f"Call: {shlex.join(step.arguments)}")
            text = step.given
        elif step.text is None:
            context.echo(f"Remove: {step.path}")
            text = None
        else:
            context.echo(f"Write: {step.path}")
            text = step.text.decode()
        for line in (text or "").splitlines():
            context.echo(f"    {line}".rstrip())
    context.echo()
    for note in (*notes, *plan.notes):
        context.echo(f"Note: {note}.")


def _agreed(context: Context, *, assume_yes: bool) -> bool:
    """Ask, unless told not to. Raises UsageError where nobody can be asked."""
    if assume_yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "nothing was done, since nobody can be asked here",
            remedy="add --yes to do it, or --print",
        )
    if click.confirm("Do this?", default=True):
        return True
    context.echo("Nothing was done.")
    return False


def _carry_out(context: Context, machine: Machine, plan: Plan) -> None:
    from digest.system.timers.plan import carry_out

    carry_out(plan, machine, context.warn)
