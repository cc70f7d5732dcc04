"""systemd's units as texts: the one source of those in the folder systemd/ and of those that are
installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from digest.system.timers.job import ACCOUNT, SHIPPED, STATE, Job

SERVICE = "digest.service"
TIMER = "digest.timer"
DAEMON = "digest-daemon.service"
WEB = "digest-web.service"

# A backslash at a line's end joins it with the next one: the files have longer lines than this.

TIMER_UNIT = """\
# Calls a cycle every 15 minutes. A run with nothing due uses no network and is over at once.
[Unit]
Description=Mail new arXiv papers when they are due

[Timer]
# In UTC: by a zone of its own it would keep still through the hour that comes twice in autumn.
OnCalendar=*:00/15 UTC
# A run that was missed while the machine was off is made up for when it is on again.
Persistent=true
# Not every machine asks arXiv in the same second; each keeps its own delay, so runs stay 15 \
minutes apart.
RandomizedDelaySec=2min
FixedRandomDelay=true
AccuracySec=10s

[Install]
WantedBy=timers.target
"""

SYSUSERS = f"""\
# The account that owns {STATE}. Install as /usr/lib/sysusers.d/digest.conf, then run \
systemd-sysusers.
u {ACCOUNT} - "arXiv digest" {STATE}
"""

_ONE_CYCLE = """\
# 75: another cycle is at work, or there is no network. The next call takes over; nobody needs to \
be alarmed.
SuccessExitStatus=75
# A cycle has time-outs of its own; this only keeps a stuck one from holding the lock for ever.
TimeoutStartSec=6h
# SIGTERM goes to the main process alone, which has 10 s to finish the message in flight.
KillMode=mixed
TimeoutStopSec=30s
"""

_SETTINGS = """\
# Settings: DIGEST_… variables, one a line. The file may be absent; so may .env in the {folder}.
Environment={home}
EnvironmentFile=-/etc/digest/environment
# The SMTP password, readable by root alone. LoadCredential by itself fails the start where the \
file is
# absent; with a SetCredential of the same name it is optional, and the line break there reads as \
no password.
LoadCredential=mail-password:/etc/digest/mail-password
SetCredential=mail-password:\\n
"""

_WALLS = """\
# Only the {folder} can be written and only the network is reached. "DIGEST_MAIL=sendmail:" \
cannot work
# under this (Postfix's postdrop needs its set-group-ID bit): use "smtp://localhost:25" to reach \
a local server.
{notes}NoNewPrivileges=true
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
{folders}PrivateDevices=true
DevicePolicy=closed
PrivateUsers=true
ProtectProc=invisible
ProcSubset=pid
ProtectClock=true
ProtectHostname=true
ProtectControlGroups=true
ProtectKernelLogs=true
ProtectKernelModules=true
ProtectKernelTunables=true
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
MemoryDenyWriteExecute=true
KeyringMode=private
RemoveIPC=true
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""

_WALLS_FOR_SENDMAIL = """\
# Mail leaves through sendmail, whose programs need their set-user-ID or set-group-ID bits, the \
mail queue, and
# what else the local server asks for. Whatever would take these away is left out, which is most \
of what systemd
# offers: with "DIGEST_MAIL=smtp://localhost:25" and a new "digest timer install" it all comes back.
{notes}ProtectSystem=full
{folders}ProtectControlGroups=true
KeyringMode=private
"""

_WALLS_OF_A_USER = """\
# A user's manager can do without no folder and no device; what is forbidden here needs none of \
its powers.
NoNewPrivileges=true
RestrictRealtime=true
RestrictSUIDSGID=true
LockPersonality=true
SystemCallArchitectures=native
"""


# docs/decisions.md: A fixed account for systemd, not a dynamic one.
_FIXED_ACCOUNT = """\
# The account is a fixed one (see digest.sysusers) and not a dynamic one: people run "digest \
subscribe" on the
# same files, as "sudo -u digest digest …", and files made by another user would stop the \
service."""


def system_service(job: Job) -> str:
    """One cycle, called by the system's manager and run by an account, behind walls."""
    return f"""\
# One cycle: fetch, compare, compose, deliver. Started by {TIMER}, or by hand: systemctl start \
digest
[Unit]
Description=Mail new arXiv papers (one cycle)
Wants=network-online.target
# A run does nothing under a wrong clock; better to begin when it is set.
After=network-online.target time-sync.target

[Service]
Type=oneshot
ExecStart={exec_line(job.arguments)}
{_ONE_CYCLE}
{_behind_walls(job)}"""


def daemon_service(job: Job) -> str:
    """The daemon, for a system's manager."""
    return f"""\
# The daemon: the same cycles as {TIMER} calls, without polling. Enable one of the two.
[Unit]
Description=Mail new arXiv papers (daemon)
Wants=network-online.target
# A run does nothing under a wrong clock; better to begin when it is set.
After=network-online.target time-sync.target
# Starting the daemon stops the timer, and the other way round. A cycle that the timer has begun \
may finish:
# the lock beside the database keeps the two apart.
Conflicts={TIMER}

[Service]
Type=notify
NotifyAccess=main
ExecStart={exec_line((*job.command, "daemon"))}
ExecReload=/bin/kill -HUP $MAINPID
WatchdogSec=2min
Restart=on-failure
RestartSec=30s
# 2 and 78: the command line or the settings are wrong, and stay so until somebody mends them.
RestartPreventExitStatus=2 78
# SIGTERM goes to the main process alone, which has 10 s to finish the message in flight.
KillMode=mixed
TimeoutStopSec=30s

{_behind_walls(job)}
[Install]
WantedBy=multi-user.target
"""


def user_service(job: Job) -> str:
    """One cycle, called by a user's own manager."""
    walls = "" if job.sendmail else "\n" + _WALLS_OF_A_USER
    return f"""\
# One cycle: fetch, compare, compose, deliver. Started by {TIMER}, or by hand: systemctl --user \
start digest
[Unit]
Description=Mail new arXiv papers (one cycle)

[Service]
Type=oneshot
# A user's manager does not know when the network is up: --wait gives it two minutes.
ExecStart={exec_line(job.arguments)}
{_ONE_CYCLE}
WorkingDirectory={_percent(job.home)}
UMask=0077
Environment={quoted(f"DIGEST_HOME={job.home}")}
{walls}"""


def web_service(job: Job, *, of_system: bool) -> str:
    """The web side, beside whatever calls the cycles; a sender's program it needs never."""
    job = replace(job, sendmail=False)
    own = f"""\
WorkingDirectory={_percent(job.home)}
UMask=0077
Environment={quoted(f"DIGEST_HOME={job.home}")}

{_WALLS_OF_A_USER}"""
    return f"""\
# The web side: links in mails, and the archive of what is public. A web server in front has the \
certificate;
# it listens on 127.0.0.1:8080 unless --listen is added here.
[Unit]
Description=Digest on the web

[Service]
ExecStart={exec_line((*job.command, "serve"))}
# Also where there is no database yet: the first run makes it.
Restart=on-failure
RestartSec=30s
RestartPreventExitStatus=2

{_behind_walls(job) if of_system else own}
[Install]
WantedBy={"multi-user" if of_system else "default"}.target
"""


def _behind_walls(job: Job) -> str:
    """Account, folders, settings and walls: the same for the timer's cycle and the daemon."""
    is_state = job.home == STATE
    home = "%S/digest" if is_state else _percent(job.home)
    variable = "DIGEST_HOME=%S/digest" if is_state else quoted(f"DIGEST_HOME={job.home}")
    folder = "state folder" if is_state else "home folder"
    identity = _lines(
        (is_state, _FIXED_ACCOUNT),
        (True, f"User={_percent(job.account)}"),
        (is_state, "StateDirectory=digest\nStateDirectoryMode=0750"),
        (True, f"WorkingDirectory={home}"),
        (True, "UMask=0027"),
    )
    walls = _WALLS_FOR_SENDMAIL if job.sendmail else _WALLS
    return "\n".join(
        [
            identity,
            _SETTINGS.format(folder=folder, home=variable),
            walls.format(folder=folder, notes=_notes(job), folders=_folders(job)),
        ]
    )


def _notes(job: Job) -> str:
    """The protections of the unit that had to be lowered, and for what."""
    near, temporary = _listed(job.near_people), _listed(job.temporary)
    return _lines(
        (near, f"# People's folders stay readable: {near} must be seen."),
        (
            not near and not job.sendmail,
            "# A program below /home cannot be started either: "
            "install it below /usr/local or /opt.",
        ),
        (temporary, f"# /tmp is not private: {temporary} must be seen."),
    )


def _folders(job: Job) -> str:
    """What is closed, and what stays open for writing."""
    written = [str(p) for p in dict.fromkeys((job.home, *job.writes)) if p != STATE]
    closed = "read-only" if job.near_people else "true"
    return _lines(
        (written and not job.sendmail, f"ReadWritePaths={' '.join(map(quoted, written))}"),
        # Under sendmail a home folder below /home must be written, which read-only would forbid.
        (not (job.sendmail and job.near_people), f"ProtectHome={closed}"),
        (not job.temporary, "PrivateTmp=true"),
    )


def _lines(*cases: tuple[object, str]) -> str:
    """The lines that apply."""
    return "".join(f"{line}\n" for applies, line in cases if applies)


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(str(p) for p in paths)


def exec_line(arguments: tuple[str, ...]) -> str:
    """A command line for ExecStart=; variables are written in the arguments with $, which is
    doubled there.
    """
    program, *rest = arguments
    return " ".join([quoted(program), *(quoted(argument.replace("$", "$$")) for argument in rest)])


def quoted(text: str) -> str:
    """One word of a setting, as systemd.syntax(7) reads it; % begins a specifier and is doubled."""
    text = text.replace("%", "%%")
    if re.search(r"""[\s"'\\;]""", text):
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return text


def _percent(value: object) -> str:
    return str(value).replace("%", "%%")


# docs/decisions.md: The units in `systemd/` are written by the program.
def shipped() -> dict[str, str]:
    """The files of the folder systemd/, by name."""
    return {
        SERVICE: system_service(SHIPPED),
        TIMER: TIMER_UNIT,
        DAEMON: daemon_service(SHIPPED),
        WEB: web_service(SHIPPED, of_system=True),
        "digest.sysusers": SYSUSERS,
    }
