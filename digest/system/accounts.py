"""The names of the accounts on this machine."""

from __future__ import annotations


def account_name(uid: int, unnamed: str = "") -> str:
    """The name of an account; where it has none, `unnamed`, or else its number."""
    import pwd  # which Windows lacks, where only a few commands work

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return unnamed or str(uid)
