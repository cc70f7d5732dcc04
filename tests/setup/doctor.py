"""What the tests of the doctor share: small installations, and checks by their names."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from digest.demo.papers import three_days
from digest.setup.doctor.check import Finding, Level, run_checks
from digest.setup.doctor.settings import all_mistakes
from digest.setup.doctor.table import local_checks, remote_checks
from digest.setup.settings import Survey, survey_settings
from digest.store import open_store

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


LOGIN = ("8BITMIME", "AUTH PLAIN LOGIN")


def with_user(url: str, host: str = "127.0.0.1") -> str:
    return url.replace("127.0.0.1", f"ada@{host}")
