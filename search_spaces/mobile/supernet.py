"""The modules that a supernet of `mobile` or `ofa` shares: layers of blocks by stage, cut to their sizes."""

from __future__ import annotations

from collections.abc import Sequence

from search_spaces.mobile.blocks import Plan, parts
from search_spaces.sharing import Shared


def shared(plan: Plan, depths: Sequence[int]) -> list[Shared]:
    """The layers by which networks inherit weights too: first channels, and the middle of kernels.

    Args:
        plan: The network.
        depths: Number of blocks of each stage.
    """
    return [Shared(part.label, part.prefix) for part in parts(plan, depths)]
