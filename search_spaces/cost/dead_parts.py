"""Dead parts of a network: modules that do not reach the output or do not depend on the input.

The first are removed; the second, such as a convolution of nothing and its batch norm, add the same
constant whatever the input, and become that constant. What is left gives the same outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from search_spaces.cost.effective import drawn, effective_parameters
from search_spaces.layers import ConstantChannels

Kind = Literal["absent", "identity", "constant"]
KINDS: tuple[Kind, ...] = ("absent", "identity", "constant")
_DRAWS = 3  # of all weights: in one, ReLUs may hide an effect
_BATCH = 4  # inputs on which outputs are compared


@dataclass(frozen=True, slots=True)
class DeadPart:
    """A module of a network that is dead.

    Attributes:
        path: The path of the module, as in `named_modules`.
        kind: Its replacement: it is absent from its `ModuleDict`, the identity, or a constant.
        channels: Number of channels of the constant; 0 for the others.
    """

    path: str
    kind: Kind
    channels: int = 0


def dead_parts(build: Callable[[], nn.Module], inputs: Tensor) -> tuple[DeadPart, ...]:
    """The outermost dead modules with parameters that cannot change the output.

    A module is dead if it is so for several draws of all weights, whatever they are trained to.

    Args:
        build: Makes the network, on the CPU.
        inputs: Inputs, [B, ...], such as random numbers, as the network takes them.
    """
    x = inputs[:_BATCH].double()
    idle = effective_parameters(build, x).idle
    if not idle:
        return ()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        nets = [drawn(build, seed) for seed in range(_DRAWS)]
        found = _outermost(nets, x, idle)
        if _runs(build, found, x):
            return tuple(found)
        found = [DeadPart(p.path, "identity") if p.kind == "absent" else p for p in found]
        return tuple(found) if _runs(build, found, x) else ()


def without(net: nn.Module, parts: Iterable[DeadPart]) -> nn.Module:
    """Replace the dead parts of a network, in place; constants are 0 until their bias is set.

    Raises:
        ValueError: the network has no such part.
    """
    for part in parts:
        parent_path, _, name = part.path.rpartition(".")
        try:
            children = net.get_submodule(parent_path)._modules
        except AttributeError:
            children = {}
        if children.get(name) is None:
            raise ValueError(f"dead_parts: the network has no module {part.path!r}")
        if part.kind == "absent":
            del children[name]
        else:
            children[name] = (
                nn.Identity() if part.kind == "identity" else ConstantChannels(part.channels)
            )
    return net


def weights_without(
    net: nn.Module, parts: Collection[DeadPart], inputs: Tensor
) -> dict[str, Tensor]:
    """The weights of a trained network for the network without its dead parts.

    Args:
        net: The whole network, trained, in evaluation mode.
        parts: Its dead parts.
        inputs: Inputs, [B, ...].
    """
    with torch.no_grad():
        passed = _passed(net, inputs[:1], {part.path for part in parts if part.kind == "constant"})
    removed = tuple(f"{part.path}." for part in parts)
    kept = {k: v for k, v in net.state_dict().items() if not k.startswith(removed)}
    biases = {f"{path}.bias": _by_channel(out) for path, (_, out) in passed.items()}
    return {**kept, **biases}


def _runs(build: Callable[[], nn.Module], parts: Collection[DeadPart], x: Tensor) -> bool:
    """True if a network without those parts runs and gives the same outputs."""
    net = drawn(build, 0)
    before, weights = net(x), weights_without(net, parts, x)
    try:
        net = without(net, parts).double()
        net.load_state_dict(weights)
        return torch.allclose(net(x), before, rtol=1e-9, atol=1e-9)
    except Exception:  # the code of a user's network, with modules it did not make
        return False


def _outermost(nets: list[nn.Module], x: Tensor, idle: Collection[str]) -> list[DeadPart]:
    """The outermost modules that are dead in all networks, which differ in their weights."""
    found: list[DeadPart] = []
    paths = [path for path, _ in nets[0].named_modules() if path]
    candidates = {p for p in paths if any(name.startswith(f"{p}.") for name in idle)}
    passed = [_passed(net, x, candidates) for net in nets]
    for path in paths:
        if path not in candidates or any(path.startswith(f"{part.path}.") for part in found):
            continue
        each = [p.get(path) for p in passed]
        names = [n for n, _ in nets[0].named_parameters() if n.startswith(f"{path}.")]
        unused = set(names) <= set(idle) and all(map(partial(_is_unused, path=path, x=x), nets))
        parent = nets[0].get_submodule(path.rpartition(".")[0])
        if unused and isinstance(parent, nn.ModuleDict):
            found.append(DeadPart(path, "absent"))
        elif unused and all(e is None or e[0].shape == e[1].shape for e in each):
            found.append(DeadPart(path, "identity"))
        elif all(e is not None and _is_constant(*e) for e in each):
            assert each[0] is not None
            found.append(DeadPart(path, "constant", each[0][1].shape[1]))
    return found


def _passed(
    net: nn.Module, x: Tensor, paths: Collection[str]
) -> Mapping[str, tuple[Tensor, Tensor]]:
    """First input and output of the modules at those paths that run once, from tensors to a tensor."""
    seen: dict[str, list[Any]] = {}

    def note(path: str, _: nn.Module, given: Any, out: Any) -> None:
        seen.setdefault(path, []).append((*given[:1], out))

    modules = dict(net.named_modules())
    handles = [modules[path].register_forward_hook(partial(note, path)) for path in paths]
    try:
        net(x)
    finally:
        for handle in handles:
            handle.remove()
    return {
        path: calls[0]
        for path, calls in seen.items()
        if len(calls) == 1
        and len(calls[0]) > 1
        and all(isinstance(part, Tensor) and part.dim() > 1 for part in calls[0])
    }


def _is_constant(given: Tensor, out: Tensor) -> bool:
    """True if the output is one number for each channel, and as large as the input."""
    one = _by_channel(out).view(-1, *[1] * (out.dim() - 2))
    return (
        given.dim() == out.dim()
        and given.shape[2:] == out.shape[2:]
        and len(given) == len(out)
        and torch.equal(out, one.expand_as(out))
    )


def _by_channel(out: Tensor) -> Tensor:
    """The first number of each channel of the first output."""
    return out.reshape(*out.shape[:2], -1)[0, :, 0]


def _is_unused(net: nn.Module, *, path: str, x: Tensor) -> bool:
    """True if the output of a module makes no difference to that of the network."""

    def disturb(_: nn.Module, __: Any, out: Any) -> Any:
        return out + 10 * torch.randn_like(out) if isinstance(out, Tensor) else None

    before = net(x)
    handle = net.get_submodule(path).register_forward_hook(disturb)
    try:
        return torch.equal(net(x), before)
    finally:
        handle.remove()
