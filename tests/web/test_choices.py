"""The page of a reader's choices, and what the mailed second link opens."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from digest.errors import ConfigError
from digest.mail.reader_tokens import Purpose
from digest.setup.settings import survey_settings
from digest.store import Store
from digest.subscribers.book import Book, fields_of
from digest.subscribers.load import follow_file
from digest.web import readers
from digest.web.forms import stamp
from tests.world.web_side import BASE, WebSide, web_side
from tests.world.worlds import DAY, HOUR, eprint, text

ADA, EVE = "ada@example.org", "eve@example.org"
FIELDS = {
    "keywords": "all:diffusion",
    "timezone": "UTC",
    "order": "likeliest",
    "abstracts": "full",
    "revisions": "false",
    "at": "",
    "feedback": "false",
    "paused_until": "",
    "button": "save",
}


@pytest.fixture
async def side(tmp_path: Path) -> Iterator[WebSide]:  # type: ignore[misc]
    with web_side(tmp_path) as side:
        signup = follow_file(side.settings.subscribers).sign_up(
            EVE, {"keywords": ["all:diffusion"]}
        )
        assert side.store.signups.sign_up(signup, side.now)
        side.arxiv.announce("diffusion", eprint(1, side.now - HOUR))
        side.arxiv.announce("Reasoning", eprint(2, side.now - HOUR))
        await side.run()
        yield side


def entry(side: WebSide) -> dict[str, object]:
    found = side.store.signups.of(EVE)
    assert found is not None
    return dict(fields_of(found))


def suppressed(store: Store) -> list[str]:
    return [one.address for one in store.suppressions.all()]


async def test_a_change_is_told_in_the_next_digest_and_taken_back_by_its_link(
    side: WebSide,
) -> None:
    link = side.link(EVE, "p")
    assert len(link) <= 70 - len("https://digest.example.org")
    page = await side.ask(link)
    assert "e…@example.org" in page.text
    assert EVE not in page.text
    changed = {
        "keywords": "all:diffusion\nti:Title",
        "at": "07:00",
        "abstracts": "none",
        "day_mon": "on",
    }
    saved = await side.ask(link, FIELDS | changed)
    said = "keywords added: ti:Title; days: Monday; time of day: 07:00; "
    assert said in saved.text
    assert entry(side)["keywords"] == ["all:diffusion", "ti:Title"]
    assert "Nothing was changed" in (await side.ask(link, FIELDS | changed)).text
    side.arxiv.announce("diffusion", eprint(3, side.now))
    await side.run(7 * 24)
    told = text(side.mails(EVE)[-1])
    assert "You changed what comes: keywords added: ti:Title; days: Monday;" in told
    assert "If that was not you, undo it:" in told
    undo = side.link(EVE, r"p/[^/\s]+")
    shown = await side.ask(undo)
    assert "was changed: keywords added: ti:Title; days: Monday;" in shown.text
    assert "keywords left: ti:Title; " in shown.text
    assert entry(side)["keywords"] == ["all:diffusion", "ti:Title"]
    back = await side.ask(undo, {"button": "undo"})
    assert "What was changed: keywords left: ti:Title; " in back.text
    assert entry(side)["keywords"] == ["all:diffusion"]
    assert "at" not in entry(side)
    side.arxiv.announce("diffusion", eprint(4, side.now))
    await side.run(24)
    assert "You changed what comes: taken back: keywords left: ti:Title" in text(
        side.mails(EVE)[-1]
    )
    side.arxiv.announce("diffusion", eprint(5, side.now))
    await side.run(24)
    assert "You changed" not in text(side.mails(EVE)[-1])
    assert side.titles(EVE) == [[1], [3], [4], [5]]


def undo_links(page: httpx.Response) -> list[str]:
    return re.findall(r'<form method="post" action="([^"]+)">', page.text)


async def test_an_undo_is_one_press_and_so_is_its_own(side: WebSide) -> None:
    link = side.link(EVE, "p")
    await side.ask(link, FIELDS | {"keywords": "all:diffusion\ngraphs"})
    await side.ask(link, FIELDS | {"keywords": "graphs\nhorses"})
    number = side.store.subscribers.number(EVE) or 0
    _, first = (one.id for one in side.store.choices.of(number, side.now))
    # It says what it would do, later changes included; looking and other presses do nothing.
    shown = await side.ask(f"{link}/{first}")
    effect = "keywords added: all:diffusion; keywords left: graphs, horses"
    assert f"as it was before: {effect}" in shown.text
    await side.ask(f"{link}/{first}", {"List-Unsubscribe": "One-Click"})
    refused = await side.ask(f"{link}/{first}", {"button": "undo", "form": ""})
    assert "open for too long" in refused.text
    assert undo_links(refused) == undo_links(shown)
    assert entry(side)["keywords"] == ["graphs", "horses"]
    done = await side.ask(*undo_links(shown), {"button": "undo"})
    assert entry(side)["keywords"] == ["all:diffusion"]
    # What presses all buttons, as scanners do, leaves all as it was, and finds no third one.
    twice = await side.ask(*undo_links(done), {"button": "undo"})
    assert entry(side)["keywords"] == ["graphs", "horses"]
    assert undo_links(twice) == []
    await side.ask(f"{link}/{first}", {"button": "undo"})
    assert undo_links(await side.ask(f"{link}/{first}", {"button": "undo"})) == []
    assert "All is as it was" in (await side.ask(f"{link}/{first}")).text
    for wrong in ("0", "99", "9" * 5000, "x", "%C2%B9"):
        assert "no longer kept" in (await side.ask(f"{link}/{wrong}", {"button": "undo"})).text
    assert (await side.ask(f"{link}a/{first}", {"button": "undo"})).status_code == 404
    side.now += 61 * DAY
    assert "no longer kept" in (await side.ask(f"{link}/{first}")).text


async def test_what_a_reader_of_the_file_took_away_is_undone_in_one_press(side: WebSide) -> None:
    link, until = side.link(ADA, "p"), (side.now + 3 * DAY).date().isoformat()
    await side.ask(link, {"button": "leave:RL"})
    side.arxiv.announce("Reasoning", eprint(3, side.now))
    await side.run(24)
    undo = side.link(ADA, r"p/[^/\s]+")
    await side.ask(link, {"button": "pause", "paused_until": until})
    shown = await side.ask(undo)
    assert "was changed: keywords left: RL." in shown.text
    assert "before: taken back: RL; taken back: the pause." in shown.text
    done = await side.ask(undo, {"button": "undo"})
    assert side.store.wishes.all() == []
    again = await side.ask(*undo_links(done), {"button": "undo"})
    assert "keywords left: RL; paused until" in again.text
    assert [one.entry for one in side.store.wishes.all()] == ["RL", ""]


async def test_who_signed_up_may_ask_for_links_beside_papers(side: WebSide) -> None:
    link = side.link(EVE, "p")
    assert "More like this" in (await side.ask(link)).text
    saved = await side.ask(link, FIELDS | {"feedback": "true"})
    assert "more like this beside each paper: yes." in saved.text
    assert entry(side)["feedback"] is True
    assert "Nothing was changed" in (await side.ask(link, FIELDS | {"feedback": "true"})).text
    side.arxiv.announce("diffusion", eprint(3, side.now))
    await side.run(24)
    assert re.search(rf"Like  {BASE}/u/\S+/1\r?\n", text(side.mails(EVE)[-1]))
    await side.ask(link, FIELDS | {"feedback": "false"})
    assert entry(side)["feedback"] is False
    assert "More like this" not in (await side.ask(side.link(ADA, "p"))).text


async def test_a_form_counts_for_its_reader_and_a_day_and_leaving_needs_none(side: WebSide) -> None:
    link, number = side.link(EVE, "p"), side.store.subscribers.number(EVE)
    shown = (await side.ask(link)).text
    own = stamp(side.signer, side.now, f"reader {number}")
    assert shown.count("<form") == shown.count(f'name="form" value="{own}"') > 3
    change = FIELDS | {"keywords": "all:diffusion\nti:Title"}
    early = side.now - 25 * HOUR
    for token in (
        "",
        stamp(side.signer, side.now),
        stamp(side.signer, side.now, "reader 99"),
        stamp(side.signer, early, f"reader {number}"),
        stamp(side.signer, side.now + 25 * HOUR, f"reader {number}"),
        stamp(side.signer, side.now, f"reader {number}")[:-1],
        side.token(Purpose.CHOICES, number or 0),
    ):
        refused = await side.ask(link, change | {"form": token})
        assert "open for too long" in refused.text
        assert "ti:Title" in refused.text
        assert entry(side)["keywords"] == ["all:diffusion"]
    assert "Saved" in (await side.ask(link, change)).text
    for path, form in ((link, {"button": "leave all"}), (side.link(ADA, "u"), {})):
        await side.ask(path, {"form": ""} | form)
    assert sorted(suppressed(side.store)) == [ADA, EVE]


async def test_while_a_large_file_is_read_who_leaves_is_heard(
    side: WebSide, monkeypatch: pytest.MonkeyPatch
) -> None:
    choices, leave = side.link(EVE, "p"), side.link(ADA, "u")
    follow, read = readers.follow_file, threading.Event()

    def slowly(*args: Any, **changes: Any) -> Book:
        read.wait(20)
        return follow(*args, **changes)

    monkeypatch.setattr(readers, "follow_file", slowly)
    monkeypatch.setattr(readers, "SECONDS", 0.1)
    side.settings.subscribers.write_text(side.settings.subscribers.read_text() + "public: [RL]\n")
    assert (await side.ask(choices)).status_code == 503
    assert (await side.ask(leave, {})).status_code == 200
    assert suppressed(side.store) == [ADA]
    read.set()
    monkeypatch.setattr(readers, "SECONDS", 20)
    assert (await side.ask(choices)).status_code == 200


async def test_the_file_is_read_before_anybody_asks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "subscribers.yaml"
    file.write_text("keywords: [")
    settings = survey_settings({"DIGEST_HOME": str(tmp_path)}, {}, tmp_path).settings
    monkeypatch.setattr(readers, "SECONDS", 20)
    asking = readers.Readers(settings)
    await asking.begin()
    with pytest.raises(ConfigError):
        await asking.look()
    file.write_text("keywords: [RL]\n")
    await asking.begin()
    monkeypatch.setattr(readers, "follow_file", None)
    await asking.look()
    assert [keyword.name for keyword in asking.book().roster.keywords] == ["RL"]


@pytest.mark.heavy
async def test_one_keyword_or_all_are_left(side: WebSide) -> None:
    link = side.link(EVE, "p")
    await side.ask(link, FIELDS | {"keywords": "all:diffusion\ngraphs"})
    assert (
        "Saved: keywords left: graphs." in (await side.ask(link, {"button": "leave:graphs"})).text
    )
    assert "the last keyword" in (await side.ask(link, {"button": "leave:all:diffusion"})).text
    gone = await side.ask(link, {"button": "leave all"})
    assert "You are unsubscribed" in gone.text
    assert suppressed(side.store) == [EVE]
    await side.ask(link, {"button": "return"})
    assert suppressed(side.store) == [EVE]
    back = await side.ask(link, {"button": "return", "meant": "on"})
    assert "Your digests come as before" in back.text
    assert suppressed(side.store) == []


@pytest.mark.heavy
async def test_a_reader_of_the_file_only_takes_away(side: WebSide) -> None:
    link = side.link(ADA, "p")
    page = await side.ask(link)
    assert "The operator of this service keeps the list" in page.text
    assert "<textarea" not in page.text
    await side.ask(link, FIELDS | {"keywords": "everything"})
    assert "Saved: keywords left: RL." in (await side.ask(link, {"button": "leave:RL"})).text
    assert "the last keyword" in (await side.ask(link, {"button": "leave:Reasoning"})).text
    until = (side.now + 3 * DAY).date().isoformat()
    await side.ask(link, {"button": "pause", "paused_until": until})
    assert "is no date" in (await side.ask(link, {"button": "pause", "paused_until": "x"})).text
    ada = next(one for one in side.roster.subscribers if one.email == ADA)
    assert [keyword.name for keyword in ada.keywords] == ["Reasoning"]
    assert ada.paused_until == (side.now + 3 * DAY).date()
    side.arxiv.announce("Reasoning", eprint(3, side.now))
    await side.run(24)
    assert len(side.mails(ADA)) == 1
    await side.ask(link, {"button": f"back:paused_until {until}"})
    await side.run(24)
    told = text(side.mails(ADA)[-1])
    assert "keywords left: RL" in told
    assert "taken back: the pause" in told


async def test_the_mailed_link_opens_what_is_kept(side: WebSide) -> None:
    await side.ask(side.link(EVE, "p"), {"button": "key"})
    assert await side.run() == ["Your link"]
    link = side.link(EVE, "c")
    page = await side.ask(link)
    assert EVE in page.text
    data = await side.ask(link, {"button": "data"})
    assert data.headers["content-type"] == "application/json"
    assert json.loads(data.text)["subscriber"][0]["address"] == EVE
    await side.ask(link, {"button": "move", "address": "eve@example.net"})
    assert await side.run(0.1) == ["Confirm your new address"]
    moved = await side.ask(side.link("eve@example.net", "c"), {"button": "confirm"})
    assert "Your digests come to this address" in moved.text
    assert [one.email for one in side.store.signups.all()] == ["eve@example.net"]
    old = side.link(EVE, "c")
    side.now += HOUR
    assert (await side.ask(old)).status_code == 410
    side.arxiv.announce("diffusion", eprint(3, side.now))
    await side.run(24)
    assert side.titles("eve@example.net")[-1] == [3]


@pytest.mark.heavy
@pytest.mark.parametrize("address", [ADA, EVE])
async def test_who_asks_to_be_forgotten_is_with_the_next_run(side: WebSide, address: str) -> None:
    await side.ask(side.link(address, "p"), {"button": "key"})
    await side.run()
    link = side.link(address, "c")
    await side.ask(link, {"button": "forget"})
    assert suppressed(side.store) == []
    done = await side.ask(link, {"button": "forget", "meant": "on"})
    assert "You are being forgotten" in done.text
    assert suppressed(side.store) == [address]
    mails = len(side.mails(address))
    side.arxiv.announce("diffusion", eprint(3, side.now))
    await side.run(24)
    assert len(side.mails(address)) == mails
    found = side.store.suppressions.of(address)
    assert found is not None
    assert found.reason == "forgotten"
    assert address.encode() not in side.settings.db.read_bytes()
    assert (await side.ask(link)).status_code == 404


async def feed_of(side: WebSide, key: str) -> str:
    """The path of the feed of which the page behind a mailed link tells."""
    page = await side.ask(key)
    return re.findall(rf"{BASE}(/reader/[^<\"]+)", page.text)[0]


@pytest.mark.heavy
async def test_older_links_can_be_made_worthless(side: WebSide) -> None:
    old = side.link(EVE, "p")
    for _ in range(2):
        await side.ask(old, {"button": "key"})
    assert await side.run() == ["Your link"] * 2
    first, key = (re.findall(rf"{BASE}(/c/\S+)", text(m))[0] for m in side.mails(EVE)[-2:])
    feed = await feed_of(side, key)
    assert (await side.ask(feed)).status_code == 200
    # Whoever has got hold of the first may have asked to move the digests elsewhere.
    await side.ask(first, {"button": "move", "address": "eve@example.net"})
    await side.run(0.1)
    await side.ask(key, {"button": "renew"})
    assert (await side.ask(feed)).status_code == 404
    assert (await side.ask(await feed_of(side, key))).status_code == 200
    assert (await side.ask(first)).status_code == 410
    move = side.link("eve@example.net", "c")
    assert (await side.ask(move, {"button": "confirm"})).status_code == 410
    assert [one.email for one in side.store.signups.all()] == [EVE]
    assert (await side.ask(old)).status_code == 404
    leave = side.link(EVE, "c").replace("/c/", "/u/")
    assert (await side.ask(leave)).status_code == 404
    side.arxiv.announce("diffusion", eprint(3, side.now))
    await side.run(24)
    new = side.link(EVE, "p")
    assert new != old
    assert (await side.ask(new)).status_code == 200


async def test_no_token_counts_for_another_purpose_or_cut(side: WebSide) -> None:
    number = side.store.subscribers.number(EVE) or 0
    leave, choices = (side.token(p, number) for p in (Purpose.LEAVE, Purpose.CHOICES))
    wrong = [f"/p/{leave}", f"/u/{choices}", f"/c/{choices}", f"/p/{choices[:-1]}"]
    wrong += [f"/p/{choices}a", f"/p/{number + 1}{choices[1:]}", "/p/1", "/p/", "/c/9-x"]
    for path in wrong:
        for form in (None, FIELDS, {"button": "leave all"}):
            assert (await side.ask(path, form)).status_code == 404, path
    assert suppressed(side.store) == []
    assert entry(side) == {"keywords": ["all:diffusion"]}
