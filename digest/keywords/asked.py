"""What arXiv is asked for, so that its answer holds all that a query matches here.

arXiv's search reads some terms otherwise than this program does (docs/matching.md). Where it would
find fewer papers, the wider question is asked; where it finds more, the match here decides. So a
query means the same whichever of arXiv's services tells of a paper.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache, reduce
from itertools import product
from urllib.parse import quote_plus

from digest.keywords.accents import ACCENTED
from digest.keywords.category_names import named_by
from digest.keywords.grammar import MAX_NESTING, And, AndNot, Node, Or, parse, to_text
from digest.keywords.match import searchable, spellings_of_name, stem
from digest.keywords.standard import STOP_WORDS, with_signs, without_possessives, words_of
from digest.keywords.tokens import Term, make_term

LONGEST = 3_600
"""Bytes of an encoded question: with address and other parameters within 4 KB, which every proxy
passes."""
LONGEST_ALONE = 7_200
"""The same of a question that cannot be shorter: web servers take a request's first line of 8 KB
(Apache's LimitRequestLine, nginx's large_client_header_buffers)."""
DEEPEST = MAX_NESTING + 1
"""Parentheses inside one another in a question: a term may become a group."""
LEAST_PREFIX = 3
"""Letters of the shortest prefix that is asked for: fewer begin a large share of all words."""
_BETWEEN_NAMES = re.compile(r"[^\w'’]+|_")
_SPELLINGS = 8  # of one phrase whose words have accents
_NAME_WORDS = range(2, 5)  # words of a phrase that may be somebody's name
_ENDINGS = tuple(
    "e y s es ies ied ying ed eed ing ings er ers or ors ion ions al als ally ality alities able "
    "ably ability ance ances ancy ence ences ency ant ants ent ents ently ic ics ical ically icity "
    "ible ibly ibility ism isms ist ists ive ives ively iveness ivity ate ates ated ating ation "
    "ations ational ationally ative ator ators iti ity ities ize izes ized izing izer izers "
    "ization izations ise ised ising ous ously ousness ful fully fulness ness less ment ments "
    "mental ement ements tional tionally icate iciti alize alized alizing alism eli ely ly "
    "l".split()
)
"""English endings, those of Porter's rules among them, by which a word may go on."""


def asked(node: Node) -> Node:
    """The query that arXiv is asked for: by its reading it finds at least what `node` matches here.

    What cannot be asked for (words that arXiv's search leaves out) is left to the match here where
    something else must match too, and is else asked for as it stands. Beyond LONGEST its phrases
    are not looked for as names too; beyond LONGEST_ALONE it is asked for as it stands.
    """
    for names, longest in ((True, LONGEST), (False, LONGEST_ALONE)):
        wider = _wider(node, names=names)
        if wider is None:
            return node
        if _length(wider) <= max(longest, _length(node)):
            return wider
    return node


def _length(node: Node) -> int:
    return len(quote_plus(to_text(node)))


def asked_text(query: str) -> str:
    """The same for a query's text, which is left as it is where nothing wider is asked for."""
    node = parse(query)
    wider = asked(node)
    return query if wider == node else to_text(wider)


def listed(node: Node) -> Node:
    """What arXiv may list when it is asked for `asked(node)`, as a query to be matched here: it
    tells of a row that does not match `node` whether the wider question brought it.
    """
    return _mapped(asked(node))


def is_left_out(node: Node) -> bool:
    """Whether arXiv's search cannot look for a query, since it leaves out all words that one of its
    alternatives needs.
    """
    return _wider(node) is None


@lru_cache(maxsize=4096)
def cut(prefix: str) -> tuple[str, tuple[str, ...]]:
    """The longest beginning of a prefix that is also that of the stem of each word which begins so:
    `optim` for `optimiz`, since optimization stands in arXiv's index as optim.

    It is found by Porter's own rules, with every ending that such a word can have; no shorter than
    LEAST_PREFIX letters, unless the prefix is. With it come words of which the stem is shorter
    still: gas has the stem ga.
    """
    stems: dict[str, str] = {}
    for word in _continued(prefix):
        stems.setdefault(stem(word), word)
    common = prefix
    while len(common) > LEAST_PREFIX and not all(each.startswith(common) for each in stems):
        common = common[:-1]
    return common, tuple(word for found, word in stems.items() if not found.startswith(common))


def _continued(prefix: str) -> Iterator[str]:
    """The prefix with each ending, and where it holds the beginning of one already with the rest of
    it: optimiz|ation.
    """
    yield prefix
    for ending in _ENDINGS:
        yield prefix + ending
        for done in range(1, len(ending) + 1):
            base = prefix.removesuffix(ending[:done])
            # No English verb is tra-ing, and so train is not its beginning.
            if base != prefix and not (ending.startswith("ing") and base.endswith("a")):
                yield prefix + ending[done:]


def _wider(node: Node, *, names: bool = True) -> Node | None:
    """What to ask for a part of a query; None where arXiv cannot be asked for it. `names`: look for
    phrases as names, too.
    """
    if isinstance(node, Term):
        return _any(_asked_for(node, names=names))
    left, right = (_wider(side, names=names) for side in (node.left, node.right))
    if isinstance(node, AndNot):
        excluded = _narrower(node.right)
        return left if left is None or excluded is None else AndNot(left, excluded)
    if left is None or right is None:
        return (left or right) if isinstance(node, And) else None
    return type(node)(left, right)


def _narrower(node: Node) -> Node | None:
    """What arXiv may exclude: it finds no more than `node` matches here. None where nothing is
    sure.
    """
    if isinstance(node, Term):
        return _excluded(node)
    if isinstance(node, AndNot):
        return None
    left, right = _narrower(node.left), _narrower(node.right)
    if left is None or right is None:
        return (left or right) if isinstance(node, Or) else None
    return type(node)(left, right)


def _excluded(term: Term) -> Node | None:
    if term.field == "cat":
        return term
    # By `all:` arXiv looks through more than is matched here, and au: takes a name's words apart.
    words = words_of(term.text)
    is_name = term.field == "au" and (len(words) > 1 or words != [term.text])
    sure = term.field != "all" and not is_name and not term.prefix and not STOP_WORDS & {*words}
    return _term(term.field, " ".join(words)) if sure else None


def _asked_for(term: Term, *, names: bool) -> Iterator[Term]:
    """The terms one of which finds what `term` matches here; none where arXiv looks for none."""
    if term.field == "cat":
        yield term
    elif term.prefix and term.field == "au":
        # Names are indexed without their accents; what begins a word is compared as it stands.
        yield Term("au", unaccented(term.text), prefix=True)
    elif term.field == "au":
        yield from _names(term.text)
    elif term.prefix:
        yield from _prefixes(term)
    else:
        yield from _phrases(term)
        if names and term.field == "all":
            yield from _as_a_name(term.text)


def _names(text: str) -> Iterator[Term]:
    """A name, with blanks and hyphens either way, without initials, which arXiv's may spell out."""
    words = _BETWEEN_NAMES.split(searchable(text))
    whole = [word for word in words if len(word) > 1] or [word for word in words if word]
    for spelling in spellings_of_name(" ".join(whole)):
        yield _term("au", with_signs(spelling))


def _prefixes(term: Term) -> Iterator[Term]:
    """The beginning of a word, and of the stems by which titles and abstracts are indexed."""
    stemmed = term.field in ("ti", "abs", "all")
    for spelling in _accented(term.text, begins=True):
        # An accent is no English vowel, so that such a word loses no more than it would without.
        short, words = cut(unaccented(spelling)) if stemmed else (spelling, ())
        yield Term(term.field, spelling[: len(short)], prefix=True)
        for word in words:
            yield _term(term.field, word)


def _as_a_name(text: str) -> Iterator[Term]:
    """A phrase as somebody's name, where it may be one."""
    text = without_possessives(text)
    words = words_of(text)
    if len(words) in _NAME_WORDS and not STOP_WORDS.issuperset(words):
        yield from _names(text)


def _phrases(term: Term) -> Iterator[Term]:
    """A word or words in a row, in each spelling with and without its accents."""
    text = without_possessives(term.text) if term.field in ("ti", "abs", "all") else term.text
    words = words_of(text)
    if STOP_WORDS.issuperset(words):
        # Only abstracts are also indexed with these words, for what stands in quotes; one such word
        # alone stands in most of them.
        if term.field == "abs" and len(words) > 1:
            yield Term("abs", " ".join(words), phrase=True)
        return
    spellings = product(*(list(_accented(word)) for word in words))
    for number, spelling in enumerate(spellings):
        if number < _SPELLINGS:
            yield _term(term.field, " ".join(spelling))


def _accented(word: str, *, begins: bool = False) -> Iterator[str]:
    """A word as it is written, without its accents, and with those that it is known to have."""
    bare = unaccented(word)
    known = (
        [
            name[: len(bare)]
            for plain, names in ACCENTED.items()
            if plain.startswith(bare)
            for name in names
        ]
        if begins and len(bare) >= LEAST_PREFIX
        else ACCENTED.get(bare, ())
    )
    yield from dict.fromkeys((word, bare, *known))


def unaccented(word: str) -> str:
    """A word without accents, as `remove_diacritics` and arXiv's folding leave it."""
    parts = unicodedata.normalize("NFD", searchable(word))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


def _mapped(node: Node) -> Node:
    if not isinstance(node, Term):
        return type(node)(_mapped(node.left), _mapped(node.right))
    return _found_by(node)


def _found_by(term: Term) -> Node:
    """What arXiv finds by one term; by `all:` it finds the names of categories, too."""
    words = term.text.split()
    if term.field == "all":
        named = named_by(words_of(term.text), prefix=term.prefix)
        return reduce(Or, (Term("cat", each) for each in named), _by_words(term, words))
    return _by_words(term, words)


def _by_words(term: Term, words: list[str]) -> Node:
    if term.prefix and term.field in ("ti", "abs", "all") and len(term.text) > LEAST_PREFIX:
        return Term(term.field, term.text[:-1], prefix=True)  # reliability is indexed as reliabl
    if term.field == "cat" or term.prefix or len(words) == 1:
        return term
    if term.field == "au":  # all words in one name, in any order
        return _all(_term("au", word) for word in words)
    return _all(_term(term.field, run) for run in _runs(words))


def _runs(words: Iterable[str]) -> list[str]:
    """The runs of words between those that arXiv's search leaves out; it finds any word in their
    place.
    """
    runs: list[list[str]] = [[]]
    for word in words:
        if word in STOP_WORDS:
            runs.append([])
        else:
            runs[-1].append(word)
    return [" ".join(run) for run in runs if run] or [" ".join(words)]


def _term(field: str, text: str) -> Term:
    return make_term(field, text, text, 0, quoted=True)


def _all(terms: Iterable[Node]) -> Node:
    return reduce(And, terms)


def _any(terms: Iterable[Node]) -> Node | None:
    found = list(dict.fromkeys(terms))
    return reduce(Or, found) if found else None
