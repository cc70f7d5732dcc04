"""What is read in the mail by which somebody asks for more like some papers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.mail.incoming import read_incoming
from digest.mail.liking import MOST_NUMBERS, numbers_in
from digest.mail.received import MessageKind
from tests.world.letters import letter

TOKEN = f"42-{'k' * 20}"


@pytest.mark.parametrize(
    ("written", "wanted"),
    [
        ("Numbers: 3, 7", (3, 7)),
        ("3 and 7\n\nThank you\nAda, room 5", (3, 7)),
        ("3\n7\n-- \n8", (3, 7)),
        ("\n\n2-4, 3", (2, 3, 4)),
        ("no. 9; nr 1", (9, 1)),
        ("7\n\n8 12 34", (7,)),
        ("7\n> 8", (7,)),
        ("7, 2611.00003", ()),
        ("number 7 is what I like", ()),
        ("", ()),
        ("the third", ()),
        ("99999", ()),
    ],
)
def test_only_numbers_at_the_beginning_are_read(written: str, wanted: tuple[int, ...]) -> None:
    assert numbers_in(written) == wanted
    found = read_incoming(letter(f"More like {TOKEN}", written))
    assert (found.kind, found.numbers) == (MessageKind.LIKE, wanted)
    assert TOKEN in found.evidence


@pytest.mark.parametrize(
    ("subject", "numbers"),
    [
        (f"More like {TOKEN}: 5", (5, 1)),
        (f"[EXT] MORE LIKE {TOKEN.upper()}", (1,)),
        (f"More%20like%20{TOKEN}", (1,)),
        (f"Re: More like {TOKEN}", None),
        (f"More like papers {TOKEN}", None),
        (f"unsubscribe {TOKEN}", None),
        ("More like", None),
    ],
)
def test_its_subject_is_the_one_of_the_digest(
    subject: str, numbers: tuple[int, ...] | None
) -> None:
    found = read_incoming(letter(subject, "1"))
    assert (found.kind is MessageKind.LIKE) is (numbers is not None)
    assert found.numbers == (numbers or ())
    automatic = read_incoming(letter(subject, "1", Auto_Submitted="auto-replied"))
    assert automatic.kind is not MessageKind.LIKE


@given(st.text(alphabet=st.sampled_from("0123456789-–,; \n.anod٣²"), max_size=60))
def test_whatever_is_written_the_numbers_are_few_and_small(written: str) -> None:
    found = numbers_in(written)
    assert len(set(found)) == len(found) <= MOST_NUMBERS
    assert all(0 <= number <= 9999 for number in found)
