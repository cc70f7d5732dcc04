"""What `digest status` says of arXiv's services."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.cli.look.status_sources import report_sources, tell_sources
from digest.setup.settings import Settings, load_settings
from digest.store.sources import FeedState
from tests.world.worlds import DAY, MONDAY, World


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"DIGEST_HOME": str(tmp_path)}, environ={}, folder=tmp_path)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "digest.db")
    yield made
    made.close()


def told(world: World, settings: Settings, queries: int = 1) -> list[str]:
    report = report_sources(world.store, settings, queries, MONDAY)
    return list(tell_sources(report))


def test_who_is_asked_and_who_stands_in(world: World, settings: Settings) -> None:
    assert told(world, settings) == [
        "the API (auto); where that fails the announcement feeds, then OAI"
    ]
    assert told(world, settings, 61) == [
        "the announcement feeds (auto); where that fails the API, then OAI"
    ]
    alone = replace(settings, source="api", arxiv_feeds="", arxiv_oai="")
    assert told(world, alone, 1000) == ["the API"]


def test_a_feed_in_trouble_and_what_one_lacked_are_told(world: World, settings: Settings) -> None:
    stale = FeedState(
        "cs.LG",
        MONDAY.date(),
        "tag",
        frozenset({"2611.00001v1"}),
        trouble="the feed of cs.LG is stale",
    )
    world.store.sources.keep_feeds([stale, replace(stale, name="cs.AI", trouble="")], MONDAY)
    world.store.sources.note_lack("feeds", [f"2611.0000{n}" for n in range(7)], MONDAY - DAY)
    world.store.sources.note_lack("api", ["2610.00001"], MONDAY - 31 * DAY)
    lines = told(world, settings)[1:]
    assert lines == [
        "the feed of cs.LG is stale",
        "the announcement feeds lacked in the last 30 days: "
        "2611.00000, 2611.00001, 2611.00002, 2611.00003, 2611.00004 and 2 more",
    ]
    report = report_sources(world.store, settings, 1, MONDAY)
    assert report["chosen"] == "auto"
    assert report["order"] == ["api", "feeds", "oai"]
    assert report["feeds"][0] == {"name": "cs.AI", "day": "2026-11-09", "trouble": ""}
    assert list(report["lacked"]) == ["feeds"]
    assert world.store.sources.lacks(MONDAY + timedelta(days=1)) == {}
