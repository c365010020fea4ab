"""Bagged ensemble selection: the mean of many selections, each from some members and examples.

Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004, Section 2.3: on few examples a
single greedy selection fits their noise; the more members there are to choose from, the more.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.winners.ensemble import Floats, Measure, Selected, select

BAGS = 25
SHARE = 0.6  # of the members in each bag
ROUNDS = 20  # of a selection in a bag
COUNTED = 100  # the counts of all members together, about
MOST_EXAMPLES = 5_000  # beyond which one selection hardly fits noise, and bags take long


def select_bagged(
    predictions: list[NDArray[Any]],
    targets: NDArray[Any],
    measure: Measure,
    *,
    most: int,
    costs: NDArray[Any] | None = None,
    limits: NDArray[Any] | None = None,
    seed: int = 0,
) -> Selected:
    """Select members as `select` does, many times over, and weigh each by its mean weight.

    Each time some members are left out, and the examples are a bootstrap sample. Where the result is
    worse than the best member, has too many examples to be worth the time, or there are fewer than
    three members, it is that of `select`.

    Args:
        predictions: Predictions of each member, [N,K], for examples that it did not learn from.
        targets: Targets of these examples; see the measure.
        measure: The loss.
        most: Most different members.
        costs: Costs of each member, [M,C], which add up.
        limits: Most that the sum of each cost may be over the different members, [C].
        seed: Seed of the bags, 0 to 2**32 - 1.

    Raises:
        ValueError: there are no members, or none is within the limits.
    """
    count, examples = len(predictions), len(targets)
    costs_MC = np.zeros((count, 1)) if costs is None else np.asarray(costs)
    limits_C = np.full(costs_MC.shape[1], np.inf) if limits is None else np.asarray(limits)
    once = select(predictions, targets, measure, most=most, costs=costs_MC, limits=limits_C)
    if count < 3 or examples > MOST_EXAMPLES:
        return once
    rng = np.random.RandomState(seed)
    weights_M = np.zeros(count)
    for _ in range(BAGS):
        members = np.sort(rng.permutation(count)[: ceil(SHARE * count)])
        rows = rng.randint(0, examples, examples)
        within = [m for m in members if (costs_MC[m] <= limits_C).all()]
        if within:
            found = select(
                [predictions[m][rows] for m in within],
                targets[rows],
                measure,
                most=most,
                costs=costs_MC[within],
                limits=limits_C,
                rounds=ROUNDS,
            )
            weights_M[within] += found.weights
    counts = np.rint(COUNTED * _kept(weights_M, most, costs_MC, limits_C))
    reduced = [measure.reduced(each, targets) for each in predictions]
    pairs = zip(counts, reduced, strict=True)
    loss = measure.loss(np.asarray(sum(n * each for n, each in pairs) / counts.sum(), np.float64))
    singles = (
        measure.loss(r)
        for r, cost in zip(reduced, costs_MC, strict=True)
        if (cost <= limits_C).all()
    )
    if loss > min(singles):
        return once
    return Selected(tuple(int(n) for n in counts), loss)


def _kept(weights_M: Floats, most: int, costs_MC: NDArray[Any], limits_C: NDArray[Any]) -> Floats:
    """The weights of the members with the greatest, as many as are allowed together; their sum is 1."""
    kept: list[int] = []
    for member in np.argsort(-weights_M, kind="stable"):
        together = [*kept, int(member)]
        if len(together) > most or weights_M[member] == 0:
            break
        if (costs_MC[together].sum(axis=0) <= limits_C).all():
            kept = together
    found = np.zeros_like(weights_M)
    found[kept] = weights_M[kept]
    shares: Floats = found / found.sum()
    return shares
