"""The accounts on this machine: their names, and who besides this user can write a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def account_name(uid: int, unnamed: str = "") -> str:
    """The name of an account; where it has none, `unnamed`, or else its number."""
    import pwd  # which Windows lacks, where only a few commands work

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return unnamed or str(uid)


def account_home(uid: int) -> str:
    """The home folder of an account; the root folder, as containers have it, where it has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/"


def foreign_hand(path: Path, *, group: bool) -> str:
    """Why what stands at a path may be somebody else's word, to be put after the path; or "".

    It is where another user but root owns it, or a link there, or where everybody can write it;
    with `group`, also where its group can and has other members than this user and root (on Debian
    each user's own group has none, and umask 002 is its default). What is not there is nobody's.
    """
    me = os.geteuid()
    try:
        link, found = path.lstat(), path.stat()
    except OSError:
        return ""
    for owner in (link.st_uid, found.st_uid):
        if owner not in (0, me):
            return f"belongs to {account_name(owner, f'user {owner}')}"
    if found.st_mode & stat.S_IWOTH:
        return "can be written by everybody"
    if group and found.st_mode & stat.S_IWGRP and (name := shared_group(found.st_gid)):
        return f"can be written by the group {name}"
    return ""


def shared_group(gid: int) -> str:
    """The name of a group that has other members than this user and root; "" where it has none, as
    far as this machine knows.
    """
    import grp
    import pwd

    known = {account_name(os.geteuid()), account_name(0)}
    try:
        name, _, _, members = grp.getgrgid(gid)
    except KeyError:
        name, members = str(gid), []
    users = {user.pw_name for user in pwd.getpwall() if user.pw_gid == gid}
    return name if {*members, *users} - known else ""
