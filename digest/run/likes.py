"""Which papers a reader means who asks for more like those of a mail, on the web or by mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from digest.mail.reader_tokens import TOKEN, Purpose, Signer
from digest.store import Store
from digest.store.preferences import Offered


@dataclass(frozen=True, slots=True)
class Chosen:
    """The reader of a mail, the base ids of those of its papers that were chosen by their numbers,
    and the numbers that no paper has there.
    """

    reader: int
    papers: tuple[str, ...]
    missing: tuple[int, ...]


def choose(store: Store, signer: Signer, text: str, numbers: Sequence[int]) -> Chosen | None:
    """The papers with these numbers in the mail whose token stands in a text; None where no genuine
    one does, or the mail is no longer known.
    """
    offered = next(_offered(store, signer, text), None)
    if offered is None:
        return None
    found = dict.fromkeys(number for number in numbers if number in offered.papers)
    missing = dict.fromkeys(number for number in numbers if number not in offered.papers)
    return Chosen(offered.reader, tuple(offered.papers[n] for n in found), tuple(missing))


def _offered(store: Store, signer: Signer, text: str) -> Iterator[Offered]:
    """What those mails offer whose tokens stand in a text, and still count for their readers."""
    for found in TOKEN.finditer(text.lower()):
        offered = store.preferences.offered(int(found[1]))
        if offered and signer.is_own(Purpose.LIKE, found[0], offered.links):
            yield offered
