"""Lookahead: slow weights follow the optimiser's and are synchronised every k steps.

Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019, Algorithm 1 (arXiv
1907.08610), with the growing decay of Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
2024, §3.4 (arXiv 2404.00498): early averages are short, late ones long.

Weights are also synchronised at the end of every epoch. So an epoch is scored with averaged weights,
and a training that pauses there needs no state beyond its weights.
"""

import torch
from torch import nn

EVERY = 5  # steps between synchronisations: k of Algorithm 1


class Average:
    """The slow weights of `net`.

    Args:
        net: The network whose parameters are averaged; running statistics of norms are averages
            already.
        memory: Decay of the average per step at the end of the training, 0 to below 1; 0 for no
            averaging.
        steps: Number of steps of the whole training.
        done: Number of steps that `net` has been trained for.
    """

    def __init__(self, net: nn.Module, memory: float, *, steps: int, done: int = 0) -> None:
        self._fast = [p.detach() for p in net.parameters() if p.requires_grad] if memory else []
        self._slow = [p.clone() for p in self._fast]
        self._memory = memory
        self._steps = steps
        self._done = self._synchronised = done

    def follow(self) -> None:
        """Count a step; synchronise after every k."""
        self._done += 1
        if self._done - self._synchronised == EVERY:
            self.synchronise()

    @torch.no_grad()
    def synchronise(self) -> None:
        """Update the slow weights, and copy them to the network. Does not wait for the device."""
        since, self._synchronised = self._done - self._synchronised, self._done
        if not self._fast or not since:
            return
        decay = self._memory**since * (self._done / self._steps) ** 3
        torch._foreach_lerp_(self._slow, self._fast, 1 - decay)
        torch._foreach_copy_(self._fast, self._slow)
