"""The evaluator `supernet`: validation loss and accuracy of a network with inherited weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

import trainers
from nas.core.metrics import SUPERNET
from nas.evaluators.job import Job, Workspace
from nas.evaluators.supernet import training
from nas.evaluators.supernet.settings import SupernetSettings
from nas.evaluators.supernet.step import recalibrate, sample
from nas.evaluators.supernet.trust import compare
from nas.evaluators.training import build
from nas.runs.control.supernet import SupernetFacts
from search_spaces import Architecture
from search_spaces.supernet.weights import SharedWeights
from trainers import Dataset

if TYPE_CHECKING:
    from collections.abc import Mapping

LOSS, ACCURACY, TRAIN_LOSS = (metric.name for metric in SUPERNET)
_LEARNED = 1024  # training examples whose loss is measured, without augmentation


class SupernetEvaluator:
    """Trains one supernet before the first trial; an evaluation is then a forward pass.

    Its metrics are called `supernet_loss`, `supernet_accuracy` (of the validation split) and
    `supernet_train_loss`: they are no scores of trainings, and no ranking mixes the two. The last one says how
    much a network can learn, after Ru et al., "Speedy Performance Estimation for Neural Architecture
    Search", NeurIPS 2021, https://arxiv.org/abs/2006.04492, who rank by losses of the training split. The
    weights of a trial are those that its network inherited.

    Args:
        settings: The settings.
    """

    metrics = SUPERNET

    def __init__(self, settings: SupernetSettings) -> None:
        self._settings = settings
        self._weights: SharedWeights | None = None

    def prepare(self, workspace: Workspace) -> None:
        """Train the supernet, and compare it with members trained from scratch.

        Raises:
            ValueError: the search has no classes to learn, the space has no supernets, or the supernet
                does not rank.
        """
        data = _data(workspace).to(trainers.resolve(workspace.device))
        weights = training.train(workspace, self._settings, data)
        self._weights = weights
        if not self._settings.trust:
            workspace.notify("supernet: its ranks are not compared with trainings (trust=0)")
            return

        def by_loss(architecture: Architecture) -> float:
            return -self.score(weights, architecture, data)[1][LOSS]

        trust = compare(workspace, data, by_loss, self._settings.trust)
        workspace.notify(f"supernet: {trust}")
        refuse_unbelieved(trust)

    def evaluate(self, job: Job) -> Mapping[str, float]:
        """Score the subnet of the architecture on the validation split."""
        workspace = job.workspace
        assert workspace is not None, "its jobs have a workspace"
        if self._weights is None:
            self._weights = training.load(workspace)
        subnet, scores = self.score(self._weights, job.architecture, job.data)
        alone = build(workspace.space, job.architecture, job.task, seed=0)
        alone.load_state_dict(subnet.state_dict())
        job.adopt(alone.to(workspace.data.device if workspace.data else "cpu"))
        return scores

    def score(
        self, weights: SharedWeights, architecture: Architecture, data: Dataset
    ) -> tuple[nn.Module, dict[str, float]]:
        """The network of an architecture with inherited weights, and its metrics.

        Args:
            weights: The weights of the supernet.
            architecture: The architecture.
            data: The data, on the device of the weights.

        Raises:
            ValueError: the architecture is in no supernet.
        """
        subnet = weights.subnet(architecture).requires_grad_(False)
        if self._settings.recalibration:
            recalibrate(subnet, data, self._settings.recalibration)
        found = trainers.evaluate(subnet, data.validation, data)
        learned = trainers.evaluate(subnet, sample(data, _LEARNED), data)
        return subnet, {
            LOSS: found["loss"],
            ACCURACY: found["accuracy"],
            TRAIN_LOSS: learned["loss"],
        }


def refuse_unbelieved(trust: SupernetFacts) -> None:
    """Refuse a supernet whose interval holds 0: its scores are not used.

    Raises:
        ValueError: it does.
    """
    if not trust.is_believed:
        raise ValueError(
            f"supernet: its scores are not used: {trust}, which holds 0: train it longer (epochs=), "
            f"compare more members (trust=), or train each network (--evaluator training)"
        )


def _data(workspace: Workspace) -> Dataset:
    data = workspace.data
    if data is None or data.targets.task != "classification":
        got = "none" if data is None else f"a {data.targets.task}"
        raise ValueError(f"evaluator supernet: want data of a classification, got {got}")
    if not len(data.validation):
        raise ValueError("evaluator supernet: want a validation split, got none")
    return data
