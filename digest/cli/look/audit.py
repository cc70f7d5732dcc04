"""`digest audit`: arXiv's own record of the last weeks beside what readers were sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from digest.cli.base import Command, Context, json_option, now_option, pass_context
from digest.cli.daily.cycle import progress_line
from digest.cli.look.reader import LONGEST, KnownReader, known_reader
from digest.cli.look.why import inquiry_of
from digest.errors import ArxivError, ConfigError, Exit, TryLaterError
from digest.keywords.words import counted
from digest.model import Subscriber
from digest.rendering.texts import printable_line
from digest.rules.plan import LONGEST_HARVEST
from digest.setup.parts import machine_now, reading_store
from digest.setup.settings import Settings
from digest.setup.subscribers import read_roster
from digest.store import Store
from digest.times import from_text, in_utc, to_text

if TYPE_CHECKING:
    from digest.run.audit import Harvest


@click.command(
    cls=Command,
    examples=("digest audit ada@example.org", "digest audit --days 7 --json"),
)
@click.argument("emails", nargs=-1, metavar="[EMAIL]...")
@click.option(
    "--days",
    type=click.IntRange(1, LONGEST_HARVEST.days),
    default=30,
    show_default=True,
    help="How far back to look.",
)
@json_option
@now_option
@pass_context
def audit(
    context: Context, emails: tuple[str, ...], days: int, as_json: bool, now: datetime | None
) -> None:
    """Tell which papers arXiv has for readers' keywords that no digest carried, and why not.

    arXiv's own record (OAI) of the last days is looked through once for all readers that are named,
    or for all of the subscribers file. What matches their keywords by this program's own reading
    is held against what they were sent; of each paper that is missing there it says why, as 'digest
    why' does. Nothing is written or mailed.

    That takes about two requests for each day, one after the other at DIGEST_ARXIV_DELAY: some
    minutes for 30 days, less where all keywords name categories of one archive. Where it is
    stopped, nothing is left to tidy up. It ends with 1 where a paper is missing since a keyword's
    answers fail or are held back, and with 75 where arXiv does not answer.
    """
    settings, now = context.settings, now or machine_now()
    roster = read_roster(settings)
    since = now - timedelta(days=days)
    with reading_store(settings) as store:
        named = emails or [reader.email for reader in roster.subscribers]
        readers = [known_reader(settings, roster, store, email) for email in dict.fromkeys(named)]
        served = [(one, one.subscriber) for one in readers if one.subscriber is not None]
        for one in readers:
            if one.subscriber is None:
                context.warn(f"{one.address} is not served: the subscribers file does not say how")
        found = _harvest(context, store, [one for _, one in served], since, now, quiet=as_json)
        report = {
            "now": to_text(now),
            "since": to_text(since),
            "records": found.records,
            "readers": [_audited(settings, store, one, found, now) for one, _ in served],
        }
    context.show(report, _lines(report), as_json=as_json)
    if _is_given_up(report):
        context.exit(Exit.GIVEN_UP)


def _harvest(
    context: Context,
    store: Store,
    readers: Sequence[Subscriber],
    since: datetime,
    now: datetime,
    *,
    quiet: bool,
) -> Harvest:
    """ArXiv's record for the keywords of these readers."""
    from digest.run.audit import Harvest, harvest
    from digest.run.fetch import why_paused
    from digest.setup.arxiv import make_arxiv, make_oai

    queries = dict.fromkeys(each.query for reader in readers for each in reader.keywords)
    if not queries:
        return Harvest({}, 0)
    if paused := why_paused(store, machine_now()):
        raise TryLaterError(paused)

    async def look() -> Harvest:
        with progress_line(context, quiet=quiet) as progress:
            async with make_arxiv(context.settings) as arxiv:
                oai = make_oai(context.settings, arxiv.line)
                if oai is None:
                    raise ConfigError(
                        "there is no OAI service to ask",
                        remedy="DIGEST_ARXIV_OAI names one for an API that is not arXiv's",
                    )
                return await harvest(oai, queries, since, now, progress)

    try:
        return asyncio.run(look())
    except ArxivError as error:
        raise TryLaterError(f"arXiv's record could not be harvested: {error.message}") from error


def _audited(
    settings: Settings, store: Store, reader: KnownReader, found: Harvest, now: datetime
) -> dict[str, Any]:
    from digest.explain.audit import audit_reader

    return audit_reader(inquiry_of(settings, store, reader, now), found.matches)


def _is_given_up(report: dict[str, Any]) -> bool:
    from digest.explain.audit import GIVEN_UP

    verdicts = {paper["verdict"] for reader in report["readers"] for paper in reader["missing"]}
    return not GIVEN_UP.isdisjoint(verdicts)


def _reason(paper: dict[str, Any]) -> tuple[str, str]:
    return paper["verdict"], paper["why"]


def _lines(report: dict[str, Any]) -> Iterator[str]:
    """The report in lines for people: a line for each reader, then the papers by reason."""
    since, now = in_utc(from_text(report["since"])), in_utc(from_text(report["now"]))
    yield f"Announced by arXiv between {since} and {now}:"
    for reader in report["readers"]:
        number, missing = counted(reader["papers"], "paper"), reader["missing"]
        yield ""
        yield f"{reader['email']}: {number}, {reader['carried']} in digests, {len(missing)} in none"
        for why, papers in groupby(sorted(missing, key=_reason), key=_reason):
            yield f"  {printable_line(why[-1], LONGEST)}"
            for paper in papers:
                yield f"    {paper['id']}  {printable_line(paper['title'], LONGEST)}"
    if not report["readers"]:
        yield "  nobody is served"
