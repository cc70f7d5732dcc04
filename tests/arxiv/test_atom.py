"""Bytes become a whole feed or an ArxivError, and nothing else."""

from __future__ import annotations

import io
import json
import lzma
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import feedparser
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from digest.arxiv import documents
from digest.arxiv.atom import Feed, parse_feed
from digest.arxiv.documents import plain_text
from digest.arxiv.gate import check_page
from digest.demo.feeds import error_feed, feed
from digest.demo.papers import World
from digest.errors import ArxivError
from tests.world.shared import shared

NOW = datetime(2026, 11, 5, 6, 30, tzinfo=UTC)


@cache
def whole(number: int = 4) -> bytes:
    papers = World(1).papers(number, NOW - timedelta(days=5), NOW)
    return feed(papers, query='ti:"reward model"', start=0, max_results=number, total=number)


def refused(body: bytes, content_type: str = "") -> ArxivError:
    with pytest.raises(ArxivError) as caught:
        parse_feed(body, content_type=content_type)
    assert caught.value.body == body
    assert "\n" not in str(caught.value)
    return caught.value


def one(**changes: str) -> bytes:
    """A feed of one entry in which the named text was replaced."""
    text = whole(1).decode()
    for old, new in changes.items():
        start, end = text.index("<entry>"), text.index("</entry>")
        opening, closing = f"<{old.replace('__', ':')}>", f"</{old.replace('__', ':')}>"
        first = text.index(opening, start, end)
        last = text.index(closing, first)
        text = text[: first + len(opening)] + new + text[last:]
    return text.encode()


def without(element: str) -> bytes:
    text = whole(1).decode()
    start = text.index("<entry>")
    head, entry = text[:start], text[start:]
    while f"<{element}" in entry:
        first = entry.index(f"<{element}")
        after = entry[first:]
        end = (
            after.index("/>") + 2
            if after.index(">") == after.find("/>") + 1
            else after.index(f"</{element}>")
        )
        entry = entry[:first] + after[end:].removeprefix(f"</{element}>")
    return (head + entry).encode()


def test_what_the_standin_wrote_is_read_back() -> None:
    papers = World(3).papers(12, NOW - timedelta(days=40), NOW)
    answer = parse_feed(feed(papers, query="all:x & y", start=7, max_results=12, total=400))
    assert answer == Feed("all:x & y", (), 7, 12, 400, papers)


def test_a_byte_order_mark_and_blank_lines_around_are_no_harm() -> None:
    assert len(parse_feed(b"\xef\xbb\xbf" + whole() + b"\n\n").papers) == 4


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"<!DOCTYPE html><html><body>Sorry</body></html>", "web page"),
        (b"<html><head></head></html>", "web page"),
        (b"Internal Server Error", "not a whole XML document"),
        (b'<?xml version="1.0"?><rss version="2.0"><channel></channel></rss>', "not an Atom feed"),
        (b"<feed></feed>", "not an Atom feed"),
        (whole() + whole(), "not a whole XML document"),
        (whole() + whole().split(b"\n", 1)[1], "not a whole XML document"),
        (whole()[:-8], "not a whole XML document"),
        (whole().replace(b"Reward", b"Rew\xe9rd", 1), "not a whole XML document"),
        (whole().decode().encode("utf-16"), "not a whole XML document"),
        (whole().replace(b"startIndex", b"firstIndex"), "startIndex"),
        (
            whole().replace(b"<opensearch:totalResults>4<", b"<opensearch:totalResults>many<"),
            "totalResults",
        ),
    ],
)
def test_what_is_no_whole_feed_is_refused_and_may_be_asked_for_again(
    body: bytes, words: str
) -> None:
    error = refused(body)
    assert words in error.message
    assert error.transient
    assert not error.throttled


def test_a_web_page_is_told_by_its_content_type_too() -> None:
    assert "web page" in refused(b"<p>Bad gateway<br>", "text/html; charset=utf-8").message
    assert "web page" in refused(b"<p>Bad gateway</p>", "text/html").message


def test_rate_exceeded_is_throttling() -> None:
    assert refused(b"Rate exceeded.").throttled
    assert refused(b"Rate exceeded.\n").transient


def test_an_error_feed_is_a_refusal_in_arxivs_words() -> None:
    error = refused(error_feed("incorrect id format for <abc>"))
    assert "incorrect id format for <abc>" in error.message
    assert not error.transient


def test_a_paper_titled_error_is_a_paper() -> None:
    assert parse_feed(one(title="Error")).papers[0].title == "Error"


def built_of(inside: bytes) -> bytes:
    return whole().partition(b"<entry>")[0] + inside + b"</feed>"


@pytest.mark.parametrize(
    ("what", "inside"),
    [
        ("depth", b"<a>" * 300_000 + b"</a>" * 300_000),
        ("depth", b"<a xmlns='u'>" * 40 + b"</a>" * 40),
        ("elements", b"<a/>" * 20_000),
        ("attributes", b"<a %s/>" % b" ".join(b"x%d=''" % n for n in range(80_000))),
        ("namespaces", b"".join(b"<a xmlns:n%d='u%d'/>" % (n, n) for n in range(1000))),
        ("namespaces", b"<a %s/>" % b" ".join(b"xmlns:n%d='u'" % n for n in range(1000))),
        ("text", b"<entry><summary>" + b"x " * 100_001 + b"</summary></entry>"),
        ("text", b"<category term='" + b"cs.LG;" * 40_000 + b"'/>"),
    ],
)
def test_a_document_like_none_of_arxivs_is_refused_before_it_costs_time(
    what: str, inside: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "ELEMENTS", 10_000)
    monkeypatch.setattr(feedparser, "parse", None)  # which takes a minute for some of these
    assert f"its {what} beyond" in refused(built_of(inside)).message


def test_a_title_that_begins_to_repeat_a_query_again_and_again_names_none() -> None:
    hostile = "arXiv Query: search_query=" + "&amp;id_list=" * 15_000
    title = f"<title>{hostile}</title>".encode()
    assert parse_feed(re.sub(rb"<title>arXiv.*?</title>", title, whole(), count=1)).query is None


@pytest.mark.parametrize("bomb", ["internal", "external"])
def test_entities_are_refused_before_they_grow_or_reach_out(bomb: str, tmp_path: object) -> None:
    subset = {
        "internal": b'<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">',
        "external": b'<!ENTITY b SYSTEM "file:///etc/hostname">',
    }[bomb]
    head, rest = whole().split(b"\n", 1)
    body = head + b"<!DOCTYPE feed [" + subset + b"]>" + rest.replace(b"<title>", b"<title>&b;", 1)
    assert "document type" in refused(body).message


@pytest.mark.parametrize(
    ("address", "base", "version"),
    [
        ("http://arxiv.org/abs/2503.14895v3", "2503.14895", 3),
        ("https://arxiv.org/abs/0808.0539v12", "0808.0539", 12),
        ("http://arxiv.org/abs/hep-th/9901001v1", "hep-th/9901001", 1),
        ("http://arxiv.org/abs/cs/0503050v1", "cs/0503050", 1),
        ("http://arxiv.org/abs/math.GT/0309136v2", "math/0309136", 2),
        ("http://export.arxiv.org/abs/2503.14895v1", "2503.14895", 1),
    ],
)
def test_the_key_is_the_base_id_and_the_version_stands_apart(
    address: str, base: str, version: int
) -> None:
    (paper,) = parse_feed(one(id=address)).papers
    assert (paper.id, paper.version) == (base, version)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "http://arxiv.org/abs/2503.14895",
        "http://arxiv.org/abs/2503.14895v0",
        "http://arxiv.org/abs/2503.148v1",
        "http://evil.example.org/abs/2503.14895v1",
        "http://arxiv.org/abs/2503.14895v" + "9" * 5000,
        "http://arxiv.org/abs/٢٥٠٣.14895v1",
        "http://arxiv.org/abs/2503.14895v1\nBcc: x",
    ],
)
def test_an_entry_without_a_papers_id_refuses_the_whole_answer(address: str) -> None:
    assert "paper's id" in refused(one(id=address)).message


@pytest.mark.parametrize(
    "element", ["title", "summary", "updated", "published", "author", "category", "id"]
)
def test_an_entry_that_lacks_what_every_paper_has_refuses_the_whole_answer(element: str) -> None:
    body = without(element)
    if element == "category":
        body = body.replace(b"arxiv:primary_category", b"arxiv:other")
    refused(body)


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-13-40T00:00:00Z", "", "9999-12-31T23:59:59-12:00"]
)
def test_a_date_that_cannot_be_read_refuses_the_whole_answer(text: str) -> None:
    assert "updated" in refused(one(updated=text)).message


ODD = {
    "title": "has no title",
    "author": "has no author",
    "id": "has no paper's id",
    "summary": "has no summary",
    "published": "no readable published date",
}


def spoilt(body: bytes, element: str, rows: int = 1) -> bytes:
    """The feed, of which the first rows lack this element."""
    head, *entries = body.split(b"<entry>")
    for row in range(rows):
        opening, closing = f"<{element}>".encode(), f"</{element}>".encode()
        first, rest = entries[row].split(opening, 1)
        entries[row] = first + rest.split(closing, 1)[1]
    return b"<entry>".join([head, *entries])


@pytest.mark.parametrize("element", ODD)
def test_a_row_that_is_no_paper_withholds_no_other(element: str) -> None:
    papers = parse_feed(whole()).papers
    feed = parse_feed(spoilt(whole(), element))
    assert feed.papers == papers[1:]
    assert (len(feed.odd), feed.served) == (1, 4)
    assert ODD[element] in feed.odd[0].why
    assert feed.odd[0].id == ("" if element == "id" else papers[0].id)
    check_page(feed, query='ti:"reward model"', start=0, page_size=4)


@pytest.mark.parametrize(("number", "odd"), [(4, 2), (59, 3), (60, 4), (1, 1)])
def test_where_many_rows_are_odd_it_is_the_answer_that_is(number: int, odd: int) -> None:
    assert "has no title" in refused(spoilt(whole(number), "title", odd)).message


def test_one_row_in_twenty_may_be_odd() -> None:
    assert len(parse_feed(spoilt(whole(60), "title", 3)).odd) == 3


def test_dates_become_utc() -> None:
    (paper,) = parse_feed(one(updated="2026-11-05T01:00:00-04:00")).papers
    assert paper.updated == datetime(2026, 11, 5, 5, tzinfo=UTC)
    assert paper.updated.tzinfo is UTC


def test_whitespace_is_single_and_controls_are_gone() -> None:
    (paper,) = parse_feed(
        one(title="  A\n  title&#9;of&#x81;31m \u2028 two &#x7f; lines&#x90;")
    ).papers
    assert paper.title == "A title of31m two lines"
    assert plain_text("a \x00\x1b b\x9f \x85\x1f c") == "a b c"
    (paper,) = parse_feed(one(title="".join(f"&#{code};" for code in range(0x7F, 0xA0)))).papers
    assert not any("\x7f" <= sign <= "\x9f" for sign in paper.title)


def test_markup_in_a_title_is_text() -> None:
    (paper,) = parse_feed(
        one(title="a &lt;b&gt;bold&lt;/b&gt; $x &amp;lt; y$ &lt;script&gt;")
    ).papers
    assert paper.title == "a <b>bold</b> $x &lt; y$ <script>"


def test_a_collaborations_colon_is_no_author() -> None:
    """arXiv reads "NVIDIA: Ada Smith" as three names."""
    (sample,) = World(1).papers(1, NOW - timedelta(days=5), NOW)
    several = replace(sample, authors=("NVIDIA", ":", "Ada Smith"))
    (paper,) = parse_feed(feed([several], query="a", start=0, max_results=1, total=1)).papers
    assert paper.authors == ("NVIDIA", "Ada Smith")


def test_categories_are_split_primary_first_each_once() -> None:
    body = whole(1).decode()
    start, end = body.index("    <category"), body.index("    <published>")
    tags = "".join(
        f'<category term="{term}"/>'
        for term in ("cs.DB", "cs.DS", "E.1; E.4;  I.2.6", "68P05, E.1")
    )
    body = body[:start] + tags + body[end:]
    first = body.index("<arxiv:primary_category")
    body = (
        body[:first]
        + '<arxiv:primary_category term="cs.DS"/>'
        + body[body.index("/>", first) + 2 :]
    )
    (paper,) = parse_feed(body.encode()).papers
    assert paper.categories == ("cs.DS", "cs.DB", "E.1", "E.4", "I.2.6", "68P05")


def test_an_old_titles_spelling_and_id_lists_are_known() -> None:
    body = (
        whole(1)
        .replace(b"arXiv Query", b"ArXiv  Query")
        .replace(b"&amp;id_list=", b"&amp;id_list=a,b")
    )
    answer = parse_feed(body)
    assert answer.query == 'ti:"reward model"'
    assert answer.id_list == ("a", "b")


def test_a_title_that_names_no_query_gives_none() -> None:
    assert parse_feed(whole(1).replace(b"arXiv Query:", b"Results for")).query is None


def read_or_refuse(body: bytes) -> Feed | None:
    try:
        return parse_feed(body)
    except ArxivError:
        return None


def test_no_beginning_of_a_feed_is_a_feed() -> None:
    body = whole(1).rstrip()
    assert [cut for cut in range(len(body)) if read_or_refuse(body[:cut])] == []


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.integers(0, len(whole(2))), st.integers(0, 40), st.binary(max_size=12)),
        min_size=1,
        max_size=4,
    )
)
@example([(0, 0, b"<!--\n<!ENTITY a '&#38;a;'>\n-->")])
def test_whatever_is_changed_in_a_feed_it_is_read_or_refused(
    changes: list[tuple[int, int, bytes]],
) -> None:
    body = bytearray(whole(2))
    for place, length, new in changes:
        body[place : place + length] = new
    read_or_refuse(bytes(body))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    assert read_or_refuse(body) is None


PRINTABLE = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff"), max_size=60
)


@settings(max_examples=60, deadline=None)
@given(PRINTABLE, PRINTABLE, PRINTABLE)
def test_any_text_survives_the_way_through_a_feed(title: str, abstract: str, query: str) -> None:
    (sample,) = World(1).papers(1, NOW - timedelta(days=5), NOW)
    paper = replace(
        sample, title=f"x{title}", abstract=abstract, comment=abstract, authors=(f"y{query}",)
    )
    answer = parse_feed(feed([paper], query=query, start=0, max_results=1, total=1))
    text = plain_text(abstract)
    assert answer.papers == (
        replace(
            paper,
            title=plain_text(paper.title),
            abstract=text,
            comment=text,
            authors=(plain_text(f"y{query}"),),
        ),
    )
    assert answer.query is not None
    check_page(answer, query=query, start=0, page_size=1)


def captures() -> list[str]:
    """The captured answers that are good, with how many papers each holds by a plain count."""
    folder = shared("arxiv/captures/api")
    return sorted(path.name for path in folder.glob("*.xml"))


def test_every_captured_answer_is_read_or_rightly_refused() -> None:
    folder = shared("arxiv/captures/api")
    names = captures()
    assert len(names) > 45
    refusals = {}
    for name in names:
        body = (folder / name).read_bytes()
        try:
            answer = parse_feed(body)
        except ArxivError as error:
            refusals[name] = error
            continue
        assert len(answer.papers) == body.count(b"<entry>"), name
        assert len(answer.papers) == min(answer.items_per_page, answer.total - answer.start), name
        assert answer.query is not None, name
        for paper in answer.papers:
            assert paper.authors, name
            assert paper.published <= paper.updated, name
            assert f"{paper.id}v{paper.version}</id>".encode() in body, name
    assert set(refusals) == {"body_empty.xml", "arxivpy_id_abc_s0_m100_b79c8dcf6bc3.xml"}
    assert refusals["body_empty.xml"].transient
    assert (
        "incorrect id format for abc" in refusals["arxivpy_id_abc_s0_m100_b79c8dcf6bc3.xml"].message
    )
    throttled = refused((folder / "body_rate_exceeded.txt").read_bytes())
    assert throttled.throttled


def test_captured_exchanges_are_read_like_their_bodies() -> None:
    folder = shared("arxiv/captures/api")
    twins = sorted(folder.glob("*.json"))
    assert len(twins) > 10
    for path in twins:
        exchange = json.loads(path.read_text(encoding="utf-8"))
        answer = read_or_refuse(exchange["body"].encode())
        assert (answer is None) == (exchange["status_code"] == 400), path.name
        assert answer == read_or_refuse(path.with_suffix(".xml").read_bytes()), path.name


def test_captured_ids_of_every_style_are_read() -> None:
    folder = shared("arxiv/captures/api")
    expected = {
        "arxivpy_id_hep-ex_*": "hep-ex/0406020",
        "arxivpy_id_quant-ph_*": "quant-ph/0201082",
        "arxivpy_id_astro-ph_*": "astro-ph/0601001",
        "arxivpy_id_0808.05394_1707*": "1707.08567",
    }
    for pattern, base in expected.items():
        (path,) = folder.glob(f"{pattern}.xml")
        assert [paper.id for paper in parse_feed(path.read_bytes()).papers] == [base]
    (none,) = folder.glob("arxivpy_id_0000.0000_*.xml")
    assert parse_feed(none.read_bytes()).total == 0


def test_overlapping_captured_pages_agree() -> None:
    folder = shared("arxiv/captures/api")
    rows: dict[int, str] = {}
    for path in folder.glob("arxivpy_q_testing_s*.xml"):
        answer = parse_feed(path.read_bytes())
        for row, paper in enumerate(answer.papers, answer.start):
            assert rows.setdefault(row, paper.id) == paper.id
    assert len(rows) == 100


def test_a_captured_feed_cut_in_an_entry_is_refused() -> None:
    body = shared("arxiv/captures/rss/zotero_atom_csAI_20250820_truncated_4.xml").read_bytes()
    assert "not a whole XML document" in refused(body).message


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_captured_answers_cut_or_changed_are_read_or_refused(data: st.DataObject) -> None:
    folder = shared("arxiv/captures/api")
    name = data.draw(
        st.sampled_from([name for name in captures() if (folder / name).stat().st_size < 15_000])
    )
    body = (folder / name).read_bytes()
    cut = data.draw(st.integers(0, len(body)))
    assert read_or_refuse(body[:cut]) is None or body[:cut].rstrip().endswith(b"</feed>")
    new = data.draw(st.binary(min_size=1, max_size=8))
    read_or_refuse(body[:cut] + new + body[cut + len(new) :])


@pytest.mark.heavy
def test_two_thousand_real_entries_are_read() -> None:
    packed = shared("arxiv/bulk/atom_entries_2024-07-20.xml.xz").read_bytes()
    root = ElementTree.parse(io.BytesIO(lzma.decompress(packed))).getroot()
    for element in root.iter():
        if not element.tag.startswith("{"):
            element.tag = f"{{http://www.w3.org/2005/Atom}}{element.tag}"
    entries = b"".join(ElementTree.tostring(entry) for entry in root)
    head, rest = feed((), query="x", start=0, max_results=2060, total=2060).split(b"</feed>")
    papers = parse_feed(head + entries + b"</feed>" + rest).papers
    assert len(papers) == 2060
    assert all("  " not in paper.title and "\n" not in paper.abstract for paper in papers)
    assert not any(
        ";" in category or "," in category for paper in papers for category in paper.categories
    )
    by_id = {paper.id: paper for paper in papers}
    assert by_id["1910.06169"].categories == (
        "cs.DS",
        "cs.DB",
        "cs.IR",
        "cs.LG",
        "E.1",
        "E.4",
        "I.2.6",
    )
    assert (by_id["2108.04458"].version, by_id["1410.4701"].version) == (2, 4)
