"""Everything that decides the outcome of a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from nas import schedules
from nas.core import hyperparameters, schema
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.runs import space_files
from nas.strategies import check_name
from search_spaces import Limits, SearchSpace, Task, load
from search_spaces.architecture import BOUNDS

MOST_EPOCHS = 5_000  # of one trial: its curve is one line of the journal

DEFAULT_MAX_PENDING = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of a search. Same settings, same trials; only how many of them is left open.

    Args:
        space: As for `search_spaces.load`.
        data: The name of a data set, or a path.
        data_seed: Decides which examples are for validation.
        image_size: Images of a folder are resized to it; None leaves them as they are.
        strategy: A name of `nas.strategies.STRATEGIES`, or `name:setting=value,...`.
        schedule: A name of `nas.schedules.SCHEDULES`, or `name:setting=value,...`.
        seed: Of the search.
        objectives: Names of scores; the first is what the best trial is the best in.
        max_parameters: No architecture with more is trained.
        max_macs: Likewise, multiply-accumulates for one input.
        recipe: Fields of the recipe that are not searched; defaults for those not named.
        tune: Hyperparameters that are searched with the architecture.
        baselines: Whether the known architectures of the space go first.
        warm_start: Architectures, as text, that go before all others.
        device: Kind of device, "cpu" or "cuda".
        threads: Torch threads of each trial.
        max_pending: Proposals in flight at most: a proposal knows of all trials but the last so many.
            The same search for any number of workers, up to so many at a time.
        ordered: Whether trials are told in order. If not, they are told as they end, and which
            are proposed depends on which were quick.

    Raises:
        ValueError: a value is not allowed, or two contradict each other.
    """

    space: str
    data: str = "digits"
    data_seed: int = 0
    image_size: int | None = None
    strategy: str = "evolution"
    schedule: str = "none"
    seed: int = 0
    objectives: tuple[str, ...] = ("accuracy", "parameters")
    max_parameters: int | None = None
    max_macs: int | None = None
    recipe: Mapping[str, Any] = field(default_factory=dict)
    tune: tuple[str, ...] = ()
    baselines: bool = False
    warm_start: tuple[str, ...] = ()
    device: str = "cpu"
    threads: int = 1
    max_pending: int = DEFAULT_MAX_PENDING
    ordered: bool = True

    def __post_init__(self) -> None:
        for name, check in CHECKS.items():
            check(getattr(self, name), name)
        check_name(self.strategy)
        schedules.check_name(self.schedule)
        Objectives(self.objectives)
        for name in self.tune:
            hyperparameters.parse_names(name)
        hyperparameters.tree(self.tune, self.recipe)
        _ = self.limits

    @property
    def limits(self) -> Limits:
        """The bounds that are checked before training."""
        return Limits(max_parameters=self.max_parameters, max_macs=self.max_macs)

    def load_space(self) -> SearchSpace:
        """The search space; a file of the user's own is run.

        Raises:
            ValueError: there is none such.
        """
        return load(self.space)

    def joint_space(self, space: SearchSpace, task: Task) -> JointSpace:
        """The configurations that a search with these settings may propose.

        Raises:
            ValueError: no architecture is within the limits.
        """
        tree = hyperparameters.tree(self.tune, self.recipe)
        return JointSpace(space, task, self.limits, tree)

    @property
    def space_in_file(self) -> bool:
        """Whether the space is in a file of the user's own, which is code."""
        return space_files.file_of(self.space) is not None

    def space_sha256(self) -> str | None:
        """The digest of the file the space is from, if it is a file of the user's own."""
        file = space_files.file_of(self.space)
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
        checks = {f.name: CHECKS.get(f.name, schema.anything) for f in fields(cls)}
        schema.record(checks)(values, "settings")
        kept: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        try:
            return cls(**kept)
        except ValueError as error:
            raise ValueError(f"settings: {error}") from None

    def differences(self, other: Settings) -> list[str]:
        """How `other` differs, for a message: `seed was 0, is 1`."""
        mine, others = self.to_dict(), other.to_dict()
        return [
            f"{name} was {mine[name]!r}, is {others[name]!r}"
            for name in mine
            if mine[name] != others[name]
        ]


_NAMES = schema.items(schema.text(100), most=100)
CHECKS: dict[str, schema.Check] = {
    "space": schema.text(BOUNDS.characters),  # fixed:SPACE:ARCHITECTURE may be long
    "data": schema.text(4_096),
    "data_seed": schema.whole(-schema.LARGE),
    "image_size": schema.maybe(schema.whole(1)),
    "strategy": schema.text(),
    "schedule": schema.text(),
    "seed": schema.whole(-schema.LARGE),
    "objectives": _NAMES,
    "max_parameters": schema.maybe(schema.whole(-schema.LARGE)),
    "max_macs": schema.maybe(schema.whole(-schema.LARGE)),
    "recipe": schema.mapping(schema.scalar, epochs=schema.whole(1, MOST_EPOCHS)),
    "tune": _NAMES,
    "warm_start": schema.items(schema.text(BOUNDS.characters), most=10_000),
    "baselines": schema.flag,
    "device": schema.text(40),
    "threads": schema.whole(1, 1_024),
    "max_pending": schema.whole(1, 1_000_000),
    "ordered": schema.flag,
}
