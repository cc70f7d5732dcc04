"""The operator's own list of arXiv's holidays: a file in the home folder, beside the built-in
list.
"""

from __future__ import annotations

from pathlib import Path

from digest.errors import ConfigError
from digest.rules.calendar import load_holidays, use_holidays

HOLIDAYS_FILE = "holidays.json"


def take_holidays(home: Path) -> str:
    """Let the home folder's list count from now on; returns what is wrong with it, or "".

    A list that cannot be read is not used: a mistake in it must keep no digest from leaving.
    """
    # First without the list of an earlier home folder: there is one for the whole process
    # (docs/decisions.md: The operator's holidays are set once for the process).
    use_holidays(None)
    path = home / HOLIDAYS_FILE
    try:
        use_holidays(load_holidays(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return ""
    except ConfigError as error:
        return f"{path} is not used: {error}"
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", "") or "not UTF-8"
        return f"{path} is not used: it cannot be read ({why})"
    return ""
