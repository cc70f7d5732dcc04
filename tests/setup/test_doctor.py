"""`digest doctor`: each check against real parts, its independence of the others, its exit codes,
its silence."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from dns.resolver import Resolver

from digest.cli import main
from digest.cli.daily import timer as timer_module
from digest.demo.papers import three_days
from digest.demo.standin import Answer, Standin
from digest.errors import ConfigError, Exit, TryLaterError
from digest.rules.calendar import last_served
from digest.rules.plan import feed_day
from digest.setup import settings as settings_module
from digest.setup.doctor import files, machine, names, network
from digest.setup.doctor.check import Cause, Check, Finding, Level, exit_code, ok, run_checks
from digest.setup.doctor.mail import TITLE, sender_domain
from digest.setup.doctor.settings import all_mistakes, check_settings
from digest.setup.doctor.table import local_checks, remote_checks
from digest.setup.settings import Survey, survey_settings
from digest.store import open_store
from digest.system.timers.plan import Installed
from tests.world.dns_server import dns_server
from tests.world.smtp_server import Act, make_certificate, smtp_server
from tests.world.worlds import mail

PASSWORD = "tr0ub4dor-and-3"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PAPERS = three_days(date(2026, 11, 1))[0].papers
SUBSCRIBERS = "subscribers:\n  - email: ada@example.org\n    keywords: [Reward Model]\n"
SENDER = {"DIGEST_FROM": "Papers <papers@example.org>", "DIGEST_CONTACT": "ada@example.org"}


def survey(home: Path, **environ: str) -> Survey:
    return survey_settings({"DIGEST_HOME": str(home)}, environ, home)


def states(findings: list[Finding]) -> list[Level]:
    return [finding.level for finding in findings]


def find_all(chosen: Survey, name: str, now: datetime = NOW) -> list[Finding]:
    """What the check of this name finds, as the doctor makes it."""
    rows = [
        *local_checks(chosen, list, now),
        *remote_checks(chosen, lambda: now, probe_mail=True),
    ]
    return list(run_checks([row for row in rows if row.name == name], all_mistakes(chosen)))


def find(chosen: Survey, name: str, now: datetime = NOW) -> Finding:
    (finding,) = find_all(chosen, name, now)
    return finding


# -- how checks are made
# ------------------------------------------------------------------------------


def test_a_check_that_breaks_off_hides_no_other_and_neither_does_one_that_hangs() -> None:
    ended = threading.Event()

    def breaks() -> Finding:
        raise ZeroDivisionError("a\nb")

    def refuses() -> Finding:
        raise ConfigError("it is wrong", remedy="mend it")

    def hangs() -> Finding:
        ended.wait(30)
        return ok("")

    def waits() -> Finding:
        raise TryLaterError("locked")

    made = list(
        run_checks(
            [
                Check("hangs", hangs),
                Check("breaks", breaks),
                Check("refuses", refuses),
                Check("waits", waits),
                Check("two", lambda: [ok("a"), ok("b")]),
            ],
            seconds=0.3,
        )
    )
    ended.set()
    assert [check.name for check in made] == ["hangs", "breaks", "refuses", "waits", "two", "two"]
    assert states(made) == [Level.FAIL] * 4 + [Level.OK] * 2
    assert [check.cause for check in made[:4]] == [
        Cause.OTHER,
        Cause.OTHER,
        Cause.CONFIG,
        Cause.NETWORK,
    ]
    assert "no result after 0.3 seconds" in made[0].found
    assert made[1].found == "the check broke off (ZeroDivisionError: a b)"
    assert (made[2].found, made[2].remedy) == ("it is wrong", "mend it")


@pytest.mark.parametrize(
    ("causes", "code"),
    [
        ([], Exit.DONE),
        ([Cause.NETWORK], Exit.TRY_LATER),
        ([Cause.NETWORK, Cause.CONFIG], Exit.CONFIG),
        ([Cause.CONFIG, Cause.OTHER], Exit.CONFIG),
        ([Cause.NETWORK, Cause.OTHER], Exit.GIVEN_UP),
        ([Cause.OTHER], Exit.GIVEN_UP),
    ],
)
def test_the_exit_code_says_what_failed(causes: list[Cause], code: Exit) -> None:
    failed = [Finding(Level.FAIL, "", "", cause) for cause in causes]
    assert exit_code([*failed, Finding(Level.WARN, ""), ok("")]) is code


# -- settings
# -----------------------------------------------------------------------------------------


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


def test_a_dotenv_without_a_secret_may_be_read_by_all(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("DIGEST_CONTACT=ada@example.org\n")
    (tmp_path / ".env").chmod(0o644)
    assert not any("others" in check.found for check in check_settings(survey(tmp_path)))


# -- files
# --------------------------------------------------------------------------------------------


def test_the_subscribers_file_is_missing_wrong_empty_or_right(tmp_path: Path) -> None:
    path = tmp_path / "subscribers.yaml"
    missing = find(survey(tmp_path), "subscribers")
    assert (missing.level, missing.remedy) == (Level.FAIL, "begin with 'digest init'")
    path.write_text("subscribers:\n  - email: ada\n    keywrods: [x]\n")
    wrong = find(survey(tmp_path), "subscribers")
    assert wrong.level is Level.FAIL
    assert "subscribers.yaml:2:" in wrong.found
    assert "more" in wrong.found
    path.write_text("keywords: [hallucination]\n")
    assert find(survey(tmp_path), "subscribers").level is Level.WARN
    path.write_text(SUBSCRIBERS)
    right = find(survey(tmp_path), "subscribers")
    assert (right.level, right.found.startswith("1 reader, 1 query")) == (Level.OK, True)


def make_database(
    home: Path, *, last: datetime | None = None, finished: bool = True, trouble: str = ""
) -> Path:
    """A database of Ada's, whose last run was then."""
    from digest.subscribers import load_roster

    (home / "subscribers.yaml").write_text(SUBSCRIBERS)
    path = home / "digest.db"
    with open_store(path) as store:
        store.subscribers.sync(load_roster(home / "subscribers.yaml"), last or NOW)
        if last is not None:
            run = store.runs.begin(last)
            if finished:
                store.runs.finish(run, last, composed=0, outcomes={}, trouble=trouble)
    return path


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


def test_a_database_that_is_whole_is_told_with_its_size_and_left_as_it_is(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    before = sorted(p.name for p in tmp_path.iterdir())
    check = find(survey(tmp_path), "database")
    assert check.level is Level.OK
    assert re.search(r"schema \d+, 0\.\d MB", check.found)
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    assert path.exists()


def damage(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 * 3 : 4096 * 4] = b"\xff" * 4096
    path.write_bytes(data)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "damaged": (damage, "damaged"),
    "no database": (
        lambda path: path.write_bytes(b"not a database at all" * 400),
        "damaged or no SQLite",
    ),
    "another program's": (
        lambda path: change(path, "PRAGMA application_id = 7"),
        "another program",
    ),
    "newer": (lambda path: change(path, "PRAGMA user_version = 99"), "newer version"),
    "orphans": (
        lambda path: change(
            path, "INSERT INTO subscription(subscriber, query, label) VALUES(1, 99, 'x')"
        ),
        "1 reference to a row that is not there",
    ),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_database_that_is_not_well_fails_with_what_to_do(tmp_path: Path, kind: str) -> None:
    breaks, words = BROKEN[kind]
    breaks(make_database(tmp_path))
    check = find(survey(tmp_path), "database")
    assert (check.level, check.cause) == (Level.FAIL, Cause.CONFIG)
    assert words in check.found
    assert check.remedy


def test_without_a_database_the_first_run_makes_it_where_it_can(tmp_path: Path) -> None:
    assert find(survey(tmp_path), "database").level is Level.OK
    # Where nothing is there at all, the missing subscribers file is the one failure that is told.
    assert find(survey(tmp_path / "nowhere"), "database").level is Level.SKIP
    (tmp_path / "subscribers.yaml").write_text("subscribers: []\n")
    lost = find(survey(tmp_path, DIGEST_DB="nowhere/digest.db"), "database")
    assert (lost.level, lost.remedy) == (Level.FAIL, "begin with 'digest init'")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_database_of_another_user_names_both(tmp_path: Path) -> None:
    path = make_database(tmp_path)
    os.chown(path, 12345, -1)
    check = find(survey(tmp_path), "database")
    assert check.level is Level.FAIL
    assert "12345" in check.found
    assert "sudo -u" in check.remedy


def test_a_database_of_another_user_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_database(tmp_path, last=NOW)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 12345)
    assert find(survey(tmp_path), "database").level is Level.FAIL
    assert find(survey(tmp_path), "last run", NOW).level is Level.SKIP


def test_a_disk_that_is_nearly_full_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find(survey(tmp_path), "disk").level in (Level.OK, Level.WARN)
    monkeypatch.setattr(files, "LITTLE_DISK", 10**18)
    assert find(survey(tmp_path / "not" / "yet"), "disk").level is Level.WARN
    monkeypatch.setattr(files, "NO_DISK", 10**18)
    assert find(survey(tmp_path), "disk").level is Level.FAIL


def test_a_cycle_at_work_is_told_and_one_of_nobody_here_is_a_warning(tmp_path: Path) -> None:
    lock = tmp_path / "digest.db.lock"
    assert find(survey(tmp_path), "cycle").level is Level.OK
    lock.write_text(f"{os.getpid()} 2026-11-23T11:58:00Z\n")
    at_work = find(survey(tmp_path), "cycle")
    assert (at_work.level, f"process {os.getpid()}, for 2 minutes" in at_work.found) == (
        Level.OK,
        True,
    )
    lock.write_text(f"{os.getpid()} 2026-11-23T01:00:00Z\n")
    assert find(survey(tmp_path), "cycle").level is Level.WARN
    lock.write_text(
        "4194999 2026-11-23T11:00:00Z\n"
    )  # beyond the largest process id that Linux gives
    elsewhere = find(survey(tmp_path), "cycle")
    assert (elsewhere.level, "another machine" in elsewhere.found) == (Level.WARN, True)
    lock.write_text("\n")
    assert find(survey(tmp_path), "cycle").found == "none is at work"


def test_another_installation_that_mails_the_same_readers_is_found(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours", tmp_path / "other"
    ours.mkdir()
    other.mkdir()
    make_database(ours, last=NOW)
    homes = [tmp_path / "nowhere", ours, other]
    assert files.check_others(ours / "digest.db", frozenset(), homes, NOW).level is Level.OK
    make_database(other, last=NOW - timedelta(days=1))
    clash = files.check_others(ours / "digest.db", frozenset(), homes, NOW)
    assert clash.level is Level.WARN
    assert "ran 24 hours ago and has 1 of these readers" in clash.found
    assert (
        files.check_others(ours / "digest.db", frozenset(), homes, NOW + timedelta(days=9)).level
        is Level.OK
    )
    (other / "digest.db").write_bytes((ours / "digest.db").read_bytes())
    assert (
        "is a copy of this database"
        in files.check_others(ours / "digest.db", frozenset(), homes, NOW).found
    )
    (other / "digest.db").write_bytes(b"x" * 5000)
    assert "cannot be read" in files.check_others(ours / "digest.db", frozenset(), homes, NOW).found


# -- machine
# ------------------------------------------------------------------------------------------


def test_the_last_run_is_recent_old_interrupted_or_in_trouble(tmp_path: Path) -> None:
    home = survey(tmp_path)
    assert find(home, "last run", NOW).level is Level.SKIP
    path = make_database(tmp_path)
    assert "none yet" in find(home, "last run", NOW).found
    path.unlink()
    make_database(tmp_path, last=NOW - timedelta(hours=25))
    assert find(home, "last run", NOW).level is Level.OK
    assert find(home, "last run", NOW + timedelta(hours=2)).level is Level.WARN
    make_database(tmp_path, last=NOW - timedelta(hours=3), finished=False)
    assert "interrupted" in find(home, "last run", NOW).found
    make_database(tmp_path, last=NOW, trouble="535 no such login")
    assert "535 no such login" in find(home, "last run", NOW).found


def test_a_timer_is_there_for_this_folder_or_not(tmp_path: Path) -> None:
    def state(*found: Installed) -> tuple[Level, str]:
        check = machine.check_caller(tmp_path, found)
        return check.level, check.found

    timer = Installed("systemd", "/etc/systemd/system/digest.timer", True, tmp_path)
    assert state(timer)[0] is Level.OK
    assert state()[0] is Level.WARN
    assert state(Installed("systemd", "x.timer", False, tmp_path)) == (
        Level.WARN,
        "x.timer is installed, and not active",
    )
    assert "not known" in state(Installed("cron", "the crontab of ada", None, tmp_path))[1]
    elsewhere = state(Installed("cron", "the crontab of ada", None, Path("/srv/other")))
    assert elsewhere[0] is Level.WARN
    assert "/srv/other" in elsewhere[1]
    assert "one is enough" in state(timer, Installed("daemon", "y.service", True))[1]


def test_the_list_of_holidays_ends_some_day(tmp_path: Path) -> None:
    assert machine.check_holidays(date(2026, 6, 1), tmp_path).level is Level.OK
    ending = machine.check_holidays(date(2026, 11, 23), tmp_path)
    assert (ending.level, "38 days more" in ending.found) == (Level.WARN, True)
    assert "2031 are not known" in machine.check_holidays(date(2031, 1, 1), tmp_path).found


def test_the_home_folders_own_holidays_count(tmp_path: Path) -> None:
    own = tmp_path / "holidays.json"
    own.write_text('{"years": {"2027": {"2027-01-18": "King Day"}}}')
    assert machine.check_holidays(date(2026, 11, 23), tmp_path).found == "known to the end of 2027"
    own.write_text('{"years": {"2027": {"2027-01-32": "King Day"}}}')
    broken = machine.check_holidays(date(2026, 6, 1), tmp_path)
    assert (broken.level, "2027-01-32" in broken.found) == (Level.FAIL, True)
    own.unlink()
    assert machine.check_holidays(date(2026, 6, 1), tmp_path).level is Level.OK


def test_zone_data_is_there_and_its_age_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.check_zones(NOW).level is Level.OK
    monkeypatch.setattr(machine, "_zones_version", lambda: "2019c")
    assert machine.check_zones(NOW).level is Level.WARN


# -- arXiv
# --------------------------------------------------------------------------------------------


@pytest.fixture
def arxiv() -> Iterator[Standin]:
    with Standin(PAPERS) as standin:
        yield standin


def ask(arxiv_url: str, home: Path, now: datetime | None = None) -> list[Finding]:
    chosen = survey(home, DIGEST_ARXIV_API=arxiv_url, DIGEST_ARXIV_DELAY="0", **SENDER)
    check = Check(
        "arXiv",
        lambda: network.check_arxiv(chosen.settings, lambda: now or datetime.now(UTC)),
    )
    return list(run_checks([check]))


def test_arxiv_is_asked_once_and_says_the_time(arxiv: Standin, tmp_path: Path) -> None:
    found, clock = ask(arxiv.url, tmp_path)
    assert states([found, clock]) == [Level.OK, Level.OK]
    assert len(arxiv.requests) == 1
    assert "ada@example.org" in arxiv.requests[0].headers["user-agent"]


def ask_source(arxiv: Standin, home: Path, **settings: str) -> list[Finding]:
    addresses = {
        "DIGEST_ARXIV_API": arxiv.url,
        "DIGEST_ARXIV_FEEDS": arxiv.feeds_url,
        "DIGEST_ARXIV_OAI": arxiv.oai_url,
        "DIGEST_ARXIV_DELAY": "0",
    }
    chosen = survey(home, **SENDER, **addresses, **settings)
    return find_all(chosen, "source")


def test_the_chosen_source_is_asked_too(arxiv: Standin, tmp_path: Path) -> None:
    assert ask_source(arxiv, tmp_path) == []
    assert ask_source(arxiv, tmp_path, DIGEST_SOURCE="api") == []
    economics = replace(PAPERS[0], categories=("econ.EM",))
    arxiv.announcing.announce(feed_day(last_served(NOW)), [economics])
    (feeds,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="feeds")
    assert (feeds.level, "1 papers today in econ and q-fin" in feeds.found) == (Level.OK, True)
    (oai,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="oai")
    assert (oai.level, "1 records in econ" in oai.found) == (Level.OK, True)
    assert [asked.path for asked in arxiv.requests] == ["/atom/econ+q-fin", "/oai"]


def test_a_chosen_source_in_trouble_is_a_warning_since_another_stands_in(
    arxiv: Standin, tmp_path: Path
) -> None:
    arxiv.announcing.announce(
        NOW.date() - timedelta(days=9), [replace(PAPERS[0], categories=("econ.EM",))]
    )
    (stale,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="feeds")
    assert (stale.level, stale.remedy) == (Level.WARN, "wait: the API is asked instead")
    arxiv.script(Answer(404, b"not found"))
    (lost,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="oai")
    assert lost.level is Level.WARN
    assert "DIGEST_ARXIV_OAI" in lost.remedy


@pytest.mark.parametrize("minutes", [-7, 7, 300])
def test_a_clock_that_is_off_is_a_warning(arxiv: Standin, tmp_path: Path, minutes: int) -> None:
    _, clock = ask(arxiv.url, tmp_path, datetime.now(UTC) + timedelta(minutes=minutes))
    assert clock.level is Level.WARN
    assert ("behind" if minutes < 0 else "ahead of") in clock.found


@pytest.mark.parametrize(
    ("answer", "state", "cause"),
    [
        (Answer(429, b"Rate exceeded."), Level.WARN, Cause.CONFIG),
        (Answer(503, b""), Level.FAIL, Cause.NETWORK),
        (Answer(200, b"<html>Hello</html>"), Level.FAIL, Cause.NETWORK),
        (Answer(reset=True), Level.FAIL, Cause.NETWORK),
        (Answer(404, b"not found"), Level.FAIL, Cause.CONFIG),
    ],
)
def test_an_answer_that_is_not_sane_is_told(
    arxiv: Standin, tmp_path: Path, answer: Answer, state: Level, cause: Cause
) -> None:
    arxiv.script(answer)
    found, _clock = ask(arxiv.url, tmp_path)
    assert (found.level, found.cause) == (state, cause)
    assert found.remedy
    assert len(arxiv.requests) == 1


def test_without_a_network_arxiv_fails_and_the_clock_is_not_checked(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:1/api/query", "http://no-such-host.invalid/api/query"):
        found, clock = ask(url, tmp_path)
        assert (found.level, found.cause, clock.level) == (Level.FAIL, Cause.NETWORK, Level.SKIP)


def test_arxiv_is_left_alone_while_a_cycle_asks_it(arxiv: Standin, tmp_path: Path) -> None:
    (tmp_path / "digest.db.lock").write_text(f"{os.getpid()} 2026-11-23T11:58:00Z\n")
    assert states(ask(arxiv.url, tmp_path)) == [Level.SKIP, Level.SKIP]
    assert arxiv.requests == []


# -- mail
# ---------------------------------------------------------------------------------------------

LOGIN = ("8BITMIME", "AUTH PLAIN LOGIN")


async def try_mail(home: Path, url: str, **environ: str) -> Finding:
    chosen = survey(home, DIGEST_MAIL=url, **SENDER, **environ)
    return await asyncio.to_thread(find, chosen, "mail")


def with_user(url: str, host: str = "127.0.0.1") -> str:
    return url.replace("127.0.0.1", f"ada@{host}")


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


# -- DNS
# ----------------------------------------------------------------------------------------------

GOOD = {
    "example.org": ["some other text", "v=spf1 include:relay.example.net| -all"],
    "key1._domainkey.example.org": ["v=DKIM1; p=abc"],
    "_dmarc.example.org": ["v=DMARC1; p=quarantine; rua=mailto:ada@example.org"],
}


def look_up(
    resolver: Resolver | None, domain: str = "example.org", **limit: float
) -> list[Finding]:
    """What is found of SPF, DKIM and DMARC."""
    ask = names.asking(resolver, **limit)
    checks = {"SPF": names.check_spf, "DKIM": names.check_dkim, "DMARC": names.check_dmarc}
    return list(
        run_checks(Check(name, partial(check, domain, ask)) for name, check in checks.items())
    )


def test_a_domain_that_publishes_all_is_well() -> None:
    with dns_server(GOOD | {"lab.example.org": ["v=spf1 mx -all"]}) as resolver:
        spf, dkim, dmarc = look_up(resolver)
        _, dkim_of_parent, below = look_up(resolver, "lab.example.org")
    assert states([spf, dkim, dmarc, dkim_of_parent, below]) == [Level.OK] * 5
    assert "v=spf1 include:relay.example.net -all" in spf.found
    assert "p=quarantine" in dmarc.found
    assert "example.org: " in below.found


@pytest.mark.parametrize(
    ("records", "spf", "dkim", "dmarc"),
    [
        ({"example.org": []}, "does not say", "seems to have no key", "no DMARC record"),
        (
            {
                "example.org": ["v=spf1 -all", "v=spf1 ~all"],
                "_dmarc.example.org": ["v=DMARC1; p=none", "v=DMARC1"],
            },
            "2 SPF records",
            "seems to have no key",
            "2 DMARC records",
        ),
        (
            {"example.org": ["v=spf1 +all"], "_dmarc.example.org": ["v=DMARC1; p=maybe"]},
            "+all",
            "no key",
            "no policy",
        ),
        ({"example.net": [], "org": []}, "does not exist", "", ""),
    ],
)
def test_what_a_domain_lacks_is_a_warning(
    records: dict[str, list[str]], spf: str, dkim: str, dmarc: str
) -> None:
    with dns_server(records) as resolver:
        made = look_up(resolver)
    for check, words in zip(made, (spf, dkim, dmarc), strict=True):
        if words:
            assert (check.level, words in check.found) == (Level.WARN, True)
            assert check.remedy
        else:
            assert check.level is Level.SKIP


def test_where_no_dns_server_answers_nothing_is_said_of_the_domain() -> None:
    with dns_server({}, silent=True) as resolver:
        made = look_up(resolver, seconds=0.1)
    made += look_up(None)
    assert states(made) == [Level.SKIP] * 6
    assert made[0].found == "not checked: no DNS server answered"


def test_a_server_that_knows_no_public_name_says_nothing_of_the_domain() -> None:
    with dns_server({"printer.lan": []}) as resolver:
        made = look_up(resolver)
    assert {(c.level, c.found) for c in made} == {
        (Level.SKIP, "not checked: the DNS server here knows no public names")
    }


def test_only_a_domain_that_mail_leaves_for_is_looked_up(tmp_path: Path) -> None:
    real = {"DIGEST_MAIL": "sendmail:"}
    assert (
        sender_domain(survey(tmp_path, **real, DIGEST_FROM="Papers <p@Exämple.org>").settings)
        == "xn--exmple-cua.org"
    )
    assert sender_domain(survey(tmp_path, **real, DIGEST_FROM="papers@localhost").settings) == ""
    assert sender_domain(survey(tmp_path, DIGEST_FROM="papers@example.org").settings) == ""


# -- the command
# --------------------------------------------------------------------------------------


@dataclass
class Told:
    code: int
    out: str
    err: str

    def check(self, name: str) -> dict[str, str]:
        """A check from the JSON."""
        found: dict[str, str] = next(c for c in json.loads(self.out)["checks"] if c["name"] == name)
        return found


class Clinic:
    """A machine with nothing on it but a home folder, a small arXiv and no DNS."""

    def __init__(self, home: Path, arxiv: Standin, capture: pytest.CaptureFixture[str]) -> None:
        self.home, self.arxiv, self._capture = home, arxiv, capture

    def __call__(self, *args: str) -> Told:
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *args, "--home", str(self.home)])
        out, err = self._capture.readouterr()
        assert "Traceback" not in err
        return Told(int(ended.value.code or 0), out, err)

    async def beside(self, *args: str) -> Told:
        """The command while this loop serves mail."""
        return await asyncio.to_thread(self, *args)

    def env(self, **values: str) -> None:
        (self.home / ".env").write_text(
            "".join(f"{name}='{value}'\n" for name, value in values.items())
        )
        (self.home / ".env").chmod(0o600)


@pytest.fixture
def clinic(
    tmp_path: Path,
    arxiv: Standin,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Clinic]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    home = tmp_path / "home"
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("DIGEST_ARXIV_API", arxiv.url)
    monkeypatch.setenv("DIGEST_ARXIV_DELAY", "0")
    monkeypatch.setattr(settings_module, "SYSTEM_HOME", tmp_path / "system")
    monkeypatch.setattr(files, "SYSTEM_HOME", tmp_path / "system")
    monkeypatch.setattr(names, "make_resolver", lambda: None)
    monkeypatch.setattr(timer_module, "installed", list)
    monkeypatch.chdir(tmp_path)
    yield Clinic(home, arxiv, capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


def test_on_a_fresh_machine_it_says_what_to_do_first(clinic: Clinic) -> None:
    told = clinic()
    assert (told.code, told.err) == (78, "")
    assert "begin with 'digest init'" in told.out.splitlines()[0]
    assert not clinic.home.exists()
    assert all(len(line) <= 80 or str(clinic.home.parent) in line for line in told.out.splitlines())
    assert "\x1b" not in told.out


def test_where_all_is_well_only_warnings_are_left_and_the_code_is_0(clinic: Clinic) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))
    clinic.env(DIGEST_CONTACT="ada@example.org")
    told = clinic("--json")
    report = json.loads(told.out)
    assert (told.code, report["exit_code"]) == (0, 0)
    assert not [check for check in report["checks"] if check["state"] == "fail"]
    assert set(report["checks"][0]) == {"name", "state", "found", "remedy"}
    assert [check["name"] for check in report["checks"]] == [
        "settings",
        "subscribers",
        "database",
        "disk",
        "timer",
        "last run",
        "cycle",
        "other installs",
        "zone data",
        "holidays",
        "arXiv",
        "clock",
        "mail",
    ]
    assert len(clinic.arxiv.requests) == 1


def test_only_the_network_failing_is_75(clinic: Clinic) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))
    clinic.arxiv.script(Answer(reset=True))
    told = clinic()
    assert told.code == 75
    assert "FAILED  arXiv" in told.out


def test_each_line_begins_with_a_word_and_the_names_are_aligned(clinic: Clinic) -> None:
    lines = clinic().out.splitlines()
    table = lines[2 : lines.index("", 2)]
    for line in table:
        assert re.match(r"(?:ok|warning|FAILED|-) +[a-zA-Z]", line) or line.startswith(" " * 24)
        assert line[23] == " " or line[:24].strip() == ""
    assert re.fullmatch(
        r"\d failed, \d warnings?, \d+ ok(, \d not checked)?\.", lines[lines.index("", 2) + 1]
    )


def test_a_check_that_breaks_off_is_one_line_among_the_others(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))

    def broken() -> Any:
        raise RuntimeError("no such thing")

    monkeypatch.setattr(timer_module, "installed", broken)
    told = clinic("--json")
    assert told.code == 1
    assert told.check("timer")["found"] == "the check broke off (RuntimeError: no such thing)"
    assert told.check("database")["state"] == "ok"


def test_own_templates_are_tried(clinic: Clinic) -> None:
    own = clinic.home / "own"
    own.mkdir(parents=True)
    clinic.env(DIGEST_TEMPLATES="own")
    assert clinic("--json").check("templates")["state"] == "ok"
    (own / "digest.txt").write_text("{% if %}")
    assert clinic("--json").check("templates")["state"] == "fail"


async def test_a_test_digest_goes_out_and_the_servers_words_are_told(clinic: Clinic) -> None:
    clinic.home.mkdir()
    path = make_database(clinic.home, last=datetime.now(UTC))
    before = path.read_bytes()
    async with smtp_server(extensions=LOGIN) as server:
        clinic.env(DIGEST_MAIL=with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD, **SENDER)
        told = await clinic.beside("--send", "eve@example.org")
    assert told.code == 0
    assert "a test digest went to eve@example.org" in " ".join(told.out.split())
    assert "2.0.0 Queued as 7" in " ".join(told.out.split())
    (taken,) = server.messages
    assert taken.recipient == "eve@example.org"
    message = mail(taken.data)
    assert message["Subject"].startswith("Test: ")
    for part in ("plain", "html"):
        body = message.get_body((part,))
        assert body is not None
        assert TITLE in body.get_content()
    assert path.read_bytes() == before
    assert server.verbs().count("AUTH") == 1


@pytest.mark.parametrize(
    ("script", "code", "words"),
    [
        ({"AUTH": "535 5.7.8 bad login"}, 78, "535 5.7.8 bad login"),
        ({"RCPT": "550 5.1.1 no such user"}, 1, "550 5.1.1 no such user"),
        ({"RCPT": "450 4.2.0 greylisted"}, 75, "greylisted"),
        ({"message": Act.DROP}, 75, "maybe delivered"),
    ],
)
async def test_a_test_digest_that_is_refused_is_told(
    clinic: Clinic, script: dict[str, Any], code: int, words: str
) -> None:
    clinic.home.mkdir()
    make_database(clinic.home, last=datetime.now(UTC))
    async with smtp_server(script, extensions=LOGIN) as server:
        clinic.env(DIGEST_MAIL=with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD, **SENDER)
        told = await clinic.beside("--send", "eve@example.org", "--json")
    assert told.code == code
    assert told.check("mail")["state"] == "fail"
    assert words in told.check("mail")["found"]


def test_what_is_no_address_is_refused_before_anything_is_done(clinic: Clinic) -> None:
    told = clinic("--send", "eve")
    assert (told.code, told.out) == (2, "")
    assert clinic.arxiv.requests == []


async def test_no_secret_is_ever_printed(clinic: Clinic) -> None:
    clinic.home.mkdir()
    leaky = {
        "AUTH": f"535 5.7.8 {PASSWORD} is not the password",
        "connect": f"220 hello {PASSWORD}",
    }
    async with smtp_server(leaky, extensions=LOGIN) as server:
        clinic.env(DIGEST_MAIL=with_user(server.url), DIGEST_MAIL_PASSWORD=PASSWORD, **SENDER)
        told = [
            await clinic.beside(*args)
            for args in ((), ("--json",), ("-vv",), ("--send", "eve@example.org"))
        ]
    for one in told:
        assert PASSWORD not in one.out + one.err
    assert "***" in told[0].out
