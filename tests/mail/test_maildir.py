from __future__ import annotations

import asyncio
import mailbox
import os
import select
import shutil
import stat
import subprocess
import time
from pathlib import Path

import pytest

from digest.mail.maildir import MaildirTransport
from digest.mail.transport import open_transport
from digest.model import Outcome
from tests.world.smtp_server import make_message


def nothing() -> None:
    """What a test passes that does not care for the moment before delivery."""


async def test_the_standard_library_reads_what_was_delivered(tmp_path: Path) -> None:
    transport = MaildirTransport(tmp_path / "mail")
    receipt = await transport.send(make_message(), nothing)
    assert receipt.outcome is Outcome.SENT
    [message] = mailbox.Maildir(tmp_path / "mail", create=False)
    assert message["To"] == "Ada <ada@example.org>"
    text, page = message.get_payload()  # type: ignore[misc]
    assert (
        "Grüße.\n.a line that begins with a dot\nThis mail"
        in text.get_payload(decode=True).decode()
    )  # type: ignore[union-attr]
    assert page.get_content_type() == "text/html"  # type: ignore[union-attr]


async def test_files_are_private_and_have_unix_line_ends(tmp_path: Path) -> None:
    await MaildirTransport(tmp_path / "deep" / "mail").send(make_message(), nothing)
    folder = tmp_path / "deep" / "mail"
    for part in (folder, folder / "tmp", folder / "new", folder / "cur"):
        assert stat.S_IMODE(part.stat().st_mode) == 0o700
    [file] = (folder / "new").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert b"\r" not in file.read_bytes()
    assert list((folder / "tmp").iterdir()) == []


@pytest.mark.parametrize("place", ["new/{}", "new/{}:2,", "cur/{}:2,", "cur/{}:2,FRS"])
@pytest.mark.parametrize("fresh", [True, False])
async def test_a_second_attempt_finds_the_first_wherever_it_went(
    tmp_path: Path, place: str, fresh: bool
) -> None:
    transport = MaildirTransport(tmp_path)
    await transport.send(make_message(), nothing)
    [file] = (tmp_path / "new").iterdir()
    file.rename(tmp_path / place.format(file.name))
    if fresh:
        transport = MaildirTransport(tmp_path)
    called: list[int] = []
    receipt = await transport.send(make_message(), lambda: called.append(1))
    assert receipt.outcome is Outcome.SENT
    assert called == []
    assert len(mailbox.Maildir(tmp_path, create=False)) == 1


async def test_different_messages_have_different_files(tmp_path: Path) -> None:
    transport = MaildirTransport(tmp_path)
    for number in range(20):
        receipt = await transport.send(make_message(unique=str(number)), nothing)
        assert receipt.outcome is Outcome.SENT
    assert len(mailbox.Maildir(tmp_path, create=False)) == 20


async def test_a_file_that_appears_at_the_last_moment_is_not_overwritten(tmp_path: Path) -> None:
    transport = MaildirTransport(tmp_path)
    await transport.send(make_message(), nothing)
    [file] = (tmp_path / "new").iterdir()
    file.unlink()
    receipt = await transport.send(
        make_message(), lambda: file.write_text("somebody else's") and None
    )
    assert receipt.outcome is Outcome.SENT
    assert file.read_text() == "somebody else's"
    assert list((tmp_path / "tmp").iterdir()) == []


async def test_where_links_are_impossible_the_file_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    receipt = await MaildirTransport(tmp_path).send(make_message(), nothing)
    assert receipt.outcome is Outcome.SENT
    assert len(mailbox.Maildir(tmp_path, create=False)) == 1


async def test_the_whole_message_is_in_tmp_before_the_moment_it_may_be_seen(tmp_path: Path) -> None:
    seen: list[int] = []

    def look() -> None:
        [draft] = (tmp_path / "tmp").iterdir()
        seen.append(draft.stat().st_size)
        assert list((tmp_path / "new").iterdir()) == []

    await MaildirTransport(tmp_path).send(make_message(), look)
    assert seen == [len(make_message().data.replace(b"\r\n", b"\n"))]


async def test_an_error_before_the_moment_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail() -> None:
        raise RuntimeError("the database is gone")

    with pytest.raises(RuntimeError, match="database"):
        await MaildirTransport(tmp_path).send(make_message(), fail)
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


async def test_a_folder_that_cannot_be_written_is_the_relays_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    transport = MaildirTransport(tmp_path / "file" / "mail")
    called: list[int] = []
    receipt = await transport.send(make_message(), lambda: called.append(1))
    assert receipt.outcome is Outcome.RELAY
    assert receipt.permanent
    assert receipt.reply == f"{tmp_path}/file/mail cannot be written: Not a directory"
    assert called == []


async def test_a_full_disk_is_the_relays_trouble_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    receipt = await MaildirTransport(tmp_path).send(make_message(), nothing)
    assert receipt.outcome is Outcome.RELAY
    assert "No space left" in receipt.reply
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


async def test_it_is_described_by_its_absolute_folder(tmp_path: Path) -> None:
    transport = open_transport("maildir:mail", home=tmp_path, password=None, ca=None)
    assert transport.description == f"Maildir {tmp_path}/mail"
    await transport.close()


def seen_in_terminal(
    command: list[str], prompt: bytes, keys: bytes, awaited: bytes, home: Path
) -> bool:
    """Run a program that wants a terminal, type once it prompts, and await a text on its screen."""
    ours, its = os.openpty()
    environment = {
        "TERM": "vt100",
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LC_ALL": "C.UTF-8",
    }
    with subprocess.Popen(
        command, cwd=home, env=environment, stdin=its, stdout=its, stderr=its
    ) as process:
        screen, until = b"", time.monotonic() + 10
        while awaited not in screen and time.monotonic() < until and process.poll() is None:
            if select.select([ours], [], [], 0.1)[0]:
                screen += os.read(ours, 4096)
            elif prompt in screen:
                os.write(ours, keys)
                screen = b""
        process.kill()
    os.close(ours)
    os.close(its)
    return awaited in screen


async def test_mutt_reads_it(tmp_path: Path) -> None:
    mutt = shutil.which("mutt")
    if mutt is None:
        pytest.skip("mutt is not installed")
    await MaildirTransport(tmp_path / "mail").send(make_message(), nothing)
    command = [mutt, "-n", "-F", "/dev/null", "-f", str(tmp_path / "mail")]
    (tmp_path / "Mail").mkdir()  # mutt would ask whether to make it
    line = b"This mail went to ada@example.org."
    assert await asyncio.to_thread(
        seen_in_terminal, command, b"3 new papers", b"\n", line, tmp_path
    )
