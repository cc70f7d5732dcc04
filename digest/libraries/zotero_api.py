"""Zotero's web API asked for what a library holds: first all items with their versions, then those
that have changed ("Syncing" in its documentation). Read only; needs the extra `zotero`.

Nothing here waits: where Zotero asks to be left alone for a while, the caller is told for how long.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import Any

import httpx2
from pyzotero import zotero
from pyzotero.errors import PyZoteroError

from digest.libraries.entries import Entry
from digest.libraries.files import LibraryError
from digest.libraries.zotero import Access, Listing, Place, entry_of

AT_ONCE = 50
"""So many items are asked for by their keys at once: the API takes no more."""
MAX_BYTES = 10_000_000
"""The most that one answer may hold: fifty items with their abstracts have some 200 kB."""
SECONDS = 10.0
"""For a connection, and for each piece of an answer."""
_KEY = re.compile("[A-Za-z0-9]{8}")
REST = timedelta(hours=1)
"""How long a Zotero that is in trouble is left alone, where it names no time itself."""
LONGEST_REST = timedelta(days=1)


class ZoteroError(LibraryError):
    """Zotero gave no answer that can be used. `rest`: for how long nobody is to ask it; None where
    it is well, and only this library cannot be read.
    """

    rest: timedelta | None = None


class ZoteroClient:
    """Asks for one library; `is_over` says whether the time for that is up."""

    def __init__(self, place: Place, access: Access, is_over: Callable[[], bool]) -> None:
        self.rest: timedelta | None = None
        """For how long Zotero asked to be left alone."""
        self._place, self._is_over = place, is_over
        self._http = httpx2.Client(
            timeout=SECONDS,
            verify=_certificates(),
            # A packed answer could unpack to any size.
            headers={"Accept-Encoding": "identity"},
            event_hooks={"response": [self._look]},
        )
        self._zotero = zotero.Zotero(place.number, place.kind, access.key, client=self._http)
        self._zotero.endpoint = access.api.rstrip("/")

    def listing(self, known: int) -> Listing | None:
        """All items and their versions; None where the library is still in the version that is
        `known` (0: none is). Raises ZoteroError.
        """
        if known:
            self._http.headers["If-Modified-Since-Version"] = str(known)
        wanted = {"format": "versions", "limit": None}
        try:
            with self._mended():
                if collection := self._place.collection:
                    found = self._zotero.collection_items_top(collection, **wanted)
                else:
                    found = self._zotero.top(**wanted)
                if not isinstance(found, dict):
                    raise TypeError
                version = int(self._headers["Last-Modified-Version"])
                items = {key: int(value) for key, value in found.items() if _KEY.fullmatch(key)}
                return Listing(version, items)
        except _UnchangedError:
            return None
        finally:
            self._http.headers.pop("If-Modified-Since-Version", None)

    def items(self, keys: Sequence[str]) -> dict[str, tuple[int, Entry]]:
        """These items, at most AT_ONCE, by key: each with its version; those that are gone by now
        are left out. Raises ZoteroError.
        """
        with self._mended():
            found = self._zotero.items(itemKey=",".join(keys), limit=AT_ONCE)
            if not isinstance(found, list):
                raise TypeError
            read = filter(None, map(entry_of, found))
            return {key: (version, entry) for key, version, entry in read if key in keys}

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    @property
    def _headers(self) -> httpx2.Headers:
        answer = self._zotero.request
        return answer.headers if answer is not None else httpx2.Headers()

    def _look(self, response: httpx2.Response) -> None:
        """Look at an answer before it is read, and bound what it may cost. Pyzotero would sleep as
        long as it is told, and unpack or parse whatever is named as the content's type.
        """
        for name in ("backoff", "retry-after"):
            if asked := response.headers.pop(name, ""):
                self.rest = max(self.rest or timedelta(), _rest_of(asked))
        asked_for_changes = "if-modified-since-version" in response.request.headers
        if response.status_code == httpx2.codes.NOT_MODIFIED and asked_for_changes:
            raise _UnchangedError
        is_json = response.headers.get("content-type", "").startswith("application/json")
        # What is said of an error is left packed.
        is_packed = response.headers.pop("content-encoding", "identity") != "identity"
        if response.is_success and (is_packed or not is_json):
            raise ValueError
        response.stream = _Bounded(response.stream, self._is_over)

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Turn whatever can go wrong in asking into one ZoteroError."""
        self._zotero.request = None
        try:
            if self._is_over():
                raise _OverError
            yield
        except (PyZoteroError, httpx2.HTTPError) as error:
            answer = self._zotero.request
            raise self._trouble(answer.status_code if answer is not None else 0, error) from error
        # Of what it reads pyzotero takes much for granted.
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise self._left_alone("Zotero gave an answer that cannot be read") from error

    def _trouble(self, status: int, error: Exception) -> ZoteroError:
        if status in (401, 403):
            return ZoteroError(
                f"Zotero lets nobody read the {self._name} with this key"
                if self._zotero.api_key
                else f"Zotero lets nobody read the {self._name} without a key",
                remedy="set DIGEST_ZOTERO_KEY to one that may read it"
                " (zotero.org/settings/keys makes one)",
            )
        if status == httpx2.codes.NOT_FOUND:
            return ZoteroError(
                f"Zotero knows no {self._name}",
                remedy="the number of a user stands at zotero.org/settings/keys, that of a group"
                " and the letters of a collection in its address",
            )
        if status == httpx2.codes.TOO_MANY_REQUESTS:
            return self._left_alone("Zotero asks to slow down")
        if status:
            return self._left_alone(f"Zotero answers with an error ({status})")
        return self._left_alone(f"Zotero cannot be reached ({type(error).__name__})")

    def _left_alone(self, words: str) -> ZoteroError:
        error = ZoteroError(words)
        error.rest = self.rest or REST
        return error

    @property
    def _name(self) -> str:
        library = f"{self._place.kind} {self._place.number}"
        return (
            f"collection {self._place.collection} of {library}"
            if self._place.collection
            else (f"library of {library}")
        )


class _UnchangedError(Exception):
    """The library has not changed."""


class _OverError(ZoteroError):
    """The time is up, which is nobody's fault."""

    def __init__(self) -> None:
        super().__init__("there was no time for Zotero")


class _Bounded(httpx2.SyncByteStream):
    """An answer's bytes, as many and for as long as may be."""

    def __init__(self, stream: Any, is_over: Callable[[], bool]) -> None:
        self._stream, self._is_over = stream, is_over

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for piece in self._stream:
            size += len(piece)
            if size > MAX_BYTES:
                raise ValueError
            if self._is_over():
                raise _OverError
            yield piece

    def close(self) -> None:
        self._stream.close()


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; reading that for each library takes longer than asking."""
    return httpx2.create_ssl_context()


def _rest_of(text: str) -> timedelta:
    """The seconds that a header names."""
    return (
        min(timedelta(seconds=int(text)), LONGEST_REST)
        if text.isdecimal() and len(text) < 9
        else REST
    )
