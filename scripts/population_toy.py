"""The toy problem of population based training: exploiting and exploring, alone and together.

    python scripts/population_toy.py --seeds 100

Jaderberg et al., "Population Based Training of Neural Networks", 2017, Section 4 and Figure 2
(https://arxiv.org/abs/1711.09846). A model with two weights is to maximise Q = 1.2 - w0^2 - w1^2, but
follows the gradient of 1.2 - h0 w0^2 - h1 w1^2, whose coefficients are the hyperparameters. Two members
begin at w = (0.9, 0.9), with h = (1, 0) and (0, 1): with constant hyperparameters each finds one
weight only, and stays at 0.39. The members are compared after every 4 of 200 steps.
"""

import argparse
from collections.abc import Iterator
from random import Random
from statistics import fmean

from nas import schedules
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules.exploration import explored
from search_spaces import Real, Record, Struct, load

STEPS, EVERY, MEMBERS, RATE = 200, 4, 2, 0.012
TREE = Struct(h0=Real(0.0, 1.0), h1=Real(0.0, 1.0))
EXPLORED = {"factor": 1.2, "resample": 0.25}
SCHEDULES = {
    "constant": "",
    "exploit alone": "pbt:population=2,every=4,factor=1.0,resample=0.0",
    "explore alone": "",
    "both": "pbt:population=2,every=4",
    "pb2": "pb2:population=2,every=4",
}


class Corners:
    """The strategy that proposes (1, 0) and (0, 1) in turns."""

    def __init__(self, candidates: Candidates) -> None:
        self._ledger = candidates.ledger

    def ask(self, rng: Random) -> Proposal:  # noqa: ARG002
        first = float(len(self._ledger.proposals) % 2 == 0)
        hyperparameters = Record({"h0": first, "h1": 1.0 - first})
        return Proposal(Configuration.of(load("none").sample(Random(0)), hyperparameters))

    def tell(self, trial: Trial) -> None:
        """Nothing is learnt."""


def quality(w: tuple[float, float]) -> float:
    """Q, which is to be maximised: at most 1.2."""
    return 1.2 - w[0] ** 2 - w[1] ** 2


def trained(w: tuple[float, float], h: Record, steps: int) -> tuple[float, float]:
    """The weights after steps along the gradient of the surrogate."""
    keep = (1 - 2 * RATE * h["h0"]) ** steps, (1 - 2 * RATE * h["h1"]) ** steps
    return w[0] * keep[0], w[1] * keep[1]


def population(schedule: str, seed: int) -> Iterator[float]:
    """Train two members under a schedule; yield the best Q after each of their stages."""
    candidates = Candidates(JointSpace(load("none"), None, hyperparameters=TREE))
    objectives = Objectives.parse(("quality:max",))
    made = schedules.make(schedule, Corners(candidates), candidates, objectives, STEPS)
    weights: dict[int, tuple[float, float]] = {}
    best = -1.0
    for number in range(MEMBERS * STEPS // EVERY):
        proposal = made.ask(Random(f"{seed}/{number}"))
        candidates.ledger.add(proposal)
        start = (0.9, 0.9) if proposal.resume_from is None else weights[proposal.resume_from]
        weights[number] = trained(start, proposal.hyperparameters, EVERY)
        scores = {"quality": quality(weights[number])}
        recipe = {"epochs": STEPS}
        curve = ({"number": proposal.start_epoch, "quality": quality(start)},)
        curve = (*curve, {"number": proposal.start_epoch + EVERY, **scores})
        made.tell(
            Trial(number=number, proposal=proposal, recipe=recipe, scores=scores, curve=curve)
        )
        best = max(best, scores["quality"])
        yield best


def alone(seed: int, *, explores: bool) -> Iterator[float]:
    """Train two members that never learn from each other; yield the best Q after each stage."""
    rng, best = Random(seed), -1.0
    members = [((0.9, 0.9), Record({"h0": a, "h1": 1.0 - a})) for a in (1.0, 0.0)]
    for _ in range(STEPS // EVERY):
        for slot, (w, h) in enumerate(members):
            moved = trained(w, h, EVERY)
            if explores:
                h = explored(TREE, h, rng, only=frozenset(TREE.fields), **EXPLORED)
            members[slot] = moved, h
            best = max(best, quality(moved))
            yield best


def run(name: str, seed: int) -> float:
    """The best Q of two members after 200 steps."""
    schedule = SCHEDULES[name]
    stages = population(schedule, seed) if schedule else alone(seed, explores=name != "constant")
    return list(stages)[-1]


def main() -> None:
    """Print a line for each schedule."""
    parser = argparse.ArgumentParser(description="the toy problem of population based training")
    parser.add_argument("--seeds", type=int, default=100, help="number of seeds")
    seeds = parser.parse_args().seeds
    print(f"{'Q of at most 1.2':<16} {'mean':>7} {'worst':>7} {'at least 1.19':>14}")
    for name in SCHEDULES:
        found = [run(name, seed) for seed in range(seeds)]
        reached = sum(q >= 1.19 for q in found)
        print(f"{name:<16} {fmean(found):7.3f} {min(found):7.3f} {reached:>7} of {seeds}")


if __name__ == "__main__":
    main()
