"""The links beside the papers of a mail, as link scanners and readers meet them."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from digest.mail.reader_tokens import Purpose, Signer
from digest.model import Roster
from digest.setup.mail import make_signer
from digest.store import Store, open_store
from digest.store.database import Database
from digest.store.papers import write_paper
from digest.web.database_thread import DatabaseThread
from tests.web.archive_world import make_gateway
from tests.world.worlds import MONDAY, eprint, reader

ADA = "ada@example.org"
PAPERS = eprint(1, title="On <b>$\\alpha$</b> & more"), eprint(2)


@dataclass
class Web:
    """The pages of a database in which delivery 1, which is Ada's, has offered papers 2 and 1, and
    delivery 2 nothing."""

    client: httpx.AsyncClient
    store: Store
    signer: Signer

    def link(self, number: int | str, delivery: int = 1) -> str:
        return f"/u/{self.signer.token(Purpose.LIKE, delivery)}/{number}"

    def liked(self) -> list[str]:
        return list(self.store.preferences.liked(1))

    async def press(self, link: str, button: str = "like") -> httpx.Response:
        return await self.client.post(link, data={"button": button})


def offer(path: Path) -> None:
    with contextlib.closing(Database.open(path)) as database, database.transaction():
        for paper in PAPERS:
            write_paper(database, paper)
        for number, places in ((1, (2, 1)), (2, (0, 0))):
            database.write("INSERT INTO content(key, subject) VALUES(?, '')", [str(number)])
            database.write_many(
                """INSERT INTO content_paper(content, paper, version, revised, number)
                   VALUES(?, ?, 1, 0, ?)""",
                [[number, p.id, place] for p, place in zip(PAPERS, places, strict=True)],
            )
            database.write(
                """INSERT INTO delivery(subscriber, slot, content, message_id, queued_at, from_seq,
                       next_at) VALUES(1, :n, :n, :n, :at, 0, :at)""",
                {"n": number, "at": MONDAY},
            )


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Web]:
    path = tmp_path / "digest.db"
    with open_store(path) as store, contextlib.closing(DatabaseThread(path)) as database:
        readers = (reader(ADA, "Reasoning"),)
        store.subscribers.sync(Roster(readers, readers[0].keywords), MONDAY)
        offer(path)
        transport = httpx.ASGITransport(make_gateway(store, database))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            yield Web(client, store, make_signer(store))


def buttons(answer: httpx.Response) -> list[str]:
    return re.findall(r'<button type="submit" name="button" value="([^"]+)">', answer.text)


async def test_looking_changes_nothing_and_a_press_likes(web: Web) -> None:
    for _ in range(2):
        asked = await web.client.get(web.link(2))
        assert (await web.client.head(web.link(2))).status_code == asked.status_code == 200
        assert "<p>On &lt;b&gt;α&lt;/b&gt; &amp; more</p>" in asked.text
        assert asked.headers["cache-control"] == "no-store"
        assert ADA not in asked.text
    assert buttons(asked) == ["like"]
    assert web.liked() == []
    pressed = await web.press(web.link(2))
    assert "Noted: more like this" in pressed.text
    assert web.liked() == [PAPERS[0].id]
    assert buttons(await web.client.get(web.link(2))) == buttons(pressed) == ["undo"]
    back = await web.press(web.link(2), "undo")
    assert "Taken back" in back.text
    assert buttons(back) == web.liked() == []


async def test_nothing_but_the_pages_own_button_likes(web: Web) -> None:
    forms = {"content-type": "application/x-www-form-urlencoded"}
    posts = [
        web.client.post(web.link(1), data={"List-Unsubscribe": "One-Click"}),
        web.client.post(web.link(1), files={"button": (None, b"like")}),
        web.client.post(web.link(1), data={"button": "leave"}),
        web.client.post(web.link(1), data={"button": "undo"}),
        web.client.post(web.link(1), content=b"x" * 200 + b"&button=like", headers=forms),
        web.client.post(web.link(1)),
    ]
    for post in posts:
        assert (await post).status_code == 200
    assert web.liked() == []
    assert web.store.suppressions.all() == []


async def test_a_number_of_no_paper_leads_nowhere(web: Web) -> None:
    for number in ("0", "3", "-1", "1x", "00001", "9" * 5000, "", "1/1", "%C2%B9"):
        assert (await web.client.get(web.link(number))).status_code == 404
        assert (await web.press(web.link(number))).status_code == 404
    assert web.liked() == []


async def test_no_other_token_likes_and_that_of_a_mail_leaves_nobody(web: Web) -> None:
    for purpose in (Purpose.LEAVE, Purpose.BOUNCE):
        link = f"/u/{web.signer.token(purpose, 1)}/1"
        assert (await web.press(link)).status_code == 404
    for delivery in (2, 3):  # one that offered nothing, and none
        answer = await web.press(web.link(1, delivery))
        assert (answer.status_code, "two months" in answer.text) == (404, True)
    leave = f"/u/{web.signer.token(Purpose.LIKE, 1)}"
    assert (await web.client.post(leave)).status_code == 404
    assert web.liked() == []
    assert web.store.suppressions.all() == []
