"""What the doctor says of the way by which mail leaves, against real servers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from digest.setup.doctor.check import Cause, Finding, Level
from tests.setup.doctor import (
    LOGIN,
    PASSWORD,
    SENDER,
    find,
    survey,
    with_user,
)
from tests.world.smtp_server import Act, make_certificate, smtp_server


async def try_mail(home: Path, url: str, **environ: str) -> Finding:
    chosen = survey(home, DIGEST_MAIL=url, **SENDER, **environ)
    return await asyncio.to_thread(find, chosen, "mail")


async def test_a_server_is_tried_up_to_the_message_and_nothing_is_mailed(tmp_path: Path) -> None:
    async with smtp_server(extensions=LOGIN) as server:
        check = await try_mail(tmp_path, with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD)
    assert check.level is Level.OK
    assert "logged in as ada" in check.found
    assert server.verbs()[:4] == ["EHLO", "AUTH", "MAIL", "RCPT"]
    assert "DATA" not in server.verbs()
    assert (server.messages, server.connections) == ([], 1)


async def test_a_wrong_password_is_a_mistake_in_the_settings_and_is_not_repeated(
    tmp_path: Path,
) -> None:
    script = {"AUTH": f"535 5.7.8 Username and password not accepted: {PASSWORD}"}
    async with smtp_server(script, extensions=LOGIN) as server:
        check = await try_mail(tmp_path, with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD)
    assert (check.level, check.cause) == (Level.FAIL, Cause.CONFIG)
    assert "535 5.7.8 Username and password not accepted" in check.found
    assert PASSWORD not in check.found
    assert "password" in check.remedy
    assert server.verbs().count("AUTH") == 1


async def test_a_server_without_starttls_fails(tmp_path: Path) -> None:
    async with smtp_server() as server:
        check = await try_mail(tmp_path, f"{server.url}?tls=starttls")
    assert (check.level, check.cause) == (Level.FAIL, Cause.CONFIG)
    assert "STARTTLS" in check.found
    assert "465" in check.remedy


async def test_a_certificate_that_nobody_vouches_for_fails_until_its_authority_is_named(
    tmp_path: Path,
) -> None:
    authority, context = make_certificate(tmp_path)
    async with smtp_server(extensions=("STARTTLS", *LOGIN), tls=context) as server:
        url = f"{with_user(server.url)}?tls=starttls"
        refused = await try_mail(tmp_path, url, DIGEST_MAIL_PASSWORD=PASSWORD)
        trusted = await try_mail(
            tmp_path, url, DIGEST_MAIL_PASSWORD=PASSWORD, DIGEST_MAIL_CA=str(authority)
        )
    assert (refused.level, refused.cause) == (Level.FAIL, Cause.CONFIG)
    assert "DIGEST_MAIL_CA" in refused.remedy
    assert (trusted.level, "STARTTLS, logged in as ada" in trusted.found) == (Level.OK, True)


async def test_a_server_that_is_not_there_or_busy_is_the_networks_fault(tmp_path: Path) -> None:
    async with smtp_server({"connect": "421 4.3.2 come back later"}) as server:
        busy = await try_mail(tmp_path, server.url)
    gone = await try_mail(tmp_path, server.url)
    unnamed = await try_mail(tmp_path, "smtp://no-such-host.invalid")
    for check in (busy, gone, unnamed):
        assert (check.level, check.cause) == (Level.FAIL, Cause.NETWORK)


async def test_a_server_that_says_nothing_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.setup.doctor.mail.PROBE_SECONDS", 0.2)
    async with smtp_server({"EHLO": Act.HANG}) as server:
        check = await try_mail(tmp_path, server.url)
    assert (check.level, check.cause) == (Level.FAIL, Cause.NETWORK)
    assert "no answer in 0.2 s" in check.found


async def test_a_sender_that_is_refused_fails_and_one_that_takes_no_mail_is_a_warning(
    tmp_path: Path,
) -> None:
    async with smtp_server({"MAIL": "553 5.7.1 not owned by user ada"}) as server:
        refused = await try_mail(tmp_path, server.url)
    async with smtp_server({"RCPT": "550 5.1.1 no such user"}) as server:
        deaf = await try_mail(tmp_path, server.url)
    assert (refused.level, "DIGEST_FROM" in refused.remedy) == (Level.FAIL, True)
    assert (deaf.level, "550 5.1.1 no such user" in deaf.found) == (Level.WARN, True)


def test_a_folder_or_a_program_is_there_and_usable(tmp_path: Path) -> None:
    assert "makes the Maildir" in find(survey(tmp_path), "mail").found
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mail").mkdir()
    assert "is writable" in find(survey(tmp_path), "mail").found
    (tmp_path / "file").touch()
    assert find(survey(tmp_path, DIGEST_MAIL="maildir:file"), "mail").level is Level.FAIL
    program = survey(tmp_path, DIGEST_MAIL="sendmail:file", **SENDER)
    assert "there is no program" in find(program, "mail").found
    (tmp_path / "file").chmod(0o755)
    assert find(program, "mail").level is Level.OK


def test_mail_is_not_tried_with_a_setting_that_is_wrong(tmp_path: Path) -> None:
    assert (
        find(survey(tmp_path, DIGEST_MAIL="smtp://relay.example.org"), "mail").level is Level.SKIP
    )
