"""The page: what stands in a cell stays in it, and what was written can be read again."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from digest.errors import ConfigError
from digest.model import Paper
from digest.rendering.page.cells import Column, heading, link, plain, row, table, without_controls
from digest.rendering.page.ranks import papers_of
from digest.rendering.page.read import PageRow, PageSection, read_page
from digest.rendering.page.render import KeywordTable, render_page
from tests.world.shared import shared

DAY = date(2026, 11, 23)
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FOLD = ["<details>", "<summary>", "</summary>", "<p>", "</p>", "</details>"]
HARM = r"""
    | \| \\| ` `` ``` <b> </p> </details> <script> <!-- --> <? ?> <![CDATA[
    <1@b.cc> <a:b> & &amp; &#124; &lt; &#x41;
    [ ] ( ) ]( ![a](b) [a](b) [a]: * ** *a* _ __ ~~ $ $x$
    \ \[ \] \< # ## --- - > 1. ~ { } \textbf{ x1 é 中 ′
""".split()
ODD = [" ", "\n", "\t", "\r", "\x00", "\x0b", "\u2028", "\ud800", "\u202e"]
pieces = st.lists(st.sampled_from([*HARM, *ODD]), max_size=12)
texts = st.one_of(st.text(max_size=40), pieces.map("".join), pieces.map(" ".join))


def eprint(number: int = 1, **changes: object) -> Paper:
    paper = Paper(
        f"2611.{number:05d}", 1, f"Title {number}", f"Abstract {number}.", (), (), NOON, NOON
    )
    return replace(paper, **changes)


MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def tables(page: str) -> list[tuple[str, list[list[Token]]]]:
    """Each heading's source with the cells of the rows below it, as a reader of Markdown sees
    them."""
    found: list[tuple[str, list[list[Token]]]] = []
    tokens = MARKDOWN.parse(page)
    assert not [token for token in tokens if token.type == "html_block"]
    for before, token in pairwise(tokens):
        if before.type == "heading_open" and before.tag == "h2":
            found.append((token.content, []))
        elif before.type == "tr_open" and token.type == "td_open":
            found[-1][1].append([])
        if before.type == "td_open" and token.type == "inline":
            found[-1][1][-1].append(token)
    return found


def html(cell: Token) -> list[str]:
    return [child.content for child in cell.children or () if child.type == "html_inline"]


def shown(cell: Token) -> str:
    return "".join(child.content for child in cell.children or () if child.type != "html_inline")


def check_title(cell: Token, paper: Paper) -> None:
    kinds = [child.type for child in cell.children or () if child.content or child.type != "text"]
    assert kinds[:2] == ["strong_open", "link_open"]
    assert kinds[-2:] == ["link_close", "strong_close"]
    assert not {"html_inline", "image", "code_inline"} & set(kinds)
    assert kinds.count("link_open") == 1
    (opened,) = [child for child in cell.children or () if child.type == "link_open"]
    assert opened.attrs == {"href": link(paper)}
    title = without_controls(paper.title)
    assert plain(cell.content.removeprefix("**[").removesuffix(f"]({link(paper)})**")) == title
    if not set(title) & set("\\_~"):
        assert shown(cell) == title


def check_text(cell: Token, text: str, *, folded: bool) -> None:
    assert html(cell) == (FOLD if folded else [])
    assert not {"link_open", "image"} & {child.type for child in cell.children or ()}
    source = cell.content
    if folded:
        source = source.partition("<p>")[2].removesuffix("</p></details>")
    assert plain(source) == without_controls(text)


@given(
    st.lists(st.tuples(texts, texts, texts), max_size=3),
    texts.filter(lambda name: without_controls(name) != ""),
)
@example([("\\", "\\", "\\" * 21), ("a]", "a `b", "`abc`d" * 5)], "C #")
@settings(max_examples=100)
def test_any_texts_make_a_page_that_reads_as_the_same_rows_and_cells(
    found: list[tuple[str, str, str]], name: str
) -> None:
    papers = tuple(
        eprint(number, title=title, abstract=abstract, comment=comment)
        for number, (title, abstract, comment) in enumerate(found)
    )
    page = render_page([KeywordTable(name, papers), KeywordTable("Next", papers[:1])], DAY)
    (first, rows), (second, _) = tables(page)
    assert (plain(first), second) == (without_controls(name), "Next")
    assert len(rows) == len(papers)
    for cells, paper in zip(rows, papers, strict=True):
        assert len(cells) == 4
        check_title(cells[0], paper)
        assert cells[1].content == "2026-11-20"
        check_text(cells[2], paper.abstract, folded=True)
        check_text(cells[3], paper.comment, folded=len(without_controls(paper.comment)) > 20)
    read = read_page(page)
    if papers:
        assert read.sections[0].keyword == without_controls(name)
        assert [
            (r.id, r.version, r.title, r.abstract, r.comment) for r in read.sections[0].rows
        ] == [
            (
                p.id,
                p.version,
                without_controls(p.title),
                without_controls(p.abstract),
                without_controls(p.comment),
            )
            for p in papers
        ]
    assert (read.updated, read.unread) == (DAY, ())


def test_ordinary_texts_come_out_as_they_are() -> None:
    paper = eprint(
        title='From "A" to R&D: $p < 0.05$ (100%) & more',
        abstract="Such ``words'' with `code`, **bold**, \\emph{it}, 20\\%, $x_1 < y$, [1], A&B, "
        "p <= 5",
        comment="7 pages, 4 figures",
    )
    assert row(paper) == (
        f"| **[{paper.title}](https://arxiv.org/abs/2611.00001v1)** | 2026-11-20"
        f" | <details><summary>Show</summary><p>{paper.abstract}</p></details> |"
        " 7 pages, 4 figures |"
    )


def test_a_long_comment_is_folded_under_its_beginning() -> None:
    assert row(eprint(comment="x" * 20), [Column.COMMENT]) == f"| {'x' * 20} |"
    fold = "<details><summary>ICLR ...</summary><p>ICLR 2025, and something</p></details>"
    assert row(eprint(comment="ICLR 2025, and something"), [Column.COMMENT]) == f"| {fold} |"


def test_a_table_has_the_columns_that_are_asked_for() -> None:
    written = table([eprint()], (Column.TITLE, Column.DATE, Column.COMMENT)).split("\n")
    assert written[:2] == ["| **Title** | **Date** | **Comment** |", "| --- | --- | --- |"]
    assert written[2] == "| **[Title 1](https://arxiv.org/abs/2611.00001v1)** | 2026-11-20 |  |"
    assert heading("C#") == "C&#35;"


def test_the_seed_is_read_and_written_byte_for_byte() -> None:
    seed = shared("daily-papers-seed.md").read_bytes()
    page = read_page(seed.decode())
    assert [(s.keyword, len(s.rows)) for s in page.sections] == [
        ("Hallucination", 20), ("MLLM", 20), ("Reasoning", 20), ("Reward Model", 20)
    ]  # fmt: skip
    assert (page.updated, page.unread) == (date(2025, 3, 21), ())
    assert page.links == "http"
    assert again(page.sections, date(2025, 3, 21), page.links).encode() == seed


def again(sections: tuple[PageSection, ...], updated: date, links: str = "https") -> str:
    """The page as the database would write it: each section's papers by the moment of
    submission."""
    papers = papers_of(sections, updated)
    return render_page(
        [
            KeywordTable(
                s.keyword,
                tuple(
                    sorted((papers[r.id] for r in s.rows), key=lambda p: p.published, reverse=True)
                ),
            )
            for s in sections
        ],
        updated,
        links=links,
    )


@st.composite
def pages(draw: st.DrawFn) -> str:
    """A page of some keywords that share papers, several of them revised since their submission."""
    moments = draw(st.lists(st.integers(0, 20 * 24 * 60), min_size=1, max_size=25, unique=True))
    papers = []
    for number, minutes in enumerate(sorted(moments)):
        published = NOON - timedelta(minutes=minutes)
        version = draw(st.integers(1, 3))
        later = timedelta(hours=draw(st.integers(0, 200))) if version > 1 else timedelta(0)
        papers.append(
            eprint(number, version=version, published=published, updated=published + later)
        )
    count = draw(st.integers(1, 4))
    chosen = [
        draw(st.lists(st.sampled_from(papers), min_size=1, unique=True)) for _ in range(count)
    ]
    return render_page(
        [
            KeywordTable(
                f"Keyword {number}", tuple(sorted(found, key=lambda p: p.published, reverse=True))
            )
            for number, found in enumerate(chosen)
        ],
        DAY,
    )


@given(pages())
@settings(max_examples=60)
def test_a_page_is_read_and_written_without_loss(page: str) -> None:
    read = read_page(page)
    assert again(read.sections, DAY) == page
    papers = papers_of(read.sections, DAY)
    for section in read.sections:
        for found in section.rows:
            paper = papers[found.id]
            assert paper.published <= paper.updated
            assert paper.updated.date() == found.date
            assert found.version != 1 or paper.published.date() == found.date


def test_sections_that_contradict_each_other_are_still_read() -> None:
    one, two = (PageRow(f"2611.{n:05d}", 1, f"T{n}", date(2026, 11, n)) for n in (1, 2))
    papers = papers_of((PageSection("A", (one, two)), PageSection("B", (two, one, one))), DAY)
    assert [p.published.date().day for p in papers.values()] == [2, 1]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "| **[A $|x|$ b](http://arxiv.org/abs/2503.00001v2)** | 2025-03-01 "
            "| <details><summary>Show</summary><p>It | is</p></details> | 5 pages |",
            ("2503.00001", 2, "A $|x|$ b", "It | is", "5 pages"),
        ),
        (
            "|[T](https://arxiv.org/abs/hep-th/9901001)|2025-03-01T10:00:00Z|x|y|",
            ("hep-th/9901001", None, "T", "x", "y"),
        ),
        ("| [T [1] (2)](https://www.arxiv.org/pdf/math.GT/0309136v1.pdf) | 2025-03-01 |  |  |",
         ("math/0309136", 1, "T [1] (2)", "", "")),
        ("| **[T](http://arxiv.org/abs/2503.00001v1)** | 2025-03-01 | x | a | b |",
         ("2503.00001", 1, "T", "x", "a | b")),
        (
            "| **[T](http://arxiv.org/abs/2503.00001v1)** | 2025-03-01 |",
            ("2503.00001", 1, "T", "", ""),
        ),
    ],
)  # fmt: skip
def test_rows_of_other_shapes_are_read(line: str, expected: tuple[object, ...]) -> None:
    head = (
        "## K\n| **Title** | **Date** | **Abstract** | **Comment** |\n| --- | --- | --- | --- |\n"
    )
    page = read_page(head + line + "\n")
    assert page.unread == ()
    (found,) = page.sections[0].rows
    assert (found.id, found.version, found.title, found.abstract, found.comment) == expected
    assert found.date == date(2025, 3, 1)


def test_columns_are_known_by_their_headings_and_strange_rows_are_named() -> None:
    page = read_page(
        "﻿## Old\r\n\r\n|Date|Authors|Title|Comments|\r\n|:--|---|---|---|\r\n"
        "|2025-03-01|Ada et al.|[T](http://arxiv.org/abs/2503.00001v1)|5 pages|\r\n"
        "|2025-03-01|nobody|no link|x|\r\n"
        "\r\n## Empty\r\n| other | table |\r\n|---|---|\r\ntext | text\r\n"
    )
    assert [(s.keyword, len(s.rows)) for s in page.sections] == [("Old", 1)]
    assert (page.sections[0].rows[0].comment, page.unread, page.updated) == ("5 pages", (6,), None)


@given(
    st.text(),
    st.lists(
        st.sampled_from(
            ["|", "## A\n", "\n", "|---|\n", "| **Title** |\n", "**[", "](http://arxiv.org/abs/"]
        )
    ),
)
def test_reading_never_fails(text: str, parts: list[str]) -> None:
    read_page(text)
    read_page("".join(parts) + text)


@pytest.mark.parametrize(
    "line",
    [
        "| **[" + "](http" * 10_000,
        "| " + "[" * 50_000,
        "|" * 50_000,
        "| **[" + "[T](http://arxiv.org/abs/2503.00001v1" * 2_000,
        "| [T](http://arxiv.org/abs/2503.00001v1) | " + "<details><summary></summary><p>" * 2_000,
        "| [T](http://arxiv.org/abs/2503.00001v1) | " + "<details>" + " " * 20_000,
    ],
    ids=["links", "brackets", "bars", "addresses", "folds", "blanks"],
)
def test_a_long_row_is_read_in_time_that_grows_with_its_length(line: str) -> None:
    begin = time.process_time()
    read_page("## K\n| Title | Abstract |\n|---|---|\n" + line)
    assert time.process_time() - begin < 1.5


@pytest.mark.parametrize("text", ["\\" * 50_000 + "a", "\\a" * 25_000, "[" * 50_000])
def test_a_long_text_is_written_in_time_that_grows_with_its_length(text: str) -> None:
    begin = time.process_time()
    row(eprint(title=text, abstract=text))
    assert time.process_time() - begin < 1.5


def test_an_own_template_takes_the_place_of_the_page(tmp_path: Path) -> None:
    own = tmp_path / "own.md"
    paper = eprint(title="a|b", authors=("Ada", "Lin"), categories=("cs.LG",))
    whose = "{{ p.authors|join(', ') }} {{ p.categories|first }}"
    loop = "{% for p in s.papers %} {{ p.title }} " + whose + " {{ p.row }}{% endfor %}"
    own.write_text("{{ updated }}{% for s in sections %} {{ s.keyword }}:" + loop + "{% endfor %}")
    page = render_page([KeywordTable("K", (paper,))], DAY, template=own)
    assert page.startswith("2026-11-23 K: a|b Ada, Lin cs.LG | **[a&#124;b](")
    (tmp_path / "page.md").write_text("mine")
    assert render_page([], DAY, templates=tmp_path) == "mine"


@pytest.mark.parametrize(
    ("text", "words"),
    [("{% for %}", "own.md, line 1"), ("{{ nothing }}", "'nothing' is undefined"),
     (None, "there is no template"),
     ("{% include 'x' %}", "there is no template")],
)  # fmt: skip
def test_a_broken_template_is_named(tmp_path: Path, text: str | None, words: str) -> None:
    own = tmp_path / "own.md"
    if text is not None:
        own.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(words)):
        render_page([], DAY, template=own)
