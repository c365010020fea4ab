"""The profile of a device: its measured networks and what was learnt from them, as a file to pass on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from nas.core import schema
from nas.estimators.device.counts import Counts
from nas.estimators.device.transfer import (
    Array,
    Known,
    Model,
    Readings,
    fit_device,
    known_device,
)
from nas.estimators.latency.table import SETUP
from nas.runs.atomic_io import read_whole, write_whole
from search_spaces import SearchSpace, strict_json

SCHEMA = 1
FILE = "device_profile.json"  # of the folder of a run
_SOURCE = 12  # networks from which a device says something of others


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """Measured networks of a device, and the model of its latency.

    Attributes:
        name: Name of the device.
        setup: The measurement: space, input_shape, classes, device, backend, batch.
        features: Names of the features, after the constant.
        networks: Measured networks: `architecture` as text, `executed` and `reaching` (the features), and
            `milliseconds`.
        weights: Probability that the runtime executes all operations, and that it leaves out what no
            output depends on.
        coefficients: Milliseconds of each feature, the constant first, for each of these.
        least: Milliseconds below which there is no estimate.
        sources: Names of the other devices that were learnt from.
        errors: `mape`, mean absolute relative error, and `spearman` of networks left out in turn; `noise`,
            the median noise of the measurements.
        made: Time, versions and hardware.
    """

    name: str
    setup: Mapping[str, Any]
    features: Sequence[str]
    networks: Sequence[Mapping[str, Any]]
    weights: Sequence[float]
    coefficients: Sequence[Sequence[float]]
    least: float
    sources: Sequence[str]
    errors: Mapping[str, Any]
    made: Mapping[str, Any]

    @property
    def model(self) -> Model:
        """The model of the latency."""
        first, second = (np.array(row, dtype=float) for row in self.coefficients)
        weights = float(self.weights[0]), float(self.weights[1])
        return Model(weights=weights, coefficients=(first, second), least=self.least)

    def estimate(self, counts: Counts) -> float:
        """Milliseconds of a network with these counts."""
        return float(self.model.estimate(rows([counts], self.features))[0])

    def known(self, features: Sequence[str]) -> Known:
        """The device as a source for another one, with other features."""
        counts = tuple(
            np.array(
                [[1.0, *_aligned(one[kind], self.features, features)] for one in self.networks]
            )
            for kind in ("executed", "reaching")
        )
        values = np.array([one["milliseconds"] for one in self.networks], dtype=float)
        return known_device(Readings(counts=(counts[0], counts[1]), values=values))

    @property
    def is_source(self) -> bool:
        """True if enough networks were measured to say something of other devices."""
        return len(self.networks) >= _SOURCE

    def summary(self) -> str:
        """The error of the estimates, in one line."""
        rank = self.errors["spearman"]
        learnt = f", with {', '.join(self.sources)}" if self.sources else ""
        return (
            f"{self.name}: {len(self.networks)} networks of {self.setup['space']} measured{learnt}; left out "
            f"in turn, the mean absolute error is {self.errors['mape']:.1%}"
            + ("" if rank is None else f", Spearman {rank:.3f}")
        )

    def write(self, path: Path) -> None:
        """Write the profile as JSON, whole or not at all."""
        write_whole(path, strict_json.dumps({"schema": SCHEMA, **asdict(self)}, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> DeviceProfile:
        """Read a profile.

        Raises:
            ValueError: the file is not one; names it.
        """
        if not path.is_file():
            raise ValueError(f"want a device profile, got {path}: no such file")
        try:
            document = strict_json.loads(
                read_whole(path, strict_json.UNTRUSTED.characters).decode()
            )
            _PROFILE(document, "profile")
            assert isinstance(document, Mapping)
            _check(document)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        return cls(**{field.name: document[field.name] for field in fields(cls)})


def space_text(space: SearchSpace) -> str:
    """The name of a space with its settings."""
    settings = ",".join(f"{name}={value}" for name, value in sorted(space.settings.items()))
    return f"{space.name}:{settings}" if settings else space.name


def rows(counted: Iterable[Counts], features: Sequence[str]) -> tuple[Array, Array]:
    """The counts of networks as matrices, a constant first."""
    both = list(counted)
    return (
        np.array([[1.0, *(c[0].get(name, 0.0) for name in features)] for c in both]),
        np.array([[1.0, *(c[1].get(name, 0.0) for name in features)] for c in both]),
    )


def left_out(readings: Readings, sources: Sequence[Known]) -> dict[str, Any]:
    """Errors of each network, estimated from all others."""
    count = len(readings.values)
    found = []
    for one in range(count):
        kept = [i for i in range(count) if i != one]
        part = Readings(
            counts=(readings.counts[0][kept], readings.counts[1][kept]),
            values=readings.values[kept],
        )
        counts = readings.counts[0][[one]], readings.counts[1][[one]]
        found.append(float(fit_device(part, sources).estimate(counts)[0]))
    estimates = np.array(found)
    rank = None
    if count >= 3:
        from scipy.stats import rankdata

        both = np.corrcoef(rankdata(estimates), rankdata(readings.values))
        rank = float(both[0, 1]) if np.isfinite(both).all() else None
    mape = float(np.mean(np.abs(estimates / readings.values - 1)))
    return {"mape": mape, "spearman": rank}


def _aligned(values: Sequence[float], names: Sequence[str], wanted: Sequence[str]) -> list[float]:
    known = dict(zip(names, values, strict=True))
    return [known.get(name, 0.0) for name in wanted]


def _check(document: Mapping[str, Any]) -> None:
    """Refuse lists of other lengths than the features."""
    count = len(document["features"])
    for number, one in enumerate(document["networks"]):
        for kind in ("executed", "reaching"):
            if len(one[kind]) != count:
                got = len(one[kind])
                raise ValueError(f"profile.networks[{number}].{kind}: want {count}, got {got}")
    for row in document["coefficients"]:
        if len(row) != count + 1:
            raise ValueError(f"profile.coefficients: want {count + 1} in a row, got {len(row)}")


_COUNT = schema.number(0, 1e12)
_COUNTS = schema.items(_COUNT, 0, 1_000)
_PROFILE = schema.record(
    {
        "schema": schema.whole(SCHEMA, SCHEMA),
        "name": schema.text(100),
        "setup": schema.record(SETUP),
        "features": schema.items(schema.text(100), 0, 1_000),
        "networks": schema.items(
            schema.record(
                {
                    "architecture": schema.text(100_000),
                    "executed": _COUNTS,
                    "reaching": _COUNTS,
                    "milliseconds": schema.number(1e-9, 1e9),
                }
            ),
            2,
            10_000,
        ),
        "weights": schema.items(schema.number(0, 1), 2, 2),
        "coefficients": schema.items(schema.items(schema.number(-1e12, 1e12), 1, 1_001), 2, 2),
        "least": schema.number(0, 1e9),
        "sources": schema.items(schema.text(100), 0, 1_000),
        "errors": schema.record(
            {
                "mape": schema.number(0, 1e9),
                "spearman": schema.maybe(schema.number(-1, 1)),
                "noise": schema.number(0, 1e9),
            }
        ),
        "made": schema.mapping(schema.anything),
    }
)
