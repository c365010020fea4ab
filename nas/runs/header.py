"""The header of a run, `run.json`: the settings, the data and the environment."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Any

from nas.core import schema
from nas.core.joint_space import JointSpace
from nas.core.metrics import METRIC, Metric
from nas.core.objectives import Objectives
from nas.plugins import check_installed
from nas.runs.atomic_io import read_whole, write_whole
from nas.runs.settings import TASKS, Settings
from nas.runs.understood import SAID, Line
from nas.runs.upgrade import SCHEMA, upgrade_header
from search_spaces import Cost, SearchSpace, Struct, Task, strict_json
from search_spaces.tree.plain import from_plain, to_plain

LEARN_FROM = "learn_from"  # key of the digest of the earlier searches that it learns from
_TEMPORARY = ".run.json."  # start of the name of a run.json that is being written


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Everything that decides the outcome of a search, and where it was begun.

    Attributes:
        settings: The settings.
        data: Name, fingerprint, targets, input_shape, examples, mean, std and flip of the data, and
            notes on how they were read, the counts of targets by split, and the ranges of those of
            a regression; None if the evaluator has its own.
        task: The task of the networks; None if there are none, or the evaluator alone knows it.
        metrics: The metrics of a completed trial.
        hyperparameters: The tree of the hyperparameters that are searched.
        code: SHA-256 of the user's code, and of the copy of earlier searches, by the setting that names
            them.
        hypervolume_reference: Worst values of costs, where the hypervolume ends, by metric.
        made: Time, versions and hardware, as `environment` gives them, and the versions of other
            packages that offer the space, the strategy or the schedule (`plugins`).
        understood: The search as it was understood, in lines; none in runs of earlier versions.
    """

    settings: Settings
    data: Mapping[str, Any] | None
    task: Task | None
    metrics: tuple[Metric, ...]
    hyperparameters: Struct
    code: Mapping[str, str]
    hypervolume_reference: Mapping[str, float]
    made: Mapping[str, Any]
    understood: tuple[Line, ...] = ()

    @property
    def objectives(self) -> Objectives:
        """The objectives and constraints of the search."""
        known = {metric.name: metric for metric in self.metrics}
        return Objectives.parse(self.settings.objectives, known, self.settings.constraints)

    @property
    def space_sha256(self) -> str | None:
        """SHA-256 of the user's file that the space is in; None for a built-in space."""
        return self.code.get("space")

    @property
    def fingerprint(self) -> str | None:
        """SHA-256 of the data; None if the evaluator has its own."""
        return None if self.data is None else str(self.data["fingerprint"])

    @property
    def flips(self) -> bool:
        """True if images are flipped in training, as the data allow it."""
        return self.data is not None and bool(self.data["flip"])

    @property
    def hyperparameters_text(self) -> str:
        """The tree of the hyperparameters as text: equal for equal trees."""
        return repr(self.hyperparameters)

    def joint_space(self, space: SearchSpace) -> JointSpace:
        """The configurations that the search may propose, limits on estimates aside.

        Raises:
            ValueError: no architecture is within the limits.
        """
        return JointSpace(
            space,
            self.task,
            self.settings.constraints,
            self.hyperparameters,
            dead_parts=self.settings.proposes_dead_parts,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `run.json`."""
        task = self.task
        return {
            "schema": SCHEMA,
            "settings": self.settings.to_dict(),
            "data": None if self.data is None else dict(self.data),
            "task": task and {**asdict(task), "input_shape": list(task.input_shape)},
            "metrics": [metric.to_dict() for metric in self.metrics],
            "hyperparameters": to_plain(self.hyperparameters),
            "code": dict(self.code),
            "hypervolume_reference": dict(self.hypervolume_reference),
            "made": dict(self.made),
            "understood": [list(line) for line in self.understood],
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
    content = dict(document)
    written = content.pop("schema", 1)
    if written > SCHEMA:
        raise ValueError(
            f"it was made by a newer version (schema {written}, this one reads up to {SCHEMA}): "
            f"upgrade nas-toolkit"
        )
    content = upgrade_header(content, written)
    _HEADER(content, "run")
    check_installed(content["made"].get("plugins", {}))
    task, tree = content["task"], from_plain(content["hyperparameters"])
    if not isinstance(tree, Struct):
        raise ValueError(f"run.hyperparameters: want a struct, got {tree!r:.40}")
    header = Header(
        settings=Settings.from_dict(content["settings"]),
        data=content["data"],
        task=task and Task(**{**task, "input_shape": tuple(task["input_shape"])}),
        metrics=tuple(map(Metric.from_dict, content["metrics"])),
        hyperparameters=tree,
        code=content["code"],
        hypervolume_reference=content["hypervolume_reference"],
        made=content["made"],
        understood=tuple((subject, said) for subject, said in content["understood"]),
    )
    _ = header.objectives  # refuses those that no metric is declared for
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


def hypervolume_references(space: JointSpace, objectives: Objectives) -> dict[str, float]:
    """The values of the costs among the objectives at which the hypervolume ends.

    Each is the power of ten above its limit; without a limit, the one above the greatest cost of 32
    networks sampled from the space.

    Raises:
        ValueError: none of the sampled networks can be built; gives the reason of the last.
    """
    costs = [field.name for field in fields(Cost) if field.name in objectives.names]
    if not costs or not space.has_costs:
        return {}
    most = {c.metric: c.bound for c in objectives.constraints if c.sign == "<="}
    if missing := [name for name in costs if name not in most]:
        sampled = _sampled_costs(space)
        most |= {name: max(getattr(cost, name) for cost in sampled) for name in missing}
    return {name: 10 ** len(str(max(1, int(most[name])))) for name in costs}


def _sampled_costs(space: JointSpace) -> list[Cost]:
    rng, found, reason = Random("largest"), [], ""
    free = JointSpace(space.space, space.task)
    for _ in range(32):
        try:
            found.append(free.cost(free.sample(rng)))
        except Exception as error:  # a space of the user's own may have such members
            reason = f"{type(error).__name__}: {error}"
    if not found:
        shape = None if space.task is None else space.task.input_shape
        raise ValueError(f"{space.name}: no network can be built for input {shape} ({reason})")
    return found


def is_begun(path: Path) -> bool:
    """True if a folder holds anything but a `run.json` whose writing was interrupted."""
    if not path.is_dir():
        return path.exists()
    return any(not file.name.startswith(_TEMPORARY) for file in path.iterdir())


_NUMBERS = schema.items(schema.number(-1e300, 1e300))
TARGETS = schema.record(
    {
        "task": schema.one_of(TASKS),
        "names": schema.items(schema.text(), 1),
        "mean": _NUMBERS,
        "std": _NUMBERS,
    }
)
_PACKAGE = r"[\w.+!-]{1,100}"
_COUNTS = schema.mapping(schema.whole())
_HEADER = schema.record(
    {
        "settings": schema.mapping(schema.anything),
        "data": schema.maybe(
            schema.record(
                {
                    "name": schema.text(4_096),
                    "fingerprint": schema.text(),
                    "targets": TARGETS,
                    "input_shape": schema.items(schema.whole(1), 1, 3),
                    "examples": _COUNTS,
                    "mean": schema.items(schema.number(-1e300, 1e300)),
                    "std": schema.items(schema.number(0, 1e300)),
                    "flip": schema.flag,
                },
                others=True,
            )
        ),
        "task": schema.maybe(
            schema.record(
                {
                    "input_shape": schema.items(schema.whole(1), 1, 3),
                    "outputs": schema.whole(1),
                    "small_images": schema.maybe(schema.flag),
                    "dense": schema.flag,
                    "numeric": schema.maybe(schema.whole(0)),
                }
            )
        ),
        "metrics": schema.items(METRIC, 1, 1_000),
        "hyperparameters": schema.anything,  # its tree knows what it must be
        "code": schema.mapping(schema.text(pattern="[0-9a-f]{64}")),
        "hypervolume_reference": schema.mapping(schema.number(1, 1e300)),
        "made": schema.mapping(
            schema.anything, plugins=schema.mapping(schema.text(pattern=_PACKAGE))
        ),
        "understood": SAID,
    }
)
