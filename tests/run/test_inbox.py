"""From the inbox to what follows: only what proves itself counts, and once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from digest.errors import TryLaterError
from digest.mail.incoming import Incoming, read_incoming
from digest.mail.mailbox import MailboxLocation
from digest.mail.mailbox_process import Fetched
from digest.mail.message import Sender
from digest.mail.parse import glimpse, key_of
from digest.run import inbox as listening
from digest.run.inbox import InboxReader, InboxResult, process_inbox, process_message
from digest.setup.mail import make_signer
from tests.world.letters import (
    away,
    complaint,
    exchange_bounce,
    letter,
    postfix_bounce,
    qmail_bounce,
)
from tests.world.worlds import DAY, World, eprint, reader

ADA, LIN = "ada@example.org", "lin@example.org"
PLACE = MailboxLocation("mail.example.org", 993, "bounces", "INBOX", "always")


@dataclass
class Box:
    """A mailbox that a test fills, without the process in which it is read. `fails` breaks the
    connection before the marking, as often as it says; `kills` are the messages that end the
    process, `refused` those that the server does not send; `hangs` at the reading of one. `huge`
    are the sizes of those that break the fetching."""

    messages: dict[int, bytes] = field(default_factory=dict)
    validity: int = 1
    marked: set[int] = field(default_factory=set)
    fetched: list[int] = field(default_factory=list)
    read_: list[int] = field(default_factory=list)
    fails: int = 0
    closed: int = 0
    kills: set[int] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    hangs: int = 0
    huge: dict[int, int] = field(default_factory=dict)
    ended: bool = False
    reading: asyncio.Event = field(default_factory=asyncio.Event)

    @asynccontextmanager
    async def open(self, *_args: Any) -> AsyncIterator[Box]:
        self.ended = False
        try:
            yield self
        finally:
            self.closed += 1

    async def uids(self, *, after: int, since: date | None, limit: int) -> list[int]:
        return sorted(uid for uid in self.messages if uid > after)[:limit]

    async def size(self, uid: int) -> int:
        return self.huge.get(uid, len(self.messages[uid]))

    async def fetch(self, uid: int) -> Fetched | None:
        self.fetched.append(uid)
        if uid in self.huge:
            raise TryLaterError("the process that reads it broke off")
        if uid in self.refused:
            return Fetched(refused="no such luck")
        raw = self.messages[uid]
        return Fetched(key_of(raw), *glimpse(raw))

    async def read(self) -> Incoming | None:
        uid = self.fetched[-1]
        self.read_.append(uid)
        self.reading.set()
        if uid == self.hangs:
            await asyncio.Event().wait()
        if uid in self.kills:
            self.ended = True
            return None
        return read_incoming(self.messages[uid])

    async def mark_handled(self, uid: int) -> None:
        if self.fails:
            self.fails -= 1
            raise TryLaterError("the connection is lost")
        self.marked.add(uid)


class Post(World):
    """A world whose digests carry tokens, and whose mails come back."""

    async def mail(self) -> None:
        """Mail a first digest to both readers."""
        sender = Sender(
            "Digest <papers@example.org>", signer=self.signer, bounce="bounces@example.org"
        )
        await self.cycle(sender=sender)

    @property
    def signer(self) -> Any:
        return make_signer(self.store)

    def sent(self, address: str = ADA) -> tuple[str, str, str]:
        """Of the last mail to a reader: the envelope sender, the Message-ID, the mailto of its way
        out."""
        message = [m for m in self.relay.taken if m.recipient == address][-1]
        parsed = message_from_bytes(message.data, policy=policy.default)
        return message.sender, message.message_id, parsed["List-Unsubscribe"].strip("<>")

    def hear(self, raw: bytes) -> InboxResult:
        return process_message(self.store, self.signer, raw, self.now)

    def suppressed(self) -> dict[str, str]:
        return {one.address: one.reason for one in self.store.suppressions.all()}


@pytest.fixture
async def post(tmp_path: Path) -> Any:
    post = Post(tmp_path / "digest.db")
    post.readers = [reader(ADA, "Reasoning"), reader(LIN, "Reasoning")]
    post.arxiv.announce("Reasoning", *(eprint(number) for number in range(1, 4)))
    await post.mail()
    yield post
    post.store.close()


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch) -> Box:
    box = Box()
    monkeypatch.setattr(listening, "open_mailbox", box.open)
    return box


def listener(post: Post) -> InboxReader:
    return InboxReader(post.store, post.signer, PLACE, "secret", None, lambda: post.now)


async def read_all(reader: InboxReader, seconds: float = 60) -> list[InboxResult]:
    reading = await process_inbox(reader, seconds)
    assert reading.finished
    return reading.results


def request(post: Post, address: str = ADA) -> bytes:
    """The mail that a mail program writes when its reader presses "unsubscribe"."""
    to, _, query = post.sent(address)[2].removeprefix("mailto:").partition("?subject=")
    return letter(unquote(query), to=to)


async def test_a_real_bounce_suppresses_by_the_address_it_came_to(post: Post) -> None:
    heard = post.hear(postfix_bounce(post.sent()[0]))
    assert (heard.handled, heard.address) == (True, ADA)
    assert "not mailed any more" in heard.did
    assert post.suppressed() == {ADA: "bounced"}


async def test_a_real_bounce_suppresses_by_the_message_that_it_returns(post: Post) -> None:
    post.hear(postfix_bounce("papers@example.org", message_id=post.sent()[1]))
    post.hear(exchange_bounce("papers@example.org", LIN, message_id=post.sent(LIN)[1]))
    assert post.suppressed() == {ADA: "bounced", LIN: "bounced"}


@pytest.mark.parametrize(
    "forged",
    [
        postfix_bounce("bounces+1-aaaaaaaaaaaaaaaaaaaa@example.org"),
        postfix_bounce(
            "bounces@example.org", message_id="<0123456789abcdef0123456789abcdef@example.org>"
        ),
        qmail_bounce("bounces+1-aaaaaaaaaaaaaaaaaaaa@example.org"),
        complaint(
            "<1@example.org>",
            leave="<mailto:papers@example.org?subject=unsubscribe%201-aaaaaaaaaaaaaaaaaaaa>",
        ),
        letter("unsubscribe 1-aaaaaaaaaaaaaaaaaaaa"),
        letter("unsubscribe ada@example.org"),
        letter("unsubscribe", In_Reply_To="<1@example.org>"),
    ],
)
async def test_what_is_forged_suppresses_nobody_and_is_left_for_a_person(
    post: Post, forged: bytes
) -> None:
    heard = post.hear(forged)
    assert not heard.handled
    assert post.suppressed() == {}


async def test_a_bounce_address_is_no_way_to_unsubscribe_somebody(post: Post) -> None:
    token = post.sent()[0].partition("+")[2].partition("@")[0]
    assert not post.hear(letter(f"unsubscribe {token}")).handled
    assert post.suppressed() == {}


async def test_a_bounce_in_prose_is_judged_by_its_words(post: Post) -> None:
    heard = post.hear(qmail_bounce(post.sent()[0]))
    assert heard.handled
    assert post.suppressed() == {ADA: "bounced"}
    refused = qmail_bounce(post.sent(LIN)[0], LIN).replace(
        b"no mailbox by that name is currently available", b"go elsewhere"
    )
    assert post.hear(refused).handled
    assert post.suppressed() == {ADA: "bounced"}
    assert post.value("SELECT GROUP_CONCAT(blame) FROM bounce") == "hard,soft"
    assert post.value("SELECT COUNT(*) FROM delivery WHERE state = 'failed'") == 2


async def test_a_bounce_in_prose_proves_itself_by_the_copy_below_it(post: Post) -> None:
    raw = qmail_bounce("papers@example.org").replace(
        b"Subject: 3 new", f"Message-ID: {post.sent()[1]}\r\nSubject: 3 new".encode()
    )
    assert post.hear(raw).address == ADA
    assert post.suppressed() == {ADA: "bounced"}


@pytest.mark.parametrize("sender", ["Mail Delivery System <>", "MDaemon@mx.example.net", "hi@a.b"])
async def test_what_comes_to_a_bounce_address_needs_no_sender_that_looks_like_a_server(
    post: Post, sender: str
) -> None:
    raw = qmail_bounce(post.sent()[0]).replace(b"MAILER-DAEMON@mail.example.net", sender.encode())
    assert post.hear(raw).address == ADA
    unread = raw.replace(b"550 no mailbox by that name", b"...").replace(b"<ada@", b"<ad@")
    unread = unread.split(b"\r\n\r\n")[0] + b"\r\nAuto-Submitted: auto-replied\r\n\r\nSorry.\r\n"
    heard = post.hear(unread)
    assert (heard.handled, heard.did) == (False, "a delivery report that cannot be read")


async def test_a_bounce_from_further_on_does_not_undo_the_delivery(post: Post) -> None:
    post.hear(
        postfix_bounce(
            post.sent()[0],
            "ada@forwarded.example",
            status="4.2.2",
            diagnostic="smtp; 452 4.2.2 full",
        )
    )
    assert post.value("SELECT COUNT(*) FROM delivery WHERE state = 'failed'") == 0
    assert post.value("SELECT COUNT(*) FROM bounce") == 1


async def test_readers_leave_by_the_header_and_by_a_reply(post: Post) -> None:
    assert post.hear(request(post)).did == "unsubscribed"
    assert (
        post.hear(letter("Re: 3 new papers", "unsubscribe", In_Reply_To=post.sent(LIN)[1])).address
        == LIN
    )
    assert post.suppressed() == {ADA: "unsubscribed", LIN: "unsubscribed"}


async def test_apples_button_unsubscribes_though_it_calls_itself_an_automatic_reply(
    post: Post,
) -> None:
    raw = b"Auto-Submitted: auto-replied\r\nX-Apple-Unsubscribe: true\r\n" + request(post)
    assert post.hear(raw).did == "unsubscribed"
    note = b"Auto-Submitted: auto-replied\r\n" + request(post, LIN).replace(
        b"Subject: ", b"Subject: Re: "
    )
    assert not post.hear(note).handled
    assert post.suppressed() == {ADA: "unsubscribed"}


async def test_complaints_suppress_by_whatever_they_return(post: Post) -> None:
    post.hear(complaint(post.sent()[1]))
    post.hear(complaint(leave=f"<{post.sent(LIN)[2]}>"))
    assert post.suppressed() == {ADA: "complained", LIN: "complained"}


async def test_out_of_office_notes_and_delays_do_nothing_and_need_nobody(post: Post) -> None:
    sender, message_id, _ = post.sent()
    for raw in (
        away(message_id),
        away(message_id, to=sender),
        postfix_bounce(sender, action="delayed"),
    ):
        assert post.hear(raw).handled
    assert not post.hear(away("<1@example.org>")).handled
    assert post.suppressed() == {}
    assert post.value("SELECT COUNT(*) FROM bounce") == 0


async def test_an_old_request_does_not_undo_a_new_subscription(post: Post) -> None:
    raw = request(post)
    post.hear(raw)
    post.store.suppressions.lift(ADA)
    assert post.hear(raw).did == "was handled before"
    assert post.suppressed() == {}


async def test_a_mailbox_is_read_once_and_what_is_not_ours_is_left_alone(
    post: Post, box: Box
) -> None:
    box.messages = {
        3: request(post),
        5: letter("Lunch?"),
        9: postfix_bounce(post.sent(LIN)[0], LIN),
    }
    heard = await read_all(listener(post))
    assert [h.handled for h in heard] == [True, False, True]
    assert box.marked == {3, 9}
    assert await read_all(listener(post)) == []
    assert box.fetched == [3, 5, 9]
    assert box.closed == 2


async def test_what_was_done_before_a_crash_is_done_once_and_marked_later(
    post: Post, box: Box
) -> None:
    box.messages = {1: request(post), 2: postfix_bounce(post.sent(LIN)[0], LIN)}
    box.fails = 1
    with pytest.raises(TryLaterError):
        await read_all(listener(post))
    assert set(post.suppressed()) == {ADA}
    post.store.suppressions.lift(ADA)
    post.now += DAY
    assert (await read_all(listener(post)))[0].did == "was handled before"
    assert box.marked == {1, 2}
    assert set(post.suppressed()) == {LIN}


async def test_a_mail_that_costs_too_much_is_left_for_a_person_and_the_rest_is_read(
    post: Post, box: Box, caplog: pytest.LogCaptureFixture
) -> None:
    box.messages = {1: letter("Evil"), 2: letter("Evil too"), 3: request(post)}
    box.kills = {1, 2}
    heard = await read_all(listener(post))
    assert [h.did for h in heard] == ["reading it takes too much time or memory"] * 2 + [
        "unsubscribed"
    ]
    assert [h.incoming.subject for h in heard[:2]] == ["Evil", "Evil too"]
    where = "bounces@mail.example.org/INBOX: left for a person: Ada <ada@example.org>"
    assert f"{where}, 'Evil': reading it takes too much" in caplog.text
    assert box.marked == {3}
    assert await read_all(listener(post)) == []
    # Numbered anew, it comes again, and is not read again.
    box.validity, box.read_ = 2, []
    assert (await read_all(listener(post)))[0].did == "reading it was broken off before"
    assert box.read_ == [3]


async def test_a_mail_that_took_the_whole_program_with_it_twice_is_not_read_again(
    post: Post, box: Box
) -> None:
    box.messages = {1: letter("Evil"), 2: request(post)}
    # The program may have been killed for another reason: once is not the mail's fault.
    for raw in (box.messages[1], box.messages[1], box.messages[2]):
        post.store.inbox.begin(key_of(raw), post.now)
    assert [h.handled for h in await read_all(listener(post))] == [False, True]
    assert box.read_ == [2]
    assert post.value("SELECT COUNT(*) FROM inbox_message WHERE key LIKE 'begun %'") == 2


async def test_what_there_was_no_time_for_is_read_next_time(post: Post, box: Box) -> None:
    box.messages = {1: letter("Lunch?"), 2: request(post)}
    box.hangs = 2
    reading = await process_inbox(listener(post), 0.05)
    assert (len(reading.results), reading.finished) == (1, False)
    box.hangs = 0
    assert [h.did for h in await read_all(listener(post))] == ["unsubscribed"]


async def test_a_mailbox_without_end_costs_the_time_limit(
    post: Post, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def uids(*, after: int, **_options: Any) -> list[int]:
        await asyncio.sleep(0)
        box.messages[after + 1] = letter(f"Letter {after}")
        return [after + 1]

    monkeypatch.setattr(box, "uids", uids)
    reading = await process_inbox(listener(post), 0.05)
    assert (reading.begun, reading.finished, box.closed) == (True, False, 1)


async def test_a_mailbox_that_tells_nothing_is_an_error(
    post: Post, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def uids(**_options: Any) -> list[int]:
        await asyncio.Event().wait()
        return []

    monkeypatch.setattr(box, "uids", uids)
    with pytest.raises(TryLaterError, match=r"told nothing of what is in it within 0\.05 seconds"):
        await process_inbox(listener(post), 0.05)


async def test_a_reading_that_is_stopped_blames_no_mail(post: Post, box: Box) -> None:
    box.messages, box.hangs = {1: request(post)}, 1
    reading = asyncio.ensure_future(process_inbox(listener(post), 60))
    await box.reading.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert box.closed == 1
    box.hangs = 0
    assert [h.did for h in await read_all(listener(post))] == ["unsubscribed"]


async def test_a_mail_that_the_server_does_not_send_is_passed_over_where_it_sends_later_ones(
    post: Post, box: Box
) -> None:
    box.messages = {1: letter("Broken"), 2: letter("Broken, too")}
    box.refused = {1, 2}
    for _ in range(2):
        heard = await read_all(listener(post))
        assert [h.did for h in heard] == [
            f"the mail server does not send message {uid} (no such luck)" for uid in (1, 2)
        ]
    box.messages[3] = request(post)
    assert (await read_all(listener(post)))[-1].did == "unsubscribed"
    assert await read_all(listener(post)) == []


async def test_a_mail_that_is_too_large_to_fetch_is_left_for_a_person_the_next_time(
    post: Post, box: Box
) -> None:
    """Of a server that sends all of a mail where a part is asked for."""
    box.messages = {1: letter("a film"), 2: request(post)}
    box.huge = {1: 300_000_000}
    with pytest.raises(TryLaterError):
        await read_all(listener(post))
    film, left = await read_all(listener(post))
    assert (film.handled, left.did) == (False, "unsubscribed")
    assert "message 1 has 300,000,000 bytes" in film.did
    assert await read_all(listener(post)) == []
    assert box.fetched == [1, 2]


async def test_a_small_mail_whose_fetching_broke_off_is_fetched_again(post: Post, box: Box) -> None:
    box.messages = {1: request(post)}
    box.huge = {1: 1_000}
    with pytest.raises(TryLaterError):
        await read_all(listener(post))
    box.huge.clear()
    assert [each.did for each in await read_all(listener(post))] == ["unsubscribed"]


async def test_messages_that_are_numbered_anew_are_looked_at_and_not_repeated(
    post: Post, box: Box
) -> None:
    box.messages = {7: request(post), 8: letter("Lunch?")}
    await read_all(listener(post))
    post.store.suppressions.lift(ADA)
    box.validity, box.messages = 2, {1: box.messages[8], 2: box.messages[7]}
    assert [h.did for h in await read_all(listener(post))] == [
        "no bounce, and no request to leave that proves itself",
        "was handled before",
    ]
    assert post.suppressed() == {}


async def test_a_large_mailbox_is_read_in_parts(
    post: Post, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listening, "CHUNK", 4)
    box.messages = {number: letter(f"Letter {number}") for number in range(1, 11)} | {
        11: request(post)
    }
    assert len(await read_all(listener(post))) == 11
    assert post.suppressed() == {ADA: "unsubscribed"}


async def test_a_place_in_one_mailbox_is_none_in_another(post: Post, box: Box) -> None:
    box.messages = {5: request(post)}
    await read_all(replace(listener(post), place=replace(PLACE, folder="Other")))
    assert len(await read_all(listener(post))) == 1
