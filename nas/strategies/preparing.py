"""Preparation of a strategy that learns from the data before its first proposal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, get_args, runtime_checkable

from search_spaces import SearchSpace, Task
from search_spaces.tree.relaxation import OperationWeights

if TYPE_CHECKING:
    from trainers import Dataset

Variant = Literal["darts", "pcdarts", "drnas"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)


@dataclass(frozen=True, kw_only=True)
class RelaxedTraining:
    """Settings of the training of a mixed network and its operation weights.

    The other numbers are those of Liu et al., ICLR 2019, Appendix A.1.1.

    Attributes:
        variant: Parametrisation of the operation weights: see `nas.evaluators.relaxed.variants`.
        order: 2 for the gradient through one step of the network's weights, 1 without it.
        epochs: Passes over the half of the training split that the network's weights learn from.
        batch_size: Examples of each half in a step.
        warmup: First epochs, in which operation weights do not learn.
        rate: Learning rate of the operation weights (Adam).
        portion: One in so many channels passes through operations.
    """

    variant: Variant = "darts"
    order: int = 1
    epochs: int = 50
    batch_size: int = 64
    warmup: int = 0
    rate: float = 3e-4
    portion: int = 1


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """Everything that a strategy may prepare with, once a run.

    Attributes:
        space: The search space.
        task: The task of the networks.
        data: The data set, on the device. Validation and test splits are for scoring: learn from
            the training split alone.
        folder: Folder for files of the strategy; it exists. A resumed run finds them there.
        seed: Seed of the search; derive every random number from it.
        device: The device to train on, such as "cpu" or "cuda:0".
        relax: Trains the mixed network of the space and returns the operation weights, or reads
            them if an earlier session has trained it.

    Raises:
        ValueError: from `relax`, if the training fails.
        TimeUp: from `relax`, if the budget of the search ends; a later session goes on from there.
    """

    space: SearchSpace
    task: Task
    data: Dataset
    folder: Path
    seed: int
    device: str
    relax: Callable[[RelaxedTraining], OperationWeights]


@runtime_checkable
class Prepares(Protocol):
    """A strategy that is prepared once a run, before its first proposal.

    It is prepared also when a run is resumed, and must then be in the same state. What it costs
    counts for the budget of the search.
    """

    def prepare(self, preparation: Preparation) -> None:
        """Learn from the data.

        Raises:
            ValueError: the data do not fit.
        """
