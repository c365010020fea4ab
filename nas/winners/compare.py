"""Bundles compared with each other and with networks of torchvision for the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nas.bundles.bundle import Bundle
from nas.bundles.read import open_bundle
from nas.core.metrics import Metric
from nas.estimators.latency.backends import measure_networks
from nas.estimators.latency.timing import Latency
from nas.winners.scoring import first_metric
from search_spaces.cost.measure import measure as measure_cost


@dataclass(frozen=True, slots=True)
class Row:
    """One network.

    Attributes:
        name: The folder, or torchvision's name.
        data: The name of the data that it was trained on; None for a baseline, which is not
            trained.
        metric: The most important metric that it has a score of, or None.
        test: Its value on the test split, or None.
        validation: Its value on the validation split, or None.
        parameters: Number of parameters.
        macs: Multiply-accumulates for one input.
        milliseconds: Median latency of one input on one thread of this machine's CPU.
        interval: 95 % confidence interval of that median, milliseconds.
        too_noisy: The reason why the latency cannot be compared; empty if it can be.
    """

    name: str
    data: str | None
    metric: Metric | None
    test: float | None
    validation: float | None
    parameters: int
    macs: int
    milliseconds: float
    interval: tuple[float, float]
    too_noisy: str


def compare_bundles(paths: Sequence[Path], baselines: Sequence[str] = ()) -> list[Row]:
    """Compare bundles, and baselines for the inputs and classes of the first bundle.

    Args:
        paths: Folders of bundles, at least one.
        baselines: Names of classifiers of torchvision, such as resnet18.

    Raises:
        ValueError: a folder is not a bundle, or torchvision has no such network.
    """
    bundles = [open_bundle(path) for path in paths]
    task = bundles[0].task
    networks = [
        *((str(bundle.path), bundle.net(), bundle.task.input_shape) for bundle in bundles),
        *(
            (name, _baseline(name, task.outputs, task.input_shape[0]), task.input_shape)
            for name in baselines
        ),
    ]
    for name, net, shape in networks:
        _try(name, net, shape)
    measured = measure_networks(
        {str(number): (net, shape) for number, (_, net, shape) in enumerate(networks)}
    )
    compared = [*bundles, *(None for _ in baselines)]
    return [
        _row(name, net, shape, latency, bundle)
        for (name, net, shape), latency, bundle in zip(
            networks, measured.values(), compared, strict=True
        )
    ]


def _try(name: str, net: nn.Module, shape: tuple[int, ...]) -> None:
    try:
        with torch.inference_mode():
            net(torch.zeros(1, *shape))
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{name} does not take inputs of {shape}: {reason}") from None


def _row(
    name: str,
    net: nn.Module,
    shape: tuple[int, ...],
    latency: Latency,
    bundle: Bundle | None,
) -> Row:
    cost = measure_cost(lambda: net.to("meta"), shape)
    metric = None if bundle is None else first_metric(bundle)
    return Row(
        name=name,
        data=None if bundle is None else _data_name(bundle.metrics),
        metric=metric,
        test=_score(bundle, "test", metric),
        validation=_score(bundle, "validation", metric),
        parameters=cost.parameters,
        macs=cost.macs,
        milliseconds=latency.milliseconds,
        interval=(1000 * latency.low, 1000 * latency.high),
        too_noisy=latency.too_noisy,
    )


def _score(bundle: Bundle | None, split: str, metric: Metric | None) -> float | None:
    if bundle is None or metric is None or bundle.metrics.get(split) is None:
        return None
    score: float | None = bundle.metrics[split].get(metric.name)
    return score


def _data_name(metrics: Mapping[str, Any]) -> str:
    return "its evaluator's" if metrics["data"] is None else Path(metrics["data"]["name"]).name


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
