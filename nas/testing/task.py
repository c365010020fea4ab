"""The contract of tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

from nas.core.metrics import METRICS
from nas.testing.clauses import (
    check_clauses,
    completes,
    global_generators_untouched,
    name_of,
    require,
)

if TYPE_CHECKING:
    from torch import Tensor

    from trainers import Dataset, Task
    from trainers.data.targets import Targets

    Perfect = Callable[[Tensor], Tensor]

MOST_EXAMPLES = 48  # of the training split, at equal distances
LOGIT = 20.0  # of what is sure
CUTS = (48, 7, 1)  # examples of a batch
CLOSE = 1e-4  # relative error of sums in float32

# Shape letters: N examples, B batch, K classes or labels, T targets, H height, W width.


def check_task(task: Task | str, data: Any = None, *, perfect: Perfect | None = None) -> None:
    """Check that a task keeps the contract of `trainers.tasks.Task`.

    Clauses:

    - `metrics` are different names.
    - The loss of a batch is a finite scalar with a finite gradient, also of outputs in bfloat16 and
      with balanced class weights; it is repeatable, and equal to those of the halves of the batch
      added.
    - An example of weight 2 counts as two examples, one of weight 0 as none.
    - The loss reads no values of tensors, so that it can be part of a captured step on a GPU.
    - The loss depends on the training split alone, not on validation and test.
    - `measure` returns the metrics, each finite, NaN without batches, and the same however the split
      is cut into batches.
    - `predict` has the shape, type and range of the targets, and is the same for a batch and its halves.
    - Perfect outputs are predicted to be the targets, have a smaller loss than random ones, and no
      worse a value of any metric that is known; the first metric is at its bound, if it has one.
    - The global generators of random, numpy and torch are neither used nor seeded.

    Args:
        task: The task, or the name of one of the toolkit.
        data: Data that the task is for, as `nas.search` takes them; None to generate some for a name.
        perfect: The outputs of a network that is always right, of targets [B,...]; None for logits of
            ±20, or standardised values, as the tasks of the toolkit take them.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
        ValueError: there are no data for a task that is not of the toolkit.
    """
    subject = _subject(task, data, perfect)
    with completes(subject.name, "measure a split"):
        subject.measured(subject.random, CUTS[0])  # imports may draw random numbers
    with global_generators_untouched(subject.name):
        check_clauses(subject.name, CLAUSES, subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Subject:
    """A task to be checked, and a batch for it.

    Attributes:
        perfect: Outputs that are right, [N,...].
        random: Outputs that know nothing of the targets.
    """

    name: str
    task: Task
    data: Dataset
    targets: Tensor
    perfect: Tensor
    random: Tensor

    def require(self, kept: bool, breach: str) -> None:
        """Refuse the task unless a clause is kept."""
        require(kept, self.name, breach)

    def losses(self) -> dict[str, Callable[..., Tensor]]:
        """The loss of a training on `data` by each of several recipes, by the words for it."""
        from trainers import Recipe

        recipes = {
            "the loss": Recipe(label_smoothing=0.0),
            "the loss with balanced class weights": Recipe(class_weights="balanced"),
        }
        return {words: self.task.criterion(recipe, self.data) for words, recipe in recipes.items()}

    def measured(self, outputs: Tensor, batch: int) -> Mapping[str, float]:
        """The metrics of outputs, by batches of so many examples."""
        import torch

        return self.task.measure(
            zip(torch.split(outputs, batch), torch.split(self.targets, batch), strict=True)
        )


def _subject(task: Task | str, given: Any, perfect: Perfect | None) -> _Subject:
    import torch

    from trainers import from_objects
    from trainers.tasks.registry import make_task

    if isinstance(task, str):
        data = from_objects(_generated(task) if given is None else given, task=task)  # type: ignore[arg-type]
        name, task = f"task {task}", make_task(data.targets)
    else:
        if given is None:
            raise ValueError(f"data: want data that the task {name_of(task)} is for, got none")
        data, name = from_objects(given), name_of(task)
    count = min(MOST_EXAMPLES, len(data.train))
    rows_N = torch.linspace(0, len(data.train) - 1, count).long()
    targets = data.train.targets[rows_N]
    right = (perfect or _perfect_of(data.targets))(targets)
    random = torch.randn(right.shape, generator=torch.Generator().manual_seed(0))
    return _Subject(name=name, task=task, data=data, targets=targets, perfect=right, random=random)


def _generated(task: str) -> Any:
    """Inputs and targets for a task of the toolkit."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 4)).astype(np.float32)
    if task == "segmentation":
        masks = rng.integers(0, 3, (80, 6, 5)).astype(np.uint8)
        masks[:, 0] = 255
        return rng.integers(0, 256, (80, 1, 6, 5)).astype(np.uint8), masks
    targets = {
        "classification": np.digitize(x[:, 0], [-1, 1]),
        "multilabel": (x[:, :3] > 0.3).astype(int),
        "regression": 1e3 + 50 * x[:, :2].astype(float),
    }
    return x, targets[task]


def _perfect_of(targets: Targets) -> Perfect:
    """Outputs that the tasks of the toolkit read as the targets."""
    import torch
    import torch.nn.functional as F

    def perfect(targets_B: Tensor) -> Tensor:
        if targets.task == "regression":
            mean_T, std_T = (
                torch.tensor(x, dtype=torch.float64) for x in (targets.mean, targets.std)
            )
            return ((targets_B - mean_T) / std_T).float()
        if targets.task == "multilabel":
            return LOGIT * (2 * targets_B - 1)
        known_B = torch.where(targets_B < targets.outputs, targets_B.long(), 0)
        return 2 * LOGIT * F.one_hot(known_B, targets.outputs).movedim(-1, 1).float() - LOGIT

    return perfect


# -- the clauses -------------------------------------------------------------------------------


def _metrics_are_named(subject: _Subject) -> None:
    names = subject.task.metrics
    subject.require(
        len(names) > 0 and all(isinstance(n, str) and n for n in names),
        f"has metrics {names!r:.200}: want names",
    )
    subject.require(len(set(names)) == len(names), f"names a metric twice: {', '.join(names)}")


def _the_loss_is_a_finite_scalar_with_a_gradient(subject: _Subject) -> None:
    import torch

    for words, loss in subject.losses().items():
        outputs = subject.random.clone().requires_grad_()
        found = loss(outputs, subject.targets)
        subject.require(
            isinstance(found, torch.Tensor) and found.dim() == 0 and bool(found.isfinite()),
            f"gives {words} as {_told(found)}: want a finite scalar, the sum over the batch",
        )
        subject.require(found.requires_grad, f"gives {words} without a gradient")
        (gradient,) = torch.autograd.grad(found, outputs)
        subject.require(
            bool(gradient.isfinite().all()) and bool(gradient.any()),
            f"gives {words} with a gradient that is 0 or not finite",
        )
        again = loss(outputs, subject.targets)
        subject.require(bool(found == again), f"gives {words} differently a second time")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            narrow = loss(subject.random.bfloat16().requires_grad_(), subject.targets)
        subject.require(
            bool(narrow.isfinite()), f"gives {words} of outputs in bfloat16 as {_told(narrow)}"
        )


def _losses_add_up(subject: _Subject) -> None:
    half = len(subject.targets) // 3
    for words, loss in subject.losses().items():
        whole = _sum(loss, subject)
        parts = [_sum(loss, subject, rows) for rows in (slice(half), slice(half, None))]
        subject.require(
            _close(whole, sum(parts)),
            f"gives {words} of a batch as {whole:.6g}, and those of its parts add up to "
            f"{sum(parts):.6g}: want sums over examples",
        )


def _weights_count_examples(subject: _Subject) -> None:
    import torch

    weights_N = torch.arange(len(subject.targets)) % 3
    rows_M = torch.repeat_interleave(weights_N)
    for words, loss in subject.losses().items():
        weighted = _sum(loss, subject, weights=weights_N.float())
        repeated = _sum(loss, subject, rows_M)
        subject.require(
            _close(weighted, repeated),
            f"gives {words} with weights 0, 1, 2, ... as {weighted:.6g}, and with examples repeated "
            f"as often as {repeated:.6g}",
        )


def _the_loss_reads_no_values(subject: _Subject) -> None:
    import torch

    from nas.testing.waits import Waits

    for words, loss in subject.losses().items():
        outputs, weights = subject.random.clone().requires_grad_(), torch.ones(len(subject.targets))
        with Waits() as waits:
            for given in (None, weights):
                loss(outputs, subject.targets, given).backward()  # type: ignore[no-untyped-call]
        subject.require(
            not waits.found,
            f"computes {words} by operations for which a GPU makes the program wait: "
            f"{', '.join(sorted(waits.found))}",
        )


def _the_loss_depends_on_the_training_split_alone(subject: _Subject) -> None:
    one = subject.data.train.part(slice(1))
    other = replace(subject, data=replace(subject.data, validation=one, test=one))
    for (words, loss), poisoned in zip(
        subject.losses().items(), other.losses().values(), strict=True
    ):
        pair = [_sum(each, subject) for each in (loss, poisoned)]
        subject.require(
            pair[0] == pair[1],
            f"gives {words} as {pair[0]:.6g}, and as {pair[1]:.6g} with other validation and test "
            f"examples",
        )


def _metrics_are_measured(subject: _Subject) -> None:
    names, first = sorted(subject.task.metrics), None
    for batch in CUTS:
        found = dict(subject.measured(subject.random, batch))
        subject.require(
            sorted(found) == names,
            f"measures {', '.join(sorted(found))}: want its metrics, {', '.join(names)}",
        )
        first = found if first is None else first
        for name, value in found.items():
            subject.require(
                isinstance(value, float) and isfinite(value),
                f"measures {name} {value!r}: want a finite float",
            )
            subject.require(
                _close(value, first[name]),
                f"measures {name} {first[name]:.6g} by batches of {CUTS[0]}, and {value:.6g} by "
                f"batches of {batch}",
            )
    nothing = dict(subject.task.measure(()))
    subject.require(
        sorted(nothing) == names and all(isnan(value) for value in nothing.values()),
        f"measures {nothing} without batches: want NaN for each metric",
    )


def _predictions_are_like_targets(subject: _Subject) -> None:
    import torch

    found = subject.task.predict(subject.random)
    targets, task = subject.targets, subject.data.targets.task
    kind = torch.bool if task == "multilabel" else targets.dtype
    subject.require(
        isinstance(found, torch.Tensor) and found.dtype == kind and found.shape == targets.shape,
        f"predicts {_told(found)}: want {kind} {list(targets.shape)}",
    )
    if task in ("classification", "segmentation"):
        low, high, outputs = int(found.min()), int(found.max()), subject.data.targets.outputs
        subject.require(
            low >= 0 and high < outputs,
            f"predicts classes {low} to {high}: want 0 to {outputs - 1}",
        )
    parts = torch.cat([subject.task.predict(part) for part in torch.split(subject.random, 5)])
    subject.require(torch.equal(found, parts), "predicts an example differently in a smaller batch")


def _perfect_outputs_are_best(subject: _Subject) -> None:
    import torch

    counted = torch.ones_like(subject.targets, dtype=torch.bool)
    if subject.data.targets.dense:
        counted = subject.targets < subject.data.targets.outputs
    wanted = subject.targets[counted].double()
    found = subject.task.predict(subject.perfect)[counted].double()
    subject.require(
        torch.allclose(found, wanted, rtol=CLOSE, atol=CLOSE * float(wanted.std())),
        "does not predict the targets from perfect outputs",
    )
    loss = subject.losses()["the loss"]
    pair = (subject.perfect, subject.random)
    least, more = (loss(x.clone().requires_grad_(), subject.targets).item() for x in pair)
    subject.require(
        least < more, f"gives perfect outputs the loss {least:.6g}, and random ones {more:.6g}"
    )
    best, other = (subject.measured(outputs, CUTS[0]) for outputs in pair)
    for name in (n for n in subject.task.metrics if n in METRICS):
        gain = METRICS[name].gain(other[name], best[name])
        subject.require(
            gain >= 0,
            f"measures {name} {best[name]:.6g} of perfect outputs, and {other[name]:.6g} of random ones",
        )
    first = subject.task.metrics[0]
    if first in METRICS:
        metric = METRICS[first]
        bound = metric.high if metric.direction == "maximize" else metric.low
        subject.require(
            not isfinite(bound) or _close(bound, best[first]),
            f"measures {first} {best[first]:.6g} of perfect outputs: want {bound:g}",
        )


def _sum(
    loss: Callable[..., Tensor],
    subject: _Subject,
    rows: slice | Tensor = slice(None),
    weights: Tensor | None = None,
) -> float:
    """The loss of random outputs, of which a gradient is wanted."""
    outputs = subject.random[rows].clone().requires_grad_()
    return loss(outputs, subject.targets[rows], weights).item()


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= CLOSE * (1 + max(abs(a), abs(b)))


def _told(value: object) -> str:
    import torch

    if not isinstance(value, torch.Tensor):
        return f"{value!r:.80}"
    numbers = f" {value.item():g}" if value.numel() == 1 else ""
    return f"a tensor {value.dtype} {list(value.shape)}{numbers}"


CLAUSES = (
    _metrics_are_named,
    _the_loss_is_a_finite_scalar_with_a_gradient,
    _losses_add_up,
    _weights_count_examples,
    _the_loss_reads_no_values,
    _the_loss_depends_on_the_training_split_alone,
    _metrics_are_measured,
    _predictions_are_like_targets,
    _perfect_outputs_are_best,
)
