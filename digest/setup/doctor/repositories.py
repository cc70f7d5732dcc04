"""Whether issues can be posted to the repositories among the readers: a line for each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from digest.errors import ConfigError
from digest.model import REPOSITORY, Outcome, Receipt
from digest.setup.doctor.check import Cause, Check, fail, ok, unresolved

if TYPE_CHECKING:
    from digest.setup.settings import Settings, Survey

NAME = "issues"
REMEDY = (
    "make a fine-grained token with 'Issues: read and write' on it, and set DIGEST_GITHUB_TOKEN"
)


def check_repositories(survey: Survey) -> list[Check]:
    """Ask GitHub about each repository that the subscribers file names; nothing is posted."""
    from digest.setup.subscribers import read_roster

    try:
        readers = read_roster(survey.settings).subscribers
    except ConfigError:
        return []  # its own check tells
    repositories = [
        r.email.removeprefix(REPOSITORY) for r in readers if r.email.startswith(REPOSITORY)
    ]
    if not repositories:
        return []
    if not survey.settings.github_token:
        return [
            fail(NAME, f"{name}: there is no token to post with", REMEDY) for name in repositories
        ]
    host = urlsplit(survey.settings.github_api).hostname or ""
    if why := unresolved(host):
        return [
            fail(NAME, f"{name}: {host} has no address ({why})", "", Cause.NETWORK)
            for name in repositories
        ]
    receipts = asyncio.run(_examine(survey.settings, repositories))
    return [_check(name, receipt) for name, receipt in zip(repositories, receipts, strict=True)]


async def _examine(settings: Settings, repositories: Sequence[str]) -> list[Receipt]:
    from digest.mail.github import GithubTransport

    way = GithubTransport(
        settings.github_token, api=settings.github_api, clock=lambda: datetime.now(UTC)
    )
    try:
        return [await way.examine(repository) for repository in repositories]
    finally:
        await way.close()


def _check(repository: str, receipt: Receipt) -> Check:
    if receipt.outcome is Outcome.SENT:
        return ok(NAME, f"{repository}: {receipt.reply}")
    found, _, remedy = receipt.reply.partition(": ")
    cause = Cause.CONFIG if receipt.outcome is Outcome.FAILED else Cause.NETWORK
    return fail(NAME, f"{repository}: {found}", remedy, cause)
