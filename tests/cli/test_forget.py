"""`digest subscribers forget`, and what `show` says of who is in the database alone."""

from __future__ import annotations

import pytest

from digest.store import open_store
from digest.system.locks import cycle_lock
from tests.world.house import DAYS, FRIDAY, THURSDAY, House, house, refused

__all__ = ["house"]

ADA, LIN = "ada@example.org", "lin@example.org"


def knows(house: House, word: str) -> bool:
    """Whether the database's file or the subscribers file holds a word."""
    files = [
        house.home / "digest.db",
        house.home / "digest.db-wal",
        house.home / "subscribers.yaml",
    ]
    return any(word.encode() in file.read_bytes() for file in files if file.exists())


@pytest.mark.heavy
def test_a_reader_is_forgotten_and_mailed_no_more_where_a_list_names_them(house: House) -> None:
    assert house("run", now=THURSDAY).code == 0
    assert len(house.mails(ADA)) == 1
    before = (house.home / "subscribers.yaml").read_text()
    backup = house("db", "backup", now=THURSDAY).out.split()[1].rstrip(",")
    told = house("subscribers", "forget", "Ada@example.org", "--yes")
    assert told.code == 0, told.err
    assert "Ada@example.org is forgotten: " in told.out
    assert "1 digest and" in told.out
    assert backup in told.out
    assert "mails in the Maildir" in told.out
    assert not knows(house, ADA)
    assert not knows(house, "Ada")
    refused(house("subscribers", "forget", "ad@example.org", "--yes"), 78, "nor the database knows")
    again = house("subscribers", "forget", ADA, "--yes")
    assert "was forgotten before" in again.out
    house.write(before)
    house.serve(DAYS[1])
    assert house("run", now=FRIDAY).code == 0
    assert len(house.mails(ADA)) == 1
    for command in ("list", f"show {ADA}"):
        assert "not mailed since" in house("subscribers", *command.split()).out
    assert "not mailed since" in house("why", ADA).out
    assert "suppressed: forgotten" in house("status").out
    assert "suppressed: forgotten" in house("send", ADA, now=FRIDAY).out
    assert not house("preview", ADA, now=FRIDAY).out.startswith("Subject")
    assert house.value("SELECT COUNT(*) FROM subscriber") == 1
    told = house("subscribe", ADA)
    assert f"{ADA} is mailed again" in told.out
    assert "The first digest comes" in told.out
    assert house("send", ADA, now=FRIDAY).code == 0
    assert len(house.mails(ADA)) == 2


def test_nothing_is_erased_unasked_or_during_a_cycle(house: House) -> None:
    open_store(house.home / "digest.db").close()
    refused(house("subscribers", "forget", ADA), 2, "nobody can be asked here", "add --yes")
    with cycle_lock(house.home / "digest.db"):
        refused(house("subscribers", "forget", ADA, "--yes"), 75, "another cycle")
    assert knows(house, ADA)


def test_all_that_is_stored_is_shown_also_of_who_left(house: House) -> None:
    assert house("run", now=THURSDAY).code == 0
    assert len(house("subscribers", "show", ADA, "--json").json()["stored"]["delivery"]) == 1
    assert house("unsubscribe", LIN).code == 0
    shown = house("subscribers", "show", LIN, "--json").json()
    assert (shown["email"], shown["keywords"]) == (LIN, [])
    assert shown["stored"]["delivery"][0]["papers"]
    assert "the database remembers 1 digest." in house("subscribers", "show", LIN).out
    told = house("subscribers", "forget", LIN, ADA, "--yes", "--json").json()
    named = [(one["email"], one["in_file"]) for one in told["forgotten"]]
    assert named == [(LIN, False), (ADA, True)]
    refused(house("subscribers", "show", LIN), 78, LIN)
    assert house.value("SELECT COUNT(*) FROM delivery") == 0
