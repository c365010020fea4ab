"""Ablation: the worth of every choice of a network, by training it with one decision changed.

All networks are trained by the recipe of the run, with the same seeds. The explained network is the
control of every comparison, so that a bad seed of it would make all of its choices look bad: with n
other networks it gets sqrt(n) times as many seeds (Dunnett, "A Multiple Comparison Procedure for
Comparing Several Treatments with a Control", JASA 1955) and a noise estimate of its own. The others
share one deviation, because each has few seeds: the interval of one that is much noisier than the
rest is too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np

from nas.analysis.explanation.evidence import space_of
from nas.analysis.noise import seed_noise
from nas.analysis.retraining.further import TrainingRequest
from nas.analysis.retraining.retrained import FailedTraining, Network, plan, train_again
from nas.analysis.retraining.worth import Alternative, DecisionWorth, Worth, assess
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace, display_path
from nas.core.metrics import Metric
from nas.core.trial import Trial
from nas.estimators.cost import COSTS
from nas.runs.run import Run

SETS = 1000  # sets of seeds, and seeds in each


def first_seed(seed: int) -> int:
    """The first seed of a set; sets have no seed in common.

    Raises:
        ValueError: the number is out of range.
    """
    if not 0 <= seed < SETS:
        raise ValueError(f"--seed: want 0 to {SETS - 1}, got {seed}")
    return SETS * seed


@dataclass(frozen=True, slots=True)
class Ablation:
    """The worth of the choices of one network.

    Attributes:
        trial: The trial of the network.
        epochs: Epochs of every training.
        seeds: Trainings of each other network.
        own_seeds: Trainings of the network itself.
        metric: The first objective, which the worth is in; gains are improvements.
        costs: The costs among the further objectives.
        score: Mean of the metric for the network.
        deviation: Standard deviation of its score over seeds; None for one seed.
        options: Worth against every other option.
        decisions: Worth by decision, the largest first.
        failed: Failed trainings, which are left out of all numbers.
    """

    trial: Trial
    epochs: int
    seeds: int
    own_seeds: int
    metric: Metric
    costs: tuple[Metric, ...]
    score: float
    deviation: float | None
    options: Sequence[Worth]
    decisions: Sequence[DecisionWorth]
    failed: Sequence[FailedTraining]


def alternatives_of(
    space: JointSpace, configuration: Configuration, *, one: bool = False
) -> list[Alternative]:
    """Feasible networks that differ in one decision (an ordinal one: by one step each way).

    An option with decisions of its own is represented by the first network that has it.

    Args:
        space: The joint space, with the limits of the search.
        configuration: The explained configuration.
        one: Only the first other option of each decision.
    """
    flat = space.flat(configuration)
    found: dict[tuple[str, str], Alternative] = {}
    for decision, other in space.neighbours(configuration):
        if other == configuration or not space.is_feasible(other):
            continue
        path = display_path(decision)
        taken, instead = str(flat[path]), str(space.flat(other).get(path, "(not there)"))
        same = space.key(other) == space.key(configuration)
        if instead != taken and not (
            one and any(path == p and not c.same for (p, _), c in found.items())
        ):
            found.setdefault((path, instead), Alternative(path, taken, instead, other, same))
    return list(found.values())


def _networks(trial: Trial, alternatives: Sequence[Alternative]) -> list[Network]:
    """The networks to train: that of the trial, then all that compute another function."""
    others = [(f"{c.path}: {c.instead}", c.configuration) for c in alternatives if not c.same]
    return [(f"trial {trial.number}", trial.configuration), *others]


def requests_of(run: Run, trial: Trial, seeds: int = 3) -> list[TrainingRequest]:
    """The trainings of `ablate` with its default arguments."""
    alternatives = alternatives_of(space_of(run), trial.configuration)
    if not alternatives:
        return []
    networks = _networks(trial, alternatives)
    return plan(networks, [int(trial.recipe["epochs"])], _seeds(len(networks), 0, seeds))


def _seeds(networks: int, first: int, seeds: int) -> list[range]:
    """The seeds of each network; the first network, the control, has more."""
    more = min(SETS, ceil(seeds * sqrt(max(1, networks - 1))))
    return [range(first, first + more)] + (networks - 1) * [range(first, first + seeds)]


def ablate(
    run: Run,
    trial: Trial,
    *,
    seeds: int = 3,
    first: int = 0,
    one: bool = False,
    evaluator: str | None = None,
    retry: bool = False,
    begin: Callable[[int, int], None] | None = None,
    progress: Callable[[Trial], None] | None = None,
) -> Ablation:
    """Train the network of a trial and all that differ in one decision; use stored trainings.

    Args:
        run: The run of the trial, where trainings are stored.
        trial: The trial of the explained network.
        seeds: Trainings of each other network; the network itself is trained more often.
        first: The first seed.
        one: Only one other option of each decision.
        evaluator: The user's evaluator of the run, as `path/to/file.py:name`, which is run.
        retry: Repeat trainings that failed for a cause that may have passed (`nas.core.failure.TRANSIENT`).
        begin: Called with the number of trainings and of those that are missing.
        progress: Called with each training that is made.

    Raises:
        ValueError: a number is out of range, no feasible network differs in one decision, or all
            trainings of the network itself failed.
    """
    if not 1 <= seeds <= SETS:
        raise ValueError(f"--seeds: want 1 to {SETS}, got {seeds}")
    space = space_of(run)
    alternatives = alternatives_of(space, trial.configuration, one=one)
    if not alternatives:
        raise ValueError(
            f"trial {trial.number}: no network within the limits differs from it in one decision"
        )
    epochs, networks = int(trial.recipe["epochs"]), _networks(trial, alternatives)
    every = _seeds(len(networks), first, seeds)
    (scores,), failed = train_again(
        run,
        networks,
        [epochs],
        every,
        evaluator=evaluator,
        retry=retry,
        begin=begin,
        progress=progress,
    )
    own = scores[0]
    if np.isnan(own).all():
        cause = next(one.failure for one in failed if one.network == networks[0][0])
        raise ValueError(
            f"trial {trial.number}: all {len(every[0])} trainings of its network failed ({cause}): "
            f"try other seeds with --seed"
        )
    metric, costs = run.objectives.first, costs_of(run)
    sign = 1.0 if metric.direction == "maximize" else -1.0
    others = (alternative for alternative in alternatives if not alternative.same)
    trained = dict(zip(others, sign * scores[1:], strict=True))
    more = [_difference(space, trial.configuration, a.configuration, costs) for a in alternatives]
    options, decisions = assess(sign * own, trained, alternatives, more)
    return Ablation(
        trial=trial,
        epochs=epochs,
        seeds=seeds,
        own_seeds=len(own),
        metric=metric,
        costs=costs,
        score=float(np.nanmean(own)),
        deviation=seed_noise(own[None]).deviation,
        options=options,
        decisions=decisions,
        failed=failed,
    )


def costs_of(run: Run) -> tuple[Metric, ...]:
    """The exact costs among the further objectives of a run."""
    exact = {cost.name for cost in COSTS} if space_of(run).has_costs else set()
    return tuple(metric for metric in run.objectives.metrics[1:] if metric.name in exact)


def _difference(
    space: JointSpace, a: Configuration, b: Configuration, costs: Sequence[Metric]
) -> dict[str, int]:
    """Costs of the first configuration minus those of the second."""
    return {
        cost.name: getattr(space.cost(a), cost.name) - getattr(space.cost(b), cost.name)
        for cost in costs
    }
