"""The `nas` command: parses, calls the library, prints. No logic of its own.

Results go to stdout, progress and messages to stderr. Exit status: 0 done, 1 failure, 2 bad input
(one line that says what to do), 74 disk full, 130 after Ctrl-C, 143 after SIGTERM.
"""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from nas.benchmark import command

if TYPE_CHECKING:
    from rich.console import Console

    from nas.registry import Entry

app = typer.Typer(
    name="nas",
    help="Neural architecture search for PyTorch: search, look, take the winner away.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.add_typer(command.app, name="benchmark")

# typer has had click as a dependency and inside: the base of its errors is found by this way only.
CommandError: type[Exception] = typer.BadParameter.__mro__[2]

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]
RunPath = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")]
Select = Annotated[
    str, typer.Option(help="Which of the front: best (first objective), knee or smallest.")
]
TrialNumber = Annotated[int | None, typer.Option("--trial", help="The number of a trial.")]
MaxParams = Annotated[int | None, typer.Option(help="At most so many parameters.")]
Force = Annotated[bool, typer.Option("--force", help="Replace the bundle that is there.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]


@app.command()
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
    image_size: Annotated[int | None, typer.Option(help="Resize a folder's images.")] = None,
    data_seed: Annotated[int, typer.Option(help="Decides which data are for validation.")] = 0,
    json: Json = False,
) -> None:
    """Search for architectures; run the same command again to continue."""
    from nas import hyperparameters
    from nas.api import DEFAULT_SPACE

    if trials < 1:
        raise ValueError(f"--trials: want at least 1, got {trials}")
    recipe = {
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
    from nas.settings import Settings

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
        recipe={name: value for name, value in recipe.items() if value is not None},
        tune=hyperparameters.parse_names(tune),
        baselines=baselines,
        device=device,
    )
    from nas.results.live import watch
    from nas.session import Session

    console = _messages()
    session = Session(settings, out or default_out(settings), notify=console.print)
    watch(session, trials, console)
    _show(session.path, as_json=json)


@app.command()
def show(run: RunPath, json: Json = False) -> None:
    """The front and the failures of a run, and what to do next."""
    _show(run, as_json=json)


@app.command()
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
        _print_json({"bundle": str(to), "trial": chosen.number, "scores": dict(chosen.scores)})
    else:
        print(
            f"{bundle.path}: trial {chosen.number}, "
            f"{chosen.scores['accuracy']:.2%} validation accuracy, "
            f"{chosen.scores['parameters']:,} parameters"
        )
        print(f"load it with nas.load_bundle({str(to)!r})")


@app.command()
def retrain(
    source: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A run or a bundle.")],
    epochs: Annotated[int, typer.Option(help="Passes over training and validation data.")] = 100,
    to: Annotated[
        Path | None, typer.Option(help="The folder of the bundle. Default: beside the source.")
    ] = None,
    trial: TrialNumber = None,
    select: Select = "best",
    max_params: MaxParams = None,
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
        winner = Winner.of_bundle(open_bundle(source))
        target = to or source.with_name(f"{source.name}-retrained")
    else:
        run = Run(source)
        chosen = _choose(run, trial, select, max_params)
        winner = Winner.of_trial(run, chosen)
        target = to or source / "retrained" / f"trial-{chosen.number:05d}"
    with epochs_bar(epochs, _messages()) as progress:
        bundle = retrain(
            winner, target, epochs=epochs, seed=seed, device=device, force=force, progress=progress
        )
    accuracy = bundle.metrics["test"]["accuracy"]
    if json:
        _print_json(
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


@app.command()
def profile(
    space: Annotated[str, typer.Argument(metavar="SPACE", help="As for nas search --space.")],
    architecture: Annotated[
        str, typer.Argument(metavar="ARCHITECTURE", help="A known name, or any notation.")
    ],
    input: Annotated[  # noqa: A002 - the option is called --input
        str, typer.Option("--input", help="Shape of one input.")
    ] = "3x32x32",
    classes: Annotated[int, typer.Option(help="Logits.")] = 10,
    json: Json = False,
) -> None:
    """Parameters, MACs and activation memory of an architecture, without training it."""
    from dataclasses import asdict

    from nas.results.tables import short
    from search_spaces import Task, load
    from search_spaces.task import parse_shape

    shape = parse_shape(input)
    task = Task(shape, classes)
    opened = load(space)
    parsed = opened.parse(architecture)
    cost = opened.cost(parsed, task)
    if json:
        _print_json(
            {
                "space": space,
                "architecture": str(parsed),
                "notation": opened.format(parsed),
                "input": list(shape),
                "classes": classes,
                **asdict(cost),
            }
        )
    else:
        print(f"{opened.format(parsed)}")
        print(f"parameters              {cost.parameters:,}")
        print(f"MACs                    {cost.macs:,} ({short(cost.macs)})")
        print(f"peak activation memory  {cost.peak_activation_bytes:,} bytes")


@app.command()
def spaces(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="As for nas search --space.")
    ] = None,
    input: Annotated[  # noqa: A002 - the option is called --input
        str | None,
        typer.Option("--input", help="Shape of one input. Default: 3x32x32, 3x128 or 64."),
    ] = None,
    classes: Annotated[int, typer.Option(help="Logits.")] = 10,
    trials: Annotated[int | None, typer.Option(help="Warn where there are fewer to try.")] = None,
    json: Json = False,
) -> None:
    """The search spaces there are, or what the one called NAME holds."""
    if name is not None:
        _report_space(name, input, classes, trials, as_json=json)
        return
    from math import isfinite

    from rich.table import Table

    from search_spaces import SPACES, get
    from search_spaces.task import KINDS

    rows = [get(name) for name in SPACES]
    if json:
        _print_json(
            [
                {
                    "name": s.name,
                    "size": s.size if isfinite(s.size) else None,
                    "inputs": list(s.inputs),
                    "known": list(s.known),
                    "settings": dict(s.settings),
                    "source": s.source,
                }
                for s in rows
            ]
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in ("space", "architectures", "for", "settings", "source"):
        table.add_column(column, overflow="fold")
    for s in rows:
        size = f"{s.size:,}" if s.size < 1e9 else f"{float(s.size):.1e}"
        kinds = ", ".join(KINDS[axes].split()[0] for axes in s.inputs)
        settings = ", ".join(f"{k}={v}" for k, v in s.settings.items())
        table.add_row(s.name, size, kinds, settings, s.source)
    _results().print(table)


def _report_space(
    name: str, shape: str | None, classes: int, trials: int | None, *, as_json: bool
) -> None:
    from nas.results.space_report import lines, report, usual_task
    from search_spaces import Task, load
    from search_spaces.task import parse_shape

    space = load(name)
    task = usual_task(space, classes) if shape is None else Task(parse_shape(shape), classes)
    document = report(space, task, trials)
    if as_json:
        _print_json(document)
    else:
        for line in lines(document):
            print(line)


@app.command()
def strategies(json: Json = False) -> None:
    """The search strategies there are."""
    from nas.strategies import STRATEGIES

    _list("strategy", STRATEGIES, as_json=json)


@app.command()
def schedules(json: Json = False) -> None:
    """The fidelity schedules there are: how long what a strategy proposes is trained."""
    from nas.schedules import SCHEDULES

    _list("schedule", SCHEDULES, as_json=json)


def _list(kind: str, entries: Mapping[str, Entry], *, as_json: bool) -> None:
    from rich.table import Table

    if as_json:
        _print_json(
            [
                {"name": name, "summary": entry.summary, "source": entry.source}
                for name, entry in entries.items()
            ]
        )
        return
    table = Table(box=None, pad_edge=False)
    for column in (kind, "what it does", "source"):
        table.add_column(column, overflow="fold")
    for name, entry in entries.items():
        table.add_row(name, entry.summary, entry.source)
    _results().print(table)


def default_out(settings: Any) -> Path:
    """A folder under runs/ that says what is searched, and on what."""
    space, data = settings.space, settings.data
    parts = [Path(space.rpartition("/")[2]).name, Path(data).stem, settings.strategy]
    if settings.schedule != "none":
        parts.append(settings.schedule)
    name = "-".join("".join(c if c.isalnum() else "-" for c in part)[:40] for part in parts)
    return Path("runs") / f"{name}-{settings.seed}"


def _choose(run: Any, trial: int | None, select: str, max_params: int | None) -> Any:
    if trial is not None:
        return run.trial(trial)
    return run.best(select, max_parameters=max_params)


def _show(path: Path, *, as_json: bool) -> None:
    from nas.results.tables import document, overview
    from nas.run import Run

    run = Run(path)
    try:
        space = run.space
    except ValueError as error:  # a space file that is gone: the text of architectures will do
        _messages().print(str(error), markup=False, highlight=False)
        space = None
    if as_json:
        _print_json(document(run, space))
        return
    results = _results()
    for part in overview(run, space):
        results.print(part, soft_wrap=isinstance(part, str))


def _print_json(document: Any) -> None:
    import json

    print(json.dumps(document, indent=2, allow_nan=False))


def _results() -> Console:
    from rich.console import Console

    return Console(markup=False, highlight=False)


def _messages() -> Console:
    from rich.console import Console

    return Console(stderr=True, markup=False, highlight=False, soft_wrap=True)


class Terminated(BaseException):
    """SIGTERM came."""


def _terminate(*_: object) -> NoReturn:
    raise Terminated


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command; turn what users and systems do wrong into one line and a status."""
    signal.signal(signal.SIGTERM, _terminate)
    sys.exit(_status(arguments))


def _status(arguments: list[str] | None) -> int:
    try:
        result = app(arguments, standalone_mode=False)
        return result if isinstance(result, int) else 0
    except CommandError as error:
        return _say(error.format_message(), 2)  # type: ignore[attr-defined]
    except ValueError as error:
        return _say(str(error), 2)
    except ArithmeticError as error:
        return _say(str(error), 1)
    except typer.Abort:
        return 130
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        full = error.errno == errno.ENOSPC
        advice = "; free some space, then run the same command again" if full else ""
        return _say(f"{where}{error.strerror or error}{advice}", 74 if full else 1)
    except KeyboardInterrupt:
        return 130
    except Terminated:
        return 143
    except Exception as error:
        from nas.session import SearchFailed

        if isinstance(error, SearchFailed):
            return _say(str(error), 1)
        raise


def _say(message: str, status: int) -> int:
    print(f"nas: {' '.join(message.split())}", file=sys.stderr)
    return status
