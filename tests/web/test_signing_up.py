"""Strangers who sign up: the mail that confirms an address, and that no answer tells which are
known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from digest.mail.reader_tokens import Purpose
from digest.model import Outcome, Receipt
from digest.rules.channels import RateLimit
from digest.run.inbox import process_message
from digest.store import Store
from digest.store.letters import FROM_ONE_PLACE, TO_ONE_ADDRESS
from digest.web.letters import KEYWORDS_A_DAY
from digest.web.signing_up import CONSENT
from digest.web.wanted import zone_options
from tests.world.letters import postfix_bounce
from tests.world.web_side import WebSide, web_side
from tests.world.worlds import DAY, HOUR, eprint, text

ADA, EVE = "ada@example.org", "eve@example.org"


@pytest.fixture
async def side(tmp_path: Path) -> Iterator[WebSide]:  # type: ignore[misc]
    with web_side(tmp_path) as side:
        await side.run()
        yield side


class Trace:
    """What a database is asked, without the values."""

    def __init__(self) -> None:
        self._asked: list[str] = []

    def follow(self, store: Store) -> None:
        store._database._connection.set_trace_callback(self._asked.append)

    def taken(self) -> tuple[str, ...]:
        """The statements since the last ones."""
        taken = tuple(re.sub(r"'[^']*'|\d+(\.\d+)?", "?", sql) for sql in self._asked)
        assert any("INSERT" in sql for sql in taken)
        self._asked.clear()
        return taken


async def confirmed(side: WebSide, address: str = EVE) -> str:
    """Signs up and confirms; the path of the link."""
    await side.sign_up(address)
    await side.run()
    link = side.link(address, "c")
    assert "You are subscribed" in (await side.ask(link, {"button": "confirm"})).text
    return link


async def test_a_stranger_signs_up_confirms_and_is_mailed(side: WebSide) -> None:
    assert (await side.sign_up(EVE)).status_code == 200
    assert side.store.signups.of(EVE) is None
    assert await side.run() == ["Confirm your address"]
    link = side.link(EVE, "c")
    question = await side.ask(link)
    assert "Confirm your address?" in question.text
    assert side.store.signups.of(EVE) is None, "who looks for viruses follows links"
    done = await side.ask(link, {"button": "confirm"})
    assert "You are subscribed" in done.text
    consent = side.store.preferences.consent(side.store.subscribers.number(EVE) or 0)
    assert consent is not None
    assert (consent.words, consent.place) == (CONSENT, "198.51.100.0/24")
    side.arxiv.announce("diffusion", eprint(1, side.now))
    await side.run()
    assert len(side.mails(EVE)) == 2
    over = await side.ask(link, {"button": "confirm"})
    assert over.status_code == 410


@pytest.mark.heavy
async def test_a_link_lasts_for_48_hours_from_its_mail(side: WebSide) -> None:
    await side.sign_up(EVE)
    side.now += 20 * HOUR
    await side.run()
    link = side.link(EVE, "c")
    side.now += 47 * HOUR
    assert (await side.ask(link)).status_code == 200
    side.now += HOUR
    for form in (None, {"button": "confirm"}):
        assert (await side.ask(link, form)).status_code == 410
    assert side.store.signups.of(EVE) is None


async def test_the_answer_is_the_same_whoever_asks_for_it(side: WebSide) -> None:
    await confirmed(side)
    await side.run()
    side.store.suppressions.unsubscribe(side.store.subscribers.number(ADA) or 0, "", side.now)
    answers, asked = set(), Trace()
    await side.thread.do(asked.follow)
    for address in (EVE, ADA, "new@example.org", "new@example.org", "NEW@example.org"):
        for _ in range(TO_ONE_ADDRESS):
            side.now += DAY / 2
            answer = await side.sign_up(address)
            # The same is asked of the database, and written into it: so it takes the same time.
            answers.add((answer.status_code, answer.text, asked.taken()))
    assert len(answers) == 1


@pytest.mark.heavy
async def test_a_reader_is_told_that_they_are_one(side: WebSide) -> None:
    await side.run()
    await side.sign_up(ADA)
    assert await side.run() == ["You get digests already"]
    assert side.link(ADA, "p")
    assert side.store.signups.of(ADA) is None


@pytest.mark.heavy
@pytest.mark.parametrize("reason", ["bounced: 550 no such user", "complained: abuse"])
async def test_no_mail_goes_to_who_bounced_or_complained(side: WebSide, reason: str) -> None:
    await confirmed(side)
    side.store.suppressions.unsubscribe(side.store.subscribers.number(EVE) or 0, "", side.now)
    side.database.write("UPDATE suppression SET reason = ?", [reason])
    await side.sign_up(EVE)
    assert "Confirm your address" not in await side.run()


@pytest.mark.heavy
async def test_no_second_letter_goes_where_one_bounced(side: WebSide) -> None:
    await side.sign_up(EVE)
    await side.run()
    last = side.relay.taken[-1].message_id
    raw = postfix_bounce("papers@example.org", message_id=last)
    done = process_message(side.store, side.signer, raw, side.now)
    assert done.handled
    assert "a letter that was asked for on the web bounced (" in done.did
    await side.sign_up(EVE.upper())
    assert await side.run() == []
    assert (await side.ask(side.link(EVE, "c"))).status_code == 410


@pytest.mark.heavy
@pytest.mark.parametrize("address", [ADA, EVE])
async def test_confirming_lifts_that_somebody_left(side: WebSide, address: str) -> None:
    await confirmed(side)
    await side.run()
    side.store.suppressions.unsubscribe(side.store.subscribers.number(address) or 0, "", side.now)
    await side.sign_up(address)
    assert "Confirm your address" in await side.run()
    assert side.store.suppressions.of(address) is not None
    await side.ask(side.link(address, "c"), {"button": "confirm"})
    assert side.store.suppressions.of(address) is None


@pytest.mark.heavy
async def test_mails_to_one_address_and_from_one_network_have_an_end(side: WebSide) -> None:
    for _ in range(TO_ONE_ADDRESS + 2):
        await side.sign_up(EVE)
    assert await side.run() == ["Confirm your address"] * TO_ONE_ADDRESS
    for number in range(FROM_ONE_PLACE - TO_ONE_ADDRESS - 2):
        assert (await side.sign_up(f"r{number}@example.org")).status_code == 200
    refused = await side.sign_up("one.more@example.org")
    assert refused.status_code == 503
    page = await side.ask("/signup", {"button": "show", "keywords": "x"}, client="203.0.113.9")
    assert page.status_code == 200


@pytest.mark.heavy
async def test_what_a_program_fills_in_is_no_sign_up(side: WebSide) -> None:
    page = await side.ask("/signup")
    token = page.text.partition('name="form" value="')[2].partition('"')[0]
    form = {"form": token, "keywords": "x", "address": EVE, "agreed": "on", "button": "sign up"}
    human = await side.ask("/signup", form)
    program = await side.ask("/signup", form | {"website": "http://example.org"})
    assert human.text == program.text
    assert await side.run() == ["Confirm your address"]


MISTAKES: tuple[tuple[dict[str, str | None], str], ...] = (
    ({"form": ""}, "open for too long"),
    ({"form": "1-aaaaaaaaaaaaaaaaaaaa"}, "open for too long"),
    ({"agreed": None}, "not ticked"),
    ({"address": "nobody"}, "no mail address"),
    ({"address": "Eve <eve@example.org>, x@example.org"}, "no mail address"),
    ({"keywords": " \n "}, "no keyword"),
    ({"keywords": "\n".join(f"word{n}" for n in range(21))}, "20 are the most"),
    ({"keywords": 'ti:"no end'}, "  ^"),
    ({"keywords": "+nobody"}, "no group"),
    ({"timezone": "Europe/Nowhere"}, "no time zone"),
    ({"at": "25:99"}, "no time of day"),
)


async def test_a_mistake_is_shown_with_the_form_as_it_was_filled(side: WebSide) -> None:
    page = await side.ask("/signup")
    token = page.text.partition('name="form" value="')[2].partition('"')[0]
    right = {"form": token, "keywords": "x", "address": EVE, "agreed": "on", "button": "sign up"}
    for change, words in MISTAKES:
        form = {name: value for name, value in (right | change).items() if value is not None}
        answer = await side.ask("/signup", form)
        assert answer.status_code == 200
        assert words in answer.text, change
        assert "Look into your mail" not in answer.text
    assert side.store.letters.wanted(side.now) == []


@pytest.mark.heavy
async def test_a_form_is_good_for_a_day(side: WebSide) -> None:
    token = side.token(Purpose.FORM, 1)
    form = {"form": token, "keywords": "x", "address": EVE, "agreed": "on", "button": "sign up"}
    assert "open for too long" in (await side.ask("/signup", form)).text


@pytest.mark.heavy
async def test_the_preview_counts_what_is_on_record(side: WebSide) -> None:
    side.arxiv.announce("Reasoning", *(eprint(n, side.now - HOUR) for n in range(1, 4)))
    await side.run()
    shown = await side.ask("/signup", {"button": "show", "keywords": "Title\nall:reasoning\nti:(x"})
    assert shown.status_code == 200
    assert "<b>all:reasoning</b>: " in shown.text
    assert "Look into" not in shown.text


@pytest.mark.heavy
async def test_keywords_that_are_public_can_be_picked(side: WebSide) -> None:
    assert "offered here" not in (await side.ask("/signup")).text
    file = side.settings.subscribers
    file.write_text("public: [RL]\n" + file.read_text())
    page = await side.ask("/signup")
    assert 'name="pick:RL"' in page.text
    assert "pick:Reasoning" not in page.text
    token = page.text.partition('name="form" value="')[2].partition('"')[0]
    form = {"form": token, "pick:RL": "on", "keywords": "graphs\n", "address": EVE}
    await side.ask("/signup", form | {"agreed": "on", "button": "sign up"})
    (letter,) = side.store.letters.wanted(side.now)
    assert json.loads(letter.entry)["keywords"] == ["RL", "graphs"]
    assert letter.names == ("RL",)


@pytest.mark.heavy
@pytest.mark.parametrize("text", ["RL", "rl", "+all"])
async def test_what_the_file_means_by_a_name_is_told_to_nobody(side: WebSide, text: str) -> None:
    path = side.home / "subscribers.yaml"
    path.write_text(path.read_text() + "groups: {all: [RL, Reasoning]}\n")
    shown = (await side.ask("/signup", {"keywords": text, "button": "show"})).text
    assert "reinforcement" not in shown
    refused = await side.sign_up(EVE, text)
    assert "reinforcement" not in refused.text
    assert "on its way" not in refused.text
    assert await side.run() == []
    assert not side.mails(EVE)
    path.write_text(path.read_text() + "public: all\n")
    assert "reinforcement" in (await side.ask("/signup", {"keywords": text, "button": "show"})).text
    await side.sign_up(EVE, text)
    assert await side.run() == ["Confirm your address"]


async def test_a_name_that_says_no_more_than_its_words_is_anybodys(side: WebSide) -> None:
    path = side.home / "subscribers.yaml"
    path.write_text(
        path.read_text().replace("Reasoning: 'all:reasoning'", "Long Reasoning: long reasoning")
    )
    await side.sign_up(EVE, "long reasoning")
    assert await side.run() == ["Confirm your address"]


async def test_a_days_sign_ups_bring_no_more_keywords_than_may(side: WebSide) -> None:
    for number in range(KEYWORDS_A_DAY // 20):
        words = [f"word{number}x{n}" for n in range(20)]
        side.database.write(
            "INSERT INTO subscriber(id, address, since, due_at, origin) VALUES(?, ?, ?, ?, 'web')",
            [100 + number, f"n{number}@example.org", side.now, side.now],
        )
        side.database.write(
            "INSERT INTO signup(subscriber, entry, names, at) VALUES(?, ?, '[]', ?)",
            [100 + number, '{"keywords": ["' + '", "'.join(words) + '"]}', side.now],
        )
    await side.sign_up(EVE)
    await side.run(0.1)
    answer = await side.ask(side.link(EVE, "c"), {"button": "confirm"})
    assert answer.status_code == 503
    assert side.store.signups.of(EVE) is None
    side.now += timedelta(hours=25)
    answer = await side.ask(side.link(EVE, "c"), {"button": "confirm"})
    assert answer.status_code == 200


@pytest.mark.heavy
async def test_letters_leave_by_a_limit_of_their_own_and_at_most_once(side: WebSide) -> None:
    for name in ("a", "b", "c"):
        await side.sign_up(f"{name}@example.org")
    limits = [RateLimit(20, DAY)]
    side.relay.answers["a@example.org"] = [Receipt(Outcome.DEFERRED, "450 later")]
    for _ in range(3):
        await side.cycle(side.now + HOUR, sender=side.sender, limits=limits)
        assert len(side.mails()) == 3
    await side.cycle(side.now + HOUR, sender=side.sender)
    assert len(side.mails()) == 4
    assert "within 48 hours" in text(side.mails()[-1])


@pytest.mark.parametrize("zone", ["CET", "Etc/GMT+5", "Europe/Berlin", ""])
def test_the_zone_of_a_reader_stays_chosen_though_it_is_not_offered(zone: str) -> None:
    chosen = re.findall(r"<option selected>([^<]*)<", str(zone_options(zone)))
    assert chosen == ([zone] if zone else [])
