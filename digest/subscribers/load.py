"""The subscribers file read and checked as a whole: readers and keywords, or all mistakes at
once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from digest.errors import ConfigError, QueryError, one_line
from digest.keywords.grammar import make_keyword, parse, to_text
from digest.model import REPOSITORY, Format, Keyword, Roster, Rule, Subscriber
from digest.subscribers.document import MAX_BYTES, Document, Mapping, Node, Scalar, line_starts
from digest.subscribers.fields import ADDRESSES, FIELDS, read_email, read_options, read_repository
from digest.subscribers.problems import Problem, RosterError
from digest.subscribers.quoting import yaml_type
from digest.subscribers.repair import REPAIRABLE, Reading, read
from digest.subscribers.report import Report, nearest, probably_meant

SECTIONS = ("defaults", "keywords", "groups", "subscribers")
"""The names that may stand at the top level of the file."""
ROUNDS = 5
"""How often suggestions are tried, each time without those that did not fit; a large file's only
once."""
KEYWORD_FIELDS = ("query", "match")
MATCHES = {rule.value: rule for rule in (Rule.EITHER, Rule.BOTH, Rule.TITLE)}


def load_roster(path: Path) -> Roster:
    """Read the subscribers file.

    Raises RosterError with every mistake in it, and ConfigError where there is no such file or it
    cannot be read. 10,000 subscribers take about 4 s, 50,000 about 21; with the package
    ruamel.yaml.clib 1.4 s and 7 s.
    """
    return check_text(read_text(path), path.name).roster


def read_text(path: Path) -> str:
    """The characters of the file, without a byte order mark. Raises as `load_roster` does."""
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no subscribers file {path}",
            remedy="'digest subscribe EMAIL -k KEYWORD' makes one",
        ) from error
    except OSError as error:
        remedy = (
            "run as the owner of the file and its folder"
            if isinstance(error, PermissionError)
            else ""
        )
        raise ConfigError(
            f"the subscribers file {path} cannot be read ({error.strerror})", remedy=remedy
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigError(f"the subscribers file {path} has more than {MAX_BYTES // 2**20} MB")
    return decode(data, path.name)


def decode(data: bytes, name: str) -> str:
    """Bytes as UTF-8; raises RosterError at the first byte that is none."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise RosterError(
            [Problem(1, 1, "the file is written as UTF-16: save it as UTF-8")], name=name, lines=[]
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line = before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode("utf-8-sig")) + 1
        problem = Problem(
            line, column, f"the byte 0x{data[error.start]:02x} is not UTF-8: save the file as UTF-8"
        )
        lines = data.decode("utf-8", errors="replace").split("\n")
        raise RosterError([problem], name=name, lines=lines) from error


@dataclass(frozen=True, slots=True)
class Checked:
    """A file without mistakes: its tree, its roster, and what names and addresses mean, all
    casefolded.
    """

    document: Document
    roster: Roster
    names: dict[str, Keyword]
    groups: dict[str, tuple[Keyword, ...]]
    entries: dict[str, Mapping]

    def find(self, text: str) -> Keyword:
        """The keyword that this text means in a reader's list (not a group's). Raises
        QueryError.
        """
        return self.names.get(fold(text)) or make_keyword(text)


def check_text(text: str, name: str, *, may_be_empty: bool = False) -> Checked:
    """Check the file's text as a whole. Raises RosterError with every mistake; `name` is the
    file's.
    """
    reading = read(text, lambda document: len(_mistakes(document)))
    document = reading.document
    if reading.problems or document is None:
        raise RosterError(_all_mistakes(reading), name=name, lines=text.split("\n"))
    checker = _Checker(document)
    roster = Roster((), ()) if may_be_empty and document.root is None else checker.roster()
    if checker.report.problems:
        raise RosterError(
            _tried(document.text, checker.report.problems), name=name, lines=text.split("\n")
        )
    names = {folded: keyword for folded, keyword in checker.names.items() if keyword}
    return Checked(document, roster, names, checker.groups, checker.entries)


def _mistakes(document: Document) -> list[Problem]:
    checker = _Checker(document)
    checker.roster()
    return checker.report.problems


def _all_mistakes(reading: Reading) -> list[Problem]:
    """What had to be guessed, and what else is wrong; a line's guess is offered only if the line is
    right with it.
    """
    document = reading.document or reading.above
    found = _mistakes(document) if document else []
    wrong, guessed = (
        {problem.line for problem in found},
        {problem.line for problem in reading.problems},
    )
    problems = []
    for problem in reading.problems:
        by_tabs = problem.line in reading.shifts and problem is reading.problems[0]
        doubtful = document is None or (problem.line in wrong and not by_tabs)
        problems.append(replace(problem, suggestion="") if doubtful else problem)
    if reading.document is None:
        return problems
    tried = _tried(
        reading.document.text, [problem for problem in found if problem.line not in guessed]
    )
    shifted = (replace(p, column=max(1, p.column - reading.shifts.get(p.line, 0))) for p in tried)
    return [*problems, *shifted]


def _tried(text: str, problems: list[Problem]) -> list[Problem]:
    """The mistakes, without suggestions that would put another mistake in their place: all are
    tried at once.
    """
    for _ in range(ROUNDS if len(text) <= REPAIRABLE else 1):
        pieces, taken, end, length = [], [], 0, 0
        for problem in sorted((p for p in problems if p.span), key=lambda p: p.span or (0, 0)):
            start, stop = problem.span or (0, 0)
            if start < end:
                continue
            pieces += [text[end:start], problem.suggestion]
            length += start - end
            taken.append((problem, length, length + max(1, len(problem.suggestion))))
            length, end = length + len(problem.suggestion), stop
        mended = "".join([*pieces, text[end:]])
        wrong = _places(mended) if taken else set[int]()
        kept = {
            id(problem) for problem, start, stop in taken if wrong.isdisjoint(range(start, stop))
        }
        if len(kept) == sum(problem.span is not None for problem in problems):
            break
        problems = [
            p if p.span is None or id(p) in kept else replace(p, suggestion="", span=None)
            for p in problems
        ]
    return problems


def _places(text: str) -> set[int]:
    """The positions of all mistakes in a text."""
    reading = read(text, lambda document: len(_mistakes(document)))
    problems = reading.problems + (_mistakes(reading.document) if reading.document else [])
    starts = line_starts(text)
    return {starts[problem.line - 1] + problem.column - 1 for problem in problems}


class _Checker:
    """Reads one document from its keywords down to its subscribers, and gathers the mistakes."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.report = Report(document)
        self.names: dict[str, Keyword | None] = {}
        self.labels: list[str] = []
        self.groups: dict[str, tuple[Keyword, ...]] = {}
        self.resolved: dict[str, tuple[Keyword, ...]] = {}
        self.entries: dict[str, Mapping] = {}

    def roster(self) -> Roster:
        """The whole file; what is wrong in it is left out and noted."""
        root = self.document.root
        if root is None:
            message = "the file holds nothing yet: 'digest subscribe EMAIL -k KEYWORD' adds the first reader"
            self.report.problems.append(self.document.problem(0, message))
            return Roster((), ())
        sections = self.report.fields(root, SECTIONS, "the file")
        sections = {name: node for name, node in sections.items() if not _is_empty(node)}
        if "keywords" in sections:
            self._read_names(sections["keywords"])
        if "groups" in sections:
            self._read_groups(sections["groups"])
        defaults: dict[str, Any] = {}
        if "defaults" in sections:
            known = [field for field in FIELDS if field not in ADDRESSES]
            defaults = self._options(self.report.fields(sections["defaults"], known, "defaults"))
        entries = (
            self.report.items(sections["subscribers"], "subscribers")
            if "subscribers" in sections
            else []
        )
        subscribers = [reader for node in entries if (reader := self._subscriber(node, defaults))]
        own = (keyword for reader in subscribers for keyword in reader.keywords)
        return Roster(tuple(subscribers), _distinct([*filter(None, self.names.values()), *own]))

    def _read_names(self, node: Node) -> None:
        """The section `keywords`: names with their queries, or a plain list of keywords."""
        if not isinstance(node, Mapping):
            for item in self.report.items(node, "keywords"):
                name = self.report.text(item, "a keyword")
                if name is not None and self._is_new(item, name, self.names, "keyword"):
                    self.names[fold(name)] = self._keyword(item, name, None, None)
            return
        for key, value in self.report.pairs(node, "keywords"):
            name = self.report.text(key, "a keyword's name")
            if name is None or not self._is_new(key, name, self.names, "keyword"):
                continue
            self.names[fold(name)] = None
            if name.startswith("+"):
                self.report.add(
                    key, "a name cannot begin with +, which marks groups", name.lstrip("+ ")
                )
            elif isinstance(value, Mapping):
                self.names[fold(name)] = self._detailed(key, name, value)
            elif (query := self._query_text(key, value, name)) is not None:
                self.names[fold(name)] = self._keyword(value, name, query, None)

    def _query_text(self, key: Scalar, value: Node, name: str) -> str | None:
        if _is_empty(value) and "#" not in self.document.text[value.end :].split("\n", 1)[0]:
            written = self.document.text[key.start : key.end]
            end = self.document.text.index(":", key.end) + 1
            self.report.add(key, f"{name} has no query", f"{written}: {written}", end=end)
            return None
        return self.report.text(value, "a query")

    def _detailed(self, key: Scalar, name: str, node: Mapping) -> Keyword | None:
        """A keyword written as {query: …, match: …}; without a query its name is what is searched
        for.
        """
        fields = self.report.fields(node, KEYWORD_FIELDS, f"the keyword {name}")
        query = self.report.text(fields["query"], "query") if "query" in fields else None
        rule = None
        if "match" in fields:
            match = self.report.text(fields["match"], "match")
            rule = MATCHES.get(match or "")
            if rule is None:
                if match is not None:
                    message = f"match is {' or '.join(MATCHES)}, and not {match!r}"
                    self.report.add(fields["match"], message, nearest(match, MATCHES))
                return None
        if "query" in fields and query is None:
            return None
        return self._keyword(fields.get("query", key), name, query, rule)

    def _is_new(self, node: Node, name: str, known: Iterable[str], what: str) -> bool:
        """Whether no name before this one is the same but for upper and lower case."""
        if fold(name) in known:
            self.report.add(
                node,
                f"the {what} {name!r} stands here for the second time; case makes no difference",
            )
            return False
        if what == "keyword":
            self.labels.append(name)
        return True

    def _read_groups(self, node: Node) -> None:
        for key, value in self.report.pairs(node, "groups"):
            name = self.report.text(key, "a group's name")
            if name is None or not self._is_new(key, name, self.groups, "group"):
                continue
            members: list[Keyword] = []
            for item in self.report.items(value, f"the group {name}"):
                text = self.report.text(item, "a keyword")
                if text is not None and text.startswith("+"):
                    self.report.add(item, "a group holds keywords, and no other group")
                elif text is not None:
                    members += self._resolve(item, text)
            self.groups[fold(name)] = tuple(members)

    def _options(self, fields: dict[str, Node]) -> dict[str, Any]:
        values = read_options(self.report, fields)
        if "keywords" in fields:
            items = self.report.items(fields["keywords"], "keywords")
            texts = [(item, self.report.text(item, "a keyword")) for item in items]
            found = [
                word
                for item, text in texts
                if text is not None
                for word in self._resolve(item, text)
            ]
            values["keywords"] = _distinct(found)
        if "exclude" in fields:
            items = self.report.items(fields["exclude"], "exclude")
            texts = [(item, self.report.text(item, "a query")) for item in items]
            queries = [self._excluded(item, text) for item, text in texts if text is not None]
            values["exclude"] = tuple(dict.fromkeys(query for query in queries if query))
        return values

    def _excluded(self, node: Node, text: str) -> str:
        """A query that is never wanted, in canonical form: that of a keyword of this name, or its
        own.
        """
        if named := self.names.get(fold(text)):
            return named.query
        try:
            return to_text(parse(text))
        except QueryError as error:
            self.report.query(node, error)
            return ""

    def _resolve(self, node: Node, text: str) -> tuple[Keyword, ...]:
        """The keywords that an item of a reader's list stands for: a name's, a group's, or
        itself.
        """
        if text not in self.resolved:
            found = self._group(node, text[1:]) if text.startswith("+") else self._named(node, text)
            if not found:
                return ()
            self.resolved[text] = found
        return self.resolved[text]

    def _group(self, node: Node, name: str) -> tuple[Keyword, ...]:
        if fold(name) in self.groups:
            return self.groups[fold(name)]
        near = nearest(fold(name), self.groups)
        self.report.add(node, f"there is no group {name.strip()!r}", f"+{near}" if near else "")
        return ()

    def _named(self, node: Node, text: str) -> tuple[Keyword, ...]:
        if fold(text) in self.names:
            named = self.names[fold(text)]
            return (named,) if named else ()
        keyword = self._keyword(node, text, None, None)
        if (
            keyword
            and keyword.rule is not Rule.QUERY
            and (near := probably_meant(text, self.labels))
        ):
            message = f"{text!r} is not among the keywords, but almost; if it is another one, add it to keywords:"
            self.report.add(node, message, near)
            return ()
        return (keyword,) if keyword else ()

    def _keyword(
        self, node: Node, name: str, query: str | None, rule: Rule | None
    ) -> Keyword | None:
        try:
            return make_keyword(name, query, rule)
        except QueryError as error:
            self.report.query(node, error)
            return None

    def _subscriber(self, node: Node, defaults: dict[str, Any]) -> Subscriber | None:
        if isinstance(node, Scalar) and "@" in node.value:
            self.report.add(
                node, "a subscriber is made of lines 'name: value'", f"email: {node.value}"
            )
            return None
        before = len(self.report.problems)
        fields = self.report.fields(node, FIELDS, "a subscriber")
        place, address = self._address(node, fields, before)
        values = {**defaults, **self._options(fields)}
        if address is not None:
            assert isinstance(node, Mapping)
            self._note_address(place, address, node)
            if not values.get("keywords") and len(self.report.problems) == before:
                self.report.add(fields.get("keywords", place), f"{address} has no keywords")
        if address is None or len(self.report.problems) > before:
            return None
        if address.startswith(REPOSITORY):
            values["format"] = Format.ISSUE
        return Subscriber(email=address, **values)

    def _address(self, node: Node, fields: dict[str, Node], before: int) -> tuple[Node, str | None]:
        """Where a subscriber's address stands, and the address itself: of mail, or of a
        repository.
        """
        if "email" in fields and "github" in fields:
            self.report.add(
                fields["github"],
                "a subscriber has an email or a github repository: write two subscribers",
            )
            return fields["email"], None
        if "email" in fields:
            return fields["email"], read_email(self.report, fields["email"])
        if "github" in fields:
            return fields["github"], read_repository(self.report, fields["github"])
        if len(self.report.problems) == before:
            self.report.add(node, "this subscriber has no email")
        return node, None

    def _note_address(self, place: Node, email: str, entry: Mapping) -> None:
        first = self.entries.setdefault(email.casefold(), entry)
        if first is not entry:
            line = self.document.place(first.start)[0]
            self.report.add(place, f"{email} stands here for the second time, first in line {line}")


def fold(name: str) -> str:
    """The form in which names are compared."""
    return one_line(name).casefold()


def _is_empty(node: Node) -> bool:
    return isinstance(node, Scalar) and node.plain and yaml_type(node.value) == "nothing"


def _distinct(keywords: Iterable[Keyword]) -> tuple[Keyword, ...]:
    """One keyword for each query, under the first of its names."""
    by_query: dict[str, Keyword] = {}
    for keyword in keywords:
        by_query.setdefault(keyword.query, keyword)
    return tuple(by_query.values())
