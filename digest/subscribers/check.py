"""The subscribers file checked as a whole: readers and keywords, or all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from math import inf
from typing import Any

from digest.errors import one_line
from digest.keywords.grammar import make_keyword, parse, to_text
from digest.model import REPOSITORY, Format, Keyword, Roster, Rule, Subscriber
from digest.subscribers import repair
from digest.subscribers.document import Document, Kind, Node
from digest.subscribers.fields import ADDRESSES, FIELDS, read_field
from digest.subscribers.guesses import nearest, probably_meant
from digest.subscribers.problems import Problem, SubscribersFileError
from digest.subscribers.quoting import write
from digest.subscribers.values import Report, WrongValueError, fits

SECTIONS = ("defaults", "keywords", "groups", "subscribers")
"""The names that may stand at the top level of the file."""
KEYWORD_FIELDS = ("query", "match")
MATCHES = {rule.value: rule for rule in (Rule.EITHER, Rule.BOTH, Rule.TITLE)}


@dataclass(frozen=True, slots=True)
class Checked:
    """A file without mistakes: its tree, its roster, and what names and addresses mean, all
    casefolded.
    """

    document: Document
    roster: Roster
    names: dict[str, Keyword]
    groups: dict[str, tuple[Keyword, ...]]
    entries: dict[str, Node]

    def find(self, text: str) -> Keyword:
        """The keyword that this text means in a reader's list (not a group's). Raises
        QueryError.
        """
        return self.names.get(fold(text)) or make_keyword(text)


def check_text(text: str, name: str, *, may_be_empty: bool = False) -> Checked:
    """Check the file's text as a whole; `name` is the file's. Raises SubscribersFileError with
    every mistake.
    """
    reading = _read(text)
    checker, problems = reading.checker, [*reading.faults, *reading.mistakes]
    is_empty = checker is not None and checker.document.root is None
    if checker is None or (problems and not (may_be_empty and is_empty)):
        raise SubscribersFileError(problems, name=name, lines=text.split("\n"))
    names = {folded: keyword for folded, keyword in checker.names.items() if keyword}
    return Checked(checker.document, checker.roster, names, checker.groups, checker.entries)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text as far as it can be read: what was made of it, and all that is wrong.

    `faults` are those of its YAML; `end` is the line from which on nothing can be read.
    """

    checker: _Checker | None
    faults: list[Problem]
    mistakes: list[Problem]
    end: float

    @property
    def rank(self) -> tuple[float, int]:
        """Less is better: read further, and then with less mistakes."""
        return -self.end, len(self.faults) + len(self.mistakes)


def _read(text: str) -> _Reading:
    """Read a text, with blanks in the place of tabs where those are at fault."""
    reading = _read_as_it_is(text)
    if reading.end == inf or (tabs := repair.tabs(text, int(reading.end))) is None:
        return reading
    # All those lines are corrected alike: one by one they would be fitted in where they can stand,
    # which may be beside the reader to whom they belong. Several widths may be YAML, so what else
    # is wrong with each tells them apart.
    widths = repair.TAB_WIDTHS if len(text) <= repair.REPAIRABLE else ()
    readings = {width: _read_as_it_is(tabs.replaced(width)) for width in widths}
    best = min(readings, key=lambda width: readings[width].rank, default=0)
    if best and readings[best].end > reading.end:
        found = readings[best]
        faults = [tabs.proposed(best), *tabs.moved_back(found.faults, best)]
        return replace(found, faults=faults, mistakes=tabs.moved_back(found.mistakes, best))
    if reading.end in tabs.lines:
        return replace(reading, faults=[*reading.faults[:-1], tabs.problem])
    return reading


def _read_as_it_is(text: str) -> _Reading:
    mended = repair.read(text)
    checker = _Checker(mended.document) if mended.document else None
    mistakes = checker.report.problems if checker else []
    # A line that had to be guessed is one mistake, and the guess is shown where the line is right
    # with it.
    guessed, wrong = {p.line for p in mended.faults}, {p.line for p in mistakes}
    doubtful = wrong if checker else guessed
    faults = [replace(p, suggestion="") if p.line in doubtful else p for p in mended.faults]
    if not mended.whole:
        # Readers above the end may lack keywords and groups that stand below it.
        return _Reading(checker, faults, [], faults[-1].line)
    return _Reading(checker, faults, [p for p in mistakes if p.line not in guessed], inf)


class _Checker:
    """Reads one document from its keywords down to its subscribers, and gathers the mistakes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.report = Report(document)
        self.roster = Roster((), ())
        self.names: dict[str, Keyword | None] = {}
        """What the section `keywords` defines; None where the definition is wrong."""
        self.labels: list[str] = []
        self.groups: dict[str, tuple[Keyword, ...]] = {}
        self.entries: dict[str, Node] = {}
        self._meanings: dict[str, tuple[Keyword, ...]] = {}
        with self.report:
            self._check()

    def _check(self) -> None:
        """Read the whole file; what is wrong in it is left out and noted."""
        if self.document.root is None:
            message = "the file holds nothing yet: 'digest subscribe EMAIL -k KEYWORD' adds the"
            raise WrongValueError(f"{message} first reader")
        sections = self.report.fields(self.document.root, SECTIONS, "the file")
        sections = {name: node for name, node in sections.items() if not node.is_nothing}
        if "keywords" in sections:
            self._read_keywords(sections["keywords"])
        if "groups" in sections:
            self._read_groups(sections["groups"])
        defaults: dict[str, Any] = {}
        if "defaults" in sections:
            with self.report.entry("defaults"):
                known = [name for name in FIELDS if name not in ADDRESSES]
                fields = self.report.fields(sections["defaults"], known, "defaults")
                defaults = self._options(fields)
        readers: list[Subscriber] = []
        if "subscribers" in sections:
            readers = self._read_subscribers(sections["subscribers"], defaults)
        own = (keyword for reader in readers for keyword in reader.keywords)
        keywords = _distinct([*filter(None, self.names.values()), *own])
        self.roster = Roster(tuple(readers), keywords)

    def _read_keywords(self, section: Node) -> None:
        """The section `keywords`: names with their queries, or a plain list of keywords."""
        with self.report.entry("keywords"):
            if section.kind is Kind.MAPPING:
                for key, value in self.report.pairs(section, "keywords"):
                    with self.report.entry("keywords", key.value):
                        self._define(key, self.report.text(key, "a keyword's name"), value)
                return
            for item in self.report.items(section, "keywords", make_keyword):
                with self.report.entry("keywords", item.value):
                    self._define(item, self.report.text(item, "a keyword", make_keyword), None)

    def _define(self, key: Node, name: str, value: Node | None) -> None:
        self._refuse_second(key, name, self.names, "keyword")
        self.labels.append(name)
        self.names[fold(name)] = None
        if value is None:
            self.names[fold(name)] = self.report.read(key, make_keyword)
            return
        if name.startswith("+"):
            bare = name.lstrip("+ ")
            is_free = fits(make_keyword, bare) and fold(bare) not in self.names
            message = "a name cannot begin with +, which marks groups"
            raise WrongValueError(message, write(bare) if is_free else "", node=key)
        read = self._detailed if value.kind is Kind.MAPPING else self._query
        self.names[fold(name)] = read(key, name, value)

    def _query(self, key: Node, name: str, value: Node) -> Keyword:
        """A keyword written as `name: query`."""
        rest = self.document.text[value.end :].split("\n", 1)[0]
        if value.is_nothing and "#" not in rest:
            written = self.document.text[key.start : key.end]
            suggestion = f"{written}: {written}" if fits(make_keyword, name) else ""
            raise WrongValueError(f"{name} has no query", suggestion, node=key)
        return self.report.value(value, "a query", lambda text: make_keyword(name, text))

    def _detailed(self, key: Node, name: str, value: Node) -> Keyword:
        """A keyword written as `name: {query: …, match: …}`; without a query its name is what is
        searched for.
        """
        fields = self.report.fields(value, KEYWORD_FIELDS, f"the keyword {name}")
        rule = None
        if "match" in fields:
            with self.report:
                rule = self.report.value(fields["match"], "match", _read_match)
        if "query" not in fields:
            return self.report.read(key, lambda text: make_keyword(text, None, rule))
        return self.report.value(
            fields["query"], "query", lambda text: make_keyword(name, text, rule)
        )

    def _refuse_second(self, node: Node, name: str, known: Iterable[str], what: str) -> None:
        if fold(name) in known:
            message = (
                f"the {what} {name!r} stands here for the second time; case makes no difference"
            )
            raise WrongValueError(message, node=node)

    def _read_groups(self, section: Node) -> None:
        with self.report.entry("groups"):
            for key, value in self.report.pairs(section, "groups"):
                with self.report.entry("groups", key.value):
                    name = self.report.text(key, "a group's name")
                    self._refuse_second(key, name, self.groups, "group")
                    self.groups[fold(name)] = ()
                    members = self.report.values(
                        value, f"the group {name}", "a keyword", self._read_member
                    )
                    self.groups[fold(name)] = tuple(chain(*members))

    def _read_member(self, text: str) -> tuple[Keyword, ...]:
        if text.startswith("+"):
            raise WrongValueError("a group holds keywords, and no other group")
        return self._meaning(text)

    def _options(self, fields: dict[str, Node]) -> dict[str, Any]:
        """The values of all fields but the address, under the names of model.Subscriber."""
        values: dict[str, Any] = {}
        for name, node in fields.items():
            with self.report:
                if name == "keywords":
                    found = self.report.values(node, name, "a keyword", self._meaning)
                    values[name] = _distinct(chain(*found))
                elif name == "exclude":
                    queries = self.report.values(node, name, "a query", self._excluded)
                    values[name] = tuple(dict.fromkeys(queries))
                else:
                    values["days" if name == "schedule" else name] = read_field(
                        self.report, name, node
                    )
        return values

    def _excluded(self, text: str) -> str:
        """A query that is never wanted, in canonical form: that of a keyword of this name, or its
        own.
        """
        named = self.names.get(fold(text))
        return named.query if named else to_text(parse(text))

    def _meaning(self, text: str) -> tuple[Keyword, ...]:
        """The keywords that an item of a reader's list stands for: a name's, a group's, or
        itself.
        """
        if text not in self._meanings:
            self._meanings[text] = self._group(text[1:]) if text[:1] == "+" else self._named(text)
        return self._meanings[text]

    def _group(self, name: str) -> tuple[Keyword, ...]:
        if fold(name) in self.groups:
            return self.groups[fold(name)]
        near = nearest(fold(name), self.groups)
        message = f"there is no group {name.strip()!r}"
        raise WrongValueError(message, write(f"+{near}") if near else "")

    def _named(self, text: str) -> tuple[Keyword, ...]:
        if fold(text) in self.names:
            return tuple(filter(None, [self.names[fold(text)]]))
        keyword = make_keyword(text)
        near = "" if keyword.rule is Rule.QUERY else probably_meant(text, self.labels)
        if near:
            message = (
                f"{text!r} is not among the keywords, but almost; if it is another one, add it"
            )
            raise WrongValueError(f"{message} to keywords:", write(near))
        return (keyword,)

    def _read_subscribers(self, section: Node, defaults: dict[str, Any]) -> list[Subscriber]:
        readers: list[Subscriber] = []
        with self.report.entry("subscribers"):
            for number, node in enumerate(self.report.items(section, "subscribers"), 1):
                with self.report.entry("subscribers", number):
                    readers += self._subscriber(node, defaults)
        return readers

    def _subscriber(self, node: Node, defaults: dict[str, Any]) -> list[Subscriber]:
        """The reader of one entry, or none where it is wrong. Raises WrongValueError too."""
        if node.kind is Kind.TEXT and "@" in node.value:
            is_enough = defaults.get("keywords") and fits(FIELDS["email"].read, node.value)
            suggestion = f"email: {node.value}" if is_enough else ""
            raise WrongValueError(
                "a subscriber is made of lines 'name: value'", suggestion, node=node
            )
        problems, before = self.report.problems, len(self.report.problems)
        fields = self.report.fields(node, FIELDS, "a subscriber")
        address = [fields.pop(name, None) for name in ADDRESSES]
        names_known = len(problems) == before
        values = {**defaults, **self._options(fields)}
        place, email = self._address(address[0], address[1]) if any(address) else (node, "")
        if not email:
            if names_known:
                raise WrongValueError("this subscriber has no email", node=node)
            return []
        self._refuse_second_entry(place, email, node)
        if len(problems) > before:
            return []
        if not values.get("keywords"):
            raise WrongValueError(f"{email} has no keywords", node=fields.get("keywords", place))
        if email.startswith(REPOSITORY):
            values["format"] = Format.ISSUE
        return [Subscriber(email=email, **values)]

    def _address(self, email: Node | None, github: Node | None) -> tuple[Node, str]:
        """Where a subscriber's address stands, and the address itself: of mail, or of a
        repository.
        """
        if email and github:
            message = "a subscriber has an email or a github repository: write two subscribers"
            raise WrongValueError(message, node=github)
        name, node = ("email", email) if email else ("github", github)
        assert node is not None
        return node, read_field(self.report, name, node)

    def _refuse_second_entry(self, place: Node, email: str, entry: Node) -> None:
        first = self.entries.setdefault(email.casefold(), entry)
        if first is not entry:
            line = self.document.place(first.start)[0]
            message = f"{email} stands here for the second time, first in line {line}"
            raise WrongValueError(message, node=place)


def _read_match(text: str) -> Rule:
    if text in MATCHES:
        return MATCHES[text]
    message = f"match is {' or '.join(MATCHES)}, and not {text!r}"
    raise WrongValueError(message, nearest(text, MATCHES))


def fold(name: str) -> str:
    """The form in which names are compared."""
    return one_line(name).casefold()


def _distinct(keywords: Iterable[Keyword]) -> tuple[Keyword, ...]:
    """One keyword for each query, under the first of its names."""
    by_query: dict[str, Keyword] = {}
    for keyword in keywords:
        by_query.setdefault(keyword.query, keyword)
    return tuple(by_query.values())
