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
from nas.explanations.further import Wanted
from nas.explanations.noise import Noise, of_differences
from nas.explanations.retrained import Failed, Network, plan, train_again
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
        accuracy: Mean accuracy with the choice less that without, 0..1, over the seeds with which
            both were trained; None where all trainings of one of them failed.
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
        failed: Trainings that are left out of all this.
    """

    trial: Trial
    epochs: int
    seeds: int
    accuracy: float
    deviation: float | None
    options: Sequence[Worth]
    decisions: Sequence[DecisionWorth]
    failed: Sequence[Failed]


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


def _networks(trial: Trial, changes: Sequence[Change]) -> list[Network]:
    """What is to be trained: the network of a trial first, then all that compute another function."""
    others = [(f"{c.path}: {c.instead}", c.proposal) for c in changes if not c.same]
    return [(f"trial {trial.number}", trial.proposal), *others]


def wanted_of(run: Run, trial: Trial, seeds: int = 3) -> list[Wanted]:
    """What `ablate` trains when it is not told otherwise."""
    changes = changes_of(candidates_of(run), trial.proposal)
    if not changes:
        return []
    return plan(_networks(trial, changes), [int(trial.recipe["epochs"])], range(seeds))


def ablate(
    run: Run,
    trial: Trial,
    *,
    seeds: int = 3,
    first: int = 0,
    one: bool = False,
    retry: bool = False,
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
        retry: Train those again that failed for a cause that may have passed (`further.PASSING`).
        begin: Told how many trainings there are, and how many of them are to be made.
        progress: Told every training that is made.

    Raises:
        ValueError: nothing is one decision from the network, none of its own trainings completed,
            ...
    """
    if not 1 <= seeds <= SETS:
        raise ValueError(f"--seeds: want 1 to {SETS}, got {seeds}")
    candidates = candidates_of(run)
    changes = changes_of(candidates, trial.proposal, one=one)
    if not changes:
        raise ValueError(f"trial {trial.number}: nothing within the limits is one decision from it")
    epochs, networks = int(trial.recipe["epochs"]), _networks(trial, changes)
    (accuracies,), failed = train_again(
        run,
        networks,
        [epochs],
        range(first, first + seeds),
        retry=retry,
        begin=begin,
        progress=progress,
    )
    own = accuracies[0]
    if np.isnan(own).all():
        why = next(one.failure for one in failed if one.network == networks[0][0])
        raise ValueError(
            f"trial {trial.number}: all {seeds} trainings of its network failed ({why}): other seeds "
            f"may not, --seed"
        )
    trained = dict(zip((c for c in changes if not c.same), accuracies[1:], strict=True))
    saved = [
        candidates.cost(trial.proposal).parameters - candidates.cost(c.proposal).parameters
        for c in changes
    ]
    noise, options, decisions = assess(own, trained, changes, saved)
    return Ablation(
        trial, epochs, seeds, float(np.nanmean(own)), noise.deviation, options, decisions, failed
    )


def assess(
    own: Array,
    trained: Mapping[Change, Array],
    changes: Sequence[Change],
    parameters: Sequence[int],
) -> tuple[Noise, list[Worth], list[DecisionWorth]]:
    """How noisy accuracies are, and what they say of each change and of each decision.

    Args:
        own: Of the network that is explained, by seed; NaN where it failed.
        trained: Likewise of each change that computes another function.
        changes: All.
        parameters: That the network has more than each.
    """
    noise = of_differences(np.array([own, *trained.values()]))
    weights = {change: _weights(own - accuracies) for change, accuracies in trained.items()}
    options = []
    for change, more in zip(changes, parameters, strict=True):
        worth = 0.0 if change.same else _mean(own - trained[change])
        half = None if worth is None else _half(noise, [change], weights)
        options.append(Worth(change, worth, half, more))
    return noise, options, _decisions(options, noise, weights)


def _mean(differences: Array) -> float | None:
    known = differences[~np.isnan(differences)]
    return float(known.mean()) if len(known) else None


def _weights(differences: Array) -> Array:
    """By seed, of each in the mean of those there are."""
    known = ~np.isnan(differences)
    found: Array = known / max(1, known.sum())
    return found


def _half(noise: Noise, changes: Sequence[Change], weights: Mapping[Change, Array]) -> float | None:
    """Half of the interval of the mean worth against `changes`: what is the same has no noise."""
    drawn = [weights[change] for change in changes if not change.same]
    if not drawn:
        return 0.0
    each = np.array(drawn) / len(changes)  # of the trainings of the changes; summed, of its own
    return noise.half(float((each.sum(axis=0) ** 2).sum() + (each**2).sum()))


def _decisions(
    options: Sequence[Worth], noise: Noise, weights: Mapping[Change, Array]
) -> list[DecisionWorth]:
    """Each decision against the mean of its options, those of the same function at 0."""
    found = []
    for path in dict.fromkeys(worth.change.path for worth in options):
        known = [w for w in options if w.change.path == path and w.accuracy is not None]
        if known:
            mean = float(np.mean([w.accuracy for w in known]))
            changes = [w.change for w in known]
            half = _half(noise, changes, weights)
            found.append(DecisionWorth(path, changes[0].taken, mean, half, len(changes)))
    return sorted(found, key=lambda d: -d.accuracy)
