"""A real Postfix and a real Dovecot, with a configuration of the test's own, on free ports of the
loopback.

Postfix takes mail for example.org and hands it to Dovecot, which knows some mailboxes and no
others; so mail to an unknown one comes back as a real bounce. They need root, as everywhere, and
touch nothing but a folder of their own.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from tests.world.smtp_server import make_certificate
from tests.world.worlds import mail

PASSWORD = "a password of the test's own"
PROGRAMS = ("postfix", "postconf", "dovecot", "smtp-sink")
SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def needs_real_servers() -> None:
    """Skip where the servers cannot run; the gate installs them."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"there is no {' and no '.join(missing)} here")
    if os.geteuid() != 0:
        pytest.skip("mail servers start as root only")


def free_port() -> int:
    """A port that nobody uses now."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_until(true: Callable[[], Any], seconds: float = 60, what: str = "it") -> Any:
    """Wait for something that happens in another process."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline, f"{what} did not happen in {seconds} s"
        time.sleep(0.1)
    return found


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    return False


@dataclass
class MailServers:
    """Both servers, running."""

    folder: Path
    smtp_port: int
    imap_port: int
    imaps_port: int
    certificate: Path

    def postfix(self, verb: str) -> None:
        """`postfix start` or `stop`, which wait until that is so."""
        command = ["postfix", "-c", str(self.folder / "postfix"), verb]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{self.log()}"
        if verb == "start":
            wait_until(lambda: answers(self.smtp_port), what="Postfix's start")

    @contextmanager
    def relaying_to(self, port: int) -> Iterator[None]:
        """Let Postfix hand mail for other domains to a server on this port of the loopback."""
        self._set("relayhost", f"[127.0.0.1]:{port}")
        try:
            yield
        finally:
            self._set("relayhost", "")

    def _set(self, name: str, value: str) -> None:
        """Change one of Postfix's parameters while it runs."""
        command = ["postconf", "-c", str(self.folder / "postfix"), "-e", f"{name}={value}"]
        subprocess.run(command, check=True, capture_output=True)
        self.postfix("reload")

    def log(self) -> str:
        """What Postfix logged."""
        path = self.folder / "maillog"
        return path.read_text() if path.exists() else ""

    @contextmanager
    def mailbox(self, user: str) -> Iterator[IMAPClient]:
        """A user's mailbox, opened for looking."""
        client = IMAPClient("127.0.0.1", self.imap_port, ssl=False, timeout=30)
        try:
            client.login(user, PASSWORD)
            client.select_folder("INBOX", readonly=True)
            yield client
        finally:
            client.logout()

    def mails(self, user: str) -> list[EmailMessage]:
        """What lies in a user's mailbox, read by IMAP."""
        with self.mailbox(user) as client:
            uids = client.search()
            answer = client.fetch(uids, ["BODY.PEEK[]"]) if uids else {}
            return [mail(answer[uid][b"BODY[]"]) for uid in uids]

    def flags(self, user: str) -> dict[str, tuple[bytes, ...]]:
        """The flags of a user's messages, by subject."""
        with self.mailbox(user) as client:
            answer = client.fetch(client.search(), ["FLAGS", "ENVELOPE"])
            return {one[b"ENVELOPE"].subject.decode(): one[b"FLAGS"] for one in answer.values()}

    def count(self, user: str) -> int:
        """How many messages a user has, looked at without IMAP, which is quicker."""
        return sum(
            len(list((self.folder / "mail" / user / part).glob("*"))) for part in ("new", "cur")
        )


@contextmanager
def mail_servers(users: Iterable[str]) -> Iterator[MailServers]:
    """Start both for these mailboxes, and stop them."""
    needs_real_servers()
    # Not in pytest's folder, which other users may not enter, and Postfix and Dovecot are others.
    folder = Path(tempfile.mkdtemp(prefix="digest-mail-", dir="/tmp"))
    folder.chmod(0o755)
    lmtp_port = free_port()
    certificate, _ = make_certificate(folder)
    servers = MailServers(folder, free_port(), free_port(), free_port(), certificate)
    try:
        with dovecot(servers, list(users), lmtp_port):
            configure_postfix(servers, lmtp_port)
            servers.postfix("start")
            try:
                yield servers
            finally:
                with suppress(AssertionError):
                    servers.postfix("stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def configure_postfix(servers: MailServers, lmtp_port: int) -> None:
    """Write main.cf and master.cf, and make the folders that they name."""
    folder = servers.folder
    config = folder / "postfix"
    for name in ("postfix", "spool", "data"):
        (folder / name).mkdir()
    os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
    (config / "main.cf").write_text(
        f"""
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/maillog
maillog_file_prefixes = {folder}
myhostname = mail.example.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = example.org
virtual_transport = lmtp:inet:127.0.0.1:{lmtp_port}
smtpd_reject_unlisted_recipient = no
recipient_delimiter = +
queue_run_delay = 2s
minimal_backoff_time = 2s
default_process_limit = 20
"""
    )
    (config / "master.cf").write_text(SERVICES.format(port=servers.smtp_port))


@contextmanager
def dovecot(servers: MailServers, users: list[str], lmtp_port: int) -> Iterator[None]:
    """Dovecot in the foreground, with a mailbox for each user."""
    folder = servers.folder
    nobody = pwd.getpwnam("nobody")
    (folder / "mail").mkdir()
    os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
    ids = f"{nobody.pw_uid}:{nobody.pw_gid}"
    (folder / "users").write_text(
        "".join(f"{user}:{{PLAIN}}{PASSWORD}:{ids}::{folder}/mail/{user}\n" for user in users)
    )
    (folder / "dovecot.conf").write_text(
        f"""
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{servers.certificate}
ssl_key = <{folder}/key.pem
mail_location = maildir:{folder}/mail/%n
first_valid_uid = 1
recipient_delimiter = +
auth_username_format = %Ln
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%n {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%n {folder}/users
}}
service imap-login {{
  inet_listener imap {{
    port = {servers.imap_port}
  }}
  inet_listener imaps {{
    port = {servers.imaps_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
protocol lmtp {{
  postmaster_address = postmaster@example.org
}}
"""
    )
    process = subprocess.Popen(["dovecot", "-F", "-c", str(folder / "dovecot.conf")])
    try:
        wait_until(
            lambda: answers(servers.imap_port) and answers(lmtp_port), what="Dovecot's start"
        )
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextmanager
def smtp_sink(port: int, *options: str) -> Iterator[None]:
    """Postfix's `smtp-sink`, which takes mail or refuses it as told."""
    process = subprocess.Popen(["smtp-sink", "-u", "nobody", *options, f"127.0.0.1:{port}", "100"])
    try:
        wait_until(lambda: answers(port), what="smtp-sink's start")
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)
