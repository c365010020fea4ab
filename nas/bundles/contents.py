"""What is known of a winner, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from search_spaces import Architecture, SearchSpace, Task
from search_spaces.tree.values import thaw

if TYPE_CHECKING:
    from torch import nn

    from nas.core.trial import Trial
    from nas.runs.run import Run


@dataclass(frozen=True, slots=True)
class Contents:
    """One trained network, and what is known of it.

    Attributes:
        space: What the architecture is compiled by.
        architecture: The architecture.
        task: What the network is for.
        described: The contents of `architecture.json`, but for the task.
        metrics: The contents of `metrics.json`, but for what is measured when it is written.
        weights: A safetensors file.
        pictures: PNG files by their names.
    """

    space: SearchSpace
    architecture: Architecture
    task: Task
    described: Mapping[str, Any]
    metrics: Mapping[str, Any]
    weights: bytes
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    def net(self) -> nn.Module:
        """The trained network, in evaluation mode, on the CPU."""
        from safetensors.torch import load as parse

        net = self.space.compile(self.architecture, self.task)
        net.load_state_dict(parse(self.weights))
        return net.eval()


def describe(run: Run, architecture: Architecture) -> dict[str, Any]:
    """The contents of `architecture.json`, but for the task, of an architecture of a run."""
    return {
        "space": run.settings.space,
        "architecture": {"space": architecture.space, "value": thaw(architecture.value)},
        "notation": run.space.format(architecture),
        "class_names": list(run.header.data["classes"]),
        "preprocessing": preprocessing(run.header.data),
    }


def preprocessing(data: Mapping[str, Any]) -> dict[str, Any]:
    """What is done to an input before the network sees it, in numbers and in words."""
    shape = data["input_shape"]
    numbers = {"mean": list(data["mean"]), "std": list(data["std"])}
    if len(shape) != 3:
        words = "subtract mean, divide by std; float32"
        return {"kind": "values", **numbers, "words": words}
    channels, height, width = shape
    colour = "grey" if channels == 1 else "red, green and blue"
    words = (
        f"as {colour}, 8 bits each; resize to {width} x {height} pixels (width x height), bilinear; "
        f"subtract mean, divide by std, of values from 0 to 255; float32, channels first"
    )
    return {"kind": "image", **numbers, "words": words}


def origin(run: Run, trial: Trial) -> dict[str, Any]:
    """Where a network comes from and what it costs, for `metrics.json`."""
    return {
        **{name: trial.scores[name] for name in ("parameters", "macs", "peak_activation_bytes")},
        "trial": trial.number,
        "seed": run.settings.seed,
        "energy_joules": trial.measured.get("joules"),
        "settings": run.settings.to_dict(),
        "data": dict(run.header.data),
        "made": dict(run.header.made),
    }
