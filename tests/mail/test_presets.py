"""The providers' table: servers that can be used, guesses, hints for what servers really say, and a
guide for each."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from digest.errors import ConfigError, UsageError
from digest.mail.presets import (
    PRESETS,
    Preset,
    check_issued,
    find_preset,
    guess_preset,
    hint_for,
    preset_of,
)
from digest.mail.server import read_server
from digest.mail.transport import open_transport

ROOT = Path(__file__).resolve().parent.parent.parent
GUIDES = ROOT / "docs" / "mail"
BY_HOST = [preset for preset in PRESETS if preset.scheme_is_smtp and preset.host]


@pytest.mark.parametrize("preset", BY_HOST, ids=lambda preset: preset.name)
def test_a_provider_is_a_server_with_tls_and_is_known_again_by_its_setting(preset: Preset) -> None:
    url = preset.url("ada+papers@example.org")
    scheme, _, rest = url.partition(":")
    server = read_server(scheme, rest)
    assert (server.host, server.port) == (preset.host, preset.port)
    assert server.tls == {"smtp": "starttls", "smtps": "always"}[preset.scheme]
    assert server.user == "ada+papers@example.org"
    assert preset_of(url) is preset
    assert preset_of(server.url) is preset


def test_a_login_with_odd_characters_survives_the_setting() -> None:
    user = 'a:b/c@d?"e é@example.org'
    scheme, _, rest = find_preset("gmail").url(user).partition(":")
    assert read_server(scheme, rest).user == user


def test_names_are_unique_and_a_misspelt_one_is_guessed() -> None:
    names = [preset.name for preset in PRESETS]
    assert len(set(names)) == len(names)
    assert find_preset(" Gmail ").name == "gmail"
    with pytest.raises(UsageError, match=r"did you mean fastmail\?"):
        find_preset("fastmial")
    with pytest.raises(UsageError, match="write one of gmail, outlook"):
        find_preset("zzz")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("ada@gmail.com", "gmail"),
        ("ada@GoogleMail.com", "gmail"),
        ("ada@hotmail.co.uk", "outlook"),
        ("ada@live.de", "outlook"),
        ("ada@yahoo.co.jp", "yahoo"),
        ("ada@me.com", "icloud"),
        ("123456@qq.com", "qq"),
        ("ada@fastmail.com", "fastmail"),
        ("ada@example.org", None),
        ("ada@notgmail.com", None),
        ("ada@gmail.com.example.org", None),
        ("", None),
    ],
)
def test_the_provider_is_guessed_from_the_address(address: str, name: str | None) -> None:
    found = guess_preset(address)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("mail", "name"),
    [
        ("smtp://ada@gmail.com@smtp.gmail.com:587", "gmail"),
        ("SMTPS://SMTP.QQ.COM.:465", "qq"),
        ("smtp://mailhost.example.org:25?tls=none", "relay"),
        ("smtp://mailhost.example.org:25", "relay"),
        ("smtp://ada@mailhost.example.org:25", None),
        ("smtp://mailhost.example.org:2525", None),
        ("smtp://localhost:25", None),
        ("smtp://[::1]:25", None),
        ("maildir:mail", None),
        ("sendmail:", None),
        ("Maildir /srv/smtp.gmail.com", None),
        ("smtp://smtp.gmail.com.example.org", None),
    ],
)
def test_a_setting_belongs_to_a_provider_by_its_host(mail: str, name: str | None) -> None:
    found = preset_of(mail)
    assert (found.name if found else None) == name


@pytest.mark.parametrize(
    ("mail", "reply", "says"),
    [
        (
            "gmail",
            "535 5.7.8 Username and Password not accepted. For more information, go to …",
            "app password",
        ),
        ("gmail", "534 5.7.9 Application-specific password required.", "app password"),
        ("gmail", "550 5.4.5 Daily user sending limit exceeded.", "500 messages a day"),
        (
            "outlook",
            "535 5.7.139 Authentication unsuccessful, basic authentication is disabled.",
            "TOKEN_COMMAND",
        ),
        (
            "microsoft365",
            "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
            "admin",
        ),
        (
            "microsoft365",
            "550 5.7.30 Basic authentication is not supported for Client Submission.",
            "ending basic",
        ),
        (
            "microsoft365",
            "554 5.2.252 SendAsDenied; ada@example.org not allowed to send as",
            "DIGEST_FROM",
        ),
        ("fastmail", "535 5.7.0 Incorrect username or password", "app password"),
        ("icloud", "535 5.7.8 Error: authentication failed", "app-specific password"),
        ("yahoo", "535 5.7.0 (#AUTH005) Too many bad auth attempts.", "app password"),
        (
            "qq",
            "535 Login Fail. Please enter your authorization code to login.",
            "authorization code",
        ),
        ("relay", "554 5.7.1 <lin@example.net>: Relay access denied", "ask its admin"),
        (
            "smtp://ada@mail.example.org",
            "535 5.7.8 authentication failed",
            "login or password is wrong",
        ),
        ("smtp://mail.example.org", "530 5.7.0 Authentication required", "wants a login"),
        (
            "smtp://mail.example.org",
            "550 relay not permitted",
            "does not take mail from this machine",
        ),
        (
            "smtp://mail.example.org",
            "connecting to smtp://mail.example.org:587: Name or service not known",
            "nobody",
        ),
        (
            "gmail",
            "connecting to smtp://smtp.gmail.com:587: Connection refused",
            "nobody answers there",
        ),
        ("relay", "connecting to smtp://relay.example.org:25: timed out", "block port 25"),
        (
            "smtp://m.example.org",
            "connecting to smtp://m.example.org:587: certificate verify failed",
            "DIGEST_MAIL_CA",
        ),
        ("smtp://m.example.org", "SMTP STARTTLS extension not supported by server.", "?tls=none"),
        ("gmail", "the token command pass failed with exit code 1", "by hand"),
        (
            "smtp://ada@m.example.org",
            "553 5.7.1 Sender address rejected: not owned by user ada",
            "DIGEST_FROM",
        ),
        ("qq", "501 Mail from address must be same as authorization user.", "DIGEST_FROM"),
    ],
)
def test_a_refusal_gets_the_hint_that_helps(mail: str, reply: str, says: str) -> None:
    url = find_preset(mail).url("ada@example.org") if ":" not in mail else mail
    if mail == "relay":
        url = "smtp://relay.example.org:25"
    assert says in hint_for(url, reply)
    assert says in hint_for(url, f"mail could not be handed over ({reply})")


def test_a_login_that_is_not_offered_needs_no_token_command() -> None:
    reply = "smtp://localhost:1025 offers no login with a password (offered: none)"
    hint = hint_for("smtp://ada@localhost:1025?tls=none", reply)
    assert "TOKEN" not in hint
    assert "?tls=none" in hint


@pytest.mark.parametrize(
    ("mail", "password", "fits"),
    [
        ("smtp://a@gmail.com@smtp.gmail.com:587", "abcd efgh ijkl mnop", True),
        ("smtp://a@gmail.com@smtp.gmail.com:587", "ABCDefghijklmnop", True),
        ("smtp://a@gmail.com@smtp.gmail.com:587", "hunter2", False),
        ("smtp://a@gmail.com@smtp.gmail.com:587", "abcd efgh ijkl mno", False),
        ("smtp://a@gmail.com@smtp.gmail.com:587", "abcd efgh ijkl mno1", False),
        ("smtps://a@smtp.mail.yahoo.com:465", "hunter2", False),
        ("smtps://1234@smtp.qq.com:465", "my login password", False),
        ("smtp://a@gmail.com@smtp.example.org:587", "hunter2", True),
        ("smtps://a@smtp.fastmail.com:465", "hunter2", True),
    ],
)
def test_a_password_that_the_provider_cannot_have_issued_is_told(
    mail: str, password: str, fits: bool
) -> None:
    if fits:
        check_issued(mail, password)
        return
    with pytest.raises(ConfigError, match="16 letters") as caught:
        check_issued(mail, password)
    assert password not in str(caught.value)


def test_what_is_not_known_gets_no_hint() -> None:
    assert hint_for("smtp://mail.example.org", "451 4.3.0 try again later") == ""
    assert hint_for("maildir:mail", "") == ""


@pytest.mark.parametrize(
    ("url", "password", "meant"),
    [
        ("smtp://a@gmail.com@smtp.gmail.com:587", "abcd efgh ijkl mnop", "abcdefghijklmnop"),
        ("smtp://a@gmail.com@smtp.gmail.com:587", "abcd\xa0efgh ijkl mnop ", "abcdefghijklmnop"),
        ("smtp://a@gmail.com@smtp.gmail.com:587", "abcdefghijklmnop", "abcdefghijklmnop"),
        ("smtp://a@gmail.com@smtp.gmail.com:587", "a pass phrase", "a pass phrase"),
        ("smtps://a@smtp.mail.yahoo.com:465", "abcd efgh ijkl mnop", "abcdefghijklmnop"),
        ("smtp://a@mail.example.org:587", "abcd efgh ijkl mnop", "abcd efgh ijkl mnop"),
    ],
)
def test_an_app_password_works_with_or_without_its_blanks(
    url: str, password: str, meant: str
) -> None:
    transport: Any = open_transport(url, home=ROOT, password=password, ca=None)
    assert transport._account.password == meant


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_each_way_to_send_has_a_guide_that_names_its_server(preset: Preset) -> None:
    text = (ROOT / preset.guide).read_text(encoding="utf-8")
    assert f"--provider {preset.name}" in text
    if preset.host and preset.scheme_is_smtp:
        assert f"{preset.scheme}://" in text
        assert f"@{preset.host}:{preset.port}" in text
    if preset.daily_limit:
        assert f"{preset.daily_limit:,}" in text


def test_the_index_names_every_guide_and_every_link_leads_somewhere() -> None:
    index = (GUIDES / "README.md").read_text(encoding="utf-8")
    assert {f"{preset.name}.md" for preset in PRESETS} <= set(
        re.findall(r"\]\(([a-z0-9]+\.md)\)", index)
    )
    for path in GUIDES.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
            assert "://" in link or (path.parent / link).exists(), f"{path.name}: {link}"
