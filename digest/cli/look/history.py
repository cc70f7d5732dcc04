"""`digest history`: the digests of one reader, or the runs, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.errors import ConfigError
from digest.keywords.words import counted
from digest.model import in_words
from digest.setup.parts import existing_store, holds_unknown
from digest.setup.subscribers import read_roster

if TYPE_CHECKING:
    from digest.model import Roster
    from digest.store import Store
    from digest.store.history import Run

TROUBLES = ("failed", "quarantined")


@click.command(
    cls=Command,
    examples=(
        "digest history",
        "digest history ada@example.org",
        "digest history ada@example.org --papers --limit 1",
    ),
)
@click.argument("email", required=False)
@click.option("--papers", is_flag=True, help="Name the papers of each digest (needs EMAIL).")
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="So many entries; 0 for all.",
)
@click.option(
    "--all",
    "idle",
    is_flag=True,
    help="Also runs in which nothing happened, each on a line of its own.",
)
@json_option
@pass_context
def history(
    context: Context, email: str | None, papers: bool, limit: int, idle: bool, as_json: bool
) -> None:
    """List the digests of a reader, or without EMAIL the runs, newest first.

    Digests stay in the database for good, the records of runs for a year. Runs in which nothing was
    due are only counted.
    """
    if papers and email is None:
        raise click.UsageError("--papers needs EMAIL: digest history EMAIL --papers")
    if idle and email is not None:
        raise click.UsageError("--all is for the runs: leave EMAIL out")
    count = limit or -1
    with existing_store(context.settings) as store:
        if email is None:
            runs = store.history.runs(limit=count, idle=idle) if store else []
            report: dict[str, Any] = {"about": "runs", "runs": [_run(run) for run in runs]}
        else:
            report = _digests(context, store, email, count, with_papers=papers)
    if as_json:
        context.print_json(report)
    elif email is None:
        _tell_runs(context, report["runs"])
    else:
        _tell_digests(context, report)


def _digests(
    context: Context, store: Store | None, email: str, limit: int, *, with_papers: bool
) -> dict[str, Any]:
    """A reader's digests as plain values; ConfigError, with the nearest address, where nobody knows
    the reader.
    """
    from digest.cli.look.why import find_reader
    from digest.explain.paper import delivery_values

    subscriber, past = find_reader(
        context, readable_roster(context, why="times are in UTC"), store, email
    )
    zone = subscriber.timezone if subscriber else "UTC"
    holds = holds_unknown(context.settings, past.address if past else email)
    digests = []
    for delivery in store.history.deliveries(past.id, limit=limit) if store and past else []:
        values = delivery_values(delivery, zone, hold_unknown=holds)
        if with_papers and store:
            values["titles"] = [
                {"id": p.id, "version": p.version, "title": p.title, "revised": p.revised}
                for p in store.history.contents(delivery.id)
            ]
        digests.append(values)
    address = subscriber.email if subscriber else past.address if past else email
    return {"about": "digests", "email": address, "timezone": zone, "digests": digests}


def readable_roster(context: Context, *, why: str) -> Roster:
    """The subscribers file, for names and zones; what happened is told without it, too, and `why`
    says how.
    """
    from digest.model import Roster

    try:
        return read_roster(context.settings)
    except ConfigError as error:
        context.warn(f"{error.message.splitlines()[0]}; {why}")
        return Roster((), ())


def _run(run: Run) -> dict[str, Any]:
    """One run as plain values."""
    from digest.times import text_or_none, to_text

    record = run.record
    return {
        "id": run.id,
        "started": to_text(record.started),
        "finished": text_or_none(record.finished),
        "asked": sum(k.status != "skipped" for k in record.keywords),
        "new": sum(k.new for k in record.keywords),
        "late": sum(k.late for k in record.keywords),
        "revised": sum(k.revised for k in record.keywords),
        "composed": record.composed,
        **{outcome.value: number for outcome, number in record.outcomes.items()},
        "trouble": record.trouble,
        "keyword_trouble": [
            {"keyword": k.keyword, "status": k.status, "why": k.why}
            for k in record.keywords
            if k.status in TROUBLES
        ],
        "idle_before": run.idle_before,
    }


def _tell_runs(context: Context, runs: list[dict[str, Any]]) -> None:
    from digest.rendering.texts import clean
    from digest.rules.verdict import moment
    from digest.times import from_text

    if not runs:
        context.echo("No run yet: 'digest run' does one.")
    for run in runs:
        counts = (
            [counted(run["asked"], "keyword") + " asked", f"{run['new']} new"]
            if run["asked"]
            else ["nothing to ask"]
        )
        counts += [
            f"{run[kind]} {word}"
            for kind, word in (("late", "late"), ("revised", "revised"))
            if run[kind]
        ]
        counts += [counted(run["composed"], "digest") + " composed"] if run["composed"] else []
        outcomes = ("sent", "deferred", "failed", "unknown")
        counts += [f"{run[outcome]} {in_words(outcome)}" for outcome in outcomes if run[outcome]]
        ended = "" if run["finished"] else ", interrupted"
        context.echo(f"{moment(from_text(run['started']), 'UTC')}  {', '.join(counts)}{ended}")
        if run["trouble"]:
            context.echo(f"    {clean(run['trouble'], 2000)}")
        for each in run["keyword_trouble"]:
            said = f"{each['keyword']} {in_words(each['status'])}: {each['why']}"
            context.echo("    " + clean(said, 2000))
        if run["idle_before"]:
            context.echo(f"    before that {counted(run['idle_before'], 'run')} with nothing to do")
    if runs:
        context.echo("(times in UTC)")


def _tell_digests(context: Context, report: dict[str, Any]) -> None:
    from digest.rendering.texts import clean

    if not report["digests"]:
        context.echo(
            f"No digest for {report['email']} yet: 'digest why {report['email']}' tells why."
        )
        return
    for digest in report["digests"]:
        papers = counted(digest["papers"], "paper")
        context.echo(f"{digest['date']}  {clean(digest['subject'])}  ({papers})")
        context.echo(f"    {clean(digest['text'], 2000)}")
        for paper in digest.get("titles", ()):
            mark = " (new version)" if paper["revised"] else ""
            context.echo(f"    {paper['id']}v{paper['version']}  {clean(paper['title'])}{mark}")
    context.echo(f"(times in {report['timezone']})")
