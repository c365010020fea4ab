"""Pictures of the mistakes of a network and of its training."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from nas.analysis.mistakes.report import Mistakes
from nas.core.metrics import Metric
from nas.core.trial import Trial
from nas.views.scales import reaches_far, set_scale
from nas.views.terminal.mistakes import worst_rows
from nas.views.theme import LIGHT, Theme

_MATRIX = 60  # most classes of a matrix; of more, those that are confused the most
_NAMED = 30  # most classes whose names stand at the matrix
_COUNTED = 15  # most classes whose counts stand in the matrix
_TARGETS = 4  # targets that are drawn
_BARS = 30  # most classes or labels with a bar
_NAME = 18  # characters of a name


def mistakes_figure(found: Mistakes, *, theme: Theme = LIGHT) -> Figure:
    """Plot a confusion matrix, predictions against targets, or a metric of each label."""
    draw: Callable[[Mistakes, Theme], Figure] = {
        "regression": _residuals,
        "multilabel": _bars,
    }.get(found.task, _confusion)
    return draw(found, theme)


def worst_figure(found: Mistakes, *, theme: Theme = LIGHT) -> Figure | None:
    """The pictures of the worst examples, each with its row and what is wrong; None without any."""
    from PIL import Image

    shown = [
        (wrong, cells)
        for wrong, cells in zip(found.worst, worst_rows(found), strict=True)
        if wrong.picture is not None
    ]
    if not shown:
        return None
    columns = 2 if found.task == "segmentation" else 4
    rows = -(-len(shown) // columns)
    figure = theme.figure(8.2, 0.3 + (1.5 if columns == 2 else 2.2) * rows)
    figure.set_layout_engine("constrained")
    for place, (wrong, (row, *said, size)) in enumerate(shown):
        axes = figure.add_subplot(rows, columns, place + 1)
        assert wrong.picture is not None
        axes.imshow(np.asarray(Image.open(io.BytesIO(wrong.picture)).convert("RGB")))
        axes.set_axis_off()
        words = "\n" + ", predicted ".join(_short(one, 12) for one in said) if said else ""
        axes.set_title(f"row {row}, {size}{words}", fontsize=7, color=theme.ink, parse_math=False)
    if found.task == "segmentation":
        figure.supxlabel("image, mask, prediction", fontsize=8, color=theme.ink)
    return figure


def training_figure(
    trial: Trial, metrics: Sequence[Metric], *, theme: Theme = LIGHT
) -> Figure | None:
    """Plot the loss of training and validation, and the first other metric, against epochs.

    Args:
        trial: A trial.
        metrics: The metrics of the validation split, in the order of their importance.
        theme: Colours of the page.

    Returns:
        The figure; None for fewer than two epochs.
    """
    records = trial.curve
    epochs = [int(record["number"]) for record in records]
    losses = {"train_loss": "training loss", "loss": "validation loss"}
    others = {m.name: f"validation {m.label}" for m in metrics if m.name not in losses}
    losses, others = (
        {name: label for name, label in group.items() if all(name in record for record in records)}
        for group in (losses, others)
    )
    panels = [panel for panel in (losses, dict(list(others.items())[:1])) if panel]
    if len(epochs) < 2 or not panels:
        return None
    figure = theme.figure(4.1 * len(panels), 3.2)
    figure.set_layout_engine("constrained")
    for place, panel in enumerate(panels, start=1):
        axes = theme.dress(figure.add_subplot(1, len(panels), place))
        for name, label in panel.items():
            values = [float(record[name]) for record in records]
            in_training = name == "train_loss"
            axes.plot(epochs, values, "--" if in_training else "-", marker="o", markersize=3,
                      color=theme.second if in_training else theme.accent, label=label)  # fmt: skip
        if reaches_far([float(record[name]) for name in panel for record in records]):
            set_scale(axes, "y", "far")
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        theme.legend(axes, "best")
    return figure


def _confusion(found: Mistakes, theme: Theme) -> Figure:
    matrix, names = found.matrix, [part.name for part in found.parts]
    if len(names) > _MATRIX:
        kept = _most_confused(found)
        matrix, names = matrix[np.ix_(kept, kept)], [names[k] for k in kept]
    shares = matrix / matrix.sum(axis=1, keepdims=True).clip(min=1)
    size = min(9.0, 3.2 + 0.28 * len(names))
    figure = theme.figure(size, size - 0.4)
    figure.set_layout_engine("constrained")
    axes = theme.dress(figure.add_subplot())
    axes.grid(visible=False)
    axes.imshow(shares, cmap="Blues" if theme.name == "light" else "viridis", vmin=0, vmax=1)
    axes.set(xlabel="predicted class", ylabel="true class")
    which = "" if len(names) == len(found.parts) else f", the {len(names)} most confused classes"
    axes.set_title(f"share of each true class{which}", fontsize=9)
    if len(names) <= _NAMED:
        labels = [_short(name) for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=90, fontsize=7, parse_math=False)
        axes.set_yticks(range(len(names)), labels, fontsize=7, parse_math=False)
    elif len(names) < len(found.parts):  # their numbers in the picture say nothing
        axes.set(xticks=[], yticks=[])
    if len(names) <= _COUNTED:
        for (true, predicted), count in np.ndenumerate(matrix):
            if count:
                dark = shares[true, predicted] > 0.5
                light_text = dark if theme.name == "light" else not dark
                of_pixels = found.task == "segmentation"
                text = f"{shares[true, predicted]:.0%}" if of_pixels else f"{count:,}"
                axes.text(predicted, true, text, ha="center", va="center", fontsize=7,
                          color="#ffffff" if light_text else "#1a1a1a")  # fmt: skip
    return figure


def _most_confused(found: Mistakes) -> list[int]:
    """Classes of the most frequent confusions, in their order."""
    kept: dict[int, None] = {}
    for true, predicted, _ in found.confused:
        for one in (true, predicted):
            if len(kept) < _MATRIX:
                kept[one] = None
    return sorted(kept) or list(range(_MATRIX))


def _residuals(found: Mistakes, theme: Theme) -> Figure:
    shown = list(zip(found.parts, found.points, strict=True))[:_TARGETS]
    figure = theme.figure(7.6, 3.2 * len(shown))
    figure.set_layout_engine("constrained")
    for place, (part, points) in enumerate(shown):
        truth, values = np.array(points).T
        left, right = (
            theme.dress(figure.add_subplot(len(shown), 2, 2 * place + side)) for side in (1, 2)
        )
        left.scatter(truth, values, s=9, color=theme.second, alpha=0.6, linewidths=0)
        ends = [min(truth.min(), values.min()), max(truth.max(), values.max())]
        left.plot(ends, ends, color=theme.muted, linewidth=1)
        left.set_xlabel(f"true {_short(part.name)}", parse_math=False)
        left.set_ylabel("predicted")
        right.scatter(values, values - truth, s=9, color=theme.second, alpha=0.6, linewidths=0)
        right.axhline(0, color=theme.muted, linewidth=1)
        right.set_xlabel("predicted")
        right.set_ylabel("predicted less true")
    return figure


def _bars(found: Mistakes, theme: Theme) -> Figure:
    parts = found.parts if len(found.parts) <= _BARS else found.worst_parts[:_BARS]
    place = found.columns.index("F1")
    figure = theme.figure(6.4, 1.0 + 0.24 * len(parts))
    figure.set_layout_engine("constrained")
    axes = theme.dress(figure.add_subplot())
    axes.barh(range(len(parts)), [100 * (part.values[place] or 0) for part in parts], 0.6,
              color=theme.second)  # fmt: skip
    names = [_short(part.name) for part in parts]
    axes.set_yticks(range(len(parts)), names, fontsize=7, parse_math=False)
    axes.set(xlim=(0, 100), ylim=(len(parts) - 0.4, -0.6), xlabel="F1 of the label, %")
    return figure


def _short(name: str, most: int = _NAME) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"
