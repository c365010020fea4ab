"""The baselines that a gate compares a winner with: known networks of its space, and simple models."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

from nas.analysis.retraining.gate import Rival, scored_of
from nas.core.configuration import Configuration
from nas.core.joint_space import JointSpace
from nas.core.metrics import Metric

if TYPE_CHECKING:
    from trainers import Dataset
    from trainers import Task as Learned

KNOWN = 4  # most known networks: those nearest in size to the winner


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNetworks:
    """The known networks of a space, with the hyperparameters of the winner.

    Attributes:
        networks: Configurations by name.
        note: Their choice in words; empty where all are taken.
        left_out: Names of those that are not within the limits of the search.
    """

    networks: dict[str, Configuration]
    note: str
    left_out: tuple[str, ...]


def known_networks(joint: JointSpace, winner: Configuration) -> KnownNetworks:
    """The known networks to compare a winner with: of many, those nearest in parameters to it."""
    found, left = {}, []
    for name, architecture in joint.space.known.items():
        other = Configuration.of(architecture, winner.hyperparameters)
        if joint.is_feasible(other):
            found[name] = other
        else:
            left.append(name)
    if len(found) <= KNOWN or not joint.has_costs:
        return KnownNetworks(
            networks=dict(list(found.items())[:KNOWN]), note="", left_out=tuple(left[:KNOWN])
        )
    own = log(1 + joint.cost(winner).parameters)
    apart = {name: abs(log(1 + joint.cost(c).parameters) - own) for name, c in found.items()}
    return KnownNetworks(
        networks={name: found[name] for name in sorted(found, key=apart.__getitem__)[:KNOWN]},
        note=f"one of the {KNOWN} nearest in size of {len(found)} known networks"
        + (f"; {len(left)} more are not within the limits" if left else ""),
        left_out=(),
    )


def simple_rivals(data: Dataset, learned: Learned, metric: Metric, seeds: int) -> list[Rival]:
    """The simple baselines of a task. One that fails is a rival without scores.

    Args:
        data: The data set.
        learned: The metrics of the task.
        metric: The metric to compare.
        seeds: Number of seeds; those that have none of their own have the same score with each.
    """
    from nas.evaluators.held_out import simple

    rivals = []
    for name in simple.simple_baselines(data, metric.name):
        title = simple.title(name, data.targets.task)
        numbers = range(seeds if simple.has_seeds(name) else 1)
        try:
            found = [simple.score(name, data, learned, metric.name, seed=n) for n in numbers]
        except Exception as error:  # whatever it is, it is this baseline's
            why = " ".join(str(error).split())[:200] or type(error).__name__
            rivals.append(Rival(kind="simple", name=title, failed=why))
            continue
        scores = [({metric.name: one.value}, one.left_out) for one in found]
        few = found[0].examples < len(data.train)
        rivals.append(
            Rival(
                kind="simple",
                name=title,
                note=f"from {found[0].examples:,} of {len(data.train):,} examples" if few else "",
                scored=scored_of(scores if len(scores) > 1 else scores * seeds, metric),
                trainings=len(scores),
            )
        )
    return rivals
