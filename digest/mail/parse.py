"""Parsing of mails that may be hostile, in a time that grows with their length alone.

The standard library's parser bounds nothing: an open quotation mark before 60,000 semicolons, a
charset such as punycode, or many levels of parts times many lines cost it seconds to hours.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import Message
from email.parser import HeaderParser
from email.policy import Compat32
from itertools import islice

from digest.mail.message import words

LONGEST_HEADER = 64 * 1024
"""Bytes of a message's header beyond which nothing of it is read; no mail of people or servers has
a tenth of that."""
LONGEST_BODY = 256 * 1024
"""Bytes of a body that are looked at: a bounce that returns a digest whole has 200 kB."""
LONGEST = LONGEST_HEADER + LONGEST_BODY
"""Bytes of a message that are looked at."""
MOST_LINES = 10_000
"""Lines of a message that are looked at; each is compared with the boundaries of all parts that it
may be in."""
LONGEST_FIELD = 8_000
"""Characters of a header field that are looked at …"""
LONGEST_CONTENT_FIELD = 1_000
"""… and of a Content-Type and its like, whose parameters take a time that grows with the square."""
LONGEST_PART = 64 * 1024
"""Bytes of a part's content that are looked at."""

CHARSETS = frozenset(
    """ascii utf-8 utf-16 utf-16-le utf-16-be utf-7 koi8-r koi8-u tis-620 cp874
    gb2312 gbk gb18030 hz big5 big5hkscs cp950 euc_jp shift_jis cp932 iso2022_jp iso2022_jp_1
    iso2022_jp_2 euc_kr cp949 iso2022_kr johab""".split()
    + [f"iso8859-{number}" for number in range(1, 17)]
    + [f"cp{number}" for number in range(1250, 1259)]
)
"""The charsets that are read, by Python's names for them. Its others are not for mail (idna), or
slow (punycode)."""

_LINE_END = re.compile(rb"\r\n|\r|\n")


class RefusedError(Exception):
    """A message is not read; the text says why."""


class _Cut(Compat32):
    """Reads header fields as far as they are looked at."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        content = name.lower().startswith("content-")
        return name, value[: LONGEST_CONTENT_FIELD if content else LONGEST_FIELD]


_CUT = _Cut()


def parse(raw: bytes) -> Message:
    """A message as it is looked at: the rest of what is very long is left out. Raises RefusedError
    where its header is longer than any.
    """
    header = _header_of(raw)
    if len(header) > LONGEST_HEADER:
        raise RefusedError(f"its header is longer than {LONGEST_HEADER // 1024} kB")
    looked_at = raw[: len(header) + LONGEST_BODY]
    last = next(islice(_LINE_END.finditer(looked_at), MOST_LINES, None), None)
    return message_from_bytes(looked_at[: last.end()] if last else looked_at, policy=_CUT)


def parse_fields(block: str) -> Message:
    """A block of fields, and nothing of what may stand below it."""
    return HeaderParser(policy=_CUT).parsestr(block[:LONGEST_HEADER])


def key_of(raw: bytes) -> str:
    """What a message is known by, wherever it lies: a hash of what is looked at."""
    return hashlib.sha256(raw[:LONGEST]).hexdigest()


def glimpse(raw: bytes) -> tuple[str, str]:
    """Sender and subject as they stand there, for people who look for a message that is not read;
    empty where there are none.
    """
    found = {
        name.strip().lower(): value
        for name, _, value in (line.partition(b":") for line in _header_of(raw).splitlines())
    }
    sender, subject = (
        found.get(name, b"").decode("utf-8", "replace") for name in (b"from", b"subject")
    )
    return words(sender, 100), words(subject, 100)


def _header_of(raw: bytes) -> bytes:
    """The header of a message, up to one byte more than is read."""
    return re.split(rb"\r?\n\r?\n", raw[: LONGEST_HEADER + 1], maxsplit=1)[0]


def content(part: Message) -> bytes:
    """The beginning of what a part holds, decoded from base64 or quoted-printable; nothing where it
    has parts.
    """
    found = part.get_payload(decode=True)
    return found[:LONGEST_PART] if isinstance(found, bytes) else b""


def parts_of(part: Message) -> list[Message]:
    """The parts of a part; none where it has content instead."""
    # Asked for without decoding, content would be decoded all the same, from any charset.
    payload = part.get_payload() if part.is_multipart() else []
    return [one for one in payload if isinstance(one, Message)]


def text(data: bytes, charset: str | None) -> str:
    """A text in a charset that is read. What stands in another is taken for ASCII, which most hold
    as it is; what is no character of it becomes U+FFFD.
    """
    try:
        name = codecs.lookup(charset or "utf-8").name
    except (LookupError, ValueError):
        name = ""
    return data.decode(name if name in CHARSETS else "ascii", "replace")


def field(value: object) -> str:
    """The text of a header field, its encoded words (RFC 2047) decoded."""
    try:
        pieces = decode_header(str(value))
    except (ValueError, MessageError):  # base64 that is none
        return str(value)
    return "".join(
        piece if isinstance(piece, str) else text(piece, charset) for piece, charset in pieces
    )
