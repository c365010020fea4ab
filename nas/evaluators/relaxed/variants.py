"""Parametrisations of operation weights: softmax, softmax with edge weights, and Dirichlet.

Shape suffixes: E edges, O operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from nas.strategies.preparing import Variant
from search_spaces.tree.relaxation import Edge, Relaxation

SPREAD = 1e-3  # standard deviation of initial parameters
LEAST = 1e-3  # concentration of a Dirichlet distribution: that of 0 has no draws
ANCHOR = 1e-3  # weight of the divergence from the uniform distribution, in DrNAS


class OperationParameters(Protocol):
    """The parameters that decide the operation weights, [E,O] of each cell by its name."""

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The parameters by name."""

    def weights(self) -> dict[str, Tensor]:
        """The weights of one step; random ones are drawn from torch's generator."""

    def expected(self) -> dict[str, Tensor]:
        """The weights that an architecture is read off."""

    def penalty(self) -> Tensor | float:
        """A term of the loss that they minimise."""


def make_parameters(
    variant: Variant, relaxation: Relaxation, seed: int, device: torch.device
) -> OperationParameters:
    """The parameters of a variant, drawn near those of equal weights.

    Args:
        variant: The variant.
        relaxation: The relaxation of the space: its cells and operations.
        seed: Decides the draw.
        device: The device of the parameters.
    """
    rng = torch.Generator().manual_seed(seed)

    def drawn(*shape: int) -> Tensor:
        return (SPREAD * torch.randn(shape, generator=rng)).to(device).requires_grad_()

    operations = len(relaxation.operations)
    alpha = {name: drawn(len(edges), operations) for name, edges in relaxation.cells.items()}
    if variant == "drnas":
        return DirichletWeights(alpha)
    if variant == "pcdarts":
        beta = {name: drawn(len(edges)) for name, edges in relaxation.cells.items()}
        return EdgeNormalised(alpha, beta, relaxation.cells)
    return Softmax(alpha)


class Softmax:
    """DARTS: the softmax over the operations of an edge (Liu et al., ICLR 2019, equation 2)."""

    def __init__(self, alpha: Mapping[str, Tensor]) -> None:
        self._alpha = alpha

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors that are learned, by name."""
        return {f"{name}.alpha": alpha_EO for name, alpha_EO in self._alpha.items()}

    def weights(self) -> dict[str, Tensor]:
        """Return the weights [E,O] of the operations of each cell, for one step."""
        return {name: F.softmax(alpha_EO, dim=1) for name, alpha_EO in self._alpha.items()}

    def expected(self) -> dict[str, Tensor]:
        """Return the expected weights [E,O] of the operations of each cell."""
        return self.weights()

    def penalty(self) -> float:
        """Return the term that is added to the loss."""
        return 0.0


class EdgeNormalised:
    """PC-DARTS: that softmax, times one over the edges into a node (Xu et al., ICLR 2020, eq. 3)."""

    def __init__(
        self,
        alpha: Mapping[str, Tensor],
        beta: Mapping[str, Tensor],
        cells: Mapping[str, tuple[Edge, ...]],
    ) -> None:
        self._alpha = alpha
        self._beta = beta
        self._into = {name: list(_incoming(cells[name], beta_E)) for name, beta_E in beta.items()}

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors that are learned, by name."""
        return {
            **{f"{name}.alpha": alpha_EO for name, alpha_EO in self._alpha.items()},
            **{f"{name}.beta": beta_E for name, beta_E in self._beta.items()},
        }

    def weights(self) -> dict[str, Tensor]:
        """Return the weights [E,O] of the operations of each cell, for one step."""
        found = {}
        for name, alpha_EO in self._alpha.items():
            share_E = torch.zeros_like(self._beta[name])
            for index in self._into[name]:
                share_E = share_E.index_copy(0, index, F.softmax(self._beta[name][index], dim=0))
            found[name] = share_E[:, None] * F.softmax(alpha_EO, dim=1)
        return found

    def expected(self) -> dict[str, Tensor]:
        """Return the expected weights [E,O] of the operations of each cell."""
        return self.weights()

    def penalty(self) -> float:
        """Return the term that is added to the loss."""
        return 0.0


def _incoming(edges: tuple[Edge, ...], beta_E: Tensor) -> Iterator[Tensor]:
    """Yield the numbers of the edges into each node, on the device of their weights."""
    for node in dict.fromkeys(to for _, to in edges):
        numbers = [number for number, (_, to) in enumerate(edges) if to == node]
        yield torch.tensor(numbers, device=beta_E.device)


class DirichletWeights:
    """DrNAS: a draw from a Dirichlet distribution for each edge and step (Chen et al., ICLR 2021).

    Its concentration is elu(alpha) + 1, held near 1 by the divergence from the uniform distribution
    (equation 5). Their progressive shrinking of the operations is left out.
    """

    def __init__(self, alpha: Mapping[str, Tensor]) -> None:
        self._alpha = alpha

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The tensors that are learned, by name."""
        return {f"{name}.alpha": alpha_EO for name, alpha_EO in self._alpha.items()}

    def _concentrations(self) -> dict[str, Tensor]:
        return {n: (F.elu(alpha_EO) + 1).clamp(min=LEAST) for n, alpha_EO in self._alpha.items()}

    def weights(self) -> dict[str, Tensor]:
        """Return the weights [E,O] of the operations of each cell, for one step."""
        found = {}
        for name, c_EO in self._concentrations().items():
            drawn_EO: Tensor = _dirichlet(c_EO).rsample()
            found[name] = drawn_EO
        return found

    def expected(self) -> dict[str, Tensor]:
        """Return the expected weights [E,O] of the operations of each cell."""
        return {
            n: c_EO / c_EO.sum(dim=1, keepdim=True) for n, c_EO in self._concentrations().items()
        }

    def penalty(self) -> Tensor:
        """Return the term that is added to the loss."""
        total = torch.zeros(())
        for c_EO in self._concentrations().values():
            uniform = _dirichlet(torch.ones_like(c_EO))
            divergence_E: Tensor = kl_divergence(_dirichlet(c_EO), uniform)
            total = total.to(c_EO.device) + divergence_E.sum()
        return ANCHOR * total


def _dirichlet(concentrations_EO: Tensor) -> Dirichlet:
    """The distributions, without checks that would synchronise a GPU."""
    return Dirichlet(concentrations_EO, validate_args=False)
