"""The note that a keyword matches nothing: when it comes, how, how often, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from digest.errors import ArxivError, UnreachableError
from digest.keywords.grammar import make_keyword
from digest.keywords.silence import hint
from digest.model import Outcome, Receipt, Rule, Weekly
from tests.world.worlds import DAY, MONDAY, World, bad_answer, eprint, reader, text

ADA = "ada@example.org"
NOTE = "No new paper has matched"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    yield world
    world.close()


async def live(world: World, first: int, last: int) -> None:
    """A cycle on each of these days after the Monday on which all begins, both counted."""
    for number in range(first, last + 1):
        await world.cycle(MONDAY + number * DAY)


def notes(world: World, address: str = ADA) -> list[str]:
    """The mails to a reader that tell of a silence, as text."""
    return [said for mail in world.mails(address) if NOTE in (said := " ".join(text(mail).split()))]


async def test_after_thirty_days_without_a_match_one_mail_says_so_and_why(world: World) -> None:
    world.readers = [reader(ADA, "Odd")]
    await live(world, 0, 29)
    assert len(world.mails(ADA)) == 1  # the welcome
    await live(world, 30, 30)
    assert world.mails(ADA)[1]["Subject"] == "No new paper in 30 days: Odd (9 Dec)"
    (said,) = notes(world)
    assert "No new paper has matched Odd in 30 days. Perhaps authors spell it otherwise." in said
    assert "This is said once; whatever matches will still come." in said
    await live(world, 31, 100)
    assert len(world.mails(ADA)) == 2


async def test_the_note_rides_in_the_next_digest_where_other_keywords_bring_mail(
    world: World,
) -> None:
    world.readers = [reader(ADA, "Odd", "Common")]
    for number in range(0, 45, 5):
        world.arxiv.announce("Common", eprint(number, MONDAY + (number - 1) * DAY))
        await live(world, number, number + 4)
    (said,) = notes(world)
    assert "Title 30" in said
    assert "matched Odd in 30 days" in said


async def test_a_match_begins_the_count_anew_and_a_second_silence_is_not_told(world: World) -> None:
    world.readers = [reader(ADA, "Odd")]
    await live(world, 0, 20)
    world.arxiv.announce("Odd", eprint(1, MONDAY + 20 * DAY))
    await live(world, 21, 50)
    assert not notes(world)
    await live(world, 51, 51)
    assert len(notes(world)) == 1
    world.arxiv.announce("Odd", eprint(2, MONDAY + 51 * DAY))
    await live(world, 52, 100)
    assert len(notes(world)) == 1
    assert world.titles(ADA)[-1] == [2]


async def test_days_on_which_nothing_was_fetched_are_no_silence(world: World) -> None:
    world.readers = [reader(ADA, "Odd")]
    await live(world, 0, 10)
    world.arxiv.fail("Odd", *outage(200))
    for number in range(11, 51):
        await world.cycle(MONDAY + number * DAY)
    world.arxiv.failures.clear()
    # The window after the outage looks far back, but stands for no more than a week.
    await live(world, 51, 51)
    await live(world, 52, 63)
    assert not notes(world)
    await live(world, 64, 64)
    assert len(notes(world)) == 1


def outage(count: int) -> list[ArxivError]:
    return [bad_answer(cls=UnreachableError) for _ in range(count)]


async def test_a_reader_who_came_later_is_told_after_thirty_days_of_their_own(world: World) -> None:
    world.readers = [reader(ADA, "Odd")]
    await live(world, 0, 20)
    world.readers.append(reader("lin@example.org", "Odd"))
    await live(world, 21, 50)
    assert (len(notes(world)), len(notes(world, "lin@example.org"))) == (1, 0)
    await live(world, 51, 51)
    assert len(notes(world, "lin@example.org")) == 1


async def test_a_weekly_reader_is_told_on_their_day(world: World) -> None:
    world.readers = [reader(ADA, "Odd", days=(Weekly.WED,))]
    await live(world, 0, 60)
    assert len(notes(world)) == 1
    assert world.mails(ADA)[-1]["Date"].startswith(
        "Wed, 09 Dec 2026"
    )  # 30 days after the first answer


async def test_a_paused_reader_is_told_on_return(world: World) -> None:
    world.readers = [reader(ADA, "Odd", paused_until=None)]
    await live(world, 0, 5)
    world.readers = [reader(ADA, "Odd", paused_until=(MONDAY + 50 * DAY).date())]
    await live(world, 6, 49)
    assert not notes(world)
    await live(world, 50, 60)
    (said,) = notes(world)
    assert "in 50 days" in said


async def test_a_refused_note_is_sent_again_and_one_that_may_have_arrived_is_not(
    world: World,
) -> None:
    world.readers = [reader(ADA, "Odd"), reader("lin@example.org", "Odd")]
    await live(world, 0, 29)
    world.relay.answers[ADA] = [Receipt(Outcome.FAILED, "550 mailbox full")]
    world.relay.answers["lin@example.org"] = [Receipt(Outcome.UNKNOWN, "no answer")]
    world.hold = True
    await live(world, 30, 30)
    assert not notes(world)
    await live(world, 31, 70)
    assert len(notes(world)) == 1
    assert not notes(world, "lin@example.org")


async def test_a_waiting_note_goes_into_the_digest_that_takes_its_place(world: World) -> None:
    world.readers = [reader(ADA, "Odd", "Common")]
    await live(world, 0, 29)
    world.relay.answers[ADA] = [Receipt(Outcome.RELAY, "421 closing")] * 3
    await live(world, 30, 30)
    world.arxiv.announce("Common", eprint(1, MONDAY + 30 * DAY))
    world.relay.answers.clear()
    world.relay.answers[ADA] = [Receipt(Outcome.RELAY, "421 closing")]
    await live(world, 31, 32)
    (said,) = notes(world)
    assert "Title 1" in said


async def test_the_note_keeps_no_paper_of_the_same_day_waiting(world: World) -> None:
    world.readers = [reader(ADA, "Odd")]
    await live(world, 0, 30)
    assert len(notes(world)) == 1
    world.arxiv.announce("Odd", eprint(1, MONDAY + 30 * DAY))
    await world.cycle(MONDAY + 30 * DAY + timedelta(hours=1), fetch_all=True)
    assert world.titles(ADA)[-1] == [1]


async def test_who_is_told_why_nothing_comes_is_told_in_that_mail(world: World) -> None:
    world.readers = [reader(ADA, "Odd", quiet_days=True)]
    await live(world, 0, 40)
    (said,) = notes(world)
    assert "Why nothing came:" in said


async def test_a_keyword_that_is_back_is_not_told_of_again(world: World) -> None:
    world.readers = [reader(ADA, "Odd", "Common")]
    await live(world, 0, 32)
    world.readers = [reader(ADA, "Common")]
    await live(world, 33, 45)
    world.readers = [reader(ADA, "Odd", "Common")]
    await live(world, 46, 120)
    assert sum("matched Odd" in said for said in notes(world)) == 1
    assert sum("matched Common" in said for said in notes(world)) == 1


def test_two_hundred_silent_keywords_are_all_in_the_text_part() -> None:
    from digest.model import Silence, Subscriber
    from digest.rendering.render import HTML_BYTES, Renderer
    from digest.rules.compose import Extras, compose

    silences = tuple(Silence(f"keyword {n} " + "x" * 150, 30, "A hint. " * 20) for n in range(200))
    digest = compose(
        (), Subscriber(ADA, ()), now=MONDAY, extras=Extras(previous=MONDAY, silences=silences)
    )
    rendered = Renderer().render(digest, "mark")
    flat = " ".join(rendered.text.split())
    assert all(f"matched keyword {n} x" in flat for n in range(200))
    assert len(rendered.html.encode()) <= HTML_BYTES
    assert "160 more (listed in the text part)" in " ".join(rendered.html.split())


@pytest.mark.parametrize(
    ("written", "rule", "said"),
    [
        ("halucination", None, "with 'match: either' one is enough"),
        ("reward modle", None, "side by side"),
        ("halucination", Rule.TITLE, "in titles only."),
        ("halucination", Rule.EITHER, "authors spell it otherwise"),
        ("cs.LG", None, "for the category write cat:cs.LG"),
        ("cat:cs.ZZ", None, "not one of arXiv's categories"),
        ("graph and network", None, "write it in capitals"),
        ('ti:"flow matching" AND cat:econ.EM AND abs:protein', None, "one of them left out"),
        ("ti:foo OR ti:bar", None, "in titles only."),
        ("au:bengio_yosha", None, "perhaps they sign otherwise"),
        ("robot ANDNOT all:robot", None, "what it excludes"),
        ("foo OR bar", None, "authors spell it otherwise"),
        ("(a AND b) ANDNOT c", None, "one of them left out"),
        ("(a AND b) OR c", None, "authors spell it otherwise"),
    ],
)
def test_the_hint_names_what_narrows_a_keyword(written: str, rule: Rule | None, said: str) -> None:
    assert said in hint(make_keyword(written, rule=rule))


def test_a_long_name_stands_for_the_query_and_not_for_the_words() -> None:
    keyword = make_keyword("Reward and more", "reward model")
    assert "side by side" in hint(keyword)


async def test_a_held_back_window_that_is_believed_is_a_match_too(world: World) -> None:
    world.readers = [reader(ADA, "Odd")]
    await live(world, 0, 29)
    (query,) = world.store.windows.queries(["all:odd"])
    world.store.windows.accept(query, (eprint(1, world.now - DAY),), world.now)
    await live(world, 30, 59)
    assert not notes(world)
    assert world.titles(ADA)[1:] == [[1]]
    await live(world, 60, 60)
    assert len(notes(world)) == 1  # a month after that paper's digest
