"""The state of a paused training as named tensors, for a safetensors file.

Random numbers derive from (seed, epoch), and the learning rate from the recipe and the epoch. So
the state consists of weights, the optimiser's state and the number of micro-batches. The records of
the epochs are stored too, for the curve of the whole training, and the weights of the best epoch, if
an early stop keeps them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainers.loop.early_stop import EarlyStop
from trainers.loop.train import Epoch
from trainers.recipes.optimizers import Optimizer

_RECORDED = ("number", "train_loss", "learning_rate")  # the other columns are metrics


class Paused(NamedTuple):
    """The epochs of a paused training, with 0 seconds, and its number of micro-batches."""

    epochs: list[Epoch]
    micro_batches: int


def state(
    net: nn.Module,
    optimizer: Optimizer,
    epochs: Sequence[Epoch],
    micro_batches: int = 1,
    stop: EarlyStop | None = None,
) -> dict[str, Tensor]:
    """The state for `restore`: `weights.*`, `optimizer.*.*`, `epochs.*` (float64 [epochs]), ...

    Seconds are left out, so that equal trainings give equal tensors. `best.*` are the weights that
    `stop` keeps, unless the network has them.
    """
    tensors = {f"weights.{name}": tensor for name, tensor in net.state_dict().items()}
    for name, parameter in net.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{name}.{key}"] = value
    for name in _RECORDED:
        values = [float(getattr(epoch, name)) for epoch in epochs]
        tensors[f"epochs.{name}"] = torch.tensor(values, dtype=torch.float64)
    for name in epochs[-1].metrics if epochs else ():
        values = [epoch.metrics[name] for epoch in epochs]
        tensors[f"epochs.{name}"] = torch.tensor(values, dtype=torch.float64)
    tensors["micro_batches"] = torch.tensor(micro_batches)
    if stop is not None and not stop.ended and stop.best < len(epochs):
        tensors |= {f"best.{name}": tensor for name, tensor in stop.weights.items()}
    return tensors


def restore(
    net: nn.Module,
    optimizer: Optimizer,
    tensors: Mapping[str, Tensor],
    stop: EarlyStop | None = None,
) -> Paused:
    """Restore the state of a training to a new network and its new optimiser.

    Args:
        net: The network, on the device to train on.
        optimizer: An optimiser made by `make_optimizer` for `net`, with the same recipe.
        tensors: The result of `state`.
        stop: A new rule, which is shown the epochs and given the weights of the best.

    Raises:
        ValueError: It is not the state of such a training; `net` must not be used any more.
    """
    net.to(memory_format=torch.channels_last)  # as in `train`, so that memory layouts agree
    parts = _parts(tensors)
    try:
        net.load_state_dict(parts["weights"])
        _set_state(net, optimizer, parts["optimizer"])
        paused = Paused(_epochs(parts["epochs"]), int(parts["micro_batches"][""]))
        if stop is not None:
            _show(stop, paused.epochs, net, parts["best"])
        return paused
    except (RuntimeError, KeyError, ValueError) as error:
        raise _unfit(error) from None


class Inherited(NamedTuple):
    """The records of the training that a fork goes on from, and the part of its state in use."""

    epochs: list[Epoch]  # with 0 seconds
    optimizer_state: bool  # False if that of another optimiser was left out


# Makes the state of a network from its initial one and that of another architecture; gives too, for
# each tensor that is as it was, its name in the other one.
Adapt = Callable[
    [Mapping[str, Tensor], Mapping[str, Tensor]], tuple[Mapping[str, Tensor], Mapping[str, str]]
]


def inherit(
    net: nn.Module,
    optimizer: Optimizer,
    tensors: Mapping[str, Tensor],
    adapt: Adapt | None = None,
) -> Inherited:
    """Give a network the weights and the optimiser's state of another training.

    The hyperparameters of `optimizer` are its own: the state has none. The state of an optimiser of
    another kind is left out, and so is that of tensors which are not as they were: they start anew.

    Args:
        net: The network, on the device to train on.
        optimizer: An optimiser made by `make_optimizer` for `net`, with any recipe.
        tensors: The result of `state` for the other network.
        adapt: Adapts its weights; None for a network of the same architecture.

    Raises:
        ValueError: It is not the state of such a network; `net` must not be used any more.
    """
    net.to(memory_format=torch.channels_last)
    parts = _parts(tensors)
    weights = parts["weights"]
    kept = {path.rpartition(".")[2] for path in parts["optimizer"]}
    same_kind = bool(kept) and kept >= set(optimizer.state_names)
    try:
        state, names = (
            (weights, {n: n for n in weights})
            if adapt is None
            else adapt(net.state_dict(), weights)
        )
        net.load_state_dict(state)
        for name, parameter in net.named_parameters():
            origin = names.get(name)
            for key in optimizer.state_names if same_kind else ():
                tensor = parts["optimizer"].get(f"{origin}.{key}")
                if tensor is not None:
                    optimizer.state[parameter][key] = _like(parameter, tensor)
        return Inherited(_epochs(parts["epochs"]), same_kind)
    except (RuntimeError, KeyError, ValueError) as error:
        raise _unfit(error) from None


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """The tensors by the first part of their names, named by the rest."""
    parts: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}, "epochs": {}, "best": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = tensor
    return parts


def _set_state(net: nn.Module, optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = dict(net.named_parameters())
    for path, tensor in tensors.items():
        name, _, key = path.rpartition(".")
        parameter = parameters[name]
        optimizer.state[parameter][key] = _like(parameter, tensor)


def _show(
    stop: EarlyStop, epochs: Sequence[Epoch], net: nn.Module, best: Mapping[str, Tensor]
) -> None:
    """Bring a rule to where it was at the pause."""
    for epoch in epochs:
        stop.seen(epoch.number, epoch.metrics)
    if not best and not stop.ended and stop.best < len(epochs):
        raise ValueError(f"no weights of epoch {stop.best}, the best")
    stop.keep(net)
    device = {name: tensor.device for name, tensor in stop.weights.items()}
    stop.weights |= {name: best[name].to(device[name]) for name in best}


def _unfit(error: Exception) -> ValueError:
    reason = " ".join(str(error).split())[:200]
    return ValueError(f"pausing: not the state of this training ({reason})")


def _like(parameter: Tensor, tensor: Tensor) -> Tensor:
    """A copy on the device of the parameter, in its memory layout if the shapes are equal."""
    if tensor.shape != parameter.shape:
        return tensor.to(parameter.device, copy=True)
    return torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _epochs(columns: Mapping[str, Tensor]) -> list[Epoch]:
    numbers, losses, rates = (columns[name].tolist() for name in _RECORDED)
    metrics = {name: column.tolist() for name, column in columns.items() if name not in _RECORDED}
    return [
        Epoch(
            number=int(number),
            train_loss=loss,
            metrics=dict(zip(metrics, values, strict=True)),
            learning_rate=rate,
            seconds=0.0,
        )
        for number, loss, rate, *values in zip(
            numbers, losses, rates, *metrics.values(), strict=True
        )
    ]
