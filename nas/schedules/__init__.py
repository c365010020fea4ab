"""Fidelity schedules: the epochs of each trial, and which are resumed for more or forked.

A schedule wraps a strategy: the strategy proposes configurations, the schedule begins them with
few epochs and resumes those that do well, or lets others go on from their weights. To add one: write a module with a class that has `ask`,
`tell` and `keep`, name it in `SCHEDULES`, and check it with `nas.testing.check_schedule`.

Scores after few epochs and after many cannot be compared. So the strategy is told one trial of
each network, with the scores it had after the epochs of the lowest rung, read off its curve.
Resumed trials compete within their rung.
"""

from __future__ import annotations

from random import Random
from typing import Protocol, runtime_checkable

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.registry import Entry, Registry
from nas.strategies import Strategy


class Schedule(Strategy, Protocol):
    """A strategy whose proposals have a budget of epochs and may resume or fork an earlier trial.

    It is made from the strategy that proposes configurations, the candidates it chooses from, the
    objectives that decide promotion and the epochs of the recipe; keyword arguments with defaults
    are its settings. Its state must depend only on the ledger and the trials told, baselines
    included, so that a replay restores it.

    `ask` raises `Exhausted` when there is nothing to begin or to resume now; when more trials have
    ended, there may be again.
    """

    def __init__(
        self, strategy: Strategy, candidates: Candidates, objectives: Objectives, epochs: int
    ) -> None: ...

    def keep(self) -> set[int]:
        """Numbers of the trials whose checkpoints for resuming must be kept.

        These are the trials resumed or forked by one that has not ended, and those that may be
        later. The set must not grow with the length of the search.
        """


@runtime_checkable
class Thrifty(Schedule, Protocol):
    """A schedule that can propose less training than it would: for the end of a budget."""

    def ask_within(self, rng: Random, epochs: int) -> Proposal:
        """Propose, as `ask` does, an evaluation that trains at most `epochs`.

        Raises:
            Exhausted: there is none.
        """


SCHEDULES = Registry(
    "a schedule",
    "nas.schedules",
    {
        "none": Entry(
            "nas.schedules.whole",
            "WholeTraining",
            "train every network for all epochs of the recipe",
            "",
        ),
        "halving": Entry(
            "nas.schedules.halving",
            "SuccessiveHalving",
            "train a group of networks briefly, resume the best, then the best of those",
            "Jamieson & Talwalkar, AISTATS 2016",
        ),
        "asha": Entry(
            "nas.schedules.asha",
            "AsynchronousHalving",
            "resume any trial that is among the best of its rung so far",
            "Li et al., MLSys 2020",
        ),
        "hyperband": Entry(
            "nas.schedules.hyperband",
            "Hyperband",
            "groups of successive halving that start with few to many epochs",
            "Li et al., JMLR 2018",
        ),
        "pbt": Entry(
            "nas.schedules.pbt",
            "PopulationBasedTraining",
            "train a population in step; weak members become forks of strong ones, perturbed",
            "Jaderberg et al., 2017",
        ),
        "pb2": Entry(
            "nas.schedules.pb2",
            "PopulationBasedBandits",
            "as pbt, but a model of what gained most chooses the settings of forks",
            "Parker-Holder et al., NeurIPS 2020",
        ),
    },
)


def check_name(text: str) -> str:
    """Return `text` if it names a schedule, as `make` reads it.

    Raises:
        ValueError: it does not; lists the schedules there are.
    """
    SCHEDULES.check(text)
    return text


def forks(text: str) -> bool:
    """True if a schedule of the toolkit lets trials go on from the weights of others.

    Args:
        text: As `make` reads it.

    Raises:
        ValueError: there is no such schedule, or it has no such setting.
    """
    from nas.schedules.populations import Populations

    made_by = SCHEDULES.look_up(text)[0]
    return isinstance(made_by, type) and issubclass(made_by, Populations)


def make(
    text: str, strategy: Strategy, candidates: Candidates, objectives: Objectives, epochs: int
) -> Schedule:
    """A new schedule around a strategy.

    Args:
        text: `name`, or `name:setting=value,...` with keyword arguments of its class.
        strategy: Proposes new configurations.
        candidates: The configurations it chooses from.
        objectives: The objectives that decide promotion.
        epochs: Number of epochs of the recipe, those of the last rung.

    Raises:
        ValueError: there is no such schedule, it has no such setting, or does not allow the value.
    """
    cls, settings = SCHEDULES.look_up(text)
    try:
        schedule: Schedule = cls(strategy, candidates, objectives, epochs, **settings)
    except ValueError as error:
        raise ValueError(f"schedule {text}: {error}") from None
    return schedule
