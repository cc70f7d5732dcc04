"""Announcement feeds: bytes become all that was announced or an ArxivError, and a stale or full
feed is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from digest.arxiv.feeds import (
    LIMIT,
    AnnouncementFeed,
    AnnounceType,
    check_announcements,
    parse_announcements,
)
from digest.demo.papers import World
from digest.errors import ArxivError
from tests.world.announcements import Batch, announcement_feed, feed_error
from tests.world.shared import shared

DAY = date(2026, 11, 6)
NOW = datetime(2026, 11, 6, 6, 30, tzinfo=UTC)
WORLD = World(11)
PAPERS = WORLD.papers(30, NOW - timedelta(days=3), NOW)
REVISED = tuple(
    WORLD.revise(paper, NOW) for paper in WORLD.papers(6, NOW - timedelta(days=90), NOW)
)
BATCH = Batch(DAY, PAPERS, REVISED)


def capture(name: str) -> bytes:
    return shared(f"arxiv/captures/rss/{name}").read_bytes()


def refused(body: bytes, **how: str) -> ArxivError:
    with pytest.raises(ArxivError) as caught:
        parse_announcements(body, **how)
    assert caught.value.body == body
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("rss", [False, True])
@pytest.mark.parametrize("name", ["cs.LG", "cs.AI", "stat.ML"])
def test_a_feed_holds_what_was_announced(name: str, rss: bool) -> None:
    feed = parse_announcements(announcement_feed(BATCH, [name], rss=rss))
    assert (feed.names, feed.day, feed.overflows) == ({name.lower()}, DAY, False)
    found = {paper.id: paper for paper in feed.papers}
    for paper in (*PAPERS, *REVISED):
        assert (paper.id in found) == (name in paper.categories)
        if paper.id in found:
            told = found[paper.id]
            kind = ("new", "cross") if paper.version == 1 else ("replace", "replace-cross")
            assert told.kind == kind[paper.categories[0] != name]
            assert (told.version, told.title, told.abstract) == (
                paper.version,
                paper.title,
                paper.abstract,
            )
            assert (told.authors, told.categories, told.doi) == (
                paper.authors,
                paper.categories,
                paper.doi,
            )


def test_captured_rss_feeds_are_read() -> None:
    feed = parse_announcements(
        capture("distill_rss2_csCL_20260427.xml"), content_type="application/rss+xml"
    )
    assert (feed.names, feed.day, len(feed.papers)) == ({"cs.cl"}, date(2026, 4, 27), 3)
    first = feed.papers[0]
    assert first.key == "2604.22002v1"
    assert first.title.startswith("When Cow Urine Cures Constipation on YouTube")
    assert first.abstract.startswith("Social media platforms have become")
    assert first.authors == (
        "Anamta Khan",
        "Ratna Kandala",
        "Deepti",
        "Sheza Munir",
        "Joyojeet Pal",
    )
    check_announcements(feed, names=["cs.CL"], day=date(2026, 4, 27), before=frozenset())


def test_captured_feeds_of_real_days_have_all_kinds() -> None:
    feed = parse_announcements(capture("toseic_neardata_20251017_last_fri.xml"))
    assert (feed.day, len(feed.papers)) == (date(2025, 10, 17), 28)
    assert {paper.kind for paper in feed.papers} == set(AnnounceType)
    assert all(paper.authors and paper.categories and paper.abstract for paper in feed.papers)


def test_a_captured_feed_of_two_days_is_of_the_later() -> None:
    feed = parse_announcements(capture("toseic_neardata_20250205_two_pubdates_mixed.xml"))
    assert {paper.day for paper in feed.papers} == {date(2025, 2, 3), date(2025, 2, 4)}
    assert feed.day == date(2025, 2, 4)


def test_captured_days_without_an_announcement_are_empty_and_believed_so_far() -> None:
    names = [path.name for path in shared("arxiv/captures/rss").glob("*empty*.xml")]
    assert len(names) == 5
    for name in names:
        feed = parse_announcements(capture(name))
        assert (feed.papers, feed.day) == ((), None)
    check_announcements(
        AnnouncementFeed(frozenset({"econ.th"}), ()), names=["econ.TH"], day=DAY, before=frozenset()
    )


def test_a_captured_half_feed_is_refused() -> None:
    assert (
        "not a whole XML document"
        in refused(capture("zotero_atom_csAI_20250820_truncated_4.xml")).message
    )


@pytest.mark.parametrize("rss", [False, True])
def test_every_half_of_a_feed_is_refused(rss: bool) -> None:
    body = announcement_feed(Batch(DAY, PAPERS[:2]), ["cs"], rss=rss)
    for length in range(0, len(body.rstrip()), 7):
        assert refused(body[:length]).transient


@pytest.mark.parametrize("rss", [False, True])
def test_a_feed_error_is_a_refusal_in_arxivs_words(rss: bool) -> None:
    error = refused(feed_error(["cs.XX"], "Bad subject class 'XX'.", DAY, rss=rss))
    assert not error.transient
    assert "Bad subject class 'XX'." in error.message


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (b"oai:arXiv.org:", b"oai:example.org:", "no paper's id"),
        (b"<arxiv:announce_type>new<", b"<arxiv:announce_type>newer<", "no known way"),
        (b"<published>2026", b"<published>two thousand", "no readable date"),
        (b"<title>", b"<headline>", "not a whole"),
        (b"<feed", b"<!DOCTYPE feed [<!ENTITY a 'aa'>]><feed", "document type"),
        (b"<feed", b"<html/><feed", "not a whole"),
    ],
)
def test_what_is_odd_is_refused(old: bytes, new: bytes, words: str) -> None:
    body = announcement_feed(Batch(DAY, PAPERS[:3]), ["cs", "stat"])
    assert words in refused(body.replace(old, new)).message


def test_other_documents_are_refused() -> None:
    assert "web page" in refused(b"<!DOCTYPE html><html></html>").message
    assert "web page" in refused(b"<a><b/></a>", content_type="text/html").message
    assert "not an announcement feed" in refused(b"<rss><item/></rss>").message
    assert refused(b"Rate exceeded.").throttled


def checked(
    batch: Batch, names: str = "cs.LG", day: date = DAY, before: frozenset[str] = frozenset()
) -> str:
    feed = parse_announcements(announcement_feed(batch, ["cs.LG"]))
    errors = []
    try:
        check_announcements(feed, names=[names], day=day, before=before)
    except ArxivError as error:
        errors.append(error)
    return "".join(error.message for error in errors)


def test_a_feed_is_believed_only_as_that_of_its_categories_and_day() -> None:
    assert checked(BATCH) == ""
    assert "sent the feed of cs.lg" in checked(BATCH, names="cs.CL")
    assert "is of 2026-11-06" in checked(BATCH, day=date(2026, 11, 9))


def test_a_stale_feed_is_told_by_what_it_holds_and_not_by_its_date() -> None:
    yesterday = parse_announcements(announcement_feed(BATCH, ["cs.LG"])).keys
    assert "stale" in checked(replace(BATCH, day=DAY), before=yesterday)
    more = replace(PAPERS[0], id="2611.99999", categories=("cs.LG",))
    assert "stale" in checked(Batch(DAY, (*PAPERS, more), REVISED), before=yesterday)
    later = World(12).papers(30, NOW, NOW + timedelta(days=1))
    assert checked(Batch(DAY, (*later, PAPERS[0], PAPERS[1])), before=yesterday) == ""


def test_a_full_feed_is_seen_and_has_lost_its_new_papers() -> None:
    many = tuple(
        replace(REVISED[0], id=f"2601.{number:05d}", categories=("cs.LG",))
        for number in range(LIMIT)
    )
    feed = parse_announcements(announcement_feed(Batch(DAY, PAPERS, many), ["cs.LG"]))
    assert feed.overflows
    assert not [paper for paper in feed.papers if paper.kind == AnnounceType.NEW]
    assert "is full" in checked(Batch(DAY, PAPERS, many))
