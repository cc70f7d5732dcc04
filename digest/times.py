"""Times: UTC inside, as aware datetimes; in files and records as ISO 8601 with a Z."""

from __future__ import annotations

from datetime import UTC, date, datetime

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = tuple(
    "January February March April May June July August September October November December".split()
)
"""In English whatever the machine's locale is."""


def to_text(moment: datetime) -> str:
    """Write an aware moment as `2026-11-23T07:00:00Z`; such texts sort in the order of time."""
    return f"{moment.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


def in_utc(moment: datetime) -> str:
    """Write an aware moment for people, as `2026-11-23 07:00 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def day_in_words(day: date) -> str:
    """Write a day for people, as `Monday 23 November`, in English whatever the machine's locale."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"


def from_text(text: str) -> datetime:
    """Read what `to_text` wrote, or any ISO 8601 date or time; without a zone it is UTC.

    Raises ValueError where the text is neither.
    """
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def text_or_none(moment: datetime | None) -> str | None:
    """Write a moment as `to_text` does, or None where there is none."""
    return to_text(moment) if moment is not None else None


def moment_or_none(text: str | None) -> datetime | None:
    """Read a moment as `from_text` does; None where there is no text."""
    return from_text(text) if text else None
