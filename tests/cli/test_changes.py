"""Readers changed in place: set, pause, resume, and many at once from a CSV file."""

from __future__ import annotations

import json
from datetime import date, time

import pytest

from digest.model import Abstracts, Attach, Format, Order, Revisions, Weekly
from digest.subscribers.fields import FIELDS, SETTABLE, split
from tests.world.shell import Shell

FILE = """\
# the group's own list
defaults: {timezone: Europe/Berlin, at: "08:00"}   # for all

groups:
  vision: [MLLM, Hallucination]
subscribers:
  - email: ada@example.org   # since 2024
    keywords: [Reward Model, +vision]
    # she likes it early
    at: "06:30"
  - email: lin@example.org
    keywords: [MLLM]
    schedule: weekly  # Mondays
"""


@pytest.fixture
def shell(shell: Shell) -> Shell:
    shell.path.write_text(FILE, encoding="utf-8")
    return shell


def test_what_the_file_may_say_of_a_reader_can_be_set(shell: Shell) -> None:
    by_hand = {"email", "github", "webhook", "apprise", "secret", "keywords", "library"}
    assert {*SETTABLE, *by_hand} == set(FIELDS)
    text = " ".join(shell("subscribers", "set", "--help").split())
    assert [name for name in SETTABLE if name not in text] == []
    text = " ".join(shell("subscribers", "import", "--help").split())
    assert [name for name in SETTABLE if name not in text] == []


# -- set


def test_fields_are_set_and_all_else_stays_as_it_was_written(shell: Shell) -> None:
    out = shell(
        "subscribers", "set", "ADA@example.org", "at=07:15", "schedule=mon,thu", "max-papers=20"
    )
    assert "schedule is now mon, thu; at is now 07:15; max_papers is now 20" in out
    assert shell.text == FILE.replace('"06:30"', '"07:15"').replace(
        '  - email: lin', '    schedule: [mon, thu]\n    max_papers: 20\n  - email: lin'
    )  # fmt: skip


def test_every_field_can_be_set_and_cleared(shell: Shell) -> None:
    shell(
        "subscribers", "set", "lin@example.org", "name=Lin Wu", "schedule=weekdays", "at=09:00",
        "timezone=Asia/Kolkata", "revisions=yes", "max_papers=7",
        "exclude=cat:cs.RO, ti:survey", "quiet_days=tell", "order=newest",
        "paused_until=2026-12-24", "abstracts=short", "format=text", "categories=cs.RO",
        "authors=Ada Lovelace, Alan Turing", "subject_prefix=[arXiv]", "feedback=on", "attach=RIS",
        "within=cs.*, stat.ML",
    )  # fmt: skip
    lin = shell.reader("lin@example.org")
    assert (lin.name, lin.days, lin.at, lin.timezone) == (
        "Lin Wu",
        tuple(Weekly)[:5],
        time(9),
        "Asia/Kolkata",
    )
    assert (lin.revisions, lin.max_papers, lin.exclude) == (
        Revisions.ALL,
        7,
        ("cat:cs.RO", "ti:survey"),
    )
    assert (lin.quiet_days, lin.order, lin.paused_until) == (True, Order.NEWEST, date(2026, 12, 24))
    assert (lin.abstracts, lin.format, lin.authors) == (
        Abstracts.SHORT,
        Format.TEXT,
        ("Ada Lovelace", "Alan Turing"),
    )
    assert (lin.categories, lin.subject_prefix, lin.feedback) == (("cs.RO",), "[arXiv]", True)
    assert (lin.within, lin.attach) == (("cs.*", "stat.ML"), Attach.RIS)
    shell("subscribers", "set", "lin@example.org", *(f"{name}=" for name in SETTABLE))
    lin = shell.reader("lin@example.org")
    assert (lin.abstracts, lin.format, lin.authors) == (Abstracts.FULL, Format.HTML, ())
    assert (lin.categories, lin.within, lin.subject_prefix, lin.feedback) == ((), (), "", False)
    assert (lin.name, lin.days, lin.at, lin.timezone) == ("", tuple(Weekly), None, "Europe/Berlin")
    assert (lin.revisions, lin.max_papers, lin.exclude) == (Revisions.NONE, 50, ())
    assert (lin.quiet_days, lin.order, lin.paused_until) == (False, Order.LIKELIEST, None)
    assert lin.attach is Attach.NONE


def test_a_category_that_arxiv_does_not_have_is_told_of(shell: Shell) -> None:
    shell("subscribers", "set", "lin@example.org", "categories=cs.LGG,cs.*,hep-th")
    assert (
        shell.err == "digest: 'cs.LGG' is not one of arXiv's categories; the nearest is 'cs.LG'\n"
    )


@pytest.mark.parametrize(
    ("email", "pair", "code", "said"),
    [
        ("ada@example.org", "at=7", 2, "at '7' is not a time of day: did you mean 07:00?"),
        ("ada@example.org", "timezone=berlin", 2, "did you mean Europe/Berlin?"),
        ("ada@example.org", "schedule=weekdy", 2, "did you mean weekdays?"),
        ("ada@example.org", "order=newst", 2, "did you mean newest?"),
        ("ada@example.org", "revisions=maybe", 2, "write true, false, or published"),
        ("ada@example.org", "quiet_days=loud", 2, "write tell or silent"),
        ("ada@example.org", "name=" + "x" * 201, 2, "at most 200"),
        ("ada@example.org", "exclude=ti:(a", 2, "cannot be put before a group"),
        (
            "ada@example.org",
            "schedul=daily",
            2,
            "there is no field schedul: did you mean schedule?",
        ),
        ("ada@example.org", "colour=red", 2, "there are name, at, schedule"),
        ("ada@example.org", "daily", 2, "is not FIELD=VALUE"),
        ("ada@example.org", "keywords=x", 2, "'digest subscribe ada@example.org -k KEYWORD'"),
        (
            "ada@example.org",
            "email=x@example.org",
            2,
            "'digest subscribers move ada@example.org NEW'",
        ),
        ("ada@example.org", "library=refs.bib", 2, "write it into the subscribers file by hand"),
        ("adda@example.org", "at=07:00", 78, "did you mean ada@example.org?"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can_and_nothing_is_written(
    shell: Shell, email: str, pair: str, code: int, said: str
) -> None:
    shell("subscribers", "set", email, pair, code=code)
    assert said in shell.err
    assert shell.text == FILE


def test_a_field_named_twice_is_refused(shell: Shell) -> None:
    shell("subscribers", "set", "ada@example.org", "at=07:00", "at=08:00", code=2)
    assert "twice" in shell.err


# -- pause and resume


def test_a_pause_until_a_day_and_its_end(shell: Shell) -> None:
    out = shell("subscribers", "pause", "ada@example.org", "--until", "2026-12-24")
    assert "ada@example.org: paused until 2026-12-24" in out
    assert "The first digest comes Thu 24 Dec 06:30 (Europe/Berlin)" in out
    assert shell.reader("ada@example.org").paused_until == date(2026, 12, 24)
    assert "no longer paused" in shell("subscribers", "resume", "ada@example.org")
    assert shell.text == FILE
    assert "nothing changed" in shell("subscribers", "resume", "ada@example.org")


def test_a_pause_without_an_end_lasts_until_it_is_ended(shell: Shell) -> None:
    out = shell("subscribers", "pause", "ada@example.org", "lin@example.org")
    assert "No digest comes before 'digest subscribers resume lin@example.org'." in out
    assert "paused  MLLM" in shell("subscribers")
    assert "ada@example.org: paused\n" in shell("status")
    shown = json.loads(shell("subscribers", "show", "ada@example.org", "--json"))
    assert (shown["paused_until"], shown["next_digest"], shown["first_digest"]) == (
        "9999-12-31",
        None,
        None,
    )
    shell("subscribers", "resume", "ada@example.org", "lin@example.org")
    assert shell.text == FILE


def test_a_pause_of_all_ends_for_one(shell: Shell) -> None:
    shell.path.write_text(FILE.replace('at: "08:00"}', 'at: "08:00", paused_until: 2027-01-07}'))
    shell("subscribers", "resume", "lin@example.org")
    assert shell.reader("lin@example.org").paused_until is None
    assert shell.reader("ada@example.org").paused_until == date(2027, 1, 7)


@pytest.mark.parametrize(
    ("until", "said"),
    [
        ("2026-11-23", "has come already"),
        ("2026-13-01", "is not a date"),
        ("24.12.2026", "did you mean 2026-12-24?"),
        ("", "names no day"),
    ],
)
def test_a_day_that_is_none_or_is_over_pauses_nobody(shell: Shell, until: str, said: str) -> None:
    shell("subscribers", "pause", "ada@example.org", "--until", until, code=2)
    assert said in shell.err
    assert shell.text == FILE


# -- import


def test_fifty_people_come_in_at_once_and_a_second_time_changes_nothing(shell: Shell) -> None:
    rows = [f'p{n}@example.org,P {n},"reward model; +vision",0{n % 10}:30' for n in range(50)]
    path = shell.csv("email,name,keywords,at\n" + "\n".join(rows) + "\n")
    dry = shell("subscribers", "import", path, "--dry-run")
    assert dry.startswith("50 readers would be added, 0 changed, 0 left as they were.")
    assert dry.endswith("Nothing was written.\n")
    assert shell.text == FILE
    assert shell("subscribers", "import", path).startswith("50 readers were added, 0 changed")
    assert shell.text.startswith(FILE)
    reader = shell.reader("p7@example.org")
    assert (reader.name, reader.at) == ("P 7", time(7, 30))
    assert [k.name for k in reader.keywords] == ["reward model", "MLLM", "Hallucination"]
    before = shell.text
    assert (
        shell("subscribers", "import", path)
        == "0 readers were added, 0 changed, 50 left as they were.\n"
    )
    assert shell.text == before


def test_readers_who_are_there_get_what_their_row_adds(shell: Shell) -> None:
    path = shell.csv(
        "email,keywords,at,schedule\n"
        'ada@example.org,"MLLM, diffusion model",none,\n'
        "lin@example.org,,,daily\n"
    )
    out = shell("subscribers", "import", path)
    assert out.startswith("0 readers were added, 2 changed")
    ada = shell.reader("ada@example.org")
    assert ([k.name for k in ada.keywords], ada.at) == (
        ["Reward Model", "MLLM", "Hallucination", "diffusion model"],
        None,
    )
    assert shell.reader("lin@example.org").days == tuple(Weekly)
    assert "# since 2024" in shell.text
    assert "# she likes it early" in shell.text


def test_all_mistakes_come_at_once_with_their_lines_and_nothing_is_written(shell: Shell) -> None:
    path = shell.csv(
        "email,name,keywords,schedule,at,paused_until\n"
        'ada@example.org,"A\nda",reward model,"mon,thu",7,\n'
        "bob@exampl,Bob,,daily,25:00,\n"
        "\n"
        "x@example.org,X,ti:(foo,weekdy,07:00,2026-12-32\n"
        "lin@example.org,,,,none,\n"
        "lin@Example.org,,,,,\n"
        "c@example.org,C,+visoin,,,\n"
        "d@example.org,D,x,,,,,\n"
        ",E,x\n"
    )
    shell("subscribers", "import", path, code=2)
    assert shell.text == FILE
    lines = [line.partition(" ")[2] for line in shell.err.splitlines()[1:-1]]
    numbers = [int(line.split(":")[1]) for line in shell.err.splitlines()[1:-1]]
    assert numbers == [2, 2, 4, 4, 4, 6, 6, 6, 8, 9, 10, 11]
    said = "\n".join(lines)
    for words in (
        "at '7' is not a time of day: did you mean 07:00?",
        "is not a name",
        "'bob@exampl' is no mail address",
        "bob@exampl needs a keyword, being new",
        "did you mean weekdays?",
        "'2026-12-32' is not a date",
        "the keyword 'ti:(foo' cannot be read",
        "lin@example.org stands in line 7 already",
        "there is no group +visoin: did you mean +vision?",
        "8 cells, and the header names 6",
        "there is no address",
    ):
        assert words in said
    assert shell.err.endswith("12 mistakes in people.csv; nothing was changed\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,keywords\nAda,x\n", "people.csv:1: the header names no column email"),
        ("email,keyword\na@example.org,x\n", "did you mean keywords?"),
        ("email,colour\na@example.org,x\n", "there are email, keywords"),
        ("email,at,at\na@example.org,7,7\n", "names at twice"),
        ("email,keywords\n", "names no reader"),
        ("", "the header names no column email"),
        (b"email,name\na@example.org,M\xfcller\n", "people.csv:2: this is no UTF-8"),
        ('email,keywords\na@example.org,"x\n', "people.csv:2: this row cannot be read"),
        ("a@example.org,x\n", "the header names no column email"),
    ],
)
def test_a_file_that_is_no_table_of_people_is_refused(
    shell: Shell, text: str | bytes, said: str
) -> None:
    shell("subscribers", "import", shell.csv(text), code=2)
    assert said in shell.err
    assert shell.text == FILE


def test_a_missing_file_is_told(shell: Shell) -> None:
    shell("subscribers", "import", "nowhere.csv", code=2)
    assert "nowhere.csv cannot be read" in shell.err


def test_the_tables_of_spreadsheets_are_read(shell: Shell) -> None:
    path = shell.csv(
        b'\xef\xbb\xbfEmail;Name;Keywords;Paused until\r\n'
        + 'zoé@example.org;"Müller; Zoé";'.encode()
        + b'"ti:""flow, matching"" AND cat:cs.LG; reward model";2026-12-24\r\n'
    )  # fmt: skip
    shell("subscribers", "import", path)
    zoe = shell.reader("zoé@example.org")
    assert (zoe.name, len(zoe.keywords), zoe.paused_until) == ("Müller; Zoé", 2, date(2026, 12, 24))
    shell("subscribers", "import", shell.csv("email\tkeywords\nt@example.org\tx\n"))
    assert shell.reader("t@example.org").keywords[0].name == "x"


def test_an_import_makes_the_file_where_there_is_none_and_a_dry_run_does_not(shell: Shell) -> None:
    shell.path.unlink()
    path = shell.csv("email,keywords\na@example.org,reward model\n")
    files = sorted(shell.home.iterdir())
    shell("subscribers", "import", path, "--dry-run")
    assert sorted(shell.home.iterdir()) == files
    shown = json.loads(shell("subscribers", "import", path, "--json"))
    assert [reader["email"] for reader in shown["subscribers"]] == ["a@example.org"]
    assert shell.reader("a@example.org")


def test_a_list_in_one_cell_is_split_outside_of_quotes() -> None:
    assert split('ti:"a, b" AND c; d\n"e;f" , ,g') == ['ti:"a, b" AND c', "d", '"e;f"', "g"]
    assert split('a"b, c') == ['a"b, c']
