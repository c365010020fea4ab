"""The cost of the networks of DARTS in closed form."""

from __future__ import annotations

from functools import cache

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
    bodies: dict[tuple[bool, Shape], Part] = {}
    extra = 0
    after_reduction = not small
    for number in range(layers):
        reduction = number in reductions
        channels *= 2 if reduction else 1
        adapt = _factorized_reduce if after_reduction else _relu_conv_norm
        states = (
            walk.part(before, adapt(before.shape, channels)),
            walk.part(last, _relu_conv_norm(last.shape, channels)),
        )
        key = reduction, states[1].shape
        if key not in bodies:
            bodies[key] = _body(reduce if reduction else normal, states[1].shape, reduction)
        used = {state for _, state in (reduce if reduction else normal).entries}
        read = tuple(state for n, state in enumerate(states) if n in used)
        before, last = last, walk.joint_part(read, bodies[key])
        after_reduction = reduction
        if number == reductions[1] and auxiliary:
            extra = _auxiliary_parameters(last.channels, task.classes, small)
    pooled = walk.mean(last)
    walk.linear(walk.reshape(pooled, (pooled.channels,)), task.classes)
    cost = walk.cost()
    return Cost(cost.parameters + extra, cost.macs, cost.peak_activation_bytes)


def _body(cell: CellGenotype, shape: Shape, reduction: bool) -> Part:
    """Everything in a cell after its two inputs were adapted to `shape`."""
    walk = Walk(shape)
    states = [walk.input, walk.zeros(shape)]
    made: list[Symbol] = []
    for op, state in cell.entries:
        x = states[state]
        if op == "skip_connect" and not (reduction and state < 2):
            made.append(x)
        else:
            made.append(walk.part(x, _operation(op, x.shape, 2 if reduction and state < 2 else 1)))
        if len(made) == 2:
            states.append(walk.pointwise(*made))
            made = []
    out = walk.concat(states[node] for node in cell.concat)
    cost = walk.cost()
    read = len({state for _, state in cell.entries if state < 2})
    held = read * FLOAT_BYTES * shape[0] * shape[1] * shape[2]
    peak = cost.peak_activation_bytes - held
    return Part(out.shape, cost.parameters, cost.macs, reading=peak, after=peak)


@cache
def _operation(name: str, shape: Shape, stride: int) -> Part:
    channels = shape[0]
    walk = Walk(shape)
    x = walk.input
    if name == "skip_connect":
        return _factorized_reduce(shape, channels)
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
