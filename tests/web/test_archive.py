"""The archive as strangers read it: by day, by keyword, by paper; and what they do not see."""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import replace
from urllib.parse import quote

import bibtexparser
import html5lib
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from digest.web import archive
from digest.web.archive_pages import ArchivePages, Found
from digest.web.listings import Listings
from tests.web.archive_world import FILE, RL, Room, papers
from tests.world.worlds import DAY, MONDAY

EXAMPLES = int(os.environ.get("EXAMPLES", "25"))
PATHS = [
    "/", "/index.html", "/index.bib", "/day/2026-11-09.html", "/day/2026-11-09/2.html",
    "/day/2026-11-11.ris", "/keyword/reward-model.html", "/keyword/reward-model/1.html",
    "/keyword/vision.html", "/keyword/vision.atom", "/feed.atom", "/paper/2611.00100.html",
]  # fmt: skip


pytestmark = pytest.mark.asyncio(loop_scope="module")


def titles(page: str) -> list[int]:
    """The numbers of the papers on a page, in their order."""
    return [int(found) for found in re.findall(r"<h[34][^>]*><a [^>]*>\w+ (\d+)", page)]


async def test_nothing_is_public_before_the_file_says_so(own_room: Room) -> None:
    assert {(await own_room.get(path)).status_code for path in PATHS} == {200}
    own_room.write(FILE)
    assert {(await own_room.get(path)).status_code for path in PATHS} == {404}
    own_room.write(FILE + "public: [secret plan]\n")
    assert "Secret 500" in await own_room.page("/")
    own_room.write("subscribers: [")
    assert "Secret 500" in await own_room.page("/")


async def test_what_is_not_public_stands_on_no_page(room: Room) -> None:
    for path in PATHS:
        assert "secret" not in (await room.page(path)).casefold(), path
    for path in (
        "/keyword/secret-plan.html",
        "/keyword/secret-plan.atom",
        "/paper/2611.00500.html",
    ):
        assert (await room.get(path)).status_code == 404


async def test_the_latest_day_stands_first_and_leads_back(room: Room) -> None:
    index = await room.page("/")
    assert "Wednesday 11 November 2026" in index
    assert sorted(titles(index)) == [100, 200, 201, 202]
    assert 'href="./day/2026-11-10.html"' in index
    tuesday = await room.page("/day/2026-11-10.html")
    assert titles(tuesday) == [100, 101] or titles(tuesday) == [101, 100]
    assert 'href="../day/2026-11-11.html"' in tuesday
    assert 'href="../day/2026-11-09.html"' in tuesday
    assert (await room.get("/day/2026-11-08.html")).status_code == 404


async def test_a_long_day_has_several_pages_that_hold_each_paper_once(room: Room) -> None:
    first, second = [await room.page(f"/day/2026-11-09{n}.html") for n in ("", "/2")]
    assert "30 new papers" in first
    assert (len(titles(first)), len(titles(second))) == (25, 5)
    assert sorted(titles(first) + titles(second)) == list(range(1, 31))
    assert (await room.get("/day/2026-11-09/3.html")).status_code == 404
    assert (await room.get("/day/2026-11-09/1.html")).status_code == 404


async def test_numbered_pages_of_a_keyword_never_change(own_room: Room) -> None:
    front, first = [await own_room.page(f"/keyword/reward-model{n}.html") for n in ("", "/1")]
    assert (len(titles(front)), len(titles(first))) == (34 - 25 + 25, 25)
    assert (await own_room.get("/keyword/reward-model/2.html")).status_code == 404
    for n in range(5):
        at = own_room.now + (n + 1) * DAY
        own_room.record(at, RL, *papers(1000 + 10 * n, 10, at))
    front, again, second, third = [
        await own_room.page(f"/keyword/reward-model{n}.html") for n in ("", "/1", "/2", "/3")
    ]
    assert titles(again) == titles(first)
    # 84 papers: three whole pages, the last of which stands on the front, too.
    assert len(titles(front)) == 9 + 25
    assert 'href="../keyword/reward-model/2.html"' in front
    whole = titles(front) + titles(second) + titles(again)
    assert len(whole) == len(set(whole)) == 84
    assert set(titles(third)) < set(titles(front))


async def test_a_paper_has_an_address_for_good_and_says_how_it_came(own_room: Room) -> None:
    page = await own_room.page("/paper/2611.00100.html")
    assert "new, for vision, on Tuesday 10 November 2026" in page
    assert "new, for reward model, on Wednesday 11 November 2026" in page
    assert '<meta name="citation_arxiv_id" content="2611.00100">' in page
    assert 'id="2611.00100"' in await own_room.page("/day/2026-11-10.html")
    newer = replace(
        papers(100, 1, MONDAY + DAY)[0],
        version=2,
        updated=own_room.now + DAY,
        title=r"A \emph{new} title for $\alpha$ <b>",
    )
    own_room.record(own_room.now + DAY, RL, newer)
    assert "a new version, for reward model, on Thursday" in await own_room.page(
        "/paper/2611.00100.html"
    )


async def test_pages_can_be_taken_along(room: Room) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = bibtexparser.loads(await room.page("/day/2026-11-11.bib"))
    assert len(found.entries) == 4
    ris = (await room.page("/day/2026-11-11.ris")).split("\r\n")
    assert ris.count("TY  - UNPB") == ris.count("ER  - ") == 4
    assert "AU  - Example, Ada" in ris
    assert (await room.page("/day/2026-11-11.html")).count("Z3988") == 4


async def test_pages_are_whole_and_lead_to_pages_and_ask_nobody_else(room: Room) -> None:
    known: set[str] = set()
    for path in PATHS:
        page = await room.page(path)
        if path.endswith((".html", "/")):
            html5lib.HTMLParser(strict=True).parse(page)
            assert not re.search(r"<script|<style|\sstyle=|\son\w+=|<img|<iframe", page)
            assert re.findall(r'<link rel="stylesheet" href="([^"]*)"', page)[0].startswith(".")
            assert 'rel="alternate" type="application/atom+xml"' in page
        urls = {httpx.URL(f"http://x{path}").join(u) for u in re.findall(r'href="([^"#]+)', page)}
        known |= {url.path for url in urls if url.host == "x"}
    for path in known:
        assert (await room.get(path)).status_code == 200, path


async def test_who_has_a_page_is_not_sent_it_again(room: Room) -> None:
    first = await room.get("/keyword/vision.atom")
    known = {"If-None-Match": f'"other", W/{first.headers["etag"]}'}
    since = {"If-Modified-Since": first.headers["last-modified"]}
    for headers in (known, since):
        again = await room.client.get("/keyword/vision.atom", headers=headers)
        assert (again.status_code, again.content) == (304, b"")
    assert (await room.get("/", **{"If-None-Match": '"x"'})).status_code == 200
    assert (await room.get("/feed.atom", **{"If-Modified-Since": "soon"})).status_code == 200


async def test_a_page_is_made_anew_for_papers_at_once_and_for_what_a_run_mails_seldom(
    own_room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    find = ArchivePages.find

    def noted(self: ArchivePages, listings: Listings, path: str) -> Found | None:
        made.append(path)
        return find(self, listings, path)

    monkeypatch.setattr(ArchivePages, "find", noted)
    monkeypatch.setattr(archive, "LOOKED", 3600)
    for _ in range(3):
        await own_room.page("/")
        own_room.store.runs.begin(own_room.now)
    assert made == [""]
    monkeypatch.setattr(archive, "LOOKED", 0)
    await own_room.page("/")
    assert made == [""] * 2
    monkeypatch.setattr(archive, "LOOKED", 3600)
    own_room.record(own_room.now + DAY, RL, *papers(300, 1, own_room.now + DAY))
    assert 300 in titles(await own_room.page("/"))
    monkeypatch.setattr(archive, "KEPT", 20_000)
    for path in ("/", "/keyword/vision.html", "/keyword/reward-model.html"):
        await own_room.page(path)
    made.clear()
    for path in ("/keyword/vision.html", "/"):
        await own_room.page(path)
    assert made == ["keyword/vision.html", ""]


PIECES = st.sampled_from(
    """day keyword paper u d reader search static feed.atom 2026-11-09 0001-01-01 9999-12-31
    2026-02-30 reward-model search.html .. . %00 %2e%2e 1 9999999 0 2611.00100 hep-th 9901001
    index.html .bib .atom é""".split()
)
METHODS = st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])


async def test_whatever_is_asked_for_nothing_breaks(room: Room) -> None:
    seen: set[int] = set()

    @given(
        st.lists(st.one_of(PIECES, st.text(max_size=12)), max_size=5),
        st.sampled_from(
            ["", ".html", ".bib", ".ris", ".atom", "?q=%00", "?q=2611.00100", "?q=title&before=x"]
        ),
        METHODS,
        st.dictionaries(
            st.sampled_from(["If-None-Match", "If-Modified-Since", "X-Forwarded-For", "Forwarded"]),
            st.text(st.characters(max_codepoint=126, min_codepoint=32), max_size=30),
        ),
    )
    @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
    def ask(pieces: list[str], ending: str, method: str, headers: dict[str, str]) -> None:
        asked.append((method, "/" + "/".join(pieces) + ending, headers))

    asked: list[tuple[str, str, dict[str, str]]] = []
    ask()
    for method, path, headers in asked:
        url = "http://x" + quote(path, safe="/%.?=", errors="replace")
        answer = await room.client.request(method, url, headers=headers)
        assert answer.status_code < 500, (method, path, headers)
        assert "secret plan" not in answer.text
        seen.add(answer.status_code)
    assert 404 in seen
