"""The mixed network of NAS-Bench-201: every edge computes all operations, with weights.

As in the search by DARTS of Dong & Yang, "NAS-Bench-201", ICLR 2020, Section 5: the norms of the
operations have no learned scale and shift. With weights 1 and 0 it computes what the network of that
cell does.

Shape suffixes: B batch, C channels, H height, W width, K classes, E edges, O operations.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from search_spaces.layers import MixedOperation, without_affine
from search_spaces.nasbench201.network import Reduction, head, operation, stem
from search_spaces.nasbench201.space import EDGES, OPERATIONS


class MixedCell(nn.Module):
    """A cell whose every edge computes all operations."""

    def __init__(self, channels: int, portion: int) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        for i, j in EDGES:
            operations = {
                name: None if name == "none" else operation(name, channels // portion)
                for name in OPERATIONS
            }
            mixed = MixedOperation(operations, channels, portion, nn.Identity())
            self.edges[f"{i}_{j}"] = without_affine(mixed)

    def forward(self, x_BCHW: Tensor, weights_EO: Tensor) -> Tensor:
        """Return features of the shape of the input, each edge weighted by a row of [E,O]."""
        states = [x_BCHW]
        for j in range(1, 4):
            incoming = [
                self.edges[f"{i}_{j}"](states[i], weights_EO[number])
                for number, (i, to) in enumerate(EDGES)
                if to == j
            ]
            states.append(torch.stack(incoming).sum(dim=0) if j > 1 else incoming[0])
        return states[-1]


class MixedNasBench201(nn.Module):
    """Stem, three stages of equal mixed cells, classifier.

    Args:
        inputs: Channels of the images.
        channels: Channels in the first stage; doubled in each following one.
        cells: Cells in each stage.
        classes: Number of output classes.
        portion: One in so many channels passes through operations.
    """

    def __init__(
        self, *, inputs: int, channels: int, cells: int, classes: int, portion: int
    ) -> None:
        super().__init__()
        self.stem = stem(inputs, channels)
        self.stages = nn.ModuleList()
        for stage in range(3):
            if stage:
                self.stages.append(Reduction(channels, 2 * channels))
                channels *= 2
            self.stages.extend(MixedCell(channels, portion) for _ in range(cells))
        self.head = head(channels, classes)

    def forward(self, x_BCHW: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W], with weights [E,O] of each cell by its name."""
        x_BCHW = self.stem(x_BCHW)
        for block in self.stages:
            x_BCHW = (
                block(x_BCHW, weights["cell"]) if isinstance(block, MixedCell) else block(x_BCHW)
            )
        logits_BK: Tensor = self.head(x_BCHW)
        return logits_BK
