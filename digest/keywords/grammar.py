"""The keyword language: arXiv's query grammar read into a tree, its canonical text, and plain
keywords.

The grammar is that of arXiv's API manual ("Details of Query Construction"): field prefixes,
"phrases", a trailing `*`, AND OR ANDNOT, parentheses. The canonical text is a query's identity;
what is sent may be wider (keywords/asked.py).
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from digest.errors import one_line
from digest.keywords.tokens import (
    OPERATORS,
    QUOTES,
    Term,
    Token,
    glued_operator,
    is_bare,
    make_term,
    refuse,
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

_WRITE_SOMETHING = "write a word or a phrase"
_SPLIT = "split it into several keywords"


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


def parse(text: str, longest: int = MAX_LENGTH, deepest: int = MAX_NESTING) -> Node:
    """Read a query in arXiv's grammar; a word or phrase without a field means `all:`.

    Operators have no precedence: they are read from left to right. Chains of one operator come out
    the same however they were parenthesised, and `a ANDNOT b ANDNOT c` as `a ANDNOT (b OR c)`.
    Raises QueryError with the place of the first mistake, or where the text has more characters
    than `longest`, or more parentheses inside one another than `deepest`; how deep a text nests
    never ends it otherwise.
    """
    _check_characters(text, longest)
    return _bounded(_Parser(text, list(tokens(text)), deepest).whole(), text, longest)


def to_text(node: Node) -> str:
    """Write the canonical text: each term with its field, each group in parentheses; `parse` reads
    it back.
    """
    if isinstance(node, Term):
        return f"{node.field}:{node.written}"
    return f"({f' {type(node).__name__.upper()} '.join(map(to_text, operands(node)))})"


def make_keyword(
    name: str,
    query: str | None = None,
    rule: Rule | None = None,
    within: Sequence[str] = (),
) -> Keyword:
    """Make a keyword of a name and its query; without a query the name itself is the query. With
    `within`, only papers in one of these categories match.

    A plain one (no field, quotes, parentheses, operators) means: a single word stands in title and
    abstract, a phrase in title or abstract; `rule` chooses otherwise. Raises QueryError.
    """
    label = _checked_name(name)
    node, used = read_keyword(name if query is None else query, rule)
    if within:
        categories = parse(" OR ".join(f"cat:{category}" for category in within))
        node, used = And(node, categories), Rule.QUERY
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
    words, plain = text.split(), is_plain(text)
    if not plain and rule not in (None, Rule.QUERY):
        message = f"match: {rule} is for a plain word or phrase, and this is a query"
        refuse(text, 0, message, "leave match out, or name the fields in the query")
    if not plain or rule is Rule.QUERY:
        return parse(text), Rule.QUERY
    if not words:
        refuse(text, 0, "the keyword is empty", _WRITE_SOMETHING)
    rule = rule or (Rule.BOTH if len(words) == 1 else Rule.EITHER)
    start = text.index(words[0])
    title, abstract = (make_term(field, " ".join(words), text, start) for field in ("ti", "abs"))
    nodes: dict[Rule, Node] = {
        Rule.TITLE: title,
        Rule.BOTH: And(title, abstract),
        Rule.EITHER: Or(title, abstract),
    }
    return _bounded(nodes[rule], text), rule


def read_search(text: str) -> Node:
    """Read what is typed to search with: a query; a plain word or phrase is looked for in any
    field, as by `all:`. Raises QueryError.
    """
    _check_characters(text)
    words = text.split()
    if len(words) > 1 and is_plain(text):
        return _bounded(make_term("all", " ".join(words), text, text.index(words[0])), text)
    return parse(text)


def is_plain(text: str) -> bool:
    """Whether a text has no field, quotes, parentheses and operators."""
    return not re.search(f"[():{QUOTES}]", text) and not set(text.split()) & set(OPERATORS)


def _bounded(node: Node, text: str, longest: int = MAX_LENGTH) -> Node:
    """Refuse a query whose canonical text would be too long to be read again."""
    if (length := len(to_text(node))) > longest:
        message = f"the query has {length} characters when written in full, {longest} at most"
        refuse(text, 0, message, _SPLIT)
    return node


def _checked_name(name: str) -> str:
    label = one_line(name)
    if not label:
        refuse(name, 0, "a keyword needs a name", _WRITE_SOMETHING)
    if len(label) > MAX_NAME:
        message = f"the keyword's name has {len(label)} characters, {MAX_NAME} at most"
        refuse(name, MAX_NAME, message, "give the query a short name")
    for position, character in enumerate(name):
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            code = f"U+{ord(character):04X}"
            message = f"the keyword's name has a line break or control character ({code})"
            refuse(name, position, message, "keep the name on one line")
    return label


def _check_characters(text: str, longest: int = MAX_LENGTH) -> None:
    """Refuse a text that is too long or has characters nobody can see; line breaks and tabs are
    blanks.
    """
    if len(text) > longest:
        message = f"the query has {len(text)} characters, {longest} at most"
        refuse(text, longest, message, _SPLIT)
    for position, character in enumerate(text):
        category = unicodedata.category(character)
        if category in ("Cc", "Cf", "Cs", "Co") and character not in "\t\n\r":
            message = f"the query has an invisible character (U+{ord(character):04X})"
            refuse(text, position, message, "remove it, or type the text anew")


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


def nesting(node: Node) -> int:
    """How deep the parentheses of the canonical text go."""
    return 0 if isinstance(node, Term) else 1 + max(map(nesting, operands(node)))


def _joined(kind: type[And | Or], operands: list[Node]) -> Node:
    """Join a chain as a balanced tree, so that no walk over a long one goes deep."""
    if len(operands) == 1:
        return operands[0]
    middle = (len(operands) + 1) // 2
    return kind(_joined(kind, operands[:middle]), _joined(kind, operands[middle:]))


def _combined(operator: str, run: list[Node]) -> Node:
    """Combine what one operator joins, from left to right, in the one form such a chain has."""
    if operator == "ANDNOT":
        # a ANDNOT b ANDNOT c excludes either, and so is a ANDNOT (b OR c).
        included = run[0]
        if isinstance(included, AndNot):
            return AndNot(included.left, _combined("OR", [included.right, *run[1:]]))
        return AndNot(included, _combined("OR", run[1:]))
    kind = And if operator == "AND" else Or
    return _joined(
        kind,
        [part for node in run for part in (operands(node) if isinstance(node, kind) else [node])],
    )


class _Parser:
    """Reads tokens into a tree; it recurses once a parenthesis, and no deeper than `deepest`."""

    def __init__(self, text: str, tokens: list[Token], deepest: int) -> None:
        self._text = text
        self._tokens = tokens
        self._deepest = deepest
        self._next = 0

    def whole(self) -> Node:
        """Read everything."""
        if not self._tokens:
            refuse(self._text, 0, "the query is empty", _WRITE_SOMETHING)
        node = self._group(0)
        if (token := self._peek()) is not None:
            self._refuse(token, *_CLOSES_NOTHING)
        return node

    def _peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _refuse(self, token: Token, message: str, remedy: str) -> NoReturn:
        refuse(self._text, token.position, message, remedy)

    def _group(self, depth: int) -> Node:
        """Read up to the end or to a parenthesis that this group did not open."""
        node = self._operand(depth)
        while (token := self._peek()) is not None and token.kind != ")":
            if token.kind not in OPERATORS:
                self._refuse_neighbours(token)
            # A run of one operator at once, so that a long chain makes no deep tree.
            run = [node]
            while (again := self._peek()) is not None and again.kind == token.kind:
                self._next += 1
                run.append(self._operand(depth))
            node = _combined(token.kind, run)
            if nesting(node) > self._deepest:
                message = f"operators alternate or nest more than {self._deepest} deep"
                self._refuse(token, message, f"group what belongs together, or {_SPLIT}")
        return node

    def _operand(self, depth: int) -> Node:
        """Read a term or a group in parentheses."""
        token = self._peek()
        if token is None or (token.term is None and token.kind != "("):
            self._refuse_operand(token)
        self._next += 1
        if token.term is not None:
            return token.term
        if depth == self._deepest:
            message = f"more than {self._deepest} parentheses inside one another"
            self._refuse(token, message, "take out those not needed")
        node = self._group(depth + 1)
        if self._peek() is None:
            self._refuse(token, *_NOT_CLOSED)
        self._next += 1
        return node

    def _refuse_operand(self, token: Token | None) -> NoReturn:
        """Refuse what stands where a term or a group should; `token` is None at the end."""
        before = self._tokens[self._next - 1] if self._next else None
        opens = (before.kind if before else "(") == "("
        if token is not None and token.kind != ")":
            if token.kind == "ANDNOT" and opens:
                message = "this would only exclude, and there is nothing to exclude from"
                self._refuse(token, message, "write what to find before ANDNOT")
            self._refuse(token, f"nothing stands before this {token.kind}", _BOTH_SIDES)
        if before is None:
            self._refuse(self._tokens[0], *_CLOSES_NOTHING)
        if not opens:
            self._refuse(before, f"nothing stands after this {before.kind}", _BOTH_SIDES)
        self._refuse(before, *(_EMPTY_GROUP if token else _NOT_CLOSED))

    def _refuse_neighbours(self, token: Token) -> NoReturn:
        """Refuse a second term or group that follows a first without an operator."""
        before = self._tokens[self._next - 1]
        end = before.position + len(before.text)
        remedy, position = "write AND, OR or ANDNOT between them", token.position
        if apart := glued_operator(before.text.rpartition(":")[2]):
            remedy = f"if an operator is meant, put blanks around it: {apart}"
            position = end - len(apart.rpartition(" ")[2])
        elif before.term and token.kind == "(" and position == end:
            quoted = _in_quotes(self._text, before.position)
            remedy = f"a name with parentheses goes in quotes: {quoted}"
        elif is_bare(token):
            remedy = self._remedy_for_words(before, token) or remedy
        message = f"no operator between {short(before.text)} and {short(token.text)}"
        refuse(self._text, position, message, remedy)

    def _remedy_for_words(self, before: Token, token: Token) -> str:
        """How to write words that stand side by side, or a word behind a field's."""
        if is_bare(before):
            rest = self._tokens[self._next - 1 :]
            words = [bare.text for bare in itertools.takewhile(is_bare, rest)]
            phrase, terms = " ".join(words), " AND ".join(words)
            return f'for the phrase write "{phrase}", for all of the words {terms}'
        if before.term is None or before.term.phrase:
            return ""
        phrase = f'{before.term.field}:"{before.term.text} {token.text}"'
        return f"for the phrase write {phrase}; else write AND or OR"


_CLOSES_NOTHING = ("this ) closes nothing", "take it out, or open a ( before it")
_NOT_CLOSED = ("this ( is not closed", "write a ) where the group ends")
_EMPTY_GROUP = ("nothing stands between these parentheses", "take them out")
_BOTH_SIDES = "write a word or a phrase on both sides"


def _in_quotes(text: str, start: int) -> str:
    """The word that begins at `start`, with the parentheses that are written to it and the plain
    words behind them, in quotes: `"SU(2) gauge"`.
    """
    operators = "|".join(OPERATORS)
    words = rf"(?P<word>[^\s()]+\([^\s()]*\)[^\s()]*(?: +(?!(?:{operators})\b)[\w-]+(?![\w:(*-]))*)"
    match = re.match(rf"(?P<field>\w+:)?{words}", text[start:])
    return f'{match["field"] or ""}"{match["word"]}"' if match else '"…(…)"'
