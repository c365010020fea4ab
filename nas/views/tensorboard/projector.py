"""The proposals of a search as points for TensorBoard's projector."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from nas.analysis.context import AnalysisContext
from nas.core.trial import Trial
from nas.runs.atomic_io import write_whole

_COLUMNS = 12  # most decisions among the columns


def write(
    folder: Path, trials: Sequence[Trial], context: AnalysisContext, front: Collection[int]
) -> None:
    """Write completed trials as points that can be coloured by rank, objectives or decisions.

    The projector grades colours only by columns with more than 50 distinct numbers. Accuracies on
    few examples are often equal, so that a column has the ranks in the first objective, 1 for the
    best.

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
    rows = ["\t".join(["trial", first, "rank", *others, "seconds", "front", *paths])]
    best_first = sorted(trials, key=lambda t: (objectives.vector(t.scores)[0], t.number))
    ranks = {trial.number: rank for rank, trial in enumerate(best_first, start=1)}
    for trial in trials:
        flat = decisions.flat(trial.proposal)
        options = [str(flat.get(path, "-")) for path in paths]
        scores = trial.scores
        rows.append(
            "\t".join(
                [
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
    config = (
        'embeddings {\n  tensor_name: "proposals"\n  tensor_path: "points.tsv"\n'
        '  metadata_path: "points_metadata.tsv"\n}\n'
    )
    write_whole(folder / "projector_config.pbtxt", config)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.6g}"
