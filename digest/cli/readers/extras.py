"""What is unusual about a reader's digests, in words."""

from __future__ import annotations

from collections.abc import Iterator

from digest.model import Abstracts, Attach, Format, Layout, Revisions, Subscriber, Summary


def extra_lines(reader: Subscriber) -> Iterator[str]:
    """What differs from the usual."""
    if foremost := ", ".join([*reader.authors, *reader.categories]):
        yield f"  foremost: {foremost}"
    extras = {
        "new versions too": reader.revisions is Revisions.ALL,
        "accepted and published papers too": reader.revisions is Revisions.PUBLISHED,
        "says why nothing came": reader.quiet_days,
        "short abstracts": reader.abstracts is Abstracts.SHORT,
        "no abstracts": reader.abstracts is Abstracts.NONE,
        "in full only": reader.layout is Layout.FULL,
        f"top {reader.top} at a glance, the others as titles": reader.top,
        "text alone": reader.format is Format.TEXT,
        f"subjects begin with {reader.subject_prefix}": reader.subject_prefix,
        "asked what they like": reader.feedback,
        f"with its papers as a file ({reader.attach})": reader.attach is not Attach.NONE,
        f"with summaries by a model, in {reader.language}": reader.summary is Summary.TLDR,
        f"with key sentences in {reader.language}, by a model": reader.summary is Summary.TRANSLATE,
    }
    if said := ", ".join(text for text, wanted in extras.items() if wanted):
        yield f"  {said}"
