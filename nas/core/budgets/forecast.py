"""Forecast of the seconds that an evaluation will take, from those that have ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from statistics import median, quantiles

from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.core.trial import Trial

RECENT = 100  # completed trials that a forecast is made from
_FEWEST = 8  # trials that can show that times follow costs


class Forecast:
    """Seconds of evaluations: the median seconds per epoch of recent completed trials.

    If seconds per epoch and multiply-accumulate spread less than seconds per epoch (by interquartile
    range over median), they are scaled by the multiply-accumulates of the network, up to the longest
    epoch so far, or as many times that as the network has the most multiply-accumulates so far: where
    kinds of networks differ, as kernel machines and perceptrons do, their median says little. Time
    that does not grow with the epochs, such as that of loading, is not told apart.

    Args:
        whole_epochs: Epochs of a proposal that names none.
        macs_of: Multiply-accumulates of a configuration's network for one input; None if unknown.
        amount_of: The seconds of a trial, or whatever else is forecast in the same way.
    """

    def __init__(
        self,
        whole_epochs: int,
        macs_of: Callable[[Configuration], float | None] = lambda _: None,
        amount_of: Callable[[Trial], float] = lambda trial: trial.seconds,
    ) -> None:
        self._whole = whole_epochs
        self._macs_of = macs_of
        self._amount_of = amount_of
        self._each: deque[float] = deque(maxlen=RECENT)  # seconds of an epoch
        self._per_mac: deque[float] = deque(maxlen=RECENT)
        self._most_macs = 0.0

    def observe(self, trial: Trial) -> None:
        """Learn from a trial that has ended."""
        if trial.completed:
            each = self._amount_of(trial) / max(1, trial.trained_epochs)
            self._each.append(each)
            if macs := trial.scores.get("macs"):
                self._per_mac.append(each / macs)
                self._most_macs = max(self._most_macs, macs)

    def epochs(self, proposal: Proposal) -> int:
        """Epochs that the evaluation of a proposal will train."""
        return (proposal.epochs or self._whole) - proposal.start_epoch

    def seconds(self, proposal: Proposal) -> float:
        """Seconds that the evaluation of a proposal will take; 0 before a trial has completed."""
        return self.epoch_seconds(proposal) * self.epochs(proposal)

    def epoch_seconds(self, proposal: Proposal) -> float:
        """Seconds that an epoch of a proposal will take; 0 before a trial has completed."""
        if not self._each:
            return 0.0
        each = median(self._each)
        if self._scaled and (macs := self._macs_of(proposal.configuration)):
            longest = max(self._each) * max(1.0, macs / self._most_macs)
            each = min(median(self._per_mac) * macs, longest)
        return each

    @property
    def _scaled(self) -> bool:
        """True if costs explain the times."""
        enough = _FEWEST <= len(self._per_mac) == len(self._each)
        return enough and _spread(self._per_mac) < _spread(self._each)


def _spread(values: deque[float]) -> float:
    """The interquartile range as a share of the median."""
    first, middle, third = quantiles(values, n=4)
    return (third - first) / middle if middle else 0.0
