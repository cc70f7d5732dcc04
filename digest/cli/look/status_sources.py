"""The part of `digest status` about arXiv's services: which is asked, and what one lacked that
another had.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from digest.setup.arxiv import source_order
from digest.setup.settings import Settings
from digest.store import Store

LOOKED_BACK = timedelta(days=30)
SHOWN = 5
"""At most this many papers, and feeds in trouble, are named."""


def report_sources(store: Store, settings: Settings, queries: int, now: datetime) -> dict[str, Any]:
    """What is asked, the feeds as they were last, and the papers that a service was found to lack
    in the last month.
    """
    return {
        "chosen": settings.source,
        "order": list(source_order(settings, queries)),
        "feeds": [
            {
                "name": state.name,
                "day": state.day.isoformat() if state.day else None,
                "trouble": state.trouble,
            }
            for state in store.sources.feeds().values()
        ],
        "lacked": store.sources.lacks(now - LOOKED_BACK),
    }


def tell_sources(report: dict[str, Any]) -> Iterator[str]:
    """The same in lines for people, the first without a label."""
    from digest.run.fetch import SOURCE_WORDS

    first, *others = (SOURCE_WORDS[name] for name in report["order"])
    chosen = " (auto)" if report["chosen"] == "auto" else ""
    yield f"{first}{chosen}" + (f"; where that fails {', then '.join(others)}" if others else "")
    troubled = [feed for feed in report["feeds"] if feed["trouble"]]
    yield from (feed["trouble"] for feed in troubled[:SHOWN])
    if len(troubled) > SHOWN:
        yield f"and {len(troubled) - SHOWN} more feeds in trouble"
    for name, papers in report["lacked"].items():
        named = ", ".join(papers[:SHOWN]) + (
            f" and {len(papers) - SHOWN} more" if len(papers) > SHOWN else ""
        )
        yield f"{SOURCE_WORDS[name]} lacked in the last {LOOKED_BACK.days} days: {named}"
