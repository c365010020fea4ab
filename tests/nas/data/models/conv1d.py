"""A network of the space conv1d, in plain PyTorch.

conv1d:{"stage1":{"depth":4,"dilation":4,"kernels":[3],"residual":true,"stride":4,"width":128},"stag
e2":{"depth":4,"dilation":4,"kernels":[3,3],"residual":false,"stride":4,"width":64},"stage3":{"d ...
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

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


def conv_norm(
    inputs: int, outputs: int, kernel: int, *, stride: int = 1, dilation: int = 1
) -> list[nn.Module]:
    """Convolution and batch norm, from length L to ceil(L / stride)."""
    back, odd = divmod(dilation * (kernel - 1), 2)
    layers: list[nn.Module] = [nn.ConstantPad1d((0, 1), 0.0)] if odd else []
    conv = nn.Conv1d(inputs, outputs, kernel, stride, padding=back, dilation=dilation)
    return [*layers, conv, nn.BatchNorm1d(outputs)]


class TemporalBlock(nn.Module):
    """Convolutions in sequence, with a shortcut around them or without.

    Wang et al., IJCNN 2017, Figure 1 (b) and (c).
    """

    def __init__(
        self,
        inputs: int,
        *,
        width: int,
        kernels: Sequence[int],
        dilation: int,
        stride: int,
        residual: bool,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, kernel in enumerate(kernels):
            if index:
                layers.append(nn.ReLU(inplace=True))
            layers += conv_norm(
                width if index else inputs,
                width,
                kernel,
                stride=1 if index else stride,
                dilation=dilation,
            )
        self.layers = nn.Sequential(*layers)
        self.shortcut: nn.Module | None = None
        if residual:
            same = inputs == width and stride == 1
            shortcut = [] if same else conv_norm(inputs, width, 1, stride=stride)
            self.shortcut = nn.Sequential(*shortcut)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Return features [B,C',L'] of features [B,C,L]."""
        y_BCL: Tensor = self.layers(x_BCL)
        if self.shortcut is not None:
            y_BCL = self.shortcut(x_BCL) + y_BCL
        activated_BCL: Tensor = self.activation(y_BCL)
        return activated_BCL


class Model(nn.Module):
    """From inputs (B, 3, 64) to logits (B, outputs); 309,322 parameters."""

    def __init__(self, outputs: int = 10) -> None:
        super().__init__()
        # (B, 3, 64) -> (B, 64, 1)
        self.blocks = nn.Sequential(
            # to (B, 128, 16)
            TemporalBlock(3, width=128, kernels=(3,), dilation=4, stride=4, residual=True),
            *(
                TemporalBlock(128, width=128, kernels=(3,), dilation=4, stride=1, residual=True)
                for _ in range(3)
            ),
            # to (B, 64, 4)
            TemporalBlock(128, width=64, kernels=(3, 3), dilation=4, stride=4, residual=False),
            *(
                TemporalBlock(64, width=64, kernels=(3, 3), dilation=4, stride=1, residual=False)
                for _ in range(3)
            ),
            # to (B, 64, 1)
            TemporalBlock(64, width=64, kernels=(5,), dilation=1, stride=4, residual=True),
            TemporalBlock(64, width=64, kernels=(5,), dilation=1, stride=1, residual=True),
        )
        # (B, 64, 1) -> (B, 10)
        self.head = nn.Sequential(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(64, outputs))

    def forward(self, x_BCL: Tensor) -> Tensor:
        """Return logits [B,K] of sequences [B,C,L]."""
        logits_BK: Tensor = self.head(self.blocks(x_BCL))
        return logits_BK


def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()


def preprocess(values: Tensor) -> Tensor:
    """Normalise inputs of `Model`, one in each row: subtract the mean, divide by the deviation."""
    shape = (1, -1, *[1] * (values.dim() - 2))
    mean, std = (torch.tensor(numbers).view(shape) for numbers in (MEAN, STD))
    return (values - mean) / std


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
