"""A trained network in another form: for other classes and inputs, or without dead parts."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save
from torch import Tensor, nn

from search_spaces.cost.dead_parts import dead_parts, weights_without
from search_spaces.cost.measure import measure
from search_spaces.ensemble.network import Ensemble

if TYPE_CHECKING:
    from nas.bundles.bundle import Bundle
    from search_spaces import SearchSpace

_EXAMPLES, _SAME = 4, 1e-5  # inputs; greatest difference of outputs, relative to the largest
_MOST_EXAMINED = 20_000_000  # parameters: gradients in float64 of more take seconds and gigabytes

Build = Callable[[int], nn.Module]  # builds the network for a number of classes


def classifier_paths(build: Build) -> list[str]:
    """The paths of the modules whose weights depend on the number of classes, in order."""
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
    """Give `net` the attribute `features`: the same network without the classifier, same weights.

    A network whose last classifier module is not an `nn.Linear` is returned as it is, and so is an
    ensemble, which has a classifier in each member.
    """
    if isinstance(net, Ensemble):
        return net
    paths = classifier_paths(build)
    if not paths or not isinstance(net.get_submodule(paths[-1]), nn.Linear):
        return net
    headless = _without(net, paths[-1].split("."))
    object.__setattr__(net, "features", headless)  # not a child module: saved once
    return net


def _without(module: nn.Module, path: list[str]) -> nn.Module:
    """A copy of `module` with the identity at `path`; all other children are the same objects."""
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
    """The trained network for other classes or another input shape, ready to fine-tune.

    Args:
        bundle: The network; every module that is not new has its weights.
        classes: Number of classes. The classifier is new if the bundle has another number.
        same_classes: False makes the classifier new even for the same number of classes.
        input_shape: The shape of one input; None: that of the bundle.
        space: The search space; None: the one that the bundle names.

    Raises:
        ValueError: the weights are damaged or do not fit; or a module other than the classifier
            depends on the input shape that changed.
    """
    space = space or bundle.space()

    def build(number: int) -> nn.Module:
        return bundle.build(space, bundle.task_for(number, input_shape))

    net = build(classes)
    trained = bundle.weights()
    same = same_classes and classes == bundle.task.outputs
    new = [] if same else classifier_paths(build)
    for name, tensor in net.state_dict().items():
        if name.rpartition(".")[0] in new:
            trained[name] = tensor
        elif name in trained and trained[name].shape != tensor.shape:
            raise ValueError(
                f"{bundle.path}: {name} has the shape {tuple(trained[name].shape)}, and for inputs "
                f"{input_shape} it would be {tuple(tensor.shape)}; use inputs of "
                f"{bundle.task.input_shape}"
            )
    fill(net, trained, bundle.path)
    return with_features(net, build)


def without_dead_parts(bundle: Bundle) -> Bundle:
    """The bundle of the same network without its dead parts, such as convolutions of nothing.

    `metrics` has the costs of what is left, and `searched_parameters`, those of the architecture as it
    was searched. The bundle itself where nothing is dead, or the network has over 20 million parameters.

    Args:
        bundle: A bundle that is not written yet.

    Raises:
        ValueError: the weights are damaged, or do not fit.
    """
    space, task = bundle.space(), bundle.task
    searched = space.parameters_of_member(space.check(bundle.architecture), task)
    is_simple = space.simplify and space.simplified(bundle.architecture) == bundle.architecture
    if not (bundle.dead_parts or is_simple or searched > _MOST_EXAMINED):
        bundle = _simplified(bundle, space)
    if not bundle.dead_parts:
        return bundle
    cost = measure(lambda: bundle.build(space, task), task.input_shape)
    metrics = {**bundle.metrics, **asdict(cost), "searched_parameters": searched}
    return replace(bundle, metrics=metrics)


def _simplified(bundle: Bundle, space: SearchSpace) -> Bundle:
    """The bundle without dead parts, if its outputs are the same."""
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(_EXAMPLES, *bundle.task.input_shape, generator=rng)
    parts = dead_parts(lambda: space.compile(bundle.architecture, bundle.task), x)
    if not parts:
        return bundle
    net = bundle.net(space)
    left = {name: tensor.contiguous() for name, tensor in weights_without(net, parts, x).items()}
    content = save(left)
    simple = replace(
        bundle,
        described={**bundle.described, "dead_parts": [asdict(part) for part in parts]},
        read_weights=lambda: content,
    )
    with torch.inference_mode():
        before, after = net(x), simple.net(space)(x)
    largest = before.abs().max().clamp(1)
    return simple if bool((before - after).abs().max() <= _SAME * largest) else bundle


def fill(net: nn.Module, weights: Mapping[str, Tensor], where: Path) -> None:
    """Load weights into `net`.

    Args:
        net: The network.
        weights: The weights by name.
        where: The folder of the bundle that they are from, for the error.

    Raises:
        ValueError: they do not fit.
    """
    try:
        net.load_state_dict(weights)
    except (RuntimeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{where}: its weights do not fit its network: {reason}") from None
