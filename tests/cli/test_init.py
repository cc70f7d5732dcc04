"""`digest init` on a scripted terminal and by flags: from an empty folder to a delivered test
mail."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from ssl import SSLContext

import pytest
from dotenv import dotenv_values

from digest.model import Rule
from digest.setup.settings import load_settings
from digest.subscribers import load_roster
from tests.world.init_terminal import (
    DIGEST,
    PASSWORD,
    USER,
    WITH_A_TIMER,
    Terminal,
    on_terminal,
    papers,
    run,
    server_with_login,
    snapshot,
)
from tests.world.smtp_server import make_certificate, smtp_server
from tests.world.standin import Standin
from tests.world.worlds import mail

# The child does nothing between fork and exec but what pexpect does, so the test's other threads do
# not matter.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


@pytest.fixture(scope="module")
def arxiv() -> Iterator[Standin]:
    with Standin(papers()) as standin:
        yield standin


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SSLContext]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


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
        for question, text in {
            "Another keyword (empty: that is all): ": "",
            "Not before (HH:MM, or none) [07:00]: ": "6:30",
            "Time zone [Europe/Berlin]: ": "",
            "Provider [folder]: ": "server",
            "Server": f"smtp://localhost:{server.port}?tls=starttls",
            "Login (none: without) [ada@example.org]: ": USER,
            "Password (it is not shown): ": PASSWORD,
            "Sender [Digest <ada@example.org>]: ": "",
            "Send a test mail now? [Y/n]: ": "",
        }.items():
            terminal.answer(question, text)
        terminal.expect("accepted: 250 2.0.0 Queued as 7")
        terminal.expect(f"Written: {home / 'subscribers.yaml'}")
        terminal.expect(f"Written: {home / '.env'}")
        terminal.expect(f"the timer is offered for {home} False")
        terminal.expect("'digest serve' would show strangers nothing that was found")
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


def test_the_password_of_the_account_is_refused_where_an_app_password_is_wanted(
    tmp_path: Path,
) -> None:
    (tmp_path / "secret").write_text("hunter2\n")
    told = run(
        tmp_path,
        *("--email", "ada@gmail.com", "-k", "hallucination", "--provider", "gmail"),
        *("--no-test-mail", "--home", "h", "--mail-password-file", str(tmp_path / "secret")),
    )
    assert (told.returncode, told.stderr.count("\n")) == (78, 1)
    assert "takes no such password: it wants an app password of 16 letters" in told.stderr
    assert "hunter2" not in told.stderr
    assert not (tmp_path / "h").exists()


@pytest.mark.heavy
async def test_an_app_password_is_asked_for_until_it_is_one(tmp_path: Path, arxiv: Standin) -> None:
    def script(terminal: Terminal) -> None:
        terminal.answer("Login [ada@gmail.com]: ")
        terminal.answer("Password (it is not shown): ", "hunter2")
        terminal.expect("smtp.gmail.com takes no such password")
        terminal.answer("Password (it is not shown): ", "abcd efgh ijkl mnop")
        terminal.answer("Sender [Digest <ada@gmail.com>]: ")
        terminal.expect("Written: ")
        terminal.ends()

    flags = ("--home", "h", "--email", "ada@gmail.com", "-k", "hallucination", "--at", "7am")
    more = ("--timezone", "UTC", "--provider", "gmail", "--no-test-mail", "--no-timer")
    await on_terminal(script, tmp_path, arxiv.url, *flags, *more)


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


def test_a_file_of_comments_alone_is_one_to_begin_in(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text("# mine\n")
    flags = ("--email", "ada@example.org", "-k", "reward model", "--provider", "folder")
    told = run(tmp_path, "--home", ".", *flags, "--yes", "--no-timer")
    assert told.returncode == 0, told.stderr
    assert (tmp_path / "subscribers.yaml").read_text().startswith("# mine\n")
    [reader] = load_roster(tmp_path / "subscribers.yaml").subscribers
    assert reader.email == "ada@example.org"
