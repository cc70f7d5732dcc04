"""What the doctor asks the services of chats: whether they know the token, by the least that each
answers without showing a message to anybody.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from digest.mail.message import EndedError
from digest.mail.webhook import FOR_A_TIME
from digest.model import Channel
from digest.setup.channels import make_chats
from digest.setup.doctor.check import Cause, Finding, Level, fail, ok
from digest.setup.settings import Settings
from digest.setup.subscribers import roster_or_empty
from digest.system.signals import Threads

SECONDS = 8.0
REMEDY = "make a new token at the service, and write it where the subscribers file names it"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a service, and the words by which an answer shows that it knows the token;
    without any, each answer but a refusal does.
    """

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    json: Mapping[str, Any] | None = None
    knows: str = ""

    def is_known(self, status: int, text: str) -> bool:
        """Whether an answer is one to who has a right token."""
        return self.knows in text if self.knows else status < 400


def _telegram(service: Any) -> Question | None:
    return Question("GET", f"{service.notify_url}{service.bot_token}/getMe", knows='"ok":true')


def _discord(service: Any) -> Question | None:
    url = f"{service.notify_url}/{service.webhook_id}/{service.webhook_token}"
    return Question("GET", url)


def _slack(service: Any) -> Question | None:
    if service.access_token:
        headers = {"Authorization": f"Bearer {service.access_token}"}
        url = service.api_url.format("auth.test")
        return Question("POST", url, headers, knows='"ok":true')
    if service.mode != "hook":
        return None
    url = "/".join([service.webhook_url, service.token_a, service.token_b, service.token_c])
    # A message without a text is refused as one, but only where the webhook is known.
    return Question("POST", url, json={}, knows="no_text")


def _matrix(service: Any) -> Question | None:
    token = service.access_token or (not service.user and service.password)
    if service.mode not in (None, "", "off") or not token:
        return None
    path = "/_matrix/client/v3/account/whoami"
    return Question("GET", _origin(service) + path, {"Authorization": f"Bearer {token}"})


def _ntfy(service: Any) -> Question | None:
    if not service.token:
        return None
    origin = service.cloud_notify_url if service.mode == "cloud" else _origin(service)
    headers = {"Authorization": f"Bearer {service.token}"}
    return Question("GET", f"{origin}/v1/account", headers)


QUESTIONS: Mapping[str, Callable[[Any], Question | None]] = {
    "NotifyDiscord": _discord,
    "NotifyMatrix": _matrix,
    "NotifyNtfy": _ntfy,
    "NotifySlack": _slack,
    "NotifyTelegram": _telegram,
}
"""By the names of Apprise's plugins."""


def check_chats(settings: Settings) -> list[Finding]:
    """Ask the service of each chat in the subscribers file, or say that it cannot be asked."""
    roster = roster_or_empty(settings)
    chats = [each for each in roster.subscribers if each.channel is Channel.APPRISE]
    transport = make_chats(settings, roster)
    # At once, since a check has its time for all of them.
    threads, names = Threads(), [reader.mailbox or reader.email for reader in chats]
    asked = [threads.submit(_checked, name, transport.opened) for name in names]
    return [one.result() for one in asked]


def _checked(address: str, opened: Callable[[str], Any]) -> Finding:
    try:
        service = asyncio.run(opened(address))
    except EndedError as ended:
        return fail(f"{address}: {ended.receipt.reply}", "look at its entry in the file")
    find = QUESTIONS.get(type(service).__name__)
    question = find(service) if find else None
    if question is None:
        return Finding(
            Level.SKIP, f"{address}: {service.service_name} is asked nothing without a message"
        )
    return _asked(address, service, question)


def _asked(address: str, service: Any, question: Question) -> Finding:
    # Not httpx: its log would name the URL.
    import requests

    name = service.service_name
    try:
        answer = requests.request(
            question.method,
            question.url,
            headers=dict(question.headers),
            json=question.json,
            timeout=SECONDS,
            verify=service.verify_certificate,
        )
    except requests.RequestException as error:
        kind = type(error).__name__
        return fail(f"{address}: {name} does not answer ({kind})", "", Cause.NETWORK)
    if question.is_known(answer.status_code, answer.text.replace(" ", "")):
        return ok(f"{address}: {name} knows the token")
    if answer.status_code in FOR_A_TIME or answer.status_code >= 500:
        said = f"{address}: {name} cannot be asked now ({answer.status_code})"
        return fail(said, "", Cause.NETWORK)
    return fail(f"{address}: {name} does not know the token ({answer.status_code})", REMEDY)


def _origin(service: Any) -> str:
    """Where a service of one's own is."""
    schema = "https" if service.secure else "http"
    port = f":{service.port}" if service.port else ""
    return f"{schema}://{service.host}{port}"
