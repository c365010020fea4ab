"""Additive latency model: measured blocks, summed by kind of operation, with fitted factors.

The latency of a network is a constant, plus a time for each call of an operation, plus, for each
kind of operation, the measured times of its blocks times a factor that is not negative. The times of blocks
run alone give the proportions; the factors and the constant, fitted to whole networks, stand for what
differs inside a network: the state of caches, the calls of modules in Python. A block that was not measured
has the time that its multiply-accumulates and the numbers it reads and writes predict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.core import schema
from nas.estimators.latency.operations import Block
from nas.runs.atomic_io import read_whole, write_whole
from search_spaces import strict_json

SCHEMA = 1
FILE = "latency.json"  # of the folder of a run
RIDGE = 0.3  # strength with which factors are drawn to a common one
FOR_ANY = ""  # the kind of the times of blocks of a kind that was not measured

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyTable:
    """Measured blocks, the model fitted to them, and its error.

    Attributes:
        setup: The measurement: space, input_shape, classes, device, backend, batch, threads,
            seed.
        blocks: Milliseconds of each measured block, by name.
        sizes: By kind of operation: milliseconds of a call, of a million multiply-accumulates, of a
            million numbers read or written. The kind "" stands for all.
        constant: Milliseconds of any network.
        call: Milliseconds of each call of an operation.
        factors: Factors of the times of blocks, by kind of operation; "" for other kinds.
        errors: Errors for networks held out of the fit: `spearman` (null for fewer than
            three), `mape` (mean absolute percentage error, as a share), `networks`; and `noise`, the median
            noise of their measurements.
        made: Time, versions and hardware.
    """

    setup: Mapping[str, Any]
    blocks: Mapping[str, float]
    sizes: Mapping[str, Sequence[float]]
    constant: float
    call: float
    factors: Mapping[str, float]
    errors: Mapping[str, Any]
    made: Mapping[str, Any]

    def estimate(self, calls: Mapping[Block, int]) -> float:
        """Milliseconds of a network that calls these blocks so many times each."""
        total = self.constant + self.call * sum(calls.values())
        for block in sorted(calls, key=lambda block: block.name):
            factor = self.factors.get(block.kind, self.factors[FOR_ANY])
            total += factor * calls[block] * block_ms(block, self.blocks, self.sizes)
        return total

    def summary(self) -> str:
        """The error of the estimates, in one line."""
        rank = self.errors["spearman"]
        return (
            f"estimated_latency_ms: mean absolute error {self.errors['mape']:.1%}"
            + ("" if rank is None else f", Spearman {rank:.3f}")
            + f" of {self.errors['networks']} held-out networks, which were measured to within "
            f"{self.errors['noise']:.1%}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return {"schema": SCHEMA, **asdict(self)}

    @classmethod
    def from_dict(cls, document: object) -> LatencyTable:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: it is something else; names the field.
        """
        _TABLE(document, "latency")
        assert isinstance(document, Mapping)
        for name in ("sizes", "factors"):
            if FOR_ANY not in document[name]:
                raise ValueError(f"latency.{name}: want the kind '', for all others, got none")
        return cls(**{field.name: document[field.name] for field in fields(cls)})

    def write(self, path: Path) -> None:
        """Write the table as JSON, whole or not at all."""
        write_whole(path, strict_json.dumps(self.to_dict(), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> LatencyTable:
        """Read a table.

        Raises:
            ValueError: the file is not one; names it.
        """
        text = read_whole(path, strict_json.UNTRUSTED.characters)
        try:
            return cls.from_dict(strict_json.loads(text.decode()))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


def block_ms(
    block: Block, blocks: Mapping[str, float], sizes: Mapping[str, Sequence[float]]
) -> float:
    """Milliseconds of a block: measured, or predicted from its size."""
    known = blocks.get(block.name)
    if known is not None:
        return known
    call, macs, values = sizes.get(block.kind, sizes[FOR_ANY])
    return call + macs * block.macs / 1e6 + values * block.values / 1e6


def fit_sizes(measured: Mapping[Block, float]) -> dict[str, list[float]]:
    """The times that sizes of blocks predict, by kind; see `LatencyTable.sizes`."""
    groups: dict[str, list[Block]] = {FOR_ANY: list(measured)}
    for block in measured:
        groups.setdefault(block.kind, []).append(block)
    found = {}
    for kind, blocks in groups.items():
        columns = np.array([[1, b.macs / 1e6, b.values / 1e6] for b in blocks])
        found[kind] = _non_negative(columns, np.array([measured[b] for b in blocks])).tolist()
    return found


def features(
    calls: Sequence[Mapping[Block, int]],
    kinds: Sequence[str],
    blocks: Mapping[str, float],
    sizes: Mapping[str, Sequence[float]],
) -> Array:
    """A row for each network: 1, its calls, and the sum of its blocks' times for each kind."""
    rows = np.zeros((len(calls), 2 + len(kinds)))
    column = {kind: 2 + number for number, kind in enumerate(kinds)}
    for row, counted in zip(rows, calls, strict=True):
        row[0], row[1] = 1, sum(counted.values())
        for block in sorted(counted, key=lambda block: block.name):
            row[column[block.kind]] += counted[block] * block_ms(block, blocks, sizes)
    return rows


def fit_factors(rows: Array, milliseconds: Array) -> tuple[Array, float]:
    """The coefficients of `features`, and the common factor that those of kinds are drawn to.

    Least squares of relative errors, with coefficients that are not negative. Ridge: the factors of kinds
    are drawn to the median of measured time to summed time, so that a kind that few networks differ in
    keeps its proportion.
    """
    common = float(np.median(milliseconds / rows[:, 2:].sum(1).clip(1e-9)))
    relative = rows / milliseconds[:, None]
    scale = RIDGE * np.sqrt(np.mean(relative**2, 0))
    drawn_to = np.concatenate([np.zeros(2), np.full(rows.shape[1] - 2, common)])
    weight = np.concatenate([np.zeros(2), scale[2:]])
    found = _solve(
        np.vstack([relative, np.diag(weight)]),
        np.concatenate([np.ones(len(rows)), weight * drawn_to]),
    )
    return found, common


def _non_negative(columns: Array, target: Array) -> Array:
    """Non-negative least squares of relative errors."""
    return _solve(columns / target[:, None], np.ones(len(target)))


def _solve(columns: Array, target: Array) -> Array:
    from scipy.optimize import nnls

    found: Array = nnls(columns, target)[0]
    return found


_MS = schema.number(0, 1e9)
SETUP = {  # checks of what a measurement was made of, by name
    "space": schema.text(100_000),
    "input_shape": schema.items(schema.whole(1), 1, 3),
    "classes": schema.whole(1),
    "device": schema.text(40),
    "backend": schema.text(40),
    "batch": schema.whole(1),
}
_TABLE = schema.record(
    {
        "schema": schema.whole(SCHEMA, SCHEMA),
        "setup": schema.record(
            {
                **SETUP,
                "threads": schema.whole(1),
                "seed": schema.whole(-schema.LARGE),
            }
        ),
        "blocks": schema.mapping(_MS),
        "sizes": schema.mapping(schema.items(_MS, 3, 3)),
        "constant": _MS,
        "call": _MS,
        "factors": schema.mapping(_MS),
        "errors": schema.record(
            {
                "spearman": schema.maybe(schema.number(-1, 1)),
                "mape": schema.number(0, 1e9),
                "networks": schema.whole(),
                "noise": schema.number(0, 1e9),
            }
        ),
        "made": schema.mapping(schema.anything),
    }
)
