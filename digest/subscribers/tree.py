"""The subscribers file's own parts in the tree: its sections, its lists of keywords, and how they
change.
"""

from __future__ import annotations

from collections.abc import Iterator

from digest.errors import UsageError
from digest.keywords.grammar import make_keyword
from digest.model import Rule
from digest.subscribers.document import Document, Mapping, Node, Scalar, Sequence
from digest.subscribers.draft import Draft
from digest.subscribers.load import Checked, fold
from digest.subscribers.quoting import write

Definition = tuple[str, str | None, Rule | None]
"""A keyword's name, its query (None: the name itself), and its rule (None: as usual)."""


def section(document: Document, name: str) -> tuple[Scalar, Node] | None:
    """One of the file's sections: its name and its value."""
    return pair(document.root, name) if document.root else None


def pair(node: Node, name: str) -> tuple[Scalar, Node] | None:
    """A name and its value in a mapping."""
    pairs = node.pairs if isinstance(node, Mapping) else []
    return next(((key, value) for key, value in pairs if key.value == name), None)


def items(node: Node) -> list[Node]:
    """The members of a list; none where the list is not there."""
    return node.items if isinstance(node, Sequence) else []


def as_list(node: Node) -> Sequence:
    """A node that the checked file is known to have as a list."""
    assert isinstance(node, Sequence)
    return node


def texts(node: Node) -> list[str]:
    """The texts in a list of single values."""
    return [item.value for item in items(node) if isinstance(item, Scalar)]


def default_items(checked: Checked) -> list[str]:
    """The keywords of readers who list none, as written."""
    defaults = section(checked.document, "defaults")
    found = pair(defaults[1], "keywords") if defaults else None
    return texts(found[1]) if found else []


def default_fields(checked: Checked) -> set[str]:
    """The names of the fields that have a value for all who do not say otherwise."""
    defaults = section(checked.document, "defaults")
    return (
        {key.value for key, _ in defaults[1].pairs}
        if defaults and isinstance(defaults[1], Mapping)
        else set()
    )


def keyword_items(checked: Checked, entry: Mapping) -> list[str]:
    """A reader's keywords as written: their own list, or the one of all."""
    found = pair(entry, "keywords")
    return texts(found[1]) if found else default_items(checked)


def keyword_lists(checked: Checked) -> Iterator[tuple[str, Scalar, Sequence]]:
    """Every list in which a keyword's name can stand, and whose it is; one that is only named there
    is left out.
    """
    owners = [(who, node) for who, node in checked.entries.items()]
    defaults, groups = section(checked.document, "defaults"), section(checked.document, "groups")
    if defaults and isinstance(defaults[1], Mapping):
        owners.insert(0, ("defaults", defaults[1]))
    found = [
        (who, *each)
        for who, node in owners
        for each in node.pairs
        if each[0].value in ("keywords", "exclude")
    ]
    if groups and isinstance(groups[1], Mapping):
        found = [(f"the group {key.value}", key, value) for key, value in groups[1].pairs] + found
    for who, key, value in found:
        if isinstance(value, Sequence) and not value.alias:
            yield who, key, value


def add_keywords(draft: Draft, entry: Mapping, inherited: list[str], missing: list[str]) -> None:
    """Add keywords to a reader's list; one who had those of all gets a list that begins with
    them.
    """
    written = [write(text) for text in missing]
    if found := pair(entry, "keywords"):
        draft.add_items(*found, written)
    else:
        draft.set_field(entry, "keywords", f"[{', '.join([*map(write, inherited), *written])}]")


def drop_keywords(draft: Draft, entry: Mapping, listed: list[str], drop: set[int]) -> None:
    """Take keywords out of a reader's list; one who had those of all gets a list of what is
    left.
    """
    if found := pair(entry, "keywords"):
        draft.remove_items(found[0], as_list(found[1]), drop)
    else:
        left = [write(text) for index, text in enumerate(listed) if index not in drop]
        draft.set_field(entry, "keywords", f"[{', '.join(left)}]")


def remove_field(draft: Draft, entry: Mapping, name: str) -> None:
    """Take a field out of a reader's entry, if it is there."""
    if found := pair(entry, name):
        draft.remove_pair(None, entry, found[0])


def define_all(checked: Checked, draft: Draft, definitions: list[Definition]) -> None:
    """Add names to the section `keywords`; one that is there with the same query is left alone."""
    fresh = []
    for name, query, match in definitions:
        keyword = make_keyword(name, query, match)
        known = checked.names.get(fold(name))
        if known and known.query != keyword.query:
            raise UsageError(
                f"{known.name} is a keyword of the file already, and not with match: {match}",
                remedy="leave --match out, or change it in the file",
            )
        if not known:
            fresh.append((name, query, match))
    if not fresh:
        return
    found = section(checked.document, "keywords")
    pairs = [(write(definition[0]), _definition_text(*definition)) for definition in fresh]
    node = found[1] if found else None
    if (
        found
        and isinstance(node, Sequence)
        and all(query is match is None for _, query, match in fresh)
    ):
        draft.add_items(found[0], node, [write(name) for name, _, _ in fresh])
    elif isinstance(node, Sequence) and node.items:
        draft.list_to_mapping(node, pairs)
    elif isinstance(node, Mapping) and node.pairs:
        draft.add_pairs(node, pairs)
    elif found:
        draft.fill_section(*found, pairs)
    else:
        draft.add_section("keywords", [f"  {name}: {value}" for name, value in pairs])


def _definition_text(name: str, query: str | None, match: Rule | None) -> str:
    text = write(name if query is None else query)
    return f"{{query: {text}, match: {match}}}" if match else text


def undefine(checked: Checked, draft: Draft, name: str) -> None:
    """Take a name out of the section `keywords`."""
    key, node = section(checked.document, "keywords") or (None, None)
    if isinstance(node, Mapping):
        draft.remove_pair(
            key, node, next(each for each, _ in node.pairs if fold(each.value) == fold(name))
        )
    elif isinstance(node, Sequence) and key:
        draft.remove_items(
            key, node, {i for i, text in enumerate(texts(node)) if fold(text) == fold(name)}
        )


def rename(checked: Checked, draft: Draft, old: str, new: str) -> None:
    """Write another name wherever this one stands. A name that is its own query keeps it, written
    out.
    """
    found = section(checked.document, "keywords")
    if not found or not isinstance(found[1], Mapping):
        raise UsageError(
            f"{old} stands in a plain list, where the name is the query",
            remedy=f"'digest keywords add {write(new)} {write(old)}' gives it a name",
        )
    key, value = next((key, value) for key, value in found[1].pairs if fold(key.value) == fold(old))
    draft.replace(key, write(new))
    if isinstance(value, Mapping) and not pair(value, "query"):
        draft.set_field(value, "query", write(old))
    for _, _, node in keyword_lists(checked):
        for item in node.items:
            if isinstance(item, Scalar) and not item.alias and fold(item.value) == fold(old):
                draft.replace(item, write(new))
