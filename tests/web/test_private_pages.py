"""What a reader reads by addresses of their own: a digest behind its mail, and a feed of all."""

from __future__ import annotations

import re
from pathlib import Path

import html5lib
import pytest

from digest.mail.reader_tokens import Purpose
from digest.model import Revisions, Roster, Subscriber
from digest.rendering.render import Renderer
from digest.rules.compose import compose
from digest.run.bodies import Bodies
from digest.setup.mail import make_signer
from digest.store.ageing import KEPT
from digest.store.digests import Queued
from tests.web.archive_world import FILE, PUBLIC, RL, SECRET, VISION, Room, reading_room
from tests.web.atom import parsed
from tests.world.worlds import DAY

ADA = Subscriber("ada@example.org", (RL,), name="Ada Lovelace")


def mail(room: Room) -> int:
    """Queue what is due to Ada; returns the content's number."""
    room.store.subscribers.sync(Roster((ADA,), (RL, VISION, SECRET)), room.now)
    due = room.store.digests.reader(ADA.email)
    assert due is not None
    plan = room.store.digests.plan(due, revisions=Revisions.NONE, max_papers=50)
    content = Bodies(room.store, Renderer()).of(compose(plan.items, ADA, now=room.now))
    queued = Queued(plan, room.now, content)
    assert room.store.digests.queue([queued], room.now, "example.org", lambda _: room.now + DAY)
    (row,) = room.store.outbox.entries()
    return room.store.outbox.message(row.id).content


async def test_view_in_browser_shows_the_digest_and_names_no_reader(tmp_path: Path) -> None:
    async with reading_room(tmp_path, FILE) as room:
        content = mail(room)
        signer = make_signer(room.store)
        answer = await room.get(f"/d/{signer.token(Purpose.VIEW, content)}")
        assert answer.status_code == 200
        html5lib.HTMLParser(strict=True).parse(answer.text)
        assert len(re.findall('<h4 |<h3 class="g"|<h3>', answer.text)) >= 20
        assert "Ada Lovelace" not in answer.text
        assert ADA.email not in answer.text
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["cache-control"] == "no-store"
        for ending, count in ((".bib", "@misc{arXiv:"), (".ris", "TY  - UNPB")):
            file = await room.get(f"/d/{signer.token(Purpose.VIEW, content)}{ending}")
            assert f'href="{signer.token(Purpose.VIEW, content)}{ending}"' in answer.text
            assert file.text.count(count) == 20
            assert "reward model" in file.text
            assert ADA.email not in file.text
            assert file.headers["content-disposition"].startswith('attachment; filename="arxiv-20')
            assert file.headers["cache-control"] == "no-store"
            assert (await room.get(f"/d/{signer.token(Purpose.FEED, content)}{ending}")).is_error
        # Nothing else is public, and no other token opens it.
        assert (await room.get("/")).status_code == 404
        for purpose in (Purpose.LEAVE, Purpose.FEED, Purpose.BOUNCE):
            assert (await room.get(f"/d/{signer.token(purpose, content)}")).status_code == 404


@pytest.mark.parametrize("text", [FILE, PUBLIC])
async def test_a_digest_of_long_ago_says_so_and_where_its_papers_are(
    tmp_path: Path, text: str
) -> None:
    async with reading_room(tmp_path, text) as room:
        path = f"/d/{make_signer(room.store).token(Purpose.VIEW, mail(room))}"
        room.store._database.write("UPDATE delivery SET state = 'sent', ended_at = queued_at")
        while room.store.ageing.step(room.now + KEPT + DAY):
            pass
        gone = await room.get(path)
        assert gone.status_code == 410
        assert "This digest is no longer kept" in gone.text
        assert "for 60 days after it was mailed. The mail stays yours" in gone.text
        assert (await room.get(f"{path}a")).status_code == 404
        html5lib.HTMLParser(strict=True).parse(gone.text)
        # The way on, where there is one.
        assert ('href="/index.html"' in gone.text) is (text == PUBLIC)


async def test_a_readers_own_feed_has_what_was_mailed(tmp_path: Path) -> None:
    async with reading_room(tmp_path, FILE) as room:
        mail(room)
        signer = make_signer(room.store)
        path = f"/reader/{signer.token(Purpose.FEED, 1)}.atom"
        answer = await room.get(path)
        feed = parsed(answer.text)
        assert len(feed.entries) >= 20
        assert ADA.email not in answer.text
        again = await room.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304
        assert "private" in again.headers["cache-control"]
        room.store._database.write("UPDATE subscriber SET links = 1")
        assert (await room.get(path)).status_code == 404
        path = f"/reader/{signer.own(Purpose.FEED, 1, 1)}.atom"
        assert (await room.get(path)).status_code == 200
        for token in (
            signer.token(Purpose.VIEW, 1),
            "1-aaaaaaaaaaaaaaaaaaaa",
            "1",
            signer.token(Purpose.FEED, 2),
        ):
            assert (await room.get(f"/reader/{token}.atom")).status_code == 404
