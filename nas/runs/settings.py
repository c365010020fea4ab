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
from nas.runs import option
from nas.runs.option import setting

if TYPE_CHECKING:  # late: options are declared without importing what they select
    from nas.core.joint_space import JointSpace
    from search_spaces import Limits, SearchSpace, Task

MOST_EPOCHS = 5_000  # of one trial: its curve is one line of the journal


def _architecture(value: object, path: str) -> None:
    from search_spaces.architecture import BOUNDS

    schema.text(BOUNDS.characters)(value, path)  # fixed:SPACE:ARCHITECTURE may be long


def _recipe_field(value: object, path: str) -> None:
    if value is None:
        raise schema.refuse(path, "a number, a text, true or false", value)
    schema.scalar(value, path)


_NAMES = schema.items(schema.text(100), most=100)
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
        option.TEXT,
        default="nasbench201:channels=8,cells=1",
        check=_architecture,
        group="Search",
        help="Search space: a name (`nas spaces` lists them), name:setting=value,..., "
        "path/to/file.py:variable or fixed:SPACE:ARCHITECTURE.",
    )
    strategy: str = setting(
        option.TEXT,
        default="evolution",
        check=schema.text(),
        group="Search",
        help="Search strategy: one that `nas strategies` lists, or with settings name:setting=value,... such "
        "as evolution:population=64.",
    )
    schedule: str = setting(
        option.TEXT,
        default="none",
        check=schema.text(),
        group="Search",
        help="Schedule that resumes promising trials for more epochs: none, halving, asha or hyperband, or "
        "name:setting=value,... such as asha:eta=3,min_epochs=1 or asha:rungs=2+5. Each resumed "
        "training is a trial of its own.",
    )
    objectives: tuple[str, ...] = setting(
        option.NAMES,
        default=("accuracy", "parameters"),
        check=_NAMES,
        group="Search",
        help="Scores to optimise, separated by commas, the most important first: accuracy, loss, "
        "parameters, macs, peak_activation_bytes.",
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
        group="Search",
        flag="--from",
        help="Architectures to evaluate first: those of a bundle, those on the front of a run, or "
        "one as text. May be given several times.",
    )
    seed: int = setting(
        option.WHOLE,
        default=0,
        check=schema.whole(-schema.LARGE),
        group="Search",
        help="Seed of the search: the same seed gives the same trials.",
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
        "ordered=False): then none waits for a slow one, but the same seed may give other trials.",
    )
    data: str = setting(
        option.PATH,
        default="digits",
        check=schema.text(4_096),
        group="Data",
        help="Data set: digits, the name of a torchvision data set, an image folder or an .npz "
        "file.",
    )
    image_size: int | None = setting(
        option.WHOLE,
        check=schema.maybe(schema.whole(1)),
        group="Data",
        help="Side in pixels to which the images of a folder are resized.",
    )
    data_seed: int = setting(
        option.WHOLE,
        default=0,
        check=schema.whole(-schema.LARGE),
        group="Data",
        help="Seed of the split into training and validation data.",
    )
    max_parameters: int | None = setting(
        option.WHOLE,
        check=_LIMIT,
        group="Constraints",
        keyword="max_params",
        help="Greatest number of parameters of a network.",
    )
    max_macs: int | None = setting(
        option.WHOLE,
        check=_LIMIT,
        group="Constraints",
        help="Greatest number of multiply-accumulates of a network for one input.",
    )
    recipe: Mapping[str, Any] = setting(
        option.FIELDS,
        default={},
        check=schema.mapping(_recipe_field, epochs=schema.whole(1, MOST_EPOCHS)),
        group="Training",
        help="Other fields of the training recipe, such as averaging=0.9,flip=random.",
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
        Objectives.parse(self.objectives)
        for name in self.tune:
            hyperparameters.parse_names(name)
        hyperparameters.tree(self.tune, self.recipe)
        _ = self.limits

    @property
    def limits(self) -> Limits:
        """The limits on costs, which are checked before training."""
        from search_spaces import Limits

        return Limits(max_parameters=self.max_parameters, max_macs=self.max_macs)

    def load_space(self) -> SearchSpace:
        """The search space; a file of the user's own is run.

        Raises:
            ValueError: there is no such space.
        """
        from search_spaces import load

        return load(self.space)

    def joint_space(self, space: SearchSpace, task: Task) -> JointSpace:
        """The configurations that a search with these settings may propose.

        Raises:
            ValueError: no architecture is within the limits.
        """
        from nas.core import hyperparameters
        from nas.core.joint_space import JointSpace

        tree = hyperparameters.tree(self.tune, self.recipe)
        return JointSpace(space, task, self.limits, tree)

    @property
    def space_in_file(self) -> bool:
        """True if the space is in a file of the user's own, which is code."""
        from search_spaces import SpaceReference

        return SpaceReference.parse(self.space).file is not None

    def space_sha256(self) -> str | None:
        """The SHA-256 of the user's file that the space is in; None for a built-in space."""
        from nas.runs import space_files
        from search_spaces import SpaceReference

        file = SpaceReference.parse(self.space).file
        return None if file is None else space_files.digest(file)

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
        return [
            f"{name} was {mine[name]!r}, is {others[name]!r}"
            for name in mine
            if mine[name] != others[name]
        ]


CHECKS: dict[str, schema.Check] = {
    name: declared.check for name, declared in option.declared(Settings).items()
}
assert len(CHECKS) == len(fields(Settings)), "each field of Settings declares an option"
