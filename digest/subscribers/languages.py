"""Languages as the subscribers file names them: BCP 47 tags, such as de, pt-BR or zh-Hans."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from digest.model import Summary
from digest.subscribers.document import YamlNode
from digest.subscribers.values import WrongValueError

ENGLISH = "en"
"""The language of arXiv's abstracts."""

# language ["-" script] ["-" region] *("-" variant), as far as people write it (RFC 5646, 2.1).
_TAG = re.compile(
    r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?"
    r"((?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*)"
)
# All of two letters (ISO 639-1); of three there are thousands.
_KNOWN = frozenset(
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu"
    " cv cy da de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi"
    " ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks"
    " ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl"
    " nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl"
    " sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve"
    " vi vo wa wo xh yi yo za zh zu".split()
)
_MEANT = {
    "arabic": "ar",
    "chinese": "zh",
    "cn": "zh",
    "cz": "cs",
    "czech": "cs",
    "dk": "da",
    "dutch": "nl",
    "english": "en",
    "french": "fr",
    "german": "de",
    "deutsch": "de",
    "gr": "el",
    "greek": "el",
    "hindi": "hi",
    "italian": "it",
    "japanese": "ja",
    "jp": "ja",
    "korean": "ko",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "swedish": "sv",
    "turkish": "tr",
    "ua": "uk",
    "ukrainian": "uk",
}
"""What people write in place of a tag: names in English, countries."""


def read_language(text: str) -> str:
    """A tag in the usual case (`zh-Hans`, `pt-BR`). Raises ValueError where it is none."""
    match = _TAG.fullmatch(text.strip().replace("_", "-").lower())
    if match is None or (len(match[1]) == 2 and match[1] not in _KNOWN):
        raise ValueError(text)
    language, script, region, variants = match.groups()
    parts = (language, script and script.title(), region and region.upper())
    return "-".join(filter(None, parts)) + (variants or "")


def meant_language(text: str) -> str:
    """The tag that is meant by another text, or ""."""
    return _MEANT.get(text.strip().lower(), "")


def is_english(tag: str) -> bool:
    """Whether a tag stands for English, whichever."""
    return tag.partition("-")[0] == ENGLISH


def refuse_untranslatable(
    own: Mapping[str, YamlNode], values: Mapping[str, Any], entry: YamlNode
) -> None:
    """Raise WrongValueError where a reader wants translations into the abstracts' own language."""
    if values.get("summary") is Summary.TRANSLATE and is_english(values.get("language", ENGLISH)):
        raise WrongValueError(
            "summary: translate needs a language: beside it, other than English, such as de",
            node=own.get("summary", own.get("language", entry)),
        )
