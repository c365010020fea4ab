"""The network of the vit space.

Shape suffixes: B batch, C channels, H height, W width, N tokens, D features, S heads, E features
of a head, K classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from search_spaces.layers import truncated_normal_weights

if TYPE_CHECKING:
    from search_spaces.vit.space import Plan


class SelfAttention(nn.Module):
    """Multi-head self-attention with heads of 64 features.

    Vaswani et al., "Attention Is All You Need", NeurIPS 2017, Section 3.2.2.
    """

    def __init__(self, width: int, heads: int, head_features: int = 64) -> None:
        super().__init__()
        self.heads = heads
        self.head_features = head_features
        self.queries_keys_values = nn.Linear(width, 3 * heads * head_features)
        self.output = nn.Linear(heads * head_features, width)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        qkv_BND: Tensor = self.queries_keys_values(x_BND)
        split = (*x_BND.shape[:2], 3, self.heads, self.head_features)
        q_BSNE, k_BSNE, v_BSNE = qkv_BND.view(split).permute(2, 0, 3, 1, 4).unbind(0)
        y_BSNE = F.scaled_dot_product_attention(q_BSNE, k_BSNE, v_BSNE)
        y_BND: Tensor = self.output(y_BSNE.transpose(1, 2).flatten(2))
        return y_BND


class TransformerBlock(nn.Module):
    """Attention, then a perceptron for every token; each after a norm and around a shortcut.

    Dosovitskiy et al., ICLR 2021, Equations (2) and (3).

    Args:
        width: Features of a token.
        heads: Heads of the attention.
        hidden: Features inside the perceptron.
    """

    def __init__(self, width: int, *, heads: int, hidden: int) -> None:
        super().__init__()
        self.attention = nn.Sequential(
            nn.LayerNorm(width, eps=1e-6),
            SelfAttention(width, heads),
        )
        self.perceptron = nn.Sequential(
            nn.LayerNorm(width, eps=1e-6),
            nn.Linear(width, hidden),
            nn.GELU(),
            nn.Linear(hidden, width),
        )

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        x_BND = x_BND + self.attention(x_BND)
        y_BND: Tensor = self.perceptron(x_BND)
        return x_BND + y_BND


class Positions(nn.Module):
    """Add a learned position embedding to every token."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(0.02 * torch.randn(1, tokens, width))

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        return x_BND + self.embedding


class VisionTransformer(nn.Module):
    """Patches, class token and positions, blocks, norm, classifier; Equations (1) to (4)."""

    def __init__(self, plan: Plan, *, inputs: int, classes: int) -> None:
        super().__init__()
        width = plan.blocks[0].width
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.cut = nn.Conv2d(inputs, width, plan.patch, plan.patch, plan.padding)
        self.positions = Positions(plan.patches + 1, width)
        self.blocks = nn.Sequential(*(TransformerBlock(**b._asdict()) for b in plan.blocks))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.classifier = nn.Linear(width, classes)
        self.apply(truncated_normal_weights)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        x_BND = self.cut(x_BCHW).flatten(2).transpose(1, 2)
        x_BND = torch.cat([self.token.expand(x_BND.shape[0], -1, -1), x_BND], dim=1)
        x_BND = self.norm(self.blocks(self.positions(x_BND)))
        logits_BK: Tensor = self.classifier(x_BND[:, 0])
        return logits_BK
