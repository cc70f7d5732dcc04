"""`digest publish`: the Daily Papers page from the database."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from digest.cli.base import Command, Context, json_option, now_option, pass_context
from digest.errors import ConfigError, UsageError
from digest.keywords.words import counted
from digest.setup.parts import clock_at
from digest.setup.subscribers import place_of_subscribers, read_roster

LIMIT = 100


@click.command(
    cls=Command,
    examples=("digest publish --markdown README.md", "digest publish --markdown - --limit 5"),
)
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="FILE",
    help="The page; - prints it.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=LIMIT,
    show_default=True,
    help="Papers of each keyword, at most.",
)
@click.option(
    "--always", is_flag=True, help="Write the file even where only its date would change."
)
@click.option(
    "--template",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A page of your own, not the built-in.",
)
@now_option
@json_option
@pass_context
def publish(
    context: Context,
    markdown: Path | None,
    limit: int,
    always: bool,
    template: Path | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Write the Daily Papers page: a table of the most recent papers of each keyword.

    The keywords come in the order of the subscribers file, the papers by their submission, the
    newest first. Nothing is fetched: 'digest run' does that. A page that would differ only in its
    date is left alone.
    """
    from digest.rendering.page.render import KeywordTable, render_page
    from digest.run.publish import write_page
    from digest.store import open_store

    if markdown is None:
        raise UsageError("nothing to write was named", remedy="such as with --markdown README.md")
    settings = context.settings
    roster = read_roster(settings)
    if not roster.keywords:
        place = place_of_subscribers(settings)
        raise ConfigError(f"{place} holds no keyword yet", remedy="'digest keywords add' adds one")
    with open_store(settings.db, create=False) as store:
        sections = [
            KeywordTable(k.name, store.pages.recent(k.query, limit)) for k in roster.keywords
        ]
    updated = clock_at(now)().date()
    page = render_page(sections, updated, template=template, templates=settings.templates)
    if str(markdown) == "-":
        click.echo(page.encode("utf-8"), nl=False)
        return
    written = write_page(markdown, page, always=always)
    if as_json:
        context.print_json(
            {
                "file": str(markdown),
                "written": written,
                "updated": updated.isoformat(),
                "keywords": [{"keyword": s.keyword, "papers": len(s.papers)} for s in sections],
            }
        )
    elif written:
        papers = len({paper.id for section in sections for paper in section.papers})
        context.echo(
            f"{markdown}: {counted(papers, 'paper')} under {counted(len(sections), 'keyword')}."
        )
    else:
        context.echo(f"{markdown} says all that already; it was left alone (--always writes it).")
