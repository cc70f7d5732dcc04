"""The step of a cycle in which a model is asked what new papers say, for readers who want that.

Nothing here fails a cycle, or holds a reader back: a digest takes what is there at its reader's
hour, and a paper without a summary has its own key sentence.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from digest.errors import DigestError, masked
from digest.keywords.words import counted
from digest.model import Channel, Item, Kind, Outcome, Paper, Receipt, Subscriber, Summary
from digest.rules.channels import RateLimit
from digest.run.session import Session
from digest.store import Store
from digest.store.summaries import ATTEMPTS, Manner
from digest.summaries.client import LATE, Answer, Client, Endpoint, EndpointError
from digest.summaries.gate import fault_of
from digest.summaries.languages import is_in, is_installed, is_known
from digest.summaries.prompt import VERSIONS, language_name, messages, source_of

log = logging.getLogger(__name__)

SECONDS = 60.0
"""So much of a cycle may be spent on summaries; the next one goes on."""
DAY = timedelta(days=1)
NOT_INSTALLED = "languages cannot be told here: pip install '.[summaries]' in the clone"


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes summaries, and how much may be asked of them in a day."""

    endpoint: Endpoint
    requests: int
    tokens: int


def wants(reader: Subscriber) -> bool:
    """Whether a reader's digests show summaries; in a repository's issue they have no place."""
    return reader.summary is not Summary.NONE and reader.channel is not Channel.GITHUB


def manner_of(reader: Subscriber, model: str) -> Manner:
    """How the summaries of a reader are written."""
    return Manner(model, VERSIONS[reader.summary], reader.language)


def summarized(
    store: Store, items: Sequence[Item], reader: Subscriber, model: str
) -> tuple[Item, ...]:
    """Papers with the summaries that are there now, for a reader; `model` "": none is asked."""
    if not model or not wants(reader):
        return tuple(items)
    versions = {item.paper.id: item.paper.version for item in items if _is_summarized(item)}
    texts = store.summaries.of(versions, manner_of(reader, model))
    return tuple(
        replace(item, summary=texts.get(item.paper.id, "") if _is_summarized(item) else "")
        for item in items
    )


def _is_summarized(item: Item) -> bool:
    """Whether a paper has a summary: of a new version it is told what changed."""
    return item.kind in (Kind.NEW, Kind.LATE) and not item.listed


async def summarize(
    session: Session,
    writer: Writer | None,
    readers: Iterable[Subscriber],
    only: Subscriber | None = None,
) -> None:
    """Ask for summaries of what is new to readers who want some, or to the `only` one, as long as
    there is time, the endpoint is well, and the day's budget lasts.
    """
    readers = readers if only is None else (only,)
    groups: dict[tuple[Summary, str], list[str]] = defaultdict(list)
    for reader in readers:
        if wants(reader):
            groups[reader.summary, reader.language].append(reader.email.lower())
    if writer is None or not groups:
        return
    end = asyncio.get_running_loop().time() + SECONDS
    try:
        async with Client(writer.endpoint) as client:
            asking = _Asking(session, writer, client, end)
            name = masked(f"{writer.endpoint.url} {writer.endpoint.model}")
            session.store.summaries.endpoint.use(name)
            for (wanted, language), addresses in groups.items():
                await asking.take(wanted, language, addresses)
    except DigestError:
        raise
    except Exception:
        # Digests go out without.
        log.exception("no summaries could be made")


@dataclass(slots=True)
class _Asking:
    """One such step of a cycle, which ends at `end` of the event loop's clock."""

    session: Session
    writer: Writer
    client: Client
    end: float

    async def take(self, wanted: Summary, language: str, addresses: Sequence[str]) -> None:
        """Ask for the papers of those who want the same."""
        now = self.session.clock()
        manner = Manner(self.writer.endpoint.model, VERSIONS[wanted], language)
        papers = self.session.store.summaries.want(addresses, manner, now)
        if papers:
            what = f"{counted(len(papers), 'summary', 'summaries')} in {language_name(language)}"
            self.session.progress(f"asking {manner.model} for {what}")
        for place, (paper, attempts) in enumerate(papers):
            if why := self._why_not(language):
                late = [paper for paper, _ in papers[place:]]
                self.session.store.summaries.put_off(late, manner, why, now)
                return
            await self._ask(paper, wanted, manner, attempts)

    def _why_not(self, language: str) -> str:
        """Why nothing is asked now; or ""."""
        store, now = self.session.store.summaries, self.session.clock()
        if not is_installed():
            return NOT_INSTALLED
        if not is_known(language):
            return f"nothing here can tell that a text is in {language_name(language)}"
        state = store.endpoint.state()
        if state.is_paused(now):
            return state.reason
        if not store.endpoint.room(now, [RateLimit(self.writer.requests, DAY)], 1):
            return "the day's requests are used up"
        if not store.tokens.room(now, [RateLimit(self.writer.tokens, DAY)], 1):
            return "the day's tokens are used up"
        if self.session.stop.is_set() or self._left() <= 0:
            return LATE
        return ""

    def _left(self) -> float:
        return self.end - asyncio.get_running_loop().time()

    async def _ask(self, paper: Paper, wanted: Summary, manner: Manner, attempts: int) -> None:
        """Ask for one paper, and again where the answer cannot be shown."""
        source = source_of(paper, wanted, manner.language)
        for _ in range(attempts):
            if self._why_not(manner.language):
                return
            answer = await self._answer(paper, manner, messages(source))
            if answer is None:
                return
            text = answer.text.strip()
            fault = fault_of(text, source, is_in) if answer.is_whole else "a sentence that is cut"
            now, store = self.session.clock(), self.session.store.summaries
            if not fault:
                store.keep(paper, manner, text, now)
                return
            store.refuse(paper, manner, fault, now, attempts=1)

    async def _answer(
        self, paper: Paper, manner: Manner, asked: list[dict[str, str]]
    ) -> Answer | None:
        """What the model answers, and None where it does not, which is noted."""
        store = self.session.store.summaries
        store.endpoint.take(1, self.session.clock(), [])
        try:
            answer = await self.client.ask(asked, self._left())
        except EndpointError as error:
            now, words = self.session.clock(), str(error)
            log.info("no summary of %s: %s", paper.id, words)
            if error.of_endpoint or error.of_paper:
                store.endpoint.judge_one(_receipt(error), now, "")
            # What is asked in vain of an endpoint that is away is no attempt at this paper.
            attempts = 1 if error.of_endpoint else ATTEMPTS
            store.refuse(paper, manner, words, now, attempts=attempts if error.of_paper else 0)
            return None
        now = self.session.clock()
        store.tokens.take(answer.tokens, now, [])
        store.endpoint.judge_one(Receipt(Outcome.SENT), now, "")
        return answer


def _receipt(error: EndpointError) -> Receipt:
    """What an answer that failed means for the endpoint, in the words of deliveries: several papers
    in a row that it refuses are its own trouble.
    """
    outcome = Outcome.RELAY if error.of_endpoint else Outcome.UNKNOWN
    return Receipt(outcome, str(error), permanent=error.permanent, rest=error.rest)


def figures(store: Store, now: datetime) -> str:
    """How many of the papers of the last day have a summary, and why others have none; ""
    where none was wanted.
    """
    there, without = store.summaries.since(now - DAY)
    missing = without.total()
    if not there + missing:
        return ""
    said = f"{there} of {counted(there + missing, 'summary', 'summaries')}"
    reasons = [(why or LATE, number) for why, number in without.most_common(3)]
    if not reasons:
        return said
    told = reasons[0][0] if len(without) == 1 else ", ".join(f"{why} ({n})" for why, n in reasons)
    return f"{said}; {missing} without: {told}"
