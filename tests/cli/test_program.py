"""The program as a process of its own: its version, its demo, and what its log keeps to itself."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path

from digest import __version__
from tests.world.house import DAYS, FRIDAY, THURSDAY, House, program
from tests.world.smtp_server import smtp_server


def test_the_version_is_told(tmp_path: Path) -> None:
    done = program("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (
        0,
        f"digest {__version__}\n",
        b"",
    )


def test_the_demo_goes_the_whole_way(tmp_path: Path) -> None:
    done = program("demo", "tour", "--now", "2026-11-20", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, b"")
    out = done.stdout.decode()
    assert [line[:5] for line in out.splitlines() if line.startswith("Day ")] == [
        "Day 1",
        "Day 2",
        "Day 3",
    ]
    assert "announced late" in out
    assert "weekend" in out
    assert len(list((tmp_path / "tour" / "mail" / "new").iterdir())) == 4
    assert (
        (tmp_path / "tour" / "preview.html")
        .read_text(encoding="utf-8")
        .startswith("<!DOCTYPE html>")
    )
    again = program("demo", "tour", cwd=tmp_path)
    assert again.returncode == 2
    assert b"is not empty" in again.stderr


async def test_the_password_is_never_shown(house: House) -> None:
    secret = "tr0ub4dor&3"
    async with smtp_server(extensions=("8BITMIME", "AUTH PLAIN LOGIN")) as server:
        env = {
            "DIGEST_ARXIV_API": house.arxiv.url,
            "DIGEST_ARXIV_DELAY": "0",
            "DIGEST_MAIL": f"smtp://ada@127.0.0.1:{server.port}",
            "DIGEST_MAIL_PASSWORD": secret,
            "DIGEST_FROM": "papers@example.org",
        }
        args = ("run", "-vv", "--log-json", "--now", THURSDAY.isoformat())
        done = await asyncio.to_thread(program, *args, cwd=house.home, env=env)
        assert done.returncode == 0, done.stderr
        assert len(server.messages) == 2
        assert any(command.startswith("AUTH") for command in server.commands)
        server.script = {"AUTH": f"535 5.7.8 {secret} is wrong"}
        house.serve(DAYS[1])
        args = ("run", "-vv", "--log-json", "--now", (FRIDAY + timedelta(hours=4)).isoformat())
        failed = await asyncio.to_thread(program, *args, cwd=house.home, env=env)
        assert failed.returncode == 78
    encoded = [command.split()[-1] for command in server.commands if command.startswith("AUTH")]
    for said in (done.stdout, done.stderr, failed.stdout, failed.stderr):
        assert secret.encode() not in said
        assert not [word for word in encoded if word.encode() in said]
    lines = [json.loads(line) for line in done.stderr.decode().splitlines() if line.startswith("{")]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert any(line["logger"] == "digest.run.deliver" for line in lines)
    for path in house.home.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes()
