"""Pictures of the points of the projector: discs with a score, from dark (worst) to bright (best)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIDES = (64, 32)  # pixels of a point: the second for many points
_MANY = 400
_LETTERS = 6
MOST = 60_000  # points that are drawn: TensorBoard takes sheets of up to 8192 pixels
_SCALE = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))  # viridis
_RING = (213, 94, 0)
_Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A point to draw.

    Attributes:
        text: A text of some letters.
        level: 0 for the worst to 1 for the best.
        ringed: True for a ring around it.
    """

    text: str
    level: float
    ringed: bool


def side_of(points: int) -> int:
    """The side of the picture of a point in pixels, by their number."""
    return _SIDES[points > _MANY]


def sheet(points: Sequence[Point]) -> Image.Image:
    """A square of all pictures, row by row, with a transparent ground."""
    side = side_of(len(points))
    row = isqrt(max(1, len(points)) - 1) + 1  # pictures in a row
    image = Image.new("RGBA", (row * side, row * side), (255, 255, 255, 0))
    pen = ImageDraw.Draw(image)
    fonts = {n: ImageFont.load_default(size=side * 1.15 / max(3, n)) for n in range(_LETTERS + 1)}
    for place, point in enumerate(points):
        x, y = (place % row) * side, (place // row) * side
        fill = _colour(point.level)
        light = sum(fill) > 3 * 110
        pen.ellipse(
            (x + 1, y + 1, x + side - 2, y + side - 2),
            fill=fill,
            outline=_RING if point.ringed else fill,
            width=side // 9,
        )
        centre = (x + side / 2, y + side / 2)
        text = point.text[:_LETTERS]
        pen.text(
            centre, text, font=fonts[len(text)], anchor="mm", fill="black" if light else "white"
        )
    return image


def _colour(level: float) -> _Colour:
    at = level * (len(_SCALE) - 1)
    red, green, blue = (
        round(float(np.interp(at, range(len(_SCALE)), part))) for part in zip(*_SCALE, strict=True)
    )
    return red, green, blue
