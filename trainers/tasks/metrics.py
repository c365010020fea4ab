"""Metrics by name: names are checked, and values computed of all outputs of a split on the CPU."""

from collections.abc import Iterable, Mapping
from math import isfinite, nan

import torch
from torch import Tensor

from trainers.tasks import functions
from trainers.tasks.functions import MetricFunction

TAKEN = ("number", "train_loss", "learning_rate")  # names in the record of an epoch


def gathered(batches: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor] | None:
    """Outputs float32 [N,...] and targets of all batches on the CPU; None if there are none."""
    kept = [(outputs_B.float(), targets_B) for outputs_B, targets_B in batches]
    if not kept:
        return None
    outputs, targets = (torch.cat(parts).cpu() for parts in zip(*kept, strict=True))
    return outputs, targets


def measured(
    names: Iterable[str],
    loss: float,
    whole: Mapping[str, MetricFunction],
    outputs: Tensor,
    targets: Tensor,
) -> dict[str, float]:
    """The metrics called `names`; all are NaN where the loss is not finite.

    Args:
        names: `loss`, or a name in `whole`.
        loss: The mean loss.
        whole: Metric functions by name.
        outputs: Outputs of the whole split, as the functions take them.
        targets: Targets of the whole split.
    """
    found = {"loss": loss}
    if isfinite(loss):
        for name in names:
            if name in whole:
                found[name] = functions.metric(name, whole[name], outputs, targets)
    return {name: found.get(name, nan) for name in names}


def check_names(
    names: Iterable[str], known: tuple[str, ...], own: Mapping[str, MetricFunction]
) -> None:
    """Refuse unknown metrics, and functions with a name that is taken.

    Raises:
        ValueError: One line that names the metric.
    """
    for name in own:
        if name in known or name in TAKEN:
            raise ValueError(f"metric {name}: the name is taken; rename the function")
    for name in names:
        if name not in known and name not in own:
            wanted = ", ".join((*known, *own))
            raise ValueError(f"metrics: want some of {wanted}, got {name!r}")
