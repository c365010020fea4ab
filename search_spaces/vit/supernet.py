"""The modules that a supernet of vision transformers shares, cut to their sizes.

Blocks by their number, and first features of each, as in AutoFormer (Chen et al., ICCV 2021, Section
3.2); patches of another size have weights and positions of their own.
"""

from __future__ import annotations

from search_spaces.sharing import Shared

_QUERIES_KEYS_VALUES = {"queries_keys_values.weight": 3, "queries_keys_values.bias": 3}


def shared(patch: int, depth: int) -> list[Shared]:
    """The patches, their positions and the attentions; the rest is known by its name.

    Args:
        patch: Side of a patch.
        depth: Number of blocks.
    """
    return [
        Shared(f"patches of {patch}", "cut"),
        Shared(f"positions of patches of {patch}", "positions"),
        *(
            Shared(f"attention {number}", f"blocks.{number}.attention.1", _QUERIES_KEYS_VALUES)
            for number in range(depth)
        ),
    ]
