"""Check that keys of cells are equal exactly for cells that compute the same."""

import itertools
import zlib
from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import cache
from typing import TypeVar

import torch
from torch import Tensor

Unit = TypeVar("Unit", bound=Hashable)
Cell = TypeVar("Cell")


@cache
def shared_weights(name: str, inputs: int, outputs: int, kernel: int) -> tuple[Tensor, Tensor]:
    """Weights and biases of a convolution, a function of `name` alone, in float64."""
    own = torch.Generator().manual_seed(zlib.crc32(f"{name} {inputs} {outputs}".encode()))
    weight = torch.randn(outputs, inputs, kernel, kernel, generator=own, dtype=torch.float64)
    bias = torch.randn(outputs, generator=own, dtype=torch.float64)
    return weight / (kernel * inputs**0.5), bias


def assignments(units: Iterable[Unit]) -> Iterator[dict[Unit, int]]:
    """Every assignment of numbers to units with weights; equal functions are equal under some."""
    units = list(units)
    for numbers in itertools.permutations(range(len(units))):
        yield dict(zip(units, numbers, strict=True))


def assert_keys_tell_functions_apart(
    cells: Iterable[Cell], key: Callable[[Cell], Hashable], function: Callable[[Cell], Hashable]
) -> int:
    """Check equal keys for equal functions, different ones for others; return their number."""
    functions: dict[Hashable, set[Hashable]] = {}
    for cell in cells:
        functions.setdefault(key(cell), set()).add(function(cell))
    assert all(len(same) == 1 for same in functions.values())
    assert len(set().union(*functions.values())) == len(functions)
    return len(functions)
