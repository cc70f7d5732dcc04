"""A database with some days of papers on record, and its pages without a server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx

from digest.keywords.grammar import make_keyword
from digest.model import Keyword, Paper, Roster, Window
from digest.setup.mail import make_signer
from digest.setup.settings import survey_settings
from digest.store import Store, open_store
from digest.web.app import Site, make_app
from digest.web.database_thread import DatabaseThread
from digest.web.gateway import Gateway
from digest.web.pages import Pages
from digest.web.public import PublicFile
from digest.web.readers import Readers
from digest.web.search import Search
from tests.world.worlds import DAY, HOUR, MONDAY, eprint

ADDRESS = "https://digest.example.org/papers"
RL, VISION, SECRET = (make_keyword(name) for name in ("reward model", "vision", "secret plan"))
FILE = """\
keywords: [reward model, vision, secret plan]
subscribers: [{email: ada@example.org, keywords: [reward model]}]
"""
PUBLIC = FILE + "public: [vision, reward model]\n"


@dataclass
class Room:
    """The database, its home folder, and a client of its pages."""

    home: Path
    store: Store
    gateway: Gateway
    client: httpx.AsyncClient
    now: datetime = MONDAY

    def write(self, text: str) -> None:
        (self.home / "subscribers.yaml").write_text(text)

    def record(self, at: datetime, keyword: Keyword, *papers: Paper) -> None:
        """A run that brought papers."""
        run = self.store.runs.begin(at)
        (query,) = self.store.windows.queries([keyword.query])
        window = Window(keyword.query, papers, len(papers), at - 8 * DAY, 1)
        self.store.windows.record(query, window, at, run)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.client.get(path, headers=headers)

    async def page(self, path: str) -> str:
        answer = await self.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        return answer.text


def papers(first: int, count: int, at: datetime, word: str = "Title") -> list[Paper]:
    """Papers that were submitted in the hours before a moment."""
    return [
        eprint(n, at - 20 * HOUR + timedelta(minutes=n % 60), title=f"{word} {n}")
        for n in range(first, first + count)
    ]


def make_gateway(
    store: Store, database: DatabaseThread, library: DatabaseThread | None = None, **settings: str
) -> Gateway:
    """The pages of a database, without a server."""
    home = Path(store._database.name).parent
    found = survey_settings({"DIGEST_HOME": str(home), **settings}, {}, home).settings
    file = PublicFile(found)
    file.look()
    pages, reading = Pages(), library or database
    search = Search(pages, database)
    signer, readers = make_signer(store), Readers(found)
    return make_app(Site(found, pages, signer, database, reading, search, file, readers))


@contextlib.asynccontextmanager
async def reading_room(home: Path, text: str = PUBLIC, **settings: str) -> AsyncIterator[Room]:
    """Three days of papers: 30 and 3 of one public keyword, 2 of another, and some that are
    secret."""
    (home / "subscribers.yaml").write_text(text)
    with (
        open_store(home / "digest.db") as store,
        contextlib.closing(DatabaseThread(home / "digest.db")) as database,
    ):
        store.subscribers.sync(Roster((), (RL, VISION, SECRET)), MONDAY)
        gateway = make_gateway(store, database, **settings)
        transport = httpx.ASGITransport(gateway)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            room = Room(home, store, gateway, client)
            room.record(MONDAY, RL, *papers(1, 30, MONDAY))
            room.record(MONDAY + HOUR, SECRET, *papers(500, 3, MONDAY, "Secret"))
            room.record(MONDAY + DAY, VISION, *papers(100, 2, MONDAY + DAY))
            third = MONDAY + 2 * DAY
            shared = replace(papers(100, 1, MONDAY + DAY)[0])
            room.record(third, RL, *papers(200, 3, third), shared)
            room.now = third
            yield room
