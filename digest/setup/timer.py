"""The job of a timer for an installation, and the settings that its runs will not find."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

import digest
from digest.errors import ConfigError
from digest.mail.transport import maildir_path
from digest.setup.settings import SETTINGS, SYSTEM_HOME, Settings, load_settings
from digest.system.timers.job import Job

SHELL_ONLY = ("https_proxy", "http_proxy", "all_proxy", "ssl_cert_file")
"""Variables that programs read of a shell, in either case; a service manager's environment has none
of them."""


def make_job(settings: Settings) -> Job:
    """Describe the job of a timer for this installation, and what it needs to see and to write."""
    command = _program()
    scheme, _, rest = settings.mail.strip().partition(":")
    writes = [settings.db.parent]
    if scheme.lower() == "maildir":
        mail = maildir_path(rest, settings.home)
        writes.append(mail if mail.is_dir() else mail.parent)
    reads = [
        Path(command[0]).resolve(),
        Path(sys.prefix),
        Path(sys.base_prefix),
        Path(digest.__file__).parent,
    ]
    reads += [path for path in (settings.subscribers, settings.templates, settings.mail_ca) if path]
    return Job(
        command,
        settings.home,
        writes=tuple(path for path in writes if not path.is_relative_to(settings.home)),
        reads=tuple(path for path in (*reads, settings.home.resolve()) if path != settings.home),
        sendmail=scheme.lower() == "sendmail",
    )


def _program() -> tuple[str, ...]:
    """The absolute path of the `digest` that runs: as it was called, else beside its Python."""
    for candidate in (Path(sys.argv[0]), Path(sys.executable).parent / "digest"):
        if candidate.name == "digest" and candidate.is_file() and os.access(candidate, os.X_OK):
            # It takes out .. too, and leaves links alone.
            return (os.path.abspath(candidate),)  # noqa: PTH100
    return (sys.executable, "-m", "digest")


def what_a_timer_misses(
    settings: Settings, flags: Collection[str], *, system: bool
) -> Iterator[str]:
    """What the calls of a timer will not find as this command found it, in words. `flags` are the
    settings that the command line named.
    """
    if settings.home != SYSTEM_HOME and not settings.subscribers.exists():
        yield (
            f"there is no {settings.subscribers} yet:"
            " until there is, each run ends with a line that says so"
        )
    if names := _set_here_alone(settings, flags):
        place = f"{settings.home / '.env'}" + (" or to /etc/digest/environment" if system else "")
        yield (
            f"a timer does not see what was set for this command alone ({', '.join(names)}):"
            f" add it to {place}"
        )
    if names := sorted(name for name in os.environ if name.lower() in SHELL_ONLY):
        yield (
            f"a timer does not see {', '.join(names)} of this shell:"
            " docs/timer.md says where to set it"
        )
    if system and settings.mail_token_command:
        yield f"DIGEST_MAIL_TOKEN_COMMAND will be able to write to {settings.home} alone"


def _set_here_alone(settings: Settings, flags: Collection[str]) -> list[str]:
    """The settings without which a run in the home folder would find others."""
    with suppress(ConfigError):
        if load_settings({"DIGEST_HOME": str(settings.home)}, environ={}) == settings:
            return []
    named = {*os.environ, *flags} - {"DIGEST_HOME"}
    return sorted(named & {setting.variable for setting in SETTINGS})
