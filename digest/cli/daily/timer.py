"""`digest timer`: let systemd, launchd or cron call `digest run`; tell what does; take it away
again.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from digest.cli.base import Command, Context, flags_as, json_option, labelled, pass_context
from digest.cli.daily.serve import require_web
from digest.errors import ConfigError, DigestError, UsageError
from digest.setup.settings import SYSTEM_HOME, Settings, find_home
from digest.setup.timer import make_job, what_a_timer_misses
from digest.system.timers.kinds import (
    SYSTEM,
    details,
    find_installed,
    plan_install,
    plans_to_remove,
)
from digest.system.timers.machine import Machine
from digest.system.timers.plan import Installed, TimerPlan, carry_out


@dataclass(frozen=True, slots=True)
class InstallFlags:
    """The flags of `digest timer install`."""

    scope: str | None
    linger: bool
    web: bool
    yes: bool
    only_print: bool


ACTIVE = {True: "active", False: "not active", None: "installed"}


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
@click.option("--web", is_flag=True, help="A service for 'digest serve', too (systemd).")
@yes_option
@print_option
@flags_as(InstallFlags)
def install(context: Context, flags: InstallFlags) -> None:
    """Set up the timer, or bring it up to date. What will be done is shown first.

    As root it is for the whole machine, else for you alone; --user and --system choose.
    """
    machine, only_print = _machine(), flags.only_print
    system = _is_system(machine, flags.scope)
    settings = _settings(context, system=system)
    job = replace(make_job(settings), web=flags.web)
    if flags.web:
        require_web()
    plan = plan_install(machine, job, system=system, linger=flags.linger, only_print=only_print)
    context.echo(*plan.lines(what_a_timer_misses(settings, context.flags, system=system)))
    if only_print or not _is_agreed(context, assume_yes=flags.yes):
        return
    carry_out(plan, machine, context.warn)
    remove = "digest timer remove" + ("" if system == (machine.uid == 0) else " --user")
    context.echo(f"Done. 'digest timer status' tells the next run, '{remove}' ends it.")


@timer.command(cls=Command, examples=("digest timer status",))
@json_option
@pass_context
def status(context: Context, as_json: bool) -> None:
    """Tell what calls Digest, whether it is active, and its last and next run."""
    machine = _machine()
    found = [(item, details(machine, item)) for item in find_installed(machine)]
    values = [
        {
            "kind": item.kind,
            "path": item.path,
            "active": item.active,
            "home": str(item.home) if item.home else None,
            "made_here": item.made_here,
            "details": said,
        }
        for item, said in found
    ]
    lines = [] if found else ["Nothing calls Digest here: 'digest timer install' sets that up."]
    for item, said in found:
        lines.append(f"{item.kind}: {ACTIVE[item.active]} ({item.path})")
        home = f"home folder: {item.home}" if item.home else ""
        lines += labelled([("", home, *said)], 2)
    context.show(values, lines, as_json=as_json)


@timer.command(cls=Command, examples=("digest timer remove --print",))
@scope_options
@yes_option
@print_option
@pass_context
def remove(context: Context, scope: str | None, yes: bool, only_print: bool) -> None:
    """Take away the timer that 'digest timer install' made, and nothing else."""
    machine = _machine()
    plans = _plans_to_remove(machine, scope)
    if not plans:
        context.echo("There is no timer that 'digest timer install' made: nothing to remove.")
        return
    for plan in plans:
        context.echo(*plan.lines())
    if only_print or not _is_agreed(context, assume_yes=yes):
        return
    # Asked before they are taken away: afterwards nothing names the folders.
    kept = _homes() or "the home folder"
    for plan in plans:
        carry_out(plan, machine, context.warn)
    left = [f"Still there: {item.kind} ({item.path})." for item in installed()]
    context.echo(
        f"Done. The database, the subscribers file and the settings stay ({kept}).",
        *left,
    )


def _plans_to_remove(machine: Machine, scope: str | None) -> list[TimerPlan]:
    """What takes away the system's timer or the user's own: as asked, else whichever there is.
    ConfigError where only root may.
    """
    system = _is_system(machine, scope)
    plans = plans_to_remove(machine, system=system)
    # Root may have a timer of their own, made with --user.
    if not plans and scope is None and system:
        plans = plans_to_remove(machine, system=False)
    if machine.uid != 0 and SYSTEM.name in (plan.kind for plan in plans):
        raise ConfigError(
            "the system's timer lies in /etc, which only root may change",
            remedy="call it with sudo",
        )
    return plans


def _homes() -> str:
    """The home folders that the timers made here work for."""
    return ", ".join(sorted({str(one.home) for one in installed() if one.made_here and one.home}))


def installed() -> list[Installed]:
    """What calls Digest on this machine, for this user and for the system. Never fails: not known
    is empty.
    """
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
        settings = context.settings
        machine = _machine()
        system = _is_system(machine, None)
        plan = plan_install(machine, make_job(settings), system=system)
    except DigestError as error:
        context.warn(f"no timer was set up: {error}")
        return False
    made = ", ".join(str(file.path) for file in plan.files) or "a line in your crontab"
    context.echo(
        f"A timer: {plan.summary}.",
        f"It makes {made}; 'digest timer install --print' shows all,"
        " 'digest timer remove' ends it.",
        *(f"Note: {n}." for n in what_a_timer_misses(settings, context.flags, system=system)),
    )
    if not assume_yes and not sys.stdin.isatty():
        context.echo(
            "Nothing was set up, since nobody can be asked here: call 'digest timer install --yes'."
        )
        return False
    if not assume_yes and not click.confirm("Set it up?", default=True):
        context.echo("Later: digest timer install")
        return False
    try:
        carry_out(plan, machine, context.warn)
    except DigestError as error:
        context.warn(f"the timer was not set up: {error}")
        return False
    context.echo("The timer is set up; 'digest timer status' shows it.")
    return True


def _machine() -> Machine:
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


def _is_agreed(context: Context, *, assume_yes: bool) -> bool:
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
