"""Issues of a GitHub repository by real HTTP: posted once, whatever breaks, and refused in clear
words."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from digest.mail.github import GithubTransport, assemble_issues
from digest.model import Outcome, Outgoing
from tests.world.github_server import TOKEN, Break, GithubServer, Refuse, github

NOW = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
OUTGOING = Outgoing(
    id=1,
    attempt=1,
    address="github:ada/papers",
    name="",
    message_id="<0123456789abcdef@example.org>",
    date=NOW,
    subject="Latest Papers - November 24, 2026",
    pieces=(b"## MLLM\n\nOne paper.\n",),
)
TWO = replace(OUTGOING, pieces=(b"part one", b"part two"))


class Steps:
    """Counts how often a message was about to be handed over."""

    def __init__(self) -> None:
        self.handed_over = 0

    def __call__(self) -> None:
        self.handed_over += 1


def transport(server: GithubServer, token: str = TOKEN) -> GithubTransport:
    return GithubTransport(token, api=server.url, clock=lambda: NOW)


async def test_an_issue_is_posted_and_says_where_it_is() -> None:
    async with github() as server:
        steps, way = Steps(), transport(server)
        receipt = await way.send(assemble_issues(OUTGOING), steps)
        await way.close()
    assert receipt.outcome is Outcome.SENT
    assert receipt.reply == "201 https://github.com/ada/papers/issues/1"
    [issue] = server.issues["ada/papers"]
    assert issue["title"] == "Latest Papers - November 24, 2026"
    assert issue["body"] == "## MLLM\n\nOne paper.\n\n<!-- 0123456789abcdef@example.org 1/1 -->\n"
    assert steps.handed_over == 1
    assert {headers["x-github-api-version"] for _, _, headers in server.requests} == {"2022-11-28"}


async def test_an_issue_has_the_label_and_begins_with_a_link_to_the_page() -> None:
    async with github() as server:
        way = GithubTransport(
            TOKEN,
            api=server.url,
            clock=lambda: NOW,
            label="papers",
            page_url="https://example.org/a(b)",
        )
        await way.send(assemble_issues(OUTGOING), Steps())
        second = await way.send(assemble_issues(OUTGOING), Steps())
        await way.close()
    assert second.reply == "it was posted already"
    [issue] = server.issues["ada/papers"]
    assert issue["labels"] == ["papers"]
    first, _, rest = issue["body"].partition("\n\n")
    assert first == "The [page](<https://example.org/a(b)>) has the latest papers."
    assert rest.startswith("## MLLM\n\nOne paper.\n\n<!-- ")


async def test_a_second_attempt_finds_what_the_first_one_posted() -> None:
    async with github() as server:
        way = transport(server)
        server.next["POST"] = [Break(after=True)]
        first = await way.send(assemble_issues(OUTGOING), Steps())
        again = Steps()
        second = await way.send(assemble_issues(replace(OUTGOING, attempt=2)), again)
        await way.close()
    assert first.outcome is Outcome.UNKNOWN
    assert (second.outcome, second.reply) == (Outcome.SENT, "it was posted already")
    assert again.handed_over == 0
    assert len(server.issues["ada/papers"]) == 1


async def test_a_closed_issue_among_hundreds_is_found_too() -> None:
    async with github() as server:
        way = transport(server)
        await way.send(assemble_issues(OUTGOING), Steps())
        [ours] = server.issues["ada/papers"]
        others = [{**ours, "body": f"another {n}", "number": n} for n in range(2, 260)]
        server.issues["ada/papers"] = [*others, {**ours, "state": "closed"}]
        receipt = await way.send(assemble_issues(OUTGOING), Steps())
        await way.close()
    assert receipt.reply == "it was posted already"


async def test_a_connection_that_breaks_before_anything_was_posted_is_tried_again() -> None:
    async with github() as server:
        way = transport(server)
        server.next["GET"] = [Break(after=False)]
        steps = Steps()
        receipt = await way.send(assemble_issues(OUTGOING), steps)
        await way.close()
    assert receipt.outcome is Outcome.DEFERRED
    assert steps.handed_over == 0


async def test_nobody_at_the_address_is_tried_again() -> None:
    way = GithubTransport(TOKEN, api="http://127.0.0.1:9", clock=lambda: NOW)
    steps = Steps()
    receipt = await way.send(assemble_issues(OUTGOING), steps)
    await way.close()
    assert receipt.outcome is Outcome.RELAY
    assert "could not be reached" in receipt.reply
    assert steps.handed_over == 0


async def test_parts_are_numbered_and_only_the_missing_one_is_posted_later() -> None:
    async with github() as server:
        way = transport(server)
        server.next["POST"] = [None, Refuse(422, "Validation Failed")]
        first = await way.send(assemble_issues(TWO), Steps())
        second = await way.send(assemble_issues(TWO), Steps())
        await way.close()
    # What is half posted is never given up and begun anew: its papers would come twice.
    assert first.outcome is Outcome.UNKNOWN
    assert "a part is missing" in first.reply
    assert second.outcome is Outcome.SENT
    titles = [issue["title"] for issue in server.issues["ada/papers"]]
    assert titles == [f"Latest Papers - November 24, 2026 ({n} of 2)" for n in (1, 2)]


async def test_a_half_posted_delivery_stays_unknown_when_it_is_refused_at_its_second_attempt() -> (
    None
):
    async with github() as server:
        way = transport(server)
        server.next["POST"] = [None, Refuse(422), Refuse(410)]
        await way.send(assemble_issues(TWO), Steps())
        receipt = await way.send(assemble_issues(TWO), Steps())
        await way.close()
    assert receipt.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "outcome", "words"),
    [
        (
            Refuse(401, "Bad credentials"),
            Outcome.RELAY,
            "401 Bad credentials: the token is wrong or has expired",
        ),
        (
            Refuse(403, "Resource not accessible"),
            Outcome.FAILED,
            "give it 'Issues: read and write' on ada/papers",
        ),
        (Refuse(404, "Not Found"), Outcome.FAILED, "there is no repository ada/papers"),
        (Refuse(410, "Issues are disabled"), Outcome.FAILED, "issues are switched off"),
        (Refuse(422, "Validation Failed"), Outcome.FAILED, "422 Validation Failed"),
        (Refuse(403, "slow", {"Retry-After": "60"}), Outcome.RELAY, "asks to wait 60 seconds"),
        (
            Refuse(
                403,
                "API rate limit",
                {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795501800"},
            ),
            Outcome.RELAY,
            "asks to wait 1800 seconds",
        ),
        (Refuse(429, "Too many"), Outcome.RELAY, "asks to wait a minute or more"),
        (
            Refuse(403, "You have exceeded a secondary rate limit"),
            Outcome.RELAY,
            "a minute or more",
        ),
        (Refuse(502, "Server Error"), Outcome.UNKNOWN, "502 Server Error"),
    ],
)
async def test_each_refusal_says_what_to_do(answer: Refuse, outcome: Outcome, words: str) -> None:
    async with github() as server:
        way = transport(server)
        server.next["POST"] = [answer]
        receipt = await way.send(assemble_issues(OUTGOING), Steps())
        await way.close()
    assert receipt.outcome is outcome
    assert words in receipt.reply
    assert TOKEN not in receipt.reply


async def test_a_list_that_cannot_be_read_is_no_empty_list() -> None:
    async with github() as server:
        way = transport(server)
        await way.send(assemble_issues(OUTGOING), Steps())
        server.next["GET"] = [Refuse(200)]
        receipt = await way.send(assemble_issues(OUTGOING), Steps())
        await way.close()
    assert receipt.outcome is Outcome.DEFERRED
    assert len(server.issues["ada/papers"]) == 1


async def test_a_wrong_token_is_told_and_not_shown() -> None:
    async with github() as server:
        way = transport(server, "wrong-secret")
        receipt = await way.send(assemble_issues(OUTGOING), Steps())
        await way.close()
    assert (receipt.outcome, receipt.permanent) == (Outcome.RELAY, True)
    assert "wrong-secret" not in receipt.reply
