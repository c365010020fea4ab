"""Comparison of runs, as tables of 80 columns and as a JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from rich.table import Table

from nas.analysis.comparison import Comparison, Group
from nas.core.numbers import short
from nas.views.columns import estimate_text, mean_unit

WIDE = 4  # most groups in 80 columns


def comparison_tables(found: Comparison) -> Iterator[str | Table]:
    """Yield the lines and tables of `nas compare`."""
    for group in found.groups:
        differs = ", ".join(f"{name} {value}" for name, value in group.differs.items())
        yield f"{group.name}: {', '.join(group.runs)}" + (f" ({differs})" if differs else "")
    for run, same in found.repeated.items():
        yield f"{run} has the settings and the seed of {same}: counted once"
    for start in range(0, len(found.groups), WIDE):
        yield _side_by_side(found, found.groups[start : start + WIDE])
    ends = ", ".join(f"{value:,.0f} {name}" for name, value in found.references.items())
    yield (
        f"after {found.trials[-1]} trials each; "
        + (f"hypervolumes end at {ends}; " if ends else "")
        + ("a trial may be one stage of a training; " if found.has_stages else "")
        + "± is the 95 % t-interval of the mean over seeds; p: Mann-Whitney against A"
    )


def _side_by_side(found: Comparison, groups: Sequence[Group]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("", overflow="fold")
    for group in groups:
        table.add_column(group.name, justify="right", no_wrap=True)

    first = found.objective

    rows = [
        ("seeds", [_few(g.seeds) for g in groups]),
        ("trials", [_few(g.trials) for g in groups]),
        ("failed", [_few(g.failed) for g in groups]),
        ("seconds", [f"{g.seconds:,.0f}" for g in groups]),
        ("trials on the front", [f"{g.front:.3g}" for g in groups]),
        (f"best {first.noun}{mean_unit(first)}", [estimate_text(first, g.best) for g in groups]),
    ]
    if found.cost is not None:
        for i, size in enumerate(found.sizes):
            title = f"  up to {short(size)} {found.cost.label}"
            rows.append((title, [estimate_text(first, g.sizes[i]) for g in groups]))
    if (area := found.hypervolume) is not None:
        for i, count in enumerate(found.trials):
            title = f"hypervolume after {count}{mean_unit(area)}"
            rows.append((title, [estimate_text(area, g.areas[i]) for g in groups]))
    rows.append(("p", ["-" if g.p is None else f"{g.p:.3f}" for g in groups]))
    for name, cells in rows:
        table.add_row(name, *cells)
    return table


def comparison_document(found: Comparison) -> dict[str, Any]:
    """The document of `nas compare --json`.

    Keys: objective (the first), cost (or null), trials, sizes (limits of the cost), references,
    repeated (runs not counted, by the run with the same seed) and groups; each group has name, runs, seeds, differs, trials, failed, seconds, front, best (or
    null), sizes, areas (mean and half each) and p.
    """
    cost = None if found.cost is None else found.cost.name
    document = {**asdict(found), "objective": found.objective.name, "cost": cost}
    del document["hypervolume"]  # the values are in `areas`
    return document


def _few(numbers: Sequence[int]) -> str:
    distinct = sorted(set(numbers))
    if len(distinct) > 2:
        return f"{distinct[0]} to {distinct[-1]}"
    return ", ".join(map(str, distinct))
