"""A training step as one CUDA graph, launched at once instead of kernel by kernel.

A small network is bound by kernel launches (5 to 20 µs each, hundreds a step). A graph replays all
kernels of a step on fixed addresses. Therefore inputs are copied to fixed tensors, the learning rate
is a tensor on the device, and gradients lie in the memory of the graph.

The first steps run eagerly on a separate stream, as capture requires; they are ordinary steps of the
training. Then each batch size (there are at most two) is captured when it first comes. Capturing
computes nothing, so that the sequence of steps is unchanged.

This has never run on a GPU: it follows the documentation of CUDA.
"""

import logging
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trainers import memory
from trainers.loop.batch_step import EagerStep

# Eager steps, in which libraries choose kernels and optimisers allocate their state.
WARM_UP_STEPS = 3
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Captured:
    """A graph, with the tensors of its batch and of the sum of its losses."""

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
    """A step that is captured and replayed, or runs eagerly if it cannot be captured.

    Networks that read their values on the CPU cannot be captured. That is found out by trying, and
    logged once as a warning.

    Args:
        eager: The step to capture; its network and batches are on a CUDA device.
    """

    eager: EagerStep
    fallback: str = ""  # reason for eager steps; empty while there is none
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
        """An eager step on the stream that capture will use."""
        current = torch.cuda.current_stream(x_B.device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            loss = self.eager(x_B, labels_B)
        current.wait_stream(self._stream)
        for tensor in (x_B, labels_B):
            tensor.record_stream(self._stream)  # their memory is not reused before it is read
        loss.record_stream(current)
        return loss

    def _capture(self, x_B: Tensor, labels_B: Tensor) -> _Captured | None:
        """Capture the step for batches of this size; None, with the reason noted, if that fails."""
        graph_x_B, graph_labels_B = x_B.clone(), labels_B.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                loss = self.eager(graph_x_B, graph_labels_B)
        except Exception as error:  # the network does something that a graph cannot
            if memory.is_out_of_memory(error):
                raise
            self.fallback = " ".join(str(error).split())[:200] or type(error).__name__
            LOG.warning("steps are launched one by one: no CUDA graph (%s)", self.fallback)
            self._captured.clear()
            return None
        return _Captured(graph, graph_x_B, graph_labels_B, loss)
