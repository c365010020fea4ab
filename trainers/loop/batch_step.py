"""One step of a training: forward, backward, update."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainers.loop.grouped_kernels import GroupedKernels
from trainers.loop.precision import Computed, autocast
from trainers.recipes.optimizers import Optimizer
from trainers.tasks import Criterion

# Shape letters: B batch, M micro-batch.


class Step(Protocol):
    """Learns from a batch; returns the sum of its losses.

    Called with inputs [B,...], targets, and a weight of each example or None. The sum is detached
    and on the device, which is not synchronised; the next step may overwrite it.
    """

    @property
    def fallback(self) -> str:
        """Reason why a capture on a GPU was given up; empty if none was, or none was tried."""

    def __call__(
        self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None = None
    ) -> Tensor: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EagerStep:
    """A step whose operations are launched one by one.

    Attributes:
        net: The network, in training mode, on the device of the batches.
        optimizer: The optimiser of its parameters.
        criterion: The loss of a batch.
        computed: The type of most operations.
        micro_batches: Parts of a batch whose gradients are added up; fewer where a part would have
            a single example.
        grouped: Groups kernels of the layers, if batches are not in parts; None for autocast alone.
    """

    net: nn.Module
    optimizer: Optimizer
    criterion: Criterion
    computed: Computed
    micro_batches: int = 1
    grouped: GroupedKernels | None = None

    @property
    def fallback(self) -> str:
        """See `Step`: nothing is captured."""
        return ""

    def __call__(self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None = None) -> Tensor:
        self.optimizer.zero_grad()
        with nullcontext() if self.grouped is None else self.grouped.applied():
            total = self._gradients(x_B, targets_B, weights_B)
        self.optimizer.step()
        return total

    def _gradients(self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None) -> Tensor:
        """Compute the gradients of the mean loss; return the sum of the losses."""
        count = max(1, min(self.micro_batches, len(targets_B) // 2))
        total: Tensor | None = None
        for x_M, targets_M, weights_M in zip(
            x_B.tensor_split(count),
            targets_B.tensor_split(count),
            [None] * count if weights_B is None else weights_B.tensor_split(count),
            strict=True,
        ):
            loss = self.loss(x_M, targets_M, weights_M)
            (loss / len(targets_B)).backward()  # type: ignore[no-untyped-call]
            total = loss.detach() if total is None else total + loss.detach()
        assert total is not None
        return total

    def loss(self, x_M: Tensor, targets_M: Tensor, weights_M: Tensor | None = None) -> Tensor:
        """The sum of the losses of these examples, to be differentiated."""
        with autocast(x_M.device, self.computed):
            return self.criterion(self.net(x_M), targets_M, weights_M)


def make_step(
    eager: EagerStep, device: torch.device, counts: Mapping[int, int] | None = None
) -> Step:
    """The fastest step on `device`: on a GPU a CUDA graph of grouped kernels.

    Not with micro-batches: memory is short then, and a graph has memory of its own.

    Args:
        eager: The step.
        device: The device of its network.
        counts: Batches of each size that the training has, if they are known.
    """
    if device.type != "cuda" or eager.micro_batches > 1:
        return eager
    from trainers.loop.cuda_graph import GraphStep

    grouped = GroupedKernels(eager.net, eager.computed)
    return GraphStep(replace(eager, grouped=grouped), counts)


@contextmanager
def dropout(net: nn.Module, rate: float, *, hidden: bool = False) -> Iterator[None]:
    """Drop inputs of linear layers of `net` inside the block.

    Args:
        net: The network; nothing is dropped if it has no `nn.Linear`.
        rate: Share of the inputs that is dropped.
        hidden: True for the inputs of every `nn.Linear` but the first, as in perceptrons for tables;
            False for those of the last alone.
    """
    linear = [module for module in net.modules() if isinstance(module, nn.Linear)]
    dropped = linear[1:] if hidden else linear[-1:]
    if rate == 0 or not dropped:
        yield
        return

    def drop(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        return F.dropout(inputs[0], rate, module.training), *inputs[1:]

    handles = [module.register_forward_pre_hook(drop) for module in dropped]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
