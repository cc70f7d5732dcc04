"""`digest why`: each link of the chain, told from databases in which it really happened."""

from __future__ import annotations

import random
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.errors import DoubtfulError
from digest.explain.day import explain_day
from digest.explain.inquiry import Inquiry
from digest.explain.paper import explain_paper
from digest.keywords.grammar import parse
from digest.keywords.match import Matcher
from digest.keywords.tokens import Term
from digest.model import NOT_CARRIED, Outcome, Paper, Receipt, Revisions, Subscriber, Weekly
from digest.rules.verdict import PaperName, read_paper_name, why_not_matched
from digest.run.compose import make_plan
from digest.setup.parts import machine_now
from tests.world.asking import AskedWorld, asked_world
from tests.world.shell import run_main
from tests.world.smtp_server import Act, smtp_server
from tests.world.standin import ScriptedAnswer, Standin
from tests.world.worlds import DAY, HOUR, MONDAY, World, bad_answer, eprint, keyword, reader

ADA = "ada@example.org"
TUESDAY = MONDAY + DAY


@pytest.fixture
def world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[AskedWorld]:
    monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
    with asked_world(tmp_path, capsys) as world:
        yield world


async def started(world: AskedWorld, *names: str, **options: object) -> None:
    """Ada with her keywords, a welcome digest on Monday, and paper 1 in it."""
    world.readers = [reader(ADA, *(names or ("Alpha",)), **options)]
    for name in names or ("Alpha",):
        world.arxiv.announce(name, eprint(1, title=f"On {name}"))
    await world.cycle(MONDAY)


# --- a paper and its mail ---


async def test_a_mailed_paper_is_told_with_its_digest_and_the_servers_words(
    world: AskedWorld,
) -> None:
    world.readers = [reader(ADA, "Alpha", timezone="Europe/Berlin")]
    world.arxiv.announce("Alpha", eprint(1))
    async with smtp_server({"message": "250 2.0.0 Queued as 4711"}) as server:
        await world.mailed_by(server, MONDAY)
    report = world.why(ADA, "2611.00001")
    assert report["verdict"] == "mailed"
    assert report["answer"] == f"2611.00001 was mailed to {ADA} on Mon 2026-11-09 08:00."
    (digest,) = report["digests"]
    assert digest["state"] == "sent"
    assert "Queued as 4711" in digest["text"]
    assert "attempt 1" in digest["text"]
    lines = world.ask("why", ADA, "2611.00001").out
    assert "(times in Europe/Berlin)" in lines
    assert "v1 recorded Mon 2026-11-09 08:00 as new" in lines


@pytest.mark.parametrize(
    ("script", "verdict", "words"),
    [
        ({"RCPT": "550 5.1.1 No such user here"}, "suppressed", "refused for good"),
        ({"RCPT": "450 4.2.1 Mailbox busy"}, "waiting", "deferred"),
        ({"message": Act.DROP}, "maybe_delivered", "maybe delivered"),
        ({"MAIL": "451 4.3.0 Try later"}, "waiting", ""),
    ],
)
async def test_what_a_server_said_is_told_in_its_words(
    world: AskedWorld, script: dict[str, str], verdict: str, words: str
) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    async with smtp_server(script) as server:
        await world.mailed_by(server, MONDAY)
    report = world.why(ADA, "2611.00001")
    assert report["verdict"] == verdict
    (digest,) = report["digests"]
    assert words in digest["text"]
    said = next(iter(script.values()))
    if isinstance(said, str):
        assert said.split(" ", 2)[2] in digest["text"]
    assert "unknown" not in world.ask("why", ADA, "2611.00001").out
    assert "unknown" not in world.ask("why", ADA).out


async def test_a_held_delivery_waits_for_a_person(
    world: AskedWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.readers, world.hold = [reader(ADA, "Alpha")], True
    world.arxiv.announce("Alpha", eprint(1))
    async with smtp_server({"message": Act.DROP}) as server:
        await world.mailed_by(server, MONDAY)
    monkeypatch.setenv("DIGEST_ON_UNKNOWN", "hold")
    (digest,) = world.why(ADA, "2611.00001")["digests"]
    assert "waits for you: 'digest outbox list'" in digest["text"]


async def test_a_folded_digest_leaves_its_trace_and_the_newer_one_counts(world: AskedWorld) -> None:
    await started(world)
    world.arxiv.announce("Alpha", eprint(2, TUESDAY - DAY))
    async with smtp_server({"RCPT": ["450 4.2.1 Full"]}) as server:
        await world.mailed_by(server, TUESDAY)
        world.arxiv.announce("Alpha", eprint(3, TUESDAY))
        await world.mailed_by(server, TUESDAY + DAY - HOUR / 2)
        await world.mailed_by(server, TUESDAY + DAY)
    report = world.why(ADA, "2611.00002")
    assert report["verdict"] == "mailed"
    assert {d["state"] for d in report["digests"]} <= {"expired", "sent"}


# --- a paper that did not come ---


@pytest.mark.parametrize(
    ("query", "terms", "words"),
    [
        ("ti:zebra", ["ti:zebra"], "zebra is not in the title"),
        ("ti:known AND abs:zebra", ["abs:zebra"], "zebra is not in the abstract"),
        ("ti:zebra OR au:yak", ["ti:zebra", "au:yak"], "yak is not in the authors"),
        ("ti:known ANDNOT cat:cs.LG", ["cat:cs.LG"], "cs.LG is in the categories, after ANDNOT"),
        (
            'ti:known AND (abs:zebra OR co:"white horse")',
            ["abs:zebra", 'co:"white horse"'],
            '"white horse"',
        ),
        ("all:zebra*", ["all:zebra*"], "zebra* is nowhere in"),
    ],
)
async def test_the_term_that_failed_is_named(
    world: AskedWorld, query: str, terms: list[str], words: str
) -> None:
    from digest.keywords.grammar import make_keyword

    world.keywords = [keyword("Beta")]
    world.readers = [replace(reader(ADA), keywords=(make_keyword("Mine", query),))]
    world.arxiv.announce("Beta", eprint(1, title="A known title"))
    await world.cycle(MONDAY)
    report = world.why(ADA, "2611.00001")
    assert report["verdict"] == "no_match"
    (mine,) = report["keywords"]
    assert mine["failed_terms"] == terms
    assert words in mine["why"]


async def test_a_match_that_arxiv_did_not_serve_is_told_as_such(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.keywords = [keyword("Beta")]
    old = eprint(2, MONDAY - 40 * DAY, title="Alpha long ago")
    world.arxiv.announce("Beta", eprint(1, title="Alpha and more"), old)
    await world.cycle(MONDAY)
    assert world.why(ADA, "2611.00001")["verdict"] == "not_served"
    assert world.why(ADA, "2611.00002")["verdict"] == "before_first_window"
    world.arxiv.announce("Beta", eprint(3, TUESDAY - HOUR, title="Alpha again"))
    world.arxiv.fail("Alpha", bad_answer())
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2611.00003")
    assert report["verdict"] == "not_yet_asked"
    assert "the answer was cut off" in report["answer"]


async def test_the_guard_of_45_days_is_explained(world: AskedWorld) -> None:
    await started(world)
    world.arxiv.announce("Alpha", eprint(2, MONDAY - 60 * DAY))
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2611.00002")
    assert report["verdict"] == "too_old"
    (row,) = report["keywords"][0]["recorded"]
    assert row["kind"] == "old"
    assert "2026-09-25, 45 days before this keyword's previous good window" in row["text"]


async def test_a_late_paper_is_told_as_late(world: AskedWorld) -> None:
    await started(world)
    world.arxiv.announce("Alpha", eprint(2, MONDAY - 20 * DAY))
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2611.00002")
    assert report["verdict"] == "mailed"
    text = report["keywords"][0]["recorded"][0]["text"]
    assert "as announced late" in text
    assert text.endswith("announced Mon 2026-11-09")


async def test_what_lies_before_the_start_is_told(world: AskedWorld) -> None:
    world.keywords = [keyword("Alpha")]
    world.arxiv.announce("Alpha", *(eprint(n, MONDAY - 20 * DAY + n * HOUR) for n in range(1, 9)))
    await world.cycle(MONDAY)
    world.readers = [reader(ADA, "Alpha")]
    await world.cycle(TUESDAY)
    assert world.why(ADA, "2611.00001")["verdict"] == "before_start"
    assert "a new keyword starts with at most 20 papers" in world.why(ADA, "2611.00001")["answer"]
    assert world.why(ADA, "2611.00008")["verdict"] == "mailed"


async def test_exclusion_names_its_rule(world: AskedWorld) -> None:
    await started(world, exclude=("cat:cs.RO",))
    world.arxiv.announce("Alpha", eprint(2, MONDAY, categories=("cs.RO",)))
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2611.00002")
    assert (report["verdict"], "cat:cs.RO" in report["answer"]) == ("excluded", True)


async def test_what_lies_outside_the_categories_that_are_wanted_says_so(world: AskedWorld) -> None:
    await started(world, within=("cs.*", "stat.ML"))
    world.arxiv.announce("Alpha", eprint(2, MONDAY, categories=("math.CO", "econ.EM")))
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2611.00002")
    assert report["verdict"] == "excluded"
    words = "none of its categories (math.CO, econ.EM) is within cs.*, stat.ML"
    assert words in report["answer"]


async def test_a_revision_comes_only_where_it_is_wanted(world: AskedWorld) -> None:
    await started(world)
    world.arxiv.announce("Alpha", eprint(1, version=2, updated=MONDAY))
    await world.cycle(TUESDAY)
    assert world.why(ADA, "2611.00001")["verdict"] == "mailed"
    assert world.why(ADA, "2611.00001v2")["verdict"] == "revision_not_wanted"
    assert world.why(ADA, "2611.00001v3")["verdict"] == "unknown_version"
    world.readers = [reader(ADA, "Alpha", revisions=Revisions.ALL)]
    world.write_file()
    assert world.why(ADA, "2611.00001v2")["verdict"] == "due"


async def test_what_a_pause_let_go_is_told(world: AskedWorld) -> None:
    await started(world, max_papers=2)
    world.readers = [reader(ADA, "Alpha", max_papers=2, paused_until=date(2026, 11, 13))]
    for number in (2, 3, 4):
        world.arxiv.announce("Alpha", eprint(number, MONDAY + (number - 2) * DAY))
        await world.cycle(MONDAY + (number - 1) * DAY)
    assert world.why(ADA, "2611.00004")["verdict"] == "paused"
    assert world.why(ADA, "2611.00002")["verdict"] == "let_go"
    paused = world.why(ADA)
    assert paused["verdict"] == "paused"
    assert "paused until 2026-11-13" in paused["next"]
    await world.cycle(datetime(2026, 11, 13, 7, tzinfo=UTC))
    assert world.why(ADA, "2611.00004")["verdict"] == "mailed"
    report = world.why(ADA, "2611.00002")
    assert report["verdict"] == "let_go"
    assert "came the most recent 2" in report["answer"]


async def test_a_removed_and_an_edited_keyword_are_told(world: AskedWorld) -> None:
    await started(world, "Alpha", "Beta")
    world.readers = [replace(reader(ADA, "Alpha"), keywords=(keyword("Alpha", "all:other"),))]
    world.keywords = [keyword("OldAlpha", "all:alpha"), keyword("Beta")]
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    world.arxiv.announce("Beta", eprint(3, MONDAY))
    await world.cycle(TUESDAY)
    assert world.why(ADA, "2611.00002")["verdict"] == "keyword_edited"
    assert world.why(ADA, "2611.00003")["verdict"] == "keyword_removed"


async def test_without_arxiv_a_paper_that_no_window_held_is_told_from_the_record(
    world: AskedWorld,
) -> None:
    await started(world, "Alpha", "Beta")
    report = world.why(ADA, "hep-th/9901001")
    assert (report["verdict"], report["paper"]) == ("unknown_paper", None)
    assert "arXiv could not be asked what it is (127.0.0.1 cannot be reached" in report["answer"]
    assert "https://arxiv.org/abs/hep-th/9901001" in report["answer"]
    lines = world.ask("why", ADA, "hep-th/9901001").out
    covered = "between Fri 2026-10-02 07:00 and Mon 2026-11-09 07:00"
    for name in ("Alpha", "Beta"):
        said = f"{name}: no answer held it; they cover what was last updated {covered}"
        assert said in " ".join(lines.split())


def out_of_order(*papers: Paper) -> DoubtfulError:
    """An answer that is held back, and names these papers."""
    rows = "".join(f"<id>http://arxiv.org/abs/{paper.id}v1</id>" for paper in papers)
    return DoubtfulError("the rows are out of order", papers, ordered=False, body=rows.encode())


async def test_without_arxiv_a_paper_of_a_held_back_answer_is_told(world: AskedWorld) -> None:
    await started(world, "Alpha", "Beta")
    world.arxiv.fail("Beta", out_of_order(eprint(7, title="On Beta")))
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2611.00007")
    assert report["verdict"] == "held_back"
    assert "held back since Tue 2026-11-10 07:00 (the rows are out of order)" in report["answer"]
    assert [each["why"][:6] for each in report["keywords"]] == ["no ans", "it sta"]


@pytest.mark.parametrize("held", [True, False])
async def test_without_arxiv_a_paper_of_a_first_answer_that_was_not_believed_is_told(
    world: AskedWorld, held: bool
) -> None:
    """Before a first good window no paper of an answer is kept, but the answer is."""
    paper = eprint(7, title="On Alpha")
    body = out_of_order(paper).body
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.fail("Alpha", out_of_order(paper) if held else bad_answer(body=body))
    await world.cycle(MONDAY)
    report = world.why(ADA, "2611.00007")
    what = "held back (the rows are out" if held else "not taken (the answer was cut off"
    assert report["verdict"] == "held_back"
    assert f"stands in arXiv's answer of Mon 2026-11-09 07:00, which was {what}" in report["answer"]
    assert "comes with the next good answer" in report["answer"]
    assert world.why(ADA, "2611.00070")["verdict"] == "unknown_paper"


async def test_a_paper_that_only_an_answer_of_a_past_spell_held_is_told_with_it(
    world: AskedWorld,
) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.fail("Alpha", out_of_order(eprint(7, title="On Alpha")))
    await world.cycle(MONDAY)
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2611.00007")
    assert report["verdict"] == "held_back"
    assert "Mon 2026-11-09 07:00, which was held back" in report["answer"]
    assert "the good answers since then did not hold it" in report["answer"]


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Standin]:
    """An arXiv that can be asked by id."""
    with Standin() as arxiv:
        monkeypatch.setenv("DIGEST_ARXIV_API", arxiv.url)
        yield arxiv


async def test_of_a_paper_that_no_keyword_brought_the_term_that_failed_is_told(
    world: AskedWorld, index: Standin
) -> None:
    await started(world, "Alpha", "Beta")
    index.serve([eprint(7, title="On alphabets"), eprint(8, title="Beta decay")])
    report = world.why(ADA, "2611.00007")
    assert report["verdict"] == "no_match"
    assert "does not match any of the 2 keywords" in report["answer"]
    assert report["paper"]["title"] == "On alphabets"
    assert [k["failed_terms"] for k in report["keywords"]] == [["all:alpha"], ["all:beta"]]
    assert (
        "Alpha: it does not match: alpha is nowhere in" in world.ask("why", ADA, "2611.00007").out
    )
    assert world.value("SELECT COUNT(*) FROM paper WHERE id = '2611.00007'") == 0
    assert {asked.params["id_list"] for asked in index.requests} == {"2611.00007"}


async def test_of_a_paper_that_matches_the_answer_that_lacked_it_is_told(
    world: AskedWorld, index: Standin
) -> None:
    await started(world)
    for days in (1, 2, 3):
        await world.cycle(MONDAY + days * DAY)
    index.serve([eprint(7, MONDAY + 9 * HOUR, title="Alpha lost")])
    report = world.why(ADA, "2611.00007")
    assert report["verdict"] == "not_served"
    assert (
        "it matches by this program's own reading, and was announced on Mon 2026-11-09, unless it"
        " was held; arXiv's answer of Tue 2026-11-10 07:00 (1 row) did not hold it, nor did 2 later"
        " ones: arXiv's search does not list it" in report["answer"]
    )


@pytest.mark.parametrize(
    ("submitted", "verdict", "words"),
    [
        (TUESDAY - 15 * HOUR, "not_yet_asked", "was announced on Mon 2026-11-09"),
        (TUESDAY + 9 * HOUR, "not_yet_asked", "is announced on Tue 2026-11-10 at the earliest"),
        (MONDAY - 60 * DAY, "before_first_window", "which reached back 38 days"),
    ],
)
async def test_a_paper_from_outside_the_answers_is_told_as_such(
    world: AskedWorld, index: Standin, submitted: datetime, verdict: str, words: str
) -> None:
    await started(world)
    index.serve([eprint(7, submitted, title="Alpha")])
    report = world.why(ADA, "2611.00007", now=TUESDAY + 16 * HOUR)
    assert report["verdict"] == verdict
    assert words in report["answer"]


async def test_what_arxiv_does_not_know_or_may_not_be_asked_is_said(
    world: AskedWorld, index: Standin
) -> None:
    await started(world)
    assert "arXiv knows no paper 2611.00007" in world.why(ADA, "2611.00007")["answer"]
    index.serve([eprint(7)])
    assert world.why(ADA, "2611.00007v2")["verdict"] == "unknown_version"
    index.script(ScriptedAnswer(503), ScriptedAnswer(503))
    assert "could not be asked what it is" in world.why(ADA, "2611.00007")["answer"]
    world.store.windows.slow_down(machine_now(), None)
    asked = len(index.requests)
    assert "arXiv asked to slow down" in world.why(ADA, "2611.00007")["answer"]
    assert len(index.requests) == asked


async def test_a_due_paper_is_told_with_when_it_comes(world: AskedWorld) -> None:
    await started(world, at=time(6))
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(MONDAY + 2 * HOUR, fetch_all=True)
    report = world.why(ADA, "2611.00002")
    assert report["verdict"] == "due"
    assert "with the first run from Tue 2026-11-10 06:00 on" in report["answer"]
    assert "with the next run" in world.why(ADA, "2611.00002", now=TUESDAY)["answer"]
    assert "1 paper is due" in world.why(ADA)["next"]


# --- readers ---


async def test_a_suppressed_reader_is_told(world: AskedWorld) -> None:
    await started(world)
    world.store._database.write(
        "INSERT INTO suppression(address, reason, since)"
        " VALUES(?, 'bounced: 550 no such user', '2026-11-09T12:00:00Z')",
        [ADA],
    )
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(TUESDAY)
    for report in (world.why(ADA, "2611.00002"), world.why(ADA)):
        assert report["verdict"] == "suppressed"
        assert "550 no such user" in report["answer"]


async def test_a_reader_who_left_is_told_too(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha"), reader("lin@example.org", "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY)
    world.readers = world.readers[1:]
    world.write_file()
    assert "no longer in subscribers.yaml" in world.why(ADA)["note"]
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(TUESDAY)
    assert world.why(ADA, "2611.00001")["verdict"] == "mailed"
    report = world.why(ADA, "2611.00002")
    assert report["verdict"] == "left"
    assert "left on Tue 2026-11-10 07:00" in report["answer"]
    assert world.why(ADA, "2026-11-10")["verdict"] == "left"


async def test_a_reader_whom_no_run_has_met_is_told(world: AskedWorld) -> None:
    await started(world)
    world.readers.append(reader("new@example.org", "Alpha"))
    world.write_file()
    report = world.why("new@example.org", "2611.00001")
    assert report["verdict"] == "not_placed"
    assert "not yet in the database" in report["note"]
    assert world.why("new@example.org")["verdict"] == "not_known"


async def test_an_unknown_address_is_one_line_with_the_nearest(world: AskedWorld) -> None:
    await started(world)
    for command in ("why", "history"):
        told = world.ask(command, "adda@example.org")
        assert told.code == 78
        assert told.err.count("\n") == 1
        assert "did you mean ada@example.org?" in told.err


async def test_without_a_database_nothing_has_happened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "subscribers: [{email: ada@example.org, keywords: [x ray]}]"
    )
    told = run_main(["why", ADA, "--home", str(tmp_path)], capsys)
    assert told.code == 0
    assert "'digest run' makes it" in told.out
    assert run_main(["history", ADA, "--home", str(tmp_path)], capsys).code == 0


async def test_what_is_neither_date_nor_paper_is_refused(world: AskedWorld) -> None:
    await started(world)
    for nonsense in ("bogus", "2026-13-01", "0001-01-01", "9999-12-31", "2611.1"):
        told = world.ask("why", ADA, nonsense)
        assert (told.code, told.err.count("\n")) == (2, 1)


# --- days ---


async def test_days_say_why_no_digest_went(world: AskedWorld) -> None:
    await started(world, timezone="Europe/Berlin")
    for number in range(1, 6):
        await world.cycle(MONDAY + number * DAY)
    verdicts = {
        day: world.why(ADA, f"2026-11-{day:02}")["verdict"] for day in (8, 9, 10, 14, 15, 16)
    }
    assert verdicts == {
        8: "not_known",
        9: "digest",
        10: "no_match",
        14: "weekend",
        15: "future",
        16: "future",
    }
    assert "No digest on Sat 2026-11-14" in world.why(ADA, "2026-11-14")["answer"]
    assert world.why(ADA)["date"] == "2026-11-14"
    assert "Mon 2026-11-16 07:15" in world.why(ADA)["next"]
    assert world.why(ADA, "yesterday")["date"] == "2026-11-13"


async def test_a_holiday_has_its_name(world: AskedWorld) -> None:
    await started(world)
    thanksgiving = datetime(2026, 11, 27, 7, tzinfo=UTC)
    await world.cycle(thanksgiving)
    report = world.why(ADA, "2026-11-27")
    assert report["verdict"] == "holiday"
    assert "Thanksgiving" in report["answer"]


async def test_a_failed_fetch_and_a_day_without_a_run_are_told(world: AskedWorld) -> None:
    await started(world)
    world.arxiv.fail("Alpha", bad_answer("arXiv answered 503"))
    await world.cycle(TUESDAY)
    assert world.why(ADA, "2026-11-10")["verdict"] == "fetch_failed"
    assert (
        "Alpha could not be fetched: arXiv answered 503" in world.why(ADA, "2026-11-10")["answer"]
    )
    report = world.why(ADA, "2026-11-11", now=TUESDAY + 2 * DAY)
    assert (report["verdict"], report["fetched"]) == ("no_run", [])
    assert world.why(ADA, "2026-11-11", now=TUESDAY + 800 * DAY)["verdict"] == "no_record"


async def test_schedule_and_hour_are_told(world: AskedWorld) -> None:
    await started(world, days=(Weekly.MON,), at=time(6))
    world.arxiv.announce("Alpha", eprint(2, MONDAY))
    await world.cycle(TUESDAY)
    report = world.why(ADA, "2026-11-10")
    assert report["verdict"] == "not_scheduled"
    assert "has no digest on a Tuesday" in report["answer"]
    assert any("1 paper was recorded and not yet mailed" in text for text in report["reasons"])
    monday = world.why(ADA, "2026-11-16", now=datetime(2026, 11, 16, 1, tzinfo=UTC))
    assert monday["verdict"] == "slot_not_yet"


async def test_deferred_mail_is_told_on_its_day(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    async with smtp_server({"RCPT": "450 4.2.1 Mailbox busy"}) as server:
        await world.mailed_by(server, MONDAY)
        report = world.why(ADA)
        assert "1 paper (deferred)" in report["answer"]
        assert "Mailbox busy" in report["digests"][0]["text"]
        assert "waits in the outbox (deferred)" in report["next"]
        await world.mailed_by(server, TUESDAY)
    report = world.why(ADA, "2026-11-10")
    assert report["verdict"] == "delivery"
    assert "Mailbox busy" in report["answer"]


async def test_mail_that_left_a_day_later_is_told_on_both_days(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    async with smtp_server({"RCPT": ["450 4.2.1 Mailbox busy"]}) as server:
        await world.mailed_by(server, MONDAY)
        await world.mailed_by(server, TUESDAY)
    for day in ("2026-11-09", "2026-11-10"):
        report = world.why(ADA, day)
        assert report["verdict"] == "digest"
        assert "sent Tue 2026-11-10 07:00, attempt 2" in report["digests"][0]["text"]


async def test_before_the_announcement_is_served_the_day_says_when(world: AskedWorld) -> None:
    await started(world, timezone="Europe/Berlin")
    report = world.why(ADA, "today", now=TUESDAY - 3 * HOUR)
    assert report["date"] == "2026-11-10"
    assert report["verdict"] == "no_run"
    assert any("served from Tue 2026-11-10 07:15 on" in text for text in report["reasons"])


async def test_a_relay_that_cannot_be_used_is_told(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha")]
    world.arxiv.announce("Alpha", eprint(1))
    async with smtp_server({"connect": "554 5.7.1 Go away"}) as server:
        await world.mailed_by(server, MONDAY)
    assert "Go away" in world.why(ADA, "2611.00001")["digests"][0]["text"]
    assert "Go away" in world.ask("history").out


# --- the demo, and agreement with what really happened ---


def test_the_demo_is_told_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "demo"
    assert run_main(["demo", str(home), "--now", "2026-11-23"], capsys).code == 0
    with closing(sqlite3.connect(home / "digest.db")) as connection:
        papers = [row[0] for row in connection.execute("SELECT id FROM paper")]
        carried = set(
            connection.execute(
                "SELECT r.address, cp.paper FROM delivery d"
                " JOIN subscriber r ON r.id = d.subscriber"
                " JOIN content_paper cp ON cp.content = d.content"
            )
        )
    verdicts = set()
    for address in (ADA, "lin@example.org"):
        for paper in papers:
            told = run_main(["why", address, paper, "--json", "--home", str(home)], capsys)
            assert told.code == 0
            assert (told.json()["verdict"] == "mailed") == ((address, paper) in carried), told.out
            verdicts.add(told.json()["verdict"])
        for day, verdict in (
            ("2026-11-12", "digest"),
            ("2026-11-13", "digest"),
            ("2026-11-14", "weekend"),
        ):
            report = run_main(["why", address, day, "--json", "--home", str(home)], capsys).json()
            assert report["verdict"] == verdict
    assert verdicts == {"mailed", "before_start", "no_match"}


async def test_due_is_what_the_next_digest_would_hold(world: AskedWorld) -> None:
    """Every paper of a mixed history: `due` and `mailed` agree with the plan and the ledger."""
    world.readers = [reader(ADA, "Alpha", "Beta", exclude=("ti:nine",), at=time(6))]
    for number in range(1, 8):
        world.arxiv.announce(
            "Alpha" if number % 2 else "Beta", eprint(number, MONDAY - number * 6 * DAY)
        )
    await world.cycle(MONDAY)
    world.arxiv.announce(
        "Beta", eprint(8, MONDAY), eprint(9, MONDAY, title="Nine"), eprint(10, MONDAY - 90 * DAY)
    )
    world.arxiv.announce("Alpha", eprint(1, version=2, updated=MONDAY))
    await world.cycle(MONDAY + 2 * HOUR, fetch_all=True)
    due = world.store.digests.reader(ADA)
    assert due is not None
    planned = {item.paper.id for item in make_plan(world.store, due, world.readers[0]).items}
    told = {n: world.why(ADA, f"2611.{n:05d}")["verdict"] for n in range(1, 11)}
    assert (
        {f"2611.{n:05d}" for n, verdict in told.items() if verdict == "due"}
        == planned
        == {"2611.00008"}
    )
    assert {n for n, verdict in told.items() if verdict == "mailed"} == set(world.titles(ADA)[0])
    assert (told[9], told[10]) == ("excluded", "too_old")


@pytest.mark.parametrize("seed", range(10))
async def test_random_histories_are_told_as_plan_and_ledger_have_them(
    tmp_path: Path, seed: int
) -> None:
    """Keywords change, readers pause, fetches and mails fail: no answer contradicts what is due or
    was carried."""
    rnd = random.Random(seed)
    world, now = World(tmp_path / "digest.db"), MONDAY
    names, addresses = ["Alpha", "Beta", "Gamma"], [ADA, "lin@example.org"]
    world.keywords = [keyword(name) for name in names]
    world.readers = [
        reader(
            address,
            *rnd.sample(names, rnd.randint(1, 3)),
            max_papers=rnd.choice([2, 50]),
            revisions=rnd.choice(list(Revisions)),
            exclude=rnd.choice([(), ("ti:seven",)]),
            at=rnd.choice([None, time(6), time(20)]),
        )
        for address in addresses
    ]
    for step in range(8):
        now += rnd.choice([HOUR, DAY, DAY, 3 * DAY])
        for number in range(step * 3 + 1, step * 3 + 1 + rnd.randint(0, 3)):
            paper = eprint(
                number,
                now - rnd.choice([DAY, 10 * DAY, 70 * DAY]),
                title=rnd.choice(["seven", "Alpha"]),
            )
            world.arxiv.announce(rnd.choice(names), paper)
        name = rnd.choice(names)
        if (held := world.arxiv.papers[f"all:{name.lower()}"]) and rnd.random() < 0.3:
            revised = rnd.choice(held)
            world.arxiv.announce(
                name, replace(revised, version=revised.version + 1, updated=now - HOUR)
            )
        if rnd.random() < 0.2:
            world.arxiv.fail(name, bad_answer())
        which = rnd.randrange(2)
        if rnd.random() < 0.3:
            chosen = tuple(keyword(each) for each in rnd.sample(names, rnd.randint(1, 3)))
            world.readers[which] = replace(world.readers[which], keywords=chosen)
        if rnd.random() < 0.2:
            until = (now + rnd.choice([0, 3]) * DAY).date()
            world.readers[which] = replace(world.readers[which], paused_until=until)
        outcome = rnd.choice([Outcome.DEFERRED, Outcome.FAILED, Outcome.UNKNOWN, None])
        if outcome is not None and rnd.random() < 0.5:
            world.relay.answers[rnd.choice(addresses)].append(Receipt(outcome, "no"))
        await world.cycle(now, fetch_all=rnd.random() < 0.3)
    for subscriber in world.readers:
        _agrees(world, subscriber)
    world.close()


def _agrees(world: World, subscriber: Subscriber) -> None:
    past, due = (
        world.store.history.reader(subscriber.email),
        world.store.digests.reader(subscriber.email),
    )
    assert past is not None
    assert due is not None
    asked = Inquiry(world.store, world.now, subscriber.email, subscriber, past)
    planned = {item.paper.id for item in make_plan(world.store, due, subscriber).items}
    open_ = any(d.state in ("queued", "deferred") for d in world.store.history.deliveries(past.id))
    for exported in world.store.exports.export():
        base = exported.paper.id
        verdict = explain_paper(asked, PaperName(base))["verdict"]
        live = [
            d for d, _ in world.store.history.carriers(past.id, base) if d.state not in NOT_CARRIED
        ]
        assert (verdict in ("mailed", "maybe_delivered", "waiting", "dropped")) == bool(live), (
            base,
            verdict,
        )
        if not live and not open_:
            assert (verdict in ("due", "paused", "suppressed")) == (base in planned), (
                base,
                verdict,
            )
    for number in range(-1, (world.now - MONDAY).days + 2):
        assert explain_day(asked, (MONDAY + number * DAY).date())["answer"]


async def test_asking_writes_nothing(world: AskedWorld) -> None:
    await started(world)
    before = list(world.store._database._connection.iterdump())
    for args in (
        ("why", ADA),
        ("why", ADA, "2611.00001"),
        ("history",),
        ("history", ADA),
        ("export",),
    ):
        assert world.ask(*args).code == 0
    assert list(world.store._database._connection.iterdump()) == before


# --- names and terms ---


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("2503.14895", PaperName("2503.14895")),
        ("2503.14895v2", PaperName("2503.14895", 2)),
        ("arXiv:0704.0001", PaperName("0704.0001")),
        ("hep-th/9901001v3", PaperName("hep-th/9901001", 3)),
        ("math.GT/0309136", PaperName("math/0309136")),
        ("https://arxiv.org/abs/2503.14895v1", PaperName("2503.14895", 1)),
        ("http://export.arxiv.org/pdf/2503.14895v1.pdf", PaperName("2503.14895", 1)),
        ("arxiv.org/pdf/hep-th/9901001", PaperName("hep-th/9901001")),
        ("https://arxiv.org/html/2503.14895v4?context=cs#S1", PaperName("2503.14895", 4)),
        ("2026-11-09", None),
        ("yesterday", None),
        ("2503.14895v0", None),
        ("https://example.org/abs/2503.14895", None),
    ],
)
def test_papers_are_named_in_every_usual_way(text: str, name: PaperName | None) -> None:
    assert read_paper_name(text) == name


LEAVES = st.sampled_from(
    ["ti:title", "abs:abstract", "ti:zebra", "cat:cs.LG", "cat:cs.RO", "au:example", "all:yak"]
)
QUERIES = st.recursive(
    LEAVES,
    lambda inner: st.tuples(inner, st.sampled_from(["AND", "OR", "ANDNOT"]), inner).map(
        lambda t: f"({' '.join(t)})"
    ),
    max_leaves=6,
)


@given(QUERIES)
def test_failed_terms_are_named_exactly_where_a_query_does_not_match(query: str) -> None:
    node = parse(query)
    with Matcher([eprint(1)]) as matcher:

        def holds(term: Term) -> bool:
            return bool(matcher.match(term))

        failed = why_not_matched(node, holds)
        assert bool(failed) == (not matcher.match(node))
        assert {f.term for f in failed} <= set(re.findall(r"\w+:[\w.]+", query))


@pytest.mark.parametrize("text", ["9913.99999", "2600.00001", "hep-th/9913001"])
def test_an_id_of_a_month_that_does_not_exist_is_none(text: str) -> None:
    assert read_paper_name(text) is None


async def test_what_came_long_ago_is_told_by_its_month(world: AskedWorld) -> None:
    await started(world)
    await world.cycle(MONDAY + 70 * DAY)
    report = world.why(ADA, "2611.00001")
    assert (report["verdict"], report["digests"]) == ("mailed", [])
    assert report["months"] == [{"month": "2026-11", "version": 1}]
    assert "was mailed to ada@example.org in 2026-11" in report["answer"]
    day = world.why(ADA, "2026-11-09")
    assert day["verdict"] == "no_record"
    assert "in all of 2026-11" in day["answer"]
    assert "Digests   not known any more" in world.ask("why", ADA, "2026-11-09").out
    assert "single digests are kept for 60 days" in world.ask("history", ADA).out
    past = world.ask("history", ADA, "--json", "--papers").json()["months"]
    assert past == [{"month": "2026-11", "papers": 1, "names": ["2611.00001v1"]}]
    world.arxiv.announce("Beta", eprint(1))
    await world.cycle(MONDAY + 71 * DAY, fetch_all=True)
    assert world.titles(ADA) == [[1]]


async def test_a_paper_without_its_abstract_is_not_said_to_lack_a_term(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha", "Beta")]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY)
    world.database.write("UPDATE paper SET abstract = ''")
    keywords = {one["keyword"]: one["status"] for one in world.why(ADA, "2611.00001")["keywords"]}
    assert keywords == {"Alpha": "had", "Beta": "no_abstract"}
