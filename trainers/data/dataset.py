"""Data sets as tensors: three splits on one device, indexed without any Python per example."""

from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Literal

import torch
from torch import Tensor

from trainers.data.reading import Reading
from trainers.data.tables.preprocessing import TablePreprocessing
from trainers.data.targets import Targets
from trainers.data.transforms import normalise

# Shape letters: N examples, C channels, H height, W width, D features, L length.

AT_ONCE = 2**26  # numbers whose mean is computed in float64 at once
DEVICE_SHARE = 1 / 2  # of the free memory of a GPU, for images of a file


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Examples on one device.

    Attributes:
        inputs: uint8 [N,C,H,W] for images, float32 [N,D] for vectors or [N,C,L] for sequences.
        targets: Classes int64 [N]; labels float32 [N,K] of 0 and 1; values float64 [N,T] in the
            user's units; or classes of pixels uint8 [N,H,W], 255 for pixels that do not count.
        weights: Weight of each example in the loss, float32 [N]; None for equal weights.
        mapped: True if the inputs lie in a memory-mapped file, which is read when they are used.
        rows: Number of each example in the file, array or folder that the split was drawn from, from
            0, int64 [N] on the CPU; None where the split holds all of it, in its order, or was
            merged from several.
    """

    inputs: Tensor
    targets: Tensor
    weights: Tensor | None = None
    mapped: bool = False
    rows: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device | str) -> "Split":
        """The same examples on `device`; mapped images that are too large for it are streamed."""
        inputs, device = self.inputs, torch.device(device)
        targets = self.targets.to(device)
        weights = None if self.weights is None else self.weights.to(device)
        if self.mapped and device.type == "cuda":
            free, _ = torch.cuda.mem_get_info(device)
            if self._is_streamed(free):
                return Split(inputs, targets, weights, mapped=True, rows=self.rows)
        mapped = self.mapped and device.type == "cpu"
        return Split(inputs.to(device), targets, weights, mapped=mapped, rows=self.rows)

    def device_bytes(self, free: int) -> int:
        """Bytes that the examples take on a GPU with `free` bytes."""
        inputs = 0 if self._is_streamed(free) else self.inputs.nbytes
        weights = 0 if self.weights is None else self.weights.nbytes
        return inputs + self.targets.nbytes + weights

    def _is_streamed(self, free: int) -> bool:
        return self.mapped and self.inputs.nbytes > DEVICE_SHARE * free

    def part(self, rows: slice | Tensor) -> "Split":
        """The examples in `rows`, a slice or numbers int64 [n]."""
        weights = None if self.weights is None else self.weights[rows]
        numbers = torch.arange(len(self)) if self.rows is None else self.rows
        its = numbers[rows.cpu() if isinstance(rows, Tensor) else rows]
        return Split(self.inputs[rows], self.targets[rows], weights, mapped=self.mapped, rows=its)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set with three splits.

    Attributes:
        name: The name or path that it was loaded by.
        train: Split that networks are trained on.
        validation: Split that a search scores networks on.
        test: Split that is used once, for the reported accuracy.
        targets: The task, and the meaning of each output.
        mean: float32 [C] ([D] for vectors) over the training split, in the images' own units
            (0..255 for pixels).
        std: Standard deviation, like `mean`; 1 where a channel never varies.
        flippable: True if a horizontally flipped image keeps its label.
        notes: Statements on how the data were read and split.
        table: The preprocessing of raw rows of a table, fitted on the training split; None for
            other data. It has scaled the inputs: `mean` is 0 and `std` 1.
        reading: The reading of inputs that were arrays; None for files of images and tables.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    targets: Targets
    mean: Tensor
    std: Tensor
    flippable: bool
    notes: tuple[str, ...] = ()
    table: TablePreprocessing | None = None
    reading: Reading | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example: (C,H,W) of images, (D,) of vectors, (C,L) of sequences."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the outputs: of the classes, by label, in a classification."""
        return self.targets.names

    @property
    def device(self) -> torch.device:
        """The device of the labels."""
        return self.train.targets.device

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 in hex of the three splits and the names; the same in every process."""
        digest = sha256(repr(self.classes).encode())
        for split in (self.train, self.validation, self.test):
            weights = () if split.weights is None else (split.weights,)
            for tensor in (split.inputs, split.targets, *weights):
                digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
                digest.update(tensor.cpu().contiguous().numpy().data)
        return digest.hexdigest()

    def tensors(self, part: Literal["train", "validation", "test"]) -> tuple[Tensor, Tensor]:
        """Inputs and targets of a split, for a training loop of one's own.

        Returns:
            Normalised inputs, float32 [N, *input_shape], and targets (see `Split`), on the device.

        Raises:
            ValueError: there is no split of that name.
        """
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if part not in splits:
            raise ValueError(f"want a split of {', '.join(splits)}, got {part!r}")
        split = splits[part]
        return normalise(split.inputs.to(self.device), self.mean, self.std), split.targets

    def to(self, device: torch.device | str) -> "Dataset":
        """The same data set on `device`."""
        return replace(
            self,
            train=self.train.to(device),
            validation=self.validation.to(device),
            test=self.test.to(device),
            mean=self.mean.to(device),
            std=self.std.to(device),
        )

    def train_and_validation(self) -> Split:
        """The examples of the training split, then those of the validation split."""
        first, second = self.train, self.validation
        if not len(second):
            return first
        drawn = first.rows is not None and second.rows is not None  # from the same examples
        return Split(
            torch.cat([first.inputs, second.inputs.to(first.inputs.device)]),
            torch.cat([first.targets, second.targets]),
            _merged_weights(first, second),
            mapped=first.mapped,
            rows=torch.cat([first.rows, second.rows]) if drawn else None,  # type: ignore[list-item]
        )

    def with_validation_in_train(self) -> "Dataset":
        """Merge validation into train for a final training; mean and std are computed anew.

        The preprocessing of a table stays as it was fitted, and with it the inputs of the network.

        Images that are streamed to a GPU are merged in the memory of the machine, and streamed.
        """
        train = self.train_and_validation()
        nothing = self.validation.part(slice(0))
        if self.table is not None:
            note = "validation is trained on too, preprocessed by what the training split held"
            return replace(self, train=train, validation=nothing, notes=(*self.notes, note))
        mean, std = (x.to(self.device) for x in mean_and_std(train.inputs))
        return replace(self, train=train, validation=nothing, mean=mean, std=std)


def _merged_weights(first: Split, second: Split) -> Tensor | None:
    """Weights of the examples of two splits; those without weigh the mean of the others."""
    known = [split.weights for split in (first, second) if split.weights is not None]
    if not known:
        return None
    mean = torch.cat(known).mean()
    parts = [
        mean.expand(len(split)) if split.weights is None else split.weights
        for split in (first, second)
    ]
    return torch.cat(parts)


def mean_and_std(inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation over all axes but 1. Those of pixels are exact, by histogram."""
    if inputs.dtype == torch.uint8:
        values = torch.arange(256, dtype=torch.float64, device=inputs.device)
        share = torch.zeros(inputs.shape[1], 256, dtype=torch.float64, device=inputs.device)
        for block in torch.split(inputs, 10_000):
            columns = block.transpose(0, 1)
            share += torch.stack([c.flatten().bincount(minlength=256) for c in columns])
        share /= share.sum(dim=1, keepdim=True)
        mean = share @ values
        variance = (share * (values - mean[:, None]) ** 2).sum(dim=1)
    else:
        axes = [axis for axis in range(inputs.dim()) if axis != 1]
        if inputs.numel() <= AT_ONCE:
            variance, mean = torch.var_mean(inputs.double(), dim=axes, correction=0)
        else:
            blocks = torch.split(inputs, max(1, AT_ONCE // inputs[0].numel()))
            count = inputs.numel() // inputs.shape[1]
            mean = torch.stack([b.double().sum(dim=axes) for b in blocks]).sum(dim=0) / count
            shape = [-1 if axis == 1 else 1 for axis in range(inputs.dim())]
            squares = [((b - mean.view(shape)) ** 2).sum(dim=axes) for b in blocks]
            variance = torch.stack(squares).sum(dim=0) / count
    std = variance.sqrt()
    return mean.float(), torch.where(std > 0, std, 1.0).float()
