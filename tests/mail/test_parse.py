"""Mails that are made to be slow are read quickly, or not at all."""

from __future__ import annotations

import os
from email.message import Message

import pytest
from hypothesis import HealthCheck, given, settings

from digest.mail.incoming import MOST_NAMED, read_incoming
from digest.mail.parse import (
    LONGEST_BODY,
    LONGEST_HEADER,
    LONGEST_PART,
    RefusedError,
    content,
    field,
    key_of,
    parse,
    text,
)
from digest.mail.received import Incoming, MessageKind
from tests.world.hostile_mails import (
    HTML,
    MORE,
    REPORT,
    SLOW,
    START,
    TEXT,
    HostileMail,
    at_most,
    hostile_mails,
)
from tests.world.letters import letter

OTHER = MessageKind.OTHER


@pytest.mark.parametrize("name", SLOW)
def test_what_took_seconds_to_hours_takes_less_than_two(name: str) -> None:
    with at_most(2.0):
        read_incoming(SLOW[name])


@pytest.mark.heavy
@pytest.mark.parametrize("name", MORE)
def test_what_was_tried_besides_takes_less_than_two(name: str) -> None:
    with at_most(2.0):
        read_incoming(MORE[name])


@pytest.mark.heavy
@settings(
    max_examples=int(os.environ.get("EXAMPLES", "100")), suppress_health_check=list(HealthCheck)
)
@given(mail=hostile_mails)
def test_no_mail_takes_more_than_two_seconds(mail: HostileMail) -> None:
    raw = bytes(mail)
    with at_most(2.0):
        found = read_incoming(raw)
    assert Incoming.from_json(found.to_json()) == found


def test_a_header_that_is_longer_than_any_is_refused_and_shown() -> None:
    long = START + b"Subject: Evil\r\nX: " + b"x" * LONGEST_HEADER + b"\r\n\r\nunsubscribe"
    with pytest.raises(RefusedError):
        parse(long)
    found = read_incoming(long)
    assert (found.kind, found.said) == (OTHER, "its header is longer than 64 kB")
    assert (found.sender[:20], found.subject) == ("Mail Delivery System", "Evil")
    # One that has no end within what is looked at is as long, and one that fits is read.
    assert read_incoming(b"X: " + b"x" * 2 * LONGEST_HEADER).said == found.said
    assert parse(START + b"X: " + b"x" * (LONGEST_HEADER - 500) + b"\r\n\r\nx").get_payload() == "x"


def test_of_a_body_so_much_is_looked_at() -> None:
    assert len(parse(TEXT + b"\r\n" + b"x" * 2 * LONGEST_BODY).get_payload()) <= LONGEST_BODY
    assert len(content(parse(TEXT + b"\r\n" + b"x" * LONGEST_BODY))) == LONGEST_PART
    assert parse(TEXT + b"\r\n" + b"x\n" * 50_000).get_payload().count("\n") < 10_000
    long = TEXT + b"\r\n" + b"x" * LONGEST_BODY * 2
    assert key_of(long) == key_of(long + b"more")


def test_of_a_field_so_much_is_looked_at() -> None:
    message = parse(
        START + b"Content-Type: " + b"a" * 9_000 + b"\r\nX: " + b"b" * 9_000 + b"\r\n\r\n"
    )
    assert (len(message["Content-Type"]), len(message["X"])) == (1_000, 8_000)


@pytest.mark.parametrize(
    ("charset", "raw", "read"),
    [
        ("UTF8", "Grüße".encode(), "Grüße"),
        ("Latin1", "Grüße".encode("latin-1"), "Grüße"),
        ("windows-1252", b"\x93unsubscribe\x94", "“unsubscribe”"),
        ("ks_c_5601-1987", "수신거부".encode("euc-kr"), "수신거부"),
        ("ISO-2022-JP", "配信停止".encode("iso2022_jp"), "配信停止"),
        ("gb2312", "退订".encode("gb2312"), "退订"),
        ("punycode", b"unsubscribe", "unsubscribe"),
        ("no-such-charset", b"unsubscribe \xff", "unsubscribe \ufffd"),
        ("rot13", b"unsubscribe", "unsubscribe"),
        ("utf\x008", b"unsubscribe", "unsubscribe"),
        (None, "Grüße".encode(), "Grüße"),
    ],
)
def test_charsets_that_are_read_and_others(charset: str | None, raw: bytes, read: str) -> None:
    assert text(raw, charset) == read


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("=?utf-8?q?Gr=C3=BC=C3=9Fe?= <ada@example.org>", "Grüße <ada@example.org>"),
        ("Re: =?iso-8859-1?q?Gr=FC=DFe?=", "Re: Grüße"),
        ("=?utf-8?b?R3I=?= =?utf-8?b?w7zDn2U=?=", "Grüße"),
        ("=?punycode?q?abc?=", "abc"),
        ("=?utf-8?b?broken", "=?utf-8?b?broken"),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
    ],
)
def test_encoded_words_are_decoded(value: str, read: str) -> None:
    assert field(value) == read


def test_what_is_told_of_a_mail_is_bounded() -> None:
    many = b"".join(b"\nAction: failed\nFinal-Recipient: rfc822;a%d@b\n" % n for n in range(400))
    assert len(read_incoming(REPORT + many).recipients) < MOST_NAMED
    answered = letter(
        "Re: 3 new papers", "unsubscribe", References=" ".join(f"<{n}>" for n in range(999))
    )
    found = read_incoming(answered)
    assert (found.kind, len(found.message_ids), found.message_ids[-1]) == (
        MessageKind.LEAVE,
        MOST_NAMED,
        "<998>",
    )


def test_a_page_is_read_however_it_is_cut() -> None:
    assert (
        read_incoming(HTML.replace(b"MAILER-DAEMON", b"ada") + b"<p>unsubscribe").kind
        is MessageKind.LEAVE
    )
    assert isinstance(parse(b""), Message)


def test_a_library_that_stumbles_hides_no_bounce_and_logs_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    raw = (
        b"From: \r\nSubject: Undelivered mail\r\n\r\n<ada@example.org>: 550 5.1.1 User unknown\r\n"
    )
    assert read_incoming(raw).kind is MessageKind.BOUNCE
    assert caplog.text == ""
