"""Consoles of the commands: results go to stdout, progress and messages to stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console


def results() -> Console:
    """Make the console for results, on stdout."""
    from rich.console import Console

    return Console(markup=False, highlight=False)


def messages() -> Console:
    """Make the console for progress and messages, on stderr."""
    from rich.console import Console

    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    console.soft_wrap = not console.is_terminal  # a terminal would break lines within words
    return console


def print_json(document: Any) -> None:
    """Print one JSON document to stdout.

    Raises:
        ValueError: a number in it is not finite.
    """
    import json

    print(json.dumps(document, indent=2, allow_nan=False))


def help_without_command(context: typer.Context) -> None:
    """Print the help if no command was given."""
    if context.invoked_subcommand is None:
        print(context.get_help())
