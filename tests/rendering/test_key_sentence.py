"""The sentence that is shown of an abstract, and real days of arXiv's at a glance."""

from __future__ import annotations

import json
import lzma
import os
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.keywords.grammar import make_keyword, parse
from digest.keywords.match import Matcher
from digest.mail.body import Lines, shown
from digest.mail.message import Sender
from digest.model import Digest, Item, Kind, Paper, Subscriber
from digest.rendering.key_sentence import key_sentence
from digest.rendering.render import HTML_BYTES, Renderer
from digest.rendering.texts import ABSTRACT_LENGTH, readable, sentences
from digest.rules.compose import Extras, compose
from tests.world.browser import CHROMIUM, browser
from tests.world.shared import shared

SCREEN = 812
"""Pixels of a phone's height."""


@pytest.mark.parametrize(
    ("abstract", "title", "expected"),
    [
        (
            "World models are of wide use. However, they are slow. We present BiWM, a framework "
            "that makes them fast. It is tested in two worlds. Code is available at "
            "https://example.org/code.",
            "BiWM: Fast World Models",
            "We present BiWM, a framework",
        ),
        (
            "Do larger models help? We study this question on three tasks. We show that size alone "
            "does not make a forecast of river levels better. We also release all forecasts.",
            "Size Does Not Help to Forecast River Levels",
            "We show that size alone",
        ),
        (
            "Recent work proposes many losses. In this survey, we review losses for ranking. "
            "Finally, we discuss open problems.",
            "Losses for Ranking: A Survey",
            "In this survey, we review",
        ),
        (
            "Influence is hard to maximise. This viewpoint paper proposes a simple account of it. "
            "It has been studied for long. Our code will be released.",
            "A Simple Account of Influence",
            "This viewpoint paper proposes",
        ),
        (
            "Blazars vary. We study their jets with a new model. The evolution of the Doppler "
            "factor reduces the observed flux by 30 %. How do flares begin?",
            "Flares of Blazars",
            "The evolution of the Doppler factor",
        ),
        (
            "Let G be a group over a field K. We prove that every finite group of odd order acts "
            "freely on a sphere. Furthermore, we give an example.",
            "Groups That Act Freely",
            "We prove that every finite group",
        ),
        ("One sentence only.", "A Title", "One sentence only."),
        ("Is this a question? It is one.", "A Title", "It is one."),
        ("没有句号", "标题", "没有句号"),
        ("", "A Title", ""),
        ("   ", "", ""),
    ],
)
def test_what_was_done_is_picked_before_results_and_motivation(
    abstract: str, title: str, expected: str
) -> None:
    found = key_sentence(abstract, title)
    assert found.startswith(expected)
    assert bool(found) == bool(expected)


@pytest.mark.parametrize(
    "parts",
    [
        ("Every x is in V.", "We find all functions."),
        ("It occurs between 350 K and 500 K.", "As it is heated, a wall moves."),
        ("This follows Charlier et al.", "In particular, we prove it."),
        ("The bound of Akagi [Inf. & Comput. 2023] is met.", "Here r is constant."),
        (
            "Yu and Sun [Int. J. Theor. Phys. 3] were first (cf. A. Smith et al. 1987).",
            "We follow.",
        ),
        ("It was found on Oct. 26.4 by A. B. Smith.", "It fades."),
        ("(Operations may overlap. They add up.)", "We count them."),
        ("Numbers in [0, 1) are counted.", "All (of them.", "We stop."),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(parts: tuple[str, ...]) -> None:
    assert sentences(" ".join(parts)) == parts


@given(st.text(), st.text())
def test_the_sentence_is_one_of_the_abstracts_own(abstract: str, title: str) -> None:
    assert key_sentence(abstract, title) in (sentences(abstract) or ("",))
    assert "".join(abstract.split()) == "".join("".join(sentences(abstract)).split())


@cache
def real_papers() -> tuple[tuple[str, Paper], ...]:
    """Each paper of three weeks of June 2026 with the day of its announcement."""
    with lzma.open(shared("arxiv/bulk/papers_2026-06.jsonl.xz"), "rt", encoding="utf-8") as lines:
        return tuple(map(_read, lines))


def _read(line: str) -> tuple[str, Paper]:
    record = json.loads(line)
    submitted = datetime.fromisoformat(record["listed"]).replace(tzinfo=UTC) - timedelta(hours=14)
    paper = Paper(
        id=record["id"],
        version=1,
        title=record["title"],
        abstract=record["summary"],
        authors=tuple(record["authors"]),
        categories=tuple(record["categories"]),
        published=submitted,
        updated=submitted,
        comment=record["comment"] or "",
    )
    return record["listed"], paper


def real_days(*names: str) -> Iterator[tuple[str, Digest]]:
    """What a reader of keywords would have got each day."""
    keywords = tuple(map(make_keyword, names))
    reader = Subscriber(email="ada@example.org", keywords=keywords, timezone="Europe/Berlin")
    for day in sorted({listed for listed, _ in real_papers()}):
        papers = [paper for listed, paper in real_papers() if listed == day]
        found: dict[str, list[str]] = {}
        with Matcher(papers) as matcher:
            for keyword in keywords:
                for paper in matcher.match(parse(keyword.query)):
                    found.setdefault(paper, []).append(keyword.name)
        items = [Item(p, Kind.NEW, tuple(found[p.id])) for p in papers if p.id in found]
        now = datetime.fromisoformat(day).replace(tzinfo=UTC, hour=6)
        extras = Extras(previous=now - timedelta(days=1), contact="papers@example.org")
        yield day, compose(items, reader, now=now, extras=extras)


@pytest.mark.heavy
def test_of_real_abstracts_nine_of_ten_sentences_say_what_was_done() -> None:
    """By their words alone: whether another one would have said more, a person has to judge."""
    done = re.compile(
        r"\b(?:we|i|this \w+|this \w+ \w+|our \w+|is|are|was|were)\b.*\b(?:introduc|propos|present"
        r"|develop|design|show|prov|demonstrat|find|found|study|studied|investigat|examin|explor"
        r"|releas|build|built|construct|argue|analy|evaluat|review|formul|establish|deriv|describ"
        r"|address|report|identif|reveal|conduct|compar|test|ask|aim|give|extend|learn|train|use)"
        # … or what came of it, or what the named thing does, whoever speaks.
        r"|\b(?:show|prov|demonstrat|reveal|indicat|suggest|achiev|improv|outperform|surpass|reduc"
        r"|increas|yield|exceed|attain|decreas|enabl|allow|learn|predict|combin|integrat|generat"
        r"|consist|compris|contain)\w*",
        re.IGNORECASE,
    )
    papers = random.Random(11).sample([paper for _, paper in real_papers()], 1_000)
    picked = [
        key_sentence(readable(paper.abstract, ABSTRACT_LENGTH), readable(paper.title))
        for paper in papers
    ]
    told = sum(bool(done.search(sentence)) for sentence in picked)
    short = sum(len(sentence) <= 320 for sentence in picked)
    print(f"{told} of {len(picked)} say what was done, {short} have at most 320 characters")
    assert told >= 900
    assert short >= 900


@pytest.mark.heavy
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("likes", [False, True])
def test_real_days_are_read_on_a_few_screens(tmp_path: Path, *, likes: bool) -> None:
    folder = Path(os.environ.get("LOOKS", tmp_path)) / ("likes" if likes else "")
    folder.mkdir(parents=True, exist_ok=True)
    offer = Sender("papers@example.org", base_url="https://papers.example.org").offer(0)
    papers, screens = 0, 0.0
    with browser() as opened:
        for day, digest in real_days("diffusion models", "world models"):
            if digest.papers < 4:
                continue
            made = Renderer().render(replace(digest, feedback=likes), "MARK")
            html = shown(made, Lines("", "The reader's own line."), offer.papers).html
            assert len(html.encode()) <= HTML_BYTES
            page = folder / f"day-{day}.html"
            page.write_text(html, encoding="utf-8")
            opened.show(page, 375)
            opened.picture(page.with_suffix(".png"))
            height = opened.ask("document.querySelector('#full').getBoundingClientRect().top")
            print(f"{day}: {digest.papers} papers at a glance on {height / SCREEN:.1f} screens")
            papers, screens = papers + digest.papers, screens + height / SCREEN
    print(f"13 papers on {13 * screens / papers:.2f} screens")
    assert 13 * screens / papers <= 3.5
