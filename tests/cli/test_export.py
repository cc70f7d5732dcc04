"""`digest export`: JSON, CSV and BibTeX that other programs read back whole, however hostile the
papers are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time
from pathlib import Path

import bibtexparser
import pybtex.database
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.model import Paper
from digest.rendering.export import (
    FIELDS,
    FORMULA,
    Record,
    defused,
    latex,
    to_bibtex,
    to_csv,
    to_json,
)
from tests.world.asking import AskedWorld, asked_world
from tests.world.shell import run_main
from tests.world.smtp_server import smtp_server
from tests.world.worlds import DAY, MONDAY, eprint, reader, text

ADA, LIN = "ada@example.org", "lin@example.org"

HOSTILE = st.text(
    alphabet=st.one_of(
        st.sampled_from("{}\\$%#&_^~@\"',= \n\tabé漢-+"), st.characters(exclude_categories=["Cs"])
    ),
    max_size=40,
)
TEX_PIECES = r"""
    $x_1^2$ \textbf{x} \'e {Deep} \{ \} \\ $ \$ % \% 50%&#1 a_b @x \( \) { } \ @article{x, "
    $\{x\}$ $}{$
"""
TEX = st.lists(st.sampled_from([*TEX_PIECES.split(), " and ", " "]), max_size=8).map("".join)
TEXT = st.one_of(HOSTILE, TEX)


@st.composite
def papers(draw: st.DrawFn) -> Paper:
    number = draw(st.integers(1, 99999))
    return eprint(
        number,
        id=draw(st.sampled_from([f"2611.{number:05d}", f"hep-th/99{number:05d}"])),
        title=draw(TEXT),
        abstract=draw(TEXT),
        authors=tuple(
            draw(
                st.lists(
                    st.one_of(TEXT, st.sampled_from(["A and B", "Smith, Jr", "others"])), max_size=3
                )
            )
        ),
        comment=draw(TEXT),
        journal_ref=draw(TEXT),
        doi=draw(TEXT),
    )


ENTRIES = st.lists(papers(), max_size=4, unique_by=lambda p: p.id).map(
    lambda found: [Record(p, ("Reward Model",), date(2026, 11, 9), None) for p in found]
)
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


# --- BibTeX ---


@quick
@given(ENTRIES)
def test_pybtex_reads_every_entry_back(entries: list[Record]) -> None:
    read = pybtex.database.parse_string("".join(to_bibtex(entries)), "bibtex")
    assert list(read.entries) == [f"arXiv:{e.paper.id}" for e in entries]
    for entry, parsed in zip(entries, read.entries.values(), strict=True):
        assert parsed.type == "misc"
        assert parsed.fields["eprint"] == entry.paper.id
        assert parsed.fields["archiveprefix"] == "arXiv"
        assert parsed.fields["keywords"] == "Reward Model"
        assert parsed.fields["year"] == "2026"
        assert parsed.fields.get("title", "{}") == f"{{{latex(entry.paper.title)}}}"
        assert len(parsed.persons.get("author", [])) == sum(
            bool(latex(a)) for a in entry.paper.authors
        )


@settings(quick, max_examples=15)
@given(ENTRIES)
def test_bibtexparser_reads_every_entry_back(entries: list[Record]) -> None:
    read = bibtexparser.loads("".join(to_bibtex(entries)))
    assert [entry["ID"] for entry in read.entries] == [f"arXiv:{e.paper.id}" for e in entries]
    for entry, parsed in zip(entries, read.entries, strict=True):
        assert parsed["eprint"] == entry.paper.id
        assert parsed["keywords"] == "Reward Model"


@given(TEXT)
def test_braces_pair_up_by_either_way_of_counting(text: str) -> None:
    made = latex(text)
    for counted in (made, made.replace("\\{", "").replace("\\}", "")):
        depth = [0]
        for character in counted:
            depth.append(depth[-1] + (character == "{") - (character == "}"))
        assert depth[-1] == 0
        assert min(depth) == 0
    assert not made.endswith("\\")
    assert "\n" not in made


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("Scaling GANs by 50% & more_or_less #1", r"Scaling GANs by 50\% \& more\_or\_less \#1"),
        (r"On $\mathbb{R}^n_+$ and $a_1 & b$", r"On $\mathbb{R}^n_+$ and $a_1 & b$"),
        (r"M\"obius and {\L}ojasiewicz", r"M\"obius and {\L}ojasiewicz"),
        (r"100\% of A\_B", r"100\% of A\_B"),
        (r"an open { brace", r"an open \textbraceleft{} brace"),
        (r"costs $5", r"costs \$5"),
        (r"set \{a, b\}", r"set \{a, b\}"),
        ("a trailing \\", r"a trailing \textbackslash{}"),
        (r"\(x_1\) and y_1", r"\(x_1\) and y\_1"),
    ],
)
def test_tex_is_kept_where_it_is_sound_and_escaped_where_it_must_be(text: str, made: str) -> None:
    assert latex(text) == made


def test_a_collaboration_stays_one_author_and_keys_never_change() -> None:
    paper = eprint(
        1, authors=("Ada Example", "The ATLAS and CMS Collaborations", "Smith, Jr", "others")
    )
    (text,) = to_bibtex([Record(paper, (), None, None)])
    assert (
        "author = {Ada Example and {The ATLAS and CMS Collaborations} and {Smith, Jr} and {others}}"
        in text
    )
    (later,) = to_bibtex([Record(replace(paper, version=3, title="Another"), ("x",), None, None)])
    assert text.splitlines()[0] == later.splitlines()[0] == "@misc{arXiv:2611.00001,"


# --- CSV and JSON ---


@quick
@given(ENTRIES)
def test_csv_is_read_back_and_no_cell_is_a_formula(entries: list[Record]) -> None:
    rows = list(csv.DictReader(io.StringIO("".join(to_csv(entries)), newline="")))
    assert [row["id"] for row in rows] == [e.paper.id for e in entries]
    for row in rows:
        assert tuple(row) == FIELDS
        assert not any(cell.lstrip().startswith(FORMULA) for cell in row.values())


def test_a_formula_gets_an_apostrophe() -> None:
    assert defused('=HYPERLINK("https://example.org")') == '\'=HYPERLINK("https://example.org")'
    assert [defused(cell)[0] for cell in ("+1", "-1", "@x", "  =1")] == ["'"] * 4
    assert defused("1 - 2") == "1 - 2"


@quick
@given(ENTRIES)
def test_json_is_read_back_with_stable_fields(entries: list[Record]) -> None:
    read = json.loads("".join(to_json(entries)))
    assert [tuple(each) for each in read] == [FIELDS] * len(entries)
    assert [each["id"] for each in read] == [e.paper.id for e in entries]


# --- the command ---


@pytest.fixture
def world(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[AskedWorld]:
    with asked_world(tmp_path, capsys) as world:
        yield world


async def two_days(world: AskedWorld) -> None:
    """Ada gets papers 1 to 3; Lin's mail is refused, and paper 4 comes on a day without a slot."""
    world.readers = [
        reader(ADA, "Alpha", "Beta", timezone="Asia/Tokyo", at=time(7)),
        reader(LIN, "Beta"),
    ]
    world.arxiv.announce("Alpha", eprint(1), eprint(2, title="=cmd()"))
    world.arxiv.announce("Beta", eprint(3))
    async with smtp_server(
        {"RCPT": lambda line: "550 5.1.1 no" if LIN in line else None}
    ) as server:
        await world.mailed_by(server, MONDAY + DAY * 0.7)
    world.arxiv.announce("Beta", eprint(4, MONDAY))
    await world.cycle(MONDAY + DAY * 0.705, fetch_all=True)


def ids(told: str) -> list[str]:
    return [each["id"][-1] for each in json.loads(told)]


async def test_everything_seen_or_what_was_mailed_to_one(world: AskedWorld) -> None:
    await two_days(world)
    assert sorted(ids(world.ask("export").out)) == ["1", "2", "3", "4"]
    mailed = json.loads(world.ask("export", "--email", ADA).out)
    assert sorted(each["id"][-1] for each in mailed) == ["1", "2", "3"]
    assert {each["mailed"] for each in mailed} == {"2026-11-10"}  # Tuesday already in Tokyo
    assert {each["first_seen"] for each in json.loads(world.ask("export").out)} == {"2026-11-09"}
    refused = world.store.history.reader(LIN)
    assert refused is not None
    world.store._database.write(
        "DELETE FROM delivery WHERE subscriber = ? AND state <> 'failed'", [refused.id]
    )
    assert ids(world.ask("export", "--email", LIN).out) == []


async def test_keywords_and_days_narrow_it(world: AskedWorld) -> None:
    await two_days(world)
    assert sorted(ids(world.ask("export", "-k", "alpha").out)) == ["1", "2"]
    assert sorted(ids(world.ask("export", "-k", "all:beta").out)) == ["3", "4"]
    assert len(ids(world.ask("export", "-k", "alpha", "-k", "Beta").out)) == 4
    assert ids(world.ask("export", "--since", "2026-11-10").out) == []
    assert len(ids(world.ask("export", "--since", "2026-11-09", "--until", "2026-11-09").out)) == 4
    assert len(ids(world.ask("export", "--email", ADA, "--since", "2026-11-10").out)) == 3
    told = world.ask("export", "-k", "alhpa")
    assert (told.code, "did you mean Alpha?" in told.err) == (78, True)
    assert world.ask("export", "--since", "soon").code == 2
    assert world.ask("export", "--email", "nobody@example.net").code == 78


async def test_the_ending_of_the_file_says_the_format(world: AskedWorld, tmp_path: Path) -> None:
    await two_days(world)
    for name, begins in (
        ("a.bib", "@misc{arXiv:"),
        ("a.csv", "id,version,"),
        ("a.JSON", "[\n{"),
        ("a.ris", "TY  - UNPB"),
        ("a.csl.json", '[\n{"id": "arXiv:'),
    ):
        told = world.ask("export", "--output", str(tmp_path / name))
        assert (told.code, "4 papers written" in told.out) == (0, True)
        assert (tmp_path / name).read_text(encoding="utf-8").startswith(begins)
    assert "'=cmd()" in (tmp_path / "a.csv").read_text()
    assert world.ask("export", "--output", str(tmp_path / "a.txt")).code == 2
    assert world.ask("export", "--output", str(tmp_path / "a.txt"), "--format", "csv").code == 0
    assert world.ask("export", "--output", str(tmp_path / "none" / "a.csv")).code == 2
    assert world.ask("export", "--output", str(tmp_path), "--format", "csv").code == 2


async def test_a_failure_leaves_the_old_file_whole(
    world: AskedWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_days(world)
    target = tmp_path / "papers.json"
    target.write_text("the old one")

    def fails(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    told = world.ask("export", "--output", str(target))
    assert (told.code, "No space left" in told.err) == (78, True)
    assert target.read_text() == "the old one"
    assert [path.name for path in tmp_path.glob(".papers*")] == []


def test_without_a_database_there_is_nothing_to_export(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "subscribers: [{email: ada@example.org, keywords: [x ray]}]"
    )
    told = run_main(["export", "--home", str(tmp_path)], capsys)
    assert (told.code, told.out) == (0, "[]\n")


def test_without_a_database_too_a_mistyped_keyword_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "subscribers.yaml").write_text("keywords: [Reasoning]\n", encoding="utf-8")
    told = run_main(["export", "-k", "Resoning", "--home", str(tmp_path)], capsys)
    assert told.code == 78
    assert "did you mean Reasoning?" in told.err
    told = run_main(["export", "-k", "reasoning", "--home", str(tmp_path)], capsys)
    assert (told.code, json.loads(told.out)) == (0, [])


def test_the_demo_is_exported_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = tmp_path / "demo"
    assert run_main(["demo", str(home), "--now", "2026-11-23"], capsys).code == 0
    told = run_main(["export", "--home", str(home), "--format", "bibtex"], capsys)
    assert len(pybtex.database.parse_string(told.out, "bibtex").entries) == 44
    for address, count in (("ada@example.org", 22), ("lin@example.org", None)):
        read = json.loads(run_main(["export", "--home", str(home), "--email", address], capsys).out)
        assert all(each["mailed"] for each in read)
        assert count in (len(read), None)


async def test_what_was_let_go_after_a_pause_is_counted_in_the_digest_and_listed_by_its_command(
    world: AskedWorld,
) -> None:
    away = reader(ADA, "Alpha", max_papers=3, paused_until=(MONDAY + 10 * DAY).date())
    world.readers = [reader(ADA, "Alpha", max_papers=3)]
    world.arxiv.announce("Alpha", eprint(1))
    await world.cycle(MONDAY)
    world.readers = [away]
    for number in range(2, 10):
        world.arxiv.announce("Alpha", eprint(number, MONDAY + (number - 2) * DAY))
        await world.cycle(MONDAY + (number - 1) * DAY)
    await world.cycle(MONDAY + 10 * DAY)
    welcome, back = world.titles(ADA)
    assert (welcome, sorted(back)) == ([1], [7, 8, 9])
    said = " ".join(text(world.mails(ADA)[1]).split())
    assert "5 older papers were let go." in said
    command = said[said.index("'digest export") + 1 :].partition("'")[0]
    assert command == "digest export --email ADDRESS --unmailed --since 2026-11-09"
    listed = world.ask(*command.replace("ADDRESS", ADA).split()[1:])
    assert ids(listed.out) == ["2", "3", "4", "5", "6"]
    assert ids(world.ask("export", "--email", ADA, "--unmailed", "-k", "Alpha").out) == [
        "2",
        "3",
        "4",
        "5",
        "6",
    ]
    assert world.ask("export", "--unmailed").code == 2
