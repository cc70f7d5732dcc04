"""What the commands say of the order by a reader's own papers."""

from __future__ import annotations

import pytest

from digest.demo.papers import KEYWORDS
from tests.world.house import DAYS, FRIDAY, THURSDAY, House, refused

ADA = "ada@example.org"


@pytest.fixture
def ranked(house: House) -> House:
    """Ada has six of Thursday's papers, and Friday's are served."""
    papers = DAYS[0].papers[:6]
    entries = [f"@misc{{{p.id}, title={{{{{p.title}}}}}, eprint={{{p.id}}}}}" for p in papers]
    (house.home / "own.bib").write_text("\n".join(entries), encoding="utf-8")
    keywords = f"keywords: [{', '.join(KEYWORDS)}]"
    house.write(f"subscribers: [{{email: {ADA}, {keywords}, library: own.bib}}]")
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    return house


def test_a_preview_shows_the_order_the_parts_of_the_score_and_the_reasons(ranked: House) -> None:
    text = ranked("preview", ADA, now=FRIDAY).out
    told = ranked("preview", ADA, "--rank", now=FRIDAY)
    assert (told.code, told.complaints) == (0, [])
    first, _, heading, *lines = told.out.splitlines()
    assert first.endswith("papers, by 6 papers of the reader's own")
    assert heading.startswith("Likeliest first (")
    assert max(map(len, told.out.splitlines())) <= 80
    scores = [float(line.split()[1]) for line in lines if line[4:5] == "."]
    assert scores == sorted(scores, reverse=True)
    assert " = library +" in told.out
    assert told.out.count("close to 0.") == text.count("Close to “") > 0


def test_a_paper_tells_its_place_the_parts_of_its_score_and_the_three_nearest(
    ranked: House,
) -> None:
    ranked("run", now=FRIDAY)
    paper = ranked.value(
        "SELECT paper FROM content_paper WHERE content = (SELECT MAX(content) FROM delivery)"
    )
    told = ranked("why", ADA, paper, "--json", now=FRIDAY).json()["ranking"]
    assert told["of"] >= told["place"] >= 1
    assert told["own"] == 6
    assert told["score"] == pytest.approx(sum(told["parts"].values()), abs=0.01)
    likenesses = [near["likeness"] for near in told["nearest"]]
    assert len(likenesses) == 3
    assert likenesses == sorted(likenesses, reverse=True)
    lines = ranked("why", ADA, paper, now=FRIDAY).out
    words = f"Ranked    {told['place']} of {told['of']} by 6 papers of the reader's own: "
    assert words in lines
    assert f"{likenesses[0]:.2f} {told['nearest'][0]['title']}" in lines


def test_a_paper_that_does_not_come_has_no_rank(ranked: House) -> None:
    asked = ranked("why", ADA, "2611.99999", "--json", now=FRIDAY).json()
    assert asked["verdict"] == "unknown_paper"
    assert "Ranked" not in ranked("why", ADA, "2611.99999", now=FRIDAY).out


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("", "the reader has no library and likes no paper"),
        ("library: [own.txt]", "the reader has 2 of the 5 papers that it takes"),
        ("library: [other.bib]", "nothing of the reader's library is known yet"),
        ("order: newest", "the order is newest"),
    ],
)
def test_who_has_no_order_of_their_own_is_told_why(house: House, field: str, words: str) -> None:
    (house.home / "own.txt").write_text("\n".join(paper.id for paper in DAYS[0].papers[:2]))
    entry = f"{{email: {ADA}, keywords: [{KEYWORDS[0]}]{field and ', '}{field}}}"
    house.write(f"subscribers: [{entry}]")
    house("run", now=THURSDAY)
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    told = house("preview", ADA, "--rank", now=FRIDAY)
    assert (told.code, told.out.count("\n")) == (0, 1)
    assert told.out.startswith(f"{ADA} has no order of their own: {words}")
    house("run", now=FRIDAY)
    paper = house.value("SELECT paper FROM content_paper LIMIT 1")
    assert words in house("why", ADA, paper, now=FRIDAY).out


def test_one_preview_is_asked_for_at_a_time(house: House) -> None:
    refused(house("preview", ADA, "--rank", "--html"), 2, "choose one")
    refused(house("preview", "--gallery", "x", "--rank"), 2, "--gallery shows samples only")
