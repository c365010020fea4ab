"""`model.py` of a bundle: the network, its weights and its preprocessing in plain PyTorch."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from nas.bundles.bundle import Bundle
from nas.source.definitions import import_lines
from nas.source.expressions import literal
from nas.source.network import Source, network_source
from nas.source.printing import WIDTH, flat

MOST_NUMBERS = 5  # of mean and std as literals; longer ones are read from architecture.json


def model_file(bundle: Bundle) -> str:
    """The source of `model.py`.

    Raises:
        nas.source.expressions.SourceError: the network has a value without a literal.
    """
    shape = bundle.task.input_shape

    space = bundle.space()

    def build(classes: int) -> Any:
        return space.compile(bundle.architecture, bundle.task_for(classes))

    inputs = f"(B, {', '.join(map(str, shape))})"
    about = (
        f"From inputs {inputs} to logits (B, classes); {bundle.metrics['parameters']:,} parameters."
    )
    source = network_source(build, shape, bundle.task.outputs, about=about)
    preprocessing = bundle.described["preprocessing"]
    parts = [
        *source.parts,
        _LOAD,
        _image(shape) if preprocessing["kind"] == "image" else _values(),
    ]
    head = _head(bundle, source, reads_json=_is_long(preprocessing))
    lines = [*head, *_numbers(preprocessing)]
    for part in parts:
        lines += ["", "", *part]
    return "\n".join(lines) + "\n"


def _head(bundle: Bundle, source: Source, *, reads_json: bool) -> list[str]:
    needed = ["from pathlib import Path", "import torch", "from torch import Tensor, nn"]
    needed += ["import json"] if reads_json else []
    imports = [*source.imports, *(ast.parse(line).body[0] for line in needed)]
    text = bundle.described["notation"]
    space = bundle.architecture.space
    shown = text if len(text) <= 2 * WIDTH else f"{text[: 2 * WIDTH - 4]} ..."
    summary = [f'"""A network of the space {space}, in plain PyTorch.', "", *_wrapped(shown), '"""']
    return [*summary, "", *import_lines(imports), ""]


def _wrapped(text: str) -> list[str]:
    """The lines of a docstring, cut anywhere: notations have few spaces."""
    text = text.replace("\\", "/").replace('"""', "'''")
    return [text[start : start + WIDTH].rstrip() for start in range(0, len(text), WIDTH)]


def _is_long(preprocessing: Mapping[str, Any]) -> bool:
    return len(preprocessing["mean"]) > MOST_NUMBERS


def _numbers(preprocessing: Mapping[str, Any]) -> list[str]:
    if _is_long(preprocessing):
        return [
            'NUMBERS = json.loads(Path(__file__).with_name("architecture.json").read_text())',
            'MEAN, STD = (NUMBERS["preprocessing"][name] for name in ("mean", "std"))',
        ]
    short = _tuple("MEAN, STD = ", [preprocessing[name] for name in ("mean", "std")])
    if len(short) <= WIDTH:
        return [short]
    return [_tuple(f"{name} = ", [preprocessing[name.lower()]]) for name in ("MEAN", "STD")]


def _tuple(before: str, rows: Sequence[Sequence[float]]) -> str:
    written = [flat(literal(tuple(_short(value) for value in row))) for row in rows]
    return before + ", ".join(written)


def _short(value: float) -> float:
    """The number with the fewest digits that is the same in float32."""
    import numpy as np

    return float(str(np.float32(value)))


_LOAD = '''\
def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()'''.splitlines()


def _image(shape: tuple[int, ...]) -> list[str]:
    channels, height, width = shape
    mode = "L" if channels == 1 else "RGB"
    return f'''\
def preprocess(image: str | Path) -> Tensor:
    """Read an image file as an input of `Model`: (1, {channels}, {height}, {width})."""
    from PIL import Image, ImageOps

    with Image.open(image) as opened:
        picture = ImageOps.exif_transpose(opened)  # upright
        if picture.mode.startswith("I"):  # the upper eight of sixteen bits
            picture = picture.point(lambda value: value * (1 / 256)).convert("L")
        pixels = picture.convert("{mode}").resize(({width}, {height}), Image.Resampling.BILINEAR)
    x_HWC = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8)
    x_BCHW = x_HWC.view(1, {height}, {width}, {channels}).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (MEAN, STD))
    return (x_BCHW - mean) / std'''.splitlines()


def _values() -> list[str]:
    return '''\
def preprocess(values: Tensor) -> Tensor:
    """Normalise inputs of `Model`, one in each row: subtract the mean, divide by the deviation."""
    shape = (1, -1, *[1] * (values.dim() - 2))
    mean, std = (torch.tensor(numbers).view(shape) for numbers in (MEAN, STD))
    return (values - mean) / std'''.splitlines()
