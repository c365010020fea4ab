"""The winner of a search against its baselines, in words."""

from __future__ import annotations

from collections.abc import Iterator

from nas.analysis.retraining.gate import OverSearches
from nas.core.metrics import Metric
from nas.core.numbers import counted, duration
from nas.runs.control.gate import Baseline, Gate
from nas.runs.run import Run
from nas.views.columns import gain_text, mean_text, mean_unit

_LEAST_P = 0.001  # smaller p-values are said to be below it
GATE_HEAD = ("the winner", "", "its score", "difference (95 %)", "p (Holm)", "better in")
VERDICTS = {
    "beaten": "beats",
    "not shown": "not shown to beat",
    "better": "is beaten by",
    "failed": "not compared with",
}


def gate_lines(run: Run, gate: Gate) -> Iterator[str]:
    """Yield what the gate found: the winner's score, then a line for each baseline."""
    if gate.reason:
        yield f"gate: trial {gate.winner} is not shown to beat any baseline: {gate.reason}"
        return
    yield f"gate: {gate_title(run, gate)}"
    for baseline in gate.baselines:
        yield f"  {baseline_line(run.objectives.first, baseline)}"


def over_line(run: Run, over: OverSearches) -> str:
    """The verdict on random search over several searches."""
    first, found = run.objectives.first, over.difference
    unit = " points" if first.is_share else f" {first.unit}".rstrip()
    said = f"{gain_text(first, found.mean, found.half)}{unit}, {_p_text(found.p)}"
    return (
        f"over {over.searches} searches: {run.settings.strategy} {VERDICTS[over.verdict]} random search at "
        f"equal cost: {said}"
    )


def gate_title(run: Run, gate: Gate) -> str:
    """The score of the winner, and its circumstances."""
    first = run.objectives.first
    assert gate.mean is not None, "else there is a reason"
    unit = mean_unit(first).replace(",", "")
    return (
        f"trial {gate.winner}: {first.noun} {mean_text(first, gate.mean, gate.half)}{unit} "
        f"{where_text(gate)}, {counted(gate.seeds, 'new seed')}{_spent(gate)}"
    )


def _spent(gate: Gate) -> str:
    """The time of the gate; empty where it is not known."""
    return f" ({duration(gate.seconds)} of training in all)" if gate.seconds else ""


def where_text(gate: Gate) -> str:
    """The examples that the scores are of, in words."""
    if gate.split == "own":
        return "by its own evaluator, which may have chosen by the same examples"
    examples = "" if gate.examples is None else f" ({gate.examples:,} examples)"
    return f"on the test split{examples}"


def baseline_line(metric: Metric, baseline: Baseline) -> str:
    """The verdict on a baseline, with its score, the difference and the p-value."""
    subject = f"{VERDICTS[baseline.verdict]} {baseline.name}"
    if baseline.mean is None:
        return f"{subject}: {baseline.failed}"
    score = f"{mean_text(metric, baseline.mean)}{mean_unit(metric).replace(',', '')}"
    note = f", {baseline.note}" if baseline.note else ""
    details = [difference_text(metric, baseline), p_text(baseline)]
    if may_be_equal(baseline):
        details.append("may be as good")
    details.append(top_text(baseline))
    return f"{subject} ({score}{note}): {', '.join(text for text in details if text)}"


def gate_rows(run: Run, gate: Gate) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each baseline of the gate, as `GATE_HEAD` names them."""
    first = run.objectives.first
    for each in gate.baselines:
        verdict = f"{VERDICTS[each.verdict]} {each.name}"
        if each.mean is None:
            yield verdict, each.failed, "", "", "", ""
            continue
        yield (
            verdict,
            "; ".join(text for text in (each.note, top_text(each)) if text),
            mean_text(first, each.mean),
            difference_text(first, each),
            p_text(each),
            effect_text(each),
        )


def may_be_equal(baseline: Baseline) -> bool:
    """True if the interval of the difference holds 0."""
    return (
        baseline.verdict == "not shown"
        and baseline.difference is not None
        and (baseline.half is None or abs(baseline.difference) <= baseline.half)
    )


def difference_text(metric: Metric, baseline: Baseline) -> str:
    """The difference of the winner to a baseline, with its interval."""
    unit = " points" if metric.is_share else f" {metric.unit}".rstrip()
    return f"{gain_text(metric, baseline.difference, baseline.half)}{unit}"


def p_text(baseline: Baseline) -> str:
    """The adjusted p-value; empty without one."""
    return "" if baseline.p is None else _p_text(baseline.p)


def _p_text(p: float | None) -> str:
    if p is None:
        return "p unknown"
    return f"p < {_LEAST_P}" if p < _LEAST_P else f"p = {p:.2g}"


def top_text(baseline: Baseline) -> str:
    """The share of the best networks of both searches; empty but for random search."""
    if baseline.top is None:
        return ""
    ours, of = baseline.top
    return f"{ours} of the {of} best networks of both searches are of this one"


def effect_text(baseline: Baseline) -> str:
    """The probability that one training of the winner beats one of the baseline; empty without one."""
    return "" if baseline.superiority is None else f"{baseline.superiority:.0%}"
