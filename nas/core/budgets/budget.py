"""The budget of a search: trials, seconds and epochs, a goal, and patience."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from nas.core.constraints import Constraint

MOST_TRIALS = 1_000_000_000
MOST_SECONDS = 1_000_000_000

_NUMBER = r"(\d{1,10}(?:\.\d{1,3})?)"
_TIME = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in "dhms"))
_EPOCHS = re.compile(r"(\d{1,10})epochs?")
_ENERGY = re.compile(r"[\d.]+k?wh")
_SECONDS = (86_400, 3_600, 60, 1)  # of a day, an hour, a minute, a second
_WANTED = "want trials, a time or epochs, such as 200, 10m, 2h30m or 100epochs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Bounds of a search, which ends when the first of them is reached; None is no bound.

    Args:
        trials: Number of trials in all.
        seconds: Seconds of all sessions together, to milliseconds.
        epochs: Epochs of training in all.
        until: Bounds that end the search once one completed trial keeps all of them.
        patience: Number of trials in a row without improvement of the hypervolume.

    Raises:
        ValueError: a number is out of range.
    """

    trials: int | None = None
    seconds: float | None = None
    epochs: int | None = None
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

    @classmethod
    def parse(cls, given: object) -> Budget:
        """Read trials, a time and epochs: `200`, `10m`, `2h30m`, `100epochs`, or `200,10m`.

        Args:
            given: A text, a whole number of trials, a list of these, or a budget.

        Raises:
            ValueError: it is none of these, or names one kind twice.
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
        """Trials, time and epochs as `parse` reads them; empty without any."""
        parts = (
            None if self.trials is None else str(self.trials),
            None if self.seconds is None else time_text(self.seconds),
            None if self.epochs is None else f"{self.epochs}epochs",
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
    if _ENERGY.fullmatch(lower):
        raise ValueError(f"energy is not measured yet: {_WANTED}, got {text}")
    found = _TIME.fullmatch(lower)
    if not text or not found:
        raise ValueError(f"{_WANTED}, got {text!r}")
    pairs = zip(_SECONDS, found.groups(), strict=True)
    return "seconds", float(sum(each * Decimal(number or 0) for each, number in pairs))
