"""Where commands print: results to stdout, progress and messages to stderr."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def results() -> Console:
    """Where results go."""
    from rich.console import Console

    return Console(markup=False, highlight=False)


def messages() -> Console:
    """Where progress and messages go."""
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document to stdout.

    Raises:
        ValueError: a number in it is not finite.
    """
    import json

    print(json.dumps(document, indent=2, allow_nan=False))
