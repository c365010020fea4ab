"""A network of the space vit, in plain PyTorch.

vit:{"depth":16,"first":{"heads":11,"ratio":3.5},"fourth":{"heads":7,"ratio":4},"patch":16,"second":
{"heads":4,"ratio":3},"third":{"heads":14,"ratio":3},"width":64}
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN, STD = (0.0, 1.0, 2.0), (64.5, 64.5, 64.5)
CLASSES = [
    "class 0",
    "class 1",
    "class 2",
    "class 3",
    "class 4",
    "class 5",
    "class 6",
    "class 7",
    "class 8",
    "class 9",
]


class Positions(nn.Module):
    """Add a learned position embedding to every token."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(0.02 * torch.randn(1, tokens, width))

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        return x_BND + self.embedding


class SelfAttention(nn.Module):
    """Multi-head self-attention with heads of 64 features.

    Vaswani et al., "Attention Is All You Need", NeurIPS 2017, Section 3.2.2.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries_keys_values = nn.Linear(width, 3 * heads * 64)
        self.output = nn.Linear(heads * 64, width)

    def forward(self, x_BND: Tensor) -> Tensor:
        """Return features of the shape of the input."""
        qkv_BND: Tensor = self.queries_keys_values(x_BND)
        split = (*x_BND.shape[:2], 3, self.heads, 64)
        q_BSNE, k_BSNE, v_BSNE = qkv_BND.view(split).permute(2, 0, 3, 1, 4).unbind(0)
        y_BSNE = F.scaled_dot_product_attention(q_BSNE, k_BSNE, v_BSNE)
        y_BND: Tensor = self.output(y_BSNE.transpose(1, 2).flatten(2))
        return y_BND


class TransformerBlock(nn.Module):
    """Attention, then a perceptron for every token; each after a norm and around a shortcut.

    Dosovitskiy et al., ICLR 2021, Equations (2) and (3).
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


class Model(nn.Module):
    """From inputs (B, 3, 32, 32) to logits (B, outputs); 2,849,354 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 64))
        # (B, 3, 32, 32) -> (B, 64, 11, 11)
        self.cut = nn.Conv2d(3, 64, 3, stride=3, padding=1)
        # (B, 122, 64) -> (B, 122, 64)
        self.positions = Positions(122, 64)
        # (B, 122, 64) -> (B, 122, 64)
        self.blocks = nn.Sequential(
            *(TransformerBlock(64, heads=11, hidden=224) for _ in range(4)),
            *(TransformerBlock(64, heads=4, hidden=192) for _ in range(4)),
            *(TransformerBlock(64, heads=14, hidden=192) for _ in range(4)),
            *(TransformerBlock(64, heads=7, hidden=256) for _ in range(4)),
        )
        # (B, 122, 64) -> (B, 122, 64)
        self.norm = nn.LayerNorm(64, eps=1e-6)
        # (B, 64) -> (B, 10)
        self.classifier = nn.Linear(64, outputs)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return logits [B,K] of images [B,C,H,W]."""
        x_BND = self.cut(x_BCHW).flatten(2).transpose(1, 2)
        x_BND = torch.cat([self.token.expand(x_BND.shape[0], -1, -1), x_BND], dim=1)
        x_BND = self.norm(self.blocks(self.positions(x_BND)))
        logits_BK: Tensor = self.classifier(x_BND[:, 0])
        return logits_BK


def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()


def preprocess(image: str | Path) -> Tensor:
    """Read an image file as an input of `Model`: (1, 3, 32, 32)."""
    from PIL import Image, ImageOps

    with Image.open(image) as opened:
        picture = ImageOps.exif_transpose(opened)  # upright
        if picture.mode.startswith("I"):  # the upper eight of sixteen bits
            picture = picture.point(lambda value: value * (1 / 256)).convert("L")
        pixels = picture.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    x_HWC = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8)
    x_BCHW = x_HWC.view(1, 32, 32, 3).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (MEAN, STD))
    return (x_BCHW - mean) / std


def predict(model: Model, x: Tensor) -> list[dict[str, object]]:
    """The label of each preprocessed input, its probability, and those of all CLASSES."""
    with torch.inference_mode():
        chances_BK = model(x).softmax(dim=1).tolist()
    found = []
    for chances in chances_BK:
        by_name = dict(zip(CLASSES, chances, strict=True))
        label = max(by_name, key=by_name.get)
        found.append({"label": label, "probability": by_name[label], "probabilities": by_name})
    return found
