"""Zero-cost proxies of configurations, measured once for each function and seed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isfinite, nan
from pathlib import Path

from nas.core.configuration import Configuration
from nas.core.metrics import PROXIES as METRICS
from nas.core.metrics import Metric
from nas.estimators import proxies
from nas.estimators.proxy_batch import Batch, measure
from nas.runs.settings import Settings
from search_spaces import Architecture, SearchSpace, Task, strict_json
from trainers import Dataset, Recipe
from trainers import Task as Learned

FILE = "proxies.jsonl"  # of the folder of a run
_SHARE = 0.05  # of a training, that the proxies of one proposal take at most
_MOST = 64  # configurations
_STEPS = 4  # of a training, that a measurement by `auto` takes at most: 1.9 to 3 of a small network


def of_search(
    settings: Settings,
    declared: Iterable[str],
    space: SearchSpace,
    task: Task | None,
    data: Dataset | None,
    learned: Learned | None,
    folder: Path,
) -> ProxyScores | None:
    """The proxies of a search; None where there are no networks or no data.

    Its metrics are those that objectives and limits name.

    Args:
        settings: The settings of the search.
        declared: Names of metrics that the evaluator or an estimator of the user's has.
        space: The search space.
        task: The task of the networks.
        data: The data set.
        learned: The loss; None for that of the data.
        folder: The folder of the run.
    """
    if space.build is None or task is None or data is None:
        return None
    others = set(declared)
    names = tuple(n for n in METRICS if n in settings.named_metrics and n not in others)
    recipe = Recipe.from_dict(dict(settings.recipe))
    steps = recipe.epochs * -(-len(data.train) // recipe.batch_size)
    return ProxyScores(
        space,
        task,
        names,
        batch=lambda: Batch.of(data, settings.seed, task=learned),
        seed=settings.seed,
        path=folder / FILE,
        most=min(max(1, int(_SHARE * steps / _STEPS)), _MOST),
    )


@dataclass(slots=True)
class _Record:
    """The scores of an architecture, and the reasons of those that are missing."""

    scores: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


class ProxyScores:
    """Estimates zero-cost proxies, each once for architectures of equal function.

    Networks of equal function have different initial weights if their layers stand in another order, so
    the first that was measured counts for all. For a resumed search to go on the same, it stands in
    a file.

    Args:
        space: The search space.
        task: The task of the networks.
        names: Names of scores: see `proxies.parse`.
        batch: Returns the examples; called when the first network is measured.
        seed: Seed of initial weights and of all that is drawn.
        path: The file; written once its folder is there. None for none.
        most: The most configurations that a strategy measures for one proposal.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: Task,
        names: tuple[str, ...],
        *,
        batch: Callable[[], Batch],
        seed: int,
        path: Path | None = None,
        most: int = 16,
    ) -> None:
        self._space = space
        self._task = task
        self._names = names
        self._make = batch
        self._batch: Batch | None = None
        self._seed = seed
        self._path = path
        self._unwritten: list[str] = []
        self.most = most
        self._records: dict[Hashable, _Record] = {}
        if path is not None and path.exists():
            self._read(path)

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of the proxies that are estimated."""
        return tuple(METRICS[name] for name in self._names)

    def estimate(self, configuration: Configuration) -> dict[str, float]:
        """Return all scores by name.

        Raises:
            ValueError: one is missing; says why.
        """
        record = self._record(configuration.architecture, self._names)
        for name in self._names:
            if name in record.missing:
                raise ValueError(f"{name}: {record.missing[name]}")
        return {name: record.scores[name] for name in self._names}

    def by_name(self) -> dict[str, Callable[[Configuration], float]]:
        """Functions that estimate one score each; NaN where it is missing."""

        def one(name: str) -> Callable[[Configuration], float]:
            return lambda configuration: self.scores(configuration, (name,)).get(name, nan)

        return {name: one(name) for name in self._names}

    def names(self, text: str) -> tuple[str, ...]:
        """Return the proxies that a text names."""
        return proxies.parse(text)

    def scores(self, configuration: Configuration, names: tuple[str, ...]) -> Mapping[str, float]:
        """Return the scores of a configuration by proxy; those that are missing are left out."""
        found = self._record(configuration.architecture, names).scores
        return {name: found[name] for name in names if name in found}

    def missing(self, architecture: Architecture) -> Mapping[str, str]:
        """The reasons of the scores that an architecture does not have."""
        return self._record(architecture, self._names).missing

    def _record(self, architecture: Architecture, names: tuple[str, ...]) -> _Record:
        record = self._records.setdefault(self._space.canonical(architecture), _Record())
        unknown = [n for n in names if n not in record.scores and n not in record.missing]
        if unknown:
            if self._batch is None:
                self._batch = self._make()
            scores, missing = measure(
                self._space, architecture, self._task, unknown, self._batch, seed=self._seed
            )
            record.scores |= scores
            record.missing |= missing
            self._write(architecture, scores, missing)
        return record

    # -- the file ------------------------------------------------------------------------------

    def _write(
        self, architecture: Architecture, scores: dict[str, float], missing: dict[str, str]
    ) -> None:
        if self._path is None:
            return
        fields = {"architecture": str(architecture), "scores": scores, "missing": missing}
        self._unwritten.append(strict_json.dumps(fields) + "\n")
        if self._path.parent.exists():
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(self._unwritten))
            self._unwritten = []

    def _read(self, path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:  # a kill left a part of a line
            path.write_text(whole, encoding="utf-8")
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                fields = strict_json.loads(line, strict_json.TRUSTED)
                key = self._space.canonical(self._space.parse(fields["architecture"]))
                scores = {METRICS[n].name: float(score) for n, score in fields["scores"].items()}
                missing = {METRICS[n].name: str(why) for n, why in fields["missing"].items()}
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(f"{path}, line {number}: want scores, got {error}") from None
            if not all(map(isfinite, scores.values())):
                raise ValueError(f"{path}, line {number}: want finite scores, got {scores}")
            record = self._records.setdefault(key, _Record())
            record.scores |= scores
            record.missing |= missing
