"""The section `keywords` edited in place: names for queries added, removed and renamed."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from digest.errors import UsageError
from digest.keywords.grammar import make_keyword
from digest.model import Rule
from digest.subscribers.check import Checked, fold
from digest.subscribers.document import NodeKind, YamlNode
from digest.subscribers.draft import Draft, pair, single
from digest.subscribers.quoting import write
from digest.subscribers.transaction import Edit, edit_file


class Definition(NamedTuple):
    """A keyword's name, its query (None: the name itself), and its rule (None: as usual)."""

    name: str
    query: str | None = None
    match: Rule | None = None

    @property
    def written(self) -> str:
        """What stands behind the name in the file."""
        text = write(self.name if self.query is None else self.query)
        return f"{{query: {text}, match: {self.match}}}" if self.match else text


def add_keyword(path: Path, name: str, query: str | None = None, match: Rule | None = None) -> Edit:
    """Give a query a name; without a query the name is what is searched for. Raises as `edit_file`
    does; the file is made where it is missing.
    """

    def change(checked: Checked, draft: Draft) -> None:
        if known := checked.names.get(fold(name)):
            raise UsageError(
                f"there is a keyword {known.name} already", remedy="change its query in the file"
            )
        define(checked, draft, [Definition(name, query, match)])

    return edit_file(path, change, create=True)


def remove_keyword(path: Path, name: str, *, force: bool = False) -> Edit:
    """Take a named keyword out.

    Where readers or groups have it: UsageError naming them, or with `force` it is taken from them
    too.
    """

    def change(checked: Checked, draft: Draft) -> None:
        key, section = _section_with(checked, name)
        lists = [each for each in _lists(checked) if _indexes(each[2], name)]
        if lists and not force:
            people = ", ".join(who for who, _, _ in lists[:5])
            people += f" and {len(lists) - 5} more" if lists[5:] else ""
            raise UsageError(f"{name} is used by {people}", remedy="--force takes it from them too")
        for _, list_key, node in lists:
            draft.remove(list_key, node, _indexes(node, name))
        draft.remove(key, section, _indexes(section, name))

    return edit_file(path, change)


def rename_keyword(path: Path, old: str, new: str) -> Edit:
    """Give a named keyword another name, wherever it stands; its query stays, and so does all that
    was sent. A name that is its own query keeps it, written out.
    """

    def change(checked: Checked, draft: Draft) -> None:
        _, section = _section_with(checked, old)
        if fold(new) in checked.names and fold(new) != fold(old):
            raise UsageError(f"there is a keyword {new} already")
        if section.kind is not NodeKind.MAPPING:
            raise UsageError(
                f"{old} stands in a plain list, where the name is the query",
                remedy=f"'digest keywords add {write(new)} {write(old)}' gives it a name",
            )
        key, value = section.pairs[min(_indexes(section, old))]
        draft.replace(key, write(new))
        if value.kind is NodeKind.MAPPING and not value.get("query"):
            draft.set_field(value, "query", write(old))
        for _, _, node in _lists(checked):
            for index in _indexes(node, old):
                if not node.items[index].alias:
                    draft.replace(node.items[index], write(new))

    def same_queries(edit: Edit) -> None:
        before, after = (
            (
                [(r.email, {k.query for k in r.keywords}, r.exclude) for r in roster.subscribers],
                {keyword.query for keyword in roster.keywords},
            )
            for roster in (edit.before, edit.after)
        )
        if before != after:
            raise UsageError(
                f"not done: it would change what readers in {path.name} get",
                remedy="choose another name",
            )

    return edit_file(path, change, same_queries)


def define(checked: Checked, draft: Draft, definitions: list[Definition]) -> None:
    """Add names to the section `keywords`; one that is there with the same query is left alone."""
    fresh = [each for each in definitions if _is_fresh(checked, each)]
    if not fresh:
        return
    members = [pair(write(each.name), each.written) for each in fresh]
    section = checked.document.part("keywords")
    if section.kind is NodeKind.LIST and all(each == Definition(each.name) for each in fresh):
        members = [single(write(each.name)) for each in fresh]
    elif section.items:
        draft.list_to_mapping(section)
    draft.add_to_section("keywords", members)


def _is_fresh(checked: Checked, definition: Definition) -> bool:
    """Whether a name is still free. Raises UsageError where it means something else."""
    keyword, known = make_keyword(*definition), checked.names.get(fold(definition.name))
    if known and known.query != keyword.query:
        raise UsageError(
            f"{known.name} is a keyword of the file already, "
            f"and not with match: {definition.match}",
            remedy="leave --match out, or change it in the file",
        )
    return known is None


def _section_with(checked: Checked, name: str) -> tuple[YamlNode, YamlNode]:
    """The section `keywords`, in which this name stands; raises UsageError where it does not."""
    section = checked.document.section("keywords")
    if section is None or fold(name) not in checked.names:
        raise UsageError(f"there is no keyword named {name}", remedy="'digest keywords' lists them")
    return section


def _indexes(node: YamlNode, name: str) -> set[int]:
    """The indexes of the members of a list or mapping that have this name."""
    return {index for index, text in enumerate(node.texts) if fold(text) == fold(name)}


def _lists(checked: Checked) -> list[tuple[str, YamlNode, YamlNode]]:
    """Every list in which a keyword's name can stand, and whose it is; one that is only named there
    is left out.
    """
    groups = checked.document.part("groups").pairs
    lists = [(f"the group {name.value}", name, members) for name, members in groups]
    owners = [("defaults", checked.document.part("defaults")), *checked.entries.items()]
    for who, owner in owners:
        lists += [(who, *pair) for pair in owner.pairs if pair[0].value in ("keywords", "exclude")]
    return [each for each in lists if each[2].kind is NodeKind.LIST and not each[2].alias]
