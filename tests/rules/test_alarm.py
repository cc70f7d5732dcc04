"""When the operator is told: once for each trouble, and once when it is over."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.message import Sender
from digest.model import Outcome, Receipt
from digest.rules.alarm import FAILED_CYCLES, Facts, KnownTrouble, Notice, Trouble, decide
from digest.run.alert import Alarm, after_cycle
from digest.run.heartbeat import beat
from tests.world.worlds import DAY, HOUR, MONDAY, World, bad_answer, eprint, mail, reader

OPERATOR = "ops@example.org"
GOOD, BAD = Facts(), Facts(failed_cycles=FAILED_CYCLES, error="the disk is full")
RESTING = Facts(mail_rests="9 of 40 readers bounced")
facts = st.sampled_from(
    [GOOD, BAD, RESTING, Facts(failed_cycles=1, error="once"), Facts(3, "both", "rests")]
)


def play(sequence: list[tuple[Facts, bool]]) -> list[Notice]:
    """What is mailed over some hours; each with whether mail works."""
    memory: Mapping[Trouble, KnownTrouble] = {}
    mailed = []
    for hour, (now_wrong, works) in enumerate(sequence):
        decision = decide(now_wrong, memory, MONDAY + hour * HOUR)
        if decision.notice is not None and works:
            mailed.append(decision.notice)
        memory = decision.if_accepted if works or decision.notice is None else decision.memory
    return mailed


def test_each_trouble_is_told_once_and_its_end_too() -> None:
    mailed = play([(GOOD, True), *[(BAD, True)] * 50, *[(GOOD, True)] * 50])
    assert [n.subject for n in mailed] == [
        "trouble: 3 cycles in a row failed, the last with: the disk is full",
        "all is well again",
    ]
    assert mailed[1].lines[0].startswith("over: 3 cycles in a row failed")
    assert "from 2026-11-09 08:00 UTC" in mailed[1].lines[0]


def test_a_failure_or_two_are_nobodys_concern() -> None:
    assert (
        play(
            [(Facts(failed_cycles=n, error="x"), True) for n in range(FAILED_CYCLES)]
            + [(GOOD, True)]
        )
        == []
    )


def test_another_trouble_is_told_too_and_flapping_is_not() -> None:
    mailed = play(
        [
            (BAD, True),
            (Facts(3, "x", "rests"), True),
            (RESTING, True),
            (Facts(3, "x", "rests"), True),
        ]
    )
    assert len(mailed) == 2
    assert len(mailed[1].lines) == 2


def test_a_reported_trouble_that_is_over_while_another_is_reported_stays_reported() -> None:
    mailed = play([(BAD, True), (RESTING, True), (Facts(3, "x", "rests"), True)])
    assert [len(n.lines) for n in mailed] == [1, 1]


def test_where_mail_is_what_is_broken_the_end_tells_of_it() -> None:
    mailed = play([(GOOD, True), *[(BAD, False)] * 5, (GOOD, False), (GOOD, True), (GOOD, True)])
    assert [n.subject for n in mailed] == ["all is well again"]
    assert "the disk is full" in mailed[0].lines[0]


@given(st.lists(st.tuples(facts, st.booleans()), max_size=40))
def test_each_time_of_trouble_ends_with_one_mail_whatever_happens(
    sequence: list[tuple[Facts, bool]],
) -> None:
    sequence = [*sequence, (GOOD, True), (GOOD, True)]
    mailed = play(sequence)
    ends = [n.subject == "all is well again" for n in mailed]
    wrong = [f.failed_cycles >= FAILED_CYCLES or bool(f.mail_rests) for f, _ in sequence]
    assert sum(ends) <= sum(before and not now for before, now in pairwise(wrong))
    assert ends[-1:] == ([True] if any(wrong) else [])
    for start in (i for i, end in enumerate(ends) if end):
        since = next((i for i in range(start - 1, -1, -1) if ends[i]), -1)
        assert start - since <= 1 + len(Trouble)


@pytest.mark.parametrize(
    ("good", "told"),
    [
        (timedelta(hours=20), False),
        (timedelta(days=1), False),
        (timedelta(days=2), True),
        (timedelta(days=3), True),
    ],
)
def test_a_keyword_without_an_answer_for_two_announcements_is_told(
    good: timedelta, told: bool
) -> None:
    thursday = MONDAY + 3 * DAY
    decision = decide(Facts(last_good={"Reasoning": thursday - good}), {}, thursday)
    assert (decision.notice is not None) is told


def test_the_notice_counts_the_announcements_since_the_last_answer() -> None:
    thursday = MONDAY + 3 * DAY
    for days, count in ((3, 3), (2, 2)):
        decision = decide(Facts(last_good={"Reasoning": thursday - days * DAY}), {}, thursday)
        assert decision.notice is not None
        assert f"{count} announcements ago" in decision.notice.subject


@pytest.mark.parametrize(
    ("number", "named"),
    [(1, "k1"), (3, "k1, k2, k3"), (4, "k1, k2, k3 and 1 more"), (5, "k1, k2, k3 and 2 more")],
)
def test_three_keywords_without_an_answer_are_named_with_the_longest_wait(
    number: int, named: str
) -> None:
    last_good = {f"k{n}": MONDAY - n * DAY for n in range(1, number + 1)}
    notice = decide(Facts(last_good=last_good), {}, MONDAY + 2 * DAY).notice
    assert notice is not None
    since = f"{MONDAY - number * DAY:%Y-%m-%d}"
    assert notice.subject.startswith(f"trouble: arXiv has not answered for {named} since {since}")


def test_a_weekend_is_no_trouble() -> None:
    friday = MONDAY - 3 * DAY
    assert decide(Facts(last_good={"Reasoning": friday}), {}, MONDAY - 2 * HOUR).notice is None


class Office(World):
    """A world with an operator."""

    async def work(self, error: str | None = "") -> None:
        """A cycle and what follows it; `error`: what the command line found, if not what the cycle
        shows."""
        summary = await self.cycle()
        failed = error or next((k.why for k in summary.keywords if k.status == "failed"), "")
        alarm = Alarm(
            self.store,
            self.relay,
            Sender("Digest <papers@example.org>"),
            OPERATOR,
            Path("/srv/digest"),
        )
        await after_cycle(alarm, self.roster, failed, self.now)
        self.now += HOUR

    def told(self) -> list[EmailMessage]:
        return [mail(m.data) for m in self.relay.taken if m.recipient == OPERATOR]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    office = Office(tmp_path / "digest.db")
    office.readers = [reader("ada@example.org", "Reasoning")]
    office.arxiv.announce("Reasoning", eprint(1))
    yield office
    office.store.close()


async def test_the_operator_gets_one_mail_of_trouble_and_one_of_its_end(office: Office) -> None:
    await office.work()
    for _ in range(6):
        await office.work("the subscribers file\r\nBcc: eve@example.org is wrong")
    await office.work()
    await office.work()
    first, second = office.told()
    assert first["Subject"].startswith("Digest: trouble: 3 cycles in a row failed")
    assert first["To"] == OPERATOR
    assert "Bcc" not in first
    assert "/srv/digest" in first.get_content()
    assert second["Subject"] == "Digest: all is well again"


async def test_a_mail_that_is_not_taken_is_tried_again(office: Office) -> None:
    office.relay.answers[OPERATOR] = [
        Receipt(Outcome.RELAY, "421 no"),
        Receipt(Outcome.DEFERRED, "450 no"),
    ]
    for _ in range(6):
        await office.work("broken")
    assert len(office.told()) == 1
    assert len([m for m in office.relay.tried if m.recipient == OPERATOR]) == 3


async def test_a_mail_server_in_trouble_is_told_once_it_can_be_used_and_left_alone_before(
    office: Office,
) -> None:
    office.relay.answers["ada@example.org"] = [
        Receipt(Outcome.RELAY, "535 wrong password", permanent=True)
    ] * 2
    office.now += timedelta(minutes=1)
    for _ in range(5):
        await office.work()
        office.now -= timedelta(minutes=45)
    assert [m.recipient for m in office.relay.tried] == ["ada@example.org"] * 2, (
        "an hour's rest holds for all mail"
    )
    for _ in range(3):
        await office.work()
    assert office.told() != []
    assert "535 wrong password" in office.told()[0].get_content()


async def test_arxiv_away_for_two_announcements_is_told(office: Office) -> None:
    await office.work()
    for _ in range(20):
        office.arxiv.fail("Reasoning", *[bad_answer()] * 4)
        await office.work(None)
        office.now += 4 * HOUR
    assert any("arXiv has not answered for Reasoning" in m.get_content() for m in office.told())


class Watchdog(BaseHTTPRequestHandler):
    """Takes calls, and answers as told."""

    status = 200
    calls: list[str]

    def do_GET(self) -> None:
        self.server.calls.append(self.path)  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def watchdog() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Watchdog)
    server.calls, server.status = [], 200  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_the_heartbeat_calls_and_never_fails(
    watchdog: HTTPServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{watchdog.server_port}/a-secret-name"
    assert await beat(url)
    watchdog.status = 500  # type: ignore[attr-defined]
    assert not await beat(url)
    assert watchdog.calls == ["/a-secret-name"] * 2  # type: ignore[attr-defined]
    assert not await beat("http://127.0.0.1:1/a-secret-name")
    assert not await beat("https://a b/")
    assert "secret" not in "".join(
        r.getMessage() for r in caplog.records if r.name.startswith("digest")
    )


def test_decided_at_a_later_time_keeps_when_it_began() -> None:
    first = decide(BAD, {}, MONDAY)
    assert isinstance(MONDAY, datetime)
    later = decide(RESTING, first.if_accepted, MONDAY + DAY)
    assert later.if_accepted[Trouble.CYCLES].since == MONDAY


async def test_a_mail_server_that_takes_nothing_is_told_when_it_does_again(office: Office) -> None:
    await office.work()
    office.relay.answers[OPERATOR] = [Receipt(Outcome.RELAY, "421 no")] * 9
    office.relay.answers["ada@example.org"] = [Receipt(Outcome.RELAY, "421 no")] * 4
    office.arxiv.announce("Reasoning", eprint(2, office.now))
    office.now += DAY
    for _ in range(4):
        await office.work()
        office.now += HOUR
    assert office.told() == []
    office.relay.answers[OPERATOR].clear()
    await office.work()
    [told] = office.told()
    assert told["Subject"] == "Digest: all is well again"
    assert "the mail server is in trouble since" in told.get_content()
    assert "421 no" in told.get_content()


async def test_a_reader_whose_mail_is_refused_for_its_content_day_after_day_is_told(
    office: Office,
) -> None:
    lin = "lin@example.org"
    office.readers = [reader(each, "Reasoning") for each in ("ada@example.org", lin, "mia@x.org")]
    refusal = Receipt(Outcome.FAILED, "554 5.7.1 content rejected", policy=True, bounce=True)
    office.relay.answers[lin] = [refusal] * 4
    for day in range(4):
        office.arxiv.announce("Reasoning", eprint(day + 2, MONDAY + (day - 1) * DAY))
        office.now = MONDAY + day * DAY
        await office.work()
        assert len(office.told()) == (day >= 2), day
    [told] = office.told()
    text = " ".join(told.get_content().split())
    assert f"no mail reached {lin} since 2026-11-09 07:00 UTC, refused on 3 days" in text
    office.now = MONDAY + 4 * DAY
    await office.work()
    assert office.told()[-1]["Subject"] == "Digest: all is well again"
