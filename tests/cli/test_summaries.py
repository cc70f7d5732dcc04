"""Summaries as people meet them: in a run, `status`, `why`, `doctor`, and in the commands."""

from __future__ import annotations

import json
import re

import pytest

from digest.setup.doctor.check import Level
from digest.setup.doctor.summaries import check_summaries
from digest.setup.settings import load_settings
from digest.subscribers.fields import FIELDS
from tests.world.house import DAYS, FRIDAY, SUBSCRIBERS, THURSDAY, House
from tests.world.http_server import in_a_thread
from tests.world.llm import refused, said
from tests.world.shell import Shell

WANTED = f"defaults: {{summary: tldr}}\n{SUBSCRIBERS}"


def test_status_says_who_wants_them_and_that_nobody_is_there(house: House) -> None:
    house.write(WANTED)
    told = house("status", now=THURSDAY)
    assert "2 readers want them, and no model is there to ask: DIGEST_LLM_URL" in told.out


def test_a_run_asks_and_status_and_why_tell(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.write(WANTED)
    monkeypatch.setenv("DIGEST_LLM_MODEL", "small")
    monkeypatch.setenv("DIGEST_LLM_KEY", "sk-secret")
    with in_a_thread() as server:
        monkeypatch.setenv("DIGEST_LLM_URL", f"{server.url}/v1")
        server.usual = refused(429, "sk-secret is slow", retry_after="7200")
        house("run", now=THURSDAY)
        assert len(server.requests) == 1
        house.serve(DAYS[1])
        told = house("status", now=THURSDAY)
        assert "small: 0 of " in told.out
        assert "without: HTTP 429: *** is slow" in told.out
        assert "it is asked again from 2026-11-0" in told.out
        paper = house.value("SELECT paper FROM summary")
        why = house("why", "ada@example.org", paper, now=FRIDAY)
        assert "Summary   none by small: HTTP 429: *** is slow" in why.out
        report = house("why", "ada@example.org", paper, "--json", now=FRIDAY).json()
        assert report["summary"] == {"text": "", "by": "small", "why": "HTTP 429: *** is slow"}
        settings = load_settings({"DIGEST_HOME": str(house.home)}, folder=house.home)
        found = check_summaries(settings, FRIDAY)
        assert (found.level, "small: HTTP 429" in found.found) == (Level.FAIL, True)
        server.usual = said(
            "We propose a simple network architecture without recurrent neural networks."
        )
        found = check_summaries(settings, FRIDAY)
        assert found.level is Level.OK
        assert re.match(r"small answered in [0-9.]+ s; 321 tokens a paper, about ", found.found)
        server.usual = said("We propose a network of 97 heads.")
        assert "would not be shown: a number" in check_summaries(settings, FRIDAY).found


def test_the_fields_are_set_shown_and_cleared(shell: Shell) -> None:
    shell(
        "subscribe", "ada@example.org", "-k", "MLLM", "--summary", "translate", "--language", "de"
    )
    shown = shell("subscribers", "show", "ada@example.org")
    assert "key sentences in de, by a model" in shown
    shell("subscribers", "set", "ada@example.org", "summary=tldr", "language=pt-br")
    report = json.loads(shell("subscribers", "show", "ada@example.org", "--json"))
    assert (report["summary"], report["language"]) == ("tldr", "pt-BR")
    shell("subscribers", "set", "ada@example.org", "language=german", code=2)
    assert "did you mean de?" in shell.err
    shell("subscribers", "set", "ada@example.org", "summary=none", "language=")
    report = json.loads(shell("subscribers", "show", "ada@example.org", "--json"))
    assert (report["summary"], report["language"]) == ("none", "en")
    assert {"summary", "language"} <= set(FIELDS)
