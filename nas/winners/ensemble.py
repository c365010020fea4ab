"""Ensemble selection: a few members whose mean prediction has the least loss, and a temperature.

Caruana et al., "Ensemble Selection from Libraries of Models", ICML 2004: greedy selection with
replacement (Section 2.1) after a start with the best members (Section 2.2), on predictions for
examples that no member learned from. The temperature is that of Guo et al., "On Calibration of Modern
Neural Networks", ICML 2017, Section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

# Shape letters: M members, N examples, K classes, labels or targets, C costs.

Floats = NDArray[np.float64]

ROUNDS = 50  # most members of the mean, each as often as it was selected
LEAST = 1e-7  # probability: what float32 tells from 0 in a softmax
TEMPERATURES = (0.05, 20.0)
FEWEST = 10  # examples that a temperature is fitted to


class Measure(Protocol):
    """A loss of mean predictions, smooth enough to choose by.

    Members are reduced once to numbers whose mean over members is that of the mean prediction.

    Attributes:
        name: Its name in a sentence.
    """

    name: ClassVar[str]

    def reduced(self, predictions: NDArray[Any], targets: NDArray[Any]) -> Floats:
        """The numbers of one member, [N] or [N,K], from its predictions [N,K]."""

    def loss(self, reduced: Floats) -> float:
        """The loss of such numbers, which is to be minimised."""


@dataclass(frozen=True, slots=True)
class LogLoss:
    """Negative logarithm of the probability of what is true, in nats: its mean.

    Predictions are probabilities of classes, with targets int [N]; or of labels, with targets [N,K] of
    0 and 1.
    """

    name: ClassVar[str] = "log loss"

    def reduced(self, predictions: NDArray[Any], targets: NDArray[Any]) -> Floats:
        """Return the probability of what is true, [N] or [N,K]."""
        chances_NK = predictions.astype(np.float64)
        if targets.ndim == 1:
            return np.take_along_axis(chances_NK, targets[:, None], axis=1)[:, 0]
        return np.where(targets > 0, chances_NK, 1 - chances_NK)

    def loss(self, reduced: Floats) -> float:
        """Return the mean negative logarithm, in nats."""
        return float(-np.log(np.maximum(reduced, LEAST)).mean())


@dataclass(frozen=True, slots=True)
class SquaredError:
    """Mean squared error of values [N,K], each target in units of its deviation.

    Attributes:
        scale: Deviation of each target.
    """

    name: ClassVar[str] = "squared error"
    scale: tuple[float, ...]

    def reduced(self, predictions: NDArray[Any], targets: NDArray[Any]) -> Floats:
        """Return the errors [N,K] in units of the deviations."""
        return np.asarray((predictions - targets) / np.asarray(self.scale), np.float64)

    def loss(self, reduced: Floats) -> float:
        """Return the mean square."""
        return float(np.square(reduced).mean())


@dataclass(frozen=True, slots=True)
class Selected:
    """Members of an ensemble.

    Attributes:
        counts: Times that each member was selected, in the order in which they were given.
        loss: The loss of the mean prediction.
    """

    counts: tuple[int, ...]
    loss: float

    @property
    def weights(self) -> Floats:
        """Weight of each member in the mean, [M]."""
        return np.asarray(self.counts, np.float64) / sum(self.counts)


def select(
    predictions: list[NDArray[Any]],
    targets: NDArray[Any],
    measure: Measure,
    *,
    most: int,
    costs: NDArray[Any] | None = None,
    limits: NDArray[Any] | None = None,
    rounds: int = ROUNDS,
) -> Selected:
    """Select members with replacement so that the loss of their mean prediction is small.

    The start is the best member, or as many of the best as have less loss together. Then the member
    that lowers the loss the most, or raises it the least, is added, `rounds` times in all; the best of
    these ensembles is the result. It is never worse than the best member within the limits. Of equals
    the first is taken, of members with equal predictions the cheapest.

    Args:
        predictions: Predictions of each member, [N,K], for examples that it did not learn from.
        targets: Targets of these examples; see the measure.
        measure: The loss.
        most: Most different members.
        costs: Costs of each member, [M,C], which add up.
        limits: Most that the sum of each cost may be over the different members, [C].
        rounds: Most members, each as often as it is selected.

    Raises:
        ValueError: there are no members, or none is within the limits.
    """
    costs_MC = np.zeros((len(predictions), 1)) if costs is None else np.asarray(costs)
    limits_C = np.full(costs_MC.shape[1], np.inf) if limits is None else np.asarray(limits)
    reduced = [measure.reduced(each, targets) for each in predictions]
    order = [m for m in _distinct(predictions, costs_MC) if (costs_MC[m] <= limits_C).all()]
    if not order:
        count = len(predictions)
        raise ValueError(f"ensemble: want a member within the limits, got none of {count}")
    losses = {m: measure.loss(reduced[m]) for m in order}
    order.sort(key=lambda m: (losses[m], m))

    def fits(member: int, chosen: list[int]) -> bool:
        together = sorted({member, *chosen})
        return len(together) <= most and bool((costs_MC[together].sum(axis=0) <= limits_C).all())

    chosen, total, found = _start(order, reduced, measure, fits)
    while len(chosen) < rounds:
        allowed = [m for m in sorted(order) if fits(m, chosen)]
        means = ((total + reduced[m]) / (len(chosen) + 1) for m in allowed)
        loss, member = min(zip(map(measure.loss, means), allowed, strict=True))
        chosen, total = [*chosen, member], total + reduced[member]
        if loss < found.loss:
            found = Selected(_counts(chosen, len(predictions)), loss)
    return found


def _start(
    order: list[int],
    reduced: list[Floats],
    measure: Measure,
    fits: Callable[[int, list[int]], bool],
) -> tuple[list[int], Floats, Selected]:
    """The best members, as many as have the least loss together; their sum, and the ensemble."""
    chosen: list[int] = []
    total: Floats = np.zeros_like(reduced[order[0]])
    best: tuple[list[int], Floats, Selected] | None = None
    for member in order:
        if not fits(member, chosen):
            continue
        chosen, total = [*chosen, member], total + reduced[member]
        loss = measure.loss(total / len(chosen))
        if best is None or loss < best[2].loss:
            best = chosen, total, Selected(_counts(chosen, len(reduced)), loss)
    assert best is not None, "the first member is within the limits"
    return best


def _distinct(predictions: list[NDArray[Any]], costs_MC: NDArray[Any]) -> list[int]:
    """The members, without those that predict what a cheaper or an earlier one does."""
    cheapest: dict[bytes, int] = {}
    for member, each in enumerate(predictions):
        key = np.ascontiguousarray(each).tobytes()
        other = cheapest.setdefault(key, member)
        if tuple(costs_MC[member]) < tuple(costs_MC[other]):
            cheapest[key] = member
    return sorted(cheapest.values())


def _counts(chosen: list[int], members: int) -> tuple[int, ...]:
    return tuple(chosen.count(member) for member in range(members))


# -- temperature -------------------------------------------------------------------------------

Mean = Literal["probabilities", "sigmoids"]


def with_temperature(chances: NDArray[Any], temperature: float, mean: Mean) -> Floats:
    """Probabilities [N,K] whose logits are divided by a temperature: of classes, or of labels."""
    chances_NK = np.clip(chances.astype(np.float64), LEAST, 1 - LEAST)
    logits_NK = np.log(chances_NK)
    if mean == "sigmoids":
        logits_NK -= np.log1p(-chances_NK)
        return 1 / (1 + np.exp(-logits_NK / temperature))
    powers_NK = np.exp(logits_NK / temperature)
    return np.asarray(powers_NK / powers_NK.sum(axis=1, keepdims=True))


def temperature_of(chances: NDArray[Any], targets: NDArray[Any], mean: Mean) -> float:
    """The temperature with the least log loss; 1 if it does not help on examples that it was not fitted to.

    Those are each half of the examples, by the temperature of the other. A few examples without a
    mistake do not make a network certain: targets are smoothed by their number, as in Platt,
    "Probabilistic Outputs for Support Vector Machines", 1999, Section 2.2.

    Args:
        chances: Probabilities [N,K].
        targets: Classes int [N], or labels [N,K] of 0 and 1.
        mean: "probabilities" of classes or "sigmoids" of labels.
    """
    if len(chances) < FEWEST:
        return 1.0
    shares = np.eye(chances.shape[1])[targets] if targets.ndim == 1 else targets.astype(np.float64)
    halves = [np.arange(len(chances)) % 2 == half for half in (0, 1)]
    fitted = [_fitted(chances[half], shares[half], mean) for half in halves]
    losses = [
        half.mean() * _cross_entropy(chances[half], shares[half], temperature, mean)
        for half, temperature in zip(halves, reversed(fitted), strict=True)
    ]
    if not sum(losses) < _cross_entropy(chances, shares, 1.0, mean):
        return 1.0
    return _fitted(chances, shares, mean)


def _fitted(chances: NDArray[Any], shares: Floats, mean: Mean) -> float:
    from scipy.optimize import minimize_scalar

    rest = 1 / (len(chances) + 2)  # of the probability, for what is not true
    others = 1 - shares if mean == "sigmoids" else (1 - shares) / max(1, shares.shape[1] - 1)
    smooth = (1 - rest) * shares + rest * others
    found = minimize_scalar(
        lambda x: _cross_entropy(chances, smooth, float(np.exp(x)), mean),
        bounds=(log(TEMPERATURES[0]), log(TEMPERATURES[1])),
        method="bounded",
    )
    return float(f"{np.exp(found.x):.4g}")


def _cross_entropy(chances: NDArray[Any], shares: Floats, temperature: float, mean: Mean) -> float:
    """The mean cross-entropy of probabilities [N,K] with shares [N,K] of the truth, in nats."""
    tempered = with_temperature(chances, temperature, mean)
    losses = -shares * np.log(np.maximum(tempered, LEAST))
    if mean == "sigmoids":
        losses -= (1 - shares) * np.log(np.maximum(1 - tempered, LEAST))
        return float(losses.mean())
    return float(losses.sum(axis=1).mean())
