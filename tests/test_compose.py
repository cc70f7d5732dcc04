from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.compose import NEW_VERSIONS, compose
from digest.model import Digest, Item, Kind, Order, Subscriber
from tests.samples import ADA, MLLM, NOW, item, mixed_items, paper


def composed(items: list[Item], reader: Subscriber = ADA) -> Digest:
    return compose(items, reader, now=NOW, welcome=False, previous=None, next_at=None)


def outline(digest: Digest) -> dict[str, list[str]]:
    return {section.title: [item.paper.id for item in section.items] for section in digest.sections}


def test_sections_follow_the_readers_keywords_and_new_versions_come_last() -> None:
    digest = composed([item(1, "Hallucination"), item(2, "Reward Model", kind=Kind.REVISED), item(3, "MLLM")])

    assert [section.title for section in digest.sections] == ["MLLM", "Hallucination", NEW_VERSIONS]


def test_a_paper_of_several_keywords_comes_once_under_the_first_with_all_named() -> None:
    digest = composed([item(1, "Hallucination", "MLLM")])

    assert outline(digest) == {"MLLM": ["2611.00001"]}
    assert digest.sections[0].items[0].keywords == ("MLLM", "Hallucination")


def test_names_that_differ_by_case_are_one_and_spelt_as_the_reader_does() -> None:
    reader = replace(ADA, keywords=(*ADA.keywords, replace(MLLM, name="mllm", query="ti:mllm")))
    digest = composed([item(1, "mllm", "Mllm"), item(2, "MLLM")], reader)

    assert outline(digest) == {"MLLM": ["2611.00001", "2611.00002"]}
    assert {item.keywords for item in digest.sections[0].items} == {("MLLM",)}


def test_items_of_one_paper_are_merged_and_new_outweighs_revised() -> None:
    first, again = item(1, "MLLM"), item(1, "Reward Model", kind=Kind.REVISED, version=2)
    digest = composed([again, first])

    (merged,) = digest.sections[0].items
    assert (merged.kind, merged.paper.version, merged.keywords) == (Kind.NEW, 2, ("Reward Model", "MLLM"))
    assert digest.papers == 1


def test_a_paper_whose_keyword_the_reader_dropped_is_not_lost() -> None:
    digest = composed([item(1, "Old Love"), item(2), replace(item(3), keywords=())])

    assert outline(digest) == {
        "Reward Model": ["2611.00002"],
        "Other papers": ["2611.00003"],
        "Old Love": ["2611.00001"],
    }


def test_likeliest_puts_papers_of_several_keywords_first_then_the_newest() -> None:
    items = [item(3), item(4, "Reward Model", "MLLM"), item(1), item(2, "Reward Model", "MLLM")]

    assert outline(composed(items)) == {"Reward Model": ["2611.00002", "2611.00004", "2611.00001", "2611.00003"]}


def test_newest_goes_by_submission_alone_then_by_id() -> None:
    reader = replace(ADA, order=Order.NEWEST)
    same = paper(2).published
    items = [item(4, "Reward Model", "MLLM"), item(3, published=same), item(2), item(1)]

    assert outline(composed(items, reader)) == {
        "Reward Model": ["2611.00001", "2611.00002", "2611.00003", "2611.00004"]
    }


def test_a_new_version_is_placed_by_its_own_submission() -> None:
    items = [
        item(1, kind=Kind.REVISED, version=2, published=NOW - timedelta(days=1), updated=NOW),
        item(2, kind=Kind.REVISED, version=2, published=NOW - timedelta(days=900), updated=NOW + timedelta(1)),
    ]

    assert outline(composed(items)) == {NEW_VERSIONS: ["2611.00002", "2611.00001"]}


def test_late_papers_stand_with_the_new_ones() -> None:
    assert outline(composed([item(1, kind=Kind.LATE), item(2)])) == {"Reward Model": ["2611.00001", "2611.00002"]}


@given(st.permutations(mixed_items()))
def test_the_order_of_the_items_makes_no_difference(items: list[Item]) -> None:
    assert composed(items) == composed(mixed_items())


@pytest.mark.parametrize(
    ("timezone", "day"), [("Pacific/Auckland", date(2026, 11, 24)), ("America/New_York", date(2026, 11, 23))]
)
def test_dates_are_the_readers_own(timezone: str, day: date) -> None:
    evening = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    digest = compose(
        [],
        replace(ADA, timezone=timezone, max_papers=7),
        now=evening,
        welcome=True,
        previous=evening,
        next_at=evening,
        skipped=3,
        quiet="weekend",
        contact="papers@example.org",
    )

    assert (digest.date, digest.previous) == (day, day)
    assert digest.next_at == evening
    assert digest.next_at is not None
    assert digest.next_at.date() == day
    assert (digest.abstracts, digest.skipped, digest.quiet) == (7, 3, "weekend")
    assert digest.welcome
    assert digest.contact == "papers@example.org"


def test_no_items_make_no_sections() -> None:
    assert composed([]).sections == ()
