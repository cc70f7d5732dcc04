"""The archives that the tests of its pages and of its search share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.web.archive_world import Room, reading_room


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def room(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Room]:
    """One for all tests of a module that only read."""
    async with reading_room(tmp_path_factory.mktemp("room")) as room:
        yield room


@pytest_asyncio.fixture(loop_scope="module")
async def own_room(tmp_path: Path) -> AsyncIterator[Room]:
    """One that a test may change."""
    async with reading_room(tmp_path) as room:
        yield room
