"""The confirmation of a run's winner, in `confirmation.json`: its rivals, trained again.

It is written by `nas.analysis.retraining.confirm` and holds for the trials that the run had then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nas.core import schema
from nas.runs.atomic_io import write_whole
from nas.runs.control.fields import read_fields
from search_spaces import strict_json

FILE = "confirmation.json"
_MOST = 100_000  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A trial that was trained again with other seeds.

    Attributes:
        trial: Its number.
        found: Its score in the first objective, in the search.
        seeds: Completed trainings with other seeds.
        mean: Their mean score, drawn to that of all candidates as far as noise explains the differences.
        half: Half width of the 95 % interval of the mean, which allows for the choice of the best of
            all candidates; None after one seed.
        p: p-value of its difference to the best candidate, adjusted by Holm's method; None for the
            best, and after one seed.
        worse: True if it was surely worse, and dropped out.
    """

    trial: int
    found: float
    seeds: int
    mean: float
    half: float | None
    p: float | None
    worse: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation:
    """The candidates for the winner after a race; the first has the best mean.

    Attributes:
        trials: Number of trials that the run had.
        epochs: Epochs of each training.
        candidates: The candidates, the best mean first.
        recommended: Number of the trial that is recommended: of those within one standard error
            of the best, the best in the other objectives.
        deviation: Standard deviation of a score over seeds, of all candidates together; None if it
            is not known.
    """

    trials: int
    epochs: int
    candidates: tuple[Candidate, ...]
    recommended: int
    deviation: float | None = None

    @property
    def winner(self) -> Candidate:
        """The recommended candidate."""
        return next(c for c in self.candidates if c.trial == self.recommended)


def read_confirmation(folder: Path, trials: int) -> Confirmation | None:
    """The confirmation of a run; None where there is none, or the run has other trials since.

    Args:
        folder: The folder of the run.
        trials: Number of its trials.

    Raises:
        ValueError: the file is damaged.
    """
    fields = read_fields(folder / FILE, _check, most=_MOST)
    if fields is None or fields["trials"] != trials:
        return None
    candidates = tuple(Candidate(**each) for each in fields["candidates"])
    return Confirmation(**{**fields, "candidates": candidates})


def write_confirmation(folder: Path, confirmation: Confirmation) -> None:
    """Record the confirmation of a run, in place of that before."""
    fields = asdict(confirmation)
    write_whole(folder / FILE, strict_json.dumps({**fields, "candidates": [*fields["candidates"]]}))


def _check(fields: Any) -> None:
    if isinstance(fields, dict):
        fields.setdefault("deviation", None)  # which earlier versions did not write
    _CONFIRMATION(fields, "confirmation")
    if all(each["trial"] != fields["recommended"] for each in fields["candidates"]):
        raise schema.refuse("recommended", "a candidate", fields["recommended"])
    if any(each["trial"] >= fields["trials"] for each in fields["candidates"]):
        raise schema.refuse("candidates", f"trials below {fields['trials']}", "another")


_SCORE = schema.number(-1e300, 1e300)
_CONFIRMATION = schema.record(
    {
        "trials": schema.whole(1),
        "epochs": schema.whole(1),
        "recommended": schema.whole(),
        "deviation": schema.maybe(schema.number(0, 1e300)),
        "candidates": schema.items(
            schema.record(
                {
                    "trial": schema.whole(),
                    "found": _SCORE,
                    "seeds": schema.whole(1),
                    "mean": _SCORE,
                    "half": schema.maybe(schema.number(0, 1e300)),
                    "p": schema.maybe(schema.number(0, 1)),
                    "worse": schema.flag,
                }
            ),
            least=1,
            most=100,
        ),
    }
)
