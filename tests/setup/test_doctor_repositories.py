"""The doctor's line for each repository among the readers, by real HTTP; nothing is posted by
it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from digest.errors import Exit
from digest.setup.doctor.check import Finding, Level, exit_code
from digest.setup.doctor.returns import check_repositories
from digest.setup.settings import load_settings
from tests.world.github_server import TOKEN, GithubServer, Refuse, github


async def checked(
    home: Path, server: GithubServer, token: str = TOKEN, *repositories: str
) -> list[Finding]:
    lines = [
        f"  - {{github: {name}, keywords: [MLLM]}}\n" for name in repositories or ("ada/papers",)
    ]
    (home / "subscribers.yaml").write_text("subscribers:\n" + "".join(lines), encoding="utf-8")
    environ = {
        "DIGEST_HOME": str(home),
        "DIGEST_GITHUB_API": server.url,
        "DIGEST_GITHUB_TOKEN": token,
    }
    return await asyncio.to_thread(check_repositories, load_settings({}, environ, home))


async def test_all_is_well_and_nothing_was_posted(tmp_path: Path) -> None:
    async with github() as server:
        server.repositories.add("ada/private")
        server.private.add("ada/private")
        one, two = await checked(tmp_path, server, TOKEN, "ada/papers", "ada/private")
    assert one == Finding(
        Level.OK, "ada/papers: public, issues are on, and the token may post them"
    )
    assert two.found.startswith("ada/private: private")
    assert not any(server.issues.values())


@pytest.mark.parametrize(
    ("break_it", "found", "remedy"),
    [
        (
            lambda s: s.repositories.clear(),
            "404 Not Found",
            "there is no repository ada/papers, or the token may not",
        ),
        (
            lambda s: s.without_issues.add("ada/papers"),
            "410 Issues are disabled",
            "issues are switched off: enable",
        ),
        (
            lambda s: s.reading.add("ada/papers"),
            "403 Resource",
            "give it 'Issues: read and write' on ada/papers",
        ),
        (lambda s: s.archived.add("ada/papers"), "it is archived", "unarchive it"),
        (
            lambda s: s.next["GET"].append(Refuse(401, "Bad credentials")),
            "401 Bad cred",
            "DIGEST_GITHUB_TOKEN anew",
        ),
    ],
)
async def test_each_trouble_says_what_to_do(
    tmp_path: Path, break_it: Callable[[GithubServer], None], found: str, remedy: str
) -> None:
    async with github() as server:
        break_it(server)
        [check] = await checked(tmp_path, server)
    assert check.level is Level.FAIL
    assert check.found.startswith(f"ada/papers: {found}")
    assert remedy in check.remedy
    assert exit_code([check]) == Exit.CONFIG
    assert not any(server.issues.values())


async def test_a_token_that_is_missing_or_a_github_that_is_away(tmp_path: Path) -> None:
    async with github() as server:
        [check] = await checked(tmp_path, server, "")
        assert "there is no token" in check.found
        assert "DIGEST_GITHUB_TOKEN" in check.remedy
        assert server.requests == []
        [wrong] = await checked(tmp_path, server, "a-wrong-token")
        assert "401" in wrong.found
        assert "a-wrong-token" not in repr(wrong)
    [away] = await checked(tmp_path, server)
    assert "could not be reached" in away.found
    assert exit_code([away]) == Exit.TRY_LATER


async def test_without_a_repository_among_the_readers_nothing_is_asked(tmp_path: Path) -> None:
    async with github() as server:
        checks = await checked(tmp_path, server)
        assert len(checks) == 1
        (tmp_path / "subscribers.yaml").write_text(
            "subscribers:\n  - {email: ada@example.org, keywords: [MLLM]}\n"
        )
        asked = len(server.requests)
        settings = load_settings({}, {"DIGEST_HOME": str(tmp_path)}, tmp_path)
        assert await asyncio.to_thread(check_repositories, settings) == []
    assert len(server.requests) == asked
