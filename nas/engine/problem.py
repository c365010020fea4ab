"""The problem of a search: its space, data, evaluator and estimators, and their metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nas.core.joint_space import JointSpace, ProxySource
from nas.core.metrics import METRICS, Metric, parse_metric
from nas.core.objectives import Objectives
from nas.engine import energy, latency, own_code
from nas.engine.energy import ENERGY
from nas.estimators import Estimator
from nas.estimators.cost import ExactCost
from nas.estimators.remembered import Remembered
from nas.evaluators import Evaluator, Tunable, factories
from nas.evaluators.by_value import pack_objects
from nas.evaluators.chosen import choose
from nas.evaluators.timed import LATENCY
from nas.runs.settings import AUTO, Settings
from nas.runs.understood import Choice
from search_spaces import SearchSpace, Struct, Task
from search_spaces.notation import did_you_mean

if TYPE_CHECKING:
    from nas.estimators.device.estimator import DeviceLatency
    from nas.estimators.latency.estimator import EstimatedLatency
    from trainers import Dataset
    from trainers import Task as Learned

EFFECTIVE = METRICS["effective_parameters"]


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The space, the data, the evaluator and the estimators of a search.

    Attributes:
        settings: The settings; paths are absolute, the device is the kind that was chosen.
        objects: Objects of the program, by the setting that they stand for.
        code: SHA-256 of the user's code, by setting.
        space: The search space.
        data: The data set; None if the evaluator has its own. On the device only if trials run in
            this process: workers have data of their own, and this process then uses no GPU.
        chosen: The settings that were chosen by the data.
        task: The task of the networks; None if it is not known.
        device: The device to train on; "cuda" for all GPUs.
        first_device: The first of these devices, such as "cuda:0".
        evaluator: The user's evaluator; None for the built-in training.
        learned: Loss and metrics of the built-in training; None for a user's evaluator.
        estimators: Estimators of metrics that are known before an evaluation.
        evaluated: The metrics of the evaluator.
        timed: True if `latency_ms` is measured after each evaluation.
        charged: True if `energy_wh` is a score of each trial.
        estimated_latency: The estimator of `estimated_latency_ms`; None if nothing asks for it.
        joint: The configurations that may be proposed.
        objectives: The objectives and constraints.
    """

    settings: Settings
    objects: Mapping[str, Any]
    code: Mapping[str, str]
    space: SearchSpace
    data: Dataset | None
    chosen: tuple[Choice, ...]
    task: Task | None
    device: str
    first_device: str
    evaluator: Evaluator | None
    learned: Learned | None
    estimators: tuple[Estimator, ...]
    evaluated: tuple[Metric, ...]
    timed: bool
    charged: bool
    estimated_latency: EstimatedLatency | DeviceLatency | None
    joint: JointSpace
    objectives: Objectives

    @classmethod
    def of(
        cls,
        settings: Settings,
        objects: Mapping[str, Any],
        *,
        folder: Path,
        notify: Callable[[str], None],
        trains_here: bool = True,
    ) -> Problem:
        """Read the data and load the code that the settings name.

        Args:
            settings: The settings of a search.
            objects: Objects of the program, by the setting that they stand for.
            folder: The folder of the run, which may have a table of latencies.
            notify: Called with messages for the user.
            trains_here: True if trials run in this process.

        Raises:
            ValueError: something cannot be loaded, or an objective has no metric.
        """
        from nas.estimators import proxy_scores
        from nas.evaluators import training

        settings = own_code.with_absolute_paths(settings)
        if not Path(settings.data).is_absolute() and Path(settings.data).exists():
            notify(
                f"data: {settings.data} is the data set of that name; what is called so in this folder is "
                f"./{settings.data}"
            )
        code = own_code.digests_of(settings, objects)
        space = objects.get("space")
        if space is None and settings.space != AUTO:
            space = settings.load_space(code.get("space"))
        evaluator = factories.load_evaluator(settings, objects, code)
        where = training.resolve(settings.device)
        data = factories.load_data(settings, str(where) if trains_here else "cpu", objects)
        chosen: tuple[Choice, ...] = ()
        if evaluator is None:
            assert data is not None, "the built-in training has data"
            _check_judged(data, settings.folds)
            settings, chosen = choose(settings, data)
        space = space or settings.load_space()
        if evaluator is None and space.build is None:
            raise ValueError(
                f"space {space.name}: its architectures have no networks, which the built-in "
                f"training needs: want a space with build, or an evaluator of your own"
            )
        learned = factories.load_learned(settings, data, objects, code)
        any_of_its_kind = settings.device in ("auto", where.type)
        device = where.type if any_of_its_kind else str(where)
        settings = replace(settings, device=where.type)
        task = factories.task_of(data, evaluator) if space.build or space.count else None
        _check_kind(space, task, data)
        own = tuple(map(Remembered, own_code.load_estimators(settings, objects, code)))
        estimated_latency = latency.estimator(
            settings, evaluator, own, space, task, device=where, folder=folder, notify=notify
        )
        if estimated_latency is not None:
            own = (*own, Remembered(estimated_latency))
        own = (*own, *_effective(settings, evaluator, own, space, task, data))
        proxies = proxy_scores.of_search(
            settings, _declared(evaluator, own), space, task, data, learned, folder
        )
        if proxies is not None and proxies.metrics:
            own = (*own, Remembered(proxies))
        joint = _joint(space, task, settings, _tree(settings, evaluator), own, proxies)
        estimators = (*own, *_costs(joint))
        estimated = tuple(metric for estimator in estimators for metric in estimator.metrics)
        timed = latency.is_measured(settings, evaluator, estimated, space, task)
        charged = energy.is_scored(settings, evaluator, estimated)
        settings = _with_objectives(settings, evaluator, estimated)
        after = _after(timed, charged)
        evaluated = _evaluated(settings, evaluator, data, (*estimated, *after))
        known = _each_once((*evaluated, *after), estimated)
        offered = _offered(data) if evaluator is None else {}
        objectives = Objectives.parse(
            settings.objectives, {**offered, **known}, settings.constraints
        )
        if unknown := [name for name in objectives.names if name not in known]:
            names = dict.fromkeys(
                (*known, *latency.NAMES, ENERGY.name, EFFECTIVE.name) if joint.has_costs else known
            )
            near = did_you_mean(unknown[0], names)
            raise ValueError(
                f"objectives: want some of {', '.join(names)}, got {unknown[0]!r}{near}"
            )
        for constraint in objectives.constraints:
            if constraint.metric not in known:
                raise ValueError(f"limit: want some of {', '.join(known)}, got {constraint}")
        return cls(
            settings=settings,
            objects=objects,
            code=code,
            space=space,
            data=data,
            chosen=chosen,
            task=task,
            device=device,
            first_device=str(where),
            evaluator=evaluator,
            learned=learned,
            estimators=estimators,
            evaluated=evaluated,
            timed=timed,
            charged=charged,
            estimated_latency=estimated_latency,
            joint=joint,
            objectives=objectives,
        )

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metrics of a completed trial."""
        return (*self.evaluated, *_after(self.timed, self.charged), *self._estimated)

    @property
    def estimated(self) -> tuple[str, ...]:
        """The names of the metrics that are known before an evaluation."""
        return tuple(metric.name for metric in self._estimated)

    @property
    def _estimated(self) -> tuple[Metric, ...]:
        return tuple(metric for estimator in self.estimators for metric in estimator.metrics)

    @property
    def sent(self) -> dict[str, Any]:
        """The objects that other processes are sent by value."""
        found = {name: self.objects[name] for name in own_code.SENT if name in self.objects}
        if "data" in self.objects and self.data is not None:
            found["data"] = self.data.to("cpu")
        return found

    def require_sendable(self, *, whole_project: bool) -> None:
        """Refuse objects that other processes cannot be sent, before anything is written.

        Args:
            whole_project: As for `pack_objects`.

        Raises:
            ValueError: one cannot be sent; says which, why and what to do.
        """
        objects = {name: value for name, value in self.sent.items() if name != "data"}
        if objects:
            pack_objects(objects, whole_project=whole_project)


def _effective(
    settings: Settings,
    evaluator: Evaluator | None,
    given: Iterable[Remembered],
    space: SearchSpace,
    task: Task | None,
    data: Dataset | None,
) -> Iterator[Remembered]:
    """Yield the estimator of `effective_parameters` where an objective or a limit names it.

    Raises:
        ValueError: the space has no networks, or there is no task for them.
    """
    declared = [] if evaluator is None else list(evaluator.metrics)
    declared += [metric for estimator in given for metric in estimator.metrics]
    if EFFECTIVE.name not in settings.named_metrics or EFFECTIVE in declared:
        return
    if space.build is None or task is None:
        raise ValueError(
            f"{EFFECTIVE.name}: want a space with networks, and data or an evaluator that declares "
            f"input_shape and classes"
        )
    from nas.estimators.effective import EffectiveParameters

    yield Remembered(EffectiveParameters(space, task, data))


def _after(timed: bool, charged: bool) -> tuple[Metric, ...]:
    """The metrics that are measured beside an evaluation."""
    return (*((LATENCY,) if timed else ()), *((ENERGY,) if charged else ()))


def _tree(settings: Settings, evaluator: Evaluator | None) -> Struct:
    """The tree of the hyperparameters that are searched."""
    from nas.core import hyperparameters

    if evaluator is None:
        return hyperparameters.tree(settings.tune, settings.recipe)
    return evaluator.hyperparameters if isinstance(evaluator, Tunable) else Struct()


def _check_judged(data: Dataset, folds: int) -> None:
    """Refuse data by which no training can be judged."""
    examples = len(data.train) + len(data.validation)
    if not folds and not len(data.validation):
        raise ValueError("data: want a validation split, or folds; got neither")
    if folds > examples:
        raise ValueError(f"folds: want at most {examples:,} for so many examples, got {folds}")


def _check_kind(space: SearchSpace, task: Task | None, data: Dataset | None) -> None:
    """Refuse vectors for a space of sequences with the setting that makes sequences of them.

    Others are refused where the configurations are made.
    """
    if task is None or data is None or data.reading is None or data.reading.layout != "ND":
        return
    if len(task.input_shape) not in space.inputs and 2 in space.inputs:
        raise ValueError(
            f"{space.name} is for sequences, got vectors of {task.input_shape[0]:,} values; "
            "--layout NL (layout) reads each as a sequence of one channel"
        )


def _joint(
    space: SearchSpace,
    task: Task | None,
    settings: Settings,
    hyperparameters: Struct,
    estimators: Iterable[Remembered],
    proxies: ProxySource | None,
) -> JointSpace:
    """The configurations within the limits on costs and estimates."""
    estimates = {name: e for one in estimators for name, e in one.by_name().items()}
    try:
        return JointSpace(
            space,
            task,
            settings.constraints,
            hyperparameters,
            estimates,
            proxies,
            dead_parts=settings.proposes_dead_parts,
        )
    except ValueError as error:
        why = next((f" ({one.failure})" for one in estimators if one.failure), "")
        raise ValueError(f"{error}{why}") from None


def _declared(evaluator: Evaluator | None, estimators: Iterable[Estimator]) -> list[str]:
    """The names of the metrics that the user's code has."""
    own = [] if evaluator is None else list(evaluator.metrics)
    return [m.name for m in (*own, *(m for one in estimators for m in one.metrics))]


def _costs(joint: JointSpace) -> tuple[Estimator, ...]:
    return (ExactCost(joint),) if joint.has_costs else ()


def _with_objectives(
    settings: Settings, evaluator: Evaluator | None, estimated: Iterable[Metric]
) -> Settings:
    """The settings with the default objectives of a user's evaluator: its first metric, and size."""
    if settings.objectives:
        return settings
    declared = [metric.name for metric in evaluator.metrics] if evaluator is not None else []
    if not declared:
        raise ValueError(
            "objectives: want a metric that the evaluator returns, with its direction, such as "
            "f1:max; got none"
        )
    size = [metric.name for metric in estimated if metric.name == "parameters"]
    return replace(settings, objectives=(declared[0], *size))


def _evaluated(
    settings: Settings,
    evaluator: Evaluator | None,
    data: Dataset | None,
    estimated: Iterable[Metric],
) -> tuple[Metric, ...]:
    """The metrics of the evaluator: as it declares them, or all that nobody estimates."""
    if evaluator is None:
        from nas.evaluators.training_task import metrics_of

        assert data is not None, "the built-in training has data"
        return metrics_of(settings, data.targets.task)
    if evaluator.metrics:
        return tuple(evaluator.metrics)
    known = {metric.name: metric for metric in estimated}
    found: dict[str, Metric] = {}
    for text in settings.objectives:
        try:
            metric = parse_metric(text, {**METRICS, **known})
        except ValueError as error:
            raise ValueError(f"objectives: {error}") from None
        found[metric.name] = metric
    for constraint in settings.constraints:
        unknown = Metric(constraint.metric, "maximize" if constraint.sign == ">=" else "minimize")
        found.setdefault(constraint.metric, METRICS.get(constraint.metric, unknown))
    own = tuple(metric for metric in found.values() if metric.name not in known)
    if not own:
        raise ValueError(
            "objectives: want a metric that the evaluator returns, such as f1:max; got "
            + ", ".join(settings.objectives)
        )
    return own


def _offered(data: Dataset | None) -> dict[str, Metric]:
    """The metrics that the built-in training can measure, asked for or not."""
    from nas.evaluators.training_task import offered

    assert data is not None, "the built-in training has data"
    return offered(data.targets.task)


def _each_once(evaluated: Iterable[Metric], estimated: Iterable[Metric]) -> dict[str, Metric]:
    known: dict[str, Metric] = {}
    for metric in (*evaluated, *estimated):
        if metric.name in known:
            raise ValueError(
                f"metrics: {metric.name!r} is given twice, by the evaluator and an estimator, or by "
                f"two estimators; give one of them another name"
            )
        known[metric.name] = metric
    return known
