"""A step of training as one CUDA graph: launched once, instead of kernel by kernel.

A small network is bound by launches (5 to 20 µs each, hundreds a step). A graph replays all of a
step's kernels on fixed addresses; so inputs are copied to a fixed place, the learning rate is a
tensor on the device, and gradients live in the graph's own memory.

The first steps are launched one by one, on a stream of their own, as capture wants it: they are
steps of the training like all others. Then each size of a batch (there are at most two) is captured
when it first comes. Capturing computes nothing, so that the steps are the same steps.

This has never run on a GPU: what is said here is what CUDA documents, not what was seen.
"""

import logging
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainers import memory
from trainers.loop.batch_step import EagerStep

# Launched one by one: libraries choose their kernels, optimisers make their state.
WARM_UP_STEPS = 3
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Captured:
    """A graph, where it reads its batch and where it writes the sum of the losses."""

    graph: torch.cuda.CUDAGraph
    images: Tensor
    labels: Tensor
    loss: Tensor

    def __call__(self, x_B: Tensor, labels_B: Tensor) -> Tensor:
        self.images.copy_(x_B)
        self.labels.copy_(labels_B)
        self.graph.replay()
        return self.loss


@dataclass(slots=True)
class GraphStep:
    """A step that is replayed; launched one by one where it cannot be captured.

    That it cannot (a network that looks at its values, or moves them to the CPU) is found out by
    trying, and said once, as a warning in the log.

    Args:
        eager: The step to capture; its network and batches are on a CUDA device.
    """

    eager: EagerStep
    fallback: str = ""  # why steps are launched one by one; empty while they need not be
    _done: int = 0
    _captured: dict[tuple[int, ...], _Captured] = field(default_factory=dict)
    _stream: torch.cuda.Stream = field(default_factory=torch.cuda.Stream)

    def __call__(self, x_B: Tensor, labels_B: Tensor) -> Tensor:
        self._done += 1
        if self.fallback:
            return self.eager(x_B, labels_B)
        if self._done <= WARM_UP_STEPS:
            return self._beside(x_B, labels_B)
        captured = self._captured.get(x_B.shape)
        if captured is None:
            captured = self._capture(x_B, labels_B)
            if captured is None:
                return self.eager(x_B, labels_B)
            self._captured[x_B.shape] = captured
        return captured(x_B, labels_B)

    def _beside(self, x_B: Tensor, labels_B: Tensor) -> Tensor:
        """A step launched one by one on the stream that capture will use."""
        current = torch.cuda.current_stream(x_B.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            loss = self.eager(x_B, labels_B)
        current.wait_stream(self._stream)
        for tensor in (x_B, labels_B):
            tensor.record_stream(self._stream)  # their memory is not given away before it is read
        loss.record_stream(current)
        return loss

    def _capture(self, x_B: Tensor, labels_B: Tensor) -> _Captured | None:
        """Record the step for batches of this size; None, and the reason, where it cannot be."""
        held_x_B, held_labels_B = x_B.clone(), labels_B.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                loss = self.eager(held_x_B, held_labels_B)
        except Exception as error:  # whatever the network does that a graph cannot
            if memory.is_out_of_memory(error):
                raise
            self.fallback = " ".join(str(error).split())[:200] or type(error).__name__
            LOG.warning("steps are launched one by one: no CUDA graph (%s)", self.fallback)
            self._captured.clear()
            return None
        return _Captured(graph, held_x_B, held_labels_B, loss)
