"""What every choice of a network is worth: its decisions changed one at a time, and trained.

All are trained by the recipe of the run, with the same seeds. The network itself is in every
comparison, so that its own bad luck would make all of its choices look bad: it is trained with more
seeds, as many times as the square root of the number of the others (Dunnett, "A Multiple Comparison
Procedure for Comparing Several Treatments with a Control", JASA 1955), and its noise is its own. The
others have one deviation, as few seeds leave no other way to know it: where one is much noisier than
they are, its interval is too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from nas.analysis.explanation.evidence import space_of
from nas.analysis.noise import of_seeds
from nas.analysis.retraining.further import Wanted
from nas.analysis.retraining.retrained import Failed, Network, plan, train_again
from nas.analysis.retraining.worth import Change, DecisionWorth, Worth, assess
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace, display_path
from nas.core.trial import Trial
from nas.runs.run import Run

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
class Ablation:
    """The choices of one network, and what each is worth.

    Attributes:
        trial: Whose network.
        epochs: Of every training.
        seeds: Trainings of each of the others.
        own_seeds: Of the network itself.
        accuracy: Mean of the network's own.
        deviation: Of one training of the network; None of one seed.
        options: Worth against every other option.
        decisions: Worth of each decision, the most first.
        failed: Trainings that are left out of all this.
    """

    trial: Trial
    epochs: int
    seeds: int
    own_seeds: int
    accuracy: float
    deviation: float | None
    options: Sequence[Worth]
    decisions: Sequence[DecisionWorth]
    failed: Sequence[Failed]


def changes_of(
    space: JointSpace, configuration: Configuration, *, one: bool = False
) -> list[Change]:
    """The changes of one decision to each other option (ordinal ones: one step each way).

    Where an option brings decisions of its own, the first network that has it stands for it.

    Args:
        space: The joint space, with the limits of the search.
        configuration: The configuration that is explained.
        one: The first other option of each decision only.
    """
    flat = space.flat(configuration)
    found: dict[tuple[str, str], Change] = {}
    for decision, other in space.neighbours(configuration):
        if other == configuration or not space.is_feasible(other):
            continue
        path = display_path(decision)
        taken, instead = str(flat[path]), str(space.flat(other).get(path, "(not there)"))
        same = space.key(other) == space.key(configuration)
        if instead != taken and not (
            one and any(path == p and not c.same for (p, _), c in found.items())
        ):
            found.setdefault((path, instead), Change(path, taken, instead, other, same))
    return list(found.values())


def _networks(trial: Trial, changes: Sequence[Change]) -> list[Network]:
    """What is to be trained: the network of a trial first, then all that compute another function."""
    others = [(f"{c.path}: {c.instead}", c.configuration) for c in changes if not c.same]
    return [(f"trial {trial.number}", trial.configuration), *others]


def wanted_of(run: Run, trial: Trial, seeds: int = 3) -> list[Wanted]:
    """What `ablate` trains when it is not told otherwise."""
    changes = changes_of(space_of(run), trial.configuration)
    if not changes:
        return []
    networks = _networks(trial, changes)
    return plan(networks, [int(trial.recipe["epochs"])], _seeds(len(networks), 0, seeds))


def _seeds(networks: int, first: int, seeds: int) -> list[range]:
    """Those of each network: the first is in every comparison."""
    more = min(SETS, ceil(seeds * sqrt(max(1, networks - 1))))
    return [range(first, first + more)] + (networks - 1) * [range(first, first + seeds)]


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
        seeds: Trainings of each of the others; the network itself is trained more often.
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
    space = space_of(run)
    changes = changes_of(space, trial.configuration, one=one)
    if not changes:
        raise ValueError(f"trial {trial.number}: nothing within the limits is one decision from it")
    epochs, networks = int(trial.recipe["epochs"]), _networks(trial, changes)
    every = _seeds(len(networks), first, seeds)
    (accuracies,), failed = train_again(
        run,
        networks,
        [epochs],
        every,
        retry=retry,
        begin=begin,
        progress=progress,
    )
    own = accuracies[0]
    if np.isnan(own).all():
        why = next(one.failure for one in failed if one.network == networks[0][0])
        raise ValueError(
            f"trial {trial.number}: all {len(every[0])} trainings of its network failed ({why}): "
            f"other seeds may not, --seed"
        )
    trained = dict(zip((c for c in changes if not c.same), accuracies[1:], strict=True))
    saved = [
        space.cost(trial.configuration).parameters - space.cost(c.configuration).parameters
        for c in changes
    ]
    options, decisions = assess(own, trained, changes, saved)
    return Ablation(
        trial=trial,
        epochs=epochs,
        seeds=seeds,
        own_seeds=len(own),
        accuracy=float(np.nanmean(own)),
        deviation=of_seeds(own[None]).deviation,
        options=options,
        decisions=decisions,
        failed=failed,
    )
