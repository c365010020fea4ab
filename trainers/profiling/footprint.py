"""Memory of a training, predicted without computing anything.

A step runs on torch's fake tensors, which have shapes, types and lifetimes but no contents: tensors
that autograd saves for the backward pass live as long as in the real step, and autocast makes the
same copies. The operations are those of a CPU; kernels of a GPU may save other tensors.
"""

import weakref
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainers.loop.batches import laid_out
from trainers.loop.convolutions import quick_convolutions
from trainers.loop.precision import Computed, autocast
from trainers.recipes.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Footprint:
    """Bytes of the tensors of a training, without the data set, workspaces and the device's context.

    Attributes:
        state: Weights, statistics and the state of the optimiser.
        gradients: Gradients of all weights.
        step: Peak of a step beside the state: a batch, activations, gradients.
        evaluation: Peak of an evaluation beside state and gradients.
    """

    state: int
    gradients: int
    step: int
    evaluation: int


def footprint(
    net: nn.Module,
    input_shape: tuple[int, ...],
    recipe: Recipe,
    *,
    computed: Computed,
    evaluated: int,
) -> Footprint:
    """Predict the memory of a training of `net`.

    Args:
        net: A network that gives [B,K] or [B,K,H,W], on the device of the training or on meta. It is not
            changed.
        input_shape: Shape of one example.
        recipe: Gives the batch size and the optimiser.
        computed: The type of most operations.
        evaluated: Examples that are evaluated at once; 0 for no evaluation.
    """
    from torch._subclasses.fake_tensor import FakeTensorMode  # slow: imports torch's compiler

    was_training = net.training
    with FakeTensorMode(), _Alive() as alive, quick_convolutions(net):
        state = {
            **{name: nn.Parameter(_like(p), p.requires_grad) for name, p in net.named_parameters()},
            **{name: _like(b) for name, b in net.named_buffers()},
        }
        weights = [p for p in state.values() if p.requires_grad]
        remembered = [torch.empty_like(p) for p in weights for _ in range(_remembered(recipe))]
        held = alive.restart()
        x_B = laid_out(torch.empty(recipe.batch_size, *input_shape))
        with autocast(x_B.device, computed):
            outputs_BK = functional_call(net.train(), state, (x_B,))
            shape = (recipe.batch_size, *outputs_BK.shape[2:])
            labels_B = torch.empty(shape, dtype=torch.int64)  # other tasks take as much
            loss = F.cross_entropy(outputs_BK, labels_B, label_smoothing=recipe.label_smoothing)
        loss.backward()  # type: ignore[no-untyped-call]
        step = alive.peak - held
        gradients = sum(p.grad.nbytes for p in weights if p.grad is not None)
        del x_B, outputs_BK, labels_B, loss
        before = alive.restart()
        if evaluated:
            with torch.inference_mode(), autocast(torch.device("cpu"), computed):
                functional_call(
                    net.eval(), state, (laid_out(torch.empty(evaluated, *input_shape)),)
                )
        evaluation = alive.peak - before
        del remembered
    net.train(was_training)
    return Footprint(held, gradients, step, evaluation)


class _Alive(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of all storages that are alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.peak = 0
        self._now = 0
        self._seen: weakref.WeakSet[Any] = weakref.WeakSet()

    def restart(self) -> int:
        """Measure a new peak from now on; return the bytes that are alive."""
        self.peak = self._now
        return self._now

    def _note(self, storage: torch.UntypedStorage) -> None:
        if storage in self._seen:
            return
        self._seen.add(storage)
        size = storage.nbytes()
        self._now += size
        self.peak = max(self.peak, self._now)
        weakref.finalize(storage, self._forget, size)

    def _forget(self, size: int) -> None:
        self._now -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(out):
            if isinstance(tensor, Tensor):
                self._note(tensor.untyped_storage())
        return out


def _like(tensor: Tensor) -> Tensor:
    return laid_out(torch.empty(tensor.shape, dtype=tensor.dtype))


def _remembered(recipe: Recipe) -> int:
    """Numbers that the optimiser stores for each weight."""
    if recipe.optimizer == "adamw":
        return 2
    return 1 if recipe.momentum else 0
