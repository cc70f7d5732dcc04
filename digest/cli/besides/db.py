"""`digest db`: backups of the database, restoring one, looking whether it is sound, letting go of
old things.
"""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from pathlib import Path

import click

from digest.cli.base import Command, Context, json_option, now_option, pass_context
from digest.errors import Exit, StoreError, UsageError
from digest.keywords.words import counted
from digest.setup.parts import clock_at
from digest.times import to_text

KEEP = 90
"""Days for which a prune keeps bodies of digests, records of runs and refused answers."""


@click.group()
def db() -> None:
    """Back up, restore, check and prune the database."""


@db.command(cls=Command, examples=("digest db backup", "digest db backup copy.db"))
@click.argument("file", type=click.Path(path_type=Path), required=False)
@now_option
@pass_context
def backup(context: Context, file: Path | None, now: datetime | None) -> None:
    """Copy the database into FILE, also while a cycle is at work; without FILE beside it, with the
    time in its name.

    The copy is one file, whole or not there at all. It holds the secret of signed links: keep it as
    private.
    """
    from digest.store.upkeep import back_up

    path = _existing(context)
    target = file or path.with_name(f"{path.stem}-{clock_at(now)():%Y%m%d-%H%M%S}{path.suffix}")
    health = back_up(path, target)
    known = health.last_run
    until = f", with all until {known.started:%Y-%m-%d %H:%M} UTC" if known else ""
    context.echo(f"Backup    {target}, {_size(target.stat().st_size)}{until}")


@db.command(cls=Command, examples=("digest db restore backup.db --not-mailed",))
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--mailed",
    "mailed",
    flag_value="yes",
    help="Papers announced since the backup count as mailed.",
)
@click.option(
    "--not-mailed", "mailed", flag_value="no", help="They are mailed (again): none is missed."
)
@now_option
@pass_context
def restore(context: Context, file: Path, mailed: str | None, now: datetime | None) -> None:
    """Put a backup in the place of the database; the old one is kept beside it.

    What was announced since the backup was made may have been mailed or not: a terminal is asked, a
    script says it by a flag.
    """
    from digest.store.upkeep import examine_backup, last_run_of, restore
    from digest.system.locks import cycle_lock

    path, moment = context.settings.db, clock_at(now)()
    examine_backup(file, path)  # before anything is asked
    with cycle_lock(path):
        answer = mailed or _asked(last_run_of(file), last_run_of(path) if path.exists() else None)
        done = restore(file, path, moment, mailed=answer == "yes")
    context.echo(f"Restored  {path} from {file}, with all until {_moment(done.until)}")
    if done.aside:
        context.echo(f"Before    the database until now is in {done.aside}")
    if done.suppressed:
        context.echo(f"          {counted(done.suppressed, 'suppression')} taken over from it")
    if answer == "yes":
        context.echo(
            f"Since     counts as mailed{f' ({done.dropped} on their way too)' if done.dropped else ''}"
        )
    else:
        context.echo("Since     is mailed with the next run, as far as arXiv still shows it")


def _asked(backup: datetime | None, current: datetime | None) -> str:
    """Ask a person whether what came between two moments counts as mailed."""
    if not sys.stdin.isatty():
        raise UsageError(
            f"the backup knows all until {_moment(backup)}, the database until {_moment(current)}",
            remedy="say by --mailed or --not-mailed whether papers since then count as mailed",
        )
    click.echo(
        f"The backup knows all until {_moment(backup)}, the database until {_moment(current)}."
    )
    return (
        "yes"
        if click.confirm("Do papers announced since then count as mailed?", default=False)
        else "no"
    )


@db.command(cls=Command, examples=("digest db check", "digest db check --json"))
@json_option
@pass_context
@click.pass_context
def check(click_context: click.Context, context: Context, as_json: bool) -> None:
    """Read all of the database, and tell whether it is sound; nothing is written."""
    from digest.store.health import examine

    path = _existing(context)
    health = examine(path, wholly=True)
    problems = list(health.problems)
    if health.orphans:
        problems.append(f"{counted(health.orphans, 'row')} refer to rows that are not there")
    run = health.last_run
    size = path.stat().st_size
    if as_json:
        context.print_json(
            {
                "database": str(path),
                "bytes": size,
                "schema": health.version,
                "known_schema": health.known,
                "last_run": to_text(run.started) if run else None,
                "problems": problems,
            }
        )
    else:
        until = f", last run {run.started:%Y-%m-%d %H:%M} UTC" if run else ""
        state = "damaged" if problems else "sound"
        context.echo(f"{path} is {state}: {_size(size)}, schema {health.version}{until}")
        for problem in problems:
            context.echo(f"  {problem}")
        if problems:
            context.echo("  to do: 'digest db restore' puts a backup in its place; keep this file")
    click_context.exit(Exit.CONFIG if problems else Exit.DONE)


@db.command(cls=Command, examples=("digest db prune", "digest db prune --days 30"))
@click.option(
    "--days", type=click.IntRange(min=1), default=KEEP, show_default=True, help="Keep so many days."
)
@json_option
@now_option
@pass_context
def prune(context: Context, days: int, as_json: bool, now: datetime | None) -> None:
    """Let go of bodies of digests, records of runs and refused answers that are older, and shrink
    the file.

    What was seen and what was mailed to whom stays for good: nothing comes again.
    """
    from digest.store.upkeep import prune
    from digest.system.locks import cycle_lock

    path = _existing(context)
    with cycle_lock(path):
        done = prune(path, clock_at(now)() - timedelta(days=days))
    if as_json:
        context.print_json(
            {
                "bodies": done.bodies,
                "runs": done.runs,
                "windows": done.windows,
                "freed_bytes": done.freed,
            }
        )
        return
    parts = (
        counted(done.bodies, "mail text"),
        counted(done.runs, "run"),
        counted(done.windows, "refused answer"),
    )
    context.echo(
        f"Let go of {', '.join(parts)}; {_size(done.freed)} freed, {_size(path.stat().st_size)} left."
    )


def _existing(context: Context) -> Path:
    path = context.settings.db
    if not path.exists():
        raise StoreError(f"there is no database at {path}", remedy="'digest run' makes one")
    return path


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "no run"


def _size(number: int) -> str:
    return f"{number / 1_000_000:.1f} MB" if number >= 100_000 else f"{number / 1000:.0f} kB"
