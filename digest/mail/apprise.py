"""Delivery into chats by Apprise: one message a digest, cut between papers to what the service
takes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import accumulate
from typing import Any

from digest.mail.message import EndedError, Message, Sender
from digest.mail.targets import Targets, not_now
from digest.model import Outcome, Outgoing, Receipt
from digest.system.apprise_urls import NoLibraryError, WrongUrlError, open_service

WIDTH = 4
WHOLE = 120.0
"""Seconds for one message, however many questions the service takes for it."""
LONGEST = 20_000
"""The most bytes of a message, whatever a service takes: nobody reads more in a chat."""
BREAK = 10
"""Bytes for what some services put between title and text."""
ROOMS = {"ntfy": 4_096}
"""The bytes of services that take less than Apprise says: of more ntfy makes a file (its
documentation, "message-size-limit")."""
LISTING = "https://export.arxiv.org/api/query?max_results={}&id_list={}"
"""What lists papers by their ids (arXiv API User's Manual, 3.1.1.2)."""
INSTALL = "Apprise is not installed: pip install '.[channels]' in the clone"

_FORMS = ("html", "markdown", "text")
_TROUBLE = re.compile(r"[\w/]+ Exception\b")
"""Begins a line of the log below its warnings that tells of trouble. Other such lines hold the
message itself, whose words mean nothing here, or the service's answer."""
_STATUS = re.compile(r"error=(\d{3})\b|requested we throttle")
_NOT_CONNECTED = re.compile(
    r"NewConnectionError|ConnectTimeoutError|NameResolutionError|SSLError|ProxyError"
)


def assemble_chat(outgoing: Outgoing, sender: Sender) -> Message:
    """The message of one delivery, in all forms and uncut: which service it goes to only the
    transport knows.
    """
    name = outgoing.address.partition(":")[2]
    who = f"write to {sender.contact}" if sender.contact else "ask whoever runs this Digest"
    head = {
        "title": outgoing.subject,
        "link": sender.view(outgoing.content),
        "leave": f"To pause or leave, {who}: this goes to “{name}”.",
    }
    data = json.dumps(head).encode()[:-1] + b', "digest": ' + outgoing.pieces[0] + b"}"
    return Message(sender="", recipient=outgoing.address, message_id=outgoing.message_id, data=data)


def written(message: Mapping[str, Any], form: str, room: int, *, titled: bool, lines: int) -> str:
    """A message's text in one form, of at most `room` bytes, and of so many lines where there are
    `lines`: as many papers as fit, and of the others their number and a link to them. `titled`:
    the service shows the title by itself.

    What is around the papers stands there even where there is no room for any.
    """
    told, ids = message["digest"]["forms"][form], message["digest"]["ids"]
    gap, title = _LINE[form] * 2, _BOLD[form].format(_escaped(message["title"], form))
    begin = [told["head"]] if titled else [title, told["head"]]
    sizes = [0, *accumulate(_size(paper + gap, form) for paper in told["papers"])]
    # With less around them than there is, so many papers fit at most.
    for number in range(bisect_right(sizes, room) - 1, -1, -1):
        more = [_more(ids[number:], message["link"], form, room // 4)] if ids[number:] else []
        end = [told["end"], _escaped(message["leave"], form)]
        text = gap.join(filter(None, [*begin, *told["papers"][:number], *more, *end]))
        if _size(text, form) <= room and (not lines or text.count("\n") < lines):
            break
    return text


_LINE = {"html": "<br/>\n", "markdown": "  \n", "text": "\n"}
_BOLD = {"html": "<b>{}</b>", "markdown": "**{}**", "text": "{}"}
_LINK = {"html": '<a href="{1}">{0}</a>', "markdown": "[{0}](<{1}>)", "text": "{0}: {1}"}


def _more(ids: Sequence[str], link: str, form: str, room: int) -> str:
    """The number of papers that are left, and where they stand."""
    papers = "1 more paper" if len(ids) == 1 else f"{len(ids)} more papers"
    most = len(ids)
    if not link:
        most = max(
            sum(size <= room - len(LISTING) for size in accumulate(len(each) + 1 for each in ids)),
            1,
        )
        link = LISTING.format(most, ",".join(ids[:most]))
    words = papers if most == len(ids) else f"{papers}, the first {most} of them"
    return "… and " + _LINK[form].format(words, _escaped(link, form))


def _escaped(text: str, form: str) -> str:
    return escape(text) if form == "html" else text


def _size(text: str, form: str) -> int:
    """The bytes of a text as a service counts it at worst."""
    # Slack takes markdown with such signs as references.
    return len((text.replace("&", "&amp;") if form == "markdown" else text).encode())


def meaning(said: Sequence[str]) -> Receipt:
    """What a "no" of Apprise means, by what it logged: that the message was refused only where the
    service's status is told, or no connection stood.
    """
    broken = [line for line in said if "Exception" in line]
    statuses = [found[1] or "429" for found in map(_STATUS.search, said) if found]
    if not all(map(_NOT_CONNECTED.search, broken)):
        return Receipt(Outcome.UNKNOWN, "the connection to the service broke")
    if statuses:
        return Receipt(Outcome.DEFERRED, f"the service refused it ({statuses[-1]})")
    if broken:
        return Receipt(Outcome.DEFERRED, "the service could not be connected to")
    return Receipt(Outcome.UNKNOWN, "Apprise says no, and not why")


class AppriseTransport:
    """Sends messages to the readers' chats."""

    width = WIDTH
    description = "chats"

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    async def send(self, message: Message, before_data: Callable[[], None]) -> Receipt:
        """Send one message; what goes wrong is this reader's trouble alone."""
        try:
            service = await self.opened(message.recipient)
        except EndedError as ended:
            return ended.receipt
        before_data()
        try:
            async with asyncio.timeout(WHOLE):
                return await asyncio.to_thread(_notify, service, message.data)
        except TimeoutError:
            return Receipt(Outcome.UNKNOWN, "the service took too long")

    async def opened(self, address: str) -> Any:
        """The service of a reader, as Apprise's plugin. Raises EndedError."""
        url = self._targets.of(address).url
        try:
            return await asyncio.to_thread(open_service, url)
        except WrongUrlError as error:
            raise not_now(f"its URL is wrong: {error}") from None
        except NoLibraryError:
            raise not_now(INSTALL) from None

    async def close(self) -> None:
        """Nothing to let go: each message opens its service anew."""


class _Listener(logging.Handler):
    """Keeps what Apprise logs of trouble in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        told = record.levelno >= logging.WARNING or _TROUBLE.match(said)
        if record.thread == self._thread and told:
            self.said.append(said)


def fitted(service: Any, data: bytes) -> tuple[str, str, str]:
    """A message as its service gets it: the form, the title where it is shown apart, the text."""
    message = json.loads(data)
    form = next(form for form in _FORMS if service.resolve_format(form) == form)
    title = message["title"][: service.title_maxlen] if service.title_maxlen > 0 else ""
    rooms = [ROOMS[name] for name in _names(service) if name in ROOMS]
    text = written(
        message,
        form,
        min(service.body_maxlen, LONGEST, *rooms) - len(title.encode()) - BREAK,
        titled=bool(title),
        lines=service.body_max_line_count,
    )
    return form, title, text


def _notify(service: Any, data: bytes) -> Receipt:
    """Send a message, and say what came of it."""
    from apprise import OverflowMode

    form, title, text = fitted(service, data)
    log, listener = logging.getLogger("apprise"), _Listener()
    log.setLevel(logging.DEBUG)
    log.addHandler(listener)
    try:
        if service.notify(body=text, title=title, body_format=form, overflow=OverflowMode.UPSTREAM):
            return Receipt(Outcome.SENT, f"{service.service_name} took it")
    except Exception as error:
        # Its own words may hold a token.
        listener.said.append(f"Exception: {type(error).__name__}")
    finally:
        log.removeHandler(listener)
    return meaning(listener.said)


def _names(service: Any) -> tuple[str, ...]:
    """What a service is called before the :// of its URL."""
    names = service.protocol or service.secure_protocol
    return (names,) if isinstance(names, str) else tuple(names)
