"""A step of a supernet's training, and the score of a subnet."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.hooks import RemovableHandle

from nas.evaluators.supernet.sampling import Paths
from search_spaces.supernet.weights import SharedWeights
from trainers import Dataset, Split, derive_seed
from trainers.data.transforms import normalise
from trainers.loop.batch_step import EagerStep
from trainers.loop.batches import laid_out
from trainers.loop.convolutions import quick_convolutions
from trainers.loop.precision import autocast

# Shape letters: B batch.

_AT_ONCE = 256  # examples of a batch of recalibration


@dataclass(slots=True)
class PathStep:
    """Trains the subnets of one step: a weight learns from the mean gradient of those that have it.

    So the weights of an operation that one of five subnets has learn as fast as those of the stem, which
    all have: a mean over all five would hold them back, and a sum would drive the stem too far.

    Attributes:
        eager: The step of one network, whose network is the supernet's weights.
        weights: The weights of the supernet.
        paths: Draws the subnets.
        seed: Seed of the draws.
        number: Number of the step, from 0: a resumed training goes on from where it was.
    """

    eager: EagerStep
    weights: SharedWeights
    paths: Paths
    seed: str
    number: int

    @property
    def fallback(self) -> str:
        """See `trainers.loop.batch_step.Step`: nothing is captured, every step has other networks."""
        return ""

    def __call__(self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None = None) -> Tensor:
        eager, drawn = self.eager, self.paths.draw(Random(f"{self.seed}/{self.number}"))
        self.number += 1
        eager.optimizer.zero_grad()
        total = torch.zeros((), device=x_B.device)
        users: Counter[Tensor] = Counter()
        hooks = [
            _counted(parameter, users)
            for parameter in (self.weights.parameters() if len(drawn) > 1 else ())
        ]
        for architecture in drawn:
            subnet = self.weights.subnet(architecture).train()
            with quick_convolutions(subnet), autocast(x_B.device, eager.computed):
                loss = eager.criterion(subnet(x_B), targets_B, weights_B)
            (loss / len(targets_B)).backward()  # type: ignore[no-untyped-call]
            total += loss.detach() / len(drawn)
        for hook in hooks:
            hook.remove()
        for parameter, count in users.items():
            if count > 1 and parameter.grad is not None:
                parameter.grad.div_(count)
        eager.optimizer.step()
        return total


def _counted(parameter: Tensor, users: Counter[Tensor]) -> RemovableHandle:
    """Count the subnets that give a parameter a gradient."""
    handle: RemovableHandle = parameter.register_post_accumulate_grad_hook(  # type: ignore[no-untyped-call]
        lambda its: users.update((its,))
    )
    return handle


def drawn(examples: int, most: int) -> Tensor:
    """Indices of random examples, always the same: the first ones may all be of one class."""
    generator = torch.Generator().manual_seed(derive_seed("recalibration"))
    return torch.randperm(examples, generator=generator)[:most]


def sample(split: Split, most: int) -> Split:
    """Random examples of a split, those of `drawn`."""
    return split.part(drawn(len(split), most).to(split.inputs.device))


def recalibrate(subnet: nn.Module, data: Dataset, examples: int) -> None:
    """Give the batch norms of a subnet statistics of its own: the means over training examples.

    Those of the shared weights are averages over all subnets, which fit none of them: Guo et al., ECCV
    2020, Section 3.4. The network is left in evaluation mode.

    Args:
        subnet: The network; its buffers are replaced, not changed.
        data: The data set.
        examples: Number of examples, those of `sample`.
    """
    subnet.eval()
    norms = [module for module in subnet.modules() if isinstance(module, _BatchNorm)]
    norms = [norm for norm in norms if norm.track_running_stats]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        for name, buffer in norm.named_buffers(recurse=False):
            setattr(
                norm,
                name,
                torch.ones_like(buffer) if name == "running_var" else torch.zeros_like(buffer),
            )
        norm.momentum = None  # the mean over all batches
        norm.train()
    inputs = sample(data.train, examples).inputs
    with torch.no_grad(), quick_convolutions(subnet):
        for inputs_B in torch.split(inputs, _AT_ONCE):
            if len(inputs_B) > 1:
                subnet(laid_out(normalise(inputs_B.to(data.device), data.mean, data.std)))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    subnet.eval()
