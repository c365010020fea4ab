"""The members of a space that a budget admits, and how to stay among them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from search_spaces.architecture import Architecture
from search_spaces.cost import Cost
from search_spaces.space import SearchSpace
from search_spaces.task import Task

_REJECTIONS = 8  # uniform draws before a draw is shrunk into the budget
_STARTS = 30  # uniform draws of which the least starts a walk downhill
_SPREAD = 12  # mutations inside the budget after that, so that all of it is reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds that are checked before training; None is no bound."""

    max_parameters: int | None = None
    max_macs: int | None = None  # for one input

    def __post_init__(self) -> None:
        for name, limit in (("max-params", self.max_parameters), ("max-macs", self.max_macs)):
            if limit is not None and limit < 1:
                raise ValueError(f"{name}: want a positive number, got {limit}")

    def excess(self, cost: Cost) -> float:
        """By how much `cost` is over, relative to the bounds; 0 when it is within."""
        over = 0.0
        if self.max_parameters is not None:
            over += max(0.0, cost.parameters / self.max_parameters - 1)
        if self.max_macs is not None:
            over += max(0.0, cost.macs / self.max_macs - 1)
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
        self._cost = lru_cache(maxsize=1 << 16)(lambda a: space.cost_of_member(a, task))
        self._anchor: Architecture | None = None
        if self._bounded:
            self._anchor = self._find_member()

    def cost(self, architecture: Architecture) -> Cost:
        """The cost of `architecture` on the task; remembered."""
        return self._cost(architecture)

    def admits(self, architecture: Architecture) -> bool:
        """Whether `architecture` is within the limits."""
        return not self._bounded or self.limits.excess(self.cost(architecture)) == 0

    def sample(self, rng: Random) -> Architecture:
        """Draw a member: uniformly where members are frequent.

        Where they are rare, a uniform draw takes decisions from a known member until it fits,
        and then wanders among the members.
        """
        for _ in range(_REJECTIONS):
            architecture = self.space.sample(rng)
            if self.admits(architecture):
                return architecture
        assert self._anchor is not None
        for _ in range(64):  # each halves the decisions that are not the anchor's
            architecture = self.space.crossover(architecture, self._anchor, rng)
            if self.admits(architecture):
                break
        else:
            architecture = self._anchor
        if self.space.size == 1:
            return architecture
        for _ in range(_SPREAD):
            mutant = self.space.mutate(architecture, rng)
            if self.admits(mutant):
                architecture = mutant
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
        for _ in range(20):
            child = self.space.crossover(a, b, rng)
            if self.admits(child):
                return child
        return a

    def neighbours(self, architecture: Architecture) -> Iterator[Architecture]:
        """The neighbours in the space that are within the limits."""
        return filter(self.admits, self.space.neighbours(architecture))

    def __iter__(self) -> Iterator[Architecture]:
        """Every member once."""
        return filter(self.admits, self.space)

    def _find_member(self) -> Architecture:
        def excess(architecture: Architecture) -> float:
            return self.limits.excess(self.cost(architecture))

        best = self._descend(excess)
        if excess(best) == 0:
            return best
        bounds = []
        if self.limits.max_parameters is not None:
            least = self.cost(self._descend(lambda a: self.cost(a).parameters)).parameters
            bounds.append((f"{self.limits.max_parameters:,} parameters", f"{least:,}"))
        if self.limits.max_macs is not None:
            least = self.cost(self._descend(lambda a: self.cost(a).macs)).macs
            bounds.append((f"{self.limits.max_macs:,} MACs", f"{least:,}"))
        wanted = " and ".join(bound for bound, _ in bounds)
        got = " and ".join(least for _, least in bounds)
        raise ValueError(
            f"nothing in {self.space.name} has at most {wanted}: the smallest has {got} "
            f"for input {self.task.input_shape} and {self.task.classes} classes"
        )

    def _descend(self, measure: Callable[[Architecture], float]) -> Architecture:
        """The least of several walks downhill; exact where fewer decisions cost less."""
        rng = Random("smallest")
        ends = []
        for _ in range(3):
            here = min((self.space.sample(rng) for _ in range(_STARTS)), key=measure)
            lower: Architecture | None = here
            while lower is not None and measure(here) > 0:
                here = lower
                below = (n for n in self.space.neighbours(here) if measure(n) < measure(here))
                lower = next(below, None)
            ends.append(here)
            if measure(here) == 0:
                break
        return min(ends, key=measure)
