"""Pieces that digests share: nobody sees that they are shared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from digest.demo.samples import samples
from digest.model import CloseTo, Digest
from digest.rendering import pieces
from digest.rendering.render import Renderer

MARK = "markedlineofthereader"


def shuffled(digest: Digest, seed: int) -> Digest:
    """The digest in another order, with papers that are close to one of the reader's own."""
    random = Random(seed)
    sections = []
    for section in digest.sections:
        items = random.sample(section.items, len(section.items))
        items[::3] = [replace(i, close_to=CloseTo("Mine", "2401.00001")) for i in items[::3]]
        sections.append(replace(section, items=tuple(items)))
    return replace(digest, sections=tuple(sections), ranked=bool(seed % 2))


@pytest.mark.parametrize(
    ("feedback", "names"),
    [
        (True, {"many", "hostile", "revisions"}),
        pytest.param(False, set(), marks=pytest.mark.heavy),
    ],
)
def test_a_digest_is_what_it_is_without_others_before_it(
    tmp_path: Path, names: set[str], monkeypatch: pytest.MonkeyPatch, *, feedback: bool
) -> None:
    sharing, alone = Renderer(), Renderer(tmp_path)
    monkeypatch.setattr(pieces, "MOST", 60)
    for sample in samples():
        if names and sample.name not in names:
            continue
        digest = replace(sample.digest, feedback=feedback or sample.digest.feedback)
        for one in (digest, shuffled(digest, 1), shuffled(digest, 2)):
            found, wanted = sharing.render(one, MARK), alone.render(one, MARK)
            assert found.text == wanted.text, sample.name
            assert found.html == wanted.html, sample.name
