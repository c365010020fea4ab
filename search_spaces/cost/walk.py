"""What an architecture costs, known before it is trained and without allocating a weight.

Two ways to the same three numbers. `Walk` is a forward pass over shapes alone, for spaces that
know their networks in closed form (microseconds, no torch). `search_spaces.cost.measure` watches a
real forward pass of a network on the meta device, for every other one (milliseconds).

Conventions. Parameters: all that training learns. MACs: multiply-accumulates of convolutions,
linear layers and attention products for one input; no biases, norms or activations. Peak
activation memory: float32, one input, evaluation mode; a tensor is alive from the operation
that makes it to the last one that reads it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from search_spaces.cost.liveness import Liveness

FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """Exact costs of one architecture on one task."""

    parameters: int
    macs: int  # for one input
    peak_activation_bytes: int  # for one input, float32, evaluation

    @classmethod
    def of_chain(cls, parts: Iterable[Cost]) -> Cost:
        """The cost of parts in a row, each of which reads only what the one before it made."""
        parameters = macs = peak = 0
        for part in parts:
            parameters += part.parameters
            macs += part.macs
            peak = max(peak, part.peak_activation_bytes)
        return cls(parameters, macs, peak)


class Symbol(NamedTuple):
    """A tensor of which only the shape (without the batch) is known."""

    shape: tuple[int, ...]
    storage: int

    @property
    def channels(self) -> int:
        """Channels of an image or sequence, features of a vector."""
        return self.shape[0]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a network whose cost is known, to be walked in one step."""

    shape: tuple[int, ...]  # of what it makes
    parameters: int
    macs: int
    reading: int  # bytes alive besides its input, at the most, until it has read that
    after: int  # bytes alive at the most from then on


class Walk:
    """A forward pass over shapes: every method is a layer, and adds what that layer costs."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self._parameters = 0
        self._macs = 0
        self._lifetimes = Liveness()
        self.input = self._new(input_shape)

    def cost(self) -> Cost:
        """The costs of everything walked so far."""
        return Cost(self._parameters, self._macs, self._lifetimes.peak())

    def conv(
        self,
        x: Symbol,
        channels: int,
        kernel: int | tuple[int, ...],
        *,
        stride: int | tuple[int, ...] = 1,
        groups: int = 1,
        dilation: int = 1,
        padding: int | None = None,
        bias: bool = False,
    ) -> Symbol:
        """A convolution over all axes after the channels; `padding` defaults to the same size.

        Kernel and stride are one number for all axes, or one for each.
        """
        count = len(x.shape) - 1
        kernels = (kernel,) * count if isinstance(kernel, int) else kernel
        strides = (stride,) * count if isinstance(stride, int) else stride
        axes = []
        for n, k, step in zip(x.shape[1:], kernels, strides, strict=True):
            reach = dilation * (k - 1)
            around = reach // 2 if padding is None else padding
            axes.append((n + 2 * around - reach - 1) // step + 1)
        weights = channels * (x.channels // groups) * prod(kernels)
        self._parameters += weights + (channels if bias else 0)
        self._macs += weights * prod(axes)
        return self._new((channels, *axes), x)

    def linear(self, x: Symbol, features: int, *, bias: bool = True) -> Symbol:
        """A linear layer over the last axis."""
        self._parameters += x.shape[-1] * features + (features if bias else 0)
        self._macs += prod(x.shape) * features
        return self._new((*x.shape[:-1], features), x)

    def attention(self, qkv: Symbol) -> Symbol:
        """Self-attention in one kernel, from (tokens, 3 * features) to (tokens, features)."""
        tokens, features = qkv.shape[0], qkv.shape[1] // 3
        self._macs += 2 * tokens * tokens * features  # for any number of heads
        return self._new((tokens, features), qkv)

    def parameters(self, count: int) -> None:
        """What is learned outside of layers: a scale, an embedding."""
        self._parameters += count

    def norm(self, x: Symbol, *, axis: int = 0) -> Symbol:
        """A normalisation with a scale and a shift for each entry of `axis`."""
        self._parameters += 2 * x.shape[axis]
        return self._new(x.shape, x)

    def pointwise(self, x: Symbol, *others: Symbol) -> Symbol:
        """An operation without weights that keeps the shape of `x`: an activation, a sum."""
        return self._new(x.shape, x, *others)

    def pool(
        self, x: Symbol, kernel: int, *, stride: int, padding: int = 0, ceil: bool = False
    ) -> Symbol:
        """A pooling over all axes after the channels."""
        spare = stride - 1 if ceil else 0
        axes = tuple((n + 2 * padding - kernel + spare) // stride + 1 for n in x.shape[1:])
        return self._new((x.channels, *axes), x)

    def mean(self, x: Symbol) -> Symbol:
        """Global average pooling: one number for each channel, the other axes kept as 1."""
        return self._new((x.channels, *(1 for _ in x.shape[1:])), x)

    def reshape(self, x: Symbol, shape: tuple[int, ...]) -> Symbol:
        """The same numbers under another shape: costs nothing."""
        assert prod(shape) == prod(x.shape)
        return Symbol(shape, x.storage)

    def view(self, x: Symbol, shape: tuple[int, ...]) -> Symbol:
        """A part of `x`, or `x` as a layer sees it that pads by itself: costs nothing."""
        return Symbol(shape, x.storage)

    def copy(self, x: Symbol, shape: tuple[int, ...]) -> Symbol:
        """A new tensor of another shape that holds what `x` does: padded, or cut."""
        return self._new(shape, x)

    def concat(self, parts: Iterable[Symbol]) -> Symbol:
        """Channels side by side."""
        parts = tuple(parts)
        return self._new((sum(p.channels for p in parts), *parts[0].shape[1:]), *parts)

    def zeros(self, shape: tuple[int, ...]) -> Symbol:
        """A new tensor that reads nothing."""
        return self._new(shape)

    def pad(self, x: Symbol, *more: int) -> Symbol:
        """A copy that is larger by so much along each axis after the channels."""
        return self._new((x.channels, *(n + m for n, m in zip(x.shape[1:], more, strict=True))), x)

    @property
    def time(self) -> int:
        """How many operations were walked."""
        return self._lifetimes.time

    def alive(self) -> list[int]:
        """Bytes alive at each time, from 0 (before the first operation)."""
        return self._lifetimes.alive()

    def as_part(self, out: Symbol) -> Part:
        """All that was walked, from the input to `out`, as one step of another walk."""
        alive = self._lifetimes.alive()
        read = self._lifetimes.last_read(self.input.storage) + 1
        held = FLOAT_BYTES * prod(self.input.shape)
        reading = max(alive[1:read], default=held) - held
        after = max(alive[read:], default=0)
        return Part(out.shape, self._parameters, self._macs, reading, after)

    def part(self, x: Symbol, part: Part) -> Symbol:
        """A piece that reads `x` and nothing else."""
        self._parameters += part.parameters
        self._macs += part.macs
        size = FLOAT_BYTES * prod(part.shape)
        storage = self._lifetimes.part(x.storage, part.reading, part.after, size)
        return Symbol(part.shape, storage)

    def joint_part(self, inputs: tuple[Symbol, ...], part: Part) -> Symbol:
        """A piece that reads several inputs, whose bytes count as held to its end."""
        self._parameters += part.parameters
        self._macs += part.macs
        self._lifetimes.make((x.storage for x in inputs), max(part.reading, part.after))
        return self._new(part.shape)

    def _new(self, shape: tuple[int, ...], *inputs: Symbol) -> Symbol:
        reads = [x.storage for x in inputs]
        return Symbol(shape, self._lifetimes.make(reads, FLOAT_BYTES * prod(shape)))
