"""An evaluation that nothing escapes from, whatever the network or the evaluator does."""

from __future__ import annotations

import traceback
from contextlib import suppress
from math import isfinite

from nas.core.trial import Cause, Failure, Proposal
from nas.evaluators import Evaluator, Need, Outcome, Sizable
from nas.runs.atomic_io import is_full

LONGEST = 10_000  # characters of a traceback: a message in it may be of any length


def evaluate(evaluator: Evaluator, number: int, proposal: Proposal) -> Outcome:
    """The outcome of one evaluation; what is raised in it, `SystemExit` included, is a failure.

    Raises:
        OSError: the disk is full, which is no fault of this trial: it is to run again.
    """
    try:
        outcome = evaluator.evaluate(number, proposal)
    except MemoryError as error:
        return _failed("out-of-memory", error)
    except Exception as error:
        if isinstance(error, OSError) and is_full(error):
            raise
        return _failed("error", error)
    except SystemExit as error:
        return _failed("crashed", error)
    wrong = [name for name, score in outcome.scores.items() if not isfinite(score)]
    if wrong:
        message = f"{wrong[0]} is {outcome.scores[wrong[0]]}"
        return Outcome(recipe=outcome.recipe, failure=Failure("diverged", message))
    return outcome


def need(evaluator: Evaluator, proposal: Proposal) -> Need:
    """The memory that the evaluation is going to take; none where that cannot be said."""
    if isinstance(evaluator, Sizable):
        with suppress(Exception):  # whatever is wrong is told when it is evaluated
            return evaluator.need(proposal)
    return Need("", 0)


def rate(evaluator: Evaluator, proposal: Proposal, seconds: float) -> float:
    """Examples a second; 0 where that cannot be said."""
    if isinstance(evaluator, Sizable):
        with suppress(Exception):  # such as no memory for so many
            return evaluator.rate(proposal, seconds)
    return 0.0


def _failed(cause: Cause, error: BaseException) -> Outcome:
    first = (str(error).strip().splitlines() or [""])[0][:300]
    message = f"{type(error).__name__}: {first}" if first else type(error).__name__
    return Outcome(
        recipe={},
        failure=Failure(cause, message, traceback.format_exc(limit=-8)[-LONGEST:]),
    )
