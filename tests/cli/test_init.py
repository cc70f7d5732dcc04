"""`digest init` on a scripted terminal and by flags: from an empty folder to a delivered test
mail."""

from __future__ import annotations

import asyncio
import base64
import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext

import pexpect
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
from digest.demo.papers import World, newest_first
from digest.demo.standin import Standin
from digest.demo.words import TOPICS
from digest.errors import ConfigError, QueryError, UsageError
from digest.mail.presets import find_preset
from digest.model import Paper, Rule
from digest.setup.settings import load_settings
from digest.subscribers import load_roster
from tests.world.smtp_server import SmtpServer, make_certificate, smtp_server
from tests.world.worlds import mail

# The child does nothing between fork and exec but what pexpect does, so the test's other threads do
# not matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")

USER, PASSWORD = "ada", "correct 'horse' \\ $battery"
NOW = datetime.now(UTC).replace(microsecond=0)
DIGEST = (sys.executable, "-m", "digest")
WITH_A_TIMER = (
    sys.executable,
    "-c",
    "import digest.cli.daily.timer as timer\n"
    "from digest.cli import main\n"
    "def offer_install(context, *, assume_yes):\n"
    "    print('the timer is offered for', context.settings.home, assume_yes)\n"
    "    return True\n"
    "timer.offer_install = offer_install\n"
    "main()",
)


def papers() -> tuple[Paper, ...]:
    """An arXiv of the last month, and older papers in new versions."""
    world = World(7)
    old = [
        world.revise(world.paper(NOW - timedelta(days=200), TOPICS[0]), NOW - timedelta(days=3))
        for _ in range(4)
    ]
    return newest_first([*world.papers(60, NOW - timedelta(days=29), NOW), *old])


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Standin]:
    with Standin(papers()) as standin:
        yield standin


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def only_with_password(line: str) -> str:
    """The answer to AUTH: welcome for the right password alone."""
    given = base64.b64decode(line.split(" ")[-1]).decode()
    return (
        "235 2.7.0 Welcome"
        if given == f"\0{USER}\0{PASSWORD}"
        else "535 5.7.8 Username and password not accepted"
    )


def server_with_login(
    certificate: tuple[Path, SSLContext],
) -> AbstractAsyncContextManager[SmtpServer]:
    return smtp_server(
        {"AUTH": only_with_password},
        extensions=("STARTTLS", "AUTH PLAIN LOGIN", "SIZE 10485760"),
        tls=certificate[1],
    )


class Terminal:
    """`digest init` on a terminal of its own; questions are awaited, then answered."""

    def __init__(
        self, folder: Path, arxiv: str, *args: str, command: tuple[str, ...] = DIGEST
    ) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
        environment |= {
            "DIGEST_ARXIV_API": arxiv,
            "DIGEST_ARXIV_DELAY": "0",
            "TZ": "Europe/Berlin",
            "XDG_DATA_HOME": str(folder / "data"),
            "TERM": "dumb",
        }
        self.child = pexpect.spawn(
            command[0],
            [*command[1:], "init", *args],
            cwd=folder,
            env=environment,
            encoding="utf-8",
            timeout=20,
        )
        self.child.setwinsize(50, 200)
        self.child.delaybeforesend = None
        self.seen = ""

    def expect(self, text: str) -> None:
        try:
            self.child.expect_exact(text)
        except (pexpect.TIMEOUT, pexpect.EOF):
            pytest.fail(f"{text!r} did not come; what came:\n{self.seen}{self.child.before}")
        self.seen += self.child.before + text

    def answer(self, question: str, text: str = "") -> None:
        self.expect(question)
        if question.startswith("Password"):
            self.child.waitnoecho(5)
        self.child.sendline(text)

    def ends(self, code: int = 0) -> str:
        self.child.expect(pexpect.EOF)
        self.seen += self.child.before
        self.child.close()
        assert self.child.exitstatus == code, self.seen
        assert "Traceback" not in self.seen
        return self.seen


async def on_terminal(
    script: Callable[[Terminal], None], folder: Path, arxiv: str, *args: str, **more: object
) -> str:
    """Go through a dialogue beside the test's servers, and return all that stood on the
    terminal."""

    def go() -> str:
        terminal = Terminal(folder, arxiv, *args, **more)  # type: ignore[arg-type]
        try:
            script(terminal)
            return terminal.seen
        finally:
            terminal.child.close(force=True)

    return await asyncio.to_thread(go)


def snapshot(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
    }


async def test_from_an_empty_folder_to_a_delivered_test_mail_and_once_more(
    tmp_path: Path, arxiv: Standin, certificate: tuple[Path, SSLContext]
) -> None:
    home = tmp_path / "data" / "digest"
    arxiv.requests.clear()

    def first(terminal: Terminal) -> None:
        terminal.answer(f"Folder [{home}]: ")
        terminal.answer("Your mail address: ", "ada@Example.org")
        terminal.answer("Keyword: ", "hallucination")
        terminal.expect("New papers by each rule, over the last 30 days:")
        for rule in ("either", "both", "title"):
            terminal.expect(f"    {rule}")
        terminal.answer("Rule (either, both, title) [both]: ", "title")
        terminal.answer("Another keyword (empty: that is all): ", "reward model")
        terminal.answer("Rule (either, both, title) [either]: ")
        terminal.answer("Another keyword (empty: that is all): ")
        terminal.answer("Not before (HH:MM, or none) [07:00]: ", "6:30")
        terminal.answer("Time zone [Europe/Berlin]: ")
        terminal.answer("Provider [folder]: ", "server")
        terminal.answer("Server", f"smtp://localhost:{server.port}?tls=starttls")
        terminal.answer("Login (none: without) [ada@example.org]: ", USER)
        terminal.answer("Password (it is not shown): ", PASSWORD)
        terminal.answer("Sender [Digest <ada@example.org>]: ")
        terminal.answer("Send a test mail now? [Y/n]: ")
        terminal.expect("accepted: 250 2.0.0 Queued as 7")
        terminal.expect(f"Written: {home / 'subscribers.yaml'}")
        terminal.expect(f"Written: {home / '.env'}")
        terminal.expect(f"the timer is offered for {home} False")
        assert PASSWORD not in terminal.ends()

    def second(terminal: Terminal) -> None:
        terminal.expect(f"There is an installation in {home}")
        terminal.expect(
            "ada@example.org: hallucination, reward model; daily, 06:30 (Europe/Berlin)"
        )
        terminal.answer("Your mail address [ada@example.org]: ")
        terminal.expect("what is set there stays")
        terminal.answer("Another keyword (empty: that is all): ")
        terminal.expect(f"Mail leaves by smtp://localhost:{server.port}.")
        terminal.answer("Send a test mail now? [y/N]: ")
        terminal.expect("subscribers.yaml stays as it is.")
        terminal.expect(".env stays as it is.")
        terminal.ends()

    more = ("--mail-ca", str(certificate[0]))
    async with server_with_login(certificate) as server:
        await on_terminal(first, tmp_path, arxiv.url, *more, command=WITH_A_TIMER)
        assert [r.params["search_query"] for r in arxiv.requests] == [
            "(ti:hallucination OR abs:hallucination)",
            '(ti:"reward model" OR abs:"reward model")',
        ]
        [taken] = server.messages
        before = snapshot(tmp_path)
        await on_terminal(second, tmp_path, arxiv.url, *more, "--no-timer")
        assert snapshot(tmp_path) == before
    assert taken.recipient == "ada@example.org"
    assert mail(taken.data)["Subject"] == "Digest can send you mail"
    assert mail(taken.data)["From"] == "Digest <ada@example.org>"

    [reader] = load_roster(home / "subscribers.yaml").subscribers
    assert [(k.name, k.rule) for k in reader.keywords] == [
        ("hallucination", Rule.TITLE),
        ("reward model", Rule.EITHER),
    ]
    assert (f"{reader.at:%H:%M}", reader.timezone) == ("06:30", "Europe/Berlin")
    assert stat.S_IMODE((home / ".env").stat().st_mode) == 0o600
    settings = load_settings({"DIGEST_HOME": str(home)}, {}, tmp_path)
    assert settings.mail == f"smtp://{USER}@localhost:{server.port}?tls=starttls"
    assert (settings.mail_password, settings.mail_ca) == (PASSWORD, certificate[0])
    assert (settings.sender, settings.contact) == ("Digest <ada@example.org>", "ada@example.org")


async def test_each_wrong_answer_ends_in_a_hint_and_another_chance(
    tmp_path: Path, certificate: tuple[Path, SSLContext]
) -> None:
    def script(terminal: Terminal) -> None:
        terminal.answer("Your mail address: ", "ada@example,org")
        terminal.expect("'ada@example,org' is no mail address")
        terminal.answer("Your mail address: ", "ada@example.org")
        terminal.answer("Keyword: ", "reward AND")
        terminal.expect("nothing stands after this AND")
        terminal.answer("Keyword: ", "reward model")
        terminal.expect("arXiv cannot be asked now (127.0.0.1 cannot be reached")
        terminal.answer("Rule (either, both, title) [either]: ", "titel")
        terminal.expect("did you mean title?")
        terminal.answer("Rule (either, both, title) [either]: ")
        terminal.answer("Another keyword (empty: that is all): ")
        terminal.answer("Not before (HH:MM, or none) [07:00]: ", "25:00")
        terminal.expect("'25:00' is no time of day: write hours and minutes, such as 07:00")
        terminal.answer("Not before (HH:MM, or none) [07:00]: ")
        terminal.answer("Time zone [Europe/Berlin]: ", "Europe/Berlni")
        terminal.expect("'Europe/Berlni' is no time zone: did you mean Europe/Berlin?")
        terminal.answer("Time zone [Europe/Berlin]: ")
        terminal.answer("Provider [folder]: ", "gmial")
        terminal.expect("did you mean gmail?")
        terminal.answer("Provider [folder]: ", "server")
        terminal.answer("Server", f"smtp://{USER}:{PASSWORD[:7]}@localhost")
        terminal.expect("holds a password, where others can read it")
        terminal.answer("Server", f"smtp://{USER}@localhost:{free}?tls=starttls")
        terminal.answer("Password (it is not shown): ", "wrong")
        terminal.answer("Sender [Digest <ada@example.org>]: ", "Digest")
        terminal.expect("which is no mail address")
        terminal.answer("Sender [Digest <ada@example.org>]: ")
        terminal.answer("Send a test mail now? [Y/n]: ")
        terminal.expect("nobody answers there: check host and port")
        terminal.answer("Correct [server]: ")
        terminal.answer("Provider [server]: ")
        terminal.answer("Server", f"smtp://{USER}@localhost:{server.port}?tls=starttls")
        terminal.expect("the server's certificate is not trusted")
        terminal.answer("Correct [ca]: ")
        terminal.answer("File with the authority's certificate: ", "/dev/null")
        terminal.expect("holds no certificates that can be read")
        terminal.answer("File with the authority's certificate: ", str(certificate[0]))
        terminal.expect("535 5.7.8 Username and password not accepted")
        terminal.expect("login or password is wrong")
        terminal.answer("Correct [password]: ")
        terminal.answer("Password (it is not shown): ", PASSWORD)
        terminal.expect("accepted: 250")
        assert PASSWORD not in terminal.ends()

    async with smtp_server() as gone:
        free = gone.port
    async with server_with_login(certificate) as server:
        await on_terminal(
            script, tmp_path, "http://127.0.0.1:9/api/query", "--home", ".", "--no-timer"
        )
        assert len(server.messages) == 1
    assert load_settings({"DIGEST_HOME": str(tmp_path)}, {}, tmp_path).mail_password == PASSWORD


async def test_stopping_in_the_middle_leaves_nothing(tmp_path: Path, arxiv: Standin) -> None:
    def at_the_zone(terminal: Terminal) -> None:
        terminal.answer("Your mail address: ", "ada@example.org")
        terminal.answer("Keyword: ", "ti:hallucination AND cat:cs.CL")
        terminal.expect("over the last 30 days")
        terminal.answer("Another keyword (empty: that is all): ")
        terminal.answer("Not before", "none")
        terminal.expect("Time zone [Europe/Berlin]: ")
        terminal.child.sendintr()
        terminal.ends(130)

    def at_the_end(terminal: Terminal) -> None:
        terminal.expect("Send a test mail now? [Y/n]: ")
        terminal.child.sendeof()
        terminal.ends(130)

    def at_the_password(terminal: Terminal) -> None:
        terminal.answer("Login [ada@example.org]: ")
        terminal.expect("Password (it is not shown): ")
        terminal.child.sendintr()
        terminal.ends(130)

    flags = ("--home", str(tmp_path / "home"), "--email", "ada@example.org", "--provider", "folder")
    everything = (*flags, "-k", "hallucination", "--at", "7am", "--timezone", "UTC")
    with_login = (
        "--home",
        "home",
        "--email",
        "ada@example.org",
        "-k",
        "hallucination",
        "--at",
        "7",
        "--timezone",
        "UTC",
    )
    await on_terminal(at_the_password, tmp_path, arxiv.url, *with_login, "--provider", "gmail")
    await on_terminal(at_the_zone, tmp_path, arxiv.url, "--home", str(tmp_path / "home"))
    await on_terminal(at_the_end, tmp_path, arxiv.url, *everything)
    assert list(tmp_path.iterdir()) == []


async def test_one_can_go_on_without_a_test_mail_that_was_accepted(
    tmp_path: Path, arxiv: Standin
) -> None:
    def script(terminal: Terminal) -> None:
        terminal.answer("Send a test mail now? [Y/n]: ")
        terminal.expect("not accepted: 550 5.7.60 SendAsDenied")
        terminal.expect("the server does not take mail from this sender")
        terminal.answer("Correct [from]: ", "without")
        terminal.expect("mend it in ")
        terminal.expect("Written: ")
        terminal.ends()

    async with smtp_server({"MAIL": "550 5.7.60 SendAsDenied"}) as server:
        flags = (
            "--home",
            ".",
            "--email",
            "ada@example.org",
            "-k",
            "hallucination",
            "--at",
            "none",
            "--no-timer",
        )
        more = ("--timezone", "UTC", "--mail", server.url, "--from", "lin@example.org")
        await on_terminal(script, tmp_path, arxiv.url, *flags, *more)
    assert load_settings({"DIGEST_HOME": str(tmp_path)}, {}, tmp_path).sender == "lin@example.org"


def run(folder: Path, *args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    base = {k: v for k, v in os.environ.items() if not k.startswith("DIGEST_")}
    return subprocess.run(
        [*DIGEST, "init", "--no-timer", *args],
        cwd=folder,
        env=base | {"XDG_DATA_HOME": str(folder / "data"), "TZ": "Asia/Tokyo"} | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )


async def test_flags_alone_do_it_all_and_the_second_time_nothing(
    tmp_path: Path, certificate: tuple[Path, SSLContext]
) -> None:
    (tmp_path / "secret").write_text(PASSWORD)
    async with server_with_login(certificate) as server:
        flags = [
            *(
                "--home",
                ".",
                "--email",
                "ada@example.org",
                "-k",
                "hallucination",
                "-k",
                "cat:cs.CL",
                "--match",
                "title",
            ),
            *(
                "--mail",
                f"smtp://{USER}@localhost:{server.port}?tls=starttls",
                "--mail-ca",
                str(certificate[0]),
            ),
            *(
                "--mail-password-file",
                "secret",
                "--from",
                "Papers <papers@example.org>",
                "--contact",
                "lin@example.org",
            ),
        ]
        first = await asyncio.to_thread(run, tmp_path, *flags)
        assert (first.returncode, first.stderr) == (0, "")
        before = snapshot(tmp_path)
        second = await asyncio.to_thread(run, tmp_path, *flags, "--at", "09:00")
        assert second.returncode == 0
        assert "has at: 07:00, which stays" in second.stderr
        assert snapshot(tmp_path) == before
        assert len(server.messages) == 1
        wrong = await asyncio.to_thread(
            run, tmp_path, *flags[2:], "--home", "other", DIGEST_MAIL_PASSWORD="wrong"
        )
        assert wrong.returncode == 78
        assert wrong.stderr.count("\n") == 1
        assert "login or password is wrong" in wrong.stderr
        assert "nothing was written" in wrong.stderr
        assert not (tmp_path / "other").exists()
    [reader] = load_roster(tmp_path / "subscribers.yaml").subscribers
    assert [k.rule for k in reader.keywords] == [Rule.TITLE, Rule.QUERY]
    assert reader.timezone == "Asia/Tokyo"
    settings = load_settings({"DIGEST_HOME": str(tmp_path)}, {}, tmp_path)
    assert (settings.sender, settings.contact) == ("Papers <papers@example.org>", "lin@example.org")


async def test_a_run_whose_mail_is_refused_says_what_to_do(
    tmp_path: Path, arxiv: Standin, certificate: tuple[Path, SSLContext]
) -> None:
    async with server_with_login(certificate) as server:
        flags = [
            *("--home", ".", "--email", "ada@example.org", "-k", "hallucination", "--at", "none"),
            *(
                "--mail",
                f"smtp://{USER}@localhost:{server.port}?tls=starttls",
                "--mail-ca",
                str(certificate[0]),
            ),
        ]
        made = await asyncio.to_thread(
            run, tmp_path, *flags, "--no-test-mail", DIGEST_MAIL_PASSWORD="wrong"
        )
        assert made.returncode == 0, made.stderr
        environment = {**os.environ, "DIGEST_ARXIV_API": arxiv.url, "DIGEST_ARXIV_DELAY": "0"}
        command = [*DIGEST, "run", "--home", str(tmp_path)]
        told = await asyncio.to_thread(
            subprocess.run,
            command,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
    assert told.returncode == 78
    assert (
        "mail could not be handed over (535 5.7.8 Username and password not accepted):"
        " login or password is wrong" in told.stderr
    )


def test_without_a_terminal_what_is_missing_is_named_in_one_line(tmp_path: Path) -> None:
    told = run(tmp_path)
    assert told.returncode == 2
    assert told.stderr == (
        "digest: init needs --email, --keyword, and --provider or --mail:"
        " there is no terminal here to ask on\n"
    )
    assert told.stdout == ""
    assert "leave out --yes" in run(tmp_path, "--yes").stderr
    told = run(tmp_path, "--email", "ada@gmail.com", "-k", "hallucination", "--provider", "gmail")
    assert told.returncode == 2
    assert "--mail-password-file (or DIGEST_MAIL_PASSWORD in the environment" in told.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_known_provider_needs_no_more_than_a_password(tmp_path: Path) -> None:
    told = run(
        tmp_path,
        *(
            "--email",
            "ada@gmail.com",
            "-k",
            "hallucination",
            "--provider",
            "gmail",
            "--no-test-mail",
            "--home",
            "h",
        ),
        DIGEST_MAIL_PASSWORD="abcd efgh ijkl mnop",
    )
    assert told.returncode == 0, told.stderr
    assert dotenv_values(tmp_path / "h" / ".env") == {
        "DIGEST_MAIL": "smtp://ada@gmail.com@smtp.gmail.com:587",
        "DIGEST_MAIL_PASSWORD": "abcd efgh ijkl mnop",
        "DIGEST_FROM": "Digest <ada@gmail.com>",
        "DIGEST_CONTACT": "ada@gmail.com",
    }


def test_what_exists_is_never_overwritten(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("# mine\nDIGEST_FROM='Grace <grace@example.org>'")
    env.chmod(0o640)
    roster = tmp_path / "subscribers.yaml"
    roster.write_text("# ours\nsubscribers:\n  - email: grace@example.org\n    keywords: [RLHF]\n")
    flags = (
        "--home",
        ".",
        "--email",
        "ada@example.org",
        "-k",
        "hallucination",
        "--provider",
        "folder",
    )
    told = run(tmp_path, *flags, "--from", "ada@example.org", "--no-test-mail")
    assert told.returncode == 0, told.stderr
    assert "has another DIGEST_FROM, which stays" in told.stderr
    assert env.read_text() == (
        "# mine\nDIGEST_FROM='Grace <grace@example.org>'\n"
        "DIGEST_MAIL=maildir:mail\nDIGEST_CONTACT=ada@example.org\n"
    )
    assert stat.S_IMODE(env.stat().st_mode) == 0o640
    assert roster.read_text().startswith("# ours\nsubscribers:\n  - email: grace@example.org")
    assert [r.email for r in load_roster(roster).subscribers] == [
        "grace@example.org",
        "ada@example.org",
    ]


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
