"""`nas search`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.console import messages
from nas.cli.look import show_run
from nas.cli.options import (
    Device,
    Json,
    MaxParams,
    Recipe,
    parse_bytes,
    parse_resources,
    recipe_fields,
)

if TYPE_CHECKING:
    from rich.console import Console

    from nas.engine.session import Session
    from nas.runs.settings import Settings


def search(
    space: Annotated[
        str | None,
        typer.Option(
            help="A name (`nas spaces` lists them), name:setting=value,..., path/to/file.py:variable "
            "or fixed:SPACE:ARCHITECTURE. Default: nasbench201:channels=8,cells=1."
        ),
    ] = None,
    data: Annotated[
        str,
        typer.Option(help="digits, a torchvision data set, an image folder, or an .npz file."),
    ] = "digits",
    strategy: Annotated[
        str, typer.Option(help="`nas strategies` lists them; name:setting=value,... too.")
    ] = "evolution",
    schedule: Annotated[
        str,
        typer.Option(
            help="Who is trained on: none (all to the end), halving, asha or hyperband; "
            "asha:eta=3,min_epochs=1 or asha:rungs=2+5 too. Whatever is continued is a trial too."
        ),
    ] = "none",
    trials: Annotated[int, typer.Option(help="In all, those already recorded included.")] = 40,
    epochs: Annotated[int | None, typer.Option(help="Of each trial. Default: 5.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same trials.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="The run; resumed if it is there. Default: a name under runs/."),
    ] = None,
    device: Device = "auto",
    max_params: MaxParams = None,
    max_macs: Annotated[int | None, typer.Option(help="At most so many MACs per input.")] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Known architectures of the space go first.")
    ] = False,
    start: Annotated[
        Path | None,
        typer.Option("--from", help="A bundle or a run, whose winners go first."),
    ] = None,
    objectives: Annotated[
        str, typer.Option(help="Scores with commas between them, the most important first.")
    ] = "accuracy,parameters",
    tune: Annotated[
        str,
        typer.Option(help="Hyperparameters to search too: all, or names with commas between them."),
    ] = "",
    learning_rate: Annotated[float | None, typer.Option(help="Peak. Default: 0.2.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Default: 64.")] = None,
    optimizer: Annotated[str | None, typer.Option(help="sgd (default) or adamw.")] = None,
    momentum: Annotated[float | None, typer.Option(help="Default: 0.9.")] = None,
    weight_decay: Annotated[float | None, typer.Option(help="Default: 0.0005.")] = None,
    label_smoothing: Annotated[float | None, typer.Option(help="Default: 0.1.")] = None,
    augmentation: Annotated[float | None, typer.Option(help="0 to 1. Default: 0.5.")] = None,
    dropout: Annotated[float | None, typer.Option(help="Default: 0.")] = None,
    recipe: Recipe = "",
    image_size: Annotated[int | None, typer.Option(help="Resize a folder's images.")] = None,
    data_seed: Annotated[int, typer.Option(help="Decides which data are for validation.")] = 0,
    workers: Annotated[
        str,
        typer.Option(
            help="Trials at a time, or auto: as many as train faster together. The search is the "
            "same for any number."
        ),
    ] = "1",
    max_pending: Annotated[
        int,
        typer.Option(help="Proposals in flight at most: belongs to the run, as the seed does."),
    ] = 4,
    unordered: Annotated[
        bool,
        typer.Option(
            "--unordered",
            help="Learn from trials as they end: nothing waits for a slow one, but the same seed "
            "need not give the same search.",
        ),
    ] = False,
    trial_timeout: Annotated[
        float | None, typer.Option(help="Seconds that a trial may take.")
    ] = None,
    trial_memory: Annotated[
        str | None, typer.Option(help="That a trial may take, such as 2GB (Linux).")
    ] = None,
    total_memory: Annotated[
        str | None,
        typer.Option(
            help="That all trials on a device may take together, as predicted; those for which "
            "there is no room wait. Default: on a GPU what is free."
        ),
    ] = None,
    executor: Annotated[
        str | None,
        typer.Option(help="Where trials run: in-process, workers or ray. Default: what will do."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster; auto for the one on this machine.")
    ] = None,
    resources: Annotated[
        str, typer.Option(help="Of a Ray cluster, for each trial: CPU=1,GPU=0.5.")
    ] = "CPU=1",
    json: Json = False,
) -> None:
    """Search for architectures; run the same command again to continue."""
    from nas.api import DEFAULT_SPACE, MOST_TRIALS
    from nas.core import hyperparameters

    if not 1 <= trials <= MOST_TRIALS:
        raise ValueError(f"--trials: want 1 to {MOST_TRIALS:,}, got {trials}")
    fields = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "optimizer": optimizer,
        "momentum": momentum,
        "weight_decay": weight_decay,
        "label_smoothing": label_smoothing,
        "augmentation": augmentation,
        "dropout": dropout,
    }
    from nas.executors.resource_limits import ResourceLimits, worker_limits
    from nas.runs.settings import Settings
    from nas.winners.warm_start import architectures_of

    settings = Settings(
        space=space or DEFAULT_SPACE,
        data=data,
        data_seed=data_seed,
        image_size=image_size,
        strategy=strategy,
        schedule=schedule,
        seed=seed,
        objectives=tuple(name.strip() for name in objectives.split(",")),
        max_parameters=max_params,
        max_macs=max_macs,
        recipe=recipe_fields(recipe)
        | {name: value for name, value in fields.items() if value is not None},
        tune=hyperparameters.parse_names(tune),
        baselines=baselines,
        warm_start=() if start is None else architectures_of(start),
        device=device,
        max_pending=max_pending,
        ordered=not unordered,
    )
    limits = ResourceLimits(
        **worker_limits(workers),
        timeout=trial_timeout,
        memory=parse_bytes("trial-memory", trial_memory),
        total_memory=parse_bytes("total-memory", total_memory),
        address=address,
        resources=parse_resources(resources),
    )
    from nas.engine.session import Session
    from nas.views.tensorboard import TensorBoard
    from nas.views.terminal.live import live_view

    console = messages()
    session = Session(
        settings,
        out or default_out(settings),
        limits=limits,
        executor=executor,
        notify=console.print,
        observers=(
            TensorBoard(),
            live_view(trials, console, workers=lambda: session.limits.workers),
        ),
    )
    _run(session, trials, console)
    show_run(session.path, as_json=json, space=session.space)


def _run(session: Session, trials: int, console: Console) -> None:
    """Run a search; where it is stopped, or complete already, print how to continue it."""
    done, path = session.recorded, session.path
    if done >= trials:
        console.print(
            f"{path} is complete: {done} of {trials} trials; a larger --trials continues it"
        )
        return
    if done:
        console.print(f"{path}: {done} of {trials} trials are there; continuing")
    try:
        for _ in session.run(trials):
            done += 1
    except Exception:  # says itself what went wrong
        raise
    except BaseException:  # Ctrl-C and SIGTERM: nothing went wrong, and all can go on
        console.print(
            f"stopped after {done} of {trials} trials, all recorded in {path}; "
            f"the same command continues"
        )
        raise


def default_out(settings: Settings) -> Path:
    """A folder under runs/ that says what is searched, and on what."""
    space, data = settings.space, settings.data
    parts = [Path(space.rpartition("/")[2]).name, Path(data).stem, settings.strategy]
    if settings.schedule != "none":
        parts.append(settings.schedule)
    name = "-".join("".join(c if c.isalnum() else "-" for c in part)[:40] for part in parts)
    return Path("runs") / f"{name}-{settings.seed}"
