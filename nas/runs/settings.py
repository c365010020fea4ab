"""The settings of a search: everything that decides its outcome but the number of trials.

To add one: declare a field of `Settings`. Its option of `nas search`, its keyword of `nas.search`
(`python scripts/search_signature.py` writes it), its place in `run.json`, its check and its part
of the command that reproduces a run follow from the declaration.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

from nas.core import schema
from nas.core.constraints import Constraint
from nas.core.metrics import METRICS, PROXIES
from nas.runs import option
from nas.runs.option import setting
from search_spaces.notation import did_you_mean
from search_spaces.user_files import is_code

if TYPE_CHECKING:  # late: options are declared without importing what they select
    from search_spaces import SearchSpace
    from trainers.data.reading import Layout

TRAINING = "training"  # the built-in evaluator
UNTRAINED = "proxies"  # the evaluator of zero-cost proxies
SUPERNET = "supernet"  # the evaluator of weight-sharing supernets
DEFAULT_LOSS = "default"  # that of the task, unless there is a user's own
AUTO = "auto"  # a setting that follows from the data
TASKS = ("classification", "multilabel", "regression", "segmentation")
NO_DATA = "none"
MOST_EPOCHS = 5_000  # of one trial: its curve is one line of the journal


def is_supernet(evaluator: str) -> bool:
    """True for the evaluator `supernet`, with settings or without."""
    return evaluator == SUPERNET or (
        evaluator.startswith(f"{SUPERNET}:") and not is_code(evaluator)
    )


def is_own(evaluator: str) -> bool:
    """True for an evaluator of the user's own, by its name in the settings."""
    return evaluator not in (TRAINING, UNTRAINED) and not is_supernet(evaluator)


def _architecture(value: object, path: str) -> None:
    from search_spaces.architecture import BOUNDS

    schema.text(BOUNDS.characters)(value, path)  # fixed:SPACE:ARCHITECTURE may be long


def _recipe_field(value: object, path: str) -> None:
    if value is None:
        raise schema.refuse(path, "a number, a text, true or false", value)
    schema.scalar(value, path)


_NAMES = schema.items(schema.text(100), most=100)
_LAYOUTS = ("ND", "NL", "NCL", "NLC", "NHW", "NCHW", "NHWC")
_LIMIT = schema.maybe(schema.whole(-schema.LARGE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a search: the same settings give the same trials.

    Fields are described by their `help`; `space`, `data` and `device` are recorded in full: paths
    are absolute, and the device is the kind that was chosen.

    Raises:
        ValueError: a value is not allowed, or two contradict each other.
    """

    space: str = setting(
        option.OBJECT,
        default="nasbench201:channels=8,cells=1",
        check=_architecture,
        group="Most used",
        late=True,
        help="Search space: a name (`nas spaces` lists them), name:setting=value,..., "
        "path/to/file.py:variable, fixed:SPACE:ARCHITECTURE, ensemble:SPACE, or none for "
        "hyperparameters alone. Default: auto, one that suits the data; with an evaluator of your "
        "own, none.",
    )
    strategy: str = setting(
        option.OBJECT,
        default="evolution",
        check=schema.text(),
        group="Most used",
        help="Search strategy: one that `nas strategies` lists, or with settings name:setting=value,... such "
        "as evolution:population=64; or path/to/file.py:Class.",
    )
    schedule: str = setting(
        option.OBJECT,
        default="none",
        check=schema.text(),
        group="Search",
        help="Schedule of the epochs of trials: one that `nas schedules` lists, or with settings "
        "name:setting=value,... such as asha:eta=3,min_epochs=1 or asha:rungs=2+5. It resumes promising "
        "trials for more epochs; each resumed training is a trial of its own.",
    )
    objectives: tuple[str, ...] = setting(
        option.NAMES,
        default=("accuracy", "parameters"),
        check=_NAMES,
        group="Most used",
        late=True,
        help="Metrics to optimise (`nas metrics` lists them), separated by commas, the most important first, "
        "such as accuracy,parameters; one of your own with its direction, as in f1:max. Default: the "
        "metric that suits the task (accuracy, balanced_accuracy, r2, ...) and parameters; with an "
        "evaluator of your own, its first metric and parameters.",
    )
    evaluator: str = setting(
        option.OBJECT,
        default=TRAINING,
        check=schema.text(4_096),
        group="Evaluation",
        help="Evaluator of each configuration: training, the built-in one; proxies, which trains nothing and "
        "scores by zero-cost proxies; supernet, which trains one set of weights for all networks, or "
        "supernet:setting=value,... such as supernet:sampling=fair,epochs=100; or a function of your own as "
        "path/to/file.py:function.",
    )
    estimators: tuple[str, ...] = setting(
        option.OBJECTS,
        default=(),
        check=schema.items(schema.text(4_096), most=100),
        group="Evaluation",
        flag="--estimator",
        help="Estimator of your own, as path/to/file.py:name: its metrics are known before a "
        "configuration is evaluated. May be given several times.",
    )
    tune: tuple[str, ...] = setting(
        option.NAMES,
        default=(),
        check=_NAMES,
        group="Search",
        help="Hyperparameters to search together with the architecture: all, or names separated "
        "by commas.",
    )
    baselines: bool = setting(
        option.FLAG,
        default=False,
        check=schema.flag,
        group="Search",
        help="Evaluate the known architectures of the space first.",
    )
    warm_start: tuple[str, ...] = setting(
        option.SOURCES,
        default=(),
        check=schema.items(_architecture, most=10_000),
        group="Earlier runs",
        flag="--from",
        help="Architectures to evaluate first: those of a bundle, those on the front of a run, those in a "
        "file that nas portfolio wrote, or one as text, which may have searched hyperparameters: 'ARCHITECTURE with learning_rate=0.01'. "
        "May be given several times.",
    )
    learn_from: tuple[str, ...] = setting(
        option.FOLDERS,
        default=(),
        check=schema.items(schema.text(4_096), most=1_000),
        group="Earlier runs",
        help="Earlier searches to learn from, separated by commas: folders of runs or of many runs, or "
        "auto, all under runs/ that fit. The strategy predictor takes them into its model, for as long as "
        "they rank the trials rightly; the others evaluate a portfolio of their best first. They are "
        "copied into the run. May be given several times.",
    )
    seed: int = setting(
        option.WHOLE,
        default=0,
        check=schema.whole(-schema.LARGE),
        group="Search",
        help="Seed of the search: the same seed gives the same trials (on a GPU, with the recipe "
        "deterministic=true).",
    )
    max_pending: int = setting(
        option.WHOLE,
        default=4,
        check=schema.whole(1, 1_000_000),
        group="Search",
        help="Greatest number of trials that are pending at a time. It affects which trials are "
        "proposed; the number of workers does not.",
    )
    ordered: bool = setting(
        option.FLAG,
        default=True,
        check=schema.flag,
        group="Search",
        flag=" /--unordered",
        help="Use results in trial order, or as soon as each trial ends (--unordered, in Python "
        "ordered=False): no trial waits for a slow one, but the same seed may give other trials.",
    )
    data: str = setting(
        option.OBJECT,
        default="digits",
        check=schema.text(4_096),
        group="Most used",
        late=True,
        help="Data set: digits, the name of a torchvision data set, an image folder, an .npz file, a folder of "
        ".npy files or a table (.csv, .tsv, .parquet) with --target; none if your evaluator has its own. Default: digits; with an evaluator of your own, none.",
    )
    target: str | None = setting(
        option.TEXT,
        check=schema.maybe(schema.text(4_096)),
        group="Most used",
        help="Column of a table to predict, or several separated by commas.",
    )
    sample_weight: str | None = setting(
        option.TEXT,
        check=schema.maybe(schema.text(4_096)),
        group="Data",
        help="Column of a table with the weight of each row in the loss.",
    )
    image_size: int | None = setting(
        option.WHOLE,
        check=schema.maybe(schema.whole(1)),
        group="Data",
        help="Side in pixels of the squares to which images are resized. Default: their own size, or "
        "for a folder of images of different sizes one that suits most, which is printed.",
    )
    flip: bool | None = setting(
        option.FLAG,
        check=schema.maybe(schema.flag),
        group="Data",
        flag="--flip/--no-flip",
        help="Flip images left to right at random in training, for images that keep their labels when they "
        "are flipped. Default: on for the data sets of torchvision whose images do, else off.",
    )
    layout: Layout | None = setting(
        option.UPPER,
        check=schema.maybe(schema.one_of(_LAYOUTS)),
        group="Data",
        help="Axes of the inputs of an .npz file or of arrays: ND, NL, NCL, NLC, NHW, NCHW or NHWC, of N examples, "
        "D values, L steps, C channels, H height, W width. Default: inferred and "
        "printed; where several are likely, the search asks for this option.",
    )
    data_seed: int = setting(
        option.WHOLE,
        default=0,
        check=schema.whole(-schema.LARGE),
        group="Data",
        help="Seed of the split into training and validation data.",
    )
    folds: int = setting(
        option.WHOLE,
        default=0,
        check=schema.whole(0, 1_000),
        group="Data",
        help="Folds of cross-validation: each configuration is trained once for each fold of the training and "
        "validation data together, and scored on all of them. An epoch counts once for all folds. "
        "0 for one validation split.",
    )
    task: str = setting(
        option.TEXT,
        default=AUTO,
        check=schema.one_of((AUTO, *TASKS)),
        group="Data",
        help="Task: classification, multilabel, regression, segmentation, or auto, which infers it "
        "from the targets and prints it.",
    )
    max_parameters: int | None = setting(
        option.WHOLE,
        check=_LIMIT,
        group="Limits and latency",
        keyword="max_params",
        help="Greatest number of parameters of a network.",
    )
    max_macs: int | None = setting(
        option.WHOLE,
        check=_LIMIT,
        group="Limits and latency",
        help="Greatest number of multiply-accumulates of a network for one input.",
    )
    limits: tuple[str, ...] = setting(
        option.LIMITS,
        default=(),
        check=schema.items(schema.text(200), most=100),
        group="Limits and latency",
        flag="--limit",
        help="Bound on any metric (`nas metrics` lists them), such as parameters<=50000 or latency_ms<=5. "
        "Only configurations whose costs and estimates keep the bounds are evaluated; a trial that "
        "exceeds another bound is recorded, but never on the front. May be given several times.",
    )
    dead_parts: bool | None = setting(
        option.FLAG,
        check=schema.maybe(schema.flag),
        group="Search",
        flag="--dead-parts/--no-dead-parts",
        help="Propose architectures with dead parts too, such as convolutions of nothing, whose parameters "
        "cannot change the output. Default: no; yes with an evaluator of your own, which may "
        "have published scores of them.",
    )
    loss: str = setting(
        option.OBJECT,
        default=DEFAULT_LOSS,
        check=schema.text(4_096),
        group="Evaluation",
        help="Loss of the built-in training: default, that of the task, or a function of your own "
        "from outputs and targets to losses, as path/to/file.py:function.",
    )
    metric: tuple[str, ...] = setting(
        option.OBJECTS,
        default=(),
        check=schema.items(schema.text(4_096), most=100),
        group="Evaluation",
        help="Metric of your own of the built-in training, as path/to/file.py:function from all outputs "
        "and targets of the validation split to a number. As an objective it has the name of the function and a "
        "direction, as in f_beta:max. May be given several times.",
    )
    recipe: Mapping[str, Any] = setting(
        option.FIELDS,
        default={},
        check=schema.mapping(_recipe_field, epochs=schema.whole(1, MOST_EPOCHS)),
        group="Training",
        help="Other fields of the training recipe, such as averaging=0.9,flip=random; with patience=5 a "
        "training ends after 5 epochs without a better validation score.",
    )
    latency_batch: int = setting(
        option.WHOLE,
        default=1,
        check=schema.whole(1, 65_536),
        group="Limits and latency",
        help="Batch size at which latency is measured (latency_ms) or estimated (estimated_latency_ms), "
        "if it is an objective or has a limit.",
    )
    latency_backend: str = setting(
        option.TEXT,
        default="torch",
        check=schema.one_of(("torch", "onnxruntime", "cuda-graph")),
        group="Limits and latency",
        help="Runtime in which latency is measured or estimated: torch, on the device of the training; "
        "onnxruntime, on the CPU (the extra onnx); or cuda-graph, on a GPU without the time of launches.",
    )
    device_profile: str | None = setting(
        option.PATH,
        check=schema.maybe(schema.text(4_096)),
        group="Limits and latency",
        help="Profile of a device, a file that nas latency --calibrate writes there: estimated_latency_ms "
        "is the latency of that device, which may be another machine.",
    )
    device: str = setting(
        option.TEXT,
        default="auto",
        check=schema.text(40),
        group="Training",
        help="Device to train on: auto, cpu, cuda or cuda:N.",
    )
    threads: int = setting(
        option.WHOLE,
        default=1,
        check=schema.whole(1, 1_024),
        group="Training",
        help="Torch threads of each trial on the CPU; they affect the last digits of scores.",
    )

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            check(getattr(self, name), name)
        from nas import schedules, strategies
        from nas.core import hyperparameters
        from nas.core.objectives import Objectives

        strategies.check_name(self.strategy)
        schedules.check_name(self.schedule)
        for flag, most in (("max-params", self.max_parameters), ("max-macs", self.max_macs)):
            if most is not None and most < 1:
                raise ValueError(f"{flag}: want a positive number, got {most}")
        if not self.is_open:
            if self.objectives or self.evaluator != TRAINING:
                Objectives.parse(self.objectives, {**METRICS, **PROXIES})
            for constraint in self.constraints:
                if constraint.metric not in METRICS and constraint.metric not in PROXIES:
                    near = did_you_mean(constraint.metric, METRICS)
                    raise ValueError(
                        f"limit: want some of {', '.join(METRICS)}, got {constraint}{near}"
                    )
        if self.folds == 1:
            raise ValueError("folds: want 0, or at least 2, got 1")
        if self.folds and (self.evaluator != TRAINING or self.schedule != "none"):
            taken = "a schedule" if self.evaluator == TRAINING else "an evaluator of your own"
            raise ValueError(f"folds: want none with {taken}, got {self.folds}")
        if self.evaluator == TRAINING:
            for name in self.tune:
                hyperparameters.parse_names(name)
            hyperparameters.tree(self.tune, self.recipe)
            if self.recipe.get("patience") and schedules.forks(self.schedule):
                raise ValueError(
                    f"patience: want 0 with the schedule {self.schedule}, whose comparisons end weak "
                    f"trainings, got {self.recipe['patience']}"
                )
            if self.data == NO_DATA:
                raise ValueError("data: want data for the built-in training, got none")
        elif self.loss != DEFAULT_LOSS or self.metric:
            name = "metric" if self.metric else "loss"
            raise ValueError(
                f"{name}: it is for the built-in training, and the evaluator is {self.evaluator}"
            )
        elif self.tune:
            raise ValueError(
                "tune: want none with an evaluator of your own, which declares its hyperparameters; "
                f"got {', '.join(self.tune)}"
            )
        elif unused := [name for name in self.recipe if name != "epochs"]:
            raise ValueError(
                f"{unused[0]}: it is for the built-in training, and the evaluator is {self.evaluator}"
            )

    @property
    def is_open(self) -> bool:
        """True if code of a user's own may have metrics that the toolkit does not know."""
        return self.evaluator != TRAINING or bool(self.estimators or self.metric)

    @property
    def proposes_dead_parts(self) -> bool:
        """True if architectures with dead parts are proposed."""
        return is_own(self.evaluator) if self.dead_parts is None else self.dead_parts

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The bounds on metrics, those on costs included.

        Raises:
            ValueError: one cannot be read.
        """
        try:
            given = [Constraint.parse(text) for text in self.limits]
        except ValueError as error:
            raise ValueError(f"limit: {error}") from None
        costs = {"parameters": self.max_parameters, "macs": self.max_macs}
        short = [Constraint(name, "<=", most) for name, most in costs.items() if most is not None]
        return tuple(dict.fromkeys([*short, *given]))

    @property
    def named_metrics(self) -> frozenset[str]:
        """The names of the metrics of objectives and limits."""
        objectives = {text.partition(":")[0].strip() for text in self.objectives}
        return frozenset(objectives | {constraint.metric for constraint in self.constraints})

    def load_space(self, sha256: str | None = None) -> SearchSpace:
        """The search space; a file of the user's own is run.

        Args:
            sha256: SHA-256 that the file must have, if it is known.

        Raises:
            ValueError: there is no such space, or its file has changed.
        """
        from nas.runs.space_files import load_space

        return load_space(self.space, sha256)

    @property
    def space_in_file(self) -> bool:
        """True if the space is in a file or a module of the user's own, which is code."""
        from search_spaces import SpaceReference

        return SpaceReference.parse(self.space).is_code

    @property
    def passed(self) -> tuple[str, ...]:
        """The objects that a program passed and no file holds, such as `evaluator object:train`."""
        from search_spaces.user_files import PASSED

        texts = {
            name: value if isinstance(value, tuple) else (value,)
            for name in CHECKS
            if isinstance(value := getattr(self, name), str | tuple)
        }
        return tuple(
            f"{name} {text}"
            for name, values in texts.items()
            for text in values
            if text.startswith(f"{PASSED}:")
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `run.json`."""
        values = asdict(self)
        return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: a field is missing, unknown or has a wrong value.
        """
        schema.record(CHECKS)(values, "settings")
        found: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        try:
            return cls(**found)
        except ValueError as error:
            raise ValueError(f"settings: {error}") from None

    def differences(self, other: Settings) -> list[str]:
        """The fields of `other` that differ, as texts such as `seed was 0, is 1`."""
        mine, others = self.to_dict(), other.to_dict()
        found = []
        for name in mine:
            was, now = mine[name], others[name]
            if isinstance(was, dict) and isinstance(now, dict):  # only the entries that differ
                keys = [key for key in {**was, **now} if was.get(key) != now.get(key)]
                found += [f"{name} {k} was {_given(was, k)}, is {_given(now, k)}" for k in keys]
            elif was != now:
                found.append(f"{name} was {was!r}, is {now!r}")
        return found


def _given(fields: Mapping[str, Any], name: str) -> str:
    return repr(fields[name]) if name in fields else "not given"


CHECKS: dict[str, schema.Check] = {
    name: declared.check for name, declared in option.declared(Settings).items()
}
assert len(CHECKS) == len(fields(Settings)), "each field of Settings declares an option"
