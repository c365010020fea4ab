"""Screening by zero-cost proxies, weighted by how well they rank the trials of this search.

Each proxy becomes a normal score of its rank in a reference: random configurations of the space, the same
in a resumed search. The weight of a proxy is a credible lower bound of its rank correlation with
the scores of trained trials; one that may as well rank nothing has weight 0. The weighted sum z, of
variance 1 in the space, says of the score y of a configuration, on the scale of the space: N(b z, 1 - b^2),
where b is the bound of the correlation of that sum. The model of scores has an opinion too, on the scale
of the trials, which z says how to convert. Both are independent given y, so their product, divided by
what both assume, is the posterior (Tresp, "A Bayesian Committee Machine", Neural Computation 2000,
equation 6): where trials have made the model certain, proxies no longer matter.

Trials that were screened vary less in z than the space, and their correlation is corrected for that
(Thorndike 1949, case 2), as is the number of trials it stands for. The bound is that of Fisher's z transform,
with a weak prior in favour of proxies: in NAS-Bench-Suite-Zero (Krishnakumar et al., NeurIPS 2022) most
correlate by 0.3 to 0.8.
"""

from __future__ import annotations

from functools import cached_property
from math import atanh, inf, nan, sqrt, tanh
from random import Random

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.joint_space import ProxySource
from nas.core.trial import Trial
from nas.surrogates.gaussian_process import Array

NONE = "none"
_UNSCREENED = 4  # one proposal of so many is made without proxies
_REFERENCE, _DRAWN = (
    64,
    32,
)  # random configurations of the reference and of a first proposal, at most
_PRIOR, _PRIOR_TRIALS = 0.6, 6  # a correlation, and the number of trials that it counts as
_LEAST = 3  # trials whose correlation says anything
_MOST = 0.95  # a correlation that is believed
_NARROWED = 3.0  # times that the trials may vary less than the space


class Screening:
    """The opinion of zero-cost proxies on configurations.

    Args:
        candidates: The configurations to choose from; their space has the source of proxies.
        names: Names of proxies joined by `+`, or `auto`.

    Raises:
        ValueError: the space has no source of proxies, or a name is unknown.
    """

    def __init__(self, candidates: Candidates, names: str) -> None:
        source = candidates.space.proxies
        if source is None:
            raise ValueError(
                "proxies: want a space with networks and a search with data, or a table of proxies; "
                "got neither"
            )
        self._candidates = candidates
        self._source: ProxySource = source
        self._names = source.names(names)
        self._left = source.most  # configurations that may be measured for this proposal
        self._told: list[tuple[Array, float]] = []  # normal scores of proxies, and minus the score

    def tell(self, trial: Trial, value: float) -> None:
        """Learn from a completed trial, whose score to be minimised is `value`."""
        scores = self._normal(trial.configuration)
        if np.isfinite(scores).all():
            self._told.append((scores, -value))

    @property
    def is_due(self) -> bool:
        """True if the next proposal is to be screened: a share never is."""
        return len(self._candidates.ledger.proposals) % _UNSCREENED != _UNSCREENED - 1

    def begin(self) -> None:
        """Begin a proposal: as many configurations as the source has for one may be measured."""
        self._left = self._source.most

    def first(self, rng: Random) -> Configuration:
        """The configuration that is believed to be the best of some that are drawn."""
        drawn = [self._candidates.sample(rng) for _ in range(min(self._source.most, _DRAWN))]
        opinion, _, _ = self._opinion(drawn)
        return drawn[int(np.argmax(np.where(np.isfinite(opinion), opinion, -inf)))]

    def combine(
        self, configurations: list[Configuration], mean: Array, deviation: Array, order: Array
    ) -> tuple[Array, Array]:
        """The opinion of a model of scores combined with that of the proxies.

        Args:
            configurations: The configurations.
            mean: Mean of the model, as normal scores of the trials that are minimised.
            deviation: Standard deviation of the model, likewise.
            order: Numbers that are larger for configurations that are measured first, if there are
                more than may still be measured for this proposal.
        """
        chosen = np.sort(np.argsort(-order, kind="stable")[: self._left])
        self._left -= len(chosen)
        if not len(chosen):
            return mean, deviation
        z, told, believed = self._opinion([configurations[i] for i in chosen])
        chosen, z = chosen[np.isfinite(z)], z[np.isfinite(z)]
        if not believed or len(told) < 2:
            return mean, deviation
        noise = 1 - believed**2
        centre = believed * float(told.mean())  # of the trials, on the scale of the space
        variance = believed**2 * float(told.var()) + noise
        certain = 1 / (variance * deviation[chosen] ** 2)
        precision = certain + 1 / noise - 1 / variance
        modelled = centre - sqrt(variance) * mean[chosen]
        joint = (certain * modelled + believed * z / noise - centre / variance) / precision
        mean, deviation = mean.copy(), deviation.copy()
        mean[chosen] = (centre - joint) / sqrt(variance)
        deviation[chosen] = 1 / np.sqrt(precision * variance)
        return mean, deviation

    def _opinion(self, configurations: list[Configuration]) -> tuple[Array, Array, float]:
        """The believed scores z of configurations and of the trials, and the correlation b.

        NaN where all proxies are missing.
        """
        told = np.array([scores for scores, _ in self._told]).reshape(-1, len(self._names))
        gains = np.array([gain for _, gain in self._told])
        reference = self._reference_scores
        reference = reference[np.isfinite(reference).all(axis=1)]
        if not len(reference):
            return np.full(len(configurations), nan), np.zeros(len(told)), 0.0
        columns = zip(told.T, reference.T, strict=True)
        weights = np.array([credible(t, gains, float(r.std())) for t, r in columns])
        scale = float((reference @ weights).std())
        if not scale:
            return np.zeros(len(configurations)), np.zeros(len(told)), 0.0
        believed = credible(told @ weights, gains, scale)
        z = np.array([self._normal(c) @ weights for c in configurations]) / scale
        return z, told @ weights / scale, min(believed, _MOST)

    # -- the reference -------------------------------------------------------------------------

    @cached_property
    def _reference(self) -> list[Configuration]:
        """Different random configurations; not many of a space whose trials are cheap."""
        count, rng = min(max(16, self._source.most), _REFERENCE), Random("proxies")
        space = self._candidates.space
        drawn = {space.key(c): c for c in (space.sample(rng) for _ in range(count))}
        return list(drawn.values())

    @cached_property
    def _sorted(self) -> list[Array]:
        """The scores of the reference by each proxy, ascending; without those missing."""
        found = [self._source.scores(c, self._names) for c in self._reference]
        return [np.sort([s[name] for s in found if name in s]) for name in self._names]

    @cached_property
    def _reference_scores(self) -> Array:
        return np.array([self._normal(c) for c in self._reference])

    def _normal(self, configuration: Configuration) -> Array:
        """The normal score of each proxy, by its rank in the reference.

        A proxy that is missing has the least; all are NaN if all are missing.
        """
        found = self._source.scores(configuration, self._names)
        if not found:
            return np.full(len(self._names), nan)
        columns = zip(self._names, self._sorted, strict=True)
        return np.array([_normal_score(found.get(name, -inf), column) for name, column in columns])


def _normal_score(value: float, among: Array) -> float:
    if not len(among):
        return 0.0
    below = (np.searchsorted(among, value) + np.searchsorted(among, value, side="right")) / 2
    score: float = ndtri((below + 0.5) / (len(among) + 1))
    return score


def credible(column: Array, gains: Array, spread: float) -> float:
    """A lower bound of the rank correlation of proxy and score in the whole space, at least 0.

    One standard deviation below the mean of the posterior.

    Args:
        column: Normal scores of the proxy of the trials.
        gains: Scores of the trials, the larger the better.
        spread: Standard deviation of the normal scores in the space.
    """
    found, trials = 0.0, 0.0
    if len(gains) >= _LEAST:
        trials = len(gains) - 2
        if np.ptp(column) > 0 and np.ptp(gains) > 0:
            found = float(np.corrcoef(rankdata(column), rankdata(gains))[0, 1])
            narrowed = min(max(1.0, spread / float(np.std(column))), _NARROWED)
            found *= narrowed / sqrt(1 + found**2 * (narrowed**2 - 1))
            trials /= narrowed**2
    z = atanh(max(-0.99, min(found, 0.99)))
    mean = (_PRIOR_TRIALS * atanh(_PRIOR) + trials * z) / (_PRIOR_TRIALS + trials)
    return max(0.0, tanh(mean - 1 / sqrt(_PRIOR_TRIALS + trials)))
