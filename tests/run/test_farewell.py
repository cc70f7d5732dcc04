"""Readers who leave by the page's button: the last mail to them, and the undo."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest

from digest.mail.message import Message, Sender
from digest.mail.reader_tokens import Purpose
from digest.model import Outcome, Receipt, Standing
from digest.rules.channels import RateLimit, make_terms
from digest.run.daemon import Daemon
from digest.run.farewell import NO_DELIVERY, SUBJECT
from digest.run.inbox import process_message
from digest.setup.mail import make_signer
from digest.store.suppressions import FAREWELL, UNDO
from tests.world.letters import postfix_bounce, qmail_bounce
from tests.world.worlds import DAY, HOUR, World, eprint, reader

ADA, LIN = "ada@example.org", "lin@example.org"
MINUTES = timedelta(minutes=15)


class Leaving(World):
    """A world with two readers of few papers, whose mails come from a real sender."""

    async def mail(self, at: timedelta = MINUTES) -> list[EmailMessage]:
        """A cycle later on; the mails that it brought to Ada, digests or not."""
        before = len(self.relay.taken)
        sender = Sender(
            "Daily Papers <papers@example.org>",
            "Grace <grace@example.org>",
            signer=make_signer(self.store),
            base_url="https://example.org",
        )
        await self.cycle(self.now + at, sender=sender)
        return [parsed(mail) for mail in self.relay.taken[before:] if mail.recipient == ADA]

    @property
    def number(self) -> int:
        number: int = self.database.value("SELECT id FROM subscriber WHERE address = ?", [ADA])
        return number

    def press(self) -> None:
        assert self.store.suppressions.leave_by_button(self.number, self.now) == ADA

    def undo(self) -> Standing | None:
        self.store.suppressions.undo(self.number, self.now)
        return self.store.suppressions.standing(self.number, self.now)

    def announce(self, *numbers: int) -> None:
        self.arxiv.announce("Reasoning", *(eprint(n, self.now - HOUR) for n in numbers))


def parsed(mail: Message) -> EmailMessage:
    message = message_from_bytes(mail.data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


def subjects(mails: list[EmailMessage]) -> list[str]:
    return [mail["Subject"] for mail in mails]


def papers(mails: list[EmailMessage]) -> int:
    return sum(mail.as_string().count("arxiv.org/abs/") // 2 for mail in mails)


@pytest.fixture
async def world(tmp_path: Path) -> Iterator[Leaving]:  # type: ignore[misc]
    world = Leaving(tmp_path / "digest.db")
    world.readers = [reader(ADA, "Reasoning", max_papers=2), reader(LIN, "Reasoning")]
    world.announce(1)
    await world.mail()
    yield world
    world.close()


async def test_who_pressed_the_button_hears_it_once_and_how_to_come_back(world: Leaving) -> None:
    world.press()
    world.press()
    (mail,) = await world.mail()
    assert mail["Subject"] == SUBJECT
    assert mail["Reply-To"] == "Grace <grace@example.org>"
    assert mail["From"] == "Daily Papers <papers@example.org>"
    assert mail["List-Unsubscribe"] is None
    text = mail.get_content()
    assert "answer this mail" in text
    assert "This mail went to ada@example.org." in text
    assert "https://" not in text
    assert max(map(len, text.splitlines())) <= 78
    assert [await world.mail() for _ in range(3)] == [[]] * 3


async def test_the_last_mails_bounce_is_noted_and_needs_nobody(world: Leaving) -> None:
    world.press()
    before = len(world.relay.taken)
    await world.mail()
    (last,) = [m for m in world.relay.taken[before:] if m.recipient == ADA]
    signer, now = make_signer(world.store), world.now
    token = signer.token(Purpose.BOUNCE, NO_DELIVERY)
    for raw, address in (
        (postfix_bounce("papers@example.org", message_id=last.message_id), ADA),
        (qmail_bounce(f"bounces+{token}@example.org"), ""),
    ):
        done = process_message(world.store, signer, raw, now)
        assert (done.handled, done.address) == (True, address)
        assert "the last mail, to who has left, bounced (" in done.did
    forged = last.message_id.replace("left.", "left.0")
    done = process_message(world.store, signer, postfix_bounce("p@x.org", message_id=forged), now)
    assert not done.handled
    assert str(world.store.suppressions.of(ADA)).count("unsubscribed") == 1


async def test_each_leave_is_heard_once(world: Leaving) -> None:
    world.press()
    assert subjects(await world.mail()) == [SUBJECT]
    assert world.undo() is Standing.READS
    world.press()
    assert subjects(await world.mail()) == [SUBJECT]


async def test_who_leaves_by_mail_or_one_click_or_comes_back_hears_nothing(world: Leaving) -> None:
    suppressions, now = world.store.suppressions, world.now
    suppressions.leave_by_one_click(world.number, now)
    assert await world.mail() == []
    assert world.undo() is Standing.READS
    suppressions.unsubscribe(world.number, "by mail", now)
    world.press()  # of an old mail
    assert await world.mail() == []
    suppressions.lift(ADA)
    world.store.inbox.complain("key", world.number, "abuse", now)
    assert await world.mail() == []
    suppressions.lift(ADA)
    world.press()
    assert world.undo() is Standing.READS
    assert await world.mail() == []


@pytest.mark.parametrize("how", ["mail", "complaint", "bounce"])
async def test_a_second_reason_ends_the_undo_and_the_last_mail(world: Leaving, how: str) -> None:
    world.press()
    if how == "mail":
        world.store.suppressions.unsubscribe(world.number, "by mail", world.now)
    elif how == "complaint":
        world.store.inbox.complain("key", world.number, "abuse", world.now)
    else:
        delivery = world.database.value(
            "SELECT id FROM delivery WHERE subscriber = ?", [world.number]
        )
        words = "550 5.1.1 no such user"
        world.store.inbox.bounce("key", delivery, words, world.now, status="", undelivered=True)
    assert await world.mail() == []
    assert world.undo() is Standing.LEFT


async def test_one_click_after_a_press_is_no_scanners_and_can_be_undone(world: Leaving) -> None:
    world.press()
    world.store.suppressions.leave_by_one_click(world.number, world.now)
    assert await world.mail() == []
    world.press()
    assert await world.mail() == []
    assert world.undo() is Standing.READS


async def test_a_bounced_address_hears_nothing_when_its_reader_leaves(world: Leaving) -> None:
    world.store.inbox.complain("key", world.number, "abuse", world.now)
    world.database.write("UPDATE suppression SET reason = 'bounced: 550 5.1.1 gone'")
    world.press()
    assert await world.mail() == []
    assert world.undo() is Standing.LEFT


async def test_an_undo_brings_all_that_came_meanwhile(world: Leaving) -> None:
    world.now += DAY
    world.press()
    world.announce(*range(2, 9))
    assert subjects(await world.mail(DAY - HOUR)) == [SUBJECT]
    assert world.undo() is Standing.READS
    assert papers(await world.mail()) == 7


async def test_a_later_return_brings_the_most_recent_papers(world: Leaving) -> None:
    world.now += DAY
    world.press()
    world.announce(*range(2, 9))
    await world.mail(DAY - HOUR)
    world.now += UNDO
    assert world.undo() is Standing.LEFT
    world.store.suppressions.lift(ADA)
    assert papers(await world.mail()) == 2


async def test_an_undo_leaves_who_was_away_so(world: Leaving) -> None:
    world.database.write("UPDATE subscriber SET away = 1 WHERE id = ?", [world.number])
    world.now += DAY
    world.press()
    world.announce(*range(2, 9))
    assert world.undo() is Standing.READS
    assert papers(await world.mail(HOUR)) == 2


@pytest.mark.parametrize(
    ("answer", "again"),
    [
        (Receipt(Outcome.DEFERRED, "450 later"), True),
        (Receipt(Outcome.RELAY, "421 closing"), True),
        (Receipt(Outcome.FAILED, "550 no"), False),
        (Receipt(Outcome.UNKNOWN, "no answer"), False),
        (OSError("cut off"), False),
    ],
)
async def test_a_last_mail_that_is_not_taken_is_tried_again_and_never_doubled(
    world: Leaving, answer: Receipt | BaseException, again: bool
) -> None:
    world.press()
    world.relay.answers[ADA] = [answer]
    assert await world.mail() == []
    assert len(await world.mail()) == again
    assert await world.mail() == []


@pytest.mark.parametrize("before", [True, False])
async def test_a_kill_loses_and_doubles_no_last_mail(world: Leaving, before: bool) -> None:
    class KilledError(BaseException):
        pass

    world.press()
    world.relay.answers[ADA], world.relay.before = [KilledError()], before
    with pytest.raises(KilledError):
        await world.mail()
    world.store.close()
    world.open_again()
    world.relay.before = False
    assert len(await world.mail()) == before
    assert await world.mail() == []


async def test_it_is_given_up_when_it_is_no_news_any_more(world: Leaving) -> None:
    world.press()
    assert await world.mail(FAREWELL) == []
    assert world.undo() is Standing.READS


async def test_the_limits_are_kept(world: Leaving) -> None:
    world.press()
    world.store.relay.take(1, world.now, [])
    taken = len(world.relay.taken)
    await world.cycle(world.now + MINUTES, limits=[RateLimit(1, HOUR)])
    assert len(world.relay.taken) == taken
    assert subjects(await world.mail(HOUR)) == [SUBJECT]


async def test_a_server_that_cannot_be_used_gets_its_rest_and_the_limit_its_message_back(
    world: Leaving,
) -> None:
    """With nothing else to mail, each run would try the refused login again."""
    world.press()
    refused = Receipt(Outcome.RELAY, "535 5.7.8 wrong password", permanent=True)
    world.relay.answers[ADA] = [refused, refused]
    assert await world.mail() == []
    assert world.store.relay.state().is_paused(world.now)
    assert world.store.relay.handed_over(world.now, MINUTES) == 0
    before = len(world.relay.answers[ADA])
    assert await world.mail() == []
    assert len(world.relay.answers[ADA]) == before
    world.relay.answers[ADA] = []
    assert subjects(await world.mail(HOUR)) == [SUBJECT]
    assert not world.store.relay.state().failures


async def test_a_daemon_that_sleeps_notices_it(world: Leaving) -> None:
    daemon = Daemon.__new__(Daemon)
    daemon.store, daemon.clock, daemon.terms = world.store, lambda: world.now, make_terms()
    daemon.previews = False
    assert not daemon._is_due(world.now + HOUR)
    world.press()
    assert daemon._is_due(world.now + HOUR)
