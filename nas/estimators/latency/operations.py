"""Operations of a forward pass of any network, recorded from shapes alone.

A network is passed through on the meta device. Each call of an operation of torch is named by its arguments:
the shapes of tensors, and numbers such as strides and groups. Calls of one name are one block, whatever
networks they occur in, and can be run alone with random tensors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_any, tree_map
from torch.utils.flop_counter import flop_registry

from search_spaces.cost.measure import count_pass, on_meta


@dataclass(frozen=True, slots=True)
class Block:
    """An operation with the shapes of its inputs.

    Attributes:
        name: Operation and arguments, such as `convolution 1x8x8x8 16x8x3x3 None [2,2] ...`.
        macs: Multiply-accumulates of one call.
        values: Numbers that one call reads and writes.
        call: Runs it on tensors of the meta device; its arguments stand for those of any device.
    """

    name: str
    macs: int
    values: int
    call: tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]] = field(
        compare=False, repr=False
    )

    @property
    def kind(self) -> str:
        """The operation, without its arguments."""
        return self.name.partition(" ")[0]

    def on(self, device: torch.device) -> Callable[[], Any]:
        """The call with random tensors on a device."""
        operation, args, kwargs = tree_map(lambda leaf: _real(leaf, device), self.call)
        return lambda: operation(*args, **kwargs)


def operations_of(
    build: Callable[[], nn.Module], input_shape: tuple[int, ...], batch: int = 1
) -> Counter[Block]:
    """Count the calls of each block in a forward pass.

    Args:
        build: Makes the network.
        input_shape: Shape of one input, without the batch.
        batch: Inputs in the batch.
    """
    net = on_meta(build)
    recorder = _Recorder()
    with recorder:
        count_pass(net, input_shape, batch=batch)
    return recorder.blocks


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the calls of operations that read a tensor."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.blocks: Counter[Block] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        if tree_any(_is_tensor, (args, kwargs)):
            flops = flop_registry.get(func._overloadpacket)
            macs = 0 if flops is None else flops(*args, **kwargs, out_val=out) // 2
            sizes: list[int] = []
            tree_map(
                lambda leaf: sizes.append(leaf.numel()) if _is_tensor(leaf) else None,
                (args, kwargs, out),
            )
            texts = [_text(arg) for arg in args]
            texts += [f"{key}={_text(value)}" for key, value in kwargs.items()]
            name = _short(" ".join([str(func).removeprefix("aten."), *texts]))
            self.blocks[Block(name, macs, sum(sizes), (func, args, kwargs))] += 1
        return out


def _short(name: str) -> str:
    """A name of at most 160 characters; the end of a longer one is its digest."""
    return name if len(name) <= 160 else f"{name[:120]} {sha256(name.encode()).hexdigest()}"[:160]


def _is_tensor(leaf: Any) -> bool:
    return isinstance(leaf, Tensor)


def _text(argument: Any) -> str:
    if isinstance(argument, Tensor):
        shape = "x".join(map(str, argument.shape)) or "scalar"
        kind = str(argument.dtype).removeprefix("torch.")
        return shape if kind == "float32" else f"{kind}:{shape}"
    if isinstance(argument, list | tuple):
        return f"[{','.join(map(_text, argument))}]"
    return str(argument)


def _real(leaf: Any, device: torch.device) -> Any:
    """A random tensor of the shape and the strides of one on the meta device; others as they are."""
    if isinstance(leaf, torch.device):
        return device
    if not isinstance(leaf, Tensor):
        return leaf
    real = torch.empty_strided(leaf.shape, leaf.stride(), dtype=leaf.dtype, device=device)
    if not leaf.is_floating_point():
        return real.zero_()
    return real.normal_(generator=torch.Generator(device).manual_seed(0))
