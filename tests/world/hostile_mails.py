"""Mails that are made to cost time or memory, and a way to say that they do not."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hypothesis import strategies as st

START = b"From: Mail Delivery System <MAILER-DAEMON@mx.example.net>\r\nTo: bounces@example.org\r\n"
MIXED = START + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
TEXT = START + b"Content-Type: text/plain\r\n"
HTML = START + b"Content-Type: text/html\r\n\r\n"
REPORT = START + b"Content-Type: message/delivery-status\r\n\r\nAction: failed\n"


def _nested(depth: int, tail: bytes) -> bytes:
    levels = (
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth)
    )
    return START + b"".join(levels) + tail


SLOW = {
    "semicolons": START + b'Content-Type: text/plain; "' + b";" * 60_000 + b"\r\n\r\nunsubscribe",
    "semicolons in a part": MIXED
    + b'--b\r\nContent-Type: text/plain; "'
    + b";" * 200_000
    + b"\r\n\r\nx",
    "punycode": START + b"Content-Type: text/plain; charset=punycode\r\n\r\n" + b"a" * 1_000_000,
    "punycode in a header": START + b"Subject: =?punycode?q?" + b"a" * 60_000 + b"?=\r\n\r\nx",
    "punycode in eight bits": START
    + b"Content-Type: text/plain; charset=punycode\r\n\r\n\xe4"
    + b"a" * 250_000,
    "a long encoded word": START
    + b"Content-Type: message/rfc822\r\n\r\nMessage-ID: =?utf-8?q?"
    + b"=41" * 33_000
    + b"?=\r\n\r\nx",
    "levels times lines": _nested(80, b"\na\n" * 120_000),
}
"""Mails for which the standard library's parser took from half a second to 46 s."""

MORE = {
    "fifty thousand parts": MIXED + b"--b\n\n" * 50_000,
    "more levels than the stack": _nested(5_000, b"x"),
    "uuencoded": TEXT
    + b"Content-Transfer-Encoding: uuencode\r\n\r\nbegin 644 a\n"
    + b"M\n" * 120_000,
    "mails in mails": START + b"Content-Type: message/rfc822\n\n" * 9_000,
    "continued parameters": START
    + b"Content-Type: text/plain"
    + b"".join(b"; a*%d*=%%41" % number for number in range(5_000))
    + b"\r\n\r\nx",
    "a long charset": START + b"Content-Type: text/plain; charset=" + b"a" * 50_000 + b"\r\n\r\nx",
    "names in a charset": START
    + b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n"
    + b"\\N{LATIN SMALL LETTER A}" * 30_000,
    "utf-7": START + b"Content-Type: text/plain; charset=utf-7\r\n\r\n" + b"+AA" * 300_000,
    "begun encoded words": START + b"Subject: " + b"=?a?q?" * 10_000 + b"\r\n\r\nx",
    "many encoded words": START + b"Subject: " + b"=?utf-8?q?a?= " * 4_000 + b"\r\n\r\nx",
    "comments in an address": START + b"To: " + b"(" * 60_000 + b"\r\n\r\nx",
    "many fields": START + b"To: bounces@example.org\r\n" * 2_500 + b"\r\nx",
    "many reports": REPORT + b"\nAction: failed\nFinal-Recipient: rfc822;a\n" * 6_000,
    "reports and prose": MIXED
    + b"--b\r\n\r\n"
    + b"abc " * 16_000
    + b"\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
    + b"Action: failed\nFinal-Recipient: rfc822;a@b\n\n" * 3_000,
    "a ruler": START + b"\r\n" + b"-" * 250_000,
    "quotes in an address": b"From: " + b'"' * 60_000 + b"\r\n\r\nx",
    "a long diagnosis": REPORT + b"Diagnostic-Code: " + b"5." * 120_000,
    "references": START
    + b"Auto-Submitted: auto-replied\r\nReferences: "
    + b"<a>" * 20_000
    + b"\r\n\r\nx",
    "bare returns": START + b"\r\n" + b"\r" * 256_000,
    "blanks": START + b"In-Reply-To: <a@b>\r\n\r\n" + b" " * 256_000,
    "addresses in prose": START
    + b"\r\nThis is the qmail-send program\r\n"
    + b"<a@b>:\r\n" * 30_000,
    "rulers": START + b"\r\n" + b"-----\n" * 40_000,
    "comments in a page": HTML + b"<!--" * 60_000,
    "tags in a page": HTML + b"<a " * 80_000,
    "attributes in a page": HTML + b"<a " + b'a="' * 80_000,
    "polite words": START + b"\r\n" + b"please " * 36_000,
    "marks over letters": START
    + b"Content-Type: text/plain; charset=utf-8\r\n\r\na"
    + "\u0323\u0301".encode() * 60_000,
    "brackets": START + b"Subject: " + b"[a]" * 20_000 + b"\r\n\r\nx",
    "replies to replies": START + b"Subject: " + b"re : " * 12_000 + b"\r\n\r\nx",
    "base64 of nothing": TEXT + b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 250_000,
}
"""Mails of other kinds, tried for the same."""


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Whether what happens here takes no more of the processor's time, however busy it is."""
    began = time.process_time()
    yield
    taken = time.process_time() - began
    assert taken <= seconds, f"{taken:.1f} s of the processor's time"


_PIECES = st.sampled_from(
    [
        *(
            b"\r\n",
            b"\n",
            b"\r",
            b" ",
            b"\t",
            b";",
            b'"',
            b"\\",
            b"=",
            b"<",
            b">",
            b"(",
            b"[",
            b"@",
        ),
        *(
            b"=?utf-8?q?",
            b"=?punycode?b?",
            b"?=",
            b"=41",
            b"%41",
            b"*0*=",
            b"--b",
            b"--b--",
            b"+AA",
        ),
        *(
            b"multipart/mixed; boundary=b",
            b"message/rfc822",
            b"message/delivery-status",
            b"text/html",
        ),
        *(
            b"text/plain; charset=",
            b"punycode",
            b"utf-7",
            b"idna",
            b"utf-16",
            b"rot13",
            b"uu",
            b"utf-8",
        ),
        *(
            b"a@example.org",
            b"<a@b>",
            b"5.1.1",
            b"failed",
            b"rfc822;",
            b"unsubscribe",
            b"please ",
            b"re:",
        ),
        *(
            b"<!--",
            b"<a ",
            b"&#",
            b"<blockquote>",
            b"-----",
            b"M",
            b"begin 644 a",
            b"\x00",
            b"\xff\xfe",
        ),
        *("\u0301".encode(), "退订".encode(), b"~{", b"\x1b$B"),
    ]
) | st.binary(max_size=8)
Run = tuple[bytes, int]
"""A piece, and how often it stands there in a row."""

_TEXTS = st.lists(st.tuples(_PIECES, st.sampled_from((1, 1, 1, 2, 40, 3_000, 60_000))), max_size=8)
_NAMES = st.sampled_from(
    """From To Subject Content-Type Content-Disposition Content-Transfer-Encoding In-Reply-To
    Message-ID Action Status Final-Recipient Diagnostic-Code Feedback-Type Auto-Submitted
    X-Failed-Recipients List-Unsubscribe Return-Path""".split()
).map(str.encode)
_FIELDS = st.lists(st.tuples(_NAMES, _TEXTS), max_size=5)


@dataclass(frozen=True)
class HostileMail:
    """A mail as it was drawn; `bytes` makes it. Hypothesis remembers all bytes that it draws, in
    thousands of examples, so none of them is long.
    """

    start: bytes
    fields: list[tuple[bytes, list[Run]]]
    text: list[Run]
    more_fields: list[tuple[bytes, list[Run]]]
    more_text: list[Run]

    def __bytes__(self) -> bytes:
        head, part = (
            b"".join(b"%s: %s\r\n" % (name, _text(runs)) for name, runs in fields)
            for fields in (self.fields, self.more_fields)
        )
        text, more = _text(self.text), _text(self.more_text)
        return b"%s%s\r\n%s\r\n--b\r\n%s\r\n%s" % (self.start, head, text, part, more)


def _text(runs: list[Run]) -> bytes:
    return b"".join(piece * min(times, 300_000 // max(1, len(piece))) for piece, times in runs)


hostile_mails = st.builds(
    HostileMail,
    st.sampled_from((b"", START, MIXED, HTML, REPORT)),
    _FIELDS,
    _TEXTS,
    _FIELDS,
    _TEXTS,
)
