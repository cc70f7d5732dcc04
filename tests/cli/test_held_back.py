"""One reader's mistake in the subscribers file holds back that reader alone, and loses nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from digest.demo.papers import KEYWORDS
from tests.world.house import DAYS, FRIDAY, SATURDAY, SUBSCRIBERS, THURSDAY, House, refused

MIA = f"  - email: mia@example.org\n    keywords: [{KEYWORDS[0]}]\n"
RIGHT = SUBSCRIBERS + MIA
HOUR = timedelta(hours=1)
ZONE = "subscribers.yaml:8:15: 'Europe/Berln' is no time zone; did you mean: Europe/Berlin"


@pytest.fixture
def begun(house: House) -> House:
    """After a first day, on which all three got their first digest."""
    house.write(RIGHT)
    assert house("run", now=THURSDAY).code == 0
    assert [len(house.mails(name)) for name in ("ada@", "lin@", "mia@")] == [1, 1, 1]
    house.serve(DAYS[1])
    return house


def rows(house: House) -> str:
    """What the database remembers of readers and their subscriptions."""
    wanted = (
        "SELECT json_group_array(json_array(address, gone, query, label, start, until, ended_at))"
    )
    tables = "subscriber s JOIN subscription u ON u.subscriber = s.id"
    return str(house.value(f"{wanted} FROM {tables} ORDER BY s.id, query"))


def test_a_mistake_holds_back_its_reader_and_is_due_once_it_is_mended(begun: House) -> None:
    before = rows(begun)
    begun.write(RIGHT.replace("Europe/Berlin", "Europe/Berln"))
    told = begun("run", now=FRIDAY)
    assert told.code == 1
    assert f"{ZONE} (until that is mended nothing is mailed to lin@example.org)" in told.err
    assert [len(begun.mails(name)) for name in ("ada@", "lin@", "mia@")] == [2, 1, 2]
    assert rows(begun) == before
    assert f"{KEYWORDS[2]}:" in told.out
    begun.serve(DAYS[2])
    assert begun("run", "--json", now=SATURDAY).json()["mistakes"] == [
        {"text": ZONE, "holds_back": ["lin@example.org"]}
    ]
    begun.write(RIGHT)
    assert begun("run", now=SATURDAY + HOUR).code == 0
    assert len(begun.mails("lin@")) == 2
    assert begun.value("SELECT COUNT(*) FROM mistake WHERE until IS NOT NULL") == 1
    due = begun.value(
        "SELECT COUNT(*) FROM content_paper p JOIN delivery d ON d.content = p.content"
        " JOIN subscriber r ON r.id = d.subscriber WHERE r.address LIKE 'lin@%'"
    )
    logged = begun.value(
        "SELECT COUNT(DISTINCT m.paper) FROM seen m JOIN subscription u ON u.query = m.query"
        " JOIN subscriber r ON r.id = u.subscriber"
        " WHERE r.address LIKE 'lin@%' AND m.seq > u.start AND m.kind <> 'revised'"
    )
    assert due == logged > 1


@pytest.mark.heavy
def test_status_why_and_show_tell_the_line(begun: House) -> None:
    begun.write(RIGHT.replace("Europe/Berlin", "Europe/Berln"))
    told = begun("status", now=FRIDAY)
    assert told.code == 0
    assert f"Mistakes  {ZONE} (until that is mended nothing is mailed to lin@" in told.out
    assert "  lin@example.org: last digest " in told.out
    assert f"held back: {ZONE}" in told.out
    report = begun("status", "--json", now=FRIDAY).json()
    assert report["mistakes"] == [{"text": ZONE, "holds_back": ["lin@example.org"]}]
    begun("run", now=FRIDAY)
    report = begun("status", "--json", now=FRIDAY).json()
    assert KEYWORDS[2] in [keyword["keyword"] for keyword in report["keywords"]]
    why = begun("why", "lin@example.org", "2026-11-06", now=FRIDAY + HOUR)
    assert f"a mistake in the subscribers file held the reader back: {ZONE}" in why.out
    assert f"lin@example.org is held back by a mistake in subscribers.yaml: {ZONE}." in why.out
    assert "What is due comes once the mistake in the subscribers file is mended." in why.out
    shown = begun("subscribers", "show", "lin@example.org")
    assert (shown.code, ZONE in shown.out) == (0, True)
    for command in ("send", "preview", "resend"):
        told = begun(*command.split(), "lin@example.org")
        if command != "resend":
            refused(told, 78, "lin@example.org is held back by a mistake", ZONE)
    assert ZONE in begun("subscribers").err
    refused_all = begun("subscribers", "check")
    assert (refused_all.code, refused_all.out) == (78, "")
    begun.write(RIGHT)
    begun("run", now=FRIDAY + 2 * HOUR)
    # The day keeps its reason after the mistake is mended.
    begun.write_row("UPDATE delivery SET queued_at = '2026-11-07T06:30:00Z' WHERE id > 5")
    why = begun("why", "lin@example.org", "2026-11-06", now=SATURDAY)
    assert f"a mistake in the subscribers file held the reader back: {ZONE}" in why.out
    assert "is held back by" not in why.out


def test_what_waits_in_the_outbox_is_held_back_too(begun: House) -> None:
    begun("run", now=FRIDAY - HOUR)
    begun.write_row(
        "UPDATE delivery SET state = 'queued', ended_at = NULL, next_at = queued_at WHERE"
        " subscriber = (SELECT id FROM subscriber WHERE address = 'lin@example.org')"
    )
    count = len(begun.mails("lin@"))
    begun.write(RIGHT.replace("Europe/Berlin", "Europe/Berln"))
    assert begun("run", now=FRIDAY).code == 1
    assert len(begun.mails("lin@")) == count
    assert begun.value(
        "SELECT COUNT(*) FROM delivery d JOIN subscriber r ON r.id = d.subscriber"
        " WHERE r.address = 'lin@example.org' AND d.state = 'queued'"
    )


def test_who_cannot_be_told_from_an_entry_is_not_taken_for_one_who_left(begun: House) -> None:
    before = rows(begun)
    begun.write(RIGHT.replace("lin@example.org", "lin@example"))
    told = begun("run", now=FRIDAY)
    assert told.code == 1
    assert "nothing is mailed to the reader of that entry" in told.err
    assert rows(begun) == before
    status = begun("status", now=FRIDAY).out
    assert "lin@example.org: last digest" in status
    begun.write(RIGHT)
    assert begun("run", now=FRIDAY + HOUR).code == 0
    assert len(begun.mails("lin@")) == 2


def test_who_leaves_beside_somebody_elses_mistake_has_left(begun: House) -> None:
    begun.write(SUBSCRIBERS.replace("Europe/Berlin", "Europe/Berln"))
    assert begun("run", now=FRIDAY).code == 1
    gone = "SELECT group_concat(address) FROM subscriber WHERE gone"
    assert begun.value(gone) == "mia@example.org"


@pytest.mark.heavy
def test_a_shared_keyword_holds_back_those_who_use_it_and_is_still_fetched(begun: House) -> None:
    shared = f"keywords:\n  Shared: {KEYWORDS[2]}\n" + RIGHT.replace(
        f"keywords: [{KEYWORDS[2]}]", "keywords: [Shared]"
    )
    begun.write(shared)
    begun("run", now=THURSDAY + HOUR)
    begun.write(shared.replace(f"Shared: {KEYWORDS[2]}", "Shared: '(ti:x'"))
    assert "is not held back" in begun("keywords", "accept", "Shared").out
    told = begun("run", now=FRIDAY)
    assert told.code == 1
    assert "subscribers.yaml:2:" in told.err
    assert "nothing is mailed to lin@example.org" in told.err
    assert "Shared: " in told.out
    assert [len(begun.mails(name)) for name in ("ada@", "mia@")] == [2, 2]


@pytest.mark.heavy
def test_more_than_half_is_refused_as_a_whole(begun: House) -> None:
    text = RIGHT.replace("Europe/Berlin", "Europe/Berln").replace("name: Ada", "nmae: Ada")
    begun.write(text)
    told = begun("run", now=FRIDAY)
    assert (told.code, told.out) == (78, "")
    assert "2 mistakes in subscribers.yaml" in told.err
    assert len(begun.mails()) == 3


@pytest.mark.heavy
def test_the_operator_hears_at_once_and_of_each_other_mistake(
    begun: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_OPERATOR", "op@example.org")
    broken = RIGHT.replace("Europe/Berlin", "Europe/Berln")
    begun.write(broken)
    begun("run", now=FRIDAY)
    [told] = begun.mails("op@")
    assert ZONE in told["Subject"]
    assert "nothing is mailed to lin@example.org" in " ".join(told.get_content().split())
    begun("run", now=FRIDAY + HOUR)
    assert len(begun.mails("op@")) == 1
    begun.write(broken.replace("Europe/Berln", "Europe/Brlin"))
    begun("run", now=FRIDAY + 2 * HOUR)
    assert "Europe/Brlin" in begun.mails("op@")[1]["Subject"]
    begun.write(RIGHT)
    begun("run", now=FRIDAY + 3 * HOUR)
    assert "all is well again" in begun.mails("op@")[2]["Subject"]


@pytest.mark.heavy
def test_a_mistake_in_a_secret_is_told_by_its_line_alone(
    begun: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIGEST_SECRET", "s" * 40)
    monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", RIGHT)
    assert begun("run", now=THURSDAY + HOUR).code == 0
    broken = RIGHT.replace("Europe/Berlin", "Europe/Berln")
    monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", broken)
    told = begun("run", now=FRIDAY)
    assert told.code == 1
    assert "DIGEST_SUBSCRIBERS_YAML is not right in line 8 (until that is mended" in told.err
    assert "Berln" not in told.err
    assert "lin@" not in told.err
    assert [len(begun.mails(name)) for name in ("ada@", "lin@", "mia@")] == [2, 1, 2]
    assert begun.value("SELECT COUNT(*) FROM subscriber WHERE gone") == 0
    monkeypatch.setenv("DIGEST_SUBSCRIBERS_YAML", RIGHT)
    assert begun("run", now=FRIDAY + HOUR).code == 0
    assert len(begun.mails("lin@")) == 2
    # Addresses again: who is held back keeps the history, too.
    monkeypatch.delenv("DIGEST_SUBSCRIBERS_YAML")
    begun.write(broken.replace("lin@example.org", "lin@example"))
    refused(begun("run", now=FRIDAY + 2 * HOUR), 78, "mend that first")
    begun.write(broken)
    assert begun("run", now=FRIDAY + 2 * HOUR).code == 1
    assert begun.value("SELECT COUNT(*) FROM subscriber WHERE address LIKE 'reader:%'") == 0


def test_readers_come_and_go_beside_a_mistake_which_is_told(begun: House) -> None:
    wrong = RIGHT.replace("Europe/Berlin", "Europe/Berln")
    begun.write(wrong)
    told = begun("subscribe", "new@example.org", "-k", "robots")
    assert (told.code, told.err.count(ZONE)) == (0, 1)
    told = begun("unsubscribe", "mia@example.org")
    assert (told.code, told.err.count(ZONE)) == (0, 1)
    assert "mia@example.org" not in (begun.home / "subscribers.yaml").read_text()
    for command in (("unsubscribe", "-k", "robots"), ("subscribe", "-k", "robots")):
        told = begun(*command, "lin@example.org")
        assert (told.code, "Europe/Berln" in told.err) == (78, True)
    gone = "SELECT group_concat(address) FROM subscriber WHERE gone"
    assert begun.value(gone) == "mia@example.org"
    begun.write("keywords: {Torn: '(ti:x'}\n" + RIGHT.replace(f"[{KEYWORDS[2]}]", "[Torn]"))
    told = begun("keywords", "set", "Torn", "ti:x")
    assert (told.code, "from now on for lin@example.org" in told.out) == (0, True)


WRONG = RIGHT.replace("Europe/Berlin", "Europe/Berln")
LIN = WRONG[WRONG.index("  - email: lin") :]
TWO_IN_ONE = RIGHT.replace("  - email: lin@", "    email: lin@")
"""Without its dash lin's entry is a part of ada's: whose it is nobody can tell."""


@pytest.mark.parametrize(
    "text",
    [
        WRONG,
        WRONG + LIN.removesuffix(MIA),
        "subscribers:\n" + LIN.removesuffix(MIA),
        "subscribers:\n" + LIN.replace(f"[{KEYWORDS[2]}]", "[+nobody]"),
        "defaults: {at: '25:99'}\n" + RIGHT,
    ],
    ids=["own mistake", "stands twice", "alone", "no such group", "mistake in the defaults"],
)
def test_leaving_does_not_depend_on_the_entry(house: House, text: str) -> None:
    house.write(text)
    others = [name for name in ("ada@", "mia@") if name in text]
    told = house("unsubscribe", "lin@example.org")
    assert (told.code, told.out) == (0, "lin@example.org is unsubscribed.\n")
    left = (house.home / "subscribers.yaml").read_text(encoding="utf-8")
    assert [name for name in ("ada@", "lin@", "mia@") if name in left] == others
    assert "was not subscribed" in house("unsubscribe", "lin@example.org").out


@pytest.mark.parametrize("text", [TWO_IN_ONE, RIGHT + "  - {email: [\n"], ids=["merged", "no YAML"])
def test_who_cannot_be_taken_out_of_the_file_leaves_all_the_same(begun: House, text: str) -> None:
    begun.write(text)
    told = begun("unsubscribe", "lin@example.org")
    assert (told.code, told.out) == (
        0,
        "lin@example.org is unsubscribed, and nothing is mailed there.\n",
    )
    assert "stays in the subscribers file" in told.err
    assert (begun.home / "subscribers.yaml").read_text(encoding="utf-8") == text
    assert begun("unsubscribe", "lin@example.org", "eve@example.org").code == 78
    begun.write(RIGHT)
    begun("run", now=FRIDAY)
    assert [len(begun.mails(name)) for name in ("ada@", "lin@", "mia@")] == [2, 1, 2]


def test_who_is_held_back_can_be_paused_and_mended_by_command(begun: House) -> None:
    begun.write(WRONG)
    assert begun("subscribers", "pause", "lin@example.org").code == 0
    text = (begun.home / "subscribers.yaml").read_text(encoding="utf-8")
    assert "Berln\n    paused_until: " in text
    told = begun("subscribers", "set", "lin@example.org", "timezone=Europe/Berlin")
    assert (told.code, told.err) == (0, "")
    assert begun("subscribers", "check").code == 0
