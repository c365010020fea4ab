"""A trained network and all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.runs.space_files import open_space
from search_spaces import Architecture, SearchSpace, Task

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import Tensor, nn


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A trained network and all that is known of it: the contents of a bundle's folder.

    Read from such a folder, or made from a trial of a run or by training, to be written to one.
    Making or reading one runs nothing; `net` compiles its architecture with this toolkit.

    Attributes:
        path: The folder of the bundle; of one not written yet, the folder that it was made from.
        described: The contents of `architecture.json`; `task` overrides its fields on
            writing.
        architecture: The architecture.
        task: The task.
        metrics: The contents of `metrics.json`; of a bundle not written yet, without what is
            measured when it is written.
        read_weights: Reads the content of `weights.safetensors`; raises `ValueError` where it is
            damaged or missing.
        pictures: PNG files by name.
        known_space: The search space, where it need not be found by its name.
    """

    path: Path
    described: Mapping[str, Any]
    architecture: Architecture
    task: Task
    metrics: Mapping[str, Any]
    read_weights: Callable[[], bytes] = field(repr=False, compare=False)
    pictures: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    known_space: SearchSpace | None = field(default=None, repr=False, compare=False)

    def space(self, given: str | None = None) -> SearchSpace:
        """The search space.

        Args:
            given: `FILE:VARIABLE`, where the space is in a file of your own: the file is run.

        Raises:
            ValueError: it is not found, or does not contain the architecture; names the file.
        """
        if self.known_space is not None:
            return self.known_space
        file = self.path / "architecture.json"
        space = open_space(self.described["space"], given, file)
        try:
            space.check_task(self.task)
            space.check(self.architecture)
        except ValueError as error:
            raise ValueError(f"{file}: {error}") from None
        return space

    def net(self, space: SearchSpace | None = None) -> nn.Module:
        """The trained network, in evaluation mode, on the CPU.

        Its `features` is the same network without the classifier: it returns the inputs of the
        classifier, (B, features). The two share their weights.

        Args:
            space: The search space; by default the one that the bundle names.

        Raises:
            ValueError: the weights are damaged, or do not fit.
        """
        from nas.bundles.transfer import fill, with_features

        space = space or self.space()
        weights = self.weights()  # before anything is built: damaged weights are refused
        stored = sum(tensor.numel() for tensor in weights.values())
        needed = space.cost(self.architecture, self.task).parameters
        if stored < needed:
            raise ValueError(
                f"{self.path}: its weights do not fit its network: {stored:,} numbers for "
                f"{needed:,} parameters"
            )
        net = space.compile(self.architecture, self.task)
        fill(net, weights, self.path)
        return with_features(
            net.eval(), lambda n: space.compile(self.architecture, self.task_for(n))
        )

    @property
    def names(self) -> list[str]:
        """The names of the outputs: of the classes, by label, in a classification."""
        return list(self.described["targets"]["names"])

    def task_for(self, outputs: int, input_shape: tuple[int, ...] | None = None) -> Task:
        """The task with another number of outputs, and with other inputs if they are given."""
        shape = input_shape or self.task.input_shape
        return replace(self.task, input_shape=shape, outputs=outputs)  # keeps the stem

    def preprocess(self, inputs: ArrayLike | Tensor) -> Tensor:
        """Normalise raw inputs for the network, as the data of its training were.

        Args:
            inputs: (B, *input_shape), in the units of the data; of images, pixels from 0 to 255.

        Returns:
            float32 of the same shape, on the CPU.

        Raises:
            ValueError: they have another shape.
        """
        import torch

        found = torch.as_tensor(inputs)
        if tuple(found.shape[1:]) != self.task.input_shape:
            wanted = ", ".join(map(str, ("B", *self.task.input_shape)))
            raise ValueError(f"{self.path}: want inputs ({wanted}), got {tuple(found.shape)}")
        numbers = self.described.get("preprocessing") or self.metrics["data"]  # of schema 1
        shape = (1, -1, *[1] * (found.dim() - 2))
        mean, std = (torch.tensor(numbers[name], dtype=torch.float32) for name in ("mean", "std"))
        return (found.to("cpu", torch.float32) - mean.view(shape)) / std.view(shape)

    def weights(self) -> dict[str, Tensor]:
        """The trained weights by name, on the CPU.

        Raises:
            ValueError: they are damaged or missing.
        """
        from safetensors.torch import load as parse

        content = self.read_weights()
        try:
            return parse(content)
        except Exception as error:  # safetensors has its own
            file = self.path / "weights.safetensors"
            raise ValueError(f"{file}: not safetensors ({' '.join(str(error).split())})") from None


def unnamed_classes(count: int) -> dict[str, Any]:
    """The targets of a classification whose classes have no names."""
    names = [str(label) for label in range(count)]
    return {"task": "classification", "names": names, "mean": [], "std": []}


def preprocessing(data: Mapping[str, Any]) -> dict[str, Any]:
    """The preprocessing of inputs, for `architecture.json`: in numbers and in words."""
    shape = data["input_shape"]
    numbers = {"mean": list(data["mean"]), "std": list(data["std"])}
    reading = data.get("reading") or {}  # absent for files of images
    if len(shape) != 3 or shape[0] not in (1, 3) or reading.get("pixels") == "numbers":
        words = "subtract mean, divide by std; float32"
        return {"kind": "values", **numbers, "words": words}
    channels, height, width = shape
    colour = "grey" if channels == 1 else "red, green and blue"
    words = (
        f"as {colour}, 8 bits each; resize to {width} x {height} pixels (width x height), bilinear; "
        f"subtract mean, divide by std, of values from 0 to 255; float32, channels first"
    )
    return {"kind": "image", **numbers, "words": words}
