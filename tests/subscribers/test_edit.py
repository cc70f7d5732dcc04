"""Readers added, changed, moved and taken out: only what must change does."""

from __future__ import annotations

import multiprocessing
import os
import re
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from digest.errors import ConfigError, TryLaterError, UsageError
from digest.model import Rule
from digest.subscribers import SubscribersFileError, edit, edit_keywords, load_roster, transaction
from digest.subscribers.check import Checked, examine_text
from digest.subscribers.guesses import nearest_address
from digest.system.locks import file_lock
from tests.subscribers.files import TEXT, difference, names


def test_new_readers_stand_at_the_end_of_the_list_and_nothing_else_moves(path: Path) -> None:
    edit.add_subscribers(
        path, ["new@example.org", "two@example.org"], ["reward model", '"a" OR b'], {"name": "N: x"}
    )
    gone, came = difference(path)
    assert gone == []
    assert came == [
        "",
        *(
            "  - email: new@example.org",
            '    name: "N: x"',
            "    keywords: [Reward Model, '\"a\" OR b']",
        ),
        *(
            "  - email: two@example.org",
            '    name: "N: x"',
            "    keywords: [Reward Model, '\"a\" OR b']",
        ),
    ]
    assert path.read_text().endswith("# the end\n")


def test_a_reader_who_is_there_gets_the_missing_keywords_and_the_new_fields(path: Path) -> None:
    done = edit.add_subscribers(
        path,
        ["GRACE@example.org"],
        ["Robots", "mllm"],
        {"max_papers": 10, "schedule": ["mon", "thu"]},
    )
    assert done.changed
    assert difference(path) == (
        ["    max_papers: 30"],
        ["      - mllm", "    max_papers: 10", "    schedule: [mon, thu]"],
    )


def test_a_keyword_that_a_group_brings_is_not_added_again(path: Path) -> None:
    assert not edit.add_subscribers(path, ["ada@example.org"], ["mllm", "+Vision"]).changed
    assert path.read_text() == TEXT


def test_a_field_can_be_taken_away(path: Path) -> None:
    edit.add_subscribers(
        path, ["grace@example.org", "ada@example.org"], [], {"max_papers": None, "name": None}
    )
    assert difference(path) == (["    name: 'Ada'", "    max_papers: 30"], [])


def test_the_first_field_of_an_entry_can_be_taken_away(path: Path) -> None:
    path.write_text("subscribers:\n  - name: Ada\n    email: ada@example.org\n    keywords: [x]\n")
    edit.add_subscribers(path, ["ada@example.org"], [], {"name": None})
    assert path.read_text() == "subscribers:\n  - email: ada@example.org\n    keywords: [x]\n"


def test_a_rule_for_a_plain_keyword_is_written_under_keywords(path: Path) -> None:
    edit.add_subscribers(path, ["ada@example.org"], ["scaling law"], match=Rule.TITLE)
    assert difference(path)[1] == [
        "  scaling law: {query: scaling law, match: title}",
        "    keywords: [Reward Model, +vision, scaling law]   # hers",
    ]
    with pytest.raises(UsageError, match="not with match: both"):
        edit.add_subscribers(path, ["grace@example.org"], ["scaling law"], match=Rule.BOTH)


def test_a_rule_that_would_change_what_others_get_is_refused(path: Path) -> None:
    with pytest.raises(UsageError, match="other readers"):
        edit.add_subscribers(path, ["ada@example.org"], ["chain of thought"], match=Rule.TITLE)
    assert path.read_text() == TEXT


def test_keywords_are_taken_out_with_their_own_lines_only(path: Path) -> None:
    edit.remove_subscribers(path, ["grace@example.org", "nobody@example.org"], ["ROBOTS"])
    assert difference(path) == (["      - robots"], [])


def test_a_reader_without_a_keyword_left_goes(path: Path) -> None:
    edit.remove_subscribers(path, ["grace@example.org"], ["cat:cs.RO", "chain of thought"])
    text = path.read_text()
    assert "grace" not in text
    assert "# the end" in text
    assert "# the head of the lab" in text


def test_a_keyword_that_comes_with_a_group_is_not_taken_out_in_silence(path: Path) -> None:
    with pytest.raises(UsageError, match=r"comes to ada@example.org with the group \+vision"):
        edit.remove_subscribers(path, ["ada@example.org"], ["MLLM"])
    edit.remove_subscribers(path, ["ada@example.org"], ["+vision"])
    assert names(path, "ada@example.org") == ["Reward Model"]


def test_who_had_the_keywords_of_all_gets_a_list_when_it_differs(path: Path) -> None:
    path.write_text("defaults: {keywords: [a1, b1]}\nsubscribers:\n  - email: ada@example.org\n")
    edit.add_subscribers(path, ["ada@example.org", "new@example.org"], ["c1"])
    assert (names(path, "ada@example.org"), names(path, "new@example.org")) == (
        ["a1", "b1", "c1"],
        ["c1"],
    )
    edit.remove_subscribers(path, ["ada@example.org"], ["a1"])
    assert names(path, "ada@example.org") == ["b1", "c1"]


def test_the_last_reader_may_leave_and_come_back(path: Path) -> None:
    edit.remove_subscribers(path, ["ada@example.org", "grace@example.org"])
    assert "subscribers: []" in path.read_text()
    assert load_roster(path).subscribers == ()
    edit.add_subscribers(path, ["ada@example.org"], ["robots"])
    assert names(path, "ada@example.org") == ["Robots"]


def test_a_reader_moves_to_another_address_in_place(path: Path) -> None:
    edit.move_subscriber(path, "Grace@example.org", "grace@example.net")
    assert difference(path) == (
        ["  - email: grace@example.org     # abroad"],
        ["  - email: grace@example.net     # abroad"],
    )
    with pytest.raises(ConfigError, match="names no subscriber"):
        edit.move_subscriber(path, "grace@example.org", "x@example.org")
    with pytest.raises(UsageError, match="subscriber already"):
        edit.move_subscriber(path, "grace@example.net", "ADA@example.org")


def test_what_would_make_the_file_wrong_is_refused_with_the_guess(path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean Europe/Berlin"):
        edit.add_subscribers(path, ["ada@example.org"], [], {"timezone": "Berlin"})
    with pytest.raises(UsageError, match="did you mean Reward Model"):
        edit.add_subscribers(path, ["grace@example.org"], ["Reward Modle"])
    with pytest.raises(UsageError, match="is no mail address"):
        edit.add_subscribers(path, ["ada@"], ["x"])
    with pytest.raises(UsageError, match="needs a keyword"):
        edit.add_subscribers(path, ["new@example.org"])
    assert path.read_text() == TEXT


def test_a_broken_file_is_not_edited(path: Path) -> None:
    path.write_text(TEXT.replace("Europe/Berlin", "Europe/Berln"))
    before = path.read_text()
    with pytest.raises(SubscribersFileError, match="Europe/Berln"):
        edit.add_subscribers(path, ["new@example.org"], ["x"])
    assert path.read_text() == before


@pytest.mark.parametrize(
    "first",
    [
        'defaults: {timezone: "Europe/Berlin, at: null}',
        "]subscribers:",
        "keywords:\x01",
        "# a comment\n]",
    ],
)
def test_a_file_that_cannot_be_read_from_its_first_line_on_is_not_edited(
    path: Path, first: str
) -> None:
    """What stands above the fault is nothing, and yet the file is not empty."""
    text = f"# mine\n{first}\nsubscribers:\n  - email: a@example.org\n    keywords: [x]\n"
    path.write_text(text)
    for change in (
        lambda: edit.add_subscribers(path, ["new@example.org"], ["x"]),
        lambda: edit_keywords.add_keyword(path, "Robots", "cat:cs.RO"),
    ):
        with pytest.raises(SubscribersFileError):
            change()
        assert path.read_text() == text


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.integers(0, len(TEXT)),
    cut=st.integers(0, 3),
    junk=st.text(alphabet="a:-[]{}\"'#&*|\n\t\x01 ", max_size=4),
)
@example(place=0, cut=0, junk="]")
def test_a_file_with_mistakes_keeps_its_bytes_whatever_is_edited(
    path: Path, place: int, cut: int, junk: str
) -> None:
    text = TEXT[:place] + junk + TEXT[place + cut :]
    path.write_text(text)
    before, wrong = examine_text(text, path.name)
    try:
        edit_keywords.add_keyword(path, "Robots of another kind", "cat:cs.RO")
    except (SubscribersFileError, ConfigError, UsageError):
        assert path.read_text() == text
        return
    after, still_wrong = examine_text(path.read_text(), path.name)
    assert after is not None
    assert messages(wrong) == messages(still_wrong)
    if before is not None and before.document.root is not None:
        assert texts(before) == texts(after)


def messages(error: SubscribersFileError | None) -> list[str]:
    """What is wrong, wherever it stands."""
    return (
        sorted(re.sub(r"line \d+", "line", each.message) for each in error.problems)
        if error
        else []
    )


def texts(checked: Checked) -> list[str]:
    """The entries of the readers as they stand."""
    text = checked.document.text
    return [text[e.start : e.end].strip() for e in checked.document.part("subscribers").items]


MISTAKEN = """\
keywords:
  Robots: cat:cs.RO   # mine
  Torn: '(ti:x'
groups:
  vision: [Robots]
subscribers:
  - {email: ada@example.org, keywords: [Robots]}
  # who is away
  - {email: lin@example.org, keywords: [reward model], timezone: Europe/Berln}
  - {email: eve@example, keywords: [+vision, Robots]}
  - {email: mia@example.org, keywords: [x, Robots]}
  - {email: eva@example.org, keywords: [x, y]}
"""
"""A file in which a keyword is wrong, a reader's zone, and an address."""


@pytest.fixture
def mistaken(tmp_path: Path) -> Path:
    path = tmp_path / "subscribers.yaml"
    path.write_text(MISTAKEN)
    return path


def test_beside_somebody_elses_mistake_readers_come_change_and_go(mistaken: Path) -> None:
    done = edit.add_subscribers(mistaken, ["new@example.org"], ["x"])
    lines = [str(each).partition(" (until")[0] for each in done.mistakes]
    assert [line.split(": ")[0] for line in lines] == [
        "subscribers.yaml:3:10",
        "subscribers.yaml:9:66",
        "subscribers.yaml:10:13",
    ]
    edit.add_subscribers(mistaken, ["mia@example.org"], ["z"])
    edit.remove_subscribers(mistaken, ["mia@example.org"], ["x"])
    edit.move_subscriber(mistaken, "ada@example.org", "ada@example.net")
    edit.set_fields(mistaken, ["ada@example.net"], {"max_papers": 9})
    edit.remove_subscribers(mistaken, ["eva@example.org"])
    expected = MISTAKEN.replace(
        "mia@example.org, keywords: [x, Robots]", "mia@example.org, keywords: [Robots, z]"
    )
    expected = expected.replace(
        "{email: ada@example.org, keywords: [Robots]}",
        "{email: ada@example.net, keywords: [Robots], max_papers: 9}",
    ).replace("  - {email: eva@example.org, keywords: [x, y]}\n", "")
    assert mistaken.read_text().startswith(expected)
    assert (
        mistaken.read_text().removeprefix(expected).split()
        == "- email: new@example.org keywords: [x]".split()
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda path: edit.add_subscribers(path, ["lin@example.org"], ["z"]),
        lambda path: edit.set_fields(path, ["LIN@example.org"], {"timezone": "Europe/Pars"}),
        lambda path: edit.remove_subscribers(path, ["lin@example.org"], ["reward model"]),
        lambda path: edit.move_subscriber(path, "lin@example.org", "n@example.org"),
        lambda path: edit.move_subscriber(path, "ada@example.org", "lin@example.org"),
        lambda path: edit.remove_subscribers(path, ["eve@example"]),
        lambda path: edit.add_subscribers(
            path, ["n@example.org"], ["reward model"], match=Rule.TITLE
        ),
        lambda path: edit.add_subscribers(path, ["n@example.org"], ["Torn"]),
        lambda path: edit_keywords.add_keyword(path, "Torn", "ti:x"),
        lambda path: edit_keywords.set_keyword(path, "Robots", "(ti:x"),
    ],
)
def test_what_a_mistake_is_in_or_would_be_meant_otherwise_is_not_edited(
    mistaken: Path, change: Callable[[Path], object]
) -> None:
    with pytest.raises((SubscribersFileError, UsageError)):
        change(mistaken)
    assert mistaken.read_text() == MISTAKEN


@pytest.mark.parametrize(
    ("entry", "again"),
    [
        ("  - {email: lin@example.org, keywords: [reward model], timezone: Europe/Berln}\n", ""),
        ("  - {email: mia@example.org, keywords: [x, Robots]}\n", "Mia@example.org"),
    ],
)
def test_who_has_a_mistake_in_their_own_entry_can_leave(
    mistaken: Path, entry: str, again: str
) -> None:
    second = f"  - {{email: {again}, keywords: [z]}}\n" if again else ""
    others = "".join(f"  - {{email: u{n}@example.org, keywords: [x]}}\n" for n in range(3))
    mistaken.write_text(MISTAKEN + others + second)
    address = entry.split()[2].strip(",")
    done = edit.remove_subscribers(mistaken, [address.upper()])
    assert mistaken.read_text() == MISTAKEN.replace(entry, "") + others
    assert done.before.why_held_back(address)
    assert not done.after.why_held_back(address)


def test_an_address_that_a_mistake_hides_in_anothers_entry_is_not_taken_for_a_new_one(
    mistaken: Path,
) -> None:
    text = MISTAKEN.replace(
        "  - {email: eve@example, keywords: [+vision, Robots]}",
        "  - email: eve@example.org\n    keywords: [x]\n    email: zoe@example.org",
    )
    mistaken.write_text(text)
    for change in (
        lambda: edit.add_subscribers(mistaken, ["zoe@example.org"], ["y"]),
        lambda: edit.remove_subscribers(mistaken, ["zoe@example.org"]),
    ):
        with pytest.raises(SubscribersFileError):
            change()
    assert mistaken.read_text() == text


def test_a_keyword_whose_query_is_wrong_is_mended_by_command(mistaken: Path) -> None:
    edit_keywords.set_keyword(mistaken, "Torn", "ti:x")
    assert mistaken.read_text() == MISTAKEN.replace("'(ti:x'", '"ti:x"')
    edit_keywords.rename_keyword(mistaken, "Robots", "Arms")
    # Also where nobody can tell whose entry it is.
    assert "eve@example, keywords: [+vision, Arms]" in mistaken.read_text()
    assert "vision: [Arms]" in mistaken.read_text()
    assert "Robots" not in mistaken.read_text()


def test_what_is_shared_by_an_alias_is_not_edited(path: Path) -> None:
    text = (
        "subscribers:\n- email: a@example.org\n  keywords: &all [x]\n"
        "- email: b@example.org\n  keywords: *all\n"
    )
    path.write_text(text)
    with pytest.raises(UsageError, match=r"subscribers\.yaml:5: the list is written here as \*all"):
        edit.add_subscribers(path, ["b@example.org"], ["y"])
    with pytest.raises(UsageError, match="other readers"):
        edit.add_subscribers(path, ["a@example.org"], ["y"])
    assert path.read_text() == text


def test_a_missing_or_empty_file_is_made_with_a_word_of_help(tmp_path: Path) -> None:
    path = tmp_path / "home" / "subscribers.yaml"
    edit.add_subscribers(
        path, ["ada@example.org"], ["reasoning"], {"at": "07:00", "paused_until": "2026-12-01"}
    )
    text = path.read_text()
    assert text.startswith("# Who gets which new arXiv papers.")
    assert text.endswith(
        "\nsubscribers:\n  - email: ada@example.org\n    keywords: [reasoning]\n"
        '    at: "07:00"\n    paused_until: 2026-12-01\n'
    )
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.write_text("\n")
    edit.add_subscribers(path, ["ada@example.org"], ["reasoning"])
    assert path.read_text().startswith("# Who gets")
    with pytest.raises(ConfigError, match="no subscribers file"):
        edit.remove_subscribers(tmp_path / "other.yaml", ["ada@example.org"])


def test_dos_line_ends_a_byte_order_mark_mode_and_link_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.yaml", tmp_path / "subscribers.yaml"
    real.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    real.chmod(0o604)
    link.symlink_to(real)
    edit.add_subscribers(link, ["new@example.org"], ["x y"])
    data = real.read_bytes()
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o604
    assert data.startswith(b"\xef\xbb\xbf#")
    assert data.count(b"\n") == data.count(b"\r\n")
    assert load_roster(link).subscribers[-1].email == "new@example.org"


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder in which nobody may write, also where the tests are run by root."""
    folder = tmp_path / "closed"
    folder.mkdir()
    folder.chmod(0o555)
    if os.geteuid() == 0:
        real = os.access
        monkeypatch.setattr(
            os, "access", lambda path, mode, **_: Path(path) != folder and real(path, mode)
        )
        make = Path.mkdir

        def mkdir(self: Path, *args: Any, **kwargs: Any) -> None:
            if folder in self.parents:
                raise PermissionError(13, "Permission denied", str(self))
            make(self, *args, **kwargs)

        monkeypatch.setattr(Path, "mkdir", mkdir)
    yield folder
    folder.chmod(0o755)


def test_a_folder_that_cannot_be_made_is_named_with_what_to_do(denied: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"/closed/home/deep cannot be made \(Permission denied\)"
    ) as caught:
        edit.add_subscribers(
            denied / "home" / "deep" / "subscribers.yaml", ["ada@example.org"], ["x"]
        )
    assert "--home or DIGEST_HOME" in caught.value.remedy


def test_a_folder_that_cannot_be_written_is_named_with_what_to_do(denied: Path) -> None:
    with pytest.raises(ConfigError, match=r"/closed cannot be written") as caught:
        edit.add_subscribers(denied / "subscribers.yaml", ["ada@example.org"], ["x"])
    assert "--home or DIGEST_HOME" in caught.value.remedy


def test_every_edit_names_a_folder_that_cannot_be_written(denied: Path) -> None:
    denied.chmod(0o755)
    (denied / "subscribers.yaml").write_text(TEXT)
    denied.chmod(0o555)
    with pytest.raises(ConfigError, match=r"/closed cannot be written"):
        edit.remove_subscribers(denied / "subscribers.yaml", ["ada@example.org"])


def test_a_file_where_the_folder_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ConfigError, match=r"home/deep cannot be made \(Not a directory\)"):
        edit.add_subscribers(
            tmp_path / "home" / "deep" / "subscribers.yaml", ["ada@example.org"], ["x"]
        )
    with pytest.raises(ConfigError, match="there is no subscribers file"):
        edit.remove_subscribers(tmp_path / "none" / "subscribers.yaml", ["ada@example.org"])


def test_what_is_cleared_is_written_out_where_all_have_a_value_by_default(path: Path) -> None:
    path.write_text(
        'defaults: {at: "08:00", exclude: [x1]}\n'
        + "subscribers:\n  - email: ada@example.org\n    keywords: [x]\n"
    )
    edit.add_subscribers(
        path,
        ["ada@example.org", "lin@example.org"],
        ["x"],
        {"at": None, "exclude": None, "name": None},
    )
    ada, lin = load_roster(path).subscribers
    assert (ada.at, ada.exclude, lin.at, lin.exclude) == (None, (), None, ())
    assert path.read_text().count("at: null") == path.read_text().count("exclude: []") == 2
    assert "name" not in path.read_text()


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        ("nobody@example.org", ""),
        ("bbo@example.org", "bob@example.org"),
        ("BOB@exmaple.org", "bob@example.org"),
        ("bob@example.com", "bob@example.org"),
        ("ted@example.org", ""),
        ("grace.hoper@example.org", "grace.hopper@example.org"),
        ("bob", ""),
    ],
)
def test_an_address_is_only_near_where_it_is_a_slip(wanted: str, near: str) -> None:
    assert (
        nearest_address(wanted, ["ada@example.org", "bob@example.org", "grace.hopper@example.org"])
        == near
    )


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match="No space left"):
        edit.add_subscribers(path, ["new@example.org"], ["x"])
    assert path.read_text() == TEXT
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "subscribers.yaml",
        "subscribers.yaml.lock",
    ]


def test_an_edit_waits_for_another_and_gives_up_in_words(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transaction, "WAIT", 0.0)
    with file_lock(path, 1.0), pytest.raises(TryLaterError, match="being edited"):
        edit.add_subscribers(path, ["new@example.org"], ["x"])


def _add_many(path: Path, who: str) -> None:
    for number in range(10):
        edit.add_subscribers(path, [f"{who}{number}@example.org"], ["reasoning"])


def test_two_processes_that_edit_at_once_lose_nothing(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(path, who)) for who in ("left", "right")]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert len(load_roster(path).subscribers) == 2 + 20
