"""Numbers as people read them."""

from __future__ import annotations

from collections.abc import Sequence

_LARGE = 1e15  # of a number that is written out


def short(number: float) -> str:
    """1234567 as 1.23 M."""
    for factor, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= factor:
            return f"{number / factor:.2f}{unit}"
    return f"{number:.0f}"


def plain(number: float, digits: int = 4) -> str:
    """123456.7 as 123,457, 12.3456 as 12.35, 0.000123456 as 0.0001235, 1e20 as 1e+20."""
    if abs(number) < _LARGE and (abs(number) >= 1_000 or float(number).is_integer()):
        return f"{number:,.0f}"
    return f"{number:.{digits}g}"


def counted(number: int, noun: str) -> str:
    """1 as 1 epoch, 1200 as 1,200 epochs."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(texts: Sequence[str], most: int) -> str:
    """Texts as a, b, c and 1,234 more: at most so many of them."""
    more = len(texts) - most
    return ", ".join(texts[:most]) + (f" and {more:,} more" if more > 0 else "")


def energy(watt_hours: float) -> str:
    """1234.5 as 1.23 kWh, 1.234 as 1.23 Wh, 0.00123 as 1.23 mWh, 0.00000123 as 0.00123 mWh."""
    if watt_hours >= 1_000:
        return f"{watt_hours / 1_000:.3g} kWh"
    return f"{watt_hours:.3g} Wh" if watt_hours >= 1 else f"{1_000 * watt_hours:.3g} mWh"


def duration(seconds: float) -> str:
    """3725 as 1 h 2 min, 75 as 1 min 15 s, 7.46 as 7.5 s."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def sparkline(values: Sequence[float], *, plain: bool = False) -> str:
    """A curve as one line of blocks, from its lowest value to its highest; `plain`: in ASCII."""
    if not values:
        return ""
    blocks = _PLAIN if plain else _BLOCKS
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return "".join(blocks[round((value - low) / span * (len(blocks) - 1))] for value in values)


_BLOCKS = "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588"
_PLAIN = "_.-=+*#"
