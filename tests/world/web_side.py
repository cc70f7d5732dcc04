"""The web side of a small installation, asked without a server, and the runs beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import httpx

from digest.mail.message import Sender
from digest.mail.reader_tokens import Purpose, Signer, claimed_number
from digest.model import Roster
from digest.setup.mail import make_signer
from digest.setup.settings import Settings, survey_settings
from digest.setup.subscribers import read_roster
from digest.web.app import Site, make_app
from digest.web.database_thread import DatabaseThread
from digest.web.forms import STAMP, stamp
from digest.web.pages import Pages
from digest.web.public import PublicFile
from digest.web.readers import Readers
from digest.web.search import Search
from tests.world.worlds import HOUR, World, text

BASE = "https://digest.example.org"
FILE = """\
keywords: {RL: 'ti:"reinforcement learning"', Reasoning: 'all:reasoning'}
subscribers:
  - {email: ada@example.org, keywords: [RL, Reasoning]}
"""


class WebSide(World):
    """A world whose subscribers file and web side are those of an installation."""

    def __init__(self, home: Path, database: DatabaseThread, settings: Settings) -> None:
        super().__init__(settings.db)
        self.home, self.settings, self.thread = home, settings, database
        self.signer: Signer = make_signer(self.store)
        self.sender = Sender(
            "Daily Papers <papers@example.org>",
            "Grace <grace@example.org>",
            signer=self.signer,
            base_url=BASE,
        )
        file, pages = PublicFile(settings), Pages()
        search, readers = Search(pages, database), Readers(settings)
        site = Site(
            settings, pages, self.signer, database, database, search, file, readers,
            lambda: self.now,
        )  # fmt: skip
        self.app = make_app(site)

    @property
    def roster(self) -> Roster:
        """Who gets what, by the file and the database."""
        return read_roster(self.settings)

    async def ask(
        self, path: str, form: dict[str, str] | None = None, client: str = "198.51.100.7"
    ) -> httpx.Response:
        """An answer of the web side: to a GET, or to a form, which has the stamp that the page of a
        reader's choices would give it.
        """
        transport = httpx.ASGITransport(self.app, client=(client, 4000))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as asking:
            if form is None:
                return await asking.get(path)
            number = claimed_number(path.removeprefix("/p/").partition("/")[0])
            stamped = {STAMP: stamp(self.signer, self.now, f"reader {number}")} if number else {}
            return await asking.post(path, data=stamped | form)

    async def run(self, hours: float = 1) -> list[str]:
        """A cycle later on; the subjects of the mails that it brought."""
        before = len(self.relay.taken)
        await self.cycle(self.now + hours * HOUR, sender=self.sender)
        return [str(mail["Subject"]) for mail in self.mails()[before:]]

    def link(self, address: str, kind: str) -> str:
        """The path of the last link of a kind (u, p, c) that was mailed to an address."""
        found = re.findall(rf"{BASE}(/{kind}/\S+)", text(self.mails(address)[-1]))
        return str(found[-1])

    async def sign_up(self, address: str, keywords: str = "all:diffusion") -> httpx.Response:
        """What a browser posts to sign up."""
        page = await self.ask("/signup")
        token = re.findall(r'name="form" value="([^"]+)"', page.text)[0]
        form = {"form": token, "keywords": keywords, "address": address, "timezone": "UTC"}
        return await self.ask("/signup", form | {"agreed": "on", "button": "sign up"})

    def token(self, purpose: Purpose, number: int, bound_to: str = "") -> str:
        """A genuine token."""
        return self.signer.token(purpose, number, bound_to)


@contextmanager
def web_side(home: Path, now: datetime | None = None) -> Iterator[WebSide]:
    """A web side where strangers may sign up."""
    (home / "subscribers.yaml").write_text(FILE)
    flags = {"DIGEST_HOME": str(home), "DIGEST_BASE_URL": BASE, "DIGEST_SIGNUP": "open"}
    settings = survey_settings(flags, {}, home).settings
    with (
        closing(DatabaseThread(settings.db, 20)) as database,
        closing(WebSide(home, database, settings)) as side,
    ):
        side.now = now or side.now
        yield side
