"""The client through real HTTP: whole windows, every way in which arXiv fails, and its terms."""

from __future__ import annotations

import gzip
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from digest import __version__
from digest.arxiv import api as client_module
from digest.arxiv import line as line_module
from digest.arxiv.api import ArxivClient
from digest.arxiv.line import Timeouts, pause_asked_for, user_agent
from digest.demo.feeds import error_feed, feed
from digest.demo.papers import World, newest_first
from digest.errors import ArxivError, ConfigError, DoubtfulError
from digest.model import Paper, Window
from digest.system.locks import ArxivTurns
from tests.world.standin import ScriptedAnswer, Standin

NOW = datetime(2026, 11, 5, 6, 30, tzinfo=UTC)
EVER = NOW - timedelta(days=3650)
QUERY = '(ti:"reward model" OR abs:"reward model")'
PAPERS = World(4).papers(60, NOW - timedelta(days=30), NOW)


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def arxiv() -> Iterator[Standin]:
    with Standin() as standin:
        standin.serve_windows({QUERY: PAPERS})
        yield standin


class Time:
    """A clock that moves only when somebody sleeps, and remembers how long."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@asynccontextmanager
async def client(
    arxiv: Standin, delay: float = 0, clock: Time | None = None, **options: Any
) -> AsyncIterator[ArxivClient]:
    clock = clock or Time()
    async with ArxivClient(
        arxiv.url,
        delay=delay,
        sleep=clock.sleep,
        monotonic=clock.monotonic,
        jitter=lambda: 0,
        **options,
    ) as made:
        yield made


async def window(
    arxiv: Standin, *, since: datetime = EVER, page_size: int = 25, attempts: int = 2
) -> Window:
    async with client(arxiv) as made:
        return await made.fetch(QUERY, since=since, page_size=page_size, attempts=attempts)


async def failure(
    arxiv: Standin, attempts: int = 1, page_size: int = 25, **options: Any
) -> ArxivError:
    async with client(arxiv, **options) as made:
        with pytest.raises(ArxivError) as caught:
            await made.fetch(QUERY, since=EVER, page_size=page_size, attempts=attempts)
    assert "\n" not in str(caught.value)
    return caught.value


def real(
    start: int, size: int, papers: tuple[Paper, ...] = PAPERS, total: int | None = None
) -> bytes:
    return feed(
        papers[start : start + size],
        query=QUERY,
        start=start,
        max_results=size,
        total=len(papers) if total is None else total,
    )


def starts(arxiv: Standin) -> list[int]:
    return [int(asked.params["start"]) for asked in arxiv.requests]


async def test_a_window_is_read_page_after_page_until_all_matches_came(arxiv: Standin) -> None:
    told: list[tuple[int, int]] = []
    async with client(arxiv) as made:
        got = await made.fetch(
            QUERY, since=EVER, page_size=25, progress=lambda *counts: told.append(counts)
        )
    assert got == Window(QUERY, PAPERS, 60, EVER, 3)
    assert told == [(25, 60), (50, 60), (60, 60)]
    assert starts(arxiv) == [0, 25, 50]
    asked = arxiv.requests[0].params
    assert (asked["sortBy"], asked["sortOrder"], asked["max_results"]) == (
        "lastUpdatedDate",
        "descending",
        "25",
    )


async def test_a_window_ends_where_its_last_rows_lie_beyond_its_depth(arxiv: Standin) -> None:
    since = PAPERS[21].updated
    got = await window(arxiv, since=since)
    assert got.requests == 1
    assert got.total == 60
    assert {paper for paper in PAPERS if paper.updated >= since} <= set(got.papers)


async def test_one_old_row_astray_at_the_end_of_a_page_ends_no_window(arxiv: Standin) -> None:
    rows = (*PAPERS[:24], PAPERS[59], *PAPERS[24:59])
    arxiv.serve_windows({QUERY: rows})
    since = PAPERS[40].updated
    got = await window(arxiv, since=since)
    assert {paper for paper in PAPERS if paper.updated >= since} <= set(got.papers)


def with_odd(*places: int, papers: tuple[Paper, ...] = PAPERS) -> tuple[Paper, ...]:
    """The papers, of which those at these places have no author."""
    odd = {papers[place] for place in places}
    return tuple(replace(paper, authors=()) if paper in odd else paper for paper in papers)


async def test_a_row_without_an_author_is_asked_for_again_by_id(arxiv: Standin) -> None:
    arxiv.serve(PAPERS)
    arxiv.serve_windows({QUERY: with_odd(3, 40)})
    got = await window(arxiv)
    assert set(got.papers) == set(PAPERS)
    assert (got.odd, got.total, got.requests) == ((), 60, 4)
    asked = arxiv.requests[-1].params["id_list"]
    assert asked == f"{PAPERS[3].id},{PAPERS[40].id}"


async def test_a_row_that_stays_odd_is_named_and_withholds_no_other(arxiv: Standin) -> None:
    arxiv.serve(with_odd(3))
    arxiv.serve_windows({QUERY: with_odd(3)})
    got = await window(arxiv)
    assert got.papers == (*PAPERS[:3], *PAPERS[4:])
    assert got.odd == (f"{PAPERS[3].id} has no author in arXiv's feed",)
    assert starts(arxiv) == [0, 25, 50, 0], "no page was asked for twice"


@pytest.mark.parametrize("answer", [ScriptedAnswer(503), ScriptedAnswer(429, b"Rate exceeded.")])
async def test_that_it_cannot_be_asked_for_again_withholds_no_other(
    arxiv: Standin, answer: ScriptedAnswer
) -> None:
    arxiv.serve_windows({QUERY: with_odd(3)})
    arxiv.on_query = lambda params: answer if params.get("id_list") else None
    got = await window(arxiv)
    assert (len(got.papers), len(got.odd)) == (59, 1)


async def test_an_odd_row_alone_on_the_last_page_withholds_no_other(arxiv: Standin) -> None:
    arxiv.serve_windows({QUERY: with_odd(59)})
    got = await window(arxiv, page_size=59)
    assert (len(got.papers), len(got.odd)) == (59, 1)


async def test_a_query_without_matches_is_a_good_window(arxiv: Standin) -> None:
    arxiv.serve_windows({QUERY: ()})
    assert (await window(arxiv)).papers == ()


async def test_one_client_fetches_many_windows_over_one_connection(arxiv: Standin) -> None:
    async with client(arxiv) as made:
        for _ in range(5):
            assert (await made.fetch(QUERY, since=EVER, page_size=60)).requests == 1
        assert made.requests == 5
    assert len({asked.port for asked in arxiv.requests}) == 1


async def test_the_client_says_who_it_is_and_what_it_takes(arxiv: Standin) -> None:
    async with client(arxiv, contact="ops@example.org") as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    headers = arxiv.requests[0].headers
    assert headers["user-agent"] == f"arxiv-digest/{__version__} (+mailto:ops@example.org)"
    assert headers["accept"] == "application/atom+xml"


@pytest.mark.parametrize(
    ("contact", "words"),
    [
        ("", ""),
        ("https://example.org/about", " (+https://example.org/about)"),
        ("a@example.org\r\nX-Evil: (1)", " (+mailto:a@example.orgX-Evil:1)"),
    ],
)
def test_a_contact_cannot_break_the_header(contact: str, words: str) -> None:
    assert user_agent(contact) == f"arxiv-digest/{__version__}{words}"


THROTTLED = [
    ScriptedAnswer(429, b"Rate exceeded."),
    ScriptedAnswer(200, b"Rate exceeded."),
    ScriptedAnswer(406, b""),
    ScriptedAnswer(503, b"Rate exceeded."),
]
OUT_OF_ORDER = [
    ScriptedAnswer(503, b"<html>Service Unavailable</html>"),
    ScriptedAnswer(500, error_feed("internal error")),
    ScriptedAnswer(200, b""),
    ScriptedAnswer(
        200, b"<!DOCTYPE html><html><body>Maintenance</body></html>", {"Content-Type": "text/html"}
    ),
    ScriptedAnswer(200, real(0, 25)[:5000]),
    ScriptedAnswer(200, real(0, 25) * 2),
    ScriptedAnswer(
        200,
        real(0, 25).replace(
            b"?>", b"?><!DOCTYPE f [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>", 1
        ),
    ),
    ScriptedAnswer(
        200,
        real(0, 25).replace(
            b"?>", b"?><!DOCTYPE f [<!ENTITY a SYSTEM 'file:///etc/hostname'>]>", 1
        ),
    ),
    ScriptedAnswer(200, real(0, 25).decode().replace("A", "\xc4").encode("latin-1", "replace")),
    ScriptedAnswer(200, real(0, 25).decode().encode("utf-16")),
    ScriptedAnswer(200, real(0, 25).replace(b"<updated>2026", b"<updated>someday", 3)),
    ScriptedAnswer(
        200, real(0, 25).replace(b"<title>", b"<titel>").replace(b"</title>", b"</titel>")
    ),
    ScriptedAnswer(200, real(0, 0, total=60)),
    ScriptedAnswer(200, real(0, 24)),
    ScriptedAnswer(200, real(0, 25).replace(b"reward model", b"other")),
    ScriptedAnswer(200, real(25, 25)),
    ScriptedAnswer(200, gzip.compress(real(0, 25))[:500], {"Content-Encoding": "gzip"}),
    ScriptedAnswer(200, b"not gzip", {"Content-Encoding": "gzip"}),
    ScriptedAnswer(200, real(0, 25), cut_after=3000),
    ScriptedAnswer(200, real(0, 25), cut_after=0),
    ScriptedAnswer(reset=True),
    ScriptedAnswer(304, b""),
    ScriptedAnswer(200, b"", {"Transfer-Encoding": "chunked", "Content-Length": "zz"}),
]


@pytest.mark.parametrize("answer", THROTTLED + OUT_OF_ORDER)
async def test_a_bad_answer_is_refused_and_never_taken_for_no_papers(
    arxiv: Standin, answer: ScriptedAnswer
) -> None:
    arxiv.script(answer)
    error = await failure(arxiv)
    assert error.transient
    assert not error.unreachable
    assert error.throttled == (answer in THROTTLED)
    if answer.body and not answer.headers and answer.cut_after is None:
        assert error.body == answer.body


@pytest.mark.parametrize("answer", THROTTLED + OUT_OF_ORDER)
async def test_after_a_bad_answer_the_page_is_asked_for_again(
    arxiv: Standin, answer: ScriptedAnswer
) -> None:
    arxiv.script(answer)
    got = await window(arxiv)
    assert (got.papers, got.requests) == (PAPERS, 4)


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "nonsense", ""])
async def test_a_wrong_charset_in_the_header_is_not_believed(arxiv: Standin, charset: str) -> None:
    odd = tuple(replace(paper, title=f"Na\xefve {paper.title} \u03b2") for paper in PAPERS[:25])
    body = real(0, 25, odd)
    arxiv.script(
        ScriptedAnswer(200, body, {"Content-Type": f"application/atom+xml; charset={charset}"})
    )
    async with client(arxiv) as made:
        got = await made.fetch(QUERY, since=EVER, page_size=25)
    assert got.papers == odd


async def test_an_entry_that_comes_twice_is_one_paper(arxiv: Standin) -> None:
    arxiv.script(ScriptedAnswer(200, real(0, 60, (*PAPERS[:30], *PAPERS[29:59]), total=60)))
    async with client(arxiv) as made:
        got = await made.fetch(QUERY, since=EVER, page_size=60)
    assert got.papers == PAPERS[:59]


async def test_ids_of_the_old_style_are_read_through_the_whole_way(arxiv: Standin) -> None:
    old = tuple(replace(p, id=f"hep-th/99{n:05d}") for n, p in enumerate(PAPERS))
    arxiv.serve_windows({QUERY: old})
    assert (await window(arxiv)).papers == old


async def test_fifty_megabytes_are_not_read_to_their_end(arxiv: Standin) -> None:
    arxiv.script(
        ScriptedAnswer(
            200, gzip.compress(b"<feed>" + b" " * 50_000_000), {"Content-Encoding": "gzip"}
        )
    )
    error = await failure(arxiv)
    assert "larger than 20,000,000 bytes" in error.message
    assert error.transient


async def test_a_body_that_stalls_runs_into_the_limit_between_two_pieces(arxiv: Standin) -> None:
    arxiv.script(ScriptedAnswer(cut_after=100, stall=30))
    error = await failure(arxiv, timeouts=Timeouts(connect=5, read=0.1, whole=30))
    assert "in time" in error.message


async def test_an_empty_page_in_the_middle_is_asked_for_again(arxiv: Standin) -> None:
    arxiv.script(
        ScriptedAnswer(),
        ScriptedAnswer(
            body=real(25, 0).replace(
                b">0</opensearch:itemsPerPage", b">25</opensearch:itemsPerPage"
            )
        ),
    )
    got = await window(arxiv)
    assert got.papers == PAPERS
    assert starts(arxiv) == [0, 25, 25, 50]


async def test_attempts_are_counted_for_each_page_and_then_given_up(arxiv: Standin) -> None:
    bad = ScriptedAnswer(500, b"")
    arxiv.script(bad, bad, ScriptedAnswer(), bad, bad, ScriptedAnswer(), bad, bad, bad)
    error = await failure(arxiv, attempts=3)
    assert "HTTP 500" in error.message
    assert starts(arxiv) == [0, 0, 0, 25, 25, 25, 50, 50, 50]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
async def test_a_refusal_is_not_asked_again(arxiv: Standin, status: int) -> None:
    arxiv.script(ScriptedAnswer(status, error_feed("field nonsense is not known")))
    error = await failure(arxiv, attempts=4)
    assert not error.transient
    assert "field nonsense is not known" in error.message
    assert len(arxiv.requests) == 1


async def test_a_refusal_without_words_names_its_status(arxiv: Standin) -> None:
    arxiv.script(ScriptedAnswer(403, b"<html>Forbidden</html>"))
    error = await failure(arxiv, attempts=4)
    assert "HTTP 403" in error.message
    assert not error.transient


async def test_captured_refusals_and_throttling_are_told_apart(arxiv: Standin) -> None:
    from tests.world.shared import shared

    folder = shared("arxiv/captures/api")
    (refusal,) = folder.glob("arxivpy_id_abc_*.xml")
    arxiv.script(
        ScriptedAnswer(400, refusal.read_bytes()),
        ScriptedAnswer(429, (folder / "body_rate_exceeded.txt").read_bytes()),
    )
    assert "incorrect id format for abc" in (await failure(arxiv)).message
    assert (await failure(arxiv)).throttled


async def test_a_spell_of_ignored_sorting_is_refused(arxiv: Standin) -> None:
    arxiv.serve_windows({QUERY: sorted(PAPERS, key=lambda paper: paper.title)})
    error = await failure(arxiv, attempts=2)
    assert "did not sort" in error.message
    assert error.body.startswith(b"<?xml")
    assert isinstance(error, DoubtfulError)
    assert len(error.papers) == 25
    assert not error.ordered


async def test_redirects_are_followed(arxiv: Standin) -> None:
    arxiv.script(
        ScriptedAnswer(301, b"", {"Location": arxiv.url + "?hop=1"}),
        ScriptedAnswer(307, b"", {"Location": "/api/query?hop=2"}),
    )
    arxiv.on_query = lambda params: ScriptedAnswer(body=real(0, 60)) if "hop" in params else None
    async with client(arxiv) as made:
        got = await made.fetch(QUERY, since=EVER, page_size=60)
    assert got.papers == PAPERS
    assert (got.requests, len(arxiv.requests)) == (3, 3)


async def test_redirects_in_circles_end(arxiv: Standin) -> None:
    arxiv.on_query = lambda params: ScriptedAnswer(302, b"", {"Location": arxiv.url})
    assert "circles" in (await failure(arxiv)).message
    assert len(arxiv.requests) == 6


@pytest.mark.parametrize(
    "place", ["ftp://127.0.0.1/x", "file:///etc/hostname", "http://", "http://[::bad/", "gopher:x"]
)
async def test_redirects_lead_to_http_only(arxiv: Standin, place: str) -> None:
    arxiv.script(ScriptedAnswer(302, b"", {"Location": place}))
    await failure(arxiv)
    assert len(arxiv.requests) == 1


async def test_slow_headers_run_into_the_time_limit(arxiv: Standin) -> None:
    arxiv.script(ScriptedAnswer(delay=30))
    error = await failure(arxiv, timeouts=Timeouts(connect=5, read=0.05, whole=5))
    assert "in time" in error.message
    assert not error.unreachable


async def test_an_answer_that_trickles_runs_into_the_limit_for_the_whole(arxiv: Standin) -> None:
    arxiv.script(ScriptedAnswer(cut_after=100, stall=30))
    error = await failure(arxiv, timeouts=Timeouts(connect=5, read=5, whole=1))
    assert "in time" in error.message
    assert len(error.body) == 100


async def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    arxiv: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_module, "BODY_LIMIT", 10_000)
    arxiv.script(ScriptedAnswer(200, gzip.compress(b"x" * 2_000_000), {"Content-Encoding": "gzip"}))
    error = await failure(arxiv)
    assert "larger than" in error.message
    assert len(error.body) == 10_000


@pytest.mark.parametrize(
    ("encoding", "layers"),
    [
        ("gzip, gzip", 2),
        ("gzip,identity, GZIP", 2),
        ("deflate", 1),
        ("br", 1),
        ("zstd, gzip", 1),
        ("gzip" + ", gzip" * 20, 3),
    ],
)
async def test_what_is_packed_otherwise_than_asked_for_is_not_unpacked(
    arxiv: Standin, encoding: str, layers: int
) -> None:
    body = b"x" * 3_000_000
    for _ in range(layers):
        body = gzip.compress(body)
    arxiv.script(ScriptedAnswer(200, body, {"Content-Encoding": encoding}))
    error = await failure(arxiv)
    assert "is packed by" in error.message
    assert error.transient
    assert error.body == b""


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "identity, gzip", "GZIP"])
async def test_what_is_packed_once_is_read(arxiv: Standin, encoding: str) -> None:
    packed = gzip.compress(real(0, 60))
    arxiv.script(ScriptedAnswer(200, packed, {"Content-Encoding": encoding}))
    async with client(arxiv) as made:
        assert (await made.fetch(QUERY, since=EVER, page_size=60)).papers == PAPERS


@pytest.mark.parametrize("damage", ["half", "flipped", "no gzip at all"])
async def test_a_packing_that_is_damaged_is_no_answer(arxiv: Standin, damage: str) -> None:
    packed = bytearray(gzip.compress(real(0, 60)))
    if damage == "half":
        del packed[len(packed) // 2 :]
    elif damage == "flipped":
        packed[len(packed) // 2] ^= 0x55
    else:
        packed = bytearray(real(0, 60))
    arxiv.script(ScriptedAnswer(200, bytes(packed), {"Content-Encoding": "gzip"}))
    error = await failure(arxiv)
    assert "cannot be unpacked" in error.message or "broke off" in error.message


@pytest.mark.parametrize("took", [1, 59, 170])
async def test_a_round_ends_whatever_is_asked_in_it(arxiv: Standin, took: int) -> None:
    """An arXiv that sends an octet now and then, and one that fails after a while."""
    clock = Time()

    def fail(_params: object) -> ScriptedAnswer:
        clock.now += took
        return ScriptedAnswer(500, b"")

    arxiv.on_query = fail
    async with client(arxiv, delay=3, clock=clock) as made:
        for _keyword in range(40):
            with pytest.raises(ArxivError) as caught:
                await made.fetch(QUERY, since=EVER, page_size=60)
        refused = len(arxiv.requests)
        assert clock.now - 1000 < line_module.ROUND + 170 + 40 * 3 + 1
        if took > 1:
            assert caught.value.unreachable
            assert "waiting for too long" in caught.value.message
            assert refused < 15
        arxiv.on_query = None
        made.line.begin_round()
        assert (await made.fetch(QUERY, since=EVER, page_size=60)).papers == PAPERS


async def test_good_answers_may_take_long_and_dripping_ones_not(arxiv: Standin) -> None:
    arxiv.serve_windows({QUERY: PAPERS[:1]})
    clock = Time()
    async with client(arxiv, delay=3, clock=clock) as made:
        for took, answered in ((50, 40), (170, 6)):
            arxiv.on_query = lambda _params, took=took: setattr(clock, "now", clock.now + took)
            done = 0
            made.line.begin_round()
            while done < 40:
                try:
                    await made.fetch(QUERY, since=EVER, page_size=60)
                except ArxivError:
                    break
                done += 1
            assert done == answered


async def test_a_pause_that_is_asked_for_again_and_again_ends_the_round(arxiv: Standin) -> None:
    clock = Time()
    arxiv.on_query = lambda _params: ScriptedAnswer(503, b"", {"Retry-After": "400"})
    async with client(arxiv, delay=3, clock=clock) as made:
        for _keyword in range(3):
            with pytest.raises(ArxivError):
                await made.fetch(QUERY, since=EVER, page_size=60)
    assert [pause for pause in clock.slept if pause > 3] == [400]


async def test_no_connection_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/api/query"
    clock = Time()
    async with ArxivClient(url, delay=0, sleep=clock.sleep, monotonic=clock.monotonic) as made:
        with pytest.raises(ArxivError) as caught:
            await made.fetch(QUERY, since=EVER, page_size=10, attempts=2)
    assert caught.value.unreachable
    assert made.requests == 2


async def test_a_name_that_does_not_exist_is_unreachable() -> None:
    async with ArxivClient("http://nothing.invalid/api", delay=0, sleep=Time().sleep) as made:
        with pytest.raises(ArxivError) as caught:
            await made.fetch(QUERY, since=EVER, page_size=10, attempts=1)
    assert caught.value.unreachable


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "nonsense", "http://[::bad/"])
async def test_an_address_that_is_none_is_said_to_be_so(url: str) -> None:
    async with ArxivClient(url, delay=0, sleep=Time().sleep) as made:
        with pytest.raises(ArxivError) as caught:
            await made.fetch(QUERY, since=EVER, page_size=10)
    assert not caught.value.transient


async def test_between_the_end_of_a_request_and_the_next_lies_the_delay(arxiv: Standin) -> None:
    clock = Time()
    arxiv.on_query = lambda params: setattr(clock, "now", clock.now + 10)  # type: ignore[func-returns-value]
    async with client(arxiv, delay=3, clock=clock) as made:
        await made.fetch(QUERY, since=EVER, page_size=25)
        clock.now += 1
        await made.fetch(QUERY, since=EVER, page_size=60)
    assert clock.slept == [3, 3, 2]


async def test_redirects_keep_the_delay_too(arxiv: Standin) -> None:
    clock = Time()
    arxiv.script(
        ScriptedAnswer(301, b"", {"Location": "/api/query?hop=1"}), ScriptedAnswer(body=real(0, 60))
    )
    async with client(arxiv, delay=3, clock=clock) as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    assert clock.slept == [3]


async def test_somebody_elses_last_request_counts(arxiv: Standin, tmp_path: Path) -> None:
    clock = Time()
    turns = ArxivTurns(
        tmp_path / "digest.db", sleep=clock.sleep, monotonic=clock.monotonic, wall=clock.monotonic
    )
    async with client(arxiv, delay=3, clock=clock, turn=turns) as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    clock.now += 1
    async with client(arxiv, delay=3, clock=clock, turn=turns) as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    assert clock.slept == [2]


async def test_waits_between_attempts_grow_from_the_delay(arxiv: Standin) -> None:
    clock = Time()
    arxiv.script(*[ScriptedAnswer(500, b"")] * 3)
    async with client(arxiv, delay=2, clock=clock) as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    assert clock.slept == [6, 18, 54]


async def test_jitter_only_lengthens_a_wait(arxiv: Standin) -> None:
    clock = Time()
    arxiv.script(ScriptedAnswer(500, b""))
    async with ArxivClient(
        arxiv.url, delay=2, sleep=clock.sleep, monotonic=clock.monotonic, jitter=lambda: 1.0
    ) as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    assert clock.slept == [9]


async def test_without_a_delay_nothing_is_waited_for_but_what_arxiv_asks(arxiv: Standin) -> None:
    clock = Time()
    arxiv.script(
        ScriptedAnswer(500, b""),
        ScriptedAnswer(429, b"", {"Retry-After": "90"}),
        ScriptedAnswer(503, b"", {"Retry-After": "1"}),
    )
    async with client(arxiv, clock=clock) as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    assert clock.slept == [0, 90, 1]


async def test_a_short_retry_after_does_not_shorten_a_wait(arxiv: Standin) -> None:
    clock = Time()
    arxiv.script(ScriptedAnswer(429, b"", {"Retry-After": "1"}))
    async with client(arxiv, delay=3, clock=clock) as made:
        await made.fetch(QUERY, since=EVER, page_size=60)
    assert clock.slept == [9]


async def test_a_pause_that_is_too_long_to_wait_for_is_handed_on(arxiv: Standin) -> None:
    clock = Time()
    arxiv.script(ScriptedAnswer(429, b"Rate exceeded.", {"Retry-After": "3600"}))
    error = await failure(arxiv, attempts=4, clock=clock)
    assert error.retry_after == timedelta(hours=1)
    assert error.throttled
    assert clock.slept == []


@pytest.mark.parametrize(
    ("text", "pause"),
    [
        ("120", timedelta(minutes=2)),
        ("Thu, 05 Nov 2026 06:40:00 GMT", timedelta(minutes=10)),
        ("Thu, 05 Nov 2026 06:00:00 GMT", timedelta(0)),
        ("soon", None),
        ("-5", None),
        ("", None),
        ("99999999999999999999", None),
        ("Thu, 99 Nov 2026 06:40:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(text: str, pause: timedelta | None) -> None:
    headers = httpx.Headers({"Retry-After": text, "Date": "Thu, 05 Nov 2026 06:30:00 GMT"})
    assert pause_asked_for(headers) == pause


class Moving:
    """An index that changes after some requests; each page is cut from what it holds then."""

    def __init__(self, *states: tuple[Paper, ...]) -> None:
        self.states = list(states)

    def __call__(self, params: dict[str, str]) -> ScriptedAnswer:
        papers = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        return ScriptedAnswer(body=real(int(params["start"]), int(params["max_results"]), papers))


async def test_papers_that_come_between_two_pages_shift_rows_and_lose_none(arxiv: Standin) -> None:
    old = PAPERS[2:]
    arxiv.on_query = Moving(old, PAPERS)
    got = await window(arxiv)
    assert sorted(got.papers, key=lambda paper: paper.id) == sorted(old, key=lambda paper: paper.id)
    assert starts(arxiv) == [0, 25, 50]


async def test_a_paper_taken_away_between_two_pages_makes_the_window_begin_again(
    arxiv: Standin,
) -> None:
    rest = PAPERS[:5] + PAPERS[6:]
    arxiv.on_query = Moving(PAPERS, rest)
    got = await window(arxiv)
    assert set(rest) <= set(got.papers)
    assert got.total == 59
    assert starts(arxiv) == [0, 25, 0, 25, 50]


async def test_a_revision_that_moves_up_between_two_pages_is_kept_once(arxiv: Standin) -> None:
    revised = replace(PAPERS[25], version=2, updated=NOW)
    arxiv.on_query = Moving(PAPERS, newest_first([revised, *PAPERS[:25], *PAPERS[26:]]))
    got = await window(arxiv)
    assert len({paper.id for paper in got.papers}) == len(got.papers)
    assert {paper.id for paper in got.papers} >= {paper.id for paper in PAPERS} - {revised.id}


async def test_an_index_that_never_rests_is_given_up(arxiv: Standin) -> None:
    arxiv.on_query = lambda params: ScriptedAnswer(
        body=real(0, 25) if params["start"] == "0" else real(25, 25, PAPERS[:59])
    )
    error = await failure(arxiv, attempts=3)
    assert "kept moving" in error.message
    assert error.transient


async def test_a_query_that_is_too_broad_says_so(
    arxiv: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "DEPTH_LIMIT", 40)
    error = await failure(arxiv)
    assert "too broad" in error.message
    assert error.remedy
    assert not error.transient
    assert [asked.params["max_results"] for asked in arxiv.requests] == ["25", "15"]


@pytest.mark.parametrize("size", [0, -1, 2001])
async def test_a_page_of_another_size_than_arxiv_serves_is_a_mistake_of_the_caller(
    arxiv: Standin, size: int
) -> None:
    async with client(arxiv) as made:
        with pytest.raises(ValueError, match="page_size"):
            await made.fetch(QUERY, since=EVER, page_size=size)


async def test_a_proxy_from_the_environment_is_asked(
    arxiv: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", arxiv.url.removesuffix("/api/query"))
    async with ArxivClient(
        "http://export.example.org/api/query", delay=0, sleep=Time().sleep
    ) as made:
        got = await made.fetch(QUERY, since=EVER, page_size=60)
    assert got.papers == PAPERS
    assert arxiv.requests[0].headers["host"] == "export.example.org"


@pytest.mark.parametrize(
    ("name", "value"), [("SSL_CERT_FILE", "/nowhere/ca.pem"), ("HTTPS_PROXY", "nonsense://x")]
)
async def test_a_proxy_or_a_certificate_that_cannot_be_used_is_a_matter_of_configuration(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="check HTTPS_PROXY, SSL_CERT_FILE"):
        async with ArxivClient("https://export.example.org/api/query") as made:
            await made.fetch(QUERY, since=EVER, page_size=60)
