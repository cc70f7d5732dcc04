"""Feeds as feed readers follow them: each paper once, and a date that moves with versions alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import feedparser
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Item, Kind
from digest.web.feeds import write_feed
from digest.web.listings import Feed
from tests.web.archive_world import ADDRESS, RL, Room, papers, reading_room
from tests.world.worlds import DAY, MONDAY, eprint

REQUIRED = {"id", "title", "updated", "author", "link"}


def parsed(text: str) -> Any:
    feed = feedparser.parse(text.encode())
    assert not feed.bozo, feed.bozo_exception
    assert feed.version == "atom10"
    assert feed.feed.keys() >= {"id", "title", "updated", "author"}
    for entry in feed.entries:
        assert entry.keys() >= REQUIRED
    return feed


async def follow(room: Room, path: str) -> dict[str, str]:
    """The dates of a feed's entries by their ids."""
    feed = parsed(await room.page(path))
    dates = {entry.id: entry.updated for entry in feed.entries}
    assert len(dates) == len(feed.entries)
    return dates


async def test_a_reader_of_a_feed_sees_each_paper_once_and_new_versions_as_such(
    tmp_path: Path,
) -> None:
    async with reading_room(tmp_path) as room:
        first = await follow(room, "/keyword/reward-model.atom")
        room.record(room.now + DAY, RL, *papers(300, 4, room.now + DAY))
        second = await follow(room, "/keyword/reward-model.atom")
        assert len(second.keys() - first.keys()) == 4
        assert first.items() <= second.items()
        newer = replace(papers(200, 1, room.now)[0], version=2, updated=room.now + 2 * DAY)
        room.record(room.now + 2 * DAY, RL, newer)
        third = await follow(room, "/keyword/reward-model.atom")
        assert third.keys() == second.keys()
        moved = {paper for paper in third if third[paper] != second[paper]}
        assert moved == {"https://arxiv.org/abs/2611.00200"}


async def test_the_feed_of_all_has_the_newest_of_each_keyword(tmp_path: Path) -> None:
    async with reading_room(tmp_path, DIGEST_BASE_URL=ADDRESS) as room:
        text = await room.page("/feed.atom")
        feed = parsed(text)
        assert len(feed.entries) == 30 + 2 + 3
        assert "Secret" not in text
        assert feed.feed.id == f"{ADDRESS}/feed.atom"
        assert [link.rel for link in feed.feed.links] == ["self", "alternate"]
        (shared,) = (entry for entry in feed.entries if entry.link.endswith("2611.00100v1"))
        assert {tag.term for tag in shared.tags} == {"cs.LG", "reward model", "vision"}
        one = parsed(await room.page("/keyword/vision.atom"))
        assert one.feed.id == f"{ADDRESS}/keyword/vision.atom"
        assert {tag.term for tag in one.entries[0].tags} >= {"cs.LG", "vision"}


@given(title=st.text(), abstract=st.text(), author=st.text(), name=st.text())
@settings(max_examples=20)
def test_whatever_a_paper_says_the_feed_is_whole(
    title: str, abstract: str, author: str, name: str
) -> None:
    paper = eprint(1, MONDAY, title=title, abstract=abstract, authors=(author,), comment=name)
    item = Item(paper, Kind.NEW, (name,))
    text = write_feed("", Feed("feed", name, title, [item], str(UUID(int=1))))
    (entry,) = parsed(text).entries
    assert entry.id == "https://arxiv.org/abs/2611.00001"
    assert datetime.fromisoformat(entry.updated) == MONDAY.astimezone(UTC)
