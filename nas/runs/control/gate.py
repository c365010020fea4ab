"""The baseline gate of a run, in `gate.json`: its winner against baselines, on examples held out.

It is written by `nas.gating` and holds for the trials that the run had then.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from nas.core import schema
from nas.runs.atomic_io import write_whole
from nas.runs.control.fields import read_fields
from search_spaces import strict_json

FILE = "gate.json"
FOLDER = "gate"  # of the trainings and of the random search
_MOST = 1_000_000  # bytes
Kind = Literal["known", "random", "simple"]
Verdict = Literal["beaten", "not shown", "better", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A baseline of a search, and the difference of the winner to it.

    Attributes:
        verdict: "beaten" or "better" where the test tells the two apart, else "not shown"; "failed"
            where it has no score.
        kind: "known" for a known network of the space, "random" for random search at equal cost, or
            "simple" for a simple model of the task.
        name: Its name in words.
        note: Its circumstances; empty where there is nothing to say.
        failed: The reason for which it has no score; empty where it has one.
        seeds: Completed trainings.
        mean: Its mean score.
        difference: Improvement of the winner's mean over it, over common seeds.
        half: Half width of the 95 % interval of the difference; None for fewer than two seeds.
        p: p-value of the test that tells the two apart, adjusted for all baselines by Holm's method;
            None where there is none. Of random search it is the larger of two: of the difference of
            the winners, and of `top`.
        superiority: Probability that a training of the winner is better than one of it.
        top: Numbers of this search's trials among the best of both searches, and of these; of random
            search alone.
    """

    verdict: Verdict
    kind: Kind
    name: str
    note: str = ""
    failed: str = ""
    seeds: int = 0
    mean: float | None = None
    difference: float | None = None
    half: float | None = None
    p: float | None = None
    superiority: float | None = None
    top: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The winner of a run against its baselines.

    Attributes:
        trials: Number of trials that the run had.
        winner: Number of the trial that won.
        metric: Name of the first objective.
        split: "test" for scores on the test split, which the search did not choose by; "own" for those
            of an evaluator of the user's own.
        examples: Number of examples of that split; None where they are not known.
        epochs: Epochs of each training.
        seeds: Trainings of each network.
        seconds: Seconds of all its trainings, those of the random search included.
        mean: Mean score of the winner; None without a completed training.
        half: Half width of its 95 % interval.
        random_trials: Number of trials of the random search.
        reason: The reason for which nothing was compared; empty otherwise.
        baselines: The baselines.
    """

    trials: int
    winner: int
    metric: str
    split: Literal["test", "own"]
    examples: int | None
    epochs: int
    seeds: int
    seconds: float
    mean: float | None
    half: float | None
    random_trials: int
    reason: str
    baselines: tuple[Baseline, ...]


def read_gate(folder: Path, trials: int) -> Gate | None:
    """The gate of a run; None where there is none, or the run has other trials since.

    Args:
        folder: The folder of the run.
        trials: Number of its trials.

    Raises:
        ValueError: the file is damaged.
    """
    fields = read_fields(folder / FILE, _check, most=_MOST)
    if fields is None or fields["trials"] != trials:
        return None
    baselines = tuple(
        Baseline(**{**each, "top": None if each["top"] is None else tuple(each["top"])})
        for each in fields["baselines"]
    )
    return Gate(**{**fields, "baselines": baselines})


def write_gate(folder: Path, gate: Gate) -> None:
    """Record the gate of a run, in place of that before."""
    write_whole(folder / FILE, strict_json.dumps(gate_document(gate)))


def gate_document(gate: Gate) -> dict[str, Any]:
    """A gate as plain data."""
    fields = asdict(gate)
    rows = [{**row, "top": row["top"] and [*row["top"]]} for row in fields["baselines"]]
    return {**fields, "baselines": rows}


def _check(fields: Any) -> None:
    if isinstance(fields, dict):
        fields.setdefault("seconds", 0.0)  # which earlier versions did not write
    _GATE(fields, "gate")
    if fields["winner"] >= fields["trials"]:
        raise schema.refuse("winner", f"a trial below {fields['trials']}", fields["winner"])


_SCORE = schema.maybe(schema.number(-1e300, 1e300))
_SHARE = schema.maybe(schema.number(0, 1))
_WIDTH = schema.maybe(schema.number(0, 1e300))
_GATE = schema.record(
    {
        "trials": schema.whole(1),
        "winner": schema.whole(),
        "metric": schema.text(80),
        "split": schema.one_of(("test", "own")),
        "examples": schema.maybe(schema.whole()),
        "epochs": schema.whole(1),
        "seeds": schema.whole(1),
        "seconds": schema.number(0, 1e12),
        "mean": _SCORE,
        "half": _WIDTH,
        "random_trials": schema.whole(),
        "reason": schema.text(),
        "baselines": schema.items(
            schema.record(
                {
                    "verdict": schema.one_of(get_args(Verdict)),
                    "kind": schema.one_of(get_args(Kind)),
                    "name": schema.text(),
                    "note": schema.text(),
                    "failed": schema.text(),
                    "seeds": schema.whole(),
                    "mean": _SCORE,
                    "difference": _SCORE,
                    "half": _WIDTH,
                    "p": _SHARE,
                    "superiority": _SHARE,
                    "top": schema.maybe(schema.items(schema.whole(), least=2, most=2)),
                }
            ),
            most=100,
        ),
    }
)
