"""A feed reader of strangers' making follows the feeds for some days: Debian's newsboat."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from digest.mail.reader_tokens import Purpose
from digest.setup.mail import make_signer
from tests.web.archive_world import RL, papers, reading_room
from tests.web.test_private_pages import mail
from tests.web.test_serve import running
from tests.world.worlds import DAY

NEWSBOAT = shutil.which("newsboat")


@dataclass(frozen=True)
class FeedReader:
    """Newsboat, with the feed that it follows; it keeps what it has read in a database."""

    folder: Path
    feed: str

    @property
    def kept(self) -> Path:
        """Its database."""
        return self.folder / "cache.db"

    def reload(self) -> list[tuple[str, bool]]:
        """Let it look at the feed; returns the titles that it holds, and which are unread."""
        self.folder.mkdir(exist_ok=True)
        urls = self.folder / "urls"
        urls.write_text(f"{self.feed}\n")
        command = ["newsboat", "-u", str(urls), "-c", str(self.kept), "-x", "reload"]
        environment = {"HOME": str(self.folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
        subprocess.run(command, check=True, timeout=60, env=environment, capture_output=True)
        with closing(sqlite3.connect(self.kept)) as database:
            rows = database.execute("SELECT title, unread FROM rss_item WHERE deleted = 0")
            return [(title, bool(unread)) for title, unread in rows]

    def read_all(self) -> None:
        """Let somebody read all that is new."""
        with closing(sqlite3.connect(self.kept)) as database, database:
            database.execute("UPDATE rss_item SET unread = 0")


@pytest.mark.heavy
@pytest.mark.skipif(NEWSBOAT is None, reason="needs newsboat")
async def test_newsboat_follows_three_days_and_shows_each_paper_once(tmp_path: Path) -> None:
    async with reading_room(tmp_path) as room:
        mail(room)
        own = make_signer(room.store).own(Purpose.FEED, 1, 0)
        with running(tmp_path, "serve") as (url, _):
            begin = {"feed": 35, "keyword/reward-model": 34, f"reader/{own}": 20}
            readers = {
                path: FeedReader(tmp_path / str(n), f"{url}/{path}.atom")
                for n, path in enumerate(begin)
            }
            assert {path: len(each.reload()) for path, each in readers.items()} == begin
            for day in (1, 2):
                at = room.now + day * DAY
                room.record(at, RL, *papers(300 + 10 * day, 4, at))
                # A new version of a paper that was read is no new paper.
                newer = papers(200, 1, room.now)[0]
                room.record(at, RL, replace(newer, version=1 + day, updated=at))
                new = sorted(f"Title {300 + 10 * day + n}" for n in range(4))
                for path, each in readers.items():
                    each.read_all()
                    held = each.reload()
                    assert len({title for title, _ in held}) == len(held)
                    unread = sorted(title for title, is_unread in held if is_unread)
                    assert unread == ([] if path.startswith("reader/") else new), path
