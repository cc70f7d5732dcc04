"""Readers and their keywords as the subscribers file describes them, or a reader's own entry."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum


class Channel(StrEnum):
    """The channel by which digests come to a reader: a mail, an issue of a GitHub repository, JSON
    for a program, or a message in a chat that Apprise reaches.
    """

    MAIL = "mail"
    GITHUB = "github"
    WEBHOOK = "webhook"
    APPRISE = "apprise"


class Rule(StrEnum):
    """How a keyword matches: a plain one in title or abstract, both, or the title; or a query."""

    EITHER = "either"
    BOTH = "both"
    TITLE = "title"
    QUERY = "query"


@dataclass(frozen=True, slots=True)
class Keyword:
    """A name for a query; `query` is the canonical text, and the identity."""

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


class Layout(StrEnum):
    """How a digest is laid out: all papers at a glance and then in full, or in full only."""

    BOTH = "both"
    FULL = "full"


class Format(StrEnum):
    """The form of a mail: with an HTML part, or of text alone."""

    HTML = "html"
    TEXT = "text"


class Attach(StrEnum):
    """The file with a digest's papers that comes with the mail, for reference managers."""

    NONE = "none"
    BIBTEX = "bibtex"
    RIS = "ris"


class Summary(StrEnum):
    """What a model writes of each paper, in a sentence or two, for readers who want that: a summary
    of the abstract, a translation of its key sentence, or nothing.
    """

    NONE = "none"
    TLDR = "tldr"
    TRANSLATE = "translate"


class Origin(StrEnum):
    """Who says what a reader wants: the subscribers file, or the reader, on the web."""

    FILE = "file"
    WEB = "web"


@dataclass(frozen=True, slots=True)
class SignUp:
    """Who signed up: the address, the `entry`, which is JSON with the fields as the subscribers
    file would write them, and the `names` in it that the file defined when it was written.
    """

    email: str
    entry: str
    names: tuple[str, ...] = ()


class Away(StrEnum):
    """What a reader of the subscribers file can take away: all digests for a while, a keyword."""

    PAUSE = "paused_until"
    KEYWORD = "keyword"


@dataclass(frozen=True, slots=True)
class Wish:
    """What a reader of the subscribers file took away by themselves, and since when (UTC).

    Of a pause `value` is the day until which it lasts, and `entry` the one that the file had then
    ("": none); of a keyword `value` is the query, and `entry` its name.
    """

    email: str
    field: Away
    value: str
    entry: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One reader as the subscribers file describes them, defaults and groups applied.

    `email` is a mail address, or `github:OWNER/REPO` for a repository, whose watchers get the
    digest as an issue, `webhook:NAME` or `apprise:NAME`; `channel` follows from it
    (subscribers/addresses).
    `target` is the URL to which it goes then, or the `$VARIABLE` that holds it, and `secret` what
    signs it. `days` are the days on
    which a digest may come; `at` is the local time before which it does not come (None: as soon as
    the papers are in); `exclude` holds canonical queries; where `within` names categories (`cs.LG`,
    `cs.*`), only papers in one of them come; papers by these `authors` or in these `categories`
    come before others that match as well. `top`: so many papers stand at a glance with what they
    say, and all others as titles (None: all with what they say). `items_of_library` names what the
    reader has: files in the home folder, and papers of arXiv's. With `feedback` each paper in their
    mails has a way to say: more like this. `attach`: their mails bring the papers as a file.
    `summary`: what a model says of each paper, in the `language`, a BCP 47 tag.
    `mailbox` is the address where `email` is only a name for it, since database and log may be seen
    by strangers. What `wishes` name the reader took away from what the file says.
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
    layout: Layout = Layout.BOTH
    format: Format = Format.HTML
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subject_prefix: str = ""
    top: int | None = None
    items_of_library: tuple[str, ...] = ()
    feedback: bool = False
    attach: Attach = Attach.NONE
    summary: Summary = Summary.NONE
    language: str = "en"
    channel: Channel = Channel.MAIL
    target: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    mailbox: str = field(default="", repr=False)
    origin: Origin = Origin.FILE
    wishes: tuple[Wish, ...] = ()


class Standing(StrEnum):
    """How a reader stands to the digests: gets them, has left, or left just now by the link in a
    mail, which can be undone.
    """

    READS = "reads"
    LEFT = "left"
    LEFT_JUST_NOW = "left just now"


@dataclass(frozen=True, slots=True)
class Mistake:
    """A mistake in the subscribers file with which the other readers are served: where and what it
    is, and the addresses of those whom it holds back ("": one whose address cannot be told).
    """

    words: str
    holds_back: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The mistake and its effect, in a line for people."""
        if not self.holds_back:
            return f"{self.words} (nobody is held back by that)"
        named = [address or "the reader of that entry" for address in self.holds_back]
        more = f" and {len(named) - 3} more" if named[3:] else ""
        whom = f"{', '.join(named[:3])}{more}"
        return f"{self.words} (until that is mended nothing is mailed to {whom})"


@dataclass(frozen=True, slots=True)
class Roster:
    """Who gets what: readers in the order of the file, then those who signed up, every keyword that
    is to be fetched, the categories to which the page keeps, the mistakes for which other readers
    are missing, the wishes that have ended since the file says something else now, and those of the
    file's keywords that strangers may see.
    """

    subscribers: tuple[Subscriber, ...]
    keywords: tuple[Keyword, ...]
    within: tuple[str, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    ended_wishes: tuple[Wish, ...] = ()
    public: tuple[Keyword, ...] = ()

    @property
    def names_readers(self) -> bool:
        """Whether the subscribers file names a reader."""
        return any(reader.origin is Origin.FILE for reader in self.subscribers)

    @property
    def held_back(self) -> dict[str, str]:
        """Whom mistakes hold back, by address ("": one or more whose address cannot be told), each
        with the words of the first one.
        """
        found: dict[str, str] = {}
        for mistake in self.mistakes:
            for address in mistake.holds_back:
                found.setdefault(address, mistake.words)
        return found

    def why_held_back(self, address: str) -> str:
        """The words of the mistake that holds back the reader with this address, in whatever case;
        "" where none does.
        """
        wanted = address.strip().casefold()
        words = (why for known, why in self.held_back.items() if known.casefold() == wanted)
        return next(words, "") if wanted else ""
