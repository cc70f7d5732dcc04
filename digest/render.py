"""A digest as it will be read: subject, text part and HTML part, within the size that mail allows."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import css_inline
import jinja2

from digest.errors import ConfigError
from digest.fold import underline, wrap
from digest.model import Digest, Rendered
from digest.view import PageView, view

HTML_BYTES = 90_000
"""The HTML part's limit, in bytes of UTF-8: Gmail clips what is beyond about 102 kB."""
HTML_KEYWORDS = 40
"""How many keywords the HTML part explains; the text part explains all."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is said: of papers 1 to `abstracts` all, to `details` a byline, to `listed` the title."""

    abstracts: int
    details: int
    listed: int


class Renderer:
    """Renders digests with the built-in templates, or those in the operator's folder of the same name."""

    def __init__(self, templates: Path | None = None) -> None:
        built_in = jinja2.PackageLoader("digest.templates", "")
        own = [jinja2.FileSystemLoader(templates)] if templates else []
        loader = jinja2.ChoiceLoader([*own, built_in])
        self._html = _environment(loader, autoescape=True)
        self._text = _environment(loader, autoescape=False)
        self._text.filters |= {"wrap": wrap, "underline": underline}
        self._inliner = css_inline.CSSInliner(keep_at_rules=True, minify_css=True, load_remote_stylesheets=False)

    def render(self, digest: Digest, mark: str) -> Rendered:
        """Render all parts; the HTML part is at most HTML_BYTES long, the text part names every paper.

        Raises ConfigError where a template is broken, leaves out the mark, or is itself too long.
        """
        page = view(digest)
        whole = Extent(min(digest.abstracts, page.total), page.total, page.total)
        text = self._fill(self._text, "digest.txt", page, whole, mark).rstrip("\n") + "\n"
        html = self._within_budget(page, whole, mark)
        for name, part in (("digest.txt", text), ("digest.html", html)):
            if part.count(mark) != 1 or mark not in part.split("\n"):
                raise ConfigError(
                    f"the template {name} does not write the mark once and alone on its line",
                    remedy="put {{ mark }} on a line of its own, without spaces before it",
                )
        return Rendered(subject=page.subject, text=text, html=html, mark=mark)

    def _within_budget(self, page: PageView, whole: Extent, mark: str) -> str:
        """Take away abstracts, then bylines, then titles, each from the end, until the part is short enough.

        The least that has to go is found by bisection, since every step makes the part shorter.
        """

        def attempt(step: int) -> str:
            html = self._fill(self._html, "digest.html", page, _reduced(whole, step), mark)
            return self._inliner.inline(html)

        def fits(html: str) -> bool:
            return len(html.encode()) <= HTML_BYTES

        low = _hopeless(page, whole)
        html = attempt(low)
        if fits(html):
            return html
        high = whole.abstracts + whole.details + whole.listed
        best = attempt(high)
        if not fits(best):
            raise ConfigError(
                f"the template digest.html is longer than {HTML_BYTES:,} bytes before it names a paper",
                remedy="shorten it: mail programs clip longer mails",
            )
        while high - low > 1:
            middle = (low + high) // 2
            html = attempt(middle)
            if fits(html):
                high, best = middle, html
            else:
                low = middle
        return best

    @staticmethod
    def _fill(environment: jinja2.Environment, name: str, page: PageView, extent: Extent, mark: str) -> str:
        try:
            return environment.get_template(name).render(
                page=page, extent=extent, mark=mark, shown_keywords=HTML_KEYWORDS
            )
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(f"the template {error.name}, line {error.lineno}: {error.message}") from error
        except (jinja2.TemplateError, TypeError, ValueError, ArithmeticError, LookupError) as error:
            raise ConfigError(f"the template {name}: {error}") from error


def _environment(loader: jinja2.BaseLoader, *, autoescape: bool) -> jinja2.Environment:
    """Escaping is a matter of the part, never of what a template file is called."""
    return jinja2.Environment(
        loader=loader,
        autoescape=autoescape,  # noqa: S701 - the text part is not HTML
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _reduced(whole: Extent, step: int) -> Extent:
    """The `step`-th smaller extent: one abstract less each step, then one byline, then one title."""
    abstracts = max(whole.abstracts - step, 0)
    step = max(step - whole.abstracts, 0)
    details = max(whole.details - step, 0)
    step = max(step - whole.details, 0)
    return Extent(abstracts, details, max(whole.listed - step, 0))


def _hopeless(page: PageView, whole: Extent) -> int:
    """How many steps are needed at least, going by the abstracts' bytes alone: those need no attempt."""
    papers = [paper for section in page.sections for paper in section.papers]
    sizes = list(accumulate(len(paper.abstract.encode()) for paper in papers[: whole.abstracts]))
    return whole.abstracts - bisect_left(sizes, HTML_BYTES)
