"""TeX to Unicode over all captured papers: what is left over, how long it takes, and how pylatexenc
fares on the same.

Run it as: python bench/tex.py [FOLDER WITH THE CAPTURED DATA]
"""

from __future__ import annotations

import json
import lzma
import re
import statistics
import sys
import time
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path

from digest.rendering.tex import to_unicode

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "arxiv"
LEFT_OVER = re.compile(r"\\(?:[A-Za-z]+|.)", re.DOTALL)
TEX = re.compile(r"[\\$]")
MOST_LEFT_OVER, MOST_MILLISECONDS = 1.0, 1.0
"""Per cent of the papers, and milliseconds a paper."""


def papers(data: Path) -> Iterator[str]:
    """Yield title, abstract, comment and authors of every captured paper, as one text."""
    for name in ("replay/papers.jsonl.xz", "bulk/papers_2026-06.jsonl.xz"):
        with lzma.open(data / name, "rt", encoding="utf-8") as lines:
            for line in lines:
                paper = json.loads(line)
                texts = (
                    paper["title"],
                    paper.get("abstract"),
                    paper.get("comment"),
                    *paper.get("authors", ()),
                )
                yield "\n\n".join(text or "" for text in texts)
    with lzma.open(data / "bulk" / "atom_entries_2024-07-20.xml.xz") as source:
        for entry in ElementTree.parse(source).getroot():
            wanted = ("title", "summary", "comment", "name")
            yield "\n\n".join(
                part.text or "" for part in entry.iter() if part.tag.rpartition("}")[2] in wanted
            )


def left_over(turned: str) -> set[str]:
    return set(LEFT_OVER.findall(turned))


def controls(turned: str) -> bool:
    return any(
        unicodedata.category(character) == "Cc" for character in turned if character not in "\n\t"
    )


def seconds(turn: Callable[[str], str], texts: list[str]) -> float:
    """The median of three rounds over the texts."""
    rounds = []
    for _ in range(3):
        begin = time.perf_counter()
        for text in texts:
            turn(text)
        rounds.append(time.perf_counter() - begin)
    return statistics.median(rounds)


def main() -> None:
    texts = list(papers(Path(sys.argv[1]) if len(sys.argv) > 1 else DATA))
    with_tex = [text for text in texts if TEX.search(text)]
    turned = [to_unicode(text) for text in texts]
    remaining = sum(bool(left_over(text)) for text in turned)
    per_paper = seconds(to_unicode, texts) * 1000 / len(texts)
    print(f"{len(texts):,} papers, {len(with_tex):,} with TeX, no crash")
    print(f"with a control character: {sum(map(controls, turned))}")
    print(f"turned again, different: {sum(to_unicode(text) != text for text in turned)}")
    share = 100 * remaining / len(texts)
    print(
        f"with a command left over: {remaining} = {share:.2f} % (aim: at most {MOST_LEFT_OVER} %)"
    )
    print(f"a paper: {per_paper:.3f} ms (aim: at most {MOST_MILLISECONDS} ms)")
    try:
        from pylatexenc.latex2text import LatexNodes2Text
    except ImportError:
        print("pylatexenc is not installed, so there is no comparison: pip install pylatexenc")
        return
    latex2text = LatexNodes2Text(math_mode="text").latex_to_text
    refused: set[str] = set()

    def other(text: str) -> str:
        try:
            return latex2text(text)
        except Exception:
            refused.add(text)
            return text

    sample = with_tex[:: max(len(with_tex) // 300, 1)]
    ratio = seconds(to_unicode, sample) / seconds(other, sample)
    print(f"{len(sample)} papers with TeX: {ratio:.2f} of the time of pylatexenc's latex2text")
    print(f"(which raised on {len(refused)} of them)")


if __name__ == "__main__":
    main()
