"""The modules that a supernet of residual networks shares: blocks by stage and kind, cut to their sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from search_spaces.inheritance import Part
from search_spaces.sharing import Shared

LARGEST = (
    {"kind": "basic", "inner": 2},
    {"kind": "bottleneck", "inner": 2},
    {"kind": "grouped", "inner": 4, "group_width": 8},
)


def shared(parts: Sequence[Part]) -> list[Shared]:
    """The parts by which networks inherit weights too.

    Args:
        parts: Those of the network.
    """
    return [Shared(part.label, part.prefix) for part in parts]


def members(width: int, depths: Mapping[str, int]) -> list[dict[str, Any]]:
    """Values of the largest network of each kind of block.

    Args:
        width: The largest width.
        depths: The largest depth of each stage, by its field.
    """
    return [
        {"width": width, "block": block, "shortcut": "projection", **depths} for block in LARGEST
    ]
