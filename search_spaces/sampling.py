"""The members of a space that a budget admits, and how to stay among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from random import Random
from typing import TypeAlias

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task

_REMEMBERED = 1 << 11  # costs: under 1 kB each, and drawing in a narrow band asks for many
_CROWD = 64  # architectures that move into the budget together
_FREQUENT = 8  # members among so many uniform draws: drawing until one fits is quick
_KEPT = 16  # of the crowd, the best, from which it goes on in each round
_STUCK = 4  # rounds without progress until it is left where it is
_HASTE, _SPREAD = 4, 24  # steps of a walk in a round, and after the last one
_STEPS, _LONG = 8, 40  # of the walk of a draw; where members are so few that their costs are known

Measure: TypeAlias = Callable[[Architecture], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that are checked before training; None is no bound."""

    max_parameters: int | None = None
    max_macs: int | None = None  # for one input

    def __post_init__(self) -> None:
        for name, limit in (("max-params", self.max_parameters), ("max-macs", self.max_macs)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name}: want a positive number, got {limit}")

    def excess(self, parameters: int, macs: int) -> float:
        """By how much a cost is over, relative to the bounds; 0 when it is within."""
        over = 0.0
        if self.max_parameters is not None:
            over += max(0.0, parameters / self.max_parameters - 1)
        if self.max_macs is not None:
            over += max(0.0, macs / self.max_macs - 1)
        return over


class Feasible:
    """Sampling, mutation, crossover and neighbourhoods inside `limits`.

    Raises:
        ValueError: nothing in the space is within the limits; says what the smallest costs.
    """

    def __init__(self, space: SearchSpace, task: Task, limits: Limits | None = None) -> None:
        space.check_task(task)
        self.space = space
        self.task = task
        self.limits = limits or Limits()
        self._bounded = self.limits != Limits()
        self._cost = lru_cache(maxsize=_REMEMBERED)(lambda a: space.cost_of_member(a, task))
        self._alone = lru_cache(maxsize=_REMEMBERED)(lambda a: space.parameters_of_member(a, task))
        self._crowd = self._find_crowd() if self._bounded else []
        self._steps = _STEPS if len(set(self._crowd)) == _CROWD else _LONG

    @property
    def frequent(self) -> bool:
        """Whether uniform draws from the space are within the limits often enough to be drawn."""
        return not self._crowd

    def cost(self, architecture: Architecture) -> Cost:
        """The cost of `architecture` on the task; remembered."""
        return self._cost(architecture)

    def admits(self, architecture: Architecture) -> bool:
        """Whether `architecture` is within the limits."""
        return not self._bounded or self._excess(architecture) == 0

    def sample(self, rng: Random) -> Architecture:
        """Draw a member: uniformly where members are frequent.

        Where they are rare, a draw is the end of a walk among the members that starts at one of
        a crowd which was spread over them. All members can be drawn, and the longer the walk, the
        more equally often: see `SearchSpace.step`.
        """
        if self._crowd:
            return self._walk(rng.choice(self._crowd), self._excess, 0, self._steps, rng)
        while True:
            architecture = self.space.sample(rng)
            if self.admits(architecture):
                return architecture

    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        """Draw a member that differs in one decision; any other member where there is none."""
        for _ in range(100):
            mutant = self.space.mutate(architecture, rng)
            if self.admits(mutant):
                return mutant
        return self.sample(rng)

    def crossover(self, a: Architecture, b: Architecture, rng: Random) -> Architecture:
        """Draw a member that takes each decision from `a` or from `b`; `a` where none fits."""
        for _ in range(4):
            child = self.space.crossover(a, b, rng)
            if self.admits(child):
                return child
        for _ in range(16):
            child = self.space.crossover(a, child, rng)  # half of what it has of `b` is left
            if self.admits(child):
                return child
        return a

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """The neighbours in the space that are within the limits."""
        return filter(self.admits, self.space.neighbours(architecture))

    def __iter__(self) -> Iterator[Architecture]:
        """Every member once."""
        return filter(self.admits, self.space)

    def _parameters(self, architecture: Architecture) -> int:
        built = self.space.count is None and self.limits.max_macs is None
        return self._alone(architecture) if built else self.cost(architecture).parameters

    def _excess(self, architecture: Architecture) -> float:
        macs = 0 if self.limits.max_macs is None else self.cost(architecture).macs
        return self.limits.excess(self._parameters(architecture), macs)

    def _find_crowd(self) -> list[Architecture]:
        """Members to start walks from, nearly uniform among all; none where members are frequent.

        Raises:
            ValueError: there are no members.
        """
        rng = Random("crowd")
        crowd = [self.space.sample(rng) for _ in range(_CROWD)]
        if sum(map(self.admits, crowd)) >= _FREQUENT:
            return []
        crowd = self._gather(crowd, self._excess, rng)
        members = list(filter(self.admits, crowd)) or [self._descend(crowd[0], self._excess)]
        if not self.admits(members[0]):
            raise ValueError(self._refusal(members[0]))
        starts = (members[i % len(members)] for i in range(_CROWD))
        return [self._walk(start, self._excess, 0, _SPREAD, rng) for start in starts]

    def _gather(
        self, crowd: list[Architecture], measure: Measure, rng: Random
    ) -> list[Architecture]:
        """Move a crowd of uniform draws to where `measure` is 0, or least; the best comes first.

        Subset simulation (Au & Beck, Probabilistic Engineering Mechanics 16, 2001): the crowd
        walks under a bound that falls, round by round, to what the best of it have reached. So
        it stays nearly uniform among all that is under the bound.
        """
        bound, stuck = inf, 0
        while bound > 0 and stuck < _STUCK:
            best = sorted(crowd, key=measure)[:_KEPT]
            lower = measure(best[-1])
            stuck = stuck + 1 if lower == bound else 0
            bound = lower
            starts = (best[i % _KEPT] for i in range(_CROWD))
            crowd = [self._walk(start, measure, bound, _HASTE, rng) for start in starts]
        return sorted(crowd, key=measure)

    def _walk(
        self, architecture: Architecture, measure: Measure, bound: float, steps: int, rng: Random
    ) -> Architecture:
        """Wander among the architectures of which `measure` is at most `bound`."""
        for _ in range(steps):
            other = self.space.step(architecture, rng)
            if measure(other) <= bound:
                architecture = other
        return architecture

    def _descend(self, architecture: Architecture, measure: Measure) -> Architecture:
        """The end of a walk downhill to 0 or where no neighbour is lower."""
        lower: Architecture | None = architecture
        while lower is not None and measure(architecture) > 0:
            architecture = lower
            here = measure(architecture)
            below = (n for n in self.space.neighbours(architecture) if measure(n) < here)
            lower = next(below, None)
        return architecture

    def _refusal(self, nearest: Architecture) -> str:
        measures: dict[str, Measure] = {}
        if self.limits.max_parameters is not None:
            wanted = f"{self.limits.max_parameters:,} parameters"
            measures[wanted] = self._parameters
        if self.limits.max_macs is not None:
            measures[f"{self.limits.max_macs:,} MACs"] = lambda a: self.cost(a).macs
        least = []
        for measure in measures.values():
            if len(measures) > 1:  # the nearest to both bounds may be the smallest in neither
                rng = Random("least")
                crowd = [self.space.sample(rng) for _ in range(_CROWD)]
                nearest = self._descend(self._gather(crowd, measure, rng)[0], measure)
            least.append(f"{measure(nearest):,}")
        return (
            f"nothing in {self.space.name} has at most {' and '.join(measures)}: the smallest has "
            f"{' and '.join(least)} "
            f"for input {self.task.input_shape} and {self.task.classes} classes"
        )
