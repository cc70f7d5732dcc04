"""How long the schema's last step takes, and how much room, for a database of the version before;
and then a prune, beside which another program writes.

Run it from the project: python -m bench.migration [PAPERS [READERS]] (300,000 and 100,000, if they
are left out). It needs about three times the room that it prints, in the folder for temporary
files.
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from digest.store import database as store
from digest.store.database import Database
from digest.store.pruning import prune
from tests.world.older import BEFORE, NOW, Size, older_database


@contextmanager
def timed(words: str) -> Iterator[None]:
    """Print how long something took."""
    began = time.perf_counter()
    yield
    print(f"{words:<44}{time.perf_counter() - began:>9.1f} s", flush=True)


def printed_size(words: str, size: int) -> None:
    """Print a number of bytes."""
    print(f"{words:<44}{size / 1e6:>9.1f} MB", flush=True)


def most_beside(path: Path, ended: threading.Event, found: list[int]) -> None:
    """Find out how large the log beside a database becomes."""
    log = path.with_name(f"{path.name}-wal")
    while not ended.wait(0.05):
        found.append(log.stat().st_size if log.exists() else 0)


def main() -> None:
    """Make such a database, migrate it, and print the figures."""
    papers = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    readers = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    size = Size(readers, 4, papers, 5 * papers, papers // 5, 20 * readers, body=12_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digest.db"
        with timed("an older database is made"):
            older_database(path, size)
        with closing(sqlite3.connect(path)) as database:
            for table in ("paper", "seen", "subscriber", "content", "delivery"):
                (number,) = database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()
                print(f"  {table:<42}{number:>9,}")
        printed_size("its size", path.stat().st_size)
        began, ended, logs = time.perf_counter(), threading.Event(), [0]
        watch = threading.Thread(target=most_beside, args=(path, ended, logs))
        watch.start()
        copy_whole = store.copy_whole

        def timed_copy(source: Path, target: Path) -> None:
            with timed("of that the copy of the file as it was"):
                copy_whole(source, target)

        store.copy_whole = timed_copy  # type: ignore[assignment]
        Database.open(path).close()
        took = time.perf_counter() - began
        ended.set()
        watch.join()
        print(f"{'opening it, and all that follows':<44}{took:>9.1f} s")
        printed_size("the log beside it at most", max(logs))
        printed_size("the copy", path.with_name(f"{path.name}.schema-{BEFORE}").stat().st_size)
        printed_size("its size afterwards", path.stat().st_size)
        with timed("opening it again"):
            Database.open(path).close()
        prune_beside_a_writer(path)


def prune_beside_a_writer(path: Path) -> None:
    """Prune all that there is, while another connection writes all the time."""
    with closing(Database.open(path)) as database:
        database.write("UPDATE delivery SET state = 'sent', ended_at = queued_at")
    ended, waits = threading.Event(), [0.0]
    writer = threading.Thread(target=write_on, args=(path, ended, waits))
    writer.start()
    with timed("a prune"):
        pruned = prune(path, NOW + timedelta(days=1), NOW + timedelta(days=900))
    ended.set()
    writer.join()
    print(f"  {pruned}")
    print(f"{'another writes meanwhile, so often':<44}{len(waits):>9,}")
    print(f"{'it waited at most':<44}{max(waits):>9.2f} s")
    printed_size("its size afterwards", path.stat().st_size)


def write_on(path: Path, ended: threading.Event, waits: list[float]) -> None:
    """Write a little every 20 ms, and find out how long that waits."""
    with closing(Database.open(path)) as database:
        while not ended.wait(0.02):
            began = time.perf_counter()
            database.set_meta("bench", str(began))
            waits.append(time.perf_counter() - began)


if __name__ == "__main__":
    main()
