"""Weight averaging: the optimiser's weights run ahead, an average follows, and they meet.

Zhang et al., "Lookahead Optimizer: k steps forward, 1 step back", NeurIPS 2019, Algorithm 1 (arXiv
1907.08610), with the growing memory of Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
2024, §3.4 (arXiv 2404.00498): little is averaged while the weights move fast, most at the end.

They also meet at the end of every epoch. So an epoch is scored with averaged weights, and a
training that pauses there has nothing to keep beyond its weights.
"""

import torch
from torch import nn

EVERY = 5  # steps between two meetings: k of Algorithm 1


class Average:
    """The average that follows the weights of `net` from the beginning of an epoch.

    Args:
        net: Its parameters are averaged; the running statistics of norms are averages already.
        memory: What a step leaves of the average at the end of the training, 0 to below 1; 0 for
            no averaging.
        steps: Of the whole training.
        done: Of these, behind `net`.
    """

    def __init__(self, net: nn.Module, memory: float, *, steps: int, done: int = 0) -> None:
        self._fast = [p.detach() for p in net.parameters() if p.requires_grad] if memory else []
        self._slow = [p.clone() for p in self._fast]
        self._memory = memory
        self._steps = steps
        self._done = self._met = done

    def follow(self) -> None:
        """To be called after every step."""
        self._done += 1
        if self._done - self._met == EVERY:
            self.meet()

    @torch.no_grad()
    def meet(self) -> None:
        """Let the average catch up, and put the weights where it is. Waits for no device."""
        since, self._met = self._done - self._met, self._done
        if not self._fast or not since:
            return
        kept = self._memory**since * (self._done / self._steps) ** 3
        torch._foreach_lerp_(self._slow, self._fast, 1 - kept)
        torch._foreach_copy_(self._fast, self._slow)
