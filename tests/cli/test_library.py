"""`digest library`: what readers have, taken over from files, listed, and checked."""

from __future__ import annotations

import json

import pytest

from digest.setup.doctor.check import Level
from digest.setup.doctor.libraries import check_zotero
from digest.setup.settings import load_settings
from tests.world.house import DAYS, THURSDAY, House, house, refused
from tests.world.zotero_server import KEY, zotero

__all__ = ["house"]

ADA = "ada@example.org"
KNOWN = DAYS[0].papers[0]
BIB = f"""\
@article{{one, title={{{KNOWN.title.upper()}!}}}}
@article{{two, title={{Na{{\\"\\i}}ve Entries}}, abstract={{Of them.}}}}
@article{{three, eprint={{2301.00001}}, archiveprefix={{arXiv}}, title={{Three}}}}
@article{{four, author={{Nobody}}}}
"""


def give(house: House, library: str) -> None:
    """Give the reader a library."""
    text = (house.home / "subscribers.yaml").read_text()
    house.write(text.replace("name: Ada\n", f"name: Ada\n    library: {library}\n", 1))


def test_a_file_is_checked_without_storing_anything(house: House) -> None:
    (house.home / "refs.bib").write_text(BIB)
    told = house("library", "check", ADA, "refs.bib")
    assert (told.code, told.err) == (0, "")
    assert told.out.splitlines() == [
        "refs.bib: 3 papers can be used, 1 with an abstract and 1 with an arXiv id;"
        " 1 place is formed strangely",
        "  line 4: four has no title and no arXiv id",
    ]
    assert not (house.home / "digest.db").exists()
    assert not house.arxiv.requests
    told = house("library", "check", ADA, "refs.bib", "--find", "--json")
    (item,) = json.loads(told.out)["items"]
    assert (item["found_by_title"], item["with_arxiv_id"], item["papers"]) == (1, 2, 3)
    assert len(house.arxiv.requests) == 2, "what has an id is not asked for"


def test_titles_that_are_like_others_or_of_several_papers_are_none(house: House) -> None:
    from dataclasses import replace

    twin = replace(KNOWN, id="2611.99999")
    house.arxiv.serve([*DAYS[0].papers, twin])
    (house.home / "refs.bib").write_text(
        f"@article{{one, title={{{KNOWN.title}}}}}\n@article{{two, title={{{KNOWN.title[:-4]}}}}}"
        "@article{three, title={?!}}"
    )
    told = house("library", "check", ADA, "refs.bib", "--find", "--json")
    (item,) = json.loads(told.out)["items"]
    assert (item["found_by_title"], item["papers"]) == (0, 3)


def test_what_cannot_be_is_said_in_one_line(house: House) -> None:
    (house.home / "empty.bib").write_text("")
    (house.home / "torn.json").write_text('[{"title": "One"')
    for words, code, said in (
        (("check", ADA, "zotero:user/7"), 78, "the library zotero:user/7 is no file: name it in"),
        (("import", ADA, "zotero:user/7"), 78, "the library zotero:user/7 is no file: name it in"),
        (("check", ADA, "none.bib"), 78, "none.bib cannot be read (No such file"),
        (("check", ADA, "."), 78, "cannot be read (Is a directory)"),
        (("check", ADA, "empty.bib"), 78, "holds no entry that can be read (it is empty)"),
        (("check", ADA, "torn.json"), 78, "it is no JSON from here on"),
        (("check", ADA), 2, "names no library: name a file"),
        (("check", "bob@example.org", "empty.bib"), 78, "bob@example.org"),
        (("import", ADA, "empty.bib"), 78, "it is empty"),
    ):
        refused(house("library", *words), code, said)
    (house.home / "refs.bib").write_text(BIB)
    refused(house("library", "import", ADA, "refs.bib"), 78, "call 'digest run' first")


def test_papers_are_imported_listed_and_put_in_each_others_place(house: House) -> None:
    assert house("run", now=THURSDAY).code == 0
    (house.home / "refs.bib").write_text(BIB)
    told = house("library", "import", ADA, "refs.bib", "--find")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"{ADA}: 3 papers of refs.bib imported, 3 of them new\n")
    assert "arXiv was asked for 2 titles and has 1 of them" in told.out
    assert "line 4: four has no title" in told.out
    assert "ranks nothing yet: 3 and 0 likes of the 5 papers" in told.out
    (house.home / "more.ris").write_text("TY  - JOUR\nTI  - Five\nER  -\n")
    assert "1 of them new" in house("library", "import", ADA, "more.ris").out
    told = house("library", "list", ADA)
    assert told.out.startswith(f"{ADA}\n  library: 4 papers, 2 with an abstract, as of ")
    assert (
        "    imported: 4 papers, 2 with an abstract; arXiv is still to be asked for 1" in told.out
    )
    listed = json.loads(house("library", "list", ADA, "--json").out)
    ids = {paper["id"] for paper in listed["papers"]}
    assert ids == {KNOWN.id, "two", "2301.00001", "five"}
    told = house("library", "import", ADA, "more.ris", "--replace", "--json")
    assert json.loads(told.out)["in_all"] == 1


def test_an_id_that_arxiv_does_not_know_is_told(house: House) -> None:
    (house.home / "ids.txt").write_text(f"{KNOWN.id}\n2301.00001\n")
    give(house, "ids.txt")
    assert house("run", now=THURSDAY).code == 0
    told = house("library", "list", ADA)
    assert "    ids.txt: 1 paper, 1 with an abstract; " in told.out
    assert "; arXiv does not know 1 of its ids" in told.out
    assert "asked for" not in house("library", "import", ADA, "ids.txt", "--find").out


def test_zotero_is_checked_and_a_key_that_may_not_read_is_named(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(house, "zotero:user/7")
    with zotero() as server:
        server.put("AAAAAAAA", "One of mine")
        monkeypatch.setenv("DIGEST_ZOTERO_API", server.url)
        told = house("library", "check", ADA)
        assert told.code == 78
        assert "without a key: set DIGEST_ZOTERO_KEY" in told.out
        monkeypatch.setenv("DIGEST_ZOTERO_KEY", KEY)
        told = house("-vv", "library", "check", ADA)
        assert told.code == 0
        assert told.out.startswith("zotero:user/7: 1 paper can be used")
        assert KEY not in told.out + told.err
        settings = load_settings({"DIGEST_HOME": str(house.home)})
        assert check_zotero(settings).level is Level.OK
        monkeypatch.setenv("DIGEST_ZOTERO_KEY", "another")
        wrong = check_zotero(load_settings({"DIGEST_HOME": str(house.home)}))
        assert (wrong.level, "another" in wrong.found) == (Level.WARN, False)
        assert "DIGEST_ZOTERO_KEY" in wrong.remedy


@pytest.mark.heavy
def test_status_doctor_and_show_tell_what_a_library_is_good_for(house: House) -> None:
    give(house, "[refs.bib, gone.ris]")
    (house.home / "refs.bib").write_text(BIB)
    assert house("run", now=THURSDAY).code == 0
    gone = "the library gone.ris: there is no such file"
    status = house("status", now=THURSDAY).out
    assert f"Libraries {ADA}: {gone}" in status
    assert gone in " ".join(house("doctor").out.split())
    (house.home / "gone.ris").write_text("TY  - JOUR\nTI  - Five\nER  -\n")
    few = "ranks nothing yet: 3 and 0 likes of the 5 papers"
    assert few in house("status", now=THURSDAY).out
    shown = house("subscribers", "show", ADA)
    assert "  library: 3 papers, 1 with an abstract, as of " in shown.out
    assert "    refs.bib: 3 papers, 1 with an abstract; the file is of " in shown.out
    assert few in shown.out
    value = json.loads(house("subscribers", "show", ADA, "--json").out)["library_held"]
    assert [source["papers"] for source in value["sources"]] == [3, 0]
    titles = "".join(f"TY  - JOUR\nTI  - T{n}\nER  -\n" for n in range(5_003))
    (house.home / "gone.ris").write_text(titles)
    told = house("run", now=THURSDAY)
    assert "has 5006 papers, and 5000 are kept" in told.err
    assert "has 5000 papers or more, and no more are kept" in house("status", now=THURSDAY).out


@pytest.mark.parametrize("is_kept", [True, False])
def test_a_preview_reads_the_library_as_it_is_now(
    house: House, monkeypatch: pytest.MonkeyPatch, is_kept: bool
) -> None:
    give(house, "own.bib")
    papers = (f"@misc{{{p.id}, title={{{p.title}}}}}" for p in DAYS[0].papers[:6])
    (house.home / "own.bib").write_text("\n".join(papers))
    if not is_kept:
        monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", (house.home / "subscribers.yaml").read_text())
        monkeypatch.setenv("DIGEST_SECRET", "a long random text for tests")
    told = house("preview", ADA, "--rank", now=THURSDAY)
    assert "by 6 papers of the reader's own" in told.out


def test_a_database_that_strangers_see_takes_nothing_over(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    (house.home / "refs.bib").write_text(BIB)
    monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", (house.home / "subscribers.yaml").read_text())
    monkeypatch.setenv("DIGEST_SECRET", "a long random text for tests")
    refused(
        house("library", "import", ADA, "refs.bib"),
        2,
        "with DIGEST_SUBSCRIBERS_YAML the database keeps no library: each run reads it: name",
    )
    assert house("library", "check", ADA, "refs.bib").code == 0


@pytest.mark.heavy
def test_a_log_that_strangers_read_names_no_file_of_a_library(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(house, "[gone.ris, 'zotero:user']")
    monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", (house.home / "subscribers.yaml").read_text())
    monkeypatch.setenv("DIGEST_SECRET", "a long random text for tests")
    for command in ("run", "status", "doctor"):
        told = house(command) if command == "doctor" else house(command, now=THURSDAY)
        said = " ".join((told.out + told.err).split())
        assert "something is wrong with the library" in said
        assert "gone.ris" not in said
        assert "zotero:user " not in said
