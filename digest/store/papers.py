"""Papers as the database keeps them: each once, in the highest version ever served."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from digest.model import Paper
from digest.store.database import Database
from digest.times import from_text, to_text

PAPER_COLUMNS = "id version title abstract authors categories published updated comment journal_ref doi approximate".split()

_UPSERT_PAPER = (
    f"INSERT INTO paper({', '.join(PAPER_COLUMNS)}) VALUES({', '.join('?' * len(PAPER_COLUMNS))})"
    " ON CONFLICT(id) DO UPDATE SET "
    + ", ".join(
        f"{name} = excluded.{name}" for name in PAPER_COLUMNS if name not in ("id", "published")
    )
)


def load_papers(database: Database, ids: list[str]) -> dict[str, Paper]:
    """Papers by base id, each in the highest version ever served."""
    rows = database.rows(
        f"SELECT {', '.join(PAPER_COLUMNS)} FROM paper WHERE id IN (SELECT value FROM json_each(?))",
        [json.dumps(ids)],
    )
    return {row["id"]: _paper(tuple(row.items())) for row in rows}


@lru_cache(maxsize=1024)
def _paper(row: tuple[tuple[str, Any], ...]) -> Paper:
    """A row as a paper; kept, since in one evening many readers get the same ones."""
    values = dict(row)
    return Paper(
        **{
            **values,
            "authors": tuple(json.loads(values["authors"])),
            "categories": tuple(json.loads(values["categories"])),
            "published": from_text(values["published"]),
            "updated": from_text(values["updated"]),
            "approximate": bool(values["approximate"]),
        }
    )


def _row(paper: Paper) -> list[str | int]:
    return [
        paper.id,
        paper.version,
        paper.title,
        paper.abstract,
        json.dumps(paper.authors, ensure_ascii=False),
        json.dumps(paper.categories),
        to_text(paper.published),
        to_text(paper.updated),
        paper.comment,
        paper.journal_ref,
        paper.doi,
        paper.approximate,
    ]


def write_paper(database: Database, paper: Paper, *, anew: bool = False) -> None:
    """Write one paper over what is kept of it; when it was submitted stays as it was, unless
    `anew`.
    """
    database.write(_UPSERT_PAPER, _row(paper))
    if anew:
        database.write(
            "UPDATE paper SET published = ? WHERE id = ?", [to_text(paper.published), paper.id]
        )
