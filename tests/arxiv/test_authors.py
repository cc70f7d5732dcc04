"""One line of authors becomes names; TeX's accents become Unicode."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.arxiv.authors import split_authors
from digest.keywords.accents import decode_accents
from tests.world.shared import shared


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r"Paulo Andr\'e Lima de Castro", "Paulo André Lima de Castro"),
        (r"G\'er\^ome Bovet", "Gérôme Bovet"),
        (r"Deniz G\"und\"uz", "Deniz Gündüz"),
        (r"Nikola Jovanovi\'c", "Nikola Jovanović"),
        (r"H{\o}vik", "Høvik"),
        (r"S\o ren \O{}stergaard \L ukasz", "Søren Østergaard Łukasz"),
        (r"Mart\'{\i}n, Mart{\'\i}n, Mart\'\i{}n", "Martín, Martín, Martín"),
        (r"\v{S}imon \v Capek \c{c} \k{a} \H{o} \r{a} \u g", "Šimon Čapek ç ą ő å ğ"),
        (r"Gau{\ss} and \AA ngstr\"{o}m", "Gauß and Ångström"),
        (r"a bound of $\d x$ and \ell for Poincar\'e", r"a bound of $\d x$ and \ell for Poincaré"),
        (r"nothing \textbf{here} \ \\ \', \"", r"nothing \textbf{here} \ \\ \', \""),
    ],
)
def test_accents(written: str, read: str) -> None:
    assert decode_accents(written) == read


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Chunhua Liu, Sukai Huang", ["Chunhua Liu", "Sukai Huang"]),
        (
            "D.V. Shetty, S.J. Yennello, and G.A. Souliotis",
            ["D.V. Shetty", "S.J. Yennello", "G.A. Souliotis"],
        ),
        ("Valeria M. Rosa and Patricio S. letelier", ["Valeria M. Rosa", "Patricio S. letelier"]),
        ("Ratna Kandala,  Deepti, Sheza Munir", ["Ratna Kandala", "Deepti", "Sheza Munir"]),
        (r"T. A. Bach (DNV, H{\o}vik, Norway), A. Babic (DNV, Norway)", ["T. A. Bach", "A. Babic"]),
        ("A. Lie (1), B. Bo (1 and 2) ((1) Oslo, (2) Bergen, Norway)", ["A. Lie", "B. Bo"]),
        (
            "Sammy Davis, Jr., Henry Ford III and Ann Andersen",
            ["Sammy Davis, Jr.", "Henry Ford III", "Ann Andersen"],
        ),
        ("A. Lie (Oslo, B. Bo", ["A. Lie Oslo", "B. Bo"]),
        ("", []),
        (" , and ", []),
        ("NVIDIA, :, Ada Smith", ["NVIDIA", "Ada Smith"]),
    ],
)
def test_names(line: str, names: list[str]) -> None:
    assert list(split_authors(line)) == names


@pytest.mark.parametrize(
    "line",
    ["(" * 100_000, "(" * 100_000 + ")" * 100_000, " " * 200_000, "(a" * 66_000, ") " * 99_000],
)
def test_a_long_line_takes_no_longer_than_its_length(line: str) -> None:
    """By the square of it, each of these would take minutes."""
    assert len(split_authors(line)) <= 1


def test_captured_lines_hold_no_affiliation_and_no_accent_afterwards() -> None:
    lines = 0
    for path in shared("arxiv/captures/rss").glob("*.xml"):
        for line in re.findall(r"<(?:dc:)?creator>([^<]+)<", path.read_text()):
            lines += 1
            names = split_authors(line.replace("&quot;", '"'))
            assert names
            assert not [name for name in names if re.search(r"[\\(){},]|^\W|Norway", name)]
    assert lines > 100


@given(st.text(st.sampled_from("ab é\\'\"{}$^(),;ijovHc and")))
def test_any_line_is_read(line: str) -> None:
    assert all(name == name.strip() and name for name in split_authors(line))
    decode_accents(line)
