"""Papers, the queries that bring them, and the windows in which they are served."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Paper:
    """An arXiv e-print in one of its versions. Times are UTC.

    `id` is the base id without a version (`2503.14895`, `hep-th/9901001`); `published` is when the
    first version was submitted, `updated` when this one was; `categories` has the primary one
    first. `approximate`: only its announcement is known so far, its dates are derived from that,
    and it has no comment.
    """

    id: str
    version: int
    title: str
    abstract: str
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    published: datetime
    updated: datetime
    comment: str = ""
    journal_ref: str = ""
    doi: str = ""
    approximate: bool = False

    @property
    def abstract_url(self) -> str:
        """The abstract page, to which arXiv asks programs to link."""
        return f"https://arxiv.org/abs/{self.id}v{self.version}"

    @property
    def arxiv_doi(self) -> str:
        """The DOI that arXiv registers for the e-print in all its versions
        (info.arxiv.org/help/doi.html); `doi` is the publisher's, where the authors named one.
        """
        return f"10.48550/arXiv.{self.id}"

    @property
    def pdf_url(self) -> str:
        """The PDF of this version."""
        return f"https://arxiv.org/pdf/{self.id}v{self.version}"

    @property
    def html_url(self) -> str:
        """The web page that arXiv makes of most papers sent in as TeX since December 2023."""
        return f"https://arxiv.org/html/{self.id}v{self.version}"


@dataclass(frozen=True, slots=True)
class Query:
    """A query that somebody wants, and its health. Times are UTC; `rows_per_day` None: never
    fetched.

    `quarantined_since`: since when no window of it could be believed; `judged_since`: what is older
    was served by an interface that has changed since, and no window is compared with it;
    `covered_since`: how far back the first window reached, or a later one of the API's, None where
    the first held all matches; `total`: how many matches arXiv counted last; `source`: who gave the
    last good window; `deep_at`: when the API last gave one that reached far back; `asked`: what the
    API was asked for then, where that is wider than the query, and `asked_per_day` the rows of it.
    """

    id: int
    text: str
    last_good_at: datetime | None
    next_fetch_at: datetime | None
    failures: int
    trouble: str
    rows_per_day: float | None
    quarantined_since: datetime | None = None
    judged_since: datetime | None = None
    covered_since: datetime | None = None
    total: int | None = None
    source: str = ""
    deep_at: datetime | None = None
    asked: str = ""
    asked_per_day: float | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """The whole answer to one fetch of one query, in the order in which it was served.

    `total` is arXiv's count of all matches, None where it was not asked for this query alone;
    `since` is the depth that was reached: every match whose served version is younger is among
    `papers`. `announced` is the evening of the one announcement that a window from the feeds holds,
    whatever its papers' dates. `source` says who answered (api, feeds, oai). `raw` is the first
    page as it came, for inspection. `odd` says of rows that are no papers what is wrong with them.
    `asked` is what arXiv was asked for in place of the query, where that is wider, and `served` how
    many rows younger than `since` came of it.
    """

    query: str
    papers: tuple[Paper, ...]
    total: int | None
    since: datetime
    requests: int
    raw: bytes = field(default=b"", compare=False, repr=False)
    source: str = "api"
    announced: date | None = None
    odd: tuple[str, ...] = ()
    asked: str = ""
    served: int | None = None


class Kind(StrEnum):
    """What a row of the seen-table means for readers; an `old` one is recorded and never mailed."""

    NEW = "new"
    LATE = "late"
    REVISED = "revised"
    OLD = "old"


class Change(StrEnum):
    """What a new version changed, or announces, in the order in which it is shown."""

    WITHDRAWN = "withdrawn"
    ACCEPTED = "accepted"
    TITLE = "title"
    ABSTRACT = "abstract"
    AUTHORS = "authors"
    COMMENT = "comment"
    JOURNAL_REF = "journal_ref"
    DOI = "doi"
