"""The weights of a supernet, and the subnets in it: networks whose tensors are cut out of them.

A subnet is the network that the space itself compiles, with its tensors replaced by views of shared
ones: gradients of a subnet are added to those of the shared weights. Guo et al., "Single Path One-Shot
Neural Architecture Search with Uniform Sampling", ECCV 2020, https://arxiv.org/abs/1904.00420. Tensors of
different sizes share the first channels and the middle of kernels, as in Cai et al., "Once-for-All",
ICLR 2020, https://arxiv.org/abs/1908.09791, without its transformations of kernels, and Chen et al.,
"AutoFormer", ICCV 2021, https://arxiv.org/abs/2107.00651.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from random import Random
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

from search_spaces.architecture import Architecture
from search_spaces.sharing import Shared, extremes
from search_spaces.space import SearchSpace
from search_spaces.task import Task

_DRAWN = 64  # random members, for modules that only several decisions together have


class Place(NamedTuple):
    """A tensor of a network, and the one of the supernet that it is cut out of."""

    module: nn.Module
    name: str  # in the module
    tensor: Tensor
    shared: str
    blocks: int
    is_parameter: bool

    @property
    def is_kernel(self) -> bool:
        """True for the weights of a convolution, which share the middle of their kernels."""
        return isinstance(self.module, _ConvNd)


class SharedWeights(nn.Module):
    """The weights of the networks of all architectures of a space.

    Its parameters and buffers are called by the keys of `SearchSpace.sharing`, with "/" for ".".

    Args:
        space: The space.
        task: The task of the networks.
        seed: Seed of the initial weights, which are those that the space gives its networks.

    Raises:
        ValueError: the space has no networks, or none for this task.
    """

    def __init__(self, space: SearchSpace, task: Task, *, seed: int) -> None:
        super().__init__()
        space.check_task(task)
        space.require_sharing()
        self._space, self._task = space, task
        self._fill(seed)

    def subnet(self, architecture: Architecture) -> nn.Module:
        """The network of an architecture in the supernet: its tensors are views of shared ones.

        Its tensors are those of now: after a step of an optimiser, ask again.

        Raises:
            ValueError: the architecture has a part that the supernet does not.
        """
        network = self._space.outline(architecture, self._task)
        for place in _places(network, self._space.shared_modules(architecture)):
            tensors = self._parameters if place.is_parameter else self._buffers
            whole = tensors.get(place.shared)
            if whole is None or not _fits(place.tensor.shape, whole.shape):
                raise ValueError(f"{architecture}: the supernet has no {place.shared} of its size")
            cut = cut_out(whole, place.tensor.shape, blocks=place.blocks, middle=place.is_kernel)
            # A view is no `nn.Parameter`, which would cut it off from the shared one.
            owner = place.module._parameters if place.is_parameter else place.module._buffers
            owner[place.name] = cut  # type: ignore[assignment]
        return network

    def extract(self, architecture: Architecture) -> nn.Module:
        """The network of an architecture with copies of the weights: a network by itself.

        Raises:
            ValueError: the architecture has a part that the supernet does not.
        """
        alone = self._space.compile(architecture, self._task)
        alone.load_state_dict(self.subnet(architecture).state_dict())
        return alone

    def _fill(self, seed: int) -> None:
        """Make every tensor, as large as the largest network has it, with initial values."""
        shapes: dict[str, list[int]] = {}
        donors: dict[str, tuple[int, Architecture]] = {}  # the largest tensor, and who has it
        for architecture in self._members():
            network = self._space.outline(architecture, self._task)
            for place in _places(network, self._space.shared_modules(architecture)):
                shape = shapes.setdefault(place.shared, list(place.tensor.shape))
                if len(shape) != place.tensor.dim():
                    raise ValueError(f"{place.shared}: tensors of different axes have one key")
                shape[:] = map(max, shape, place.tensor.shape)
                if place.tensor.numel() > donors.get(place.shared, (-1, architecture))[0]:
                    donors[place.shared] = place.tensor.numel(), architecture
        for donor in dict.fromkeys(architecture for _, architecture in donors.values()):
            with torch.random.fork_rng(devices=[]):
                digest = sha256(f"{seed}/{donor}".encode()).digest()
                torch.default_generator.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
                network = self._space.compile(donor, self._task)
                for place in _places(network, self._space.shared_modules(donor)):
                    if donors[place.shared][1] == donor:
                        self._add(place, shapes[place.shared])

    def _members(self) -> Iterator[Architecture]:
        """Architectures that together have all shared modules."""
        space, rng = self._space, Random(0)
        values = space.require_sharing().members
        if not values:
            drawn = (space.tree.sample(rng) for _ in range(_DRAWN))
            values = (*extremes(space.tree), *space.published.values(), *drawn)
        for value in values:
            try:
                architecture = space.architecture(value)
                space.shared_modules(architecture)
            except ValueError:  # not a member, or it shares nothing
                continue
            yield architecture

    def _add(self, place: Place, shape: Sequence[int]) -> None:
        """Register the shared tensor of a place, unless another module of the network had its key."""
        if place.shared in self._parameters or place.shared in self._buffers:
            return
        found = place.tensor.detach()
        if found.shape != torch.Size(shape):
            whole = found.new_empty(shape)
            if found.is_floating_point():
                spread = float(found.std()) if found.numel() > 1 else 0.0
                whole.normal_(float(found.mean()), spread)
            else:
                whole.zero_()
            cut = _window(whole, found.shape, blocks=place.blocks, middle=place.is_kernel)
            cut.copy_(found.reshape(cut.shape))
            found = whole
        if place.is_parameter:
            self.register_parameter(place.shared, nn.Parameter(found))
        else:
            self.register_buffer(place.shared, found)


def cut_out(whole: Tensor, shape: torch.Size, *, blocks: int, middle: bool) -> Tensor:
    """The part of a shared tensor that a smaller network uses; a view, where there are no blocks.

    Args:
        whole: The shared tensor, (outputs, inputs, kernel...) of a layer.
        shape: Shape of the part.
        blocks: Equal blocks that the first axis consists of, each of which is cut by itself.
        middle: True to take the middle of the axes after the second, False for their beginning.
    """
    if whole.shape == shape:
        return whole
    window = _window(whole, shape, blocks=blocks, middle=middle)
    return window.flatten(0, 1) if blocks > 1 else window.squeeze(0)


def _window(whole: Tensor, shape: torch.Size, *, blocks: int, middle: bool) -> Tensor:
    """The part as a view with one more axis, that of the blocks: (blocks, outputs of a block, ...)."""
    window = whole.view(blocks, -1, *whole.shape[1:])
    for axis, size in enumerate((shape[0] // blocks, *shape[1:]), 1):
        spare = window.shape[axis] - size
        if spare:
            window = window.narrow(axis, spare // 2 if middle and axis > 2 else 0, size)
    return window


def _fits(shape: torch.Size, whole: torch.Size) -> bool:
    return len(shape) == len(whole) and all(a <= b for a, b in zip(shape, whole, strict=True))


def _places(network: nn.Module, shared: Sequence[Shared]) -> Iterator[Place]:
    """Every tensor of a network, with the name of the one that it shares."""
    parts = {part.prefix: part for part in shared}

    def visit(module: nn.Module, path: str, part: Shared, inside: str) -> Iterator[Place]:
        for tensors, is_parameter in ((module._parameters, True), (module._buffers, False)):
            for name, tensor in tensors.items():
                if tensor is not None:
                    its = f"{inside}{name}"
                    full = f"{part.key}.{its}" if part.key else its
                    blocks = part.blocks.get(its, 1)
                    yield Place(module, name, tensor, full.replace(".", "/"), blocks, is_parameter)
        for name, child in module._modules.items():
            if child is not None:
                below = f"{path}{name}"
                its_own = parts.get(below)
                if its_own is None:
                    yield from visit(child, f"{below}.", part, f"{inside}{name}.")
                else:
                    yield from visit(child, f"{below}.", its_own, "")

    return visit(network, "", Shared("", ""), "")
