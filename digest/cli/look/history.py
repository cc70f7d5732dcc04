"""`digest history`: the digests of one reader, or the runs, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.cli.look.reader import LONGEST, known_reader, readable_roster
from digest.cli.look.shown import show_digest
from digest.keywords.words import counted
from digest.rendering.texts import printable_line
from digest.rules.verdict import moment
from digest.rules.words import in_words
from digest.setup.parts import holds_unknown, reading_store
from digest.store import Store
from digest.store.ageing import KEPT
from digest.store.history import Run
from digest.times import from_text, text_or_none, to_text

TROUBLES = ("failed", "quarantined")


@click.command(
    cls=Command,
    examples=(
        "digest history",
        "digest history ada@example.org",
        "digest history ada@example.org --papers --limit 1",
        "digest history ada@example.org --show",
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
@click.option("--show", is_flag=True, help="Print the reader's last digest (needs EMAIL).")
@click.option("--open", "open_browser", is_flag=True, help="Show it in the browser (needs EMAIL).")
@click.option(
    "--date", "day", metavar="DATE", help="With --show or --open: the digest of this day."
)
@json_option
@pass_context
def history(
    context: Context, /, email: str | None, as_json: bool, limit: int, **flags: Any
) -> None:
    """List the digests of a reader, or without EMAIL the runs, newest first.

    With --show or --open one digest is shown as it was read, rendered again from what is kept; a
    line says where the program, its templates or a paper have changed since.

    Digests are kept one by one for 60 days after they ended, what they held for good, by month. Of
    runs the counts are kept for a year, the troubles for 60 days. Runs in which nothing was due are
    only counted.
    """
    _check(email, as_json=as_json, **flags)
    idle, papers, in_browser = flags["idle"], flags["papers"], flags["open_browser"]
    with reading_store(context.settings) as store:
        if email is not None and (flags["show"] or in_browser):
            show_digest(context, store, email, flags["day"], open_browser=in_browser)
            return
        if email is None:
            # To SQLite a negative limit is none.
            runs = [_run(run) for run in store.history.runs(limit=limit or -1, idle=idle)]
            report, lines = {"about": "runs", "runs": runs}, _run_lines(runs)
        else:
            report = _digests(context, store, email, limit or -1, with_papers=papers)
            lines = _digest_lines(report)
    context.show(report, lines, as_json=as_json)


def _check(email: str | None, **flags: Any) -> None:
    """Raise UsageError where flags do not go together."""
    shows, papers = flags["show"] or flags["open_browser"], flags["papers"]
    wrong = [
        (papers and not email, "--papers needs EMAIL: digest history EMAIL --papers"),
        (shows and not email, "--show and --open need EMAIL: digest history EMAIL --show"),
        (flags["idle"] and email, "--all is for the runs: leave EMAIL out"),
        (flags["day"] and not shows, "--date says which digest to show: add --show or --open"),
        (shows and papers, "--show and --open show one digest: leave --papers out"),
        (shows and flags["as_json"], "--show and --open show one digest: leave --json out"),
    ]
    for is_wrong, words in wrong:
        if is_wrong:
            raise click.UsageError(words)


def _digests(
    context: Context, store: Store, email: str, limit: int, *, with_papers: bool
) -> dict[str, Any]:
    """A reader's digests as plain values; ConfigError, with the nearest address, where nobody knows
    the reader.
    """
    from digest.explain.inquiry import delivery_values

    roster = readable_roster(context, why="times are in UTC")
    reader = known_reader(context.settings, roster, store, email)
    hold = holds_unknown(context.settings, reader.channel)
    digests = []
    for delivery in store.history.deliveries(reader.number, limit=limit):
        values = delivery_values(delivery, reader.zone, hold_unknown=hold)
        if with_papers:
            values["titles"] = [asdict(paper) for paper in store.history.contents(delivery.id)]
        digests.append(values)
    past = store.history.months(reader.number) if reader.number else {}
    months = list(reversed(past.items()))[: max(limit - len(digests), 0) if limit > 0 else None]
    return {
        "about": "digests",
        "email": reader.address,
        "timezone": reader.zone,
        "digests": digests,
        "months": [_month(month, held, with_papers=with_papers) for month, held in months],
    }


def _month(month: datetime, held: list[tuple[str, int]], *, with_papers: bool) -> dict[str, Any]:
    """A month of digests that are no longer kept one by one, as plain values."""
    names = [f"{paper}v{version}" for paper, version in held]
    value: dict[str, Any] = {"month": f"{month:%Y-%m}", "papers": len(names)}
    return value | ({"names": names} if with_papers else {})


def _run(run: Run) -> dict[str, Any]:
    """One run as plain values."""
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


def _run_lines(runs: list[dict[str, Any]]) -> Iterator[str]:
    for run in runs:
        started = moment(from_text(run["started"]), "UTC")
        ended = "" if run["finished"] else ", interrupted"
        yield f"{started}  {', '.join(_counts(run)) or 'nothing to ask'}{ended}"
        if run["trouble"]:
            yield f"    {printable_line(run['trouble'], LONGEST)}"
        for one in run["keyword_trouble"]:
            said = f"{one['keyword']} {in_words(one['status'])}: {one['why']}"
            yield f"    {printable_line(said, LONGEST)}"
        if run["idle_before"]:
            yield f"    before that {counted(run['idle_before'], 'run')} with nothing to do"
    yield "(times in UTC)" if runs else "No run yet: 'digest run' does one."


def _counts(run: dict[str, Any]) -> Iterator[str]:
    """What a run came to, in numbers."""
    if run["asked"]:
        yield f"{counted(run['asked'], 'keyword')} asked"
        yield f"{run['new']} new"
    yield from (f"{run[kind]} {kind}" for kind in ("late", "revised") if run[kind])
    if run["composed"]:
        yield f"{counted(run['composed'], 'digest')} composed"
    outcomes = ("sent", "deferred", "failed", "unknown")
    yield from (f"{run[outcome]} {in_words(outcome)}" for outcome in outcomes if run[outcome])


def _digest_lines(report: dict[str, Any]) -> Iterator[str]:
    months = report["months"]
    if not report["digests"] and not months:
        yield f"No digest for {report['email']} yet: 'digest why {report['email']}' tells why."
        return
    for digest in report["digests"]:
        papers = counted(digest["papers"], "paper")
        yield f"{digest['date']}  {printable_line(digest['subject'])}  ({papers})"
        yield f"    {printable_line(digest['text'], LONGEST)}"
        for paper in digest.get("titles", ()):
            new = " (new version)" if paper["revised"] else ""
            yield f"    {paper['id']}v{paper['version']}  {printable_line(paper['title'])}{new}"
    for month in months:
        papers = counted(month["papers"], "paper")
        yield f"{month['month']}     {papers} in all"
        yield from (f"    {name}" for name in month.get("names", ()))
    kept = f"single digests are kept for {KEPT.days} days; " if months else ""
    yield f"({kept}times in {report['timezone']})"
