"""The commands `nas strategies` and `nas schedules`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from nas.cli.console import print_json, results
from nas.cli.options import Json

if TYPE_CHECKING:
    from nas.core.registry import Entry


def strategies(json: Json = False) -> None:
    """List the search strategies."""
    from nas.strategies import STRATEGIES

    _list("strategy", STRATEGIES, as_json=json)


def schedules(json: Json = False) -> None:
    """List the schedules, which set the epochs of each trial."""
    from nas.schedules import SCHEDULES

    _list("schedule", SCHEDULES, as_json=json)


def _list(kind: str, entries: Mapping[str, Entry], *, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        print_json(
            [
                {
                    "name": name,
                    "summary": entry.described(),
                    "source": entry.source,
                    "package": None if entry.plugin is None else entry.plugin.distribution,
                }
                for name, entry in entries.items()
            ]
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in (kind, "what it does", "source"):
        table.add_column(column, overflow="fold")
    for name, entry in entries.items():
        source = entry.source if entry.plugin is None else entry.plugin.distribution
        table.add_row(name, entry.described(), source)
    results().print(table)
