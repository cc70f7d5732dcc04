"""The keyword language: what is read, what is refused and where, canonical text, plain keywords,
lint."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import Exit, QueryError
from digest.keywords.categories import CATEGORIES
from digest.keywords.grammar import (
    MAX_LENGTH,
    And,
    AndNot,
    Node,
    Or,
    Term,
    describe,
    make_keyword,
    parse,
    to_text,
)
from digest.keywords.lint import warnings
from digest.model import Keyword, Rule

Result = TypeVar("Result")
A, B, C = (Term("all", letter) for letter in "abc")


def test_a_word_or_phrase_without_a_field_means_all() -> None:
    assert parse("Reasoning") == Term("all", "reasoning")
    assert parse('"Reward   Model"') == Term("all", "reward model", phrase=True)


@pytest.mark.parametrize("field", ["ti", "au", "abs", "co", "jr", "all", "TI", "Abs"])
def test_field_names_are_read_in_any_case(field: str) -> None:
    assert parse(f"{field}:mllm") == Term(field.lower(), "mllm")
    assert parse(f'{field}:"a b"') == Term(field.lower(), "a b", phrase=True)
    assert parse(f"{field}:halluc*") == Term(field.lower(), "halluc", prefix=True)


def test_mixed_operators_are_read_from_left_to_right() -> None:
    assert parse("a OR b AND c") == And(Or(A, B), C)
    assert parse("a OR (b AND c)") == Or(A, And(B, C))
    assert parse("a ANDNOT b OR c") == Or(AndNot(A, B), C)


@pytest.mark.parametrize("operator", ["AND", "OR"])
def test_a_chain_of_one_operator_has_one_form_however_it_was_grouped(operator: str) -> None:
    forms = ["a {0} b {0} c {0} d", "a {0} (b {0} (c {0} d))", "((a {0} b)) {0} (c {0} d)"]
    assert {to_text(parse(form.format(operator))) for form in forms} == {
        f"(all:a {operator} all:b {operator} all:c {operator} all:d)"
    }


def test_several_exclusions_become_one_group() -> None:
    assert parse("a ANDNOT b ANDNOT c") == AndNot(A, Or(B, C)) == parse("a ANDNOT (b OR c)")
    assert parse("(a ANDNOT b) ANDNOT c") == AndNot(A, Or(B, C))
    assert parse("a ANDNOT (b ANDNOT c)") == AndNot(A, AndNot(B, C))


def test_the_canonical_text_of_the_designs_example() -> None:
    text = 'TI:"Reinforcement  Learning" AND cat:CS.lg ANDNOT abs:Robot*'
    assert to_text(parse(text)) == '((ti:"reinforcement learning" AND cat:cs.LG) ANDNOT abs:robot*)'


def test_whitespace_case_quotes_and_redundant_parentheses_do_not_make_another_query() -> None:
    forms = [
        "ti:mllm AND abs:rlhf",
        " (ti:MLLM)\nAND\t((abs:RLHF))",
        'ti:"mllm" AND abs:“rlhf”',
        "((Ti:mllm AND abs:rlhf))",
    ]
    assert {to_text(parse(form)) for form in forms} == {"(ti:mllm AND abs:rlhf)"}


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("cs.lg", "cs.LG"),
        ("HEP-TH", "hep-th"),
        ("astro-ph.co", "astro-ph.CO"),
        ("COND-MAT.MTRL-SCI", "cond-mat.mtrl-sci"),
        ("Physics.Flu-Dyn", "physics.flu-dyn"),
        ("NLIN.cd", "nlin.CD"),
        ('"q-bio.qm"', "q-bio.QM"),
        ("CS.*", "cs.*"),
        ("cs.l*", "cs.L*"),
    ],
)
def test_categories_are_written_in_arxivs_case(written: str, canonical: str) -> None:
    assert to_text(parse(f"cat:{written}")) == f"cat:{canonical}"


def test_every_category_of_the_taxonomy_is_its_own_canonical_text() -> None:
    assert len(CATEGORIES) == 155
    for category in CATEGORIES:
        assert to_text(parse(f"cat:{category.upper()}")) == f"cat:{category}"


def test_a_hyphenated_word_is_sent_as_a_phrase_of_its_parts() -> None:
    """Unquoted, arXiv answers `all:self-improvement` with papers that have only one of the
    parts."""
    assert to_text(parse("self-improvement")) == 'all:"self-improvement"'


def test_typographic_quotes_are_quotes_and_an_operator_in_quotes_is_a_word() -> None:
    assert to_text(parse("ti:„Reward Model“ OR «x y»")) == '(ti:"reward model" OR all:"x y")'
    assert to_text(parse('ti:"AND" AND all:"or"')) == '(ti:"and" AND all:"or")'


REFUSED = [
    ("", 0, "empty", "write a word"),
    ("  \n ", 0, "empty", "write a word"),
    (")", 0, "closes nothing", "open a ("),
    ("a)", 1, "closes nothing", "open a ("),
    ("(", 0, "not closed", "write a )"),
    ("(a AND (b)", 0, "not closed", "write a )"),
    ("a AND ()", 6, "between these parentheses", "take them out"),
    ("AND b", 0, "nothing stands before this AND", "both sides"),
    ("a OR OR b", 5, "nothing stands before this OR", "both sides"),
    ("a AND", 2, "nothing stands after this AND", "both sides"),
    ("(a AND) b", 3, "nothing stands after this AND", "both sides"),
    ("ANDNOT a", 0, "only exclude", "before ANDNOT"),
    ("a OR (ANDNOT b)", 6, "only exclude", "before ANDNOT"),
    ("a and b", 2, "in capitals", "AND, OR or ANDNOT"),
    ("a Or b", 2, "in capitals", "AND, OR or ANDNOT"),
    ("a andnot b", 2, "in capitals", "AND, OR or ANDNOT"),
    ("a NOT b", 2, "no operator NOT", "ANDNOT"),
    ("graph neural networks", 6, "no operator", '"graph neural networks"'),
    ("graph neural networks", 6, "no operator", "graph AND neural AND networks"),
    ("ti:graph neural", 9, "no operator", 'ti:"graph neural"'),
    ('"a" "b"', 4, "no operator", "AND, OR or ANDNOT"),
    ("a (b)", 2, "no operator", "AND, OR or ANDNOT"),
    ("NLPOR abs:x", 3, "no operator", "NLP OR"),
    ("a ORabs:b", 2, "no field 'ORabs:'", "OR abs:"),
    ("ti:a ANDNOTti:b", 5, "no field", "ANDNOT ti:"),
    ("abstract:x", 0, "no field 'abstract:'", "abs"),
    ("tit:foo", 0, "no field 'tit:'", "ti:"),
    ("http://x", 0, "no field", "ti:, au:, abs:"),
    ("ti:a:b", 0, "second colon", "quotes"),
    ("ti: reward", 3, "ti: has nothing directly after it", "ti:word"),
    ("ti:", 2, "ti: has nothing directly after it", "ti:word"),
    ("ti:(a OR b)", 3, "before a group", "before each word"),
    ('ti:"a', 3, "quote is not closed", "at its end"),
    ('a AND "b', 6, "quote is not closed", "at its end"),
    ('""', 0, "no letter or digit", "a word"),
    ("*", 0, "no letter or digit", "a word"),
    ("a && b", 2, "no letter or digit", "AND"),
    ("a*b", 1, "* cannot stand", "at the end"),
    ("what?", 4, "? cannot stand", "takes no notice"),
    ('"graph neur*"', 11, "* cannot stand", "at the end"),
    ('"graph neur"*', 12, "cannot follow a phrase", "at the end"),
    ("self-improv*", 0, "not follow a single word", "one word"),
    ("-robot", 0, "begins with -", "ANDNOT"),
    ("cat:cs.LG,cs.AI", 0, "not a category", "OR"),
    ('cat:"cs.LG cs.AI"', 0, "not a category", "OR"),
    ("a\x00b", 1, "U+0000", "remove"),
    ("a\u200bb", 1, "U+200B", "remove"),
    ("a \ue000", 2, "U+E000", "remove"),
    ("a \ud800", 2, "U+D800", "remove"),
    ("rn:abc", 0, "rn: cannot be used", "report numbers"),
    ("id:2503.14895", 0, "id: cannot be used", "not known yet"),
    ("id_list:2503.14895", 0, "id_list: cannot be used", "not known yet"),
    ("doi:10.1/x", 0, "doi: cannot be used", "not known yet"),
    ("a AND submittedDate:[20240101 TO 20250101]", 6, "submittedDate: cannot", "which days"),
    ("lastUpdatedDate:[20240101 TO 20250101]", 0, "lastUpdatedDate: cannot", "which days"),
    ("x" * 2001, 2000, "2001 characters", "split"),
]


@pytest.mark.parametrize(("text", "position", "message", "remedy"), REFUSED)
def test_a_mistake_is_named_with_its_place_and_a_remedy(
    text: str, position: int, message: str, remedy: str
) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    error = caught.value
    assert (error.position, error.text) == (position, text)
    assert message in error.message
    assert remedy in error.remedy
    assert "\n" not in str(error)
    assert error.exit_code is Exit.USAGE


def test_the_text_of_an_error_is_what_was_written_typographic_quotes_included() -> None:
    with pytest.raises(QueryError) as caught:
        parse("“a b” “c”")
    assert (caught.value.text, caught.value.position) == ("“a b” “c”", 6)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        ")" * 100_000,
        "a OR " * 100_000,
        "(" * 1999,
        "(a OR " * 300,
        "a ANDNOT (" * 190,
        "a" + ")" * 1999,
    ],
)
def test_no_input_however_deep_ends_in_anything_but_a_query_error(text: str) -> None:
    started = time.process_time()
    with pytest.raises(QueryError):
        parse(text)
    assert time.process_time() - started < 1


def test_nesting_up_to_twenty_is_read_and_more_is_refused() -> None:
    assert parse("(" * 20 + "a" + ")" * 20) == A
    with pytest.raises(QueryError, match="20 parentheses"):
        parse("(" * 21 + "a" + ")" * 21)
    deep = "a"
    for operator in ["AND", "OR"] * 10:
        deep += f" {operator} b"
    assert parse(to_text(parse(deep))) == parse(deep)
    with pytest.raises(QueryError, match="alternate or nest more than 20"):
        parse(deep + " AND b")


def depth(node: Node) -> int:
    return 0 if isinstance(node, Term) else 1 + max(depth(node.left), depth(node.right))


def test_a_long_chain_is_neither_nested_nor_deep() -> None:
    node = parse(" OR ".join(f"ti:w{number}" for number in range(150)))
    assert to_text(node).count("(") == 1
    assert parse(to_text(node)) == node
    assert depth(node) == 8


def test_the_canonical_text_is_bounded_too_so_that_it_can_be_read_again() -> None:
    with pytest.raises(QueryError, match="when written in full"):
        parse(" OR ".join(["abcd"] * 250))


words = st.from_regex(r"[a-zA-Zéß0-9]{1,6}", fullmatch=True).filter(
    lambda word: word.lower() not in {"and", "or", "not"}
)
phrases = st.lists(
    st.one_of(words, st.sampled_from(["self-play", "f(x):", "C++", "and", "…"])),
    min_size=1,
    max_size=3,
).map(lambda parts: '"' + "  ".join(["w", *parts]) + '"')
leaves = st.tuples(
    st.sampled_from(["", "ti:", "AU:", "abs:", "Co:", "jr:", "all:"]),
    st.one_of(words, phrases, words.map(lambda w: w + "*")),
).map("".join) | st.sampled_from(sorted(CATEGORIES)).map(lambda name: f"CAT:{name.upper()}")
queries = st.recursive(
    leaves,
    lambda inner: st.tuples(
        inner, st.sampled_from([" AND ", "  OR\n", " ANDNOT "]), inner, st.booleans()
    ).map(
        lambda parts: (
            f"( {parts[0]}{parts[1]}{parts[2]})" if parts[3] else f"{parts[0]}{parts[1]}{parts[2]}"
        )
    ),
    max_leaves=12,
)


@given(queries)
def test_canonical_text_is_a_fixed_point_and_reads_back_as_the_same_tree(text: str) -> None:
    node = parse(text)
    canonical = to_text(node)
    assert parse(canonical) == node
    assert to_text(parse(canonical)) == canonical
    assert to_text(parse(f" ( {canonical.replace(' ', '  ')} ) ")) == canonical


def result_or_error(call: Callable[[str], Result], text: str) -> Result | QueryError:
    try:
        return call(text)
    except QueryError as error:
        return error


def truth(node: Node, true: set[Term]) -> bool:
    match node:
        case Term():
            return node in true
        case And(left, right):
            return truth(left, true) and truth(right, true)
        case Or(left, right):
            return truth(left, true) or truth(right, true)
        case AndNot(left, right):
            return truth(left, true) and not truth(right, true)


@given(
    st.lists(
        st.tuples(st.sampled_from(["AND", "OR", "ANDNOT"]), st.sampled_from("abcd")), max_size=12
    ),
    st.sets(st.sampled_from("abcd")),
)
def test_normalised_chains_mean_what_was_read_from_left_to_right(
    rest: list[tuple[str, str]], true: set[str]
) -> None:
    text, expected = "a", "a" in true
    for operator, letter in rest:
        text += f" {operator} {letter}"
        holds = letter in true
        expected = (
            expected and holds
            if operator == "AND"
            else expected or holds
            if operator == "OR"
            else expected and not holds
        )
    assert truth(parse(text), {Term("all", letter) for letter in true}) is expected


@given(
    st.text(alphabet=st.one_of(st.characters(), st.sampled_from('():"*ANDORT ti"“')), max_size=60)
)
def test_any_text_is_read_or_refused_with_a_place_inside_it(text: str) -> None:
    node = result_or_error(parse, text)
    if isinstance(node, QueryError):
        assert 0 <= node.position <= max(len(text) - 1, 0)
        assert len(str(node).splitlines()) == 1
        assert node.remedy
    else:
        assert parse(to_text(node)) == node
        assert len(to_text(node)) <= MAX_LENGTH


@given(st.text(max_size=40))
def test_any_name_makes_a_keyword_or_a_query_error(name: str) -> None:
    keyword = result_or_error(make_keyword, name)
    if isinstance(keyword, QueryError):
        assert keyword.remedy
    else:
        assert to_text(parse(keyword.query)) == keyword.query
        assert describe(keyword)
        assert isinstance(warnings(name), list)


@pytest.mark.parametrize(
    ("name", "query", "rule", "expected", "used"),
    [
        ("MLLM", None, None, "(ti:mllm AND abs:mllm)", Rule.BOTH),
        ("Reward Model", None, None, '(ti:"reward model" OR abs:"reward model")', Rule.EITHER),
        (
            "self-improvement",
            None,
            None,
            '(ti:"self-improvement" AND abs:"self-improvement")',
            Rule.BOTH,
        ),
        ("hallucinat*", None, None, "(ti:hallucinat* AND abs:hallucinat*)", Rule.BOTH),
        ("MLLM", None, Rule.EITHER, "(ti:mllm OR abs:mllm)", Rule.EITHER),
        ("Reward Model", None, Rule.BOTH, '(ti:"reward model" AND abs:"reward model")', Rule.BOTH),
        ("Reasoning", "reasoning", Rule.TITLE, "ti:reasoning", Rule.TITLE),
        ("RLHF", '"reward model" OR rlhf', None, '(all:"reward model" OR all:rlhf)', Rule.QUERY),
        ("RLHF", "rlhf", Rule.QUERY, "all:rlhf", Rule.QUERY),
        ("(a)", None, None, "all:a", Rule.QUERY),
        (
            "search and rescue",
            None,
            None,
            '(ti:"search and rescue" OR abs:"search and rescue")',
            Rule.EITHER,
        ),
    ],
)
def test_a_plain_keyword_follows_its_rule_and_grammar_makes_a_query(
    name: str, query: str | None, rule: Rule | None, expected: str, used: Rule
) -> None:
    assert make_keyword(name, query, rule) == Keyword(name, expected, used)


def test_names_keep_their_case_and_single_blanks() -> None:
    assert make_keyword("  Reward   Model ").name == "Reward Model"


@pytest.mark.parametrize(
    ("name", "query", "rule", "message"),
    [
        ("", None, None, "needs a name"),
        (" ", "ti:x", None, "needs a name"),
        ("x", " ", None, "empty"),
        ("x" * 201, "ti:x", None, "201 characters"),
        ("a\nb", None, None, "line break"),
        ("a\tb", "ti:x", None, "line break"),
        ("a\u202eb", "ti:x", None, "control character"),
        ("graph neur*", None, None, "single word"),
        ("x", "ti:x", Rule.BOTH, "match: both is for a plain word"),
        ("x", '"x"', Rule.TITLE, "match: title"),
        ("x", "a b", Rule.QUERY, "no operator"),
        ("x", "word " * 300, None, "when written in full"),
    ],
)
def test_a_keyword_that_cannot_be_made_says_why(
    name: str, query: str | None, rule: Rule | None, message: str
) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        make_keyword(name, query, rule)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("keyword", "expected"),
    [
        (make_keyword("Reward Model"), '"reward model" in title or abstract'),
        (make_keyword("MLLM"), "mllm in title and abstract"),
        (make_keyword("halluc*"), "halluc* in title and abstract"),
        (make_keyword("Reward Model", rule=Rule.TITLE), '"reward model" in the title'),
        (make_keyword("x", 'ti:"a b" AND cat:cs.LG'), 'the query ti:"a b" AND cat:cs.LG'),
        (make_keyword("x", "cat:cs.LG"), "the query cat:cs.LG"),
    ],
)
def test_a_keyword_is_described_in_one_phrase(keyword: Keyword, expected: str) -> None:
    assert describe(keyword) == expected


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("learning", "large share"),
        ("ti:model", "large share"),
        ("NLPOR", "'NLP OR'"),
        ("visionANDNOT", "'vision ANDNOT'"),
        ("cat:cs.LL", "not one of arXiv's categories; the nearest"),
        ("cat:hepth AND ti:x", "'hep-th'"),
        ("cat:cs", "cat:cs.*"),
        ("cs.LG", "write cat:cs.LG"),
        ("mllm or hallucination", "write it in capitals"),
        ("a NOT b", "did you mean 'a ANDNOT b'?"),
        ("mllm not hallucination", "did you mean 'mllm ANDNOT hallucination'?"),
        ("NOT b", "to exclude, write what to find before ANDNOT"),
        ("LLM | agents", "did you mean 'LLM OR agents'?"),
        ("reward model || agents", "did you mean '\"reward model\" OR agents'?"),
        ("LLM && agents", "did you mean 'LLM AND agents'?"),
        ("LLM;agent", "write each apart: 'LLM', 'agent'"),
        ("强化学习，大模型", "write each apart: '强化学习', '大模型'"),
        ("LLM、agents", "write each apart: 'LLM', 'agents'"),
        ("LLM, reward model", "write each apart: 'LLM', 'reward model'"),
        ("cs.AI+cs.LG", "for the categories write 'cat:cs.AI OR cat:cs.LG'"),
        ("cs.ai, stat.ml", "for the categories write 'cat:cs.AI OR cat:stat.ML'"),
        (
            "math.AG OR LLM",
            "'math.ag' is searched for as a word; for the category write cat:math.AG",
        ),
        ("C++", "finds every 'C'"),
        ("F #", "finds every 'F'"),
        ("all:electron+AND+proton", "write 'all:electron AND proton'"),
        ("LLM+AND+agents", "write 'LLM AND agents'"),
        ("all:%22reward+model%22", "write 'all:\"reward model\"'"),
    ],
)
def test_lint_says_what_is_probably_not_meant(text: str, part: str) -> None:
    (warning,) = warnings(text)
    assert part in warning


NOTHING_ODD = (
    "mllm|reward model|TENSOR|XOR|OR|cat:cs.* AND ti:x|cat:hep-th|model AND data|a b and||((".split(
        "|"
    )
)
NOTHING_ODD += [
    "R&D",
    "A+ search",
    "Q&A systems",
    "GPT-4 #tags",
    "CP/M",
    "not another word",
    "deep NOTES",
]


@pytest.mark.parametrize("text", NOTHING_ODD)
def test_lint_is_silent_where_nothing_is_odd_or_nothing_can_be_read(text: str) -> None:
    assert warnings(text) == []


def test_two_categories_without_their_field_are_each_warned_about() -> None:
    one, two = warnings("cs.AI OR cs.LG")
    assert "write cat:cs.AI" in one
    assert "write cat:cs.LG" in two


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("f(R) gravity", '"f(R) gravity"'),
        ("ti:SU(2) gauge theory AND x", 'ti:"SU(2) gauge theory"'),
        ("SU(2) OR SU(3)", '"SU(2)"'),
        ("cat:cs.LG+AND+all:electron", "write cat:cs.LG AND all:electron"),
        ("ti:a%20OR%20ti:b", "write ti:a OR ti:b"),
    ],
)
def test_a_refused_query_is_written_out_as_it_was_meant(text: str, meant: str) -> None:
    with pytest.raises(QueryError) as caught:
        make_keyword(text)
    assert caught.value.remedy.endswith(meant)
    make_keyword(meant.removeprefix("write "))
