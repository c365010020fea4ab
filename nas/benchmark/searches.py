"""The searches of a benchmark: every contestant with every seed, in parallel, resumable."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, as_completed
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from pebble import ProcessPool

from nas.benchmark import contestants
from nas.benchmark.proxy_table import ProxyTable
from nas.core.candidates import Candidates, Exhausted
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.engine.loop import run_trials
from nas.estimators import proxies
from nas.estimators.cost import ExactCost
from nas.evaluators.table import Lookup, Table
from nas.executors.in_process import InProcess
from nas.runs.atomic_io import write_whole
from nas.runs.journal import Journal
from nas.strategies import Recommends, Strategy
from search_spaces import Task, load, strict_json

SCHEMA = 3  # 1 had no `recommended`, 2 no `proxies`
OBJECTIVES = (("accuracy",), ("accuracy", "parameters"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """The settings that all searches of a benchmark share; with the seed they decide the outcome.

    Attributes:
        table: A CSV file, as for `nas.evaluators.table.Table`.
        space: The search space, as for `search_spaces.load`.
        accuracy: The columns with the accuracy to search by, by number of epochs.
        report: The column with the accuracy to report.
        objectives: Names of scores; the best trial is the best in the first.
        seconds: The column with the seconds of an evaluation, if there is one.
        input_shape: The input shape of the task, for costs.
        classes: The number of classes of the task, for costs.
        max_pending: The most trials that may run at a time.
        proxies: A CSV file of zero-cost proxies, for strategies that screen by them; None for
            the columns of `table` that are named like proxies.
    """

    table: str
    space: str
    accuracy: Mapping[int, str]
    report: str
    objectives: tuple[str, ...] = ("accuracy",)
    seconds: str | None = None
    input_shape: tuple[int, ...] = (3, 32, 32)
    classes: int = 10
    max_pending: int = 1
    proxies: str | None = None

    def open_table(self) -> Table:
        """The table, which a process reads once."""
        return _table(self.table, self.space)

    def open_proxies(self) -> ProxyTable | None:
        """The table of proxies, which a process reads once; None if there are none."""
        return _proxies(self.proxies or self.table, self.space, self.proxies is not None)

    @property
    def task(self) -> Task:
        """The task of the networks."""
        return Task(self.input_shape, self.classes)

    def check(self) -> None:
        """Refuse settings that cannot be run.

        Raises:
            ValueError: the table or the space cannot be read, a column is missing, the space
                has no networks for the task, or the objectives are not supported.
        """
        table = self.open_table()
        table.space.check_task(self.task)
        self.open_proxies()
        table.accuracy(self.report)
        Lookup(table, self.accuracy, seconds=self.seconds)
        if self.objectives not in OBJECTIVES:
            wanted = " or ".join(",".join(names) for names in OBJECTIVES)
            raise ValueError(f"objectives: want {wanted}, got {','.join(self.objectives)}")

    def training(self) -> float:
        """The cost of a whole training: its epochs, or its mean seconds in the table."""
        if self.seconds is None:
            return max(self.accuracy)
        return float(self.open_table().column(self.seconds).mean())

    def to_dict(self) -> dict[str, Any]:
        """Plain data that are equal for two benchmarks if their searches are the same."""
        return {
            **asdict(self),
            "schema": SCHEMA,
            "table": _digest(self.table),
            "proxies": None if self.proxies is None else _digest(self.proxies),
            "accuracy": {str(epochs): name for epochs, name in self.accuracy.items()},
            "objectives": list(self.objectives),
            "input_shape": list(self.input_shape),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """One finished search: its evaluations, in order.

    Attributes:
        contestant: The name of the contestant.
        seed: The seed of the search.
        trials: The number of trials asked for; fewer are recorded where the space was exhausted.
        rows: The row of the table of each trial; -1 where it failed.
        epochs: The epochs of each trial, those of the trial that it resumed included.
        spent: The cost of each trial: the epochs that it trained itself, or its seconds in the
            table.
        seconds: Wall time of the whole search: strategy, loop and journal.
        recommended: The row that the strategy's model recommends at the end; None without such a
            model.
    """

    contestant: str
    seed: int
    trials: int
    rows: tuple[int, ...]
    epochs: tuple[int, ...]
    spent: tuple[float, ...]
    seconds: float
    recommended: int | None = None


def run(
    benchmark: Benchmark,
    names: Sequence[str],
    *,
    trials: int,
    seeds: int,
    out: Path,
    workers: int = 1,
) -> Iterator[Search | None]:
    """Run every search that is not in `out` yet; yields each when it ends.

    Yields None first for each search that is in `out` already. A kill at any moment loses only
    the searches that were running.

    Args:
        benchmark: The settings of all searches.
        names: The contestants.
        trials: Trials of each search.
        seeds: Searches of each contestant.
        out: The folder of the benchmark.
        workers: Searches at a time, each in a process.

    Raises:
        ValueError: `out` is the folder of another benchmark, or a contestant is unknown.
    """
    for name in names:
        contestants.check(name)
    _claim(out, benchmark)
    missing = []
    for name in names:  # all seeds of one contestant, then of the next
        for seed in range(seeds):
            if _is_done(_file(out, name, seed), trials):
                yield None
            else:
                missing.append((name, seed))
    if not missing:
        return
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPool(max_workers=min(workers, len(missing)), context=spawn)
    try:
        running: dict[Future[Search], tuple[str, int]] = {
            pool.schedule(search_once, args=(benchmark, name, trials, seed)): (name, seed)
            for name, seed in missing
        }
        for future in as_completed(running):
            search = future.result()
            write_whole(
                _file(out, *running[future]), strict_json.dumps(asdict(search), strict_json.TRUSTED)
            )
            yield search
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def read(out: Path, names: Sequence[str], *, trials: int, seeds: int) -> dict[str, list[Search]]:
    """Read the searches in `out`, by contestant, cut to `trials`."""
    return {
        name: [_cut(_read(_file(out, name, seed)), trials) for seed in range(seeds)]
        for name in names
    }


def search_once(benchmark: Benchmark, name: str, trials: int, seed: int) -> Search:
    """Run one search on the table, with a journal on disk as in any search."""
    table = benchmark.open_table()
    space = JointSpace(table.space, benchmark.task, proxies=benchmark.open_proxies())
    candidates = Candidates(space)
    epochs = max(benchmark.accuracy)
    strategy = contestants.make(name, candidates, Objectives.parse(benchmark.objectives), epochs)
    lookup = Lookup(table, benchmark.accuracy, seconds=benchmark.seconds)
    done: list[Trial] = []
    start = perf_counter()
    with TemporaryDirectory() as folder, closing(Journal(Path(folder) / "trials.jsonl")) as journal:
        with suppress(Exhausted):
            done.extend(
                run_trials(
                    strategy,
                    candidates.ledger,
                    InProcess(lookup),
                    journal,
                    trials=trials,
                    seed=seed,
                    estimators=(ExactCost(space),),
                    max_pending=benchmark.max_pending,
                )
            )
        seconds = perf_counter() - start
    return Search(
        contestant=name,
        seed=seed,
        trials=trials,
        rows=tuple(_row(table, trial) for trial in done),
        epochs=tuple(trial.proposal.epochs or epochs for trial in done),
        spent=tuple(_spent(benchmark, trial) for trial in done),
        seconds=seconds,
        recommended=_recommended(table, strategy),
    )


def _recommended(table: Table, strategy: Strategy) -> int | None:
    if not isinstance(strategy, Recommends):
        return None
    with suppress(ValueError):  # no trial completed
        return table.row(strategy.recommend().architecture)
    return None


def _spent(benchmark: Benchmark, trial: Trial) -> float:
    if benchmark.seconds is not None:
        return trial.training_seconds
    return (trial.proposal.epochs or max(benchmark.accuracy)) - trial.proposal.start_epoch


def _row(table: Table, trial: Trial) -> int:
    row = table.row(trial.architecture) if trial.completed else None
    return -1 if row is None else row


@cache
def _table(path: str, space: str) -> Table:
    return Table(Path(path), load(space))


@cache
def _proxies(path: str, space: str, wanted: bool) -> ProxyTable | None:
    table = _table(path, space)
    if not wanted and not any(name in table for name in proxies.parse("all")):
        return None
    return ProxyTable(table)


def _digest(path: str) -> str:
    return sha256(Path(path).read_bytes()).hexdigest()


# -- the folder --------------------------------------------------------------------------------


def _claim(out: Path, benchmark: Benchmark) -> None:
    file = out / "benchmark.json"
    wanted = benchmark.to_dict()
    if file.is_file():
        found = strict_json.loads(file.read_text())
        if found != wanted:
            named = found if isinstance(found, dict) else {}
            differs = ", ".join(sorted(k for k in wanted if wanted[k] != named.get(k)))
            raise ValueError(f"{out} holds another benchmark ({differs} differ): use another --out")
    else:
        write_whole(file, strict_json.dumps(wanted, indent=2))


def _file(out: Path, name: str, seed: int) -> Path:
    folder = "".join(c if c.isalnum() or c in "-_.+=" else "-" for c in name)
    return out / "searches" / folder / f"{seed:05d}.json"


def _is_done(file: Path, trials: int) -> bool:
    return file.is_file() and _read(file).trials >= trials


def _read(file: Path) -> Search:
    try:
        values = strict_json.loads(file.read_text(), strict_json.TRUSTED)
        if not isinstance(values, dict) or values.keys() != {f.name for f in fields(Search)}:
            raise ValueError("its fields are not those of a search")
        arguments: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return Search(**arguments)
    except ValueError as error:
        raise ValueError(f"{file}: {error}; remove it to run that search again") from None


def _cut(search: Search, trials: int) -> Search:
    """The search as if `trials` had been asked for: no strategy knows how many there will be."""
    share = min(1.0, trials / max(1, len(search.rows)))
    return replace(
        search,
        trials=trials,
        rows=search.rows[:trials],
        epochs=search.epochs[:trials],
        spent=search.spent[:trials],
        seconds=search.seconds * share,
        recommended=search.recommended if trials >= search.trials else None,
    )
