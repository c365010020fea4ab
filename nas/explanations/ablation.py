"""What every choice of a network is worth: its decisions changed one at a time, and trained.

All are trained by the recipe of the run with the same seeds, so that what a seed does to all of them
cancels in a difference. Its interval is Student's t, with one deviation for all networks: few seeds
leave no other way to know it well. Where a network is much noisier than the others, its interval is
too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from nas.candidates import Candidates
from nas.explanations.evidence import Array, candidates_of
from nas.explanations.further import FurtherTrainings, Wanted
from nas.explanations.noise import Noise, of_differences
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
        deviation: Of one training, without what a seed does to all networks; None of one seed.
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


def wanted_of(run: Run, trial: Trial, seeds: int = 3) -> list[Wanted]:
    """What `ablate` trains when it is not told otherwise."""
    changes = changes_of(candidates_of(run), trial.proposal)
    return plan(changes, trial.proposal, int(trial.recipe["epochs"]), seeds) if changes else []


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
    trained = {c: accuracies(c.proposal) for c in changes if not c.same}
    saved = [
        candidates.cost(trial.proposal).parameters - candidates.cost(c.proposal).parameters
        for c in changes
    ]
    noise, options = assess(own, trained, changes, saved)
    decisions = _decisions(options, noise, seeds)
    return Ablation(trial, epochs, seeds, float(own.mean()), noise.deviation, options, decisions)


def assess(
    own: Array,
    trained: Mapping[Change, Array],
    changes: Sequence[Change],
    parameters: Sequence[int],
) -> tuple[Noise, list[Worth]]:
    """What accuracies say of the worth against each change, and how noisy they are.

    Args:
        own: Of the network that is explained, by seed.
        trained: Of each change that computes another function; NaN where it failed.
        changes: All.
        parameters: That the network has more than each.
    """
    whole = [accuracies for accuracies in trained.values() if not np.isnan(accuracies).any()]
    noise = of_differences(np.array([own, *whole]))
    losses = [own.mean() - trained[c].mean() if c in trained else 0.0 for c in changes]
    return noise, [
        Worth(
            change,
            None if np.isnan(loss) else float(loss),
            None if np.isnan(loss) else _half(noise, [change], len(own)),
            more,
        )
        for change, loss, more in zip(changes, losses, parameters, strict=True)
    ]


def _half(noise: Noise, changes: Sequence[Change], seeds: int) -> float | None:
    """Half of the interval of the mean worth against `changes`: what is the same has no noise."""
    others = sum(not change.same for change in changes)
    if not others:
        return 0.0
    own = (others / len(changes)) ** 2
    return noise.half((own + others / len(changes) ** 2) / seeds)


def _decisions(options: Sequence[Worth], noise: Noise, seeds: int) -> list[DecisionWorth]:
    """Each decision against the mean of its options, those of the same function at 0."""
    found = []
    for path in dict.fromkeys(worth.change.path for worth in options):
        known = [w for w in options if w.change.path == path and w.accuracy is not None]
        if known:
            mean = float(np.mean([w.accuracy for w in known]))
            changes = [w.change for w in known]
            half = _half(noise, changes, seeds)
            found.append(DecisionWorth(path, changes[0].taken, mean, half, len(changes)))
    return sorted(found, key=lambda d: -d.accuracy)
