"""Predictions of a network in the names and units of its targets, by task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nas.core.numbers import listed
from nas.core.schema import visible

if TYPE_CHECKING:
    from torch import Tensor

# Shape letters: B examples, K classes or labels, T targets, H height, W width.

Row = Mapping[str, Any]  # of JSON
LIKELY = 0.5  # probability above which a label is predicted
MOST_NAMED = 4  # labels, values or classes of pixels in a line


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """One class for each example.

    Attributes:
        names: The classes.
        probabilities: float32 [B,K] on the CPU, or float64 where the network computes so, according
            to the network.
    """

    names: tuple[str, ...]
    probabilities: Tensor

    @property
    def labels(self) -> list[str]:
        """The most probable class of each example."""
        return [self.names[number] for number in self.probabilities.argmax(dim=1).tolist()]

    def rows(self) -> list[Row]:
        """Label, its probability and all probabilities of each example."""
        chances_BK: list[list[float]] = self.probabilities.tolist()
        return [
            {
                "label": label,
                "probability": max(chances),
                "probabilities": dict(zip(self.names, chances, strict=True)),
            }
            for label, chances in zip(self.labels, chances_BK, strict=True)
        ]

    def lines(self) -> list[str]:
        """Each example for people."""
        return [f"{visible(row['label'])}  {row['probability']:.1%}" for row in self.rows()]

    def columns(self) -> dict[str, Sequence[object]]:
        """The columns of a table with a row for each example."""
        chances = self.probabilities.amax(dim=1).tolist()
        its = {"label": self.labels, "probability": chances}
        return its | _probabilities(self.names, self.probabilities)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Any number of labels for each example.

    Attributes:
        names: The labels.
        probabilities: float32 [B,K] on the CPU, or float64 where the network computes so, according
            to the network.
    """

    names: tuple[str, ...]
    probabilities: Tensor

    @property
    def labels(self) -> list[list[str]]:
        """The labels of each example with a probability above 0.5."""
        likely_BK: list[list[bool]] = (self.probabilities > LIKELY).tolist()
        return [[n for n, is_on in zip(self.names, row, strict=True) if is_on] for row in likely_BK]

    def rows(self) -> list[Row]:
        """Labels and all probabilities of each example."""
        return [
            {"labels": labels, "probabilities": dict(zip(self.names, chances, strict=True))}
            for labels, chances in zip(self.labels, self.probabilities.tolist(), strict=True)
        ]

    def lines(self) -> list[str]:
        """Each example for people."""
        return [
            _named((n, f"{row['probabilities'][n]:.1%}") for n in row["labels"]) or "no label"
            for row in self.rows()
        ]

    def columns(self) -> dict[str, Sequence[object]]:
        """The columns of a table with a row for each example: 0 or 1 for each label."""
        likely_KB = (self.probabilities > LIKELY).int().T.tolist()
        return {
            **dict(zip(self.names, likely_KB, strict=True)),
            **_probabilities(self.names, self.probabilities),
        }


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """Values of one or several targets for each example.

    Attributes:
        names: The targets.
        values: float64 [B,T] on the CPU, in the units of the targets.
    """

    names: tuple[str, ...]
    values: Tensor

    def rows(self) -> list[Row]:
        """Values of each example by target."""
        return [dict(zip(self.names, row, strict=True)) for row in self.values.tolist()]

    def lines(self) -> list[str]:
        """Each example for people."""
        return [_named((n, f"{v:.6g}") for n, v in row.items()) for row in self.rows()]

    def columns(self) -> dict[str, Sequence[object]]:
        """The columns of a table with a row for each example."""
        return dict(zip(self.names, self.values.T.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Masks:
    """The class of each pixel.

    Attributes:
        names: The classes; a mask has their numbers.
        masks: uint8 [B,H,W] on the CPU.
    """

    names: tuple[str, ...]
    masks: Tensor

    def resized(self, size: tuple[int, ...]) -> Masks:
        """The masks with another height and width; each pixel is that of its nearest neighbour."""
        import torch.nn.functional as F

        if self.masks.shape[1:] == size:
            return self
        return Masks(
            self.names, F.interpolate(self.masks[:, None], size=size, mode="nearest-exact")[:, 0]
        )

    def rows(self) -> list[Row]:
        """Share of the pixels of each example by class."""
        return [dict(zip(self.names, _shares(m, len(self.names)), strict=True)) for m in self.masks]

    def lines(self) -> list[str]:
        """Each example for people: the most frequent classes first."""
        by_share = [sorted(row.items(), key=lambda its: -its[1]) for row in self.rows()]
        return [_named((n, f"{v:.1%}") for n, v in row if v) for row in by_share]

    def columns(self) -> dict[str, Sequence[object]]:
        """The columns of a table with a row for each example."""
        rows = self.rows()
        return {name: [row[name] for row in rows] for name in self.names}


Predictions = Classes | Labels | Values | Masks


def predictions(
    outputs: Tensor, targets: Mapping[str, Any], size: tuple[int, ...] | None = None
) -> Predictions:
    """Read the outputs of a network.

    Args:
        outputs: (B, outputs), or (B, outputs, H, W) of a segmentation.
        targets: The targets as plain data: `task`, `names`, `mean` and `std`.
        size: Height and width of masks; None for those of the outputs.
    """
    found = _READINGS[targets["task"]](outputs.cpu(), targets)
    return found.resized(size) if isinstance(found, Masks) and size else found


def output_name(targets: Mapping[str, Any]) -> str:
    """The name of the output of an exported network: `values` in the units of targets, or `logits`."""
    return "values" if targets["mean"] else "logits"


def _classes(outputs: Tensor, targets: Mapping[str, Any]) -> Predictions:
    return Classes(tuple(targets["names"]), _precise(outputs).softmax(dim=1))


def _labels(outputs: Tensor, targets: Mapping[str, Any]) -> Predictions:
    return Labels(tuple(targets["names"]), _precise(outputs).sigmoid())


def _precise(outputs: Tensor) -> Tensor:
    """The outputs as float32, or as float64 where they were computed so."""
    import torch

    return outputs if outputs.dtype == torch.float64 else outputs.float()


def _values(outputs: Tensor, targets: Mapping[str, Any]) -> Predictions:
    import torch

    mean, std = (torch.tensor(targets[name], dtype=torch.float64) for name in ("mean", "std"))
    return Values(tuple(targets["names"]), outputs.double() * std + mean)


def _masks(outputs: Tensor, targets: Mapping[str, Any]) -> Predictions:
    import torch

    return Masks(tuple(targets["names"]), outputs.argmax(dim=1).to(torch.uint8))


_READINGS: dict[str, Callable[[Tensor, Mapping[str, Any]], Predictions]] = {
    "classification": _classes,
    "multilabel": _labels,
    "regression": _values,
    "segmentation": _masks,
}


def _probabilities(names: Sequence[str], chances_BK: Tensor) -> dict[str, Sequence[object]]:
    titles = [f"probability of {name}" for name in names]
    return dict(zip(titles, chances_BK.T.tolist(), strict=True))


def _shares(mask_HW: Tensor, classes: int) -> list[float]:
    counts = mask_HW.flatten().bincount(minlength=classes)
    shares: list[float] = (counts / mask_HW.numel()).tolist()
    return shares


def _named(texts: Iterable[tuple[str, str]]) -> str:
    """Some texts, each after its name."""
    return listed([f"{visible(name)} {text}" for name, text in texts], MOST_NAMED)
