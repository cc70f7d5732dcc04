"""A guard before each real run: no reader's address may stand where strangers see it."""

from __future__ import annotations

import os
from collections.abc import Mapping

from digest.errors import ConfigError
from digest.model import Roster
from digest.setup.settings import IN_PLACE, Settings
from digest.setup.subscribers import read_roster

REMEDY = (
    f"put the subscribers file's text into the secret {IN_PLACE}, "
    "and a long random text into DIGEST_SECRET"
)
SECONDS = 20.0


def in_workflow(environ: Mapping[str, str]) -> bool:
    """Whether GitHub Actions runs this (its documentation, "Default environment variables")."""
    return environ.get("GITHUB_ACTIONS") == "true"


def refuse_exposure(roster: Roster, environ: Mapping[str, str], *, api: str, token: str) -> None:
    """Raise ConfigError where a workflow of a public repository would work with addresses as they
    are.

    A repository of which nothing can be learned is taken for a public one.
    """
    addresses = [*(reader.email for reader in roster.subscribers), *roster.held_back]
    if not in_workflow(environ) or not any("@" in address for address in addresses):
        return
    repository = environ.get("GITHUB_REPOSITORY", "")
    if _is_private(f"{api}/repos/{repository}", token):
        return
    raise ConfigError(
        f"the repository {repository or 'of this workflow'} is public, "
        "or cannot be asked whether it is, and mail addresses of readers "
        "would stand in its database and logs",
        remedy=REMEDY,
    )


def read_unexposed_roster(settings: Settings) -> Roster:
    """Who gets what; ConfigError too where strangers could see the addresses."""
    roster = read_roster(settings)
    refuse_exposure(roster, os.environ, api=settings.github_api, token=settings.github_token)
    return roster


def _is_private(address: str, token: str) -> bool:
    """Whether GitHub says that a repository is not public."""
    import httpx  # only in a workflow

    headers = {"Accept": "application/vnd.github+json", "User-Agent": "arxiv-digest"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    try:
        answer = httpx.get(address, headers=headers, timeout=SECONDS)
        # Whatever else comes back, the repository is taken for a public one.
        return answer.status_code == httpx.codes.OK and answer.json().get("private") is True
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, AttributeError):
        return False
