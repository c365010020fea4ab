"""The commands `nas export` and `nas retrain`."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nas.cli.console import messages, print_json
from nas.cli.options import (
    NETWORK,
    TRAINING,
    Device,
    Force,
    Json,
    LossFile,
    MaxParams,
    RunPath,
    Select,
    SpaceFile,
    TrialNumber,
)
from nas.runs.option import parse_recipe

if TYPE_CHECKING:
    from nas.bundles.bundle import Bundle
    from nas.core.trial import Trial
    from nas.runs.run import Run
    from trainers import Epoch


Seeds = Annotated[
    int,
    typer.Option(
        help="Train with so many seeds on the training split alone, print the noise of a seed, and "
        "keep the network that is best on the validation split.",
        rich_help_panel=TRAINING,
    ),
]
RecipeFields = Annotated[
    str | None,
    typer.Option(
        help="Fields of the recipe to change, as in learning_rate=0.05,optimizer=adamw.",
        rich_help_panel=TRAINING,
    ),
]


def export(
    run: RunPath,
    to: Annotated[Path, typer.Option(help="The folder of the bundle.")],
    trial: TrialNumber = None,
    select: Select = "best",
    max_params: MaxParams = None,
    retrain: Annotated[
        int | None,
        typer.Option(
            help="First train the network from scratch for this many epochs; its stored weights are not needed.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    seeds: Seeds = 1,
    recipe: RecipeFields = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            help="Export an ensemble of at most this many trials that predict well together; search with "
            "--keep, or only trials of the front have weights. --max-params is for the whole.",
            rich_help_panel=NETWORK,
        ),
    ] = None,
    space: SpaceFile = None,
    loss: LossFile = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Export a trained network: a verified folder that anyone can run with PyTorch alone."""
    from nas.core.metrics import METRICS
    from nas.runs.run import Run
    from nas.views.columns import scores_text

    if seeds < 1:
        raise ValueError(f"--seeds: want at least 1, got {seeds}")
    if retrain is None and (seeds > 1 or recipe is not None):
        raise ValueError("--seeds and --recipe are for training from scratch: add --retrain EPOCHS")
    opened = Run(run, space)
    if ensemble is not None:
        if trial is not None or retrain is not None or select != "best":
            raise ValueError(
                "--ensemble selects trials by itself: drop --trial, --select and --retrain"
            )
        _export_ensemble(opened, to, ensemble, max_params, force=force, json=json)
        return
    chosen = _choose(opened, trial, select, max_params)
    if retrain is not None:
        _retrain(
            run,
            retrain,
            to,
            chosen.number,
            "best",
            None,
            space=space,
            loss=loss,
            seeds=seeds,
            recipe=parse_recipe(recipe, "--recipe"),
            force=force,
            json=json,
        )
        return
    with _without_collector():
        from nas.winners.export import export_trial

        bundle = export_trial(opened, chosen, to, force=force, notify=messages().print)
    if json:
        print_json({"bundle": str(to), "trial": chosen.number, "scores": dict(chosen.scores)})
    else:
        shown = dict.fromkeys((*opened.objectives.metrics, METRICS["parameters"]))
        print(f"{bundle.path}: trial {chosen.number}, {scores_text(shown, chosen)}")
        _say_what_was_dead(bundle)
        print(f"verified; {to / 'README.md'} says how to run it")


def _say_what_was_dead(bundle: Bundle) -> None:
    if (searched := bundle.metrics.get("searched_parameters")) is not None:
        print(
            f"without dead parts: {bundle.metrics['parameters']:,} of {searched:,} parameters, the same "
            "outputs"
        )


def _export_ensemble(
    run: Run, to: Path, most: int, max_params: int | None, *, force: bool, json: bool
) -> None:
    from nas.core.numbers import counted
    from nas.winners.export import export_ensemble
    from nas.winners.scoring import first_metric

    limits = [] if max_params is None else [f"parameters<={max_params}"]
    with _without_collector():
        bundle = export_ensemble(
            run, to, most=most, limits=limits, force=force, notify=messages().print
        )
    members, found = bundle.metrics["ensemble"]["members"], bundle.metrics["validation"]
    if json:
        trials = {str(member["trial"]): member["count"] for member in members}
        print_json({"bundle": str(to), "trials": trials, "scores": found})
        return
    metric = first_metric(bundle)
    assert metric is not None, "the task has metrics"
    several = counted(len(members), "trial")
    print(
        f"{bundle.path}: {several} ({', '.join(str(member['trial']) for member in members)}), "
        f"validation {metric.label} {metric.text(found[metric.name])}, "
        f"{bundle.metrics['parameters']:,} parameters"
    )
    _say_what_was_dead(bundle)
    print(f"verified; {to / 'README.md'} says how to run it")


def retrain(
    source: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A run or a bundle.")],
    epochs: Annotated[int, typer.Option(help="Passes over the data.")] = 100,
    data: Annotated[
        str | None,
        typer.Option(
            help="Other data, to fine-tune the weights of a bundle on.",
            rich_help_panel="Fine-tuning",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            help="Column of --data to predict, or several separated by commas. Default: that of the search."
        ),
    ] = None,
    patience: Annotated[
        int | None,
        typer.Option(
            help="Stop fine-tuning after this many epochs without one that was better in the first "
            "objective on the validation split. Default: that of the recipe, else never.",
            rich_help_panel="Fine-tuning",
        ),
    ] = None,
    image_size: Annotated[
        int | None,
        typer.Option(
            help="Resize the images of --data to this side.", rich_help_panel="Fine-tuning"
        ),
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="Folder of the bundle. Default: a name beside the source.")
    ] = None,
    trial: TrialNumber = None,
    select: Select = "best",
    max_params: MaxParams = None,
    space: SpaceFile = None,
    loss: LossFile = None,
    seed: Annotated[
        int, typer.Option(help="Seed of weights, order and augmentation.", rich_help_panel=TRAINING)
    ] = 0,
    seeds: Seeds = 1,
    recipe: RecipeFields = None,
    device: Device = "auto",
    force: Force = False,
    json: Json = False,
) -> None:
    """Train a network longer from scratch, or fine-tune it on other data; report the scores on the test split once.

    A network that an evaluator of your own trained cannot be trained from scratch here: export it, and
    use --data to fine-tune it by the built-in recipe.
    """
    if epochs < 1:
        raise ValueError(f"--epochs: want at least 1, got {epochs}")
    if seeds < 1:
        raise ValueError(f"--seeds: want at least 1, got {seeds}")
    if data is not None and (seeds > 1 or recipe is not None):
        raise ValueError("--seeds and --recipe are for training from scratch: drop them, or --data")
    if patience is not None and patience < 1:
        raise ValueError(f"--patience: want at least 1, got {patience}")
    if data is None:
        if (patience, image_size, target) != (None, None, None):
            raise ValueError(
                "--patience, --image-size and --target are for fine-tuning: --data says on which data"
            )
        _retrain(
            source,
            epochs,
            to,
            trial,
            select,
            max_params,
            space=space,
            loss=loss,
            seed=seed,
            seeds=seeds,
            recipe=parse_recipe(recipe, "--recipe"),
            device=device,
            force=force,
            json=json,
        )
        return
    if not (source / "manifest.json").is_file():
        raise ValueError(f"--data fine-tunes a bundle, got {source}: export one first")
    from nas.bundles.read import open_bundle
    from nas.views.tensorboard.training_curves import curves
    from nas.views.terminal.live import epochs_bar
    from nas.winners.fine_tune import fine_tune

    folder = to or source.with_name(f"{source.name}-{Path(data).stem}")
    board = folder.with_name(f"{folder.name}-tensorboard")
    with epochs_bar(epochs, messages()) as bar, curves(board) as write:

        def report(epoch: Epoch) -> None:
            bar(epoch)
            write(epoch)

        bundle = fine_tune(
            open_bundle(source),
            data,
            folder,
            target=target,
            epochs=epochs,
            patience=patience,
            image_size=image_size,
            space_file=space,
            loss=loss,
            seed=seed,
            device=device,
            force=force,
            progress=report,
        )
    _report(bundle, epochs, as_json=json)


def _retrain(
    source: Path,
    epochs: int,
    to: Path | None,
    trial: int | None,
    select: str,
    max_params: int | None,
    *,
    space: str | None,
    loss: str | None,
    seed: int = 0,
    seeds: int = 1,
    recipe: Mapping[str, Any] | None = None,
    device: str = "auto",
    force: bool,
    json: bool,
) -> None:
    from nas.bundles.read import open_bundle
    from nas.runs.run import Run
    from nas.views.terminal.live import epochs_bar
    from nas.winners.from_trial import bundle_of_network
    from nas.winners.retrain import retrain

    if epochs < 1:
        raise ValueError(f"want at least 1 epoch, got {epochs}")
    if (source / "manifest.json").is_file():
        if trial is not None or max_params is not None:
            raise ValueError(
                f"{source} is a bundle, which has one network: drop --trial and --max-params"
            )
        bundle = open_bundle(source)
        target = to or source.with_name(f"{source.name}-retrained")
    else:
        run = Run(source, space)
        chosen = _choose(run, trial, select, max_params)
        bundle = bundle_of_network(run, chosen)
        target = to or source / "retrained" / f"trial-{chosen.number:05d}"
    with epochs_bar(epochs * seeds, messages()) as progress:
        retrained = retrain(
            bundle,
            target,
            epochs=epochs,
            space_file=space,
            loss=loss,
            seed=seed,
            seeds=seeds,
            recipe=recipe,
            device=device,
            force=force,
            progress=progress,
        )
    _report(retrained, epochs, as_json=json)


def _report(bundle: Bundle, epochs: int, *, as_json: bool) -> None:
    from nas.core.numbers import counted
    from nas.winners.scoring import first_metric

    test, parameters = bundle.metrics["test"], bundle.metrics["parameters"]
    if as_json:
        print_json(
            {
                "bundle": str(bundle.path),
                "epochs": epochs,
                "test": test,
                "parameters": parameters,
                "seeds": bundle.metrics.get("seeds"),
            }
        )
    else:
        metric = first_metric(bundle)
        assert metric is not None
        if "fine_tuned_from" not in bundle.metrics:
            print(_seeds_text(bundle))
        if replayed := _replay_text(bundle):
            print(replayed)
        print(
            f"test {metric.label} {metric.text(test[metric.name])} ({test['examples']} examples), "
            f"{parameters:,} parameters, {counted(epochs, 'epoch')}"
        )
        _say_what_was_dead(bundle)
        print(f"written to {bundle.path}; load it with nas.load_bundle({str(bundle.path)!r})")


def _seeds_text(bundle: Bundle) -> str:
    """The scores of several seeds and their noise, in words; of one, the noise in its search."""
    from statistics import stdev

    from nas.core.metrics import METRICS

    if "seeds" not in bundle.metrics:
        if (known := bundle.metrics.get("seed_noise")) is None or known["metric"] not in METRICS:
            return "the noise of a seed is not known: --seeds 3 shows it, and keeps the best"
        metric = METRICS[known["metric"]]
        return (
            f"another seed alone: standard deviation {metric.text(known['deviation'])} of validation "
            f"{metric.label} in the search ({known['epochs']} epochs); --seeds 3 keeps the best"
        )
    found, kept = bundle.metrics["seeds"], bundle.metrics["retraining_seed"]
    metric, scores = METRICS[found["metric"]], list(found["scores"].values())
    return (
        f"validation {metric.label} of {len(scores)} seeds: {', '.join(map(metric.text, scores))}; "
        f"standard deviation {metric.text(stdev(scores))}; seed {kept} is kept"
    )


def _replay_text(bundle: Bundle) -> str:
    """The settings that changed during the training, and when, in words; empty if none did."""
    if not (phases := bundle.metrics.get("phases", [])):
        return ""
    recipes = [phase["recipe"] for phase in phases]
    changed = [name for name, value in recipes[0].items() if any(r[name] != value for r in recipes)]
    parts, first = [], 1
    for phase in phases:
        values = ", ".join(f"{name} {_value(phase['recipe'][name])}" for name in changed)
        last = phase["end_epoch"]
        epochs = f"epoch {last}" if first == last else f"epochs {first} to {last}"
        parts.append(f"{epochs} {values}")
        first = last + 1
    return "" if not changed else f"settings changed as in the search: {'; '.join(parts)}"


def _value(value: object) -> str:
    from nas.core.numbers import plain

    return plain(value) if isinstance(value, float) else str(value)


@contextmanager
def _without_collector() -> Iterator[None]:
    """Turn garbage collection off in the block: it takes a seventh of the time of an export."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _choose(run: Run, trial: int | None, select: str, max_params: int | None) -> Trial:
    if trial is not None:
        return run.trial(trial)
    chosen = run.best(select, max_parameters=max_params)
    if select == "recommended" and run.confirmation is None:
        messages().print(
            f"not confirmed: the search trained no winner again; trial {chosen.number} is the best by a "
            f"model of all scores"
        )
    return chosen
