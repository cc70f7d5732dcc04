"""A machine of its own in a folder, whose service managers only record how they are called."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import digest.cli.daily.timer as cli_timer
from digest.system.timers.machine import Machine
from tests.world.shell import Told, run_main

UNITS = Path(__file__).resolve().parent.parent.parent / "systemd"
ODD = "a b%c $d 'e\" ü"
"""A folder's name that each format quotes in its own way."""


RECORDING = """\
#!/bin/sh
PATH=/usr/bin:/bin
echo "$(basename "$0") $*" >> "$RECORDS/calls"
answers="$RECORDS/answers/$(basename "$0")"
case "$(basename "$0") $*" in
"crontab -l") [ -s "$RECORDS/crontab" ] && exec cat "$RECORDS/crontab"
  echo "no crontab for ada" >&2; exit 1;;
"crontab -") exec cat > "$RECORDS/crontab";;
"crontab -r") exec rm "$RECORDS/crontab";;
esac
[ -x "$answers" ] && exec "$answers" "$@"
exit 0
"""


class Place:
    """A machine of its own in a folder: service managers that only record how they are called."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]
    ) -> None:
        self.root, self.records, self.bin = folder / "root", folder / "records", folder / "bin"
        self.person, self.home = folder / "person", folder / "person" / "digest"
        self._patch, self._capture = monkeypatch, capture
        for path in (self.root, self.records / "answers", self.bin, self.home):
            path.mkdir(parents=True)
        (self.home / "subscribers.yaml").write_text("subscribers: []\n")
        for name in ("systemctl", "loginctl", "systemd-sysusers", "launchctl", "crontab"):
            self.program(self.bin / name, RECORDING)
        for name, value in (
            ("PATH", self.bin),
            ("HOME", self.person),
            ("XDG_CONFIG_HOME", self.person / "config"),
            ("RECORDS", self.records),
            ("DIGEST_HOME", self.home),
        ):
            monkeypatch.setenv(name, str(value))
        self.machine(system="linux", systemd=True)

    def machine(self, **changes: Any) -> None:
        """Let this be the machine; user 1000 unless said otherwise, who owns what the tests' user
        owns."""

        def this() -> Machine:
            found = Machine.this(os.environ)
            return replace(found, root=self.root, **{"uid": 1000, **changes})

        self._patch.setattr(cli_timer, "_machine", this)

    def program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def answers(self, program: str, text: str) -> None:
        """Let a program say this (a shell script)."""
        self.program(self.records / "answers" / program, f"#!/bin/sh\n{text}\n")

    def __call__(self, *arguments: str) -> Told:
        return run_main(["timer", *arguments], self._capture)

    @property
    def calls(self) -> list[str]:
        path = self.records / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        asking = ("is-active", "is-enabled", "show", "crontab -l", "launchctl print")
        return [line for line in lines if not any(word in line for word in asking)]

    def forget(self) -> None:
        (self.records / "calls").unlink(missing_ok=True)

    @property
    def crontab(self) -> str:
        path = self.records / "crontab"
        return path.read_text() if path.exists() else ""

    @property
    def user_units(self) -> Path:
        return self.person / "config/systemd/user"

    @property
    def system_units(self) -> Path:
        return self.root / "etc/systemd/system"

    def everything(self) -> dict[str, bytes]:
        return {
            str(p.relative_to(top)): p.read_bytes()
            for top in (self.person, self.root)
            for p in top.rglob("*")
            if p.is_file()
        }


@pytest.fixture
def place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Place:
    return Place(tmp_path, monkeypatch, capsys)


def verify(path: Path, *options: str) -> None:
    """What `systemd-analyze verify` says about a unit of ours: nothing."""
    program = shutil.which("systemd-analyze", path="/usr/bin:/bin")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    with tempfile.TemporaryDirectory() as elsewhere:
        environment = {"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": elsewhere, "HOME": elsewhere}
        command = [program, *options, "verify", "--man=no", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert [line for line in (done.stdout + done.stderr).splitlines() if "digest" in line] == []
    assert done.returncode == 0
