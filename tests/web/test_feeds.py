"""Feeds as feed readers follow them: each paper once, and a date that moves with versions alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import Item, Kind
from digest.web.feeds import write_feed
from digest.web.listings import Feed
from tests.web.archive_world import ADDRESS, RL, Room, papers, reading_room
from tests.web.atom import faults, parsed
from tests.world.worlds import DAY, MONDAY, eprint


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


WRONG = {
    "no date": ("<updated>", "<updated>x", "B: "),
    "an attribute of nobody's": ('rel="self"', 'rel="self" foo="x"', "B: "),
    "a type that does not fit": ('type="html"', 'type="xhtml"', "B: "),
    "no id": ("<id>https://arxiv.org/abs/2611.00001</id>", "", "B: "),
    "an element of an entry's": (
        "<generator>",
        "<published>2026-11-09T06:00:00Z</published><generator>",
        "B: ",
    ),
    "no author": ("<author><name>", "<contributor><name>", "4.1.1"),
    "a second link": ("<entry>", '<entry><link type="text/html" href="https://e.org"/>', "4.1.1"),
    "a blank in a link": ('href="https://arxiv.org', 'href="https: //arxiv.org', "4.2.6"),
    "a relative id": ("<id>https://arxiv.org/abs/", "<id>", "4.2.6"),
    "a zone that is none": ("Z</updated>", "</updated>", "3.3"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_the_checker_sees_what_is_wrong(fault: str) -> None:
    item = Item(eprint(1, MONDAY), Kind.NEW, ("vision",))
    text = write_feed(ADDRESS, Feed("feed", "Name", "Title", [item], str(UUID(int=1))))
    assert faults(text) == []
    old, new, section = WRONG[fault]
    assert old in text
    spoilt = text.replace(old, new)
    if fault == "no author":
        spoilt = spoilt.replace("</name></author>", "</name></contributor>").replace(
            "</uri></author>", "</uri></contributor>"
        )
    found = faults(spoilt)
    assert any(each.startswith(section) for each in found), found
