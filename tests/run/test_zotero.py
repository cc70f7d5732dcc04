"""Zotero libraries, read from a stand-in of Zotero's web API over loopback."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator, Sequence

import pytest

from digest.libraries import LibraryError
from digest.libraries.zotero import OWN_TAG, Access, entry_of, place_of
from digest.run.zotero import Fetched, is_incomplete, read_again, require_zotero
from digest.store.preferences import LibraryPaper
from tests.world.zotero_server import KEY, Answer, ZoteroServer, zotero

JSON = {"Content-Type": "application/json", "Last-Modified-Version": "300"}


@pytest.fixture(scope="module")
def _served() -> Iterator[ZoteroServer]:
    with zotero() as server:
        yield server


@pytest.fixture
def server(_served: ZoteroServer) -> ZoteroServer:
    fresh = ZoteroServer(url=_served.url)
    _served.__dict__.update(fresh.__dict__)
    _served.put(
        "AAAAAAAA", "A <i>first</i> one", archiveID="arXiv:2301.00001", abstractNote="Of it"
    )
    _served.put("BBBBBBBB", "A second", DOI="10.1/b", collections=["CCCCCCCC"])
    return _served


def read(
    server: ZoteroServer,
    before: Sequence[LibraryPaper] = (),
    item: str = "zotero:user/7",
    key: str = KEY,
) -> Fetched:
    return read_again(item, before, Access(server.url, key), lambda: False)


def titles(fetched: Fetched) -> dict[str, str]:
    return {paper.id: paper.title for paper in fetched.papers}


def test_what_has_changed_is_asked_for_and_nothing_else(server: ZoteroServer) -> None:
    first = read(server)
    assert titles(first) == {"2301.00001": "A first one", "BBBBBBBB": "A second"}
    assert first.papers[1].abstract == "Of it" or first.papers[0].abstract == "Of it"
    assert [paper.arxiv for paper in sorted(first.papers, key=lambda p: p.id)] == [True, False]
    server.requests.clear()
    again = read(server, first.papers)
    assert again.papers == first.papers
    assert [status for *_, status in server.requests] == [304]
    server.put("BBBBBBBB", "A second, mended")
    server.put("DDDDDDDD", "A third")
    server.remove("AAAAAAAA")
    server.requests.clear()
    third = read(server, first.papers)
    assert titles(third) == {"BBBBBBBB": "A second, mended", "DDDDDDDD": "A third"}
    (_, query, _) = server.requests[-1]
    assert set(query["itemKey"][0].split(",")) == {"BBBBBBBB", "DDDDDDDD"}
    assert not read(server, third.papers).words


def test_one_collection_is_read_alone(server: ZoteroServer) -> None:
    fetched = read(server, item="zotero:user/7/collections/cccccccc")
    assert titles(fetched) == {"BBBBBBBB": "A second"}
    server.put("BBBBBBBB", "A second", collections=[])
    server.put("EEEEEEEE", "Another", collections=["CCCCCCCC"])
    fetched = read(server, fetched.papers, "zotero:user/7/collections/cccccccc")
    assert titles(fetched) == {"EEEEEEEE": "Another"}


def test_what_digest_put_there_and_what_is_no_paper_does_not_count(server: ZoteroServer) -> None:
    server.put("EEEEEEEE", "Ours", tags=["other", OWN_TAG.upper()])
    server.put("FFFFFFFF", "A note", kind="note")
    first = read(server)
    assert [p.id for p in first.papers if p.title] == ["BBBBBBBB", "2301.00001"]
    server.put("AAAAAAAA", "A first one", archiveID="arXiv:2301.00001", tags=[OWN_TAG])
    assert [p.id for p in read(server, first.papers).papers if p.title] == ["BBBBBBBB"]


def test_two_items_of_one_paper_are_one_and_each_may_go(server: ZoteroServer) -> None:
    server.put("EEEEEEEE", "A first one", url="https://arxiv.org/abs/2301.00001v2")
    first = read(server)
    assert sorted(titles(first)) == ["2301.00001", "BBBBBBBB"]
    server.remove("AAAAAAAA")
    second = read(server, first.papers)
    assert sorted(titles(second)) == ["2301.00001", "BBBBBBBB"]
    server.remove("EEEEEEEE")
    assert sorted(titles(read(server, second.papers))) == ["BBBBBBBB"]


def test_a_large_library_is_read_in_steps(
    server: ZoteroServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("digest.run.zotero.STEP", 100)
    for number in range(130):
        server.put(f"X{number:07}", f"Paper {number}")
    first = read(server)
    assert (len(first.papers), is_incomplete(first.papers[0].mark)) == (100, True)
    assert "Paper 129" in titles(first).values()
    second = read(server, first.papers)
    assert (len(second.papers), is_incomplete(second.papers[0].mark)) == (132, False)
    monkeypatch.setattr("digest.run.zotero.LIBRARY_PAPERS", 120)
    third = read(server)
    server.put("AAAAAAAA", "A first one")
    third = read(server, second.papers)
    assert len(third.papers) == 120
    assert third.words.endswith("has 12 items more than the 120 that are read")


def test_a_library_that_changes_while_it_is_read_is_right_the_next_time(
    server: ZoteroServer,
) -> None:
    def change() -> None:
        server.before_items = None
        server.remove("AAAAAAAA")
        server.put("BBBBBBBB", "Changed meanwhile")

    server.before_items = change
    first = read(server)
    assert titles(first) == {"BBBBBBBB": "Changed meanwhile"}
    server.put("BBBBBBBB", "Changed again")
    assert titles(read(server, first.papers)) == {"BBBBBBBB": "Changed again"}


TROUBLES = {
    "limited": (Answer(429, headers={"Retry-After": "120"}), "asks to slow down", 120),
    "limited, no time named": (Answer(429), "asks to slow down", 3600),
    "limited for years": (Answer(429, headers={"Retry-After": "99999999"}), "slow down", 86_400),
    "down": (Answer(503, headers={"Retry-After": "soon"}), "with an error (503)", 3600),
    "broken": (Answer(500), "with an error (500)", 3600),
    "moved": (Answer(302, headers={"Location": "http://127.0.0.1:9/"}), "an error (302)", 3600),
    "cut off": (Answer(200, b'{"AAAAAAAA": 101}', JSON, cut=5), "cannot be reached", 3600),
    "truncated": (Answer(200, b'{"AAAAAAAA": 10', JSON), "cannot be read", 3600),
    "nested": (Answer(200, b"[" * 100_000, JSON), "cannot be read", 3600),
    "a text": (Answer(200, b'"AAAAAAAA"', JSON), "cannot be read", 3600),
    "unchanged, which was not asked": (Answer(304), "with an error (304)", 3600),
    "packed error": (
        Answer(500, zlib.compress(b" " * 1_000_000), {"Content-Encoding": "deflate"}),
        "with an error (500)",
        3600,
    ),
    "no version": (Answer(200, b"{}", {"Content-Type": "application/json"}), "be read", 3600),
    "a page": (Answer(200, b"<html>", {"Content-Type": "text/html"}), "cannot be read", 3600),
    "an archive": (Answer(200, b"PK", {"Content-Type": "application/zip"}), "be read", 3600),
    "packed": (Answer(200, b"x", JSON | {"Content-Encoding": "gzip"}), "cannot be read", 3600),
    "huge": (Answer(200, b"[" + b" " * 10_000_000, JSON), "cannot be read", 3600),
}


@pytest.mark.parametrize("name", TROUBLES)
@pytest.mark.parametrize("at", ["listing", "items"])
def test_what_cannot_be_read_stays_as_it_was(server: ZoteroServer, name: str, at: str) -> None:
    answer, words, rest = TROUBLES[name]
    before = read(server).papers
    server.put("AAAAAAAA", "Changed", archiveID="arXiv:2301.00001")
    server.next = [answer] if at == "listing" else [None, answer]
    fetched = read(server, before)
    assert titles(fetched) == {"2301.00001": "A first one", "BBBBBBBB": "A second"}
    if name.startswith("unchanged") and at == "listing":
        return
    assert words in fetched.words
    assert "\n" not in fetched.words
    assert fetched.rest is not None
    assert fetched.rest.total_seconds() == rest
    assert titles(read(server, fetched.papers))["2301.00001"] == "Changed"


def test_zotero_that_asks_to_be_left_alone_is_asked_no_more(server: ZoteroServer) -> None:
    server.headers = {"Backoff": "30"}
    fetched = read(server)
    assert (fetched.papers, fetched.words, len(server.requests)) == ([], "", 1)
    assert fetched.rest is not None
    assert fetched.rest.total_seconds() == 30


def test_who_may_not_read_and_what_is_not_there_is_said(server: ZoteroServer) -> None:
    for item, key, words in (
        ("zotero:user/7", "wrong", "lets nobody read the library of user 7 with this key"),
        ("zotero:user/7", "", "without a key: set DIGEST_ZOTERO_KEY to one that may read it"),
        ("zotero:group/8", KEY, "Zotero knows no library of group 8"),
        ("zotero:user/7/collections/ABCD1234", KEY, "no collection ABCD1234 of user 7"),
    ):
        fetched = read(server, item=item, key=key)
        assert words in fetched.words
        assert fetched.rest is None
        assert "wrong" not in fetched.words


def test_what_is_listed_under_no_key_is_passed_over(server: ZoteroServer) -> None:
    body = b'{"A B:1": 5, "": 6, "AAAAAAAA": 101, "BBBBBBBB": "x"}'
    server.next = [Answer(200, body, JSON)]
    assert "cannot be read" in read(server).words
    server.next = [Answer(200, body.replace(b'"x"', b"102"), JSON)]
    fetched = read(server)
    assert (len(fetched.papers), fetched.words) == (2, "")
    assert read(server, fetched.papers).words == ""


def test_an_item_of_which_nothing_is_said_stays_until_it_is_listed_no_more(
    server: ZoteroServer,
) -> None:
    before = read(server).papers
    server.put("AAAAAAAA", "Changed", archiveID="arXiv:2301.00001")
    server.next = [None, Answer(200, b"[]", JSON)]
    fetched = read(server, before)
    assert titles(fetched)["2301.00001"] == "A first one"
    server.remove("BBBBBBBB")
    assert titles(read(server, fetched.papers)) == {"2301.00001": "Changed"}


def test_an_id_may_stand_bare_beside_the_name_of_the_archive() -> None:
    for data in (
        {"archive": "arXiv", "archiveLocation": "2301.00001"},
        {"repository": "arXiv", "archiveID": "2301.00001"},
        {"extra": "arXiv: 2301.00001 [cs]\nPublisher: arXiv"},
    ):
        read = entry_of({"data": {"key": "AAAAAAAA", "version": 1, "title": "One", **data}})
        assert read is not None
        assert read[2].arxiv == "2301.00001"


def test_items_that_are_formed_strangely_are_passed_over(server: ZoteroServer) -> None:
    body = b'[1, {"data": 2}, {"data": {"key": 3}}, {"data": {"key": "AAAAAAAA", "version": 101, '
    body += b'"title": 5, "tags": [null, {"tag": 6}], "abstractNote": {}, "DOI": []}}]'
    server.next = [None, Answer(200, body, JSON)]
    assert not any(titles(read(server)).values())


def test_how_a_library_is_named() -> None:
    place = place_of("Zotero:User/7/collections/abcd1234")
    assert (place.kind, place.number, place.collection) == ("user", "7", "ABCD1234")
    for item in ("zotero:user/x", "zotero:users/7", "zotero:", "zotero:group/7/collections/AB"):
        with pytest.raises(LibraryError, match="write zotero:user/123456"):
            place_of(item)


def test_without_the_extra_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    require_zotero("zotero:user/7")
    monkeypatch.setitem(sys.modules, "pyzotero", None)
    with pytest.raises(LibraryError, match=r"pip install '\.\[zotero\]'"):
        require_zotero("zotero:user/7")
