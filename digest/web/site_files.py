"""The archive as files, for who runs no server: the same pages and feeds, written where they have
changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from digest import __version__
from digest.errors import ConfigError
from digest.rendering.templates import fingerprint
from digest.system.files import PUBLIC, replace_file
from digest.web.archive_pages import ENDINGS, ArchivePages
from digest.web.listings import Listings
from digest.web.pages import ROOM, Pages

MANIFEST = ".digest-site.json"
"""In the folder: the files that were written there, and of what. No others are touched."""


@dataclass(frozen=True, slots=True)
class Published:
    """How many files were written, removed, and left as they were."""

    written: int
    removed: int
    left: int


class SiteFiles:
    """A folder with a site. What a file is made of is compared first: to make a page takes ten
    times as long.
    """

    def __init__(self, folder: Path, templates: Path | None = None) -> None:
        self._folder = folder
        marks = fingerprint(templates), fingerprint(templates, ROOM)
        self._made_by = f"{__version__} {' '.join(marks)}"
        self._before, self._now = self._manifest(), dict[str, str]()

    def publish(
        self, listings: Listings, pages_of_archive: ArchivePages, pages: Pages
    ) -> Published:
        """Bring the folder up to date. Raises ConfigError where it cannot be written."""
        written = int(self._update(pages.style_name, "", lambda: pages.style))
        for path, made_of in _sources(listings):
            with_notice = f"{pages.notice} {made_of}"
            written += self._update(
                path, with_notice, partial(pages_of_archive.text, listings, path)
            )
        for name in pages.legal:
            # All pages lead to the folder: so the address is the one that a server has for it.
            text = pages.page(f"{name}.html", root="..")
            written += self._update(f"{name}/index.html", text, partial(str, text))
        gone = self._before.keys() - self._now.keys()
        for path in gone:
            (self._folder / path).unlink(missing_ok=True)
        if self._now != self._before:
            self._put(MANIFEST, json.dumps(self._now, indent=0, sort_keys=True) + "\n")
        return Published(written, len(gone), len(self._now) - written)

    def _update(self, path: str, made_of: str, make: Callable[[], str]) -> bool:
        """Write a file where what it is made of has changed, and it with that."""
        self._now[path] = hashlib.sha256(f"{self._made_by} {made_of}".encode()).hexdigest()[:24]
        is_there = (self._folder / path).is_file()
        if is_there and self._before.get(path) == self._now[path]:
            return False
        return self._put(path, make())

    def _put(self, path: str, text: str) -> bool:
        target, data = self._folder / path, text.encode()
        try:
            if target.is_file() and target.read_bytes() == data:
                return False
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{target} cannot be written ({error.strerror})") from error
        replace_file(target, data, mode=PUBLIC)
        return True

    def _manifest(self) -> dict[str, str]:
        """What the folder holds of ours; nothing where that cannot be told."""
        try:
            found = json.loads((self._folder / MANIFEST).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        pairs = found.items() if isinstance(found, dict) else ()
        return {path: str(mark) for path, mark in pairs if _is_ours(path)}


def _is_ours(path: str) -> bool:
    """Whether a path can be one of this site's files: what is removed must lie in the folder."""
    return not path.startswith("/") and ".." not in path.split("/")


def _sources(listings: Listings) -> Iterator[tuple[str, str]]:
    """The path of each file, and what it is made of."""
    for listing in listings.all():
        made_of = repr(listing)
        for ending in ENDINGS:
            yield f"{listing.path}{ending}", made_of
    for feed in listings.feeds():
        yield f"{feed.path}.atom", repr(feed)
