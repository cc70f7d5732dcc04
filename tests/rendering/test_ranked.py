"""Digests in the order of what their readers have: the reasons, and the ones that show few papers
with what they say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import CloseTo, Digest, Format, Item, Kind, Layout, Subscriber
from digest.rendering.render import HTML_BYTES
from digest.rendering.value import decode, encode
from digest.rendering.view import view
from digest.rules.compose import LIKELIEST, Rank, compose
from tests.rendering.test_render import MARK, Page, rendered
from tests.world.samples import ADA, NOW, item, mixed_items

OWN = CloseTo("A Paper of My Own", "2401.00001")


def ranked(items: list[Item], reader: Subscriber = ADA, close_to: CloseTo | None = None) -> Digest:
    """A digest in which a paper's rank is its number."""
    ranks = {each.paper.id: Rank(int(each.paper.id[-5:]), close_to) for each in items}
    return compose(items, reader, now=NOW, ranks=ranks)


def test_all_that_is_new_stands_together_by_rank_and_says_its_keywords() -> None:
    items = [item(1, "MLLM"), item(2), item(3, "Hallucination"), item(4), *mixed_items()[5:]]
    digest = ranked(items)
    assert [section.title for section in digest.sections] == [LIKELIEST, "New versions"]
    page = view(digest)
    assert [paper.url[-7:-2] for paper in page.sections[0].papers] == [
        "00004",
        "00003",
        "00002",
        "00001",
    ]
    assert page.sections[0].papers[1].labels == ("Hallucination",)
    alone = ranked(items[3:4], replace(ADA, keywords=ADA.keywords[:1]))
    assert view(alone).sections[0].papers[0].labels == ()


def test_by_rank_comes_what_only_mentions_a_keyword() -> None:
    items = [
        item(
            n,
            abstract="We show in which order leaves fall. A reward model is of use in it, too."
            if n == 5
            else "No word of it.",
            title="T",
        )
        for n in range(1, 6)
    ]
    assert [paper.passing for paper in view(ranked(items)).sections[0].papers] == [False] * 5
    assert view(compose(items, ADA, now=NOW)).sections[0].papers[-1].passing


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize(
    ("own", "url"),
    [
        (OWN, "https://arxiv.org/abs/2401.00001"),
        (replace(OWN, id="arXiv:hep-th/9901001v2"), "https://arxiv.org/abs/hep-th/9901001v2"),
        (replace(OWN, id="10.1145/3292500.3330701"), "https://doi.org/10.1145/3292500.3330701"),
        (replace(OWN, id="key2020"), ""),
        (replace(OWN, id='10.1000/"><script>'), ""),
        (replace(OWN, id="javascript:alert(1)"), ""),
    ],
)
def test_a_paper_says_which_of_the_readers_own_it_is_close_to(
    layout: Layout, own: CloseTo, url: str
) -> None:
    made = rendered(ranked([item(n) for n in range(1, 6)], replace(ADA, layout=layout), own))
    page = Page(made.html)
    assert page.text.count("Close to ") == 5
    assert "A Paper of My Own" in page.text
    assert page.links.count(url) == (5 if url else 0)
    assert " ".join(made.text.split()).count(f"Close to “{own.title}” {url}".strip()) == 5


def test_a_hostile_title_is_shown_and_does_nothing() -> None:
    own = CloseTo(
        '<img src=x onerror="a()">\n{{ mark }}\u202e ' + "word " * 60 + MARK, "2401.00001"
    )
    made = rendered(ranked([item(n) for n in range(1, 6)], close_to=own))
    assert made.html.count(MARK) == made.text.count(MARK) == 1
    page = Page(made.html)
    assert "img" not in page.tags
    assert '<img src=x onerror="a()"> {{ mark }}' in page.text
    assert "\u202e" not in made.html + made.text
    assert "word word…" in page.text
    assert max(map(len, made.text.splitlines())) <= 78


def test_the_reasons_are_kept_with_the_order() -> None:
    digest = ranked([item(n) for n in range(1, 20)], replace(ADA, top=7), OWN)
    papers = {each.paper.id: each.paper for each in digest.sections[0].items}
    assert decode(encode(digest), papers) == digest
    assert rendered(decode(encode(digest), papers)) == rendered(digest)


@pytest.mark.parametrize("is_ranked", [True, False])
def test_the_first_stand_with_what_they_say_and_all_others_as_titles(is_ranked: bool) -> None:
    reader = replace(ADA, top=10, keywords=ADA.keywords[:1])
    items = [
        item(n, title=f"A Reward Model of {n}", abstract="We show how it works. " * 60)
        for n in range(1, 261)
    ]
    digest = ranked(items, reader, OWN) if is_ranked else compose(items, reader, now=NOW)
    made = rendered(digest)
    page = Page(made.html)
    assert len(made.html.encode()) <= HTML_BYTES
    for number in range(1, 261):
        assert f"A Reward Model of {number} " in f"{page.text} "
        assert f"https://arxiv.org/abs/2611.{number:05d}v1\n" in made.text
    first = range(260, 250, -1) if is_ranked else range(1, 11)
    for part in (page.text, " ".join(made.text.split())):
        glance, _, rest = part.partition("The others as titles")
        titles, _, full = rest.partition("In full")
        assert [n for n in range(1, 261) if f"Model of {n} " in glance] == sorted(first)
        assert "We show how it works." in glance
        assert "We show how it works." not in titles
        assert [n for n in range(1, 261) if f"Model of {n} " in full] == sorted(first)
        assert full.count("We show how it works.") == 600, "their abstracts are whole"


def test_where_no_more_come_a_digest_is_the_same_as_without() -> None:
    few = [*mixed_items(), *(item(n) for n in range(20, 23))]
    for items in (few, few[:3]):
        plain = rendered(compose(items, ADA, now=NOW))
        assert rendered(compose(items, replace(ADA, top=9), now=NOW)) == plain


words = st.sampled_from(["reward model", "MLLM", "<b>", "a\x00", "", "Ünï", "x" * 300])
papers = st.builds(
    lambda number, title, abstract, kind, names, listed: replace(
        item(number, *names, kind=kind, title=title, abstract=abstract), listed=listed
    ),
    st.integers(1, 99_999),
    words,
    st.lists(words, max_size=9).map(". ".join),
    st.sampled_from([Kind.NEW, Kind.LATE, Kind.REVISED]),
    st.lists(st.sampled_from(["Reward Model", "MLLM", "Old Love"]), min_size=1, unique=True),
    st.booleans(),
)
scores = st.floats(allow_nan=False) | st.sampled_from([0.0, 1.0])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(papers, max_size=40, unique_by=lambda each: each.paper.id),
    st.dictionaries(st.integers(0, 40), scores),
    st.none() | st.integers(1, 50),
    st.sampled_from(Layout),
    st.sampled_from(Format),
)
def test_no_rank_and_no_top_leaves_a_paper_out(
    items: list[Item], given: dict[int, float], top: int | None, layout: Layout, form: Format
) -> None:
    ranks = {
        items[place].paper.id: Rank(score, OWN)
        for place, score in given.items()
        if place < len(items)
    }
    reader = replace(ADA, top=top, layout=layout, format=form)
    digest = compose(items, reader, now=NOW, ranks=ranks)
    assert compose(items[::-1], reader, now=NOW, ranks=ranks) == digest, "ties are stable"
    named = [each.paper.id for section in digest.sections for each in section.items]
    assert Counter(named) == Counter(each.paper.id for each in items)
    made = rendered(digest)
    lines = Counter(line.strip() for line in made.text.split("\n"))
    links = Counter(Page(made.html).links if made.html else [])
    for each in items:
        url = each.paper.abstract_url
        assert lines[url] == 1
        assert not made.html or links[url] == 1
