"""What every choice of a network is worth: its decisions changed one at a time, and trained.

All are trained by the recipe of the run with the same seeds, so that a difference is taken seed by
seed. Its interval is Student's t for the mean of these differences, with a deviation pooled over
the changes of the network: as if all changes were equally noisy. Few seeds leave no other way to
know it well; where a change is much noisier than the others, its interval is too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy import stats

from nas.candidates import Candidates
from nas.explanations.evidence import Array, candidates_of
from nas.explanations.further import FurtherTrainings, Wanted
from nas.run import Run
from nas.trial import Proposal, Trial

SETS = 1000  # seeds of one set: those of the next begin there


def first_of(seed: int) -> int:
    """The first seed of a set, so that sets have none in common.

    Raises:
        ValueError: there is no such set.
    """
    if not 0 <= seed < SETS:
        raise ValueError(f"--seed: want 0 to {SETS - 1}, got {seed}")
    return SETS * seed


@dataclass(frozen=True, slots=True)
class Change:
    """A network that takes one decision differently."""

    path: str
    taken: str  # by the network that is explained
    instead: str
    proposal: Proposal
    same: bool  # whether it computes the same function, so that nothing has to be trained


@dataclass(frozen=True, slots=True)
class Worth:
    """What a choice is worth against another option.

    Attributes:
        change: The other option.
        accuracy: Mean accuracy with the choice less that without, 0..1; None where a training
            failed.
        half: Half of its 95 % confidence interval; None where it is unknown.
        parameters: That the choice costs.
    """

    change: Change
    accuracy: float | None
    half: float | None
    parameters: int


@dataclass(frozen=True, slots=True)
class DecisionWorth:
    """What a decision is worth: against the mean of its other options that were trained."""

    path: str
    taken: str
    accuracy: float
    half: float | None
    options: int


@dataclass(frozen=True, slots=True)
class Ablation:
    """The choices of one network, and what each is worth.

    Attributes:
        trial: Whose network.
        epochs: Of every training.
        seeds: Trainings of every network.
        accuracy: Mean of the network's own.
        deviation: Of a difference of two networks at one seed, pooled; None of one seed.
        options: Worth against every other option.
        decisions: Worth of each decision, the most first.
    """

    trial: Trial
    epochs: int
    seeds: int
    accuracy: float
    deviation: float | None
    options: Sequence[Worth]
    decisions: Sequence[DecisionWorth]


def changes_of(candidates: Candidates, proposal: Proposal, *, one: bool = False) -> list[Change]:
    """The changes of one decision to each other option (ordinal ones: one step each way).

    Where an option brings decisions of its own, the first network that has it stands for it.

    Args:
        candidates: What there is, within its limits.
        proposal: The network that is explained.
        one: The first other option of each decision only.
    """
    flat = candidates.flat(proposal)
    found: dict[tuple[str, str], Change] = {}
    for path, other in candidates.changes(proposal):
        taken, instead = str(flat[path]), str(candidates.flat(other).get(path, "(not there)"))
        same = candidates.key(other) == candidates.key(proposal)
        if instead != taken and not (
            one and any(path == p and not c.same for (p, _), c in found.items())
        ):
            found.setdefault((path, instead), Change(path, taken, instead, other, same))
    return list(found.values())


def plan(
    changes: Sequence[Change], proposal: Proposal, epochs: int, seeds: int, first: int = 0
) -> list[Wanted]:
    """The trainings of an ablation, seed by seed, so that what there is can be used early."""
    networks = [proposal, *(change.proposal for change in changes if not change.same)]
    return [Wanted(p, epochs, first + seed) for seed in range(seeds) for p in networks]


def ablate(
    run: Run,
    trial: Trial,
    *,
    seeds: int = 3,
    first: int = 0,
    one: bool = False,
    begin: Callable[[int, int], None] | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> Ablation:
    """Train the network of a trial and all that differ in one decision; those known are not again.

    Args:
        run: Where it is from, and where the trainings are kept.
        trial: The network that is explained.
        seeds: Trainings of each network.
        first: Seed of the first.
        one: One other option of each decision only.
        begin: Told how many trainings there are, and how many of them are to be made.
        progress: Told every training that is made.

    Raises:
        ValueError: the network has no decisions, none of its trainings completed, ...
    """
    if not 1 <= seeds <= SETS:
        raise ValueError(f"--seeds: want 1 to {SETS}, got {seeds}")
    candidates = candidates_of(run)
    changes = changes_of(candidates, trial.proposal, one=one)
    if not changes:
        raise ValueError(f"trial {trial.number}: nothing within the limits is one decision from it")
    epochs = int(trial.recipe["epochs"])
    wanted = plan(changes, trial.proposal, epochs, seeds, first)
    further = FurtherTrainings(run)
    if begin is not None:
        begin(len(wanted), len(further.missing(wanted)))
    made = further.trials(wanted, progress)

    def accuracies(proposal: Proposal) -> Array:
        each = (made[Wanted(proposal, epochs, first + seed).key] for seed in range(seeds))
        return np.array([t.scores["accuracy"] if t.completed else np.nan for t in each])

    own = accuracies(trial.proposal)
    if np.isnan(own).any():
        raise ValueError(f"trial {trial.number}: its network failed when it was trained again")
    differences = {c: own - accuracies(c.proposal) for c in changes if not c.same}
    size = {c: candidates.cost(c.proposal).parameters for c in changes}
    mine = candidates.cost(trial.proposal).parameters
    deviation, freedom = pooled([d for d in differences.values() if not np.isnan(d).any()])
    options = [
        _worth(change, differences.get(change), deviation, freedom, mine - size[change])
        for change in changes
    ]
    return Ablation(
        trial,
        epochs,
        seeds,
        float(own.mean()),
        deviation,
        options,
        _decisions(changes, differences),
    )


def pooled(samples: Sequence[Array]) -> tuple[float | None, int]:
    """The standard deviation within samples, over all of them, and its degrees of freedom."""
    freedom = sum(len(sample) - 1 for sample in samples)
    if not freedom:
        return None, 0
    squares = sum(float(((sample - sample.mean()) ** 2).sum()) for sample in samples)
    return sqrt(squares / freedom), freedom


def half_of(deviation: float | None, freedom: int, count: int) -> float | None:
    """Half of the 95 % interval of a mean of `count`, by Student's t."""
    if deviation is None:
        return None
    return float(stats.t.ppf(0.975, freedom)) * deviation / sqrt(count)


def _worth(
    change: Change, found: Array | None, deviation: float | None, freedom: int, parameters: int
) -> Worth:
    if found is None:  # the same function
        return Worth(change, 0.0, 0.0, parameters)
    if np.isnan(found).any():
        return Worth(change, None, None, parameters)
    half = half_of(deviation, freedom, len(found))
    return Worth(change, float(found.mean()), half, parameters)


def _decisions(changes: Sequence[Change], differences: dict[Change, Array]) -> list[DecisionWorth]:
    """Each decision by the mean over its options, seed by seed, options of the same function at 0."""
    samples: dict[str, Array] = {}
    taken = {change.path: change.taken for change in changes}
    count = {path: sum(c.path == path for c in changes) for path in taken}
    seeds = len(next(iter(differences.values()))) if differences else 1
    for path in taken:
        rows = [differences.get(c, np.zeros(seeds)) for c in changes if c.path == path]
        samples[path] = np.mean(rows, axis=0)
    whole = {path: s for path, s in samples.items() if not np.isnan(s).any()}
    deviation, freedom = pooled(list(whole.values()))
    found = [
        DecisionWorth(
            path, taken[path], float(s.mean()), half_of(deviation, freedom, len(s)), count[path]
        )
        for path, s in whole.items()
    ]
    return sorted(found, key=lambda d: -d.accuracy)
