"""Bodies of digests: kept while somebody waits for them, and rendered again from their values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import time
from itertools import islice
from pathlib import Path

import pytest

from digest.errors import UsageError
from digest.model import (
    Abstracts,
    Attach,
    Away,
    Channel,
    Format,
    Item,
    Layout,
    Order,
    Origin,
    Outcome,
    Receipt,
    Revisions,
    Subscriber,
    Summary,
    Weekly,
    Wish,
)
from digest.rendering.render import Renderer
from digest.rules.compose import SHAPING, shape
from digest.run.bodies import Bodies
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, reader

ADA, BOB = "ada@example.org", "bob@example.org"
DEFERRED = Receipt(Outcome.DEFERRED, "450 later")


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path / "digest.db")
    world.readers = [reader(ADA, "Alpha"), reader(BOB, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    return world


def bodies(world: World) -> int:
    return int(world.value("SELECT COUNT(*) FROM body"))


def maker(world: World, templates: Path | None = None) -> Bodies:
    return Bodies(world.store, Renderer(templates))


async def test_a_body_is_kept_as_long_as_somebody_waits_for_it(world: World) -> None:
    world.relay.answers[BOB] = [DEFERRED, Receipt(Outcome.UNKNOWN, "no answer")]
    await world.cycle(MONDAY)
    assert bodies(world) == 1, "for Bob, whose server said later"
    world.arxiv.announce("Alpha", eprint(1, MONDAY, version=2, title="Another title"))
    await world.cycle(MONDAY + HOUR)
    assert bodies(world) == 1, "he may have it, or not"
    await world.cycle(MONDAY + 3 * HOUR)
    assert bodies(world) == 0
    first, *others = [m for m in world.relay.tried if m.recipient == BOB]
    assert len(others) == 2
    assert {m.data for m in others} == {first.data}, "one Message-ID never carries two bodies"
    assert world.value("SELECT COUNT(*) FROM content WHERE digest <> ''") == 1


async def test_an_equal_digest_whose_body_has_gone_is_rendered_again(world: World) -> None:
    world.readers[1] = reader(BOB, "Alpha", paused_until=(MONDAY + DAY).date())
    await world.cycle(MONDAY)
    assert bodies(world) == 0
    world.readers[1] = reader(BOB, "Alpha")
    await world.cycle(MONDAY + HOUR)
    assert world.value("SELECT COUNT(*) FROM content") == 1
    ada, bob = (m.data.partition(b"MIME-Version")[2] for m in world.relay.taken)
    assert ada.replace(b"ada@", b"bob@") == bob
    assert bodies(world) == 0


async def test_what_has_gone_goes_once_more_with_the_same_body(world: World) -> None:
    await world.cycle(MONDAY)
    store = world.store
    content, differs = maker(world).again(1) or pytest.fail("no value is kept")
    assert differs == ""
    store.outbox.again(1, MONDAY + HOUR, "example.org", content)
    assert bodies(world) == 1
    await world.cycle(MONDAY + HOUR)
    first, _, again = world.relay.taken
    assert again.message_id != first.message_id
    assert again.data.partition(b"MIME")[2] == first.data.partition(b"MIME")[2]
    assert world.value("SELECT COUNT(*) FROM content") == 1
    assert bodies(world) == 0


async def test_where_program_templates_or_papers_have_changed_since_a_line_says_so(
    world: World, tmp_path: Path
) -> None:
    await world.cycle(MONDAY)
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "paper.txt").write_text(
        "{% macro entry(paper, indent, length) %}{% endmacro %}"
    )
    content, differs = maker(world, tmp_path / "ours").again(1) or pytest.fail("nothing")
    assert differs.endswith("not as it was sent: the program or its templates have changed since")
    newer = (eprint(n, MONDAY, version=n) for n in (2, 3, 4, 5, 6))
    world.arxiv.announce("Alpha", eprint(1, MONDAY, version=3, title="Another"), *newer)
    await world.cycle(MONDAY + DAY, fetch_all=True)
    again, differs = maker(world).again(1) or pytest.fail("nothing")
    assert differs.endswith("not as it was sent: 2611.00001 is shown as version 3 now")
    assert any(b"2611.00001v3" in piece for piece in again.pieces)
    # What is rendered otherwise is a content of its own, which carries the same papers.
    world.store.outbox.again(1, world.now, "example.org", content)
    await world.cycle(MONDAY + DAY + HOUR)
    ledger = "SELECT paper, version FROM content_paper WHERE content = ?"
    last = world.value("SELECT MAX(id) FROM content")
    assert last == world.value("SELECT content FROM delivery WHERE again = 1")
    assert world.database.rows(ledger, [last]) == world.database.rows(ledger, [1])


async def test_a_repeat_on_its_way_keeps_its_body_whatever_is_rendered_meanwhile(
    world: World,
) -> None:
    await world.cycle(MONDAY)
    outbox, made = world.store.outbox, maker(world)
    content, _ = made.again(1) or pytest.fail("nothing")
    first = outbox.again(1, MONDAY + HOUR, "example.org", content).id
    # Somebody else asks for the same, and a paper has another title by then.
    world.arxiv.announce("Alpha", eprint(1, MONDAY, version=2, title="Another"))
    other = replace(content, body=content.body[:-1])
    outbox.again(2, MONDAY + HOUR, "example.org", other)
    assert outbox.message(first).pieces == content.pieces
    assert bodies(world) == 1


async def test_a_body_without_a_value_lasts_until_it_is_pruned(world: World) -> None:
    """As those do that were queued before values were kept."""
    world.relay.answers[ADA] = [DEFERRED]
    await world.cycle(MONDAY)
    world.database.write("UPDATE body SET lasting = 1")
    world.database.write("UPDATE content SET digest = ''")
    await world.cycle(MONDAY + HOUR)
    assert len(world.mails()) == 2
    assert bodies(world) == 1
    assert maker(world).again(1) is None
    world.store.outbox.again(1, world.now, "example.org")
    await world.cycle(MONDAY + 2 * HOUR)
    assert len(world.mails(ADA)) == 2
    world.database.write("DELETE FROM body")
    with pytest.raises(UsageError, match="no longer kept"):
        world.store.outbox.again(1, world.now, "example.org")


async def test_letting_bodies_go_takes_steps_and_looks_at_each_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.store.bodies.STEP", 2)
    world.readers = [reader(f"r{n}@example.org", "Alpha", max_papers=n) for n in range(1, 8)]
    for waiting in (2, 5):
        world.relay.answers[f"r{waiting}@example.org"] = [DEFERRED]
    with monkeypatch.context() as patch:
        patch.setattr(world.store.bodies, "let_go", lambda: ())
        await world.cycle(MONDAY)
    assert bodies(world) == 7
    assert list(islice(world.store.bodies.let_go(), 2)) == [2, 2]
    asked: list[str] = []
    world.database._connection.set_trace_callback(asked.append)
    assert list(world.store.bodies.let_go()) == [1]
    world.database._connection.set_trace_callback(None)
    assert bodies(world) == 2
    looks = [sql for sql in asked if "SELECT content" in sql]
    plans = [r["detail"] for sql in looks for r in world.database.rows(f"EXPLAIN QUERY PLAN {sql}")]
    assert {step for step in plans if step.startswith("S")} == {
        "SEARCH body USING COVERING INDEX body_passing (lasting=? AND content>?)",
        "SEARCH d USING INDEX delivery_content_open (content=?)",
    }, "however many readers a content has"


async def test_readers_share_a_digest_but_for_the_fields_that_shape_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(_store: object, items: Iterable[Item], who: Subscriber, _model: str) -> list[Item]:
        return [replace(one, summary=f"{who.summary} {who.language}") for one in items]

    monkeypatch.setattr("digest.run.compose.summarized", said)
    base = reader(BOB, "Alpha")
    other: dict[str, object] = {
        "email": "eve@example.org",
        "keywords": (replace(base.keywords[0], name="Beta"),),
        "name": "Bob",
        "days": (Weekly.MON,),
        "at": time(6),
        "timezone": "Africa/Abidjan",
        "revisions": Revisions.ALL,
        "max_papers": 1,
        "exclude": ("cat:math.CO",),
        "within": ("cs.*",),
        "quiet_days": True,
        "order": Order.NEWEST,
        "paused_until": MONDAY.date() - DAY,
        "abstracts": Abstracts.SHORT,
        "format": Format.TEXT,
        "layout": Layout.FULL,
        "top": 9,
        "feedback": True,
        "attach": Attach.RIS,
        "summary": Summary.TLDR,
        "language": "de",
        "items_of_library": ("refs.bib",),
        "authors": ("Ada Example",),
        "categories": ("cs.LG",),
        "subject_prefix": "[x]",
        "channel": Channel.GITHUB,
        "target": "$HOOK",
        "secret": "$KEY",
        "mailbox": "bob@example.net",
        "origin": Origin.WEB,
        "wishes": (Wish(BOB, Away.KEYWORD, "all:beta", "Beta", MONDAY),),
    }
    assert other.keys() == {field.name for field in fields(Subscriber)}
    assert other.keys() >= set(SHAPING)
    world.arxiv.announce("Alpha", eprint(2, MONDAY - 2 * DAY, title="alpha"))
    readers = {
        name: replace(base, **{"email": f"{name}@example.org", name: value})  # type: ignore[arg-type]
        for name, value in other.items()
        if name not in ("channel", "origin")
    }
    readers["channel"] = replace(base, email="github:ada/papers", channel=Channel.GITHUB)
    world.readers = [base, *readers.values()]
    await world.cycle(MONDAY)
    # A file has nobody who signed up.
    assert shape(base) == shape(replace(base, origin=Origin.WEB))
    rows = world.database.rows(
        "SELECT r.address, d.content FROM delivery d JOIN subscriber r ON r.id = d.subscriber"
    )
    contents = {row["address"]: row["content"] for row in rows}
    apart = {n for n, each in readers.items() if contents[each.email] != contents[BOB]}
    assert apart == set(SHAPING)
    assert len(set(contents.values())) == 1 + len(SHAPING)
