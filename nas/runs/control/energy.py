"""The energy of a run's sessions, in `energy.json`: that of trials, of the search itself, and idle."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.core import schema
from nas.core.budgets.spending import SEARCHED
from nas.core.numbers import energy as energy_text
from nas.core.trial import Trial
from nas.runs.atomic_io import write_whole
from nas.runs.control.fields import read_fields
from search_spaces import strict_json

FILE = "energy.json"
_MOST = 100_000  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnergy:
    """The energy of a run in watt-hours, those of earlier sessions included.

    Attributes:
        trials_wh: Energy of all trials, failed ones included.
        search_wh: Energy of the strategy and the rest of the search, workers' starts included.
        confirm_wh: Energy of the trainings that confirmed its winner, beside the trials.
        gate_wh: Energy of the baseline gate: its random search, trainings and simple models.
        idle_wh: Energy of the machine beside them, idle or at other work; 0 where it is estimated.
        source: Its origin: counters, such as "rapl" or "nvml+rapl", or "estimated"; both if sessions
            or parts of the machine differ.
        note: One line about the origin, such as the design power of an estimate.
        grams_per_kwh: Grams of CO2 by kWh, if the user gave them.
    """

    trials_wh: float = 0.0
    search_wh: float = 0.0
    confirm_wh: float = 0.0
    gate_wh: float = 0.0
    idle_wh: float = 0.0
    source: str = ""
    note: str = ""
    grams_per_kwh: float | None = None

    @property
    def wh(self) -> float:
        """The energy of the run."""
        return self.trials_wh + self.search_wh + self.confirm_wh + self.gate_wh + self.idle_wh

    @property
    def grams(self) -> float | None:
        """Grams of CO2 of the run; None without the user's figure."""
        return None if self.grams_per_kwh is None else self.grams_per_kwh * self.wh / 1000


def words(energy: RunEnergy) -> str:
    """The energy of a run in a line: its parts, its origin, and grams of CO2."""
    parts = {
        "trials": energy.trials_wh,
        "search": energy.search_wh,
        "confirmation": energy.confirm_wh,
        "gate": energy.gate_wh,
        "idle": energy.idle_wh,
    }
    said = ", ".join(f"{name} {energy_text(wh)}" for name, wh in parts.items() if wh)
    grams = "" if energy.grams is None else f", {energy.grams:.3g} g of CO2"
    return f"{energy_text(energy.wh)} ({said}; {energy.source}){grams}"


def read_energy(folder: Path, trials: Sequence[Trial]) -> RunEnergy | None:
    """The energy of a run; None if it is of a version that recorded none.

    After a kill it is that of its trials, and of the search until the last of them.

    Raises:
        ValueError: the file is damaged.
    """
    fields = read_fields(folder / FILE, _check, most=_MOST)
    found = RunEnergy(**(fields or {}))
    whole = max((float(t.measured.get(SEARCHED, 0.0)) for t in trials), default=0.0)
    if whole > found.wh + 1e-9:
        of_trials = sum(energy_of(trial) for trial in trials)
        sources = [str(t.measured.get("energy_source", "")) for t in trials]
        source = merged([found.source, *sources])
        found = RunEnergy(
            trials_wh=of_trials,
            search_wh=max(0.0, whole - of_trials - found.confirm_wh - found.gate_wh),
            confirm_wh=found.confirm_wh,
            gate_wh=found.gate_wh,
            source=source,
            note=found.note,
            grams_per_kwh=found.grams_per_kwh,
        )
    return found if found.source else None


def write_energy(folder: Path, energy: RunEnergy) -> None:
    """Record the energy of a run, if the file can be written: the journal does not need it."""
    with suppress(OSError):
        write_whole(folder / FILE, strict_json.dumps(asdict(energy)))


def energy_of(trial: Trial) -> float:
    """Watt-hours of the evaluation of a trial, without earlier stages; 0 if none are recorded."""
    return float(trial.measured.get("energy_wh", 0.0))


def merged(sources: Sequence[str]) -> str:
    """The kinds of several sources, each once, joined by "+"."""
    return "+".join(dict.fromkeys(kind for s in sources for kind in s.split("+") if kind))


def _check(fields: Any) -> None:
    if isinstance(fields, dict):
        fields.setdefault("gate_wh", 0.0)  # which earlier versions did not write
    _ENERGY(fields, "energy")


_ENERGY = schema.record(
    {
        "trials_wh": schema.number(0, 1e12),
        "search_wh": schema.number(0, 1e12),
        "confirm_wh": schema.number(0, 1e12),
        "gate_wh": schema.number(0, 1e12),
        "idle_wh": schema.number(0, 1e12),
        "source": schema.text(100),
        "note": schema.text(2_000),
        "grams_per_kwh": schema.maybe(schema.number(0, 1e6)),
    }
)
