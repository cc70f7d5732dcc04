"""Record all that is seen of Digest from outside, to show that moving its code changed nothing.

    python -m tests.record BEFORE     (then move, rename and divide modules)
    python -m tests.record AFTER
    diff -r BEFORE AFTER

The folder holds what each command prints, its exit code and what it asks of arXiv and GitHub, the
mails, pages and databases that are left, and the names of all that a template is given. No module
is named here but the command line.
"""

from __future__ import annotations

import datetime
import importlib
import json
import os
import platform
import re
import shlex
import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import click

from tests.world.recorded import (
    CHANGES,
    DAYS,
    FIELDS,
    FILES,
    LISTED,
    NAMES,
    PLAIN,
    PROGRAMS,
    READER,
    REPORTS,
    SETTINGS,
    SUBSCRIBERS,
    VALUES,
    WAITING,
    WHOLE,
    WRONG,
)
from tests.world.recording import Clock, Neighbour, World, import_all


def commands(command: click.Command, *names: str) -> Iterator[tuple[list[str], click.Command]]:
    """A command and all below it, with their names."""
    yield list(names), command
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            if below := command.get_command(click.Context(command), name):
                yield from commands(below, *names, name)


def options(command: click.Command) -> Iterator[click.Option]:
    """The options that the help of a command names."""
    for each in command.params:
        if isinstance(each, click.Option) and not (each.hidden or each.count):
            yield each


def record_examples(world: World, like: World, cli: click.Group) -> None:
    """The examples of each command's help, alone and with each of its switches."""
    for names, command in commands(cli):
        world.copy_home(like)
        examples = world(*names, "--help").partition("\nExample")[2]
        if names in (["daemon"], ["serve"], ["demo"]):  # the first two stay, the last has its own
            continue
        flags = [each.opts[0] for each in options(command) if each.is_flag]
        for example in re.findall(r"(?m)^  digest (.+)$", examples):
            for more in ([], *([flag] for flag in flags if flag not in ("--open", "--yes"))):
                world(*shlex.split(example), *more)


PLACES = {"email": "ada@example.org", "emails": "ada@example.org"}
"""What is written where a command needs an argument; an x in all others."""


def record_mistakes(world: World, like: World, cli: click.Group) -> None:
    """Flags that are none, too many and too few arguments, and wrong values of each flag."""
    for names, command in commands(cli):
        world.copy_home(like)
        needed = [param for param in command.params if param.required]
        args = [PLACES.get(str(param.name), "x") for param in needed]
        for given in (["--nonsense"], list("abcdef"), *([[]] if needed else [])):
            world(*names, *given)
        for option in options(command):
            for value in ("?", "-1") if not option.is_flag else ():
                world(*names, *args, option.opts[-1], *[value] * option.nargs)


def record_broken(world: World) -> None:
    """What is said of subscribers files with mistakes."""
    every = "\n".join(f"{name}: {value}" for name in NAMES.split() for value in VALUES.split("|"))
    named = "keywords: {Reward Model: reward, Hallucination: x y}\ngroups: {vision: [x]}\n"
    listed = named + READER.replace("[x]\n    ", "\n      - ")
    for before, text in ((READER, every), (READER, FIELDS), (listed, LISTED), ("", WHOLE)):
        for case in re.split(r" \| |\n", text.strip("\n")):
            written = before + case.replace("\\n", "\n").replace("\\t", "\t") + "\n"
            (world.home / "subscribers.yaml").write_text(written, encoding="utf-8")
            world("subscribers", "check", note=written)


def record_settings(world: World) -> None:
    """What is said of wrong settings."""
    names = [each["variable"] for each in json.loads(world("config", "--json"))["settings"]]
    every = [f"{name}={value}" for name in names for value in ("x", "-1", "ftp://x", "~nobody/x")]
    for case in [*every, *re.split(r" \| |\n", SETTINGS.strip())]:
        name, _, value = case.removeprefix("DIGEST_").partition("=")
        for command in ("config", "run --dry-run"):
            world(*command.split(), settings={name: value})


def record_days(world: World) -> None:
    """Eleven days: good ones, failures, doubtful answers, a weekend, a mail folder in the way."""
    mail, away = world.home / "mail", world.home / "away"
    for day, hour in ((day, hour) for day in range(len(DAYS)) for hour in (7, 13)):
        world.day, world.trouble = day, DAYS[day]
        world.moment = Clock(2026, 11, 9 + day, hour, tzinfo=datetime.UTC)
        if world.trouble == "unmailed" and hour == 7:
            mail.rename(away)
            mail.write_text("in the way")
        elif away.exists():
            mail.unlink()
            away.rename(mail)
        if (day, hour) in ((1, 7), (3, 7), (4, 13), (8, 13)):
            World(world.root, world.top, f"before-{day}", world).run_all(WAITING)
        world.run_all(
            "run ; status ; why lin@ *" if day % 2 else "run --json ; outbox ; why grace@"
        )


def follow(port: int, token: str) -> None:
    """Open the unsubscribe link as a mail program does, press its button, and end the program."""
    own = f"/u/{token}"
    for path, data in (("/", None), ("/u/x", b""), (own, None), (own, b""), (f"/d{own}", None)):
        answer, tries = None, 100
        while answer is None and (tries := tries - 1):
            try:
                answer = urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data)
            except urllib.error.HTTPError as refusal:
                answer = refusal
            except OSError:  # it does not listen yet
                time.sleep(0.1)
        if answer is not None:
            Neighbour.asked.append(f"{path} {data!r} {answer.status}\n{answer.read().decode()}")
    os.kill(os.getpid(), signal.SIGTERM)


def await_mails(folder: Path) -> None:
    """Wait until the four readers who are not paused have their mail, and end the program."""
    while len(list(folder.glob("*"))) < 4:
        time.sleep(0.1)
    time.sleep(2)
    os.kill(os.getpid(), signal.SIGTERM)


def record_leaving(world: World) -> None:
    """How a reader leaves: by the link in a mail, and by a letter."""
    mails = "".join(path.read_text("utf-8") for path in sorted(world.home.glob("mail/new/*")))
    token = min(re.findall(r"/u/([\w-]+)>", mails), default="none")
    letter = f"From: a@example.org\nTo: owner@example.org\nSubject: unsubscribe {token}\n\nNo.\n"
    (world.home / "leave.eml").write_text(letter, encoding="utf-8")
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    world.run_all("inbox leave.eml other.eml *")
    world("serve", "--listen", f"127.0.0.1:{port}", meanwhile=lambda: follow(port, token))


def prepare(root: Path, folder: Path) -> World:
    """A world in which nothing has happened, with all files; and the programs that it finds."""
    (root / "bin").mkdir()
    for name, text in PROGRAMS.items():
        (root / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (root / "bin" / name).chmod(0o755)
    world = World(root, folder, "fresh")
    for name, text in {"subscribers.yaml": SUBSCRIBERS, **FILES}.items():
        (world.home / name).write_text(text, encoding="utf-8")
    (world.home / "latin.yaml").write_bytes(b"keywords: [\xe4]\n")
    return world


def record_ways(root: Path, folder: Path, fresh: World) -> None:
    """Other ways: mail by a program, feeds that fail, readers in a secret, timers of all kinds."""
    fresh.day, fresh.moment = 1, Clock(2026, 11, 10, 7, tzinfo=datetime.UTC)
    sent, hidden = World(root, folder, "sendmail", fresh), World(root, folder, "hidden", fresh)
    feeds = {"ARXIV_FEEDS": "URL/atom", "ARXIV_OAI": "URL/oai", "SOURCE": "feeds"}
    feeds |= {"MAIL": "sendmail:BIN/sendmail", "HEARTBEAT_URL": "URL/beat"}
    sent.run_all("run ; outbox list --all * ; status", **feeds)
    hidden.run_all("run ; status *", SUBSCRIBERS_YAML=SUBSCRIBERS, SECRET="a secret of some length")
    stays = World(root, folder, "daemon", fresh)
    stays("daemon", "-v", meanwhile=lambda: await_mails(stays.home / "mail" / "new"))
    for world in (sent, hidden, stays):
        world.keep_files()
    look, there = os.stat, {"/run/systemd/system": "/"}
    for system in ("Darwin", "Linux", "systemd"):
        platform.system = partial(str, "Darwin" if system == "Darwin" else "Linux")
        if system == "systemd":
            os.stat = lambda path, **how: look(there.get(str(path), path), **how)
        World(root, folder, f"timer-{system}", fresh).run_all(PLAIN)
    os.stat = look


def record(root: Path, folder: Path) -> None:
    """Record everything."""
    cli = import_all()
    fresh = prepare(root, folder)
    empty, tour = World(root, folder, "empty"), World(root, folder, "tour")
    empty.run_all(REPORTS + PLAIN + CHANGES)
    tour("demo", ".", "--now", "2026-11-20")
    tour.run_all(REPORTS)
    days = World(root, folder, "days", fresh)
    record_days(days)
    record_leaving(World(root, folder, "leaving", days))
    record_broken(World(root, folder, "broken"))
    record_settings(World(root, folder, "settings", days))
    record_mistakes(World(root, folder, "mistakes", days), days, cli)
    record_examples(World(root, folder, "examples", days), days, cli)
    for name, text in {"reports": REPORTS, "changes": CHANGES, "wrong": WRONG}.items():
        world = World(root, folder, name, days)
        world.run_all(text)
        world.keep_files()
    for world in (empty, tour, days):
        world.keep_files()
    record_ways(root, folder, fresh)
    for name, lines in World.templates.items():
        fresh.keep(f"../templates/{name}", "\n".join(sorted(lines)) + "\n")
    for path in Path(importlib.import_module("digest").__file__ or "").parent.rglob("*.json"):
        fresh.keep(f"../data/{path.name}", path.read_text(encoding="utf-8"))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
def main(folder: Path) -> None:
    """Record all that is seen of Digest from outside into FOLDER, which must not exist yet."""
    if folder.exists():
        raise click.BadParameter(f"{folder} exists already: name a new folder")
    folder.mkdir(parents=True)
    # The temporary folder's name is always as long, since lines break by it.
    with tempfile.TemporaryDirectory(prefix="record", dir="/tmp") as temporary:
        record(Path(temporary), folder.absolute())


if __name__ == "__main__":
    main()
