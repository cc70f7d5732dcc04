"""The keyword language: arXiv's query grammar read into a tree, its canonical text, and plain
keywords.

The grammar is that of arXiv's API manual ("Details of Query Construction"): field prefixes,
"phrases", a trailing `*`, AND OR ANDNOT, parentheses. The canonical text is both what is sent and a
query's identity.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from digest.errors import QueryError, one_line
from digest.keywords.tokens import (
    OPERATORS,
    QUOTES,
    Term,
    Token,
    glued_operator,
    is_bare,
    make_term,
    short,
    tokens,
)
from digest.model import Keyword, Rule

MAX_LENGTH = 2000
"""Characters of a query, as written and in canonical form."""
MAX_NESTING = 20
"""Parentheses inside one another, as written and in canonical form."""
MAX_NAME = 200
"""Characters of a keyword's name."""


@dataclass(frozen=True, slots=True)
class And:
    """Both."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Or:
    """At least one."""

    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class AndNot:
    """The left one without the right one."""

    left: Node
    right: Node


Node = Term | And | Or | AndNot


def parse(text: str, longest: int = MAX_LENGTH) -> Node:
    """Read a query in arXiv's grammar; a word or phrase without a field means `all:`.

    Operators have no precedence: they are read from left to right. Chains of one operator come out
    the same however they were parenthesised, and `a ANDNOT b ANDNOT c` as `a ANDNOT (b OR c)`.
    Raises QueryError with the place of the first mistake, or where the text has more characters
    than `longest`; it never depends on how deep the text nests.
    """
    _check_characters(text, longest)
    return _bounded(_Reader(text, list(tokens(text))).whole(), text, longest)


def to_text(node: Node) -> str:
    """Write the canonical text: each term with its field, each group in parentheses; `parse` reads
    it back.
    """
    if isinstance(node, Term):
        text = f'"{node.text}"' if node.phrase else node.text
        return f"{node.field}:{text}{'*' if node.prefix else ''}"
    return (
        "("
        + f" {type(node).__name__.upper()} ".join(to_text(operand) for operand in operands(node))
        + ")"
    )


def make_keyword(name: str, query: str | None = None, rule: Rule | None = None) -> Keyword:
    """Make a keyword of a name and its query; without a query the name itself is the query.

    A plain one (no field, quotes, parentheses, operators) means: a single word stands in title and
    abstract, a phrase in title or abstract; `rule` chooses otherwise. Raises QueryError.
    """
    label = _checked_name(name)
    node, used = read_keyword(name if query is None else query, rule)
    return Keyword(label, to_text(node), used)


def describe(keyword: Keyword) -> str:
    """Say for people, in one short phrase, what a keyword matches."""
    if keyword.rule is Rule.QUERY:
        whole = keyword.query
        return f"the query {whole[1:-1] if whole.startswith('(') else whole}"
    leaf = next(terms(parse(keyword.query)))
    text = f'"{leaf.text}"' if " " in leaf.text else f"{leaf.text}{'*' if leaf.prefix else ''}"
    places = {
        Rule.EITHER: "title or abstract",
        Rule.BOTH: "title and abstract",
        Rule.TITLE: "the title",
    }
    return f"{text} in {places[keyword.rule]}"


def read_keyword(text: str, rule: Rule | None) -> tuple[Node, Rule]:
    """Read a keyword's query by the rule for plain ones, or as a query."""
    _check_characters(text)
    words = text.split()
    plain = not re.search(f"[():{QUOTES}]", text) and not set(words) & set(OPERATORS)
    if not plain or rule is Rule.QUERY:
        if rule not in (None, Rule.QUERY):
            message = f"match: {rule} is for a plain word or phrase, and this is a query"
            raise QueryError(
                message,
                text=text,
                position=0,
                remedy="leave match out, or name the fields in the query",
            )
        return parse(text), Rule.QUERY
    if not words:
        raise QueryError(
            "the keyword is empty", text=text, position=0, remedy="write a word or a phrase"
        )
    rule = rule or (Rule.BOTH if len(words) == 1 else Rule.EITHER)
    start = text.index(words[0])
    title, abstract = (make_term(field, " ".join(words), text, start) for field in ("ti", "abs"))
    both = And(title, abstract) if rule is Rule.BOTH else Or(title, abstract)
    return _bounded(title if rule is Rule.TITLE else both, text), rule


def _bounded(node: Node, text: str, longest: int = MAX_LENGTH) -> Node:
    """Refuse a query whose canonical text would be too long to be read again."""
    if (length := len(to_text(node))) > longest:
        message = f"the query has {length} characters when written in full, {longest} at most"
        raise QueryError(message, text=text, position=0, remedy="split it into several keywords")
    return node


def _checked_name(name: str) -> str:
    label = one_line(name)
    if not label:
        raise QueryError(
            "a keyword needs a name", text=name, position=0, remedy="write a word or a phrase"
        )
    if len(label) > MAX_NAME:
        message = f"the keyword's name has {len(label)} characters, {MAX_NAME} at most"
        raise QueryError(
            message, text=name, position=MAX_NAME, remedy="give the query a short name"
        )
    for position, character in enumerate(name):
        if character in "\n\r\t\v\f\u2028\u2029" or unicodedata.category(character) in (
            "Cc",
            "Cf",
            "Cs",
        ):
            message = (
                f"the keyword's name has a line break or control character (U+{ord(character):04X})"
            )
            raise QueryError(
                message, text=name, position=position, remedy="keep the name on one line"
            )
    return label


def _check_characters(text: str, longest: int = MAX_LENGTH) -> None:
    """Refuse a text that is too long or has characters nobody can see; line breaks and tabs are
    blanks.
    """
    if len(text) > longest:
        message = f"the query has {len(text)} characters, {longest} at most"
        raise QueryError(
            message, text=text, position=longest, remedy="split it into several keywords"
        )
    for position, character in enumerate(text):
        if (
            unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co")
            and character not in "\t\n\r"
        ):
            message = f"the query has an invisible character (U+{ord(character):04X})"
            raise QueryError(
                message, text=text, position=position, remedy="remove it, or type the text anew"
            )


def terms(node: Node) -> Iterator[Term]:
    """All leaves, from left to right."""
    if isinstance(node, Term):
        yield node
    else:
        yield from terms(node.left)
        yield from terms(node.right)


def operands(node: And | Or | AndNot) -> list[Node]:
    """What one pair of parentheses joins: a whole chain of AND or OR, or the two sides of
    ANDNOT.
    """
    if isinstance(node, AndNot):
        return [node.left, node.right]
    chain: list[Node] = []
    waiting: list[Node] = [node]
    while waiting:
        last = waiting.pop()
        if isinstance(last, And | Or) and type(last) is type(node):
            waiting += [last.right, last.left]
        else:
            chain.append(last)
    return chain


def _nesting(node: Node) -> int:
    """How deep the parentheses of the canonical text go."""
    return 0 if isinstance(node, Term) else 1 + max(map(_nesting, operands(node)))


def _joined(kind: type[And | Or], operands: list[Node]) -> Node:
    """Join a chain as a balanced tree, so that no walk over a long one goes deep."""
    if len(operands) == 1:
        return operands[0]
    middle = (len(operands) + 1) // 2
    return kind(_joined(kind, operands[:middle]), _joined(kind, operands[middle:]))


def _combined(operator: str, run: list[Node]) -> Node:
    """Combine what one operator joins, from left to right, in the one form such a chain has."""
    if operator == "ANDNOT":
        included = run[0]
        if isinstance(included, AndNot):
            return AndNot(included.left, _combined("OR", [included.right, *run[1:]]))
        return AndNot(included, _combined("OR", run[1:]))
    kind = And if operator == "AND" else Or
    return _joined(
        kind,
        [part for node in run for part in (operands(node) if isinstance(node, kind) else [node])],
    )


class _Reader:
    """Reads tokens into a tree; it recurses once a parenthesis, and no deeper than MAX_NESTING."""

    def __init__(self, text: str, tokens: list[Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0

    def whole(self) -> Node:
        """Read everything."""
        if not self._tokens:
            raise QueryError(
                "the query is empty", text=self._text, position=0, remedy="write a word or a phrase"
            )
        node = self._group(0)
        if (token := self._peek()) is not None:
            self._refuse(token, "this ) closes nothing", "take it out, or open a ( before it")
        return node

    def _peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _refuse(self, token: Token, message: str, remedy: str) -> NoReturn:
        raise QueryError(message, text=self._text, position=token.position, remedy=remedy)

    def _group(self, depth: int) -> Node:
        """Read up to the end or to a parenthesis that this group did not open."""
        node = self._operand(depth)
        while (token := self._peek()) is not None and token.kind != ")":
            if token.kind not in OPERATORS:
                self._no_operator(token)
            run = [node]
            while (again := self._peek()) is not None and again.kind == token.kind:
                self._next += 1
                run.append(self._operand(depth))
            node = _combined(token.kind, run)
            if _nesting(node) > MAX_NESTING:
                message = f"operators alternate or nest more than {MAX_NESTING} deep"
                self._refuse(
                    token, message, "group what belongs together, or split it into several keywords"
                )
        return node

    def _operand(self, depth: int) -> Node:
        """Read a term or a group in parentheses."""
        token = self._peek()
        if token is None or (token.term is None and token.kind != "("):
            self._no_operand(token)
        self._next += 1
        if token.term is not None:
            return token.term
        if depth == MAX_NESTING:
            self._refuse(
                token,
                f"more than {MAX_NESTING} parentheses inside one another",
                "take out those not needed",
            )
        node = self._group(depth + 1)
        if self._peek() is None:
            self._refuse(token, "this ( is not closed", "write a ) where the group ends")
        self._next += 1
        return node

    def _no_operand(self, token: Token | None) -> NoReturn:
        """Refuse what stands where a term or a group should; `token` is None at the end."""
        before = self._tokens[self._next - 1] if self._next else None
        if token is not None and token.kind == "ANDNOT" and (before is None or before.kind == "("):
            message = "this would only exclude, and there is nothing to exclude from"
            self._refuse(token, message, "write what to find before ANDNOT")
        if token is not None and token.kind != ")":
            self._refuse(
                token,
                f"nothing stands before this {token.kind}",
                "write a word or a phrase on both sides",
            )
        if before is not None and before.kind != "(":
            self._refuse(
                before,
                f"nothing stands after this {before.kind}",
                "write a word or a phrase on both sides",
            )
        if before is not None and token is not None:
            self._refuse(before, "nothing stands between these parentheses", "take them out")
        if before is not None:
            self._refuse(before, "this ( is not closed", "write a ) where the group ends")
        assert token is not None
        self._refuse(token, "this ) closes nothing", "take it out, or open a ( before it")

    def _no_operator(self, token: Token) -> NoReturn:
        """Refuse a second term or group that follows a first without an operator."""
        before = self._tokens[self._next - 1]
        remedy, position = "write AND, OR or ANDNOT between them", token.position
        if apart := glued_operator(before.text.rpartition(":")[2]):
            remedy = f"if an operator is meant, put blanks around it: {apart}"
            position = before.position + len(before.text) - len(apart.rpartition(" ")[2])
        elif (
            token.kind == "("
            and position == before.position + len(before.text)
            and before.term is not None
        ):
            remedy = (
                f"a name with parentheses goes in quotes: {_in_quotes(self._text, before.position)}"
            )
        elif is_bare(before) and is_bare(token):
            rest = self._tokens[self._next - 1 :]
            words = [bare.text for bare in itertools.takewhile(is_bare, rest)]
            remedy = f'for the phrase write "{" ".join(words)}", for all of the words {" AND ".join(words)}'
        elif is_bare(token) and before.term is not None and not before.term.phrase:
            remedy = f'for the phrase write {before.term.field}:"{before.term.text} {token.text}"; else write AND or OR'
        message = f"no operator between {short(before.text)} and {short(token.text)}"
        raise QueryError(message, text=self._text, position=position, remedy=remedy)


def _in_quotes(text: str, start: int) -> str:
    """The word that begins at `start`, with the parentheses that are written to it, in quotes:
    `"SU(2)"`.
    """
    match = re.match(r"(?P<field>\w+:)?(?P<word>[^\s()]+\([^\s()]*\)[^\s()]*)", text[start:])
    return f'{match["field"] or ""}"{match["word"]}"' if match else '"…(…)"'
