"""Why no log of the reader's keywords holds a paper: what arXiv says of it, what the answers on
record cover, and which of them lacked it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from digest.explain.inquiry import Inquiry
from digest.keywords.words import counted
from digest.model import Paper, Query
from digest.rules.calendar import announcement_of
from digest.rules.plan import DEEP
from digest.rules.verdict import FailedTerm, PaperName, Verdict
from digest.store.held import BadWindow


def unknown_paper(inquiry: Inquiry, name: PaperName, trouble: str) -> dict[str, Any]:
    """The verdict on a paper that no window ever held and arXiv does not tell of: because of
    `trouble`, or since it knows none.
    """
    named, code = inquiry.keywords, "unknown_paper"
    queries = {query.text: query for query in inquiry.store.windows.queries(list(named))}
    held = {
        text: _why_held(inquiry, query, name.id) or _was_held(inquiry, query, name.id)
        for text, query in queries.items()
    }
    if words := next(filter(None, held.values()), ""):
        code, text = "held_back", f"{name}: {words}."
    elif trouble:
        text = (
            f"{name} is in no answer on record, and arXiv could not be asked what it is"
            f" ({trouble}): ask again later, or look at https://arxiv.org/abs/{name}"
        )
    else:
        text = (
            f"arXiv knows no paper {name}: it is in no answer on record, and not found by its id."
        )
    return {
        **inquiry.head("paper"),
        "paper": None,
        "keywords": [
            {
                "keyword": label,
                "query": query,
                "why": held.get(query) or _on_record(inquiry, queries.get(query)),
            }
            for query, label in named.items()
        ],
        "digests": [],
        "verdict": code,
        "answer": text,
    }


def _on_record(inquiry: Inquiry, query: Query | None) -> str:
    """What time the answers for a query cover, none of which held a paper."""
    first = inquiry.store.history.first_good(query.text) if query else None
    if query is None or query.last_good_at is None or first is None:
        return "arXiv has not answered for it yet"
    since, until = inquiry.at(first - DEEP), inquiry.at(query.last_good_at)
    return f"no answer held it; they cover what was last updated between {since} and {until}"


def _why_held(inquiry: Inquiry, query: Query, paper: str) -> str:
    """That a paper stands in answers for a query which are held back and would be news, in words;
    or "".
    """
    store = inquiry.store.windows.held
    if paper in {each.id for each, _ in store.papers(query.id)}:
        begun = query.quarantined_since
        since = f" since {inquiry.at(begun)}" if begun else ""
        return (
            f"it stands in an answer of arXiv's that is held back{since} ({query.trouble}); it is"
            " mailed when the keyword is believed again, if it matches"
        )
    last = query.last_good_at
    shown = [each for each in store.showing(query.id, paper) if last is None or each.at > last]
    if not shown:
        return ""
    return f"{_stands_in(inquiry, shown[0])}; if it matches, it comes with the next good answer"


def _was_held(inquiry: Inquiry, query: Query, paper: str) -> str:
    """That a paper stands in an answer which was not believed and that good ones without it have
    followed, in words; or "".
    """
    shown = inquiry.store.windows.held.showing(query.id, paper)
    if not shown:
        return ""
    return f"{_stands_in(inquiry, shown[0])}; the good answers since then did not hold it"


def _stands_in(inquiry: Inquiry, answer: BadWindow) -> str:
    """Which answer names a paper, and why it was not believed."""
    what = "held back" if answer.held else "not taken"
    return (
        f"it stands in arXiv's answer of {inquiry.at(answer.at)}, which was {what} ({answer.why})"
    )


def why_not_recorded(
    inquiry: Inquiry,
    paper: Paper,
    text: str,
    failed: tuple[FailedTerm, ...],
    seen: datetime | None,
) -> Verdict:
    """Why a paper that is known otherwise is not in a keyword's log; `seen`: since when another
    keyword has it.
    """
    if failed:
        words = "; ".join(dict.fromkeys(each.words for each in failed))
        return Verdict("no_match", f"it does not match: {words}")
    query = next(iter(inquiry.store.windows.queries([text])), None)
    if query is not None and (held := _why_held(inquiry, query, paper.id)):
        return Verdict("held_back", held)
    if query is None or query.last_good_at is None:
        words = "it matches, and arXiv has not yet answered for this keyword"
        return Verdict("not_fetched", words + _trouble(query))
    # The first window reached DEEP and no further; later ones overlap, and leave no gap.
    first = inquiry.store.history.first_good(text)
    if first is not None and paper.updated < first - DEEP:
        return Verdict(
            "before_first_window",
            f"it matches, but is older than the first window of {inquiry.at(first)}"
            f", which reached back {DEEP.days} days",
        )
    code, words = _since_announced(inquiry, paper, query, query.last_good_at, seen)
    return Verdict(code, f"it matches by this program's own reading, and {words}{_trouble(query)}")


def _trouble(query: Query | None) -> str:
    """What was wrong with the last answer, as the end of a sentence; "" where nothing was."""
    said = query.trouble if query is not None else ""
    return f" (the last answer was not good: {said})" if said else ""


def _since_announced(
    inquiry: Inquiry, paper: Paper, query: Query, last_good_at: datetime, seen: datetime | None
) -> tuple[str, str]:
    """When a matching paper was announced, and which answer could have held it: a stable word, and
    words for people.
    """
    announcement = announcement_of(paper.updated)
    evening, served = f"{announcement.evening:%a %Y-%m-%d}", announcement.served_at
    announced = f"was announced on {evening}, unless it was held"
    if seen is not None and seen < served:
        served, announced = seen, f"came with another keyword on {inquiry.at(seen)}"
    elif served > inquiry.now:
        words = f"is announced on {evening} at the earliest, served from {inquiry.at(served)} on"
        return "not_yet_asked", words
    if served > last_good_at:
        return "not_yet_asked", f"{announced}; the last answer is of {inquiry.at(last_good_at)}"
    missing = _missing_in(inquiry, query.text, served)
    if held := _was_held(inquiry, query, paper.id):
        return "not_served", f"{announced}; {held}: arXiv's search does not list it"
    return "not_served", f"{announced}; {missing}: arXiv's search does not list it"


def _missing_in(inquiry: Inquiry, text: str, served: datetime) -> str:
    """The first answer for a query that could have held what was announced, in words."""
    until = inquiry.now + timedelta(seconds=1)
    fetches = inquiry.store.history.fetches([text], served, until)
    good = [fetch for fetch in fetches if fetch.record.status == "ok"]
    if not good:
        return "arXiv's answers for this keyword since then did not hold it"
    rows, later = good[0].record.fetched, len(good) - 1
    others = f", nor did {counted(later, 'later one')}" if later else ""
    answer = f"arXiv's answer of {inquiry.at(good[0].at)} ({counted(rows, 'row')})"
    return f"{answer} did not hold it{others}"
