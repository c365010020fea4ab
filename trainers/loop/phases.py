"""Training whose recipe changes at given epochs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from torch import nn

from trainers.data.dataset import Dataset
from trainers.loop.early_stop import EarlyStop
from trainers.loop.train import Epoch, train
from trainers.recipes.optimizers import Optimizer, make_optimizer
from trainers.recipes.recipe import Recipe
from trainers.tasks import Task


@dataclass(frozen=True, slots=True)
class Phase:
    """A recipe, and the epoch after which the next one takes over."""

    end_epoch: int
    recipe: Recipe


def train_in_phases(
    net: nn.Module,
    data: Dataset,
    phases: Sequence[Phase],
    *,
    seed: int,
    task: Task | None = None,
    stop: EarlyStop | None = None,
) -> Iterator[Epoch]:
    """Train as `trainers.train` does, by one recipe after the other; yield an `Epoch` every pass.

    The optimiser's state is carried over, unless the next optimiser is of another kind. Each learning
    rate is that of its recipe's schedule over all epochs.

    Args:
        net: The network, on the device of `data`.
        data: The data set.
        phases: The recipes, of the same number of epochs, in the order of their ends.
        seed: As for `trainers.train`.
        task: The loss and the metrics; None for those of the data.
        stop: The rule that ends a training of one phase early; None as for `trainers.train`.

    Raises:
        ValueError: a recipe of several has patience.
    """
    if len(phases) > 1 and any(phase.recipe.patience for phase in phases):
        raise ValueError("patience: want 0 in a training whose settings change")
    done: list[Epoch] = []
    before = None
    for phase in phases:
        optimizer = make_optimizer(net, phase.recipe)
        if before is not None:
            carry_over(before, optimizer)
        passes = train(
            net,
            data,
            phase.recipe,
            seed=seed,
            optimizer=optimizer,
            done=len(done),
            earlier=tuple(done),
            task=task,
            stop=stop,
        )
        for epoch in passes:
            done.append(epoch)
            yield epoch
            if epoch.number == phase.end_epoch:
                break
        before = optimizer


def carry_over(before: Optimizer, after: Optimizer) -> None:
    """Give an optimiser the state of another one of the same parameters, if it is of the same kind."""
    for parameter, state in before.state.items():
        if after.state_names and state.keys() >= set(after.state_names):
            after.state[parameter] = {name: state[name] for name in after.state_names}


def scaled(phases: Sequence[Phase], epochs: int) -> list[Phase]:
    """The same phases in a training of another number of epochs, at the same shares of it.

    Those that would be shorter than an epoch are left out, and the last one goes on to the end.
    """
    found: list[Phase] = []
    for number, phase in enumerate(phases):
        recipe = replace(phase.recipe, epochs=epochs)
        share = phase.end_epoch / phase.recipe.epochs
        end = epochs if number == len(phases) - 1 else round(share * epochs)
        if end > (found[-1].end_epoch if found else 0):
            found.append(Phase(end, recipe))
    return found
