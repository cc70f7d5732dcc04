"""The receipt of a digest: in a sentence, how its papers and those that are not in it add up."""

from __future__ import annotations

from functools import partial

from digest.keywords import words
from digest.model import Digest
from digest.times import day_in_words

counted = partial(words.counted, separator=",")


def receipt(digest: Digest) -> str:
    """What arXiv sent since the digest before, how many papers were first seen in that, and where
    each went; "" for a digest from before there were receipts.
    """
    tally = digest.tally
    if tally is None:
        return ""
    found = counted(tally.matched, "paper") if tally.matched else "no paper"
    if digest.previous is None:
        start = f"{found} to begin with"
    elif tally.rows:
        rows, day = counted(tally.rows, "row"), day_in_words(digest.previous)
        start = f"arXiv sent {rows} since {day}, among them {found} first seen"
    else:
        start = f"{found} first seen since {day_in_words(digest.previous)}"
    agreed = "; its search was asked as well, and held no more" if tally.agreed else ""
    return f"Receipt: {start}{_where(shares(digest))}{agreed}."


def shares(digest: Digest) -> dict[str, int]:
    """Where the papers of a digest's tally went, in words, and how many: they add up to it."""
    if digest.tally is None:
        return {}
    tally = digest.tally
    return {
        "in this digest": digest.papers,
        "sent before": tally.had,
        "excluded": tally.excluded,
        "let go after the pause": digest.skipped,
        "too old": tally.old,
    }


def _where(numbers: dict[str, int]) -> str:
    parts = [(number, where) for where, number in numbers.items() if number]
    if len(parts) > 1:
        return f": {', '.join(f'{number:,} {where}' for number, where in parts)}"
    every = "all " if parts and parts[0][0] > 1 else ""
    return "".join(f", {every}{where}" for _, where in parts)
