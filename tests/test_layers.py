"""The architecture, read from the syntax trees: who may import whom, what pure rooms never touch, where SQL lives."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "digest"
LONGEST = 420
"""Lines of a module."""

LAYERS: tuple[frozenset[str], ...] = tuple(
    frozenset(rooms.split())
    for rooms in (
        "model errors times",
        "query tokens lint silence categories combine diff schedule calendar revision explain reading export page "
        "tex compose view issue entry marks stems texts fold render signing bounces alarm pseudonyms",
        "arxiv match store mail publish files roster locks notify stopping timers heartbeat",
        "sources holding fetching composing delivering cycle staleness explaining recounting listening alarming",
        "daemon web",
        "cli settings mailing subscribing asking almanac demo checks __main__",
    )
)
PURE = LAYERS[0] | LAYERS[1]
NOT_FOR_PURE_ROOMS = frozenset("httpx aiosmtplib sqlite3 sqlite_utils click os socket time asyncio subprocess".split())
CLOCKS = frozenset({"now", "utcnow", "today", "time", "monotonic", "time_ns"})
SQL = re.compile(r"^\s*(SELECT|INSERT|UPDATE|DELETE FROM|CREATE|DROP|ALTER|PRAGMA|BEGIN|SAVEPOINT|WITH) ", re.MULTILINE)
SQL_ROOMS = frozenset({"store", "match"})
LEAVES = {("roster", "locks"), ("roster", "files"), ("publish", "files")}
"""Imports that are allowed inside layer 2: who, whom."""


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def room(path: Path) -> str:
    """The room of a module: the first name below the package; "" is the package itself, which holds the version."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "" if first == "__init__" else first


def layer(name: str) -> int:
    found = [number for number, rooms in enumerate(LAYERS) if name in rooms]
    assert len(found) == 1, f"the room {name} stands in no layer: add it where it belongs"
    return found[0]


def imports(path: Path) -> list[tuple[int, str]]:
    """Every module that is imported, wherever in the file, with the line."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are written from the package's name on"
            if node.module == "digest":
                found += [(node.lineno, f"digest.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, str(node.module)))
    return found


def own_imports(path: Path) -> list[tuple[int, str]]:
    """The rooms of this package that a module imports; the version is no room."""
    names = [(line, name.split(".")[1]) for line, name in imports(path) if name.startswith("digest.")]
    return [(line, name) for line, name in names if name != "__version__"]


MODULES = sorted(PACKAGE.rglob("*.py"))
every_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
pure_modules = pytest.mark.parametrize(
    "path", [m for m in MODULES if room(m) in PURE], ids=lambda path: str(path.relative_to(PACKAGE))
)


@every_module
def test_imports_go_downward_only(path: Path) -> None:
    own = room(path)
    if not own:
        assert own_imports(path) == []
        return
    for line, other in own_imports(path):
        if other != own:
            here, there = layer(own), layer(other)
            assert there < here or (there == here and here != 2) or (own, other) in LEAVES, (
                f"{path}:{line}: {own} (layer {here}) imports {other} (layer {there})"
            )


def test_no_layer_holds_a_circle() -> None:
    """Where rooms of one layer may see each other, they do so in one direction."""
    sees: dict[str, set[str]] = {}
    for path in MODULES:
        if (own := room(path)) and layer(own) not in (2, 5):
            others = {other for _, other in own_imports(path) if other != own and layer(other) == layer(own)}
            sees.setdefault(own, set()).update(others)
    done: set[str] = set()
    while ready := [name for name, others in sees.items() if name not in done and others <= done]:
        done.update(ready)
    assert set(sees) == done


@every_module
def test_only_the_settings_and_the_command_line_read_the_environment(path: Path) -> None:
    if room(path) in LAYERS[5]:
        return
    reads = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
    ]
    assert reads == []


@pure_modules
def test_pure_rooms_do_no_input_or_output(path: Path) -> None:
    assert [(n, name) for n, name in imports(path) if name.split(".")[0] in NOT_FOR_PURE_ROOMS] == []


@pure_modules
def test_pure_rooms_read_no_clock(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            owner = ast.unparse(node.func.value)
            assert owner not in ("datetime", "date", "time", "datetime.datetime", "datetime.date"), (
                f"{path}:{node.lineno}: {owner}.{node.func.attr}()"
            )


@every_module
def test_decisions_use_the_clock_that_they_are_given(path: Path) -> None:
    """Only the outermost layer, the locks' notes and the pacing of requests read the machine's clock."""
    if room(path) in LAYERS[5] | {"locks", "arxiv", "notify"}:
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert not (node.func.attr in ("now", "utcnow", "today") and "date" in ast.unparse(node.func.value)), (
                f"{path}:{node.lineno}"
            )


@every_module
def test_sql_lives_in_the_store_and_the_matcher_only(path: Path) -> None:
    if room(path) in SQL_ROOMS:
        return
    names = {name.split(".")[0] for _, name in imports(path)}
    assert not names & {"sqlite3", "sqlite_utils"}
    texts = [n for n in ast.walk(tree(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
    assert [(n.lineno, n.value) for n in texts if SQL.search(str(n.value))] == []


@every_module
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST


@every_module
def test_modules_begin_with_what_they_are_for(path: Path) -> None:
    docstring = ast.get_docstring(tree(path))
    assert docstring
    assert docstring.splitlines()[0].endswith((".", ";", ":"))


def test_every_room_stands_in_a_layer() -> None:
    rooms = {room(path) for path in MODULES} - {""}
    for name in rooms:
        layer(name)


def test_every_room_stands_in_the_map() -> None:
    told = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {name for rooms in LAYERS for name in rooms} - {"__main__"}
    assert sorted(name for name in rooms if f"`{name}`" not in told and f"`{name}/`" not in told) == []


def test_heavy_libraries_are_not_imported_to_tell_the_version() -> None:
    """`digest --version` and shell completion must not wait for what only some commands need."""
    code = (
        "import sys; from digest.cli import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: pass\n"
        "print(','.join(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    version, modules = answer.stdout.splitlines()
    assert version.startswith("digest ")
    heavy = {
        "httpx",
        "feedparser",
        "jinja2",
        "sqlite_utils",
        "ruamel",
        "email_validator",
        "rich",
        "aiosmtplib",
        "asyncio",
    }
    assert not heavy & set(modules.split(","))


def test_the_layers_have_teeth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests look for, they find."""
    module = PACKAGE / "rules" / "diff.py"
    bad = {
        "import digest.run.cycle\n": test_imports_go_downward_only,
        "def f():\n    from digest.store import Store\n": test_imports_go_downward_only,
        "import sqlite3\n": test_pure_rooms_do_no_input_or_output,
        "from os import environ\n": test_pure_rooms_do_no_input_or_output,
        "from datetime import datetime\nnow = datetime.now()\n": test_pure_rooms_read_no_clock,
        "from datetime import date\nnow = date.today()\n": test_decisions_use_the_clock_that_they_are_given,
        "QUERY = 'SELECT 1 FROM paper'\n": test_sql_lives_in_the_store_and_the_matcher_only,
        "import os\nx = os.environ['HOME']\n": test_only_the_settings_and_the_command_line_read_the_environment,
        "x = 1\n" * LONGEST: test_modules_stay_small,
    }
    for source, test in bad.items():
        with monkeypatch.context() as patch:
            patch.setattr("tests.test_layers.tree", lambda _path, source=source: ast.parse(source))
            patch.setattr(Path, "read_text", lambda _path, source=source, **_how: source)
            with pytest.raises(AssertionError):
                test(module)
