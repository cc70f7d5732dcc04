"""`digest history`: a reader's digests and the runs, newest first."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.asking import AskedWorld, asked_world
from tests.world.shell import run_main
from tests.world.smtp_server import Act, smtp_server
from tests.world.worlds import DAY, HOUR, MONDAY, bad_answer, eprint, reader

ADA = "ada@example.org"


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[AskedWorld]:
    with asked_world(tmp_path, capsys) as world:
        yield world


async def three_days(world: AskedWorld) -> None:
    """Sent on Monday, maybe delivered on Tuesday, refused on Wednesday."""
    world.readers = [reader(ADA, "Alpha", timezone="Asia/Tokyo")]
    script = {
        "message": ["250 2.0.0 Queued as 1", Act.DROP],
        "RCPT": [None, None, "550 5.2.1 Disabled"],
    }
    async with smtp_server(script) as server:
        for number in range(3):
            world.arxiv.announce("Alpha", eprint(number + 1, MONDAY + (number - 1) * DAY))
            world.hold = number > 1
            await world.mailed_by(server, MONDAY + number * DAY)


async def test_digests_come_newest_first_with_the_servers_words(world: AskedWorld) -> None:
    await three_days(world)
    report = world.ask("history", ADA, "--json", "--papers").json()
    assert (report["email"], report["timezone"]) == (ADA, "Asia/Tokyo")
    assert [d["date"] for d in report["digests"]] == ["2026-11-11", "2026-11-10", "2026-11-09"]
    assert [d["state"] for d in report["digests"]] == ["failed", "unknown", "sent"]
    assert report["digests"][0]["reply"] == "550 5.2.1 Disabled"
    assert [t["id"] for t in report["digests"][2]["titles"]] == ["2611.00001"]
    lines = world.ask("history", ADA, "--papers").out
    assert "maybe delivered" in lines
    assert "unknown" not in lines
    assert "2611.00001v1  Title 1" in lines
    assert "Mon 2026-11-09 16:00" in lines
    assert lines.splitlines()[-1] == "(times in Asia/Tokyo)"


async def test_the_limit_counts_digests_and_zero_is_all(world: AskedWorld) -> None:
    await three_days(world)
    assert [
        len(world.ask("history", ADA, "--json", "--limit", n).json()["digests"]) for n in "120"
    ] == [1, 2, 3]


async def test_runs_are_told_with_counts_and_trouble(world: AskedWorld) -> None:
    await three_days(world)
    world.arxiv.fail("Alpha", bad_answer("arXiv answered 503"))
    await world.cycle(MONDAY + 3 * DAY)
    runs = world.ask("history", "--json").json()["runs"]
    assert [run["started"][:10] for run in runs] == [
        "2026-11-12",
        "2026-11-11",
        "2026-11-10",
        "2026-11-09",
    ]
    assert [(run["sent"], run["unknown"], run["failed"]) for run in runs[1:]] == [
        (0, 0, 1),
        (0, 1, 0),
        (1, 0, 0),
    ]
    assert runs[0]["keyword_trouble"] == [
        {"keyword": "Alpha", "status": "failed", "why": "arXiv answered 503"}
    ]
    lines = world.ask("history").out
    assert "Alpha failed: arXiv answered 503" in lines
    assert "1 maybe delivered" in lines


async def test_idle_runs_are_counted_and_listed_where_asked_for(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha")]
    await world.cycle(MONDAY)
    for quarter in range(1, 5):
        await world.cycle(MONDAY + quarter * HOUR / 4)
    await world.cycle(MONDAY + DAY)
    runs = world.ask("history", "--json").json()["runs"]
    assert [run["idle_before"] for run in runs] == [4, 0]
    assert "before that 4 runs with nothing to do" in world.ask("history").out
    assert len(world.ask("history", "--all", "--json").json()["runs"]) == 6
    assert "before that" not in world.ask("history", "--all").out


async def test_an_interrupted_run_says_so(world: AskedWorld) -> None:
    world.write_file()
    world.store.runs.begin(MONDAY)
    assert "interrupted" in world.ask("history").out


async def test_a_broken_file_hides_no_history(world: AskedWorld) -> None:
    await three_days(world)
    (world.home / "subscribers.yaml").write_text("subscribers: [{emial: x}]")
    told = world.ask("history", ADA)
    assert told.code == 0
    assert "(times in UTC)" in told.out
    assert "times are in UTC" in told.err


async def test_the_addresses_case_does_not_matter(world: AskedWorld) -> None:
    await three_days(world)
    assert world.ask("history", ADA.upper(), "--json").json()["email"] == ADA


def test_nothing_yet_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "subscribers: [{email: ada@example.org, keywords: [x ray]}]"
    )
    told = run_main(["history", "--home", str(tmp_path)], capsys)
    assert (told.code, told.out) == (0, "No run yet: 'digest run' does one.\n")
    assert (
        "No digest for ada@example.org yet"
        in run_main(["history", ADA, "--home", str(tmp_path)], capsys).out
    )
    assert run_main(["history", "--papers", "--home", str(tmp_path)], capsys).code == 2


async def test_a_digest_is_shown_as_it_was_read_and_a_line_says_what_has_changed(
    world: AskedWorld,
) -> None:
    world.readers = [reader(ADA, "Alpha")]
    async with smtp_server() as server:
        world.arxiv.announce("Alpha", eprint(1, MONDAY - DAY))
        await world.mailed_by(server, MONDAY)
        world.arxiv.announce("Alpha", eprint(1, MONDAY - DAY, version=2), eprint(2, MONDAY))
        await world.mailed_by(server, MONDAY + DAY)
    last = world.ask("history", ADA, "--show")
    assert last.out.startswith("Subject: 1 new paper: Alpha (10 Nov)\n\n1 new paper\n")
    assert "This mail went to ada@example.org." in last.out
    assert "https://arxiv.org/abs/2611.00002v1" in last.out
    assert "To leave at once" not in last.out
    assert last.err == ""
    first = world.ask("history", ADA, "--show", "--date", "2026-11-09")
    assert "https://arxiv.org/abs/2611.00001v2" in first.out
    assert first.err == (
        "digest: rendered again, and not as it was sent: 2611.00001 is shown as version 2 now\n"
    )


async def test_what_is_to_be_shown_has_to_be_said(world: AskedWorld) -> None:
    world.readers = [reader(ADA, "Alpha")]
    await world.cycle()
    for flags, words in {
        "--show": "need EMAIL: digest history EMAIL --show",
        f"{ADA} --open --json": "leave --json out",
        f"{ADA} --show --papers": "leave --papers out",
        f"{ADA} --date 2026-11-09": "add --show or --open",
        f"{ADA} --show --date monday": "write it as 2026-11-23",
        f"{ADA} --show --date 2020-01-01": f"no digest went to {ADA} on 2020-01-01",
    }.items():
        told = world.ask("history", *flags.split())
        assert told.code == 2
        assert words in told.err
