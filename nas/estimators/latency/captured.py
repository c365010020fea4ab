"""Forward passes as CUDA graphs: the time of the kernels of a network, without their launches.

This has never run on a GPU: it is tested by an emulation.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn

from trainers.loop import precision
from trainers.loop.batches import laid_out
from trainers.loop.cuda_graph import capture_stream, capturing, first_reason, synchronisations
from trainers.loop.slot import on_gpu

WARM_UP = 3  # passes in which libraries choose kernels


def captured_run(net: nn.Module, x: Tensor) -> Callable[[Tensor], Tensor]:
    """Capture a forward pass of a network in evaluation mode for batches like `x`.

    It computes in the type and memory layout that trainings on the GPU have by default.

    Raises:
        ValueError: `x` is not on a GPU, or the network cannot be captured.
    """
    if not on_gpu(x.device):
        raise ValueError(f"latency of a cuda-graph: want a GPU, got {x.device}")
    computed = precision.choose("auto", net, tuple(x.shape[1:]), x.device)
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16}[computed]
    copy = deepcopy(net).to(dtype).to(memory_format=torch.channels_last)
    graph_x = laid_out(x.to(dtype, copy=True))
    stream = capture_stream(x.device)
    with torch.no_grad():
        stream.wait_stream(torch.cuda.current_stream(x.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                copy(graph_x)
            with synchronisations() as found:
                copy(graph_x)
        torch.cuda.current_stream(x.device).wait_stream(stream)
        if found:
            raise ValueError(f"latency of a cuda-graph: the network waits for the GPU: {found[0]}")
        graph = torch.cuda.CUDAGraph()
        try:
            with capturing(graph, x.device):
                outputs: Tensor = copy(graph_x)
        except RuntimeError as error:
            raise ValueError(f"latency of a cuda-graph: {first_reason(error)}") from error

    def run(inputs: Tensor) -> Tensor:
        graph_x.copy_(inputs)
        graph.replay()
        return outputs

    return run
