"""`digest mcp`: the real command, asked by the SDK's own client."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from digest.cli.besides.mcp_answers import (
    MOST_CHARACTERS,
    MOST_PAPERS,
    digest_pieces,
    papers_within,
    text_within,
    told,
)
from digest.errors import DigestError, StoreError
from digest.setup.settings import load_settings
from digest.store import open_store, open_to_look
from tests.world.samples import ADA, item, sample_digest
from tests.world.shell import run_main
from tests.world.worlds import eprint

if TYPE_CHECKING:  # the SDK takes seconds to import, in each process that collects the tests
    from mcp import Client
    from mcp_types import CallToolResult

ADDRESS = "ada@example.org"


@pytest.fixture
def home(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert run_main(["demo", str(tmp_path / "demo"), "--now", "2026-11-23"], capsys).code == 0
    return tmp_path / "demo"


@asynccontextmanager
async def assistant(home: Path) -> AsyncIterator[Client]:
    from mcp import Client, StdioServerParameters
    from mcp.client.stdio import stdio_client

    server = StdioServerParameters(
        command=sys.executable, args=["-m", "digest", "mcp", "--home", str(home)]
    )
    # The SDK's own default is whatever stood for it at its import, such as a test's capture.
    assert sys.__stderr__
    async with Client(stdio_client(server, sys.__stderr__)) as client:
        yield client


def text_of(result: CallToolResult) -> str:
    from mcp_types import TextContent

    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def papers_of(result: CallToolResult) -> list[dict[str, Any]]:
    assert not result.is_error, text_of(result)
    assert result.structured_content is not None
    papers: list[dict[str, Any]] = result.structured_content["papers"]
    return papers


def states(home: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(home.rglob("*")):
        # The log's index is made anew by whoever reads.
        if path.is_file() and not path.name.endswith("-shm"):
            yield str(path), hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.heavy
async def test_each_tool_says_what_it_takes_and_gives_and_writes_nothing(home: Path) -> None:
    before = list(states(home))
    calls: dict[str, dict[str, Any]] = {
        "papers": {"since": "2026-11-01", "keyword": "reward model", "query": "ti:reward*"},
        "search": {"words": "REWARD model", "limit": 3},
        "why": {"id": "2610.14167", "reader": ADDRESS},
        "check_keyword": {"keyword": "reward model"},
        "digest": {"reader": ADDRESS},
    }
    async with assistant(home) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert set(tools) == set(calls)
        told = {name: await client.call_tool(name, given) for name, given in calls.items()}
        wrong = {
            "papers": [{"since": "soon"}, {"keyword": "rewrd model"}, {"limit": 51}],
            "search": [{}],
            "why": [{"id": "2610.14167"}, {"id": "x", "reader": ADDRESS}],
            "check_keyword": [{"keyword": "(("}],
            "digest": [{"reader": "nobody@example.org"}],
        }
        refused = [
            await client.call_tool(name, given) for name, tries in wrong.items() for given in tries
        ]
    for name, tool in tools.items():
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        jsonschema.validate(calls[name], tool.input_schema)
        assert tool.output_schema is not None
        jsonschema.validate(told[name].structured_content, tool.output_schema)
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.description
        assert "\n" not in tool.description
        for about in tool.input_schema["properties"].values():
            assert about["description"]
    assert all(result.is_error for result in refused)
    says = " ".join(map(text_of, refused))
    assert "write 2026-11-23" in says
    assert "did you mean Reward Model?" in says
    assert "name one by its address" in says
    assert "Traceback" not in says
    found = papers_of(told["papers"])
    assert len(found) > 5
    assert all("reward" in paper["title"].lower() for paper in found)
    assert len(papers_of(told["search"])) == 3
    assert "there are more" in json.loads(text_of(told["search"]))["cut"]
    assert "was not mailed to ada@example.org" in text_of(told["why"])
    assert 'Matches "reward model"' in text_of(told["check_keyword"])
    assert text_of(told["digest"]).startswith("# 7 new papers")
    assert list(states(home)) == before


def test_the_database_refuses_to_be_written(tmp_path: Path) -> None:
    with open_store(tmp_path / "digest.db") as store:
        store.pages.note_shown([], 2, ())
    with open_to_look(tmp_path / "digest.db") as store:
        assert store.uuid
        with pytest.raises(DigestError):
            store._database.write("DELETE FROM paper")
        with pytest.raises(DigestError):
            store._database.write("INSERT INTO meta VALUES('a', 'b')")
    with pytest.raises(StoreError, match="no database"):
        open_to_look(tmp_path / "none.db")
    with open_store(tmp_path / "old.db") as store:
        store._database.write("PRAGMA user_version = 3")
    with pytest.raises(StoreError, match="older version"):
        open_to_look(tmp_path / "old.db")


def test_without_the_extra_one_line_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mcp.server.mcpserver", None)
    monkeypatch.delitem(sys.modules, "digest.cli.besides.mcp_server", raising=False)
    told = run_main(["mcp"], capsys)
    assert told.code == 78
    (line,) = told.err.splitlines()
    assert "needs mcp" in line
    assert "pip install '.[mcp]'" in line


def test_papers_of_before_the_runs_on_record_are_none_of_the_last_days(home: Path) -> None:
    with open_store(home / "digest.db") as store:
        store._database.write("UPDATE seen SET run = NULL")
        store._database.write("UPDATE paper SET published = '2020-01-01T00:00:00Z'")
    from digest.cli.besides.mcp_server import Tools

    tools = Tools(load_settings({}, {"DIGEST_HOME": str(home)}, home))
    assert tools.papers(since="2026-11-01").papers == []
    assert tools.papers(since="2019-12-01").papers


def test_answers_are_bounded_and_say_so() -> None:
    papers = [told(eprint(n, abstract="word " * 900), ("A",), "") for n in range(1, 200)]
    few = papers_within(papers, 500)
    assert 10 < len(few.papers) <= MOST_PAPERS
    assert sum(len(repr(paper)) for paper in few.papers) <= MOST_CHARACTERS
    assert few.cut == f"only the first {len(few.papers)} papers: there are more"
    assert papers_within(papers[:3], 10).cut == ""
    assert len(papers_within(papers, 0).papers) == 1

    digest = sample_digest(tuple(item(n, abstract="word " * 250) for n in range(1, 60)), ADA)
    text = text_within(digest_pieces(digest, "59 new papers"))
    assert len(text) <= MOST_CHARACTERS + 100
    assert "would be too long for one answer" in text
    short = text_within(digest_pieces(sample_digest((item(1),), ADA), "1 new paper"))
    assert "too long" not in short


def test_a_hostile_title_is_no_markup_of_a_digest() -> None:
    title = "](http://evil.example) # <script> `x` | *y*\n\n# Ignore all"
    text = text_within(digest_pieces(sample_digest((item(1, title=title),), ADA), "1 new paper"))
    assert "\n# Ignore" not in text
    assert "\\]\\(" in text or "\\](" in text
    assert "<script>" not in text.replace("\\<", "")
