"""Bodies that many readers share, and the lines in them that belong to one reader alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.mail.body import Lines, PaperLines, freeze
from digest.mail.connection import Account
from digest.mail.message import Message, Sender, assemble
from digest.mail.reader_tokens import LONGEST_TOKEN
from digest.mail.server import Server
from digest.mail.smtp import SmtpTransport
from digest.model import Digest, Format, Layout, Outgoing, Rendered
from digest.rendering.render import HTML_BYTES, Renderer
from tests.world.samples import ADA, item, mixed_items, sample_digest
from tests.world.smtp_server import smtp_server

MARK = "0123456789abcdef" * 2
TOKEN = "42-" + "k3jq" * 5
SITE = "https://papers.example.org/l"
PAPER_LINE = len(f'<p style="margin:0"><a href="{SITE}/{TOKEN}/999">Like</a></p>') + 1
"""Bytes of such a line as `liked` makes."""


def liked(outgoing: Outgoing) -> PaperLines:
    """A link by which a reader likes a paper: one token a message, and the paper's number."""
    start = f"{SITE}/{TOKEN}"
    return lambda number: Lines(
        f"    {start}/{number}", f'<p style="margin:0"><a href="{start}/{number}">Like</a></p>'
    )


def silent(outgoing: Outgoing) -> PaperLines:
    return lambda number: Lines("", "")


SENDER = Sender("Daily Papers <papers@example.org>", "help@example.org")


def message(rendered: Rendered, lines: Callable[[Outgoing], PaperLines] | None = liked) -> Message:
    outgoing = Outgoing(
        id=7,
        attempt=1,
        address="ada@example.org",
        name="Ada",
        message_id="<1@example.org>",
        date=datetime(2026, 11, 23, 7, tzinfo=UTC),
        subject="3 new papers",
        pieces=freeze(rendered),
        reader=42,
    )
    return assemble(outgoing, replace(SENDER, paper_lines=lines))


def parts(data: bytes) -> tuple[str, str]:
    """The text part and the HTML part as a mail program reads them."""
    parsed = message_from_bytes(data, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    found = [parsed.get_body((kind,)) for kind in ("plain", "html")]
    text, page = (str(part.get_content()).replace("\r\n", "\n") if part else "" for part in found)
    return text, page


def digests() -> list[Digest]:
    withdrawn = item(1, comment="This paper has been withdrawn by the authors")
    return [
        sample_digest([withdrawn]),
        sample_digest(mixed_items()),
        sample_digest(mixed_items(), replace(ADA, max_papers=2)),
        sample_digest([]),
        sample_digest(mixed_items(), replace(ADA, format=Format.TEXT)),
        sample_digest(mixed_items(), replace(ADA, layout=Layout.FULL)),
    ]


@pytest.mark.parametrize("digest", digests(), ids=["one", "some", "titles", "none", "text", "full"])
def test_each_paper_has_a_line_of_the_readers(digest: Digest) -> None:
    text, page = parts(message(Renderer(paper_line=PAPER_LINE).render(digest, MARK)).data)
    links = [f"{SITE}/{TOKEN}/{number}" for number in range(1, digest.papers + 1)]
    assert re.findall(rf"^    ({re.escape(SITE)}\S+)$", text, re.MULTILINE) == links
    # Behind what is said of the paper, and before the next one.
    urls = [item.paper.abstract_url for section in digest.sections for item in section.items]
    order = re.findall(rf"https://arxiv.org/abs/\S+|{re.escape(SITE)}\S+", text)
    assert order == [link for pair in zip(urls, links, strict=True) for link in pair]
    if digest.format is Format.HTML:
        assert re.findall(rf'href="({re.escape(SITE)}[^"]+)"', page) == links
    assert MARK not in text + page


@pytest.mark.parametrize("digest", digests(), ids=["one", "some", "titles", "none", "text", "full"])
@pytest.mark.parametrize("lines", [None, silent])
def test_a_line_that_says_nothing_leaves_no_trace(
    digest: Digest, lines: Callable[[Outgoing], PaperLines] | None
) -> None:
    bare = message(Renderer().render(digest, MARK), lines)
    assert message(Renderer(paper_line=PAPER_LINE).render(digest, MARK), lines) == bare


async def test_the_lines_arrive_as_they_were_written() -> None:
    sent = message(Renderer(paper_line=PAPER_LINE).render(sample_digest(), MARK))
    async with smtp_server() as server:
        transport = SmtpTransport(Account(Server("smtp", "127.0.0.1", server.port, "none", "")), 1)
        await transport.send(sent, lambda: None)
        await transport.close()
    [taken] = server.messages
    assert taken.data == sent.data
    text, page = parts(taken.data)
    assert f"    {SITE}/{TOKEN}/6\n" in text
    assert f'href="{SITE}/{TOKEN}/6"' in page
    # To a program that knows nothing of quoted-printable a link in the text is whole, too.
    assert f"\r\n    {SITE}/{TOKEN}/6\r\n".encode() in taken.data
    assert len(f"https://papers.example.org/l/{'9' * LONGEST_TOKEN}/1234") <= 70


@pytest.mark.heavy
def test_room_for_the_lines_is_taken_before_abstracts_are() -> None:
    reader = replace(ADA, max_papers=90)
    digest = sample_digest([item(number) for number in range(1, 91)], reader)
    page = parts(message(Renderer(paper_line=PAPER_LINE).render(digest, MARK)).data)[1]
    assert HTML_BYTES - 3_000 < len(page.encode()) <= HTML_BYTES
    assert page.count("https://arxiv.org/abs/") == page.count(f'href="{SITE}') == 90
    bare = Renderer().render(digest, MARK).html
    assert 0 < page.count("We study how") < bare.count("We study how"), "abstracts give way"


OLD_TEXT = """{% extends "base.txt" %}
{% import "paper.txt" as papers %}
{% block content %}
{% for section in page.sections %}{% for paper in section.papers %}
{{ papers.entry(paper, 4, extent.length) }}
{% endfor %}{% endfor %}
{% endblock %}
{% block footer %}
{{ mark }}
{% endblock %}
"""
OLD_PAPER = """{% macro entry(paper, indent, length) %}
{{ paper.title }}
{% endmacro %}
{% macro line(paper, indent, length) %}
{{ paper.title }}
{% endmacro %}
"""


@pytest.mark.parametrize(
    ("name", "template", "count"), [("digest.txt", OLD_TEXT, 6), ("paper.txt", OLD_PAPER, 0)]
)
def test_templates_with_the_one_mark_stay_valid(
    tmp_path: Path, name: str, template: str, count: int
) -> None:
    """Those that know nothing of papers' lines, beside built-in ones that do."""
    (tmp_path / name).write_text(template, encoding="utf-8")
    digest = sample_digest(reader=replace(ADA, layout=Layout.FULL))
    text, page = parts(message(Renderer(tmp_path, PAPER_LINE).render(digest, MARK)).data)
    assert text.count(SITE) == count
    assert page.count(SITE) == 6
    assert "This mail went to ada@example.org." in text


@pytest.mark.parametrize(
    "text", [f"{MARK}\n{MARK}-1\n{MARK}-1\n", f"{MARK}-1\n", f"{MARK}\n{MARK}-x\n", f" {MARK}-1\n"]
)
def test_a_mark_that_stands_wrong_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in the text part the mark does not stand once"):
        freeze(Rendered("", text, "", MARK))
