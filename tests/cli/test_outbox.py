"""`digest outbox` and `digest resend`: what waits, what has gone, and what a person decides."""

from __future__ import annotations

import re
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from digest.system.locks import cycle_lock
from tests.world.house import DAYS, FRIDAY, THURSDAY, House, refused
from tests.world.worlds import mail


@pytest.fixture
def stuck(house: House) -> House:
    """Two deliveries wait: one for good, one that may have been delivered."""
    (house.home / "mail").write_text("in the way")
    house("run", now=THURSDAY)
    (house.home / "mail").unlink()
    house.write_row(
        "UPDATE delivery SET state = 'unknown', maybe_accepted = 1, reply = 'no answer'"
        " WHERE id = 2"
    )
    return house


def test_an_empty_outbox_says_so(house: House) -> None:
    assert house("outbox", "list").out == "The outbox is empty.\n"
    assert house("outbox", "list", "--json").json() == []
    refused(house("outbox", "retry", "--all"), 2, "empty")
    refused(house("outbox", "drop", "1"), 2, "empty")
    assert not (house.home / "digest.db").exists()


def test_the_outbox_lists_what_waits_and_why(stuck: House) -> None:
    told = stuck("outbox", "list")
    assert "1  ada@example.org  queued  Your arXiv digest starts" in told.out
    assert "2  lin@example.org  maybe delivered  " in told.out
    assert "cannot be written" in told.out
    assert "leaves with the next run" in told.out
    entries = stuck("outbox", "list", "--json").json()
    assert [list(entry) for entry in entries] == [
        ["id", "email", "subject", "papers", "state", "attempt", "queued", "next", "reply"]
    ] * 2
    assert [entry["state"] for entry in entries] == ["queued", "unknown"]
    assert "1 maybe delivered" in stuck("status", now=THURSDAY).out


def test_retrying_all_leaves_out_what_may_have_been_delivered(stuck: House) -> None:
    told = stuck("outbox", "retry", "--all")
    assert told.out.splitlines() == [
        "Maybe delivered, and sent again only where you name them: 2",
        "Delivery 1 to ada@example.org leaves with the next run.",
    ]
    stuck("run", "--on-unknown", "hold", now=THURSDAY + timedelta(minutes=1))
    stuck("run", "--on-unknown", "hold", now=THURSDAY + timedelta(minutes=10))
    assert [m["To"] for m in stuck.mails()] == ["Ada <ada@example.org>"]
    assert "Delivery 2" in stuck("outbox", "retry", "2").out
    stuck("run", "--on-unknown", "hold", now=THURSDAY + timedelta(minutes=20))
    assert len(stuck.mails("lin@")) == 1


def test_what_is_dropped_does_not_come_again(stuck: House) -> None:
    told = stuck("outbox", "drop", "1")
    assert re.fullmatch(
        r"Delivery 1 to ada@example.org was dropped: \d+ papers will not be mailed\.\n", told.out
    )
    refused(stuck("outbox", "drop", "1"), 2, "dropped")
    refused(stuck("outbox", "retry", "99"), 2, "no delivery 99")
    stuck("run", now=THURSDAY + timedelta(hours=3))
    assert stuck.mails("ada@") == []
    assert "dropped" not in stuck("outbox", "list").out
    assert "dropped" in stuck("outbox", "list", "--all").out


def test_the_mail_servers_rest_is_told_and_ended_by_a_person(house: House) -> None:
    (house.home / "mail").write_text("in the way")
    house("run", now=THURSDAY)
    (house.home / "mail").unlink()
    status = house("status", "--json", now=THURSDAY).json()
    assert status["relay"]["paused_until"] == f"{THURSDAY + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    assert "cannot be written" in status["relay"]["reason"]
    told = house("run", "--wait", now=THURSDAY + timedelta(minutes=15))
    assert (told.code, house.mails()) == (78, [])
    assert "mail waits until" in told.complaints[-1]
    assert house("status", now=THURSDAY).out.count("cannot be written") == 1
    house("outbox", "retry", "--all")
    assert house("run", "--wait", now=THURSDAY + timedelta(minutes=16)).code == 0
    assert len(house.mails()) == 2
    assert (
        house("status", "--json", now=THURSDAY + timedelta(minutes=16)).json()["relay"]["failures"]
        == 0
    )


def test_what_a_limit_keeps_back_is_told(house: House) -> None:
    told = house("run", "--mail-rate", "1/day", now=THURSDAY)
    assert told.code == 0
    tomorrow = f"{THURSDAY + timedelta(days=1):%Y-%m-%d %H:%M} UTC"
    assert f"DIGEST_MAIL_RATE lets the next one leave at {tomorrow}." in told.out
    assert (
        f"lets the next message leave at {tomorrow}"
        in house("status", "--mail-rate", "1/day", now=THURSDAY).out
    )
    house("run", "--mail-rate", "1/day", now=THURSDAY + timedelta(hours=23))
    assert len(house.mails()) == 1
    house("run", "--mail-rate", "1/day", now=THURSDAY + timedelta(hours=25))
    assert len(house.mails()) == 2


def test_a_delivery_is_shown_with_its_papers_and_as_the_message_that_left(house: House) -> None:
    house("run", now=THURSDAY)
    told = house("outbox", "show", "1")
    assert told.out.startswith(
        "Delivery 1 to ada@example.org: sent\nSubject     Your arXiv digest starts"
    )
    shown = house("outbox", "show", "1", "--json").json()
    assert (shown["state"], shown["papers"], shown["again"]) == ("sent", len(shown["titles"]), None)
    assert all(paper["title"] in told.out for paper in shown["titles"])
    (left,) = [
        path for path in (house.home / "mail" / "new").iterdir() if b"To: Ada" in path.read_bytes()
    ]
    for mode in (None, 0o644):
        assert "is in message.eml" in house("outbox", "show", "1", "--eml", "message.eml").out
        assert stat.S_IMODE(Path("message.eml").stat().st_mode) == 0o600
        Path("message.eml").chmod(mode or 0o600)
    assert Path("message.eml").read_bytes().replace(b"\r\n", b"\n") == left.read_bytes().replace(
        b"\r\n", b"\n"
    )
    assert (
        mail(house("outbox", "show", "1", "--eml", "-").out.encode())["Message-ID"]
        == shown["message_id"]
    )
    refused(house("outbox", "show", "99"), 2, "no delivery 99")
    refused(house("outbox", "show", "1", "--eml", "none/message.eml"), 78, "none/message.eml")


def test_a_digest_goes_again_marked_so_and_changes_nothing_that_is_due(house: House) -> None:
    house("run", now=THURSDAY)
    hour = timedelta(hours=1)
    before = house("status", "--json", now=THURSDAY + hour).json()["subscribers"]
    told = house("resend", "ada@example.org", now=THURSDAY + hour)
    assert told.code == 0
    assert "“Again: Your arXiv digest starts" in told.out
    first, again = house.mails("ada@")
    assert again["Subject"] == f"Again: {first['Subject']}"
    assert again["Message-ID"] != first["Message-ID"]
    assert again.get_body().get_content() == first.get_body().get_content()  # type: ignore[union-attr]
    assert house("status", "--json", now=THURSDAY + hour).json()["subscribers"] == before
    house.serve(DAYS[1])
    house("run", now=FRIDAY)
    _, _, friday = house.mails("ada@")
    titles = house("outbox", "show", "1", "--json").json()["titles"]
    assert not any(paper["title"] in str(friday.get_body(("plain",))) for paper in titles)
    house("resend", "ada@example.org", "--date", f"{THURSDAY:%Y-%m-%d}", now=FRIDAY + hour)
    assert len({m["Message-ID"] for m in house.mails("ada@")}) == 4


def test_a_digest_that_goes_again_is_folded_into_no_other(house: House) -> None:
    house("run", now=THURSDAY)
    (house.home / "mail").rename(house.home / "away")
    (house.home / "mail").write_text("in the way")
    told = house("resend", "ada@example.org", now=THURSDAY + timedelta(hours=1))
    assert "waits in the outbox as delivery 3" in told.out
    (house.home / "mail").unlink()
    house.serve(DAYS[1])
    house("run", now=FRIDAY)
    assert ["Again" in m["Subject"] for m in house.mails("ada@")].count(True) == 1
    assert house.value("SELECT state FROM delivery WHERE id = 3") == "sent"


def test_only_what_has_gone_can_go_again(stuck: House) -> None:
    refused(stuck("resend", "ada@example.org", now=THURSDAY), 2, "still on its way")
    refused(
        stuck("resend", "ada@example.org", "--date", "2026-10-01", now=THURSDAY),
        2,
        "no digest went to",
    )
    refused(stuck("resend", "ada@example.org", "--date", "soon", now=THURSDAY), 2, "no date")
    refused(stuck("resend", "bob@example.org", now=THURSDAY), 78, "bob@example.org")
    stuck("run", now=THURSDAY + timedelta(hours=1))
    stuck.write_row(
        "INSERT INTO suppression(address, reason, since)"
        " VALUES('ada@example.org', 'bounced', '2026-11-05T07:00:00Z')"
    )
    refused(stuck("resend", "ada@example.org", now=THURSDAY + timedelta(hours=1)), 2, "suppressed")


def test_while_a_cycle_works_what_goes_again_waits_for_it(house: House) -> None:
    house("run", now=THURSDAY)
    with cycle_lock(house.home / "digest.db"):
        told = house("resend", "ada@example.org", now=THURSDAY + timedelta(hours=1))
    assert (told.code, len(house.mails("ada@"))) == (0, 1)
    assert "waits in the outbox" in told.out
    house("run", now=THURSDAY + timedelta(hours=2))
    assert len(house.mails("ada@")) == 2


def test_the_rest_of_issues_is_told_beside_mail_that_left(house: House) -> None:
    entries = "\n".join(f"- {{github: {name}/papers, keywords: [Hallucination]}}" for name in "ab")
    house.write(
        f"subscribers:\n- {{email: lin@example.org, keywords: [Hallucination]}}\n{entries}\n"
    )
    told = house("run", now=THURSDAY)
    assert (told.code, len(house.mails())) == (78, 1)
    why = "could not be posted (there is no DIGEST_GITHUB_TOKEN, and issues are posted with one)"
    assert told.complaints[-1].endswith(f"issues {why}")
    status = house("status", now=THURSDAY).out
    assert f"No issue leaves until {THURSDAY + timedelta(hours=1):%Y-%m-%d %H:%M} UTC" in status
    assert status.count("DIGEST_GITHUB_TOKEN") == 1, "the words stand once for all"
    told = house("run", "--wait", now=THURSDAY + timedelta(minutes=15))
    assert told.complaints[-1].endswith(
        f"issues wait until 2026-11-05 07:30 UTC, since the last one {why}"
    )
