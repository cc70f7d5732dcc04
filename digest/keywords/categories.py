"""arXiv's categories: which there are, and how they are written."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable

CATEGORIES = frozenset(
    f"{archive}.{name}" if archive else name
    for archive, names in {
        "": "gr-qc hep-ex hep-lat hep-ph hep-th math-ph nucl-ex nucl-th quant-ph",
        "astro-ph": "CO EP GA HE IM SR",
        "cond-mat": "dis-nn mes-hall mtrl-sci other quant-gas soft stat-mech str-el supr-con",
        "cs": "AI AR CC CE CG CL CR CV CY DB DC DL DM DS ET FL GL GR GT HC IR IT LG LO MA MM MS NA "
        "NE NI OH OS PF PL RO SC SD SE SI SY",
        "econ": "EM GN TH",
        "eess": "AS IV SP SY",
        "math": "AC AG AP AT CA CO CT CV DG DS FA GM GN GR GT HO IT KT LO MG MP NA NT OA OC PR QA "
        "RA RT SG SP ST",
        "nlin": "AO CD CG PS SI",
        "physics": "acc-ph ao-ph app-ph atm-clus atom-ph bio-ph chem-ph class-ph comp-ph data-an "
        "ed-ph flu-dyn gen-ph geo-ph hist-ph ins-det med-ph optics plasm-ph pop-ph soc-ph space-ph",
        "q-bio": "BM CB GN MN NC OT PE QM SC TO",
        "q-fin": "CP EC GN MF PM PR RM ST TR",
        "stat": "AP CO ME ML OT TH",
    }.items()
    for name in names.split()
)
"""The taxonomy on arXiv's help pages: archives with subject classes, and archives that are
categories themselves."""
ARCHIVES = frozenset(name.split(".")[0] for name in CATEGORIES)
_MEANT = {"cs.ML": "cs.LG", "cs.NLP": "cs.CL", "cs.LLM": "cs.CL", "stat.LG": "stat.ML"}
"""Wrong names that people derive from the name of a field."""
_ALIKE = 0.7
"""The least similarity, by difflib's ratio, that makes a name a guess."""
_LOWER_CASE_CLASSES = ("cond-mat", "physics")


def category_case(name: str) -> str:
    """Write a category in arXiv's case: the archive lower, its subject class as the archive has
    it.
    """
    archive, dot, subject = name.partition(".")
    return name if archive in _LOWER_CASE_CLASSES else f"{archive}{dot}{subject.upper()}"


def category_warning(name: str, *, prefix: bool) -> str:
    """Say what is wrong with a category that no paper has; "" where nothing is."""
    if name in CATEGORIES or (prefix and any(known.startswith(name) for known in CATEGORIES)):
        return ""
    if name in ARCHIVES:
        remedy = f"for all its subject classes write cat:{name}.*"
        return f"no paper has the category {name!r} alone; {remedy}"
    nearest = nearest_category(name)
    guess = f"; the nearest is {nearest!r}" if nearest else ""
    return f"{name!r} is not one of arXiv's categories{guess}"


def in_categories(categories: Iterable[str], named: Iterable[str]) -> bool:
    """Whether one of a paper's categories is named: `cs.LG`, or `cs.*` for all of cs."""
    wanted = [name.casefold() for name in named]
    return any(
        category.startswith(name[:-1]) if name.endswith("*") else category == name
        for category in map(str.casefold, categories)
        for name in wanted
    )


def is_outside(categories: Iterable[str], within: Iterable[str]) -> bool:
    """Whether none of a paper's categories is among those `within` which a reader wants papers;
    false where either is not known.
    """
    known, wanted = tuple(categories), tuple(within)
    return bool(known and wanted) and not in_categories(known, wanted)


def nearest_category(name: str) -> str:
    """The category that was probably meant, or "": the only one with this subject class (math.QM:
    q-bio.QM), else the most alike, and of those equally alike the one that begins alike for
    longest.
    """
    if name in _MEANT:
        return _MEANT[name]
    subject = name.rpartition(".")[2]
    same = [
        known for known in sorted(CATEGORIES) if known.rpartition(".")[2].lower() == subject.lower()
    ]
    if len(same) == 1 and "." in name:
        return same[0]
    ratio, _, nearest = max(
        (*_likeness(name.lower(), known.lower()), known) for known in CATEGORIES
    )
    return nearest if ratio >= _ALIKE else ""


def _likeness(one: str, other: str) -> tuple[float, int]:
    """How alike two names are, and for how many characters they begin alike."""
    begins = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return difflib.SequenceMatcher(None, one, other).ratio(), len(list(begins))
