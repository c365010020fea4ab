"""Inputs in any common form: vectors, sequences and images of any type, in any order of axes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from trainers import memory
from trainers.data.reading import Layout, Pixels, Reading
from trainers.data.sources.source import Images

Array = npt.NDArray[Any]

BLOCK = 2**24  # values that are looked at at once
FEWEST_STEPS = 2  # times as many steps as channels, where nothing else tells them apart
MOST_ALIKE = 4  # times the shorter side that the longer side of an image may be
SMALLEST_SIDE = 8  # pixels of an image whose values might be those of a sequence
MOST_COLOURS = 4  # channels of an image, where nothing else tells them from its sides
LEAST_WHITE = 1 / 2  # of the brightest fraction: in 8 bits lower ones lose much
MOST_COLUMNS = 32  # of vectors that nobody takes for sequences
WANTED = "numbers [N,D], [N,C,L], [N,L,C], [N,H,W], [N,H,W,C] or [N,C,H,W]"
AXES: dict[str, tuple[int, ...]] = {  # to the order of torch; -1 is a new axis
    "ND": (0, 1),
    "NL": (0, -1, 1),
    "NCL": (0, 1, 2),
    "NLC": (0, 2, 1),
    "NHW": (0, -1, 1, 2),
    "NCHW": (0, 1, 2, 3),
    "NHWC": (0, 3, 1, 2),
}


def understand(name: str, inputs: Array, layout: Layout | None = None) -> tuple[Reading, str]:
    """The reading of the inputs of a training part, and a note on it, empty if there is no doubt.

    Of 2 axes, inputs are vectors. Of 3, sides that are alike (less than twice as long) are those of
    grey images if the numbers are pixels: unsigned integers, whole from 0 to 255, or fractions from
    0 to 1 in squares of at least 8 × 8. If one axis is at least twice as long, it is that of steps,
    unless the shorter one has 8 or more pixels. Of 4 axes, that of channels has at most 4, or stands beside
    two equal ones. Whatever fits none or several of these has to be said.

    Args:
        name: Name of the array in error messages.
        inputs: The array.
        layout: The axes, if the user names them.

    Raises:
        ValueError: One line that names the array: it holds no finite numbers, or its axes may mean
            several things and there is no `layout`.
    """
    if inputs.dtype.kind not in "biuf" or not 2 <= inputs.ndim <= 4 or not inputs.size:
        raise ValueError(f"data: {name}: want {WANTED}, got {inputs.dtype} {list(inputs.shape)}")
    if layout is not None and len(layout) != inputs.ndim:
        raise ValueError(
            f"data: {name}: layout {layout} has {len(layout)} axes, got {list(inputs.shape)}"
        )
    numbers = _Numbers.of(name, inputs)
    axes = layout or _axes(name, inputs, numbers)
    pixels = numbers.pixels if "H" in axes else None
    reading = Reading(layout=axes, pixels=pixels)
    return reading, _note(reading, inputs, numbers, given=layout is not None)


def read(reading: Reading, name: str, inputs: Array) -> Images:
    """Inputs as uint8 or float32 [N,C,H,W], float32 [N,D] or float32 [N,C,L].

    A memory-mapped array that is of such a type and order stays mapped.

    Args:
        reading: The reading of the training part.
        name: Name of the array in error messages.
        inputs: The inputs of any part.

    Raises:
        ValueError: One line that names the array: it has other axes or other numbers than the
            training part, or does not fit in memory.
    """
    if inputs.dtype.kind not in "biuf" or inputs.ndim != len(reading.layout):
        got = f"{inputs.dtype} {list(inputs.shape)}"
        raise ValueError(f"data: {name}: want numbers of the layout {reading.layout}, got {got}")
    if not inputs.size:
        raise ValueError(f"data: {name}: want at least 1 example, got {list(inputs.shape)}")
    numbers = _Numbers.of(name, inputs)
    _check_pixels(reading, name, numbers)
    ordered = _ordered(reading.layout, inputs)
    dtype = np.dtype(np.float32 if reading.pixels in (None, "numbers") else np.uint8)
    if ordered.dtype == dtype and (isinstance(inputs, np.memmap) or dtype == np.uint8):
        return ordered if ordered.flags.c_contiguous else _copied(name, ordered, dtype)
    if reading.pixels == "fractions":
        return _copied(name, ordered, dtype, lambda block: np.rint(block * 255))
    return _copied(name, ordered, dtype)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """The numbers in an array.

    Attributes:
        dtype: Their type.
        low: The least.
        high: The greatest.
        whole: True if all are whole numbers.
    """

    dtype: np.dtype[Any]
    low: float
    high: float
    whole: bool

    @classmethod
    def of(cls, name: str, inputs: Array) -> "_Numbers":
        """Look at all numbers; refuse those that are not finite in float32."""
        if inputs.dtype in (np.bool_, np.uint8):
            return cls(inputs.dtype, 0, 255, True)  # without reading a mapped file
        low, high, whole = np.inf, -np.inf, True
        for _, block in _blocks(inputs):
            ends = block.min(), block.max()  # NaN if any number is
            if not _finite(np.array(ends)).all():
                _refuse_infinite(name, inputs)
            low, high = min(low, ends[0]), max(high, ends[1])
            whole = whole and (block.dtype.kind in "biu" or bool((block == np.rint(block)).all()))
        return cls(inputs.dtype, float(low), float(high), whole)

    @property
    def unsigned(self) -> bool:
        """True for types that hardly anything but pixels has."""
        return self.dtype in (np.bool_, np.uint8, np.uint16)

    @property
    def pixels(self) -> Pixels:
        """The numbers as pixels."""
        integers = self.dtype.kind in "biu"
        if self.low < 0 or self.high > 255:
            return "numbers"
        if self.whole and (integers or self.high > 1):
            return "whole"
        return "fractions" if LEAST_WHITE <= self.high <= 1 else "numbers"


def _axes(name: str, inputs: Array, numbers: _Numbers) -> Layout:
    """The only axes that are likely."""
    if inputs.ndim == 2:
        return "ND"
    likely = (_of_three if inputs.ndim == 3 else _of_four)(inputs.shape, numbers)
    if len(likely) == 1:
        return likely[0]
    every: list[Layout] = ["NHW", "NCL", "NLC"] if inputs.ndim == 3 else ["NCHW", "NHWC"]
    raise ValueError(
        f"data: {name}: {inputs.dtype} {list(inputs.shape)} may be {' or '.join(every)}: name its "
        "axes with layout (--layout), of N examples, C channels, L steps, H height, W width"
    )


def _of_three(shape: tuple[int, ...], numbers: _Numbers) -> list[Layout]:
    one, other = shape[1:]
    short, long = min(one, other), max(one, other)
    alike, square = long < FEWEST_STEPS * short, long == short
    large = short >= SMALLEST_SIDE
    found: list[Layout] = []
    if (
        (numbers.unsigned and (alike or large))
        or (numbers.pixels == "whole" and alike)
        or (numbers.pixels == "fractions" and large and square)
    ):
        found.append("NHW")
    may_be_image = numbers.pixels != "numbers" and large and long < MOST_ALIKE * short
    if not alike and not may_be_image and not found:
        found.append("NLC" if one > other else "NCL")
    return found


def _of_four(shape: tuple[int, ...], _: _Numbers) -> list[Layout]:
    one, two, three = shape[1:]
    first, last = one <= MOST_COLOURS, three <= MOST_COLOURS
    if first == last:
        first, last = two == three, one == two
    every: list[Layout] = ["NCHW", "NHWC"]
    return [layout for layout, likely in zip(every, (first, last), strict=True) if likely]


def _check_pixels(reading: Reading, name: str, numbers: _Numbers) -> None:
    low, high = numbers.low, numbers.high
    if reading.pixels == "whole" and (low < 0 or high > 255 or not numbers.whole):
        wanted = "whole numbers from 0 to 255"
    elif reading.pixels == "fractions" and (low < 0 or high > 1):
        wanted = "fractions from 0 to 1"
    else:
        return
    raise ValueError(
        f"data: {name}: want pixels as in the training part, {wanted}, got {numbers.dtype} from "
        f"{low:g} to {high:g}"
    )


def _ordered(layout: Layout, inputs: Array) -> Array:
    """A view of the inputs in the order of torch."""
    found = inputs.transpose([axis for axis in AXES[layout] if axis >= 0])
    return found[:, None] if -1 in AXES[layout] else found


def _note(reading: Reading, inputs: Array, numbers: _Numbers, *, given: bool) -> str:
    sizes = dict(zip(reading.layout, inputs.shape, strict=True))
    size = f"{sizes['W']}×{sizes['H']}" if "H" in sizes else ""
    channels = sizes.get("C", 1)
    if reading.layout == "ND":
        if given or sizes["D"] <= MOST_COLUMNS:
            return ""
        what = "vectors (--layout NL for sequences of one channel)"
    elif reading.is_image:
        what = f"images of {size} pixels and {channels:,} {_counted('channel', channels)}"
    else:
        what = f"sequences of {channels:,} {_counted('channel', channels)} and {sizes['L']:,} steps"
    theirs = {
        "whole": ", pixels from 0 to 255",
        "fractions": ", pixels from 0 to 1 in 8 bits",
        "numbers": f", pixels as numbers from {numbers.low:g} to {numbers.high:g}",
        None: "",
    }[reading.pixels]
    return f"layout {reading.layout}{' as given' * given}: {what}{theirs}"


def _counted(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _copied(
    name: str,
    inputs: Array,
    dtype: np.dtype[Any],
    convert: Callable[[Array], Array] = lambda block: block,
) -> Images:
    """A copy in memory, made block by block."""
    need, there = inputs.size * dtype.itemsize, memory.machine_bytes()
    if need > there:
        raise ValueError(
            f"data: {name}: needs {need / 1e9:.1f} GB as {dtype}, this machine has "
            f"{there / 1e9:.1f} GB"
        )
    copy = np.empty(inputs.shape, dtype)
    for rows, block in _blocks(inputs):
        copy[rows] = convert(block)
    return copy


def _blocks(inputs: Array) -> Iterator[tuple[slice, Array]]:
    """Consecutive examples of about `BLOCK` values together."""
    step = max(1, BLOCK // max(1, inputs[0].size))
    for start in range(0, len(inputs), step):
        rows = slice(start, start + step)
        yield rows, np.asarray(inputs[rows])


def _finite(numbers: Array) -> npt.NDArray[np.bool_]:
    """True for numbers that are finite in float32."""
    with np.errstate(over="ignore"):
        return np.isfinite(numbers.astype(np.float32))


def _refuse_infinite(name: str, inputs: Array) -> NoReturn:
    """Count the numbers that are not finite in float32, of which there are some, and refuse them."""
    wrong, first = 0, -1
    for rows, block in _blocks(inputs):
        finite = _finite(block)
        if first < 0 and not finite.all():
            first = rows.start + int(np.argmin(finite.reshape(len(block), -1).all(axis=1)))
        wrong += finite.size - int(finite.sum())
    raise ValueError(
        f"data: {name}: {wrong:,} of {inputs.size:,} values are NaN, infinite or too large for "
        f"float32, the first in example {first}; want finite numbers"
    )
