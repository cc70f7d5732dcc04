"""Explains why a paper has a model's summary for a reader, or none."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from digest.model import Paper, Subscriber
from digest.run.summaries import manner_of, wants
from digest.store import Store
from digest.summaries.client import LATE

NOT_WANTED = "none was asked for: no run found it new for this reader and had a model to ask"


def explain_summary(
    store: Store, reader: Subscriber | None, paper: Paper, composed: datetime | None
) -> dict[str, Any] | None:
    """What a model says of a paper, or why it says nothing, as plain values; None for a reader who
    wants no summaries. `composed`: when the digest was made that brought the paper.
    """
    if reader is None or not wants(reader):
        return None
    manner = manner_of(reader, "")
    told = store.summaries.told(paper.id, paper.version, manner.prompt, manner.language)
    if told is None:
        return {"text": "", "by": "", "why": NOT_WANTED}
    why = "" if told.text else told.why or LATE
    if told.text and composed is not None and told.at > composed:
        why = "it came when the digest had been made"
    return {"text": told.text, "by": told.model, "why": why}
