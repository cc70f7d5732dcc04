"""Papers as the database keeps them: each once, in the highest version ever served."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import lru_cache
from typing import Any

from digest.model import Paper
from digest.store.database import Database
from digest.store.rows import value_of

_COLUMNS = [field.name for field in fields(Paper)]
_UPSERT = f"""
    INSERT INTO paper({", ".join(_COLUMNS)}) VALUES({", ".join(f":{name}" for name in _COLUMNS)})
    ON CONFLICT(id) DO UPDATE SET
        {", ".join(f"{name} = :{name}" for name in _COLUMNS if name not in ("id", "published"))},
        published = CASE WHEN :redate THEN :published ELSE published END"""


def load_papers(database: Database, ids: list[str]) -> dict[str, Paper]:
    """Papers by base id, each in the highest version ever served."""
    rows = database.rows(
        f"""SELECT {", ".join(_COLUMNS)} FROM paper
            WHERE id IN (SELECT value FROM json_each(?))""",
        [json.dumps(ids)],
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
        asdict(paper)
        | {
            "authors": json.dumps(paper.authors, ensure_ascii=False),
            "categories": json.dumps(paper.categories),
            "redate": redate,
        },
    )
