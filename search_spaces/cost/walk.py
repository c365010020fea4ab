"""Exact costs of an architecture, before training and without allocating weights.

Two methods give the same three numbers: `Walk`, a forward pass over shapes alone, for spaces whose costs
have a closed form (microseconds, no torch); and `search_spaces.cost.measure`, a forward pass of the
network on the meta device, for every other space (milliseconds).

Conventions. Parameters: all learned numbers. MACs: multiply-accumulates of convolutions, linear
layers and attention products for one input, without biases, norms and activations. Peak activation
memory: float32, one input, evaluation mode; a tensor is alive from the operation that makes it to
the last one that reads it.
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
    """Exact costs of one architecture on one task.

    Attributes:
        parameters: Number of learned numbers.
        macs: Multiply-accumulates for one input.
        peak_activation_bytes: Peak memory of activations for one input, in float32 and evaluation mode.
    """

    parameters: int
    macs: int
    peak_activation_bytes: int

    @classmethod
    def of_chain(cls, parts: Iterable[Cost]) -> Cost:
        """The cost of parts in sequence, each of which reads only the output of the one before."""
        parameters = macs = peak = 0
        for part in parts:
            parameters += part.parameters
            macs += part.macs
            peak = max(peak, part.peak_activation_bytes)
        return cls(parameters, macs, peak)


class Symbol(NamedTuple):
    """A tensor without numbers: its shape (without the batch) and its storage."""

    shape: tuple[int, ...]
    storage: int

    @property
    def channels(self) -> int:
        """Channels of an image or sequence, features of a vector."""
        return self.shape[0]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a network with known cost, to be walked in one step."""

    shape: tuple[int, ...]  # of the output
    parameters: int
    macs: int
    reading: int  # peak bytes alive besides the input, until its last read
    after: int  # peak bytes alive after that read


class Walk:
    """A forward pass over shapes: every method is a layer, whose cost it adds.

    Args:
        input_shape: Shape of one input, without the batch.

    Attributes:
        input: The input, which the first layer reads.

    Examples:
        >>> from search_spaces import Walk
        >>> walk = Walk((3, 8, 8))
        >>> x = walk.norm(walk.conv(walk.input, 16, 3))
        >>> x = walk.linear(walk.reshape(walk.mean(x), (16,)), 10)
        >>> walk.cost()
        Cost(parameters=634, macs=27808, peak_activation_bytes=8192)
    """

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        self._parameters = 0
        self._macs = 0
        self._liveness = Liveness()
        self.input = self._new(input_shape)

    def cost(self) -> Cost:
        """The costs of everything walked so far."""
        return Cost(self._parameters, self._macs, self._liveness.peak())

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
        """A convolution over all axes after the channels; by default it is padded to keep the size.

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

    def transposed(self, x: Symbol, channels: int, kernel: int) -> Symbol:
        """A transposed convolution with a bias, whose stride is its kernel: larger by that factor."""
        weights = x.channels * channels * kernel ** (len(x.shape) - 1)
        self._parameters += weights + channels
        self._macs += weights * prod(x.shape[1:])
        return self._new((channels, *(kernel * n for n in x.shape[1:])), x)

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
        """Add learned numbers outside of layers: a scale, an embedding."""
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
        """The same storage with another shape of as many numbers, at no cost."""
        assert prod(shape) == prod(x.shape)
        return Symbol(shape, x.storage)

    def view(self, x: Symbol, shape: tuple[int, ...]) -> Symbol:
        """A part of `x`, or `x` as a layer that pads reads it, at no cost."""
        return Symbol(shape, x.storage)

    def copy(self, x: Symbol, shape: tuple[int, ...]) -> Symbol:
        """A new tensor of another shape, filled from `x`: padded or cut."""
        return self._new(shape, x)

    def concat(self, parts: Iterable[Symbol]) -> Symbol:
        """Concatenate along the channels."""
        parts = tuple(parts)
        return self._new((sum(p.channels for p in parts), *parts[0].shape[1:]), *parts)

    def zeros(self, shape: tuple[int, ...]) -> Symbol:
        """A new tensor that depends on no other."""
        return self._new(shape)

    def pad(self, x: Symbol, *more: int) -> Symbol:
        """A copy that is larger by `more` along each axis after the channels."""
        return self._new((x.channels, *(n + m for n, m in zip(x.shape[1:], more, strict=True))), x)

    @property
    def time(self) -> int:
        """Number of operations so far."""
        return self._liveness.time

    def alive(self) -> list[int]:
        """Bytes alive at each time, from 0 (before the first operation)."""
        return self._liveness.alive()

    def as_part(self, out: Symbol) -> Part:
        """This walk, from the input to `out`, as one step of another walk."""
        alive = self._liveness.alive()
        read = self._liveness.last_read(self.input.storage) + 1
        held = FLOAT_BYTES * prod(self.input.shape)
        reading = max(alive[1:read], default=held) - held
        after = max(alive[read:], default=0)
        return Part(out.shape, self._parameters, self._macs, reading, after)

    def part(self, x: Symbol, part: Part) -> Symbol:
        """Walk a part that reads `x` alone."""
        self._parameters += part.parameters
        self._macs += part.macs
        size = FLOAT_BYTES * prod(part.shape)
        storage = self._liveness.part(x.storage, part.reading, part.after, size)
        return Symbol(part.shape, storage)

    def joint_part(self, inputs: tuple[Symbol, ...], part: Part) -> Symbol:
        """Walk a part that reads several inputs, which count as alive until its end."""
        self._parameters += part.parameters
        self._macs += part.macs
        self._liveness.make((x.storage for x in inputs), max(part.reading, part.after))
        return self._new(part.shape)

    def _new(self, shape: tuple[int, ...], *inputs: Symbol) -> Symbol:
        reads = [x.storage for x in inputs]
        return Symbol(shape, self._liveness.make(reads, FLOAT_BYTES * prod(shape)))
