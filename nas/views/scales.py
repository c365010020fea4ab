"""The scale of an axis with values far below 0. Import this module late: it imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.scale import SymmetricalLogScale
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

Scale = Literal["log", "linear", "far"]

_FAR = 10.0  # below 0, and as many times as far from it as the best value
_DECADES = [10.0**power for power in range(1, 13)]
_TICKS = [*(-value for value in reversed(_DECADES)), -1, -0.5, 0, 0.5, 1, *_DECADES]


def reaches_far(values: Sequence[float]) -> bool:
    """True if some values are so far below 0 that others could not be told apart beside them.

    The R² of a network that has learnt nothing yet may be -1,000, and that of all others 0 to 1.
    """
    return bool(values) and min(values) < -_FAR and max(values) > min(values) / _FAR


def set_scale(axes: Axes, which: Literal["x", "y"], scale: Scale) -> None:
    """Set the scale of an axis; "far" is linear from -1 to 1 and logarithmic beyond."""
    if scale != "far":
        axes.set(**{f"{which}scale": scale})
        return
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": SymmetricalLogScale(axis, linthresh=1, linscale=2)})
    axis.set_major_locator(FixedLocator(_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_tick_text))
    axes.autoscale_view()  # margins of this scale


def _tick_text(value: float, _: object) -> str:
    if abs(value) < 1_000:
        return f"{value:g}"
    return f"${'-' if value < 0 else ''}10^{{{log10(abs(value)):.0f}}}$"
