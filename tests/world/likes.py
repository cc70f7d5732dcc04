"""What readers like in the randomized world, by the links in their mails; and the book that is kept
of it. It has dice of its own, so that the same history can be played without it.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from digest.mail.reader_tokens import Purpose, Signer
from digest.model import Digest, Rendered
from digest.rendering.attached import attachment_of
from digest.run.likes import choose

if TYPE_CHECKING:
    from tests.world.model import World

SITE = "https://papers.example.org"
_LINK = re.compile(rf"(\S+)\r\n    Like  {SITE}/u/([^/\s]+)/(\d+)\r\n")
_WAY_OUT = re.compile(rf"To leave at once: {SITE}/u/(\S+)\r\n")


@dataclass(eq=False)
class Link:
    """A link beside a paper in a reader's mail; `token` is that of the mail."""

    address: str
    token: str
    number: int
    paper: str

    @property
    def delivery(self) -> int:
        return int(self.token.partition("-")[0])


class Likes:
    """Who is asked what they like, presses links, or takes it back."""

    def __init__(self, world: World, seed: int, *, on: bool) -> None:
        self.world = world
        self.random = random.Random(seed)
        self.on = self.random.random() < 0.7 and on
        self.signer = Signer("a secret", world.store.uuid)
        self.links: list[Link] = []
        self.ways_out: dict[str, str] = {}
        self.dead: list[Link] = []
        self.book: dict[str, set[str]] = defaultdict(set)

    def asks(self, address: str) -> bool:
        """Whether a reader wants to be asked, which stays so."""
        return self.on and address[:2] != "r1"

    def text(self, digest: Digest, mark: str) -> tuple[str, tuple[str, ...]]:
        """What a digest's text part says of its papers, the last first, and those."""
        ids = sorted((i.paper.id for s in digest.sections for i in s.items), reverse=True)
        lines = (f"{paper}\n{mark}-{n}\n" for n, paper in enumerate(ids, 1))
        return "".join(lines) if digest.feedback else "", tuple(ids)

    def received(self, address: str, data: bytes) -> None:
        """A reader has a mail."""
        text = data.decode()
        found = _LINK.findall(text)
        if bool(found) and not self.asks(address):
            raise self.world.broken(f"{address} is asked, and did not want to be")
        for paper, token, number in found:
            self.links.append(Link(address, token, int(number), paper))
        for token in _WAY_OUT.findall(text):
            self.ways_out[address] = token

    def press(self) -> None:
        """Let some of them press links, of which each does what it is there for."""
        for link in self._some(self.links):
            self._press(link)
        for link in self._some(self.dead):
            if choose(self.world.store, self.signer, link.token, [link.number]):
                raise self.world.broken(f"the mail of {link.address}, forgotten, has links")
        for token in self.ways_out.values() if self.random.random() < 0.1 else ():
            if choose(self.world.store, self.signer, token, range(1, 9)):
                raise self.world.broken("a link by which a reader leaves likes papers")
        for link in self._some(self.links):
            if self.signer.number(Purpose.LEAVE, link.token):
                raise self.world.broken("a link beside a paper lets its reader leave")

    def _some(self, links: list[Link]) -> list[Link]:
        return self.random.sample(links, min(len(links), self.random.choice([0, 0, 1, 3])))

    def _press(self, link: Link) -> None:
        world, likes = self.world, self.world.store.preferences
        known = world.database.value("SELECT 1 FROM delivery WHERE id = ?", [link.delivery])
        chosen = choose(world.store, self.signer, link.token, [link.number])
        if not known or chosen is None:
            if known or chosen:
                raise world.broken(f"{link} leads to {chosen}")
            self.links.remove(link)  # its mail has aged
            return
        whose = self._address(chosen.reader)
        if (whose, chosen.papers) != (link.address, (link.paper,)):
            raise world.broken(f"{link} leads to {chosen.papers} of {whose}")
        if self.random.random() < 0.2:
            likes.unlike(chosen.reader, link.paper)
            self.book[link.address].discard(link.paper)
        else:
            likes.like(chosen.reader, link.paper, world.clock())
            self.book[link.address].add(link.paper)
            world.stats["liked"] += 1

    def note(self, reader: int, paper: str) -> None:
        """A reader likes a paper by another word."""
        self.book[self._address(reader)].add(paper)

    def _address(self, reader: int) -> str:
        found = self.world.database.text("SELECT address FROM subscriber WHERE id = ?", [reader])
        return found or ""

    def move(self, old: str, new: str) -> None:
        """A reader has another address."""
        for link in self.links:
            link.address = new if link.address == old else link.address
        for book in (self.book, self.ways_out):
            if old in book:
                book[new] = book.pop(old)  # type: ignore[assignment]

    def forget(self, address: str) -> None:
        """A reader was forgotten, and what they like with them."""
        self.book.pop(address, None)
        self.ways_out.pop(address, None)
        gone = [link for link in self.links if link.address == address]
        self.links = [link for link in self.links if link.address != address]
        self.dead += gone

    def judge(self) -> None:
        """What is liked is what was pressed, and equal digests are one, whoever likes what."""
        rows = self.world.database.rows(
            "SELECT r.address, l.paper FROM liked l JOIN subscriber r ON r.id = l.subscriber"
        )
        found: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            found[row["address"]].add(row["paper"])
        wanted = {address: papers for address, papers in self.book.items() if papers}
        # What a restored copy takes over is told elsewhere (tests/store/test_taking_over.py).
        if found != wanted and not self.world.restores:
            raise self.world.broken(f"liked are {dict(found)}, and were to be {wanted}")
        twice = "SELECT digest FROM content WHERE digest <> '' GROUP BY digest HAVING COUNT(*) > 1"
        if equal := self.world.database.column(twice):
            raise self.world.broken(f"equal digests are kept twice: {equal}")


def rendered(world: World, digest: Digest, mark: str, name: str) -> Rendered:
    """A digest as this world's readers see it."""
    text, papers = world.likes.text(digest, mark)
    page = f"<p>\n{mark}\n</p>\n"
    file = attachment_of(digest)
    text += world.models.text(digest)
    return Rendered("digest", f"{name}\n{text}{mark}\n", page, mark, papers, file)


# -- what must not be


class _OneToken(Signer):
    """A signer for whom a reader's token and a mail's are the same."""

    def token(self, purpose: Purpose, number: int, bound_to: str = "") -> str:
        purpose = Purpose.LEAVE if purpose is Purpose.LIKE else purpose
        return super().token(purpose, number, bound_to)


def _share_tokens(world: World) -> None:
    likes = world.likes
    likes.signer = _OneToken(likes.signer.secret, likes.signer.database)


def _count_likes_in_keys(world: World) -> None:
    class Counting(type(world)):  # type: ignore[misc]
        @property
        def made_by(self) -> str:
            return str(self.database.number("SELECT COUNT(*) FROM liked"))

    world.__class__ = Counting


BENT: dict[str, Callable[[World], None]] = {
    "a leave link's token acts as a like, and the other way round": _share_tokens,
    "a like changes a content's key": _count_likes_in_keys,
}
"""Rules that are taken out of the program's code, and not of its SQL."""
