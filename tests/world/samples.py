"""Papers, readers and digests of the project's own making, for tests and for looking at
templates."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from digest.model import Digest, Item, Keyword, Kind, Paper, Rule, Subscriber
from digest.rules.compose import Extras, compose

NOW = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
"""A Monday, seven in the morning in Berlin."""

REWARD_MODEL = Keyword(
    "Reward Model",
    '(ti:"reward model" OR abs:"reward model" OR abs:"preference model")',
    Rule.QUERY,
)
MLLM = Keyword("MLLM", "(ti:MLLM AND abs:MLLM)", Rule.BOTH)
HALLUCINATION = Keyword("Hallucination", "(ti:hallucination AND abs:hallucination)", Rule.BOTH)

ADA = Subscriber(
    email="ada@example.org",
    keywords=(REWARD_MODEL, MLLM, HALLUCINATION),
    name="Ada",
    timezone="Europe/Berlin",
)

_ABSTRACT = (
    "We study how a model that scores answers changes when the people who rank them disagree. "
    "Earlier "
    "work treats such disagreement as noise and averages it away; we keep it, and let the scorer "
    "name "
    "the group of raters whose view it takes. On four collections of ranked answers this predicts a"
    " "
    "held-out rater better than a single score does, at the same cost, and the gain grows with the "
    "number of raters. We also find that answers on which the groups part are those on which a "
    "policy "
    "trained against the single score is most often wrong. Trained models, all rankings and the "
    "code "
    "of every figure are public, and an appendix lists what did not work."
)

_TITLES = (
    "Scoring Answers When the Raters Disagree",
    "A Lamp in the Fog: Grounding Long Captions in Small Regions",
    "Whose Preference? Group-Aware Reward Models Without Group Labels",
    "On the Sample Complexity of Pairwise Comparisons Under a Drifting Judge",
    "Do Pictures Help? An Audit of Multimodal Models on Text-Only Questions",
    "Counting What Is Not There: A Test for Invented Objects",
)

_AUTHORS = ("Ada Example", "Grace Sample", "Emmy Specimen", "Sofia Instance", "Mary Exemplar")


def paper(number: int = 1, **changes: object) -> Paper:
    """The `number`-th sample paper, each an hour older than the one before."""
    submitted = NOW - timedelta(hours=14 + number)
    sample = Paper(
        id=f"2611.{number:05d}",
        version=1,
        title=_TITLES[(number - 1) % len(_TITLES)],
        abstract=_ABSTRACT,
        authors=_AUTHORS[: 1 + (number * 2) % 5],
        categories=("cs.LG", "cs.CL", "stat.ML")[: 1 + number % 3],
        published=submitted,
        updated=submitted,
        comment="14 pages, 6 figures; code at https://example.org/code" if number % 3 == 1 else "",
    )
    return replace(sample, **changes)  # type: ignore[arg-type]


def item(number: int = 1, *keywords: str, kind: Kind = Kind.NEW, **changes: object) -> Item:
    """The `number`-th sample paper as it is due to a reader, by default for one keyword."""
    return Item(paper(number, **changes), kind, keywords or ("Reward Model",))


def mixed_items() -> list[Item]:
    """A good morning: several keywords, a late, a withdrawn and a revised paper."""
    before = NOW - timedelta(days=17)
    return [
        item(1),
        item(2, "MLLM", "Hallucination"),
        item(3, "Reward Model", "MLLM"),
        item(4, kind=Kind.LATE, published=before, updated=before),
        item(
            5, "MLLM", comment="This paper has been withdrawn by the authors: an error in section 4"
        ),
        item(6, "Hallucination", kind=Kind.REVISED, version=3, published=before),
    ]


def sample_digest(
    items: list[Item] | None = None, reader: Subscriber = ADA, **changes: object
) -> Digest:
    """A Monday's digest for `reader`, by default of `mixed_items`."""
    digest = compose(
        mixed_items() if items is None else items,
        reader,
        now=NOW,
        extras=Extras(
            previous=NOW - timedelta(days=3),
            next_at=NOW + timedelta(days=1),
            contact="papers@example.org",
        ),
    )
    return replace(digest, **changes)  # type: ignore[arg-type]
