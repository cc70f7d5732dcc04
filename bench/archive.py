"""What pages and feeds of the archive cost in a large database, and what memory the server takes.

Run it from the project: python -m bench.archive [PAPERS] (500,000 if none is named, each in the
logs of three public keywords of 300). Each page is made anew, those of searches too, in processor
time; then the server answers 2,000 requests for pages that it has made, and for others.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from bench.statements import DAY_ONE, moment
from digest.demo.words import TOPICS
from digest.keywords.grammar import make_keyword, read_search
from digest.store import open_store
from digest.store.database import Database
from digest.web.archive_pages import ArchivePages
from digest.web.finding import listing_of
from digest.web.listings import Listings
from digest.web.pages import Pages
from digest.web.public import Public

KEYWORDS, LOGS, LONG, ROUNDS = 300, 3, 5_000, 9
BOUND_MS, BOUND_MB = 50.0, 90.0
PORT = 8943
SEARCHES = (
    "subject0", "example", "au:beispiel", "cat:cs.LG", "cat:cs.*", '"of the"',
    "ti:on AND abs:subject0", "ti:12345", "ti:12*", "walrus", "all:the ANDNOT ti:on", "a*",
)  # fmt: skip
"""What is searched for: common and rare words, phrases, beginnings, and what stands nowhere."""


def main() -> None:
    papers = int(sys.argv[1]) if len(sys.argv) > 1 else 500_000
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        keywords = [make_keyword(f"subject{number}") for number in range(KEYWORDS)]
        names = ", ".join(keyword.name for keyword in keywords)
        (home / "subscribers.yaml").write_text(f"keywords: [{names}]\npublic: all\n")
        fill(home / "digest.db", papers, [keyword.query for keyword in keywords])
        size = (home / "digest.db").stat().st_size / 1e6
        print(f"{papers:,} papers, {size:,.0f} MB")
        pages(home, Public(tuple(keywords)))
        searches(home, Public(tuple(keywords)))
        server(home)


def fill(path: Path, papers: int, queries: Sequence[str]) -> None:
    """Three years of papers, three quarters of them in a few logs."""
    chance = random.Random(1)
    words = [word for topic in TOPICS for word in str(topic).split()]
    long, short = (" ".join(["subject0", *chance.choices(words, k=n)]) for n in (170, 30))
    open_store(path).close()
    database = Database.open(path)

    def write(sql: str, rows: Any) -> None:
        database.write_many(sql, rows)

    with database.transaction():
        write("INSERT INTO run(started_at) VALUES(?)", [[moment(DAY_ONE + d)] for d in range(1000)])
        write("INSERT INTO query(text) VALUES(?)", [[query] for query in queries])
        write(
            "INSERT INTO paper(id, version, title, abstract, authors, categories, published,"
            " updated, comment, journal_ref, doi)"
            " VALUES(?, 1, ?, ?, ?, '[\"cs.LG\"]', ?, ?, '12 pages', '', '')",
            (
                [
                    f"{2401 + n * 30 // papers}.{n % 100_000:05}{n // 100_000}",
                    f"On {' '.join(chance.choices(words, k=8))} {n}",
                    long if papers - n < LONG else short,
                    '["Ada Example", "Lin Beispiel", "P. Q. Third", "A Fourth"]',
                    moment(DAY_ONE + 1000 * n / papers - 0.7),
                    moment(DAY_ONE + 1000 * n / papers - 0.7),
                ]
                for n in range(papers)
            ),
        )
        ids = database.column("SELECT id FROM paper ORDER BY published")
        write(
            "INSERT INTO seen(seq, query, paper, version, kind, run) VALUES(?, ?, ?, 1, 'new', ?)",
            (
                [LOGS * at + log, 1 + (first + log) % KEYWORDS, paper, 1 + at * 1_000 // papers]
                for at, paper in enumerate(ids)
                for first in [int(KEYWORDS * chance.random() ** 3)]
                for log in range(LOGS)
            ),
        )
    database.tidy()
    database.close()


def pages(home: Path, public: Public) -> None:
    """Make each kind of page some times."""
    with open_store(home / "digest.db", create=False) as store:
        pages_of_archive, listings = (
            ArchivePages(Pages(), public, address="https://x"),
            Listings(store, public),
        )
        day = store.archive.last_day(public.queries)

        for path in (
            "index.html",
            f"day/{day}.html",
            f"day/{day}/2.html",
            "keyword/subject0.html",
            "keyword/subject0/1500.html",
            "keyword/subject299.html",
            "keyword/subject0.atom",
            "feed.atom",
            "index.bib",
        ):
            found = pages_of_archive.find(listings, path)
            times = []
            for _ in range(ROUNDS):
                begin = time.process_time()
                pages_of_archive.find(listings, path)
                times.append((time.process_time() - begin) * 1000)
            took = statistics.median(times)
            said = f"{len(found.content) / 1000:.0f} kB" if found else "not there"
            over = "" if took <= BOUND_MS else f" (aim: at most {BOUND_MS:.0f})"
            print(f"{path}: {said}, {took:.0f} ms{over}")


def searches(home: Path, public: Public) -> None:
    """Make the index of the search, and ask it for a page of each kind some times."""
    with open_store(home / "digest.db", create=False) as store:
        begin = time.process_time()
        while store.search.step(public.queries):
            pass
        took = time.process_time() - begin
        size = (home / "digest.db").stat().st_size / 1e6
        print(f"the index of the search: made in {took:.0f} s, {size:,.0f} MB with it")
        pages_of_archive = ArchivePages(Pages(), public)
        for text in SEARCHES:
            times = []
            for _ in range(ROUNDS):
                begin = time.process_time()
                listing = listing_of(store, public, text, read_search(text), "")
                pages_of_archive.content(listing, ".html")
                times.append((time.process_time() - begin) * 1000)
            took = statistics.median(times)
            over = "" if took <= BOUND_MS else f" (aim: at most {BOUND_MS:.0f})"
            print(f"{text}: {len(listing.items)} papers, {took:.0f} ms{over}")


def server(home: Path) -> None:
    """Ask a server for pages, and look at its memory."""
    command = [sys.executable, "-m", "digest", "serve", "--home", str(home)]
    with subprocess.Popen(
        [*command, "--listen", f"127.0.0.1:{PORT}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with httpx.Client(base_url=f"http://127.0.0.1:{PORT}") as client:
            for number in range(250):
                assert client.get(f"/keyword/subject{number}.html").status_code == 200
            before = times_of(process.pid)
            for number in range(2_000):
                assert client.get(f"/keyword/subject{249 - number % 50}.html").status_code == 200
            took = (times_of(process.pid) - before) / 2_000
        memory = memory_of(process.pid)
        process.terminate()
    print(f"server: {1 / took:.0f} requests a second of processor time for pages it has made")
    over = "" if memory <= BOUND_MB else f" (aim: at most {BOUND_MB:.0f})"
    print(f"server: at most {memory:.0f} MB of memory{over}")


def times_of(process: int) -> float:
    """Seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int) -> float:
    """The most memory that a process has held, in MB."""
    text = Path(f"/proc/{process}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) / 1000


if __name__ == "__main__":
    main()
