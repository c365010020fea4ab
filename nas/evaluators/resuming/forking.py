"""Weights of forks of another architecture, which inherit those that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from search_spaces import Architecture, SearchSpace, strict_json
from search_spaces.inheritance import inherit
from search_spaces.tree.values import thaw
from trainers.checkpoints.pausing import Adapt

ARCHITECTURE = "architecture"  # of the paused training, beside its state: JSON (uint8 [bytes])


def written(architecture: Architecture) -> Tensor:
    """The value of an architecture as a tensor of bytes."""
    return torch.tensor(
        list(strict_json.dumps(thaw(architecture.value)).encode()), dtype=torch.uint8
    )


class Fork:
    """The weights of a paused training for another architecture.

    Args:
        space: The search space.
        architecture: The architecture of the fork.
        state: The state of the paused training, with its architecture.

    Attributes:
        facts: Tensors that were inherited as they were (`whole`) and in part (`partly`), that are
            zeros of new blocks (`zeros`) and that are as initialised (`fresh`), under the key
            `inherited`; empty where the architecture is the same.

    Raises:
        ValueError: the state has no architecture of the space.
    """

    def __init__(
        self, space: SearchSpace, architecture: Architecture, state: Mapping[str, Tensor]
    ) -> None:
        if ARCHITECTURE not in state:
            raise ValueError("want the architecture of the paused training, got none")
        text = bytes(state[ARCHITECTURE].tolist()).decode()
        self._space, self._architecture = space, architecture
        self._source = space.architecture(strict_json.loads(text))
        self.facts: dict[str, Any] = {}

    @property
    def adapt(self) -> Adapt | None:
        """The adaptation of the weights; None where the architecture is the same."""
        return None if self._source == self._architecture else self._adapted

    def _adapted(
        self, state: Mapping[str, Tensor], source: Mapping[str, Tensor]
    ) -> tuple[Mapping[str, Tensor], Mapping[str, str]]:
        parts = self._space.parts or (lambda _: ())
        found = inherit(state, parts(self._architecture), source, parts(self._source))
        counts = {name: len(getattr(found, name)) for name in ("whole", "partly", "zeros")}
        fresh = len(state) - sum(counts.values())
        self.facts = {"inherited": {**counts, "fresh": fresh}}
        return found.state, found.whole
