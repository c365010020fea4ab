"""A training step as one CUDA graph, launched at once instead of kernel by kernel.

A small network is bound by kernel launches (5 to 20 µs each, hundreds a step). A graph replays all
kernels of a step on fixed addresses. Therefore inputs are copied to fixed tensors, the learning rate
is a tensor on the device, and gradients lie in the memory of the graph.

The first steps of each batch size run eagerly on a separate stream, as capture requires; they are
ordinary steps of the training. Capturing computes nothing, so that the sequence of steps is
unchanged. The graphs of a training (there are at most two batch sizes) share one memory pool: they
are never replayed at the same time.

Before torch 2.12 a capture that fails leaves the process damaged: random numbers and the cache of
the allocator raise errors from then on. So a step is captured only if it has been seen not to
synchronise, and after a failed capture the process captures nothing more. Nor is a step captured
that draws random numbers on the CPU: every replay would repeat them.

This has never run on a GPU: it follows the documentation of CUDA, and is tested by an emulation.
"""

import gc
import logging
import random
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers import memory
from trainers.loop.batch_step import EagerStep

# Eager steps, in which libraries choose kernels and optimisers allocate their state.
WARM_UP_STEPS = 3
WARM_UP_OTHERS = 1  # of each batch size after the first that is captured
FEWEST_REPLAYS = 20  # of a batch size; fewer do not make up for its capture
LOG = logging.getLogger(__name__)

_failed_capture = ""  # reason of the first failed capture of this process


def failed_capture() -> str:
    """The reason of the first failed capture of this process; empty if none has failed.

    A process in which a capture has failed should end after its trial.
    """
    return _failed_capture


def capture_stream(device: torch.device) -> torch.cuda.Stream:
    """The stream for captures on `device`: that of a slot in its turns, else one for all.

    cuBLAS keeps a workspace for every stream it sees, and graphs that were captured on one stream
    share it: only on different ones may they be replayed at a time.
    """
    current = torch.cuda.current_stream(device)
    default = torch.cuda.default_stream(device)
    return _shared_stream(device) if current == default else current


@cache
def _shared_stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class _Captured:
    """A graph, with the tensors of its batch and of the sum of its losses."""

    graph: torch.cuda.CUDAGraph
    inputs: Tensor
    targets: Tensor
    weights: Tensor | None
    loss: Tensor

    def __call__(self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None = None) -> Tensor:
        self.inputs.copy_(x_B)
        self.targets.copy_(targets_B)
        if self.weights is not None and weights_B is not None:
            self.weights.copy_(weights_B)
        self.graph.replay()
        return self.loss


@dataclass(slots=True)
class GraphStep:
    """A step that is captured and replayed, or runs eagerly if it cannot be captured.

    Networks that read their values on the CPU, or draw random numbers there, cannot be captured.
    The last eager step before a capture shows it. The reason is logged once as a warning.

    Attributes:
        eager: The step to capture; its network and batches are on a CUDA device.
        counts: Batches of each size that the training has; None if they are not known. A size with
            few of them is not captured.
        fallback: Reason for eager steps; empty while there is none.
    """

    eager: EagerStep
    counts: Mapping[int, int] | None = None
    fallback: str = ""
    _warm: Counter[tuple[int, ...]] = field(default_factory=Counter)
    _captured: dict[tuple[int, ...], _Captured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if _failed_capture:
            self._give_up(f"an earlier capture of this process failed: {_failed_capture}")

    def __call__(self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None = None) -> Tensor:
        if self.fallback or not self._is_frequent(len(targets_B)):
            return self.eager(x_B, targets_B, weights_B)
        captured = self._captured.get(x_B.shape)
        if captured is None:
            steps = WARM_UP_OTHERS if self._captured else WARM_UP_STEPS
            if self._warm[x_B.shape] < steps:
                self._warm[x_B.shape] += 1
                return self._warm_up(x_B, targets_B, weights_B, last=self._warm[x_B.shape] == steps)
            captured = self._capture(x_B, targets_B, weights_B)
            if captured is None:
                return self.eager(x_B, targets_B, weights_B)
            self._captured[x_B.shape] = captured
        return captured(x_B, targets_B, weights_B)

    def _is_frequent(self, size: int) -> bool:
        return self.counts is None or self.counts.get(size, 0) >= FEWEST_REPLAYS

    def _warm_up(
        self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None, *, last: bool
    ) -> Tensor:
        """An eager step on the stream that capture will use; the last one is watched."""
        stream = capture_stream(x_B.device)
        current = torch.cuda.current_stream(x_B.device)
        stream.wait_stream(current)
        with torch.cuda.device(x_B.device), torch.cuda.stream(stream):
            if last:
                before = host_random_state()
                with synchronisations() as found:
                    loss = self.eager(x_B, targets_B, weights_B)
                if found:
                    self._give_up(f"the step synchronises with the device: {found[0]}")
                elif host_random_state() != before:
                    self._give_up("the step draws random numbers on the CPU")
            else:
                loss = self.eager(x_B, targets_B, weights_B)
        current.wait_stream(stream)
        for tensor in (x_B, targets_B, *(() if weights_B is None else (weights_B,))):
            tensor.record_stream(stream)  # their memory is not reused before it is read
        loss.record_stream(current)
        return loss

    def _capture(
        self, x_B: Tensor, targets_B: Tensor, weights_B: Tensor | None
    ) -> _Captured | None:
        """Capture the step for batches of this size; None, with the reason noted, if that fails."""
        device = x_B.device
        graph_x_B, graph_targets_B = x_B.clone(), targets_B.clone()
        graph_weights_B = None if weights_B is None else weights_B.clone()
        graph = torch.cuda.CUDAGraph()
        pool = next((c.graph.pool() for c in self._captured.values()), None)
        try:
            with capturing(graph, device, pool):
                loss = self.eager(graph_x_B, graph_targets_B, graph_weights_B)
        except Exception as error:  # the network does something that a graph cannot
            if memory.is_out_of_memory(error):
                raise
            self._give_up(first_reason(error))
            return None
        return _Captured(graph, graph_x_B, graph_targets_B, graph_weights_B, loss)

    def _give_up(self, reason: str) -> None:
        self.fallback = " ".join(reason.split())[:200]
        LOG.warning("steps are launched one by one: no CUDA graph (%s)", self.fallback)
        self._captured.clear()


def host_random_state() -> tuple[object, ...]:
    """The state of the global generators on the CPU, which networks may draw from."""
    arrays = np.random.get_state(legacy=True)  # noqa: NPY002 - of code that draws from it
    states = [x.tobytes() if isinstance(x, np.ndarray) else x for x in arrays]
    return torch.default_generator.get_state().numpy().tobytes(), random.getstate(), *states


@contextmanager
def capturing(
    graph: torch.cuda.CUDAGraph, device: torch.device, pool: Any = None
) -> Iterator[None]:
    """Capture what is launched inside the block; if that fails, it is noted for the process.

    Args:
        graph: A new graph.
        device: The GPU.
        pool: Memory pool of another graph that is never replayed at the same time; None for a new
            one.
    """
    global _failed_capture
    current = torch.cuda.current_stream(device)
    was_collecting = gc.isenabled()
    gc.disable()  # it might destroy another graph during the capture
    try:
        with (
            torch.cuda.device(device),
            torch.cuda.graph(
                graph,
                pool=pool,
                stream=capture_stream(device),
                capture_error_mode="thread_local",  # another thread reads data ahead
            ),
        ):
            yield
    except Exception as error:
        _failed_capture = _failed_capture or first_reason(error)
        raise
    finally:
        torch.cuda.set_stream(current)  # torch 2.11 leaves the other one after a failed capture
        if was_collecting:
            gc.enable()


def first_reason(error: BaseException) -> str:
    """The error that led to `error`, in a line: the end of a capture raises one of its own on top."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def synchronisations() -> Iterator[list[str]]:
    """Collect torch's warnings about synchronising operations inside the block."""
    found: list[str] = []
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)
    messages = [str(warning.message).splitlines()[0] for warning in caught]
    found += [message for message in messages if "synchronizing CUDA operation" in message]
