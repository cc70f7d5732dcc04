"""arXiv's ways to fail, met at random: each answer is a bad one with a given probability."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from random import Random

from digest.demo.feeds import error_feed, feed
from digest.keywords.grammar import make_keyword
from digest.model import Paper
from tests.world.receipts import answers_in
from tests.world.replay import Day, Home, Walk
from tests.world.standin import ScriptedAnswer, Standin

AGAIN = tuple(timedelta(minutes=m) for m in (0, 20, 60, 120, 180, 240, 300, 340))
"""When a day's runs are made: those after the first only where something is still missing."""


class Faults:
    """Gives a bad answer to one in so many requests; `given` counts them by their kind."""

    def __init__(self, seed: int, share: float) -> None:
        self.random = Random(seed)
        self.share = share
        self.windows: Mapping[str, Sequence[Paper]] = {}
        self.requests = 0
        self.given: Counter[str] = Counter()
        self.served: set[str] = set()
        """The queries of which all rows were sent since it was emptied last, in whatever order."""

    def __call__(self, params: dict[str, str]) -> ScriptedAnswer | None:
        self.requests += 1
        if self.random.random() >= self.share:
            self.served.add(params["search_query"])
            return None
        made = self.random.choice(KINDS)
        if made is unsorted:
            self.served.add(params["search_query"])
        self.given[made.__name__] += 1
        return made(self, params)

    def feed(self, params: dict[str, str], rows: Sequence[Paper], total: int) -> ScriptedAnswer:
        start, size = int(params["start"]), int(params["max_results"])
        body = feed(
            rows[start : start + size],
            query=params["search_query"],
            start=start,
            max_results=size,
            total=total,
        )
        return ScriptedAnswer(body=body)

    def rows(self, params: dict[str, str]) -> list[Paper]:
        return list(self.windows[params["search_query"]])


def throttled(faults: Faults, _params: dict[str, str]) -> ScriptedAnswer:
    return faults.random.choice(
        [
            ScriptedAnswer(429, b"Rate exceeded."),
            ScriptedAnswer(200, b"Rate exceeded."),
            ScriptedAnswer(406, b""),
        ]
    )


def out_of_order(faults: Faults, _params: dict[str, str]) -> ScriptedAnswer:
    return faults.random.choice(
        [
            ScriptedAnswer(503, b"busy"),
            ScriptedAnswer(500, error_feed("internal")),
            ScriptedAnswer(302, b""),
        ]
    )


def refused(_faults: Faults, _params: dict[str, str]) -> ScriptedAnswer:
    return ScriptedAnswer(400, error_feed("malformed query"))


def nothing_at_all(faults: Faults, _params: dict[str, str]) -> ScriptedAnswer:
    return faults.random.choice(
        [ScriptedAnswer(200, b""), ScriptedAnswer(reset=True), ScriptedAnswer(cut_after=0)]
    )


def half(faults: Faults, _params: dict[str, str]) -> ScriptedAnswer:
    return ScriptedAnswer(cut_after=faults.random.randrange(1, 20_000))


def web_page(_faults: Faults, _params: dict[str, str]) -> ScriptedAnswer:
    return ScriptedAnswer(
        200, b"<!DOCTYPE html><html><body>Sorry</body></html>", {"Content-Type": "text/html"}
    )


def empty_page(faults: Faults, params: dict[str, str]) -> ScriptedAnswer:
    return faults.feed(params, (), len(faults.rows(params)) + 1)


def no_match(faults: Faults, params: dict[str, str]) -> ScriptedAnswer:
    return faults.feed(params, (), 0)


def one_row(faults: Faults, params: dict[str, str]) -> ScriptedAnswer:
    return faults.feed(params, faults.rows(params)[:1], 1)


def unsorted(faults: Faults, params: dict[str, str]) -> ScriptedAnswer:
    rows = faults.rows(params)
    return faults.feed(params, faults.random.sample(rows, len(rows)), len(rows))


def anothers(faults: Faults, params: dict[str, str]) -> ScriptedAnswer:
    others = [rows for query, rows in faults.windows.items() if query != params["search_query"]]
    rows = faults.random.choice(others)
    return faults.feed(params, rows, len(rows))


KINDS: tuple[Callable[[Faults, dict[str, str]], ScriptedAnswer], ...] = (
    throttled,
    out_of_order,
    refused,
    nothing_at_all,
    half,
    web_page,
    empty_page,
    no_match,
    one_row,
    unsorted,
    anothers,
)


def walk_with_faults(home: Home, standin: Standin, days: Sequence[Day], faults: Faults) -> Walk:
    """Do each day's runs, as a timer would: again while a keyword's answer is missing, for almost
    six hours.

    The first day is without faults: what a reader's first digest shows is not the matter here.
    """
    began, result = time.monotonic(), Walk()
    standin.on_query = faults
    share = faults.share
    for number, day in enumerate(days):
        faults.windows = {make_keyword(name).query: papers for name, papers in day.windows.items()}
        faults.share = share if number else 0
        standin.serve_windows(faults.windows)
        faults.served.clear()
        missing: dict[str, str] = {}
        for wait in AGAIN:
            ran = home.digest("run", "--json", "--now", (day.now + wait).isoformat())
            assert ran.out, ran.err
            result.answers += answers_in(json.loads(ran.out))
            for record in json.loads(ran.out)["keywords"]:
                name, status = record["keyword"], record["status"]
                if status in ("failed", "quarantined") or "slow down" in record["why"]:
                    missing[name] = status
                elif status == "ok":
                    missing.pop(name, None)
            if not missing:
                break
        result.held |= {(day.now, name): 0 for name in missing}
        result.unserved |= {
            (day.now, name) for name in missing if make_keyword(name).query not in faults.served
        }
    # What was answered after its reader's digest of the day had gone comes with the next day's,
    # which asks in vain.
    faults.share = 1
    ran = home.digest("run", "--json", "--now", (days[-1].now + timedelta(days=1)).isoformat())
    assert ran.out, ran.err
    result.answers += answers_in(json.loads(ran.out))
    result.pages = [int(asked.params["max_results"]) for asked in standin.requests]
    result.seconds = time.monotonic() - began
    return result
