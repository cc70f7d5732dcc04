"""A database that comes to hold no address: readers keep their history under other names, and get
their own back."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.libraries.zotero import Access
from digest.mail.message import Sender
from digest.mail.reader_tokens import Purpose
from digest.model import Outcome, Receipt, Roster
from digest.run.cycle import run_cycle
from digest.run.inbox import process_message
from digest.run.libraries import Places
from digest.setup.mail import make_signer
from digest.setup.parts import existing_store
from digest.setup.settings import Settings, load_settings
from digest.setup.subscribers import apply_naming
from digest.store import Store
from digest.store.preferences import LibraryPaper
from digest.subscribers.pseudonyms import Pseudonyms, without
from tests.world.letters import postfix_bounce
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, numbers, reader, text

pytestmark = pytest.mark.sqlite

ADA, LIN, PAGE = "ada.l@example.org", "lin@example.org", "github:ada/papers"
NAMES = Pseudonyms("a key that nobody else has")
SENDER = Sender("Digest <digest@example.org>", "write@example.net")
YAML = f"subscribers: [{{email: {ADA}, keywords: [x]}}, {{email: {LIN}, keywords: [x]}}]"


def settings(home: Path, **changes: object) -> Settings:
    found = replace(
        load_settings({}, {}, home),
        db=home / "digest.db",
        secret=NAMES.key,
        contact="write@example.net",
    )
    return replace(found, **{"subscribers_yaml": YAML, **changes})  # type: ignore[arg-type]


def told(path: Path) -> str:
    """All that the file holds, compressed bodies too."""
    with closing(sqlite3.connect(path)) as database:
        bodies = [
            zlib.decompress(pieces) for (pieces,) in database.execute("SELECT pieces FROM body")
        ]
    log = path.with_name(f"{path.name}-wal")
    files = [file.read_bytes() for file in (path, log) if file.exists()]
    return b"\n".join([*files, *bodies]).decode("latin-1").replace("=\r\n", "").lower()


@pytest.fixture
async def world(tmp_path: Path) -> World:
    """Two readers, one of whom the server refuses, and one digest that may have arrived."""
    world = World(tmp_path / "digest.db")
    world.readers = [reader(ADA, "Alpha", name="Ada"), reader(LIN, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    world.relay.answers[LIN] = [Receipt(Outcome.FAILED, f"550 5.1.1 <{LIN}> unknown, lin has left")]
    world.relay.answers[ADA] = [Receipt(Outcome.UNKNOWN, f"the connection broke, {ADA}")]
    await world.cycle(MONDAY, sender=SENDER)
    world.store.suppressions.unsubscribe(2, f"550 5.1.1 <{LIN}> unknown", MONDAY)
    return world


async def test_history_goes_on_under_the_new_name_and_no_address_is_left(
    world: World, tmp_path: Path
) -> None:
    before = told(world.path)
    assert ADA in before
    assert "write@example.net" in before
    apply_naming(settings(tmp_path), world.store)
    names = [NAMES.of(ADA), NAMES.of(LIN)]
    assert world.store.subscribers.state(names[0])
    [suppressed] = world.store.suppressions.all()
    assert suppressed.address == names[1]
    assert suppressed.words == "550 5.1.1 <…> unknown"
    world.readers = [
        replace(r, email=NAMES.of(r.email), mailbox=r.email, name="") for r in world.readers
    ]
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    public = {"sender": SENDER, "mailboxes": {NAMES.of(ADA): ADA}, "contact": ""}
    await world.cycle(MONDAY + timedelta(hours=1), **public)
    await world.cycle(MONDAY + DAY, **public)
    assert [message.recipient for message in world.relay.taken] == [ADA, ADA]
    assert [b"Title 1" in message.data for message in world.relay.taken] == [True, False]
    world.store.close()
    kept = told(world.path)
    for word in (ADA, LIN, "ada.l", "lin has", "write@example.net"):
        assert word not in kept


WORDS = ("walrus tusks on sea ice", "comet tails in winter skies", "yeast in old bread ovens")
OWN = [LibraryPaper(f"2401.{n:05}", f"Ownish comet tails {n}", "Kept apart.") for n in range(5)]


def tell(world: World, *numbers: int) -> None:
    """Announce papers on walruses, comets and yeast in turn."""
    for n in numbers:
        words = f"We tell of {WORDS[n % 3]}. " * 3
        world.arxiv.announce("Alpha", eprint(n, MONDAY - DAY, title=WORDS[n % 3], abstract=words))


async def test_nothing_of_what_readers_have_is_left_and_what_waits_still_leaves(
    world: World, tmp_path: Path
) -> None:
    assert world.store.preferences.replace_library(1, OWN, MONDAY)
    assert world.store.preferences.like(1, "2611.00001", MONDAY)
    tell(world, *range(2, 9))
    world.relay.answers[ADA] = [Receipt(Outcome.DEFERRED, "451 later")] * 2
    await world.cycle(MONDAY + DAY)
    assert "ownish" in told(world.path)
    apply_naming(settings(tmp_path), world.store)
    assert "ownish" not in told(world.path)
    assert "2401.0000" not in told(world.path)
    assert world.value("SELECT COUNT(*) FROM liked") == 0
    world.readers = [
        replace(r, email=NAMES.of(r.email), mailbox=r.email, name="") for r in world.readers
    ]
    await world.cycle(MONDAY + DAY + HOUR, mailboxes={NAMES.of(ADA): ADA}, contact="")
    sent = max(world.titles(ADA), key=len)
    assert sorted(sent) == [*range(2, 9)]
    assert [n % 3 for n in sent[:2]] == [1, 1], "the order stays"
    assert "ownish" not in " ".join(map(text, world.mails(ADA))).lower()


async def test_a_library_ranks_where_the_database_keeps_nothing_of_it(
    world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apply_naming(settings(tmp_path), world.store)
    entries = (f"@article{{own{n}, title={{{p.title}}}}}\n" for n, p in enumerate(OWN))
    (tmp_path / "refs.bib").write_text("".join(entries) + "@article{odd_one, author={A}}\n")
    ada = replace(
        world.readers[0], email=NAMES.of(ADA), mailbox=ADA, items_of_library=("refs.bib",)
    )
    world.readers = [ada]
    tell(world, *range(2, 9))
    parts = world.parts(mailboxes={NAMES.of(ADA): ADA}, contact="")
    world.now = MONDAY + DAY
    await run_cycle(replace(parts, libraries=Places(tmp_path, Access(""))))
    message = world.mails(ADA)[-1]
    assert [n % 3 for n in numbers(message)][:2] == [1, 1]
    assert "ownish" not in text(message).lower()
    assert "ownish" not in told(world.path)
    assert "odd_one" not in caplog.text
    assert "'digest subscribers check' on your own machine" in caplog.text


def test_another_key_is_refused_and_the_old_one_brings_addresses_back(
    world: World, tmp_path: Path
) -> None:
    apply_naming(settings(tmp_path), world.store)
    with pytest.raises(ConfigError, match="another DIGEST_SECRET"):
        apply_naming(settings(tmp_path, secret="lost"), world.store)
    plain = settings(tmp_path, subscribers_yaml="")
    apply_naming(plain, world.store, Roster(tuple(world.readers), ()))
    assert world.store.subscribers.state(ADA)
    assert [one.address for one in world.store.suppressions.all()] == [LIN]
    assert world.store.naming.mark == ""


def test_no_link_is_ever_signed_with_an_empty_secret(world: World, tmp_path: Path) -> None:
    before = make_signer(world.store).token(Purpose.LEAVE, 1)
    apply_naming(settings(tmp_path), world.store)
    after = make_signer(world.store)
    assert after.secret
    assert after.token(Purpose.LEAVE, 1) != before
    assert make_signer(world.store).secret == after.secret


def test_reports_find_a_reader_by_the_address_that_is_typed(world: World, tmp_path: Path) -> None:
    world.store.close()
    with existing_store(settings(tmp_path)) as store:
        assert isinstance(store, Store)
        assert store.subscribers.state(NAMES.of(ADA.upper()))


async def test_a_bounce_is_understood_though_the_database_knows_no_address(tmp_path: Path) -> None:
    world = World(tmp_path / "digest.db")
    world.readers = [replace(reader(NAMES.of(ADA), "Alpha"), mailbox=ADA)]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY, mailboxes={NAMES.of(ADA): ADA})
    signer = make_signer(world.store)
    raw = postfix_bounce(
        f"papers+{signer.token(Purpose.BOUNCE, 1)}@example.org",
        ADA,
        diagnostic=f"smtp; 550 5.1.1 <{ADA}>: unknown",
    )
    heard = process_message(world.store, signer, raw, MONDAY + timedelta(minutes=5), NAMES)
    assert heard.handled
    assert heard.address == NAMES.of(ADA)
    [one] = world.store.suppressions.all()
    assert one.address == NAMES.of(ADA)
    assert "example.org" not in one.why + heard.did + heard.incoming.sender
    state = world.store.subscribers.state(NAMES.of(ADA))
    assert state is not None
    assert state.refused, (
        "the report is about the reader's own address, so the papers are due again"
    )


@pytest.mark.parametrize("cut", [0, 1, 8, 20])
def test_quoted_printable_hides_no_address(cut: int) -> None:
    address = b"write+x@example.net"
    body = (
        b"Mail "
        + address[:cut]
        + b"=\r\n" * (0 < cut < len(address))
        + address[cut:]
        + b" to leave."
    )
    assert without(body, "write+x@example.net") == b"Mail  to leave."
