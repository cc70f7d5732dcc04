"""The whole page as Markdown, from the built-in template or the operator's own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import jinja2

from digest.errors import ConfigError
from digest.model import Paper
from digest.rendering.page.cells import HTTPS, heading, link, row, table, without_controls
from digest.rendering.templates import environment, template_errors

TEMPLATE = "page.md"
UPDATED = "Last update: "
"""Begins the one line by which the page of another day differs even when no paper came."""


@dataclass(frozen=True, slots=True)
class KeywordTable:
    """A keyword by its name, with its papers in the order in which the page shows them."""

    keyword: str
    papers: tuple[Paper, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """What a template may say of one paper; `row` is the finished row, the others are plain
    text.
    """

    title: str
    url: str
    date: str
    abstract: str
    comment: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    row: str


def render_page(
    sections: Sequence[KeywordTable],
    updated: date,
    *,
    links: str = HTTPS,
    template: Path | None = None,
    templates: Path | None = None,
) -> str:
    """Write the page; `updated` is the day that it names, `links` the scheme of its links.

    `template` is a file that takes the place of the built-in page, `templates` a folder whose
    page.md does. In a template, `updated` is the day, and each of `sections` has `keyword` (safe in
    a heading), `table` (all of it) and `papers`, each with title, url, date, abstract, comment,
    authors, categories, row. Raises ConfigError where a template is broken.
    """
    folder, name = (template.resolve().parent, template.name) if template else (templates, TEMPLATE)
    values = [
        {
            "keyword": heading(section.keyword),
            "table": table(section.papers, links=links),
            "papers": [_row(paper, links) for paper in section.papers],
        }
        for section in sections
    ]
    with template_errors(name):
        try:
            page = _environment(folder).get_template(name)
            return page.render(sections=values, updated=updated.isoformat())
        except jinja2.TemplateNotFound as error:
            missing = f"there is no template {template or error.name}"
            raise ConfigError(missing, remedy="name another file") from error


@cache
def _environment(folder: Path | None) -> jinja2.Environment:
    # Not escaped: the cells of Markdown are escaped where they are made.
    # One for each folder: an environment keeps its compiled templates.
    return environment(folder, autoescape=False)


def same_but_for_its_date(one: str, other: str) -> bool:
    """Tell whether two pages differ at most in the day that they name."""
    return _undated(one) == _undated(other)


def _undated(page: str) -> str:
    return re.sub(f"^{UPDATED}.*", "", page, count=1, flags=re.MULTILINE)


def _row(paper: Paper, links: str) -> _Row:
    return _Row(
        title=without_controls(paper.title),
        url=link(paper, links),
        date=paper.updated.date().isoformat(),
        abstract=without_controls(paper.abstract),
        comment=without_controls(paper.comment),
        authors=tuple(map(without_controls, paper.authors)),
        categories=paper.categories,
        row=row(paper, links=links),
    )
