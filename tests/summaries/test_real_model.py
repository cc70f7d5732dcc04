"""A small real model, which mostly answers badly, and what of its answers is let through.

`MODEL=FOLDER pytest -s -m heavy tests/summaries/test_real_model.py` with the packages that
tests/world/model_server.py names in that folder; `EXAMPLES=40` asks it of so many papers.
"""

from __future__ import annotations

import json
import lzma
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from digest.model import Summary
from digest.rendering.texts import readable
from digest.summaries import client as module
from digest.summaries.client import Client, Endpoint
from digest.summaries.gate import fault_of
from digest.summaries.languages import is_in
from digest.summaries.prompt import Source, messages
from tests.world.shared import shared

ROOT = Path(__file__).parents[2]
PAPERS = int(os.environ.get("EXAMPLES", "8"))
"""Each takes some seven seconds of one processor."""


@contextmanager
def model_server(folder: Path) -> Iterator[str]:
    """The model's address, while it is there."""
    command = [sys.executable, "-m", "tests.world.model_server", str(folder)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


@pytest.mark.heavy
async def test_what_a_small_model_says_badly_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    if not (folder := os.environ.get("MODEL")):
        pytest.skip("MODEL names no folder with a language model")
    monkeypatch.setattr(module, "SECONDS", 300.0)
    found: Counter[str] = Counter()
    with lzma.open(shared("arxiv/replay/papers.jsonl.xz"), "rt", encoding="utf-8") as lines:
        papers = [json.loads(line) for line in lines]
    chosen = papers[:: len(papers) // PAPERS][:PAPERS]
    with model_server(Path(folder)) as url:
        async with Client(Endpoint(f"{url}/v1", "smollm2")) as client:
            for paper in chosen:
                source = Source(
                    readable(paper["title"]), readable(paper["abstract"], 6000), Summary.TLDR, "en"
                )
                answer = await client.ask(messages(source), seconds=300)
                text = answer.text.strip()
                fault = fault_of(text, source, is_in) if answer.is_whole else "cut off"
                found[fault.partition(" (")[0]] += 1
                print(f"\n{paper['id']} {source.title}\n  {fault or 'SHOWN'}: {text}")
                assert fault_of(source.title, source, is_in), "a copied title"
                half = text[: len(text) // 2].rstrip(" .!?")
                assert fault_of(half, source, is_in), "a cut sentence"
                assert fault_of(f"{text[:-1]} by 97.31 %.", source, is_in), "an invented number"
    print(f"\n{found['']} of {len(chosen)} are shown; the others: {found}")
    assert found.total() == len(chosen)
    assert found[""] < len(chosen)
