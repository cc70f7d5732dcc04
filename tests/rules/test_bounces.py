"""Whom a bounce blames, and when so many bounce that no reader can be the cause."""

from __future__ import annotations

import pytest

from digest.rules.bounces import Blame, Fault, blame_of, fault_of, is_surge, status_of


@pytest.mark.parametrize(
    ("words", "blame"),
    [
        ("550 5.1.1 no such user", Blame.HARD),
        ("550 5.2.1 disabled", Blame.HARD),
        ("smtp; 550 5.0.0 no", Blame.HARD),
        ("5.4.4 unable to route", Blame.SOFT),
        ("5.4.5 daily quota exceeded", Blame.SOFT),
        ("452 4.2.2 full", Blame.SOFT),
        ("550 no such user here", Blame.SOFT),
        ("554 5.7.1 blocked, see 192.0.2.1 at 5.1.1.1", Blame.POLICY),
        ("550 5.6.1 conversion", Blame.POLICY),
        ("connect to 5.1.1.9: refused", Blame.SOFT),
    ],
)
def test_whom_a_bounce_blames(words: str, blame: Blame) -> None:
    assert blame_of(status_of(words)) is blame


def test_a_digest_that_is_too_large_for_a_mailbox_is_the_mails_fault_and_not_the_readers() -> None:
    """Three large digests must not end in a suppression: the next one may be small."""
    assert fault_of("5.3.4") is Fault.MESSAGE
    assert blame_of("5.3.4") is Blame.POLICY


def test_a_permanent_refusal_is_judged_by_the_fault_alone() -> None:
    codes = [f"5.{subject}.{detail}" for subject in range(8) for detail in range(12)]
    for fault in Fault:
        assert len({blame_of(code) for code in codes if fault_of(code) is fault}) == 1


@pytest.mark.parametrize(
    ("bounced", "readers", "surge"),
    [(4, 4, False), (5, 5, True), (5, 100, False), (6, 100, True), (50, 1000, False)],
)
def test_what_is_a_multitude(bounced: int, readers: int, surge: bool) -> None:
    assert is_surge(bounced, readers) is surge
