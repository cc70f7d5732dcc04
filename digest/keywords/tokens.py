"""The words of the keyword language: parentheses, operators, and terms with their fields, each with
its place.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from digest.errors import QueryError, one_line
from digest.keywords.categories import category_case

FIELDS = ("ti", "au", "abs", "co", "jr", "cat", "all")
_LONG_NAMES = {
    "title": "ti", "author": "au", "abstract": "abs", "comment": "co", "journal": "jr", "category": "cat", "any": "all"
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


@dataclass(frozen=True, slots=True)
class Token:
    """A parenthesis, an operator, or a term; `text` as it was written, from `position`."""

    kind: str
    text: str
    position: int
    term: Term | None = None


def tokens(text: str) -> Iterator[Token]:
    """Cut a text into tokens, or raise QueryError at the first piece that is none."""
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise QueryError(
                "the quote is not closed",
                text=text,
                position=position,
                remedy='write a " at its end',
            )
        yield _token(match, text)
        position = match.end()


def _token(match: re.Match[str], text: str) -> Token:
    position, written, field = match.start(), match[0], match["field"]
    if written in ("(", ")", *OPERATORS):
        return Token(written, written, position)
    if field is None and match["phrase"] is None and written.lower() in LOWER_CASE_OPERATORS:
        message, remedy = (
            f"operators are written in capitals, not {written!r}",
            "write AND, OR or ANDNOT",
        )
        if written == "NOT":
            message, remedy = "there is no operator NOT", "write ANDNOT: this ANDNOT that"
        raise QueryError(
            message, text=text, position=position, remedy=f"{remedy}; a word goes in quotes"
        )
    name = _field(field, text, position)
    value = match["phrase"] if match["phrase"] is not None else match["word"]
    following = text[match.end() : match.end() + 1]
    if value == "" and match["phrase"] is None:
        raise _nothing_after(written, following, text, match.end())
    if match["phrase"] is None and ":" in value:
        message, remedy = (
            f"a second colon in {short(written)}",
            "put what is searched for in quotes",
        )
        raise QueryError(message, text=text, position=position, remedy=remedy)
    if match["phrase"] is not None and following == "*":
        message, remedy = (
            "a * cannot follow a phrase",
            "a * stands at the end of a single unquoted word",
        )
        raise QueryError(message, text=text, position=match.end(), remedy=remedy)
    term = make_term(name, value, text, position, quoted=match["phrase"] is not None)
    return Token("term", written, position, term)


def _field(field: str | None, text: str, position: int) -> str:
    """The field of a term, `all` where none is written; raises QueryError for others."""
    name = "all" if field is None else field.lower()
    if name in FIELDS:
        return name
    if name in _REFUSED_FIELDS:
        message, remedy = f"{field}: cannot be used in a keyword", _REFUSED_FIELDS[name]
    else:
        message, remedy = (
            f"there is no field {short(f'{field}:')}",
            "use one of " + ", ".join(f"{f}:" for f in FIELDS),
        )
        glued = re.fullmatch(rf"(.*?)(ANDNOT|AND|OR)({'|'.join(FIELDS)})", field or "")
        if glued:
            remedy = (
                f"put blanks around the operator: {f'{glued[1]} {glued[2]} {glued[3]}:'.strip()}"
            )
        elif nearest := difflib.get_close_matches(name, (*FIELDS, *_LONG_NAMES), n=1):
            remedy = f"did you mean {_LONG_NAMES.get(nearest[0], nearest[0])}:? Otherwise put the words in quotes"
    raise QueryError(message, text=text, position=position, remedy=remedy)


def _nothing_after(written: str, following: str, text: str, position: int) -> QueryError:
    """The error for a field without a value. arXiv reads blanks inside `ti:(…)` as OR, which
    surprises people.
    """
    message, remedy = (
        f"{written} has nothing directly after it",
        f'write {written}word or {written}"a phrase"',
    )
    if following == "(":
        message, remedy = (
            f"{written} cannot be put before a group",
            f"write {written} before each word in it",
        )
    elif following and following in QUOTES:
        message, remedy = "the quote is not closed", 'write a " at its end'
    return QueryError(message, text=text, position=min(position, len(text) - 1), remedy=remedy)


def make_term(field: str, words: str, text: str, position: int, *, quoted: bool = False) -> Term:
    """Make a leaf of what stands after a field; `text` and `position` say where, should it be
    refused.
    """
    lowered = unicodedata.normalize("NFC", unicodedata.normalize("NFC", words).lower())
    folded = one_line(lowered)
    prefix = folded.endswith("*") and not quoted
    body = folded[:-1] if prefix else folded
    shown = short(words)
    message, special = "", None
    if field == "cat":
        if (_CATEGORY_PREFIX if prefix else _CATEGORY).fullmatch(body):
            return Term("cat", category_case(body), prefix=prefix)
        message, remedy = (
            f"{shown} is not a category",
            "write one, as in cat:cs.LG or cat:cs.*, and join several by OR",
        )
    elif not any(character.isalnum() for character in body):
        message, remedy = (
            f"{shown} has no letter or digit to search for",
            "write a word, or AND, OR, ANDNOT",
        )
    elif special := _SPECIAL.search(body):
        message = f"{special[0]} cannot stand in {shown}"
        without = one_line(_SPECIAL.sub(" ", body.replace("-", " ")))
        remedy = f'search takes no notice of signs; write "{without}"'
        if special[0] == "*":
            remedy = f'a * stands at the end of a single unquoted word; as a sign, leave it out: "{without}"'
    elif prefix and not re.fullmatch(r"\w+", body):
        message, remedy = (
            f"the * in {shown} does not follow a single word",
            "search takes * after one word only",
        )
    elif not quoted and body[0] in "-+!":
        message, remedy = (
            f"{shown} begins with {body[0]}",
            "to exclude, write ANDNOT; to require, write AND",
        )
    if message:
        place = text.find(special[0], position) if special else position
        raise QueryError(message, text=text, position=max(place, position), remedy=remedy)
    phrase = not prefix and (not re.fullmatch(r"\w+", body) or body in LOWER_CASE_OPERATORS)
    return Term(field, body, phrase, prefix)


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
