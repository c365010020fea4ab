"""A fitted model: predictions for raw inputs, and its bundle."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.metrics import Metric
from nas.core.numbers import counted

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nas.bundles.bundle import Bundle
    from nas.bundles.predictions import Predictions

BATCH = 1_024  # inputs that are predicted at once
_LOG = logging.getLogger("nas")


@dataclass(slots=True, eq=False)
class Fitted:
    """A fitted model: the bundle, and what is told of the search.

    Attributes:
        bundle: The model as a bundle that has not been written.
        leaderboard: The configurations that were tried, the best first.
        understood: The search as it was understood, in lines.
    """

    bundle: Bundle
    leaderboard: list[Mapping[str, Any]]
    understood: tuple[str, ...]
    _net: nn.Module | None = field(default=None, init=False, repr=False)

    def predict(self, inputs: Any) -> Predictions:
        """Predict for raw inputs, which have been checked.

        Vectors are computed with in float64, so that a prediction does not depend on its neighbours.
        """
        import torch

        from nas.bundles.predictions import predictions

        if self._net is None:
            net = self.bundle.net()
            self._net = net.double() if self._of_vectors else net
        x = self.bundle.preprocess(inputs)
        with torch.inference_mode():
            outputs = [self._net(self._typed(part)) for part in torch.split(x, BATCH)]
        return predictions(torch.cat(outputs), self.bundle.described["targets"])

    @property
    def scores(self) -> Mapping[str, float]:
        """Metrics of the ensemble over examples that the networks in question did not learn from."""
        found: Mapping[str, float] = self.bundle.metrics["validation"]
        return found

    def export(
        self, to: Path, *, force: bool = False, notify: Callable[[str], None] = _LOG.info
    ) -> Bundle:
        """Write the model as a bundle; see `nas.bundles.write.write_bundle`."""
        from nas.bundles.write import write_bundle

        bundle = self.bundle
        cost = bundle.space().cost(bundle.architecture, bundle.task)
        metrics = {**bundle.metrics, "peak_activation_bytes": cost.peak_activation_bytes}
        return write_bundle(replace(bundle, metrics=metrics), to, force=force, notify=notify)

    def lines(self) -> list[str]:
        """The model for people: its members, then its metrics."""
        found = self.bundle.metrics["ensemble"]
        networks = sum(member["networks"] for member in found["members"])
        metrics = {each["name"]: Metric.from_dict(each) for each in self.bundle.metrics["metrics"]}
        said = ", ".join(
            f"{n} {metrics[n].text(v)}" for n, v in self.scores.items() if n in metrics
        )
        again = len(found.get("trained_on_everything", ()))
        later = f"; {counted(again, 'network')} learned from them too, later" if again else ""
        return [
            f"{counted(len(found['members']), 'configuration')} of {len(self.leaderboard)}, "
            f"{counted(networks, 'network')}, {self.bundle.metrics['parameters']:,} parameters",
            f"on {found['selection']['examples']:,} examples that its networks did not learn from: {said}{later}",
        ]

    @property
    def _of_vectors(self) -> bool:
        return len(self.bundle.task.input_shape) == 1

    def _typed(self, inputs: Tensor) -> Tensor:
        return inputs.double() if self._of_vectors else inputs

    def __getstate__(self) -> tuple[Any, ...]:
        return replace(self.bundle, known_space=None), self.leaderboard, self.understood

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.bundle, self.leaderboard, self.understood = state
        self._net = None
