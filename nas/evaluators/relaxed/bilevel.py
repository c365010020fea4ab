"""Training of a mixed network on one half of the data, of its operation weights on the other.

Liu, Simonyan & Yang, "DARTS", ICLR 2019, Algorithm 1, with the settings of Appendix A.1.1. Deviation:
the second order is exact, by differentiation through the step, where theirs takes a finite difference
(equation 8).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import replace
from math import cos, pi
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.func import functional_call

import trainers
from nas.evaluators.relaxed.variants import OperationParameters
from nas.runs.control.preparation import RelaxedEpoch
from nas.strategies.preparing import RelaxedTraining
from trainers import Dataset, Diverged, Recipe, derive_seed, seeded
from trainers.determinism import same_bits
from trainers.loop.batches import Batch, batches
from trainers.loop.convolutions import quick_convolutions
from trainers.tasks import Criterion

RATE, LEAST_RATE, MOMENTUM, DECAY, CLIP = 0.025, 1e-3, 0.9, 3e-4, 5.0  # of the network's weights
BETAS, OPERATION_DECAY = (0.5, 0.999), 1e-3  # of the operation weights' Adam


class Bilevel:
    """A mixed network, its operation parameters and their optimisers.

    Args:
        net: The mixed network, on the device of the data.
        parameters: The operation parameters, on that device.
        data: The data set; its training split is halved.
        recipe: Decides augmentation, smoothing and class weights; epochs and batch size are those of
            `settings`.
        settings: Settings of the training.
        task: The loss.
        seed: Decides halves, order, augmentation and drawn weights.
    """

    def __init__(
        self,
        net: nn.Module,
        parameters: OperationParameters,
        data: Dataset,
        recipe: Recipe,
        settings: RelaxedTraining,
        *,
        task: trainers.Task,
        seed: int,
    ) -> None:
        self.net = net.to(memory_format=torch.channels_last)
        self.parameters = parameters
        self.optimizer = torch.optim.SGD(
            net.parameters(), RATE, momentum=MOMENTUM, weight_decay=DECAY
        )
        self.operation_optimizer = torch.optim.Adam(
            parameters.tensors.values(), settings.rate, betas=BETAS, weight_decay=OPERATION_DECAY
        )
        self._settings = settings
        self._recipe = replace(recipe, epochs=settings.epochs, batch_size=settings.batch_size)
        self._halves = halves(data, seed)
        self._criterion: Criterion = task.criterion(self._recipe, data)
        self._seed = seed

    def epoch(self, number: int) -> RelaxedEpoch:
        """Train for one more epoch.

        Args:
            number: The number of the epoch, from 1. Its random numbers derive from it.

        Raises:
            Diverged: a loss was no longer a finite number.
        """
        start, settings = perf_counter(), self._settings
        self._set_rate(number)
        warm = number > settings.warmup
        device = self._halves[0].device
        total, operation_total = torch.zeros((2, 1), device=device)
        steps = 0
        self.net.train()
        with (
            seeded(derive_seed(self._seed, "relaxed", number), device),
            same_bits(device) if self._recipe.deterministic else nullcontext(),
            quick_convolutions(self.net),
        ):
            own = batches(
                self._halves[0], self._recipe, epoch=number, seed=derive_seed(self._seed, "own")
            )
            other = batches(
                self._halves[1], self._recipe, epoch=number, seed=derive_seed(self._seed, "other")
            )
            for batch, held_out in zip(own, other, strict=False):  # halves may differ by one batch
                if warm:
                    operation_total += self.operation_step(batch, held_out)
                total += self.step(batch)
                steps += 1
        loss, operation_loss = float(total) / steps, float(operation_total) / steps
        if not all(map(torch.isfinite, (total, operation_total))):
            raise Diverged(f"the loss of the mixed network is {loss} in epoch {number}")
        return RelaxedEpoch(
            number=number,
            loss=loss,
            operation_loss=operation_loss if warm else None,
            weights={n: rows.tolist() for n, rows in self.parameters.expected().items()},
            seconds=perf_counter() - start,
        )

    def step(self, batch: Batch) -> Tensor:
        """Let the network's weights learn from a batch; return the mean loss."""
        self.optimizer.zero_grad()
        with torch.no_grad():
            weights = self.parameters.weights()
        loss = self._loss(self.net(batch.inputs, weights), batch)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        self.optimizer.step()
        return loss.detach()

    def operation_step(self, batch: Batch, held_out: Batch) -> Tensor:
        """Let the operation weights learn from the held-out batch; return its mean loss."""
        loss = self.operation_loss(batch, held_out)
        tensors = list(self.parameters.tensors.values())
        found = torch.autograd.grad(loss + self.parameters.penalty(), tensors)
        for tensor, gradient in zip(tensors, found, strict=True):
            tensor.grad = gradient
        self.operation_optimizer.step()
        return loss.detach()

    def operation_loss(self, batch: Batch, held_out: Batch) -> Tensor:
        """The held-out loss as a function of the operation parameters.

        With order 2 it is that after a step of the network's weights on `batch` (equation 7).
        """
        weights = self.parameters.weights()
        if self._settings.order == 1:
            return self._loss(self.net(held_out.inputs, weights), held_out)
        names, own = zip(*self.net.named_parameters(), strict=True)
        loss = self._loss(self.net(batch.inputs, weights), batch)
        found = torch.autograd.grad(loss, own, create_graph=True)
        rate = self.optimizer.param_groups[0]["lr"]
        moved = {}
        for name, w, gradient in zip(names, own, found, strict=True):
            momentum = self.optimizer.state.get(w, {}).get("momentum_buffer", 0.0)
            moved[name] = w.detach() - rate * (MOMENTUM * momentum + gradient + DECAY * w.detach())
        outputs: Tensor = functional_call(self.net, moved, (held_out.inputs, weights))
        return self._loss(outputs, held_out)

    def _loss(self, outputs: Tensor, batch: Batch) -> Tensor:
        return self._criterion(outputs, batch.targets, batch.weights) / len(batch.targets)

    def _set_rate(self, number: int) -> None:
        """The cosine from RATE to LEAST_RATE, by epochs as in the paper's code."""
        share = (1 + cos(pi * (number - 1) / self._settings.epochs)) / 2
        for group in self.optimizer.param_groups:
            group["lr"] = LEAST_RATE + (RATE - LEAST_RATE) * share


def halves(data: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """The data set with either half of its training split, drawn at random.

    Raises:
        ValueError: it has fewer than 4 training examples.
    """
    count = len(data.train)
    if count < 4:
        raise ValueError(f"strategy darts: want at least 4 training examples, got {count}")
    rng = torch.Generator().manual_seed(derive_seed(seed, "halves"))
    order_N = torch.randperm(count, generator=rng)
    middle = (count + 1) // 2
    first, second = (
        replace(data, train=data.train.part(rows.sort().values.to(data.device)))
        for rows in (order_N[:middle], order_N[middle:])
    )
    return first, second


def state(training: Bilevel) -> dict[str, Tensor]:
    """The state of a training between two epochs as named tensors."""
    tensors = {f"weights.{name}": tensor for name, tensor in training.net.state_dict().items()}
    for name, w in training.net.named_parameters():
        for key, value in training.optimizer.state.get(w, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    for name, alpha in training.parameters.tensors.items():
        tensors[f"operations.{name}"] = alpha
        for key, value in training.operation_optimizer.state.get(alpha, {}).items():
            tensors[f"operation_optimizer.{key}.{name}"] = value
    return tensors


def restore(training: Bilevel, tensors: Mapping[str, Tensor]) -> None:
    """Restore a `state` to a new training with the same settings.

    Raises:
        ValueError: it is not the state of such a training.
    """
    try:
        parts = dict(_parts(tensors))
        training.net.load_state_dict(parts.get("weights", {}))
        own = dict(training.net.named_parameters())
        _set_state(training.optimizer, own, parts.get("optimizer", {}))
        operations = training.parameters.tensors
        with torch.no_grad():
            for name, alpha in operations.items():
                alpha.copy_(parts["operations"][name])
        _set_state(training.operation_optimizer, operations, parts.get("operation_optimizer", {}))
    except (RuntimeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"not the state of this mixed network ({reason})") from None


def _parts(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """The tensors by the first part of their names, named by the rest."""
    for part in dict.fromkeys(name.partition(".")[0] for name in tensors):
        prefix = f"{part}."
        yield part, {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}


def _set_state(
    optimizer: torch.optim.Optimizer, owners: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    for path, tensor in tensors.items():
        key, _, name = path.partition(".")
        owner = owners[name]
        if key != "step":
            tensor = torch.empty_like(owner).copy_(tensor)
        optimizer.state[owner][key] = tensor
