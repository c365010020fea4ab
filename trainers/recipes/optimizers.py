"""The optimiser of a recipe, and the learning rate of each step.

The update is one call of torch's fused kernel for all parameters of a group. It is called directly
and not through `torch.optim`, whose first use imports torch's compiler and takes as long as
importing torch, in every worker.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import cos, inf, pi
from typing import Protocol

import torch
from torch import Tensor, nn

from trainers.recipes.recipe import Recipe, Schedule

WARM_UP = 0.2  # share of the steps in which the learning rate rises
EPSILON = 1e-8  # of AdamW
BETA_2 = 0.999
STALLED = 2  # epochs without a better loss after which a plateau divides the learning rate ...
DIVISOR = 3.0  # ... by this

State = defaultdict[Tensor, dict[str, Tensor]]


@dataclass(slots=True)
class Group:
    """Parameters of one weight decay, and their learning rate: a tensor on a GPU, else a number."""

    parameters: list[Tensor]
    weight_decay: float
    learning_rate: float | Tensor


class Optimizer(Protocol):
    """Updates parameters by their gradients.

    Attributes:
        groups: All parameters, in groups.
        state: Named tensors of each parameter that has been updated.
    """

    groups: Sequence[Group]
    state: State

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the tensors that each parameter has once it has been updated."""

    @property
    def settings(self) -> dict[str, float | str]:
        """The hyperparameters that it uses now. Waits for the device."""

    def step(self) -> None:
        """Update every parameter that has a gradient. Does not wait for the device."""

    def zero_grad(self) -> None:
        """Set all gradients to None."""


@dataclass(slots=True)
class SGD:
    """Stochastic gradient descent with momentum, as `torch.optim.SGD` has it.

    Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML
    2013. The momentum of a parameter is `momentum_buffer`.
    """

    groups: Sequence[Group]
    momentum: float
    nesterov: bool
    state: State = field(default_factory=lambda: defaultdict(dict))

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the tensors of each parameter."""
        return ("momentum_buffer",) if self.momentum else ()

    @property
    def settings(self) -> dict[str, float | str]:
        """The settings for a checkpoint, by name."""
        return {"optimizer": "sgd", "momentum": self.momentum, **_of_groups(self.groups)}

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters once, by their gradients."""
        for group, moved, gradients in _moving(self.groups):
            remembered = self._momenta(moved) if self.momentum else []
            torch._fused_sgd_(
                moved,
                gradients,
                remembered,
                weight_decay=group.weight_decay,
                momentum=self.momentum,
                lr=group.learning_rate,
                dampening=0.0,
                nesterov=self.nesterov and self.momentum > 0,
                maximize=False,
                is_first_step=False,
            )

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        _forget_gradients(self.groups)

    def _momenta(self, moved: list[Tensor]) -> list[Tensor]:
        for parameter in moved:
            if parameter not in self.state:
                self.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
        return [self.state[parameter]["momentum_buffer"] for parameter in moved]


@dataclass(slots=True)
class AdamW:
    """Adam with decoupled weight decay, as `torch.optim.AdamW` has it.

    Loshchilov & Hutter, "Decoupled Weight Decay Regularization", ICLR 2019, Algorithm 2. For each
    parameter there are `step` (float32 []), `exp_avg` and `exp_avg_sq`.
    """

    groups: Sequence[Group]
    beta_1: float
    state: State = field(default_factory=lambda: defaultdict(dict))

    @property
    def state_names(self) -> tuple[str, ...]:
        """The names of the tensors of each parameter."""
        return ("step", "exp_avg", "exp_avg_sq")

    @property
    def settings(self) -> dict[str, float | str]:
        """The settings for a checkpoint, by name."""
        return {"optimizer": "adamw", "momentum": self.beta_1, **_of_groups(self.groups)}

    @torch.no_grad()
    def step(self) -> None:
        """Change the parameters once, by their gradients."""
        for group, moved, gradients in _moving(self.groups):
            for parameter in moved:
                if parameter not in self.state:
                    self.state[parameter] = {
                        "step": torch.zeros((), device=parameter.device),
                        "exp_avg": torch.zeros_like(parameter),
                        "exp_avg_sq": torch.zeros_like(parameter),
                    }
            steps, first, second = (
                [self.state[parameter][name] for parameter in moved]
                for name in ("step", "exp_avg", "exp_avg_sq")
            )
            torch._foreach_add_(steps, 1)
            torch._fused_adamw_(
                moved,
                gradients,
                first,
                second,
                [],
                steps,
                lr=group.learning_rate,
                beta1=self.beta_1,
                beta2=BETA_2,
                weight_decay=group.weight_decay,
                eps=EPSILON,
                amsgrad=False,
                maximize=False,
            )

    def zero_grad(self) -> None:
        """Set all gradients to None."""
        _forget_gradients(self.groups)


def make_optimizer(net: nn.Module, recipe: Recipe) -> Optimizer:
    """The optimiser of a recipe: weights decay, norms and biases do not."""
    trained = [p for p in net.parameters() if p.requires_grad]
    assert recipe.learning_rate is not None
    rate: float | Tensor = recipe.learning_rate
    if trained and trained[0].is_cuda:  # a captured step reads it from the device
        rate = torch.tensor(rate, device=trained[0].device)
    groups = (
        Group([p for p in trained if p.dim() > 1], recipe.weight_decay, rate),
        Group([p for p in trained if p.dim() <= 1], 0.0, rate),
    )
    if recipe.optimizer == "adamw":
        return AdamW(groups, recipe.momentum)
    return SGD(groups, recipe.momentum, recipe.nesterov)


def set_learning_rate(optimizer: Optimizer, learning_rate: float) -> None:
    """Set the learning rate of every parameter. Does not wait for the device."""
    filled: Tensor | None = None  # groups share the tensor
    for group in optimizer.groups:
        if not isinstance(group.learning_rate, Tensor):
            group.learning_rate = learning_rate
        elif group.learning_rate is not filled:
            filled = group.learning_rate.fill_(learning_rate)


def _of_groups(groups: Sequence[Group]) -> dict[str, float | str]:
    """The learning rate, and the weight decay of those parameters that decay."""
    rate = float(groups[0].learning_rate)
    return {"learning_rate": rate, "weight_decay": groups[0].weight_decay}


def _moving(groups: Sequence[Group]) -> Iterator[tuple[Group, list[Tensor], list[Tensor]]]:
    """Each group with gradients: its parameters that have one, and those gradients."""
    for group in groups:
        pairs = [(p, p.grad) for p in group.parameters if p.grad is not None]
        if pairs:
            yield group, [p for p, _ in pairs], [gradient for _, gradient in pairs]


def _forget_gradients(groups: Sequence[Group]) -> None:
    for group in groups:
        for parameter in group.parameters:
            parameter.grad = None


def learning_rates(recipe: Recipe, steps_per_epoch: int) -> Iterator[float]:
    """The learning rate of every step of the whole training, by `recipe.schedule`."""
    peak, last = recipe.learning_rate, recipe.epochs * steps_per_epoch
    assert peak is not None
    share = SHARES[recipe.schedule]
    for step in range(1, last + 1):
        yield peak * share(step / (last + 1))  # never 0 or 1: no step is wasted on a rate of zero


def _triangle(done: float) -> float:
    """Smith & Topin, "Super-Convergence", 2018 (arXiv 1708.07120), with one linear descent."""
    return min(done / WARM_UP, (1 - done) / (1 - WARM_UP))


def _cosine(done: float) -> float:
    """Loshchilov & Hutter, "SGDR", ICLR 2017, Equation 5 (arXiv 1608.03983), without restarts."""
    return (1 + cos(pi * done)) / 2


# Share of the peak as a function of the share of steps done, both 0..1.
SHARES: dict[Schedule, Callable[[float], float]] = {
    "triangle": _triangle,
    "cosine": _cosine,
    "constant": lambda _: 1.0,
    "plateau": lambda _: 1.0,  # times `plateau`
}


def plateau(losses: Iterable[float]) -> float:
    """The share of the peak for the next epoch, after epochs with these losses.

    After `STALLED` epochs without a better loss it is divided by `DIVISOR`, as by
    `torch.optim.lr_scheduler.ReduceLROnPlateau`; then the next epochs are counted.
    """
    share, best, stalled = 1.0, inf, 0
    for loss in losses:
        if loss < best:
            best, stalled = loss, 0
        else:
            stalled += 1
        if stalled == STALLED:
            share, stalled = share / DIVISOR, 0
    return share
