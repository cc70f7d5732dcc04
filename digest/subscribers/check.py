"""The subscribers file checked as a whole: readers and keywords, or all mistakes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from dataclasses import dataclass, replace
from itertools import chain
from math import inf
from typing import Any

from digest.errors import one_line
from digest.keywords.grammar import make_keyword, parse, to_text
from digest.model import Keyword, Roster, Rule, Subscriber
from digest.subscribers import repair
from digest.subscribers.addresses import channel_of
from digest.subscribers.document import Document, NodeKind, YamlNode
from digest.subscribers.fields import ADDRESSES, FIELDS
from digest.subscribers.guesses import nearest, probably_meant
from digest.subscribers.identity import clashing, read_identity, refuse_several
from digest.subscribers.languages import refuse_untranslatable
from digest.subscribers.problems import Entry, Problem, SubscribersFileError
from digest.subscribers.public import SECTION as PUBLIC
from digest.subscribers.public import read_public
from digest.subscribers.quoting import write
from digest.subscribers.read_fields import read_field
from digest.subscribers.values import Report, WrongValueError, fits

# The names that may stand at the top level of the file.
SECTIONS = ("defaults", "keywords", "groups", "subscribers", PUBLIC)
_IN_MODEL = {"schedule": "days", "library": "items_of_library"}
"""What a field is called in model.Subscriber, where not as in the file."""
KEYWORD_FIELDS = ("query", "match", "within")
MATCHES = {rule.value: rule for rule in (Rule.EITHER, Rule.BOTH, Rule.TITLE)}


def check_text(text: str, name: str, *, may_be_empty: bool = False) -> Checked:
    """Check the file's text as a whole; `name` is the file's. Raises SubscribersFileError with
    every mistake.
    """
    checked, error = examine_text(text, name)
    # Nothing above a fault is not an empty file: what stands below it must not be written over.
    if checked and may_be_empty and checked.document.root is None:
        return checked
    if error or checked is None:
        raise error or AssertionError("a file without a mistake is read to its end")
    return checked


def examine_text(text: str, name: str) -> tuple[Checked | None, SubscribersFileError | None]:
    """What a text means without its mistakes, None where its YAML is at fault; and all of them, if
    any.
    """
    reading = _read(text)
    problems = [*reading.faults, *reading.mistakes]
    checked = None if reading.faults else reading.checked
    if not problems:
        return checked, None
    return checked, SubscribersFileError(problems, name=name, lines=text.split("\n"))


@dataclass(frozen=True, slots=True)
class _Reading:
    """A text as far as it can be read: what was made of it, and all that is wrong.

    `faults` are those of its YAML; `end` is the line from which on nothing can be read.
    """

    checked: Checked | None
    faults: list[Problem]
    mistakes: list[Problem]
    end: float = inf

    @property
    def rank(self) -> tuple[float, int]:
        """Less is better: read further, and then with fewer mistakes."""
        return -self.end, len(self.faults) + len(self.mistakes)


def _read(text: str) -> _Reading:
    """Read a text, with blanks in the place of tabs where those are at fault."""
    reading = _read_as_it_is(text)
    tabs = repair.tabs(text, reading.end) if reading.end < inf else None
    if tabs is None:
        return reading
    # All those lines are corrected alike: one by one they would be fitted in where they can stand,
    # which may be beside the reader to whom they belong. Several widths may be YAML, so what else
    # is wrong with each tells them apart.
    widths = repair.TAB_WIDTHS if len(text) <= repair.REPAIRABLE else ()
    readings = {width: _read_as_it_is(tabs.replaced(width)) for width in widths}
    best = min(readings, key=lambda width: readings[width].rank, default=0)
    if best and readings[best].end > reading.end:
        faults, mistakes = (
            tabs.moved_back(found, best)
            for found in (readings[best].faults, readings[best].mistakes)
        )
        return replace(readings[best], faults=[tabs.proposed(best), *faults], mistakes=mistakes)
    if reading.end in tabs.lines:
        return replace(reading, faults=[*reading.faults[:-1], tabs.problem])
    return reading


def _read_as_it_is(text: str) -> _Reading:
    mended = repair.read(text)
    if mended.document is None:
        faults = [replace(problem, suggestion="") for problem in mended.faults]
        return _Reading(None, faults, [], mended.end)
    checked = Checked(mended.document)
    # A line that had to be guessed is one mistake, and the guess is shown where the line is right
    # with it.
    guessed, wrong = ({p.line for p in found} for found in (mended.faults, checked.report.problems))
    faults = [replace(p, suggestion="") if p.line in wrong else p for p in mended.faults]
    mistakes = [problem for problem in checked.report.problems if problem.line not in guessed]
    # Readers above the end may lack keywords and groups that stand below it.
    return _Reading(checked, faults, mistakes if mended.end == inf else [], mended.end)


class Checked:
    """What a file says, read from its keywords down to its subscribers: the roster, and what names
    and addresses mean, all casefolded. What is wrong is left out of it, and noted in `report`.
    """

    def __init__(self, document: Document) -> None:
        self.document = document
        self.report = Report(document)
        # What the section `keywords` defines; None where the definition is wrong.
        self.names: dict[str, Keyword | None] = {}
        self.groups: dict[str, tuple[Keyword, ...]] = {}
        self.entries: dict[str, YamlNode] = {}
        self._labels: list[str] = []
        self._meanings: dict[str, tuple[Keyword, ...]] = {}
        self._defaults: dict[str, Any] = {}
        self._readers: list[Subscriber] = []
        with self.report:
            self._read()
        own = (keyword for reader in self._readers for keyword in reader.keywords)
        keywords = _distinct([*filter(None, self.names.values()), *own])
        found = self.document.section(PUBLIC)
        public = read_public(self.report, found[1], self.names, keywords) if found else ()
        within = self._defaults.get("within", ())
        self.roster = Roster(tuple(self._readers), keywords, within, public=public)

    def find(self, text: str) -> Keyword:
        """The keyword that this text means in a reader's list (not a group's). Raises
        QueryError.
        """
        return self.names.get(fold(text)) or make_keyword(text)

    def unread_texts(self) -> Iterator[str]:
        """What stands in the lists of the entries that have a mistake, or rest on one."""
        for number, entry in enumerate(self.document.part("subscribers").items, 1):
            if Entry("subscribers", number).key in self.report.spoilt:
                for name in ("keywords", "exclude"):
                    found = entry.get(name)
                    yield from found[1].texts if found else ()

    def beside(self) -> Checked:
        """The same names, groups and defaults with a report of their own, for entries that do not
        stand in the file.
        """
        twin = copy(self)
        twin.report = Report(Document(""))
        twin.report.spoilt.update(self.report.spoilt)
        # What is almost a name is a slip in the file; a reader's own word may well be.
        twin._labels, twin._meanings = [], {}
        return twin

    def _read(self) -> None:
        if self.document.root is None:
            raise WrongValueError(
                "the file holds nothing yet: "
                "'digest subscribe EMAIL -k KEYWORD' adds the first reader"
            )
        nodes = self.report.fields(self.document.root, SECTIONS, "the file")
        # Each section is read with what those before it mean.
        for name, read in (
            ("keywords", self._read_keywords),
            ("groups", self._read_groups),
            ("defaults", self._read_defaults),
            ("subscribers", self._read_subscribers),
        ):
            if name in nodes and not nodes[name].is_nothing:
                with self.report.entry(name):
                    read(nodes[name])

    def _read_keywords(self, section: YamlNode) -> None:
        """Names with their queries, or a plain list of keywords, which are their own queries."""
        if section.kind is NodeKind.MAPPING:
            for key, value in self.report.pairs(section, "keywords"):
                # Who uses a name that is missing nobody knows: that spoils the whole section.
                with self.report.entry("keywords", "" if key.is_nothing else key.value):
                    name = self._declare(key, self.report.text(key, "a keyword's name"))
                    read = self._detailed if value.kind is NodeKind.MAPPING else self._query
                    self.names[fold(name)] = read(key, name, value)
            return
        for item in self.report.items(section, "keywords", make_keyword):
            with self.report.entry("keywords", item.value):
                name = self.report.text(item, "a keyword", make_keyword)
                self._declare(item, name, is_query=True)
                self.names[fold(name)] = self.report.read(item, make_keyword)

    def _declare(self, node: YamlNode, name: str, *, is_query: bool = False) -> str:
        """Take note of a keyword's name, whatever it turns out to mean."""
        _refuse_second(node, name, self.names, "keyword")
        self._labels.append(name)
        self.names[fold(name)] = None
        bare = name.lstrip("+ ")
        if name.startswith("+") and not is_query:
            is_free = fits(make_keyword, bare) and fold(bare) not in self.names
            raise WrongValueError(
                "a name cannot begin with +, which marks groups",
                write(bare) if is_free else "",
                node=node,
            )
        return name

    def _query(self, key: YamlNode, name: str, value: YamlNode) -> Keyword:
        """A keyword written as `name: query`."""
        rest = self.document.text[value.end :].split("\n", 1)[0]
        if value.is_nothing and "#" not in rest:
            written = self.document.text[key.start : key.end]
            suggestion = f"{written}: {written}" if fits(make_keyword, name) else ""
            raise WrongValueError(f"{name} has no query", suggestion, node=key)
        return self.report.value(value, "a query", lambda text: make_keyword(name, text))

    def _detailed(self, key: YamlNode, name: str, value: YamlNode) -> Keyword:
        """A keyword written as `name: {query: …, match: …, within: […]}`; without a query its name
        is what is searched for.
        """
        fields = self.report.fields(value, KEYWORD_FIELDS, f"the keyword {name}")
        rule, within = None, ()
        if "match" in fields:
            with self.report:
                rule = self.report.value(fields["match"], "match", _read_match)
        if "within" in fields:
            with self.report:
                within = read_field(self.report, "within", fields["within"])
        query = fields.get("query", key)
        return self.report.value(
            query, "query", lambda text: make_keyword(name, text, rule, within)
        )

    def _read_groups(self, section: YamlNode) -> None:
        for key, value in self.report.pairs(section, "groups"):
            with self.report.entry("groups", "" if key.is_nothing else key.value):
                name = self.report.text(key, "a group's name")
                _refuse_second(key, name, self.groups, "group")
                self.groups[fold(name)] = ()
                found = self.report.values(value, f"the group {name}", "a keyword", self._member)
                self.groups[fold(name)] = tuple(chain(*found))

    def _member(self, text: str) -> tuple[Keyword, ...]:
        if text.startswith("+"):
            raise WrongValueError("a group holds keywords, and no other group")
        return self._meaning(text)

    def _read_defaults(self, section: YamlNode) -> None:
        known = [name for name in FIELDS if name not in ADDRESSES]
        for name, node in self.report.fields(section, known, "defaults").items():
            with self.report.entry("defaults", name):
                self._defaults |= self._option(name, node)

    def options(self, fields: dict[str, YamlNode]) -> dict[str, Any]:
        """A reader's own values, and those of the defaults that they rest on."""
        values = dict(self._defaults)
        for name, node in fields.items():
            with self.report:
                values |= self._option(name, node)
        self.report.rests_on("defaults", *(FIELDS.keys() - fields.keys()))
        return values

    def _option(self, name: str, node: YamlNode) -> dict[str, Any]:
        """The value of a field other than the address, under its name in model.Subscriber."""
        if name == "keywords":
            found = self.report.values(node, name, "a keyword", self._meaning)
            return {name: _distinct(chain(*found))}
        if name == "exclude":
            queries = self.report.values(node, name, "a query", self._excluded)
            return {name: tuple(dict.fromkeys(queries))}
        return {_IN_MODEL.get(name, name): read_field(self.report, name, node)}

    def _excluded(self, text: str) -> str:
        """A query that is never wanted, in canonical form: that of a keyword of this name, or its
        own.
        """
        self.report.rests_on("keywords", text)
        named = self.names.get(fold(text))
        return named.query if named else to_text(parse(text))

    def _meaning(self, text: str) -> tuple[Keyword, ...]:
        """The keywords that an item of a reader's list stands for: a name's, a group's, or
        itself.
        """
        is_group = text[:1] == "+"
        self.report.rests_on("groups" if is_group else "keywords", text)
        if text not in self._meanings:
            self._meanings[text] = self._group(text[1:]) if is_group else self._named(text)
        return self._meanings[text]

    def _group(self, name: str) -> tuple[Keyword, ...]:
        if fold(name) in self.groups:
            return self.groups[fold(name)]
        near = nearest(fold(name), self.groups)
        suggestion = write(f"+{near}") if near else ""
        raise WrongValueError(f"there is no group {name.strip()!r}", suggestion)

    def _named(self, text: str) -> tuple[Keyword, ...]:
        if fold(text) in self.names:
            return tuple(filter(None, [self.names[fold(text)]]))
        keyword = make_keyword(text)
        near = "" if keyword.rule is Rule.QUERY else probably_meant(text, self._labels)
        if near:
            raise WrongValueError(
                f"{text!r} is not among the keywords, but almost; "
                "if it is another one, add it to keywords:",
                write(near),
            )
        return (keyword,)

    def _read_subscribers(self, section: YamlNode) -> None:
        for number, node in enumerate(self.report.items(section, "subscribers"), 1):
            with self.report.entry("subscribers", number):
                self._read_subscriber(node)

    def _read_subscriber(self, node: YamlNode) -> None:
        self._refuse_bare_address(node)
        problems, before = self.report.problems, len(self.report.problems)
        fields = self.report.fields(node, FIELDS, "a subscriber")
        addresses = [name for name in ADDRESSES if name in fields]
        misnamed = len(problems) > before
        values = self.options({n: field for n, field in fields.items() if n not in ADDRESSES})
        refuse_several(fields, addresses)
        refuse_untranslatable(fields, values, node)
        for name in addresses:
            place = fields[name]
            values |= read_identity(self.report, name, fields, values)
            email = values["email"]
            self._refuse_second_address(place, email, node)
            if self.report.is_spoilt:
                return
            if not values.get("keywords"):
                raise WrongValueError(
                    f"{email} has no keywords", node=fields.get("keywords", place)
                )
            self._readers.append(Subscriber(**values, channel=channel_of(email)))
        if not addresses and not misnamed:
            raise WrongValueError("this subscriber has no email", node=node)

    def _refuse_bare_address(self, node: YamlNode) -> None:
        if node.kind is NodeKind.TEXT and "@" in node.value:
            is_enough = self._defaults.get("keywords") and fits(FIELDS["email"].read, node.value)
            raise WrongValueError(
                "a subscriber is made of lines 'name: value'",
                f"email: {node.value}" if is_enough else "",
                node=node,
            )

    def _refuse_second_address(self, place: YamlNode, email: str, entry: YamlNode) -> None:
        taken = [self.entries[key] for key in clashing(email) if key in self.entries]
        first = taken[0] if taken else self.entries.setdefault(email.casefold(), entry)
        if first is not entry:
            line = self.document.place(first.start)[0]
            raise WrongValueError(
                f"{email} stands here for the second time, first in line {line}", node=place
            )


def _refuse_second(node: YamlNode, name: str, known: Iterable[str], what: str) -> None:
    if fold(name) in known:
        raise WrongValueError(
            f"the {what} {name!r} stands here for the second time; case makes no difference",
            node=node,
        )


def _read_match(text: str) -> Rule:
    if text in MATCHES:
        return MATCHES[text]
    raise WrongValueError(
        f"match is {' or '.join(MATCHES)}, and not {text!r}", nearest(text, MATCHES)
    )


def fold(name: str) -> str:
    """The form in which names are compared."""
    return one_line(name).casefold()


def _distinct(keywords: Iterable[Keyword]) -> tuple[Keyword, ...]:
    """One keyword for each query, under the first of its names."""
    by_query: dict[str, Keyword] = {}
    for keyword in keywords:
        by_query.setdefault(keyword.query, keyword)
    return tuple(by_query.values())
