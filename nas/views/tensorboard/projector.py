"""The proposals of a search as points for TensorBoard's projector.

The projector colours no point before a column is chosen. So each point has a picture: a disc with its
score, brighter for better ones, with a ring if it is on the front.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np

from nas.analysis.context import AnalysisContext
from nas.core.metrics import Metric
from nas.core.trial import Trial
from nas.runs.atomic_io import write_bytes_whole, write_whole
from nas.views.columns import scores_text

_COLUMNS = 12  # most decisions among the columns


def write(
    folder: Path, trials: Sequence[Trial], context: AnalysisContext, front: Collection[int]
) -> None:
    """Write completed trials as points that say their scores, and can be coloured by any column.

    The projector names a point by the first column that holds no numbers, and grades colours only by
    columns with more than 50 distinct numbers. Accuracies on few examples are often equal, so that a
    column has the ranks in the first objective, 1 for the best.

    Args:
        folder: A TensorBoard folder with events.
        trials: Completed trials.
        context: The context of the search, whose decisions encode a proposal.
        front: Numbers of the trials on the front.
    """
    decisions, objectives = context.decisions, context.objectives
    first, *others = objectives.names
    points = decisions.encode([trial.proposal for trial in trials])
    varied = points[:, np.ptp(points, axis=0) > 0] if len(points) else points
    if varied.shape[1] < 3:  # the projector draws three dimensions
        varied = np.pad(varied, ((0, 0), (0, 3 - varied.shape[1])))
    lines = ["\t".join(f"{x:.4g}" for x in point) for point in varied]
    paths = decisions.first(_COLUMNS)
    rows = ["\t".join(["summary", "trial", first, "rank", *others, "seconds", "front", *paths])]
    best_first = sorted(trials, key=lambda t: (objectives.vector(t.scores)[0], t.number))
    ranks = {trial.number: rank for rank, trial in enumerate(best_first, start=1)}
    for trial in trials:
        flat = decisions.flat(trial.proposal)
        options = [str(flat.get(path, "-")) for path in paths]
        scores = trial.scores
        rows.append(
            "\t".join(
                [
                    f"trial {trial.number}: {scores_text(objectives.metrics, trial)}",
                    str(trial.number),
                    _number(scores[first]),
                    str(ranks[trial.number]),
                    *(_number(scores[name]) for name in others),
                    f"{trial.seconds:.1f}",
                    "yes" if trial.number in front else "no",
                    *options,
                ]
            )
        )
    write_whole(folder / "points.tsv", "\n".join(lines) + "\n")
    write_whole(folder / "points_metadata.tsv", "\n".join(rows) + "\n")
    drawn = _draw(folder / "points.png", trials, objectives.first, ranks, front)
    config = (
        f'embeddings {{\n  tensor_name: "{_title(first)}"\n  tensor_path: "points.tsv"\n'
        f'  metadata_path: "points_metadata.tsv"\n{drawn}}}\n'
    )
    write_whole(folder / "projector_config.pbtxt", config)


def _title(first: str) -> str:
    """The name of the points, which the projector shows: it explains their pictures."""
    return f"trials by {first.replace('_', ' ')}, front ringed"


def _draw(
    file: Path,
    trials: Sequence[Trial],
    first: Metric,
    ranks: dict[int, int],
    front: Collection[int],
) -> str:
    """Draw the pictures of the points; return their part of the configuration."""
    from nas.views.tensorboard.sprites import MOST, Point, sheet, side_of

    if len(trials) > MOST:
        return ""
    points = [
        Point(
            text=_short(first, trial.scores[first.name]),
            level=1 - (ranks[trial.number] - 1) / max(1, len(trials) - 1),
            ringed=trial.number in front,
        )
        for trial in trials
    ]
    data = BytesIO()
    sheet(points).save(data, format="png", compress_level=4)
    write_bytes_whole(file, data.getvalue())
    side = side_of(len(points))
    return (
        f'  sprite {{\n    image_path: "{file.name}"\n    single_image_dim: {side}\n'
        f"    single_image_dim: {side}\n  }}\n"
    )


def _short(metric: Metric, value: float) -> str:
    """A value in few letters: 83 for 83 %, 0.81, 1.2e4."""
    if metric.is_share:
        return f"{100 * value:.0f}"
    if abs(value) < 100:
        return f"{value:.2g}"
    return f"{value:.0f}" if abs(value) < 10_000 else f"{value:.1e}".replace("e+0", "e")


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
