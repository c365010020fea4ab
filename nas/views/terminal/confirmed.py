"""The confirmed winner of a search, in words."""

from __future__ import annotations

from collections.abc import Iterator

from nas.core.numbers import counted
from nas.runs.control.confirmation import Candidate, Confirmation
from nas.runs.run import Run
from nas.views.columns import mean_text, mean_unit, scores_text


def confirmed_lines(run: Run, confirmation: Confirmation) -> Iterator[str]:
    """Yield what the race of the best trials found: its winner, and the others beside it."""
    first, winner = run.objectives.first, confirmation.winner
    unit = mean_unit(first).replace(",", "")
    yield (
        f"confirmed: trial {winner.trial}{_others(run, winner.trial)}: {first.noun} "
        f"{mean_text(first, winner.mean, winner.half)}{unit} with "
        f"{counted(winner.seeds, 'other seed')} ({mean_text(first, winner.found)}{unit} in the search)"
    )
    parts, best = [], confirmation.candidates[0]
    others = [each for each in confirmation.candidates if each not in (winner, best)]
    if best is not winner:
        parts.append(
            f"{best.trial} has {mean_text(first, best.mean)}{unit}, which is within the noise: "
            f"{winner.trial} is better in {run.objectives.metrics[1].noun}"
        )
    if worse := [each for each in others if each.worse]:
        subject = "" if best is winner else f"{best.trial} is "
        parts.append(f"{subject}better than {_named(worse, with_p=True)}")
    if equal := [each for each in others if not each.worse]:
        noun = "trial" if len(equal) == 1 else "trials"
        parts.append(f"{noun} {_named(equal)} may be equal")
    if parts:  # none where all other candidates failed
        yield f"  {'; '.join(parts)}"


def _others(run: Run, number: int) -> str:
    """The further objectives of a trial in brackets; empty without any."""
    words = scores_text(run.objectives.metrics[1:], run.trial(number))
    return f" ({words})" if words else ""


def _named(candidates: list[Candidate], *, with_p: bool = False) -> str:
    """Numbers of trials in words: 3, 10 (p = 0.01) and 19."""
    names = [
        f"{each.trial} (p = {max(each.p, 0.001):.2g})"
        if with_p and each.p is not None
        else str(each.trial)
        for each in candidates
    ]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
