"""Delivery as issues of a GitHub repository: each part posted once, found again by a marker in its
body.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import httpx

from digest import __version__
from digest.mail.message import EndedError, Message, words
from digest.model import Outcome, Outgoing, Receipt
from digest.times import from_text, to_text

API_VERSION = "2022-11-28"
PAGE = 100
PAGES = 50
"""GitHub lists at most 100 issues an answer (REST API, "List repository issues"); at most
this many answers are read."""
CLOCKS = timedelta(days=1)
"""The most by which this machine's clock and GitHub's may differ when an issue is looked for."""
TIMEOUT = httpx.Timeout(60.0, connect=20.0)
LONGEST_REST = 3600
"""Seconds for which GitHub may ask to be left alone: its limits are by the hour."""
WHOLE = 180.0
"""Seconds for one question and its whole answer, which may come an octet at a time."""


def _ended(outcome: Outcome, reply: str, **why: Any) -> EndedError:
    """The error by which an answer of GitHub's ends an attempt."""
    return EndedError(Receipt(outcome, words(reply), **why))


def assemble_issues(outgoing: Outgoing) -> Message:
    """Make the issues of one delivery, each with its marker; `pieces` hold one body each.

    The marker is made of the Message-ID, which is the same for the same repository and slot
    whatever happens, so that an issue whose acceptance was never heard of can be found.
    """
    issues = []
    for number, piece in enumerate(outgoing.pieces, 1):
        part = f" ({number} of {len(outgoing.pieces)})" if len(outgoing.pieces) > 1 else ""
        marker = f"<!-- {outgoing.message_id.strip('<>')} {number}/{len(outgoing.pieces)} -->"
        issues.append(
            {
                "title": outgoing.subject + part,
                "body": f"{piece.decode().rstrip()}\n\n{marker}\n",
                "marker": marker,
            }
        )
    data = json.dumps({"since": to_text(outgoing.date - CLOCKS), "issues": issues}).encode()
    return Message(sender="", recipient=outgoing.address, message_id=outgoing.message_id, data=data)


class GithubTransport:
    """Posts issues with the REST API. HTTPS_PROXY and SSL_CERT_FILE are honoured; the token is in
    no message.

    Each issue gets the `label`, where there is one, and begins with a link to the page at
    `page_url`.

    Before anything is posted the issues of the repository are looked through, so a repeated
    attempt, or a database that was restored from a backup, posts nothing twice.
    """

    width = 1

    def __init__(
        self,
        token: str,
        *,
        api: str,
        clock: Callable[[], datetime],
        label: str = "",
        page_url: str = "",
    ) -> None:
        self._token = token
        self._label = label
        self._page_url = page_url
        self._api = api.rstrip("/")
        self._clock = clock
        self._http: httpx.AsyncClient | None = None

    @property
    def description(self) -> str:
        """The place where issues go, in words."""
        return f"GitHub issues by {self._api}"

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Post what is not there yet.

        That GitHub cannot be reached, asks for a rest, or does not know the token, keeps all issues
        back; every other refusal is this repository's alone. After a first part was posted,
        whatever stops the next one leaves the delivery unknown, so that it is finished and never
        begun anew.
        """
        if not self._token:
            return Receipt(
                Outcome.RELAY,
                "there is no DIGEST_GITHUB_TOKEN, and issues are posted with one",
                permanent=True,
            )
        _, _, repository = message.recipient.partition(":")  # written github:OWNER/REPO
        wanted = json.loads(message.data)
        try:
            there = await self._markers(repository, from_text(wanted["since"]))
        except EndedError as ended:
            return ended.receipt
        issues = [issue for issue in wanted["issues"] if issue["marker"] not in there]
        if not issues:
            return Receipt(Outcome.SENT, "it was posted already")
        before_data()
        reply, begun = "", bool(there & {issue["marker"] for issue in wanted["issues"]})
        for issue in issues:
            try:
                reply = await self._post(repository, issue["title"], issue["body"])
            except EndedError as ended:
                receipt = ended.receipt
                return (
                    Receipt(Outcome.UNKNOWN, f"a part is missing: {receipt.reply}")
                    if begun
                    else receipt
                )
            begun = True
        return Receipt(Outcome.SENT, reply)

    async def examine(self, repository: str) -> Receipt:
        """Whether an issue could be posted there; SENT where it could, though nothing is.

        What is offered has no title: GitHub looks at the token's permission and at the repository
        first, and then misses the title, with 422.
        """
        try:
            found = (await self._ask("GET", repository, "", 200)).json()
            if found.get("archived"):
                return Receipt(
                    Outcome.FAILED, "it is archived, so nothing can be posted: unarchive it"
                )
            await self._ask("POST", repository, "/issues", 422, json={})  # nothing is made
        except EndedError as ended:
            return ended.receipt
        except (ValueError, AttributeError):
            return Receipt(Outcome.DEFERRED, "GitHub's answer cannot be read")
        seen = "private" if found.get("private") else "public"
        return Receipt(Outcome.SENT, f"{seen}, issues are on, and the token may post them")

    async def close(self) -> None:
        """Let go of the connection."""
        if self._http is not None:
            await self._http.aclose()
            self._http = None

    async def _markers(self, repository: str, since: datetime) -> set[str]:
        """The markers in the issues that were made or changed since then, open and closed."""
        found: set[str] = set()
        query: dict[str, Any] = {
            "state": "all",
            # Oldest first: an issue that is made meanwhile moves no other to a page already read.
            "sort": "created",
            "direction": "asc",
            "per_page": PAGE,
            "since": f"{since:%Y-%m-%dT%H:%M:%SZ}",
        }
        for page in range(1, PAGES + 1):
            response = await self._ask(
                "GET", repository, "/issues", 200, params={**query, "page": page}
            )
            try:
                listed = response.json()
                bodies = [str(issue.get("body") or "") for issue in listed]
            except (ValueError, AttributeError, TypeError):
                raise _ended(Outcome.DEFERRED, "GitHub's list of issues cannot be read") from None
            for body in bodies:
                found.update(line.strip() for line in body.splitlines() if line.startswith("<!-- "))
            if len(bodies) < PAGE:
                return found
        raise _ended(Outcome.DEFERRED, f"{repository} has too many new issues to look through")

    async def _post(self, repository: str, title: str, body: str) -> str:
        """Post one issue and say where it is; raises EndedError."""
        issue: dict[str, Any] = {"title": title, "body": body}
        if self._page_url:
            issue["body"] = f"The [page](<{self._page_url}>) has the latest papers.\n\n{body}"
        if self._label:  # GitHub makes one that the repository does not have
            issue["labels"] = [self._label]
        response = await self._ask("POST", repository, "/issues", 201, json=issue)
        try:
            return words(f"201 {response.json()['html_url']}")
        except (ValueError, KeyError, TypeError):
            return "201 Created"

    async def _ask(
        self, method: str, repository: str, path: str, wanted: int, **how: Any
    ) -> httpx.Response:
        """Ask about a repository; raises EndedError for every answer but the one with the status
        `wanted`.
        """
        try:
            async with asyncio.timeout(WHOLE):
                response = await self._connection().request(
                    method, f"{self._api}/repos/{repository}{path}", **how
                )
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.ProxyError,
            httpx.InvalidURL,
        ) as error:
            raise _ended(Outcome.RELAY, f"GitHub could not be reached ({_named(error)})") from None
        except (httpx.HTTPError, OSError) as error:
            outcome = Outcome.UNKNOWN if method == "POST" else Outcome.DEFERRED
            raise _ended(outcome, f"the connection to GitHub broke ({_named(error)})") from None
        if response.status_code == wanted:
            return response
        raise self._refusal(method, repository, response)

    def _refusal(self, method: str, repository: str, response: httpx.Response) -> EndedError:
        """What an answer other than success means, in a person's words and GitHub's own."""
        status, said = response.status_code, _said(response)
        wait = self._pause(response)
        if wait is not None:
            asked = f"{wait.total_seconds():.0f} seconds" if wait else "a minute or more"
            reply = f"{status} GitHub asks to wait {asked}: {said}"
            return _ended(Outcome.RELAY, reply, rest=wait or None)
        if status >= 500 or status == 408:
            # A gateway's error says nothing about what the server behind it did with a POST.
            outcome = Outcome.UNKNOWN if method == "POST" else Outcome.DEFERRED
            return _ended(outcome, f"{status} {said}")
        if status == 401:
            remedy = "the token is wrong or has expired: set DIGEST_GITHUB_TOKEN anew"
            return _ended(Outcome.RELAY, f"{status} {said}: {remedy}", permanent=True)
        remedy = {
            403: f"the token may not do this: give it 'Issues: read and write' on {repository}",
            404: f"there is no repository {repository}, or the token may not see it",
            410: f"issues are switched off: enable them in the settings of {repository}",
            422: "GitHub does not accept the issue",
        }.get(status, "GitHub refused")
        return _ended(Outcome.FAILED, f"{status} {said}: {remedy}")

    def _pause(self, response: httpx.Response) -> timedelta | None:
        """The pause that a rate limit asks for (REST API, "Rate limits"), zero where it does not
        say how long; None where there is none.
        """
        if response.status_code not in (403, 429):
            return None
        after = response.headers.get("retry-after", "")
        reset = response.headers.get("x-ratelimit-reset", "")
        if after.isdecimal():
            return timedelta(seconds=min(int(after), LONGEST_REST))
        if response.headers.get("x-ratelimit-remaining") == "0" and reset.isdecimal():
            seconds = int(int(reset) - self._clock().timestamp())
            return timedelta(seconds=min(max(seconds, 1), LONGEST_REST))
        if response.status_code == 429 or "rate limit" in _said(response).lower():
            return timedelta()
        return None

    def _connection(self) -> httpx.AsyncClient:
        if self._http is None:
            self._http = httpx.AsyncClient(
                headers={
                    "Authorization": f"Bearer {self._token}",
                    "Accept": "application/vnd.github+json",
                    "X-GitHub-Api-Version": API_VERSION,
                    "User-Agent": f"arxiv-digest/{__version__}",
                },
                timeout=TIMEOUT,
                follow_redirects=True,  # a repository that was renamed answers so
            )
        return self._http


def _said(response: httpx.Response) -> str:
    """GitHub's own words for a refusal."""
    try:
        text = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        text = response.reason_phrase or "no reason given"
    return words(text, 200)


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__
