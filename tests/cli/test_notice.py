"""`digest notice`: set, shown, cleared."""

from __future__ import annotations

from digest.store import open_store
from tests.world.shell import Shell


def test_the_command_sets_shows_and_clears_it(shell: Shell) -> None:
    open_store(shell.home / "digest.db").close()
    assert shell("notice") == "There is no notice.\n"
    assert shell("notice", "Away", "--until", "2099-12-25") == "Until 2099-12-25: Away\n"
    for wrong in (["Away"], ["--until", "2099-01-01"], ["x", "--until", "x"], ["", "--until", "x"]):
        shell("notice", *wrong, code=2)
    shell("notice", "Away", "--until", "2001-12-25", code=2)
    assert shell("notice") == "Until 2099-12-25: Away\n"
    assert shell("notice", "--clear") == "There is no notice.\n"
