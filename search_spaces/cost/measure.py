"""The cost of any network, counted in a forward pass on the meta device.

Exact, without allocating weights; it takes milliseconds where a closed form takes microseconds.
The conventions are those of `search_spaces.cost.walk`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from search_spaces.cost.liveness import Liveness
from search_spaces.cost.walk import Cost

Run = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


def measure(build: Callable[[], nn.Module], input_shape: tuple[int, ...]) -> Cost:
    """Build a network on the meta device and count the costs of one forward pass.

    Args:
        build: Makes the network.
        input_shape: Shape of one input, without the batch.
    """
    net = on_meta(build)
    counter = count_pass(net, input_shape)
    parameters = sum(p.numel() for p in net.parameters())
    return Cost(parameters, counter.macs, counter.liveness.peak())


def on_meta(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network on the meta device, without weights, in evaluation mode."""
    with torch.device("meta"):
        return build().eval()


def count_pass(
    net: nn.Module,
    input_shape: tuple[int, ...],
    before: Callable[[CostCounter], None] = lambda _: None,
    batch: int = 1,
) -> CostCounter:
    """Count the costs of one forward pass of a network on the meta device.

    Args:
        net: Network made by `on_meta`.
        input_shape: Shape of one input, without the batch.
        before: Called with the counter before the pass, to install hooks that read it.
        batch: Inputs in the batch; costs are those of the whole batch.
    """
    x = torch.empty(batch, *input_shape, device="meta")
    counter = CostCounter(x)
    before(counter)
    with passing(counter):
        net(x)
    return counter


@contextmanager
def passing(counter: CostCounter) -> Iterator[None]:
    """Count what torch dispatches."""
    with torch.no_grad(), _no_encoder_shortcut(), _AttentionInOneKernel(), counter:
        yield


def count_parameters(build: Callable[[], nn.Module]) -> int:
    """The parameters alone, without a forward pass."""
    with torch.device("meta"):
        return sum(p.numel() for p in build().parameters())


@contextmanager
def _no_encoder_shortcut() -> Iterator[None]:
    """Turn off the inference shortcut of `nn.MultiheadAttention`, whose products are not counted."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


class _AttentionInOneKernel(TorchFunctionMode):
    """Run attention as the one kernel that real devices have; the meta device decomposes it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            func = _attention
        return func(*args, **(kwargs or {}))


def _attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """`F.scaled_dot_product_attention` by the kernel of the CPU, where that applies."""
    usual = query.dim() == 4 and key.shape == value.shape and query.shape[3] == key.shape[3]
    if usual and attn_mask is None and not dropout_p and not enable_gqa:
        kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
        return kernel(query, key, value, dropout_p, is_causal, scale=scale)[0]
    return F.scaled_dot_product_attention(
        query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa
    )


class CostCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the MACs and records the storages of every operation that torch dispatches.

    Args:
        x: The input of the network.
        liveness: Records the storages.
        run: Runs an operation; by default torch does, on the meta device.
    """

    def __init__(self, x: Tensor, liveness: Liveness | None = None, run: Run | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.macs = 0
        self.liveness = liveness or Liveness()
        self._run = run or _run
        self._numbers: dict[int, int] = {}
        self._kept: list[Tensor] = []  # no storage may be freed and its address reused
        self._make(x, ())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = self._run(func, args, kwargs)
        flops = flop_registry.get(func._overloadpacket)
        if flops is not None:
            self.macs += flops(*args, **kwargs, out_val=out) // 2
        inputs = {_address(t) for t in _tensors((args, kwargs))}
        reads = [self._numbers[address] for address in inputs if address in self._numbers]
        results = out[0] if isinstance(out, tuple) else out  # the rest are saved statistics
        made = [t for t in _tensors(results) if _address(t) not in inputs]
        for tensor in made:
            self._make(tensor, reads)
        if not made:  # in place, or a view
            self.liveness.read(reads)
        return out

    def number(self, tensor: Tensor) -> int | None:
        """The number of the storage of a tensor; None if no counted operation made it."""
        return self._numbers.get(_address(tensor))

    def adopt(self, tensor: Tensor, number: int) -> None:
        """Let a tensor that was made uncounted stand for a storage of the analysis."""
        self._numbers[_address(tensor)] = number
        self._kept.append(tensor)

    def _make(self, tensor: Tensor, reads: Iterable[int]) -> None:
        size = tensor.untyped_storage().nbytes()
        self._numbers[_address(tensor)] = self.liveness.make(reads, size)
        self._kept.append(tensor)


def _run(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return func(*args, **kwargs)


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _address(tensor: Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
