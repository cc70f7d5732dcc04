"""The words of the domain as plain values: paper, keyword, subscriber, window, digest, delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import TypeAlias

LocalDate: TypeAlias = date
"""A day in somebody's time zone."""

REPOSITORY = "github:"
"""Begins the address of a reader that is a GitHub repository: `github:OWNER/REPO`."""


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
    def pdf_url(self) -> str:
        """The PDF of this version."""
        return f"https://arxiv.org/pdf/{self.id}v{self.version}"

    @property
    def html_url(self) -> str:
        """The web page that arXiv makes of most papers sent in as TeX since December 2023."""
        return f"https://arxiv.org/html/{self.id}v{self.version}"


class Rule(StrEnum):
    """How a keyword matches: a plain one in title or abstract, both, or the title; or a query."""

    EITHER = "either"
    BOTH = "both"
    TITLE = "title"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Keyword:
    """A name for a query; `query` is the canonical text that is sent to arXiv, and the identity."""

    name: str
    query: str
    rule: Rule


class Weekly(StrEnum):
    """A day of the week as the subscribers file writes it."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class Revisions(StrEnum):
    """The new versions that a reader wants: none, those that report publication, or all.

    The values are as the subscribers file writes them.
    """

    NONE = "false"
    PUBLISHED = "published"
    ALL = "true"


class Order(StrEnum):
    """The order of papers in a digest."""

    LIKELIEST = "likeliest"
    NEWEST = "newest"


class Abstracts(StrEnum):
    """How much of an abstract a reader wants: all of it, its first sentences, or nothing."""

    FULL = "full"
    SHORT = "short"
    NONE = "none"


class Format(StrEnum):
    """The form of a digest: a mail with an HTML part, a mail of text alone, or an issue."""

    HTML = "html"
    TEXT = "text"
    ISSUE = "issue"


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One reader as the subscribers file describes them, defaults and groups applied.

    `email` is a mail address, or `github:OWNER/REPO` for a repository, whose watchers get the
    digest as an issue. `days` are the days on which a digest may come; `at` is the local time
    before which it does not come (None: as soon as the papers are in); `exclude` holds canonical
    queries; where `within` names categories (`cs.LG`, `cs.*`), only papers in one of them come;
    papers by these `authors` or in these `categories` come before others that match as well.
    `mailbox` is the address where `email` is only a name for it, since database and log may be seen
    by strangers.
    """

    email: str
    keywords: tuple[Keyword, ...]
    name: str = ""
    days: tuple[Weekly, ...] = tuple(Weekly)
    at: time | None = None
    timezone: str = "UTC"
    revisions: Revisions = Revisions.NONE
    max_papers: int = 50
    exclude: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    quiet_days: bool = False
    order: Order = Order.LIKELIEST
    paused_until: date | None = None
    abstracts: Abstracts = Abstracts.FULL
    format: Format = Format.HTML
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subject_prefix: str = ""
    mailbox: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Roster:
    """Who gets what: readers in the order of the file, every keyword that is to be fetched, and the
    categories to which the page keeps.
    """

    subscribers: tuple[Subscriber, ...]
    keywords: tuple[Keyword, ...]
    within: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """The whole answer to one fetch of one query, in the order in which it was served.

    `total` is arXiv's count of all matches, None where it was not asked for this query alone;
    `since` is the depth that was reached: every match whose served version is younger is among
    `papers`. `announced` is the evening of the one announcement that a window from the feeds holds,
    whatever its papers' dates. `source` says who answered (api, feeds, oai). `raw` is the first
    page as it came, for inspection.
    """

    query: str
    papers: tuple[Paper, ...]
    total: int | None
    since: datetime
    requests: int
    raw: bytes = field(default=b"", compare=False, repr=False)
    source: str = "api"
    announced: LocalDate | None = None


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


@dataclass(frozen=True, slots=True)
class Item:
    """One paper in a digest, with the names of all the reader's keywords that it matches.

    For a new version `changes` says what is different from the version that the reader had (None:
    not known), and `old_title` what the title was, where that changed. `announced` is the day of
    its announcement, as arXiv's lists date it, in a digest that covers several.
    """

    paper: Paper
    kind: Kind
    keywords: tuple[str, ...]
    changes: tuple[Change, ...] | None = None
    old_title: str = ""
    announced: date | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """The papers under one heading: a keyword's name, or the new versions."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """A keyword that matched no new paper in `days` days of good windows, with a hint why."""

    keyword: str
    days: int
    hint: str


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The days on which digests come, not before `at`; `tells`: without papers a mail says why."""

    days: tuple[Weekly, ...]
    at: time | None
    tells: bool


@dataclass(frozen=True, slots=True)
class Digest:
    """The content of one mail, free of anything that belongs to one reader alone.

    `date` and `next_at` are in `timezone`; `previous` is the local date of the reader's digest
    before this one; `abstracts` is how many papers come with their abstract (as much of it as
    `abstract_length` says), the others as title lines; `skipped` counts papers left out after an
    absence; `quiet` is the reason where nothing came; `silences` are the keywords of which the
    reader is told, once, that they match nothing. A `welcome` names the `rhythm`.
    """

    date: LocalDate
    timezone: str
    sections: tuple[Section, ...]
    keywords: tuple[Keyword, ...]
    welcome: bool = False
    previous: LocalDate | None = None
    next_at: datetime | None = None
    abstracts: int = 50
    skipped: int = 0
    quiet: str = ""
    contact: str = ""
    silences: tuple[Silence, ...] = ()
    rhythm: Rhythm | None = None
    abstract_length: Abstracts = Abstracts.FULL
    format: Format = Format.HTML
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subject_prefix: str = ""

    @property
    def papers(self) -> int:
        """How many papers the digest names."""
        return sum(len(section.items) for section in self.sections)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A digest as it will be read; the HTML part is empty where the reader wants text alone.

    Each part holds `mark`, a random word, exactly once and alone on its line, where the line that
    belongs to one reader alone will stand; so a hundred thousand readers share one body.
    """

    subject: str
    text: str
    html: str
    mark: str


class State(StrEnum):
    """The states of a delivery; to people `unknown` is "maybe delivered"."""

    QUEUED = "queued"
    LEASED = "leased"
    IN_DATA = "in_data"
    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SUPPRESSED = "suppressed"
    DROPPED = "dropped"


OPEN = frozenset({State.QUEUED, State.LEASED, State.IN_DATA, State.DEFERRED, State.UNKNOWN})
"""The states of a delivery on its way; in all others it has ended."""
WAITING = OPEN - {State.LEASED, State.IN_DATA}
"""The states of a delivery that no attempt is being made to hand over."""
NOT_CARRIED = frozenset({State.EXPIRED, State.FAILED, State.SUPPRESSED})
"""The states in which a delivery has certainly not brought its papers to the reader."""


class Outcome(StrEnum):
    """How an attempt to hand over one message ended, by the stage at which it ended.

    SENT: accepted. DEFERRED, FAILED: this message, for a time or for good. UNKNOWN: it may have
    been accepted. RELAY: the server could not be used at all; the message was not at fault.
    """

    SENT = "sent"
    DEFERRED = "deferred"
    FAILED = "failed"
    UNKNOWN = "unknown"
    RELAY = "relay"


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one attempt; `reply` is the server's own words, `bounce` blames the address.

    `permanent` on RELAY: trying again in this run cannot help (a refused login). `policy` on
    FAILED: the server refused as a matter of policy (5.7.x of RFC 3463), which may be meant for the
    sender. `folder`: it went to a folder of this machine, and to nobody's inbox.
    """

    outcome: Outcome
    reply: str = ""
    bounce: bool = False
    permanent: bool = False
    policy: bool = False
    folder: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One delivery that is to leave now, with all that its message is made of. `date` is UTC.

    `pieces` is the MIME body, encoded once for all its readers and cut where each reader's own line
    goes: before the text part's, between, and after the HTML part's; two pieces where there is no
    HTML part. `reader` is the subscriber's number, 0 where the message belongs to no delivery (a
    test, a preview).
    """

    id: int
    attempt: int
    address: str
    name: str
    message_id: str
    date: datetime
    subject: str
    pieces: tuple[bytes, ...]
    reader: int = 0


@dataclass(frozen=True, slots=True)
class Query:
    """A query that somebody wants, and its health. Times are UTC; `rows_per_day` None: never
    fetched.

    `quarantined_since`: since when no window of it could be believed; `judged_since`: what is older
    was served by an interface that has changed since, and no window is compared with it;
    `covered_since`: how far back the first window reached, or a later one of the API's, None where
    the first held all matches; `total`: how many matches arXiv counted last; `source`: who gave the
    last good window; `deep_at`: when the API last gave one that reached far back.
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
