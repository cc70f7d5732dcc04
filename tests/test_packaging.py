"""What is installed: every package, and every file that the packages read."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from pathlib import Path

import pytest

import digest

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = ROOT / "templates"


@pytest.fixture(scope="module")
def setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def packages() -> dict[str, Path]:
    """Every package by name; the templates lie in the project's root."""
    found = {
        ".".join(p.parent.relative_to(ROOT).parts): p.parent
        for p in (ROOT / "digest").rglob("__init__.py")
    }
    return found | {"digest.templates": TEMPLATES}


def data_files() -> dict[str, Path]:
    """Every file beside the modules, by its place in an installation."""
    return {
        f"{place}/{path.relative_to(folder)}": path
        for place, folder in {"digest": ROOT / "digest", "digest/templates": TEMPLATES}.items()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }


def test_every_package_is_listed(setup: configparser.ConfigParser) -> None:
    assert setup["options"]["packages"].split() == sorted(packages())


def test_every_folder_with_modules_is_a_package() -> None:
    assert {p.parent for p in (ROOT / "digest").rglob("*.py")} <= set(packages().values())


def test_every_data_file_is_named(setup: configparser.ConfigParser) -> None:
    named = {
        name: re.split(r"[,\s]+", patterns)
        for name, patterns in setup["options.package_data"].items()
    }
    for place, path in data_files().items():
        # The templates' own folders are no packages.
        package = ".".join(Path(place.replace("/templates/web/", "/templates/")).parts[:-1])
        assert any(path.match(pattern) for pattern in named.get(package, [])), place
    assert "digest/templates/digest.html" in data_files()
    assert "digest/rules/holidays.json" in data_files()
    assert "digest/py.typed" in data_files()


def test_modules_and_data_are_built(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        "from setuptools import setup; setup()",
        "-q",
        "build_py",
    ]
    subprocess.run(
        [*build, "--build-lib", str(tmp_path)], cwd=ROOT, check=True, capture_output=True
    )
    built = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    modules = {
        f"{n.replace('.', '/')}/{p.name}"
        for n, folder in packages().items()
        for p in folder.glob("*.py")
    }
    assert built == modules | set(data_files())


def test_the_command_leads_to_the_command_line(setup: configparser.ConfigParser) -> None:
    assert setup["options.entry_points"]["console_scripts"].split() == [
        "digest",
        "=",
        "digest.cli:main",
    ]
    assert setup["metadata"]["version"] == "attr: digest.__version__"
    assert re.fullmatch(r"\d+\.\d+\.\d+", digest.__version__)
