"""Preparation of a search before its first trial: within its budget, shown, and resumed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nas.core.budgets.deadline import TimeUp
from nas.core.budgets.spending import Spending
from nas.core.numbers import counted
from nas.engine.observers import Observers
from nas.engine.problem import Problem
from nas.evaluators.factories import FOLDER as EVALUATOR
from nas.evaluators.supernet.settings import SupernetSettings
from nas.runs.control.preparation import FOLDER, RelaxedEpoch, read_record
from nas.runs.control.supernet import read_facts
from nas.runs.settings import Settings, is_supernet
from nas.strategies import Strategy
from nas.strategies.preparing import Preparation, Prepares, RelaxedTraining
from search_spaces.tree.relaxation import OperationWeights

if TYPE_CHECKING:
    from trainers import Dataset

SAID = 10  # lines about the epochs of a training, at most

Notify = Callable[[str], None]


def check(strategy: Strategy, problem: Problem) -> None:
    """Refuse a strategy that is to be prepared in a search without data or networks.

    Raises:
        ValueError: the strategy is, and there are none.
    """
    if isinstance(strategy, Prepares) and (problem.data is None or problem.task is None):
        name = problem.settings.strategy.partition(":")[0]
        raise ValueError(
            f"strategy {name}: want a search with data and networks, to learn before the first "
            f"trial; got none"
        )


def work(strategy: Strategy, settings: Settings, folder: Path) -> str:
    """Preparations before the first trial in words, as far as a run has not made them; empty for none."""
    said = []
    if is_supernet(settings.evaluator):
        wanted, facts = SupernetSettings.parse(settings.evaluator), read_facts(folder / EVALUATOR)
        if len(facts.losses) < wanted.epochs:
            said.append(f"the training of the supernet for {counted(wanted.epochs, 'epoch')}")
        if wanted.trust and facts.tau is None:
            said.append(f"the trainings of {wanted.trust} members to compare its ranks")
    if isinstance(strategy, Prepares):
        record = read_record(folder)
        if record is None or not record.done:
            said.append("the preparation of the strategy")
    return " and ".join(said)


def count(spending: Spending, folder: Path) -> None:
    """Let what earlier sessions prepared count for the budget of a search.

    Args:
        spending: The account of the search.
        folder: The folder of the run.
    """
    record, seconds = read_record(folder), read_facts(folder / EVALUATOR).seconds
    if record is not None:
        spending.prepare(len(record.epochs), record.seconds + seconds)
    elif seconds:
        spending.prepare(0, seconds)


def prepare(
    strategy: Strategy,
    problem: Problem,
    folder: Path,
    spending: Spending,
    observers: Observers,
    notify: Notify,
    *,
    read_energy: Callable[[], None],
) -> bool:
    """Prepare a strategy that wants it; return False if the budget of the search ended before.

    Args:
        strategy: The strategy of the search.
        problem: The problem of the search.
        folder: The folder of the run.
        spending: The account of the search: `count` has counted earlier sessions.
        observers: Are told of each epoch.
        notify: Called with messages for the user.
        read_energy: Reads the counters of energy.

    Raises:
        ValueError: the strategy cannot be prepared.
    """
    if not isinstance(strategy, Prepares):
        return True
    assert problem.data is not None
    assert problem.task is not None
    (folder / FOLDER).mkdir(exist_ok=True)
    data = problem.data.to(problem.first_device)
    relaxing = _Relaxing(problem, data, folder, spending, observers, notify, read_energy)
    preparation = Preparation(
        space=problem.space,
        task=problem.task,
        data=data,
        folder=folder / FOLDER,
        seed=problem.settings.seed,
        device=problem.first_device,
        relax=relaxing,
    )
    try:
        strategy.prepare(preparation)
    except TimeUp:
        return False
    return True


class _Relaxing:
    """Trains the mixed network of a search within its budget, and says so."""

    def __init__(
        self,
        problem: Problem,
        data: Dataset,
        folder: Path,
        spending: Spending,
        observers: Observers,
        notify: Notify,
        read_energy: Callable[[], None],
    ) -> None:
        self._problem = problem
        self._data = data
        self._folder = folder
        self._spending = spending
        self._observers = observers
        self._notify = notify
        self._read_energy = read_energy
        self._seconds = 0.0

    def __call__(self, settings: RelaxedTraining) -> OperationWeights:
        from nas.evaluators.relaxed.training import MixedTraining
        from nas.evaluators.training import make_recipe

        problem = self._problem
        assert problem.task is not None
        train = MixedTraining(
            problem.space,
            problem.task,
            self._data,
            make_recipe(problem.settings.recipe),
            seed=problem.settings.seed,
            folder=self._folder,
            learned=problem.learned,
            before=self._check_budget,
            after=self._say,
        )
        record = read_record(self._folder)
        begun = 0 if record is None else len(record.epochs)
        if record is None or not record.done:
            how = f" from epoch {begun}" if begun else ""
            self._notify(
                f"{problem.settings.strategy}: training the mixed network{how}, "
                f"{counted(settings.epochs, 'epoch')}, before the first trial"
            )
        return train(settings)

    def _check_budget(self) -> None:
        if self._spending.reached():
            raise TimeUp

    def _say(self, epoch: RelaxedEpoch, epochs: int) -> None:
        self._read_energy()
        self._spending.prepare(1)
        self._observers.prepared(epoch)
        self._seconds += epoch.seconds
        every = -(-epochs // SAID)
        if epoch.number % every and epoch.number != epochs:
            return
        held_out = "" if epoch.operation_loss is None else f", held out {epoch.operation_loss:.3f}"
        self._notify(
            f"mixed network: epoch {epoch.number} of {epochs}, loss {epoch.loss:.3f}{held_out}, "
            f"{self._seconds:.0f} s"
        )
