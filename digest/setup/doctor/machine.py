"""The machine's own part: time zones, arXiv's calendar, and whether anything calls Digest."""

from __future__ import annotations

import importlib
import zoneinfo
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from digest.errors import DigestError
from digest.setup.doctor.check import Check, fail, ok, skip, warn
from digest.setup.settings import Survey

if TYPE_CHECKING:
    from digest.system.timers.found import Installed

HOLIDAYS_AHEAD = timedelta(days=60)
RUN_EVERY = timedelta(hours=26)
"""A daily run may come two hours later than the day before."""
INTERRUPTED = timedelta(hours=2)
OLD_ZONES = 2
"""Years after which zone data has most likely missed a change of some country's law."""


def check_zones(now: datetime) -> Check:
    """Whether time zones are known, with summer time, and how old that knowledge is."""
    name = "zone data"
    try:
        york = zoneinfo.ZoneInfo("America/New_York")
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        return fail(
            name,
            "there is none: no reader's hour can be told",
            "install tzdata (apt install tzdata)",
        )
    hours = [
        york.utcoffset(datetime(now.year, month, 15, tzinfo=UTC).astimezone(york))
        for month in (1, 7)
    ]
    if hours != [timedelta(hours=-5), timedelta(hours=-4)]:
        return fail(name, "New York's hours are wrong in it", "install tzdata anew")
    version = _zones_version()
    if version[:4].isdigit() and int(version[:4]) < now.year - OLD_ZONES:
        return warn(
            name,
            f"of {version}, which may have missed a change of law",
            "update the system's tzdata",
        )
    return ok(name, f"of {version}" if version else "there, of an unknown version")


def _zones_version() -> str:
    """The release of the data that Python reads: the system's, else the package's; nothing where it
    is not told.
    """
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / "America/New_York").exists():
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


def check_holidays(today: date, home: Path) -> Check:
    """Until when arXiv's holidays are known, with the home folder's own list; unknown nights count
    as ordinary ones.
    """
    from digest.rules.calendar import known_holidays
    from digest.setup.holidays import HOLIDAYS_FILE, take_holidays

    name, own = "holidays", home / HOLIDAYS_FILE
    if trouble := take_holidays(home):
        return fail(name, trouble, f"mend {own}; until then the built-in list counts alone")
    years = known_holidays().years
    last = today.year - 1
    while last + 1 in years:
        last += 1
    left = date(last, 12, 31) - today
    if left < timedelta(0):
        return warn(
            name,
            f"arXiv's holidays of {today.year} are not known",
            f"update Digest, or write them into {own}",
        )
    if left < HOLIDAYS_AHEAD:
        return warn(
            name,
            f"known to the end of {last}: {left.days} days more; after that a night without announcement has no name",
            f"nothing now; once arXiv has listed them, update Digest or write them into {own}",
        )
    return ok(name, f"known to the end of {last}")


def check_caller(survey: Survey, found: Sequence[Installed]) -> Check:
    """Whether a timer or daemon calls Digest for this home folder, and is switched on."""
    name = "timer"
    home = survey.settings.home
    ours = [item for item in found if item.home is None or _same(item.home, home)]
    if not ours:
        elsewhere = f" for {home}; {found[0].path} calls it for {found[0].home}" if found else ""
        return warn(name, f"nothing calls Digest{elsewhere}", "'digest timer install' sets that up")
    working = [item for item in ours if item.active is not False]
    if not working:
        return warn(
            name, f"{ours[0].path} is installed, and not active", "'digest timer status' tells more"
        )
    if len(working) > 1:
        paths = " and ".join(f"{item.kind} ({item.path})" for item in working)
        return warn(name, f"{paths} both call Digest: harmless, and one is enough", "remove one")
    state = "" if working[0].active else "; whether it is active is not known"
    return ok(name, f"{working[0].kind}: {working[0].path}{state}")


def _same(one: Path, other: Path) -> bool:
    try:
        return one.resolve() == other.resolve()
    except (OSError, RuntimeError):
        return one == other


def check_last_run(survey: Survey, now: datetime) -> Check:
    """When a cycle last ran, and how it ended."""
    from digest.store.health import examine

    name = "last run"
    if not survey.settings.db.exists():
        return skip(name, "there is no database yet")
    try:
        run = examine(survey.settings.db, thoroughly=False).last_run
    except DigestError:
        return skip(name, "the database cannot be read")
    if run is None:
        return warn(name, "none yet", "try one: 'digest run'")
    when = f"{run.started:%Y-%m-%d %H:%M} UTC"
    if now - run.started > RUN_EVERY:
        return warn(
            name,
            f"{when}, more than a day ago",
            "'digest timer status' tells whether anything calls it",
        )
    if run.finished is None:
        if now - run.started > INTERRUPTED:
            return warn(
                name, f"{when}, interrupted", "the next run finishes what is left: 'digest run'"
            )
        return ok(name, f"{when}, at work or interrupted")
    if run.trouble:
        return warn(name, f"{when}: {run.trouble}", "'digest status' tells more")
    return ok(name, when)
