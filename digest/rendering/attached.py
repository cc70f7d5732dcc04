"""The papers of a digest as a file that comes with the mail."""

from __future__ import annotations

from digest.model import Attach, Attachment, Digest
from digest.rendering.export import FILES, WRITERS, file_name, records_of

ATTACHED_BYTES = 200_000
"""The longest file that has the abstracts, in bytes of UTF-8: a longer one leaves them out, and
names every paper all the same, as the text part does."""


def attachment_of(digest: Digest) -> Attachment | None:
    """The file that comes with a digest; None where none is wanted, or no paper stands in it."""
    if digest.attach is Attach.NONE or not digest.papers:
        return None
    ending, media = FILES[digest.attach]
    write = WRITERS[digest.attach]
    text = "".join(write(records_of(digest)))
    if len(text.encode()) > ATTACHED_BYTES:
        text = "".join(write(records_of(digest, abstracts=False)))
    return Attachment(file_name(digest, ending), media, text)
