"""Readers' libraries, read from real files in a cycle with a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.libraries.zotero import Access
from digest.model import Origin, Roster
from digest.run.cycle import run_cycle
from digest.run.libraries import Places, refresh, troubles_of
from tests.world.worlds import HOUR, World, eprint, reader
from tests.world.zotero_server import KEY, Answer, zotero

ADA = "ada@example.org"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path / "digest.db")
    yield world
    world.close()


class Desk:
    """An arXiv that is asked by ids."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def by_ids(self, ids: list[str], attempts: int = 4) -> tuple[object, ...]:
        self.asked.append(list(ids))
        paper = replace(eprint(1), id="2301.00001", title="Known", abstract="to arXiv")
        return (paper,) if "2301.00001" in ids else ()


def papers_of_library(world: World) -> dict[str, tuple[str, str]]:
    """The title and abstract of each paper that is kept of the reader's library."""
    number = world.store.preferences.number_of(ADA)
    assert number is not None
    return {p.id: (p.title, p.abstract) for p in world.store.preferences.papers_of_library(number)}


async def test_a_library_is_read_kept_and_completed_once(world: World, tmp_path: Path) -> None:
    ada = replace(reader(ADA, "a"), items_of_library=("refs.bib", "2301.00001", "2301.00002"))
    world.readers = [ada]
    await world.cycle()
    bib = tmp_path / "refs.bib"
    bib.write_text('@article{k, title={Na{\\"\\i}ve {BERT}}, abstract={Of it}}')
    roster, desk = Roster((ada,), ada.keywords), Desk()
    places = Places(tmp_path, Access("http://127.0.0.1:9"))

    async def again(who: Roster = roster) -> dict[str, tuple[str, str]]:
        assert await refresh(world.parts(), desk, places, who) == {}  # type: ignore[arg-type]
        return papers_of_library(world)

    held = await again()
    assert held == {"k": ("Naïve BERT", "Of it"), "2301.00001": ("Known", "to arXiv")}
    assert desk.asked == [["2301.00001", "2301.00002"]]
    bib.write_text("@article{n, title={Other}}")
    assert set(await again()) == {"n", "2301.00001"}
    bib.write_text("@article{n, title={")
    assert set(await again()) == {"n", "2301.00001"}
    bib.unlink()
    assert set(await again()) == {"n", "2301.00001"}
    assert len(desk.asked) == 1
    signed = Roster((replace(ada, origin=Origin.WEB),), ada.keywords)
    assert not await again(signed)


async def test_zotero_is_asked_with_arxiv_and_left_alone_where_it_wants_that(
    world: World,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world.readers = [replace(reader(ADA, "a"), items_of_library=("zotero:user/7",))]
    with zotero() as server:
        server.put("AAAAAAAA", "One of mine", abstractNote="Of it")

        async def cycle(hours: int, key: str = KEY) -> list[int]:
            server.requests.clear()
            world.now += hours * HOUR
            parts = replace(world.parts(), libraries=Places(tmp_path, Access(server.url, key)))
            await run_cycle(parts)
            return [status for *_, status in server.requests]

        assert await cycle(0) == [200, 200]
        assert papers_of_library(world) == {"AAAAAAAA": ("One of mine", "Of it")}
        assert await cycle(1) == [], "nothing was due at arXiv"
        assert await cycle(24) == [304]
        assert await cycle(24, "wrong") == [403]
        assert "lets nobody read the library of user 7" in caplog.text
        assert "wrong" not in caplog.text
        server.next = [Answer(429, headers={"Retry-After": "86400"})]
        assert await cycle(24) == [429]
        assert await cycle(23) == [], "it asked to be left alone for a day"
        assert papers_of_library(world) == {"AAAAAAAA": ("One of mine", "Of it")}
        server.remove("AAAAAAAA")
        assert await cycle(24) == [200]
        assert papers_of_library(world) == {}
        monkeypatch.setattr("digest.run.zotero.STEP", 50)
        for number in range(60):
            server.put(f"X{number:07}", f"Paper {number}")
        assert await cycle(24) == [200, 200]
        assert await cycle(1) == [200, 200], "it goes on where it was"
        assert await cycle(1) == []
        assert len(papers_of_library(world)) == 60


def test_entries_that_are_formed_strangely_are_named(tmp_path: Path) -> None:
    none = "".join(f"@article{{d{number}, author={{A}}}}\n" for number in range(7))
    (tmp_path / "refs.bib").write_text(f"@article{{a, title={{Fine}}}}\n{none}")
    told = troubles_of(replace(reader(ADA, "a"), items_of_library=("refs.bib",)), tmp_path)
    assert [str(trouble) for trouble in told] == [
        *(
            f"{ADA}: the library refs.bib, line {number + 2}: d{number} has no title and no"
            " arXiv id"
            for number in range(5)
        ),
        f"{ADA}: the library refs.bib: 2 more such entries",
    ]


def test_what_lies_outside_of_the_home_folder_is_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "out.bib").write_text("@article{n, title={Other}}")
    (home / "link.bib").symlink_to(tmp_path / "out.bib")
    for item in ("../out.bib", str(tmp_path / "out.bib"), "link.bib"):
        (trouble,) = troubles_of(replace(reader(ADA, "a"), items_of_library=(item,)), home)
        assert "outside of the home folder" in str(trouble)
    for item in ("none.bib", "zotero:user", "https://example.org/x", "a\0b"):
        assert troubles_of(replace(reader(ADA, "a"), items_of_library=(item,)), home)
