"""`digest likes`, and how `feedback` shows in the preview, and is refused."""

from __future__ import annotations

import json

import pytest

from digest.mail.reader_tokens import NOBODYS
from tests.world.house import DAYS, SUBSCRIBERS, THURSDAY, House, refused

ADA = "ada@example.org"
ONE, OTHER = (paper.id for paper in DAYS[0].papers[:2])
TITLE = DAYS[0].papers[0].title
SECRET = "a long random text of the operator's own"


@pytest.fixture
def mailed(house: House) -> House:
    house("run", now=THURSDAY)
    return house


def test_likes_are_added_listed_and_taken_back(mailed: House) -> None:
    assert mailed("likes", ADA).out == f"{ADA} likes 0 papers.\n"
    told = mailed("likes", ADA, "--add", ONE, "--add", f"https://arxiv.org/abs/{ONE}v1")
    assert told.code == 0
    first, listed, line, order = told.out.splitlines()
    assert (first, listed) == (f"{ADA} likes {ONE}.", f"{ADA} likes 1 paper:")
    assert line.startswith(f"  {ONE}  ")
    assert line.endswith(TITLE)
    assert "1 of the 5 papers that it takes" in order
    told = mailed("likes", ADA.upper(), "--add", ONE, "--add", OTHER, "--remove", "hep-th/9901001")
    assert told.out.splitlines()[:4] == [
        f"{ADA} already likes {ONE}.",
        f"{ADA} likes {OTHER}.",
        f"{ADA} did not like hep-th/9901001.",
        f"{ADA} likes 2 papers:",
    ]
    found = json.loads(mailed("likes", ADA, "--remove", ONE, "--json").out)
    assert (found["email"], found["added"], found["removed"]) == (ADA, [], [ONE])
    assert [paper["id"] for paper in found["liked"]] == [OTHER]
    assert found["liked"][0].keys() == {"id", "title", "since"}
    stored = json.loads(mailed("subscribers", "show", ADA, "--json").out)["stored"]
    assert [row["paper"] for row in stored["liked"]] == [OTHER]
    mailed("subscribers", "forget", ADA, "--yes")
    assert mailed.value("SELECT COUNT(*) FROM liked") == 0


def test_what_cannot_be_is_one_clear_line_and_changes_nothing(mailed: House) -> None:
    refused(mailed("likes", "adda@example.org"), 78, "knows adda@example.org", "did you mean ada@")
    refused(mailed("likes", ADA, "--add", ONE, "--add", "x"), 2, "'x' is no arXiv id")
    refused(mailed("likes", ADA, "--remove", "25.1"), 2, "'25.1' is no arXiv id", "2503.14895")
    refused(mailed("likes", ADA, "--add", ONE, "--add", "2511.99999"), 2, "no paper 2511.99999")
    refused(mailed("likes", ADA, "--add", ONE, "--remove", f"{ONE}v3"), 2, "both added and removed")
    assert mailed.value("SELECT COUNT(*) FROM liked") == 0
    mailed.write(SUBSCRIBERS + "  - email: kim@example.org\n    keywords: [x1]\n")
    refused(mailed("likes", "kim@example.org", "--add", ONE), 75, "does not know kim@example.org")
    assert mailed("likes", "kim@example.org").out == "kim@example.org likes 0 papers.\n"


def test_without_a_database_nothing_can_be_liked(house: House) -> None:
    assert house("likes", ADA).out == f"{ADA} likes 0 papers.\n"
    refused(house("likes", ADA, "--add", ONE), 75, "there is no database", "'digest run' makes it")
    assert not (house.home / "digest.db").exists()


@pytest.mark.heavy
def test_the_preview_shows_the_links_as_they_will_be(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write(SUBSCRIBERS.replace("    name: Ada\n", "    name: Ada\n    feedback: true\n"))
    by_mail = house("preview", ADA, now=THURSDAY).out
    assert f"\ndigest@localhost with this subject:\nMore like {NOBODYS}\n" in by_mail
    monkeypatch.setenv("DIGEST_BASE_URL", "https://papers.example.org")
    text = house("preview", ADA, now=THURSDAY).out
    assert f"    Like  https://papers.example.org/u/{NOBODYS}/1\n" in text
    page = house("preview", ADA, "--html", now=THURSDAY).out
    assert f'href="https://papers.example.org/u/{NOBODYS}/1">More&nbsp;like&nbsp;this' in page
    assert NOBODYS in house("preview", ADA, "--eml", now=THURSDAY).out
    assert "Like  " not in house("preview", "lin@example.org", now=THURSDAY).out


@pytest.mark.heavy
def test_with_readers_from_a_secret_feedback_is_refused_and_the_mails_go_out(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = SUBSCRIBERS.replace("    name: Ada\n", "    name: Ada\n    feedback: true\n")
    monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", text)
    monkeypatch.setenv("DIGEST_SECRET", SECRET)
    said = "with DIGEST_SUBSCRIBERS_YAML strangers may see the database, which keeps no likes"
    refused(house("subscribers", "check"), 78, said, "take feedback out")
    refused(house("subscribe", ADA, "--feedback"), 78, said)
    told = house("run", now=THURSDAY)
    assert told.code == 1
    assert f"{said}: feedback is left out (nobody is held back by that)" in told.err
    assert len(house.mails(ADA)) == 1
    assert "more like" not in house.mails(ADA)[0].as_string().lower()
    refused(house("likes", ADA, "--add", ONE), 78, said)
    assert ADA not in house("likes", ADA).out
