"""What the store's tests ask of a database: nothing that SQLite alone has, unless they say so."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
OWN = re.compile(
    r"sqlite|PRAGMA|QUERY PLAN|\browid\b|json_each|INSERT OR |strftime|NOCASE"
    r"|\._connection\b|\._db\b|\b(?:house|settled|world)\.path\b|Database\.(?:open|copy_of)\("
)
"""What a test can ask of SQLite alone."""
NOT_TESTS = {"conftest.py", "__init__.py", Path(__file__).name}


def is_marked(node: ast.AST) -> bool:
    return "mark.sqlite" in ast.unparse(node)


def unmarked(path: Path) -> Iterator[tuple[str, str]]:
    """The parts of a module that are meant for every kind of database: name and text."""
    text = path.read_text()
    parts, lines = ast.parse(text).body, text.splitlines()
    if any(isinstance(part, ast.Assign) and is_marked(part) for part in parts):
        return
    for part in parts:
        marks = getattr(part, "decorator_list", [])
        if not any(is_marked(mark) for mark in marks):
            yield (
                getattr(part, "name", "imports"),
                "\n".join(lines[part.lineno - 1 : part.end_lineno]),
            )


MODULES = sorted(path for path in HERE.glob("*.py") if path.name not in NOT_TESTS)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_what_only_sqlite_has_is_marked(path: Path) -> None:
    found = [f"{name}: {own[0]}" for name, text in unmarked(path) if (own := OWN.search(text))]
    assert found == [], "mark it @pytest.mark.sqlite, or ask in the store's common words"
