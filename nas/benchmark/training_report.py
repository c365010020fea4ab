"""The document of a training benchmark as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from nas.core.numbers import counted

PHASES = ("data", "forward", "backward", "optimiser", "idle")


def tables(document: Mapping[str, Any]) -> Group:
    """The tables of the document of `nas.benchmark.training`."""
    machine = document["machine"]
    described = (
        f"{document['data']} on {machine['device']} ({machine['processor']}), "
        f"{document['threads']} threads, torch {machine['versions']['torch']}, "
        f"commit {machine['commit'] or 'unknown'}"
    )
    return Group(Text(described), _loops(document), _ratios(document), _candidates(document))


def _loops(document: Mapping[str, Any]) -> Table:
    table = Table("loop", *_right("candidates/h", "images/s", "accuracy", "peak memory"))
    for loop, found in document["loops"].items():
        table.add_row(
            loop,
            f"{found['candidates_per_hour']:,.1f}",
            f"{found['images_per_second']:,.0f}",
            f"{found['accuracy']:.4f}",
            "unknown" if found["peak_bytes"] is None else f"{found['peak_bytes'] / 2**20:,.0f} MiB",
        )
    return table


def _ratios(document: Mapping[str, Any]) -> Table:
    seeds = len(document["candidates"][0]["ours"]["seconds"])
    table = Table("ours to plain", *_right(f"mean of {counted(seeds, 'seed')}", "95 % confidence"))
    rows = {
        "candidates an hour": document["ratio"],
        **{f"  {space}": found for space, found in document["ratio_by_space"].items()},
        "candidates a processor hour": document["cpu_ratio"],
        "accuracy, difference": document["accuracy_difference"],
    }
    for name, found in rows.items():
        half = found["half_width"]
        table.add_row(name, f"{found['mean']:.4g}", "-" if half is None else f"± {half:.2g}")
    return table


def _candidates(document: Mapping[str, Any]) -> Table:
    """The training step of each candidate: milliseconds, share of each phase, and of the roofline."""
    columns = _right("ms", *PHASES, "roofline")
    table = Table(Column("candidate, in %", no_wrap=True), *columns, box=None)
    for number, candidate in enumerate(document["candidates"]):
        phases = candidate["step_seconds"]
        whole = sum(phases.values())
        table.add_row(
            f"{candidate['space']} {number}",
            f"{1000 * whole:.1f}",
            *(f"{100 * phases[name] / whole:.0f}" for name in PHASES),
            f"{100 * candidate['roofline_share']:.1f}",
        )
    return table


def _right(*names: str) -> list[Column]:
    return [Column(name, justify="right") for name in names]
