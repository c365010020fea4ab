"""The probe of a proxy: an untrained network and one batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

# Shape letters: B batch, K outputs.

_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)


class Missing(Exception):  # noqa: N818 - the word for it
    """A network has no score by a proxy; the message is the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An untrained network and one batch of training examples, on the CPU.

    Attributes:
        build: Returns the network, each time with the same initial weights.
        inputs: Normalised inputs, float32 [B, ...].
        targets: Targets, as in `trainers.data.dataset.Split`.
        criterion: The sum of the losses of outputs and targets.
        macs: Returns the multiply-accumulates for one input.
        seed: Seed of noise and signs that a proxy draws.
    """

    build: Callable[[], nn.Module]
    inputs: Tensor
    targets: Tensor
    criterion: Callable[[Tensor, Tensor], Tensor]
    macs: Callable[[], int]
    seed: int

    def network(self, dtype: torch.dtype = torch.float32) -> nn.Module:
        """A new network in training mode, without dropout: norms use the statistics of the batch."""
        network = self.build().train().to(dtype)
        for module in network.modules():
            if isinstance(module, _DROPOUT):
                module.eval()
        return network

    def generator(self, purpose: str) -> torch.Generator:
        """A generator of the numbers that a proxy draws."""
        return torch.Generator().manual_seed(self.seed ^ int.from_bytes(purpose.encode()[:7]))

    def noise(self, count: int, purpose: str) -> Tensor:
        """Inputs from N(0, 1), float32 [count, ...]."""
        return torch.randn(
            count, *self.inputs.shape[1:], generator=self.generator(purpose), dtype=torch.float32
        )

    def loss(self, network: nn.Module, rows: slice = slice(None)) -> Tensor:
        """The mean loss of a network on some examples of the batch."""
        targets = self.targets[rows]
        return self.criterion(network(self.inputs[rows]), targets) / len(targets)


def weights(network: nn.Module) -> Iterator[nn.Parameter]:
    """The weights of convolutions, linear layers and projections: matrices, no biases or norms."""
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1 and name.endswith("weight"):
            yield parameter


def require_weights(network: nn.Module) -> list[nn.Parameter]:
    """The weights of a network that has some.

    Raises:
        Missing: it has none.
    """
    found = list(weights(network))
    if not found:
        raise Missing("want a network with convolutions or linear layers, got none")
    return found


def gradients(loss: Tensor, of: list[nn.Parameter], *, graph: bool = False) -> list[Tensor]:
    """The gradients of a loss; 0 for weights that it does not depend on."""
    found = torch.autograd.grad(loss, of, create_graph=graph, allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(of, found, strict=True)]
