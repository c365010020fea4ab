"""The scale of an axis with values far below 0. Import this module late: it imports matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.scale import SymmetricalLogScale
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

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
    axis = axes.xaxis if which == "x" else axes.yaxis
    if scale != "far":
        axes.set(**{f"{which}scale": scale})
        if scale == "log":
            _label_few(axis)
        return
    axes.set(**{f"{which}scale": SymmetricalLogScale(axis, linthresh=1, linscale=2)})
    axis.set_major_locator(FixedLocator(_TICKS))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_tick_text))
    axes.autoscale_view()  # margins of this scale


def _label_few(axis: Axis) -> None:
    """Label decades of a wide logarithmic axis, 1, 2 and 5 of a narrower one, else round numbers."""
    low, high = axis.get_view_interval()
    decades = log10(high / low) if low > 0 else 0.0
    axis.set_major_locator(
        LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0))
        if decades > 1
        else MaxNLocator(6)
    )
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(_count_text))


def _count_text(value: float, _: object) -> str:
    """A count of a tick: 500, 20 k, 1.5 M."""
    for size, unit in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g}"


def _tick_text(value: float, _: object) -> str:
    if abs(value) < 1_000:
        return f"{value:g}"
    return f"${'-' if value < 0 else ''}10^{{{log10(abs(value)):.0f}}}$"
