"""The commands `nas spaces` and `nas profile`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.console import print_json, results
from nas.cli.listings import settings as described
from nas.cli.options import Classes, Json

if TYPE_CHECKING:
    from search_spaces import Architecture, SearchSpace, Task
    from search_spaces.cost.effective import Effective

_INDENT = 13  # of the explanations in a list of spaces


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
    """List the search spaces and their settings; NAME reports on one."""
    if name is not None:
        _report_space(name, input, classes, trials, as_json=json)
        return
    from search_spaces.registry import names

    if json:
        print_json([_document(each) for each in names()])
        return
    console = results()
    for each in names():
        for line in _listed(each):
            console.print(line, soft_wrap=True)


def _document(name: str) -> dict[str, Any]:
    from math import isfinite

    from search_spaces import get
    from search_spaces.registry import factory_of, plugin_of

    space, plugin = get(name), plugin_of(name)
    return {
        "name": name,
        "size": space.size if isfinite(space.size) else None,
        "inputs": list(space.inputs),
        "dense": space.dense,
        "known": list(space.known),
        "settings": described.document(described.settings_of(factory_of(name))),
        "source": space.source,
        "package": None if plugin is None else plugin.distribution,
    }


def _listed(name: str) -> Iterator[str]:
    """The lines of a space: size, inputs, source and settings."""
    from math import inf

    from search_spaces import get
    from search_spaces.registry import factory_of, plugin_of
    from search_spaces.task import KINDS

    space, plugin = get(name), plugin_of(name)
    size = f"{space.size:,}" if space.size < 1e9 else f"{float(space.size):.1e}"
    size = "unbounded" if space.size == inf else f"{size} architectures"
    kinds = ", ".join(KINDS[axes].split()[0] for axes in space.inputs)
    kinds += ", one output per pixel" if space.dense else ""
    source = space.source if plugin is None else plugin.distribution
    yield from described.definition(name, f"{size}, for {kinds} ({source})", _INDENT)
    yield from described.lines(described.settings_of(factory_of(name)))
    yield ""


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
