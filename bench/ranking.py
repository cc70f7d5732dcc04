"""How well the papers that readers took up later are ranked by what they had before, and the cost.

    python -m bench.ranking FILE [--json]

FILE is JSON, or that compressed with xz: {"papers": {id: [title, abstract, categories]}, "readers":
[{name, library: [[id, date]], candidates: {id: date}, positives: [[id, date]]}]}. Each day of a
reader with a positive is ranked, each week where half of the days have fewer than 20 candidates;
the feed are the last 1,000 candidates up to that day. Figures are means over days, then readers.
"""

from __future__ import annotations

import argparse
import json
import lzma
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import accumulate, combinations
from math import log, log2
from pathlib import Path
from random import Random
from statistics import fmean, median
from typing import Any

from digest.model import Paper
from digest.ranking import Feed, LibraryText, Taste
from digest.ranking.vectors import Vector, terms

FEED = 1_000
TOP = 10
MIXTURES = 12
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)

Scores = Sequence[float]
Figures = dict[str, float]


@dataclass(frozen=True)
class Day:
    """The candidates of a day, which of them were taken up, and the papers fetched by then."""

    candidates: Sequence[Paper]
    wanted: Sequence[bool]
    fetched: Sequence[Paper]


@dataclass(frozen=True)
class Reader:
    """A reader: what the library held before, its latest paper last, and the days after."""

    name: str
    texts: Sequence[LibraryText]
    days: Sequence[Day]


@dataclass(frozen=True)
class Data:
    """What a file holds: papers by id, and the records of its readers."""

    papers: Mapping[str, Paper]
    records: Sequence[Mapping[str, Any]]

    def reader(self, *records: Mapping[str, Any]) -> Reader:
        """A reader; of several records one who has the interests of all."""
        library = sorted((day, number) for r in records for number, day in r["library"])
        papers = [self.papers[number] for _, number in library]
        texts = [LibraryText(paper.id, paper.title, paper.abstract) for paper in papers]
        name = " + ".join(record["name"] for record in records)
        return Reader(name, texts, list(_days(records, self.papers)))


def read(path: Path) -> Data:
    """Read a file."""
    opened = lzma.open(path) if path.suffix == ".xz" else path.open("rb")  # noqa: SIM115
    with opened as file:
        data = json.load(file)
    papers = {
        number: Paper(number, 1, title, abstract, (), tuple(categories), MOMENT, MOMENT)
        for number, (title, abstract, categories) in data["papers"].items()
    }
    return Data(papers, data["readers"])


def _days(records: Sequence[Mapping[str, Any]], papers: Mapping[str, Paper]) -> Iterable[Day]:
    """The days of one reader, or of several taken for one, while there is data of all of them."""
    wanted = {number for record in records for number, _ in record["positives"]}
    first = max(min(record["candidates"].values()) for record in records)
    last = min(max(record["candidates"].values()) for record in records)
    by_day: dict[str, dict[str, None]] = defaultdict(dict)
    for record in records:
        for number, day in record["candidates"].items():
            if first <= day <= last:
                by_day[day][number] = None
    if by_day and median(map(len, by_day.values())) < 20:
        by_week: dict[str, dict[str, None]] = defaultdict(dict)
        for day, numbers in by_day.items():
            at = date.fromisoformat(day)
            by_week[(at - timedelta(days=at.weekday())).isoformat()] |= numbers
        by_day = by_week
    fetched: list[Paper] = []
    for day in sorted(by_day):
        candidates = [papers[number] for number in sorted(by_day[day])]
        fetched += candidates
        taken = [paper.id in wanted for paper in candidates]
        if any(taken):
            yield Day(candidates, taken, fetched[-FEED:])


# What is compared


@cache
def _words(title: str, abstract: str) -> Counter[str]:
    return Counter({term: n for term, n in terms(title, abstract).items() if " " not in term})


def newest(_: Reader, day: Day) -> Scores:
    """The latest submission first, by its id."""
    return [float(number) for number in range(len(day.candidates))]


def bm25(reader: Reader, day: Day) -> Scores:
    """BM25 (k1 1.2, b 0.75) with the whole library as the query."""
    texts = [_words(paper.title, paper.abstract) for paper in day.candidates]
    fetched = [_words(paper.title, paper.abstract) for paper in day.fetched]
    found = Counter(word for text in fetched for word in text)
    length = fmean(text.total() for text in fetched)
    query = Counter(word for own in reader.texts for word in _words(own.title, own.abstract))

    def score(text: Counter[str]) -> float:
        damped = 1.2 * (0.25 + 0.75 * text.total() / length)
        return sum(
            query[word]
            * log(1 + (len(fetched) - found[word] + 0.5) / (found[word] + 0.5))
            * times
            * 2.2
            / (times + damped)
            for word, times in text.items()
            if word in query
        )

    return [score(text) for text in texts]


def recent(reader: Reader, day: Day) -> Scores:
    """zotero-arxiv-daily's rule on our vectors: likeness to each paper, the latest weigh most."""
    feed = feed_of(day)
    newest_first = reader.texts[::-1]
    weights = [1 / (1 + log(rank + 1, 10)) for rank in range(len(newest_first))]
    vectors = [feed.paper(text.title, text.abstract) for text in newest_first]
    own = feed.sum(vectors, weights)
    return [feed.candidate(paper).along(own) for paper in day.candidates]


def machine(reader: Reader, day: Day) -> Scores:
    """arxiv-sanity-lite's rule: a linear support vector machine, library against feed."""
    from scipy.sparse import csr_matrix
    from sklearn.svm import LinearSVC

    feed = feed_of(day)

    def rows(vectors: Sequence[Vector]) -> Any:
        """Their weights, a row for each and a column for each term of the feed."""
        found = csr_matrix(
            (
                [weight for vector in vectors for weight in vector.weights],
                [number for vector in vectors for number in vector.numbers],
                [0, *accumulate(len(vector.numbers) for vector in vectors)],
            ),
            (len(vectors), len(feed.numbers)),
        )
        # scikit-learn's machine takes no others, and newer versions of it make 64-bit ones.
        found.indices, found.indptr = found.indices.astype("int32"), found.indptr.astype("int32")
        return found

    own = [feed.paper(text.title, text.abstract) for text in reader.texts]
    other = [feed.candidate(paper) for paper in day.fetched]
    fitted = LinearSVC(class_weight="balanced", C=0.1, dual=True, random_state=0).fit(
        rows([*own, *other]), [1] * len(own) + [0] * len(other)
    )
    todays = [feed.candidate(paper) for paper in day.candidates]
    return list(fitted.decision_function(rows(todays)))


def own_score(reader: Reader, day: Day) -> Scores:
    """The program's own scorer."""
    taste = Taste.of(reader.texts, feed_of(day))
    if taste is None:
        return newest(reader, day)
    return [score.value for score in taste.rank(day.candidates)]


_feeds: dict[int, Feed] = {}


def feed_of(day: Day) -> Feed:
    """The feed of a day, made once for all that is compared on it."""
    if id(day) not in _feeds:
        _feeds.clear()
        _feeds[id(day)] = Feed.of(day.fetched)
    return _feeds[id(day)]


# Figures


def figures(wanted: Sequence[bool], scores: Scores) -> Figures:
    """nDCG@10, recall@10, MRR and AUC of one ranked list; of equals the first given is first."""
    order = sorted(range(len(scores)), key=lambda number: -scores[number])
    ranks = [rank for rank, number in enumerate(order) if wanted[number]]
    gain = sum(1 / log2(rank + 2) for rank in ranks if rank < TOP)
    best = sum(1 / log2(rank + 2) for rank in range(min(TOP, len(ranks))))
    others = len(scores) - len(ranks)
    before = sum(rank - taken for taken, rank in enumerate(ranks))
    return {
        "ndcg10": gain / best,
        "recall10": sum(rank < TOP for rank in ranks) / len(ranks),
        "mrr": 1 / (ranks[0] + 1),
        "auc": 1 - before / (len(ranks) * others) if others else 1.0,
    }


def mean_figures(all_of_them: Sequence[Figures]) -> Figures:
    """The means of figures."""
    return {name: fmean(each[name] for each in all_of_them) for name in all_of_them[0]}


def interval(values: Sequence[float], draws: int = 2_000) -> tuple[float, float]:
    """A 95 % bootstrap interval of the mean over readers."""
    random = Random(0)
    means = sorted(fmean(random.choices(values, k=len(values))) for _ in range(draws))
    return means[int(draws * 0.025)], means[int(draws * 0.975)]


def by_reader(
    readers: Sequence[Reader], score: Callable[[Reader, Day], Scores]
) -> dict[str, Figures]:
    """The figures of each reader who has a day to rank."""
    return {
        reader.name: mean_figures([figures(day.wanted, score(reader, day)) for day in reader.days])
        for reader in readers
        if reader.days
    }


def with_five(reader: Reader, seed: int) -> Reader:
    """The reader with five papers of the library, and every third day."""
    library = Random(seed).sample(list(reader.texts), min(5, len(reader.texts)))
    return Reader(reader.name, library, reader.days[seed::3])


def mixtures(data: Data) -> list[Reader]:
    """Readers taken three at a time for one who has the interests of all: their libraries in one,
    and on the days of which there are candidates of each, the candidates and positives of all;
    every third day. Of many such threes some.
    """
    threes = [three for three in combinations(data.records, 3) if len(_common(three)) > 3]
    chosen = Random(0).sample(threes, min(MIXTURES, len(threes)))
    mixed = [data.reader(*three) for three in chosen]
    return [Reader(m.name, m.texts, m.days[::3]) for m in mixed]


def _common(records: Sequence[Mapping[str, Any]]) -> set[str]:
    """The days on which all of these have candidates."""
    return set.intersection(*(set(record["candidates"].values()) for record in records))


# What it costs


def costs(data: Data) -> list[str]:
    """CPU seconds of a feed, a whole category for one reader, and a morning of a thousand."""
    papers = list(data.papers.values())
    pick = Random(1)

    def some(number: int) -> list[Paper]:
        return pick.choices(papers, k=number)

    def library(number: int) -> list[LibraryText]:
        return [LibraryText(paper.id, paper.title, paper.abstract) for paper in some(number)]

    told = []
    started = time.process_time()
    feed = Feed.of(some(FEED))
    told.append(f"feed of {FEED:,} papers: {time.process_time() - started:.2f} s")
    candidates, own = some(1_000), library(1_000)
    started = time.process_time()
    taste = Taste(tuple(own), feed)
    taste.rank(candidates)
    taste.nearest(candidates)
    told.append(f"1,000 candidates, a library of 1,000: {time.process_time() - started:.2f} s")
    candidates, libraries = some(60), [library(100) for _ in range(1_000)]
    started = time.process_time()
    for texts in libraries:
        taste = Taste(tuple(texts), feed)
        taste.rank(candidates)
        taste.nearest(candidates)
    told.append(
        f"1,000 readers, libraries of 100, 60 candidates: {time.process_time() - started:.1f} s"
    )
    return told


# The table

WAYS: Mapping[str, Callable[[Reader, Day], Scores]] = {
    "newest first": newest,
    "BM25": bm25,
    "recency-weighted likeness": recent,
    "linear SVM": machine,
    "this program": own_score,
}


def main() -> None:
    """Print the figures of a file."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--json", action="store_true", help="only this program's figures, as JSON")
    arguments = parser.parse_args()
    data = read(arguments.file)
    readers = [data.reader(record) for record in data.records]
    if arguments.json:
        found = by_reader(readers, own_score)
        print(json.dumps({"readers": found, "mean": mean_figures(list(found.values()))}))
        return
    for name, way in WAYS.items():
        try:
            found = by_reader(readers, way)
        except ImportError:
            print(f"{name}: left out, scikit-learn is not installed", flush=True)
            continue
        _print(name, found)
        if way is own_score:
            for reader, each in found.items():
                print(f"    {reader:28} " + "  ".join(f"{key} {x:.3f}" for key, x in each.items()))
    five = [by_reader([with_five(r, seed) for r in readers], own_score) for seed in range(3)]
    _print("five papers", {n: mean_figures([f[n] for f in five if n in f]) for n in five[0]})
    if mixed := mixtures(data):
        for name in ("this program", "linear SVM"):
            with suppress(ImportError):
                _print(f"three in one: {name}", by_reader(mixed, WAYS[name]))
    print(*costs(data), sep="\n")


def _print(name: str, found: Mapping[str, Figures]) -> None:
    means = mean_figures(list(found.values()))
    low, high = interval([each["ndcg10"] for each in found.values()])
    figures_told = "  ".join(f"{key} {value:.3f}" for key, value in means.items())
    print(f"{name:26} {figures_told}  (nDCG@10 {low:.2f}-{high:.2f})", flush=True)


if __name__ == "__main__":
    main()
