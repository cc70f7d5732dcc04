"""The page as a Markdown file, left alone while it says nothing new."""

from __future__ import annotations

from pathlib import Path

from digest.errors import ConfigError
from digest.rendering.page.render import same_but_for_its_date
from digest.system.files import PUBLIC, replace_file


def write_page(path: Path, page: str, *, always: bool = False) -> bool:
    """Put the page in the file's place as a whole; returns whether it was written.

    A page that differs from the file at most in the day that it names is left alone unless
    `always`. Raises ConfigError where the file cannot be written; the old one stays then.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        raise ConfigError(f"{path} is no file", remedy="name a file, such as README.md")
    if not target.parent.is_dir():
        raise ConfigError(
            f"the folder {target.parent} does not exist", remedy="make it, or name another"
        )
    data = page.encode("utf-8")
    old = _read(target)
    if old == data or (
        old is not None
        and not always
        and same_but_for_its_date(old.decode("utf-8", "replace"), page)
    ):
        return False
    replace_file(target, data, mode=PUBLIC)
    return True


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror})") from error
