"""Pausing a training: all that it needs to go on, as named tensors for a safetensors file.

What an epoch draws derives from (seed, epoch), and the learning rate from the recipe and the epoch;
so that weights, the optimiser's state, the number of epochs and that of micro-batches are all there
is to keep. The records of the epochs are kept too, for the curve of the whole training.
"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from trainers.loop.train import Epoch
from trainers.recipes.optimizers import Optimizer

_RECORDED = tuple(field.name for field in fields(Epoch) if field.name != "seconds")


class Paused(NamedTuple):
    """The epochs behind a training, their seconds 0, and its micro-batches a batch."""

    epochs: list[Epoch]
    micro_batches: int


def state(
    net: nn.Module, optimizer: Optimizer, epochs: Sequence[Epoch], micro_batches: int = 1
) -> dict[str, Tensor]:
    """What `restore` needs: `weights.*`, `optimizer.*.*`, `epochs.*` (float64 [epochs]), ...

    Equal trainings give equal tensors: seconds are left out.
    """
    kept = {f"weights.{name}": tensor for name, tensor in net.state_dict().items()}
    for name, parameter in net.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            kept[f"optimizer.{name}.{key}"] = value
    for name in _RECORDED:
        values = [float(getattr(epoch, name)) for epoch in epochs]
        kept[f"epochs.{name}"] = torch.tensor(values, dtype=torch.float64)
    kept["micro_batches"] = torch.tensor(micro_batches)
    return kept


def restore(net: nn.Module, optimizer: Optimizer, kept: Mapping[str, Tensor]) -> Paused:
    """Bring a new network and its new optimiser to where `state` was taken.

    Args:
        net: On the device to train on.
        optimizer: What `make_optimizer` made of it, by the same recipe.
        kept: What `state` returned.

    Raises:
        ValueError: It is not the state of such a training; `net` is of no use any more.
    """
    net.to(memory_format=torch.channels_last)  # as `train` has it: the layout of the state is equal
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}, "epochs": {}}
    for name, tensor in kept.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    try:
        net.load_state_dict(parts["weights"])
        parameters = dict(net.named_parameters())
        for path, tensor in parts["optimizer"].items():
            name, _, key = path.rpartition(".")
            parameter = parameters[name]
            optimizer.state[parameter][key] = _like(parameter, tensor)
        return Paused(_epochs(parts["epochs"]), int(parts["micro_batches"][""]))
    except (RuntimeError, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"pausing: not the state of this training ({reason})") from None


def _like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A copy on the parameter's device, with its memory layout where the shapes are equal."""
    if tensor.shape != parameter.shape:
        return tensor.to(parameter.device, copy=True)
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _epochs(columns: Mapping[str, Tensor]) -> list[Epoch]:
    rows = zip(*(columns[name].tolist() for name in _RECORDED), strict=True)
    epochs = []
    for row in rows:
        values: dict[str, Any] = dict(zip(_RECORDED, row, strict=True))
        epochs.append(Epoch(**{**values, "number": int(values["number"])}, seconds=0.0))
    return epochs
