"""Readers' libraries, read from real files in a cycle with a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from digest.model import Origin, Roster
from digest.run.libraries import Libraries, refresh, troubles_of
from tests.world.worlds import World, eprint, reader

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


async def test_a_library_is_read_kept_and_completed_once(world: World, tmp_path: Path) -> None:
    ada = replace(reader(ADA, "a"), library_items=("refs.bib", "2301.00001", "2301.00002"))
    await world.cycle() if not hasattr(world, "readers") else None
    world.readers = [ada]
    await world.cycle()
    bib = tmp_path / "refs.bib"
    bib.write_text('@article{k, title={Na{\\"\\i}ve {BERT}}, abstract={Of it}}')
    roster, desk = Roster((ada,), ada.keywords), Desk()
    session = world.parts() if callable(getattr(world, "parts", None)) else world

    async def again(who: Roster = roster) -> Libraries:
        return await refresh(session, desk, tmp_path, who)  # type: ignore[arg-type]

    number = world.store.preferences.number_of(ADA)
    assert number is not None
    held = {p.id: (p.title, p.abstract) for p in (await again()).of(number, ADA)}
    assert held == {"k": ("Naïve BERT", "Of it"), "2301.00001": ("Known", "to arXiv")}
    assert desk.asked == [["2301.00001", "2301.00002"]]
    bib.write_text("@article{n, title={Other}}")
    assert {p.id for p in (await again()).of(number, ADA)} == {"n", "2301.00001"}
    bib.write_text("@article{n, title={")
    assert {p.id for p in (await again()).of(number, ADA)} == {"n", "2301.00001"}
    bib.unlink()
    assert {p.id for p in (await again()).of(number, ADA)} == {"n", "2301.00001"}
    assert len(desk.asked) == 1
    signed = Roster((replace(ada, origin=Origin.WEB),), ada.keywords)
    assert not (await again(signed)).of(number, ADA)


def test_entries_that_are_formed_strangely_are_named(tmp_path: Path) -> None:
    none = "".join(f"@article{{d{number}, author={{A}}}}\n" for number in range(7))
    (tmp_path / "refs.bib").write_text(f"@article{{a, title={{Fine}}}}\n{none}")
    told = troubles_of(replace(reader(ADA, "a"), library_items=("refs.bib",)), tmp_path)
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
        (trouble,) = troubles_of(replace(reader(ADA, "a"), library_items=(item,)), home)
        assert "outside of the home folder" in str(trouble)
    for item in ("none.bib", "zotero:user/1", "https://example.org/x", "a\0b"):
        assert troubles_of(replace(reader(ADA, "a"), library_items=(item,)), home)
