"""The machine's own part: time zones, arXiv's calendar, and whether anything calls Digest."""

from __future__ import annotations

import importlib
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from digest.rules.calendar import known_holidays
from digest.setup.doctor.check import Cause, Finding, fail, first, ok, skip, warn
from digest.setup.doctor.files import examined
from digest.setup.holidays import HOLIDAYS_FILE, take_holidays
from digest.store.clock import SKEW
from digest.system.timers.plan import Installed
from digest.times import in_utc

HOLIDAYS_AHEAD = timedelta(days=60)
RUN_EVERY = timedelta(hours=26)
"""A daily run may come two hours later than the day before."""
INTERRUPTED = timedelta(hours=2)
OLD_ZONES = 2
"""Years after which zone data has most likely missed a change of some country's law."""


def check_zones(now: datetime) -> Finding:
    """Whether time zones are known, with summer time, and how old that knowledge is."""
    try:
        york = zoneinfo.ZoneInfo("America/New_York")
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        return fail(
            "there is none: no reader's hour can be told",
            "install tzdata (apt install tzdata)",
        )
    # Data without summer time would be wrong for half of the year, and look right in winter.
    winter, summer = (
        york.utcoffset(datetime(now.year, month, 15, tzinfo=UTC).astimezone(york))
        for month in (1, 7)
    )
    version = _zones_version()
    year = int(version[:4]) if version[:4].isdigit() else now.year
    return first(
        (
            (winter, summer) != (timedelta(hours=-5), timedelta(hours=-4)),
            fail("New York's hours are wrong in it", "install tzdata anew"),
        ),
        (
            year < now.year - OLD_ZONES,
            warn(
                f"of {version}, which may have missed a change of law",
                "update the system's tzdata",
            ),
        ),
        (True, ok(f"of {version}" if version else "there, of an unknown version")),
    )


def _zones_version() -> str:
    """The release of the data that Python reads: the system's, else the package's; nothing where it
    is not told.
    """
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "America/New_York").exists():
            # The first line of the IANA's own list, or all of a file that macOS has.
            for file in ("tzdata.zi", "+VERSION"):
                try:
                    with (folder / file).open(encoding="utf-8") as stream:
                        return stream.readline().removeprefix("# version").strip()
                except OSError:
                    continue
            return ""
    try:
        return str(importlib.import_module("tzdata").IANA_VERSION)
    except (ImportError, AttributeError):
        return ""


def check_holidays(today: date, home: Path) -> Finding:
    """Check until when arXiv's holidays are known, with the home folder's own list; unknown nights
    count as ordinary ones.
    """
    own = home / HOLIDAYS_FILE
    if trouble := take_holidays(home):
        return fail(trouble, f"mend {own}; until then the built-in list counts alone")
    years = known_holidays().years
    last = today.year - 1
    while last + 1 in years:
        last += 1
    left = date(last, 12, 31) - today
    known = f"known to the end of {last}"
    return first(
        (
            left < timedelta(0),
            warn(
                f"arXiv's holidays of {today.year} are not known",
                f"update Digest, or write them into {own}",
            ),
        ),
        (
            left < HOLIDAYS_AHEAD,
            warn(
                f"{known}: {left.days} days more; "
                "after that a night without announcement has no name",
                f"nothing now; once arXiv has listed them, update Digest or write them into {own}",
            ),
        ),
        (True, ok(known)),
    )


def check_caller(home: Path, found: Sequence[Installed]) -> Finding:
    """Whether a timer or daemon calls Digest for this home folder, and is switched on."""
    # Of a caller whose home folder cannot be read nobody knows that it is another's.
    ours = [item for item in found if item.home is None or _same(item.home, home)]
    working = [item for item in ours if item.active is not False]
    if working:
        return _working(working)
    if ours:
        idle = f"{ours[0].path} is installed, and not active"
        return warn(idle, "'digest timer status' tells more")
    other = f" for {home}; {found[0].path} calls it for {found[0].home}" if found else ""
    return warn(f"nothing calls Digest{other}", "'digest timer install' sets that up")


def _working(timers: Sequence[Installed]) -> Finding:
    only, *others = timers
    if others:
        paths = " and ".join(f"{item.kind} ({item.path})" for item in timers)
        return warn(f"{paths} both call Digest: harmless, and one is enough", "remove one")
    unknown = "" if only.active else "; whether it is active is not known"
    return ok(f"{only.kind}: {only.path}{unknown}")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError):
        return one == other


def check_last_run(db: Path, now: datetime) -> Finding:
    """When a cycle last ran, and how it ended."""
    if not db.exists():
        return skip("there is no database yet")
    run = examined(db).last_run
    if run is None:
        return warn("none yet", "try one: 'digest run'")
    when, age = in_utc(run.started), now - run.started
    return first(
        (
            -age >= SKEW,
            fail(
                f"{when}, which lies ahead of this machine's clock",
                "'digest db clock' compares it with arXiv's, as the next run does",
                Cause.OTHER,
            ),
        ),
        (
            age > RUN_EVERY,
            warn(
                f"{when}, more than a day ago",
                "'digest timer status' tells whether anything calls it",
            ),
        ),
        (
            run.finished is None and age > INTERRUPTED,
            warn(f"{when}, interrupted", "the next run finishes what is left: 'digest run'"),
        ),
        (run.finished is None, ok(f"{when}, at work or interrupted")),
        (run.trouble, warn(f"{when}: {run.trouble}", "'digest status' tells more")),
        (True, ok(when)),
    )
