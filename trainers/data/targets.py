"""The targets of a data set: what a network has to predict, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self, get_args
from unicodedata import category

TaskName = Literal["classification", "multilabel", "regression", "segmentation"]
IGNORED = 255  # the class of pixels that do not count
LONGEST_NAME = 1_000  # characters, as run.json has them
TASK_NAMES: tuple[str, ...] = get_args(TaskName)


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """The task of a data set and the meaning of each output of its networks.

    Attributes:
        task: The name of the task.
        names: The classes of a classification, the labels of a multi-label classification, the
            target columns of a regression, or the classes of the pixels of a segmentation.
        mean: Mean of each target of a regression over the training split, in the user's units;
            empty for other tasks.
        std: Standard deviation, like `mean`; 1 where a target never varies.

    Characters that would control a terminal stand in names as escape codes.

    Raises:
        ValueError: The task is unknown, a name is missing or too long, or `mean` and `std` do not fit.
    """

    task: TaskName
    names: tuple[str, ...]
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in TASK_NAMES:
            raise ValueError(f"task: want {', '.join(TASK_NAMES)}, got {self.task!r}")
        count = len(self.names) if self.task == "regression" else 0
        if not self.names or (len(self.mean), len(self.std)) != (count, count):
            raise ValueError(
                f"targets: want names, and {count} means and deviations, got {len(self.names)}, "
                f"{len(self.mean)} and {len(self.std)}"
            )
        if long := [name for name in self.names if len(name) > LONGEST_NAME]:
            raise ValueError(
                f"targets: want names of at most {LONGEST_NAME:,} characters, got {len(long[0]):,} in "
                f"{long[0][:40]!r}..."
            )
        object.__setattr__(self, "names", tuple(map(_printable, self.names)))

    @property
    def outputs(self) -> int:
        """Number of outputs of a network."""
        return len(self.names)

    @property
    def dense(self) -> bool:
        """True if there is a prediction for each pixel."""
        return self.task == "segmentation"

    @property
    def words(self) -> str:
        """The number of outputs, by their word: 10 classes, 3 labels, 1 target."""
        noun = {
            "classification": ("class", "classes"),
            "multilabel": ("label", "labels"),
            "regression": ("target", "targets"),
            "segmentation": ("class of pixels", "classes of pixels"),
        }[self.task][self.outputs != 1]
        return f"{self.outputs:,} {noun}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data; `from_dict` is the inverse."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: A field has a wrong value.
        """
        names, mean, std = (tuple(fields[name]) for name in ("names", "mean", "std"))
        return cls(task=fields["task"], names=names, mean=mean, std=std)


def _printable(name: str) -> str:
    """The name, with escape codes for line breaks, control characters and lone surrogates."""
    if name.isprintable():
        return name
    parts = ((sign, category(sign) in ("Cc", "Cs", "Zl", "Zp")) for sign in name)
    return "".join(s.encode("unicode_escape").decode() if odd else s for s, odd in parts)


def of_classes(names: tuple[str, ...]) -> Targets:
    """The targets of a classification with these classes."""
    return Targets(task="classification", names=names)
