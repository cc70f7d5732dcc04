"""The words of the keyword language: parentheses, operators, and terms with their fields, each with
its place.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import unquote

from digest.errors import QueryError, one_line
from digest.keywords.categories import category_case

FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "all")
_LONG_NAMES = {
    "title": "ti", "author": "au", "abstract": "abs", "comment": "co", "journal": "jr",
    "category": "cat", "any": "all",
}  # fmt: skip
OPERATORS = ("AND", "OR", "ANDNOT")
LOWER_CASE_OPERATORS = {"and", "or", "andnot", "not"}
_REFUSED_FIELDS = (
    dict.fromkeys(
        ("rn", "report"), "arXiv's answers carry no report numbers, so a match could not be checked"
    )
    | dict.fromkeys(
        ("id", "id_list", "doi"),
        "a keyword waits for papers that are not known yet, and this names one that is",
    )
    | dict.fromkeys(
        ("submitteddate", "lastupdateddate", "date"),
        "which days are asked for is decided by what was fetched before",
    )
)
QUOTES = '"“”„‟″«»＂'
_TOKEN = re.compile(
    rf"(?P<open>\()|(?P<close>\))|(?:(?P<field>[^\s():{QUOTES}]*):)?"
    rf"(?:[{QUOTES}](?P<phrase>[^{QUOTES}]*)[{QUOTES}]|(?P<word>[^\s(){QUOTES}]*))"
)
_ONE_WORD = re.compile(r"\w+")
_SPECIAL = re.compile(r"[\\*?\[\]{}^~]")
_CATEGORY = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*")
_CATEGORY_PREFIX = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]*)*")


_ENDS_LIKE_AN_OPERATOR = re.compile(r"(?P<word>\w{2,}?)(?P<operator>ANDNOT|AND|OR)")
_REAL_WORDS = frozenset(
    "ACTOR BRAND COLOR DEMAND ERROR FACTOR GRAND MOTOR OPERATOR SENSOR STAND TENSOR VECTOR".split()
)


@dataclass(frozen=True, slots=True)
class Term:
    """A leaf: one word, several words in a row (`phrase`), or the beginning of a word (`prefix`).

    `text` is lower-cased with single blanks, but for categories, which keep arXiv's case.
    """

    field: str
    text: str
    phrase: bool = False
    prefix: bool = False

    @property
    def written(self) -> str:
        """The text as a query has it behind the field."""
        return f'"{self.text}"' if self.phrase else f"{self.text}{'*' if self.prefix else ''}"


@dataclass(frozen=True, slots=True)
class Token:
    """A parenthesis, an operator, or a term; `text` as it was written, from `position`."""

    kind: str
    text: str
    position: int
    term: Term | None = None


def refuse(text: str, position: int, message: str, remedy: str) -> NoReturn:
    """Raise QueryError for a place in a query."""
    raise QueryError(message, text=text, position=position, remedy=remedy)


def tokens(text: str) -> Iterator[Token]:
    """Cut a text into tokens, or raise QueryError at the first piece that is none."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            refuse(text, position, *_OPEN_QUOTE)
        yield _token(match, text)
        position = match.end()


_OPEN_QUOTE = ("the quote is not closed", 'write a " at its end')


def _token(match: re.Match[str], text: str) -> Token:
    position, written = match.start(), match[0]
    if written in ("(", ")", *OPERATORS):
        return Token(written, written, position)
    if written.lower() in LOWER_CASE_OPERATORS:
        _refuse_operator(written, text, position)
    field = _field(match["field"], text, position)
    quoted = match.lastgroup == "phrase"
    words = match["phrase"] if quoted else match["word"]
    following = text[match.end() : match.end() + 1]
    if quoted and following == "*":
        remedy = "a * stands at the end of a single unquoted word"
        refuse(text, match.end(), "a * cannot follow a phrase", remedy)
    if not quoted and not words:
        refuse(text, min(match.end(), len(text) - 1), *_nothing_after(written, following))
    if not quoted and ":" in words:
        refuse(text, position, f"a second colon in {short(written)}", _one_colon(text))
    return Token("term", written, position, make_term(field, words, text, position, quoted=quoted))


def _one_colon(text: str) -> str:
    """What to do about a second colon."""
    plain = from_url(text)
    if plain != text:
        return f"in an address + and %20 stand for blanks: write {plain}"
    return "put what is searched for in quotes"


def from_url(text: str) -> str:
    """A query as it was before it was written for an address (`cat:cs.LG+AND+all:electron`); any
    other text as it is.
    """
    if re.search(rf"(?:\+|%20)(?:{'|'.join(OPERATORS)})(?:\+|%20)|%22", text):
        return unquote(text.replace("+", " "))
    return text


def _refuse_operator(written: str, text: str, position: int) -> NoReturn:
    message = f"operators are written in capitals, not {written!r}"
    remedy = "write AND, OR or ANDNOT"
    if written == "NOT":
        message, remedy = "there is no operator NOT", "write ANDNOT: this ANDNOT that"
    refuse(text, position, message, f"{remedy}; a word goes in quotes")


def _field(field: str | None, text: str, position: int) -> str:
    """The field of a term, `all` where none is written; raises QueryError for others."""
    name = "all" if field is None else field.lower()
    if name in FIELDS:
        return name
    if name in _REFUSED_FIELDS:
        refuse(text, position, f"{field}: cannot be used in a keyword", _REFUSED_FIELDS[name])
    remedy = "use one of " + ", ".join(f"{known}:" for known in FIELDS)
    # ANDti: is no field: somebody left out the blank behind an operator.
    glued = re.fullmatch(rf"(.*?)(ANDNOT|AND|OR)({'|'.join(FIELDS)})", field or "")
    nearest = difflib.get_close_matches(name, (*FIELDS, *_LONG_NAMES), n=1)
    if glued:
        apart = f"{glued[1]} {glued[2]} {glued[3]}:".strip()
        remedy = f"put blanks around the operator: {apart}"
    elif nearest:
        meant = _LONG_NAMES.get(nearest[0], nearest[0])
        remedy = f"did you mean {meant}:? Otherwise put the words in quotes"
    refuse(text, position, f"there is no field {short(f'{field}:')}", remedy)


def _nothing_after(written: str, following: str) -> tuple[str, str]:
    """What is wrong with a field without a value, and what to do.

    arXiv reads blanks inside `ti:(…)` as OR, which surprises people.
    """
    if following == "(":
        message = f"{written} cannot be put before a group"
        return message, f"write {written} before each word in it"
    if following and following in QUOTES:
        return _OPEN_QUOTE
    message = f"{written} has nothing directly after it"
    return message, f'write {written}word or {written}"a phrase"'


def make_term(field: str, words: str, text: str, position: int, *, quoted: bool = False) -> Term:
    """Make a leaf of what stands after a field; `text` and `position` say where, should it be
    refused.
    """
    # Lowering can take a composed letter apart.
    folded = one_line(unicodedata.normalize("NFC", unicodedata.normalize("NFC", words).lower()))
    prefix = folded.endswith("*") and not quoted
    body = folded[:-1] if prefix else folded
    if field == "cat" and (_CATEGORY_PREFIX if prefix else _CATEGORY).fullmatch(body):
        return Term("cat", category_case(body), prefix=prefix)
    for is_found, sign, message, remedy in _faults(field, body, short(words), prefix, quoted):
        if is_found:
            refuse(text, max(text.find(sign, position), position), message, remedy)
    is_phrase = not _ONE_WORD.fullmatch(body) or body in LOWER_CASE_OPERATORS
    return Term(field, body, is_phrase and not prefix, prefix)


def _faults(
    field: str, body: str, shown: str, prefix: bool, quoted: bool
) -> Iterable[tuple[bool, str, str, str]]:
    """What a term may be refused for: whether it is, the sign at fault, a message, a remedy."""
    sign = "".join(_SPECIAL.findall(body)[:1])
    without = one_line(_SPECIAL.sub(" ", body.replace("-", " ")))
    return (
        (
            field == "cat",
            "",
            f"{shown} is not a category",
            "write one, as in cat:cs.LG or cat:cs.*, and join several by OR",
        ),
        (
            not any(map(str.isalnum, body)),
            "",
            f"{shown} has no letter or digit to search for",
            "write a word, or AND, OR, ANDNOT",
        ),
        (
            sign == "*",
            sign,
            f"* cannot stand in {shown}",
            "a * stands at the end of a single unquoted word; as a sign, leave it out:"
            f' "{without}"',
        ),
        (
            bool(sign),
            sign,
            f"{sign} cannot stand in {shown}",
            f'search takes no notice of signs; write "{without}"',
        ),
        (
            prefix and not _ONE_WORD.fullmatch(body),
            "",
            f"the * in {shown} does not follow a single word",
            "search takes * after one word only",
        ),
        (
            not quoted and body.startswith(("-", "+", "!")),
            "",
            f"{shown} begins with {body[:1]}",
            "to exclude, write ANDNOT; to require, write AND",
        ),
    )


def glued_operator(word: str) -> str:
    """What a word like NLPOR may have been meant as, `NLP OR`; "" for all others."""
    match = _ENDS_LIKE_AN_OPERATOR.fullmatch(word)
    return (
        f"{match['word']} {match['operator']}"
        if match and word not in (*_REAL_WORDS, *OPERATORS)
        else ""
    )


def is_bare(token: Token) -> bool:
    """Whether a token is a word without field and quotes."""
    return token.term is not None and token.text[0] not in QUOTES and ":" not in token.text


def short(text: str) -> str:
    """Quote a piece of the query for a message of one line."""
    line = one_line(text)
    return repr(line if len(line) <= 40 else line[:39] + "…")
