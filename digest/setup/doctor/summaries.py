"""Whether the model answers that writes summaries, how fast, and what that takes."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

from digest.keywords.words import counted
from digest.model import Subscriber, Summary
from digest.run.summaries import NOT_INSTALLED, wants
from digest.setup.doctor.check import Cause, Finding, fail, ok, warn
from digest.setup.parts import existing_store, writer_of
from digest.setup.settings import Settings
from digest.setup.subscribers import roster_or_empty
from digest.summaries.client import Answer, Client, Endpoint, EndpointError
from digest.summaries.gate import fault_of
from digest.summaries.languages import is_in, is_installed, is_known
from digest.summaries.prompt import Source, language_name, messages

ANSWER_SECONDS = 9.0
"""A check has ten."""
MONTH = timedelta(days=30)
TITLE = "Attention Is All You Need"
ABSTRACT = (
    "The dominant sequence transduction models are based on complex recurrent or convolutional"
    " neural networks that include an encoder and a decoder. We propose a new simple network"
    " architecture, the Transformer, based solely on attention mechanisms. Experiments on two"
    " machine translation tasks show these models to be superior in quality while requiring"
    " significantly less time to train."
)
"""Of arXiv:1706.03762, shortened."""


def wants_summaries(settings: Settings) -> bool:
    """Whether a model is named, or a reader wants one."""
    return bool(settings.llm_url or _wanting(settings))


def check_summaries(settings: Settings, now: datetime) -> Finding:
    """Ask the model once, about a paper that everybody knows."""
    readers = _wanting(settings)
    manners = list(dict.fromkeys((reader.summary, reader.language) for reader in readers))
    writer = writer_of(settings)
    if writer is None:
        who = counted(len(readers), "reader wants", "readers want")
        return warn(f"{who} summaries, and no model is there to ask", "set DIGEST_LLM_URL")
    if wrong := _what_cannot_be_told([language for _, language in manners]):
        return wrong
    source = Source(TITLE, ABSTRACT, *(manners or [(Summary.TLDR, "en")])[0])
    model, began = writer.endpoint.model, time.monotonic()
    try:
        answer = asyncio.run(_ask(writer.endpoint, source))
    except EndpointError as error:
        late = not (error.of_paper or error.of_endpoint)
        words = f"no answer in {ANSWER_SECONDS:g} seconds (a paper has 30)" if late else str(error)
        cause = Cause.CONFIG if error.permanent else Cause.NETWORK
        return fail(f"{model}: {words}", "look at the DIGEST_LLM_ settings", cause)
    took = time.monotonic() - began
    monthly = _monthly(settings, readers, now) * len(manners)
    what = f"{model} answered in {took:.1f} s; {answer.tokens} tokens a paper"
    return _judged(answer, source, f"{what}, about {monthly * answer.tokens:,} a month")


def _wanting(settings: Settings) -> list[Subscriber]:
    """The readers who want summaries."""
    return [reader for reader in roster_or_empty(settings).subscribers if wants(reader)]


def _what_cannot_be_told(languages: list[str]) -> Finding | None:
    """Whether something is amiss with telling languages here."""
    if not is_installed():
        what, _, remedy = NOT_INSTALLED.partition(": ")
        return fail(f"no summary is made: {what}", remedy)
    unknown = [language_name(language) for language in languages if not is_known(language)]
    if unknown:
        return warn(f"none is shown in {unknown[0]}: nothing here can tell that a text is in it")
    return None


def _judged(answer: Answer, source: Source, what: str) -> Finding:
    """A finding on an answer; `what` says how it came."""
    fault = fault_of(answer.text.strip(), source, is_in) if answer.is_whole else "it is cut"
    if fault:
        return warn(f"{what}; what it said would not be shown: {fault}", "try another model")
    return ok(what)


async def _ask(endpoint: Endpoint, source: Source) -> Answer:
    async with Client(endpoint) as client:
        return await client.ask(messages(source), ANSWER_SECONDS)


def _monthly(settings: Settings, readers: list[Subscriber], now: datetime) -> int:
    """How many papers were new to these readers in the last month."""
    addresses = [reader.email for reader in readers]
    with existing_store(settings) as store:
        return store.summaries.new_since(addresses, now - MONTH) if store else 0
