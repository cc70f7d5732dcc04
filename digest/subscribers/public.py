"""The section `public`: which keywords strangers may see on the web."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from digest.errors import one_line
from digest.model import Keyword
from digest.subscribers.document import NodeKind, YamlNode
from digest.subscribers.guesses import nearest
from digest.subscribers.quoting import write
from digest.subscribers.values import Report, WrongValueError

SECTION = "public"
ALL = "all"
"""Every keyword that stands in the file, those of its readers' own included."""


def read_public(
    report: Report, node: YamlNode, names: Mapping[str, Keyword | None], used: Sequence[Keyword]
) -> tuple[Keyword, ...]:
    """The keywords that a list of names makes public; `names` are those that the file defines, by
    their casefolded names, and `used` all that stand in it.

    Nobody rests on this section: a name that is wrong makes one keyword less public.
    """
    if node.is_nothing:
        return ()
    if node.kind is NodeKind.TEXT and node.value == ALL:
        return tuple(used)
    known = {one_line(keyword.name).casefold(): keyword for keyword in used}
    known |= {name: keyword for name, keyword in names.items() if keyword}

    def named(text: str) -> Keyword:
        name = one_line(text).casefold()
        if name in known:
            return known[name]
        near = nearest(name, known)
        raise WrongValueError(
            f"there is no keyword {text.strip()!r} that could be public",
            write(known[near].name) if near else "",
        )

    found: dict[str, Keyword] = {}
    # With a name of its own a mistake here is none of the file as a whole.
    with report.entry(SECTION, SECTION):
        for keyword in report.values(node, f"{SECTION} ({ALL}, or names)", "a keyword", named):
            found.setdefault(keyword.query, keyword)
    return tuple(found.values())
