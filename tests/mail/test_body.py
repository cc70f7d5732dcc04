"""Bodies that many readers share, and the lines in them that belong to one reader alone."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.mail.body import Lines, freeze, shown
from digest.mail.connection import Account
from digest.mail.liking import by_links
from digest.mail.message import Message, Sender, assemble
from digest.mail.reader_tokens import (
    LONGEST_NUMBER,
    LONGEST_TOKEN,
    NOBODYS,
    Purpose,
    Signer,
)
from digest.mail.server import Server
from digest.mail.smtp import SmtpTransport
from digest.model import Digest, Format, Layout, Outgoing, Rendered, Subscriber
from digest.rendering.render import HTML_BYTES, PAPERS_LINE, Renderer
from tests.world.samples import ADA, item, mixed_items, sample_digest
from tests.world.smtp_server import smtp_server

MARK = "0123456789abcdef" * 2
SITE = "https://papers.example.org"
SIGNER = Signer("a secret of the operator's", "a database")
TOKEN = SIGNER.token(Purpose.LIKE, 7)
BY_MAIL = Sender("Daily Papers <papers@example.org>", "help@example.org", signer=SIGNER)
BY_LINKS = replace(BY_MAIL, base_url=SITE)
FEEDBACK = replace(ADA, feedback=True)


def message(rendered: Rendered, sender: Sender = BY_LINKS) -> Message:
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
    return assemble(outgoing, sender)


def parts(data: bytes) -> tuple[str, str]:
    """The text part and the HTML part as a mail program reads them."""
    parsed = message_from_bytes(data, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    found = [parsed.get_body((kind,)) for kind in ("plain", "html")]
    text, page = (str(part.get_content()).replace("\r\n", "\n") if part else "" for part in found)
    return text, page


def digests(reader: Subscriber = FEEDBACK) -> list[Digest]:
    withdrawn = item(1, comment="This paper has been withdrawn by the authors")
    return [
        sample_digest([withdrawn], reader),
        sample_digest(mixed_items(), reader),
        sample_digest(mixed_items(), replace(reader, max_papers=2)),
        sample_digest([], reader),
        sample_digest(mixed_items(), replace(reader, format=Format.TEXT)),
        sample_digest(mixed_items(), replace(reader, layout=Layout.FULL)),
    ]


NAMES = ["one", "some", "titles", "none", "text", "full"]


@pytest.mark.parametrize("digest", digests(), ids=NAMES)
def test_each_paper_has_a_link_of_the_readers(digest: Digest) -> None:
    rendered = Renderer().render(digest, MARK)
    text, page = parts(message(rendered).data)
    links = [f"{SITE}/u/{TOKEN}/{number}" for number in range(1, digest.papers + 1)]
    assert re.findall(rf"^    Like  ({re.escape(SITE)}\S+)$", text, re.MULTILINE) == links
    # Behind what is said of the paper, and before the next one.
    order = re.findall(rf"https://arxiv.org/abs/(\S+)v\d|({SITE}/u/{TOKEN}/\d+)", text)
    found = [paper or link for paper, link in order]
    assert found == [one for pair in zip(rendered.papers, links, strict=True) for one in pair]
    if digest.format is Format.HTML:
        assert re.findall(rf'href="({SITE}/u/{TOKEN}/[^"]+)"', page) == links
        assert page.count(">More&nbsp;like&nbsp;this<") == digest.papers
    assert MARK not in text + page
    assert ("The link Like of a paper says: more like this one." in text) is bool(digest.papers)


@pytest.mark.parametrize("digest", digests(), ids=NAMES)
def test_without_a_web_side_one_mail_names_the_papers_by_their_numbers(digest: Digest) -> None:
    text, page = parts(message(Renderer().render(digest, MARK), BY_MAIL).data)
    asked = f"help@example.org with this subject:\nMore like {TOKEN}\n"
    assert text.count(asked) == bool(digest.papers)
    assert "Like  " not in text
    if digest.format is Format.HTML:
        mailto = f"mailto:help@example.org?subject=More%20like%20{TOKEN}&amp;body=Numbers%3A%20"
        assert page.count(f'id="like" href="{mailto}"') == bool(digest.papers)
        numbers = re.findall(r'href="#like">More&nbsp;like&nbsp;no.&nbsp;(\d+)</a>', page)
        assert numbers == [str(number) for number in range(1, digest.papers + 1)]
    assert MARK not in text + page


@pytest.mark.parametrize("sender", [BY_MAIL, BY_LINKS])
def test_who_does_not_ask_for_it_sees_nothing_of_it(sender: Sender) -> None:
    for digest in digests(ADA):
        rendered = Renderer().render(digest, MARK)
        assert f"{MARK}-" not in rendered.text + rendered.html
        assert not re.search("(?i)like", "".join(parts(message(rendered, sender).data)))


def test_what_is_only_shown_leads_nowhere() -> None:
    rendered = Renderer().render(sample_digest(reader=FEEDBACK), MARK)
    offer = BY_LINKS.offer(0)
    text, page = shown(rendered, Lines("This mail went to Ada.", "<b>Ada</b>"), offer.papers)
    assert f"    Like  {SITE}/u/{NOBODYS}/6\n" in text
    assert f'href="{SITE}/u/{NOBODYS}/6"' in page
    assert "\nThis mail went to Ada.\n" in text
    assert "\n<b>Ada</b>\n" in page
    assert SIGNER.number(Purpose.LIKE, NOBODYS) is None
    text, page = shown(rendered, Lines("", ""), BY_MAIL.offer(0).papers)
    assert text == Renderer().render(sample_digest(), MARK).text.replace(f"{MARK}\n", "")
    assert MARK not in page


async def test_the_lines_arrive_as_they_were_written() -> None:
    sent = message(Renderer().render(sample_digest(reader=FEEDBACK), MARK))
    async with smtp_server() as server:
        transport = SmtpTransport(Account(Server("smtp", "127.0.0.1", server.port, "none", "")), 1)
        await transport.send(sent, lambda: None)
        await transport.close()
    [taken] = server.messages
    assert taken.data == sent.data
    text, page = parts(taken.data)
    assert f"    Like  {SITE}/u/{TOKEN}/6\n" in text
    assert f'href="{SITE}/u/{TOKEN}/6"' in page
    # To a program that knows nothing of quoted-printable a link in the text is whole, too.
    assert f"\r\n    Like  {SITE}/u/{TOKEN}/6\r\n".encode() in taken.data


def test_a_long_link_stands_alone_on_its_line_and_is_never_cut() -> None:
    longest = SIGNER.token(Purpose.LIKE, 10**LONGEST_NUMBER - 1)
    assert len(longest) == LONGEST_TOKEN
    url = f"{SITE}/u/{longest}/1234"
    assert len(url) <= 70
    assert by_links(f"{SITE}/u/{longest}").papers(1234).text == f"    Like\n{url}"
    assert len(by_links(f"{SITE}/u/{longest}").papers(1234).html) <= PAPERS_LINE


@pytest.mark.heavy
@pytest.mark.parametrize("sender", [BY_MAIL, BY_LINKS])
def test_room_for_the_lines_is_taken_before_abstracts_are(sender: Sender) -> None:
    reader = replace(FEEDBACK, max_papers=90)
    items = [item(number) for number in range(1, 91)]
    page = parts(message(Renderer().render(sample_digest(items, reader), MARK), sender).data)[1]
    assert HTML_BYTES - 8_000 < len(page.encode()) <= HTML_BYTES
    assert page.count("https://arxiv.org/abs/") == page.count(">More&nbsp;like&nbsp;") == 90
    bare = Renderer().render(sample_digest(items, replace(ADA, max_papers=90)), MARK).html
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
    digest = sample_digest(reader=replace(FEEDBACK, layout=Layout.FULL))
    text, page = parts(message(Renderer(tmp_path).render(digest, MARK)).data)
    assert text.count(f"{SITE}/u/{TOKEN}/") == count
    assert page.count(f"{SITE}/u/{TOKEN}/") == 6
    assert "This mail went to ada@example.org." in text


@pytest.mark.parametrize(
    "text", [f"{MARK}\n{MARK}-1\n{MARK}-1\n", f"{MARK}-1\n", f"{MARK}\n{MARK}-x\n", f" {MARK}-1\n"]
)
def test_a_mark_that_stands_wrong_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in the text part the mark does not stand once"):
        freeze(Rendered("", text, "", MARK))
