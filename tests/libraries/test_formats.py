"""Libraries in the forms in which real programs write them."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.libraries import Entry, read_library
from digest.libraries.bibtex import MOST_EXPANDED
from digest.run.papers_of_library import papers_of

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


CASES = {
    "mendeley with files and escapes": (
        "@article{Doe2020,\narchivePrefix = {arXiv},\narxivId = {2001.00002},\nauthor = {Doe,"
        " Ren{\\'{e}}},\nfile = {:C$\\backslash$:/Users/d/Doe - 2020 - One.pdf:pdf},\n"
        "doi = {10.1007/978-3-662-00000-6{\\_}26},\nmendeley-groups = {A,A/B},\n"
        "title = {{One of {\\&} Two}}\n}\n@phdthesis{roe,\ntitle = {{Two}}\n}\n",
        "bib",
        [("{One of {\\&} Two}", "2001.00002", "10.1007/978-3-662-00000-6_26"), ("{Two}", "", "")],
    ),
    "inspire of long ago": (
        '@article{Doe:2016,\n      author         = "Doe, J. and Roe, R. and\n'
        '                        Poe, P.",\n      title          = "{One of a long\n'
        '                        title}",\n      eprint         = "1602.00001",\n'
        '      archivePrefix  = "arXiv",\n      primaryClass   = "gr-qc",\n'
        '      SLACcitation   = "%%CITATION = ARXIV:1602.00001;%%"\n}\n',
        "bib",
        [("{One of a long title}", "1602.00001", "")],
    ),
    "ads with macros of journals": (
        "@ARTICLE{2018ApJ...1....1D,\n       author = {{Doe}, J. and {Roe}, R.},\n"
        '        title = "{One in Clusters}",\n      journal = {\\apj},\n         year = 2018,\n'
        "        month = sep,\n          eid = {94},\narchivePrefix = {arXiv},\n"
        "       eprint = {1804.00001},\n primaryClass = {astro-ph.GA},\n}\n",
        "bib",
        [("{One in Clusters}", "1804.00001", "")],
    ),
    "bibdesk with groups": (
        "%% This BibTeX bibliography file was created using BibDesk.\n%% Saved with string"
        " encoding Unicode (UTF-8) \n\n@article{one,\n\tauthor = {A. Doe},\n\ttitle = {One},\n"
        "\tbdsk-url-1 = {https://arxiv.org/abs/2001.00001}}\n\n@book{two,\n\tTitle = {Two}}\n\n"
        '@comment{BibDesk Static Groups{\n<?xml version="1.0"?>\n<plist><array/></plist>\n}}\n',
        "bib",
        [("One", "", ""), ("Two", "", "")],
    ),
    "better biblatex": (
        "@online{doeOne2020,\n  title = {One {{Model}} of Nets},\n  author = {Doe, Jane},\n"
        "  date = {2020-01-02},\n  eprint = {2001.00001},\n  eprinttype = {arxiv},\n"
        "  eprintclass = {cs},\n  url = {http://arxiv.org/abs/2001.00001},\n"
        "  file = {,.\\;'[]\\{\\}`-=~!@#$%^&()_+.pdf:a/b.pdf:application/pdf},\n"
        "  abstract = {We show \\$O(n\\^{}2)\\$ at 50\\%.}\n}\n",
        "bib",
        [("One {{Model}} of Nets", "2001.00001", "")],
    ),
    "semantic scholar": (
        "@article{Doe2020OneOM,\n  title={One of Many},\n  author={Jane Doe},\n"
        "  journal={ArXiv},\n  year={2020},\n  volume={abs/2001.00001},\n"
        "  url={https://api.semanticscholar.org/CorpusID:1}\n}",
        "bib",
        [("One of Many", "2001.00001", "")],
    ),
    "by hand, with what is left out": (
        "@article{Doe et al 2020, title={One}\n year={2020}}\n@misc{a, title={Two}, url={x},"
        " url={y}\n\n@misc{b, title={Three}}\n% @misc{c, title={Four}}\n@misc(d, title={Five})\n",
        "bib",
        [(title, "", "") for title in ("One", "Two", "Three", "Four", "Five")],
    ),
    "endnote's notes on several lines": (
        "\ufeffTY  - JOUR\r\nAD  - A Room, A Town\r\nJ. Doe, Another Room\r\nDO  - 10.1000/a\r\n"
        "KW  - one\r\ntwo\r\nTI  - One\r\nN1  - L1\r\n2024-04-01\r\nER  - \r\n\r\n"
        "TY  - GEN\r\nTI  - Two\r\nER  - \r\n",
        "ris",
        [("One", "", "10.1000/a"), ("Two", "", "")],
    ),
    "databases that say which record comes": (
        "Record #1 of 2\nProvider: A Library\nContent: text/plain\n1.\nTY  - JOUR\n"
        "T1  - One\nER  - \n\nRecord #2 of 2\n2.\nTY - JOUR\nT1 - Two\nER -\n",
        "ris",
        [("One", "", ""), ("Two", "", "")],
    ),
    "scripts that put PubMed's number into RIS": (
        "TY  - JOUR\nDO  - 10.1000/a\nPMID  - 3\nT1  - One\nER  - \n",
        "ris",
        [("One", "", "10.1000/a")],
    ),
    "zotero's ris": (
        "TY  - UNPB\nTI  - One\nAU  - Doe, Jane\nAB  - Of it\nDO  - 10.48550/arXiv.2001.00001\n"
        "DP  - arXiv.org\nPB  - arXiv\nUR  - http://arxiv.org/abs/2001.00001\nM1  - arXiv:2001."
        "00001\nKW  - Learning\nER  - \n",
        "ris",
        [("One", "2001.00001", "10.48550/arXiv.2001.00001")],
    ),
    "csl of doi.org": (
        '[{"type": "journal-article", "title": ["One"], "DOI": "10.1000/a"},'
        '{"type": "posted-content", "title": "Two", "archive": "arXiv", "archive_location":'
        ' "2001.00002"}, {"title": [], "archive": "arXiv", "archive_location": "2001.00003"}]',
        "json",
        [("One", "", "10.1000/a"), ("Two", "2001.00002", ""), ("", "2001.00003", "")],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_programs_and_people_write_besides_is_read_without_loss(case: str) -> None:
    text, end, expected = CASES[case]
    reading = read_library(text.encode(), f"library.{end}")
    assert [(entry.title, entry.arxiv, entry.doi) for entry in reading.entries] == expected
    assert bool(reading.odd) == (case == "by hand, with what is left out")


def cost(count: int) -> float:
    """Seconds of the processor for texts that some reader was slow in."""
    began = process_time()
    for text, name in (
        ("TY  - JOUR\nAB  - x\n" + "y\n" * count, "x.ris"),
        ('@article{a, title="' * count, "x.bib"),
        ("@article{a, title={T" + " " * count + "x", "x.bib"),
        ("@article{" + " " * count + "x", "x.bib"),
        ("@a{" * count, "x.bib"),
    ):
        read_library(text.encode(), name)
    assert len(papers_of(Entry(title=f"T{n}", key="k") for n in range(count // 4))) == count // 4
    return process_time() - began


def test_what_is_hostile_costs_time_by_its_length() -> None:
    few = cost(1_000)
    assert cost(30_000) < 150 * max(few, 0.01), "thirty times as long; by the square, 900 times"


def test_abbreviations_that_double_each_other_stay_small() -> None:
    text = '@string{a0="xxxxxxxxxx"}' + "".join(
        f"@string{{a{n + 1}=a{n} # a{n}}}" for n in range(60)
    )
    (entry,) = read_library(f"{text}@misc{{k, title=a60 # {{T}}}}".encode(), "a.bib").entries
    assert len(entry.title) <= MOST_EXPANDED
