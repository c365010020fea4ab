"""The checklist of best practices for a search, filled in from its run.

The practices are those of Lindauer and Hutter, "Best Practices for Scientific Research on Neural
Architecture Search", JMLR 2020, https://arxiv.org/abs/1909.02453, as far as one run can answer them.
"""

from __future__ import annotations

from collections.abc import Iterator

from nas.core.numbers import counted, duration
from nas.runs.control.energy import words
from nas.runs.run import Run
from nas.runs.settings import NO_DATA, TRAINING
from nas.views.columns import search_text
from nas.views.terminal.gate import where_text
from nas.views.terminal.run import epochs_of

Row = tuple[str, str]
HEAD: Row = ("practice", "this run")


def checklist_rows(run: Run) -> Iterator[Row]:
    """Yield each practice, and what the run says of it."""
    yield "code of the search and of the training", _code(run)
    yield "search space", _space(run)
    yield "data, and what was chosen by which", _data(run)
    yield "training of each network", _training(run)
    yield "hyperparameters", _hyperparameters(run)
    yield "seeds", _seeds(run)
    yield "cost from start to end", _cost(run)
    yield "hardware and software", _made(run)
    yield "performance over time", "under Budget on this page"
    yield "comparison with random search", _against(run, "random")
    yield "comparison with known networks, trained alike", _against(run, "known")
    yield "comparison with simple models of the task", _against(run, "simple")
    yield (
        "failures",
        f"{len(run.failures):,} of {counted(len(run.trials), 'trial')}: all are recorded",
    )


def unclaimed(run: Run) -> Iterator[str]:
    """Yield what the run does not show, and so cannot be claimed."""
    yield (
        f"That {run.settings.strategy} is better than another strategy: this is one search with one seed. "
        "nas compare tells runs of several seeds apart."
    )
    gate = run.gate
    if gate is None:
        yield f"That the winner beats any baseline: not asked. nas gate {run.path} compares them."
    elif gate.reason:
        yield f"That the winner beats any baseline: {gate.reason}."
    else:
        for each in gate.baselines:
            if each.verdict != "beaten":
                yield f"That the winner beats {each.name}: {_why(each.verdict, each.failed)}."
        if gate.split == "own":
            yield "That its scores hold for examples that nothing was chosen by: its evaluator has its own."
    if run.confirmation is None:
        yield "The scores of the search as those to expect: the best of many is partly luck."
    elif close := _close(run):
        yield f"That the winner is better than {close}: their scores with other seeds may be equal."
    if run.energy is not None and "estimated" in run.energy.source:
        yield "Its energy as measured: it is estimated."


def _why(verdict: str, failed: str) -> str:
    if verdict == "failed":
        return f"it was not compared, {failed}"
    return "it is beaten" if verdict == "better" else "not shown"


def _close(run: Run) -> str:
    """The candidates that the confirmation does not tell from the winner, in words."""
    assert run.confirmation is not None, "the caller has looked"
    others = [c for c in run.confirmation.candidates if c.trial != run.confirmation.recommended]
    close = [str(c.trial) for c in others if not c.worse]
    return f"trial {' and '.join(close)}" if close else ""


def _code(run: Run) -> str:
    version = run.header.made.get("versions", {}).get("nas", "")
    own = [name for name in run.header.code if "." not in name]
    text = f"this toolkit{f' {version}' if version else ''}; the command is below"
    return text + (f"; of the user's own: {', '.join(own)}, by SHA-256" if own else "")


def _space(run: Run) -> str:
    limits = ", ".join(map(str, run.objectives.constraints))
    return run.settings.space + (f", within {limits}" if limits else "")


def _data(run: Run) -> str:
    data = run.header.data
    if data is None or run.settings.data == NO_DATA:
        return "those of the evaluator, which this toolkit does not see"
    examples = data["examples"]
    judged = f"the validation split ({examples['validation']:,})"
    if run.settings.folds:
        judged = f"cross-validation with {run.settings.folds} folds"
    held = "there is no test split"
    if examples["test"]:
        held = f"nothing by the {examples['test']:,} examples of the test split"
    return (
        f"{data['name']}, {examples['train']:,} examples for training; trials were chosen by {judged}; "
        f"{held}"
    )


def _training(run: Run) -> str:
    if run.settings.evaluator != TRAINING:
        return f"{run.settings.evaluator}: as it trains"
    done = [trial for trial in run.trials if trial.completed]
    recipe = dict(done[0].recipe) if done else dict(run.settings.recipe)
    fixed = {name: value for name, value in recipe.items() if name not in run.settings.tune}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in fixed.items())


def _hyperparameters(run: Run) -> str:
    tuned = ", ".join(run.settings.tune) or "none were searched: the same for all networks"
    return f"of training: {tuned}; of the search: {search_text(run.settings)}, its other settings are defaults"


def _seeds(run: Run) -> str:
    parts = [f"search {run.settings.seed}", f"data {run.settings.data_seed}"]
    if run.confirmation is not None:
        count = run.confirmation.winner.seeds
        parts.append(f"the winner was trained again with {counted(count, 'other seed')}")
    if (gate := run.gate) is not None and not gate.reason:
        parts.append(f"the gate trained each network with {counted(gate.seeds, 'new seed')}")
    return "; ".join(parts)


def _cost(run: Run) -> str:
    seconds = sum(trial.seconds for trial in run.trials)
    parts = [
        counted(len(run.trials), "trial"),
        f"{duration(seconds)} of evaluation",
        counted(epochs_of(run), "epoch"),
    ]
    if run.ending is not None:
        parts.append(f"{duration(run.ending.seconds)} in all")
    if (gate := run.gate) is not None and gate.seconds:
        parts.append(f"{duration(gate.seconds)} of the gate")
    if run.energy is not None:
        parts.append(words(run.energy))
    if run.settings.learn_from:
        parts.append("earlier searches that it learned from come on top")
    return "; ".join(parts)


def _made(run: Run) -> str:
    made = {k: v for k, v in run.header.made.items() if k not in ("versions", "plugins")}
    made |= run.header.made.get("versions", {})
    return ", ".join(f"{name} {value}" for name, value in made.items())


def _against(run: Run, kind: str) -> str:
    gate = run.gate
    if gate is None:
        return "not asked"
    if gate.reason:
        return f"not shown: {gate.reason}"
    found = [each for each in gate.baselines if each.kind == kind]
    if not found:
        return "there is none"
    said = [f"{each.name}: {_SAID[each.verdict]}" for each in found]
    return f"{where_text(gate)}, {counted(gate.seeds, 'new seed')}: {'; '.join(said)}"


_SAID = {
    "beaten": "beaten",
    "not shown": "not shown to be beaten",
    "better": "better than the winner",
    "failed": "not compared",
}
