"""What the templates say of one paper: clean texts, what is marked in them, badges, links that are
safe to click.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from digest.keywords.marks import ABSTRACT, COMMENT, TITLE, Span, author_term, find, names
from digest.keywords.tokens import Term
from digest.model import Abstracts, Change, CloseTo, Digest, Item, Kind
from digest.rendering.key_sentence import key_sentence
from digest.rendering.said import Link, links_of, venue_of
from digest.rendering.texts import ABSTRACT_LENGTH, printable_line, readable, sentences, shorten
from digest.rules.revision import is_withdrawn
from digest.rules.verdict import read_paper_name
from digest.times import MONTHS

NAMED_AUTHORS = 3
SHORT_ABSTRACT = 320
"""Characters of an abstract at most, where a reader wants short ones; it ends with a sentence."""

# What is longer than any real one is cut, so that one odd paper cannot push out all others.
NAME_LENGTH, COMMENT_LENGTH = 80, 1_000
CLOSE_LENGTH = 100
"""Characters of the title of a reader's own paper to which one is close; it ends with a word."""

_WORDS = re.compile(r"[^\W_]+")
_EMPTY_WORDS = frozenset(
    "a and at available code github here homepage is link page project our the url webpage "
    "website".split()
)
# As Crossref has them, without what a link in a mail cannot bear.
_DOI = re.compile(r"10\.[0-9]{4,9}/[A-Za-z0-9._;()/:-]{1,200}")
HTML_SINCE = datetime(2023, 12, 1, tzinfo=UTC)
"""The day since which arXiv makes web pages of new submissions (its blog of 18 December 2023)."""


@dataclass(frozen=True, slots=True)
class Author:
    """One author; `named` is one whom a keyword or the reader named."""

    name: str
    named: bool


@dataclass(frozen=True, slots=True)
class Badge:
    """A short word on what is special about a paper; `warns` where it is less than it seems, `said`
    where the comment says so, too.
    """

    text: str
    warns: bool = False
    said: bool = False


@dataclass(frozen=True, slots=True)
class PaperView:
    """What a template may say of one paper; every text is clean, `number` counts through the
    digest.

    `sentence` is the one of its abstract that says most, and `passing` says that a keyword is only
    mentioned in it; both only where the digest has a glance. Where a model says what the paper is
    about, that is the `sentence`, with a glance or without, `by` names the model, and `language` is
    the text's, as a BCP 47 tag. `besides`: arXiv's search only lists
    it. `brief`: nothing is said of it but its title, badges and labels. `close_to`: one of the
    reader's own papers; its `url` is empty where no address of it is known. The `…_hits` are the
    pieces of a text that a keyword matched; `pdf` and `html` are empty where there is none. `mark`
    takes the place of the paper's line for the reader alone; "" where papers have none.
    `place` is what stands in anchors for the number, where that is not known yet.
    """

    id: str
    number: int
    title: str
    title_hits: tuple[Span, ...]
    url: str
    pdf: str
    html: str
    authors: tuple[Author, ...]
    more_authors: str
    byline: str
    date: str
    categories: str
    labels: tuple[str, ...]
    badges: tuple[Badge, ...]
    links: tuple[Link, ...]
    comment: str
    comment_hits: tuple[Span, ...]
    abstract: str
    abstract_hits: tuple[Span, ...]
    changed: str
    besides: bool
    sentence: str
    sentence_hits: tuple[Span, ...]
    passing: bool
    close_to: Link | None
    brief: bool = False
    mark: str = ""
    place: str = ""
    by: str = ""
    language: str = ""

    @property
    def anchor(self) -> str:
        """What a link to all that is known of the paper can name."""
        return f"p{self.place or self.number}"

    @property
    def glance(self) -> str:
        """What a link to its place in the glance can name."""
        return f"g{self.place or self.number}"

    @property
    def told(self) -> str:
        """The sentence, and who says so where it is not the authors."""
        return f"{self.sentence} (in short, by {self.by})" if self.by else self.sentence

    @property
    def leads(self) -> bool:
        """Whether the glance says more of it than its title."""
        return not self.passing and not self.besides and not self.brief


def keyword_name(keyword: str) -> str:
    """A keyword's name as it is printed."""
    return printable_line(keyword, NAME_LENGTH) or "unnamed"


@dataclass(frozen=True, slots=True)
class Manner:
    """How the papers of one digest are shown: `terms` are what each keyword looks for, by its
    casefolded name.

    Only where `mixed`, that is where late papers and new versions are the rule, a new one is called
    so. `glance`: it begins with all papers at a glance.
    """

    digest: Digest
    terms: Mapping[str, Sequence[Term]]
    mixed: bool
    glance: bool

    @property
    def passes_over(self) -> bool:
        """Whether papers that only mention a keyword come last: by their own papers readers may
        want those most.
        """
        return self.glance and not self.digest.ranked

    @property
    def under_names(self) -> bool:
        """Whether new papers stand under the name of their keyword, or all are of one."""
        return not self.digest.ranked or len(self.digest.keywords) < 2

    def look(self, item: Item) -> Look:
        """What a paper's looks go by, besides the paper."""
        digest = self.digest
        sought = [term for name in item.keywords for term in self.terms.get(name.casefold(), ())]
        of_reader = (digest.authors, digest.timezone, digest.abstract_length)
        said = (digest.model, digest.language) if item.summary else ("", "")
        return Look(tuple(sought), *of_reader, self.mixed, self.glance, *said)


@dataclass(frozen=True, slots=True)
class Look:
    """All by which one paper looks otherwise in another digest, but for its labels, its place and
    what is one reader's own. `sought` is what those of the keywords look for that it matches;
    `model` and `language` are those of its summary.
    """

    sought: tuple[Term, ...]
    authors: tuple[str, ...]
    timezone: str
    length: Abstracts
    mixed: bool
    glance: bool
    model: str
    language: str


def paper_view(item: Item, manner: Manner) -> PaperView:
    """Prepare one paper, which has no number yet."""
    shared = _shared_view(replace(item, keywords=(), close_to=None), manner.look(item))
    return replace(
        shared,
        labels=_labels(item, under_names=manner.under_names),
        passing=shared.passing and manner.passes_over,
        close_to=_close_to(item.close_to),
    )


# As many as come on a day with most keywords: each takes some ten kilobytes.
@lru_cache(maxsize=2_000)
def _shared_view(item: Item, look: Look) -> PaperView:
    """What is the same in all digests of a day, however their readers' own papers order them."""
    paper, sought = item.paper, look.sought
    named = [*sought, *map(author_term, look.authors)]
    shown, more, byline = _authors(paper.authors, named)
    title, comment = readable(paper.title) or paper.id, readable(paper.comment, COMMENT_LENGTH)
    whole = readable(paper.abstract, ABSTRACT_LENGTH)
    withdrawn = is_withdrawn(paper)
    has_html = not withdrawn and paper.published >= HTML_SINCE
    badges = tuple(_badges(item, comment, withdrawn, look.mixed))
    links = tuple(links_of(comment, whole))
    title_hits, abstract_hits = find(title, sought, TITLE), find(whole, sought, ABSTRACT)
    sentence = key_sentence(whole, title) if look.glance else ""
    sentence_hits = _within(whole, sentence, abstract_hits)
    summary = printable_line(item.summary)
    is_news = item.kind is not Kind.REVISED and not item.listed
    is_named = bool(title_hits) or any(author.named for author in shown)
    # By the authors' own sentence: what a model says changes no paper's place.
    is_mentioned = not is_named and not sentence_hits and _is_mentioned(whole, abstract_hits)
    return PaperView(
        id=paper.id,
        number=0,
        title=title,
        title_hits=title_hits,
        url=paper.abstract_url,
        pdf="" if withdrawn else paper.pdf_url,
        html=paper.html_url if has_html else "",
        authors=shown,
        more_authors=f" + {more} more" if more else "",
        byline=byline,
        date=_dates(item, ZoneInfo(look.timezone)),
        categories=", ".join(
            printable_line(category, NAME_LENGTH) for category in paper.categories
        ),
        labels=(),
        badges=badges,
        links=links,
        comment="" if _is_said(comment, badges, links) else comment,
        comment_hits=find(comment, sought, COMMENT),
        abstract=_abstract(whole, look.length),
        abstract_hits=abstract_hits,
        changed=_changed(item),
        besides=item.listed,
        sentence=summary or sentence,
        sentence_hits=find(summary, sought, ABSTRACT) if summary else sentence_hits,
        passing=look.glance and is_news and is_mentioned,
        close_to=None,
        by=printable_line(look.model, NAME_LENGTH) if summary else "",
        language=look.language,
    )


def _close_to(own: CloseTo | None) -> Link | None:
    """One of the reader's own papers, as a link where its id leads to it."""
    if own is None:
        return None
    title, url = readable(own.title), ""
    if name := read_paper_name(own.id):
        url = f"https://arxiv.org/abs/{name}"
    elif _DOI.fullmatch(own.id):
        url = f"https://doi.org/{own.id}"
    return Link("close to", url, shorten(title, CLOSE_LENGTH))


def _is_mentioned(abstract: str, hits: Sequence[Span]) -> bool:
    """Whether a keyword stands in an abstract only once, and not in what opens it."""
    opening = "".join(sentences(abstract)[:1])
    return len(hits) == 1 and not _within(abstract, opening, hits)


def _within(whole: str, part: str, hits: Iterable[Span]) -> tuple[Span, ...]:
    """Those of a text's pieces that lie in a part of it, by their places in that."""
    begin = whole.find(part)
    end = begin + len(part)
    return tuple((a - begin, b - begin) for a, b in hits if begin <= a and b <= end)


def _labels(item: Item, *, under_names: bool) -> tuple[str, ...]:
    """The keywords' names. Under a keyword's own heading its name says nothing new; several names
    do, and new versions, what arXiv also lists and what is ranked have no such heading.
    """
    if not under_names or item.kind is Kind.REVISED or item.listed or len(item.keywords) > 1:
        return tuple(map(keyword_name, item.keywords))
    return ()


def short_date(day: date) -> str:
    """`23 Nov 2026`."""
    return f"{day.day} {MONTHS[day.month - 1][:3]} {day.year}"


def _abstract(abstract: str, length: Abstracts) -> str:
    if length is Abstracts.NONE:
        return ""
    return shorten(abstract, SHORT_ABSTRACT) if length is Abstracts.SHORT else abstract


def _authors(authors: Sequence[str], terms: Sequence[Term]) -> tuple[tuple[Author, ...], int, str]:
    """The first authors and all who were named, how many there are besides, and the byline."""
    known = [name for author in authors if (name := readable(author, NAME_LENGTH))]
    named = names(known, terms)
    shown = [Author(a, i in named) for i, a in enumerate(known) if i < NAMED_AUTHORS or i in named]
    byline = " and ".join(known) if len(known) < 3 else f"{known[0]} et al."
    return tuple(shown), len(known) - len(shown), byline


def _dates(item: Item, zone: ZoneInfo) -> str:
    submitted = short_date(item.paper.published.astimezone(zone).date())
    if item.kind is not Kind.REVISED:
        return submitted
    return f"{short_date(item.paper.updated.astimezone(zone).date())}, first {submitted}"


def _badges(item: Item, comment: str, withdrawn: bool, mixed: bool) -> Iterator[Badge]:
    if item.kind is Kind.REVISED:
        yield Badge(f"v{item.paper.version}")
    elif item.kind is Kind.LATE:
        yield Badge("announced late", warns=True)
    elif mixed:
        yield Badge("new")
    if withdrawn:
        yield Badge("withdrawn", warns=True)
    elif venue := venue_of(comment):
        yield Badge(venue, said=True)
    elif Change.ACCEPTED in (item.changes or ()):
        yield Badge("accepted")


def _changed(item: Item) -> str:
    """What a new version changed, in a line: `title (before: A Study), comment; abstract as
    before`.
    """
    if item.kind is not Kind.REVISED or item.changes is None:
        return ""
    words = {
        Change.TITLE: f"title (before: {readable(item.old_title)})" if item.old_title else "title",
        Change.ABSTRACT: "abstract",
        Change.AUTHORS: "authors",
        Change.COMMENT: "comment",
        Change.JOURNAL_REF: "journal reference",
        Change.DOI: "DOI",
    }
    changed = ", ".join(text for change, text in words.items() if change in item.changes)
    if not changed:
        return "nothing in title, abstract or comment"
    return changed if Change.ABSTRACT in item.changes else f"{changed}; abstract as before"


def _is_said(comment: str, badges: Sequence[Badge], links: Sequence[Link]) -> bool:
    """Whether a comment tells nothing beyond its badges and links."""
    rest = comment.casefold()
    for said in (*(badge.text for badge in badges), *(link.url for link in links)):
        rest = rest.replace(said.casefold(), " ")
    return set(_WORDS.findall(rest)) <= _EMPTY_WORDS
