"""Earlier searches that a search learns from: read from their runs, and copied into its own.

The copy, `earlier.jsonl`, is what the search uses, so that it resumes exactly when their folders
are gone or have grown. Its SHA-256 stands in `run.json`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from math import inf, isfinite
from pathlib import Path
from typing import Any

from nas.core import schema
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration, WarmStart
from nas.core.earlier import EarlierSearch
from nas.core.joint_space import JointSpace
from nas.core.metrics import Metric
from nas.core.numbers import counted
from nas.core.objectives import Objectives
from nas.core.trial import Trial
from nas.engine.learning.elsewhere import translated
from nas.runs.atomic_io import read_whole, write_whole
from nas.runs.run import Run
from nas.strategies.earlier import portfolio
from search_spaces import Architecture, strict_json
from search_spaces.sampling import COSTS
from search_spaces.tree.values import freeze, thaw

FILE = "earlier.jsonl"
AUTO = "auto"  # all runs under RUNS that fit
RUNS = Path("runs")
MOST_SEARCHES = 30
MOST_TRIALS = 200  # of one search: the best half, and an even spread of the others
_MOST_CHARACTERS = 40_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """The earlier searches of a search.

    Attributes:
        searches: Those that it learns from.
        left_out: Names of the others, each with the reason.
    """

    searches: tuple[EarlierSearch, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """The copy for the folder of the run, one line for each search."""
        head = {"left_out": [list(one) for one in self.left_out]}
        return "".join(
            strict_json.dumps(one) + "\n" for one in (head, *map(_to_dict, self.searches))
        )

    @property
    def sha256(self) -> str:
        """SHA-256 of `text`."""
        return sha256(self.text.encode()).hexdigest()

    @property
    def said(self) -> str:
        """The searches in one sentence, for the user."""
        trials = sum(len(one.configurations) for one in self.searches)
        names = ", ".join(one.name for one in self.searches)
        used = f"{_searches(len(self.searches))} with {counted(trials, 'trial')}: {names}"
        return "; ".join([used if names else "no earlier search", *self.said_of_left_out])

    @property
    def said_of_left_out(self) -> tuple[str, ...]:
        """The runs that are left out, in one sentence for the user; empty without any."""
        why = "; ".join(f"{name} ({reason})" for name, reason in self.left_out)
        return (f"left out: {why}",) if why else ()


def learn(
    sources: Sequence[str], folder: Path, space: JointSpace, objectives: Objectives
) -> Learned:
    """Read the copy in the folder of a run, or the runs themselves where there is none.

    Args:
        sources: Folders of runs, folders that hold runs, or "auto".
        folder: The folder of the run that learns.
        space: Its configurations.
        objectives: Its objectives.

    Raises:
        ValueError: the copy is damaged; a source is no folder; or of the runs that are named, none
            can be learnt from: says why.
    """
    if not sources:
        return Learned()
    if (folder / FILE).exists():
        return read_copy(folder / FILE, space)
    return gather(sources, space, objectives, folder)


def gather(
    sources: Sequence[str], space: JointSpace, objectives: Objectives, without: Path | None = None
) -> Learned:
    """Read runs as `learn` does, but that in the folder `without`."""
    searches: list[EarlierSearch] = []
    others: list[tuple[str, EarlierSearch]] = []
    left_out: list[tuple[str, str]] = []
    for path in _runs(sources, without):
        try:
            run = Run(path)
            found = _read(run, space, objectives)
            if _is_of(run, space):
                searches.append(found)
            else:
                others.append((path.name, found))
        except ValueError as error:
            left_out.append((path.name, schema.visible(str(error))))
    if searches:
        left_out += [
            (name, "its search space is another than that of the others") for name, _ in others
        ]
    else:
        searches = [one for _, one in others]
    searches.sort(key=lambda one: -len(one.configurations))
    left_out += [(one.name, f"only {MOST_SEARCHES} are used") for one in searches[MOST_SEARCHES:]]
    learned = Learned(searches=tuple(searches[:MOST_SEARCHES]), left_out=tuple(left_out))
    if not searches and tuple(sources) != (AUTO,):
        raise ValueError(f"learn_from: want runs to learn from, got {learned.said}")
    return learned


def write_copy(folder: Path, learned: Learned) -> None:
    """Write the copy into the folder of a run, unless it is there."""
    if not (folder / FILE).exists():
        write_whole(folder / FILE, learned.text)


def read_copy(file: Path, space: JointSpace) -> Learned:
    """Read what `write_copy` wrote.

    Raises:
        ValueError: it is something else, or has configurations of another space.
    """
    lines = read_whole(file, _MOST_CHARACTERS).decode(errors="replace").splitlines()
    try:
        found = [strict_json.loads(line) for line in lines]
        if not found or len(found) > MOST_SEARCHES + 1:
            raise ValueError(f"want 1 to {MOST_SEARCHES + 1} lines, got {len(found)}")
        _HEAD(found[0], "line 1")
        searches = []
        for number, fields in enumerate(found[1:], start=2):
            _SEARCH(fields, f"line {number}")
            searches.append(_from_dict(fields, space, f"line {number}"))
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
    left_out = tuple((name, why) for name, why in found[0]["left_out"])
    return Learned(searches=tuple(searches), left_out=left_out)


def portfolio_of(
    sources: Sequence[str],
    size: int,
    space: str | None = None,
    notify: Callable[[str], None] = lambda _: None,
) -> tuple[str, ...]:
    """The configurations that would together have done best over runs, as texts of warm starts.

    They are members of the space of the first run, in whose first objective they are compared.

    Args:
        sources: Folders of runs, or folders that hold runs.
        size: Most configurations.
        space: The search space of the first run, if it is in a file of the user's own.
        notify: Receives a sentence on the runs that are left out, if there are any.

    Raises:
        ValueError: a source is no folder, or none of the runs can be used.
    """
    first = Run(_runs(sources, None)[0], space)
    joint = first.header.joint_space(first.space)
    learned = gather(sources, joint, first.objectives)
    for sentence in learned.said_of_left_out:
        notify(sentence)
    found = portfolio(Candidates(joint), learned.searches, first.objectives, size)
    return tuple(
        str(WarmStart(str(p.architecture), thaw(p.hyperparameters)))  # read by `--from`
        for p in found
    )


def _runs(sources: Iterable[str], folder: Path | None) -> list[Path]:
    """The folders of runs, each once, without that of the search itself."""
    found: dict[Path, Path] = {}
    for source in sources:
        path = RUNS if source == AUTO else Path(source)
        if not path.is_dir():
            if source == AUTO:
                continue
            raise ValueError(f"learn_from: want the folder of a run or of runs, got {source}")
        inside = sorted(p for p in path.iterdir() if (p / "run.json").is_file())
        single = (path / "run.json").is_file() or not (inside or source == AUTO)
        found |= {p.resolve(): p for p in ([path] if single else inside)}
    if folder is not None:
        found.pop(folder.resolve(), None)
    return list(found.values())


def _is_of(run: Run, space: JointSpace) -> bool:
    """True if some trial of a run is a member of a space."""
    return any(isinstance(_configuration(t, space), Configuration) for t in run.trials)


def _read(run: Run, space: JointSpace, objectives: Objectives) -> EarlierSearch:
    """The trials of a run as members of the space of a search, with scores by its objectives.

    Those of another space are translated by their costs: see `elsewhere`.

    Raises:
        ValueError: they are not, or no two scores differ.
    """
    metrics = _matching(run.header.metrics, run.objectives, objectives)
    longest = max((trial.epochs for trial in run.trials if trial.completed), default=0)
    trials = [t for t in run.trials if not (t.cut or (t.completed and t.epochs < longest))]
    if trials and trials[0].configuration.space != space.name and not _is_of(run, space):
        return _of_another_space(run, trials, metrics, space)
    last = {}
    for trial in trials:
        configuration = _configuration(trial, space)
        if isinstance(configuration, Configuration):
            last[space.key(configuration)] = configuration, trial
    if not last:
        why = next(map(str, (_configuration(trial, space) for trial in trials)), "it has no trials")
        raise ValueError(why)
    rows = _best_and_spread([(c, _scores(t, metrics)) for c, t in last.values()])
    names = objectives.names
    scores = {n: tuple(values[n] for _, values in rows) for n in names if n in metrics}
    _check_distinct(scores[next(iter(scores))])
    return EarlierSearch(
        name=run.path.name, configurations=tuple(c for c, _ in rows), scores=scores
    )


def _of_another_space(
    run: Run, trials: Sequence[Trial], metrics: Mapping[str, Metric], space: JointSpace
) -> EarlierSearch:
    name = next(iter(metrics))
    try:
        source = run.header.joint_space(run.space)
    except ValueError:  # one in a file of the user's
        other = trials[0].configuration.space
        raise ValueError(f"its search space {other} is another, and is not at hand") from None
    scored = [(trial.configuration, _scores(trial, metrics)[name]) for trial in trials]
    _check_distinct([score for _, score in scored])
    return translated(run.path.name, source, scored, space, name)


def _check_distinct(scores: Iterable[float]) -> None:
    """Refuse scores of which no two differ, failures aside."""
    if len({score for score in scores if isfinite(score)}) < 2:
        raise ValueError("no two of its completed trials differ in score")


def _matching(
    known: Sequence[Metric], own: Objectives, objectives: Objectives
) -> dict[str, Metric]:
    """The metric of an earlier search for each objective that is learnt: of the same name, or its first."""
    by_name = {metric.name: metric for metric in known}
    found = {m.name: by_name[m.name] for m in objectives.metrics if m.name in by_name}
    found = {name: metric for name, metric in found.items() if name not in COSTS}
    first, its = objectives.metrics[0].name, own.metrics[0]
    if first not in found and first not in COSTS and its.name not in COSTS:
        found[first] = its
    if not found:
        raise ValueError(f"it has no score that is like {first}")
    return found


def _scores(trial: Trial, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """The scores of a trial by objective, minimised."""
    if not trial.completed:
        return dict.fromkeys(metrics, inf)
    signs = {name: -1 if m.direction == "maximize" else 1 for name, m in metrics.items()}
    return {name: signs[name] * trial.scores[m.name] for name, m in metrics.items()}


def _configuration(trial: Trial, space: JointSpace) -> Configuration | str:
    """The configuration of a trial as a member of another space, or the reason why it is none.

    Hyperparameters that the trial did not search have the values of its recipe.
    """
    fields = space.hyperparameters.fields
    given = {**trial.recipe, **trial.hyperparameters}
    if missing := [name for name in fields if name not in given]:
        return f"it has no value of {missing[0]}"
    value = thaw(trial.configuration.value["architecture"])
    try:
        hyperparameters = freeze({name: given[name] for name in fields})
        return _checked(value, hyperparameters, space, "its trials")
    except (ValueError, TypeError) as error:
        if trial.configuration.space != space.name:
            return f"its search space {trial.configuration.space} is another"
        return str(error)


def _checked(
    architecture: Any, hyperparameters: Any, space: JointSpace, where: str
) -> Configuration:
    found = Configuration.of(Architecture(space.name, architecture), hyperparameters)
    space.check(found, where)
    return space.simplified(found)


def _best_and_spread(
    rows: list[tuple[Configuration, dict[str, float]]],
) -> list[tuple[Configuration, dict[str, float]]]:
    """At most `MOST_TRIALS` of the trials, in their order."""
    if len(rows) <= MOST_TRIALS:
        return rows
    order = sorted(range(len(rows)), key=lambda i: next(iter(rows[i][1].values())))
    half = MOST_TRIALS // 2
    rest = sorted(order[half:])
    step = len(rest) / (MOST_TRIALS - half)
    chosen = {*order[:half], *(rest[int(n * step)] for n in range(MOST_TRIALS - half))}
    return [rows[i] for i in sorted(chosen)]


def _to_dict(one: EarlierSearch) -> dict[str, Any]:
    return {
        "name": one.name,
        "configurations": [
            [thaw(c.value["architecture"]), thaw(c.hyperparameters)] for c in one.configurations
        ],
        "scores": {
            name: [value if isfinite(value) else None for value in values]
            for name, values in one.scores.items()
        },
    }


def _from_dict(fields: Mapping[str, Any], space: JointSpace, where: str) -> EarlierSearch:
    configurations = tuple(
        _checked(architecture, freeze(hyperparameters), space, where)
        for architecture, hyperparameters in fields["configurations"]
    )
    scores = {
        name: tuple(inf if value is None else float(value) for value in values)
        for name, values in fields["scores"].items()
    }
    if wrong := [name for name, values in scores.items() if len(values) != len(configurations)]:
        raise ValueError(f"{where}: want {len(configurations)} scores in {wrong[0]}")
    return EarlierSearch(name=fields["name"], configurations=configurations, scores=scores)


def _searches(number: int) -> str:
    return "1 earlier search" if number == 1 else f"{number} earlier searches"


_TEXTS = schema.items(schema.text(10_000), 2, 2)
_HEAD = schema.record({"left_out": schema.items(_TEXTS, most=100_000)})
_NUMBERS = schema.items(schema.maybe(schema.number(-1e300, 1e300)), 2, MOST_TRIALS)
_SEARCH = schema.record(
    {
        "name": schema.text(1_000),
        "configurations": schema.items(schema.items(schema.anything, 2, 2), 2, MOST_TRIALS),
        "scores": schema.mapping(_NUMBERS),
    }
)
