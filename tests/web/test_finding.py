"""The search against a plain scan: whatever comes, changes, ages and is public meanwhile, its pages
hold what the matcher finds among all public papers, each once, those that came last first.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from digest.errors import StoreError
from digest.keywords.candidates import asked
from digest.keywords.grammar import Node, make_keyword, read_search
from digest.keywords.match import Matcher
from digest.model import Paper, Roster, Window
from digest.store import Store, open_store
from digest.store import search as search_module
from digest.store.database import Database
from digest.store.search import Search
from digest.web import finding
from tests.keywords.test_candidates import some_papers, some_query
from tests.world.worlds import DAY, HOUR, MONDAY, eprint

EXAMPLES = int(os.environ.get("EXAMPLES", "2"))
KEYWORDS = [make_keyword(name) for name in ("alpha", "beta", "gamma", "delta")]


def bring_up(store: Store, public: list[str]) -> None:
    """Bring the index up to what is public."""
    assert any(not store.search.step(public) for _ in range(500)), "it never ends"


class World:
    """A database in which papers come, and what a plain scan knows of it."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store, self.chance = store, random.Random(seed)
        self.now = MONDAY
        self.papers: dict[str, Paper] = {}
        store.subscribers.sync(Roster((), tuple(KEYWORDS)), MONDAY)
        self.public = [keyword.query for keyword in KEYWORDS[:2]]

    def live(self) -> None:
        """Let one thing happen."""
        deed = self.chance.choice([self.come] * 3 + [self.age, self.publish, self.step, self.step])
        deed()

    def come(self) -> None:
        """Some papers and new versions of others, for one keyword."""
        self.now += HOUR
        query = self.chance.choice(KEYWORDS).query
        fresh = [
            replace(paper, id=f"2611.{len(self.papers) + number:05d}")
            for number, paper in enumerate(some_papers(self.chance, self.chance.randint(0, 6)))
        ]
        known = self.chance.sample(sorted(self.papers), min(len(self.papers), 4))
        texts = some_papers(self.chance, len(known))
        again = [
            replace(
                self.papers[paper], version=self.papers[paper].version + 1,
                title=text.title, abstract=text.abstract, comment=text.comment, updated=self.now,
            )
            if self.chance.random() < 0.5
            else self.papers[paper]
            for paper, text in zip(known, texts, strict=True)
        ]  # fmt: skip
        dated = [replace(p, published=self.now, updated=self.now) for p in fresh]
        self.record(query, [*dated, *again], self.now)

    def record(self, query: str, papers: list[Paper], at: datetime) -> None:
        run = self.store.runs.begin(at)
        (found,) = self.store.windows.queries([query])
        self.store.windows.record(found, Window(query, papers, len(papers), at - DAY, 1), at, run)
        for paper in papers:
            known = self.papers.get(paper.id)
            if known is None or paper.version > known.version:
                self.papers[paper.id] = paper

    def age(self) -> None:
        """The abstracts of papers that nobody looks at any more go."""
        if self.chance.random() < 0.3:
            self.store._database.write("UPDATE seen SET run = NULL")
            self.now += 400 * DAY
            while self.store.ageing.step(self.now):
                pass
            self.papers = self.store.archive.papers(list(self.papers))

    def publish(self) -> None:
        """Other keywords are public."""
        queries = [keyword.query for keyword in KEYWORDS]
        self.public = sorted(self.chance.sample(queries, self.chance.randint(1, 3)))

    def step(self) -> None:
        """The index is brought up a little."""
        self.store.search.step(self.public)

    def scan(self, node: Node) -> list[str]:
        """All public papers that match, by a look at each."""
        rows = self.store._database.rows(
            """SELECT m.paper, MIN(m.seq) AS first FROM seen m JOIN query q ON q.id = m.query
               WHERE q.text IN many(?) AND m.kind <> 'revised' GROUP BY m.paper""",
            [self.public],
        )
        with Matcher(self.papers.values()) as matcher:
            matching = matcher.match(node)
        shown = sorted(rows, key=lambda row: -row["first"])
        return [row["paper"] for row in shown if row["paper"] in matching]

    def pages(self, node: Node) -> list[str]:
        """All that the search's pages hold."""
        bring_up(self.store, self.public)
        found, last = finding.find(self.store, node)
        while last:
            more, last = finding.find(self.store, node, last)
            found += more
        return found


def play(path: Path, seed: int, deeds: int = 40) -> int:
    """A history, and some searches in it; returns how many papers they found."""
    found = 0
    with open_store(path) as store:
        store._database.write("PRAGMA synchronous = OFF")
        world = World(store, seed)
        for number in range(deeds):
            world.live()
            for _ in range(6 * (number % 10 == 9)):
                node = some_query(world.chance)
                wanted = world.scan(node)
                assert world.pages(node) == wanted, node
                found += len(wanted)
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pages and steps, so that a small history has many."""
    for name, value in {"PAGE": 3, "BATCH": 4, "EXAMINED": 9}.items():
        monkeypatch.setattr(finding, name, value)
    monkeypatch.setattr(search_module, "STEP", 5)


@pytest.mark.usefixtures("small")
def test_pages_hold_what_a_plain_scan_finds(tmp_path: Path) -> None:
    assert sum(play(tmp_path / f"{seed}.db", seed) for seed in range(EXAMPLES)) > 20 * EXAMPLES


def unmoved(self: Search, papers: list[str]) -> dict[str, int]:
    return dict.fromkeys(original(self, papers), 0)


original: Callable[[Search, list[str]], dict[str, int]] = Search._known


def nothing(*_given: Any) -> None:
    pass


MUTATIONS: dict[str, list[tuple[str, object]]] = {
    "what changes is taken out": [("digest.store.papers.note_change", nothing)],
    "a paper stands where it came first": [("digest.store.search.Search._known", unmoved)],
    "what is public no longer goes": [
        ("digest.store.search._OTHERS", "SELECT 0 WHERE 0 IN many(?)")
    ],
    "what was taken out is written again": [("digest.store.search.Search._write_again", nothing)],
}


@pytest.mark.heavy
@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_rule_that_is_left_out_is_noticed(
    rule: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, other in MUTATIONS[rule]:
        monkeypatch.setattr(name, other)
    with pytest.raises(AssertionError):
        any(play(tmp_path / f"{seed}.db", seed) < 0 for seed in range(8))


def test_the_words_of_an_aged_abstract_go(tmp_path: Path) -> None:
    with open_store(tmp_path / "digest.db") as store:
        world = World(store, 1)
        (paper,) = some_papers(world.chance, 1)
        world.record(KEYWORDS[0].query, [replace(paper, abstract="walrus")], world.now)
        world.chance = random.Random(4)
        counts = []
        for _ in range(2):
            bring_up(store, world.public)
            counts.append(len(store.search.candidates(asked(read_search("walrus")), None, 9)))
            while store.archive.papers([paper.id])[paper.id].abstract and len(counts) == 1:
                world.age()
        assert counts == [1, 0]


def test_a_full_disk_spoils_no_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_store(tmp_path / "digest.db") as store:
        world = World(store, 1)
        world.public = [KEYWORDS[0].query]
        world.record(KEYWORDS[0].query, [*some_papers(world.chance, 3)], world.now)
        bring_up(store, world.public)
        world.record(KEYWORDS[0].query, [eprint(9_999)], world.now + HOUR)

        def full(*_: object) -> None:
            raise StoreError("there is no room on the disk")

        monkeypatch.setattr("digest.store.search.write_words", full)
        with pytest.raises(StoreError):
            bring_up(store, world.public)
        assert store.search._is_of(world.public), "it goes on where it was"


def test_a_run_passes_though_the_index_is_damaged_and_it_is_made_anew(tmp_path: Path) -> None:
    with open_store(tmp_path / "digest.db") as store:
        world = World(store, 1)
        world.public = [KEYWORDS[0].query]
        papers = [replace(p, id=f"2611.{p.id:0>5}") for p in some_papers(world.chance, 9)]
        world.record(KEYWORDS[0].query, papers, world.now)
        bring_up(store, world.public)
        database: Database = store._database
        database.write("UPDATE words_data SET block = X'00' WHERE id > 10")
        changed = [replace(p, version=2, title="Walrus", updated=world.now) for p in papers]
        world.record(KEYWORDS[0].query, changed, world.now + HOUR)
        with pytest.raises(StoreError):
            world.pages(read_search("walrus OR cat:cs.*"))
        assert len(world.pages(read_search("walrus"))) == 9
