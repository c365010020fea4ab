"""Images as people hold them: paths of files, their bytes, and images of Pillow."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainers.data.decoding import decode, loaded

Picture: TypeAlias = str | Path | bytes | Image.Image


def pictures_in(inputs: object) -> list[Picture]:
    """The images in a list, or in a single one; empty where something else is given."""
    kinds = (str, Path, bytes, Image.Image)
    if isinstance(inputs, kinds):
        return [inputs]
    if isinstance(inputs, list | tuple) and all(isinstance(one, kinds) for one in inputs):
        return list(inputs)
    return []


def decoded(pictures: list[Picture], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read images as those of a training: upright, resized, 8 bits.

    Args:
        pictures: The images, at least one.
        shape: Channels (1 or 3), height and width of an input of the network.

    Returns:
        uint8 (B, channels, height, width).

    Raises:
        ValueError: one cannot be read; names it.
    """
    channels, height, width = shape
    return decode(
        len(pictures),
        lambda number: _read(pictures[number]),
        lambda number: _named(pictures[number], number),
        grey=channels == 1,
        size=(height, width),
    )


def _read(picture: Picture) -> Image.Image:
    if isinstance(picture, bytes):
        return loaded(io.BytesIO(picture))
    if isinstance(picture, str | Path):
        return loaded(str(picture))
    return picture


def _named(picture: Picture, number: int) -> str:
    return str(picture) if isinstance(picture, str | Path) else f"number {number}"
