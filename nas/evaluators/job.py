"""A job: one evaluation, as its evaluator sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.budgets.deadline import Deadline
from nas.core.configuration import Configuration
from nas.core.failure import BudgetSpent, EvaluationFailed, Failure
from nas.core.joint_space import JointSpace
from nas.core.metrics import Metric
from nas.core.numbers import counted
from nas.core.proposal import Proposal
from nas.core.trial import checkpoint_name, paused_name
from search_spaces import Architecture, Record, SearchSpace, Task

if TYPE_CHECKING:
    from torch import nn

    from trainers import Dataset

STOPPED = "stopped at the budget"  # of a trial at the end of the search's time

# torch is imported late: an evaluator may do without it.


def no_weights(proposal: Proposal, reason: Exception) -> Failure:
    """The failure of a fork, or of a later stage of one, without the state to go on from."""
    return Failure("error", f"trial {proposal.resume_from} has no state to fork: {reason}")


def _silent(_: str) -> None:
    """Notify nobody."""


def _unlimited() -> None:
    """Allow any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Everything that all jobs of a search share.

    Attributes:
        space: The search space.
        task: The task of the networks; None if neither data nor the evaluator say what it is.
        data: The data set, on the device; None if the evaluator brings its own.
        device: The device to train on, such as "cpu" or "cuda:0"; "auto" for the best there is.
        seed: Seed of the search.
        epochs: Epochs of a whole training.
        checkpoints: Folder for weights and for states to resume from; None keeps none.
        folder: Folder for files of the evaluator, which `prepare` may have written.
        joint: The configurations that may be proposed, within the limits; None but for `prepare`.
        notify: Called with messages for the user, by `prepare`.
        check_budget: Raises `nas.core.budgets.deadline.TimeUp` once the search has spent its budget. Called by
            `prepare` where it can stop and go on in a later session.
    """

    space: SearchSpace
    task: Task | None
    data: Dataset | None
    device: str
    seed: int
    epochs: int
    checkpoints: Path | None
    folder: Path
    joint: JointSpace | None = None
    notify: Callable[[str], None] = _silent
    check_budget: Callable[[], None] = _unlimited


class Job:
    """One evaluation: its configuration, seed, data and device, and the reports of the evaluator.

    Attributes:
        number: Number of the trial.
        proposal: The configuration, its budget and the trial it resumes, if any.
        recipe: All hyperparameters used, fixed and searched; set by the evaluator.
        curve: One record an epoch, those of earlier stages first.
        measured: Facts that another run would measure differently, such as seconds.
        weights_sha256: SHA-256 of the checkpoint, if the evaluator wrote one.
        workspace: Everything that all jobs of the search share; None for an evaluator of the toolkit.
        shares_gpu: True if other trials may run on its GPU. One that runs out of memory there is run
            again, alone.

    Args:
        number: Number of the trial.
        proposal: The configuration, its budget and the trial it resumes, if any.
        deadline: The time at which the search ends, if it has a budget of time.
        on_epoch: Called after each epoch.
        shares_gpu: True if other trials may run on its GPU.
    """

    def __init__(
        self,
        number: int,
        proposal: Proposal,
        deadline: Deadline | None = None,
        on_epoch: Callable[[], None] = lambda: None,
        *,
        shares_gpu: bool = False,
    ) -> None:
        self.number = number
        self.shares_gpu = shares_gpu
        self._deadline = deadline
        self._on_epoch = on_epoch
        self.proposal = proposal
        self.recipe: Mapping[str, Any] = {}
        self.curve: list[Mapping[str, float]] = []
        self.measured: dict[str, Any] = {}
        self.weights_sha256: str | None = None
        self.workspace: Workspace | None = None
        self._start_epoch = 0
        self._state: Any = None
        self._network: nn.Module | None = None
        self._resolved: str | None = None

    @property
    def configuration(self) -> Configuration:
        """The architecture and the hyperparameters to evaluate."""
        return self.proposal.configuration

    @property
    def architecture(self) -> Architecture:
        """The architecture to evaluate; `job.architecture.value` holds its decisions."""
        return self.proposal.architecture

    @property
    def hyperparameters(self) -> Record:
        """The searched hyperparameters by name, such as `job.hyperparameters["lr"]`."""
        return self.proposal.hyperparameters

    @property
    def root(self) -> int:
        """Number of the trial that started the network; it seeds all that is random."""
        return self.number if self.proposal.root is None else self.proposal.root

    @property
    def epochs(self) -> int:
        """Epochs that the training shall have had at its end, those of earlier stages included."""
        whole = self._shared.epochs
        return min(self.proposal.epochs or whole, whole)

    @property
    def seconds_left(self) -> float:
        """Seconds until the search stops evaluations; infinite without a budget of time."""
        return inf if self._deadline is None else self._deadline.left

    def part(self) -> Job:
        """A job for one of several trainings of the same evaluation, with reports of its own."""
        return Job(
            self.number, self.proposal, self._deadline, self._on_epoch, shares_gpu=self.shares_gpu
        )

    def epoch_ended(self, epoch: int, last: int) -> bool:
        """Note that `epoch` of `last` has ended; True if the training has to stop before the last.

        Evaluators of the toolkit call it after each epoch; others call `report`.
        """
        self._on_epoch()
        if epoch >= last or self.seconds_left > 0:
            return False
        self.measured["cut"] = f"{STOPPED} after {epoch} of {counted(last, 'epoch')}"
        return True

    @property
    def start_epoch(self) -> int:
        """Epochs that the state of `restore` was trained for; 0 if there is none."""
        return self._start_epoch

    @property
    def seed(self) -> int:
        """Seed of all that is random in this evaluation, 0 to 2**63 - 1.

        It follows from the seed of the search and the number of the trial that started the network,
        so that all stages of a training have the same.
        """
        from trainers import derive_seed

        return derive_seed(self._shared.seed, "trial", self.root)

    @property
    def device(self) -> str:
        """The device to train on, such as "cpu" or "cuda:0"."""
        if self._resolved is None:
            self._resolved = self._shared.device
            if self._resolved == "auto":
                from trainers import resolve

                self._resolved = str(resolve("auto"))
        return self._resolved

    @property
    def data(self) -> Dataset:
        """The data set of the search, on the device.

        Raises:
            ValueError: the search has none.
        """
        if self._shared.data is None:
            raise ValueError("job.data: the search has no data; pass data=... or --data")
        return self._shared.data

    @property
    def task(self) -> Task:
        """The shape of the inputs and the number of outputs of the networks.

        Raises:
            ValueError: the search has no data, and its evaluator does not declare them.
        """
        if self._shared.task is None:
            raise ValueError(
                "job.network: want data, or an evaluator that declares input_shape and outputs, "
                "got neither"
            )
        return self._shared.task

    @property
    def folder(self) -> Path:
        """Folder for files of the evaluator, which `prepare` may have written."""
        return self._shared.folder

    def network(self) -> nn.Module:
        """The network of the architecture on the device, built on the first call.

        Its initial weights follow from `seed`. Its weights are kept when the evaluation has ended,
        so that the trial can be exported.

        Raises:
            ValueError: the space has no networks, or there is no task for them.
        """
        if self._network is None:
            from nas.evaluators.training import build

            shared = self._shared
            network = build(shared.space, self.architecture, self.task, self.seed)
            self._network = network.to(self.device)
        return self._network

    @property
    def built(self) -> nn.Module | None:
        """The network that was built for this evaluation; None if there is none."""
        return self._network

    def adopt(self, network: nn.Module) -> None:
        """Use a network that the evaluator built itself, in place of the one of `network`."""
        self._network = network

    def report(self, epoch: int, **metrics: float) -> None:
        """Report metrics after an epoch, for the curve of the trial.

        Args:
            epoch: Number of epochs trained so far, earlier stages included: from 1.
            metrics: Finite numbers by name.

        Raises:
            ValueError: the epoch does not follow the one before, or a metric is not a number.
            FloatingPointError: a metric is NaN or infinite.
            BudgetSpent: the time of the search is over; let it pass.
        """
        last = int(self.curve[-1]["number"]) if self.curve else self.start_epoch
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch <= last:
            raise ValueError(f"job.report: want an epoch above {last}, got {epoch!r}")
        record: dict[str, float] = {"number": epoch}
        for name, value in metrics.items():
            record[name] = Metric(name).check(value)  # bounds are those of the result
        self.curve.append(record)
        if self.epoch_ended(epoch, self.epochs):
            raise BudgetSpent(self.measured["cut"])

    def save(self, state: object) -> None:
        """Save the state that a later stage of this training resumes from; see `restore`.

        Args:
            state: Dicts, lists, tuples, numbers, texts, tensors and arrays, nested in any way, such
                as `{"network": net.state_dict(), "optimizer": optimizer.state_dict()}`.

        Raises:
            ValueError: something else is in it; names it.
        """
        from trainers.checkpoints.state import save_state

        if self._shared.checkpoints is not None:
            curve = [dict(record) for record in self.curve]
            path = self._shared.checkpoints / paused_name(self.number)
            save_state(path, {"state": state, "curve": curve, "epochs": self.epochs})

    def restore(self) -> Any:
        """The state that the stage before saved, tensors on the CPU; None for a new training.

        If the state is missing or damaged, the training starts over: the result is None,
        `start_epoch` is 0, and `measured["restarted"]` has the reason. A fork of another trial has
        the state of that one, and other hyperparameters: set the learning rate after
        `optimizer.load_state_dict`, which sets that of the other trial.
        """
        return self._state

    def open(self, workspace: Workspace) -> None:
        """Begin: make what the search shares available, and read the stage that is resumed."""
        self.workspace = workspace
        before = self.proposal.resume_from
        if before is None:
            return
        from trainers.checkpoints.state import load_state

        try:
            if workspace.checkpoints is None:
                raise ValueError("no checkpoints are kept")
            saved = load_state(workspace.checkpoints / paused_name(before))
            if saved["epochs"] != self.proposal.start_epoch:
                raise ValueError(
                    f"want {self.proposal.start_epoch} epochs trained, got {saved['epochs']}"
                )
            self.curve, self._state = list(saved["curve"]), saved["state"]
            self._start_epoch = self.proposal.start_epoch
            if self.proposal.is_fork:
                self.measured["fork"] = {"of": before}
        except (ValueError, KeyError, TypeError) as error:
            if self.proposal.inherited_epochs:
                raise EvaluationFailed(no_weights(self.proposal, error)) from None
            self.measured["restarted"] = str(error)

    def keep_weights(self) -> None:
        """Write the weights of the network that was built, if checkpoints are kept."""
        if self._network is not None and self._shared.checkpoints is not None:
            from trainers.checkpoints import weights

            path = self._shared.checkpoints / checkpoint_name(self.number)
            self.weights_sha256 = weights.save(path, self._network.state_dict())

    @property
    def _shared(self) -> Workspace:
        assert self.workspace is not None, "an evaluator of the toolkit has no workspace"
        return self.workspace
