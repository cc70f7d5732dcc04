"""How a reader of a mail says: more like this. By a link beside each paper where there is a web
side, else by one mail in which the numbers of the papers stand.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from digest.mail.body import QUOTED_PRINTABLE_LINE, Lines, PaperLines
from digest.mail.leaving import LOOKED_AT

ASKS = "More like"
"""How the subject of such a mail begins, before the token of the mail that it answers."""
NUMBERS = "Numbers:"
"""How its text begins, as a mail program opens it."""
MOST_NUMBERS = 200
"""Numbers of which more are not looked at."""
_FILLER = frozenset("numbers number nos no nr and und et y".split())
_PIECE = re.compile(r"[0-9]+|[^\W\d_]+")
_RANGE = re.compile(r"([0-9]{1,4})\s*[-–]\s*([0-9]{1,4})")
INDENT = "    "
"""Stands before what the text part says of a paper."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What is put into one reader's mail: the line of each paper, and what the reader's own line
    says besides.
    """

    papers: PaperLines
    own: Lines


def by_links(start: str) -> Offer:
    """A link beside each paper: `start` and the paper's number."""

    def line(number: int) -> Lines:
        url = f"{start}/{number}"
        named = f"{INDENT}Like  {url}"
        # A link that an encoding cuts in two is none.
        fits = len(named) <= QUOTED_PRINTABLE_LINE
        page = f'&nbsp; <a class="k" href="{html.escape(url)}">More&nbsp;like&nbsp;this</a>'
        return Lines(named if fits else f"{INDENT}Like\n{url}", page)

    return Offer(line, Lines("\nThe link Like of a paper says: more like this one.", ""))


def by_mail(to: str, mailto: str, token: str) -> Offer:
    """One mail `to` an address for all papers, by their numbers; `mailto` is that address in a
    link.
    """
    link = html.escape(
        f"mailto:{mailto}?subject={ASKS.replace(' ', '%20')}%20{token}"
        f"&body={NUMBERS.replace(':', '%3A')}%20"
    )
    text = (
        "\nTo get more like some of these papers, write their numbers to"
        f"\n{to} with this subject:\n{ASKS} {token}"
    )
    page = (
        f'<br>To get more like some of these papers, <a id="like" href="{link}"'
        ' style="color:inherit">write their numbers</a>.'
    )

    def line(number: int) -> Lines:
        return Lines(
            "", f'&nbsp; <a class="k" href="#like">More&nbsp;like&nbsp;no.&nbsp;{number}</a>'
        )

    return Offer(line, Lines(text, page))


def numbers_in(text: str) -> tuple[int, ...]:
    """The numbers of papers with which a text begins, each once: `3, 7 and 9`, `12-14`. They end
    with an empty line, or one that holds anything else, as a signature does.
    """
    found: dict[int, None] = {}
    for line in text[:LOOKED_AT].splitlines():
        pieces = _PIECE.findall(line.lower())
        known = all(p in _FILLER or (p.isdecimal() and len(p) <= 4) for p in pieces)
        if not known or line.startswith((">", "--")) or (found and not pieces):
            break
        for first, last in _RANGE.findall(line):
            found |= dict.fromkeys(range(int(first), min(int(last), int(first) + 99) + 1))
        found |= dict.fromkeys(map(int, filter(str.isdecimal, pieces)))
    return tuple(found)[:MOST_NUMBERS]
