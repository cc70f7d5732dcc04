"""The architecture: the layers by import-linter's contracts, and what those cannot say from the
syntax trees."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import lint_imports
from radon.complexity import cc_visit

from digest.cli import COMMANDS

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "digest"
LONGEST = 400
"""Lines of a module."""

BRANCHES = 10
"""Ways through a block: a function, a method, or a class on the average of its methods."""
SHARE_OF_BRANCHING = 0.01
"""Of all blocks so many may have more."""

WIDTH = 100
"""Characters of a line."""

GROUND = frozenset({"model", "errors", "times"})
PURE = GROUND | {"rules", "rendering", "keywords"}
MAY_SPEAK_SQL = ("store", "keywords/match.py")
MAY_READ_THE_ENVIRONMENT = ("setup", "cli", "demo", "__main__.py", "mail/mailbox_process.py")
"""The last reads no setting: it passes on to a process what is not secret."""
MAY_READ_THE_CLOCK = ("setup", "cli", "demo", "system", "arxiv", "__main__.py")
"""The outermost rooms, the locks' notes and the pacing of requests."""
NOT_FOR_PURE_ROOMS = frozenset(
    "httpx aiosmtplib sqlite3 sqlite_utils click os socket time asyncio subprocess".split()
)
CLOCKS = frozenset({"now", "utcnow", "today", "time", "monotonic", "time_ns"})
SQL = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE FROM|CREATE|DROP|ALTER|PRAGMA|BEGIN|SAVEPOINT|WITH) ",
    re.MULTILINE,
)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def room(path: Path) -> str:
    """The room of a module: the first name below the package."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def stands_in(path: Path, places: tuple[str, ...]) -> bool:
    """Whether a module is one of these rooms or files, given below the package."""
    below = path.relative_to(PACKAGE)
    return any(below.is_relative_to(place) for place in places)


def imports(path: Path) -> list[tuple[int, str]]:
    """Every module that is imported, wherever in the file, with the line."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, (
                f"{path}:{node.lineno}: imports are written from the package's name on"
            )
            if node.module == "digest":
                found += [(node.lineno, f"digest.{alias.name}") for alias in node.names]
            else:
                found.append((node.lineno, str(node.module)))
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))
PURE_MODULES = [
    path for path in MODULES if room(path) in PURE and not stands_in(path, MAY_SPEAK_SQL)
]
Check = Callable[[Path], None]
CHECKS: dict[str, Check] = {}
"""What each module must keep, by the names of the tests."""


def for_all(modules: Sequence[Path]) -> Callable[[Check], Callable[[], None]]:
    """Make one test of a check of a module: parametrized, they would be thousands."""

    def decorate(check: Check) -> Callable[[], None]:
        CHECKS[check.__name__] = check

        def test() -> None:
            broken = {}
            for path in modules:
                try:
                    check(path)
                except AssertionError as error:
                    broken[str(path.relative_to(PACKAGE))] = str(error)
            assert broken == {}

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        return test

    return decorate


def test_imports_keep_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers of pyproject.toml hold, and every room stands in one of them."""
    # It would switch off the loggers of the tests that follow in this process.
    monkeypatch.setattr("importlinter.cli.logging_config.dictConfig", lambda _configuration: None)
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_the_package_shows_its_rooms_and_nothing_else() -> None:
    """Seventeen packages and the ground."""
    names = {path.name for path in PACKAGE.iterdir()} - {"__pycache__"}
    files = {"__init__.py", "__main__.py", "py.typed", "model", "errors.py", "times.py"}
    assert files <= names
    assert len(names - files) == 17
    assert all((PACKAGE / name / "__init__.py").exists() for name in names - files)


@for_all(MODULES)
def test_only_the_settings_and_the_command_line_read_the_environment(path: Path) -> None:
    if stands_in(path, MAY_READ_THE_ENVIRONMENT):
        return
    reads = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "environb")
    ]
    assert reads == []


@for_all(PURE_MODULES)
def test_pure_rooms_do_no_input_or_output(path: Path) -> None:
    assert [
        (n, name) for n, name in imports(path) if name.split(".")[0] in NOT_FOR_PURE_ROOMS
    ] == []


@for_all(PURE_MODULES)
def test_pure_rooms_read_no_clock(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CLOCKS
        ):
            owner = ast.unparse(node.func.value)
            assert owner not in (
                "datetime",
                "date",
                "time",
                "datetime.datetime",
                "datetime.date",
            ), f"{path}:{node.lineno}: {owner}.{node.func.attr}()"


@for_all(MODULES)
def test_decisions_use_the_clock_that_they_are_given(path: Path) -> None:
    if stands_in(path, MAY_READ_THE_CLOCK):
        return
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            assert not (
                node.func.attr in ("now", "utcnow", "today")
                and "date" in ast.unparse(node.func.value)
            ), f"{path}:{node.lineno}"


@for_all(MODULES)
def test_sql_lives_in_the_store_and_the_matcher_only(path: Path) -> None:
    if stands_in(path, MAY_SPEAK_SQL):
        return
    names = {name.split(".")[0] for _, name in imports(path)}
    assert not names & {"sqlite3", "sqlite_utils"}
    texts = [
        n for n in ast.walk(tree(path)) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    ]
    assert [(n.lineno, n.value) for n in texts if SQL.search(str(n.value))] == []


@for_all(MODULES)
def test_modules_stay_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < LONGEST


@for_all(MODULES)
def test_lines_stay_within_the_width(path: Path) -> None:
    """The linter passes over lines that are one long word, and those with a pragma."""
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > WIDTH] == []


@for_all(MODULES)
def test_modules_begin_with_what_they_are_for(path: Path) -> None:
    docstring = ast.get_docstring(tree(path))
    assert docstring
    assert docstring.partition("\n\n")[0].endswith((".", ";", ":"))


def test_every_room_stands_in_the_map_and_says_what_it_uses() -> None:
    told = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for path in PACKAGE.glob("*/__init__.py"):
        assert f"`{path.parent.name}`" in told
        assert "\nUses: " in (ast.get_docstring(tree(path)) or "")


def test_hardly_a_block_has_more_than_ten_branches() -> None:
    """Counted with `and`, `or` and comprehensions, which the linter's own rule leaves out."""
    found = [
        f"{path.relative_to(PACKAGE)}:{block.lineno} {block.name} ({block.complexity})"
        for path in MODULES
        for block in cc_visit(path.read_text(encoding="utf-8"))
    ]
    branching = [name for name in found if int(name.rpartition("(")[2].rstrip(")")) > BRANCHES]
    assert len(branching) <= SHARE_OF_BRANCHING * len(found), branching


HEAVY = frozenset(
    "httpx feedparser jinja2 sqlite_utils ruamel email_validator rich aiosmtplib asyncio".split()
)
"""What only some commands need, and what takes long to import."""


def run_main(arguments: list[str], **environment: str) -> tuple[str, set[str]]:
    """What a command prints, and the libraries that it has imported by then."""
    code = (
        "import sys; from digest.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "print('\\n' + ','.join(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    printed, _, modules = answer.stdout.rstrip().rpartition("\n")
    return printed, set(modules.split(","))


def test_heavy_libraries_are_not_imported_to_tell_the_version() -> None:
    version, modules = run_main(["--version"])
    assert version.startswith("digest ")
    assert not HEAVY & modules


def test_no_command_is_imported_to_complete_the_name_of_one() -> None:
    """The Tab key must not wait for what only some commands need."""
    completion = {"COMP_WORDS": "digest ", "COMP_CWORD": "1"}
    names, modules = run_main([], _DIGEST_COMPLETE="bash_complete", **completion)
    assert {f"plain,{name}" for name in COMMANDS} == set(names.split())
    assert not HEAVY & modules


def test_the_modules_of_commands_leave_heavy_libraries_to_the_commands_themselves() -> None:
    """A command's help, and the Tab key after its name, must not wait for what only its work needs;
    asyncio is light enough beside click."""
    modules = sorted({place.partition(":")[0] for place, _ in COMMANDS.values()})
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(f'digest.cli.{{name}}')\n"
        "print(','.join(sorted({m.split('.')[0] for m in sys.modules})))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not (HEAVY - {"asyncio"}) & set(answer.stdout.strip().split(","))


def test_the_layers_have_teeth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests look for, they find."""
    module = PACKAGE / "rules" / "diff.py"
    environment = "test_only_the_settings_and_the_command_line_read_the_environment"
    clock = "test_decisions_use_the_clock_that_they_are_given"
    bad = {
        "import sqlite3\n": "test_pure_rooms_do_no_input_or_output",
        "from os import environ\n": "test_pure_rooms_do_no_input_or_output",
        "from datetime import datetime\nnow = datetime.now()\n": "test_pure_rooms_read_no_clock",
        "from datetime import date\nnow = date.today()\n": clock,
        "QUERY = 'SELECT 1 FROM paper'\n": "test_sql_lives_in_the_store_and_the_matcher_only",
        "import os\nx = os.environ['HOME']\n": environment,
        "x = 1\n" * LONGEST: "test_modules_stay_small",
        f"x = {'1' * WIDTH}\n": "test_lines_stay_within_the_width",
    }
    for source, name in bad.items():
        with monkeypatch.context() as patch:
            patch.setattr("tests.test_layers.tree", lambda _path, source=source: ast.parse(source))
            patch.setattr(Path, "read_text", lambda _path, source=source, **_how: source)
            with pytest.raises(AssertionError):
                CHECKS[name](module)
