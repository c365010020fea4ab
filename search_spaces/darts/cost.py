"""Cost of the networks of DARTS in closed form."""

from __future__ import annotations

from functools import cache, lru_cache
from math import prod
from typing import NamedTuple, TypeAlias

from search_spaces.cost.liveness import Liveness
from search_spaces.cost.walk import FLOAT_BYTES, Cost, Part, Walk
from search_spaces.darts.genotype import EXTENDED_OPERATIONS, CellGenotype
from search_spaces.task import Task

Shape: TypeAlias = tuple[int, ...]
Reader: TypeAlias = tuple[str, bool]  # an operation, and whether it reads an input of the cell


def network_cost(
    normal: CellGenotype,
    reduce: CellGenotype,
    task: Task,
    channels: int,
    layers: int,
    auxiliary: bool,
) -> Cost:
    """The cost of the network that `Darts` builds, or `DartsWithAuxiliary`."""
    cells = normal, reduce
    frame = _frame(task, channels, layers, auxiliary, (_outside(normal), _outside(reduce)))
    parameters, macs = frame.cost.parameters, frame.cost.macs
    peak = frame.cost.peak_activation_bytes
    for cell, totals in zip(cells, frame.totals, strict=True):
        for op, state in cell.entries:
            total = totals[op, state < 2]
            parameters += total.parameters
            macs += total.macs
    for slot in frame.slots:
        body = _body_bytes(cells[slot.reduction], slot.reduction, slot.unit)
        peak = max(peak, slot.held + slot.scale * body)
    return Cost(parameters, macs, peak)


class Outside(NamedTuple):
    """The properties of a cell that the network around it depends on."""

    inputs: tuple[int, ...]  # those of the two inputs, 0 and 1, that are read
    joined: int  # number of concatenated nodes


class Position(NamedTuple):
    """Equal positions in a network for the body of a cell: all but the adapters of its inputs."""

    reduction: bool
    shape: Shape  # of the adapted inputs
    times: int
    step: int  # time of the first of the bodies in the walk


class Slot(NamedTuple):
    """Memory outside of a body while it runs, and the scale of its tensors."""

    reduction: bool
    held: int  # bytes alive outside of the body
    unit: Shape  # smallest inputs with tensors of the same proportions
    scale: int  # size of the tensors here relative to those for `unit`


class Total(NamedTuple):
    """Costs of an operation, summed over positions."""

    parameters: int
    macs: int


class Frame(NamedTuple):
    """A network around the bodies of its cells."""

    cost: Cost
    slots: tuple[Slot, ...]
    totals: tuple[dict[Reader, Total], ...]  # of the normal and of the reduction cells


def _outside(cell: CellGenotype) -> Outside:
    read = {0, 1}.intersection([state for _, state in cell.entries])
    return Outside(tuple(sorted(read)), len(cell.concat))


@lru_cache(maxsize=1024)
def _frame(
    task: Task, channels: int, layers: int, auxiliary: bool, cells: tuple[Outside, Outside]
) -> Frame:
    walk = Walk(task.input_shape)
    small = bool(task.small_images)
    before = walk.part(walk.input, _stem(task.input_shape, channels, small))
    last = before if small else walk.part(before, _second_stem(before.shape))
    reductions = (layers // 3, 2 * layers // 3)
    parameters = macs = 0  # of the parts that are not walked
    seen: tuple[Part, ...] = ()
    positions: list[Position] = []
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
        if parts == seen:  # as the cell before, hence with the same peak
            parameters += adapt0.parameters + adapt1.parameters
            macs += adapt0.macs + adapt1.macs
            positions[-1] = positions[-1]._replace(times=positions[-1].times + 1)
            continue
        seen = parts
        states = walk.part(before, adapt0), walk.part(last, adapt1)
        read = tuple(states[state] for state in cells[reduction].inputs)
        positions.append(Position(reduction, adapt1.shape, 1, walk.time + 1))
        before, last = last, walk.joint_part(read, body)
        after_reduction = reduction
        if number == reductions[1] and auxiliary:
            parameters += _auxiliary_parameters(last.channels, task.outputs, small)
    pooled = walk.mean(last)
    walk.linear(walk.reshape(pooled, (pooled.channels,)), task.outputs)
    cost, alive = walk.cost(), walk.alive()
    return Frame(
        Cost(cost.parameters + parameters, cost.macs + macs, cost.peak_activation_bytes),
        tuple(_slot(position, alive[position.step]) for position in positions),
        tuple(_totals([p for p in positions if p.reduction is kind]) for kind in (False, True)),
    )


def _slot(position: Position, held: int) -> Slot:
    unit: Shape = (2, 2, 2) if position.reduction else (1, 1, 1)
    if any(n % size for n, size in zip(position.shape, unit, strict=True)):
        unit = position.shape
    return Slot(position.reduction, held, unit, prod(position.shape) // prod(unit))


def _totals(positions: list[Position]) -> dict[Reader, Total]:
    tables = [
        (position.times, _operations(position.shape, position.reduction)) for position in positions
    ]
    return {
        (op, outer): Total(
            sum(times * table[op, outer].parameters for times, table in tables),
            sum(times * table[op, outer].macs for times, table in tables),
        )
        for op in EXTENDED_OPERATIONS
        for outer in (True, False)
    }


@lru_cache(maxsize=1 << 14)
def _body_bytes(cell: CellGenotype, reduction: bool, shape: Shape) -> int:
    """Peak bytes alive in a body, besides the inputs that it reads."""
    table = _operations(shape, reduction)
    size = FLOAT_BYTES * prod(shape)
    inner = FLOAT_BYTES * prod(_reduced(shape) if reduction else shape)
    liveness = Liveness()
    states = [liveness.make((), size), liveness.make((), size)]
    made: list[int] = []
    for op, state in cell.entries:
        x, part = states[state], table[op, state < 2]
        made.append(liveness.part(x, part.reading, part.after, inner) if part.reading else x)
        if len(made) == 2:
            states.append(liveness.make(made, inner))
            made = []
    liveness.make((states[node] for node in cell.concat), len(cell.concat) * inner)
    return liveness.peak() - len(_outside(cell).inputs) * size


@cache
def _operations(shape: Shape, reduction: bool) -> dict[Reader, Part]:
    """Every operation in a body whose inputs have `shape`; skipping makes no tensor."""
    stride, inner = (2, _reduced(shape)) if reduction else (1, shape)
    outer = {(op, True): _operation(op, shape, stride) for op in EXTENDED_OPERATIONS}
    return outer | {(op, False): _operation(op, inner, 1) for op in EXTENDED_OPERATIONS}


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
