"""The commands `nas compare` and `nas portfolio`: several runs together."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.console import messages, print_json, results
from nas.cli.options import Force, Json, SpaceFile

if TYPE_CHECKING:
    from nas.winners.compare import Row


def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN...|BUNDLE...", help="Runs, or bundles.")
    ],
    baselines: Annotated[
        str,
        typer.Option(
            help="Classifiers of torchvision to compare bundles with, such as resnet18,resnet34."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Compare runs, with confidence intervals over seeds; or bundles, with their latency here."""
    are_bundles = [(folder / "manifest.json").is_file() for folder in folders]
    if any(are_bundles) and not all(are_bundles):
        runs = [str(f) for f, is_bundle in zip(folders, are_bundles, strict=True) if not is_bundle]
        raise ValueError(f"want runs or bundles, got both: {runs[0]} is no bundle")
    if all(are_bundles):
        _bundles(folders, [name for name in baselines.split(",") if name], as_json=json)
        return
    if baselines:
        raise ValueError("--baselines: networks of torchvision are compared with bundles, not runs")
    _runs(folders, as_json=json)


def _runs(folders: list[Path], *, as_json: bool) -> None:
    from nas.analysis.comparison import compare_runs
    from nas.runs.run import Run
    from nas.views.terminal.comparison import comparison_document, comparison_tables

    found = compare_runs([Run(folder) for folder in folders])
    if as_json:
        print_json(comparison_document(found))
        return
    console = results()
    for part in comparison_tables(found):
        console.print(part)
        console.print()


def _bundles(folders: list[Path], baselines: list[str], *, as_json: bool) -> None:
    from nas.winners.compare import compare_bundles

    rows = compare_bundles(folders, baselines)
    if as_json:
        print_json([{**asdict(r), "metric": r.metric and r.metric.name} for r in rows])
    else:
        _print_rows(rows)


def _print_rows(rows: list[Row]) -> None:
    from rich.table import Table

    from nas.core.numbers import short

    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("network", overflow="fold")
    table.add_column("data", no_wrap=True)
    for title in ("test", "valid.", "parameters", "MACs", "ms", "95 %"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        scores = [
            "-" if row.metric is None or score is None else row.metric.text(score)
            for score in (row.test, row.validation)
        ]
        numbers = [f"{row.parameters:,}", short(row.macs)]
        milliseconds = "noisy" if row.too_noisy else f"{row.milliseconds:.2f}"
        interval = " to ".join(f"{end:.2f}" for end in row.interval)
        table.add_row(row.name, row.data or "-", *scores, *numbers, milliseconds, interval)
    results().print(table)
    metrics = {row.metric.label for row in rows if row.metric}
    if metrics:
        each = [f"{r.name}: {r.metric.label}" for r in rows if r.metric]
        said = f"test, valid.: {', '.join(metrics) if len(metrics) == 1 else '; '.join(each)}"
        results().print(said, markup=False)
    for row in rows:
        if row.too_noisy:
            results().print(f"{row.name}: {row.too_noisy}", markup=False)


def portfolio(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Folders of runs, or of many runs.")
    ],
    to: Annotated[
        Path | None, typer.Option(help="File to write, which nas search --from reads.")
    ] = None,
    size: Annotated[int, typer.Option(min=1, max=1_000, help="Most configurations.")] = 10,
    space: SpaceFile = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """List the configurations that would together have done best over several runs, the most useful first."""
    from nas.engine.learning.earlier import portfolio_of
    from nas.runs.atomic_io import write_whole
    from search_spaces import strict_json

    found = list(portfolio_of(runs, size, space, messages().print))
    if to is not None:
        if to.exists() and not force:
            raise ValueError(f"want a new file, got {to}; --force replaces it")
        write_whole(to, strict_json.dumps(found, indent=2) + "\n")
    if json:
        print_json(found)
        return
    console = results()
    for text in found:
        console.print(text, soft_wrap=True, markup=False, highlight=False)
