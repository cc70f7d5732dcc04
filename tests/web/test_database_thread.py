"""The database's thread: what waits is kept by one commit, and nobody is told before that."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from digest.errors import StoreError
from digest.store import Store, open_store
from digest.web import database_thread
from digest.web.database_thread import DatabaseThread


@pytest.fixture
def thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseThread]:
    monkeypatch.setattr(database_thread, "TOGETHER", 60)
    open_store(tmp_path / "digest.db").close()
    with closing(DatabaseThread(tmp_path / "digest.db", 10)) as thread:
        yield thread


def noting(key: str, value: str = "") -> Callable[[Store], str]:
    def note(store: Store) -> str:
        with store._database.transaction():
            store._database.set_meta(key, value)
            if value == "wrong":
                raise LookupError(key)
        return key

    return note


async def asked_at_once(thread: DatabaseThread, *works: Callable[[Store], object]) -> list[object]:
    """What comes of some works that wait while the thread is busy."""
    held = threading.Event()
    first = asyncio.create_task(thread.do(lambda _: held.wait(10)))
    others = [asyncio.create_task(thread.do(work)) for work in works]
    await asyncio.sleep(0)
    held.set()
    return (await asyncio.gather(first, *others, return_exceptions=True))[1:]


async def test_what_waits_is_kept_by_one_commit_and_what_fails_fails_alone(
    thread: DatabaseThread, tmp_path: Path
) -> None:
    seen: list[str | None] = []

    def kept(key: str) -> str | None:
        with open_store(tmp_path / "digest.db", create=False) as others:
            return others._database.meta(key)

    works = noting("a", "1"), noting("wrong", "wrong"), lambda _: seen.append(kept("a"))
    a, failed, _, b = await asked_at_once(thread, *works, noting("b", "2"))
    assert (a, b) == ("a", "b")
    assert isinstance(failed, LookupError)
    assert seen == [None], "others see nothing before all of it is kept"
    assert [kept(key) for key in ("a", "wrong", "b")] == ["1", None, "2"]


async def test_nobody_is_told_of_what_was_not_kept(thread: DatabaseThread, tmp_path: Path) -> None:
    def full(store: Store) -> None:
        # As SQLite does where the disk is full, or cannot be written.
        store._database._connection.rollback()
        raise StoreError("the disk is full")

    outcomes = await asked_at_once(thread, noting("a"), full, noting("b"))
    assert [type(outcome) for outcome in outcomes] == [StoreError] * 3
    with open_store(tmp_path / "digest.db", create=False) as store:
        assert [store._database.meta(key) for key in ("a", "b")] == [None, None]
    assert await thread.do(noting("c")) == "c", "the next one begins anew"


async def test_what_was_given_up_is_not_done(thread: DatabaseThread, tmp_path: Path) -> None:
    held = threading.Event()
    first = asyncio.create_task(thread.do(lambda _: held.wait(10)))
    await asyncio.sleep(0)
    second = asyncio.create_task(thread.do(noting("a")))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)
    held.set()
    await first
    assert await thread.do(lambda store: store._database.meta("a")) is None
