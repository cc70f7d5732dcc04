"""What the doctor says of the settings, one against the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.setup.doctor.check import Level
from digest.setup.doctor.settings import check_settings
from tests.setup.doctor import (
    PASSWORD,
    SENDER,
    find_all,
    states,
    survey,
)


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DIGEST_MIAL": "x"}, ["DIGEST_MIAL", "did you mean DIGEST_MAIL?"]),
        ({}, ["DIGEST_CONTACT is not set"]),
        ({}, ["nobody's inbox"]),
        ({"DIGEST_ARXIV_DELAY": "1"}, ["asks for 3 seconds"]),
        ({"DIGEST_MAIL_PASSWORD": PASSWORD}, ["nobody to log in as", "environment"]),
        (
            {"DIGEST_MAIL": "smtp://relay.example.org:25", "DIGEST_MAIL_PASSWORD": PASSWORD},
            ["nobody to log in as"],
        ),
        ({"DIGEST_MAIL": "smtp://localhost:25", "DIGEST_MAIL_CA": "ca.pem"}, ["uses no TLS"]),
        (
            {"DIGEST_MAIL": "sendmail:", "DIGEST_FROM": "digest@localhost"},
            ["means nothing elsewhere"],
        ),
        (
            {"DIGEST_MAIL": "smtp://r.example.org", "DIGEST_FROM": "ada@gmail.com"},
            ["smtp.gmail.com", "r.example.org"],
        ),
    ],
)
def test_what_is_odd_is_a_warning(
    tmp_path: Path, environ: dict[str, str], words: list[str]
) -> None:
    base = {"DIGEST_FROM": "papers@example.org"} if environ.get("DIGEST_MAIL") else {}
    found = [
        c
        for c in check_settings(survey(tmp_path, **(base | environ)))
        if words[0] in c.found + c.remedy
    ]
    assert states(found) == [Level.WARN]
    for word in words:
        assert word in found[0].found + found[0].remedy


def test_all_mistakes_are_failures_told_together(tmp_path: Path) -> None:
    found = check_settings(
        survey(tmp_path, DIGEST_MAIL="smtp://ada@relay.example.org", DIGEST_ARXIV_DELAY="soon")
    )
    failed = [c.found for c in found if c.level is Level.FAIL]
    assert len(failed) == 3
    for words in ("DIGEST_ARXIV_DELAY is 'soon'", "DIGEST_FROM is not set", "there is no password"):
        assert any(words in text for text in failed)


def test_a_delay_below_three_is_fine_for_anything_but_arxiv(tmp_path: Path) -> None:
    found = check_settings(
        survey(tmp_path, DIGEST_ARXIV_DELAY="0", DIGEST_ARXIV_API="http://127.0.0.1/api")
    )
    assert not any("DELAY" in check.found for check in found)


@pytest.mark.parametrize(
    ("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True), (0o400, False)]
)
def test_a_file_with_a_password_is_for_its_owner_alone(
    tmp_path: Path, mode: int, warned: bool
) -> None:
    for name, text in ((".env", f"DIGEST_MAIL_PASSWORD={PASSWORD}\n"), ("secret", PASSWORD)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(mode)
    found = check_settings(survey(tmp_path, **SENDER, DIGEST_MAIL_PASSWORD_FILE="secret"))
    told = [check for check in found if "others" in check.found]
    assert len(told) == (2 if warned else 0)
    assert all("chmod 600" in check.remedy for check in told)


def test_what_cannot_matter_where_it_stands_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DIGEST_HOME=/srv/digest\n")
    (tmp_path / "secret").write_text(PASSWORD)
    both = {"DIGEST_MAIL_PASSWORD": PASSWORD, "DIGEST_MAIL_PASSWORD_FILE": "secret"}
    mail_by = {
        "DIGEST_MAIL": "smtp://ada@relay.example.org",
        "DIGEST_MAIL_TOKEN_COMMAND": "fetch-token",
    }
    found = [
        c.found
        for c in check_settings(survey(tmp_path, **both, **mail_by, **SENDER))
        if c.level is Level.WARN
    ]
    for words in (
        "DIGEST_HOME stands in the .env file",
        "the file is not read",
        "only the token is used",
    ):
        assert any(words in text for text in found)


@pytest.mark.parametrize("place", ["file", "secret"])
def test_more_readers_than_the_provider_takes_are_told_wherever_they_stand(
    tmp_path: Path, place: str
) -> None:
    text = "subscribers:\n" + "".join(
        f"  - {{email: r{number}@example.org, keywords: [x]}}\n" for number in range(450)
    )
    environ = {"DIGEST_MAIL": "smtp://ada@smtp.gmail.com:587", "DIGEST_FROM": "ada@gmail.com"}
    if place == "file":
        (tmp_path / "subscribers.yaml").write_text(text)
    else:
        environ |= {"DIGEST_SUBSCRIBERS_YAML": text, "DIGEST_SECRET": "0123456789abcdef" * 2}
    found = [check.found for check in check_settings(survey(tmp_path, **environ))]
    assert "450 readers are many for this mail provider" in found


def test_a_password_file_that_is_not_read_hides_nothing_whatever_its_name(tmp_path: Path) -> None:
    unread = {"DIGEST_MAIL_PASSWORD": PASSWORD, "DIGEST_MAIL_PASSWORD_FILE": "~nobody-has-this/x"}
    found = find_all(survey(tmp_path, **unread), "settings")
    assert any("the file is not read" in finding.found for finding in found)


def test_a_dotenv_without_a_secret_may_be_read_by_all(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DIGEST_CONTACT=ada@example.org\n")
    (tmp_path / ".env").chmod(0o644)
    assert not any("others" in check.found for check in check_settings(survey(tmp_path)))
