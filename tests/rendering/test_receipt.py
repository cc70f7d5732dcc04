"""The receipt in a digest's footer: how its papers and those that are not in it add up."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest

from digest.model import Digest, Tally
from digest.rendering.issue import render_issues
from digest.rendering.receipt import receipt, shares
from digest.rendering.render import Renderer
from tests.world.receipts import read_receipt
from tests.world.samples import mixed_items, sample_digest

RENDERER = Renderer()


def papers(number: int, **changes: object) -> Digest:
    """A digest of so many papers."""
    return sample_digest(mixed_items()[:number], previous=date(2026, 11, 20), **changes)


@pytest.mark.parametrize(
    ("digest", "words"),
    [
        (
            papers(3, tally=Tally(11, 1412, excluded=2, had=1, old=1), skipped=4),
            "Receipt: arXiv sent 1,412 rows since Friday 20 November, among them 11 papers first"
            " seen: 3 in this digest, 1 sent before, 2 excluded, 4 let go after the pause,"
            " 1 too old.",
        ),
        (
            papers(2, tally=Tally(2, 12)),
            "Receipt: arXiv sent 12 rows since Friday 20 November, among them 2 papers first seen,"
            " all in this digest.",
        ),
        (
            papers(1, tally=Tally(1, 1, agreed=True)),
            "Receipt: arXiv sent 1 row since Friday 20 November, among them 1 paper first seen,"
            " in this digest; its search was asked as well, and held no more.",
        ),
        (
            papers(0, quiet="weekend", tally=Tally(0, 12)),
            "Receipt: arXiv sent 12 rows since Friday 20 November, among them no paper first seen.",
        ),
        (
            papers(0, quiet="weekend", tally=Tally(2, 12, excluded=2)),
            "Receipt: arXiv sent 12 rows since Friday 20 November, among them 2 papers first seen,"
            " all excluded.",
        ),
        (
            papers(2, tally=Tally(3, had=1)),
            "Receipt: 3 papers first seen since Friday 20 November: 2 in this digest, 1 sent"
            " before.",
        ),
        (
            replace(papers(2, tally=Tally(3, excluded=1)), previous=None, welcome=True),
            "Receipt: 3 papers to begin with: 2 in this digest, 1 excluded.",
        ),
        (papers(2), ""),
    ],
    ids="each share|all|one|none|excluded|rows unknown|welcome|from before receipts".split("|"),
)
def test_text_and_html_say_the_same_sum(digest: Digest, words: str) -> None:
    assert receipt(digest) == words
    made = RENDERER.render(digest, "mark")
    html = re.sub(r"\s+", " ", made.html)
    if not words:
        assert "Receipt" not in made.text + made.html
        return
    assert f">{words}</p>" in html
    assert words in " ".join(made.text.split())
    assert all(len(line) <= 78 for line in made.text.splitlines() if "Receipt" in line)
    assert words in render_issues(digest).bodies[0]
    assert sum(shares(digest).values()) == digest.tally.matched  # type: ignore[union-attr]
    read = read_receipt(made.text)
    assert read.shares == {where: n for where, n in shares(digest).items() if n}
    assert (read.rows, read.matched) == (
        (digest.tally.rows, digest.tally.matched) if digest.tally else None
    )


def test_templates_from_before_there_were_receipts_stay_valid(tmp_path) -> None:
    for name in ("digest.html", "digest.txt"):
        (tmp_path / name).write_text(
            '{% extends "base' + name[6:] + '" %}\n{% block footer %}\n{{ mark }}\n{% endblock %}'
        )
    made = Renderer(tmp_path).render(papers(2, tally=Tally(2, 12)), "mark")
    assert "Receipt" not in made.text + made.html
