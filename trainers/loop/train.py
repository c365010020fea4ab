"""Supervised training of one network on data that lies on its device.

The loop yields an `Epoch` after each pass; the caller logs, saves, or stops by not asking for more.
Random numbers of an epoch derive from (seed, epoch) alone. Augmentation is done for a block of
batches at once. The device is synchronised once an epoch, when the losses are read.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from itertools import islice
from math import isfinite, nan, prod
from time import perf_counter

import torch
from torch import Tensor, nn

from trainers.data.dataset import Dataset, Split
from trainers.data.transforms import normalise
from trainers.determinism import derive_seed, same_bits, seeded
from trainers.loop import closed_form
from trainers.loop.batch_step import EagerStep, Step, dropout, make_step
from trainers.loop.batches import batch_sizes, batches, laid_out
from trainers.loop.convolutions import quick_convolutions
from trainers.loop.early_stop import EarlyStop
from trainers.loop.precision import Computed, autocast, choose
from trainers.recipes.averaging import Average
from trainers.recipes.optimizers import (
    Optimizer,
    learning_rates,
    make_optimizer,
    plateau,
    set_learning_rate,
)
from trainers.recipes.recipe import Recipe
from trainers.tasks import Task
from trainers.tasks.registry import make_task

# Shape letters: N examples, B batch, K classes.

EVALUATED_BYTES = 48 * 2**20  # float32 inputs on a GPU: 4,096 images of 3×32×32


class Diverged(ArithmeticError):  # noqa: N818 - the word of the design for this failure
    """A loss was no longer a finite number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Epoch:
    """The result of one pass over the training split.

    Attributes:
        number: Number of passes so far, from 1.
        train_loss: Mean training loss, label smoothing and class weights included.
        metrics: Metrics of the validation split by name; each is NaN if that split is empty.
        learning_rate: Learning rate of the last step.
        seconds: Wall time of the pass and its validation.
        fallback: Reason why the steps on a GPU are not replayed from a capture; empty if they are,
            and where none is tried: with micro-batches, for a few steps, on the CPU.
    """

    number: int
    train_loss: float
    metrics: Mapping[str, float]
    learning_rate: float
    seconds: float
    fallback: str = ""

    @property
    def accuracy(self) -> float:
        """Accuracy of a classification on the validation split, 0..1."""
        return self.metrics["accuracy"]

    @property
    def loss(self) -> float:
        """Mean loss on the validation split: of a classification the cross-entropy in nats."""
        return self.metrics["loss"]


def train(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    optimizer: Optimizer | None = None,
    done: int = 0,
    earlier: Sequence[Epoch] = (),
    micro_batches: int = 1,
    computed: Computed | None = None,
    task: Task | None = None,
    stop: EarlyStop | None = None,
) -> Iterator[Epoch]:
    """Train `net` in place on `data.train`; yield an `Epoch` after every pass.

    To pause, stop iterating and save `trainers.checkpoints.pausing.state`; to resume, restore it and
    pass the number of passes `done`. On the CPU the result is bit-equal to that without a pause.

    Between passes the network has no hooks and is in evaluation mode, and the global random state
    is the caller's. On the CPU the same seed and number of threads give the same bits; on a GPU
    they do with `recipe.deterministic`.

    Args:
        net: Maps normalised inputs to outputs [B,K], or [B,K,H,W] for a segmentation; on the device
            of `data`.
        data: The data set. An empty validation split is not evaluated.
        recipe: The hyperparameters.
        seed: 0 to 2**63 - 1. Seeds order, augmentation and dropout, not the initial weights.
        optimizer: An optimiser made by `make_optimizer(net, recipe)`; None for a new one.
        done: Number of passes that `net` and `optimizer` have been trained for.
        earlier: The records of those passes, which the schedule "plateau" follows.
        micro_batches: Parts of a batch whose gradients are added up, to save memory. Steps and loss
            stay the same, except that batch normalisation sees the parts.
        computed: The type of most operations; None for the choice of `precision.choose`.
        task: The loss and the metrics; None for those of `tasks.registry.make_task`.
        stop: The rule that ends the training early, which has seen earlier epochs; None for
            `recipe.patience` by the validation loss. When the last epoch is yielded, the network has
            the weights of the best one. Without a validation split there is no rule.

    Raises:
        Diverged: A loss was NaN or infinite; raised at the end of its epoch.
        ValueError: Records of earlier passes are missing, fewer than 2 training examples, none with a weight above 0, or network and data
            on different devices.

    Examples:
        >>> import torch, trainers
        >>> data = trainers.load("digits")
        >>> net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
        >>> recipe = trainers.Recipe(epochs=2, learning_rate=0.01)
        >>> epochs = list(trainers.train(net, data, recipe, seed=0))
        >>> [epoch.number for epoch in epochs]
        [1, 2]
        >>> epochs[-1].accuracy == trainers.accuracy(net, data.validation, data)
        True
    """
    steps = train_in_steps(
        net,
        data,
        recipe,
        seed=seed,
        optimizer=optimizer,
        done=done,
        earlier=earlier,
        micro_batches=micro_batches,
        computed=computed,
        task=task,
        stop=stop,
    )
    with closing(steps):
        yield from (epoch for epoch in steps if epoch is not None)


def train_in_steps(
    net: nn.Module,
    data: Dataset,
    recipe: Recipe,
    *,
    seed: int,
    optimizer: Optimizer | None = None,
    done: int = 0,
    earlier: Sequence[Epoch] = (),
    micro_batches: int = 1,
    computed: Computed | None = None,
    task: Task | None = None,
    stop: EarlyStop | None = None,
    own_step: Callable[[EagerStep], Step] | None = None,
) -> Generator[Epoch | None]:
    """Train as `train` does; yield None after every step too, and the `Epoch` after every pass.

    Trainings can take turns, each in its `trainers.loop.slot.Slot`: after a step the global random
    state is that of the training. `own_step` makes the step of another kind of training, such as that of
    a supernet, from the step of one network. A kernel machine is solved for, and has no steps: see
    `trainers.loop.closed_form`.
    """
    _check(net, data)
    follows = recipe.schedule == "plateau"
    if follows and len(earlier) != done:
        raise ValueError(f"train: want the records of {done} earlier epochs, got {len(earlier)}")
    losses = [_followed(epoch) for epoch in earlier]
    if stop is None and recipe.patience:
        stop = EarlyStop(recipe.patience)
    if not len(data.validation):
        stop = None
    task = task or make_task(data.targets)
    if own_step is None and (machine := closed_form.machine_of(net)) is not None:
        yield from _solved(
            net, machine, data, recipe, task=task, seed=seed, earlier=earlier, done=done
        )
        return
    device = data.device
    net.to(memory_format=torch.channels_last)  # faster on the CPU too: 1.3 to 2.2 times
    optimizer = optimizer or make_optimizer(net, recipe)
    computed = computed or choose(recipe.precision, net, data.input_shape, device)
    eager = EagerStep(
        net=net,
        optimizer=optimizer,
        criterion=task.criterion(recipe, data),
        computed=computed,
        micro_batches=micro_batches,
    )
    sizes = batch_sizes(len(data.train), recipe.batch_size, device)
    steps = len(sizes)
    counts = {size: n * (recipe.epochs - done) for size, n in Counter(sizes).items()}
    step = make_step(eager, device, counts) if own_step is None else own_step(eager)
    rates = islice(learning_rates(recipe, steps), done * steps, None)
    average = Average(net, recipe.averaging, steps=recipe.epochs * steps, done=done * steps)
    last = done if stop is not None and stop.ended else recipe.epochs
    for number in range(done + 1, last + 1):
        start, rate = perf_counter(), 0.0
        share = plateau(losses) if follows else 1.0
        total_loss = torch.zeros((), device=device)
        net.train()
        with (
            seeded(derive_seed(seed, "network", number), device),
            dropout(net, recipe.dropout, hidden=len(data.input_shape) == 1),
            quick_convolutions(net),
        ):
            for batch in batches(data, recipe, epoch=number, seed=seed):
                rate = share * next(rates)
                set_learning_rate(optimizer, rate)
                with same_bits(device) if recipe.deterministic else nullcontext():
                    total_loss += step(*batch)
                average.follow()
                yield None
        average.synchronise()
        train_loss = total_loss.item() / len(data.train)  # synchronises the device
        _check_finite(train_loss, "training", number)
        size = evaluation_batch(recipe.batch_size, micro_batches, data)
        found = evaluate(net, data.validation, data, batch_size=size, computed=computed, task=task)
        if len(data.validation) and "loss" in found:
            _check_finite(found["loss"], "validation", number)
        epoch = Epoch(
            number=number,
            train_loss=train_loss,
            metrics=found,
            learning_rate=rate,
            seconds=perf_counter() - start,
            fallback=step.fallback,
        )
        losses.append(_followed(epoch))
        ends = stop is not None and _ends(stop, epoch, net, recipe.epochs)
        yield epoch
        if ends:
            return


def _ends(stop: EarlyStop, epoch: Epoch, net: nn.Module, epochs: int) -> bool:
    """Keep the weights of the best epoch; put them back and return True if the training ends."""
    if stop.seen(epoch.number, epoch.metrics):
        stop.keep(net)
    if not (stop.ended or epoch.number == epochs):
        return False
    stop.put_back(net)
    return True


def _solved(
    net: nn.Module,
    machine: closed_form.Machine,
    data: Dataset,
    recipe: Recipe,
    *,
    task: Task,
    seed: int,
    earlier: Sequence[Epoch],
    done: int,
) -> Generator[Epoch | None]:
    """Solve for a network at once, unless that was done; yield what a training of all epochs yields."""
    start = perf_counter()
    if done:
        loss = earlier[-1].train_loss if earlier else nan
    else:
        loss = closed_form.solve(machine, data, recipe, task, seed)
    _check_finite(0.0 if done else loss, "training", 1)
    yield None
    size = evaluation_batch(recipe.batch_size, 1, data)
    found = evaluate(net, data.validation, data, batch_size=size, task=task)
    for number in range(done + 1, recipe.epochs + 1):
        seconds, start = perf_counter() - start, perf_counter()
        yield Epoch(
            number=number, train_loss=loss, metrics=found, learning_rate=0.0, seconds=seconds
        )


def _followed(epoch: Epoch) -> float:
    """The loss that a plateau is seen in: on the validation split, or else on the training split."""
    loss = epoch.metrics.get("loss", epoch.train_loss)
    return loss if isfinite(loss) else epoch.train_loss


def evaluate(
    net: nn.Module,
    split: Split,
    data: Dataset,
    *,
    batch_size: int = 512,
    computed: Computed = "float32",
    task: Task | None = None,
) -> dict[str, float]:
    """Metrics of `net` on `split`, normalised as `data` is; NaN for an empty split.

    `net` is left in evaluation mode. Without a task the metrics are those of
    `tasks.registry.make_task`: of a classification `accuracy`, 0..1, and `loss`, the mean
    cross-entropy in nats.
    """
    return evaluate_folds([(net, split)], data, batch_size=batch_size, computed=computed, task=task)


@torch.inference_mode()
def evaluate_folds(
    folds: Sequence[tuple[nn.Module, Split]],
    data: Dataset,
    *,
    batch_size: int = 512,
    computed: Computed = "float32",
    task: Task | None = None,
) -> dict[str, float]:
    """Metrics over the examples of several splits together, each evaluated by a network of its own.

    Args:
        folds: Networks and splits; the networks are left in evaluation mode.
        data: The data set, as which inputs are normalised.
        batch_size: Examples that are evaluated at once.
        computed: The type of most operations.
        task: The metrics; None for those of `tasks.registry.make_task`.
    """

    def outputs() -> Iterator[tuple[Tensor, Tensor]]:
        for net, split in folds:
            with autocast(split.targets.device, computed), quick_convolutions(net):
                yield from _outputs(net, split, data, batch_size)

    return (task or make_task(data.targets)).measure(outputs())


@torch.inference_mode()
def read_outputs(
    net: nn.Module,
    split: Split,
    data: Dataset,
    read: Callable[[Tensor], Tensor],
    *,
    batch_size: int = 512,
    computed: Computed = "float32",
) -> Tensor:
    """The outputs of `net` for all examples of `split`, on the CPU.

    `net` is left in evaluation mode.

    Args:
        net: The network.
        split: A split that is not empty.
        data: The data set, as which inputs are normalised.
        read: Maps the outputs of a batch to what is kept of them, [B,...].
        batch_size: Examples that are evaluated at once.
        computed: The type of most operations.
    """
    with autocast(split.targets.device, computed), quick_convolutions(net):
        batches = _outputs(net, split, data, batch_size)
        return torch.cat([read(outputs_B).cpu() for outputs_B, _ in batches])


def _outputs(
    net: nn.Module, split: Split, data: Dataset, batch_size: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the outputs and the targets of each batch of a split."""
    net.eval()
    device = split.targets.device
    parts = (torch.split(split.inputs, batch_size), torch.split(split.targets, batch_size))
    for inputs_B, targets_B in zip(*parts, strict=True) if len(split) else ():
        yield net(laid_out(normalise(inputs_B.to(device), data.mean, data.std))), targets_B


def evaluation_batch(batch_size: int, micro_batches: int, data: Dataset) -> int:
    """Examples that are evaluated at once, where batches of `batch_size` can be trained on.

    A forward pass needs less memory than a step. On a GPU small batches are bound by launches, so
    that up to `EVALUATED_BYTES` of inputs are taken, but at most 16 batches.
    """
    if data.device.type != "cuda" or micro_batches > 1:
        return max(1, 4 * batch_size // micro_batches)
    fitting = EVALUATED_BYTES // (4 * prod(data.input_shape))
    return min(max(4 * batch_size, fitting), 16 * batch_size)


def accuracy(net: nn.Module, split: Split, data: Dataset) -> float:
    """Share of `split` that `net` labels correctly, 0..1; leaves `net` in evaluation mode."""
    return evaluate(net, split, data)["accuracy"]


def _check(net: nn.Module, data: Dataset) -> None:
    if len(data.train) < 2:
        raise ValueError(f"train: want at least 2 training examples, got {len(data.train)}")
    if data.train.weights is not None and not data.train.weights.any():
        raise ValueError("train: want a weight above 0, got training examples of weight 0 alone")
    for parameter in net.parameters():
        if parameter.device != data.device:
            raise ValueError(
                f"train: the network is on {parameter.device}, the data on {data.device}; move one of them"
            )


def _check_finite(loss: float, which: str, epoch: int) -> None:
    if not isfinite(loss):
        raise Diverged(f"{which} loss is {loss} in epoch {epoch}; lower the learning rate")
