"""How far the local matching agrees with arXiv's own answers, on recorded ones.

Run it from the project: python bench/matching.py [FOLDER], where FOLDER holds the captured data
(../shared/arxiv beside the checkout, if none is named).
"""

from __future__ import annotations

import json
import lzma
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

from digest.keywords.grammar import make_keyword, parse
from digest.keywords.match import Matcher
from digest.model import Paper

SHARED = Path(__file__).resolve().parents[2] / "shared" / "arxiv"
DAY = datetime(2025, 1, 1, tzinfo=UTC)
INCIDENT = ("2025-11-13", "2025-11-16")
"""The days on which arXiv ignored the asked order; the recording that the figures are made of ends
before."""
PARTIAL = 60
"""A recorded answer with fewer rows is a part of one: it says nothing of what does not match."""

PHYSICS_AND_MATHEMATICS = (
    "dark matter",
    "graphene",
    "Calabi-Yau",
    "non-Abelian",
    "L-function",
    "p-adic",
    "Schrödinger",
    "Kähler",
    "Poincaré",
    "J/psi",
    '"SU(2)"',
    "Riemannian manifold",
    "spin chain",
    "gamma-ray burst",
    "black hole",
    "Hilbert space",
)
"""What a physicist or a mathematician would ask for, signs and accents included."""


@dataclass(frozen=True)
class Agreement:
    """One keyword against arXiv's own answers.

    `served` counts the rows that arXiv gave, `missed` those of them that do not match here; `found`
    counts what matches here among all that could have been served, `more` those of them that arXiv
    did not give.
    """

    keyword: str
    days: int
    papers: int
    served: int
    missed: int
    found: int
    more: int

    @property
    def recall(self) -> float:
        """The share of arXiv's rows that the local matching finds."""
        return 1 - self.missed / self.served

    @property
    def extra(self) -> float:
        """The share of what it finds that arXiv did not give."""
        return self.more / self.found


def paper(identity: str, title: str, abstract: str, **more: object) -> Paper:
    """A paper with what the matching looks at."""
    fields = {"authors": (), "categories": (), "published": DAY, "updated": DAY, **more}
    return Paper(identity, 1, title, abstract, **fields)  # type: ignore[arg-type]


def lines(path: Path) -> Iterator[dict[str, object]]:
    """The rows of a compressed file of JSON lines."""
    with lzma.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def replay(folder: Path) -> list[Agreement]:
    """Each keyword of the replay, day by day: what arXiv answered, and what matches among all that
    it could have.

    Could have answered: what stood in any keyword's answer on that day and is younger than the
    oldest day of this keyword's, which the end of its page may have cut. Each row counts on every
    day on which it was served.
    """
    papers = {
        str(row["id"]): paper(
            str(row["id"]),
            str(row["title"]),
            str(row["abstract"]),
            comment=str(row["comment"] or ""),
            updated=datetime.fromisoformat(str(row["updated"])).replace(tzinfo=UTC),
        )
        for row in lines(folder / "replay" / "papers.jsonl.xz")
    }
    days: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for row in lines(folder / "replay" / "windows.jsonl.xz"):
        ids = set(map(str, row["ids"]))  # type: ignore[call-overload]
        if len(ids) >= PARTIAL and not INCIDENT[0] <= str(row["day"]) <= INCIDENT[1]:
            days[str(row["day"])][str(row["keyword"])] = ids
    names = sorted({name for windows in days.values() for name in windows})
    with Matcher(papers.values()) as matcher:
        matching = {name: matcher.match(parse(make_keyword(name).query)) for name in names}
    return [_agreement(name, matching[name], days, papers) for name in names]


def _agreement(
    name: str, matching: set[str], days: dict[str, dict[str, set[str]]], papers: dict[str, Paper]
) -> Agreement:
    count = served = missed = found = more = 0
    papers_served: set[str] = set()
    for windows in (windows for windows in days.values() if name in windows):
        answer = windows[name]
        oldest = min(papers[each].updated for each in answer)
        possible = {
            each for ids in windows.values() for each in ids if papers[each].updated > oldest
        }
        count, served, missed = count + 1, served + len(answer), missed + len(answer - matching)
        found, more = found + len(matching & possible), more + len(matching & possible - answer)
        papers_served |= answer
    return Agreement(name, count, len(papers_served), served, missed, found, more)


def captures(folder: Path) -> Iterator[tuple[str, str, int, int]]:
    """Each captured answer to a search: file, query, rows, and how many of them match here."""
    for path in sorted((folder / "captures" / "api").glob("*.xml")):
        text = path.read_text(encoding="utf-8", errors="replace")
        asked = re.search(r"[Qq]uery: search_query=(.*?)&amp;id_list=&amp;", text, re.DOTALL)
        if asked is None or not asked[1].strip():
            continue
        query = asked[1].replace("&quot;", '"')
        papers = list(_entries(text))
        with Matcher(papers) as matcher:
            yield path.stem, query, len(papers), len(matcher.match(parse(_quoted(query))))


def _quoted(query: str) -> str:
    """arXiv takes an unquoted hyphen for a blank, and blanks for OR; here a hyphenated word is a
    phrase."""
    return re.sub(r"\b(\w+):(\w+)-(\w+)", r"(\1:\2 OR \1:\3)", query)


def _entries(text: str) -> Iterator[Paper]:
    atom, arxiv = "{http://www.w3.org/2005/Atom}", "{http://arxiv.org/schemas/atom}"
    for entry in ElementTree.fromstring(text).iter(f"{atom}entry"):
        yield paper(
            entry.findtext(f"{atom}id", ""),
            entry.findtext(f"{atom}title", ""),
            entry.findtext(f"{atom}summary", ""),
            authors=tuple(
                author.findtext(f"{atom}name", "") for author in entry.iter(f"{atom}author")
            ),
            categories=tuple(
                category.get("term", "") for category in entry.iter(f"{atom}category")
            ),
            comment=entry.findtext(f"{arxiv}comment", ""),
            journal_ref=entry.findtext(f"{arxiv}journal_ref", ""),
        )


def harvested(folder: Path) -> list[Paper]:
    """A day's records of all of arXiv in December 2014, most of them physics and mathematics."""
    purl = "{http://purl.org/dc/elements/1.1/}"
    root = ElementTree.parse(
        folder / "captures" / "oai" / "scrapi_ListRecords_oai_dc_20141224_20141225.xml"
    )
    return [
        paper(
            str(number),
            record.findtext(f".//{purl}title", ""),
            record.findtext(f".//{purl}description", ""),
        )
        for number, record in enumerate(root.iter("{http://www.openarchives.org/OAI/2.0/}record"))
    ]


def by_letters(keyword: str, papers: Iterable[Paper]) -> set[str]:
    """A second reading for comparison: the keyword's letters, whatever stands between its words,
    with an ending."""
    words = re.findall(r"\w+", keyword.lower().translate(str.maketrans("öäé", "oae")))
    pattern = re.compile(r"(?<![a-z])" + r"[^a-z0-9]+".join(words) + r"(?:'?e?s|ian)?(?![a-z])")
    found = set()
    for each in papers:
        texts = [
            re.sub(r"\\[\"'`^~=.Hvuc]\s*|[{}\\]", "", text).lower()
            for text in (each.title, each.abstract)
        ]
        if any(pattern.search(text) for text in texts):
            found.add(each.id)
    return found


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else SHARED
    print(
        "Replay, rows of arXiv's answers day by day (aim: recall at least 99 %, extra at most 2 %)"
    )
    heads = f"{'days':>5}{'papers':>8}{'served':>8}{'missed':>8}{'found':>8}{'more':>6}"
    heads += f"{'recall':>9}{'extra':>7}"
    print(f"{'keyword':<22}{heads}")
    for each in replay(folder):
        numbers = f"{each.days:>5}{each.papers:>8}{each.served:>8}"
        numbers += f"{each.missed:>8}{each.found:>8}{each.more:>6}"
        print(f"{each.keyword:<22}{numbers}{each.recall:>9.2%}{each.extra:>7.2%}")
    print("\nCaptured answers to searches: rows, and those of them that match here")
    for name, query, rows, matching in captures(folder):
        print(f"{rows:>4} {matching:>4}  {query[:44]:<46}{name[:26]}")
    papers = harvested(folder)
    print(
        f"\n{len(papers)} records of December 2014, by either rule: matches here, and by the "
        "letters alone"
    )
    with Matcher(papers) as matcher:
        for keyword in PHYSICS_AND_MATHEMATICS:
            either = f'ti:"{keyword}" OR abs:"{keyword}"'.replace('""', '"')
            here, letters = matcher.match(parse(either)), by_letters(keyword, papers)
            differ = f"{len(here - letters)} more, {len(letters - here)} fewer"
            print(f"{len(here):>4} {len(letters):>4}  {keyword:<24}{differ}")


if __name__ == "__main__":
    main()
