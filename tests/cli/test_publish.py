"""`digest publish` and `digest import` as a person meets them, and what follows for the readers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from digest.errors import ConfigError
from digest.keywords.grammar import make_keyword
from digest.model import Paper, Rule
from digest.rendering.page.ranks import papers_of
from digest.rendering.page.read import read_page
from digest.rendering.page.render import KeywordTable, render_page
from digest.run.publish import write_page
from tests.world.asking import AskedWorld
from tests.world.shared import shared
from tests.world.shell import Told, run_main
from tests.world.standin import Standin
from tests.world.worlds import DAY, HOUR, MONDAY, World, eprint, keyword, reader

Command = Callable[..., Told]
KEYWORDS = ("Hallucination", "MLLM", "Reasoning", "Reward Model")


@pytest.fixture
def digest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run a command in a home whose file is a plain list of keywords."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "subscribers.yaml").write_text(f"keywords: [{', '.join(KEYWORDS)}]\n")
    return lambda *words: run_main([*words, "--home", str(tmp_path)], capsys)


@pytest.fixture
def seed() -> Path:
    return shared("daily-papers-seed.md")


def test_papers_served_by_arxiv_make_the_seed_byte_for_byte(
    digest: Command, seed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = read_page(seed.read_text(encoding="utf-8"))
    papers = {
        base: replace(paper, authors=("Ada Example",), categories=("cs.CL",))
        for base, paper in papers_of(
            page.sections, datetime(2025, 3, 21, tzinfo=UTC).date()
        ).items()
    }
    windows = {
        make_keyword(section.keyword).query: sorted(
            (papers[row.id] for row in section.rows), key=lambda p: p.updated, reverse=True
        )
        for section in page.sections
    }
    with Standin() as arxiv:
        arxiv.serve_windows(windows)
        monkeypatch.setenv("DIGEST_ARXIV_API", arxiv.url)
        monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
        assert digest("run", "--now", "2025-03-21T06:00", "--quiet").code == 0
    assert (
        digest(
            *("publish", "--markdown", "README.md", "--limit", "20"),
            *("--now", "2025-03-21", "--links", "http"),
        ).code
        == 0
    )
    assert (tmp_path / "README.md").read_bytes() == seed.read_bytes()


def test_the_imported_seed_is_published_byte_for_byte(
    digest: Command, seed: Path, tmp_path: Path
) -> None:
    told = digest("import", str(seed), "--now", "2025-03-22")
    assert (told.code, told.err) == (0, "")
    assert "Hallucination  20 papers, 20 new to the database" in told.out
    assert "The first digests bring what came after 2025-03-21." in told.out
    told = digest("publish", "--markdown", "README.md", "--limit", "20", "--now", "2025-03-21")
    assert (told.code, told.out) == (0, "README.md: 78 papers under 4 keywords.\n")
    assert (tmp_path / "README.md").read_bytes() == seed.read_bytes()
    again = digest("import", "README.md", "--json").json()
    added = [(row["keyword"], row["papers"], row["added"]) for row in again["keywords"]]
    assert added == [(name, 20, 0) for name in KEYWORDS]
    assert (again["updated"], again["unread"], again["missing"]) == ("2025-03-21", [], [])


def test_a_dry_run_writes_nothing(digest: Command, seed: Path, tmp_path: Path) -> None:
    told = digest("import", str(seed), "--dry-run")
    assert (told.code, "Nothing was written." in told.out) == (0, True)
    assert [path.name for path in tmp_path.iterdir()] == ["subscribers.yaml"]


def test_an_unchanged_page_is_left_alone(digest: Command, seed: Path, tmp_path: Path) -> None:
    digest("import", str(seed))
    page = tmp_path / "README.md"
    first = digest("publish", "--markdown", "README.md", "--now", "2025-03-21", "--json").json()
    assert first == {
        "file": "README.md",
        "written": True,
        "updated": "2025-03-21",
        "keywords": [{"keyword": name, "papers": 20} for name in KEYWORDS],
    }
    before = page.stat().st_ino
    told = digest("publish", "--markdown", "README.md", "--now", "2025-03-22")
    assert told.out == "README.md says all that already; it was left alone (--always writes it).\n"
    assert page.stat().st_ino == before
    assert digest("publish", "--markdown", "README.md", "--now", "2025-03-22", "--always").code == 0
    assert "Last update: 2025-03-22\n" in page.read_text()
    assert (
        digest("publish", "--markdown", "README.md", "--now", "2025-03-22", "--limit", "3").code
        == 0
    )
    assert page.read_text().count("| **[") == 12


def test_links_are_https_as_on_the_imported_page_or_as_told(
    digest: Command, seed: Path, tmp_path: Path
) -> None:
    modern = seed.read_text(encoding="utf-8").replace("](http://", "](https://")
    (tmp_path / "modern.md").write_text(modern, encoding="utf-8")
    digest("import", "modern.md")
    words = ("publish", "--markdown", "-", "--limit", "20", "--now", "2025-03-21")
    assert digest(*words).out == modern
    assert digest(*words, "--links", "http").out.encode() == seed.read_bytes()
    digest("import", str(seed))
    assert digest(*words).out.encode() == seed.read_bytes()
    assert digest(*words, "--links", "https").out == modern


def test_the_date_is_that_of_the_zone_and_a_zone_that_is_none_is_refused(
    digest: Command, seed: Path
) -> None:
    digest("import", str(seed))
    words = ("publish", "--markdown", "-", "--now", "2025-03-21T20:00", "--timezone")
    assert "Last update: 2025-03-22\n" in digest(*words, "Asia/Shanghai").out
    told = digest(*words, "Shanghai")
    assert (told.code, "--timezone 'Shanghai' is not a time zone" in told.err) == (2, True)


def test_a_category_of_the_defaults_that_no_paper_has_is_warned_of_without_readers_too(
    digest: Command, tmp_path: Path
) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "defaults: {within: [cs.XY]}\nkeywords: [reasoning]\n"
    )
    told = digest("subscribers", "check")
    assert (told.code, "'cs.XY' is not one of arXiv's categories" in told.err) == (0, True)


def test_a_page_keeps_to_the_categories_of_the_defaults_and_those_of_a_keyword(
    digest: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "defaults: {within: [cs.*, stat.ML]}\n"
        "keywords:\n  Robot: {query: 'abs:robot', within: [cs.RO, math.*]}\n"
        "subscribers:\n  - {email: ada@example.org, keywords: [Robot], within: []}\n"
    )
    kept = (("cs.RO",), ("math.CO", "cs.LG"))
    for_readers = (("math.CO",),)
    never = (("cs.LG",), ("physics.optics",))
    with Standin() as arxiv:
        arxiv.serve(
            eprint(number, abstract="On a robot.", categories=categories)
            for number, categories in enumerate((*kept, *for_readers, *never), 1)
        )
        monkeypatch.setenv("DIGEST_ARXIV_API", arxiv.url)
        monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
        assert digest("run", "--now", MONDAY.isoformat(), "--quiet").code == 0
    page = digest("publish", "--markdown", "-", "--limit", "2").out
    assert re.findall(r"abs/2611\.0000(\d)v", page) == ["2", "1"]
    (mailed,) = (tmp_path / "mail" / "new").iterdir()
    assert set(re.findall(r"abs/2611\.0000(\d)v", mailed.read_text())) == {"1", "2", "3"}


def test_the_page_is_printed_on_demand_and_an_own_template_is_taken(
    digest: Command, seed: Path, tmp_path: Path
) -> None:
    digest("import", str(seed))
    told = digest("publish", "--markdown", "-", "--limit", "20", "--now", "2025-03-21")
    assert told.out.encode() == seed.read_bytes()
    (tmp_path / "own.md").write_text(
        "{% for s in sections %}{{ s.keyword }} {{ s.papers | length }}\n{% endfor %}"
    )
    told = digest("publish", "--markdown", "-", "--template", "own.md", "--limit", "2")
    assert told.out == "".join(f"{name} 2\n" for name in KEYWORDS)


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["publish"], 2, "nothing to write was named: such as with --markdown README.md"),
        (["publish", "--markdown", "README.md"], 78, "there is no database at"),
        (["publish", "--markdown", "x/README.md"], 78, "there is no database at"),
        (["publish", "--markdown", "R.md", "--limit", "0"], 2, "0 is not in the range"),
        (["import", "nowhere.md"], 2, "nowhere.md cannot be read (No such file or directory)"),
        (
            ["import", "subscribers.yaml"],
            2,
            "subscribers.yaml has no table of papers below a heading",
        ),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    digest: Command, words: list[str], code: int, error: str
) -> None:
    told = digest(*words)
    assert (told.code, error in told.err, told.err.count("\n")) == (code, True, 1), told.err


def test_a_heading_that_no_keyword_can_have_is_refused_unless_the_file_names_it(
    digest: Command, tmp_path: Path
) -> None:
    page = render_page([KeywordTable("a AND", (eprint(1),))], MONDAY.date())
    (tmp_path / "old.md").write_text(page)
    told = digest("import", "old.md")
    assert (told.code, "the heading 'a AND' is no keyword" in told.err) == (2, True)
    (tmp_path / "subscribers.yaml").write_text("keywords: {a AND: 'ti:a'}\n")
    assert digest("import", "old.md", "--json").json()["keywords"][0]["query"] == "ti:a"


def test_rows_that_cannot_be_read_and_keywords_that_the_file_lacks_are_named(
    digest: Command, tmp_path: Path
) -> None:
    page = render_page([KeywordTable("Other", (eprint(1),))], MONDAY.date())
    (tmp_path / "old.md").write_text(page.rstrip() + "\n| what | is | this | ? |\n")
    told = digest("import", "old.md")
    assert told.code == 0
    assert "1 row could not be read and passed over: line 16" in told.err
    assert (
        f"Not in {tmp_path / 'subscribers.yaml'} yet: Other ('digest keywords add' adds them)."
        in told.out
    )


def test_a_page_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="is no file"):
        write_page(tmp_path / "folder", "x")
    with pytest.raises(ConfigError, match="does not exist"):
        write_page(tmp_path / "nowhere" / "README.md", "x")
    page = tmp_path / "README.md"
    assert write_page(page, "one\nLast update: 2025-01-01\n")
    assert (page.stat().st_mode & 0o777) == 0o644
    assert not write_page(page, "one\nLast update: 2025-01-02\n")
    assert not write_page(page, page.read_text(), always=True)
    link = tmp_path / "link.md"
    link.symlink_to(page)
    page.chmod(0o600)
    assert write_page(link, "two\n")
    assert (link.is_symlink(), page.read_text(), page.stat().st_mode & 0o777) == (
        True,
        "two\n",
        0o600,
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "folder", "link.md"]


# What follows for readers


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "digest.db")
    yield found
    found.close()


def take_in(world: World, name: str, *papers: Paper, until: datetime = MONDAY - DAY) -> None:
    """Take in a page that shows these papers, as the command does."""
    ordered = sorted(papers, key=lambda p: p.published, reverse=True)
    page = read_page(render_page([KeywordTable(name, tuple(ordered))], until.date()))
    found = papers_of(page.sections, until.date())
    world.store.pages.import_page(found, {keyword(name).query: list(found)}, until, "https")


async def test_who_moves_here_gets_what_came_after_the_page_and_nothing_else(world: World) -> None:
    """A busy keyword: 200 papers before those of the page, 20 on it, 40 after it, and one
    revised."""
    old = [eprint(n, MONDAY - 20 * DAY + n * HOUR) for n in range(200)]
    on_page = [eprint(200 + n, MONDAY - 4 * DAY + n * HOUR) for n in range(20)]
    after = [eprint(300 + n, MONDAY - 3 * DAY + n * HOUR) for n in range(40)]
    take_in(world, "RL", *on_page)
    revised = replace(on_page[3], version=2, updated=MONDAY - HOUR)
    world.arxiv.announce("RL", *old, *on_page, *after, revised)
    world.readers = [reader("ada@example.org", "RL", max_papers=100)]
    summary = await world.cycle()
    assert (summary.keywords[0].new, summary.keywords[0].revised) == (40, 1)
    (first,) = world.titles("ada@example.org")
    assert sorted(first) == list(range(300, 340))
    world.arxiv.announce("RL", eprint(400, MONDAY + HOUR))
    await world.cycle(MONDAY + DAY)
    assert world.titles("ada@example.org")[1:] == [[400]]


async def test_a_held_paper_of_the_days_that_the_page_shows_is_not_missed(world: World) -> None:
    page = [eprint(n, MONDAY - 4 * DAY + n * HOUR) for n in range(5)]
    take_in(world, "RL", *page)
    world.arxiv.announce("RL", *page, eprint(50, MONDAY - 4 * DAY + HOUR / 2))
    world.readers = [reader("ada@example.org", "RL")]
    await world.cycle()
    assert world.titles("ada@example.org") == [[50]]


async def test_who_subscribes_later_starts_as_with_any_keyword(world: World) -> None:
    page = [eprint(n, MONDAY - 4 * DAY + n * HOUR) for n in range(5)]
    take_in(world, "RL", *page)
    new = [eprint(50 + n, MONDAY - 2 * DAY + n * HOUR) for n in range(30)]
    world.arxiv.announce("RL", *page, *new)
    world.readers = [reader("ada@example.org", "RL", max_papers=100)]
    await world.cycle()
    world.readers.append(reader("lin@example.org", "RL", max_papers=100))
    await world.cycle(MONDAY + HOUR)
    assert sorted(world.titles("ada@example.org")[0]) == list(range(50, 80))
    assert sorted(world.titles("lin@example.org")[0]) == list(range(60, 80))


async def test_a_page_of_long_ago_brings_no_flood(world: World) -> None:
    page = [eprint(n, MONDAY - 30 * DAY + n * HOUR) for n in range(5)]
    take_in(world, "RL", *page, until=MONDAY - 30 * DAY)
    world.arxiv.announce(
        "RL", *page, *(eprint(50 + n, MONDAY - 25 * DAY + n * HOUR) for n in range(500))
    )
    world.readers = [reader("ada@example.org", "RL", max_papers=100)]
    await world.cycle()
    (first,) = world.titles("ada@example.org")
    assert sorted(first) == list(range(530, 550))


async def test_arxiv_completes_what_a_page_does_not_tell(world: World) -> None:
    served = eprint(1, MONDAY - 4 * DAY, version=2, updated=MONDAY - 2 * DAY)
    take_in(world, "RL", served)
    before = world.store.history.paper(served.id)
    assert before is not None
    assert (before.authors, before.version, before.published.date()) == (
        (),
        2,
        served.updated.date(),
    )
    world.arxiv.announce("RL", served)
    world.readers = [reader("ada@example.org", "RL")]
    await world.cycle()
    assert world.store.history.paper(served.id) == served
    assert world.value("SELECT COUNT(*) FROM revision") == 0
    assert world.store.pages.recent(keyword("RL").query, 10) == (served,)


async def test_a_page_takes_nothing_from_what_is_known(world: World) -> None:
    known = [eprint(n, MONDAY - 2 * DAY + n * HOUR) for n in range(3)]
    world.arxiv.announce("RL", *known)
    world.readers = [reader("ada@example.org", "RL")]
    await world.cycle()
    newer = replace(known[0], version=3, title="Newer", updated=MONDAY)
    take_in(
        world,
        "RL",
        newer,
        replace(known[1], title="Another title"),
        eprint(9, MONDAY - DAY),
        until=MONDAY,
    )
    papers = {p.id: p for p in world.store.pages.recent(keyword("RL").query, 10)}
    assert [papers[p.id] for p in known] == known
    assert world.value("SELECT COUNT(*) FROM seen WHERE run IS NULL") == 1
    world.arxiv.announce("RL", eprint(9, MONDAY - DAY), eprint(10, MONDAY))
    await world.cycle(MONDAY + DAY)
    assert world.titles("ada@example.org")[1:] == [[10]]


def test_a_keyword_with_a_match_of_its_own_is_its_query(
    digest: Command, seed: Path, tmp_path: Path
) -> None:
    (tmp_path / "subscribers.yaml").write_text("keywords: {reasoning: {match: title}}\n")
    rows = digest("import", str(seed), "--json").json()["keywords"]
    assert rows[2]["query"] == make_keyword("reasoning", rule=Rule.TITLE).query


def test_papers_of_equal_submission_keep_one_order(world: World) -> None:
    moment = MONDAY - timedelta(days=1)
    take_in(world, "RL", *(eprint(n, moment) for n in range(5)))
    recent = world.store.pages.recent(keyword("RL").query, 3)
    assert len(recent) == 3
    assert recent == world.store.pages.recent(keyword("RL").query, 5)[:3]


async def test_why_tells_of_papers_of_the_page_and_from_before_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    world = AskedWorld(tmp_path, capsys)
    page = [eprint(n, MONDAY - 4 * DAY + n * HOUR) for n in range(5)]
    take_in(world, "RL", *page)
    world.arxiv.announce("RL", *page, eprint(50, MONDAY - 9 * DAY))
    world.readers = [reader("ada@example.org", "RL")]
    await world.cycle()
    for number in (2, 50):
        report = world.why("ada@example.org", eprint(number).id)
        assert report["verdict"] == "too_old"
        assert "no younger than an imported page" in report["answer"]
        assert "45 days" not in str(report)
    world.close()
