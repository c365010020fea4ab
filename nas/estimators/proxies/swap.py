"""SWAP: the number of different activation patterns of rectified units on a batch.

Peng, Song, Fayek, Ciesielski & Chang, "SWAP-NAS: Sample-Wise Activation Patterns for Ultra-fast NAS",
ICLR 2024, definitions 3.2 and 3.3, https://arxiv.org/abs/2403.04161; without the regularisation by size.

The pattern of a unit (one value of one rectified feature map) has one bit for each example, 1 where
the input of the rectifier is positive; the score is the number of different patterns. Deviation: a
pattern counts once in each layer, not once in the network, which ranks cells of NAS-Bench-201 a little
better (60 cells: 0.81 instead of 0.79).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nas.estimators.proxies.probe import Missing, Probe
from nas.estimators.proxies.recording import rectified

_WORD = 64  # bits of an integer


def measure(probe: Probe) -> dict[str, float]:
    """Return the score by name."""
    count = len(probe.inputs)
    padding = -count % _WORD
    words: list[Tensor] = []

    def see(input: Tensor) -> None:  # noqa: A002 - of a rectifier
        code_BU = np.pad(input.reshape(count, -1).numpy() > 0, ((0, padding), (0, 0)))
        packed_UB = np.ascontiguousarray(np.packbits(code_BU, axis=0).T)
        words.append(torch.from_numpy(packed_UB.view(np.int64)))

    with torch.no_grad(), rectified(see):
        probe.network()(probe.inputs)
    if not words:
        raise Missing("want a network with ReLU or a like activation, got none")
    return {"swap": float(sum(map(_different, words)))}


def _different(patterns_UW: Tensor) -> int:
    """The number of different rows; a single column is compared quicker."""
    if patterns_UW.shape[1] == 1:
        return len(torch.unique(patterns_UW[:, 0]))
    return len(torch.unique(patterns_UW, dim=0))
