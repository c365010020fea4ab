"""Metrics: named numbers of a trial, each with a direction, bounds and a unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from numbers import Real
from typing import Any, Literal

from nas.core import schema
from nas.core.numbers import plain
from search_spaces.notation import did_you_mean

Direction = Literal["maximize", "minimize"]

_NAME = re.compile(r"[A-Za-z]\w{0,79}")
_ABBREVIATIONS = {"macs": "MACs"}
_DIRECTIONS: dict[str, Direction] = {
    "max": "maximize",
    "maximize": "maximize",
    "maximise": "maximize",
    "min": "minimize",
    "minimize": "minimize",
    "minimise": "minimize",
}


def parse_direction(text: str, name: str) -> Direction:
    """Read max, maximize, min or minimize.

    Raises:
        ValueError: it is something else.
    """
    direction = _DIRECTIONS.get(text) if isinstance(text, str) else None
    if direction is None:
        raise ValueError(f"metric {name}: want maximize or minimize, got {text!r}")
    return direction


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that is measured or estimated for each configuration.

    Args:
        name: A letter, then letters, digits and underscores.
        direction: "maximize" if a larger value is better, else "minimize".
        low: The least possible value.
        high: The greatest possible value.
        unit: Unit for tables and axes, such as "ms"; empty for shares and counts.
        meaning: One sentence for listings.
        sources: Tasks of the built-in training that measure it, or the step that yields it: "cost"
            before training, "estimate" before training, "measurement" beside training.

    Raises:
        ValueError: the name or the direction is not allowed, or `low` is not below `high`.

    Examples:
        >>> import nas
        >>> delay = nas.Metric("delay", "minimize", low=0, unit="ms")
        >>> delay.words(3.2)
        '3.2 ms delay'
        >>> delay.gain(before=3.0, after=2.0)
        1.0
    """

    name: str
    direction: Direction = "maximize"
    low: float = -inf
    high: float = inf
    unit: str = ""
    meaning: str = field(default="", compare=False, repr=False)
    sources: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(f"metric: want a name such as f1_macro, got {self.name!r}")
        object.__setattr__(self, "direction", parse_direction(self.direction, self.name))
        if not self.low < self.high:
            raise ValueError(f"metric {self.name}: want low < high, got {self.low} and {self.high}")

    @property
    def is_share(self) -> bool:
        """True for a metric from 0 to 1, which is shown in percent."""
        return (self.low, self.high) == (0, 1)

    @property
    def label(self) -> str:
        """The name for tables and axes, with the unit."""
        words = self._spelled
        return f"{words}, {self.unit}" if self.unit and self.unit not in words.split() else words

    @property
    def noun(self) -> str:
        """The name for sentences, without the unit: latency."""
        return " ".join(word for word in self._spelled.split() if word != self.unit)

    @property
    def _spelled(self) -> str:
        return _ABBREVIATIONS.get(self.name) or self.name.replace("_", " ")

    def gain(self, before: float, after: float) -> float:
        """The improvement from one value to another: positive if `after` is better."""
        return self.minimized(before) - self.minimized(after)

    def minimized(self, value: float) -> float:
        """The value with its sign changed if a larger one is better."""
        return -value if self.direction == "maximize" else value

    def text(self, value: float) -> str:
        """The value as people read it: 93.21%, 12,345 or 0.8123."""
        if self.is_share:
            return f"{value:.2%}"
        return plain(value)

    def change_text(self, gain: float) -> str:
        """A difference as people read it, signed: +1.20% or -0.031."""
        if self.is_share:
            return f"{gain:+.2%}"
        return f"{'' if gain < 0 else '+'}{plain(gain)}"

    def words(self, value: float) -> str:
        """The value with its unit and name: 93.21% accuracy, 3.2 ms delay."""
        return " ".join(part for part in (self.text(value), self.unit, self.noun) if part)

    def check(self, value: object) -> float:
        """Return a value of this metric as a plain number.

        Raises:
            ValueError: it is not a real number within the bounds.
            FloatingPointError: it is NaN or infinite.
        """
        if isinstance(value, bool) or not isinstance(value, Real):
            kind = type(value).__name__
            hint = "; return its .item()" if kind in ("Tensor", "ndarray") else ""
            raise ValueError(f"{self.name}: want a number, got {kind}{hint}")
        number: float = int(value) if isinstance(value, int) else float(value)
        if not isfinite(number):
            raise FloatingPointError(f"{self.name} is {number}")
        if not self.low <= number <= self.high:
            raise ValueError(
                f"{self.name}: want {self.low:g} to {self.high:g}, got {number:g}; declare other "
                f"bounds with nas.Metric"
            )
        return number

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `run.json`; null stands for no bound."""
        return {
            "name": self.name,
            "direction": self.direction,
            "low": self.low if isfinite(self.low) else None,
            "high": self.high if isfinite(self.high) else None,
            "unit": self.unit,
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Metric:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: it is something else; names the field.
        """
        METRIC(fields, "metric")
        low, high = fields["low"], fields["high"]
        return cls(
            fields["name"],
            fields["direction"],
            -inf if low is None else low,
            inf if high is None else high,
            fields["unit"],
        )


_BOUND = schema.maybe(schema.number(-1e300, 1e300))
METRIC = schema.record(
    {
        "name": schema.text(pattern=_NAME.pattern),
        "direction": schema.one_of(("maximize", "minimize")),
        "low": _BOUND,
        "high": _BOUND,
        "unit": schema.text(20),
    }
)


def _known(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


_CLASSES, _LABELS, _NUMBERS, _PIXELS = "classification", "multilabel", "regression", "segmentation"


def _share(name: str, meaning: str, *sources: str) -> Metric:
    return Metric(name, "maximize", 0, 1, "", meaning, sources)


def _cost(name: str, meaning: str, *, unit: str = "", source: str = "cost") -> Metric:
    return Metric(name, "minimize", 0, inf, unit, meaning, (source,))


# The metrics of the toolkit, by name. Those of training are of the validation split.
METRICS: dict[str, Metric] = _known(
    _share("accuracy", "Share of the examples whose class is right.", _CLASSES),
    Metric(
        "loss",
        "minimize",
        unit="nats",
        meaning="Mean cross-entropy of an example, a label or a pixel; of a regression, mean squared "
        "error of standardised targets.",
        sources=(_CLASSES, _LABELS, _NUMBERS, _PIXELS),
    ),
    _share(
        "top5_accuracy",
        "Share of the examples whose class is among the five most probable.",
        _CLASSES,
    ),
    _share("balanced_accuracy", "Mean recall over the classes that occur.", _CLASSES),
    _share(
        "f1_macro",
        "Mean over classes or labels of the harmonic mean of precision and recall.",
        _CLASSES,
        _LABELS,
    ),
    _share(
        "f1_weighted",
        "Mean over classes of the harmonic mean of precision and recall, weighted by frequency.",
        _CLASSES,
    ),
    _share(
        "precision_macro", "Mean over classes of the share of predictions that are right.", _CLASSES
    ),
    _share(
        "recall_macro", "Mean over classes of the share of examples that are recognised.", _CLASSES
    ),
    Metric("mcc", "maximize", -1, 1, "", "Matthews' correlation coefficient.", (_CLASSES,)),
    _share(
        "roc_auc_macro",
        "Mean over classes or labels of the area under the ROC curve, one against the rest.",
        _CLASSES,
        _LABELS,
    ),
    _share("average_precision_macro", "Mean over labels of the average precision.", _LABELS),
    _share("f1_micro", "Harmonic mean of precision and recall over all labels together.", _LABELS),
    _share("exact_match", "Share of the examples all of whose labels are right.", _LABELS),
    Metric(
        "r2",
        "maximize",
        high=1,
        meaning="Coefficient of determination, the mean over targets.",
        sources=(_NUMBERS,),
    ),
    _cost(
        "rmse",
        "Root of the mean squared error, in the units of the target.",
        source=_NUMBERS,
    ),
    _cost("mae", "Mean absolute error, in the units of the target.", source=_NUMBERS),
    _share("mean_iou", "Mean over classes of intersection over union of pixels.", _PIXELS),
    _share("pixel_accuracy", "Share of the pixels whose class is right.", _PIXELS),
    _cost("parameters", "Numbers that training learns: weights and biases."),
    _cost("effective_parameters", "Parameters that can change the output of the network."),
    _cost("macs", "Multiply-accumulates for one input."),
    _cost(
        "peak_activation_bytes",
        "Peak memory of activations for one input, in float32, without weights.",
        unit="bytes",
    ),
    _cost(
        "latency_ms",
        "Median time of one batch of --latency-batch inputs, measured after the training.",
        unit="ms",
        source="measurement",
    ),
    _cost(
        "estimated_latency_ms",
        "Latency predicted by a model of the device: see nas latency --calibrate.",
        unit="ms",
        source="estimate",
    ),
    _cost("energy_wh", "Energy of the training.", unit="Wh", source="measurement"),
)

# Scores of an untrained network: see `nas.estimators.proxies`. The larger, the better.
PROXIES: dict[str, Metric] = _known(
    *(
        Metric(name, "maximize")
        for name in (
            *("synflow", "nwot", "jacov", "snip", "grasp", "fisher", "grad_norm", "zen", "zico"),
            *("meco", "az_expressivity", "az_progressivity", "az_trainability", "az_complexity"),
            "swap",
        )
    )
)
COMBINED = Metric("proxies", "maximize")  # of several proxies, by the evaluator `proxies`
# With weights inherited from a supernet: no scores of a training. See `nas.evaluators.supernet.evaluator`.
SUPERNET = (
    Metric("supernet_probe_error", "minimize", 0),
    Metric("supernet_loss", "minimize", unit="nats"),
    Metric("supernet_accuracy", "maximize", 0, 1),
    Metric("supernet_train_loss", "minimize", unit="nats"),
)


def parse_metric(text: str, known: Mapping[str, Metric] = METRICS) -> Metric:
    """Read the name of a metric, or `name:max` or `name:min` for one that is not known.

    Raises:
        ValueError: it is not known and has no direction, or the direction contradicts the known
            one.
    """
    name, colon, direction = text.strip().partition(":")
    if not colon and name in known:
        return known[name]
    if not colon:
        near = did_you_mean(name, known)
        raise ValueError(
            f"want some of {', '.join(known)}, or a metric of your own with its direction, such as "
            f"f1:max; got {name!r}{near}"
        )
    metric = Metric(name, parse_direction(direction, name))
    if name not in known:
        return metric
    if known[name].direction != metric.direction:
        raise ValueError(f"{name} is to {known[name].direction}, got {text!r}")
    return known[name]
