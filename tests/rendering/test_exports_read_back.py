"""Real papers of arXiv's, written for reference managers, are read back by the programs that those
rest on."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterable
from functools import cache
from itertools import chain

import bibtexparser
import pybtex.database
import pytest
import rispy
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.arxiv.atom import parse_feed
from digest.libraries.files import read_library
from digest.model import Paper
from digest.rendering.export import WRITERS, Record, format_of
from digest.rendering.names import published_in, split_name
from tests.world.shared import shared
from tests.world.worlds import eprint

DOI = "10.48550/arXiv."


@cache
def real_papers() -> tuple[Paper, ...]:
    """Those of the captured answers that have all that arXiv knows of a paper."""
    names = ("q_testing_s0_m100_*", "2016_search_*", "id_*-ph_*", "id_hep-ex_*")
    folder = shared("arxiv/captures/api")
    files = chain.from_iterable(sorted(folder.glob(f"arxivpy_{name}.xml")) for name in names)
    found: dict[str, Paper] = {}
    for paper in chain.from_iterable(parse_feed(file.read_bytes()).papers for file in files):
        found.setdefault(paper.id, paper)
    assert len(found) > 100
    assert sum(bool(paper.doi) for paper in found.values()) > 15
    assert any("/" in name for name in found)
    return tuple(found.values())


def written(wanted: str, papers: Iterable[Paper] = ()) -> str:
    records = (Record(paper, ("A", "B"), None, None) for paper in papers or real_papers())
    return "".join(WRITERS[wanted](records))


def test_pybtex_and_bibtexparser_read_the_same_of_every_paper() -> None:
    # Those with most in them: these readers take their time.
    papers = [
        p for number, p in enumerate(real_papers()) if (p.doi and number % 2) or not number % 12
    ]
    text = written("bibtex", papers)
    by_pybtex = pybtex.database.parse_string(text, "bibtex").entries
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_other = {entry["ID"]: entry for entry in bibtexparser.loads(text).entries}
    assert list(by_pybtex) == list(by_other) == [f"arXiv:{p.id}" for p in papers]
    for paper in papers:
        key = f"arXiv:{paper.id}"
        one, other = by_pybtex[key], by_other[key]
        assert one.fields["doi"] == other["doi"] == f"{DOI}{paper.id}"
        assert one.fields["eprint"] == other["eprint"] == paper.id
        assert len(one.persons["author"]) == len(paper.authors)
        assert (f"doi:{paper.doi.replace('_', chr(92) + '_')}" in other.get("note", "")) is bool(
            paper.doi
        )


def test_rispy_reads_every_paper() -> None:
    read = rispy.loads(written("ris"))
    assert [entry["doi"] for entry in read] == [f"{DOI}{p.id}" for p in real_papers()]
    for paper, entry in zip(real_papers(), read, strict=True):
        assert entry["type_of_reference"] == "UNPB"
        assert entry["id"] == f"arXiv:{paper.id}"
        assert entry["title"] == " ".join(paper.title.split())
        assert len(entry["authors"]) == len(paper.authors)
        assert entry["keywords"] == ["A", "B"]
        assert entry["year"] == f"{paper.published:%Y}"
        assert (not paper.doi) or f"doi:{paper.doi}" in " ".join(entry["notes"])


def test_a_citation_style_cites_every_paper() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from citeproc import (
            Citation,
            CitationItem,
            CitationStylesBibliography,
            CitationStylesStyle,
            formatter,
        )
        from citeproc.source.json import CiteProcJSON

        papers = real_papers()[::4]
        items = json.loads(written("csl", papers))
        source = CiteProcJSON(items)
        style = CitationStylesStyle("harvard-cite-them-right", validate=False)
        listed = CitationStylesBibliography(style, source, formatter.plain)
        for item in items:
            listed.register(Citation([CitationItem(item["id"])]))
        cited = [str(each) for each in listed.bibliography()]
    assert [item["id"] for item in items] == [f"arXiv:{p.id}" for p in papers]
    assert [item["DOI"] for item in items] == [f"{DOI}{p.id}" for p in papers]
    for paper, item, line in zip(papers, items, cited, strict=True):
        # Styles put other quotation marks in the place of straight ones.
        told = re.sub(r"\W", "", item["title"]).casefold()
        assert told in re.sub(r"\W", "", line).casefold()
        assert split_name(paper.authors[0]).family in line
        assert f"{paper.published:%Y}" in line


@pytest.mark.parametrize(
    ("wanted", "name"), [("bibtex", "a.bib"), ("ris", "a.ris"), ("csl", "a.json")]
)
def test_what_was_exported_is_a_library_of_the_same_papers(wanted: str, name: str) -> None:
    reading = read_library(written(wanted).encode(), name)
    assert [entry.arxiv for entry in reading.entries] == [p.id for p in real_papers()]
    assert reading.odd == ()


@settings(deadline=None, max_examples=8)
@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_a_paper_says_an_item_stays_whole(title: str, name: str) -> None:
    paper = eprint(1, title=title, authors=(name, "Ada Example"), abstract=name, comment=title)
    (item,) = json.loads("".join(WRITERS["csl"]([Record(paper, (), None, None)])))
    assert (item["id"], item["DOI"]) == ("arXiv:2611.00001", f"{DOI}2611.00001")
    assert item["author"][-1] == {"family": "Example", "given": "Ada"}
    assert "\n" not in item.get("title", "")


def test_a_list_of_nothing_is_a_list() -> None:
    assert json.loads("".join(WRITERS["csl"]([]))) == []


@pytest.mark.parametrize(
    ("name", "family", "given"),
    [
        ("Ludwig van Beethoven", "van Beethoven", "Ludwig"),
        ("Martin Luther King Jr.", "King Jr.", "Martin Luther"),
        ("The ATLAS Collaboration", "The ATLAS Collaboration", ""),
        ("Smith, J", "Smith, J", ""),
        ("Plato", "Plato", ""),
    ],
)
def test_a_name_is_split_where_that_is_sure(name: str, family: str, given: str) -> None:
    assert split_name(name) == (family, given)


def test_the_dois_are_the_preprints_and_the_publishers() -> None:
    paper = eprint(1, doi="10.1000/x", journal_ref="J. Ex. 1, 2")
    assert paper.arxiv_doi == f"{DOI}2611.00001"
    assert published_in(paper) == "J. Ex. 1, 2, doi:10.1000/x"
    own = eprint(1, doi="10.48550/ARXIV.2611.00001")
    assert published_in(own) == ""


def test_the_longer_ending_counts() -> None:
    assert [format_of(name) for name in ("a.csl.json", "a.JSON", "a.csljson", "a.b.bib", "a")] == [
        "csl", "json", "csl", "bibtex", None,
    ]  # fmt: skip
