"""Libraries in the forms in which real programs write them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.library import read_library
from digest.library.bibtex import MOST_EXPANDED

FORMS = {
    "jabref": (
        "% Encoding: UTF-8\n\n@Article{Doe2020,\n  author = {Doe, A.},\n  title  = {One},\n"
        "  eprint = {2001.00001v2},\n  eprinttype = {arxiv},\n}\n\n"
        "@Comment{jabref-meta: databaseType:bibtex;}\n",
        ("One", "2001.00001"),
    ),
    "scholar": (
        "@article{doe2020one,\n  title={One},\n  journal={arXiv preprint arXiv:2001.00001},\n"
        "  year={2020}\n}",
        ("One", "2001.00001"),
    ),
    "dblp": (
        "@article{DBLP:journals/corr/abs-2001-00001,\n  title        = {One},\n"
        "  journal      = {CoRR},\n  volume       = {abs/2001.00001},\n}",
        ("One", "2001.00001"),
    ),
    "mendeley": (
        "@article{Doe2020,\narchivePrefix = {arXiv},\narxivId = {2001.00001},\ntitle = {{One}}\n}",
        ("{One}", "2001.00001"),
    ),
    "inspire": (
        '@article{Doe:2020,\n    title = "{One}",\n    eprint = "hep-th/9901001",\n'
        '    archivePrefix = "arXiv"\n}',
        ("{One}", "hep-th/9901001"),
    ),
    "ads": (
        '@ARTICLE{2020arXiv,\n       title = "{One}",\n     journal = {arXiv e-prints},\n'
        "archivePrefix = {arXiv},\n       eprint = {2001.00001},\n        year = 2020,\n}",
        ("{One}", "2001.00001"),
    ),
    "better-bibtex": (
        "@misc{one,\n  title = {One},\n  number = {arXiv:2001.00001},\n"
        "  publisher = {arXiv},\n  doi = {10.48550/arXiv.2001.00001}\n}",
        ("One", "2001.00001"),
    ),
    "endnote": (
        "TY  - JOUR\r\nTI  - One\r\nUR  - https://arxiv.org/abs/2001.00001v1\r\nER  - \r\n",
        ("One", "2001.00001"),
    ),
    "scopus": ("TY  - JOUR\nT1  - One\nAB  - Of it\nDO  - 10.1/a\nER  -\n", ("One", "")),
    "pubmed": ("\nPMID- 1\nTI  - One\n      and more\nAB  - Of it\n", ("One and more", "")),
    "csl": (
        '[{"id": "one", "title": "<i>One</i>", "number": "arXiv:2001.00001"}]',
        ("One", "2001.00001"),
    ),
    "ids": ("https://arxiv.org/pdf/2001.00001v3 # one\n", ("", "2001.00001")),
}


@pytest.mark.parametrize("form", FORMS)
def test_real_forms_are_read_without_loss(form: str) -> None:
    text, expected = FORMS[form]
    for data in (text.encode(), text.encode("utf-8-sig"), text.encode("utf-16")):
        reading = read_library(data, "library")
        assert [(entry.title, entry.arxiv) for entry in reading.entries] == [expected]
        assert not reading.odd


def test_what_is_formed_strangely_is_named_and_kept() -> None:
    text = (
        '@string{v = "Venue"}\n@article{open, title={One\n@misc{, title={Two}}\n'
        "@misc{untitled, year=2020}\n@inproceedings{kid, crossref={dad}}\n"
        "@proceedings{dad, title=v # { 2020}}\n@misc{last, title={Five}"
    )
    reading = read_library(text.encode(), "a.bib")
    assert [entry.title for entry in reading.entries] == [
        *("One", "Two", "Venue 2020", "Venue 2020", "Five")
    ]
    assert [odd.line for odd in reading.odd] == [2, 4, 7]
    assert read_library("@a{b, title={Gödel}}".encode("latin-1"), "a.bib").entries[0].title


@settings(max_examples=50, deadline=None)
@given(
    st.text(alphabet='@a{}(),="# \n\\#TY-[]:0', max_size=200),
    st.sampled_from(["bib", "ris", "json"]),
)
def test_whatever_a_file_holds_it_is_read_to_its_end(text: str, end: str) -> None:
    read_library(text.encode(), f"x.{end}")


def test_abbreviations_that_double_each_other_stay_small() -> None:
    text = '@string{a0="xxxxxxxxxx"}' + "".join(
        f"@string{{a{n + 1}=a{n} # a{n}}}" for n in range(60)
    )
    (entry,) = read_library(f"{text}@misc{{k, title=a60 # {{T}}}}".encode(), "a.bib").entries
    assert len(entry.title) <= MOST_EXPANDED
