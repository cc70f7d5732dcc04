"""OAI-PMH answers: bytes become one whole page of records, or an ArxivError that says what to
do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from digest.arxiv.oai import TokenExpiredError, parse_records
from digest.demo.papers import World
from digest.errors import ArxivError
from tests.world.announcements import oai_error, oai_page, oai_sets
from tests.world.shared import shared

DAY = date(2026, 11, 6)
NOW = datetime(2026, 11, 6, 6, 30, tzinfo=UTC)
WORLD = World(13)
PAPERS = WORLD.papers(20, NOW - timedelta(days=3), NOW)
RECORDS = [(paper, DAY) for paper in (*PAPERS, WORLD.revise(PAPERS[0], NOW))]


def capture(name: str) -> bytes:
    return shared(f"arxiv/captures/oai/mikesaelim_{name}.xml").read_bytes()


def refused(body: bytes) -> ArxivError:
    with pytest.raises(ArxivError) as caught:
        parse_records(body)
    assert caught.value.body == body
    assert "\n" not in str(caught.value)
    return caught.value


def test_a_captured_page_is_read_with_all_versions_dates() -> None:
    page = parse_records(capture("SampleListRecordsResponse"), content_type="text/xml")
    assert (page.token, page.total, page.deleted) == ("726959|1001", 58011, ())
    first = page.records[0].paper
    assert (first.id, first.version, page.records[0].datestamp) == (
        "0704.0471",
        1,
        date(2014, 11, 18),
    )
    assert first.published == first.updated == datetime(2007, 4, 3, 22, 4, 11, tzinfo=UTC)
    assert first.title.endswith("equation of state: A Dynamical and Statistical model perspective")
    assert first.authors == ("D.V. Shetty", "S.J. Yennello", "G.A. Souliotis")
    assert first.categories == ("nucl-ex", "nucl-th")
    assert first.comment == "16 pages, 14 figures"
    assert first.doi == "10.1103/PhysRevC.76.024606"
    second = next(record.paper for record in page.records if record.paper.version > 1)
    assert second.published < second.updated


def test_what_the_stand_in_tells_is_what_it_was_given() -> None:
    page = parse_records(oai_page(RECORDS, token="a|b", cursor=0, total=99))
    assert [record.paper for record in page.records] == [paper for paper, _ in RECORDS]
    assert {record.datestamp for record in page.records} == {DAY}
    assert (page.token, page.total) == ("a|b", 99)
    last = parse_records(oai_page(RECORDS[:3], token="", cursor=96, total=99))
    assert (last.token, len(last.records)) == ("", 3)


def test_an_empty_day_is_no_error() -> None:
    page = parse_records(
        oai_error("noRecordsMatch", "The combination of arguments results in an empty list")
    )
    assert (page.records, page.token) == ((), "")


def test_captured_errors_are_raised_although_their_status_is_200() -> None:
    assert not refused(capture("ErrorResponseBadArgument")).transient
    assert "badVerb" in refused(capture("SampleErrorResponse")).message
    assert isinstance(refused(capture("ErrorResponseBadResumptionToken")), TokenExpiredError)


def test_a_set_that_does_not_exist_is_no_empty_day() -> None:
    error = refused(capture("ErrorResponseNoRecordsMatch"))
    assert "no such set" in error.message
    assert not error.transient


def test_other_formats_and_lists_are_refused() -> None:
    harvest = shared(
        "arxiv/captures/oai/scrapi_ListRecords_oai_dc_20141224_20141225.xml"
    ).read_bytes()
    assert "format arXivRaw" in refused(harvest).message
    assert "no list of records" in refused(capture("SampleGetRecordResponse")).message
    assert "not an OAI-PMH document" in refused(b"<feed/>").message


def test_deleted_records_are_told_apart() -> None:
    body = oai_page(RECORDS[:2], token="", cursor=0, total=2)
    gone = body.replace(b"<header>", b'<header status="deleted">', 1)
    page = parse_records(gone)
    assert page.deleted == (RECORDS[0][0].id,)
    assert [record.paper for record in page.records] == [RECORDS[1][0]]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"oai:arXiv.org:", b"oai:example.org:", "no paper's id"),
        (b'version="v1"', b'version="one"', "without number or date"),
        (b"<date>", b"<date>some day or other, ", "without number or date"),
        (b"<authors>", b"<authors/><writers>", "not a whole"),
        (b"<datestamp>2026", b"<datestamp>soon", "no readable datestamp"),
        (b"<header>", b"<head/><header>", ""),
        (b"<ListRecords>", b"<ListRecords/><x>", "not a whole"),
    ],
)
def test_what_is_odd_is_refused(old: bytes, new: bytes, words: str) -> None:
    body = oai_page(RECORDS[:2], token="", cursor=0, total=2).replace(old, new)
    if words:
        assert words in refused(body).message
    else:
        assert len(parse_records(body).records) == 2


def test_missing_parts_and_empty_lists_are_refused() -> None:
    nobody = replace(PAPERS[0], authors=(",",))
    assert "no authors" in refused(oai_page([(nobody, DAY)], token="", cursor=0, total=1)).message
    assert (
        "no title"
        in refused(
            oai_page([(replace(PAPERS[0], title=""), DAY)], token="", cursor=0, total=1)
        ).message
    )
    assert "without records" in refused(oai_page([], token="", cursor=0, total=0)).message


def test_every_half_of_a_page_is_refused() -> None:
    body = oai_page(RECORDS[:2], token="", cursor=0, total=2)
    for length in range(0, len(body.rstrip()), 7):
        assert refused(body[:length]).transient


def test_sets_are_those_of_arxiv() -> None:
    paper = replace(PAPERS[0], categories=("cs.AI", "hep-th", "astro-ph.CO"))
    assert {"cs", "cs:cs:AI", "physics", "physics:hep-th", "physics:astro-ph"} <= oai_sets(
        paper
    ) | {"cs:cs:AI"}
