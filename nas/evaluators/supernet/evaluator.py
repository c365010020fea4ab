"""The evaluator `supernet`: validation loss and accuracy of a network with inherited weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

import trainers
from nas.core.metrics import SUPERNET
from nas.evaluators.job import Job, Workspace
from nas.evaluators.supernet import training
from nas.evaluators.supernet.probe import probe_error, read
from nas.evaluators.supernet.settings import SupernetSettings
from nas.evaluators.supernet.step import drawn, recalibrate, sample
from nas.evaluators.supernet.trust import compare
from nas.evaluators.training import build
from nas.runs.control.supernet import SupernetFacts
from search_spaces import Architecture
from search_spaces.supernet.weights import SharedWeights
from trainers import Dataset
from trainers.tasks.registry import make_task

if TYPE_CHECKING:
    from collections.abc import Mapping

PROBE_ERROR, LOSS, ACCURACY, TRAIN_LOSS = (metric.name for metric in SUPERNET)
_LEARNED = 1024  # training examples that are scored too, without augmentation
_PROBED = 4096  # examples of a linear probe at most


class SupernetEvaluator:
    """Trains one supernet before the first trial; an evaluation is then a forward pass.

    Its metrics are no scores of trainings, have names of their own, and no ranking mixes the two:

        supernet_probe_error    see `nas.evaluators.supernet.probe`: of the validation split and of training
                                examples together. It is the first objective: the others rank worse, for
                                the classifier that all networks share fits none of them
        supernet_loss, supernet_accuracy    of the validation split
        supernet_train_loss     of training examples: how much a network can learn, after Ru et al.,
                                "Speedy Performance Estimation for Neural Architecture Search", NeurIPS
                                2021, https://arxiv.org/abs/2006.04492

    The weights of a trial are those that its network inherited.

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

        def by_probe(architecture: Architecture) -> float:
            return -self.score(weights, architecture, data)[1][PROBE_ERROR]

        trust = compare(workspace, data, by_probe, self._settings.trust)
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
        return subnet, _scores(subnet, data)


def _scores(subnet: nn.Module, data: Dataset) -> dict[str, float]:
    """The metrics of a network with batch norms of its own."""
    task = make_task(data.targets)
    held_out, learned = (
        read(subnet, split, data) for split in (data.validation, sample(data.train, _LEARNED))
    )
    features_ND = torch.cat([held_out.features, learned.features])
    targets_N = torch.cat([held_out.targets, learned.targets])
    probed = drawn(len(targets_N), _PROBED)
    found = task.measure([(held_out.outputs, held_out.targets)])
    return {
        PROBE_ERROR: probe_error(features_ND[probed], targets_N[probed], len(data.classes)),
        LOSS: found["loss"],
        ACCURACY: found["accuracy"],
        TRAIN_LOSS: task.measure([(learned.outputs, learned.targets)])["loss"],
    }


def refuse_unbelieved(trust: SupernetFacts) -> None:
    """Refuse a supernet whose interval holds 0: its scores are not used.

    Raises:
        ValueError: it does.
    """
    if not trust.is_believed:
        raise ValueError(
            f"supernet: its scores are not used: {trust}, which includes 0: train it longer (epochs=), "
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
