"""A trained network and all that is known of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.bundles import preprocessing
from nas.runs.space_files import open_space
from search_spaces import Architecture, SearchSpace, Task

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.bundles.predictions import Predictions
    from nas.bundles.preprocessing import Raw
    from search_spaces.cost.dead_parts import DeadPart

BATCH = 64  # examples that the network is run on at once


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
        needed = self._needed(space)
        if stored < needed:
            raise ValueError(
                f"{self.path}: its weights do not fit its network: {stored:,} numbers for "
                f"{needed:,} parameters"
            )
        net = self.build(space, self.task)
        fill(net, weights, self.path)
        return with_features(net.eval(), lambda n: self.build(space, self.task_for(n)))

    def build(self, space: SearchSpace, task: Task) -> nn.Module:
        """The network without its dead parts, for a task, before its weights are known."""
        net = space.compile(self.architecture, task)
        if not self.dead_parts:
            return net
        from search_spaces.cost.dead_parts import without

        try:
            return without(net, self.dead_parts)
        except ValueError as error:
            raise ValueError(f"{self.path / 'architecture.json'}: {error}") from None

    @property
    def dead_parts(self) -> tuple[DeadPart, ...]:
        """The dead parts of the architecture, which the network lacks."""
        if not (plain := self.described.get("dead_parts")):
            return ()
        from search_spaces.cost.dead_parts import DeadPart

        return tuple(DeadPart(**part) for part in plain)

    def _needed(self, space: SearchSpace) -> int:
        """The number of parameters of the network, without allocating weights."""
        space.check_task(self.task)
        member = space.check(self.architecture)
        if not self.dead_parts:
            return space.parameters_of_member(member, self.task)
        from search_spaces.cost.measure import count_parameters

        return count_parameters(lambda: self.build(space, self.task))

    @property
    def names(self) -> list[str]:
        """The names of the outputs: of the classes, by label, in a classification."""
        return list(self.described["targets"]["names"])

    @property
    def classes(self) -> list[str]:
        """The names of the classes, by label.

        Raises:
            ValueError: the network is not for a classification.
        """
        if (task := self.described["targets"]["task"]) not in ("classification", "segmentation"):
            raise ValueError(f"{self.path}: want a network for classes, got one for {task}")
        return self.names

    def task_for(self, outputs: int, input_shape: tuple[int, ...] | None = None) -> Task:
        """The task with another number of outputs, and with other inputs if they are given."""
        shape = input_shape or self.task.input_shape
        return replace(self.task, input_shape=shape, outputs=outputs)  # keeps the stem

    def preprocess(self, inputs: Raw) -> Tensor:
        """Make raw inputs ready for the network, as the data of its training were.

        Args:
            inputs: Arrays (B, ...) as those of the training data: in their units and their order of
                axes. Otherwise (B, *input_shape), where channels may be last, and a single channel
                left out. Images are pixels from 0 to 255 (from 0 to 1 where those of training
                were) of any height and width; or image files, as paths, bytes or images of Pillow, which
                are turned upright. Of a network for tables, rows with the columns of
                the training table: a DataFrame, a list of dicts, or the path of a CSV or Parquet
                file. Other columns are ignored, values may be missing.

        Returns:
            float32 (B, *input_shape) of the network, on the CPU.

        Raises:
            ValueError: they have another shape, are not numbers, or a column is missing.
        """
        plain = self.described["preprocessing"]
        return preprocessing.ready(plain, self._raw(inputs), self.task.input_shape)

    def predict(
        self, inputs: Raw, *, net: nn.Module | None = None, device: str = "cpu"
    ) -> Predictions:
        """Predict in the names and units of the targets.

        Args:
            inputs: Raw inputs; see `preprocess`.
            net: The network, `net()`, where it is used more than once; None builds it.
            device: "auto", "cpu", "cuda" or "cuda:N".

        Returns:
            By task: `Classes` and `Labels` with probabilities, `Values` in the user's units, or
            `Masks` with class numbers, of the height and width of the inputs
            (`nas.bundles.predictions`).

        Raises:
            ValueError: see `preprocess`; or there is no such device.
        """
        import torch

        from nas.bundles.predictions import predictions
        from trainers.devices import resolve

        where = resolve(device)
        raw = self._raw(inputs)
        x = preprocessing.ready(self.described["preprocessing"], raw, self.task.input_shape)
        net = (net or self.net()).to(where)
        with torch.inference_mode():
            outputs = [net(part.to(where)).cpu() for part in torch.split(x, BATCH)]
        size = tuple(raw.shape[2:]) if self.task.dense else None
        return predictions(torch.cat(outputs), self.described["targets"], size)

    def _raw(self, inputs: Raw) -> Tensor:
        """Raw inputs in the order of torch; the error names the bundle."""
        try:
            return preprocessing.raw(self.described["preprocessing"], inputs, self.task.input_shape)
        except ValueError as error:
            reason = str(error).removeprefix("data: ")
            raise ValueError(f"{self.path}: {reason}") from None

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
