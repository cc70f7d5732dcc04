"""Reads from a new version what it changed, whether it was accepted somewhere, whether it is
withdrawn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from digest.errors import one_line
from digest.model import Change, Paper

READ = 2_000
"""Characters of a comment or an abstract that are looked at; the longest real comments have a few
hundred."""

_THIS = (
    r"(?:paper|manuscript|article|pre-?print|e-?print|submission|document|report|work|version"
    r"|entry|note|thesis|it)"
)
_HELPERS = (
    r"(?:(?:is|was|are|were|be|been|being|has|had|have|to|will|shall|should|must|needs?"
    r"|now|hereby|also|temporarily|voluntarily|officially|already)\s+)*"
)
_GONE = rf"\b{_THIS}\s+{_HELPERS}withdrawn\b"
_TAKE_BACK = (
    r"\bwithdr[ae]w(?:al|ing|n|s)?\s+(?:of\s+)?"
    r"(?:(?:the|this|that|our|my|said|whole|present|current|entire)\s+)*"
    rf"{_THIS}\b"
)
_REQUEST = r"\brequest(?:s|ed|ing)?\s+(?:for\s+)?(?:the\s+|a\s+|its\s+)?withdrawal\b"
_ALONE = (
    r"^\W*withdrawn\b(?=\W*$|\s*[,:(\-–—]"
    r"|\s+(?:by|due|because|as|since|for|pending|until|temporarily|to|and|on|after|while|from)\b)"
)
_WITHDRAWN = re.compile("|".join((_GONE, _TAKE_BACK, _REQUEST, _ALONE)), re.IGNORECASE)
_ELSEWHERE = re.compile(
    r"withdr[ae]w\w*(?:\s+\w+){0,4}?\s+from\s+(?!arxiv\b|the arxiv\b|public)", re.IGNORECASE
)
"""Taken back from a conference or a journal, which says nothing of the e-print."""
_ANOTHER = re.compile(
    r"\b(?:previous|earlier|prior|former|older?|first|second|preceding|other|duplicate"
    rf"|companion)\s+\w*\s*\w*\s*{_HELPERS}withdr"
    rf"|\bv(?:ersion\s+)?\d+\s+{_HELPERS}withdr"
    r"|\b(?:replac|supersed)\w*\b.*\bwithdrawn\b",
    re.IGNORECASE,
)
"""It is another version or another paper that was withdrawn."""
_SENTENCE = re.compile(r"(?<=[.;!?])\s+")
_ABSTRACT = re.compile(
    rf"^\W*(?:(?:this|the|our)\s+)?{_THIS}\s+{_HELPERS}withdrawn\b|{_ALONE}", re.IGNORECASE
)

_ACCEPTED = re.compile(
    r"\b(?:accepted|to appear|to be (?:published|presented)"
    r"|(?:will )?appear(?:s|ed|ing)? (?:in|at)"
    r"|published|in press|in (?:the )?proceedings|presented at|camera[- ]?ready"
    r"|forthcoming (?:in|at))\b",
    re.IGNORECASE,
)
_NOT_YET = re.compile(
    r"\b(?:if|when|once|until|not|to be|conditionally|tentatively|being)\s+(?:yet\s+)?accepted\b"
    r"|\bnot (?:yet )?published\b|\b(?:previously|recently|already|partially|partly)\s+published\b",
    re.IGNORECASE,
)
_VENUE = re.compile(
    r"\b[A-Z][A-Za-z]{0,15}[A-Z][A-Za-z-]{0,15}(?:\s+Workshops?|\s+Findings)?"
    r"[ ,-]*(?:['’]\d\d|(?:19|20)\d\d)\b"
)
"""`ICML 2024`, `KDD'24`, `CVPR2025`: whoever writes no more than this was accepted there …"""
_ASKED = re.compile(
    r"\b(?:submitted|submission|under (?:peer[- ])?review|in review|reject|withdr[ae]w|challenge"
    r"|extended)",
    re.IGNORECASE,
)
"""… unless a word of the comment says that the answer is still awaited, or that it is about
something else."""
_ADMIN_NOTE = re.compile(r"arXiv admin note:.*", re.IGNORECASE | re.DOTALL)
_OWN_DOI = "10.48550/"
"""arXiv gives every e-print a DOI of its own under this prefix (arXiv's help, "DataCite DOIs")."""


def is_withdrawn(paper: Paper) -> bool:
    """Whether this version takes the paper back.

    On arXiv a withdrawal is a new version whose comment, or whole abstract, says so (arXiv's help,
    "To withdraw an article"). A first version has nothing to take back, and what is withdrawn from
    a conference still stands.
    """
    return paper.version > 1 and (
        _says_withdrawn(paper.comment[:READ])
        or bool(_ABSTRACT.search(paper.abstract[:READ].strip()))
    )


def _says_withdrawn(comment: str) -> bool:
    if "withdr" not in comment.lower():
        return False
    return any(
        _WITHDRAWN.search(sentence)
        and not _ELSEWHERE.search(sentence)
        and not _ANOTHER.search(sentence)
        for sentence in _SENTENCE.split(one_line(comment))
    )


def tells_of_acceptance(comment: str) -> bool:
    """Whether a comment says that the paper was accepted, or published, somewhere."""
    text = _NOT_YET.sub(" ", _ADMIN_NOTE.sub("", comment[:READ]))
    return bool(_ACCEPTED.search(text)) or (bool(_VENUE.search(text)) and not _ASKED.search(text))


def changes(before: Paper, after: Paper) -> tuple[Change, ...]:
    """What a later version of a paper changed, in the order in which it is told."""
    found: dict[Change, bool] = {
        Change.WITHDRAWN: is_withdrawn(after) and not is_withdrawn(before),
        Change.ACCEPTED: _was_accepted(before, after),
        Change.TITLE: _differs(before.title, after.title),
        Change.ABSTRACT: _differs(before.abstract, after.abstract),
        Change.AUTHORS: before.authors != after.authors,
        Change.COMMENT: _differs(before.comment, after.comment),
        Change.JOURNAL_REF: _differs(before.journal_ref, after.journal_ref),
        Change.DOI: before.doi != after.doi,
    }
    return tuple(change for change, is_so in found.items() if is_so)


def merged(*steps: Iterable[Change]) -> tuple[Change, ...]:
    """What several versions in a row changed, each once."""
    together = {change for step in steps for change in step}
    return tuple(change for change in Change if change in together)


def _differs(before: str, after: str) -> bool:
    """Line breaks and blanks are the interface's, not the author's."""
    return before.split() != after.split()


def _was_accepted(before: Paper, after: Paper) -> bool:
    """A place of publication, a DOI of one, or a comment that tells of it, where the version before
    had none.
    """
    if is_withdrawn(after):
        return False
    return (
        bool(after.journal_ref and not before.journal_ref)
        or (bool(after.doi) and not after.doi.startswith(_OWN_DOI) and not before.doi)
        or (tells_of_acceptance(after.comment) and not tells_of_acceptance(before.comment))
    )
