"""The forecast of a search, as data and as the two lines that are printed before its first trial."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import isinf
from typing import Any, NamedTuple

from nas.core.numbers import counted, duration, energy, plain, short
from nas.engine.planning.earlier_runs import Earlier
from nas.runs.understood import Line, line


class Range(NamedTuple):
    """Three numbers: of the smallest, the median and the largest member; or an interval."""

    low: float
    middle: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The forecast of a search.

    Attributes:
        architectures: Number of different architectures within the limits; infinite with real numbers,
            None where they are too few for an estimate from random draws.
        counted: True if they were counted one by one, or there are no limits.
        members: Number of all architectures of the space, those outside the limits too; None if not known.
        left_out: The reasons why others are not proposed, in words; empty if all may be.
        parameters: Parameters of random members; None where costs are not known.
        macs: Multiply-accumulates of the same members.
        trial_seconds: Seconds of a trial: fast, typical and slow ones; None where not forecast.
        trials: Number of trials, as the budget allows.
        epochs: Epochs of training in all.
        confirmation: Most trainings that confirm the winner at the end; 0 where there are none.
        seconds: Seconds of the whole search, the confirmation of its winner included: an interval that
            holds four times in five.
        watt_hours: Energy of the search, as estimated from its seconds; None on a GPU.
        memory_bytes: Memory that the largest training takes, as predicted.
        disk_bytes: Size of the folder of the run at its end.
        earlier: Best results of earlier runs on the same data.
        unknown: Reason why seconds are not forecast.
        before: Work before the first trial that is not forecast.
        took: Seconds that the forecast took.
    """

    architectures: float | None
    counted: bool
    members: float | None = None
    left_out: str = ""
    parameters: Range | None = None
    macs: Range | None = None
    trial_seconds: Range | None = None
    trials: int | None = None
    epochs: int | None = None
    confirmation: int = 0
    seconds: Range | None = None
    watt_hours: float | None = None
    memory_bytes: int | None = None
    disk_bytes: int | None = None
    earlier: tuple[Earlier, ...] = ()
    unknown: str = ""
    before: str = ""
    took: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        found = asdict(self)
        for name in ("architectures", "members"):
            if found[name] is not None and isinf(found[name]):
                found[name] = "infinite"
        return found

    @property
    def lines(self) -> tuple[Line, ...]:
        """Two lines for people: the space, and the search."""
        return line("members", self._members), line("forecast", self._search)

    @property
    def _members(self) -> str:
        said = [self._proposed]
        if self.parameters is not None:
            low, _, high = self.parameters
            said.append(f"random ones have {_span(short(low), short(high))} parameters")
        if self.macs is not None:
            low, _, high = self.macs
            said.append(f"{_span(short(low), short(high))} MACs")
        if self.trial_seconds is not None:
            low, middle, high = self.trial_seconds
            interval = f" ({_seconds(low)} to {_seconds(high)})" if low < high else ""  # of one
            said.append(f"a trial {_seconds(middle)}{interval}")
        return ", ".join(said)

    @property
    def _proposed(self) -> str:
        """The architectures that may be proposed, of how many, and the reason for the rest."""
        known, whole = self.architectures, self.members
        if known is not None and isinf(known):
            return "infinitely many architectures"
        if known is None:
            size = "few"
        else:
            size = _number(known) if self.counted else f"about {_number(float(f'{known:.2g}'))}"
        if not self.left_out or whole is None or known == whole:
            return f"{size} architecture{'' if known == 1 else 's'}"
        return f"{size} of {_number(whole)} architectures are proposed (the rest {self.left_out})"

    @property
    def _search(self) -> str:
        said = []
        if self.seconds is not None:
            low, middle, high = self.seconds
            parts = [] if self.trials is None else [counted(self.trials, "trial")]
            parts += [f"{self.confirmation} trainings to confirm the winner"] * bool(
                self.confirmation
            )
            work = f"{' and '.join(parts)} in " if parts else ""
            said.append(f"{work}about {duration(middle)} ({duration(low)} to {duration(high)})")
        else:
            said.append(self.unknown)
        if self.watt_hours is not None:
            said.append(f"energy about {energy(self.watt_hours)}, estimated")
        if self.before:
            said.append(f"before them {self.before}, not forecast")
        if self.memory_bytes is not None:
            said.append(f"memory of a training {_bytes(self.memory_bytes)}")
        if self.disk_bytes is not None:
            said.append(f"disk {_bytes(self.disk_bytes)}")
        said += [one.text for one in self.earlier[:1]]
        return "; ".join(filter(None, said))


def _span(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"


def _number(count: float) -> str:
    return f"{count:,.0f}" if count < 1e9 else f"{count:.1e}"


def _seconds(seconds: float) -> str:
    return f"{plain(seconds, 2)} s" if seconds < 10 else duration(seconds)


def _bytes(count: float) -> str:
    return f"{short(count)}B" if count >= 1e3 else f"{count:.0f} B"
