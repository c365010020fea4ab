"""The roofline of a training step: the least time its operations and bytes need on a device.

Williams, Waterman & Patterson, "Roofline: An Insightful Visual Performance Model", CACM 2009: an
operation takes at least the time of its arithmetic at the peak rate of the device, and at least the
time of its bytes at the peak bandwidth. Operations are those of eager execution, each reading its
inputs from memory and writing its outputs there; fused operations would move fewer bytes.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from time import perf_counter, process_time
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from trainers.loop.precision import Computed

MATRIX_SIDE = {"cpu": 1024, "cuda": 8192}
COPIED_BYTES = {"cpu": 2**27, "cuda": 2**31}
UPDATE_BYTES = 5 * 4  # of a parameter: read it, its gradient and momentum; write it and momentum


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Measured peak rates of a device: operations (additions, multiplications) and bytes a second."""

    operations: float
    bytes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """The work of a step.

    Attributes:
        operations: Operations of matrix products and convolutions, two for a multiply-accumulate.
        bytes: Bytes read and written by all operations.
        each: (operations, bytes) of each call.
    """

    operations: int
    bytes: int
    each: tuple[tuple[int, int], ...]

    def seconds(self, rates: Rates) -> float:
        """The least time by the roofline model, summed over the calls."""
        return sum(max(o / rates.operations, b / rates.bytes) for o, b in self.each)


def measure_rates(device: torch.device, computed: Computed, *, repeats: int = 10) -> Rates:
    """Measure the best of several square matrix products, and of several copies of a large array.

    Processor time is used on a CPU, so that other processes do not matter.
    """
    side, size = MATRIX_SIDE[device.type], COPIED_BYTES[device.type]
    rng = torch.Generator(device).manual_seed(0)
    a = torch.randn(  # constant numbers take less power, and a GPU runs faster
        side, side, generator=rng, device=device, dtype=getattr(torch, computed)
    )
    out = torch.empty_like(a)
    product = _best(lambda: torch.mm(a, a, out=out), device, repeats)
    x = torch.ones(size // 4, device=device)
    y = torch.empty_like(x)
    copy = _best(lambda: y.copy_(x), device, repeats)
    return Rates(operations=2 * side**3 / product, bytes=2 * size / copy)


def count_step(
    net: nn.Module, input_shape: tuple[int, ...], batch: int, computed: Computed
) -> Work:
    """Count the work of one training step of `net` without computing it.

    Args:
        net: A network that gives [B,K] or [B,K,H,W]. It is not changed.
        input_shape: Shape of one example.
        batch: Number of examples.
        computed: The type of most operations; in bfloat16 they move half the bytes.
    """
    on_meta = deepcopy(net).to("meta").train()
    x_B = torch.empty(batch, *input_shape, device="meta")
    with _Counter() as counter:
        outputs = on_meta(x_B)
        labels = torch.empty(batch, *outputs.shape[2:], dtype=torch.int64, device="meta")
        F.cross_entropy(outputs, labels).backward()  # type: ignore[no-untyped-call]
    narrow = 2 if computed == "bfloat16" else 1
    update = UPDATE_BYTES * sum(p.numel() for p in net.parameters())
    each = (*((o, b // narrow) for o, b in counter.each), (0, update))
    return Work(operations=sum(o for o, _ in each), bytes=sum(b for _, b in each), each=each)


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations and bytes of every call that torch dispatches."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.each: list[tuple[int, int]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if func.is_view or "empty" in func.__name__:  # moves nothing
            return out
        flops = flop_registry.get(func._overloadpacket)
        tensors = [t for t in tree_leaves((args, kwargs, out)) if isinstance(t, Tensor)]
        moved = sum(t.numel() * t.element_size() for t in tensors)
        self.each.append((flops(*args, **kwargs, out_val=out) if flops else 0, moved))
        return out


def _best(work: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Seconds of the fastest of `repeats` calls, after one that is not counted."""
    clock = perf_counter if device.type == "cuda" else process_time
    seconds = []
    for _ in range(repeats + 1):
        start = clock()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(clock() - start)
    return min(seconds[1:])
