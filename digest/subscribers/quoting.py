"""Writes texts as YAML: recognizes what YAML would not take for text, and quotes it."""

from __future__ import annotations

import json
import re
from functools import lru_cache

# The types that plain scalars have under YAML 1.2's core schema, or under YAML 1.1, which many
# programs still read.
_TYPES = (
    (re.compile(r"~|null|", re.IGNORECASE), "nothing"),
    (re.compile(r"true|yes|on", re.IGNORECASE), "true"),
    (re.compile(r"false|no|off", re.IGNORECASE), "false"),
    (re.compile(r"\d{4}-\d\d?-\d\d?([Tt ].*)?"), "a date"),
    (
        re.compile(
            r"[-+]?(0x[0-9a-f_]+|0o?[0-7_]+|0b[01_]+|[0-9][0-9_]*(:[0-5]?[0-9])*)", re.IGNORECASE
        ),
        "a number",
    ),
    (
        re.compile(
            r"[-+]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(e[-+]?\d+)?|[-+]?\.(inf|nan)", re.IGNORECASE
        ),
        "a number",
    ),
)

_PLAIN = re.compile(r"[^\W_]([\w .+/*()-]*[\w.+/*()-])?", re.ASCII)
_PLAIN_GROUP = re.compile(r"\+[^\W_]([\w .+/*()-]*[\w.+/*()-])?", re.ASCII)


@lru_cache(maxsize=4096)
def yaml_type(text: str) -> str:
    """What YAML takes this unquoted text for, in words for people; nothing where it is text."""
    return next((name for pattern, name in _TYPES if pattern.fullmatch(text)), "")


def quote(text: str) -> str:
    """Put a text in quotes: single ones, since queries hold double ones, unless only double ones
    can do.
    """
    if not text.isprintable():
        return json.dumps(text)
    if '"' in text or "\\" in text:
        return "'" + text.replace("'", "''") + "'"
    return f'"{text}"'


def write(text: str) -> str:
    """Write a text as YAML, in or out of brackets, with quotes only where they are needed."""
    harmless = _PLAIN.fullmatch(text) or _PLAIN_GROUP.fullmatch(text) or _is_address(text)
    return text if harmless and not yaml_type(text) else quote(text)


def _is_address(text: str) -> bool:
    """Mail addresses read better without quotes."""
    return re.fullmatch(r"[A-Za-z0-9][\w.+-]*@[\w.-]+\w", text, re.ASCII) is not None
