"""The command `nas fit`: from a file of data to a model within a budget."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from nas.cli.console import messages, print_json
from nas.cli.help import OUTPUT
from nas.cli.options import Device, Force, Json


def fit(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A table (.csv, .tsv, .parquet) with --target, an image folder, an .npz file, a folder "
            "of .npy files, or the name of a data set.",
        ),
    ],
    to: Annotated[Path, typer.Option(help="The folder of the model, a bundle.")],
    target: Annotated[
        str | None,
        typer.Option(help="Column of a table to predict, or several separated by commas."),
    ] = None,
    task: Annotated[
        str,
        typer.Option(
            help="Task: classification, multilabel, regression, or auto, by the targets.",
            rich_help_panel="Data",
        ),
    ] = "auto",
    sample_weight: Annotated[
        str | None,
        typer.Option(
            help="Column of a table with the weight of each row in the loss.",
            rich_help_panel="Data",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(
            help="Axes of arrays: ND, NL, NCL, NLC, NHW, NCHW or NHWC. Default: inferred.",
            rich_help_panel="Data",
        ),
    ] = None,
    budget: Annotated[
        str,
        typer.Option(
            help="Time such as 30s or 2m, or a number of trials, of the fit; the model is written after it."
        ),
    ] = "2m",
    objectives: Annotated[
        str | None,
        typer.Option(
            help="Metrics to optimise, separated by commas. Default: by the data.",
            rich_help_panel="Search",
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="<str>",
            help="Bound on a metric of each network, such as parameters<=50000; one on parameters, macs or latency "
            "holds for the whole ensemble too. May be given several times.",
            rich_help_panel="Search",
        ),
    ] = None,
    ensemble: Annotated[
        int,
        typer.Option(
            help="Most configurations whose networks predict together.", rich_help_panel="Search"
        ),
    ] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the search.", rich_help_panel="Search")] = 0,
    workers: Annotated[
        int, typer.Option(help="Number of trials at a time.", rich_help_panel="Search")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run, which is resumed if it exists. Default: a temporary one.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    device: Device = "auto",
    force: Force = False,
    json: Json = False,
) -> None:
    """Fit a model to your data within a budget: a search, an ensemble, a verified folder to run it anywhere."""
    from nas.automl.fit import Plan, fit, read_file
    from nas.automl.inputs import parse_layout
    from nas.bundles.read import check_target

    check_target(to, force=force)
    console = messages()
    plan = Plan.of(
        {
            "budget": budget,
            "objectives": objectives,
            "limits": tuple(limit or ()),
            "ensemble": ensemble,
            "seed": seed,
            "workers": workers,
            "out": out,
            "device": device,
            "progress": True,
        }
    )
    read = read_file(
        data, target=target, task=task, layout=parse_layout(layout), sample_weight=sample_weight
    )
    fitted = fit(read, plan, say=console.print)
    bundle = fitted.export(to, force=force, notify=console.print)
    if json:
        print_json(
            {"bundle": str(to), "scores": dict(fitted.scores), "leaderboard": fitted.leaderboard}
        )
        return
    for line in fitted.lines():
        print(line)
    print(f"{bundle.path}: verified; {to / 'README.md'} says how to run it")
    print(f"next: nas predict {shlex.quote(str(to))} NEW-DATA")
