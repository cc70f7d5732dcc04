"""Figures for a program that watches (Prometheus), and the details of health, on a listener of
their own: behind a proxy every request comes from loopback, so the public one shows neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from digest.errors import DigestError
from digest.model import Channel
from digest.store import Store
from digest.store.figures import Figures
from digest.times import text_or_none
from digest.web.answers import SAFE
from digest.web.database_thread import DatabaseThread

HEADERS = SAFE | {"Cache-Control": "no-store"}


def make_watch(
    database: DatabaseThread, requests: Mapping[str, int], clock: Callable[[], datetime]
) -> Starlette:
    """The application of the other listener; `requests` are those of the web side, counted by the
    class of their status.
    """

    async def metrics(_request: Request) -> Response:
        try:
            gathered = await database.do(lambda store: list(_metrics(store, clock())))
        except DigestError:
            gathered = [_gauge("digest_up", "Whether the database can be read", 0)]
        counted = CounterMetricFamily("digest_web_requests", "Answers", labels=["status"])
        for status, number in requests.items():
            counted.add_metric([status], number)
        return Response(
            _text([*gathered, counted]), media_type=CONTENT_TYPE_LATEST, headers=HEADERS
        )

    async def health(_request: Request) -> Response:
        try:
            value = await database.do(lambda store: _health(store, clock()))
        except DigestError as error:
            return JSONResponse({"status": "unavailable", "why": str(error)}, 503, HEADERS)
        return JSONResponse(value, headers=HEADERS)

    app = Starlette(routes=[Route("/metrics", metrics), Route("/healthz", health)])
    app.router.redirect_slashes = False
    return app


def _text(metrics: list[Metric]) -> bytes:
    class Gathered:
        def collect(self) -> list[Metric]:
            return metrics

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Gathered())
    return generate_latest(registry)


def _health(store: Store, now: datetime) -> dict[str, Any]:
    """How the last run went, what waits, and what is given a rest."""
    figures, pause = store.watched.figures(), store.windows.pause()
    last = figures.last
    return {
        "status": "ok",
        "last_run": last
        and {
            "started": text_or_none(last.started),
            "finished": text_or_none(last.finished),
            "trouble": last.trouble,
        },
        "outbox": figures.outbox,
        "oldest_in_outbox": text_or_none(figures.oldest),
        "keywords_failing": figures.failing,
        "keywords_held_back": figures.quarantined,
        "arxiv_paused_until": text_or_none(pause.until if pause and pause.until > now else None),
        "resting_until": {
            channel.value: text_or_none(state.paused_until)
            for channel, relay in store.relays.items()
            if (state := relay.state()).is_paused(now)
        },
    }


def _metrics(store: Store, now: datetime) -> Iterator[Metric]:
    figures, pause = store.watched.figures(), store.windows.pause()
    yield _gauge("digest_up", "Whether the database can be read", 1)
    yield CounterMetricFamily("digest_runs", "Runs that have begun", figures.runs)
    if figures.last:
        yield _moment("digest_last_run_start", "When the last run began", figures.last.started)
        yield _gauge(
            "digest_last_run_troubled",
            "Whether the last run was stopped by something",
            bool(figures.last.trouble),
        )
    if figures.last and figures.last.finished:
        yield _moment("digest_last_run_end", "When the last run ended", figures.last.finished)
    yield from _counted(figures)
    rest = GaugeMetricFamily(
        "digest_rest_seconds", "How much longer a server is given a rest", labels=["of"]
    )
    rest.add_metric(["arxiv"], _seconds_to(pause.until if pause else None, now))
    for channel in Channel:
        state = store.relays[channel].state()
        until = state.paused_until if state.is_paused(now) else None
        rest.add_metric([channel.value], _seconds_to(until, now))
    yield rest
    yield _gauge(
        "digest_outbox_oldest_seconds",
        "For how long the oldest digest has been on its way",
        (now - figures.oldest).total_seconds() if figures.oldest else 0,
    )


def _counted(figures: Figures) -> Iterator[Metric]:
    """What is counted."""
    yield _gauge("digest_papers", "Papers on record", figures.papers)
    yield _gauge("digest_keywords", "Queries that somebody wants or wanted", figures.keywords)
    yield _gauge("digest_keywords_failing", "Queries whose last fetch failed", figures.failing)
    yield _gauge(
        "digest_keywords_held_back", "Queries whose answers are doubted", figures.quarantined
    )
    yield _gauge("digest_suppressed", "Addresses that are mailed no more", figures.suppressed)
    for name, words, label, values in (
        ("digest_mails", "Mails of the year by outcome", "outcome", figures.outcomes),
        ("digest_outbox", "Digests on their way by state", "state", figures.outbox),
        ("digest_readers", "Readers by who says what they want", "origin", figures.readers),
    ):
        family = GaugeMetricFamily(name, words, labels=[label])
        for key, number in values.items():
            family.add_metric([key], number)
        yield family
    fetches = GaugeMetricFamily(
        "digest_last_fetches", "Queries of the last fetching run", labels=["source", "status"]
    )
    for (source, status), number in figures.fetches.items():
        fetches.add_metric([source or "none", status], number)
    yield fetches


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, float(value))


def _moment(name: str, words: str, moment: datetime) -> Metric:
    return _gauge(f"{name}_timestamp_seconds", words, moment.timestamp())


def _seconds_to(until: datetime | None, now: datetime) -> float:
    return max((until - now).total_seconds(), 0.0) if until else 0.0
