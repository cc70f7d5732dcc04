"""The way of a reader through a real browser and real mail servers: sign up, confirm, change, read,
leave, come back; with a mouse, and with keys alone, without scripts, at a phone's width.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.web.test_looks import AXE, wrongs
from tests.web.test_serve import running
from tests.world.browser import CHROMIUM, Browser
from tests.world.browser import browser as opened_browser
from tests.world.mail_servers import MailServers, free_port, mail_servers, wait_until
from tests.world.standin import Standin
from tests.world.worlds import eprint, text

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
READERS = ("eve", "ada")
FILE = "keywords: {Reasoning: 'all:reasoning'}\nsubscribers: []\n"


@dataclass
class Person:
    """Somebody at a browser, with a mailbox: `width` and whether there are `keys` alone."""

    browser: Browser
    servers: MailServers
    home: Path
    name: str
    width: int
    keys: bool
    looks: Path
    url: str

    def open(self, address: str) -> None:
        self.browser.show(address, self.width)

    def write(self, name: str, words: str) -> None:
        """Put words into a field, in the place of what is there."""
        self._focus(f"[name={name}]")
        self.browser.ask("document.activeElement.value = ''")
        self.browser.type(words)

    def tick(self, name: str) -> None:
        if self.keys:
            self._focus(f"[name={name}]")
            self.browser.key(" ", 32, " ")
        else:
            self.browser.ask(f"document.querySelector('[name={name}]').click()")

    def press(self, value: str) -> str:
        """Press a button, and read the page to which it leads."""
        selector = f'button[value="{value}"]'
        with self.browser.loading():
            if self.keys:
                self._focus(selector)
                self.browser.key("Enter", 13, "\r")
            else:
                self.browser.ask(f"document.querySelector('{selector}').click()")
        return self.words

    @property
    def words(self) -> str:
        return str(self.browser.ask("document.body.innerText"))

    def reach(self, selector: str) -> None:
        """Reach a link of the page without following it."""
        self._focus(selector)
        assert self.browser.ask(f"document.activeElement.matches({json.dumps(selector)})")

    def picture(self, name: str) -> None:
        """Keep pictures of the page, at both widths, light and dark; nothing may stand out."""
        for width in (320, 375, 1200):
            for scheme in ("light", "dark"):
                self.browser.look(width, dark=scheme == "dark")
                over = self.browser.ask("document.documentElement.scrollWidth - innerWidth")
                assert over <= 0, f"{name} is {over} pixels too wide at {width}"
                # Where no page runs scripts, axe does not either.
                if AXE and not self.keys:
                    axe = (Path(AXE) / "node_modules/axe-core/axe.min.js").read_text()
                    assert wrongs(self.browser, self.url, axe) == [], (name, width, scheme)
                self.browser.picture(self.looks / f"web-{name}-{width}-{scheme}.png")
        self.browser.look(self.width)

    def _focus(self, selector: str) -> None:
        if self.keys:
            self.browser.tab_to(selector)
        else:
            self.browser.ask(f"document.querySelector('{selector}').focus()")

    def mailed(self, number: int) -> str:
        """The text of the newest mail, once so many have come."""
        wait_until(lambda: self.servers.count(self.name) >= number, what=f"mail {number}")
        mails = self.servers.mails(self.name)
        assert len(mails) == number
        return text(mails[-1])

    def run(self) -> None:
        """What the timer calls."""
        command = [sys.executable, "-m", "digest", "--home", str(self.home), "run"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def servers() -> Iterator[MailServers]:
    with mail_servers(READERS) as servers:
        yield servers


@pytest.fixture(params=["mouse", "keys"])
def person(
    request: pytest.FixtureRequest, servers: MailServers, tmp_path: Path
) -> Iterator[Person]:
    """Somebody before the browser, while the web side answers."""
    keys = request.param == "keys"
    port, home = free_port(), tmp_path / "home"
    home.mkdir()
    looks = Path(os.environ.get("LOOKS") or tmp_path)
    (home / "subscribers.yaml").write_text(FILE)
    now = datetime.now(UTC).replace(microsecond=0)
    papers = [
        eprint(n, now - timedelta(hours=20 + n), title=title, abstract=title, id=f"2611.{n:05}")
        for n, title in enumerate(["Diffusion of heat", "Reward models", "Graph theory"], 1)
    ]
    with Standin(papers) as arxiv, opened_browser() as browser:
        (home / ".env").write_text(
            f"DIGEST_BASE_URL=http://127.0.0.1:{port}\nDIGEST_SIGNUP=open\n"
            f"DIGEST_MAIL=smtp://127.0.0.1:{servers.smtp_port}\n"
            f"DIGEST_FROM=Papers <papers@example.org>\nDIGEST_MAIL_CA={servers.certificate}\n"
            f"DIGEST_ARXIV_API={arxiv.url}\nDIGEST_ARXIV_DELAY=0\n"
        )
        url = f"http://127.0.0.1:{port}"
        one = Person(browser, servers, home, READERS[keys], 375 if keys else 1200, keys, looks, url)
        if keys:
            browser.without_scripts()
        one.run()
        with running(home, "serve", port=port):
            yield one


def test_a_reader_signs_up_changes_reads_leaves_and_comes_back(person: Person) -> None:
    sign_up(person)
    digest = change_what_comes(person)
    read_in_browser(person, digest)
    undo_the_change(person, digest)
    ask_what_is_kept(person, digest)
    leave_and_come_back(person, digest)
    asked = person.browser.asked
    assert all(address.startswith(person.url) for address in asked)


def sign_up(one: Person) -> None:
    """Sign up, with a mistake first, and confirm the address."""
    one.browser.call("Emulation.setTimezoneOverride", timezoneId="Asia/Tokyo")
    one.open(f"{one.url}/signup")
    zone = one.browser.ask("document.getElementById('timezone').value")
    assert zone == ("UTC" if one.keys else "Asia/Tokyo")
    one.write("keywords", 'ti:"no end')
    assert "Look into your mail" not in one.press("show")
    assert "\n   ^" in one.words
    one.picture("signup-mistake")
    one.write("keywords", "diffusion")
    assert "The last 7 days would have brought" in one.press("show")
    one.write("address", f"{one.name}@example.org")
    one.tick("agreed")
    one.picture("signup")
    assert "Look into your mail" in one.press("sign up")
    one.picture("signed-up")
    one.run()
    one.open(link_in(one.mailed(1), "c"))
    one.picture("confirm")
    assert "You are subscribed" in one.press("confirm")


def change_what_comes(one: Person) -> str:
    """Add a keyword, and get the digest that tells of it."""
    with one.browser.loading():
        one.browser.ask("document.querySelector('main a').click()")
    assert f"{one.name[0]}…@example.org" in one.words
    one.write("keywords", "diffusion\nreward models")
    one.tick("day_sun")
    assert "Saved: keywords added: reward models" in one.press("save")
    one.picture("choices")
    one.run()
    digest = one.mailed(2)
    assert "Reward models" in digest
    assert "You changed what comes: keywords added: reward models" in digest
    return digest


def read_in_browser(one: Person, digest: str) -> None:
    """Follow "View in browser", and reach a paper there."""
    one.open(link_in(digest, "d"))
    assert "Reward models" in one.words
    assert f"{one.name}@" not in one.words
    one.reach('main a[href$="/abs/2611.00002v1"]')
    one.picture("view")


def undo_the_change(one: Person, digest: str) -> None:
    """Undo the change by its own link, and that as well."""
    one.open(link_in(digest, r"p/[^/\s]+"))
    assert "keywords left: reward models" in one.words
    one.picture("undo")
    assert "Undone" in one.press("undo")
    one.picture("undone")
    assert "keywords added: reward models" in one.press("undo")


def ask_what_is_kept(one: Person, digest: str) -> None:
    """Have the second link mailed, and follow it."""
    one.open(link_in(digest, "p"))
    assert "is on its way" in one.press("key")
    one.run()
    one.open(link_in(one.mailed(3), "c"))
    assert f"{one.name}@example.org" in one.words
    one.picture("kept")


def leave_and_come_back(one: Person, digest: str) -> None:
    """Leave, undo it at once; leave, and undo it later on."""
    one.open(link_in(digest, "u"))
    assert "Leave this digest?" in one.words
    assert "You are unsubscribed" in one.press("leave")
    assert "You are subscribed" in one.press("undo")
    one.open(link_in(digest, "u"))
    assert "You are unsubscribed" in one.press("leave")
    one.open(link_in(digest, "u"))
    one.picture("left-lately")
    one.tick("meant")
    assert "You are subscribed" in one.press("return")


def link_in(mail: str, kind: str) -> str:
    """The last page of a kind to which a mail leads."""
    found = re.findall(rf"http://127\.0\.0\.1:\d+/{kind}/[^\s.]+(?=\s)", mail)
    return str(found[-1])
