"""What strangers may see: the keywords that the subscribers file makes public, and no others."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from digest.errors import DigestError
from digest.keywords.words import counted, listed
from digest.model import Keyword, Roster
from digest.rendering.entry import keyword_name
from digest.setup.settings import Settings
from digest.setup.subscribers import read_roster
from digest.system.files import file_stamp

log = logging.getLogger(__name__)

LOOKED_FOR = 1.0
"""Seconds for which a request waits for a file that has changed; afterwards what was public before
stays so until it is read."""


@dataclass(frozen=True)
class Public:
    """Public keywords, each under a name that can stand in an address; and the categories to which
    all pages keep. `names` are the keywords' names by their queries.
    """

    keywords: tuple[Keyword, ...] = ()
    within: tuple[str, ...] = ()
    slugs: dict[str, Keyword] = field(init=False, compare=False)
    queries: list[str] = field(init=False, compare=False)
    names: dict[str, str] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        slugs: dict[str, Keyword] = {}
        for keyword in self.keywords:
            slug = _slug(keyword.name)
            slugs[_marked(slug, keyword) if not slug or slug in slugs else slug] = keyword
        names = {keyword.query: keyword.name for keyword in self.keywords}
        for name, value in (("slugs", slugs), ("queries", [*names]), ("names", names)):
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, roster: Roster) -> Public:
        """What a roster makes public."""
        return cls(roster.public, roster.within)

    @property
    def words(self) -> str:
        """In one line what strangers see."""
        if not self.keywords:
            return "nothing that was found ('public:' in the subscribers file opens it)"
        names = listed([keyword_name(keyword.name) for keyword in self.keywords])
        return f"{counted(len(self.keywords), 'keyword')} with all that was found: {names}"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:60]


def _marked(slug: str, keyword: Keyword) -> str:
    """A name of its own for a keyword whose own has no letter of ASCII, or is taken."""
    mark = hashlib.sha256(keyword.name.casefold().encode("utf-8", "replace")).hexdigest()[:8]
    return f"{slug}-{mark}" if slug else f"k-{mark}"


class PublicFile:
    """Follows the subscribers file: what it makes public now. One that cannot be read changes
    nothing.
    """

    def __init__(self, settings: Settings) -> None:
        self._read: Callable[[], Roster] = lambda: read_roster(settings)
        self._path = settings.subscribers
        self._stamp: object = None
        self._reading: asyncio.Future[Public] | None = None
        self.public = Public()

    def look(self) -> Public:
        """Read the file, at the start."""
        self._stamp = file_stamp(self._path)
        self.public = self._found()
        return self.public

    async def now(self) -> Public:
        """What is public now. A large file that has changed is read while others are answered."""
        if self._reading is None and file_stamp(self._path) != self._stamp:
            self._stamp = file_stamp(self._path)
            loop = asyncio.get_running_loop()
            self._reading = loop.run_in_executor(None, self._found)
        if reading := self._reading:
            await asyncio.wait([reading], timeout=LOOKED_FOR)
            if reading.done():
                self.public, self._reading = reading.result(), None
        return self.public

    def _found(self) -> Public:
        try:
            return Public.of(self._read())
        except DigestError as error:
            log.warning("what is public stays as it was: %s", error)
            return self.public
