"""What `import nas` offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nas.core import hyperparameters
from nas.core.trial import Trial
from nas.engine.session import Session
from nas.executors.resource_limits import ResourceLimits, worker_limits
from nas.runs import run as runs
from nas.runs.settings import DEFAULT_MAX_PENDING, Settings
from search_spaces import SearchSpace

if TYPE_CHECKING:
    from nas.bundles.bundle import Bundle

DEFAULT_SPACE = "nasbench201:channels=8,cells=1"
MOST_TRIALS = 1_000_000_000  # more would end after us


class Run(runs.Run):
    """One search, read from its folder, with the export of its networks.

    Reading one never writes, and runs nothing that it names.

    Args:
        path: The folder.
        space: The search space, if that is in a file of your own: `path/to/file.py:variable`, or
            the space itself.

    Raises:
        ValueError: the folder is not a run, is damaged, or was made by a newer version.
    """

    def export(self, trial: Trial, to: str | Path, *, force: bool = False) -> Bundle:
        """Write a bundle with the architecture, weights and metrics of a trial; see `nas.bundles`.

        It is verified in a process of its own before it is written, which takes seconds.

        Raises:
            ValueError: its weights were not kept, or `to` exists and not `force`.
            nas.bundles.verify.VerificationError: a form of the network gives other outputs.
        """
        from nas.winners.export import export_trial

        return export_trial(self, trial, Path(to), force=force)


def search(
    *,
    space: str = DEFAULT_SPACE,
    data: str | Path = "digits",
    strategy: str = "evolution",
    schedule: str = "none",
    trials: int = 40,
    seed: int = 0,
    out: str | Path,
    tune: str | Sequence[str] = (),
    objectives: Sequence[str] = ("accuracy", "parameters"),
    max_params: int | None = None,
    max_macs: int | None = None,
    baselines: bool = False,
    image_size: int | None = None,
    data_seed: int = 0,
    device: str = "auto",
    workers: int | Literal["auto"] = 1,
    executor: str | None = None,
    max_pending: int = DEFAULT_MAX_PENDING,
    ordered: bool = True,
    trial_timeout: float | None = None,
    trial_memory: int | None = None,
    total_memory: int | None = None,
    address: str | None = None,
    resources: Mapping[str, float] | None = None,
    **recipe: Any,
) -> Run:
    """Search, and return the run; resume it if `out` is there.

    Args:
        space: `name`, `name:setting=value`, `path/to/file.py:variable` or
            `fixed:SPACE:ARCHITECTURE`.
        data: The name of a data set, an image folder or an .npz file.
        strategy: A name of `nas.strategies.STRATEGIES`, or `name:setting=value,...`.
        schedule: How long each is trained: a name of `nas.schedules.SCHEDULES`, or
            `name:setting=value,...`; whatever is continued is a trial too.
        trials: How many there are to be in all, those already recorded included.
        seed: Same seed, same trials.
        out: The folder of the run.
        tune: "all", or hyperparameters to search together with the architecture.
        objectives: Names of scores; the first is the one that `Run.best` means.
        max_params: No architecture with more parameters is trained.
        max_macs: Likewise, multiply-accumulates for one input.
        baselines: Let the known architectures of the space go first.
        image_size: Resize the images of a folder to this side.
        data_seed: Decides which examples are for validation.
        device: "auto", "cpu", "cuda" or "cuda:N".
        workers: Trials at a time; more than one run in processes of their own. "auto" for as many
            as train faster together, which is found out at the start.
        executor: A name of `nas.executors.EXECUTORS`; by default the simplest that will do.
        max_pending: Proposals in flight at most; it decides the search, the number of workers does not.
        ordered: False to tell trials as they end: nothing waits for a slow one, and the same seed
            need not give the same trials.
        trial_timeout: Seconds that a trial may take.
        trial_memory: Bytes that a trial may take (Linux).
        total_memory: Bytes that all trials on a device may take together, as predicted: those for
            which there is no room wait. By default, for workers that share a GPU, what is free.
        address: Of a Ray cluster.
        resources: Of a Ray cluster, for each trial: {"CPU": 1.0} by default.
        recipe: Fields of `trainers.Recipe`: epochs, learning_rate, batch_size, ...

    Raises:
        ValueError: a setting is not allowed; one line that says what was wanted and got.
        SearchFailed: the first ten trials all failed.
        ChildProcessError: worker processes do not stay alive.
    """
    if not 1 <= trials <= MOST_TRIALS:
        raise ValueError(f"trials: want 1 to {MOST_TRIALS:,}, got {trials}")
    names = hyperparameters.parse_names(tune if isinstance(tune, str) else ",".join(tune))
    settings = Settings(
        space=space,
        data=str(data),
        data_seed=data_seed,
        image_size=image_size,
        strategy=strategy,
        schedule=schedule,
        seed=seed,
        objectives=tuple(objectives),
        max_parameters=max_params,
        max_macs=max_macs,
        recipe=recipe,
        tune=names,
        baselines=baselines,
        device=device,
        max_pending=max_pending,
        ordered=ordered,
    )
    limits = ResourceLimits(
        **worker_limits(workers),
        timeout=trial_timeout,
        memory=trial_memory,
        total_memory=total_memory,
        address=address,
        resources=resources or {"CPU": 1.0},
    )
    from nas.views.tensorboard import TensorBoard

    session = Session(
        settings, Path(out), limits=limits, executor=executor, observers=(TensorBoard(),)
    )
    for _ in session.run(trials):
        pass
    return Run(out, session.space)


def open_run(path: str | Path, space: str | SearchSpace | None = None) -> Run:
    """Read the run in a folder; nothing that it names is run.

    Args:
        path: The folder.
        space: Where its search space is to be had from, if that is a file of your own.

    Raises:
        ValueError: the folder is not a run, is damaged, or was made by a newer version.
    """
    return Run(path, space)
