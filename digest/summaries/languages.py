"""In which language a text is; needs the extra `summaries`."""

from __future__ import annotations

import importlib.util
from functools import cache
from typing import Any

_TAKEN_FOR = {"nb": "no", "nn": "no", "hr": "sr", "bs": "sr", "ms": "id"}
"""Languages that a few sentences do not tell apart, or that have a wider one's name there."""


def is_installed() -> bool:
    """Whether languages can be told here."""
    return importlib.util.find_spec("py3langid") is not None


def is_known(tag: str) -> bool:
    """Whether it can be told that a text is in this language (a BCP 47 tag)."""
    return _primary(tag) in {_primary(label) for label in _identifier().labels}


def is_in(text: str, tag: str) -> bool:
    """Whether a text is in this language, whatever the script or region that the tag names."""
    return _primary(_identifier().classify(text)[0]) == _primary(tag)


def _primary(tag: str) -> str:
    language = tag.partition("-")[0].lower()
    return _TAKEN_FOR.get(language, language)


@cache
def _identifier() -> Any:
    """The model of py3langid, which takes a third of a second to load."""
    from py3langid import langid

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
