"""The papers of a digest as a file that comes with the mail, read back as mail programs do."""

from __future__ import annotations

import shutil
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pexpect
import pybtex.database
import pytest
import rispy

from digest.mail.body import freeze
from digest.model import Attach, Digest, Format
from digest.rendering.attached import ATTACHED_BYTES, attachment_of
from digest.rendering.render import Renderer
from tests.mail.test_body import BY_LINKS, MARK, message
from tests.world.samples import ADA, item, mixed_items, sample_digest

BIBTEX, RIS = (replace(ADA, attach=attach) for attach in (Attach.BIBTEX, Attach.RIS))


def sent(digest: Digest) -> EmailMessage:
    parsed = message_from_bytes(
        message(Renderer().render(digest, MARK), BY_LINKS).data, policy=policy.default
    )
    assert isinstance(parsed, EmailMessage)
    assert not any(part.defects for part in parsed.walk())
    return parsed


def file_of(parsed: EmailMessage) -> tuple[str, str, str]:
    (part,) = parsed.iter_attachments()
    data = part.get_content()
    return str(part.get_filename()), part.get_content_type(), data.decode()


def kinds(parsed: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in parsed.walk()]


@pytest.mark.parametrize("form", [Format.HTML, Format.TEXT])
def test_bibtex_comes_as_a_file_after_the_parts(form: Format) -> None:
    digest = sample_digest(mixed_items(), replace(BIBTEX, format=form))
    parsed = sent(digest)
    inner = ["multipart/alternative", "text/plain", "text/html"]
    shown = inner if form is Format.HTML else ["text/plain"]
    assert kinds(parsed) == ["multipart/mixed", *shown, "application/x-bibtex"]
    name, _, text = file_of(parsed)
    assert name == f"arxiv-{digest.date}.bib"
    ids = [item.paper.id for section in digest.sections for item in section.items]
    assert list(pybtex.database.parse_string(text, "bibtex").entries) == [f"arXiv:{i}" for i in ids]
    body = parsed.get_body(("plain",))
    assert body is not None
    assert "This mail went to ada@example.org." in body.get_content()


def test_ris_with_lines_beside_the_papers() -> None:
    digest = sample_digest(mixed_items(), replace(RIS, feedback=True))
    name, media, text = file_of(parsed := sent(digest))
    assert (name, media) == (f"arxiv-{digest.date}.ris", "application/x-research-info-systems")
    assert len(rispy.loads(text)) == digest.papers
    body = parsed.get_body(("html",))
    assert body is not None
    assert body.get_content().count("More&nbsp;like&nbsp;this") >= digest.papers


def test_without_it_nothing_changes_and_with_it_only_the_file_comes() -> None:
    without, with_ = (
        Renderer().render(sample_digest(mixed_items(), reader), MARK) for reader in (ADA, BIBTEX)
    )
    assert without.attachment is None
    assert replace(with_, attachment=None) == without
    assert freeze(with_) != freeze(without)
    assert kinds(sent(sample_digest(mixed_items(), ADA)))[0] == "multipart/alternative"


def test_a_digest_without_papers_brings_no_file() -> None:
    assert "multipart/mixed" not in kinds(sent(sample_digest((), BIBTEX)))


def test_a_long_file_leaves_the_abstracts_out_and_names_every_paper() -> None:
    items = tuple(item(i, abstract="word " * 1000) for i in range(1, 101))
    made = attachment_of(sample_digest(items, BIBTEX))
    assert made is not None
    text = made.text
    assert len(text.encode()) <= ATTACHED_BYTES
    assert text.count("@misc{") == 100
    assert "abstract" not in text


def test_whatever_a_paper_says_the_mail_stays_whole() -> None:
    hostile = "--=_\r\n\r\n.\r\nFrom \x00é漢{}\\"
    digest = sample_digest((item(1, title=hostile, abstract=hostile),), BIBTEX)
    name, _, text = file_of(sent(digest))
    assert name.isascii()
    assert len(pybtex.database.parse_string(text, "bibtex").entries) == 1


@pytest.mark.heavy
def test_mutt_shows_the_text_and_saves_the_file(tmp_path: Path) -> None:
    if not shutil.which("mutt"):
        pytest.skip("mutt is not installed")
    data = message(Renderer().render(digest := sample_digest(mixed_items(), BIBTEX), MARK)).data
    for folder in ("new", "cur", "tmp"):
        (tmp_path / "mail" / folder).mkdir(parents=True)
    (tmp_path / "mail" / "new" / "1.a").write_bytes(data.replace(b"\r\n", b"\n"))
    (tmp_path / "rc").write_text(f"set move=no\nset folder={tmp_path}/mail\n")
    environment = {"TERM": "xterm", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    mutt = pexpect.spawn(
        "mutt",
        ["-F", str(tmp_path / "rc"), "-f", str(tmp_path / "mail")],
        env=environment | {"LC_ALL": "C.UTF-8"},
        cwd=str(tmp_path),
        dimensions=(24, 80),
        timeout=20,
        encoding="utf-8",
    )
    mutt.expect("3 new papers|Msgs:1")
    mutt.send("v")
    mutt.expect(r"alternativ")
    mutt.expect(rf"arxiv-{digest.date}\.bib")
    mutt.send("*s")  # the last entry
    mutt.expect("Save to file")
    mutt.send("\r")
    mutt.expect("Attachment saved")
    mutt.send("qx")
    mutt.close(force=True)
    saved = pybtex.database.parse_file(str(tmp_path / f"arxiv-{digest.date}.bib"))
    assert len(saved.entries) == digest.papers
