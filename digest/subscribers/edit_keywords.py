"""Keywords and groups edited in place: added, set, removed and renamed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from digest.errors import QueryError, UsageError
from digest.keywords.grammar import make_keyword
from digest.model import Rule
from digest.subscribers.check import Checked, fold
from digest.subscribers.document import NodeKind, YamlNode
from digest.subscribers.draft import Draft, pair, single
from digest.subscribers.load import read_text
from digest.subscribers.public import SECTION as PUBLIC
from digest.subscribers.quoting import write
from digest.subscribers.transaction import Edit, check_or_begin, edit_file


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
                f"there is a keyword {known.name} already",
                remedy=f"'digest keywords set {write(known.name)} QUERY' changes its query",
            )
        define(checked, draft, [Definition(name, query, match)])

    return edit_file(path, change, create=True)


def set_keyword(path: Path, name: str, query: str | None, match: Rule | None = None) -> Edit:
    """Give a keyword another query or rule, as often as one likes; without a query it keeps the one
    that it has. Raises UsageError where there is no such keyword.
    """

    def change(checked: Checked, draft: Draft) -> None:
        target = _target(checked, name)
        section = checked.document.part("keywords")
        wanted = Definition(name, query, match)
        if target.section != "keywords":
            define(checked, draft, [wanted])
            return
        index = min(_indexes(section, name))
        if section.kind is NodeKind.LIST:
            draft.list_to_mapping(section, values={index: wanted.written})
            return
        key, value = section.pairs[index]
        if query is None:
            found = value.get("query")
            text = found[1] if found else value if value.kind is NodeKind.TEXT else key
            wanted = Definition(name, text.value, match)
        draft.set_field(section, key.value, wanted.written)

    return edit_file(path, change)


def list_groups(path: Path) -> list[tuple[str, list[str], list[str]]]:
    """Each group's name, the keywords that it holds, and the readers who have it."""
    read_text(path)
    checked = check_or_begin(path)
    groups = []
    for key, _ in checked.document.part("groups").pairs:
        target = _target(checked, f"+{key.value}")
        members = [keyword.name for keyword in checked.groups[fold(key.value)]]
        groups.append((key.value, members, [who for who, _, _ in target.lists]))
    return groups


def set_group(path: Path, name: str, keywords: Sequence[str]) -> Edit:
    """Make a group of keywords, or give it these in the place of those that it has."""

    def change(checked: Checked, draft: Draft) -> None:
        _refuse_nameless(name)
        section = checked.document.part("groups")
        present = {fold(key.value): key.value for key, _ in section.pairs}
        named = (checked.names.get(fold(text)) for text in keywords)
        texts = [known.name if known else text for known, text in zip(named, keywords, strict=True)]
        written = "[" + ", ".join(map(write, texts)) + "]"
        if fold(name) in present:
            draft.set_field(section, present[fold(name)], written)
        else:
            draft.add_to_section("groups", [pair(write(name), written)])

    return edit_file(path, change, create=True)


def remove_keyword(path: Path, name: str, *, force: bool = False) -> Edit:
    """Take a keyword out, or a group (`+name`).

    Where readers or groups have it: UsageError naming them, or with `force` it is taken from them
    too.
    """

    def change(checked: Checked, draft: Draft) -> None:
        target = _target(checked, name)
        if target.lists and not force:
            people = ", ".join(who for who, _, _ in target.lists[:5])
            people += f" and {len(target.lists) - 5} more" if target.lists[5:] else ""
            raise UsageError(f"{name} is used by {people}", remedy="--force takes it from them too")
        for _, list_key, node in target.lists:
            draft.remove(list_key, node, target.items(node))
        if found := checked.document.section(target.section):
            draft.remove(*found, _indexes(found[1], target.name))

    return edit_file(path, change)


def rename_keyword(path: Path, old: str, new: str) -> Edit:
    """Give a keyword, or a group (`+name`), another name wherever it stands; its query and all that
    was sent stay. One that is its own query keeps it, written out.
    """

    def change(checked: Checked, draft: Draft) -> None:
        target = _target(checked, old)
        is_group = target.section == "groups"
        bare = new.lstrip("+ ") if is_group else new
        _refuse_nameless(bare)
        taken = checked.groups.keys() if is_group else checked.names.keys()
        if fold(bare) in taken - {fold(target.name)}:
            raise UsageError(f"there is a {'group' if is_group else 'keyword'} {bare} already")
        if target.section:
            _rename(checked.document.part(target.section), target.name, bare, draft)
        else:
            define(checked, draft, [Definition(bare, old)])
        for _, _, node in target.lists:
            for index in target.items(node):
                if not node.items[index].alias:
                    draft.replace(node.items[index], write(f"+{bare}" if is_group else bare))

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
    if known is None and fold(definition.name) in checked.names:
        raise UsageError(
            f"{definition.name} is a keyword of the file already, and its query is wrong",
            remedy=f"'digest keywords set {write(definition.name)} QUERY' mends it",
        )
    if known and known.query != keyword.query:
        raise UsageError(
            f"{known.name} is a keyword of the file already, "
            f"and not with match: {definition.match}",
            remedy="leave --match out, or change it with 'digest keywords set'",
        )
    return known is None


class _Target(NamedTuple):
    """A keyword or a group that is named to a command: the section that defines it ("": it only
    stands in lists, and is its own query), its name there, and the lists that hold it.
    """

    section: str
    name: str
    is_item: Callable[[str], bool]
    lists: list[tuple[str, YamlNode, YamlNode]]

    def items(self, node: YamlNode) -> set[int]:
        """The indexes of the items of a list that stand for it."""
        return {index for index, text in enumerate(node.texts) if self.is_item(text)}


def _target(checked: Checked, name: str) -> _Target:
    """What a command means by a name. Raises UsageError where the file has nothing of that name."""
    section, bare = "keywords", name
    if name.startswith("+"):
        section, bare = "groups", name[1:].strip()
    elif fold(name) not in checked.names:
        section = ""
    is_item = _item_test(checked, section, bare)
    # What a reader never wants is no keyword of theirs, but a name stands for the same there.
    lists = [each for each in _lists(checked) if section or each[1].value != "exclude"]
    found = [each for each in lists if any(map(is_item, each[2].texts))]
    _refuse_unknown(checked, section, bare, is_used=bool(found))
    return _Target(section, bare, is_item, found)


def _refuse_nameless(name: str) -> None:
    if not name.strip():
        raise UsageError("the new name is empty", remedy="write one, such as +vision for a group")


def _refuse_unknown(checked: Checked, section: str, name: str, *, is_used: bool) -> None:
    if section == "groups" and fold(name) not in checked.groups:
        raise UsageError(f"there is no group +{name}", remedy="'digest keywords groups' lists them")
    if not section and not is_used:
        raise UsageError(f"there is no keyword named {name}", remedy="'digest keywords' lists them")


def _item_test(checked: Checked, section: str, name: str) -> Callable[[str], bool]:
    """Tells whether an item of a list stands for what a section defines under a name, or for a
    keyword that no section defines.
    """
    query = _query_of(name)

    def is_plain(text: str) -> bool:
        own = not text.startswith("+") and fold(text) not in checked.names
        return own and checked.find(text).query == query

    return {
        "groups": lambda text: text.startswith("+") and fold(text[1:]) == fold(name),
        "keywords": lambda text: fold(text) == fold(name),
        "": is_plain,
    }[section]


def _query_of(name: str) -> str:
    try:
        return make_keyword(name).query
    except QueryError:
        return ""


def _rename(section: YamlNode, old: str, new: str, draft: Draft) -> None:
    """Give a name of a section another one; where it is its own query, that is written out."""
    index = min(_indexes(section, old))
    if section.kind is NodeKind.LIST:
        draft.list_to_mapping(section, names={index: write(new)})
        return
    key, value = section.pairs[index]
    draft.replace(key, write(new))
    if value.kind is NodeKind.MAPPING and not value.get("query"):
        draft.set_field(value, "query", write(key.value))


def _indexes(node: YamlNode, name: str) -> set[int]:
    """The indexes of the members of a list or mapping that have this name."""
    return {index for index, text in enumerate(node.texts) if fold(text) == fold(name)}


def _lists(checked: Checked) -> list[tuple[str, YamlNode, YamlNode]]:
    """Every list in which a keyword's name can stand, and whose it is; one that is only named there
    is left out.
    """
    groups = checked.document.part("groups").pairs
    lists = [(f"the group {name.value}", name, members) for name, members in groups]
    if public := checked.document.section(PUBLIC):
        lists.append(("the public list", *public))
    # An entry whose address cannot be read is one all the same.
    known = {id(entry): address for address, entry in checked.entries.items()}
    entries = checked.document.part("subscribers").items
    owners = [("defaults", checked.document.part("defaults"))]
    owners += [(known.get(id(each), f"entry {n}"), each) for n, each in enumerate(entries, 1)]
    for who, owner in owners:
        lists += [(who, *pair) for pair in owner.pairs if pair[0].value in ("keywords", "exclude")]
    return [each for each in lists if each[2].kind is NodeKind.LIST and not each[2].alias]
