"""The ways an evaluation can fail, as values."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from nas.core import schema

Cause = Literal["out-of-memory", "diverged", "timeout", "crashed", "invalid", "error"]

TRANSIENT: frozenset[Cause] = frozenset({"out-of-memory", "timeout", "crashed"})  # may pass
TRACEBACK = 20_000  # characters that are kept: those at the end
_MESSAGE, _FIRST_LINE = 1_000, 300  # characters
_FRAMES = -8  # of a traceback: the innermost


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a trial has no scores.

    A text too long for a journal is cut; control characters are replaced by their codes.

    Attributes:
        cause: "out-of-memory", "diverged", "timeout", "crashed", "invalid" or "error".
        message: One line.
        traceback: The end of the traceback; empty where there is none.
    """

    cause: Cause
    message: str
    traceback: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", schema.visible(_encodable(self.message[:_MESSAGE])))
        object.__setattr__(self, "traceback", _encodable(self.traceback[-TRACEBACK:]))

    def __str__(self) -> str:
        return f"{self.cause}: {self.message}"

    @classmethod
    def from_exception(cls, cause: Cause, error: BaseException) -> Failure:
        """Describe an exception that is being handled: its type, first line and traceback."""
        first = (str(error).strip().splitlines() or [""])[0][:_FIRST_LINE]
        name = type(error).__name__
        message = f"{name}: {first}" if first else name
        return cls(cause, message, traceback.format_exc(limit=_FRAMES))


class EvaluationFailed(Exception):  # noqa: N818 - the word for it
    """Raised by an evaluator to end an evaluation with a failure of a given cause."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(str(failure))
        self.failure = failure


class BudgetSpent(BaseException):
    """Raised by `job.report` when the time of the search is over: the evaluation ends here.

    The trial is recorded with the metrics of its last reported epoch. It is no `Exception`, so that
    `except Exception` lets it pass. A function may catch it to clean up, and to return the metrics
    of what it has.
    """


def cause_lines(failures: Iterable[Failure | None], most: int | None = None) -> list[str]:
    """The causes of failures with their counts, such as `5 x error: KeyError`, most frequent first.

    Args:
        failures: The failures; None, of a completed evaluation, is left out.
        most: The most causes that are returned; None for all.
    """
    causes = Counter(str(failure) for failure in failures if failure is not None)
    return [f"{count} x {cause}" for cause, count in causes.most_common(most)]


def _encodable(text: str) -> str:
    """Replace lone surrogates, which no file can hold."""
    return text.encode(errors="backslashreplace").decode()
