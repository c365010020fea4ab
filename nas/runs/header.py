"""The header of a run, `run.json`: the settings, the data and the environment."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from nas.core import schema
from nas.plugins import check_installed
from nas.runs.atomic_io import read_whole, write_whole
from nas.runs.settings import Settings
from nas.runs.upgrade import SCHEMA, upgrade_header
from search_spaces import Feasible, SearchSpace, Task, strict_json

_TEMPORARY = ".run.json."  # start of the name of a run.json that is being written


@dataclass(frozen=True, slots=True)
class Header:
    """Everything that decides the outcome of a search, and where it was begun.

    Attributes:
        settings: The settings.
        data: Name, fingerprint, classes, input_shape, examples, mean, std and flip of the data.
        space_sha256: SHA-256 of the user's file that the space is in; None for a built-in space.
        hypervolume_reference: Number of parameters at which the hypervolume ends.
        made: Time, versions and hardware, as `environment` gives them, and the versions of other
            packages that offer the space, the strategy or the schedule (`plugins`).
    """

    settings: Settings
    data: Mapping[str, Any]
    space_sha256: str | None
    hypervolume_reference: int
    made: Mapping[str, Any]

    @property
    def task(self) -> Task:
        """The task of the networks."""
        return Task(tuple(self.data["input_shape"]), len(self.data["classes"]))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `run.json`."""
        return {
            "schema": SCHEMA,
            "settings": self.settings.to_dict(),
            "data": dict(self.data),
            "space_sha256": self.space_sha256,
            "hypervolume_reference": self.hypervolume_reference,
            "made": dict(self.made),
        }


def read_header(path: Path) -> Header:
    """Read the `run.json` of a folder, in this version's schema or an earlier one.

    Raises:
        ValueError: there is none, it is damaged, or a newer version made it.
    """
    file = path / "run.json"
    if not file.exists():
        reason = "no such folder" if not path.exists() else "it has no run.json"
        raise ValueError(f"want the folder of a run, got {path}: {reason}")
    content = read_whole(file, strict_json.UNTRUSTED.characters)
    try:
        return _header(strict_json.loads(content.decode()))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None


def check_packages(path: Path) -> None:
    """Refuse to resume the run in a folder, if there is one, without the packages that it uses.

    Raises:
        ValueError: a package is not installed, or the `run.json` cannot be read.
    """
    if (path / "run.json").exists():
        read_header(path)


def _header(document: Any) -> Header:
    schema.mapping(schema.anything, schema=schema.whole(1))(document, "run")
    fields = dict(document)
    written = fields.pop("schema", 1)
    if written > SCHEMA:
        raise ValueError(
            f"it was made by a newer version (schema {written}, this one reads up to {SCHEMA}): "
            f"upgrade nas-toolkit"
        )
    fields = upgrade_header(fields, written)
    _HEADER(fields, "run")
    check_installed(fields["made"].get("plugins", {}))
    header = Header(**{**fields, "settings": Settings.from_dict(fields["settings"])})
    _ = header.task  # refuses a task that no network can have
    return header


def write_header(path: Path, header: Header) -> None:
    """Make the folder of a run, with its `run.json`, whole or not at all."""
    write_whole(path / "run.json", strict_json.dumps(header.to_dict(), indent=2) + "\n")


def environment(device_name: str) -> dict[str, Any]:
    """The time, and the versions and the hardware of this process."""
    packages = ("nas-toolkit", "torch", "torchvision", "numpy")
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in packages},
        "machine": platform.machine(),
        "system": sys.platform,
        "cores": os.cpu_count(),
        "device": device_name,
    }


def hypervolume_reference(space: SearchSpace, task: Task, max_parameters: int | None) -> int:
    """The number of parameters at which the hypervolume ends.

    It is the power of ten above `max_parameters`; without that limit, the one above the largest
    of 32 networks sampled from the space.

    Raises:
        ValueError: none of the sampled networks can be built; gives the reason of the last.
    """
    if max_parameters is None:
        rng, sizes, reason = Random("largest"), [], ""
        feasible = Feasible(space, task)
        for _ in range(32):
            try:
                sizes.append(feasible.cost(feasible.sample(rng)).parameters)
            except Exception as error:  # a space of the user's own may have such members
                reason = f"{type(error).__name__}: {error}"
        if not sizes:
            raise ValueError(
                f"{space.name}: no network can be built for input {task.input_shape} ({reason})"
            )
        max_parameters = max(sizes)
    return int(10 ** len(str(max_parameters)))


def is_begun(path: Path) -> bool:
    """True if a folder holds anything but a `run.json` whose writing was interrupted."""
    if not path.is_dir():
        return path.exists()
    return any(not file.name.startswith(_TEMPORARY) for file in path.iterdir())


_PACKAGE = r"[\w.+!-]{1,100}"
_COUNTS = schema.mapping(schema.whole())
_HEADER = schema.record(
    {
        "settings": schema.mapping(schema.anything),
        "data": schema.record(
            {
                "name": schema.text(4_096),
                "fingerprint": schema.text(),
                "classes": schema.items(schema.text(), 1),
                "input_shape": schema.items(schema.whole(1), 1, 3),
                "examples": _COUNTS,
                "mean": schema.items(schema.number(-1e300, 1e300)),
                "std": schema.items(schema.number(0, 1e300)),
                "flip": schema.flag,
            },
            others=True,
        ),
        "space_sha256": schema.maybe(schema.text(pattern="[0-9a-f]{64}")),
        "hypervolume_reference": schema.whole(1, 10**300),
        "made": schema.mapping(
            schema.anything, plugins=schema.mapping(schema.text(pattern=_PACKAGE))
        ),
    }
)
