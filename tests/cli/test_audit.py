"""`digest audit`: arXiv's own record beside what readers were sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from digest.demo.papers import KEYWORDS
from digest.model import Paper
from tests.world.house import DAYS, FRIDAY, THURSDAY, House, refused
from tests.world.standin import ScriptedAnswer

ADA, LIN = "ada@example.org", "lin@example.org"
WEEK = ("--days", "7")


@pytest.fixture
def audited(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Two days of digests; arXiv's record has what the search listed, and one paper more."""
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    house("run", now=FRIDAY)
    for day in DAYS[:2]:
        house.arxiv.announcing.change(day.now.date(), *day.papers)
    house.arxiv.announcing.change(FRIDAY.date(), unlisted())
    monkeypatch.setenv("DIGEST_ARXIV_OAI", house.arxiv.oai_url)
    return house


def unlisted() -> Paper:
    """A paper for Lin's keyword alone that the search lists for nobody."""
    title, submitted = f"A {KEYWORDS[2]} Apart", FRIDAY - timedelta(days=2)
    known = replace(DAYS[0].papers[0], id="2611.99999", version=1, title=title, abstract="Apart.")
    return replace(known, published=submitted, updated=submitted)


def reports(house: House, *arguments: str) -> dict[str, Any]:
    report = house("audit", *arguments, "--json", now=FRIDAY).json()
    return {reader["email"]: reader for reader in report["readers"]}


def test_what_no_digest_carried_is_named_with_the_reason_that_why_gives(audited: House) -> None:
    audited.arxiv.requests.clear()
    told = audited("audit", *WEEK, now=FRIDAY)
    assert told.code == 0
    assert [request.path for request in audited.arxiv.requests] == ["/oai"], "once for all readers"
    ada, lin = (next(x for x in told.out.splitlines() if x.startswith(who)) for who in (ADA, LIN))
    assert ada.endswith(" in digests, 0 in none")
    assert lin.endswith(" in digests, 1 in none")
    why, paper = told.out.splitlines()[-2:]
    assert why.startswith(f"  {KEYWORDS[2]}: it matches by this program's own reading")
    assert why.endswith(": arXiv's search does not list it")
    assert paper.startswith("    2611.99999  ")
    assert reports(audited, ADA, *WEEK)[ADA]["missing"] == []
    lins = reports(audited, LIN, LIN.upper(), *WEEK)[LIN]
    assert [(each["id"], each["verdict"]) for each in lins["missing"]] == [
        ("2611.99999", "not_served")
    ]
    assert lins["papers"] == lins["carried"] + 1
    assert lins["missing"][0]["why"] == why.strip()
    before = {each["verdict"] for each in reports(audited)[ADA]["missing"]}
    assert before == {"before_start"}, "a month goes back behind a reader's first digest"
    audited.write('subscribers:\n  - email: ada@example.org\n    keywords: ["ti:lag"]\n')
    audited.arxiv.on_request = lambda _request: ScriptedAnswer(503, b"")
    audited("run", now=FRIDAY + timedelta(hours=1))
    audited.arxiv.on_request = None
    told = audited("audit", *WEEK, now=FRIDAY + timedelta(hours=2))
    assert told.code == 1, told.out
    assert "ti:lag: it matches, and arXiv has not yet answered for this keyword" in told.out
    told = audited("audit", LIN, now=FRIDAY + timedelta(hours=2))
    assert (told.code, told.out.splitlines()[-1]) == (0, "  nobody is served")
    assert any(f"{LIN} is not served" in line for line in told.complaints)


@pytest.mark.parametrize("bad", [ScriptedAnswer(503, b""), ScriptedAnswer(200, b"<html>")])
def test_a_record_that_does_not_come_is_asked_for_later(house: House, bad: ScriptedAnswer) -> None:
    house.arxiv.script(*[bad] * 3)
    oai = ("--arxiv-oai", house.arxiv.oai_url)
    refused(house("audit", *oai, now=FRIDAY), 75, "arXiv's record could not be harvested")


def test_what_cannot_be_asked_is_said_in_a_line(house: House) -> None:
    refused(house("audit", now=THURSDAY), 78, "DIGEST_ARXIV_OAI")
    refused(house("audit", "eve@example.org", now=FRIDAY), 78, "knows eve@example.org")
    refused(house("audit", "--days", "32", now=FRIDAY), 2, "--days")
