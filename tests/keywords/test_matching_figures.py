"""The figures that `bench/matching.py` prints: local matching against arXiv's own answers, field by
field."""

from __future__ import annotations

import pytest

from bench.matching import (
    PHYSICS_AND_MATHEMATICS,
    by_letters,
    captures,
    harvested,
    lines,
    paper,
    replay,
)
from digest.keywords.grammar import make_keyword, parse
from digest.keywords.match import Matcher
from digest.model import Rule, Subscriber
from digest.run.compose import exclude_rules
from tests.world.shared import shared


@pytest.mark.heavy
def test_each_keyword_of_the_replay_agrees_with_arxivs_windows_day_by_day() -> None:
    agreements = replay(shared("arxiv"))
    assert [each.keyword for each in agreements] == [
        "Graph Neural Networks",
        "Time Series",
        "Trajectory",
    ]
    for each in agreements:
        assert each.days > 300
        assert each.served > 25_000
        assert each.recall >= 0.99
        assert each.extra <= 0.02


@pytest.mark.heavy
def test_the_rules_and_exclude_are_set_operations_on_one_reading() -> None:
    papers = [
        paper(str(row["id"]), str(row["title"]), str(row["abstract"]))
        for row in lines(shared("arxiv/replay/papers.jsonl.xz"))
    ]
    with Matcher(papers) as matcher:
        for name in ("time series", "trajectory", "graph neural networks"):
            either, both, title = (
                matcher.match(parse(make_keyword(name, None, rule).query))
                for rule in (Rule.EITHER, Rule.BOTH, Rule.TITLE)
            )
            abstract = matcher.match(parse(f'abs:"{name}"'))
            assert len(both) > 500
            assert both == title & abstract
            assert either == title | abstract
            assert len(title) < len(either)
        unwanted = exclude_rules(
            Subscriber("ada@example.org", (), exclude=("ti:graph*", 'abs:"time series"'))
        )(papers)
        assert unwanted == matcher.match(parse("ti:graph*")) | matcher.match(
            parse('abs:"time series"')
        )


def test_every_captured_answer_to_a_search_matches_its_query() -> None:
    answers = list(captures(shared("arxiv")))
    assert len(answers) >= 38
    assert sum(rows for _, _, rows, _ in answers) > 440
    assert [name for name, _, rows, matching in answers if rows != matching] == []


def test_physics_and_mathematics_are_read_as_their_letters_say() -> None:
    papers = harvested(shared("arxiv"))
    assert len(papers) == 897
    found = 0
    with Matcher(papers) as matcher:
        for keyword in PHYSICS_AND_MATHEMATICS:
            either = f'ti:"{keyword}" OR abs:"{keyword}"'.replace('""', '"')
            here = matcher.match(parse(either))
            assert here == by_letters(keyword, papers), keyword
            found += len(here)
    assert found > 100
