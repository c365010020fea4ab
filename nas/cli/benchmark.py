"""`nas benchmark`: comparison of search strategies on a table, and of training speed."""

from __future__ import annotations

from collections.abc import Iterator
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from nas.cli.console import help_without_command, messages, results
from nas.cli.help import OUTPUT, GroupedOptions
from nas.cli.options import TRAINING, Classes, Device, Json, Recipe, recipe_fields

if TYPE_CHECKING:
    from nas.benchmark.searches import Benchmark
    from nas.benchmark.throughput import Bench
    from nas.benchmark.training import Candidate, Measurement

app = typer.Typer(
    help="Compare search strategies, or training speed.",
    rich_markup_mode=None,
)


app.callback(invoke_without_command=True)(help_without_command)


@app.command(cls=GroupedOptions)
def search(
    table: Annotated[
        Path, typer.Option(help="CSV or CSV.gz file of architectures and their scores.")
    ],
    space: Annotated[
        str, typer.Option(help="Search space of the architectures, as for nas search.")
    ],
    accuracy: Annotated[
        str,
        typer.Option(
            help="Column used as validation accuracy, or columns by epochs: 12=COLUMN,200=COLUMN."
        ),
    ],
    report: Annotated[
        str | None,
        typer.Option(
            help="Reported accuracy: a column. Default: that of --accuracy.",
            rich_help_panel="Table",
        ),
    ] = None,
    strategies: Annotated[
        str,
        typer.Option(help="Strategies, separated by commas: random,evolution:population=64,..."),
    ] = "random,evolution,nsga2",
    trials: Annotated[int, typer.Option(help="Trials of each search.")] = 200,
    seeds: Annotated[int, typer.Option(help="Searches per strategy, each with another seed.")] = 20,
    objectives: Annotated[
        str,
        typer.Option(
            help="Objectives: accuracy, or accuracy,parameters.", rich_help_panel="Search"
        ),
    ] = "accuracy",
    seconds: Annotated[
        str | None,
        typer.Option(help="Column with the seconds of an evaluation.", rich_help_panel="Table"),
    ] = None,
    proxies: Annotated[
        str | None,
        typer.Option(
            help="CSV file of zero-cost proxies, for predictor:proxies=auto. Default: columns of --table named like proxies."
        ),
    ] = None,
    at: Annotated[
        str,
        typer.Option(
            help="Numbers of trials after which to compare: 30,50,100.", rich_help_panel=OUTPUT
        ),
    ] = "",
    input: Annotated[  # noqa: A002 - the option is called --input
        str,
        typer.Option("--input", help="Shape of one input, for the costs.", rich_help_panel="Table"),
    ] = "3x32x32",
    classes: Classes = 10,
    max_pending: Annotated[
        int, typer.Option(help="Largest number of pending proposals.", rich_help_panel="Search")
    ] = 1,
    workers: Annotated[
        int | None,
        typer.Option(help="Number of processes. Default: one per core.", rich_help_panel="Search"),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            help="Folder of results; searches in it are not run again.", rich_help_panel=OUTPUT
        ),
    ] = Path("benchmarks/search"),
    json: Json = False,
) -> None:
    """Compare strategies on a table of published scores.

    Run the same command again to continue.
    """
    from nas.benchmark import searches
    from nas.benchmark.contestants import split
    from nas.benchmark.report import report as report_on
    from nas.runs.resource_limits import cores
    from search_spaces.task import parse_shape

    for name, value in (("trials", trials), ("seeds", seeds), ("max-pending", max_pending)):
        if value < 1:
            raise ValueError(f"--{name}: want at least 1, got {value}")
    names = split(strategies)
    columns = _columns(accuracy)
    spec = searches.Benchmark(
        table=str(table),
        space=space,
        accuracy=columns,
        report=report or columns[max(columns)],
        objectives=tuple(name.strip() for name in objectives.split(",")),
        seconds=seconds,
        input_shape=parse_shape(input),
        classes=classes,
        max_pending=max_pending,
        proxies=proxies,
    )
    spec.check()
    compared = _numbers(at, trials)
    _run(spec, names, trials=trials, seeds=seeds, out=out, workers=workers or cores())
    found = searches.read(out, names, trials=trials, seeds=seeds)
    shown = report_on(spec, found, compared).write(out)
    if json:
        print((out / "summary.json").read_text(), end="")
        return
    console = results()
    console.print(shown)
    console.print(f"written to {out}: summary.csv, summary.json, curves.png, tensorboard/")


@app.command(cls=GroupedOptions)
def training(
    spaces: Annotated[
        str,
        typer.Option(help="Networks to train: SPACE*COUNT, joined by +; spaces as for nas search."),
    ] = "nasbench201:channels=8,cells=1*8+mobile*4",
    data: Annotated[str, typer.Option(help="Data set of images, as for nas search.")] = "digits",
    images: Annotated[
        int | None,
        typer.Option(
            help="Number of images to train and validate on. Default: all.", rich_help_panel="Data"
        ),
    ] = None,
    epochs: Annotated[
        int, typer.Option(help="Epochs of each training.", rich_help_panel=TRAINING)
    ] = 2,
    batch_size: Annotated[
        int, typer.Option(help="Examples per step.", rich_help_panel=TRAINING)
    ] = 64,
    seeds: Annotated[int, typer.Option(help="Trainings per network, each with another seed.")] = 3,
    recipe: Recipe = "",
    loader_workers: Annotated[
        int,
        typer.Option(
            help="Worker processes of the plain loop's DataLoader.", rich_help_panel=TRAINING
        ),
    ] = 2,
    threads: Annotated[
        int, typer.Option(help="Number of torch threads.", rich_help_panel=TRAINING)
    ] = 1,
    device: Device = "auto",
    out: Annotated[
        Path | None, typer.Option(help="File for the JSON document.", rich_help_panel=OUTPUT)
    ] = None,
    json: Json = False,
) -> None:
    """Compare the speed of this toolkit's training loop with a plain one.

    Networks are trained by both, in turns. When stopped, it reports the rounds that are complete; the same command with the same
    --out continues.
    """
    from nas.benchmark import training as speed
    from nas.benchmark.throughput import Bench
    from nas.benchmark.training_report import tables
    from nas.evaluators import training as trained
    from nas.runs.atomic_io import write_whole

    for name, value in (("seeds", seeds), ("threads", threads)):
        if value < 1:
            raise ValueError(f"--{name}: want at least 1, got {value}")
    if loader_workers < 0:
        raise ValueError(f"--loader-workers: want at least 0, got {loader_workers}")
    candidates = speed.sample(_counted(spaces))
    fields = {"epochs": epochs, "batch_size": batch_size, **recipe_fields(recipe)}
    with trained.threads(threads):
        bench = Bench(data, fields, device=device, loader_workers=loader_workers, images=images)
        document, text = None, ""
        try:
            for document in _measured(bench, candidates, seeds, out):
                text = dumps(document, indent=2, allow_nan=False) + "\n"
                if out is not None:
                    write_whole(out, text)
        finally:
            if json:
                print(text, end="")
            elif document is not None:
                results().print(tables(document))


def _measured(
    bench: Bench, candidates: list[Candidate], seeds: int, out: Path | None
) -> Iterator[dict[str, object]]:
    """Yield the document after each round over the candidates, starting from those in `out`."""
    from rich.progress import track

    from nas.benchmark import training as speed

    console = messages()
    conditions = {"machine": speed.machine(str(bench.data.device)), **bench.described()}
    measured = _before(out, conditions, candidates)
    profiles = [
        bench.profile(c.space, c.architecture)
        for c in track(candidates, "profiled", console=console)
    ]
    one_round = len(speed.LOOPS) * len(candidates)

    def summary() -> dict[str, object]:
        found = speed.summary(candidates, measured, profiles)
        rounds, times = len(measured) // one_round, found["ratio"]["mean"]
        console.print(f"round {rounds} of {seeds}: {times:.2f} times the plain loop")
        return {**conditions, **found}

    if measured:
        yield summary()
    left = range(len(measured) // one_round, seeds)
    trainings = speed.run(bench, candidates, left)
    for ended in track(trainings, "trainings", total=len(left) * one_round, console=console):
        measured.append(ended)
        if len(measured) % one_round == 0:
            yield summary()


def _before(
    out: Path | None, conditions: dict[str, object], candidates: list[Candidate]
) -> list[Measurement]:
    """Read the measurements of an earlier, unfinished benchmark."""
    from nas.benchmark import training as speed
    from search_spaces import strict_json

    if out is None or not out.exists():
        return []
    try:
        document = strict_json.loads(out.read_text())
        return speed.measured_before(document, conditions, candidates)
    except (ValueError, LookupError, TypeError) as error:
        got = error if isinstance(error, ValueError) else "not a benchmark"
        raise ValueError(
            f"--out: want a new file, or an unfinished one of the same benchmark; {out}: {got}"
        ) from None


def _counted(text: str) -> list[tuple[str, int]]:
    """Parse spaces with counts, such as `nasbench201:channels=8*8+mobile*4`."""
    counted = []
    for part in text.split("+"):
        space, star, count = part.rpartition("*")
        if not star or not count.isdecimal():
            raise ValueError(f"--spaces: want SPACE*COUNT+..., got {text!r}")
        counted.append((space, int(count)))
    return counted


def _run(
    spec: Benchmark, names: tuple[str, ...], *, trials: int, seeds: int, out: Path, workers: int
) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from nas.benchmark import searches

    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=messages(),
    )
    total = len(names) * seeds
    with bar:
        task = bar.add_task("searches", total=total)
        try:
            for done, ended in enumerate(
                searches.run(spec, names, trials=trials, seeds=seeds, out=out, workers=workers), 1
            ):
                described = "searches" if ended is None else ended.contestant
                bar.update(task, advance=1, description=described)
                if not bar.console.is_terminal and done % max(1, total // 10) == 0:
                    bar.console.print(f"{done} of {total} searches")
        except Exception:  # says itself what went wrong
            raise
        except BaseException:  # Ctrl-C and SIGTERM
            bar.console.print(
                f"stopped; completed searches are in {out}, the same command continues"
            )
            raise


def _columns(text: str) -> dict[int, str]:
    """Parse `COLUMN`, or columns by epochs such as `12=COLUMN,200=COLUMN`."""
    if "=" not in text:
        return {1: text}
    columns = {}
    for part in text.split(","):
        epochs, _, column = part.partition("=")
        if not epochs.strip().isdecimal() or int(epochs) < 1 or not column:
            raise ValueError(f"--accuracy: want COLUMN or EPOCHS=COLUMN,..., got {text!r}")
        columns[int(epochs)] = column
    return columns


def _numbers(text: str, trials: int) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        numbers = (0,)
    if any(not 1 <= n <= trials for n in numbers):
        raise ValueError(f"--at: want numbers of trials from 1 to {trials}, got {text!r}")
    return numbers
