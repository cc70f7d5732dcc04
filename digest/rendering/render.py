"""A digest as it will be read: subject, text part and HTML part, within the size that mail
allows.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import css_inline
import jinja2
from markupsafe import Markup, escape

from digest import __version__
from digest.errors import ConfigError
from digest.keywords.marks import Span
from digest.model import Digest, Format, Rendered, marked_lines
from digest.rendering.attached import attachment_of
from digest.rendering.fold import underline, wrap
from digest.rendering.pieces import Extent, HtmlPieces, PieceCache, Pieces
from digest.rendering.templates import environment, fingerprint, template_errors
from digest.rendering.texts import ABSTRACT_LENGTH, shorten
from digest.rendering.view import PageView, view

HTML_BYTES = 90_000
"""The HTML part's limit, in bytes of UTF-8: Gmail clips what is beyond about 102 kB."""
TEXT_BYTES = 120_000
"""The text part's limit beside an HTML part, as far as abstracts go: spam filters count a text that
says several times as much as the HTML part against a mail (SpamAssassin's MPART_ALT_DIFF_COUNT:
three times)."""
READERS_LINE = 800
"""Bytes kept free in the HTML part for the reader's own line, with its links."""
PAPERS_LINE, ASKING = 130, 400
"""Bytes kept free for the line that each paper has for its reader alone, and besides for what the
reader's own line says of those; only where the reader wants them."""
HTML_KEYWORDS = 40
"""At most this many keywords are explained in the HTML part; the text part explains all."""
LENGTHS = (ABSTRACT_LENGTH, *range(2000, 1000, -100), *range(1000, 250, -50), 250)
"""To how many characters abstracts are shortened, step by step, before some of them go."""
_SHORTEST = len(LENGTHS) - 1


class Renderer:
    """Renders digests with the built-in templates, or those in the operator's folder of the same
    name.
    """

    def __init__(self, templates: Path | None = None) -> None:
        self._folder = templates
        self._html, self._text = _environments(templates) if templates else _built_in()
        self._html_cache, self._text_cache = PieceCache(), PieceCache()
        self._inliner = css_inline.CSSInliner(
            keep_at_rules=True, minify_css=True, load_remote_stylesheets=False
        )

    @property
    def made_by(self) -> str:
        """Tells apart the programs and templates by which one digest may look otherwise."""
        return f"{__version__} {fingerprint(self._folder)}"

    def render(self, digest: Digest, mark: str) -> Rendered:
        """Render all parts; the HTML part is at most HTML_BYTES long, the text part names every
        paper.

        Raises ConfigError where a template is broken, leaves out the mark, or is itself too long.
        """
        page = view(digest, mark if digest.feedback else "")
        text = Pieces(self._text_cache, page)
        whole = Extent(min(digest.abstracts, page.total), page.total, page.total)
        if digest.format is Format.HTML:
            parts = {
                "digest.txt": self._text_beside_html(text, whole, mark),
                "digest.html": self._within_budget(Pieces(self._html_cache, page), whole, mark),
            }
        else:
            parts = {"digest.txt": self._text_part(text, whole, mark)}
        for name, part in parts.items():
            # The reader's own line is put in its place in the encoded body: within a line,
            # quoted-printable could break it in two.
            try:
                marked_lines(part, mark)
            except ValueError as error:
                raise ConfigError(
                    f"the template {name} does not write the mark once and alone on its line",
                    remedy="put {{ mark }} on a line of its own, without spaces before it",
                ) from error
        papers = tuple(paper.id for section in page.sections for paper in section.papers)
        html, attachment = parts.get("digest.html", ""), attachment_of(digest)
        return Rendered(page.subject, parts["digest.txt"], html, mark, papers, attachment)

    def _text_part(self, pieces: Pieces, extent: Extent, mark: str) -> str:
        given: dict[str, Any] = {"page": pieces.page, "extent": extent, "mark": mark}
        # What an operator's templates write may depend on all that they are given.
        if not self._folder:
            given["piece"] = pieces.in_text
        return _filled(self._text, "digest.txt", given).rstrip("\n") + "\n"

    def _html_part(self, pieces: Pieces, extent: Extent, mark: str) -> str:
        given: dict[str, Any] = {"page": pieces.page, "extent": extent, "mark": mark}
        if self._folder:
            return self._inliner.inline(_filled(self._html, "digest.html", given))
        placed = HtmlPieces(pieces, extent)
        frame = _filled(self._html, "digest.html", given | {"piece": placed.place})
        return placed.whole(frame, self._inliner.inline)

    def _text_beside_html(self, pieces: Pieces, whole: Extent, mark: str) -> str:
        """The text part with all papers; where it would be far longer than the HTML part, with
        shorter abstracts.
        """
        return _longest(
            lambda step: self._text_part(pieces, _reduced(whole, step), mark),
            lambda part: _size(part, mark),
            _abstract_bytes(pieces.page, whole),
            TEXT_BYTES,
            (_SHORTEST, _SHORTEST + whole.abstracts),
        )[0]

    def _within_budget(self, pieces: Pieces, whole: Extent, mark: str) -> str:
        """The HTML part: shorter abstracts, then less of them, of bylines, of titles, until it is
        short enough.
        """
        stages = (_SHORTEST, _SHORTEST + whole.abstracts)
        html, fits = _longest(
            lambda step: self._html_part(pieces, _reduced(whole, step), mark),
            lambda part: _size(part, mark) + READERS_LINE,
            _abstract_bytes(pieces.page, whole),
            HTML_BYTES,
            (*stages, stages[-1] + whole.details + whole.listed),
        )
        if not fits:
            raise ConfigError(
                f"the template digest.html is longer than {HTML_BYTES:,} bytes before it names a"
                " paper",
                remedy="shorten it: mail programs clip longer mails",
            )
        return html


def _size(part: str, mark: str) -> int:
    """The bytes of a part with the lines of its papers in their places."""
    marked = part.count(f"{mark}-")
    return len(part.encode()) + marked * (PAPERS_LINE - len(mark)) + (ASKING if marked else 0)


def _filled(templates: jinja2.Environment, name: str, given: dict[str, Any]) -> str:
    with template_errors(name):
        return templates.get_template(name).render(**given, shown_keywords=HTML_KEYWORDS)


def _environments(folder: Path | None) -> tuple[jinja2.Environment, jinja2.Environment]:
    """The templates of the HTML part and of the text part, with the filters that they use."""
    html = environment(folder, autoescape=True)
    text = environment(folder, autoescape=False)
    html.filters |= {"marked": marked, "shorten": shorten}
    text.filters |= {"wrap": wrap, "underline": underline, "shorten": shorten}
    return html, text


@cache
def _built_in() -> tuple[jinja2.Environment, jinja2.Environment]:
    # Compiling them takes longer than filling them. An operator's may be changed, or come to be,
    # while the program runs.
    return _environments(None)


def marked(text: str, spans: Iterable[Span]) -> Markup:
    """Escaped text with <em> around the pieces at `spans`; those beyond its end are left out."""
    parts, last = [], 0
    for start, end in spans:
        if end <= len(text):
            parts += [
                escape(text[last:start]),
                Markup("<em>"),
                escape(text[start:end]),
                Markup("</em>"),
            ]
            last = end
    return Markup("").join([*parts, escape(text[last:])])


def _longest(
    attempt: Callable[[int], str],
    size: Callable[[str], int],
    abstracts: Callable[[int], int],
    limit: int,
    stages: Sequence[int],
) -> tuple[str, bool]:
    """The longest part whose size is within the limit, and that it is; or the last stage's, which
    is not.

    Every step of `attempt` makes the part shorter, at most steps by much the same, so the least
    that has to go is guessed from what is known to be too long and to fit. `abstracts` is what the
    abstracts alone take at a step, which costs little to know.
    """
    # A part takes milliseconds to render, and some steps are asked for twice.
    attempt = cache(attempt)

    def least(most: int) -> int:
        return bisect_left(range(stages[1]), True, key=lambda step: abstracts(step) <= most)

    def over(step: int) -> int:
        return size(attempt(step)) - limit

    low = least(limit)
    if over(low) <= 0:
        return attempt(low), True
    # What stands around the abstracts is much the same as long as none of them goes.
    near = least(abstracts(low) - over(low))
    for high in sorted({near, *stages}):
        if high > low and over(high) <= 0:
            break
        low = max(low, high)
    else:
        return attempt(low), False
    is_middle = False
    while high - low > 1:
        share = 0.5 if is_middle else over(low) / (over(low) - over(high))
        step = min(max(low + round(share * (high - low)), low + 1), high - 1)
        low, high = (low, step) if over(step) <= 0 else (step, high)
        # Every other step halves the range, whatever the sizes are like.
        is_middle = not is_middle
    return attempt(high), True


def _reduced(whole: Extent, step: int) -> Extent:
    """The `step`-th smaller extent: shorter abstracts, then one of them less each step, then one
    byline, one title.
    """
    taken = max(step - _SHORTEST, 0)
    abstracts = max(whole.abstracts - taken, 0)
    taken = max(taken - whole.abstracts, 0)
    details = max(whole.details - taken, 0)
    listed = max(whole.listed - max(taken - whole.details, 0), 0)
    return Extent(abstracts, details, listed, LENGTHS[min(step, _SHORTEST)])


def _abstract_bytes(page: PageView, whole: Extent) -> Callable[[int], int]:
    """What the abstracts take at each step."""
    abstracts = [paper.abstract for section in page.sections for paper in section.papers]

    @cache
    def at(step: int) -> int:
        extent = _reduced(whole, step)
        shown = abstracts[: extent.abstracts]
        return sum(len(shorten(abstract, extent.length).encode()) for abstract in shown)

    return at
