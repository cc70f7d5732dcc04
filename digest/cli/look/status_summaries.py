"""The part of `digest status` about summaries: how many papers have one, and why others do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from digest.keywords.words import counted
from digest.model import Roster
from digest.setup.settings import Settings
from digest.store import Store
from digest.times import in_utc


def summary_lines(store: Store, settings: Settings, roster: Roster, now: datetime) -> Iterator[str]:
    """How summaries are; nothing where nobody wants any."""
    from digest.run.summaries import figures, wants

    wanting = sum(map(wants, roster.subscribers))
    if not wanting:
        return
    if not settings.llm_url:
        want = counted(wanting, "reader wants", "readers want")
        yield f"{want} them, and no model is there to ask: DIGEST_LLM_URL is not set"
        return
    yield f"{settings.llm_model}: {figures(store, now) or 'none was wanted in the last day'}"
    state = store.summaries.endpoint.state()
    if state.is_paused(now) and state.paused_until:
        yield f"it is asked again from {in_utc(state.paused_until)} on ({state.reason})"
