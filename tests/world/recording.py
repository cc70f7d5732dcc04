"""A home folder in which commands are given, and all that comes of them is kept.

The clock stands still, chance always falls out the same, and what differs between machines is
replaced: folders, ports, free space, and the names of loggers, which follow those of modules.
"""

from __future__ import annotations

import datetime
import gc
import importlib
import json
import os
import pkgutil
import random
import re
import secrets
import shlex
import shutil
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import uuid
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import click
import jinja2

from tests.world.recorded import PEOPLE, REVISED, TOPICS

Clock = datetime.datetime
"""The real class, before `Still` takes its place."""

Meanwhile = Callable[[], None] | None
"""What goes on in a thread beside a command that stays: a reader who follows a link."""


_PLAIN = str | int | float | datetime.date | datetime.time


class Still(Clock):
    """A date and time whose `now` is the moment that was set."""

    moment = Clock(2026, 11, 20, 12, tzinfo=datetime.UTC)

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Still:
        """The moment that was set."""
        return cls.fromtimestamp(cls.moment.timestamp(), tz)


def import_all() -> click.Group:
    """Take chance and the clock away, and import the whole package for all that is forked."""
    datetime.datetime = Still  # type: ignore[misc]
    secrets.token_hex = lambda nbytes=None: "5e" * (nbytes or 32)
    uuid.uuid4 = lambda: uuid.UUID(int=7)
    random.random = lambda: 0.5
    socket.gethostname = lambda: "machine"
    for module in pkgutil.walk_packages(importlib.import_module("digest").__path__, "digest."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    gc.freeze()  # what is not looked at is not copied either
    group = importlib.import_module("digest.cli").cli
    assert isinstance(group, click.Group)
    return group


def index(day: int) -> Iterator[tuple[str, str, str]]:
    """What arXiv knows on a day: the last change of each paper, its topic, its entry in a feed."""
    for number in range(168):
        since = number // 12 - 4
        if since > day or since in (5, 6, 8):  # a weekend, and a day without papers
            continue
        on, words = REVISED.get(number, (since, ""))
        on, words = (on, words) if on <= day else (since, "")
        first, last = (  # one is announced late
            f"{Clock(2026, 11, 8) + datetime.timedelta(each - 20 * (number == 77)):%Y-%m-%d}"
            f"T{number % 18:02}:00:00Z"
            for each in (since, on)
        )
        topic, place = TOPICS[number % 5], number % 3
        people = "</name></author><author><name>".join(PEOPLE[place : place + 1 + number % 4])
        kinds = (f'<category term="{kind}"/>' for kind in ("cs.LG", "cs.RO", "cs.CL")[place:])
        text = f"We see the {topic} &lt;here&gt; with $\\alpha_{number}$. " * (1 + number % 7)
        entry = (
            f"<entry><id>http://arxiv.org/abs/2611.{10000 + number}v{2 if words else 1}</id>"
            f"<title>A {topic} study, number {number} &amp; $O(n^{number % 9})$</title>"
            f"<updated>{last}</updated><published>{first}</published><summary>{text}</summary>"
            f"{''.join(kinds)}<author><name>{people}</name></author>"
            f"<a:comment>{words}</a:comment></entry>"
        )
        yield last, topic, entry


class Neighbour(BaseHTTPRequestHandler):
    """arXiv and GitHub in one; what was asked of them is kept."""

    protocol_version = "HTTP/1.1"
    day, trouble = 0, ""
    asked: ClassVar[list[str]] = []

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Be silent."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The moment of the world, which the program compares with its own."""
        return f"{Still.moment:%a, %d %b %Y %H:%M:%S} GMT"

    def do_GET(self) -> None:
        """A feed of papers, or the issues of a repository, which has none."""
        self.asked.append(f"GET {self.path} {self.headers['User-Agent']}")
        if self.path.startswith("/repos"):
            self.answer(200, "[]" if "/issues" in self.path else "{}")
        elif self.trouble == "failed" or not self.path.startswith("/api"):
            self.answer(503, "out of order")
        else:
            asked = parse_qs(urlsplit(self.path).query)
            self.answer(200, self.feed({name: values[0] for name, values in asked.items()}))

    def do_POST(self) -> None:
        """Take an issue."""
        text = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.asked.append(f"POST {self.path} {text}")
        self.answer(201 if "title" in text else 422, '{"html_url": "https://github.com/x/1"}')

    def feed(self, asked: dict[str, str]) -> str:
        """What arXiv answers: the papers on all topics that the query names, newest first."""
        query, start, size = asked["search_query"], int(asked["start"]), asked["max_results"]
        topics = [topic for topic in TOPICS if topic in query] or TOPICS
        found = sorted((row for row in index(self.day) if row[1] in topics), reverse=True)
        found = found[:1] if self.trouble == "doubtful" and "reward" in query else found
        rows = "".join(row[2] for row in found[start : start + int(size)])
        return (
            '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:a="http://arxiv.org/schemas/atom" '
            'xmlns:o="http://a9.com/-/spec/opensearch/1.1/"><title>arXiv Query: search_query='
            f"{query}&amp;id_list=&amp;start={start}&amp;max_results={size}</title>"
            f"<o:itemsPerPage>{size}</o:itemsPerPage><o:totalResults>{len(found)}</o:totalResults>"
            f"<o:startIndex>{start}</o:startIndex>{rows}</feed>"
        )

    def answer(self, status: int, text: str) -> None:
        """Send an answer."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def shapes(value: Any, path: str, depth: int = 5) -> Iterator[str]:
    """What a template can reach from a value: attributes with kinds, and no names of classes."""
    if isinstance(value, dict | list | tuple):
        yield f"{path}: {'dict' if isinstance(value, dict) else 'sequence'}"
        for item in value.values() if isinstance(value, dict) else value:
            yield from shapes(item, f"{path}[]", depth)
    elif value is None or callable(value) or isinstance(value, _PLAIN):
        name = "str" if isinstance(value, str) else type(value).__name__
        yield f"{path}: {'method' if callable(value) else name}"
    elif depth:
        for name in dir(value):
            if not name.startswith("_"):
                yield from shapes(getattr(value, name, None), f"{path}.{name}", depth - 1)


def watch_templates(seen: dict[str, set[str]]) -> None:
    """Note what each template is given from now on."""
    render = jinja2.Template.render

    def watched(self: jinja2.Template, **given: Any) -> str:
        for name, value in given.items():
            seen[self.name or "?"].update(shapes(value, name))
        seen[self.name or "?"].update(f"filter {name}" for name in self.environment.filters)
        return render(self, **given)

    jinja2.Template.render = watched  # type: ignore[method-assign]


class World:
    """A home folder, a moment, and a neighbour. Commands run in it, and what they say is kept."""

    templates: ClassVar[dict[str, set[str]]] = defaultdict(set)

    def __init__(self, root: Path, folder: Path, name: str, like: World | None = None) -> None:
        self.root, self.top, self.folder, self.home = root, folder, folder / name, root / name
        self.moment, self.day, self.trouble, self.number = Still.moment, 11, "", 0
        if like:
            self.moment, self.day, self.trouble = like.moment, like.day, like.trouble
        shutil.copytree(like.home, self.home) if like else self.home.mkdir()

    def copy_home(self, like: World) -> None:
        """Take the home folder of another world in place of this one's."""
        shutil.rmtree(self.home)
        shutil.copytree(like.home, self.home)

    def run_all(self, text: str, **settings: str) -> None:
        """Give all commands of a text, in order."""
        for line in re.split(r" ; |\n", re.sub(r"@(?=[\s'\"]|$)", "@example.org", text.strip())):
            for more in ([], ["--json"]) if line.endswith(" *") else ([],):
                self(*shlex.split(line.removesuffix(" *")), *more, settings=settings)

    def __call__(
        self,
        *args: str,
        note: str = "",
        meanwhile: Meanwhile = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Give one command, and keep all that comes of it; return what it printed."""
        with ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            child = os.fork()
            if not child:
                self._become(args, settings, files, meanwhile)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            for file in files:
                file.seek(0)
            *texts, notes = [file.read().decode(errors="backslashreplace") for file in files]
        asked, templates = json.loads(notes or "[[], {}]")
        for name, lines in templates.items():
            self.templates[name].update(lines)
        self.number += 1
        words = [f"{name}={value}" for name, value in settings.items()]
        given = self.steady(" ".join([*words, shlex.join(args)]))
        slug = re.sub(r"[^\w@.]+", "-", given).strip("-")[:80]
        if "doctor" in args:  # it asks all at once
            asked.sort()
        parts = [f"$ {given}\n{note}exit code {code}", *texts, "\n".join(asked)]
        text = "\n--------\n".join(parts)
        self.keep(f"{self.number:03}-{slug}.txt", text)
        return texts[0]

    def _become(
        self,
        args: tuple[str, ...],
        settings: Mapping[str, str],
        files: list[Any],
        meanwhile: Meanwhile,
    ) -> None:
        """In a process of its own: be the program, and end."""
        signal.alarm(120)
        seen: dict[str, set[str]] = defaultdict(set)
        watch_templates(seen)
        Still.moment, Neighbour.day, Neighbour.trouble = self.moment, self.day, self.trouble
        server = ThreadingHTTPServer(("127.0.0.1", 0), Neighbour)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._enter(settings, f"http://127.0.0.1:{server.server_port}")
        if meanwhile:
            threading.Thread(target=meanwhile, daemon=True).start()
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115
        for number, file in enumerate(files[:2], 1):
            os.dup2(file.fileno(), number)
        sys.stdout, sys.stderr = (
            open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            for number in (1, 2)
        )
        sys.argv, code = ["digest", *args], 1
        try:
            importlib.import_module("digest.cli").main(list(args))
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            lists = {name: sorted(lines) for name, lines in seen.items()}
            files[2].write(json.dumps([Neighbour.asked, lists]).encode())
            for file in (sys.stdout, sys.stderr, files[2]):
                file.flush()
            os._exit(code)

    def _enter(self, settings: Mapping[str, str], url: str) -> None:
        """Go into the home folder, with the settings of this world and none of the machine's."""
        os.environ.clear()
        os.environ.update(HOME=f"{self.home}/me", PATH=f"{self.root}/bin", TZ="UTC", COLUMNS="100")
        given = {"HOME": f"{self.home}", "ARXIV_API": "URL/api/query", "ARXIV_DELAY": "0"}
        given |= {"GITHUB_API": "URL", "GITHUB_TOKEN": "a-token", **settings}
        for name, value in given.items():
            value = value.replace("URL", url).replace("BIN", f"{self.root}/bin")
            os.environ[f"DIGEST_{name}"] = value
        time.tzset()
        os.chdir(self.home)

    def steady(self, text: str) -> str:
        """A text in which all that differs between machines is replaced."""
        project = Path(importlib.import_module("digest").__file__ or "").parent.parent
        for pattern, word in (
            (re.escape(str(self.root)), "<tmp>"),
            (re.escape(sys.prefix), "<python>"),
            (re.escape(str(project)), "<project>"),
            (r"127\.0\.0\.1:\d{4,5}", "127.0.0.1:<port>"),
            (r"[\d,]+ MB free", "<some> MB free"),
            (r"<\d+\.\d+\.\d+\.", "<any>."),
            (r"(?m)^([A-Z]+) digest[\w.]*:", r"\1 digest:"),
            (r'("logger": |"time": )"[^"]*"', r'\1"<any>"'),
        ):
            text = re.sub(pattern, word, text)
        return text

    def keep(self, name: str, text: str) -> None:
        """Write a file of the record."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.steady(text), encoding="utf-8")

    def keep_files(self) -> None:
        """Keep all that lies in the home folder now; databases as text, and no locks."""
        for path in sorted(path for path in self.home.rglob("*") if path.is_file()):
            data, name = path.read_bytes(), f"files/{path.relative_to(self.home)}"
            if data.startswith(b"SQLite format 3"):
                self.keep(f"{name}.sql", "\n".join(dumped(path)))
            elif not re.search(r"\.lock$|-wal$|-shm$", name):
                self.keep(name, data.decode(errors="backslashreplace"))


def dumped(path: Path) -> Iterator[str]:
    """The schema of a database and all its rows; what is packed is unpacked."""
    with closing(sqlite3.connect(path)) as database:
        for pragma in ("application_id", "user_version"):
            yield f"{pragma} {database.execute(f'PRAGMA {pragma}').fetchone()[0]}"
        schema = database.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
        for kind, table, sql in schema:
            yield f"{table}: {sql}"
            for row in database.execute(f'SELECT * FROM "{table}"') if kind == "table" else ():
                yield f"{table} {[unpacked(value) for value in row]}"


def unpacked(value: Any) -> Any:
    """A value of the database, with the text that is packed in it."""
    if not isinstance(value, bytes):
        return value
    with suppress(zlib.error):
        value = zlib.decompress(value)
    return value.decode(errors="backslashreplace")
