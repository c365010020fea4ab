"""The training of a strategy's mixed network, in `strategy/operations.json` of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from nas.core import schema
from nas.runs.atomic_io import read_whole, write_whole
from search_spaces import strict_json
from search_spaces.tree.relaxation import OperationWeights

FOLDER = "strategy"  # of the run, for files of a strategy
FILE = "operations.json"
_MOST = 50_000_000  # bytes
_BOUNDS = strict_json.Bounds(_MOST, 1_000_000)


@dataclass(frozen=True, kw_only=True)
class RelaxedEpoch:
    """One pass of a mixed network over the half of the training split that it learns from.

    Attributes:
        number: Number of passes so far, from 1.
        loss: Mean loss of the mixed network on that half.
        operation_loss: Mean loss on the half that operation weights learn from, before each of their
            steps; None during the warm-up.
        weights: Operation weights after it, [edges][operations] of each cell.
        seconds: Wall time.
    """

    number: int
    loss: float
    operation_loss: float | None
    weights: OperationWeights
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the file."""
        return {
            "number": self.number,
            "loss": self.loss,
            "operation_loss": self.operation_loss,
            "weights": {name: [list(row) for row in rows] for name, rows in self.weights.items()},
            "seconds": self.seconds,
        }


@dataclass(frozen=True, kw_only=True)
class RelaxedRecord:
    """The training of a mixed network so far.

    Attributes:
        made_for: Everything that decides it: settings, space, data and seed, as plain data.
        cells: The edges of each cell, such as "0->1", by its name.
        operations: The operations of every edge.
        epochs: The passes so far.
        done: True once all have been made.
    """

    made_for: Mapping[str, Any]
    cells: Mapping[str, Sequence[str]]
    operations: Sequence[str]
    epochs: tuple[RelaxedEpoch, ...] = ()
    done: bool = False

    @property
    def seconds(self) -> float:
        """Wall time of all passes."""
        return sum(epoch.seconds for epoch in self.epochs)


def write_record(folder: Path, record: RelaxedRecord) -> None:
    """Write the record to the folder of a run, sealed with its SHA-256."""
    fields = {
        "made_for": dict(record.made_for),
        "cells": {name: list(edges) for name, edges in record.cells.items()},
        "operations": list(record.operations),
        "epochs": [epoch.to_dict() for epoch in record.epochs],
        "done": record.done,
    }
    fields["sha256"] = _digest(fields)
    write_whole(folder / FOLDER / FILE, strict_json.dumps(fields) + "\n")


def read_record(folder: Path) -> RelaxedRecord | None:
    """The record in the folder of a run; None if there is none.

    Raises:
        ValueError: the file is damaged; names it.
    """
    file = folder / FOLDER / FILE
    if not file.exists():
        return None
    try:
        fields = strict_json.loads(read_whole(file, _MOST).decode(), _BOUNDS)
        _RECORD(fields, "record")
        if fields.pop("sha256") != _digest(fields):
            raise ValueError("sha256: want that of the rest, got another")
    except ValueError as error:
        raise ValueError(f"{file}: damaged ({error}); remove it to train it again") from None
    epochs = tuple(RelaxedEpoch(**epoch) for epoch in fields.pop("epochs"))
    return RelaxedRecord(epochs=epochs, **fields)


_WEIGHTS = schema.mapping(schema.items(schema.items(schema.number(0, 1))))
_LOSS = schema.number(-1e300, 1e300)
_EPOCH = schema.record(
    {
        "number": schema.whole(1),
        "loss": _LOSS,
        "operation_loss": schema.maybe(_LOSS),
        "weights": _WEIGHTS,
        "seconds": schema.number(0, 1e12),
    }
)
_RECORD = schema.record(
    {
        "made_for": schema.mapping(schema.anything),
        "cells": schema.mapping(schema.items(schema.text(100))),
        "operations": schema.items(schema.text(100)),
        "epochs": schema.items(_EPOCH),
        "done": schema.flag,
        "sha256": schema.text(64),
    }
)


def _digest(fields: Mapping[str, Any]) -> str:
    return sha256(strict_json.dumps(fields).encode()).hexdigest()
