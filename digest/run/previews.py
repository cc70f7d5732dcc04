"""What strangers may be told of keywords that are not theirs yet: arXiv is asked behind all else
that a run does, once for each, and for less than a minute.
"""

from __future__ import annotations

import asyncio
import logging

from digest.errors import ArxivError, DigestError
from digest.keywords.asked import asked_text, listed
from digest.keywords.grammar import parse
from digest.model import Paper, Subscriber
from digest.rules.plan import FIRST_PAGE
from digest.run.fetch import Sources, why_paused
from digest.run.session import Session
from digest.run.sources.base import Arxiv, attribute
from digest.store.previews import KEPT

log = logging.getLogger(__name__)

BEGIN_SECONDS, ONE_SECONDS = 30.0, 25.0
"""A run asks so long, and so long for each question: for less than a minute in all, since a
reader's hour may come meanwhile."""
EXAMPLES = 3


async def tend_previews(session: Session, sources: Sources, only: Subscriber | None) -> None:
    """Let go of what is old, and ask arXiv what was noted for it, the oldest first; nothing in a
    run for one reader alone.
    """
    if only is not None:
        return
    store, loop = session.store, asyncio.get_running_loop()
    await session.take(iter(lambda: store.previews.let_go(session.clock()), False))
    wanted = store.previews.wanted(session.clock()) if sources.previews else []
    if wanted and why_paused(store, session.clock()):
        store.previews.put_off(session.clock())
        return
    end = loop.time() + BEGIN_SECONDS
    for query in wanted:
        if session.stop.is_set() or loop.time() >= end:
            return
        session.progress(f"asking arXiv for {query}, for a preview")
        if not await _ask(session, sources.arxiv, query):
            store.previews.put_off(session.clock())
            return


async def _ask(session: Session, arxiv: Arxiv, query: str) -> bool:
    """Ask for one keyword, once; false where arXiv cannot be asked for any now."""
    previews = session.store.previews
    try:
        async with asyncio.timeout(ONE_SECONDS):
            papers = await _submitted_lately(session, arxiv, query)
    except ArxivError as error:
        log.info("%s, for a preview: %s", query, error)
        if error.throttled:
            session.store.windows.slow_down(session.clock(), error.retry_after)
        if error.throttled or error.unreachable:
            return False
        previews.fail(query, session.clock())
    except DigestError:
        raise
    except Exception as error:
        # What goes wrong unforeseen concerns this question alone.
        log.info("%s, for a preview: %s", query, type(error).__name__, exc_info=True)
        previews.fail(query, session.clock())
    else:
        titles = [paper.title for paper in papers[:EXAMPLES]]
        previews.answer(query, len(papers), titles, session.clock())
    return True


async def _submitted_lately(session: Session, arxiv: Arxiv, query: str) -> list[Paper]:
    """The papers of the last days that match a query, the newest first. Raises ArxivError."""
    since, node = session.clock() - KEPT, parse(query)
    window = await arxiv.fetch(asked_text(query), since=since, page_size=FIRST_PAGE, attempts=1)
    # Asked for nothing wider, arXiv's own answer is the match.
    is_match = listed(node) == node
    papers = window.papers if is_match else (await attribute(window.papers, {query: node}))[query]
    return sorted(
        (paper for paper in papers if paper.published >= since),
        key=lambda paper: paper.published,
        reverse=True,
    )
