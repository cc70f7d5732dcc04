"""Figures and the details of health, for who watches."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from digest.web.database_thread import DatabaseThread
from digest.web.metrics import make_watch
from tests.web.archive_world import Room, reading_room
from tests.web.test_private_pages import ADA, mail


async def asked(room: Room, path: str) -> httpx.Response:
    database = DatabaseThread(room.home / "digest.db", seconds=0.5)
    watch = make_watch(database, Counter(room.gateway.answers), lambda: room.now)
    transport = httpx.ASGITransport(watch)
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.get(path)
    database.close()
    return answer


async def test_figures_and_health_name_nobody(tmp_path: Path) -> None:
    async with reading_room(tmp_path) as room:
        mail(room)
        await room.get("/")
        await room.get("/nowhere")
        answer = await asked(room, "/metrics")
        found = {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }
        assert found["digest_up",] == 1
        assert found["digest_runs_total",] == 4
        assert found["digest_papers",] == 38
        assert found["digest_outbox", "queued"] == 1
        assert found["digest_readers", "file"] == 1
        assert found["digest_rest_seconds", "arxiv"] == 0
        assert found["digest_web_requests_total", "4xx"] == 1
        assert ADA.email not in answer.text
        health = await asked(room, "/healthz")
        assert health.json()["outbox"] == {"queued": 1}
        assert health.json()["resting_until"] == {}
        assert ADA.email not in health.text
        # The public listener says none of it.
        assert (await room.get("/metrics")).status_code == 404
        (tmp_path / "digest.db").rename(tmp_path / "away.db")
        assert "digest_up 0.0" in (await asked(room, "/metrics")).text
        assert (await asked(room, "/healthz")).status_code == 503
