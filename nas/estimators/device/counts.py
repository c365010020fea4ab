"""Counts of the operations of a network of any space: all, and those that its outputs depend on.

A feature is the work of one kind of operation: multiply-accumulates, by the window of a convolution, or
numbers read and written, in millions; and the number of calls of all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from search_spaces.cost.measure import count_pass, on_meta

CALLS = "calls"

Counts = tuple[Mapping[str, float], Mapping[str, float]]  # executed, and reaching the outputs


def operation_counts(
    build: Callable[[], nn.Module], input_shape: tuple[int, ...], batch: int = 1
) -> Counts:
    """The counts of a network, by feature.

    Args:
        build: Makes the network.
        input_shape: Shape of one input, without the batch.
        batch: Inputs in the batch.
    """
    net = on_meta(build)
    tape, outputs = _Tape(), set[int]()
    handle = net.register_forward_hook(lambda *call: outputs.update(_storages(call[2])))
    with tape:
        count_pass(net, input_shape, batch=batch)
    handle.remove()
    return _summed(tape.calls), _summed(_reaching(tape.calls, outputs))


class _Call:
    """One call of an operation."""

    def __init__(self, kind: str, work: float, reads: set[int], writes: set[int]) -> None:
        self.kind, self.work, self.reads, self.writes = kind, work, reads, writes


class _Tape(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Records the operations on tensors, with the storages that they read and write."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: list[_Call] = []
        self._kept: list[Any] = []  # no storage may be freed and its address reused

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        tensors = _tensors((args, kwargs))
        if not tensors:
            return out
        self._kept.append(out)
        made = _tensors(out)
        name = func._overloadpacket.__name__.strip("_")
        flops = flop_registry.get(func._overloadpacket)
        if flops is not None:
            work = flops(*args, **kwargs, out_val=out) / 2
            name = _window(name, args)
        else:
            work = float(sum(t.numel() for t in (*tensors, *made)))
        self.calls.append(_Call(name, work / 1e6, _storages(tensors), _storages(made)))
        return out


def _window(name: str, args: tuple[Any, ...]) -> str:
    """A convolution with its window; depthwise ones apart."""
    if "convolution" not in name:
        return name
    weight: Tensor = args[1]
    window = "x".join(map(str, weight.shape[2:]))
    grouped = " depthwise" if weight.shape[1] == 1 < args[0].shape[1] else ""
    return f"convolution {window}{grouped}"


def _reaching(calls: list[_Call], outputs: set[int]) -> list[_Call]:
    needed, found = set(outputs), []
    for call in reversed(calls):
        if call.writes & needed:
            needed |= call.reads
            found.append(call)
    return found


def _summed(calls: list[_Call]) -> Mapping[str, float]:
    found: Counter[str] = Counter()
    for call in calls:
        found[call.kind] += call.work  # type: ignore[assignment]
    return {CALLS: float(len(calls)), **found}


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _storages(tree: Any) -> set[int]:
    return {int(t.untyped_storage()._cdata) for t in _tensors(tree)}
