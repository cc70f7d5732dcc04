"""Sample digests of invented papers, the ordinary and the odd, to look at and to try templates
on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta

from digest.demo.papers import KEYWORDS, World
from digest.demo.words import TOPICS
from digest.keywords.grammar import make_keyword, parse
from digest.keywords.match import Matcher
from digest.model import (
    Abstracts,
    Change,
    Digest,
    Item,
    Kind,
    Paper,
    Rhythm,
    Silence,
    Subscriber,
    Tally,
    Weekly,
)
from digest.rules.compose import Extras, compose

NOW = datetime(2026, 11, 24, 7, 30, tzinfo=UTC)
"""A Tuesday on which Monday's announcement has been served."""
READER = Subscriber(
    email="ada@example.org",
    keywords=tuple(make_keyword(name) for name in KEYWORDS),
    name="Ada",
    timezone="Europe/Berlin",
)
SITE = "https://papers.example.org"
_DAY = timedelta(days=1)
_CLOSED = NOW - timedelta(hours=12, minutes=30)  # 14:00 in New York, the afternoon before


@dataclass(frozen=True, slots=True)
class Sample:
    """A digest, the name of its files, and what it is there to show; with a `site`, the address of
    a web side, its links lead there.
    """

    name: str
    title: str
    digest: Digest
    site: str = ""


def samples() -> tuple[Sample, ...]:
    """All sample digests; the same in every run."""
    return (
        Sample("one", "One paper", _digest(_fresh(1))),
        Sample("many", "A good morning: twelve papers under three keywords", _digest(_fresh(12))),
        Sample(
            "hundreds", "Three hundred papers, the first fifty with abstracts", _digest(_fresh(300))
        ),
        Sample("names", "Names from everywhere", _digest(_names())),
        Sample("formulas", "Titles, abstracts and names full of TeX", _digest(_formulas())),
        Sample("hostile", "Papers that try to break out", _digest(_hostile())),
        Sample("empty", "Papers without abstracts, comments, even titles", _digest(_empty())),
        Sample("revisions", "Late, revised and withdrawn papers", _revisions()),
        Sample("catch-up", "Three weeks away: by announcement", _catch_up()),
        Sample("short", "Short abstracts, favourites first, a prefix", _favourites()),
        Sample("likes", "More like this: by links", _likes(9), SITE),
        Sample("likes-by-mail", "More like this: by mail, without a web side", _likes(3)),
        Sample("welcome", "The first digest", _welcome()),
        Sample("silent", "A keyword that has matched nothing for a month", _silent()),
        Sample("quiet", "A day without papers, for a reader who wants to be told", _quiet()),
    )


def _digest(papers: Iterable[Paper], reader: Subscriber = READER) -> Digest:
    return _composed([Item(paper, Kind.NEW, ()) for paper in papers], reader)


def _composed(
    items: Sequence[Item], reader: Subscriber = READER, previous: datetime | None = NOW - _DAY
) -> Digest:
    """The digest that the cycle would make of these items; which keywords they match is found out
    as there.
    """
    found: dict[str, list[str]] = {}
    with Matcher([item.paper for item in items]) as matcher:
        for keyword in reader.keywords:
            for paper in matcher.match(parse(keyword.query)):
                found.setdefault(paper, []).append(keyword.name)
    default = [reader.keywords[0].name]
    return compose(
        [replace(item, keywords=tuple(found.get(item.paper.id, default))) for item in items],
        reader,
        now=NOW,
        extras=Extras(
            previous=previous,
            next_at=NOW + _DAY,
            contact="papers@example.org",
            tally=_tally(len(items)) if items and previous else Tally(len(items), rows=38),
        ),
    )


def _tally(papers: int) -> Tally:
    return Tally(papers + 5, rows=412, had=3, excluded=2)


def _fresh(number: int, seed: int = 11) -> tuple[Paper, ...]:
    """So many papers for last night's announcement."""
    return World(seed).papers(number, _CLOSED - _DAY, _CLOSED)


def _names() -> list[Paper]:
    names = (
        ("欧阳 明镜", "陈 望舒", "서하늬", "青木 みどり"),
        ("ليلى الصفدي", "يوسف بن عمر المثالي", "נעמה דוגמאי", "Ada Example"),
        ("Nguyễn Thị Mai Khê", "Þórdís Hafsteinsbarn", "Γεωργία Λυκοβούνη", "Мирослава Заречная"),
        (
            "Wolfeschlegelsteinhausenbergerdorff-Montgomery de la Vega y Santa María del Río Hondo",
            "X",
        ),
        tuple(f"{chr(65 + n % 26)}. Collaborator {n}" for n in range(3_000)),
    )
    return [
        replace(paper, authors=authors) for paper, authors in zip(_fresh(5, 3), names, strict=True)
    ]


def _formulas() -> list[Paper]:
    texts = (
        (
            (
                r"An $\tilde{\mathcal{O}}(\sqrt{n})$ Bound for Reward Models with "
                r"$\alpha$-Mixing Raters"
            ),
            r"We show that a reward model $r_\theta : \mathcal{X} \times \mathcal{Y} \to "
            r"\mathbb{R}$ trained on $n$ "
            r"comparisons has excess risk at most $\frac{1}{\sqrt{n}} \sum_{i=1}^{n} "
            r"\epsilon_i^2 \leq C \log n$, and "
            r"that the bound is tight whenever $\alpha \geq 1/2$. \emph{No} assumption "
            r"on the raters is needed, and "
            r"$40\%$ of the cost is saved.",
            (
                'J{\\"o}rg M{\\"u}ller-Beispiel',
                "Fran\\c{c}ois L'Exemple",
                "P{\\'a}l Erd{\\H o}s-Minta",
            ),
        ),
        (
            r"Reward Modeling on $SO(3) \ltimes \mathbb{R}^{3}$: the Case $\Delta x \neq 0$",
            r"Let $G$ be a group and $\rho\colon G \to \mathrm{GL}(V)$. For a "
            r"preference $a \succ b$ the score "
            r"$\langle w, \phi(a) - \phi(b) \rangle$ is invariant iff $\phi \circ "
            r"\rho(g) = \phi$ for all $g \in G$; "
            r"we give a \textbf{reward model} for which this holds up to $10^{-6}$, "
            r"and a counterexample in "
            r"$\mathbb{Z}_2 \oplus \mathbb{Z}_2$. An unknown \command{stays} as it is, "
            r"and so does a lone $ sign.",
            ('Zo\\"e Mu\\~noz', "\\O{}yvind \\AA{}s"),
        ),
    )
    return [
        replace(paper, title=title, abstract=abstract, authors=authors)
        for paper, (title, abstract, authors) in zip(_fresh(2, 5), texts, strict=True)
    ]


def _hostile() -> list[Paper]:
    titles = (
        '<script>alert("reward model")</script> & other "titles"',
        "</a></h3></td></tr></table><h1>Reward Model</h1><!-- ",
        "Reward\u202emodel\u202c <img src=https://tracker.example/x.png onerror=alert(1)>",
        "Reward Model "
        + "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
    )
    abstracts = (
        (
            "<style>body{display:none}</style>{{ mark }} {% raw %} A <b>reward "
            "model</b> &amp; entities &lt;b&gt;."
        ),
        (
            "A reward model at https://github.com@phish.example/login and "
            "https://аррӏе.example/ and javascript:alert(1)."
        ),
        "A reward model.\r\nBcc: eve@example.org\r\n\r\n.\r\n\x1b[31mred\x00",
        "A reward model. " + "https://example.org/" + "a/" * 200,
    )
    comments = (
        "<a href='https://phish.example/'>Code</a>: https://github.com/ada/engine",
        "",
        '" onclick="x',
        "x" * 400,
    )
    return [
        replace(
            paper,
            title=title,
            abstract=abstract,
            comment=comment,
            authors=("<b>Ada</b>", "E & V\u202e"),
        )
        for paper, title, abstract, comment in zip(
            _fresh(4, 6), titles, abstracts, comments, strict=True
        )
    ]


def _empty() -> list[Paper]:
    first, second, third = _fresh(3, 8)
    return [
        replace(first, abstract="", comment=""),
        replace(second, title="", abstract=" ", authors=(), comment=""),
        replace(third, abstract="One sentence.", categories=(), comment=""),
    ]


def _revisions() -> Digest:
    world, before = World(9), NOW - 40 * _DAY
    late = world.paper(NOW - 20 * _DAY, TOPICS[0])
    withdrawn = replace(
        world.revise(world.paper(before, TOPICS[1]), _CLOSED - _DAY / 2),
        comment="Withdrawn by the authors: a wrong lemma",
    )
    accepted = replace(
        world.paper(_CLOSED - _DAY / 3, TOPICS[0]),
        comment=(
            "Accepted at the 12th Workshop on Examples (EXMP 2026). Code: "
            "https://github.com/ada/engine"
        ),
    )
    revised = world.revise(world.paper(before, TOPICS[0], TOPICS[1]), _CLOSED - _DAY / 4)
    again = world.revise(
        world.revise(world.paper(before, TOPICS[2]), before + _DAY), _CLOSED - _DAY / 5
    )
    return _composed(
        [
            Item(late, Kind.LATE, ()),
            Item(accepted, Kind.NEW, ()),
            Item(revised, Kind.REVISED, (), (Change.ABSTRACT, Change.COMMENT)),
            Item(
                again,
                Kind.REVISED,
                (),
                (Change.TITLE,),
                old_title="Some Anomalies in Stationary Time Series",
            ),
            Item(withdrawn, Kind.REVISED, (), (Change.WITHDRAWN, Change.COMMENT)),
        ]
    )


def _catch_up() -> Digest:
    world = World(12)
    items = [Item(paper, Kind.NEW, ()) for paper in world.papers(24, _CLOSED - 20 * _DAY, _CLOSED)]
    late = Item(world.paper(NOW - 60 * _DAY, TOPICS[0]), Kind.LATE, ())
    return _composed([*items, late], replace(READER, max_papers=20), previous=NOW - 21 * _DAY)


def _favourites() -> Digest:
    reader = replace(
        READER,
        abstracts=Abstracts.SHORT,
        authors=("Ilse Varnhagen",),
        categories=("stat.*",),
        subject_prefix="[arXiv]",
    )
    return _digest(_fresh(6, 13), reader)


def _likes(number: int) -> Digest:
    withdrawn = replace(_fresh(1, 15)[0], comment="Withdrawn by the authors")
    return _digest((*_fresh(number - 1, 16), withdrawn), replace(READER, feedback=True))


def _welcome() -> Digest:
    papers = World(14).papers(6, NOW - 5 * _DAY, _CLOSED)
    rhythm = Rhythm(tuple(Weekly)[:5], time(7), tells=False)
    return replace(
        _composed([Item(paper, Kind.NEW, ()) for paper in papers], previous=None),
        welcome=True,
        rhythm=rhythm,
    )


def _silent() -> Digest:
    hint = (
        'In the last month "time serie" alone brought no paper, "time series" about 9 '
        "a day: is a letter missing?"
    )
    reader = replace(READER, keywords=(*READER.keywords[:2], make_keyword("Time Serie")))
    return replace(_composed([], reader), silences=(Silence("Time Serie", 30, hint),))


def _quiet() -> Digest:
    return replace(_composed([]), quiet="no match in arXiv's last announcement")
