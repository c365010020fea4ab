"""The report on the mistakes of a network, as plain data."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core import schema
from nas.core.numbers import plain
from nas.runs.settings import TASKS

SHARES = ("precision", "recall", "F1", "average precision", "IoU")  # columns of values 0..1
MOST_CELLS = 5_000  # of a confusion matrix that are kept: all, up to 70 classes


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A class, a label or a target, with its metrics.

    Attributes:
        name: Its name.
        values: Its metrics, one for each of `Mistakes.columns`; None where it is not defined.
    """

    name: str
    values: tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One of the worst examples.

    Attributes:
        row: Number of the example, from 0; see `Mistakes.of_split`.
        truth: The target as text; empty for masks.
        predicted: The prediction as text; empty for masks.
        size: The size of the mistake: probability of the wrong class, probability of a wrong
            label, error in deviations of the target, or share of the pixels that are wrong.
        picture: The image as a PNG file, of a segmentation beside both masks; None without one.
    """

    row: int
    truth: str
    predicted: str
    size: float
    picture: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """The mistakes of a network on validation data: the validation split, or those of all folds.

    Attributes:
        trial: Number of its trial.
        task: The task: classification, multilabel, regression or segmentation.
        of_split: True if rows are numbered in the validation split, which is the user's own; else they
            are in the data that it was drawn from.
        examples: Number of examples.
        wrong: Number of examples with a mistake; None for a regression.
        columns: The metrics of each part; see `SHARES` for those that are shares.
        parts: Classes, labels or targets.
        cells: Confusion matrix of examples, or of pixels: (true class, predicted class, count) where
            the count is not 0; beyond `MOST_CELLS`, the largest.
        points: Target and prediction of some examples, for each target of a regression.
        worst: The worst examples, the worst first.
    """

    trial: int
    task: str
    of_split: bool
    examples: int
    wrong: int | None
    columns: tuple[str, ...]
    parts: tuple[Part, ...]
    cells: tuple[tuple[int, int, int], ...] = ()
    points: tuple[tuple[tuple[float, float], ...], ...] = ()
    worst: tuple[Wrong, ...] = ()

    @property
    def matrix(self) -> NDArray[np.int64]:
        """The confusion matrix, (classes, classes): rows are true classes, columns predictions."""
        found = np.zeros((len(self.parts), len(self.parts)), np.int64)
        for true, predicted, count in self.cells:
            found[true, predicted] = count
        return found

    @property
    def confused(self) -> tuple[tuple[int, int, int], ...]:
        """The cells off the diagonal, the most frequent first."""
        off = [cell for cell in self.cells if cell[0] != cell[1]]
        return tuple(sorted(off, key=lambda cell: (-cell[2], cell[0], cell[1])))

    @property
    def worst_parts(self) -> tuple[Part, ...]:
        """The parts by their F1, IoU or R², the worst first."""
        place = next(
            (self.columns.index(name) for name in ("F1", "IoU", "R²") if name in self.columns), 0
        )

        def value(part: Part) -> float:
            found = part.values[place]
            return float("inf") if found is None else found

        return tuple(sorted(self.parts, key=value))

    def to_dict(self, *, pictures: bool = True) -> dict[str, Any]:
        """Plain data; `from_dict` is the inverse.

        Args:
            pictures: Include the pictures, as base64.
        """
        found = asdict(self)
        for wrong in found["worst"]:
            picture = wrong.pop("picture")
            if pictures:
                wrong["picture"] = None if picture is None else base64.b64encode(picture).decode()
        return found

    @classmethod
    def from_dict(cls, fields: object) -> Mistakes:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: a field is missing, unknown or has a wrong value.
        """
        _REPORT(fields, "mistakes")
        assert isinstance(fields, Mapping)
        classes = len(fields["parts"])
        if any(max(true, predicted) >= classes for true, predicted, _ in fields["cells"]):
            raise ValueError("mistakes.cells: want classes of the report")
        if any(len(part["values"]) != len(fields["columns"]) for part in fields["parts"]):
            raise ValueError("mistakes.parts: want a value for each column")
        return cls(
            **{
                **fields,
                "columns": tuple(fields["columns"]),
                "parts": tuple(
                    Part(name=part["name"], values=tuple(part["values"]))
                    for part in fields["parts"]
                ),
                "cells": tuple(tuple(cell) for cell in fields["cells"]),
                "points": tuple(
                    tuple((target, predicted) for target, predicted in points)
                    for points in fields["points"]
                ),
                "worst": tuple(
                    Wrong(**{**wrong, "picture": _decoded(wrong["picture"])})
                    for wrong in fields["worst"]
                ),
            }
        )


def value_text(column: str, value: float | None) -> str:
    """A metric of a part for a cell: 93.2%, 120 or 0.8123; a dash where it is not defined."""
    if value is None:
        return "-"
    if column in SHARES:
        return f"{value:.1%}"
    return plain(value)


def _decoded(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"mistakes.worst: want a picture in base64: {error}") from None


_NUMBER = schema.number(-1e300, 1e300)
_LINE = schema.text(200)
_REPORT = schema.record(
    {
        "trial": schema.whole(),
        "task": schema.one_of(TASKS),
        "of_split": schema.flag,
        "examples": schema.whole(),
        "wrong": schema.maybe(schema.whole()),
        "columns": schema.items(_LINE, 1, 10),
        "parts": schema.items(
            schema.record({"name": _LINE, "values": schema.items(schema.maybe(_NUMBER))}), 1
        ),
        "cells": schema.items(schema.items(schema.whole(), 3, 3), most=MOST_CELLS),
        "points": schema.items(schema.items(schema.items(_NUMBER, 2, 2))),
        "worst": schema.items(
            schema.record(
                {
                    "row": schema.whole(),
                    "truth": _LINE,
                    "predicted": _LINE,
                    "size": _NUMBER,
                    "picture": schema.maybe(schema.lines(200_000)),
                }
            ),
            most=100,
        ),
    }
)
