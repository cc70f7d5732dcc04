"""What is only found because a person stands in its folder: nobody else's word is taken."""

from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path

import pytest

from digest.cli import main
from digest.errors import ConfigError, Exit
from digest.setup import settings as settings_module
from digest.setup.doctor.check import Level
from digest.setup.doctor.settings import check_settings
from digest.setup.settings import load_settings
from digest.system.accounts import shared_group
from tests.setup.doctor import SENDER, SUBSCRIBERS, survey

NOBODY = pwd.getpwnam("nobody")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation in the current folder, with all that can be found through it."""
    here = tmp_path / "here"
    (here / "own").mkdir(parents=True)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr(settings_module, "SYSTEM_HOME", tmp_path / "system")
    monkeypatch.chdir(here)
    (here / ".env").write_text("DIGEST_CONTACT=ada@example.org\n")
    (here / "subscribers.yaml").write_text(SUBSCRIBERS)
    for name in ("own/digest.html", "password", "ca.pem", "token", "sendmail", "digest.db-wal"):
        (here / name).touch()
    return here


RELATIVE = {
    "DIGEST_TEMPLATES": "own",
    "DIGEST_MAIL_PASSWORD_FILE": "password",
    "DIGEST_INBOX_PASSWORD_FILE": "./password",
    "DIGEST_MAIL_CA": "ca.pem",
    "DIGEST_MAIL_TOKEN_COMMAND": "sh token",
    "DIGEST_MAIL": "sendmail:sendmail",
    "DIGEST_FROM": "papers@example.org",
}
FOUND = (
    ".",
    ".env",
    "subscribers.yaml",
    "own",
    "own/digest.html",
    "password",
    "ca.pem",
    "token",
    "sendmail",
    "digest.db-wal",
)


def refusal(folder: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_settings({}, environ or RELATIVE, folder)
    assert caught.value.exit_code == Exit.CONFIG
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_ones_own_or_roots_is_taken(folder: Path) -> None:
    assert load_settings({}, RELATIVE, folder).contact == "ada@example.org"


@needs_root
@pytest.mark.parametrize("name", FOUND)
def test_what_another_user_owns_is_refused(folder: Path, name: str) -> None:
    os.chown(folder / name, NOBODY.pw_uid, -1)
    told = refusal(folder)
    assert told == (
        f"{folder / name} belongs to nobody, and was only found through the current folder: "
        f"if you trust what is in it, name the folder: --home {folder}"
    )
    for named in ({"DIGEST_HOME": str(folder)}, {"DIGEST_HOME": "."}):
        assert load_settings(named, RELATIVE, folder).home == folder
        assert load_settings({}, RELATIVE | named, folder).home == folder


@pytest.mark.parametrize("name", FOUND)
def test_what_everybody_can_write_is_refused(folder: Path, name: str) -> None:
    (folder / name).chmod(0o1777 if name == "." else 0o646)
    assert "can be written by everybody" in refusal(folder)


@needs_root
@pytest.mark.parametrize(
    ("name", "refused"),
    [
        (".", False),
        (".env", True),
        ("own", True),
        ("own/digest.html", True),
        ("subscribers.yaml", False),
        ("password", False),
    ],
)
def test_a_groups_word_counts_where_something_runs_and_the_group_has_others(
    folder: Path, name: str, refused: bool
) -> None:
    (folder / name).chmod(0o770)
    load_settings({}, RELATIVE, folder)  # the group of root alone
    os.chown(folder / name, -1, NOBODY.pw_gid)
    if refused:
        assert f"by the group {shared_group(NOBODY.pw_gid)}" in refusal(folder)
    else:
        load_settings({}, RELATIVE, folder)


@needs_root
def test_a_link_counts_as_whoever_made_it_and_as_what_it_leads_to(folder: Path) -> None:
    text = (folder / ".env").read_text()
    (folder / ".env").unlink()
    (folder / "elsewhere").write_text(text)
    (folder / ".env").symlink_to("elsewhere")
    load_settings({}, {}, folder)
    os.lchown(folder / ".env", NOBODY.pw_uid, -1)
    assert ".env belongs to nobody" in refusal(folder)
    os.lchown(folder / ".env", 0, -1)
    os.chown(folder / "elsewhere", NOBODY.pw_uid, -1)
    assert ".env belongs to nobody" in refusal(folder)


@needs_root
def test_what_is_named_by_its_whole_path_is_meant_not_found(folder: Path) -> None:
    os.chown(folder / "own" / "digest.html", NOBODY.pw_uid, -1)
    whole = {"DIGEST_TEMPLATES": str(folder / "own")}
    assert load_settings({}, whole, folder).templates == folder / "own"


@needs_root
def test_the_users_own_and_the_systems_folder_need_no_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(folder / ".env", NOBODY.pw_uid, -1)
    monkeypatch.setattr(settings_module, "SYSTEM_HOME", folder)
    assert load_settings({}, {}, folder).contact == "ada@example.org"


@pytest.mark.parametrize(
    "command",
    [
        "doctor",
        "config",
        "run",
        "status",
        "preview",
        "outbox",
        "subscribe lin@example.org -k x",
        "init --yes --no-timer --no-test-mail --email ada@example.org -k x",
        "timer install --print",
        "db check",
    ],
)
def test_no_command_runs_what_somebody_else_put_there(
    folder: Path, command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sprung = tmp_path / "sprung"
    trap = f"touch {shlex.quote(str(sprung))}"
    (folder / ".env").write_text(
        f"DIGEST_MAIL=smtp://ada@127.0.0.1:1\nDIGEST_MAIL_TOKEN_COMMAND={trap}\n"
        "DIGEST_FROM=ada@example.org\nDIGEST_TEMPLATES=own\n"
    )
    (folder / ".env").chmod(0o666)
    before = sorted(folder.iterdir())
    with pytest.raises(SystemExit) as ended:
        main(command.split())
    told = capsys.readouterr()
    assert (ended.value.code, told.out) == (78, "")
    assert told.err.startswith(f"digest: {folder}/.env can be written by everybody")
    assert told.err.count("\n") == 1
    assert not sprung.exists()
    assert sorted(folder.iterdir()) == before


@needs_root
def test_the_doctor_warns_of_what_is_named_and_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text(SUBSCRIBERS)
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "digest.html").touch()
    environ = {**SENDER, "DIGEST_TEMPLATES": "own"}

    def told() -> list[str]:
        found = check_settings(survey(tmp_path, **environ))
        assert all(each.level is Level.WARN for each in found)
        return [each.found for each in found if "you" in each.found]

    assert told() == []
    os.chown(tmp_path / "own" / "digest.html", NOBODY.pw_uid, -1)
    (tmp_path / "subscribers.yaml").chmod(0o664)
    assert len(told()) == 1
    os.chown(tmp_path / "subscribers.yaml", -1, NOBODY.pw_gid)
    (tmp_path / ".env").touch()
    (tmp_path / ".env").chmod(0o602)
    tmp_path.chmod(0o777)
    words = [text.split(": ")[0].rpartition("/")[2] for text in told()]
    tmp_path.chmod(0o700)
    group = shared_group(NOBODY.pw_gid)
    assert words == [
        f"{tmp_path.name} can be written by everybody",
        ".env can be written by everybody",
        f"subscribers.yaml can be written by the group {group}",
        "digest.html belongs to nobody",
    ]


def test_a_database_that_is_open_to_others_is_told(tmp_path: Path) -> None:
    (tmp_path / "digest.db").touch(0o600)
    assert not [c for c in check_settings(survey(tmp_path)) if "open to others" in c.found]
    (tmp_path / "digest.db").chmod(0o644)
    (told,) = [c for c in check_settings(survey(tmp_path)) if "open to others" in c.found]
    assert told.remedy == f"chmod 600 {tmp_path / 'digest.db'}"
