"""Pictures of a run as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from nas.core.trial import Trial
from nas.runs.atomic_io import write_bytes_whole
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.views.front_plot import Plane

FORMATS = (".png", ".svg", ".pdf")


def save(
    opened: Run, to: str | Path, *, what: str = "front", theme: str = "light",
    trial: int | None = None,
) -> Iterator[Path]:  # fmt: skip
    """Write pictures of a run; yield the path of each file that was written.

    Args:
        opened: The run.
        to: A file in one of `FORMATS`, or a folder for all pictures as PNG and SVG.
        what: The picture to write to a file: front, progress, lineage or architecture. With more
            than two objectives there is a front for each pair, such as `front_f1_and_parameters`,
            and `front` is the first of them.
        theme: "light" or "dark".
        trial: Number of the trial whose architecture is drawn; the best by default.

    Raises:
        ValueError: the picture, theme, format or trial is unknown, or no trial completed.
    """
    from nas.views.theme import THEMES

    path = Path(to)
    if theme not in THEMES:
        raise ValueError(f"--theme: want one of {', '.join(THEMES)}, got {theme!r}")
    if path.suffix and path.suffix.lower() not in FORMATS and not path.is_dir():
        raise ValueError(f"--to: want a folder, or a file {', '.join(FORMATS)}, got {path}")
    if not any(t.completed for t in opened.trials):
        raise ValueError(f"{opened.path}: no completed trial to draw among {len(opened.trials)}")
    figures = _figures(opened, theme, trial)
    if path.suffix.lower() in FORMATS:
        chosen = next(iter(figures)) if what == "front" else what
        if chosen not in figures:
            raise ValueError(f"--what: want one of {', '.join(figures)}, got {what!r}")
        yield _write(path, figures[chosen]())
        return
    for name, make in figures.items():
        figure = make()
        for ending in (".png", ".svg"):
            yield _write(path / f"{name}{ending}", figure)


def _figures(run: Run, theme_name: str, number: int | None) -> dict[str, Callable[[], Figure]]:
    from nas.analysis.context import AnalysisContext
    from nas.analysis.progress import points_of
    from nas.views.drawings.figure import architecture_figure
    from nas.views.front_plot import front_figure, planes_of
    from nas.views.plots import lineage_figure, progress_figure
    from nas.views.terminal.trial import drawing_of
    from nas.views.theme import THEMES

    theme, trials, front = THEMES[theme_name], run.trials, run.front
    context = AnalysisContext.of(run)
    trial = _drawn(run, number)
    lineage = context.lineage(trials)
    points = points_of(trials, context.objectives, run.header.hypervolume_reference)
    baselines = context.baselines(trials)

    def of_front(plane: Plane) -> Figure:
        return front_figure(trials, front, plane, baselines=baselines, theme=theme)

    found: dict[str, Callable[[], Figure]] = {
        **{plane.name: partial(of_front, plane) for plane in planes_of(run.header)},
        "progress": lambda: progress_figure(points, context.objectives, context.cost, theme=theme),
        "lineage": lambda: lineage_figure(trials, front, context.objectives, lineage, theme=theme),
    }
    if context.has_drawings and trial is not None:
        drawn = trial
        found["architecture"] = lambda: architecture_figure(
            drawing_of(run, drawn, run.space), theme
        )
    return found


def _drawn(run: Run, number: int | None) -> Trial | None:
    """The trial whose architecture is drawn; None if none was asked for and none is on the front."""
    if number is not None:
        return run.trial(number)
    return run.best() if run.front else None


def _write(path: Path, figure: Figure) -> Path:
    data = BytesIO()
    ending = path.suffix.lower()[1:]
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[ending]
    figure.savefig(data, format=ending, facecolor=figure.get_facecolor(), metadata=undated)
    write_bytes_whole(path, data.getvalue())
    return path
