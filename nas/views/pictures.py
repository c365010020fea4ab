"""Pictures of a run as files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from nas.runs.atomic_io import write_bytes_whole
from nas.runs.run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
NAMES = ("front", "progress", "lineage", "architecture")


def save(
    opened: Run, to: str | Path, *, what: str = "front", theme: str = "light",
    trial: int | None = None,
) -> Iterator[Path]:  # fmt: skip
    """Write pictures of a run; yield the path of each file that was written.

    Args:
        opened: The run.
        to: A file in one of `FORMATS`, or a folder for all pictures as PNG and SVG.
        what: The picture to write to a file, one of `NAMES`.
        theme: "light" or "dark".
        trial: Number of the trial whose architecture is drawn; the best by default.

    Raises:
        ValueError: the picture, theme, format or trial is unknown, or no trial completed.
    """
    from nas.views.theme import THEMES

    path = Path(to)
    if what not in NAMES:
        raise ValueError(f"--what: want one of {', '.join(NAMES)}, got {what!r}")
    if theme not in THEMES:
        raise ValueError(f"--theme: want one of {', '.join(THEMES)}, got {theme!r}")
    if path.suffix and path.suffix.lower() not in FORMATS and not path.is_dir():
        raise ValueError(f"--to: want a folder, or a file {', '.join(FORMATS)}, got {path}")
    if not any(t.completed for t in opened.trials):
        raise ValueError(f"{opened.path}: no completed trial to draw among {len(opened.trials)}")
    if path.suffix.lower() in FORMATS:
        yield _write(path, _figures(opened, theme, trial)[what]())
        return
    for name, make in _figures(opened, theme, trial).items():
        figure = make()
        for ending in (".png", ".svg"):
            yield _write(path / f"{name}{ending}", figure)


def _figures(run: Run, theme_name: str, number: int | None) -> dict[str, Callable[[], Figure]]:
    from nas.analysis.context import AnalysisContext
    from nas.analysis.lineage import Lineage
    from nas.analysis.progress import points_of
    from nas.views.drawings.figure import architecture_figure
    from nas.views.plots import front_figure, lineage_figure, progress_figure
    from nas.views.terminal.trial import drawing_of
    from nas.views.theme import THEMES

    theme, trials, front = THEMES[theme_name], run.trials, run.front
    trial = run.best() if number is None else run.trial(number)
    context = AnalysisContext.of(run)
    lineage = Lineage(trials, context.decisions, context.objectives.first)
    points = points_of(trials, context.objectives, run.header.hypervolume_reference)
    baselines = context.baselines(trials)
    return {
        "front": lambda: front_figure(trials, front, baselines=baselines, theme=theme),
        "progress": lambda: progress_figure(points, theme=theme),
        "lineage": lambda: lineage_figure(trials, front, lineage, theme=theme),
        "architecture": lambda: architecture_figure(drawing_of(run, trial, run.space), theme),
    }


def _write(path: Path, figure: Figure) -> Path:
    data = BytesIO()
    ending = path.suffix.lower()[1:]
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}[ending]
    figure.savefig(data, format=ending, facecolor=figure.get_facecolor(), metadata=undated)
    write_bytes_whole(path, data.getvalue())
    return path
