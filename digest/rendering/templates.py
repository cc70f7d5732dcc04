"""Templates: the built-in ones behind those of a folder of the operator's, and their mistakes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from digest.errors import ConfigError


def environment(folder: Path | None, *, autoescape: bool, room: str = "") -> jinja2.Environment:
    """The built-in templates, behind those of a folder. What stands in their folders `room` comes
    before all others.

    Escaping is a matter of the part that is written, never of what a template file is called. An
    operator's templates say how a page looks, and Jinja's sandbox keeps them from all else.
    """
    loaders: list[jinja2.BaseLoader] = []
    for place in filter(None, dict.fromkeys((room, "."))):
        loaders += [jinja2.FileSystemLoader(folder / place)] if folder else []
        loaders.append(jinja2.PackageLoader("digest.templates", place))
    made = (SandboxedEnvironment if folder else jinja2.Environment)(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=autoescape,
        # A misspelt name in an operator's template is told, not printed as nothing.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # What templates write of a paper; mails are given pieces.Pieces for it.
    made.globals["piece"] = lambda macro, *given: macro(*given)
    return made


def fingerprint(folder: Path | None, room: str = ".") -> str:
    """A hash of the templates, the built-in ones and those that stand in a folder, in their folders
    `room`: another one where anything in them has changed.
    """
    found = hashlib.sha256()
    for name, text in (*_built_in(room), *(_texts(folder / room) if folder else ())):
        found.update(f"{name} {len(text)} ".encode() + text)
    return found.hexdigest()[:16]


def _texts(folder: Path | Traversable) -> tuple[tuple[str, bytes], ...]:
    """The templates in a folder, by name."""
    files = sorted(folder.iterdir(), key=lambda file: file.name) if folder.is_dir() else []
    return tuple(
        (file.name, file.read_bytes())
        for file in files
        if file.name.endswith((".html", ".txt", ".css")) and file.is_file()
    )


@cache
def _built_in(room: str) -> tuple[tuple[str, bytes], ...]:
    return _texts(resources.files("digest.templates") / room)


@contextmanager
def template_errors(name: str) -> Iterator[None]:
    """Raise ConfigError for what a template does wrong while it is read and filled."""
    try:
        yield
    except jinja2.TemplateSyntaxError as error:
        place = f"the template {error.name}, line {error.lineno}"
        raise ConfigError(f"{place}: {error.message}") from error
    except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise ConfigError(f"the template {name}: {error}") from error
