"""Bodies: encoded once for all their readers, and cut where lines belong to one reader alone."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

from digest.model import Attachment, Rendered, marked_lines

LONGEST_LINE = 998
"""Octets that no line may exceed (RFC 5322 section 2.1.1)."""

QUOTED_PRINTABLE_LINE = 76
"""Characters of an encoded line at most (RFC 2045 section 6.7, rule 5)."""

_OF_PAPER = b"\x01"
"""Begins a piece that follows a paper's line, before the part and the number; nothing that is
encoded holds it. A piece that follows the reader's line begins without it."""


class Lines(NamedTuple):
    """What one reader is told at a marked line, in the text part and, as HTML, in the HTML part;
    where it is empty nothing is left of the line.

    A link in the text stands on a line of its own, with at most 70 characters and no `=`: so no
    encoding cuts it, nor spells it otherwise.
    """

    text: str
    html: str


PaperLines: TypeAlias = Callable[[int], Lines]
"""Gives the lines of a paper by its number in the digest."""


def freeze(rendered: Rendered) -> tuple[bytes, ...]:
    """Encode a body once, as a MIME entity with its headers, and cut it at the marked lines.

    Text comes before HTML in a multipart/alternative, both quoted-printable UTF-8 with CRLF; text
    alone is no multipart. A file follows them in a multipart/mixed. Raises ValueError where a part
    does not hold the mark as `Rendered` says.
    """
    parts = [("text", "plain", rendered.text), ("HTML", "html", rendered.html)][
        : 2 if rendered.html else 1
    ]
    marked: list[bytes] = []
    for name, subtype, part in parts:
        try:
            own = marked_lines(part, rendered.mark)
        except ValueError as error:
            raise ValueError(f"in the {name} part {error}") from error
        marked += [f"{subtype} {number}".encode() if number else b"" for number in own]
    entity = _alternative([(subtype, part) for _, subtype, part in parts], rendered.mark)
    if rendered.attachment:
        entity = _multipart(
            "mixed", [entity, _attached(rendered.attachment)], f"{rendered.mark} and a file"
        )
    flat = b"MIME-Version: 1.0\r\n" + entity
    first, *others = flat.split(f"\r\n{rendered.mark}".encode())
    if len(others) != len(marked):
        raise ValueError(
            "the mark is not a plain word: its lines cannot be found once they are encoded"
        )
    pieces = [first + b"\r\n"]
    for own_line, other in zip(marked, others, strict=True):
        start = _OF_PAPER + own_line + b"\r\n" if own_line else b""
        pieces.append(start + other.partition(b"\r\n")[2] + b"\r\n")
    pieces[-1] = pieces[-1].removesuffix(b"\r\n")
    return tuple(pieces)


def has_paper_lines(pieces: tuple[bytes, ...]) -> bool:
    """Whether papers have lines in a body."""
    return any(piece.startswith(_OF_PAPER) for piece in pieces)


def filled(pieces: tuple[bytes, ...], own: Lines, papers: PaperLines) -> bytes:
    """One reader's body: the pieces with the reader's `own` lines and those of the papers between
    them.
    """
    # The marks stood alone on their lines, so a line's encoding does not depend on what is around.
    whole, readers = [pieces[0]], iter(own)
    for piece in pieces[1:]:
        if piece.startswith(_OF_PAPER):
            name, _, piece = piece.partition(b"\r\n")
            subtype, _, number = name[1:].partition(b" ")
            line = papers(int(number))[subtype == b"html"]
        else:
            line = next(readers)
        whole += [_encoded(line), piece]
    return b"".join(whole)


def shown(rendered: Rendered, own: Lines, papers: PaperLines) -> Lines:
    """Both parts of a digest as a reader will see them, nothing of them encoded."""

    def put_in(line: str, kind: int) -> str:
        if line == rendered.mark:
            return own[kind]
        return papers(int(line.removeprefix(f"{rendered.mark}-")))[kind]

    def whole(part: str, kind: int) -> str:
        lines = (
            (put_in(line, kind) or None) if line.startswith(rendered.mark) else line
            for line in part.split("\n")
        )
        return "\n".join(line for line in lines if line is not None)

    return Lines(whole(rendered.text, 0), whole(rendered.html, 1))


def _encoded(line: str) -> bytes:
    """A line in quoted-printable, with its line end; a long one gets soft breaks."""
    if not line:
        return b""
    return binascii.b2a_qp(line.encode(), istext=True).replace(b"\n", b"\r\n") + b"\r\n"


def _alternative(parts: Sequence[tuple[str, str]], mark: str) -> bytes:
    """Texts as one MIME entity; the email package would make the same in ten times as long."""
    sections = [
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n".encode()
        + binascii.b2a_qp(text.encode(), istext=True).replace(b"\n", b"\r\n")
        for subtype, text in parts
    ]
    # Plain text first: the last alternative that a program can show is preferred (RFC 2046 section
    # 5.1.4).
    return sections[0] if len(sections) == 1 else _multipart("alternative", sections, mark)


def _attached(attachment: Attachment) -> bytes:
    """A file as a MIME entity (RFC 2183); its name is of our own making, in ASCII."""
    head = (
        f'Content-Type: {attachment.media}; name="{attachment.name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{attachment.name}"\r\n\r\n'
    )
    return head.encode() + base64.encodebytes(attachment.text.encode()).replace(b"\n", b"\r\n")


def _multipart(subtype: str, sections: Sequence[bytes], seed: str) -> bytes:
    """Entities as one; each `seed` gives a boundary of its own, and always the same."""
    # "=_" cannot occur in a quoted-printable body, nor in base64, so no paper can end a part early
    # (RFC 2045 section 6.7).
    boundary = f"=_{hashlib.sha256(seed.encode()).hexdigest()[:24]}"
    begin = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n'
    next_ = f"\r\n--{boundary}".encode()
    return b"".join(
        [begin.encode(), *(next_ + b"\r\n" + section for section in sections), next_, b"--\r\n"]
    )
