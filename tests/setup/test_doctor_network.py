"""What the doctor says of arXiv and its clock, and of the sender's domain in DNS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from dns.resolver import Resolver

from digest.rules.calendar import last_served
from digest.rules.plan import feed_day
from digest.setup.doctor import names, network
from digest.setup.doctor.check import Cause, Check, Finding, Level, run_checks
from digest.setup.doctor.mail import sender_domain
from tests.setup.doctor import (
    NOW,
    PAPERS,
    SENDER,
    find_all,
    states,
    survey,
)
from tests.world.dns_server import dns_server
from tests.world.standin import ScriptedAnswer, Standin


@pytest.fixture
def arxiv() -> Iterator[Standin]:
    with Standin(PAPERS) as standin:
        yield standin


def ask(arxiv_url: str, home: Path, now: datetime | None = None) -> list[Finding]:
    chosen = survey(home, DIGEST_ARXIV_API=arxiv_url, DIGEST_ARXIV_DELAY="0", **SENDER)
    check = Check(
        "arXiv",
        lambda: network.check_arxiv(chosen.settings, lambda: now or datetime.now(UTC)),
    )
    return list(run_checks([check]))


def test_arxiv_is_asked_once_and_says_the_time(arxiv: Standin, tmp_path: Path) -> None:
    found, clock = ask(arxiv.url, tmp_path)
    assert states([found, clock]) == [Level.OK, Level.OK]
    assert len(arxiv.requests) == 1
    assert "ada@example.org" in arxiv.requests[0].headers["user-agent"]


def ask_source(arxiv: Standin, home: Path, **settings: str) -> list[Finding]:
    addresses = {
        "DIGEST_ARXIV_API": arxiv.url,
        "DIGEST_ARXIV_FEEDS": arxiv.feeds_url,
        "DIGEST_ARXIV_OAI": arxiv.oai_url,
        "DIGEST_ARXIV_DELAY": "0",
    }
    chosen = survey(home, **SENDER, **addresses, **settings)
    return find_all(chosen, "source")


def test_the_chosen_source_is_asked_too(arxiv: Standin, tmp_path: Path) -> None:
    assert ask_source(arxiv, tmp_path) == []
    assert ask_source(arxiv, tmp_path, DIGEST_SOURCE="api") == []
    economics = replace(PAPERS[0], categories=("econ.EM",))
    arxiv.announcing.announce(feed_day(last_served(NOW)), [economics])
    (feeds,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="feeds")
    assert (feeds.level, "1 papers today in econ and q-fin" in feeds.found) == (Level.OK, True)
    (oai,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="oai")
    assert (oai.level, "1 records in econ" in oai.found) == (Level.OK, True)
    assert [asked.path for asked in arxiv.requests] == ["/atom/econ+q-fin", "/oai"]


def test_a_chosen_source_in_trouble_is_a_warning_since_another_stands_in(
    arxiv: Standin, tmp_path: Path
) -> None:
    arxiv.announcing.announce(
        NOW.date() - timedelta(days=9), [replace(PAPERS[0], categories=("econ.EM",))]
    )
    (stale,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="feeds")
    assert (stale.level, stale.remedy) == (Level.WARN, "wait: the API is asked instead")
    arxiv.script(ScriptedAnswer(404, b"not found"))
    (lost,) = ask_source(arxiv, tmp_path, DIGEST_SOURCE="oai")
    assert lost.level is Level.WARN
    assert "DIGEST_ARXIV_OAI" in lost.remedy


@pytest.mark.parametrize(
    ("minutes", "level"), [(-7, Level.WARN), (7, Level.WARN), (300, Level.FAIL), (-300, Level.FAIL)]
)
def test_a_clock_that_is_off_by_minutes_is_a_warning_and_by_hours_a_failure(
    arxiv: Standin, tmp_path: Path, minutes: int, level: Level
) -> None:
    _, clock = ask(arxiv.url, tmp_path, datetime.now(UTC) + timedelta(minutes=minutes))
    assert clock.level is level
    assert ("behind" if minutes < 0 else "ahead of") in clock.found


def test_an_answer_without_a_date_says_nothing_of_the_clock(arxiv: Standin, tmp_path: Path) -> None:
    arxiv.clock = lambda: None
    found, clock = ask(arxiv.url, tmp_path)
    assert states([found, clock]) == [Level.OK, Level.SKIP]


@pytest.mark.parametrize(
    ("answer", "state", "cause"),
    [
        (ScriptedAnswer(429, b"Rate exceeded."), Level.WARN, Cause.CONFIG),
        (ScriptedAnswer(503, b""), Level.FAIL, Cause.NETWORK),
        (ScriptedAnswer(200, b"<html>Hello</html>"), Level.FAIL, Cause.NETWORK),
        (ScriptedAnswer(reset=True), Level.FAIL, Cause.NETWORK),
        (ScriptedAnswer(404, b"not found"), Level.FAIL, Cause.CONFIG),
    ],
)
def test_an_answer_that_is_not_sane_is_told(
    arxiv: Standin, tmp_path: Path, answer: ScriptedAnswer, state: Level, cause: Cause
) -> None:
    arxiv.script(answer)
    found, _clock = ask(arxiv.url, tmp_path)
    assert (found.level, found.cause) == (state, cause)
    assert found.remedy
    assert len(arxiv.requests) == 1


def test_without_a_network_arxiv_fails_and_the_clock_is_not_checked(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:1/api/query", "http://no-such-host.invalid/api/query"):
        found, clock = ask(url, tmp_path)
        assert (found.level, found.cause, clock.level) == (Level.FAIL, Cause.NETWORK, Level.SKIP)


def test_arxiv_is_left_alone_while_a_cycle_asks_it(arxiv: Standin, tmp_path: Path) -> None:
    (tmp_path / "digest.db.lock").write_text(f"{os.getpid()} 2026-11-23T11:58:00Z\n")
    assert states(ask(arxiv.url, tmp_path)) == [Level.SKIP, Level.SKIP]
    assert arxiv.requests == []


GOOD = {
    "example.org": ["some other text", "v=spf1 include:relay.example.net| -all"],
    "key1._domainkey.example.org": ["v=DKIM1; p=abc"],
    "_dmarc.example.org": ["v=DMARC1; p=quarantine; rua=mailto:ada@example.org"],
}


def look_up(
    resolver: Resolver | None, domain: str = "example.org", **limit: float
) -> list[Finding]:
    """What is found of SPF, DKIM and DMARC."""
    ask = names.asking(resolver, **limit)
    checks = {"SPF": names.check_spf, "DKIM": names.check_dkim, "DMARC": names.check_dmarc}
    return list(
        run_checks(Check(name, partial(check, domain, ask)) for name, check in checks.items())
    )


def test_a_domain_that_publishes_all_is_well() -> None:
    with dns_server(GOOD | {"lab.example.org": ["v=spf1 mx -all"]}) as resolver:
        spf, dkim, dmarc = look_up(resolver)
        _, dkim_of_parent, below = look_up(resolver, "lab.example.org")
    assert states([spf, dkim, dmarc, dkim_of_parent, below]) == [Level.OK] * 5
    assert "v=spf1 include:relay.example.net -all" in spf.found
    assert "p=quarantine" in dmarc.found
    assert "example.org: " in below.found


@pytest.mark.parametrize(
    ("records", "spf", "dkim", "dmarc"),
    [
        ({"example.org": []}, "does not say", "seems to have no key", "no DMARC record"),
        (
            {
                "example.org": ["v=spf1 -all", "v=spf1 ~all"],
                "_dmarc.example.org": ["v=DMARC1; p=none", "v=DMARC1"],
            },
            "2 SPF records",
            "seems to have no key",
            "2 DMARC records",
        ),
        (
            {"example.org": ["v=spf1 +all"], "_dmarc.example.org": ["v=DMARC1; p=maybe"]},
            "+all",
            "no key",
            "no policy",
        ),
        ({"example.net": [], "org": []}, "does not exist", "", ""),
    ],
)
def test_what_a_domain_lacks_is_a_warning(
    records: dict[str, list[str]], spf: str, dkim: str, dmarc: str
) -> None:
    with dns_server(records) as resolver:
        made = look_up(resolver)
    for check, words in zip(made, (spf, dkim, dmarc), strict=True):
        if words:
            assert (check.level, words in check.found) == (Level.WARN, True)
            assert check.remedy
        else:
            assert check.level is Level.SKIP


def test_where_no_dns_server_answers_nothing_is_said_of_the_domain() -> None:
    with dns_server({}, silent=True) as resolver:
        made = look_up(resolver, seconds=0.1)
    made += look_up(None)
    assert states(made) == [Level.SKIP] * 6
    assert made[0].found == "not checked: no DNS server answered"


def test_a_server_that_knows_no_public_name_says_nothing_of_the_domain() -> None:
    with dns_server({"printer.lan": []}) as resolver:
        made = look_up(resolver)
    assert {(c.level, c.found) for c in made} == {
        (Level.SKIP, "not checked: the DNS server here knows no public names")
    }


def test_only_a_domain_that_mail_leaves_for_is_looked_up(tmp_path: Path) -> None:
    real = {"DIGEST_MAIL": "sendmail:"}
    assert (
        sender_domain(survey(tmp_path, **real, DIGEST_FROM="Papers <p@Exämple.org>").settings)
        == "xn--exmple-cua.org"
    )
    assert sender_domain(survey(tmp_path, **real, DIGEST_FROM="papers@localhost").settings) == ""
    assert sender_domain(survey(tmp_path, DIGEST_FROM="papers@example.org").settings) == ""
