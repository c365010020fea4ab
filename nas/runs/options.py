"""All options of a search: their schema, and how they are read and written.

`Settings` decide the outcome and stand in `run.json`; `ResourceLimits` decide how trials are run;
`RECIPE` names the fields of the training recipe that have options of their own; `Request` holds
all of them, with the budget and the folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from nas.core import schema
from nas.core.budgets.budget import MOST_TRIALS, Budget, least
from nas.core.constraints import Constraint
from nas.runs import option
from nas.runs.option import Option, declared, named, setting
from nas.runs.resource_limits import ResourceLimits, worker_limits
from nas.runs.settings import AUTO, NO_DATA, TRAINING, Settings, is_own
from search_spaces.registry import NONE

TRIALS = 40  # of a search without any bound
CONFIRM = 0.15  # of the budget, with the built-in training


def _count(value: object, path: str) -> None:
    if type(value) is not int or not 1 <= value <= MOST_TRIALS:
        raise ValueError(f"{path}: want 1 to {MOST_TRIALS:,}, got {value}")


def _bounds(value: object, path: str) -> None:
    assert isinstance(value, tuple)
    for text in value:
        try:
            Constraint.parse(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A search as it is asked for.

    Attributes:
        settings: The settings that decide the outcome.
        limits: Resource limits of the trials.
        objects: Objects of the program, by the setting that they stand for.
    """

    settings: Settings
    limits: ResourceLimits
    objects: Mapping[str, Any] = field(default_factory=dict)
    trials: int | None = setting(
        option.WHOLE,
        check=_count,
        group="Most used",
        help="Number of trials in all, those already recorded included. Default: 40; none with "
        "a budget.",
    )
    budget: Budget | None = setting(
        option.BUDGET,
        group="Most used",
        help="Budget of the search: trials, time, epochs of training or energy, such as 200, 10m, 2h30m, "
        "100epochs or 5Wh, or several, such as 200,10m: the search ends with the first that is spent, "
        "earlier sessions included. Trials that would not end in time are not begun; one that runs when "
        "the time is over is stopped after its epoch and recorded. A function of your own that reports "
        "no epochs can be stopped only in a worker process (--executor workers, or several --workers). "
        "An end by time is not repeatable.",
    )
    until: tuple[str, ...] = setting(
        option.LIMITS,
        default=(),
        check=_bounds,
        group="Ending and confirming",
        help="Goal that ends the search, such as accuracy>=0.98: a completed trial within all "
        "limits has reached it. May be given several times: one trial has to reach all.",
    )
    patience: int | None = setting(
        option.WHOLE,
        check=_count,
        group="Ending and confirming",
        help="Number of trials in a row without improvement of the hypervolume that ends the "
        "search: 30 with the strategy predictor and one objective; others want more.",
    )
    confirm: float | None = setting(
        option.NUMBER,
        check=schema.number(0, 0.5),
        group="Ending and confirming",
        late=True,
        help="Share of the budget, 0 to 0.5, for training the best trials again with other seeds at the "
        "end, which names the winner with its noise. Of a time, it is taken off the search; of trials "
        "and epochs, it comes on top. Default: 0.15; with an evaluator of your own, 0.",
    )
    gate: bool = setting(
        option.FLAG,
        default=False,
        check=schema.flag,
        group="Ending and confirming",
        help="Judge the winner at the end: known networks of the space, random search at equal cost and "
        "simple models are trained alike, and compared with new seeds on the test split. It takes about "
        "as long as the search again, beside its budget; nas gate does it for a run that is there.",
    )
    retry_failed: bool = setting(
        option.FLAG,
        default=False,
        check=schema.flag,
        group="Workers and memory",
        help="Try trials again that failed for want of memory or time, or that crashed, for example with "
        "a larger --trial-memory. The journal keeps both; those tried again come on top of the number of trials.",
    )
    executor: str | None = setting(
        option.OBJECT,
        group="Workers and memory",
        help="Place where trials run: in-process, workers, ray or slots (in turns in one worker "
        "process, for small networks on a GPU). Default: the first that can keep to the resource "
        "limits.",
    )
    out: Path | None = setting(
        option.PATH,
        group="Most used",
        help="Folder of the run, which is resumed if it exists. Default: a name under runs/.",
    )

    @property
    def confirm_share(self) -> float:
        """The share of the budget for confirming the winner."""
        default = CONFIRM if self.settings.evaluator == TRAINING else 0.0
        return default if self.confirm is None else self.confirm

    @property
    def whole_budget(self) -> Budget:
        """The budget of the trials: with their number, the goal and the patience.

        A time is without the share for confirming the winner.
        """
        given = self.budget or Budget()
        trials = least((self.trials, given.trials))
        return replace(
            given,
            trials=TRIALS if trials is None and self.budget is None else trials,
            seconds=None if given.seconds is None else given.seconds * (1 - self.confirm_share),
            until=tuple(map(Constraint.parse, self.until)),
            patience=self.patience,
        )

    @property
    def path(self) -> Path:
        """The folder of the run: `out`, or a folder under runs/ named after the settings."""
        if self.out is not None:
            return Path(self.out)
        settings = self.settings
        space = Path(settings.space.rpartition("/")[2]).name
        spaces = [] if settings.space == AUTO else [space]
        parts = [*spaces, Path(settings.data).stem, settings.strategy]
        if settings.schedule != "none":
            parts.append(settings.schedule)
        name = "-".join("".join(c if c.isalnum() else "-" for c in part)[:40] for part in parts)
        return Path("runs") / f"{name}-{settings.seed}"


def _of_recipe(form: option.Form, text: str, group: str = "Training") -> Option:
    return Option(form=form, default=None, help=text, group=group)


RECIPE: dict[str, Option] = {
    "epochs": _of_recipe(
        option.WHOLE,
        "Epochs of each training. Default: 5; for vectors and tables, 10 to 40, by the number of rows; "
        "for sequences, 5 to 100, and for fewer than 640 images, 5 to 40, by their number.",
        "Most used",
    ),
    "learning_rate": _of_recipe(
        option.NUMBER,
        "Peak learning rate. Default: 0.2 for sgd, 0.01 for adamw; for vectors and tables, 0.01; for "
        "sequences, with adamw, 0.003.",
    ),
    "batch_size": _of_recipe(
        option.WHOLE,
        "Examples per step. Default: 64; for vectors and tables, 32 to 256, by the number of rows; for "
        "sequences, 16 to 64, by their number; for fewer than 640 images, 32.",
    ),
    "optimizer": _of_recipe(
        option.TEXT,
        "Optimiser: sgd or adamw. Default: sgd; for vectors, tables and sequences, adamw.",
    ),
    "momentum": _of_recipe(option.NUMBER, "Momentum of sgd, or beta 1 of adamw. Default: 0.9."),
    "weight_decay": _of_recipe(
        option.NUMBER,
        "Weight decay. Default: 0.0005; with adamw, for vectors and tables by the number of rows, for "
        "sequences 0.05.",
    ),
    "label_smoothing": _of_recipe(
        option.NUMBER, "Share of the target spread over all classes. Default: 0.1."
    ),
    "augmentation": _of_recipe(
        option.NUMBER, "Strength of data augmentation, 0 to 1. Default: 0.5."
    ),
    "class_weights": Option(
        form=option.TEXT,
        default=None,
        group="Training",
        keyword="class_weight",
        help="Weights of the examples in the loss: balanced, for rare classes to count as much as "
        "common ones, or none. A regression has no classes, and takes none. Default: none.",
    ),
    "dropout": _of_recipe(
        option.NUMBER,
        "Dropout rate before the last linear layer; for vectors and tables, before each but the "
        "first. Default: 0.0; for vectors and tables, 0.15, or 0.3 of a regression.",
    ),
}
RECIPE = {name: named(name, declaration) for name, declaration in RECIPE.items()}
SETTINGS = declared(Settings)
LIMITS = declared(ResourceLimits)
REQUEST = declared(Request)
GROUPS = (  # headings of the help, in this order
    *("Most used", "Data", "Search", "Limits and latency", "Training", "Evaluation"),
    *("Ending and confirming", "Workers and memory", "Earlier runs", "Energy", "Output"),
)
MOST_USED = (  # the keywords of the first group, in this order
    *("data", "target", "space", "strategy", "objectives", "trials", "budget", "epochs"),
    *("workers", "out"),
)


def _in_groups() -> dict[str, Option]:
    declared = [*RECIPE.values(), *SETTINGS.values(), *LIMITS.values(), *REQUEST.values()]
    found = {o.keyword: o for o in declared}
    assert {o.group for o in declared} <= set(GROUPS)
    assert {o.keyword for o in declared if o.group == GROUPS[0]} == set(MOST_USED)
    rest = {o.keyword: o for group in GROUPS[1:] for o in declared if o.group == group}
    return {keyword: found[keyword] for keyword in MOST_USED} | rest


OPTIONS: dict[str, Option] = _in_groups()  # all of them by keyword, in the order of the help


def read(given: Mapping[str, Any], name_of: Callable[[Option], str] | None = None) -> Request:
    """Read a search from keywords or from options of the command.

    Args:
        given: Values by keyword, as Python values or as texts. Those not given have defaults.
        name_of: Names an option in errors; by default its keyword.

    Raises:
        ValueError: a value is not allowed; one line that says what was wanted and got.
    """
    name_of = name_of or (lambda o: o.keyword)
    if unknown := given.keys() - OPTIONS.keys():
        raise ValueError(f"want some of {', '.join(OPTIONS)}, got {min(unknown)!r}")

    def values(options: Mapping[str, Option]) -> dict[str, Any]:
        found = {}
        for its, declaration in options.items():
            if given.get(declaration.keyword) is not None:
                name = name_of(declaration)
                found[its] = declaration.parse(given[declaration.keyword], name)
        return found

    request = values(REQUEST)
    for its, value in request.items():
        REQUEST[its].check(value, name_of(REQUEST[its]))
    settings, limits = values(SETTINGS), values(LIMITS)
    evaluator = settings.get("evaluator", TRAINING)
    if evaluator != TRAINING and not is_own(evaluator):
        settings = {"objectives": (), **settings}
    elif evaluator != TRAINING:
        settings = {"space": NONE, "data": NO_DATA, "objectives": (), **settings}
    else:
        settings = {"space": AUTO, "objectives": (), **settings}
    recipe, named = settings.get("recipe", {}), values(RECIPE)
    for its in recipe.keys() & named.keys():
        if recipe[its] != named[its]:
            raise ValueError(
                f"{name_of(RECIPE[its])}: want it once, got {named[its]!r}, and {recipe[its]!r} in "
                f"{name_of(SETTINGS['recipe'])}"
            )
    settings["recipe"] = {**recipe, **named}
    if "tune" in settings:
        from nas.core import hyperparameters

        settings["tune"] = hyperparameters.parse_names(",".join(settings["tune"]))
    limits |= worker_limits(limits.pop("workers", 1))
    return Request(settings=Settings(**settings), limits=ResourceLimits(**limits), **request)


def write(settings: Settings) -> list[str]:
    """The options of `nas search` that give these settings, as words of a command line."""
    words: list[str] = []
    recipe = dict(settings.recipe)
    for name, declaration in RECIPE.items():
        words += declaration.words(recipe.pop(name, None))
    for name, declaration in SETTINGS.items():
        value = recipe if name == "recipe" else getattr(settings, name)
        words += declaration.words(value, always=declaration.late)
    return words
