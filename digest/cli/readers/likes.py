"""`digest likes`: the papers that a reader likes, listed, added and taken back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import click

from digest.cli.base import Command, Context, json_option, pass_context
from digest.cli.look.reader import KnownReader, known_reader
from digest.errors import ConfigError, TryLaterError, UsageError
from digest.keywords.words import counted
from digest.rendering.texts import readable, shorten
from digest.rules.verdict import read_paper_name
from digest.setup.parts import existing_store, machine_now, reading_store
from digest.setup.settings import Settings
from digest.setup.subscribers import LIKES_NOT_KEPT, read_roster
from digest.store import Store
from digest.times import to_text

TITLE_LENGTH = 100


@click.command(
    cls=Command,
    examples=(
        "digest likes ada@example.org",
        "digest likes ada@example.org --remove 2503.14895",
    ),
)
@click.argument("email")
@click.option("--add", "added", multiple=True, metavar="ID", help="A paper that the reader likes.")
@click.option("--remove", "removed", multiple=True, metavar="ID", help="One that they do not.")
@json_option
@pass_context
def likes(
    context: Context, email: str, added: tuple[str, ...], removed: tuple[str, ...], as_json: bool
) -> None:
    """List the papers that a reader likes, add some, or take some back.

    ID is an arXiv id, or the address of a paper's page. Readers say it themselves beside each paper
    of their mails where 'feedback' is on. From five papers on, library and likes together,
    'order: likeliest' goes by them; which papers come stays the same.
    """
    settings = context.settings
    more, less = _ids(added), _ids(removed)
    if both := [paper for paper in more if paper in less]:
        raise UsageError(f"{both[0]} is both added and removed", remedy="name it once")
    if more or less:
        with existing_store(settings) as found:
            changed = _changed(settings, found, email, more, less)
    else:
        changed = {}
    with reading_store(settings) as store:
        reader = known_reader(settings, read_roster(settings), store, email)
        rows = _rows(store, reader.number)
        why_not = _why_not(store, reader)
    value = {
        "email": reader.address,
        "liked": rows,
        "added": [paper for paper in more if changed[paper]],
        "removed": [paper for paper in less if changed[paper]],
    }
    lines = [
        *(_change_line(reader.address, p, "likes", "already likes", changed[p]) for p in more),
        *(
            _change_line(reader.address, p, "no longer likes", "did not like", changed[p])
            for p in less
        ),
        *_lines(reader.address, rows, why_not),
    ]
    context.show(value, lines, as_json=as_json)


def _ids(texts: Iterable[str]) -> list[str]:
    """The base ids of papers, each once. Raises UsageError where one is none."""
    names = {text: read_paper_name(text) for text in texts}
    for text, name in names.items():
        if name is None:
            raise UsageError(
                f"{text!r} is no arXiv id", remedy="write one such as 2503.14895 or hep-th/9901001"
            )
    return list(dict.fromkeys(name.id for name in names.values() if name))


def _changed(
    settings: Settings, store: Store | None, email: str, more: list[str], less: list[str]
) -> dict[str, bool]:
    """Add and remove all of these papers, or nothing; returns of each whether that changed
    anything. Raises where likes are not kept, or reader or paper are not known.
    """
    roster = read_roster(settings)
    if settings.subscribers_yaml:
        raise ConfigError(LIKES_NOT_KEPT, remedy="keep the readers in a file of your own machine")
    if store is None:
        raise TryLaterError(
            f"there is no database at {settings.db}", remedy="'digest run' makes it"
        )
    reader, preferences = known_reader(settings, roster, store, email), store.preferences
    if not reader.number:
        raise TryLaterError(
            f"the database does not know {reader.address} yet", remedy="the next run takes them in"
        )
    for paper in more:
        if store.history.paper(paper) is None:
            raise UsageError(
                f"the database knows no paper {paper}",
                remedy="no keyword brought it: a paper from elsewhere belongs into a library",
            )
    before, now = preferences.liked(reader.number), machine_now()
    for paper in more:
        preferences.like(reader.number, paper, now)
    gone = {paper: preferences.unlike(reader.number, paper) for paper in less}
    return {paper: paper not in before for paper in more} | gone


def _rows(store: Store, reader: int) -> list[dict[str, Any]]:
    """What a reader likes, as JSON shows it."""
    papers = {paper.id: paper.title for paper in store.preferences.liked_papers(reader)}
    return [
        {"id": paper, "title": papers.get(paper, ""), "since": to_text(since)}
        for paper, since in store.preferences.liked(reader).items()
    ]


def _why_not(store: Store, reader: KnownReader) -> str:
    """Why the digests of a reader do not go by what they have; "" where they do."""
    from digest.run.tastes import Tastes

    if reader.subscriber is None:
        return "they are no reader any more"
    return Tastes(store).why_not(reader.number, reader.subscriber)


def _change_line(address: str, paper: str, did: str, was: str, changed: bool) -> str:
    return f"{address} {did if changed else was} {paper}."


def _lines(address: str, rows: list[dict[str, Any]], why_not: str) -> Iterator[str]:
    yield f"{address} likes {counted(len(rows), 'paper')}{':' if rows else '.'}"
    for row in rows:
        yield f"  {row['id']}  {row['since'][:10]}  {shorten(readable(row['title']), TITLE_LENGTH)}"
    if rows and why_not:
        yield f"The order of the digests does not follow that: {why_not}."
