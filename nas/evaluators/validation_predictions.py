"""Predictions of a trained network on the validation split."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nas.core.trial import Trial
from nas.evaluators.cross_validation import fold_weights
from nas.evaluators.training import build, task_of
from search_spaces import SearchSpace
from trainers import Dataset, Split
from trainers.checkpoints import weights as checkpoint
from trainers.data.targets import IGNORED as IGNORED
from trainers.loop.train import read_outputs
from trainers.tasks.registry import make_task

# Shape letters: N examples, K classes or labels, T targets, C channels, H height, W width.

LARGEST_PICTURE = 96  # pixels of the longer side

# Colours of the classes of pixels, which are used in turn; pixels that do not count are black.
_COLOURS = np.array(
    [
        (230, 230, 230), (0, 114, 178), (213, 94, 0), (0, 158, 115), (240, 228, 66),
        (204, 121, 167), (86, 180, 233), (230, 159, 0), (110, 110, 110), (150, 70, 30),
    ],
    np.uint8,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ValidationPredictions:
    """Targets and predictions of the validation split.

    Attributes:
        task: The name of the task.
        names: The classes, labels or targets.
        scale: Deviation of each target of a regression; empty for other tasks.
        targets: As in `trainers.data.dataset.Split`.
        outputs: Probabilities of the classes or of the labels, float32 [N,K]; values float64 [N,T] in
            the user's units; or classes of pixels, uint8 [N,H,W].
        inputs: The inputs, which are read where a picture is asked for.
        rows: Number of each example in the user's data, int64 [N]; None for 0, 1, 2, ... of a
            validation split of the user's own.
    """

    task: str
    names: tuple[str, ...]
    scale: tuple[float, ...]
    targets: NDArray[Any]
    outputs: NDArray[Any]
    inputs: Tensor
    rows: NDArray[np.int64] | None = None

    def row(self, example: int) -> int:
        """The number of an example in the user's data, or in a split of the user's own."""
        return example if self.rows is None else int(self.rows[example])

    def picture(self, example: int) -> bytes | None:
        """An example as a PNG file, at the most `LARGEST_PICTURE` high or wide; None if no image.

        Of a segmentation it is the image, the mask and the predicted mask, side by side.
        """
        if self.inputs.dim() != 4:
            return None
        parts = [_rgb(self.inputs[example].cpu().numpy())]
        if self.task == "segmentation":
            parts += [_coloured(self.targets[example]), _coloured(self.outputs[example])]
        return _png(parts)


def predictions_of(
    space: SearchSpace, trial: Trial, data: Dataset, weights: Path, folds: Sequence[Dataset] = ()
) -> ValidationPredictions:
    """Predict with the networks of a trial what they did not learn from, as its training did.

    Args:
        space: The search space.
        trial: A completed trial.
        data: The data of the search, on the device to compute on.
        weights: The file with the weights of the trial.
        folds: The folds of the search: each is predicted by its own network, and the examples are
            those of the training split, then those of the validation split. None for the validation
            split alone.

    Raises:
        ValueError: the weights are damaged or do not fit, or the validation split is empty.
    """
    loaded = checkpoint.load(weights, trial.weights_sha256)
    if not folds:
        if not len(data.validation):
            raise ValueError("the validation split is empty")
        net = _network(space, trial, data, loaded, weights)
        return _with_outputs(data, data.validation, _outputs(net, trial, data, data.validation))
    parts, places = [], []
    for number, fold in enumerate(folds):
        net = _network(space, trial, data, fold_weights(loaded, number), weights)
        parts.append(_outputs(net, trial, data, fold.validation))
        assert fold.validation.rows is not None, "a fold knows the places of its examples"
        places.append(fold.validation.rows)
    joined = torch.cat(parts)
    outputs = torch.empty_like(joined)
    outputs[torch.cat(places)] = joined
    return _with_outputs(data, data.train_and_validation(), outputs)


def _network(
    space: SearchSpace, trial: Trial, data: Dataset, weights: Mapping[str, Tensor], file: Path
) -> nn.Module:
    net = build(space, trial.architecture, task_of(data), seed=0)
    try:
        net.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{file}: {' '.join(str(error).split())[:200]}") from None
    placed: nn.Module = net.to(data.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return placed


def _outputs(net: nn.Module, trial: Trial, data: Dataset, split: Split) -> Tensor:
    """Probabilities, values in the user's units or classes of pixels, on the CPU."""
    task, name = make_task(data.targets), data.targets.task

    def read(outputs: Tensor) -> Tensor:
        if name == "classification":
            return outputs.float().softmax(dim=1)
        return outputs.float().sigmoid() if name == "multilabel" else task.predict(outputs)

    bfloat16 = trial.measured.get("computed") == "bfloat16"
    return read_outputs(
        net,
        split,
        data,
        read,
        batch_size=int(trial.recipe.get("batch_size", 64)),  # it fitted in memory in training
        computed="bfloat16" if bfloat16 else "float32",
    )


def _with_outputs(data: Dataset, split: Split, outputs: Tensor) -> ValidationPredictions:
    return ValidationPredictions(
        task=data.targets.task,
        names=data.targets.names,
        scale=data.targets.std,
        targets=split.targets.cpu().numpy(),
        outputs=outputs.numpy(),
        inputs=split.inputs,
        rows=None if split.rows is None else split.rows.numpy(),
    )


def _rgb(image: NDArray[Any]) -> NDArray[np.uint8]:
    """An image [C,H,W] of any kind as uint8 [H,W,3]: its first channel in grey, or the first three."""
    shown = image[:3] if image.shape[0] >= 3 else np.repeat(image[:1], 3, axis=0)
    if shown.dtype != np.uint8:
        low, high = float(shown.min()), float(shown.max())
        shown = ((shown - low) * (255 / ((high - low) or 1))).astype(np.uint8)
    return np.ascontiguousarray(shown.transpose(1, 2, 0))


def _coloured(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A mask [H,W] as a picture, uint8 [H,W,3]."""
    colours = _COLOURS[mask % len(_COLOURS)]
    colours[mask == IGNORED] = 0
    return colours


def _png(parts: list[NDArray[np.uint8]]) -> bytes:
    """Pictures of one size side by side as a PNG file."""
    from PIL import Image

    made = [Image.fromarray(part) for part in parts]
    for place, image in enumerate(made):  # masks keep their colours
        resample = Image.Resampling.NEAREST if place else Image.Resampling.BOX
        image.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE), resample)
    width, height = made[0].size
    whole = Image.new("RGB", (len(made) * (width + 1) - 1, height), "white")
    for place, image in enumerate(made):
        whole.paste(image, (place * (width + 1), 0))
    stream = io.BytesIO()
    whole.save(stream, format="png")
    return stream.getvalue()
