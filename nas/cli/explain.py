"""`nas explain`, `nas trust`, `nas gate` and `nas report`: importance, noise, baselines, a report."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.console import messages, print_json, results
from nas.cli.options import OWN, Json, RunPath, SpaceFile
from nas.cli.trainings_bar import trainings_bar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rich.table import Table


AblatedTrial = Annotated[
    int | None,
    typer.Option(
        "--trial",
        help="With --ablate: number of the trial. Default: the best.",
        rich_help_panel="Ablation",
    ),
]


FirstSeed = Annotated[
    int,
    typer.Option(
        "--seed",
        help="Base of the training seeds, 0 to 999; a new value repeats the trainings.",
        rich_help_panel="Ablation",
    ),
]


EvaluatorFile = Annotated[
    str | None,
    typer.Option(
        "--evaluator",
        metavar="FILE:NAME",
        help="Your evaluator, if the run has one: it trains the networks again, and is code.",
        rich_help_panel=OWN,
    ),
]


def explain(
    run: RunPath,
    by: Annotated[
        str, typer.Option(help="Estimate of importance: model, fanova or ped-anova.")
    ] = "model",
    top: Annotated[int, typer.Option(help="Number of decisions to show.")] = 10,
    ablate: Annotated[
        bool,
        typer.Option(
            "--ablate",
            help="Train every network that differs from the winner in one decision.",
            rich_help_panel="Ablation",
        ),
    ] = False,
    trial: AblatedTrial = None,
    one: Annotated[
        bool,
        typer.Option(
            "--one",
            help="With --ablate: train only one other option of each decision.",
            rich_help_panel="Ablation",
        ),
    ] = False,
    seeds: Annotated[
        int, typer.Option(help="With --ablate: trainings per network.", rich_help_panel="Ablation")
    ] = 3,
    seed: FirstSeed = 0,
    evaluator: EvaluatorFile = None,
    space: SpaceFile = None,
    json: Json = False,
) -> None:
    """Show which decisions matter, and the effect of each option, from 10 completed trials on.

    --ablate adds what each choice of the winner contributes. Its trainings are stored in the run; run the
    same command again to continue them.
    """
    from nas.analysis.explanation.explain import explain as explain_run
    from nas.analysis.retraining import ablation
    from nas.runs.run import Run
    from nas.views.terminal import explanation as tables

    if not ablate and (trial is not None or one):
        raise ValueError("--trial and --one are options of an ablation: add --ablate")
    if top < 1:
        raise ValueError(f"--top: want at least 1, got {top}")
    opened = Run(run, space)
    found = explain_run(opened, by)
    document: dict[str, Any] = {"run": str(run), **tables.explanation_document(found)}
    shown = list(tables.explanation_tables(found, top))
    if ablate:
        chosen = opened.best() if trial is None else opened.trial(trial)
        with trainings_bar() as (started, progress):
            ablated = ablation.ablate(
                opened,
                chosen,
                seeds=seeds,
                first=ablation.first_seed(seed),
                one=one,
                evaluator=evaluator,
                retry=True,
                begin=partial(_begin, started),
                progress=progress,
            )
        document["ablation"] = tables.ablation_document(ablated)
        shown += tables.ablation_tables(ablated)
    _show(document, shown, as_json=json)


def trust(
    run: RunPath,
    networks: Annotated[
        int, typer.Option(help="Networks to train again, evenly along the front.")
    ] = 5,
    seeds: Annotated[int, typer.Option(help="Trainings per network and length.")] = 3,
    longer: Annotated[
        int, typer.Option(help="The longer trainings take this many times the epochs.")
    ] = 4,
    seed: FirstSeed = 0,
    evaluator: EvaluatorFile = None,
    space: SpaceFile = None,
    json: Json = False,
) -> None:
    """Train networks of the front again, to see how much of their scores is noise.

    Networks of the front are trained with other seeds, and longer. The trainings are stored in the run; run the same command again to continue them.
    """
    from nas.analysis.retraining.ablation import first_seed
    from nas.analysis.retraining.trust import trust as trust_run
    from nas.runs.run import Run
    from nas.views.terminal.trust import trust_document, trust_tables

    opened = Run(run, space)
    with trainings_bar() as (started, progress):
        found = trust_run(
            opened,
            networks=networks,
            seeds=seeds,
            longer=longer,
            first=first_seed(seed),
            evaluator=evaluator,
            retry=True,
            begin=partial(_begin, started),
            progress=progress,
        )
    _show({"run": str(run), **trust_document(found)}, trust_tables(found), as_json=json)


def gate(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    seeds: Annotated[int, typer.Option(help="Trainings per network, 5 or more.")] = 5,
    workers: Annotated[int, typer.Option(help="Trials of the random search at a time.")] = 1,
    evaluator: EvaluatorFile = None,
    space: SpaceFile = None,
    json: Json = False,
) -> None:
    """Compare the winner with random search at equal cost, known networks, and simple models.

    All are trained alike with new seeds, and scored on the test split. What is missing is run and stored in the run; run the same command again to continue. Several runs that differ only in their seed tell if their strategy beats random search.
    """
    from nas.analysis.retraining.gate import over_searches
    from nas.gating import Messages, require_alike
    from nas.gating import gate as judge
    from nas.runs.control.gate import gate_document
    from nas.runs.resource_limits import ResourceLimits
    from nas.runs.run import Run
    from nas.views.terminal.gate import gate_lines, over_line

    opened = [Run(path, space) for path in runs]
    require_alike(opened)
    found = []
    for run in opened:
        with trainings_bar() as (begin, progress):
            told = Messages(begin=begin, progress=progress, notify=messages().print)
            limits = ResourceLimits(workers=workers)
            found.append(judge(run, seeds=seeds, evaluator=evaluator, limits=limits, messages=told))
    over = over_searches(found)
    if json:
        gates = [
            {"run": str(run.path), **gate_document(one)}
            for run, one in zip(opened, found, strict=True)
        ]
        print_json({"gates": gates, "over_searches": None if over is None else asdict(over)})
        return
    for run, one in zip(opened, found, strict=True):
        if len(opened) > 1:
            results().print(f"{run.path}:", soft_wrap=True)
        for line in gate_lines(run, one):
            results().print(line, soft_wrap=True)
    if over is not None:
        results().print(over_line(opened[0], over), soft_wrap=True)


def report(
    run: RunPath,
    to: Annotated[Path, typer.Option(help="File to write.")] = Path("report.html"),
    space: SpaceFile = None,
) -> None:
    """Write one self-contained HTML page about a run.

    It has pictures, importance, lineage, and the command that reproduces the run. Stored trainings of nas explain --ablate and nas trust are shown; nothing is trained.
    """
    from nas.runs.run import Run
    from nas.views.html.report import write_report

    write_report(Run(run, space), to)
    print(f"written to {to}: {to.stat().st_size / 1e6:.2f} MB, open it in a browser")


def _begin(started: Callable[[str, int], None], count: int, missing: int) -> None:
    """Start a bar of trainings, some of which are stored."""
    started(f"{count} trainings, {count - missing} of them stored already", missing)


def _show(document: Any, parts: Iterable[str | Table], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    console = results()
    for part in parts:
        console.print(part)
        console.print()
