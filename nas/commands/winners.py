"""`nas export` and `nas retrain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.commands.console import messages, print_json
from nas.commands.options import Device, Force, Json, MaxParams, RunPath, Select, TrialNumber

if TYPE_CHECKING:
    from nas.run import Run
    from nas.trial import Trial


def export(
    run: RunPath,
    to: Annotated[Path, typer.Option(help="The folder of the bundle.")],
    trial: TrialNumber = None,
    select: Select = "best",
    max_params: MaxParams = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Take a trained network away: a bundle that `nas.load_bundle` reads."""
    from nas.run import Run

    opened = Run(run)
    chosen = _choose(opened, trial, select, max_params)
    bundle = opened.export(chosen, to, force=force)
    if json:
        print_json({"bundle": str(to), "trial": chosen.number, "scores": dict(chosen.scores)})
    else:
        print(
            f"{bundle.path}: trial {chosen.number}, "
            f"{chosen.scores['accuracy']:.2%} validation accuracy, "
            f"{chosen.scores['parameters']:,} parameters"
        )
        print(f"load it with nas.load_bundle({str(to)!r})")


def retrain(
    source: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A run or a bundle.")],
    epochs: Annotated[int, typer.Option(help="Passes over training and validation data.")] = 100,
    to: Annotated[
        Path | None, typer.Option(help="The folder of the bundle. Default: beside the source.")
    ] = None,
    trial: TrialNumber = None,
    select: Select = "best",
    max_params: MaxParams = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="FILE:VARIABLE, if the search space is in a file of your own: it is run."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, order and augmentation.")] = 0,
    device: Device = "auto",
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a winner properly, report its test accuracy once, and write a bundle."""
    from nas.bundle import open_bundle
    from nas.evaluators.retraining import Winner, retrain
    from nas.results.live import epochs_bar
    from nas.run import Run

    if epochs < 1:
        raise ValueError(f"--epochs: want at least 1, got {epochs}")
    if (source / "manifest.json").is_file():
        if trial is not None or max_params is not None:
            raise ValueError(
                f"{source} is a bundle, which is one network: drop --trial and --max-params"
            )
        winner = Winner.of_bundle(open_bundle(source), space)
        target = to or source.with_name(f"{source.name}-retrained")
    else:
        run = Run(source, space)
        chosen = _choose(run, trial, select, max_params)
        winner = Winner.of_trial(run, chosen)
        target = to or source / "retrained" / f"trial-{chosen.number:05d}"
    with epochs_bar(epochs, messages()) as progress:
        bundle = retrain(
            winner, target, epochs=epochs, seed=seed, device=device, force=force, progress=progress
        )
    accuracy = bundle.metrics["test"]["accuracy"]
    if json:
        print_json(
            {
                "bundle": str(target),
                "epochs": epochs,
                "test_accuracy": accuracy,
                "parameters": bundle.metrics["parameters"],
            }
        )
    else:
        print(
            f"test accuracy {accuracy:.2%} ({bundle.metrics['test']['examples']} examples), "
            f"{bundle.metrics['parameters']:,} parameters, {epochs} epochs"
        )
        print(f"written to {target}; load it with nas.load_bundle({str(target)!r})")


def _choose(run: Run, trial: int | None, select: str, max_params: int | None) -> Trial:
    if trial is not None:
        return run.trial(trial)
    return run.best(select, max_parameters=max_params)
