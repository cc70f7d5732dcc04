"""A world whose database the command line is asked about: cycles with a real SMTP transport, then
main()."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from digest.mail.transport import open_transport
from digest.model import Subscriber, Weekly
from digest.run.cycle import Summary
from tests.world.shell import Told, run_main
from tests.world.smtp_server import SmtpServer
from tests.world.worlds import World


class AskedWorld(World):
    """A world with its subscribers file on the disk, and the commands that tell about it."""

    def __init__(self, home: Path, capture: pytest.CaptureFixture[str]) -> None:
        super().__init__(home / "digest.db")
        self.home, self._capture = home, capture

    def write_file(self) -> None:
        """Write the readers as the subscribers file; YAML reads JSON."""
        data = {
            "keywords": {k.name: k.query for k in self.roster.keywords},
            "subscribers": [_as_file(reader) for reader in self.readers],
        }
        (self.home / "subscribers.yaml").write_text(json.dumps(data), encoding="utf-8")

    async def cycle(self, at: datetime | None = None, **changes: Any) -> Summary:
        self.write_file()
        return await super().cycle(at, **changes)

    async def mailed_by(self, server: SmtpServer, at: datetime | None = None) -> Summary:
        """A cycle whose mail goes to a scripted server."""
        transport = open_transport(f"{server.url}?tls=none", home=self.home, password=None, ca=None)
        try:
            return await self.cycle(at, transport=transport)
        finally:
            await transport.close()

    @property
    def arxiv_url(self) -> str:
        """Where commands ask arXiv; nobody answers there unless a test says otherwise."""
        return os.environ.get("DIGEST_ARXIV_API", "http://127.0.0.1:1/api/query")

    def ask(self, *args: str, now: datetime | None = None) -> Told:
        """Run one command as a person would type it."""
        arguments = [*args, "--home", str(self.home), "--arxiv-api", self.arxiv_url]
        if args[0] == "why":
            arguments += ["--now", (now or self.now).isoformat()]
        # In a thread of its own, where a command may run an event loop beside the test's.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(run_main, arguments, self._capture).result()

    def why(self, *args: str, now: datetime | None = None) -> Any:
        """What `digest why --json` says; the lines for people are made too, and must hold the
        answer."""
        lines = self.ask("why", *args, now=now)
        told = self.ask("why", *args, "--json", now=now)
        assert (lines.code, told.code) == (0, 0), told.err
        report = told.json()
        assert report["answer"] in lines.out
        return report


@contextmanager
def asked_world(home: Path, capture: pytest.CaptureFixture[str]) -> Iterator[AskedWorld]:
    """A world in a folder of its own."""
    world = AskedWorld(home, capture)
    try:
        yield world
    finally:
        world.close()


def _as_file(reader: Subscriber) -> dict[str, Any]:
    """A reader as the subscribers file has them."""
    fields: dict[str, Any] = {
        "email": reader.email,
        "keywords": [k.name for k in reader.keywords],
        "timezone": reader.timezone,
        "revisions": {"true": True, "false": False}.get(reader.revisions, reader.revisions.value),
        "max_papers": reader.max_papers,
        "top": reader.top,
        "library": list(reader.items_of_library),
        "exclude": list(reader.exclude),
        "within": list(reader.within),
    }
    if reader.days != tuple(Weekly):
        fields["schedule"] = [str(day) for day in reader.days]
    if reader.at:
        fields["at"] = reader.at.strftime("%H:%M")
    if reader.paused_until:
        fields["paused_until"] = reader.paused_until.isoformat()
    return fields
