"""`nas explain`, `nas trust` and `nas report`: why, how sure, and a page to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.console import messages, print_json, results
from nas.cli.options import Json, RunPath, SpaceFile, TrialNumber
from nas.cli.stopping import Terminated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rich.table import Table

    from nas.core.trial import Trial

FirstSeed = Annotated[int, typer.Option("--seed", help="Another one: other seeds, trained anew.")]


def explain(
    run: RunPath,
    by: Annotated[
        str, typer.Option(help="How importance is estimated: model, fanova or ped-anova.")
    ] = "model",
    top: Annotated[int, typer.Option(help="Decisions to show.")] = 10,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Train what is one decision from the winner.")
    ] = False,
    trial: TrialNumber = None,
    one: Annotated[
        bool, typer.Option("--one", help="With --ablate: one other option of each decision.")
    ] = False,
    seeds: Annotated[int, typer.Option(help="With --ablate: trainings of each network.")] = 3,
    seed: FirstSeed = 0,
    space: SpaceFile = None,
    json: Json = False,
) -> None:
    """Why the winner won: what matters, and what each option and choice is worth.

    Trainings of --ablate are kept in the run, and continue when the command is run again.
    """
    from nas.analysis.explanation.explain import explain as explain_run
    from nas.analysis.retraining import ablation
    from nas.runs.run import Run
    from nas.views.terminal import explanation as tables

    if not ablate and (trial is not None or one):
        raise ValueError("--trial and --one say what to ablate: add --ablate")
    if top < 1:
        raise ValueError(f"--top: want at least 1, got {top}")
    opened = Run(run, space)
    found = explain_run(opened, by)
    document: dict[str, Any] = {"run": str(run), **tables.explanation_document(found)}
    shown = list(tables.explanation_tables(found, top))
    if ablate:
        chosen = opened.best() if trial is None else opened.trial(trial)
        with trainings_bar() as (begin, progress):
            ablated = ablation.ablate(
                opened,
                chosen,
                seeds=seeds,
                first=ablation.first_seed(seed),
                one=one,
                retry=True,
                begin=begin,
                progress=progress,
            )
        document["ablation"] = tables.ablation_document(ablated)
        shown += tables.ablation_tables(ablated)
    _show(document, shown, as_json=json)


def trust(
    run: RunPath,
    networks: Annotated[int, typer.Option(help="Of the front, evenly along it.")] = 5,
    seeds: Annotated[int, typer.Option(help="Trainings of each, at each length.")] = 3,
    longer: Annotated[int, typer.Option(help="Times as many epochs as in the search.")] = 4,
    seed: FirstSeed = 0,
    space: SpaceFile = None,
    json: Json = False,
) -> None:
    """How far the front can be trusted: some of it trained again, with other seeds and longer.

    The trainings are kept in the run, and continue when the command is run again.
    """
    from nas.analysis.retraining.ablation import first_seed
    from nas.analysis.retraining.trust import trust as trust_run
    from nas.runs.run import Run
    from nas.views.terminal.trust import trust_document, trust_tables

    opened = Run(run, space)
    with trainings_bar() as (begin, progress):
        found = trust_run(
            opened,
            networks=networks,
            seeds=seeds,
            longer=longer,
            first=first_seed(seed),
            retry=True,
            begin=begin,
            progress=progress,
        )
    _show({"run": str(run), **trust_document(found)}, trust_tables(found), as_json=json)


def report(
    run: RunPath,
    to: Annotated[Path, typer.Option(help="The file.")] = Path("report.html"),
    space: SpaceFile = None,
) -> None:
    """One self-contained page to send: pictures, importance, lineage, how to reproduce.

    What nas explain --ablate and nas trust have trained is in it; nothing is trained for it.
    """
    from nas.runs.run import Run
    from nas.views.html.report import write_report

    write_report(Run(run, space), to)
    print(f"written to {to}: {to.stat().st_size / 1e6:.2f} MB, open it in a browser")


def _show(document: Any, parts: Iterable[str | Table], *, as_json: bool) -> None:
    if as_json:
        print_json(document)
        return
    console = results()
    for part in parts:
        console.print(part)
        console.print()


@contextmanager
def trainings_bar() -> Iterator[tuple[Callable[[int, int], None], Callable[[Trial], None]]]:
    """A bar that fills as trainings are made; however they end, what was made is kept."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = messages()
    columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=console)
    task, started = bar.add_task("training", total=0), False

    def begin(wanted: int, missing: int) -> None:
        nonlocal started
        console.print(f"{wanted} trainings, of which {wanted - missing} are there already")
        if missing:
            bar.update(task, total=missing)
            bar.start()
            started = True

    def ended(_: Trial) -> None:
        bar.advance(task)
        if not console.is_terminal:
            made = bar.tasks[task]
            console.print(f"{made.completed:.0f} of {made.total:.0f} trainings")

    try:
        yield begin, ended
    except (KeyboardInterrupt, Terminated):
        console.print("stopped; what was trained is kept, the same command continues")
        raise
    finally:
        if started:  # else it would leave an empty line
            bar.stop()
