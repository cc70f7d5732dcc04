from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from digest.rendering.tex import to_unicode
from tests.world.shared import shared
from tests.world.tex_cases import CASES, UNTOUCHED

PIECES = [
    *r"""
    \ \\ $ $$ { } ^ _ ~ ` `` ' '' - -- --- % & # " \( \) \[ \] \{ \} \$ \% \' \" \~ \^ \c
    \v \H \b \u \o \L \i \alpha
    \frac \sqrt \sqrt[3] \tilde \hat \overline \left \right \left. \big \mathbb \mathcal \cal
    \text \textbf \emph
    \em \it
    \url \href \cite \ref \gls \acp \eg \etal \footnote \unicode \unicode{x07} \unicode{x2014}
    \not \in \leq \times \sum \log \over \choose \binom
    \Oh \color \textcolor \pmod \operatorname* \begin{x} \end{x} \item \foo \, \! C:\a
    """.split(),
    " ", "\n", "a", "n", "x1", "5", "and the", "é", "\u0301", "\x07", "\ud800",
]  # fmt: skip
texts = st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PIECES), max_size=25).map("".join))


def controls(text: str) -> set[str]:
    return {character for character in text if unicodedata.category(character) == "Cc"}


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_real_tex_reads_well(text: str, expected: str) -> None:
    assert to_unicode(text) == expected
    assert to_unicode(expected) == expected


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_no_tex_or_nobody_knows_stays(text: str) -> None:
    assert to_unicode(text) == text
    assert to_unicode(f"Before {text} after") == f"Before {text} after"


@given(texts)
@example(r"\$x$ and \$")
@example("\\$n\\$")
@settings(max_examples=400)
def test_any_text_comes_through_once_and_for_all(text: str) -> None:
    turned = to_unicode(text)
    assert to_unicode(turned) == turned
    assert controls(turned) <= controls(text)


def test_blanks_before_a_link_s_address_change_nothing() -> None:
    assert to_unicode(r"see \href {https://e.org}{us}") == "see us (https://e.org)"
    assert to_unicode(r"$\href {https://e.org}{x}$") == "x (https://e.org)"
    assert to_unicode(r"\href  {a}") == r"\href  {a}"


@given(st.text(st.characters(exclude_characters="\\$`~-"), max_size=80))
def test_text_without_a_sign_of_tex_is_the_same(text: str) -> None:
    assert to_unicode(text) == text


@given(st.text("ab{}^_ 1", max_size=20))
def test_a_formula_with_an_unknown_command_stays_whole(formula: str) -> None:
    text = f"so $\\alpha \\nobody {formula}$ is"
    assert to_unicode(text) == text


@pytest.mark.parametrize(
    "piece",
    r"{ } {{} \textbf{ \frac $ $$ $x \( \[ ` `` `a \sqrt ^ _ $^ \\ ~ - \cite[ \emph{$x_{ {\em \~{ "
    r"\href{a} \alpha_ "
    r"\alpha_{ \c{ $x^{ \Oh{ \text{$ \cal \choose {\over \not \left( $x' C:\a "
    r"\mathbf{\text{ \sqrt{\emph{ \left \big\hat \eg \gls{".split(),
)
@pytest.mark.parametrize("end", ["", "}" * 3_000, "$"])
def test_odd_texts_take_no_longer_than_their_length_warrants(piece: str, end: str) -> None:
    """Half a second is a hundred times what it takes; what is not linear takes minutes at this
    length."""
    text = piece * (8_000 // len(piece)) + end
    begin = time.process_time()
    to_unicode(text)
    assert time.process_time() - begin < 1.5


@pytest.mark.heavy
def test_the_captured_papers_read_well() -> None:
    from bench.tex import MOST_LEFT_OVER, controls, left_over, papers

    texts = list(papers(shared("arxiv")))
    turned = [to_unicode(text) for text in texts]
    assert len(turned) > 18_000
    assert not any(map(controls, turned))
    assert all(to_unicode(text) == text for text in turned)
    assert 100 * sum(bool(left_over(text)) for text in turned) / len(turned) <= MOST_LEFT_OVER
