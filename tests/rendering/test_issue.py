"""A digest as issues: every paper in one of them, tables that hold, nobody called by name."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from digest.model import Digest, Item, Keyword, Kind, Paper, Rule, Section
from digest.rendering.issue import BYTES, UNFOLDED, render_issues
from tests.world.worlds import eprint

LIMIT = 65_536
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


def digest(*sections: Section, **changes: object) -> Digest:
    keywords = tuple(
        Keyword(section.title, f"all:{section.title}", Rule.QUERY) for section in sections
    )
    return replace(Digest(date(2026, 11, 23), "UTC", sections, keywords), **changes)  # type: ignore[arg-type]


def section(title: str, *papers: Paper) -> Section:
    return Section(title, tuple(Item(paper, Kind.NEW, (title,)) for paper in papers))


def links(*bodies: str) -> list[str]:
    return re.findall(r"\(https://arxiv\.org/abs/([^)]+)\)", "\n".join(bodies))


def cells(body: str) -> list[list[str]]:
    """The cells of all rows, as a parser of Markdown reads them."""
    rows: list[list[str]] = []
    tokens = MARKDOWN.parse(body)
    for place, token in enumerate(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("td_open", "th_open"):
            rows[-1].append(tokens[place + 1].content)
    return rows


def test_an_issue_has_a_table_for_each_keyword() -> None:
    issues = render_issues(
        digest(section("Reward Model", eprint(1), eprint(2)), section("MLLM", eprint(3)))
    )
    assert issues.title == "Latest Papers - November 23, 2026"
    [body] = issues.bodies
    assert body.startswith("3 new papers for Reward Model and MLLM")
    assert "## Reward Model\n\n| **Title** | **Date** | **Comment** |\n" in body
    assert links(body) == ["2611.00001v1", "2611.00002v1", "2611.00003v1"]
    assert body.endswith("\n---\nThank you to arXiv for use of its open access interoperability.\n")
    assert [len(row) for row in cells(body)] == [3] * 5


def test_what_is_beyond_fifteen_is_folded() -> None:
    [body] = render_issues(digest(section("MLLM", *(eprint(n) for n in range(40))))).bodies
    assert "<details><summary>25 more</summary>\n\n|" in body
    assert len(links(body.split("<details><summary>25")[0])) == UNFOLDED
    assert len(cells(body)) == 40 + 2


def test_hundreds_of_papers_are_shared_out_and_none_is_lost() -> None:
    papers = [eprint(n, comment="an unusually long remark " * 30) for n in range(300)]
    issues = render_issues(
        digest(section("MLLM", *papers[:290]), section("Reasoning", *papers[290:]))
    )
    assert len(issues.bodies) > 1
    assert links(*issues.bodies) == [f"{paper.id}v1" for paper in papers]
    assert all(len(body.encode()) <= BYTES + 200 < LIMIT for body in issues.bodies)
    assert "## MLLM (continued)" in issues.bodies[1]


@pytest.mark.parametrize(
    ("comment", "shown"),
    [
        ("by @octocat", "by @\u200boctocat"),
        ("see #12 and a/b#3", "see #\u200b12 and a/b#\u200b3"),
        ("GH-7", "GH-\u200b7"),
        ("ada@example.org", "ada@example.org"),
        ("https://github.com/a/b/issues/3", "https://redirect.github.com/a/b/issues/3"),
        ("https://github.com/a/b", "https://github.com/a/b"),
    ],
)
def test_nobody_is_called_and_no_other_issue_is_told(comment: str, shown: str) -> None:
    [body] = render_issues(
        digest(section("MLLM", eprint(1, comment=comment, title=comment)))
    ).bodies
    assert f"[{shown}]" in body
    assert shown in cells(body)[1][2]


def test_tex_is_shown_as_unicode_since_mails_of_issues_show_no_formulas() -> None:
    [body] = render_issues(
        digest(section("MLLM", eprint(1, title=r"On $\mathcal{O}(n^2)$ and Erd\H{o}s")))
    ).bodies
    assert "On 𝒪(n²) and Erdős" in body


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=40), TEXTS)
def test_any_texts_give_rows_of_three_cells_and_no_markup_but_folds(
    texts: list[tuple[str, str]], name: str
) -> None:
    papers = [eprint(n, title=title, comment=comment) for n, (title, comment) in enumerate(texts)]
    issues = render_issues(digest(section(name, *papers)))
    for body in issues.bodies:
        assert all(len(row) == 3 for row in cells(body))
        tags = set(re.findall(r"<[^>]*>", MARKDOWN.render(body)))
        assert {tag for tag in tags if "script" in tag or "img" in tag} == set()
    assert links(*issues.bodies) == [f"{paper.id}v1" for paper in papers]
