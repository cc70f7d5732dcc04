"""What is said to somebody who typed a command wrongly: one line, with what was meant or where to
look."""

from __future__ import annotations

from pathlib import Path

import pytest

from digest.cli import main


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("statsu", "there is no command 'statsu': did you mean 'digest status'?"),
        ("nonsense", "there is no command 'nonsense': 'digest --help' lists the commands"),
        ("timer show", "there is no command 'show': 'digest timer --help' lists the commands"),
        ("db restor x.db", "there is no command 'restor': did you mean 'digest db restore'?"),
        ("outbox lst", "there is no command 'lst': did you mean 'digest outbox list'?"),
        ("status --jsn", "there is no flag --jsn: did you mean --json?"),
        ("timer install --dry-run", "there is no flag --dry-run: --help lists the flags"),
        (
            "subscribers set ada@example.org --at 9",
            "there is no flag --at: a field is written without dashes, such as at=07:00",
        ),
        ("subscribe", "EMAIL... is missing: see 'digest subscribe --help'"),
        ("import", "PAGE is missing: see 'digest import --help'"),
        ("preview --gallery", "--gallery needs a value: --help tells which"),
        (
            "preview ada@example.org x.eml",
            "got unexpected extra argument (x.eml): see 'digest preview --help'",
        ),
        ("inbox nofile.eml", "File 'nofile.eml' does not exist"),
        (
            "export --format bibtx",
            "--format: 'bibtx' is not one of 'json', 'csv', 'bibtex', 'ris', 'csl'",
        ),
        (
            "keywords add A b C",
            "A b C is more than two texts: put a name or a query of several words in quotes",
        ),
    ],
)
def test_a_mistyped_command_is_told_in_one_line(
    line: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["--home", str(tmp_path), *line.split()])
    assert (ended.value.code, capsys.readouterr().err) == (2, f"digest: {words}\n")
