"""What is guessed has the meaning of what was written; where that is not certain nothing is."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from digest.subscribers.fields import FIELDS
from digest.subscribers.guesses import nearest_field, nearest_zone
from tests.subscribers.files import only


@pytest.mark.parametrize(
    ("written", "zone"),
    [
        ("GMT+8", "Etc/GMT-8"),
        ("UTC+8", "Etc/GMT-8"),
        ("utc +08:00", "Etc/GMT-8"),
        ("+0800", "Etc/GMT-8"),
        ("UTC-5", "Etc/GMT+5"),
        ("GMT+5:30", "Asia/Kolkata"),
        ("UTC+0", "Etc/UTC"),
        ("UTC+3:45", ""),
        ("GMT+25", ""),
        ("IST", ""),
        ("CST", ""),
        ("BST", ""),
        ("PST", "America/Los_Angeles"),
        ("EDT", "America/New_York"),
        ("CEST", "CET"),
        ("JST", "Asia/Tokyo"),
        ("Berlin", "Europe/Berlin"),
        ("berln", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("Asia/Shangai", "Asia/Shanghai"),
        ("los angeles", "America/Los_Angeles"),
        ("Asia/Beijing", "Asia/Shanghai"),
        ("Europe/Munich", "Europe/Berlin"),
        ("Mars/Olympus", ""),
        ("Asia/Perth", ""),
    ],
)
def test_a_zone_is_only_proposed_where_it_has_the_same_time(written: str, zone: str) -> None:
    assert nearest_zone(written) == zone
    assert not zone or zone in available_timezones()


@pytest.mark.parametrize("hours", range(-12, 15))
def test_every_offset_of_whole_hours_is_its_own_zone(hours: int) -> None:
    zone = ZoneInfo(nearest_zone(f"UTC{hours:+d}"))
    assert datetime(2026, 7, 1, tzinfo=zone).utcoffset() == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("written", "field"),
    [
        ("time", "at"),
        ("tz", "timezone"),
        ("time_zone", "timezone"),
        ("Time Zone", "timezone"),
        ("e-mail", "email"),
        ("keyword", "keywords"),
        ("paused", "paused_until"),
        ("quiet", "quiet_days"),
        ("maxpapers", "max_papers"),
        ("nmae", "name"),
        ("days", "schedule"),
        ("form", ""),
        ("mat", ""),
        ("ordinal", ""),
    ],
)
def test_a_field_is_only_proposed_where_it_has_the_same_meaning(written: str, field: str) -> None:
    assert nearest_field(written, FIELDS) == field


@pytest.mark.parametrize(
    ("line", "words", "suggestion"),
    [
        ("keywords: LLM, reward model", "is a list", "[LLM, reward model]"),
        ("keywords: 强化学习，大模型", "is a list", '["强化学习", "大模型"]'),
        ("keywords: LLM;agents", "is a list", "[LLM, agents]"),
        ("keywords: reward model", "is a list", "[reward model]"),
        ("keywords:\n      - F #", "reads the # of F # as a comment", '"F #"'),
        ("keywords:\n      - x\n      - C #\n", "reads the # of C # as a comment", '"C #"'),
    ],
)
def test_several_keywords_and_names_with_signs_are_proposed_as_they_were_meant(
    line: str, words: str, suggestion: str
) -> None:
    problem = only(f"subscribers:\n  - email: ada@example.org\n    {line}\n")
    assert words in problem.message
    assert problem.suggestion == suggestion


@pytest.mark.parametrize(
    ("name", "written", "meant"),
    [
        ("schedule", "weekends", "[sat,sun]"),
        ("schedule", "biweekly", ""),
        ("schedule", "weekday", "weekdays"),
        ("schedule", "dailly", "daily"),
        ("revisions", "unpublished", ""),
        ("revisions", "publish", "published"),
        ("order", "oldest", ""),
        ("abstracts", "no", "none"),
        ("quiet_days", "silence", "silent"),
        ("paused_until", "12/01/2026", ""),
        ("paused_until", "12/25/2026", "2026-12-25"),
        ("paused_until", "25/12/2026", "2026-12-25"),
        ("paused_until", "1.12.26", ""),
        ("paused_until", "1.12.2026", "2026-12-01"),
    ],
)
def test_a_value_that_is_spelt_alike_and_means_something_else_is_not_proposed(
    name: str, written: str, meant: str
) -> None:
    field = FIELDS[name]
    assert (field.suggest or field.meant)(written) == meant


def test_a_group_whose_name_differs_in_a_digit_is_another_one() -> None:
    text = (
        "groups: {gpt-5: [x], vision: [y]}\nsubscribers: [{email: a@example.org, keywords: [%s]}]"
    )
    assert only(text % "+gpt-4").suggestion == ""
    assert only(text % "+vison").suggestion == "+vision"
