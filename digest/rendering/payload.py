"""A digest as data for programs: JSON, of which webhook.schema.json beside this module says the
form.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from digest.model import Digest, Item
from digest.rendering.receipt import receipt
from digest.rendering.texts import readable
from digest.rendering.view import headlines
from digest.times import to_text


@dataclass(frozen=True, slots=True)
class Payload:
    """The JSON of one digest, and its title."""

    title: str
    data: bytes


def render_payload(digest: Digest) -> Payload:
    """Put all of a digest into JSON of ASCII letters alone; no paper is left out, none is cut."""
    _, _, title = headlines(digest)
    data = {
        "title": title,
        "date": digest.date.isoformat(),
        "timezone": digest.timezone,
        "previous": digest.previous.isoformat() if digest.previous else None,
        "next": digest.next_at.isoformat() if digest.next_at else None,
        "welcome": digest.welcome,
        "quiet": "" if digest.papers else digest.quiet,
        "notice": digest.notice,
        "skipped": digest.skipped,
        "unanswered": list(digest.unanswered),
        "silences": [
            {"keyword": each.keyword, "days": each.days, "hint": each.hint}
            for each in digest.silences
        ],
        "keywords": [{"name": each.name, "query": each.query} for each in digest.keywords],
        "sections": [
            {"title": section.title, "papers": [_paper(item, digest) for item in section.items]}
            for section in digest.sections
        ],
        "receipt": receipt(digest),
        "contact": digest.contact,
    }
    return Payload(title, json.dumps(data, separators=(",", ":")).encode("ascii"))


def _paper(item: Item, digest: Digest) -> dict[str, Any]:
    """One paper: `readable_title` has its TeX as Unicode, all else is as arXiv serves it."""
    paper = item.paper
    return {
        "id": paper.id,
        "version": paper.version,
        "url": paper.abstract_url,
        "pdf": paper.pdf_url,
        "title": paper.title,
        "readable_title": readable(paper.title),
        "abstract": paper.abstract,
        "authors": list(paper.authors),
        "categories": list(paper.categories),
        "published": to_text(paper.published),
        "updated": to_text(paper.updated),
        "comment": paper.comment,
        "journal_ref": paper.journal_ref,
        "doi": paper.doi,
        "kind": str(item.kind),
        "keywords": list(item.keywords),
        "announced": item.announced.isoformat() if item.announced else None,
        "summary": _summary(item, digest),
    }


def _summary(item: Item, digest: Digest) -> dict[str, str] | None:
    """What a model says of a paper, and which."""
    if not item.summary:
        return None
    return {"text": item.summary, "by": digest.model, "language": digest.language}
