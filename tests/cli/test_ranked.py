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


def test_order_scores_and_reasons_are_shown_of_a_digest_and_of_a_paper(ranked: House) -> None:
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

    ranked("run", now=FRIDAY)
    best = next(line.split()[0] for line in lines if " = library" in line)
    told = ranked("why", ADA, best, "--json", now=FRIDAY).json()["ranking"]
    assert (told["place"], told["of"], told["own"]) == (1, len(scores), 6)
    assert told["score"] == pytest.approx(sum(told["parts"].values()), abs=0.01)
    likenesses = [near["likeness"] for near in told["nearest"]]
    assert len(likenesses) == 3
    assert likenesses == sorted(likenesses, reverse=True)
    lines = ranked("why", ADA, best, now=FRIDAY).out.splitlines()
    (place,) = (number for number, line in enumerate(lines) if line.startswith("Ranked"))
    words = f"Ranked    1 of {len(scores)} by 6 papers of the reader's own: +{scores[0]:.2f} = "
    assert lines[place].startswith(words)
    assert lines[place + 1].split()[0] == f"{likenesses[0]:.2f}"
    assert told["nearest"][0]["title"] in lines[place + 1]
    assert "Ranked" not in ranked("why", ADA, "2611.99999", now=FRIDAY).out


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("", "the reader has no library and likes no paper"),
        ("library: [own.bib]", "the reader has 2 of the 5 papers that it takes"),
        ("library: [other.bib]", "nothing of the reader's library is known yet"),
    ],
)
def test_who_has_no_order_of_their_own_is_told_why(house: House, field: str, words: str) -> None:
    (house.home / "own.bib").write_text("@misc{a, title={One}} @misc{b, title={Two}}")
    entry = f"{{email: {ADA}, keywords: [{KEYWORDS[0]}]{field and ', '}{field}}}"
    house.write(f"subscribers: [{entry}]")
    house("run", now=THURSDAY)
    house("run", now=THURSDAY)
    paper = house.value("SELECT paper FROM content_paper LIMIT 1")
    assert words in house("why", ADA, paper, now=THURSDAY).out
    if field == "":
        house.serve(DAYS[1])
        told = house("preview", ADA, "--rank", now=FRIDAY)
        assert told.out == f"{ADA} has no order of their own: {words}.\n"


def test_one_preview_is_asked_for_at_a_time(house: House) -> None:
    refused(house("preview", ADA, "--rank", "--html"), 2, "choose one")
    refused(house("preview", "--gallery", "x", "--rank"), 2, "--gallery shows samples only")
