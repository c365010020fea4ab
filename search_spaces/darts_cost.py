"""The cost of the networks of DARTS in closed form."""

from __future__ import annotations

from functools import cache, lru_cache
from math import prod
from typing import NamedTuple

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
    cells = normal, reduce
    frame = _frame(task, channels, layers, auxiliary, tuple(map(_outside, cells)))
    cost = frame.cost
    parameters, macs, peak = cost.parameters, cost.macs, cost.peak_activation_bytes
    for slot in frame.slots:
        body = _body(cells[slot.reduction], 1 + slot.reduction, slot.shape)
        parameters += slot.times * body.parameters
        macs += slot.times * body.macs
        peak = max(peak, slot.held + body.peak_activation_bytes)
    return Cost(parameters, macs, peak)


class Outside(NamedTuple):
    """What a network sees of a cell."""

    inputs: tuple[int, ...]  # that are read, of the two cells before
    joined: int  # outputs side by side


class Slot(NamedTuple):
    """Equal places for the body of a cell: everything after its two inputs were adapted."""

    reduction: bool
    shape: Shape  # of the adapted inputs
    times: int
    held: int  # bytes alive besides


class Frame(NamedTuple):
    """A network around the bodies of its cells."""

    cost: Cost
    slots: tuple[Slot, ...]


def _outside(cell: CellGenotype) -> Outside:
    return Outside(tuple(sorted({s for _, s in cell.entries if s < 2})), len(cell.concat))


@lru_cache(maxsize=1024)
def _frame(
    task: Task, channels: int, layers: int, auxiliary: bool, cells: tuple[Outside, Outside]
) -> Frame:
    walk = Walk(task.input_shape)
    small = bool(task.small_images)
    before = walk.part(walk.input, _stem(task.input_shape, channels, small))
    last = before if small else walk.part(before, _second_stem(before.shape))
    reductions = (layers // 3, 2 * layers // 3)
    parameters = macs = 0  # of what is not walked
    seen: tuple[Part, ...] = ()
    slots: list[Slot] = []  # until all is walked, `held` is the time at which the body is there
    after_reduction = not small
    for number in range(layers):
        reduction = number in reductions
        channels *= 2 if reduction else 1
        adapt0 = (_factorized_reduce if after_reduction else _relu_conv_norm)(
            before.shape, channels
        )
        adapt1 = _relu_conv_norm(last.shape, channels)
        shape = _reduced(adapt1.shape) if reduction else adapt1.shape
        body = Part((cells[reduction].joined * channels, *shape[1:]), 0, 0, 0, 0)
        parts = adapt0, adapt1, body
        if parts == seen:  # as the cell before: no more can be alive than there
            parameters += adapt0.parameters + adapt1.parameters
            macs += adapt0.macs + adapt1.macs
            slots[-1] = slots[-1]._replace(times=slots[-1].times + 1)
            continue
        seen = parts
        states = walk.part(before, adapt0), walk.part(last, adapt1)
        read = tuple(states[state] for state in cells[reduction].inputs)
        slots.append(Slot(reduction, adapt1.shape, 1, walk.time + 1))
        before, last = last, walk.joint_part(read, body)
        after_reduction = reduction
        if number == reductions[1] and auxiliary:
            parameters += _auxiliary_parameters(last.channels, task.classes, small)
    pooled = walk.mean(last)
    walk.linear(walk.reshape(pooled, (pooled.channels,)), task.classes)
    cost, alive = walk.cost(), walk.alive()
    cost = Cost(cost.parameters + parameters, cost.macs + macs, cost.peak_activation_bytes)
    return Frame(cost, tuple(slot._replace(held=alive[slot.held]) for slot in slots))


@lru_cache(maxsize=1 << 14)
def _body(cell: CellGenotype, stride: int, shape: Shape) -> Cost:
    """What a body costs, and the bytes that are alive in it at the most."""
    inner = _reduced(shape) if stride == 2 else shape
    operations = [
        _operation(op, shape, stride) if state < 2 else _operation(op, inner, 1)
        for op, state in cell.entries
    ]
    unit: Shape = (1, 1, 1) if stride == 1 else (2, 2, 2)
    if any(n % size for n, size in zip(shape, unit, strict=True)):
        unit = shape  # else all tensors are so many times as large as there
    alive = _body_bytes(cell, stride, unit) * (prod(shape) // prod(unit))
    return Cost(sum(o.parameters for o in operations), sum(o.macs for o in operations), alive)


@lru_cache(maxsize=1 << 14)
def _body_bytes(cell: CellGenotype, stride: int, shape: Shape) -> int:
    walk = Walk(shape)
    states = [walk.input, walk.zeros(shape)]
    made: list[Symbol] = []
    for op, state in cell.entries:
        x = states[state]
        step = stride if state < 2 else 1
        skipped = op == "skip_connect" and step == 1
        made.append(x if skipped else walk.part(x, _operation(op, x.shape, step)))
        if len(made) == 2:
            states.append(walk.pointwise(*made))
            made = []
    walk.concat(states[node] for node in cell.concat)
    held = len(_outside(cell).inputs) * FLOAT_BYTES * prod(shape)
    return walk.cost().peak_activation_bytes - held


def _reduced(shape: Shape) -> Shape:
    return shape[0], (shape[1] + 1) // 2, (shape[2] + 1) // 2


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
