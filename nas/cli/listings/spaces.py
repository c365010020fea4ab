"""The commands `nas spaces` and `nas profile`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.console import print_json, results
from nas.cli.options import Classes, Json

if TYPE_CHECKING:
    from search_spaces import Architecture, SearchSpace, Task
    from search_spaces.cost.effective import Effective


def spaces(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A search space, as for nas search --space."),
    ] = None,
    input: Annotated[  # noqa: A002 - the option is called --input
        str | None,
        typer.Option(
            "--input", help="Shape of one input. Default: 3x32x32, 3x128 or 64, as the space needs."
        ),
    ] = None,
    classes: Classes = 10,
    trials: Annotated[
        int | None, typer.Option(help="Warn if the space has fewer networks than this.")
    ] = None,
    json: Json = False,
) -> None:
    """List the search spaces, or report on the one called NAME."""
    if name is not None:
        _report_space(name, input, classes, trials, as_json=json)
        return
    from math import isfinite

    from rich.table import Table

    from search_spaces import get
    from search_spaces.registry import names, plugin_of
    from search_spaces.task import KINDS

    rows = {name: get(name) for name in names()}
    packages = {
        name: plugin.distribution for name in rows if (plugin := plugin_of(name)) is not None
    }
    if json:
        print_json(
            [
                {
                    "name": name,
                    "size": s.size if isfinite(s.size) else None,
                    "inputs": list(s.inputs),
                    "dense": s.dense,
                    "known": list(s.known),
                    "settings": dict(s.settings),
                    "source": s.source,
                    "package": packages.get(name),
                }
                for name, s in rows.items()
            ]
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in ("space", "architectures", "for", "settings", "source"):
        table.add_column(column, overflow="fold")
    for name, s in rows.items():
        size = f"{s.size:,}" if s.size < 1e9 else f"{float(s.size):.1e}"
        kinds = ", ".join(KINDS[axes].split()[0] for axes in s.inputs)
        kinds += ", one output per pixel" if s.dense else ""
        settings = ", ".join(f"{k}={v}" for k, v in s.settings.items())
        table.add_row(name, size, kinds, settings, packages.get(name, s.source))
    results().print(table)


def _report_space(
    name: str, shape: str | None, classes: int, trials: int | None, *, as_json: bool
) -> None:
    from nas.analysis.space_report import report, usual_task
    from nas.views.terminal.space import lines
    from search_spaces import Task, load
    from search_spaces.task import parse_shape

    space = load(name)
    task = usual_task(space, classes)
    if shape is not None:
        task = Task(parse_shape(shape), classes, dense=space.dense)
    document = report(space, task, trials)
    if as_json:
        print_json(document)
    else:
        for line in lines(document):
            print(line)


def profile(
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="A search space, as for nas search --space.")
    ],
    architecture: Annotated[
        str,
        typer.Argument(metavar="ARCHITECTURE", help="A published name or a notation of the space."),
    ],
    input: Annotated[  # noqa: A002 - the option is called --input
        str, typer.Option("--input", help="Shape of one input.")
    ] = "3x32x32",
    classes: Classes = 10,
    effective: Annotated[
        bool,
        typer.Option(
            "--effective",
            help="Build the network, and list the parameters that cannot change its output.",
        ),
    ] = False,
    proxies: Annotated[
        str | None,
        typer.Option(
            help="Zero-cost proxies to measure on noise and random targets: all, auto, or names joined by +."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Count parameters, MACs and memory of an architecture."""
    from dataclasses import asdict

    from nas.core.numbers import short
    from search_spaces import Task, load
    from search_spaces.task import parse_shape

    shape = parse_shape(input)
    opened = load(space)
    task = Task(shape, classes, dense=opened.dense)
    parsed = opened.parse(architecture)
    cost = opened.cost(parsed, task)
    found = _effective(opened, parsed, task) if effective else None
    scores, missing = _proxies(opened, parsed, task, proxies) if proxies else ({}, {})
    if json:
        print_json(
            {
                "space": space,
                "architecture": str(parsed),
                "notation": opened.format(parsed),
                "input": list(shape),
                "classes": classes,
                **asdict(cost),
                **({} if found is None else {"effective": asdict(found)}),
                **({"proxies": scores, "missing_proxies": missing} if proxies else {}),
            }
        )
    else:
        print(f"{opened.format(parsed)}")
        print(f"parameters              {cost.parameters:,}")
        print(f"MACs                    {cost.macs:,} ({short(cost.macs)})")
        print(f"peak activation memory  {cost.peak_activation_bytes:,} bytes")
        if found is not None:
            print(f"effective parameters    {found.effective:,}")
            for name in found.idle:
                print(f"  without effect: {name}")
        for name, score in scores.items():
            print(f"{name:24}{score:,.6g}")
        for name, why in missing.items():
            print(f"{name:24}missing: {why}")


def _proxies(
    space: SearchSpace, architecture: Architecture, task: Task, names: str
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores of the untrained network, and the reasons of those that are missing."""
    from nas.estimators.proxies import parse
    from nas.estimators.proxy_batch import Batch, measure

    wanted = parse(names)
    return measure(space, architecture, task, wanted, Batch.random(task, 0), seed=0)


def _effective(space: SearchSpace, architecture: Architecture, task: Task) -> Effective:
    from nas.estimators.effective import random_inputs
    from search_spaces.cost.effective import effective_parameters

    if space.build is None:
        raise ValueError(f"--effective: want a space with networks, got {space.name}")
    return effective_parameters(lambda: space.compile(architecture, task), random_inputs(task))
