from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.keywords.grammar import make_keyword
from digest.model import Digest, Item, Kind, Order, Subscriber
from digest.rules.compose import NEW_VERSIONS, Extras, compose
from tests.world.samples import ADA, MLLM, NOW, item, mixed_items, paper


def composed(items: list[Item], reader: Subscriber = ADA) -> Digest:
    return compose(items, reader, now=NOW)


def outline(digest: Digest) -> dict[str, list[str]]:
    return {section.title: [item.paper.id for item in section.items] for section in digest.sections}


def test_sections_follow_the_readers_keywords_and_new_versions_come_last() -> None:
    digest = composed(
        [item(1, "Hallucination"), item(2, "Reward Model", kind=Kind.REVISED), item(3, "MLLM")]
    )

    assert [section.title for section in digest.sections] == ["MLLM", "Hallucination", NEW_VERSIONS]


def test_a_paper_of_several_keywords_comes_once_under_the_first_with_all_named() -> None:
    digest = composed([item(1, "Hallucination", "MLLM")])

    assert outline(digest) == {"MLLM": ["2611.00001"]}
    assert digest.sections[0].items[0].keywords == ("MLLM", "Hallucination")


@pytest.mark.parametrize(
    ("title", "abstract", "heading"),
    [
        ("BiWM: Interactive World Models", "A diffusion model of video.", "World Model"),
        ("A Study of Video", "A world-model, and then a diffusion model.", "Diffusion Model"),
        ("A Study of Video", "We look into world modelling.", "World Model"),
        ("Diffusion Models as World Models", "Both.", "Diffusion Model"),
        ("Neither", "Nor here.", "Diffusion Model"),
    ],
)
def test_a_paper_stands_under_the_keyword_that_its_title_names_else_its_abstract(
    title: str, abstract: str, heading: str
) -> None:
    names = ("Diffusion Model", "World Model")
    reader = replace(ADA, keywords=tuple(map(make_keyword, names)))
    digest = composed([item(1, *names, title=title, abstract=abstract)], reader)

    assert outline(digest) == {heading: ["2611.00001"]}
    assert digest.sections[0].items[0].keywords[0] == heading
    assert set(digest.sections[0].items[0].keywords) == set(names)


def test_names_that_differ_by_case_are_one_and_spelt_as_the_reader_does() -> None:
    reader = replace(ADA, keywords=(*ADA.keywords, replace(MLLM, name="mllm", query="ti:mllm")))
    digest = composed([item(1, "mllm", "Mllm"), item(2, "MLLM")], reader)

    assert outline(digest) == {"MLLM": ["2611.00001", "2611.00002"]}
    assert {item.keywords for item in digest.sections[0].items} == {("MLLM",)}


def test_items_of_one_paper_are_merged_and_new_outweighs_revised() -> None:
    first, again = item(1, "MLLM"), item(1, "Reward Model", kind=Kind.REVISED, version=2)
    digest = composed([again, first])

    (merged,) = digest.sections[0].items
    assert (merged.kind, merged.paper.version, merged.keywords) == (
        Kind.NEW,
        2,
        ("Reward Model", "MLLM"),
    )
    assert digest.papers == 1


def test_a_paper_whose_keyword_the_reader_dropped_is_not_lost() -> None:
    digest = composed([item(1, "Old Love"), item(2), replace(item(3), keywords=())])

    assert outline(digest) == {
        "Reward Model": ["2611.00002"],
        "Other papers": ["2611.00003"],
        "Old Love": ["2611.00001"],
    }


def test_likeliest_goes_by_title_then_keywords_then_the_readers_favourites_then_the_newest() -> (
    None
):
    reader = replace(ADA, authors=("Noether, Emmy",), categories=("math.*",))
    title = "How Reward-Modelling Ends"
    items = [
        item(10),
        item(8),
        item(7, categories=("math.NT",)),
        item(6, authors=("Emmy Noether",)),
        item(5, "Reward Model", "MLLM"),
        item(4, "Reward Model", "MLLM", "Hallucination"),
        item(3, title=title),
        item(2, title=title),
        item(1, "Reward Model", "MLLM", title=title, published=NOW - timedelta(days=9)),
    ]

    expected = [f"2611.{number:05d}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 10)]
    assert outline(composed(items, reader)) == {"Reward Model": expected}
    assert outline(composed(items[::-1], reader)) == {"Reward Model": expected}


def test_only_the_words_of_the_keywords_that_match_count_in_the_title() -> None:
    items = [
        item(1, title="Loss"),
        item(2, title="Multimodal MLLM"),
        item(3, title="A Preference Model"),
    ]

    assert outline(composed(items)) == {"Reward Model": ["2611.00001", "2611.00002", "2611.00003"]}


def test_a_digest_over_several_announcements_has_the_papers_of_each_by_its_day() -> None:
    monday, friday, before = (
        datetime.fromisoformat(text)
        for text in ("2026-11-19T20:00Z", "2026-11-18T20:00Z", "2026-11-12T20:00Z")
    )
    items = [
        item(1, published=friday),
        item(2, published=monday),
        item(3, kind=Kind.LATE, published=before, updated=before),
        item(4, published=before),
        item(5, "MLLM", kind=Kind.REVISED, published=before, updated=friday),
    ]
    # From after Thursday's announcement to after Sunday's, in arXiv's lists Friday 20 and Monday 23
    # November.
    now, previous = NOW + timedelta(hours=1), datetime.fromisoformat("2026-11-19T07:00Z")
    digest = compose(items, ADA, now=now, extras=Extras(previous=previous))
    days = {
        section.title: [item.announced for item in section.items] for section in digest.sections
    }
    assert days == {
        "Reward Model": [date(2026, 11, 23), date(2026, 11, 20), None, None],
        NEW_VERSIONS: [date(2026, 11, 20)],
    }
    assert outline(digest)["Reward Model"] == [
        "2611.00002",
        "2611.00001",
        "2611.00003",
        "2611.00004",
    ]


def test_a_digest_over_one_announcement_has_no_days() -> None:
    digest = compose([item(1)], ADA, now=NOW, extras=Extras(previous=NOW - timedelta(days=2)))

    assert digest.sections[0].items[0].announced is None


def test_the_only_announcement_that_is_covered_is_no_heading() -> None:
    friday = datetime.fromisoformat("2026-11-20T12:00Z")
    covered = Extras(previous=datetime.fromisoformat("2026-11-20T07:00Z"))
    digest = compose([item(1, published=friday)], ADA, now=NOW + timedelta(hours=1), extras=covered)
    assert digest.sections[0].items[0].announced is None


@pytest.mark.parametrize("welcome", [True, False])
def test_the_first_digest_alone_tells_its_rhythm(welcome: bool) -> None:
    digest = compose([], ADA, now=NOW, extras=Extras(welcome=welcome))
    assert (digest.rhythm is not None) is welcome


def test_newest_goes_by_submission_alone_then_by_id() -> None:
    reader = replace(ADA, order=Order.NEWEST, authors=("Sofia Instance",), categories=("stat.ML",))
    same = paper(2).published
    items = [item(4, "Reward Model", "MLLM"), item(3, published=same), item(2), item(1)]

    assert outline(composed(items, reader)) == {
        "Reward Model": ["2611.00001", "2611.00002", "2611.00003", "2611.00004"]
    }


def test_a_new_version_is_placed_by_its_own_submission() -> None:
    items = [
        item(1, kind=Kind.REVISED, version=2, published=NOW - timedelta(days=1), updated=NOW),
        item(
            2,
            kind=Kind.REVISED,
            version=2,
            published=NOW - timedelta(days=900),
            updated=NOW + timedelta(1),
        ),
    ]

    assert outline(composed(items)) == {NEW_VERSIONS: ["2611.00002", "2611.00001"]}


def test_late_papers_stand_with_the_new_ones() -> None:
    assert outline(composed([item(1, kind=Kind.LATE), item(2)])) == {
        "Reward Model": ["2611.00001", "2611.00002"]
    }


@given(st.permutations(mixed_items()))
def test_the_order_of_the_items_makes_no_difference(items: list[Item]) -> None:
    assert composed(items) == composed(mixed_items())


@pytest.mark.parametrize(
    ("timezone", "day"),
    [("Pacific/Auckland", date(2026, 11, 24)), ("America/New_York", date(2026, 11, 23))],
)
def test_dates_are_the_readers_own(timezone: str, day: date) -> None:
    evening = datetime(2026, 11, 23, 20, 0, tzinfo=UTC)
    digest = compose(
        [],
        replace(ADA, timezone=timezone, max_papers=7),
        now=evening,
        extras=Extras(
            welcome=True,
            previous=evening,
            next_at=evening,
            skipped=3,
            quiet="weekend",
            contact="papers@example.org",
        ),
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
