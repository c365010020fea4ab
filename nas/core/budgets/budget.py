"""The budget of a search: trials, seconds, epochs and energy, a goal, and patience."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from nas.core.constraints import Constraint

MOST_TRIALS = 1_000_000_000
MOST_SECONDS = 1_000_000_000
MOST_WATT_HOURS = 1_000_000_000

_NUMBER = r"(\d{1,10}(?:\.\d{1,3})?)"
_TIME = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in "dhms"))
_EPOCHS = re.compile(r"(\d{1,10})epochs?")
_ENERGY = re.compile(r"(\d{1,10}(?:\.\d{1,6})?)(m|k|)wh")
_WATT_HOURS = {"m": Decimal("0.001"), "": Decimal(1), "k": Decimal(1000)}
_SECONDS = (86_400, 3_600, 60, 1)  # of a day, an hour, a minute, a second
_WANTED = "want trials, a time, epochs or energy, such as 200, 10m, 2h30m, 100epochs or 5Wh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Bounds of a search, which ends when the first of them is reached; None is no bound.

    Args:
        trials: Number of trials in all.
        seconds: Seconds of all sessions together, to milliseconds.
        epochs: Epochs of training in all.
        watt_hours: Energy of all sessions together, in Wh, to microwatt-hours.
        until: Bounds that end the search once one completed trial keeps all of them.
        patience: Number of trials in a row without improvement of the hypervolume.

    Raises:
        ValueError: a number is out of range.
    """

    trials: int | None = None
    seconds: float | None = None
    epochs: int | None = None
    watt_hours: float | None = None
    until: tuple[Constraint, ...] = ()
    patience: int | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "epochs", "patience"):
            value = getattr(self, name)
            if value is not None and (type(value) is not int or not 1 <= value <= MOST_TRIALS):
                raise ValueError(f"{name}: want 1 to {MOST_TRIALS:,}, got {value}")
        if self.seconds is not None:
            object.__setattr__(self, "seconds", round(float(self.seconds), 3))
            if not 0 < self.seconds <= MOST_SECONDS:
                raise ValueError(f"want a time above 0 and up to {MOST_SECONDS:,} s")
        if self.watt_hours is not None:
            object.__setattr__(self, "watt_hours", round(float(self.watt_hours), 6))
            if not 0 < self.watt_hours <= MOST_WATT_HOURS:
                raise ValueError(f"want an energy above 0 and up to {MOST_WATT_HOURS:,} Wh")

    @classmethod
    def parse(cls, given: object) -> Budget:
        """Read trials, a time, epochs and energy: `200`, `2h30m`, `100epochs`, `5Wh`, or `200,10m`.

        Args:
            given: A text, a whole number of trials, a list of these, or a budget.

        Raises:
            ValueError: it is none of these, or names one kind twice.

        Examples:
            >>> import nas
            >>> nas.Budget.parse("200,10m").seconds
            600.0
        """
        if isinstance(given, Budget):
            return given
        items = given if isinstance(given, list | tuple) else [given]
        texts = [part.strip() for item in items for part in _text_of(item).split(",")]
        found: dict[str, int | float] = {}
        for text in texts:
            kind, amount = _amount(text)
            if kind in found:
                raise ValueError(f"want {kind} once, got {','.join(texts)}")
            found[kind] = amount
        return cls(**found)  # type: ignore[arg-type]

    def __str__(self) -> str:
        """Trials, time, epochs and energy as `parse` reads them; empty without any."""
        parts = (
            None if self.trials is None else str(self.trials),
            None if self.seconds is None else time_text(self.seconds),
            None if self.epochs is None else f"{self.epochs}epochs",
            None if self.watt_hours is None else energy_text(self.watt_hours),
        )
        return ",".join(part for part in parts if part is not None)


def least(bounds: Iterable[int | None]) -> int | None:
    """The least of the bounds that there are."""
    return min((bound for bound in bounds if bound is not None), default=None)


def time_text(seconds: float) -> str:
    """9000 as 2h30m, 90 as 1m30s, 0.5 as 0.5s."""
    whole = round(seconds * 1000)
    minutes, milliseconds = divmod(whole, 60_000)
    hours, minutes = divmod(minutes, 60)
    rest = f"{Decimal(milliseconds) / 1000:f}s" if milliseconds or not whole else ""
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if minutes else "") + rest


def energy_text(watt_hours: float) -> str:
    """5 as 5Wh, 0.25 as 250mWh, 5000 as 5kWh."""
    exact = Decimal(str(round(watt_hours, 6)))
    prefix = "m" if exact < 1 else "k" if exact >= 1000 and not exact % 1 else ""
    return f"{(exact / _WATT_HOURS[prefix]).normalize():f}{prefix}Wh"


def _text_of(item: object) -> str:
    if isinstance(item, str):
        return item
    if type(item) is not int:
        raise ValueError(f"{_WANTED}, got {item!r}")
    return str(item)


def _amount(text: str) -> tuple[str, int | float]:
    """The kind of one part of a budget, and its amount."""
    lower = text.lower()
    if lower.isdecimal() and len(lower) <= 10:
        return "trials", int(lower)
    if found := _EPOCHS.fullmatch(lower):
        return "epochs", int(found[1])
    if found := _ENERGY.fullmatch(lower):
        return "watt_hours", float(Decimal(found[1]) * _WATT_HOURS[found[2]])
    found = _TIME.fullmatch(lower)
    if not text or not found:
        raise ValueError(f"{_WANTED}, got {text!r}")
    pairs = zip(_SECONDS, found.groups(), strict=True)
    return "seconds", float(sum(each * Decimal(number or 0) for each, number in pairs))
