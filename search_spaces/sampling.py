"""Sampling, mutation and neighbourhoods under bounds on numbers known before training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from functools import lru_cache
from math import inf, isnan
from random import Random
from typing import TypeAlias

from search_spaces.architecture import Architecture
from search_spaces.cost.walk import Cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task

COSTS = tuple(field.name for field in fields(Cost))

_CACHED = 1 << 11  # costs: under 1 kB each, and a walk under tight limits asks for many
_POPULATION = 64  # architectures that are moved within the limits together
_ENOUGH = 8  # feasible ones among so many uniform draws: rejection sampling is quick
_SURVIVORS = 16  # the best of a population, which the next one starts from
_STALLED = 4  # rounds without progress until a population is given up
_ROUND_STEPS, _LAST_STEPS = 4, 24  # steps of each walk in a round, and after the last round
_STEPS, _LONG = 8, 40  # of the walk of a draw; longer where few are feasible, hence in the cache

Measure: TypeAlias = Callable[[Architecture], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A lower and an upper bound on a number that is known of an architecture before training.

    Args:
        name: `parameters`, `macs` or `peak_activation_bytes` for one of the exact costs; any name
            if there is a measure.
        low: The least allowed value.
        high: The greatest allowed value.
        measure: Gives the number; NaN where it is not known, which is outside every bound. By
            default the number is an exact cost.
        implied: True for a bound that nobody gave, which errors do not name.

    Raises:
        ValueError: no number is within the bounds, or there is neither a cost nor a measure.
    """

    name: str
    low: float = -inf
    high: float = inf
    measure: Measure | None = None
    implied: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise ValueError(
                f"{self.name}: want a lower bound up to the upper one, got "
                f"{_text(self.low)} and {_text(self.high)}"
            )
        if self.measure is None and self.name not in COSTS:
            raise ValueError(f"{self.name}: want a measure, or one of the costs {', '.join(COSTS)}")

    def __str__(self) -> str:
        low = f"{self.name} >= {_text(self.low)}" if self.low > -inf else ""
        high = f"{self.name} <= {_text(self.high)}" if self.high < inf else ""
        return " and ".join(filter(None, (low, high)))

    def excess(self, value: float) -> float:
        """The distance to the nearer bound as a share of it (absolute for 0); 0 within."""
        if isnan(value):
            return inf
        bound = min(max(value, self.low), self.high)
        return abs(value - bound) / (abs(bound) or 1) if value != bound else 0.0


class Feasible:
    """Sampling, mutation, crossover and neighbourhoods within `limits`.

    Args:
        space: The search space.
        task: Task that costs are computed for; None where no network is to be built.
        limits: Bounds on costs and other measures; none by default.

    Raises:
        ValueError: no architecture is within the limits; says what the nearest has.

    Examples:
        >>> from random import Random
        >>> import search_spaces
        >>> from search_spaces import Bound, Feasible, Task
        >>> space, task = search_spaces.get("nasbench201", channels=8, cells=1), Task((3, 32, 32), 10)
        >>> small = Feasible(space, task, [Bound(name="parameters", high=30_000)])
        >>> small.cost(small.sample(Random(0))).parameters <= 30_000
        True
    """

    def __init__(self, space: SearchSpace, task: Task | None, limits: Iterable[Bound] = ()) -> None:
        if task is not None:
            space.check_task(task)
        self.space = space
        self.task = task
        self.limits = tuple(limits)
        self._cost = lru_cache(maxsize=_CACHED)(
            lambda a: space.cost_of_member(a, self._known_task())
        )
        self._parameters_alone = lru_cache(maxsize=_CACHED)(
            lambda a: space.parameters_of_member(a, self._known_task())
        )
        self._parameters_suffice = space.count is None and not any(
            bound.measure is None and bound.name != "parameters" for bound in self.limits
        )
        self._population = self._initial_population() if self.limits else []
        self._steps = _STEPS if len(set(self._population)) == _POPULATION else _LONG

    @property
    def rejection_sampling_ok(self) -> bool:
        """True if uniform draws are within the limits often enough to sample by rejection."""
        return not self._population

    def cost(self, architecture: Architecture) -> Cost:
        """The cost of `architecture` on the task; cached."""
        return self._cost(architecture)

    def is_feasible(self, architecture: Architecture) -> bool:
        """True if `architecture` is within the limits."""
        return all(b.excess(self._value(b, architecture)) == 0 for b in self.limits)

    def sample(self, rng: Random) -> Architecture:
        """Draw a feasible architecture, uniformly where rejection sampling is quick.

        Elsewhere a draw is the end of a random walk among the feasible ones (Markov chain Monte
        Carlo, see `SearchSpace.walk_step`) from one of a population that is spread over them. All
        can be drawn; the longer the walk, the nearer the distribution is to uniform.
        """
        if self._population:
            return self._walk(rng.choice(self._population), self._excess, 0, self._steps, rng)
        while True:
            architecture = self.space.sample(rng)
            if self.is_feasible(architecture):
                return architecture

    def mutate(self, architecture: Architecture, rng: Random) -> Architecture:
        """Draw a feasible architecture that differs in one decision; any feasible one failing that."""
        for _ in range(100):
            mutant = self.space.mutate(architecture, rng)
            if self.is_feasible(mutant):
                return mutant
        return self.sample(rng)

    def crossover(self, a: Architecture, b: Architecture, rng: Random) -> Architecture:
        """Draw a feasible mix of the decisions of `a` and `b`; `a` if none is found."""
        for _ in range(4):
            child = self.space.crossover(a, b, rng)
            if self.is_feasible(child):
                return child
        for _ in range(16):
            child = self.space.crossover(a, child, rng)  # half of its decisions from `b` remain
            if self.is_feasible(child):
                return child
        return a

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """The neighbours in the space that are within the limits."""
        return filter(self.is_feasible, self.space.neighbours(architecture))

    def __iter__(self) -> Iterator[Architecture]:
        """Every feasible architecture once."""
        return filter(self.is_feasible, self.space)

    def _value(self, bound: Bound, architecture: Architecture) -> float:
        """The number of an architecture that is bounded."""
        if bound.measure is not None:
            return bound.measure(architecture)
        if self._parameters_suffice:
            return self._parameters_alone(architecture)
        value: int = getattr(self.cost(architecture), bound.name)
        return value

    def _excess(self, architecture: Architecture) -> float:
        """Sum of the relative excesses over the bounds; 0 within the limits."""
        return sum(bound.excess(self._value(bound, architecture)) for bound in self.limits)

    def _known_task(self) -> Task:
        if self.task is None:
            raise ValueError(
                f"{self.space.name}: the cost of a network is known only for a task: want data, or "
                f"an input shape and a number of outputs"
            )
        return self.task

    def _initial_population(self) -> list[Architecture]:
        """Nearly uniform feasible architectures to start walks from; none for rejection sampling.

        Raises:
            ValueError: no architecture is feasible.
        """
        rng = Random("crowd")  # the text is part of the seed of every search under limits
        population = [self.space.sample(rng) for _ in range(_POPULATION)]
        if sum(map(self.is_feasible, population)) >= _ENOUGH:
            return []
        population = self._subset_simulation(population, self._excess, rng)
        members = list(filter(self.is_feasible, population)) or [
            self._descend(population[0], self._excess)
        ]
        if not self.is_feasible(members[0]):
            raise ValueError(self._refusal(members[0]))
        starts = (members[i % len(members)] for i in range(_POPULATION))
        return [self._walk(start, self._excess, 0, _LAST_STEPS, rng) for start in starts]

    def _subset_simulation(
        self, population: list[Architecture], measure: Measure, rng: Random
    ) -> list[Architecture]:
        """Move uniform draws to where `measure` is 0, or least; the best comes first.

        Subset simulation (Au & Beck, Probabilistic Engineering Mechanics 16, 2001): in each round
        the population walks under a bound, which then falls to the value that its best have
        reached. It stays nearly uniform among all architectures under the bound.
        """
        bound, stalled = inf, 0
        while bound > 0 and stalled < _STALLED:
            best = sorted(population, key=measure)[:_SURVIVORS]
            lower = measure(best[-1])
            stalled = stalled + 1 if lower == bound else 0
            bound = lower
            starts = (best[i % _SURVIVORS] for i in range(_POPULATION))
            population = [self._walk(start, measure, bound, _ROUND_STEPS, rng) for start in starts]
        return sorted(population, key=measure)

    def _walk(
        self, architecture: Architecture, measure: Measure, bound: float, steps: int, rng: Random
    ) -> Architecture:
        """Random walk among the architectures with `measure` at most `bound`."""
        for _ in range(steps):
            other = self.space.walk_step(architecture, rng)
            if measure(other) <= bound:
                architecture = other
        return architecture

    def _descend(self, architecture: Architecture, measure: Measure) -> Architecture:
        """Descend to 0, or to where no neighbour is lower."""
        lower: Architecture | None = architecture
        while lower is not None and measure(architecture) > 0:
            architecture = lower
            here = measure(architecture)
            below = (n for n in self.space.neighbours(architecture) if measure(n) < here)
            lower = next(below, None)
        return architecture

    def _refusal(self, nearest: Architecture) -> str:
        found, given = [], [bound for bound in self.limits if not bound.implied]
        for bound in given:
            if len(given) > 1:  # the nearest to all bounds need not be that to each alone
                nearest = self._nearest(bound)
            value = self._value(bound, nearest)
            found.append("none that is known" if isnan(value) else _text(value))
        alone = " for each alone" if len(given) > 1 else ""
        task = self.task
        known = f", for input {task.input_shape} and {task.outputs} outputs" if task else ""
        return (
            f"nothing in {self.space.name} has {' and '.join(map(str, given))}: the "
            f"nearest{alone} has {' and '.join(found)}{known}"
        )

    def _nearest(self, bound: Bound) -> Architecture:
        """The architecture nearest to one bound that is found."""

        def measure(architecture: Architecture) -> float:
            return bound.excess(self._value(bound, architecture))

        rng = Random("least")
        population = [self.space.sample(rng) for _ in range(_POPULATION)]
        return self._descend(self._subset_simulation(population, measure, rng)[0], measure)


def _text(value: float) -> str:
    return f"{value:,.0f}" if value == value // 1 else f"{value:,.6g}"
