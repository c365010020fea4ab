"""A benchmark's results as tables, a picture, and TensorBoard curves."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from nas.benchmark import summary
from nas.benchmark.curves import Curve, Measure, checkpoints
from nas.benchmark.searches import Benchmark, Search
from nas.benchmark.summary import Effort, Point, Row
from nas.runs.atomic_io import write_whole
from search_spaces import strict_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

UNIFORM = "uniform draws, exact"
POINTS = 60  # in a curve
ABREAST = 4  # columns of means that fit in 80 characters


@dataclass(frozen=True, slots=True)
class Report:
    """The results of a benchmark.

    Attributes:
        benchmark: The settings that all its searches share.
        searches: The searches by contestant.
        at: The numbers of trials after which they are compared; the last is the whole search.
    """

    benchmark: Benchmark
    searches: Mapping[str, Sequence[Search]]
    at: tuple[int, ...]

    def write(self, out: Path) -> Group:
        """Write `summary.csv`, `summary.json`, `curves.png` and `tensorboard/`.

        Returns:
            The tables, to print.
        """
        measure = Measure(self.benchmark)
        rows = summary.rows(measure, self.searches, self.at)
        efforts = summary.efforts(measure, self.searches)
        exact = None if measure.is_area else measure.uniform(self.at)
        document = self._document(measure, rows, efforts, exact)
        equal = None
        if self._staged:
            training = self.benchmark.training()
            equal = summary.at_equal_cost(measure, self.searches, self.at, training)
        document["at_equal_cost"] = equal
        write_whole(out / "summary.csv", summary.as_csv(rows))
        write_whole(
            out / "summary.json", strict_json.dumps(document, strict_json.TRUSTED, indent=2) + "\n"
        )
        self._draw(measure, out)
        tables = self._means(measure, rows, exact)
        if equal is not None:
            tables += self._at_equal_cost(equal)
        tables.append(self._finals(rows, efforts, measure))
        if any(effort.recommended for effort in efforts):
            tables.append(_recommended(efforts))
        return Group(*(part for table in tables for part in (table, Text())))

    @property
    def _staged(self) -> bool:
        """True if some trials cost more than others."""
        runs = [search for group in self.searches.values() for search in group]
        return len({spent for search in runs for spent in search.spent}) > 1

    def _document(
        self, measure: Measure, rows: Sequence[Row], efforts: Sequence[Effort], exact: Curve | None
    ) -> dict[str, Any]:
        return {
            "benchmark": self.benchmark.to_dict(),
            "measure": measure.name,
            "optimum": measure.optimum,
            "trials": list(self.at),
            "uniform": None if exact is None else exact.tolist(),
            "rows": [asdict(row) for row in rows],
            "efforts": [asdict(effort) for effort in efforts],
        }

    def _means(self, measure: Measure, rows: Sequence[Row], exact: Curve | None) -> list[Table]:
        cells = {
            name: [_cell(row) for row in rows if row.contestant == name] for name in self.searches
        }
        if exact is not None:
            cells[UNIFORM] = [f"{100 * value:.2f}" for value in exact]
        return self._by_trials(f"mean of {measure.name}, % (± 95 % confidence)", cells)

    def _at_equal_cost(self, found: Mapping[str, Sequence[Point | None]]) -> list[Table]:
        cells = {
            name: ["-" if point is None else _cell(point) for point in points]
            for name, points in found.items()
        }
        return self._by_trials("the same, at the cost of this many whole trainings", cells)

    def _by_trials(self, title: str, cells: Mapping[str, Sequence[str]]) -> list[Table]:
        """Tables with a row for each name and a column for each number of trials, 80 characters wide."""
        tables = []
        for start in range(0, len(self.at), ABREAST):
            table = _table(title)
            for n in self.at[start : start + ABREAST]:
                table.add_column(f"{n:,}", justify="right", no_wrap=True)
            for name, row in cells.items():
                table.add_row(name, *row[start : start + ABREAST])
            tables.append(table)
        return tables

    def _finals(self, rows: Sequence[Row], efforts: Sequence[Effort], measure: Measure) -> Table:
        last = {row.contestant: row for row in rows if row.trials == self.at[-1]}
        seeds = max(row.seeds for row in rows)
        table = _table(f"after {self.at[-1]:,} trials, {seeds} seed{'s' * (seeds > 1)}")
        for name in ("sd", "p random", "p best", "ms/trial"):
            table.add_column(name, justify="right", no_wrap=True)
        if not measure.is_area:
            table.add_column("optimum", justify="right", no_wrap=True)
            table.add_column("at (worst)", justify="right", no_wrap=True)
        for effort in efforts:
            row = last[effort.contestant]
            cells = [
                "-" if row.sd is None else f"{100 * row.sd:.2f}",
                _p(row.p_random),
                _p(row.p_best),
                f"{effort.milliseconds:.2f}",
            ]
            if not measure.is_area:
                cells += [f"{effort.reached} of {row.seeds}", _needed(effort)]
            table.add_row(effort.contestant, *cells)
        return table

    def _draw(self, measure: Measure, out: Path) -> None:
        from nas.views.plots import curves_figure

        steps = sorted({*np.geomspace(1, self.at[-1], POINTS).round().astype(int).tolist()})
        curves = {
            name: summary.matrix(measure, runs, steps) for name, runs in self.searches.items()
        }
        bands = {name: _band(matrix) for name, matrix in curves.items()}
        figure = curves_figure(steps, bands, measure.name, measure.optimum)
        figure.savefig(out / "curves.png")
        _write_board(out / "tensorboard", steps, bands, figure)


def report(
    benchmark: Benchmark, searches: Mapping[str, Sequence[Search]], at: Sequence[int]
) -> Report:
    """The report of searches, compared after each of `at`, or after some round numbers of trials."""
    longest = max(search.trials for runs in searches.values() for search in runs)
    return Report(
        benchmark, searches, tuple(sorted({*at, longest})) if at else checkpoints(longest)
    )


def _band(matrix: Curve) -> Curve:
    """The mean and the ends of its confidence interval (rows) at every step (columns).

    Of a single search all three are its curve.
    """
    means = matrix.mean(axis=0)
    columns = zip(matrix.T, means, strict=True)
    ends = np.array([summary.interval(column) or (mean, mean) for column, mean in columns])
    return np.stack([means, ends[:, 0], ends[:, 1]])


def _write_board(
    folder: Path, steps: Sequence[int], bands: Mapping[str, Curve], figure: Figure
) -> None:
    from nas.views.plots import pixels
    from nas.views.tensorboard import Events, picture

    shutil.rmtree(folder, ignore_errors=True)
    for name, band in bands.items():
        with Events(folder / name.replace("/", "-")) as events:
            for step, values in zip(steps, band.T, strict=True):
                for tag, value in zip(("mean", "low", "high"), values, strict=True):
                    events.scalar(tag, float(value), step, time())
    with Events(folder) as events:
        events.add(picture("curves", pixels(figure)), steps[-1], time())


def _recommended(efforts: Sequence[Effort]) -> Table:
    table = _table("the trial that the strategy's model recommends, instead of the best score, %")
    table.add_column("mean", justify="right", no_wrap=True)
    for effort in efforts:
        if effort.recommended:
            table.add_row(effort.contestant, _cell(effort.recommended))
    return table


def _table(title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    table.add_column("strategy", overflow="fold", min_width=18)
    return table


def _cell(found: Row | Point) -> str:
    mean = f"{100 * found.mean:.2f}"
    if found.low is None or found.high is None:
        return mean
    return f"{mean} ±{50 * (found.high - found.low):.2f}"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _needed(effort: Effort) -> str:
    if effort.mean_trials is None:
        return "-"
    worst = "-" if effort.worst_trials is None else str(effort.worst_trials)
    return f"{effort.mean_trials:.1f} ({worst})"
