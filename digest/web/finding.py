"""The search of the archive: which public papers match a query, those that came last first.

The index finds papers that may match, the keyword language's own matcher decides. A page looks at
a bounded number of them, and leads on from where it ended; so nobody's query costs more than that.
"""

from __future__ import annotations

from urllib.parse import urlencode

from digest.errors import one_line
from digest.keywords.candidates import asked
from digest.keywords.grammar import Node, is_plain, to_text
from digest.keywords.match import Matcher, stems
from digest.keywords.tokens import Term
from digest.keywords.words import counted, reading, term_words
from digest.rendering.texts import shorten
from digest.store import Store
from digest.web.listings import Listing, Listings, PageLink
from digest.web.public import Public

PAGE = 10
"""Papers on a page."""
EXAMINED = 150
"""Papers that are looked at for a page."""
BATCH = PAGE + 2
HEADING = "Newest first"
PATH = "search"
_LONGEST_TITLE = 80


def find(store: Store, node: Node, before: str = "") -> tuple[list[str], str]:
    """The ids of the papers of a page that match, those that came last first, from below another
    paper on; and the paper from which the search goes on, "" where nothing is left. Raises
    TryLaterError where it takes too long.
    """
    found: list[str] = []
    words, below = asked(node), store.search.place(before) if before else None
    examined, most, last = 0, BATCH, ""
    while examined < EXAMINED:
        batch = store.search.candidates(words, below, most)
        with Matcher(store.archive.papers([each.paper for each in batch]).values()) as matcher:
            matching = matcher.match(node)
        for number, each in enumerate(batch, 1):
            below, last = each.seq, each.paper
            found += [each.paper] * (each.paper in matching)
            if len(found) == PAGE:
                return found, last if number < len(batch) or number == most else ""
        if len(batch) < most:
            return found, ""
        examined += most
        most = EXAMINED - examined
    return found, last


def listing_of(store: Store, public: Public, text: str, node: Node, before: str) -> Listing:
    """What a search found, as a page of the archive."""
    papers, last = find(store, node, before)
    query = to_text(node)
    digest, brought = Listings(store, public).found(papers, query, HEADING)
    lead = f"with {term_words(node, stems)}" if isinstance(node, Term) else "that match this query"
    number = counted(digest.papers, "paper") if digest.papers else "No paper"
    if before:
        number += " further back"
    elif last and digest.papers:
        number = f"The last {number}"
    older = None
    if last:
        words = "Older" if len(papers) == PAGE else "Look further back"
        older = PageLink(PATH, words, _asked(text, last))
    elif not papers and not before and is_plain(text) and " " in text:
        words = "All of these words, anywhere"
        older = PageLink(PATH, words, _asked(" AND ".join(text.split())))
    return Listing(
        path=PATH,
        title=shorten(one_line(text), _LONGEST_TITLE),
        lead=f"{number} {lead}",
        digest=digest,
        newer=PageLink(PATH, "From the beginning", _asked(text)) if before else None,
        older=older,
        asked=_asked(text, before),
        text=text,
        brought=brought,
        reading=() if isinstance(node, Term) else tuple(reading(node, stems)),
    )


def _asked(text: str, before: str = "") -> str:
    return "?" + urlencode({"q": text} | ({"before": before} if before else {}))
