"""A digest for chats: the same few lines a paper in each markup that services read, ready to be cut
between papers to what one of them takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

from digest.model import Digest
from digest.rendering.entry import PaperView
from digest.rendering.view import PageView, SectionView, view

# What some chat reads as markup, as a call to its members or as a link, in forms that none does;
# a backslash before it would be shown by others.
_INERT = str.maketrans(
    {"*": "∗", "_": "\uff3f", "~": "∼", "`": "ˋ", "|": "∣", "\\": "∖", "<": "‹", ">": "›"}
    | {"[": "［", "]": "］", "@": "@\u200b", "#": "#\u200b"}
)
_LINK = re.compile(r"(?<=[a-z]):(?=//)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chat:
    """A digest's title, and its JSON: `ids` of all papers in their order, and for each of `text`,
    `markdown` and `html` its `head`, its `end`, and of each paper a text; headings stand before the
    first paper below them.
    """

    title: str
    data: bytes


@dataclass(frozen=True, slots=True)
class _Markup:
    """How one markup writes a text that is not its own, in bold, and as a link."""

    inert: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]
    newline: str = "\n"


def inert(text: str) -> str:
    """A text that no chat takes for markup, a call to somebody, or a link."""
    return _LINK.sub(":\u200b", text).translate(_INERT)


_MARKUPS = {
    "text": _Markup(inert, str, lambda text, url: f"{text}\n  {url}"),
    "markdown": _Markup(
        inert, lambda text: f"**{text}**", lambda text, url: f"[{text}](<{url}>)", "  \n"
    ),
    "html": _Markup(
        lambda text: escape(inert(text)),
        lambda text: f"<b>{text}</b>",
        lambda text, url: f'<a href="{escape(url)}">{text}</a>',
        "<br/>\n",
    ),
}


def render_chat(digest: Digest) -> Chat:
    """Write all papers of a digest in every markup; none is left out."""
    page = view(digest)
    papers = [paper for section in page.sections for paper in section.papers]
    forms = {
        name: {
            "head": markup.newline.join(map(markup.inert, _head(page))),
            "end": markup.inert(page.receipt),
            "papers": [text for section in page.sections for text in _section(section, markup)],
        }
        for name, markup in _MARKUPS.items()
    }
    data = json.dumps({"ids": [paper.id for paper in papers], "forms": forms})
    return Chat(inert(page.subject), data.encode("ascii"))


def _head(page: PageView) -> Iterator[str]:
    """What stands before the papers, a line each."""
    yield f"{page.lead[:1].upper()}{page.lead[1:]}."
    yield from filter(None, (page.notice, page.quiet and f"{page.quiet}.", page.unanswered))
    yield from filter(
        None, (page.skipped, page.rhythm.replace(" mail", " message") if page.welcome else "")
    )
    for silence in page.silences:
        yield f"No new paper has matched {silence.name} in {silence.since}. {silence.hint}"


def _section(section: SectionView, markup: _Markup) -> Iterator[str]:
    """The papers below one heading, which the first of them brings along."""
    begin = markup.bold(markup.inert(section.title)) + markup.newline if section.title else ""
    for paper in section.papers:
        yield begin + markup.newline.join(_paper(paper, markup))
        begin = ""


def _paper(paper: PaperView, markup: _Markup) -> Iterator[str]:
    """A paper's title, its authors, and the sentence that says most, where there is one."""
    badges = "".join(f" ({markup.inert(badge.text)})" for badge in paper.badges)
    yield f"• {markup.link(markup.inert(paper.title) + badges, paper.url)}"
    if not paper.brief:
        yield markup.inert(" · ".join(filter(None, (paper.byline, paper.categories))))
        yield from filter(None, [markup.inert(paper.told)])
