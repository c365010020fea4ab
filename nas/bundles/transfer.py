"""A trained network for other classes and other inputs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from nas.bundles.read import Bundle
    from search_spaces import SearchSpace

Build = Callable[[int], nn.Module]  # of a number of classes


def classifier_paths(build: Build) -> list[str]:
    """The modules whose weights depend on how many classes there are, in order."""
    with torch.device("meta"):
        few, more = build(2), build(3)
    return [
        path
        for (path, a), (_, b) in zip(few.named_modules(), more.named_modules(), strict=True)
        if any(
            p.shape != q.shape
            for p, q in zip(a.parameters(recurse=False), b.parameters(recurse=False), strict=True)
        )
    ]


def with_features(net: nn.Module, build: Build) -> nn.Module:
    """Give `net` the attribute `features`: itself, but for the classifier, on the same weights.

    A network without a single `nn.Linear` at its end is left as it is.
    """
    paths = classifier_paths(build)
    if not paths or not isinstance(net.get_submodule(paths[-1]), nn.Linear):
        return net
    headless = _without(net, paths[-1].split("."))
    object.__setattr__(net, "features", headless)  # no child: its weights are not saved twice
    return net


def _without(module: nn.Module, path: list[str]) -> nn.Module:
    """`module` with the child at `path` left out; all others are the same objects."""
    if not path:
        return nn.Identity()
    other = copy.copy(module)
    other._modules = dict(module._modules)
    child = other._modules[path[0]]
    assert child is not None
    other._modules[path[0]] = _without(child, path[1:])
    return other


def adapted(
    bundle: Bundle,
    *,
    classes: int,
    same_classes: bool = True,
    input_shape: tuple[int, ...] | None = None,
    space: SearchSpace | None = None,
) -> nn.Module:
    """The trained network for other classes or another size of input, ready to fine-tune.

    Args:
        bundle: The network; all that is not new has its weights.
        classes: How many. The classifier is new if there were not as many.
        same_classes: Whether as many are the same ones; if not, the classifier is new all the same.
        input_shape: None for the bundle's.
        space: None for the bundle's.

    Raises:
        ValueError: the weights are damaged or do not fit; or some other than the classifier's
            depend on the inputs that changed.
    """
    space = space or bundle.space()

    def build(number: int) -> nn.Module:
        return space.compile(bundle.architecture, bundle.task_for(number, input_shape))

    net = build(classes)
    trained = bundle.weights()
    kept = same_classes and classes == bundle.task.classes
    new = [] if kept else classifier_paths(build)
    for name, tensor in net.state_dict().items():
        if name.rpartition(".")[0] in new:
            trained[name] = tensor
        elif name in trained and trained[name].shape != tensor.shape:
            raise ValueError(
                f"{bundle.path}: {name} is {tuple(trained[name].shape)} in it, and for inputs "
                f"{input_shape} it would be {tuple(tensor.shape)}; use inputs of "
                f"{bundle.task.input_shape}"
            )
    fill(net, trained, bundle.path)
    return with_features(net, build)


def fill(net: nn.Module, weights: Mapping[str, Tensor], where: Path) -> None:
    """Give `net` the weights of the bundle in `where`.

    Raises:
        ValueError: they do not fit.
    """
    try:
        net.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{where}: its weights do not fit its network: {reason}") from None
