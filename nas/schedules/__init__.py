"""Fidelity schedules: how long what a strategy proposes is trained, and what is trained on.

A schedule is a strategy around another one: that one proposes the architectures, the schedule
begins them with few epochs and continues those that do well. To add one: write a module with a
class that has `ask`, `tell` and `kept`, and name it in `SCHEDULES`.

Scores after few epochs and after many cannot be compared, so the strategy inside is told one
trial for each architecture, with the scores that it had after the epochs of the lowest rung: the
curve has them, however long the first stage was. What is continued competes within its rung.
"""

from __future__ import annotations

from typing import Protocol

from nas.core.candidates import Candidates
from nas.core.objectives import Objectives
from nas.core.registry import Entry, look_up
from nas.strategies import Strategy


class Schedule(Strategy, Protocol):
    """A strategy whose proposals say how many epochs, and which trial they continue.

    Made from the strategy that proposes the architectures, the candidates it chooses from, the
    objectives that promotion is by and the epochs of the recipe; keyword arguments with defaults
    are its settings. Its state follows from the proposals begun and the trials told: it is what
    it would be had it proposed them itself.

    `ask` raises `Exhausted` when there is nothing to begin or continue now; there may be again
    when more trials have been told.
    """

    def __init__(
        self, strategy: Strategy, candidates: Candidates, objectives: Objectives, epochs: int
    ) -> None: ...

    def kept(self) -> set[int]:
        """Numbers of told trials whose paused training is worth keeping.

        All that were continued by a trial that has not been told, and those that may yet be
        continued; it must not grow with the length of the search.
        """


SCHEDULES: dict[str, Entry] = {
    "none": Entry(
        "nas.schedules.whole", "WholeTraining", "train everything by the whole recipe", ""
    ),
    "halving": Entry(
        "nas.schedules.halving",
        "SuccessiveHalving",
        "brackets: train all a little, the best of them on",
        "Jamieson & Talwalkar, AISTATS 2016",
    ),
    "asha": Entry(
        "nas.schedules.asha",
        "AsynchronousHalving",
        "continue whatever is among the best of its rung so far",
        "Li et al., MLSys 2020",
    ),
    "hyperband": Entry(
        "nas.schedules.hyperband",
        "Hyperband",
        "successive halving from early to late, in turn",
        "Li et al., JMLR 2018",
    ),
}


def check_name(text: str) -> str:
    """Return `text` if it names a schedule, as `make` reads it.

    Raises:
        ValueError: it does not; lists those there are.
    """
    look_up("schedule", SCHEDULES, text)
    return text


def make(
    text: str, strategy: Strategy, candidates: Candidates, objectives: Objectives, epochs: int
) -> Schedule:
    """A new schedule around a strategy.

    Args:
        text: `name`, or `name:setting=value,...` with keyword arguments of its class.
        strategy: Proposes the architectures.
        candidates: What it chooses from.
        objectives: What promotion is by.
        epochs: Of the recipe: those of the last rung.

    Raises:
        ValueError: there is no such schedule, it has no such setting, or does not allow the value.
    """
    cls, settings = look_up("schedule", SCHEDULES, text)
    try:
        schedule: Schedule = cls(strategy, candidates, objectives, epochs, **settings)
    except ValueError as error:
        raise ValueError(f"schedule {text}: {error}") from None
    return schedule
