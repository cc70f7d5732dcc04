"""`digest manual`, manual pages, and `digest completion`, both from what the commands say of
themselves.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
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
        files = {f"{one.name.replace(' ', '-')}.1": _page(one, commands) for one in commands}
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
class _Described:
    """A command as it is described: `options` are (flags, text)."""

    name: str
    summary: str
    usage: str
    paragraphs: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    examples: tuple[str, ...]


def _commands(command: click.Command, context: click.Context, name: str) -> Iterator[_Described]:
    """A command, and those below it."""
    records = (p.get_help_record(context) for p in command.get_params(context))
    options = (record for record in records if record is not None and record[1])
    yield _Described(
        name=name,
        summary=command.get_short_help_str(limit=200).rstrip("."),
        usage=" ".join([name, *command.collect_usage_pieces(context)]),
        paragraphs=tuple(one_line(p) for p in (command.help or "").replace("\b", "").split("\n\n")),
        options=tuple(options),
        examples=getattr(command, "examples", ()),
    )
    if isinstance(command, click.Group):
        for word in command.list_commands(context):
            inner = command.get_command(context, word)
            if inner is not None and not inner.hidden:
                yield from _commands(
                    inner, click.Context(inner, info_name=word, parent=context), f"{name} {word}"
                )


def _page(one: _Described, commands: list[_Described]) -> str:
    """One manual page, in man(7)'s macros."""
    title = one.name.replace(" ", "-")
    lines = [f'.TH {title.upper()} 1 "" "digest {__version__}" "Digest"', ".SH NAME"]
    lines += [
        f"{_escaped(title)} \\- {_escaped(one.summary)}",
        ".SH SYNOPSIS",
        _escaped(one.usage),
        ".SH DESCRIPTION",
    ]
    for paragraph in one.paragraphs:
        lines += [".PP", _escaped(paragraph)]
    lines += [".SH OPTIONS"] if one.options else []
    for flags, text in one.options:
        lines += [".TP", f".B {_escaped(flags)}", _escaped(text)]
    lines += [".SH EXAMPLES", ".nf", *map(_escaped, one.examples), ".fi"] if one.examples else []
    below = [c.name for c in commands if c.name.startswith(one.name + " ")]
    lines += [".SH SEE ALSO"] if below else []
    lines += [f".BR {_escaped(name.replace(' ', '-'))} (1)" for name in below]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    """Text of which no line can be taken for a macro (groff_man(7))."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def reference(commands: list[_Described]) -> str:
    """All commands in one Markdown document."""
    lines = [
        "# Commands",
        "",
        "Written by `digest manual --markdown docs`; what `--help` says is the same.",
    ]
    for one in commands:
        lines += ["", f"## {one.name}", "", f"    {one.usage}", ""]
        lines += ["\n\n".join(one.paragraphs)]
        if one.options:
            lines += ["", "| flag | |", "|---|---|"]
            lines += [
                f"| `{flags}` | {text.replace('|', chr(92) + '|')} |" for flags, text in one.options
            ]
        if one.examples:
            lines += ["", "Examples:" if len(one.examples) > 1 else "Example:", ""]
            lines += [f"    {example}" for example in one.examples]
    return "\n".join(lines) + "\n"
