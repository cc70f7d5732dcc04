"""The parts of `digest init`: what it understands, counts and writes."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from digest.cli.begin.init_ask import hour, one_of
from digest.cli.begin.init_files import (
    check_writable,
    choose_home,
    is_installed,
    local_zone,
    quoted,
    save_env,
)
from digest.cli.begin.init_mail import server_url, with_login
from digest.cli.readers.counts import PaperCounter, rate_words
from digest.errors import ConfigError, QueryError, UsageError
from digest.mail.presets import find_preset
from digest.model import Rule
from digest.setup.settings import load_settings
from tests.world.init_terminal import (
    NOW,
    papers,
)
from tests.world.standin import Standin


def test_a_clone_of_the_project_is_no_home_by_surprise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("digest.setup.settings.SYSTEM_HOME", tmp_path / "system")
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "subscribers.yaml").write_text("subscribers: []\n")
    assert choose_home("", clone) == clone
    (clone / "setup.cfg").write_text("[metadata]\nname = arxiv-digest\n")
    home = choose_home("", clone)
    assert (home, is_installed(home)) == (tmp_path / "data" / "digest", False)
    assert choose_home(str(clone), clone) == clone
    (clone / "digest.db").touch()
    assert choose_home("", clone) == clone


def test_the_local_zone_comes_from_the_first_source_that_names_one(tmp_path: Path) -> None:
    assert local_zone({}, tmp_path) == "UTC"
    (tmp_path / "timezone").write_text("Asia/Tokyo\n")
    assert local_zone({}, tmp_path) == "Asia/Tokyo"
    (tmp_path / "localtime").symlink_to("../usr/share/zoneinfo/Europe/Berlin")
    assert local_zone({}, tmp_path) == "Europe/Berlin"
    assert local_zone({"TZ": ":America/New_York"}, tmp_path) == "America/New_York"
    assert local_zone({"TZ": "/usr/share/zoneinfo/posix/America/Lima"}, tmp_path) == "America/Lima"
    assert local_zone({"TZ": "CET-1CEST,M3.5.0,M10.5.0/3"}, tmp_path) == "Europe/Berlin"


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\n"), min_size=1))
def test_any_value_comes_back_from_a_dotenv_file(
    tmp_path_factory: pytest.TempPathFactory, value: str
) -> None:
    path = tmp_path_factory.mktemp("env") / ".env"
    path.write_bytes(f"A=1\nB={quoted('B', value)}\nC=3\n".encode())
    assert dotenv_values(path, interpolate=False) == {"A": "1", "B": value, "C": "3"}


def test_what_no_dotenv_file_can_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no \.env file can hold"):
        quoted("DIGEST_MAIL_PASSWORD", "two\nlines")
    with pytest.raises(ConfigError, match=r"no \.env file can hold"):
        quoted("DIGEST_MAIL_PASSWORD", "half a character \udcc3")
    (tmp_path / ".env").write_text("DIGEST_FROM='unclosed\n")
    with pytest.raises(ConfigError, match="unclosed quote"):
        save_env(tmp_path / ".env", {"DIGEST_MAIL": "it's"})
    assert (tmp_path / ".env").read_text() == "DIGEST_FROM='unclosed\n"


def test_a_new_dotenv_that_cannot_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        save_env(tmp_path / ".env", {"DIGEST_MAIL": "maildir:mail"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("answer", "meant"),
    [
        ("7", "07:00"),
        ("07:30", "07:30"),
        ("7.30", "07:30"),
        ("7pm", "19:00"),
        ("12am", "00:00"),
        ("none", ""),
    ],
)
def test_an_hour_is_understood_as_people_write_it(answer: str, meant: str) -> None:
    assert hour(answer) == meant


@pytest.mark.parametrize("answer", ["", "24:00", "7:60", "13pm", "noon", "0730"])
def test_what_is_no_hour_is_refused(answer: str) -> None:
    with pytest.raises(UsageError, match="no time of day"):
        hour(answer)


def test_the_beginning_of_just_one_word_is_enough() -> None:
    check = one_of(["server", "from", "ca", "again"])
    assert [check(text) for text in ("S", "from", "c")] == ["server", "from", "ca"]
    with pytest.raises(UsageError, match="did you mean again"):
        check("agian")


def test_a_server_is_understood_as_people_write_it() -> None:
    relay, server = find_preset("relay"), find_preset("server")
    assert server_url("mail.example.org", server) == "smtp://mail.example.org:587"
    assert server_url("mail.example.org", relay) == "smtp://mail.example.org:25"
    assert server_url("mail.example.org:465", server) == "smtps://mail.example.org:465"
    assert server_url("localhost:1025?tls=starttls", server) == "smtp://localhost:1025?tls=starttls"
    assert server_url("10.0.0.1?tls=none", relay) == "smtp://10.0.0.1:25?tls=none"
    assert server_url("[2001:db8::7]", relay) == "smtp://[2001:db8::7]:25"
    assert server_url("SMTP://mail.example.org:2525", server) == "smtp://mail.example.org:2525"
    assert (
        with_login("smtp://mail.example.org:587", "ada@example.org")
        == "smtp://ada@example.org@mail.example.org:587"
    )
    assert with_login("smtp://eve@mail.example.org", "") == "smtp://mail.example.org"
    with pytest.raises(UsageError):
        server_url("", server)
    with pytest.raises(ConfigError, match="unprotected"):
        with_login("smtp://mail.example.org:25?tls=none", "ada")


def test_one_request_tells_what_each_rule_would_bring(tmp_path: Path) -> None:
    everything = papers()
    settings = load_settings(
        {"DIGEST_HOME": str(tmp_path), "DIGEST_ARXIV_DELAY": "0"}, {}, tmp_path
    )
    with Standin(everything) as standin:
        counter = PaperCounter(
            load_settings(
                {"DIGEST_HOME": str(tmp_path), "DIGEST_ARXIV_API": standin.url}, {}, tmp_path
            )
        )
        counts = counter.recent("Hallucination", None, NOW)
        assert counts is not None
        assert len(standin.requests) == 1
        month = [p for p in everything if p.version == 1]
        either = [p for p in month if "hallucination" in f"{p.title} {p.abstract}".casefold()]
        assert counts.days == 30
        assert counts.per_day(Rule.EITHER) * 30 == pytest.approx(len(either))
        assert counts.per_day(Rule.EITHER) >= counts.per_day(Rule.BOTH) > 0
        assert set(counts.papers) == {Rule.EITHER, Rule.BOTH, Rule.TITLE}
    with pytest.raises(QueryError):
        PaperCounter(settings).recent("a AND", None, NOW)


def test_a_broad_keyword_is_counted_as_far_back_as_one_page_reaches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.cli.readers.counts.PAPERS", 10)
    with Standin(papers()) as standin:
        counter = PaperCounter(
            load_settings(
                {"DIGEST_HOME": str(tmp_path), "DIGEST_ARXIV_API": standin.url}, {}, tmp_path
            )
        )
        counts = counter.recent("all:e*", None, NOW)
        assert counts is not None
        assert len(standin.requests) == 1
    assert 1 <= counts.days < 10
    assert counts.per_day(Rule.QUERY) > 1


def test_rates_are_told_in_words() -> None:
    assert [rate_words(rate) for rate in (0, 0.05, 0.5, 2.25, 31.4)] == [
        "none",
        "about 2 a month",
        "about 3.5 a week",
        "about 2.2 a day",
        "about 31 a day",
    ]


def test_a_folder_that_cannot_be_written_to_is_told_before_any_question(tmp_path: Path) -> None:
    check_writable(tmp_path / "deep" / "below")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be written to"):
        check_writable(tmp_path / "file" / "home")
