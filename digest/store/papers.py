"""Papers as the database keeps them: each once, in the highest version ever served, with what the
versions changed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from functools import lru_cache
from typing import Any

from digest.model import Change, Paper
from digest.rules.revision import changes, is_withdrawn, merged
from digest.store.database import Database
from digest.store.rows import columns_of, loads, stored, value_of
from digest.store.withdrawals import search
from digest.store.words import note_change

_COLUMNS = [field.name for field in fields(Paper)]
_UPSERT = f"""
    INSERT INTO paper({", ".join(_COLUMNS)}) VALUES({", ".join(f":{name}" for name in _COLUMNS)})
    ON CONFLICT(id) DO UPDATE SET
        {", ".join(f"{name} = :{name}" for name in _COLUMNS if name not in ("id", "published"))},
        published = CASE WHEN :redate = 1 THEN :published ELSE paper.published END"""


def load_papers(database: Database, ids: list[str]) -> dict[str, Paper]:
    """Papers by base id, each in the highest version ever served."""
    rows = database.rows(
        f"""SELECT {", ".join(_COLUMNS)} FROM paper
            WHERE id IN many(?)""",
        [ids],
    )
    return {row["id"]: _paper(tuple(row.items())) for row in rows}


@lru_cache(maxsize=1024)
def _paper(row: tuple[tuple[str, Any], ...]) -> Paper:
    """A row as a paper; kept, since in one evening many readers get the same ones."""
    return value_of(Paper, dict(row))


def write_paper(database: Database, paper: Paper, *, redate: bool = False) -> None:
    """Write one paper over what is kept of it; when it was submitted stays as it was, unless
    `redate`.
    """
    database.write(
        _UPSERT,
        columns_of(paper)
        | {
            "authors": json.dumps(paper.authors, ensure_ascii=False),
            "categories": json.dumps(paper.categories),
            "redate": redate,
        },
    )


def keep_papers(database: Database, papers: Sequence[Paper]) -> None:
    """Keep each paper in the highest version ever served, and note what a new version
    changed.
    """
    kept = load_papers(database, [p.id for p in papers])
    for paper in papers:
        before = kept.get(paper.id)
        if before is None:
            write_paper(database, paper)
        elif (paper.version, not paper.approximate) > (before.version, not _is_guess(before)):
            note_change(database, [before])
            write_paper(database, paper, redate=_is_guess(before))
            _note_changes(database, before, paper)
        else:
            continue
        _note_withdrawal(database, paper)


def _note_changes(database: Database, before: Paper, paper: Paper) -> None:
    """Note what a version changed; of one whose announcement only was known till now, what that
    did not say.
    """
    if paper.version == 1 or (before.version == paper.version and not before.approximate):
        return
    # A page that was imported named no authors: that they are known now is no change of them.
    changed = changes(replace(before, authors=before.authors or paper.authors), paper)
    old_title = before.title if Change.TITLE in changed else ""
    noted = database.row(
        "SELECT changed, old_title FROM revision WHERE paper = ? AND version = ?",
        [paper.id, paper.version],
    )
    # What changed is not known wholly where the abstract before is no longer kept.
    is_known = bool(before.abstract)
    if noted is not None:
        known = loads(noted["changed"])
        is_known = is_known and known is not None
        changed = merged(map(stored(Change), known or ()), changed)
        old_title = noted["old_title"]
    database.write(
        """INSERT INTO revision(paper, version, changed, accepted, old_title)
           VALUES(?, ?, ?, ?, ?)
           ON CONFLICT(paper, version) DO UPDATE SET changed = excluded.changed,
               accepted = excluded.accepted, old_title = excluded.old_title""",
        [
            paper.id,
            paper.version,
            json.dumps(changed if is_known else None),
            Change.ACCEPTED in changed,
            old_title,
        ],
    )


def _note_withdrawal(database: Database, paper: Paper) -> None:
    """Note from which version on a paper is withdrawn; who was sent it before is looked for
    later.
    """
    if not is_withdrawn(paper):
        database.write("UPDATE paper SET withdrawn = 0 WHERE id = ? AND withdrawn > 0", [paper.id])
    elif database.write(
        "UPDATE paper SET withdrawn = version WHERE id = ? AND withdrawn = 0", [paper.id]
    ):
        search(database, paper.id)


def _is_guess(paper: Paper) -> bool:
    """Whether it is only guessed when a paper was submitted: an imported page names no authors, an
    announcement no dates.
    """
    return paper.approximate or not paper.authors
