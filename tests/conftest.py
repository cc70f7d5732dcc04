"""What all tests share: an environment without this machine's settings."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.world import statements, templates
from tests.world.house import house  # noqa: F401 - a fixture, for all rooms
from tests.world.timers import place  # noqa: F401 - likewise

# Bytecode is kept: without it each start of the program would compile all of it anew, and each
# run of the tests all of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# The same examples in every run, and no time limit for one: the suite must not depend on luck or
# load.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


statements.watch()
templates.copy_new_databases()
templates.share_certificates()
templates.wait_for_no_disk()
templates.read_entries_once()
_complaints: set[str] = set()
"""What is wrong with the store's statements that ran in the tests."""

CORE = frozenset({"rules", "keywords", "store"})
"""The rooms whose tests are quick, and say most of whether a change is right: `pytest -m core`."""

HEAVY = "\npytestmark = pytest.mark.heavy\n"
"""How a file of tests says that it is heavy as a whole."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the core by the folder in which a test stands."""
    root = Path(__file__).parent
    for item in items:
        if item.path.relative_to(root).parts[0] in CORE and not item.get_closest_marker("heavy"):
            item.add_marker("core")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the files alone that are heavy as a whole, and import what takes seconds, where no such
    test runs."""
    if config.option.markexpr == "not heavy" and collection_path.suffix == ".py":
        return HEAVY in collection_path.read_text(encoding="utf-8") or None
    return None


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was collected stays: nobody need look again and again whether it is rubbish."""
    gc.collect()
    gc.freeze()


def pytest_collection(session: pytest.Session) -> None:
    """Where processes share all tests, let each read another part of them first, and find the
    bytecode of the rest: with pytest's own assertions it takes seconds to make.
    """
    worker = getattr(session.config, "workerinput", None)
    root = Path(__file__).parent
    if worker and [Path(name).name for name in session.config.args] == [root.name]:
        files = sorted(root.rglob("test_*.py"))
        begin = len(files) * int(worker["workerid"][2:]) // worker["workercount"]
        for file in files[begin:] + files[:begin]:
            if pytest_ignore_collect(file, session.config):
                continue
            with suppress(Exception, pytest.skip.Exception):  # which the collection tells
                import_module(".".join(file.relative_to(root.parent).with_suffix("").parts))


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, proxy or service manager of the machine's reaches a test."""
    for name in list(os.environ):
        if (
            name.startswith("DIGEST_")
            or name.lower().endswith("_proxy")
            or name in ("NOTIFY_SOCKET", "SSL_CERT_FILE")
        ):
            monkeypatch.delenv(name)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a worker process tell which of its tests read captured data, and what is wrong with
    the statements that ran; fail for those."""
    from tests.world.shared import readers

    _complaints.update(statements.complaints())
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["readers"] = sorted(readers)
        session.config.workeroutput["complaints"] = sorted(_complaints)
    elif _complaints and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Gather what a worker process told."""
    from tests.world.shared import readers

    told = getattr(node, "workeroutput", {})
    readers.update(told.get("readers", ()))
    _complaints.update(told.get("complaints", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many tests read captured data, so that a run without it cannot pass for one with
    it."""
    from tests.world.shared import ROOT, readers

    where = "" if ROOT.is_dir() else " (it is not beside this checkout: they were skipped)"
    for complaint in sorted(_complaints):
        terminalreporter.write_line(f"{complaint}", red=True)
    terminalreporter.write_line(f"{len(readers)} tests read captured arXiv data{where}")
