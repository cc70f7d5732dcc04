"""New versions: withdrawals and acceptances are told apart from words that only sound like them."""

from __future__ import annotations

import json
import lzma
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.model import Change, Paper
from digest.rules.revision import changes, is_withdrawn, merged, tells_of_acceptance
from tests.world.shared import shared

DAY = datetime(2025, 3, 19, tzinfo=UTC)
FIRST = Paper(
    "2503.00001", 1, "A Study", "We study.", ("Ada Example",), ("cs.LG",), DAY, DAY, "12 pages"
)
SECOND = replace(FIRST, version=2)


@pytest.mark.parametrize(
    "comment",
    [
        "This paper was withdrawn by the authors due to a nontrivial error in Lemma 13."
        " The proof is wrong",
        "Withdrawn because of errors in proofs."
        " Fixed versions will be incorporated into a paper by other authors",
        "15 pages. Preliminary version This paper had been withdrawn due to some missing cases",
        "This paper has been withdrawn by the author due to a crucial\n error",
        "withdrawn",
        "Withdrawn.",
        "Paper withdrawn: the main theorem is false",
        "This submission has been withdrawn by arXiv administrators due to a violation of policy",
        "We want to withdrawal our article now",
        "I have decided to withdraw this paper because I obtained new data",
        "We would like to request the withdrawal of our manuscript due to logical errors"
        " in the paper",
        "The authors request withdrawal to avoid confusion with ongoing work",
        "We think it will be responsible to withdraw it",
        "Withdrawn from arXiv at the request of the publisher",
        "This version is now withdrawn; see arXiv:2503.00002",
    ],
)
def test_a_comment_that_takes_the_paper_back_is_known(comment: str) -> None:
    assert is_withdrawn(replace(SECOND, comment=comment))
    assert not is_withdrawn(replace(FIRST, comment=comment)), "a first version takes nothing back"
    assert not tells_of_acceptance(comment)


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "12 pages, 3 figures. We study withdrawn liquidity",
        "Accepted at the Workshop on Opioid Withdrawal",
        "Withdrawn from ICML 2024 and submitted elsewhere",
        "We withdrew the paper from NeurIPS",
        "An earlier version was withdrawn; this one mends the proof",
        "v2 withdrawn, v3 is right",
        "The first version has been withdrawn",
        "Replaces arXiv:2401.00001, which was withdrawn; replaces a paper that was withdrawn",
        "This paper is not withdrawn",
        "Drawn figures, with drawings of the paper",
    ],
)
def test_words_that_only_sound_like_it_are_not_taken_for_a_withdrawal(comment: str) -> None:
    assert not is_withdrawn(replace(SECOND, comment=comment))


@pytest.mark.parametrize(
    ("abstract", "withdrawn"),
    [
        (
            "This paper has been withdrawn by the author due to a crucial sign error in"
            " equation 1.",
            True,
        ),
        ("Withdrawn by the authors", True),
        ("Withdrawn", True),
        ("Withdrawn liquidity is a problem of exchanges.", False),
        ("We study how papers are withdrawn. This paper has been withdrawn from no place.", False),
        ("Withdrawal reflexes are modelled. The work is not withdrawn.", False),
    ],
)
def test_an_abstract_says_it_as_a_whole_or_not_at_all(abstract: str, withdrawn: bool) -> None:
    assert is_withdrawn(replace(SECOND, abstract=abstract, comment="")) is withdrawn


@pytest.mark.parametrize(
    ("comment", "accepted"),
    [
        ("Accepted at ICML 2024", True),
        ("11 pages, ICML 2025", True),
        ("KDD'24", True),
        ("ICLR2025 Spotlight https://example.org", True),
        ("To appear in Nature Physics", True),
        ("In Proceedings of the web conference", True),
        ("Preprint. Accepted to ECAI 2024", True),
        ("Camera ready version", True),
        ("", False),
        ("12 pages, 3 figures", False),
        ("Submitted to NeurIPS 2024", False),
        ("Under review as a conference paper at ICLR 2025", False),
        ("If accepted, the copy of record will be available", False),
        ("Not accepted yet", False),
        ("Our idea overlaps with a previously published work", False),
        (
            "14 pages. arXiv admin note: text overlap with arXiv:2402.18610, published in 2024",
            False,
        ),
        ("Extended version of a paper from FCT 2019", False),
        ("Code for the Horizon 2020 project", False),
    ],
)
def test_an_acceptance_is_told_apart_from_a_hope(comment: str, accepted: bool) -> None:
    assert tells_of_acceptance(comment) is accepted


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({}, ()),
        ({"title": "A  Study\n", "comment": " 12 pages"}, ()),
        ({"title": "Another Study"}, (Change.TITLE,)),
        ({"abstract": "We still study."}, (Change.ABSTRACT,)),
        ({"comment": "Accepted at ICML 2025"}, (Change.ACCEPTED, Change.COMMENT)),
        ({"journal_ref": "Annals 12 (2025)"}, (Change.ACCEPTED, Change.JOURNAL_REF)),
        ({"doi": "10.1000/1"}, (Change.ACCEPTED, Change.DOI)),
        ({"doi": "10.48550/arXiv.2503.00001"}, (Change.DOI,)),
        ({"comment": "Withdrawn"}, (Change.WITHDRAWN, Change.COMMENT)),
        ({"authors": ("Ada Example", "Lin Example")}, (Change.AUTHORS,)),
    ],
)
def test_what_a_version_changed(after: dict[str, object], expected: tuple[Change, ...]) -> None:
    assert changes(FIRST, replace(SECOND, **after)) == expected


def test_what_was_said_before_is_no_news() -> None:
    accepted = replace(SECOND, comment="Accepted at ICML 2025")
    assert changes(accepted, replace(accepted, version=3, comment="ICML 2025, 14 pages")) == (
        Change.COMMENT,
    )
    gone = replace(SECOND, comment="Withdrawn")
    assert changes(gone, replace(gone, version=3)) == ()
    assert changes(gone, replace(FIRST, version=3, comment="Accepted at ICML 2025")) == (
        Change.ACCEPTED,
        Change.COMMENT,
    )


def test_another_place_of_publication_is_no_second_acceptance() -> None:
    placed = replace(SECOND, doi="10.1000/1", journal_ref="Annals 12 (2025)")
    assert changes(placed, replace(placed, version=3, doi="10.1000/2")) == (Change.DOI,)
    assert changes(placed, replace(placed, version=3, journal_ref="Annals 12")) == (
        Change.JOURNAL_REF,
    )


def test_what_is_withdrawn_is_not_accepted_too() -> None:
    gone = replace(SECOND, comment="Withdrawn", journal_ref="Annals 12 (2025)")
    assert changes(FIRST, gone) == (Change.WITHDRAWN, Change.COMMENT, Change.JOURNAL_REF)


@pytest.mark.parametrize(("length", "seen"), [(2000, True), (2001, False)])
def test_two_thousand_characters_of_a_comment_are_read(length: int, seen: bool) -> None:
    def ending(words: str) -> str:
        return "x" * (length - len(words)) + words

    assert tells_of_acceptance(ending(" accepted")) is seen
    assert is_withdrawn(replace(SECOND, comment=ending(". Withdrawn"))) is seen


def test_changes_of_several_versions_add_up() -> None:
    assert merged((Change.COMMENT,), (Change.TITLE, Change.COMMENT)) == (
        Change.TITLE,
        Change.COMMENT,
    )


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_can_be_read(comment: str, abstract: str) -> None:
    before, after = (
        replace(FIRST, comment=abstract),
        replace(SECOND, comment=comment, abstract=abstract),
    )
    assert set(changes(before, after)) <= set(Change)


def test_a_hostile_comment_costs_no_time() -> None:
    for piece in (
        "withdrawn ",
        "paper has been ",
        "previous ",
        "A" * 9,
        "replaces ",
        "withdraw the ",
        "AB2 ",
    ):
        hostile = replace(SECOND, comment="withdrawx " + piece * (20_000 // len(piece)))
        began = datetime.now(UTC)
        is_withdrawn(hostile)
        tells_of_acceptance(hostile.comment)
        assert (datetime.now(UTC) - began).total_seconds() < 1


# -- real papers


def recorded() -> dict[str, dict[int, Paper]]:
    """Every version that was recorded of each paper of the replay."""
    found: dict[str, dict[int, Paper]] = defaultdict(dict)
    with lzma.open(shared("arxiv/replay/papers.jsonl.xz"), "rt", encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            base, _, version = row["id"].rpartition("v")
            found[base][int(version)] = replace(
                FIRST,
                id=base,
                version=int(version),
                title=row["title"],
                abstract=row["abstract"],
                comment=row["comment"] or "",
            )
    return found


def test_each_withdrawal_among_the_recorded_papers_is_found_and_nothing_else() -> None:
    versions = [
        paper for paper_versions in recorded().values() for paper in paper_versions.values()
    ]
    found = {f"{paper.id}v{paper.version}" for paper in versions if is_withdrawn(paper)}
    # Read one by one: these 18 of 11,574 say so, and no other comment speaks of withdrawing.
    assert len(found) == 18
    assert {"2403.00276v2", "2410.12606v2", "2501.18851v3"} <= found
    assert found == {f"{p.id}v{p.version}" for p in versions if "withdr" in p.comment.lower()}
    assert all(
        "withdr" in p.abstract for p in versions if p.id == "2501.05675"
    )  # of reflexes, and not found


def test_the_withdrawn_ones_of_a_days_entries_are_found() -> None:
    text = lzma.decompress(
        shared("arxiv/bulk/atom_entries_2024-07-20.xml.xz").read_bytes()
    ).decode()
    found = {f"{paper.id}v{paper.version}" for paper in entries(text) if is_withdrawn(paper)}
    assert found == {"2108.04458v2", "1410.4701v4", "1206.1837v2", "1011.0597v3", "0911.5031v2"}


def entries(text: str) -> list[Paper]:
    """The entries of the bulk file, of which only the first declares its namespace."""
    found = []
    for entry in ElementTree.fromstring(text):
        fields = {part.tag.rpartition("}")[2]: part.text or "" for part in entry}
        base, _, version = fields["id"].rpartition("/")[2].rpartition("v")
        found.append(
            replace(
                FIRST,
                id=base,
                version=int(version),
                abstract=fields["summary"],
                comment=fields.get("comment", ""),
            )
        )
    return found


def test_what_the_recorded_revisions_changed() -> None:
    counts: Counter[Change] = Counter()
    pairs = 0
    for versions in recorded().values():
        numbers = sorted(versions)
        for before, after in pairwise(numbers):
            counts.update(changes(versions[before], versions[after]))
            pairs += 1
    assert pairs == 3262
    assert 380 <= counts[Change.ACCEPTED] <= 440
    assert counts[Change.WITHDRAWN] == 14
    assert (counts[Change.TITLE], counts[Change.ABSTRACT]) == (476, 1169)
