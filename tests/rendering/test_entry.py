from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Abstracts, Kind
from digest.rendering.entry import PaperView
from digest.rendering.texts import shorten
from digest.rendering.view import view
from tests.world.samples import ADA, item, sample_digest


def seen(*, kind: Kind = Kind.NEW, alone: bool = True, **changes: object) -> PaperView:
    """One paper as the templates see it; `alone`: no other paper is in the digest."""
    others = [] if alone else [item(9, kind=Kind.LATE)]
    papers = view(sample_digest([item(1, kind=kind, **changes), *others])).sections[0].papers  # type: ignore[arg-type]
    return next(
        paper for paper in papers if paper.url.startswith("https://arxiv.org/abs/2611.00001")
    )


def badges(**changes: object) -> list[str]:
    return [badge.text for badge in seen(**changes).badges]  # type: ignore[arg-type]


# Badges


def test_a_new_paper_is_called_so_only_where_others_are_the_rule() -> None:
    assert badges(comment="") == []
    assert badges(comment="", alone=False) == ["new"]
    many = (
        view(sample_digest([item(n) for n in range(1, 9)] + [item(9, kind=Kind.LATE)]))
        .sections[0]
        .papers
    )
    assert [badge.text for paper in many for badge in paper.badges] == ["announced late"]
    assert badges(comment="", kind=Kind.LATE) == ["announced late"]
    assert badges(comment="", kind=Kind.REVISED, version=3) == ["v3"]


@pytest.mark.parametrize(
    ("comment", "badge"),
    [
        ("Accepted to IWSLT 2026", "accepted to IWSLT 2026"),
        ("15 pages, 7 figures, accepted by the KDD 2026 (ADS track)", "accepted by KDD 2026"),
        (
            "Accepted at the 43rd International Conference on Machine Learning (ICML 2026)",
            "accepted at ICML 2026",
        ),
        (
            "This paper has been accepted for publication in Some Annals. 9 pages",
            "accepted in Some Annals",
        ),
        (
            "Accepted as a short paper at the 10th CSEDM Workshop, held somewhere",
            "accepted at 10th CSEDM Workshop",
        ),
        ("To appear in Journal of Examples", "to appear in Journal of Examples"),
        ("To be presented at ACL 2026", "to be presented at ACL 2026"),
        ("Published in ACM TALLIP", "published in ACM TALLIP"),
        ("Accepted by ICML2026. Project page https://example.org/x", "accepted by ICML2026"),
        ("Accepted at " + "Very " * 12 + "Long Conference", ""),
        ("accepted by most readers", ""),
        ("ICML 2026", "ICML 2026"),
        ("CVPR'26 Findings. 9 pages", "CVPR'26 Findings"),
        ("CVPR 2026 SoccerNet Challenge, rank 4", ""),
        ("ICML 2026, under review", ""),
        ("Rejected from ICML 2026", ""),
        ("Submitted to EMNLP 2026", ""),
    ],
)
def test_where_a_paper_was_accepted_is_said_in_the_authors_words(comment: str, badge: str) -> None:
    assert badges(comment=comment) == ([badge] if badge else [])


@pytest.mark.parametrize(
    ("comment", "shown"),
    [
        ("Accepted by ACL 2026 Industry.", ""),
        ("Accepted by ICML 2026. Code is available at: https://github.com/a/b", ""),
        ("CVPR 2026. Project page: https://a.github.io/b/ Code: https://github.com/a/b", ""),
        ("Accepted by ICML 2026, 9 pages", "Accepted by ICML 2026, 9 pages"),
        ("Code: https://github.com/a?x=1", "Code: https://github.com/a?x=1"),
    ],
)
def test_a_comment_that_badges_and_links_have_said_is_not_said_again(
    comment: str, shown: str
) -> None:
    assert seen(comment=comment, abstract="").comment == shown


def test_a_withdrawn_paper_has_no_files_and_is_accepted_nowhere() -> None:
    paper = seen(
        comment="Accepted at ICML 2026; withdrawn by the authors", kind=Kind.REVISED, version=2
    )

    assert [(badge.text, badge.warns) for badge in paper.badges] == [
        ("v2", False),
        ("withdrawn", True),
    ]
    assert (paper.pdf, paper.html) == ("", "")


def test_papers_from_before_arxiv_made_web_pages_have_no_link_to_one() -> None:
    assert seen(published=datetime.fromisoformat("2023-11-30T00:00Z")).html == ""
    assert seen().html == "https://arxiv.org/html/2611.00001v1"


# Links


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see https://github.com/ada/engine.", ["code: github.com/ada/engine"]),
        (
            "page (https://ada.github.io/), code: https://example.org/e",
            ["code: example.org/e", "page: ada.github.io"],
        ),
        ("https://a.example.org/1 https://b.example.org/2", ["page: a.example.org/1"]),
        ("http://github.com/ada/engine", []),
        ("Code at https://huggingface.co/datasets/ada/x", ["data: huggingface.co/datasets/ada/x"]),
        ("https://github.com@evil.example/x", []),
        ("https://evil.example:8443/x", []),
        ("https://192.0.2.7/x", []),
        ("https://localhost/x", []),
        ("https://gıthub.com/x", []),
        ("https://github.com/ada/\u202egnp.exe", ["code: github.com/ada"]),
        ('https://github.com/a"onclick=alert(1)', ["code: github.com/a"]),
        ("https://github.com/ada?x=1", []),
        ("https://[::1", []),
        ("https://github.com/" + "a" * 60, []),
        ("https://github.com/" + "a" * 40, ["code: github.com/" + "a" * 28 + "…"]),
        ("javascript:alert(1) //github.com/x", []),
    ],
)  # fmt: skip
def test_links_are_plain_https_and_show_their_host(text: str, links: list[str]) -> None:
    for where in ({"comment": text, "abstract": ""}, {"comment": "", "abstract": text}):
        assert [f"{link.what}: {link.shown}" for link in seen(**where).links] == links


def test_the_comments_links_come_before_the_abstracts() -> None:
    paper = seen(comment="https://github.com/a/b", abstract="Code at https://github.com/c/d")

    assert [link.url for link in paper.links] == ["https://github.com/a/b"]


# Authors


def test_an_author_whom_somebody_named_is_always_shown() -> None:
    authors = ("A One", "B Two", "C Three", "D Four", "Emmy Noether")
    (paper,) = (
        view(sample_digest([item(1, authors=authors)], replace(ADA, authors=("Noether",))))
        .sections[0]
        .papers
    )

    assert [(author.name, author.named) for author in paper.authors[2:]] == [
        ("C Three", False),
        ("Emmy Noether", True),
    ]
    assert paper.more_authors == " + 1 more"


# Abstracts


def test_a_reader_chooses_how_much_of_an_abstract_comes() -> None:
    whole = view(sample_digest([item(1)])).sections[0].papers[0].abstract
    short = (
        view(sample_digest([item(1)], replace(ADA, abstracts=Abstracts.SHORT)))
        .sections[0]
        .papers[0]
        .abstract
    )
    none = (
        view(sample_digest([item(1)], replace(ADA, abstracts=Abstracts.NONE)))
        .sections[0]
        .papers[0]
        .abstract
    )

    assert short.endswith(" whose view it takes. …")
    assert whole.startswith(short.removesuffix(" …"))
    assert none == ""


@pytest.mark.parametrize(
    ("text", "length", "short"),
    [
        ("One. Two. Three.", 99, "One. Two. Three."),
        ("One is here. Two is there. Three.", 30, "One is here. Two is there. …"),
        ("As in Fig. 3 by A. Lovelace et al. Here, e.g. This. It ends here. Then more and more.",
         70,
         "As in Fig. 3 by A. Lovelace et al. Here, e.g. This. It ends here. …"),
        ("It costs 3.5 times less. And so on and on.", 30, "It costs 3.5 times less. …"),
        ('He said "yes." She said "no."', 20, 'He said "yes." …'),
        ("No sentence ends within this length at all.", 20, "No sentence ends…"),
        ("x" * 50, 20, "x" * 19 + "…"),
    ],
)  # fmt: skip
def test_abstracts_are_shortened_where_sentences_end(text: str, length: int, short: str) -> None:
    assert shorten(text, length) == short


@given(st.text(max_size=300), st.integers(10, 200))
def test_a_shortened_text_is_a_beginning_and_not_longer(text: str, length: int) -> None:
    short = shorten(text, length)

    assert len(short) <= length
    assert text == short or text.startswith(short.removesuffix("…").removesuffix(" "))
    assert shorten(short, length) == short
