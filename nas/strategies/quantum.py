"""A quantum-inspired evolutionary algorithm, for any number of objectives.

Han & Kim, "Quantum-Inspired Evolutionary Algorithm for a Class of Combinatorial Optimization",
IEEE Transactions on Evolutionary Computation 6(6), 2002, and its H-epsilon gate (8(2), 2004). An
individual holds an amplitude for each answer to each decision; the square of an amplitude is the
probability that the answer is sampled. Deviations: a Q-bit of the paper has two states, a decision
here has one for each answer (ranges are divided into equal parts), conditional decisions included;
the gate rotates in the plane of the sampled answer and the best one. The paper updates all
individuals after all have been evaluated; here each is updated when its trial has ended. With
several objectives an answer is "not as good" if it is worse in one of them, and the best trials
that migrate to the individuals are spread along the front. The angle is larger than in the paper,
for hundreds of evaluations instead of tens of thousands.
"""

from __future__ import annotations

from math import acos, asin, cos, pi, sin, sqrt
from random import Random
from typing import TypeAlias

from nas.core.candidates import Candidates
from nas.core.fronts.pareto import Front, Vector
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from search_spaces import Integer, Node, Real
from search_spaces.tree.node import Answer, Question

_OBSERVATIONS = 20  # of one individual, until one is new and within the limits

Key: TypeAlias = tuple[str, Node]  # the path of a decision, and what decides there
State: TypeAlias = list[float]  # amplitudes: the squares add up to 1


class QuantumInspiredEvolution:
    """Observe superpositions; rotate them towards the best that was observed.

    Args:
        candidates: The configurations to choose from.
        objectives: The objectives that decide which observation is best.
        population: Superpositions; proposal n is an observation of number n modulo this. Range: 1
            or more.
        angle: Angle of a rotation, in units of pi (0.01 in the paper). Range: 0 to 0.5.
        epsilon: Least probability of the answers other than the best's, together. Range: 0 to
            below 1.
        migration: Number of trials after which the best of all becomes the best of each individual.
            Range: 1 or more.
        levels: Number of parts that a range of more numbers is divided into. Range: 1 or more.
    """

    def __init__(
        self,
        candidates: Candidates,
        objectives: Objectives,
        *,
        population: int = 5,
        angle: float = 0.1,
        epsilon: float = 0.05,
        migration: int = 10,
        levels: int = 8,
    ) -> None:
        if min(population, migration, levels) < 1:
            raise ValueError(f"want at least 1 each, got {population=}, {migration=}, {levels=}")
        if not (0 <= angle <= 0.5 and 0 <= epsilon < 1):
            raise ValueError(f"want 0 <= angle <= 0.5, 0 <= epsilon < 1: {angle=}, {epsilon=}")
        self._candidates = candidates
        self._objectives = objectives
        self._angle, self._closest = pi * angle, asin(sqrt(epsilon))
        self._migration, self._levels = migration, levels
        self._states: list[dict[Key, State]] = [{} for _ in range(population)]
        self._best: list[Trial | None] = [None] * population
        self._front: Front[Trial] = Front()
        self._count = 0

    def ask(self, rng: Random) -> Proposal:
        """Propose an observation of the next individual."""
        individual = len(self._candidates.ledger.configurations) % len(self._states)
        states, best = self._states[individual], self._best[individual]
        for _ in range(_OBSERVATIONS):
            configuration = self._candidates.space.decide(
                lambda question: self._observe(states, question, rng)
            )
            if self._candidates.is_available(configuration):
                break
        else:
            configuration = self._candidates.mutate(configuration, rng)
        return Proposal(configuration, parents=() if best is None else (best.number,))

    def tell(self, trial: Trial) -> None:
        """Keep a trial that is as good as the best of its individual; else rotate towards that best."""
        individual = self._count % len(self._states)  # with a schedule their numbers have gaps
        self._count += 1
        if not trial.completed:
            return
        best = self._best[individual]
        if best is None or self._as_good(trial, best):
            self._best[individual] = trial
        else:
            self._rotate(self._states[individual], trial, best)
        self._front.add(self._vector(trial), trial)
        if self._count % self._migration == 0:
            front = self._front.items
            self._best = [front[i % len(front)] for i in range(len(self._states))]

    def _observe(self, states: dict[Key, State], question: Question, rng: Random) -> Answer:
        parts = self._parts(question)
        state = states.get((question.path, question.node), [1.0] * parts)
        (part,) = rng.choices(range(parts), [amplitude**2 for amplitude in state])
        if not question.weights:
            return (part + rng.random()) / parts
        answers = len(question.weights)
        return rng.randrange(-(-part * answers // parts), -(-(part + 1) * answers // parts))

    def _rotate(self, states: dict[Key, State], trial: Trial, best: Trial) -> None:
        """Rotate every decision in which `trial` differs from `best` towards the answer of `best`."""
        seen = self._observed(trial)
        for key, (part, parts) in self._observed(best).items():
            if seen.get(key) != (part, parts):
                state = states.get(key, [sqrt(1 / parts)] * parts)
                states[key] = rotated(state, part, self._angle, self._closest)

    def _observed(self, trial: Trial) -> dict[Key, tuple[int, int]]:
        """The observed part of every state, and the number of its parts."""
        observed = {}
        for question, answer in self._candidates.space.answers(trial.configuration):
            parts, answers = self._parts(question), len(question.weights) or 1
            part = min(int(answer * parts / answers), parts - 1)
            observed[question.path, question.node] = part, parts
        return observed

    def _parts(self, question: Question) -> int:
        """The number of states of a decision; a range of many numbers is divided into parts."""
        answers = len(question.weights)
        if isinstance(question.node, Integer | Real):
            return min(answers or self._levels, self._levels)
        return answers

    def _as_good(self, trial: Trial, best: Trial) -> bool:
        pairs = zip(self._vector(trial), self._vector(best), strict=True)
        return all(x <= y for x, y in pairs)

    def _vector(self, trial: Trial) -> Vector:
        return self._objectives.vector(trial.scores)


def rotated(state: State, part: int, angle: float, closest: float) -> State:
    """`state` turned by `angle` (radians) towards `part`, and no closer to it than `closest`.

    In the plane of the two: with two answers, the rotation of Han & Kim, equation (4).
    """
    distance = acos(min(state[part], 1.0))
    turned = max(distance - angle, min(closest, distance))
    if turned == distance:
        return state
    shrink = sin(turned) / sin(distance)
    return [cos(turned) if i == part else a * shrink for i, a in enumerate(state)]
