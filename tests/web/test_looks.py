"""The web's pages in a real browser: axe finds nothing wrong with them, in light and dark; they fit
a telephone; and they ask nobody else for anything.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from digest.mail.reader_tokens import Purpose
from digest.setup.mail import make_signer
from digest.store import open_store
from tests.web.archive_world import PUBLIC, reading_room
from tests.web.test_private_pages import mail
from tests.web.test_serve import running
from tests.world.browser import CHROMIUM, Browser, browser

AXE = os.environ.get("AXE")
"""Where npm has installed axe-core 4.14.1."""
PAGES = [
    "/",
    "/day/2026-11-09.html",
    "/keyword/reward-model.html",
    "/paper/2611.00100.html",
    "/paper/2611.09999.html",
    "/search.html",
    "/search.html?q=title",
    "/search.html?q=ti:titel+AND+(abs:model+OR",
    "/search.html?q=(title+OR+model)+AND+cat:cs.*+ANDNOT+au:nobody",
    "/u/1-none",
    "/u/LEAVE",
    "/d/VIEW",
    "/signup",
]
FLAGS = ("--signup", "open", "--base-url", "https://x.example.org", "--from", "x@example.org")
WIDTHS = (320, 375, 1200)


@pytest.mark.heavy
@pytest.mark.skipif(
    CHROMIUM is None or not AXE,
    reason="needs Chromium, and AXE naming the folder of `npm install axe-core@4.14.1`",
)
def test_pages_can_be_used_by_everybody_and_fit(tmp_path: Path) -> None:
    axe = (Path(str(AXE)) / "node_modules/axe-core/axe.min.js").read_text()
    content = asyncio.run(prepared(tmp_path))
    with open_store(tmp_path / "digest.db") as store:
        signer = make_signer(store)
    tokens = {"LEAVE": signer.token(Purpose.LEAVE, 1), "VIEW": signer.token(Purpose.VIEW, content)}
    found = []
    with running(tmp_path, "serve", *FLAGS) as (url, _), browser() as tab:
        for page in PAGES:
            path = page
            for name, token in tokens.items():
                path = path.replace(name, token)
            for width in WIDTHS:
                for dark in (False, True):
                    tab.show(url + path, width, dark=dark)
                    found += [f"{page} {width} {dark}: {wrong}" for wrong in wrongs(tab, url, axe)]
                    keep_picture(tab, page, width, dark)
    assert found == []


async def prepared(home: Path) -> int:
    """A home folder with papers on record and a digest; returns the digest's content."""
    async with reading_room(home, PUBLIC) as room:
        return mail(room)


def wrongs(tab: Browser, url: str, axe: str) -> list[str]:
    """What is wrong with the page that is shown."""
    # What the browser itself draws into a field comes as data.
    here = (f"{url}/", "data:")
    found = [f"asks for {asked}" for asked in tab.asked if not asked.startswith(here)]
    if (over := tab.ask("document.documentElement.scrollWidth - innerWidth")) > 0:
        found.append(f"{over} px too wide")
    if tab.ask("document.cookie"):
        found.append("sets a cookie")
    tab.ask(axe + ";0")
    passed, violations = tab.ask(
        "axe.run().then(found => [found.passes.length, found.violations.map("
        "each => each.id + ': ' + each.nodes.map(node => node.html).join(' ').slice(0, 300))])"
    )
    assert passed > 10, "axe looked at nothing"
    return [*found, *violations]


def keep_picture(tab: Browser, page: str, width: int, dark: bool) -> None:
    """Keep the page's picture where such are wanted."""
    if folder := os.environ.get("LOOKS"):
        name = page.strip("/").partition(".")[0].replace("/", "-")[:24] or "latest"
        scheme = "dark" if dark else "light"
        Path(folder).mkdir(parents=True, exist_ok=True)
        tab.picture(Path(folder) / f"web-{name}-{width}-{scheme}.png", height=1200)
