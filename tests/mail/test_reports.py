"""What servers send back, as the messages in tests/returned have it: reports, prose, complaints."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.returned import RESULTS, WRONG, Case, judge, read_table
from digest.mail.incoming import read_incoming
from digest.mail.received import MessageKind
from digest.rules.bounces import Blame, blame_of, fault_of

FOLDER = Path(__file__).parents[1] / "returned"
TO = b"Delivered-To: bounces+7-abcdefghij234567abcd@example.org\n"
CASES = read_table(FOLDER)
REFUSED = [case for case in CASES if case.verdict in ("dead", "living")]


def verdict_of(raw: bytes) -> str:
    """The verdict, by what the message is taken for and whom it blames."""
    found = read_incoming(TO + raw)
    if found.kind is MessageKind.BOUNCE:
        dead = blame_of(fault_of(found.said, found.status)) is Blame.HARD
        return "dead" if dead else "living"
    return {
        MessageKind.DELAY: "delay",
        MessageKind.REPLY: "delay",
        MessageKind.COMPLAINT: "complaint",
        MessageKind.LEAVE: "leave",
        MessageKind.OTHER: "person",
    }[found.kind]


def test_each_message_is_taken_for_what_it_is() -> None:
    found = {case.path.name: verdict_of(case.path.read_bytes()) for case in CASES}
    assert found == {case.path.name: case.verdict for case in CASES}
    assert set(found) == {path.name for path in FOLDER.glob("*.eml")}


def test_a_report_names_the_reader_whom_it_is_about() -> None:
    for case in REFUSED:
        found = read_incoming(TO + case.path.read_bytes())
        several = "several" in case.path.name or "three" in case.path.name
        assert several or case.recipient in found.recipients, case.path.name


@pytest.mark.heavy
def test_by_the_command_no_living_address_is_suppressed_and_no_dead_one_passed_over() -> None:
    found = judge(FOLDER)
    assert [each for each in found if each[1] in WRONG[each[0].verdict]] == []
    assert {result for case, result, _ in found if case.verdict == "dead"} == {RESULTS[0]}


@pytest.mark.heavy
@pytest.mark.parametrize(
    "body",
    [
        "-" * 250_000,
        "(" * 250_000,
        "a@" * 120_000,
        "\n" + " " * 250_000,
        "Action: failed (" * 15_000,
        "550 user " * 25_000,
        "\n>>> DATA" * 25_000,
    ],
)
@pytest.mark.parametrize("name", ["dsn-no-such-user.eml", "prose-exim.eml"])
def test_a_report_of_any_length_is_read(name: str, body: str) -> None:
    """What takes the square of its length would not end within this suite."""
    raw = (FOLDER / name).read_bytes()
    for place in (b"Action: failed", b"could not be delivered"):
        found = read_incoming(TO + raw.replace(place, body.encode(), 1))
        assert isinstance(found.kind, MessageKind)


@settings(max_examples=30)
@given(
    case=st.sampled_from(REFUSED),
    begin=st.floats(0, 1),
    length=st.integers(0, 400),
    junk=st.binary(max_size=40),
)
def test_a_damaged_report_is_never_an_automatic_reply(
    case: Case, begin: float, length: int, junk: bytes
) -> None:
    raw = b"Auto-Submitted: auto-replied\n" + case.path.read_bytes()
    body = raw.index(b"\n\n") + 2
    at = body + int(begin * (len(raw) - body))
    damaged = raw[:at] + junk + raw[at + length :]
    assert read_incoming(TO + damaged).kind is not MessageKind.REPLY


@settings(max_examples=30)
@given(
    action=st.text(st.characters(codec="ascii", exclude_characters="\n\r"), max_size=20),
    status=st.sampled_from(["5.1.1", "4.4.1", "2.1.5", ""]),
)
def test_of_a_report_only_known_actions_are_no_failure(action: str, status: str) -> None:
    raw = (FOLDER / "dsn-no-such-user.eml").read_bytes()
    raw = raw.replace(b"Action: failed", f"Action: {action}".encode())
    raw = raw.replace(b"Status: 5.1.1", f"Status: {status}".encode())
    known = ("delayed", "delivered", "relayed", "expanded")
    if read_incoming(TO + raw).kind in (MessageKind.DELAY, MessageKind.REPLY):
        assert any(word in action.lower() for word in known)
