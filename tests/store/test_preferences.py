"""Likes, libraries and consents: by the reader's number, within bounds, and whole or not at all."""

from __future__ import annotations

import pytest

from digest.errors import UsageError
from digest.store import preferences
from digest.store.preferences import Consent, LibraryPaper
from tests.store.house import ADA, BOB, House
from tests.world.worlds import DAY, HOUR, MONDAY, eprint, reader

NOBODY = 99


@pytest.fixture
def two(house: House) -> House:
    """Ada is reader 1, Bob reader 2; papers 1 and 2 are known."""
    house.sync(reader(ADA, "Alpha"), reader(BOB, "Alpha"))
    house.record("Alpha", eprint(1), eprint(2))
    return house


def test_a_reader_likes_papers_that_are_known_each_once(two: House) -> None:
    likes, (one, other) = two.store.preferences, (eprint(1).id, eprint(2).id)
    assert likes.like(1, other, MONDAY)
    assert likes.like(1, one, MONDAY + HOUR)
    assert likes.like(1, other, MONDAY + DAY), "liked again, it is as it was"
    assert likes.liked(1) == {other: MONDAY, one: MONDAY + HOUR}
    assert likes.liked(2) == {}
    assert not likes.like(1, "2611.99999", MONDAY), "a paper that nobody knows"
    assert not likes.like(NOBODY, one, MONDAY)
    assert likes.unlike(1, other)
    assert not likes.unlike(1, other)
    assert list(likes.liked(1)) == [one]


def test_a_library_is_replaced_whole_or_stays(two: House, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries = two.store.preferences
    first, second = LibraryPaper("10.1/a", "A", "of a"), LibraryPaper("2611.00001", "Ä", "of ä")
    assert libraries.replace_library(1, [first, first, second], MONDAY)
    assert libraries.papers_of_library(1) == [first, second]
    assert libraries.replace_library(1, [second], MONDAY)
    assert libraries.papers_of_library(1) == [second]
    monkeypatch.setattr(preferences, "LIBRARY_PAPERS", 1)
    with pytest.raises(UsageError, match="2 papers"):
        libraries.replace_library(1, [first, second], MONDAY)
    monkeypatch.setattr(preferences, "LIBRARY_BYTES", second.size)
    assert second.size == len("2611.00001ÄÄof ") + 2
    assert libraries.replace_library(1, [second], MONDAY)
    with pytest.raises(UsageError, match="at most 1 papers"):
        libraries.replace_library(1, [LibraryPaper("2611.00001", "Ä", "of ä.")], MONDAY)
    assert libraries.papers_of_library(1) == [second]
    assert not libraries.replace_library(NOBODY, [first], MONDAY)
    assert libraries.replace_library(1, [], MONDAY)
    assert libraries.papers_of_library(1) == []


def test_what_was_agreed_to_stays_and_the_latest_counts(two: House) -> None:
    consents = two.store.preferences
    assert consents.consent(1) is None
    assert consents.agree(1, "Mail me new papers.", MONDAY)
    assert consents.agree(1, "Mail me new papers, and keep my likes.", MONDAY + DAY)
    assert consents.consent(1) == Consent("Mail me new papers, and keep my likes.", MONDAY + DAY)
    assert two.value("SELECT COUNT(*) FROM consent") == 2
    assert not consents.agree(NOBODY, "anything", MONDAY)
