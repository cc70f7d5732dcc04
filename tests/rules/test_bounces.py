"""Whom a refusal or a bounce blames, and when so many bounce that no reader can be the cause."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digest.rules.bounces import (
    Blame,
    Fault,
    bare_words,
    blame_of,
    fault_of,
    is_surge,
    status_of,
)

DEAD = [
    "550 5.1.1 no such user",
    "553 5.1.2 <ada@gone.example>: unable to look up host gone.example: no such host",
    "501 5.1.3 Bad recipient address syntax",
    "551 5.1.6 ada has moved to ada@example.net",
    "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup",
    "556 5.1.10 Recipient address has null MX",
    "550 5.2.1 The email account that you tried to reach is disabled.",
    "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [DB5EUR01FT021]",
    "550 5.4.1 [ada@example.org]: Recipient address rejected: Access denied",
    "550 No such user here",
    "550 no such recipient",
    "550 unknown user",
    "550 <ada@example.org>: User unknown in virtual mailbox table",
    "550 Unknown local part ada in <ada@example.org>",
    "550 ada@example.org: Recipient address rejected: User unknown in relay recipient table",
    "550 mailbox not found",
    "554 delivery error: dd This user doesn't have an example.com account (ada@example.com) [0]",
    "550 ada is not a valid mailbox",
    "550 sorry, no mailbox here by that name",
    "550 Requested action not taken: mailbox does not exist",
    "550-5.1.1 The email account that you tried to 550-5.1.1 reach does not exist.",
    "550 The email account that you tried to reach does not exist",
    "550 Address ada@example.org does not exist",
    "550 invalid recipient",
    "550 no such user, returned to sender",
    "550 5.1.1 Unknown user ada (in reply to end of DATA command)",
    "550 Not our Customer",
    "smtp; 550 5.0.0 User unknown",
    "Invalid final delivery userid: ada@example.org",
    "User Ada (ada@example.org) not listed in Domino Directory",
    "ada@example.org on Mon, 9 Nov 2026 07:00:00 -0000 The recipient name is not recognized",
    "the address couldn't be found",
    "550 Utilisateur inconnu",
    "550 Empfänger unbekannt",
    "550 用户不存在",
]
FOR_A_TIME = [
    "552 5.2.2 mailbox full",
    "550 5.2.0 something about the mailbox",
    "550 5.2.1 The user you are trying to contact is receiving mail at a rate that prevents it",
    "550 5.3.0 Local configuration error",
    "550 5.3.2 system not accepting network messages",
    "554 5.3.5 local configuration error",
    "554 5.4.6 too many hops",
    "550 5.4.7 Delivery expired",
    "550 5.4.300 Message expired",
    "550 5.4.312 Message expired, DNS query failed",
    "550 5.4.316 Message expired, connection refused",
    "550 5.4.1 connection refused",
    "5.4.4 unable to route",
    "550 5.5.0 Requested action not taken: mailbox unavailable",
    "503 5.5.1 bad sequence of commands",
    "550 5.1.0 address rejected",
    "550 5.1.4 ambiguous address",
    "550 5.2.1 <ada@example.org>... User unknown",
    "550 5.1.0 Address rejected: unknown user",
    "550 5.5.0 no such user - ada",
    "550 Unknown user ada (in reply to end of DATA command)",
    "550 5.1.1 mailbox of ada is full",
    "550 5.1.1 user is over quota",
    "5.1.0 - Unknown address error 550-'5.2.2 <ada@example.org>... Mailbox Full'",
    "5.1.0 - Unknown address error 554-'delivery error'",
    "550 5.1.2 host lookup failed, try again",
    "450 4.1.1 user unknown",
    "450 user unknown",
    "452 4.2.2 full",
    "smtp; 550 5.0.0 no",
    "550 refused",
    "550 Requested action not taken: mailbox unavailable",
    "550 no such domain here",
    "550 temporarily disabled, no such user for now",
    "connect to 5.1.1.9: refused",
    "550 unknown error of the user's own",
    "550 recipient domain not found",
    "550 could not address this",
    "",
]
NOT_THE_READER = [
    "554 5.7.1 blocked, see 192.0.2.1 at 5.1.1.1",
    "554 5.7.1 user unknown",
    "550 5.7.509 Access denied, sending domain does not pass DMARC verification",
    "550 5.6.1 conversion",
    "552 5.2.3 message length exceeds limit",
    "552 5.3.4 message too large",
    "552 message size exceeds fixed maximum message size",
    "550 5.1.7 invalid sender address",
    "550 5.1.8 Access denied, bad outbound sender",
    "550 5.1.0 rejected by the SPF record of example.org",
    "550 5.0.0 Ip frequency limited",
    "550 5.0.0 DMARC check failed",
    "554 5.0.0 Service unavailable; client host [192.0.2.1] blocked using zen.example.org",
    "554 5.0.0 content rejected",
    "550 5.1.1 blocked using bl.example.org",
    "550 Sender address rejected: user unknown",
    "550 sender verify failed: no such user",
    "550 no such user (in reply to MAIL FROM command)",
    "5.1.0 - Unknown address error 550-'5.7.1 not from you'",
    "5.4.5 daily quota exceeded",
    "550 too many messages from your IP",
    "554 virus found",
    "550 relaying denied",
    "550 5.1.1 RCP-P2 Refused due to recipient preferences",
    "553 5.1.3 http://www.spamhaus.example/query/bl?ip=192.0.2.1",
    "554 This IP has been blocked for attempting to mail too many invalid recipients",
    "550 5.1.1 this IP has sent too many messages this hour",
    "550 relay not permitted",
    "530 authentication required",
    "550 Connection frequency limited",
]


@pytest.mark.parametrize(
    ("words", "blame"),
    [(words, Blame.HARD) for words in DEAD]
    + [(words, Blame.SOFT) for words in FOR_A_TIME]
    + [(words, Blame.POLICY) for words in NOT_THE_READER],
)
def test_whom_a_bounce_blames(words: str, blame: Blame) -> None:
    assert blame_of(fault_of(words)) is blame


@pytest.mark.parametrize(
    ("status", "words", "blame"),
    [
        ("5.1.1", "smtp; 552 5.2.2 mailbox full", Blame.SOFT),
        ("5.2.2", "smtp; 550 5.1.1 user unknown", Blame.SOFT),
        ("5.1.1", "smtp; 450 4.1.1 user unknown", Blame.SOFT),
        ("5.1.1", "smtp; 450 user unknown", Blame.SOFT),
        ("4.4.7", "smtp; 550 5.1.1 user unknown", Blame.SOFT),
        ("5.1.1", "smtp; 554 5.7.1 not from you", Blame.POLICY),
        ("5.7.1", "smtp; 550 no such user", Blame.POLICY),
        ("5.0.0", "smtp; 550 5.1.1 user unknown", Blame.HARD),
        ("5.0.0", "smtp; 550 user unknown", Blame.HARD),
        ("5.1.1", "smtp; 550 5.0.0 refused", Blame.HARD),
        ("5.0.0", "smtp; 550 5.0.0 refused", Blame.SOFT),
        ("5.1.1", "", Blame.HARD),
        ("", "smtp; 550 5.1.1 gone", Blame.HARD),
        ("", "unknown user: ada", Blame.HARD),
    ],
)
def test_of_a_status_and_the_servers_own_words_the_milder_counts(
    status: str, words: str, blame: Blame
) -> None:
    assert blame_of(fault_of(words, status)) is blame


NAMED = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10"}


@given(
    st.sampled_from("245"),
    st.integers(0, 9),
    st.integers(0, 999),
    st.sampled_from(["", "550 ", "smtp; 554 "]),
)
def test_without_words_only_a_named_code_kills(
    digit: str, subject: int, detail: int, before: str
) -> None:
    status = f"{digit}.{subject}.{detail}"
    dead = blame_of(fault_of(f"{before}{status} refused")) is Blame.HARD
    assert dead == (status in NAMED)
    assert (blame_of(fault_of("", status)) is Blame.HARD) == (status in NAMED)


@given(st.text(max_size=80), st.sampled_from(["5.2.2", "5.7.1", "4.1.1", "5.4.316", "5.1.7"]))
def test_no_words_turn_a_milder_code_into_a_dead_address(words: str, status: str) -> None:
    assert fault_of(f"{words} no such user", status) is not Fault.ADDRESS


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("554 5.7.1. Relaying denied", "5.7.1"),
        ("550 5.1.1: gone", "5.1.1"),
        ("(#5.1.1)", "5.1.1"),
        ("at 5.1.1.9", ""),
        ("at 9.5.1.1", ""),
        ("version 5.1.1234", ""),
        ("6.1.1", ""),
    ],
)
def test_a_status_code_in_a_servers_words(text: str, status: str) -> None:
    assert status_of(text) == status


def test_a_digest_that_is_too_large_for_a_mailbox_is_the_mails_fault_and_not_the_readers() -> None:
    """Three large digests must not end in a suppression: the next one may be small."""
    assert fault_of("5.3.4") is Fault.MESSAGE
    assert blame_of(Fault.MESSAGE) is Blame.POLICY


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("550 Ip frequency limited [a1b2c3]", "550 Ip frequency limited [ffee99]", True),
        ("550 <ada@example.org> refused (id 17)", "550 <lin@example.org> refused (id 1234)", True),
        ("554 mx1.a.example said: no, 192.0.2.1", "554 mx2.b.example said: no, 192.0.2.7", True),
        ("550 refused", "550 accepted elsewhere", False),
        ("550 refused: #17 ab-1", "554 refused: #18 cd-2", True),
    ],
)
def test_what_is_said_to_one_reader_and_to_another(one: str, other: str, same: bool) -> None:
    assert (bare_words(one) == bare_words(other)) is same


def test_a_readers_own_name_is_no_difference_between_what_two_readers_were_refused() -> None:
    said = [
        bare_words(f"550 the box of {name} is closed", f"{name}@example.org")
        for name in ("ada", "lin.wei", "bob+arxiv")
    ]
    assert said == ["the box of is closed"] * 3


@pytest.mark.parametrize(
    ("bounced", "readers", "surge"),
    [(4, 4, False), (5, 5, True), (5, 100, False), (6, 100, True), (50, 1000, False)],
)
def test_what_is_a_multitude(bounced: int, readers: int, surge: bool) -> None:
    assert is_surge(bounced, readers) is surge
