"""Tokens: short, of one purpose, of one database, and not to be guessed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.reader_tokens import LONGEST_TOKEN, Purpose, Signer

SIGNER = Signer("a secret of some length", "a-database")
numbers = st.integers(min_value=1, max_value=10**12 - 1)


@given(number=numbers, purpose=st.sampled_from(Purpose))
def test_a_token_proves_its_number_in_any_case_and_whatever_stands_around_it(
    number: int, purpose: Purpose
) -> None:
    token = SIGNER.token(purpose, number)
    assert re.fullmatch(r"[0-9]+-[a-z2-7]{20}", token)
    assert len(token) <= LONGEST_TOKEN
    assert SIGNER.number(purpose, token) == SIGNER.number(purpose, token.upper()) == number
    for text in (
        f"unsubscribe {token}",
        f"<bounces+{token.upper()}@example.org>",
        f"https://example.org/u/{token}?",
    ):
        assert list(SIGNER.numbers(purpose, text)) == [number]


@given(number=numbers)
def test_no_other_purpose_secret_database_or_number_takes_it(number: int) -> None:
    token = SIGNER.token(Purpose.LEAVE, number)
    assert [p for p in Purpose if SIGNER.number(p, token) is not None] == [Purpose.LEAVE]
    assert Signer("another secret", SIGNER.database).number(Purpose.LEAVE, token) is None
    assert Signer(SIGNER.secret, "another").number(Purpose.LEAVE, token) is None
    assert SIGNER.number(Purpose.LEAVE, f"{number + 1}-{token.partition('-')[2]}") is None


@given(text=st.text("0123456789-abcdefgh234567 +@/", max_size=80))
def test_what_was_not_signed_proves_nothing(text: str) -> None:
    assert list(SIGNER.numbers(Purpose.LEAVE, text)) == []
    assert SIGNER.number(Purpose.LEAVE, text) is None


@pytest.mark.parametrize("place", range(22))
def test_a_token_with_one_letter_changed_proves_nothing(place: int) -> None:
    token = SIGNER.token(Purpose.BOUNCE, 7)
    changed = token[:place] + ("3" if token[place] != "3" else "4") + token[place + 1 :]
    assert SIGNER.number(Purpose.BOUNCE, changed) is None


def test_the_secret_is_not_shown() -> None:
    assert "secret" not in repr(SIGNER).replace("Signer", "")
