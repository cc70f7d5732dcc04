"""`digest manual`, manual pages, and `digest completion`, both from what the commands say of
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import click

from digest import __version__
from digest.cli.base import Command, Context, pass_context
from digest.errors import UsageError, one_line
from digest.keywords.words import counted

SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command, examples=("digest manual man1",))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--markdown", is_flag=True, help="Write one Markdown file, commands.md, instead.")
@pass_context
@click.pass_context
def manual(click_context: click.Context, context: Context, folder: Path, markdown: bool) -> None:
    """Write manual pages, one a command, into FOLDER.

    Where FOLDER is ~/.local/share/man/man1, 'man digest' and 'man digest-run' find them.
    """
    root = click_context.find_root()
    commands = list(_commands(root.command, root, "digest"))
    if markdown:
        files = {"commands.md": reference(commands)}
    else:
        files = {f"{_page_name(one)}.1": _page(one, commands) for one in commands}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror})") from error
    context.echo(f"{counted(len(files), 'file')} written to {folder.absolute()}")


@click.command(cls=Command, examples=("digest completion bash",))
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(click_context: click.Context, shell: str) -> None:
    """Print what makes the Tab key complete commands and flags.

    For bash put into ~/.bashrc: eval "$(digest completion bash)"; for zsh likewise into ~/.zshrc;
    for fish write it to ~/.config/fish/completions/digest.fish.
    """
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(click_context.find_root().command, {}, "digest", "_DIGEST_COMPLETE").source())


@dataclass(frozen=True, slots=True)
class _Description:
    """A command as it is described: `options` are (flags, text)."""

    name: str
    summary: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]

    def is_below(self, other: _Description) -> bool:
        """Whether this is a subcommand of the other."""
        return self.name.startswith(other.name + " ")


def _commands(command: click.Command, context: click.Context, name: str) -> Iterator[_Description]:
    """A command, and those below it."""
    records = (param.get_help_record(context) for param in command.get_params(context))
    help_ = (command.help or "").replace("\b", "")
    yield _Description(
        name=name,
        summary=command.get_short_help_str(limit=200).rstrip("."),
        usage=" ".join([name, *command.collect_usage_pieces(context)]),
        paragraphs=tuple(one_line(paragraph) for paragraph in help_.split("\n\n")),
        options=tuple(record for record in records if record and record[1]),
        examples=getattr(command, "examples", ()),
    )
    words = command.list_commands(context) if isinstance(command, click.Group) else ()
    for word in words:
        inner = command.get_command(context, word)  # type: ignore[attr-defined]
        below = click.Context(inner, info_name=word, parent=context)
        yield from _commands(inner, below, f"{name} {word}")


def _page(one: _Description, commands: list[_Description]) -> str:
    """One manual page, in man(7)'s macros."""
    title = _page_name(one)
    below = [f".BR {_escaped(_page_name(c))} (1)" for c in commands if c.is_below(one)]
    options = [(".TP", f".B {_escaped(flags)}", _escaped(text)) for flags, text in one.options]
    sections = {
        "NAME": [f"{_escaped(title)} \\- {_escaped(one.summary)}"],
        "SYNOPSIS": [_escaped(one.usage)],
        "DESCRIPTION": [line for text in one.paragraphs for line in (".PP", _escaped(text))],
        "OPTIONS": list(chain.from_iterable(options)),
        "EXAMPLES": [".nf", *map(_escaped, one.examples), ".fi"] if one.examples else [],
        "SEE ALSO": below,
    }
    lines = [f'.TH {title.upper()} 1 "" "digest {__version__}" "Digest"']
    for heading, texts in sections.items():
        lines += [f".SH {heading}", *texts] if texts else []
    return "\n".join(lines) + "\n"


def _page_name(one: _Description) -> str:
    return one.name.replace(" ", "-")


def _escaped(text: str) -> str:
    """Text of which no line can be taken for a macro (groff_man(7))."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def reference(commands: list[_Description]) -> str:
    """All commands in one Markdown document."""
    lines = [
        "# Commands",
        "",
        "Written by `digest manual --markdown docs`; what `--help` says is the same.",
    ]
    for one in commands:
        lines += ["", f"## {one.name}", "", f"    {one.usage}", "", "\n\n".join(one.paragraphs)]
        rows = [
            f"| `{flags}` | {text.replace('|', chr(92) + '|')} |" for flags, text in one.options
        ]
        lines += ["", "| flag | |", "|---|---|", *rows] if rows else []
        heading = "Examples:" if len(one.examples) > 1 else "Example:"
        examples = [f"    {example}" for example in one.examples]
        lines += ["", heading, "", *examples] if examples else []
    return "\n".join(lines) + "\n"
