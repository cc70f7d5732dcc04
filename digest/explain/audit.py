"""Compares arXiv's own record of a time with what a reader was sent: every paper that no digest
carried, with the reason that `digest why` gives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from digest.explain.inquiry import Inquiry
from digest.explain.paper import Asked, explain_paper
from digest.model import NOT_CARRIED, Paper
from digest.rules.verdict import PaperName
from digest.times import to_text

GIVEN_UP = frozenset(("held_back", "not_fetched"))
"""Verdicts on a paper that somebody should see to: arXiv's answers fail, or are not believed."""


def audit_reader(inquiry: Inquiry, matches: Mapping[str, Mapping[str, Paper]]) -> dict[str, Any]:
    """What arXiv's record has for a reader's keywords, as plain values: how many papers, how many
    of them digests carried, and which none did; `matches` are the papers by query and base id.
    """
    wanted = [query for query in matches if inquiry.wants(query)]
    papers = {base: paper for query in wanted for base, paper in matches[query].items()}
    missing = [
        _explained(inquiry, papers[base]) for base in sorted(papers) if not _has(inquiry, base)
    ]
    return {
        "email": inquiry.address,
        "timezone": inquiry.zone,
        "papers": len(papers),
        "carried": len(papers) - len(missing),
        "missing": missing,
    }


def _has(inquiry: Inquiry, base: str) -> bool:
    """Whether a digest has brought a paper to the reader, or may yet: a quick look."""
    if inquiry.past is None:
        return False
    history = inquiry.store.history
    carriers = history.carriers(inquiry.past.id, base)
    return any(delivery.state not in NOT_CARRIED for delivery, _ in carriers) or bool(
        history.sent_long_ago(inquiry.past.id, base)
    )


def _explained(inquiry: Inquiry, paper: Paper) -> dict[str, Any]:
    """One paper that no digest carried, and why not."""
    told = explain_paper(inquiry, PaperName(paper.id), Asked(paper))
    by_keyword = (
        f"{each['keyword']}: {each['why']}"
        for each in told["keywords"]
        if each["status"] == told["verdict"]
    )
    return {
        "id": paper.id,
        "title": paper.title,
        "published": to_text(paper.published),
        "url": paper.abstract_url,
        "verdict": told["verdict"],
        "why": next(by_keyword, told["answer"]),
    }
