"""Latency in a search: measured after each evaluation, or estimated by the run's own table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from nas.core import schema
from nas.core.metrics import METRICS, Metric
from nas.estimators import Estimator
from nas.evaluators import Evaluator
from nas.evaluators.timed import LATENCY
from nas.runs.atomic_io import read_whole, write_whole
from nas.runs.settings import Settings
from search_spaces import SearchSpace, Task, strict_json

if TYPE_CHECKING:
    import torch

    from nas.estimators.device.estimator import DeviceLatency
    from nas.estimators.latency.estimator import EstimatedLatency

ESTIMATED = METRICS["estimated_latency_ms"]
NAMES = (LATENCY.name, ESTIMATED.name)
FILE = "latency.json"  # of the folder of a run
REFERENCE_FILE = "latency_reference.json"
_SPEED = schema.record({"seconds": schema.number(1e-9, 1e6)})


def is_measured(
    settings: Settings,
    evaluator: Evaluator | None,
    estimated: Iterable[Metric],
    space: SearchSpace,
    task: Task | None,
) -> bool:
    """True if an objective or a limit names `latency_ms` and neither user nor estimator gives it.

    Networks can be measured only where the space has them and there is a task for them; elsewhere it is a
    metric of the evaluator like any other.
    """
    if LATENCY.name not in settings.named_metrics or space.build is None or task is None:
        return False
    declared = () if evaluator is None else evaluator.metrics
    return all(metric.name != LATENCY.name for metric in (*declared, *estimated))


def estimator(
    settings: Settings,
    evaluator: Evaluator | None,
    given: Iterable[Estimator],
    space: SearchSpace,
    task: Task | None,
    *,
    device: torch.device,
    folder: Path,
    notify: Callable[[str], None],
) -> EstimatedLatency | DeviceLatency | None:
    """The estimator of `estimated_latency_ms`; None unless an objective or a limit names it.

    It estimates by the profile of a device, if one is given, which the folder of the run then holds. Else
    its table is `latency.json` in that folder; for a new run it is measured, which takes about half a
    minute.

    Raises:
        ValueError: the space has no networks, or there is no task for them; a run with trials has lost
            its table.
    """
    declared = [] if evaluator is None else list(evaluator.metrics)
    declared += [metric for estimator in given for metric in estimator.metrics]
    wanted = ESTIMATED.name in settings.named_metrics
    if not wanted or ESTIMATED.name in {metric.name for metric in declared}:
        if settings.device_profile is not None:
            raise ValueError(
                f"device_profile: want an objective or a limit of {ESTIMATED.name}, which nothing else "
                f"estimates"
            )
        return None
    if space.build is None or task is None:
        raise ValueError(
            f"{ESTIMATED.name}: want a space with networks, and data or an evaluator that declares "
            f"input_shape and classes"
        )
    if settings.device_profile is not None:
        return _of_device(Path(settings.device_profile), space, task, folder)
    from nas.estimators.latency.estimator import EstimatedLatency
    from nas.estimators.latency.fit import fit_table
    from nas.estimators.latency.table import LatencyTable

    path, journal = folder / FILE, folder / "trials.jsonl"
    if path.exists():
        return EstimatedLatency(LatencyTable.read(path), space, task)
    if journal.exists() and journal.stat().st_size:
        raise ValueError(f"want {path}, whose estimates the trials of the run have, got none")
    notify(f"{ESTIMATED.name}: measuring blocks and networks of the space, for about half a minute")
    table = fit_table(
        space,
        task,
        batch=settings.latency_batch,
        device=str(device),
        backend=settings.latency_backend,
        seed=settings.seed,
    )
    notify(table.summary())
    return EstimatedLatency(table, space, task)


def _of_device(given: Path, space: SearchSpace, task: Task, folder: Path) -> DeviceLatency:
    """The estimator by a profile: that of the run, which has to be the one given, if that still is there.

    Raises:
        ValueError: the profile is none, of another space or task, or another than before.
    """
    from nas.estimators.device.estimator import DeviceLatency
    from nas.estimators.device.profile import FILE as PROFILE
    from nas.estimators.device.profile import DeviceProfile

    kept = folder / PROFILE
    if not kept.exists():
        return DeviceLatency(DeviceProfile.read(given), space, task)
    profile = DeviceProfile.read(kept)
    if given.exists() and DeviceProfile.read(given) != profile:
        raise ValueError(f"device_profile: {given} is another one than that of {folder}")
    return DeviceLatency(profile, space, task)


def write_table(folder: Path, estimator: EstimatedLatency | DeviceLatency | None) -> None:
    """Put the table or the profile that a search estimates latencies by into its folder, once."""
    if estimator is None:
        return
    from nas.estimators.device.estimator import DeviceLatency
    from nas.estimators.device.profile import FILE as PROFILE

    if isinstance(estimator, DeviceLatency):
        if not (folder / PROFILE).exists():
            estimator.profile.write(folder / PROFILE)
    elif not (folder / FILE).exists():
        estimator.table.write(folder / FILE)


def reference(folder: Path, settings: Settings, device: str) -> float:
    """Seconds of the reference network when the run began: measured once, and kept in its folder.

    Raises:
        ValueError: the file is damaged; names it.
    """
    path = folder / REFERENCE_FILE
    if path.exists():
        content = read_whole(path, strict_json.UNTRUSTED.characters).decode()
        try:
            found = strict_json.loads(content)
            _SPEED(found, "reference")
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        return float(found["seconds"])
    from nas.estimators.latency import backends

    seconds = backends.measure_reference(
        "cpu" if settings.latency_backend == "onnxruntime" else device
    )
    write_whole(path, strict_json.dumps({"seconds": seconds}) + "\n")
    return seconds
