"""The settings: where each value comes from, and what is said of one that cannot be."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from digest.errors import ConfigError, Exit
from digest.mail.mailbox import MailboxLocation, read_mailbox
from digest.setup import settings as settings_module
from digest.setup.doctor.files import candidate_homes
from digest.setup.settings import SETTINGS, SYSTEM_HOME, Settings, find_home, load_settings
from digest.setup.settings.read import LONGEST_BOUNCE, Daily
from digest.system.timers.machine import Machine

SMTP = {
    "DIGEST_MAIL": "smtp://ada@mail.example.org:587",
    "DIGEST_FROM": "Daily Papers <papers@example.org>",
}


def load(home: Path, environ: dict[str, str] | None = None, **flags: str) -> Settings:
    return load_settings({"DIGEST_HOME": str(home), **flags}, environ or {}, home)


def refusal(home: Path, **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(home, environ)
    assert caught.value.exit_code == Exit.CONFIG
    assert "\n" not in str(caught.value)
    return caught.value


def test_every_setting_has_the_default_of_the_design(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings == Settings(
        home=tmp_path,
        db=tmp_path / "digest.db",
        subscribers=tmp_path / "subscribers.yaml",
        mail="maildir:mail",
        mail_password="",
        mail_ca=None,
        sender="",
        contact="",
        arxiv_api="https://export.arxiv.org/api/query",
        arxiv_feeds="https://rss.arxiv.org/atom",
        arxiv_oai="https://oaipmh.arxiv.org/oai",
        source="auto",
        arxiv_delay=3.0,
        hold_unknown=False,
        templates=None,
    )
    assert not settings.mails_for_real


def test_a_flag_comes_before_the_environment_before_the_file_before_the_default(
    tmp_path: Path,
) -> None:
    assert load(tmp_path).db.name == "digest.db"
    (tmp_path / ".env").write_text("DIGEST_DB=file.db\n")
    assert load(tmp_path).db.name == "file.db"
    assert load(tmp_path, {"DIGEST_DB": "environment.db"}).db.name == "environment.db"
    assert load(tmp_path, {"DIGEST_DB": "environment.db"}, DIGEST_DB="flag.db").db.name == "flag.db"


def test_an_empty_value_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DIGEST_DB=\nDIGEST_CONTACT\n")
    assert load(tmp_path, {"DIGEST_DB": "", "DIGEST_ARXIV_DELAY": ""}).db.name == "digest.db"


def test_relative_paths_are_anchored_at_the_home_folder(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    settings = load(
        tmp_path,
        {
            "DIGEST_DB": "data/d.db",
            "DIGEST_SUBSCRIBERS": "/srv/people.yaml",
            "DIGEST_TEMPLATES": "own",
            "DIGEST_MAIL_CA": "ca",
        },
    )
    assert settings.db == tmp_path / "data" / "d.db"
    assert settings.subscribers == Path("/srv/people.yaml")
    assert settings.templates == tmp_path / "own"
    assert settings.mail_ca == tmp_path / "ca"


def test_a_tilde_is_the_users_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    assert load(tmp_path, {"DIGEST_DB": "~/d.db"}).db == Path("/home/ada/d.db")
    assert find_home("~/digest", tmp_path) == Path("/home/ada/digest")


@pytest.mark.parametrize("variable", ["DIGEST_DB", "DIGEST_SUBSCRIBERS"])
def test_the_home_folder_of_nobody_is_refused(tmp_path: Path, variable: str) -> None:
    assert variable in refusal(tmp_path, **{variable: "~nobody-has-this-name/x"}).message


def test_a_home_folder_of_nobody_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="DIGEST_HOME"):
        load_settings({"DIGEST_HOME": "~nobody-has-this-name/x"}, {}, tmp_path)


def test_an_account_without_a_home_folder_can_work_where_an_installation_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container that runs as any number."""

    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert find_home("", tmp_path) == SYSTEM_HOME
    (tmp_path / "subscribers.yaml").touch()
    assert find_home("", tmp_path) == tmp_path
    assert load_settings({}, {}, tmp_path).home == tmp_path
    assert candidate_homes(tmp_path, tmp_path) == [SYSTEM_HOME]
    assert Machine.this({}).home == Path("/")


@pytest.mark.parametrize("name", ["subscribers.yaml", "digest.db"])
def test_home_is_here_where_an_installation_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data, system, here = tmp_path / "data", tmp_path / "system", tmp_path / "here"
    monkeypatch.setenv("XDG_DATA_HOME", str(data))
    monkeypatch.setattr(settings_module, "SYSTEM_HOME", system)
    for folder in (data / "digest", system, here):
        folder.mkdir(parents=True)
    assert find_home("", here) == data / "digest"
    (system / name).touch()
    assert find_home("", here) == system
    (data / "digest" / name).touch()
    assert find_home("", here) == data / "digest"
    (here / name).touch()
    assert find_home("", here) == here
    assert find_home(str(system), here) == system


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"DIGEST_DB": "postgresql://ada:secret@db/x"}, "only SQLite"),
        ({"DIGEST_ON_UNKNOWN": "resend"}, "DIGEST_ON_UNKNOWN"),
        ({"DIGEST_ARXIV_DELAY": "soon"}, "DIGEST_ARXIV_DELAY"),
        ({"DIGEST_ARXIV_DELAY": "-1"}, "DIGEST_ARXIV_DELAY"),
        ({"DIGEST_ARXIV_DELAY": "nan"}, "DIGEST_ARXIV_DELAY"),
        ({"DIGEST_ARXIV_DELAY": "3601"}, "DIGEST_ARXIV_DELAY"),
        ({"DIGEST_ARXIV_API": "export.arxiv.org"}, "DIGEST_ARXIV_API"),
        ({"DIGEST_FROM": "papers"}, "DIGEST_FROM"),
        ({"DIGEST_FROM": "a@example.org, b@example.org"}, "DIGEST_FROM"),
        ({"DIGEST_CONTACT": "nobody at all"}, "DIGEST_CONTACT"),
        ({"DIGEST_TEMPLATES": "nowhere"}, "not a folder"),
        ({"DIGEST_MAIL": "smtp://localhost"}, "DIGEST_FROM is not set"),
        ({"DIGEST_MAIL": "sendmail:"}, "DIGEST_FROM is not set"),
        ({**SMTP, "DIGEST_MAIL_PASSWORD_FILE": "nowhere"}, "does not exist"),
        ({**SMTP, "DIGEST_MAIL_PASSWORD_FILE": "."}, "cannot be read"),
        ({"DIGEST_INBOX": "imap.example.org"}, "DIGEST_INBOX cannot be read"),
        ({"DIGEST_INBOX": "pop3://ada@example.org"}, "DIGEST_INBOX cannot be read"),
        ({"DIGEST_INBOX": "imaps://imap.example.org"}, "names no user"),
        ({"DIGEST_INBOX": "imaps://ada:secret@imap.example.org"}, "holds a password"),
        ({"DIGEST_INBOX": "imaps://ada@imap.example.org:99999"}, "host or port"),
        ({"DIGEST_INBOX_PASSWORD_FILE": "nowhere"}, "DIGEST_INBOX_PASSWORD_FILE names"),
        ({"DIGEST_BOUNCE": "bounces"}, "DIGEST_BOUNCE"),
        ({"DIGEST_BOUNCE": "Bounces <bounces@example.org>"}, "a bare address"),
        ({"DIGEST_BOUNCE": "b" * (LONGEST_BOUNCE + 1) + "@example.org"}, "a token must fit"),
        ({"DIGEST_BOUNCE": "böunces@example.org"}, "DIGEST_BOUNCE"),
        ({"DIGEST_OPERATOR": "nobody"}, "DIGEST_OPERATOR"),
        ({"DIGEST_HEARTBEAT_URL": "hc-ping.example/abc"}, "DIGEST_HEARTBEAT_URL"),
        ({"DIGEST_BASE_URL": "http://digest.example.org"}, "DIGEST_BASE_URL"),
        ({"DIGEST_BASE_URL": "https://digest.example.org/?a=b"}, "DIGEST_BASE_URL"),
        ({"DIGEST_BASE_URL": "https://digest.example.org/a b"}, "DIGEST_BASE_URL"),
        ({"DIGEST_SECRET": "short"}, "fewer than 16"),
    ],
)
def test_a_value_that_cannot_be_is_named(
    tmp_path: Path, environ: dict[str, str], words: str
) -> None:
    error = refusal(tmp_path, **environ)
    assert words in str(error)
    assert "secret" not in str(error)


@pytest.mark.parametrize(
    "sender", ["papers@localhost", "Papers <papers@example.org>", "grüße@exämple.org", "a@b.test"]
)
def test_senders_that_can_be_are_taken(tmp_path: Path, sender: str) -> None:
    assert load(tmp_path, {"DIGEST_FROM": sender}).sender == sender


@pytest.mark.parametrize(
    ("mail", "real"), [("maildir:x", False), ("Maildir:x", False), ("sendmail:", True)]
)
def test_only_a_maildir_is_not_for_real(tmp_path: Path, mail: str, real: bool) -> None:
    settings = load(tmp_path, {"DIGEST_MAIL": mail, "DIGEST_FROM": "a@example.org"})
    assert settings.mails_for_real is real


def test_a_dotenv_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"DIGEST_DB=\xff\xfe")
    assert ".env" in refusal(tmp_path).message
    (tmp_path / ".env").unlink()
    (tmp_path / ".env").mkdir()
    assert ".env" in refusal(tmp_path).message


def test_a_dollar_in_a_password_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DIGEST_MAIL_PASSWORD='a$HOME${x}b'\n")
    assert load(tmp_path).mail_password == "a$HOME${x}b"


def test_the_password_comes_from_the_variable_a_file_or_systemd(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from a file\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "mail-password").write_text(" from systemd \r\n")
    environ = {**SMTP, "CREDENTIALS_DIRECTORY": str(credentials)}
    assert load(tmp_path, environ).mail_password == " from systemd "
    environ["DIGEST_MAIL_PASSWORD_FILE"] = "password"
    assert load(tmp_path, environ).mail_password == "from a file"
    environ["DIGEST_MAIL_PASSWORD"] = "from the variable"
    assert load(tmp_path, environ).mail_password == "from the variable"
    (credentials / "mail-password").unlink()
    assert load(tmp_path, {**SMTP, "CREDENTIALS_DIRECTORY": str(credentials)}).mail_password == ""


def test_the_password_is_not_in_the_settings_words(tmp_path: Path) -> None:
    assert "tr0ub4dor" not in repr(load(tmp_path, {"DIGEST_MAIL_PASSWORD": "tr0ub4dor"}))


def test_a_password_has_no_flag() -> None:
    assert [s.variable for s in SETTINGS if s.secret] == [
        "DIGEST_SUBSCRIBERS_YAML",
        "DIGEST_SECRET",
        "DIGEST_MAIL_PASSWORD",
        "DIGEST_INBOX_PASSWORD",
        "DIGEST_HEARTBEAT_URL",
        "DIGEST_GITHUB_TOKEN",
        "DIGEST_ZOTERO_KEY",
        "DIGEST_LLM_KEY",
    ]


def test_a_variable_that_means_nothing_is_told_with_the_nearest_that_does(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DIGEST_SUBSCRIBER=x.yaml\n")
    settings = load(
        tmp_path,
        {"DIGEST_MIAL": "sendmail:", "DIGEST_QQQQ": "1", "DIGESTIVE": "1", "DIGEST_DB": "x"},
    )
    assert settings.unknown == {
        "DIGEST_MIAL": "DIGEST_MAIL",
        "DIGEST_QQQQ": "",
        "DIGEST_SUBSCRIBER": "DIGEST_SUBSCRIBERS",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('DIGEST_MAIL="smtp://relay.example.org\n', 1),
        ("# how mail leaves\nDIGEST_MAIL smtp://relay.example.org\n", 2),
        ("DIGEST_CONTACT=ada@example.org\n\nDIGEST_MAIL: smtp://relay.example.org\n", 3),
    ],
)
def test_a_line_that_cannot_be_read_is_a_mistake_and_never_passed_over(
    tmp_path: Path, text: str, line: int
) -> None:
    (tmp_path / ".env").write_text(text)
    refused = refusal(tmp_path)
    assert refused.exit_code == Exit.CONFIG
    assert f".env:{line} " in refused.message
    assert "relay" not in str(refused), "a value may be a secret"


@pytest.mark.parametrize(
    ("written", "place"),
    [
        (
            "imaps://bounces@mail.example.org",
            MailboxLocation("mail.example.org", 993, "bounces", "INBOX", "always"),
        ),
        (
            "imaps://me@gmail.com@imap.gmail.com/Digest",
            MailboxLocation("imap.gmail.com", 993, "me@gmail.com", "Digest", "always"),
        ),
        (
            "imap://ada@mail.example.org",
            MailboxLocation("mail.example.org", 143, "ada", "INBOX", "starttls"),
        ),
        (
            "imap://ada@localhost:1143/A%20folder/in",
            MailboxLocation("localhost", 1143, "ada", "A folder/in", "offered"),
        ),
        ("imaps://ada@[::1]:993", MailboxLocation("::1", 993, "ada", "INBOX", "always")),
    ],
)
def test_a_mailbox_is_read_from_its_setting(
    tmp_path: Path, written: str, place: MailboxLocation
) -> None:
    assert read_mailbox(load(tmp_path, {"DIGEST_INBOX": written}).inbox) == place


def test_the_mailbox_has_a_password_of_its_own(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "inbox-password").write_text("from systemd\n")
    environ = {"DIGEST_MAIL_PASSWORD": "another", "CREDENTIALS_DIRECTORY": str(credentials)}
    assert load(tmp_path, environ).inbox_password == "from systemd"
    (tmp_path / "password").write_text("from a file\n")
    assert (
        load(tmp_path, {**environ, "DIGEST_INBOX_PASSWORD_FILE": "password"}).inbox_password
        == "from a file"
    )


def test_the_web_side_has_no_slash_at_its_end_and_may_be_local(tmp_path: Path) -> None:
    assert (
        load(tmp_path, {"DIGEST_BASE_URL": "https://example.org/d/"}).base_url
        == "https://example.org/d"
    )
    assert (
        load(tmp_path, {"DIGEST_BASE_URL": "http://localhost:8080"}).base_url
        == "http://localhost:8080"
    )


def test_another_api_than_arxivs_has_no_stand_ins_unless_they_are_named(tmp_path: Path) -> None:
    mirror = {"DIGEST_ARXIV_API": "http://127.0.0.1:1/api"}
    settings = load(tmp_path, mirror)
    assert (settings.arxiv_feeds, settings.arxiv_oai) == ("", "")
    assert load(
        tmp_path, mirror | {"DIGEST_ARXIV_FEEDS": "http://127.0.0.1:1/atom"}
    ).arxiv_feeds.endswith("/atom")
    assert load(tmp_path, {"DIGEST_ARXIV_OAI": "none"}).arxiv_oai == ""


def test_a_source_that_is_chosen_must_be_there(tmp_path: Path) -> None:
    assert load(tmp_path, {"DIGEST_SOURCE": "feeds"}).source == "feeds"
    assert "DIGEST_SOURCE is 'rss'" in str(refusal(tmp_path, DIGEST_SOURCE="rss"))
    refused = refusal(tmp_path, DIGEST_SOURCE="oai", DIGEST_ARXIV_OAI="none")
    assert "no address to ask: set DIGEST_ARXIV_OAI" in str(refused)
    assert "DIGEST_ARXIV_FEEDS" in str(
        refusal(tmp_path, DIGEST_SOURCE="feeds", DIGEST_ARXIV_FEEDS="ftp://x")
    )


def test_each_field_is_filled_from_one_setting() -> None:
    """A row of the table that named no field, or none that exists, would be read and never used."""
    filled = [setting.field for setting in SETTINGS if setting.field]
    derived = {"home", "unknown", "origins", "variables"}
    assert sorted(filled) == sorted({field.name for field in fields(Settings)} - derived)


def test_an_empty_variable_hides_none_of_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LAB_HOOK=https://hooks.example.org/x\n")
    settings = load_settings({}, {"DIGEST_HOME": str(tmp_path), "LAB_HOOK": ""}, tmp_path)
    assert settings.variables["LAB_HOOK"] == "https://hooks.example.org/x"


def test_a_model_is_named_and_its_key_crosses_no_network_in_clear_text(tmp_path: Path) -> None:
    url = {"DIGEST_HOME": str(tmp_path), "DIGEST_LLM_URL": "http://llm.example.org/v1"}
    named = url | {"DIGEST_LLM_MODEL": "small"}
    assert load_settings(named, {}).llm_daily == Daily(1000, 1_000_000)
    local = named | {"DIGEST_LLM_URL": "http://127.0.0.1:11434/v1", "DIGEST_LLM_KEY": "k"}
    assert load_settings(local | {"DIGEST_LLM_DAILY": "5 requests,  7 tokens"}, {}).llm_daily == (
        Daily(5, 7)
    )
    for wrong, words in (
        (url, "DIGEST_LLM_MODEL is not"),
        (named | {"DIGEST_LLM_KEY": "k"}, "in clear text"),
        (named | {"DIGEST_LLM_URL": "http://["}, "no address of an endpoint"),
        (named | {"DIGEST_LLM_URL": "https://k:s@a.org"}, "no address of an endpoint"),
        (named | {"DIGEST_LLM_MODEL": "a\nb"}, "in one line"),
        (named | {"DIGEST_LLM_DAILY": "many"}, "1000 requests, 1000000 tokens"),
    ):
        with pytest.raises(ConfigError, match=words):
            load_settings(wrong, {})
