"""Inheritance of weights by a network of another architecture of the same space.

A tensor is inherited by the part of the network that it is in and its name there, as far as shapes go:

    wider    the first channels are inherited; new ones start afresh, and what was there before does
             not see them yet: their weights there are 0 (Net2Net copies channels instead)
    deeper   a new block that has a shortcut adds 0 to it; a new layer behind a ReLU, without a norm,
             is the identity
    larger   a kernel is inherited in the middle of a larger one, whose rim is 0

These three preserve the function of the network, but for layer norms, whose statistics are over all
channels, and for shortcuts that are padded with zeros, behind which channels move. Chen, Goodfellow &
Shlens, "Net2Net", ICLR 2016, https://arxiv.org/abs/1511.05641; in population based training: Wan et
al., "Bayesian Generational Population-Based Training", AutoML 2022, https://arxiv.org/abs/2207.09405.
What is narrower, shallower or smaller inherits what fits, and computes something else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Part(NamedTuple):
    """A part of a network that means the same in every architecture where it has the same label.

    Attributes:
        label: Its place in the space, such as "stage 2, block 3".
        prefix: The name of its module.
        zero: Names of its tensors whose zeros make it add nothing to a shortcut; empty without one.
        passes: The name of its weight whose identity makes it return inputs of at least 0, and of its
            bias; empty if that is none.
        behind: The part that must have been there for that; otherwise the whole network is new.
    """

    label: str
    prefix: str
    zero: tuple[str, ...] = ()
    passes: tuple[str, ...] = ()
    behind: str = ""


class Inherited(NamedTuple):
    """The state of a network that has inherited weights, and how it came by each tensor."""

    state: dict[str, Tensor]
    whole: dict[str, str]  # tensors that are as they were, and their names in the other network
    partly: frozenset[str]  # those of which the common part is
    zeros: frozenset[
        str
    ]  # those of new blocks that change nothing yet; all others are as initialised


def inherit(
    state: Mapping[str, Tensor],
    parts: Sequence[Part],
    source: Mapping[str, Tensor],
    source_parts: Sequence[Part],
) -> Inherited:
    """Give a network the weights of another architecture of its space.

    Args:
        state: The state of the network with initial weights. It is not changed.
        parts: Its parts; tensors in none of them are known by their names.
        source: The state of the other network.
        source_parts: The parts of that one.
    """
    at = {part.label: part.prefix for part in source_parts}
    found = dict(state)
    whole: dict[str, str] = {}
    partly: set[str] = set()
    zeros: set[str] = set()
    for name, fresh in state.items():
        part = _part_of(name, parts)
        inside = name.removeprefix(f"{part.prefix}.")
        if part.label and part.label not in at:
            if inside in part.zero:
                found[name] = fresh.clone().zero_()
                zeros.add(name)
            elif inside in part.passes and part.behind in at:
                found[name] = _identity(fresh)
                zeros.add(name)
            continue
        origin = f"{at[part.label]}.{inside}" if part.label else name
        before = source.get(origin)
        if before is None or before.dim() != fresh.dim():
            continue
        if before.shape == fresh.shape:
            whole[name], found[name] = origin, before.clone()
        else:
            partly.add(name)
            found[name] = _common(fresh, before)
    return Inherited(found, whole, frozenset(partly), frozenset(zeros))


def _part_of(name: str, parts: Sequence[Part]) -> Part:
    """The innermost part that a tensor is in."""
    around = [part for part in parts if name.startswith(f"{part.prefix}.")]
    return max(around, key=lambda part: len(part.prefix), default=Part("", ""))


def _identity(fresh: Tensor) -> Tensor:
    """A weight (outputs, inputs) whose first outputs are the inputs, or a bias (outputs) of 0."""
    found = fresh.clone()
    if fresh.dim() == 1:
        return found.zero_()
    same = min(fresh.shape)
    found[:same] = 0
    found[:same].fill_diagonal_(1)
    return found


def _common(fresh: Tensor, before: Tensor) -> Tensor:
    """A tensor with the common part of another one of other sizes.

    Args:
        fresh: Initial values: (outputs, inputs, kernel...) of a layer, (channels) of a norm.
        before: Values to inherit, with as many axes.
    """
    found = fresh.clone()
    outputs = min(fresh.shape[0], before.shape[0])
    if fresh.dim() == 1:
        found[:outputs] = before[:outputs].to(fresh.device)
        return found
    inputs = min(fresh.shape[1], before.shape[1])
    to, source = [slice(inputs)], [slice(inputs)]
    for size, other in zip(fresh.shape[2:], before.shape[2:], strict=True):
        to.append(_middle(size, other))
        source.append(_middle(other, size))
    found[:outputs] = 0  # of inputs and rims that the other network does not have
    found[(slice(outputs), *to)] = before[(slice(outputs), *source)].to(fresh.device)
    return found


def _middle(size: int, other: int) -> slice:
    """The middle `other` places of `size`; all if there are not so many."""
    start = max(0, (size - other) // 2)
    return slice(start, start + min(size, other))
