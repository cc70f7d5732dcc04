"""The archive as files: written once, again where it changes, and gone where it is not public."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from digest.setup.settings import survey_settings
from digest.setup.subscribers import read_roster
from digest.web.archive_pages import ArchivePages
from digest.web.listings import Listings
from digest.web.pages import Pages
from digest.web.public import Public
from digest.web.site_files import MANIFEST, Published, SiteFiles
from tests.web.archive_world import FILE, RL, Room, papers, reading_room
from tests.web.atom import parsed
from tests.world.worlds import DAY


def write(room: Room, notice: str = "") -> Published:
    settings = survey_settings({"DIGEST_HOME": str(room.home)}, {}, room.home).settings
    own = room.home / "own"
    templates = own if own.is_dir() else None
    public, pages = Public.of(read_roster(settings)), Pages(templates=templates)
    pages.notice = notice
    pages_of_archive = ArchivePages(pages, public, static=True)
    return SiteFiles(room.home / "site", templates).publish(
        Listings(room.store, public), pages_of_archive, pages
    )


def files(folder: Path) -> dict[str, str]:
    """Every file with a hash of its content and its number, which a new one has not."""
    return {
        str(path.relative_to(folder)): f"{path.stat().st_ino} {path.stat().st_mtime_ns} "
        + hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


async def test_a_site_is_written_where_it_has_changed(tmp_path: Path) -> None:
    async with reading_room(tmp_path) as room:
        site = tmp_path / "site"
        first = write(room)
        before = files(site)
        assert first == Published(len(before) - 1, 0, 0)
        assert write(room) == Published(0, 0, first.written)
        assert files(site) == before
        page = (site / "keyword/reward-model.html").read_text()
        assert 'href="#2611.00200"' in page
        assert "<form" not in page
        assert len(parsed((site / "feed.atom").read_text()).entries) == 35
        assert before.keys() >= {"index.html", "day/2026-11-09/2.ris", "feed.atom", MANIFEST}
        assert "keyword/secret-plan.html" not in before

        room.record(room.now + DAY, RL, *papers(300, 2, room.now + DAY))
        second = write(room)
        assert 0 < second.written < first.written
        after = files(site)
        assert {path for path in before if after[path] == before[path]} >= {
            "day/2026-11-09.html",
            "keyword/vision.html",
            "day/2026-11-09/2.html",
        }
        own = site / "CNAME"
        own.write_text("ours")
        room.write(FILE + "public: [vision]\n")
        assert write(room).removed > 0
        assert own.exists()
        left = " ".join((site / path).read_text() for path in files(site) if path != "CNAME")
        assert "reward" not in re.sub("<title>.*", "", left)


@pytest.mark.heavy
async def test_every_link_of_a_site_leads_to_a_file(tmp_path: Path) -> None:
    own = tmp_path / "own" / "web"
    own.mkdir(parents=True)
    (own / "imprint.html").write_text('{% extends "legal.html" %}')
    async with reading_room(tmp_path) as room:
        write(room)
        site = (tmp_path / "site").resolve()
        for page in site.rglob("*.html"):
            text = page.read_text()
            for link in re.findall(r'href="([^"#]+)', text):
                if not link.startswith("https://"):
                    target = (page.parent / link).resolve()
                    assert target.is_file() or (target / "index.html").is_file(), (page, link)
            for anchor in re.findall(r'href="#([^"]+)', text):
                assert f'id="{anchor}"' in text


@pytest.mark.heavy
async def test_a_notice_is_told_by_all_pages_and_no_longer_once_it_has_ended(
    tmp_path: Path,
) -> None:
    async with reading_room(tmp_path) as room:
        write(room)
        pages = len([*(tmp_path / "site").rglob("*.html")])
        assert write(room, "No digests on Friday").written == pages
        assert "No digests on Friday" in (tmp_path / "site/keyword/vision.html").read_text()
        assert write(room).written == pages


@pytest.mark.heavy
async def test_a_damaged_note_of_what_was_written_harms_nothing(tmp_path: Path) -> None:
    async with reading_room(tmp_path) as room:
        write(room)
        note = tmp_path / "site" / MANIFEST
        for text in ("[]", "{", '{"../outside": "x", "/etc/x": "y"}'):
            (tmp_path / "outside").write_text("mine")
            note.write_text(text)
            assert write(room).written == 0
            assert (tmp_path / "outside").read_text() == "mine"
