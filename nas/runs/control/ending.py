"""The end of a run's last session, in `ended.json`: there is none while it runs or after a kill."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from nas.core import schema
from nas.core.budgets.spending import Reason
from nas.runs.atomic_io import write_whole
from nas.runs.control.fields import read_fields
from search_spaces import strict_json

FILE = "ended.json"
_MOST = 100_000  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The end of the last session of a search.

    Args:
        reason: The kind of end: "trials", "time", "epochs", "until", "patience", "exhausted",
            "stopped" (by the program), "interrupted" (by a signal) or "failed".
        message: One line, such as "200 of 200 trials".
        when: The time in UTC, ISO 8601.
        trials: Number of trials recorded, those of earlier sessions included.
        seconds: Seconds of the search, those of earlier sessions included.
        cut: Numbers of the trials that the end of the search's time stopped in this session.
    """

    reason: Reason
    message: str
    when: str
    trials: int
    seconds: float
    cut: tuple[int, ...] = ()

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def read_ending(folder: Path) -> Ending | None:
    """The end of the last session; None while it runs, after a kill, and in older runs.

    Raises:
        ValueError: the file is damaged.
    """
    fields = read_fields(folder / FILE, lambda found: _ENDING(found, "ending"), most=_MOST)
    if fields is None:
        return None
    return Ending(**{**fields, "cut": tuple(fields["cut"])})


def write_ending(
    folder: Path,
    reason: Reason,
    message: str,
    *,
    trials: int,
    seconds: float,
    cut: Iterable[int] = (),
) -> None:
    """Record the end of a session, if the file can be written: the journal does not need it."""
    ending = Ending(
        reason=reason,
        message=schema.visible(message)[:1_000],
        when=datetime.now(UTC).isoformat(timespec="seconds"),
        trials=trials,
        seconds=round(seconds, 3),
        cut=tuple(cut),
    )
    with suppress(OSError):
        write_whole(folder / FILE, strict_json.dumps({**asdict(ending), "cut": list(ending.cut)}))


def forget_ending(folder: Path) -> None:
    """Remove the end of the session before, when a new one begins."""
    (folder / FILE).unlink(missing_ok=True)


_ENDING = schema.record(
    {
        "reason": schema.one_of(get_args(Reason)),
        "message": schema.text(),
        "when": schema.text(40),
        "trials": schema.whole(),
        "seconds": schema.number(0, 1e12),
        "cut": schema.items(schema.whole()),
    }
)
