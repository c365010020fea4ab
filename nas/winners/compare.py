"""Bundles compared with each other and with networks of torchvision for the same inputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from nas.bundles.read import open_bundle
from nas.estimators.latency import measure_one_input
from search_spaces.cost.measure import measure as measure_cost


@dataclass(frozen=True, slots=True)
class Row:
    """One network.

    Attributes:
        name: The folder, or torchvision's name.
        data: The name of the data that it was trained on; None for a baseline, which is not
            trained.
        test_accuracy: Test accuracy, 0..1, or None.
        validation_accuracy: Validation accuracy, 0..1, or None.
        parameters: Number of parameters.
        macs: Multiply-accumulates for one input.
        milliseconds: Median latency of one input on one thread of this machine's CPU.
        spread: Lower and upper quartile of that latency, milliseconds.
    """

    name: str
    data: str | None
    test_accuracy: float | None
    validation_accuracy: float | None
    parameters: int
    macs: int
    milliseconds: float
    spread: tuple[float, float]


def compare_bundles(paths: Sequence[Path], baselines: Sequence[str] = ()) -> list[Row]:
    """Compare bundles, and baselines for the inputs and classes of the first bundle.

    Args:
        paths: Folders of bundles, at least one.
        baselines: Names of classifiers of torchvision, such as resnet18.

    Raises:
        ValueError: a folder is not a bundle, or torchvision has no such network.
    """
    bundles = [open_bundle(path) for path in paths]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rows = [
            _row(
                str(bundle.path),
                bundle.net(),
                bundle.task.input_shape,
                data=bundle.metrics["data"]["name"],
                test=_accuracy(bundle.metrics.get("test")),
                validation=_accuracy(bundle.metrics.get("validation")),
            )
            for bundle in bundles
        ]
        task = bundles[0].task
        for name in baselines:
            net = _baseline(name, task.classes, task.input_shape[0])
            rows.append(_row(name, net, task.input_shape))
    finally:
        torch.set_num_threads(threads)
    return rows


def _row(
    name: str,
    net: nn.Module,
    shape: tuple[int, ...],
    *,
    data: str | None = None,
    test: float | None = None,
    validation: float | None = None,
) -> Row:
    try:
        latency = measure_one_input(net, shape)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{name} does not take inputs of {shape}: {reason}") from None
    cost = measure_cost(lambda: net.to("meta"), shape)
    spread = (1000 * latency.low, 1000 * latency.high)
    milliseconds = 1000 * latency.median
    return Row(name, data, test, validation, cost.parameters, cost.macs, milliseconds, spread)


def _accuracy(scores: dict[str, float] | None) -> float | None:
    return None if scores is None else scores["accuracy"]


def _baseline(name: str, classes: int, channels: int) -> nn.Module:
    """A network of torchvision, untrained, its first convolution made for `channels`."""
    from torchvision import models

    if name not in models.list_models(module=models):
        raise ValueError(f"torchvision has no classifier called {name!r}; resnet18 is one")
    net: nn.Module = models.get_model(name, weights=None, num_classes=classes)
    path, first = next((p, m) for p, m in net.named_modules() if isinstance(m, nn.Conv2d))
    if first.in_channels != channels:
        new = type(first)(
            channels,
            first.out_channels,
            first.kernel_size,  # type: ignore[arg-type]
            first.stride,  # type: ignore[arg-type]
            first.padding,  # type: ignore[arg-type]
            bias=first.bias is not None,
        )
        parent, _, child = path.rpartition(".")
        setattr(net.get_submodule(parent), child, new)
    return net.eval()
