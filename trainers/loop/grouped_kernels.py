"""Casts and counters of all layers in a few kernels, for steps on a GPU.

Under autocast each weight is cast by a kernel of its own, its gradient is cast back by another, and
each batch normalisation adds one to its counter. In a small network that is a quarter of the kernels
of a step, and a kernel takes microseconds however little it does. Here one call casts all weights,
one all gradients, and one adds to all counters. The results are bit-equal, except that gradients of
a weight that is also read outside its layer are added in float32.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainers.loop.precision import Computed

# Layers whose weights autocast casts, and norms that count their batches.
LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose2d, nn.MultiheadAttention)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
COUNTER = "num_batches_tracked"


class GroupedKernels:
    """The layers and norms of a network, and bfloat16 copies of its weights.

    Autocast does the rest: layers of other types, weights that are read outside their layer, and
    blocks without autocast are computed as ever.

    Args:
        net: The network, on the device of the training.
        computed: The type of most operations; in float32 nothing is cast.
    """

    def __init__(self, net: nn.Module, computed: Computed) -> None:
        self._layers = _cast_layers(net, computed)
        self._norms = [module for module in net.modules() if _counts(module)]
        self._copies: dict[Tensor, nn.Parameter] = {
            weight: nn.Parameter(
                torch.empty_like(weight, dtype=torch.bfloat16), weight.requires_grad
            )
            for weight in _cast_weights(self._layers)
        }

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Compute a forward and a backward pass inside the block, from gradients that are None."""
        if self._copies:
            with torch.no_grad():
                torch._foreach_copy_(list(self._copies.values()), list(self._copies))
        calls: Counter[nn.Module] = Counter()
        try:
            with ExitStack() as stack:
                for module in self._layers:
                    stack.enter_context(_forward(module, self._cast))
                for module in self._norms:
                    stack.enter_context(_forward(module, partial(_uncounted, calls)))
                yield
            self._cast_gradients()
        finally:
            for copy in self._copies.values():
                copy.grad = None  # the next pass adds to none, even if this one failed
        _count(calls)

    def _cast(
        self, module: nn.Module, forward: Callable[..., Any], *inputs: Any, **options: Any
    ) -> Any:
        """The output of a layer, computed with the copies of its weights."""
        own = [(part, dict(part._parameters)) for part in module.modules()]
        if torch.is_autocast_enabled(next(module.parameters()).device.type):
            for part, weights in own:
                for name, weight in weights.items():
                    if weight is not None:
                        part._parameters[name] = self._copies.get(weight, weight)
        try:
            return forward(*inputs, **options)
        finally:
            for part, weights in own:
                part._parameters.update(weights)

    def _cast_gradients(self) -> None:
        """Move the gradients of the copies to the weights, where some may be from other uses."""
        narrow = {w: copy.grad for w, copy in self._copies.items() if copy.grad is not None}
        if not narrow:
            return
        gradients = [torch.empty_like(weight) for weight in narrow]
        torch._foreach_copy_(gradients, list(narrow.values()))
        for weight, gradient in zip(narrow, gradients, strict=True):
            weight.grad = gradient if weight.grad is None else weight.grad + gradient


def copied_bytes(net: nn.Module, computed: Computed) -> int:
    """Bytes of the bfloat16 copies of the weights of a network, and of their gradients again."""
    weights = set(_cast_weights(_cast_layers(net, computed)))
    return sum(weight.numel() for weight in weights) * torch.bfloat16.itemsize


def _cast_layers(net: nn.Module, computed: Computed) -> list[nn.Module]:
    casts = computed == "bfloat16"
    return [module for module in net.modules() if casts and type(module) in LAYERS]


def _cast_weights(layers: Iterable[nn.Module]) -> Iterator[nn.Parameter]:
    for module in layers:
        yield from (w for w in module.parameters() if w.dtype == torch.float32)


def _counts(module: nn.Module) -> bool:
    """True for a norm whose counter decides nothing: one with a momentum."""
    return (
        type(module) in NORMS
        and module.momentum is not None
        and module._buffers[COUNTER] is not None
    )


def _uncounted(
    calls: Counter[nn.Module], module: nn.Module, forward: Callable[..., Tensor], *inputs: Any
) -> Tensor:
    """The output of a norm, whose call is counted here."""
    counter = module._buffers[COUNTER]
    module._buffers[COUNTER] = None
    calls[module] += module.training
    try:
        return forward(*inputs)
    finally:
        module._buffers[COUNTER] = counter


def _count(calls: Counter[nn.Module]) -> None:
    """Add its calls to the counter of each norm."""
    counters: defaultdict[int, list[Tensor]] = defaultdict(list)
    for module, count in calls.items():
        counter = module._buffers[COUNTER]
        if count and counter is not None:
            counters[count].append(counter)
    for count, tensors in counters.items():
        torch._foreach_add_(tensors, count)


@contextmanager
def _forward(module: nn.Module, replaced_by: Callable[..., Tensor]) -> Iterator[None]:
    """Let a function of the module, its forward pass and the inputs compute the forward pass."""
    own = module.__dict__.get("forward")
    module.forward = partial(replaced_by, module, module.forward)
    try:
        yield
    finally:
        if own is None:
            del module.forward  # restores the method of the class
        else:
            module.forward = own
