"""`digest mcp`: what is on record, for an AI assistant."""

from __future__ import annotations

import sys

import click

from digest.cli.base import Command, Context, pass_context
from digest.errors import ConfigError


@click.command(cls=Command, examples=("digest mcp",))
@pass_context
def mcp(context: Context) -> None:
    """Answer an AI assistant's questions, as a server of the Model Context Protocol (MCP) on
    standard input and output.

    The assistant's program starts this command (docs/assistants.md shows the lines of its
    configuration). Its tools read alone, and ask nobody else: papers, search, why, check_keyword,
    digest. It needs the extra 'mcp'.
    """
    settings = context.settings
    try:
        from digest.cli.besides.mcp_server import make_server
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"'digest mcp' needs {error.name}, which is not installed",
            remedy="in the clone: pip install '.[mcp]'",
        ) from error
    if sys.stdin.isatty():
        context.warn("an assistant's program starts this command; Ctrl-D ends it")
    make_server(settings).run("stdio")
