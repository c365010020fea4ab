"""The reading of input arrays: the meaning of their axes and of their numbers, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args

# Axes: N examples, D values, L steps, C channels, H height, W width.
Layout = Literal["ND", "NL", "NCL", "NLC", "NHW", "NCHW", "NHWC"]
Pixels = Literal["whole", "fractions", "numbers"]
LAYOUTS: tuple[str, ...] = get_args(Layout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The reading of an array of inputs; that of the training part is that of all parts.

    Attributes:
        layout: The axes: vectors (ND), sequences of one channel (NL) or several, grey images (NHW)
            or images with channels.
        pixels: The numbers of images: whole from 0 to 255, fractions from 0 to 1 (the greatest at
            least 1/2), which are stored as 0 to 255, or any numbers, which stay as they are; None for
            what is no image.

    Raises:
        ValueError: The layout or the pixels are unknown, or do not fit each other.
    """

    layout: Layout
    pixels: Pixels | None = None

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout: want {', '.join(LAYOUTS)}, got {self.layout!r}")
        if self.pixels not in (get_args(Pixels) if self.is_image else (None,)):
            raise ValueError(f"pixels: {self.pixels!r} does not fit the layout {self.layout}")

    @property
    def is_image(self) -> bool:
        """True if the examples are images."""
        return "H" in self.layout

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: A value is not allowed.
        """
        return cls(layout=fields["layout"], pixels=fields["pixels"])
