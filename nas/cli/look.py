"""`nas show`, `nas plot` and `nas tensorboard`: views of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.console import messages, print_json, results
from nas.cli.options import Json, RunPath, SpaceFile

if TYPE_CHECKING:
    from nas.analysis.mistakes.report import Mistakes
    from nas.core.trial import Trial
    from nas.runs.run import Run
    from search_spaces import SearchSpace


def show(
    run: RunPath,
    trial: Annotated[
        int | None, typer.Argument(metavar="TRIAL", help="Number of one trial to show in detail.")
    ] = None,
    json: Json = False,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print all trials as CSV, one per row.")
    ] = False,
    space: SpaceFile = None,
) -> None:
    """Show the front and the failures of a run, or one trial."""
    if csv and (json or trial is not None):
        raise ValueError("--csv prints all trials: drop --json and TRIAL")
    if csv:
        _show_csv(run, space)
    elif trial is None:
        show_run(run, as_json=json, space=space)
    else:
        _show_trial(run, trial, space, as_json=json)


def show_run(path: Path, *, as_json: bool, space: SearchSpace | str | None = None) -> Run:
    """Print the front, the failures, and the next commands; return the run."""
    from nas.runs.run import Run
    from nas.views.terminal.run import COMMAND, document, overview

    run = Run(path, space)
    known = space is not None or not run.settings.space_in_file
    opened = run.space if known else None  # without it, architectures are shown as plain text
    if as_json:
        print_json(document(run, opened))
        return run
    console = results()
    for part in overview(run, opened):
        whole = isinstance(part, str) and (not console.is_terminal or part.startswith(COMMAND))
        console.print(part, soft_wrap=whole)
    return run


def _show_trial(path: Path, number: int, space: str | None, *, as_json: bool) -> None:
    from nas.runs.run import Run
    from nas.views.terminal.trial import trial_document, trial_lines

    run = Run(path, space)
    trial = run.trial(number)
    mistakes = _mistakes(run, trial)
    if as_json:
        print_json(trial_document(run, trial, run.space, mistakes))
        return
    console = results()
    plain = not console.encoding.startswith("utf")
    for line in trial_lines(run, trial, run.space, mistakes=mistakes, plain=plain):
        console.print(line, soft_wrap=True)


def _mistakes(run: Run, trial: Trial) -> Mistakes | str | None:
    """The mistakes of a trial of the built-in training; None of another, or of one that failed."""
    from nas.analysis.context import AnalysisContext
    from nas.analysis.mistakes.of_trial import is_known, mistakes_or_reason
    from nas.runs.settings import TRAINING

    if not trial.completed or run.settings.evaluator != TRAINING:
        return None
    context = AnalysisContext.of(run)
    if is_known(context, trial):
        return mistakes_or_reason(context, trial)
    with messages().status("predicting the validation split"):  # on a terminal only
        return mistakes_or_reason(context, trial)


def _show_csv(path: Path, space: str | None) -> None:
    import sys

    from nas.runs.run import Run
    from nas.views.trials_csv import write_csv

    run = Run(path, space)
    write_csv(run, run.space, sys.stdout)


def plot(
    run: RunPath,
    to: Annotated[
        Path, typer.Option(help="Folder for all pictures, or a .png, .svg or .pdf file for one.")
    ],
    what: Annotated[
        str,
        typer.Option(
            help="Picture to write to a file: front, progress, lineage or architecture; of more than two "
            "objectives, a front for each pair, such as front_f1_and_parameters."
        ),
    ] = "front",
    theme: Annotated[str, typer.Option(help="Colours: light or dark.")] = "light",
    trial: Annotated[
        int | None,
        typer.Option(
            "--trial", help="Number of the trial whose architecture is drawn. Default: the best."
        ),
    ] = None,
    space: SpaceFile = None,
) -> None:
    """Draw the front, progress and lineage, and an architecture."""
    from nas.runs.run import Run
    from nas.views.pictures import save

    for path in save(Run(run, space), to, what=what, theme=theme, trial=trial):
        print(path)


def tensorboard(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders of runs.")],
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rewrite the TensorBoard files from the journal.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(help="Port to serve on. Default: the first free port from 6006 on."),
    ] = None,
    serve: Annotated[bool, typer.Option(help="Start TensorBoard, or only write its files.")] = True,
    space: SpaceFile = None,
) -> None:
    """Show runs in TensorBoard, on the loopback address."""
    from nas.runs.run import Run
    from nas.views.tensorboard.serving import free_port, prepare, serve_folder, welcome

    console = messages()
    opened = [Run(path, space) for path in runs]
    with prepare(opened, rebuild=rebuild, notify=console.print) as folder:
        if not serve:
            print(folder)
            return
        chosen = free_port(port)
        for line in welcome(chosen, sum(len(run.trials) for run in opened)):
            print(line, flush=True)
        serve_folder(folder, chosen)
