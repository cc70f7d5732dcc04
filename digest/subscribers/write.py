"""Where the subscribers file is written: a folder that is there, and can be written in."""

from __future__ import annotations

import os
from pathlib import Path

from digest.errors import ConfigError

_ELSEWHERE = "name another home folder with --home or DIGEST_HOME"


def ready_folder(folder: Path) -> None:
    """Make the folder where it is missing, and be sure that files can be written in it.

    Raises ConfigError naming the folder that cannot be made or written, and how another one is
    named.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"the folder {folder} cannot be made ({error.strerror})", remedy=_ELSEWHERE
        ) from error
    if not os.access(
        folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids
    ):
        raise ConfigError(
            f"the folder {folder} cannot be written", remedy=f"run as its owner, or {_ELSEWHERE}"
        )
