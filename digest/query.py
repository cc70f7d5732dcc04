"""The keyword language: arXiv's query grammar read into a tree, its canonical text, lint, and plain keywords.

The grammar is that of arXiv's API manual ("Details of Query Construction"): field prefixes, "phrases", a
trailing `*`, AND OR ANDNOT, parentheses. The canonical text is both what is sent and a query's identity.
"""

from __future__ import annotations

import difflib
import itertools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from digest.errors import QueryError
from digest.model import Keyword, Rule

MAX_LENGTH = 2000
"""Characters of a query, as written and in canonical form."""
MAX_NESTING = 20
"""Parentheses inside one another, as written and in canonical form."""
MAX_NAME = 200
"""Characters of a keyword's name."""

FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "all")
_OPERATORS = ("AND", "OR", "ANDNOT")
_LOWER_CASE_OPERATORS = {"and", "or", "andnot", "not"}
_REFUSED_FIELDS = (
    dict.fromkeys(("rn", "report"), "arXiv's answers carry no report numbers, so a match could not be checked")
    | dict.fromkeys(
        ("id", "id_list", "doi"), "a keyword waits for papers that are not known yet, and this names one that is"
    )
    | dict.fromkeys(
        ("submitteddate", "lastupdateddate", "date"), "which days are asked for is decided by what was fetched before"
    )
)
_QUOTE = '"“”„‟″«»＂'
_TOKEN = re.compile(
    rf"(?P<open>\()|(?P<close>\))|(?:(?P<field>[^\s():{_QUOTE}]*):)?"
    rf"(?:[{_QUOTE}](?P<phrase>[^{_QUOTE}]*)[{_QUOTE}]|(?P<word>[^\s(){_QUOTE}]*))"
)
_SPECIAL = re.compile(r"[\\*?\[\]{}^~]")
_CATEGORY = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_CATEGORY_PREFIX = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]*)*")

# arXiv's category taxonomy: archives with subject classes, and archives that are categories themselves.
CATEGORIES = frozenset(
    f"{archive}.{name}" if archive else name
    for archive, names in {
        "": "gr-qc hep-ex hep-lat hep-ph hep-th math-ph nucl-ex nucl-th quant-ph",
        "astro-ph": "CO EP GA HE IM SR",
        "cond-mat": "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
        "cs": "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS NA NE NI OH "
        "OS PF PL RO SC SD SE SI SY",
        "econ": "EM GN TH",
        "eess": "AS IV SP SY",
        "math": "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR QA RA RT SG SP ST",
        "nlin": "AO CD CG PS SI",
        "physics": "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an ed-ph flu-dyn "
        "gen-ph geo-ph hist-ph ins-det med-ph optics plasm-ph pop-ph soc-ph space-ph",
        "q-bio": "BM CB GN MN NC OT PE QM SC TO",
        "q-fin": "CP EC GN MF PM PR RM ST TR",
        "stat": "AP CO ME ML OT TH",
    }.items()
    for name in names.split()
)
_ARCHIVES = frozenset(name.split(".")[0] for name in CATEGORIES)
_LOWER_CASE_CLASSES = ("cond-mat", "physics")
_COMMON_WORDS = frozenset(
    "ai algorithm algorithms analysis approach data dataset deep framework language learning machine method "
    "methods model models network networks neural optimization performance system systems theory training".split()
)
_ENDS_LIKE_AN_OPERATOR = re.compile(r"(?P<word>\w{2,}?)(?P<operator>ANDNOT|AND|OR)")
_REAL_WORDS = frozenset("ACTOR BRAND COLOR DEMAND ERROR FACTOR GRAND MOTOR OPERATOR SENSOR STAND TENSOR VECTOR".split())


@dataclass(frozen=True, slots=True)
class Term:
    """A leaf: one word, several words in a row (`phrase`), or the beginning of a word (`prefix`).

    `text` is lower-cased with single blanks, but for categories, which keep arXiv's case.
    """

    field: str
    text: str
    phrase: bool = False
    prefix: bool = False


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


def parse(text: str) -> Node:
    """Read a query in arXiv's grammar; a word or phrase without a field means `all:`.

    Operators have no precedence: they are read from left to right. Chains of one operator come out the same
    however they were parenthesised, and `a ANDNOT b ANDNOT c` as `a ANDNOT (b OR c)`.
    Raises QueryError with the place of the first mistake; it never depends on how deep the text nests.
    """
    _check_characters(text)
    return _bounded(_Reader(text, list(_tokens(text))).whole(), text)


def to_text(node: Node) -> str:
    """Write the canonical text: each term with its field, each group in parentheses; `parse` reads it back."""
    if isinstance(node, Term):
        text = f'"{node.text}"' if node.phrase else node.text
        return f"{node.field}:{text}{'*' if node.prefix else ''}"
    return "(" + f" {type(node).__name__.upper()} ".join(to_text(operand) for operand in _operands(node)) + ")"


def make_keyword(name: str, query: str | None = None, rule: Rule | None = None) -> Keyword:
    """Make a keyword of a name and its query; without a query the name itself is the query.

    A plain one (no field, quotes, parentheses, operators) means: a single word stands in title and abstract,
    a phrase in title or abstract; `rule` chooses otherwise. Raises QueryError.
    """
    label = _checked_name(name)
    node, used = _read(name if query is None else query, rule)
    return Keyword(label, to_text(node), used)


def describe(keyword: Keyword) -> str:
    """Say for people, in one short phrase, what a keyword matches."""
    if keyword.rule is Rule.QUERY:
        whole = keyword.query
        return f"the query {whole[1:-1] if whole.startswith('(') else whole}"
    leaf = next(_terms(parse(keyword.query)))
    text = f'"{leaf.text}"' if " " in leaf.text else f"{leaf.text}{'*' if leaf.prefix else ''}"
    places = {Rule.EITHER: "title or abstract", Rule.BOTH: "title and abstract", Rule.TITLE: "the title"}
    return f"{text} in {places[keyword.rule]}"


def warnings(text: str, rule: Rule | None = None) -> list[str]:
    """Say what is probably not meant in a keyword that can be read; one that cannot be has none."""
    try:
        node, used = _read(text, rule)
    except QueryError:
        return []
    terms = list(dict.fromkeys(_terms(node)))
    found = [warning for term in terms if term.field == "cat" and (warning := _category_warning(term))]
    words = text.split()
    if len({term.text for term in terms}) == 1 and terms[0].text in _COMMON_WORDS:
        found.append(f"{terms[0].text!r} alone stands in a large share of all papers; add a second word or a category")
    for word in words:
        if apart := _glued_operator(word):
            found.append(f"{word!r} is read as one word; if an operator is meant, write {apart!r}")
    if used is not Rule.QUERY and _category_case(text.strip().lower()) in CATEGORIES:
        found.append(f"{text!r} is searched for as a word; for the category write cat:{_category_case(terms[0].text)}")
    if used is not Rule.QUERY and (small := [word for word in words[1:-1] if word in _LOWER_CASE_OPERATORS]):
        found.append(f"{text!r} is read as one phrase; if {small[0]!r} is an operator, write it in capitals")
    return found


def _read(text: str, rule: Rule | None) -> tuple[Node, Rule]:
    """Read a keyword's query by the rule for plain ones, or as a query."""
    _check_characters(text)
    words = text.split()
    plain = not re.search(f"[():{_QUOTE}]", text) and not set(words) & set(_OPERATORS)
    if not plain or rule is Rule.QUERY:
        if rule not in (None, Rule.QUERY):
            message = f"match: {rule} is for a plain word or phrase, and this is a query"
            raise QueryError(message, text=text, position=0, remedy="leave match out, or name the fields in the query")
        return parse(text), Rule.QUERY
    if not words:
        raise QueryError("the keyword is empty", text=text, position=0, remedy="write a word or a phrase")
    rule = rule or (Rule.BOTH if len(words) == 1 else Rule.EITHER)
    start = text.index(words[0])
    title, abstract = (_term(field, " ".join(words), text, start) for field in ("ti", "abs"))
    both = And(title, abstract) if rule is Rule.BOTH else Or(title, abstract)
    return _bounded(title if rule is Rule.TITLE else both, text), rule


def _bounded(node: Node, text: str) -> Node:
    """Refuse a query whose canonical text would be too long to be read again."""
    if (length := len(to_text(node))) > MAX_LENGTH:
        message = f"the query has {length} characters when written in full, {MAX_LENGTH} at most"
        raise QueryError(message, text=text, position=0, remedy="split it into several keywords")
    return node


def _checked_name(name: str) -> str:
    label = " ".join(name.split())
    if not label:
        raise QueryError("a keyword needs a name", text=name, position=0, remedy="write a word or a phrase")
    if len(label) > MAX_NAME:
        message = f"the keyword's name has {len(label)} characters, {MAX_NAME} at most"
        raise QueryError(message, text=name, position=MAX_NAME, remedy="give the query a short name")
    for position, character in enumerate(name):
        if character in "\n\r\t\v\f\u2028\u2029" or unicodedata.category(character) in ("Cc", "Cf", "Cs"):
            message = f"the keyword's name has a line break or control character (U+{ord(character):04X})"
            raise QueryError(message, text=name, position=position, remedy="keep the name on one line")
    return label


def _check_characters(text: str) -> None:
    """Refuse a text that is too long or has characters nobody can see; line breaks and tabs are blanks."""
    if len(text) > MAX_LENGTH:
        message = f"the query has {len(text)} characters, {MAX_LENGTH} at most"
        raise QueryError(message, text=text, position=MAX_LENGTH, remedy="split it into several keywords")
    for position, character in enumerate(text):
        if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co") and character not in "\t\n\r":
            message = f"the query has an invisible character (U+{ord(character):04X})"
            raise QueryError(message, text=text, position=position, remedy="remove it, or type the text anew")


def _term(field: str, words: str, text: str, position: int, *, quoted: bool = False) -> Term:
    """Make a leaf of what stands after a field; `text` and `position` say where, should it be refused."""
    lowered = unicodedata.normalize("NFC", unicodedata.normalize("NFC", words).lower())
    folded = " ".join(lowered.split())
    prefix = folded.endswith("*") and not quoted
    body = folded[:-1] if prefix else folded
    shown = _short(words)
    message = ""
    if field == "cat":
        if (_CATEGORY_PREFIX if prefix else _CATEGORY).fullmatch(body):
            return Term("cat", _category_case(body), prefix=prefix)
        message, remedy = f"{shown} is not a category", "write one, as in cat:cs.LG or cat:cs.*, and join several by OR"
    elif not any(character.isalnum() for character in body):
        message, remedy = f"{shown} has no letter or digit to search for", "write a word, or AND, OR, ANDNOT"
    elif special := _SPECIAL.search(body):
        message = f"{special[0]} cannot stand in {shown}"
        remedy = "a * stands at the end of a single unquoted word" if special[0] == "*" else "leave it out"
    elif prefix and not re.fullmatch(r"\w+", body):
        message, remedy = f"the * in {shown} does not follow a single word", "search takes * after one word only"
    elif not quoted and body[0] in "-+!":
        message, remedy = f"{shown} begins with {body[0]}", "to exclude, write ANDNOT; to require, write AND"
    if message:
        raise QueryError(message, text=text, position=position, remedy=remedy)
    phrase = not prefix and (not re.fullmatch(r"\w+", body) or body in _LOWER_CASE_OPERATORS)
    return Term(field, body, phrase, prefix)


def _category_case(name: str) -> str:
    """Write a category in arXiv's case: the archive lower, its subject class as the archive has it."""
    archive, dot, subject = name.partition(".")
    return name if archive in _LOWER_CASE_CLASSES else f"{archive}{dot}{subject.upper()}"


def _category_warning(term: Term) -> str:
    """Say what is wrong with a category that no paper has; "" where nothing is."""
    if term.text in CATEGORIES or (term.prefix and any(name.startswith(term.text) for name in CATEGORIES)):
        return ""
    if term.text in _ARCHIVES:
        return f"no paper has the category {term.text!r} alone; for all its subject classes write cat:{term.text}.*"
    nearest = difflib.get_close_matches(term.text, sorted(CATEGORIES | _ARCHIVES), n=1)
    guess = f"; the nearest is {nearest[0]!r}" if nearest else ""
    return f"{term.text!r} is not one of arXiv's categories{guess}"


def _terms(node: Node) -> Iterator[Term]:
    """All leaves, from left to right."""
    if isinstance(node, Term):
        yield node
    else:
        yield from _terms(node.left)
        yield from _terms(node.right)


def _operands(node: And | Or | AndNot) -> list[Node]:
    """What one pair of parentheses joins: a whole chain of AND or OR, or the two sides of ANDNOT."""
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
    return 0 if isinstance(node, Term) else 1 + max(map(_nesting, _operands(node)))


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
    return _joined(kind, [part for node in run for part in (_operands(node) if isinstance(node, kind) else [node])])


@dataclass(frozen=True, slots=True)
class _Token:
    """A parenthesis, an operator, or a term; `text` as it was written, from `position`."""

    kind: str
    text: str
    position: int
    term: Term | None = None


def _tokens(text: str) -> Iterator[_Token]:
    """Cut a text into tokens, or raise QueryError at the first piece that is none."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise QueryError("the quote is not closed", text=text, position=position, remedy='write a " at its end')
        yield _token(match, text)
        position = match.end()


def _token(match: re.Match[str], text: str) -> _Token:
    position, written, field = match.start(), match[0], match["field"]
    if written in ("(", ")", *_OPERATORS):
        return _Token(written, written, position)
    if field is None and match["phrase"] is None and written.lower() in _LOWER_CASE_OPERATORS:
        message, remedy = f"operators are written in capitals, not {written!r}", "write AND, OR or ANDNOT"
        if written == "NOT":
            message, remedy = "there is no operator NOT", "write ANDNOT: this ANDNOT that"
        raise QueryError(message, text=text, position=position, remedy=f"{remedy}; a word goes in quotes")
    name = _field(field, text, position)
    value = match["phrase"] if match["phrase"] is not None else match["word"]
    following = text[match.end() : match.end() + 1]
    if value == "" and match["phrase"] is None:
        raise _nothing_after(written, following, text, match.end())
    if match["phrase"] is None and ":" in value:
        message, remedy = f"a second colon in {_short(written)}", "put what is searched for in quotes"
        raise QueryError(message, text=text, position=position, remedy=remedy)
    if match["phrase"] is not None and following == "*":
        message, remedy = "a * cannot follow a phrase", "a * stands at the end of a single unquoted word"
        raise QueryError(message, text=text, position=match.end(), remedy=remedy)
    term = _term(name, value, text, position, quoted=match["phrase"] is not None)
    return _Token("term", written, position, term)


def _field(field: str | None, text: str, position: int) -> str:
    """The field of a term, `all` where none is written; raises QueryError for others."""
    name = "all" if field is None else field.lower()
    if name in FIELDS:
        return name
    if name in _REFUSED_FIELDS:
        message, remedy = f"{field}: cannot be used in a keyword", _REFUSED_FIELDS[name]
    else:
        message, remedy = f"there is no field {_short(f'{field}:')}", "use one of " + ", ".join(f"{f}:" for f in FIELDS)
        glued = re.fullmatch(rf"(.*?)(ANDNOT|AND|OR)({'|'.join(FIELDS)})", field or "")
        if glued:
            remedy = f"put blanks around the operator: {f'{glued[1]} {glued[2]} {glued[3]}:'.strip()}"
        elif nearest := difflib.get_close_matches(name, FIELDS, n=1):
            remedy = f"did you mean {nearest[0]}:? Otherwise put the words in quotes"
    raise QueryError(message, text=text, position=position, remedy=remedy)


def _nothing_after(written: str, following: str, text: str, position: int) -> QueryError:
    """The error for a field without a value. arXiv reads blanks inside `ti:(…)` as OR, which surprises people."""
    message, remedy = f"{written} has nothing directly after it", f'write {written}word or {written}"a phrase"'
    if following == "(":
        message, remedy = f"{written} cannot be put before a group", f"write {written} before each word in it"
    elif following and following in _QUOTE:
        message, remedy = "the quote is not closed", 'write a " at its end'
    return QueryError(message, text=text, position=min(position, len(text) - 1), remedy=remedy)


class _Reader:
    """Reads tokens into a tree; it recurses once a parenthesis, and no deeper than MAX_NESTING."""

    def __init__(self, text: str, tokens: list[_Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._next = 0

    def whole(self) -> Node:
        """Read everything."""
        if not self._tokens:
            raise QueryError("the query is empty", text=self._text, position=0, remedy="write a word or a phrase")
        node = self._group(0)
        if (token := self._peek()) is not None:
            self._refuse(token, "this ) closes nothing", "take it out, or open a ( before it")
        return node

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _refuse(self, token: _Token, message: str, remedy: str) -> NoReturn:
        raise QueryError(message, text=self._text, position=token.position, remedy=remedy)

    def _group(self, depth: int) -> Node:
        """Read up to the end or to a parenthesis that this group did not open."""
        node = self._operand(depth)
        while (token := self._peek()) is not None and token.kind != ")":
            if token.kind not in _OPERATORS:
                self._no_operator(token)
            run = [node]
            while (again := self._peek()) is not None and again.kind == token.kind:
                self._next += 1
                run.append(self._operand(depth))
            node = _combined(token.kind, run)
            if _nesting(node) > MAX_NESTING:
                message = f"operators alternate or nest more than {MAX_NESTING} deep"
                self._refuse(token, message, "group what belongs together, or split it into several keywords")
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
            self._refuse(token, f"more than {MAX_NESTING} parentheses inside one another", "take out those not needed")
        node = self._group(depth + 1)
        if self._peek() is None:
            self._refuse(token, "this ( is not closed", "write a ) where the group ends")
        self._next += 1
        return node

    def _no_operand(self, token: _Token | None) -> NoReturn:
        """Refuse what stands where a term or a group should; `token` is None at the end."""
        before = self._tokens[self._next - 1] if self._next else None
        if token is not None and token.kind == "ANDNOT" and (before is None or before.kind == "("):
            message = "this would only exclude, and there is nothing to exclude from"
            self._refuse(token, message, "write what to find before ANDNOT")
        if token is not None and token.kind != ")":
            self._refuse(token, f"nothing stands before this {token.kind}", "write a word or a phrase on both sides")
        if before is not None and before.kind != "(":
            self._refuse(before, f"nothing stands after this {before.kind}", "write a word or a phrase on both sides")
        if before is not None and token is not None:
            self._refuse(before, "nothing stands between these parentheses", "take them out")
        if before is not None:
            self._refuse(before, "this ( is not closed", "write a ) where the group ends")
        assert token is not None
        self._refuse(token, "this ) closes nothing", "take it out, or open a ( before it")

    def _no_operator(self, token: _Token) -> NoReturn:
        """Refuse a second term or group that follows a first without an operator."""
        before = self._tokens[self._next - 1]
        remedy = "write AND, OR or ANDNOT between them"
        if apart := _glued_operator(before.text.rpartition(":")[2]):
            remedy = f"if an operator is meant, put blanks around it: {apart}"
        elif _is_bare(before) and _is_bare(token):
            rest = self._tokens[self._next - 1 :]
            words = [bare.text for bare in itertools.takewhile(_is_bare, rest)]
            remedy = f'for the phrase write "{" ".join(words)}", for all of the words {" AND ".join(words)}'
        elif _is_bare(token) and before.term is not None and not before.term.phrase:
            remedy = f'for the phrase write {before.term.field}:"{before.term.text} {token.text}"; else write AND or OR'
        self._refuse(token, f"no operator between {_short(before.text)} and {_short(token.text)}", remedy)


def _glued_operator(word: str) -> str:
    """What a word like NLPOR may have been meant as, `NLP OR`; "" for all others."""
    match = _ENDS_LIKE_AN_OPERATOR.fullmatch(word)
    return f"{match['word']} {match['operator']}" if match and word not in (*_REAL_WORDS, *_OPERATORS) else ""


def _is_bare(token: _Token) -> bool:
    """Whether a token is a word without field and quotes."""
    return token.term is not None and token.text[0] not in _QUOTE and ":" not in token.text


def _short(text: str) -> str:
    """Quote a piece of the query for a message of one line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= 40 else line[:39] + "…")
