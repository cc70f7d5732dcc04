"""`digest preview`: the next digest, and nothing written."""

from __future__ import annotations

from datetime import UTC

from digest.demo.papers import KEYWORDS
from tests.world.house import DAYS, FRIDAY, THURSDAY, House, program, refused
from tests.world.worlds import hashes, mail


def test_a_preview_shows_the_next_digest_and_writes_nothing(house: House) -> None:
    house("run", now=THURSDAY)
    house.serve(DAYS[1])
    before = hashes(house.home)
    told = house("preview", "ada@example.org", now=FRIDAY)
    assert (told.code, told.complaints) == (0, [])
    subject = told.out.splitlines()[0].removeprefix("Subject: ")
    html = house("preview", "ada@example.org", "--html", now=FRIDAY)
    assert html.out.startswith("<!DOCTYPE html>")
    assert hashes(house.home) == before
    house("run", now=FRIDAY)
    assert house.mails("ada@")[-1]["Subject"] == subject


def test_a_preview_of_one_who_has_everything_says_so(house: House) -> None:
    house("run", now=THURSDAY)
    told = house("preview", "ADA@example.org", now=THURSDAY)
    assert told.out == "Nothing is due to ada@example.org: 'digest status' tells why.\n"


def test_a_preview_before_the_first_run_shows_the_welcome(house: House) -> None:
    told = house("preview", "lin@example.org", now=THURSDAY)
    assert told.out.startswith("Subject: Your arXiv digest starts")
    assert {path.name for path in house.home.iterdir()} == {
        "subscribers.yaml",
        "digest.db.arxiv.lock",
    }


def test_a_preview_is_for_somebody(house: House) -> None:
    refused(house("preview", now=THURSDAY), 78, "2 subscribers", "digest preview ada@example.org")
    refused(house("preview", "adda@example.org", now=THURSDAY), 78, "did you mean ada@example.org?")
    house.write("subscribers: []\nkeywords: [x]\n")
    refused(house("preview", now=THURSDAY), 78, "names no subscriber")


def test_a_preview_needs_no_name_where_there_is_one_reader(house: House) -> None:
    house.write(f"subscribers:\n  - email: ada@example.org\n    keywords: [{KEYWORDS[0]}]\n")
    assert house("preview", now=THURSDAY).out.startswith("Subject: Your arXiv digest starts")
    house.write(f"defaults: {{attach: ris}}\n{(house.home / 'subscribers.yaml').read_text()}")
    assert house("preview", now=THURSDAY).out.splitlines()[1] == "Attached: arxiv-2026-11-05.ris"


def test_a_previewed_message_is_one_that_could_be_mailed(house: House) -> None:
    env = {"DIGEST_ARXIV_API": house.arxiv.url, "DIGEST_ARXIV_DELAY": "0"}
    done = program(
        "preview",
        "ada@example.org",
        "--eml",
        "--now",
        THURSDAY.isoformat(),
        cwd=house.home,
        env=env,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    message = mail(done.stdout)
    assert message["To"] == "Ada <ada@example.org>"
    assert message["Date"].datetime.astimezone(UTC) == THURSDAY
    assert message.get_body(("html",)) is not None
