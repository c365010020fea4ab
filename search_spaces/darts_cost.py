"""The cost of the networks of DARTS in closed form."""

from __future__ import annotations

from functools import cache
from math import prod

from search_spaces.cost import FLOAT_BYTES, Cost, Part, Symbol, Walk
from search_spaces.darts_genotype import CellGenotype
from search_spaces.task import Task

Shape = tuple[int, ...]


def network_cost(
    normal: CellGenotype,
    reduce: CellGenotype,
    task: Task,
    channels: int,
    layers: int,
    auxiliary: bool,
) -> Cost:
    """The cost of the network that `networks.darts` builds."""
    walk = Walk(task.input_shape)
    small = bool(task.small_images)
    before = walk.part(walk.input, _stem(task.input_shape, channels, small))
    last = before if small else walk.part(before, _second_stem(before.shape))
    reductions = (layers // 3, 2 * layers // 3)
    bodies = {False: _Body(normal, 1), True: _Body(reduce, 2)}
    parameters = macs = 0  # of what is not walked
    seen: tuple[Part, ...] = ()
    after_reduction = not small
    for number in range(layers):
        reduction = number in reductions
        channels *= 2 if reduction else 1
        adapt0 = (_factorized_reduce if after_reduction else _relu_conv_norm)(
            before.shape, channels
        )
        adapt1 = _relu_conv_norm(last.shape, channels)
        body = bodies[reduction].part(adapt1.shape)
        parts = adapt0, adapt1, body
        if parts == seen:  # as the cell before: no more can be alive than there
            parameters += sum(part.parameters for part in seen)
            macs += sum(part.macs for part in seen)
            continue
        seen = parts
        states = walk.part(before, adapt0), walk.part(last, adapt1)
        read = tuple(states[state] for state in bodies[reduction].inputs)
        before, last = last, walk.joint_part(read, body)
        after_reduction = reduction
        if number == reductions[1] and auxiliary:
            parameters += _auxiliary_parameters(last.channels, task.classes, small)
    pooled = walk.mean(last)
    walk.linear(walk.reshape(pooled, (pooled.channels,)), task.classes)
    cost = walk.cost()
    return Cost(cost.parameters + parameters, cost.macs + macs, cost.peak_activation_bytes)


class _Body:
    """Everything in a cell after its two inputs were adapted, in all shapes."""

    def __init__(self, cell: CellGenotype, stride: int) -> None:
        self._cell = cell
        self._stride = stride
        self._parts: dict[Shape, Part] = {}
        self.inputs = sorted({state for _, state in cell.entries if state < 2})  # that are read

    def part(self, shape: Shape) -> Part:
        if shape not in self._parts:
            scaled = self._parts and self._stride == 1
            self._parts[shape] = self._scaled(shape) if scaled else self._walked(shape)
        return self._parts[shape]

    def _scaled(self, shape: Shape) -> Part:
        """All tensors of a normal cell are equally large, so what is alive is so many of them."""
        known, part = next(iter(self._parts.items()))
        operations = [_operation(op, shape, 1) for op, _ in self._cell.entries]
        alive = part.reading * prod(shape) // prod(known)
        return Part(
            (len(self._cell.concat) * shape[0], *shape[1:]),
            sum(operation.parameters for operation in operations),
            sum(operation.macs for operation in operations),
            reading=alive,
            after=alive,
        )

    def _walked(self, shape: Shape) -> Part:
        walk = Walk(shape)
        states = [walk.input, walk.zeros(shape)]
        made: list[Symbol] = []
        for op, state in self._cell.entries:
            x = states[state]
            stride = self._stride if state < 2 else 1
            skipped = op == "skip_connect" and stride == 1
            made.append(x if skipped else walk.part(x, _operation(op, x.shape, stride)))
            if len(made) == 2:
                states.append(walk.pointwise(*made))
                made = []
        out = walk.concat(states[node] for node in self._cell.concat)
        cost = walk.cost()
        held = len(self.inputs) * FLOAT_BYTES * prod(shape)
        alive = cost.peak_activation_bytes - held
        return Part(out.shape, cost.parameters, cost.macs, reading=alive, after=alive)


@cache
def _operation(name: str, shape: Shape, stride: int) -> Part:
    channels = shape[0]
    walk = Walk(shape)
    x = walk.input
    if name == "skip_connect":
        return _factorized_reduce(shape, channels) if stride == 2 else Part(shape, 0, 0, 0, 0)
    if name.endswith("pool_3x3"):
        return walk.as_part(walk.pool(x, 3, stride=stride, padding=1))
    if name == "conv_7x1_1x7":
        x = walk.conv(walk.pointwise(x), channels, (1, 7), stride=(1, stride))
        return walk.as_part(walk.norm(walk.conv(x, channels, (7, 1), stride=(stride, 1))))
    kind, _, size = name.partition("_conv_")
    for step in (stride, 1) if kind == "sep" else (stride,):
        x = walk.conv(
            walk.pointwise(x),
            channels,
            int(size[0]),
            stride=step,
            groups=channels,
            dilation=2 if kind == "dil" else 1,
        )
        x = walk.norm(walk.conv(x, channels, 1))
    return walk.as_part(x)


@cache
def _relu_conv_norm(shape: Shape, channels: int) -> Part:
    walk = Walk(shape)
    return walk.as_part(walk.norm(walk.conv(walk.pointwise(walk.input), channels, 1)))


@cache
def _factorized_reduce(shape: Shape, channels: int) -> Part:
    walk = Walk(shape)
    x = walk.pointwise(walk.input)
    even = walk.conv(x, channels // 2, 1, stride=2)
    height, width = shape[1:]
    if height % 2 or width % 2:
        x = walk.pad(x, height % 2, width % 2)
    shifted = walk.view(x, (shape[0], x.shape[1] - 1, x.shape[2] - 1))
    odd = walk.conv(shifted, channels - channels // 2, 1, stride=2)
    return walk.as_part(walk.norm(walk.concat((even, odd))))


@cache
def _stem(shape: Shape, channels: int, small: bool) -> Part:
    walk = Walk(shape)
    if small:
        return walk.as_part(walk.norm(walk.conv(walk.input, 3 * channels, 3)))
    x = walk.norm(walk.conv(walk.input, max(1, channels // 2), 3, stride=2))  # its ReLU is in place
    return walk.as_part(walk.norm(walk.conv(x, channels, 3, stride=2)))


@cache
def _second_stem(shape: Shape) -> Part:
    walk = Walk(shape)
    return walk.as_part(walk.norm(walk.conv(walk.pointwise(walk.input), shape[0], 3, stride=2)))


def _auxiliary_parameters(inputs: int, classes: int, small: bool) -> int:
    """Two convolutions (1x1 to 128 channels, 2x2 to 768) with norms, and the classifier."""
    convolutions = inputs * 128 + 2 * 128 + 4 * 128 * 768 + (2 * 768 if small else 0)
    return convolutions + (768 + 1) * classes
