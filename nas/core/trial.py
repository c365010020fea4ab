"""Trials: the records of evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from html import escape
from math import inf
from typing import Any, get_args

from nas.core import schema
from nas.core.configuration import Configuration
from nas.core.failure import Cause, Failure
from nas.core.metrics import METRICS, Metric
from nas.core.proposal import Proposal
from search_spaces import Architecture, Record
from search_spaces.architecture import NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One evaluation of one configuration.

    All but `measured` is decided by the settings and the seed, unless the trial was `cut`.

    Attributes:
        number: Number of the trial, from 0.
        proposal: The configuration, its budget, and the trial that it resumes, if any.
        recipe: All hyperparameters, fixed and searched.
        scores: Metrics by name, such as "accuracy" (0..1) and "parameters"; a failed trial has costs
            only.
        failure: The reason why it failed; None if it completed.
        curve: One record for each epoch, those of earlier stages first.
        weights_sha256: SHA-256 of the checkpoint, if one was written.
        measured: Facts that another run of the same search would measure differently, such as `seconds`
            (wall time of the evaluation) and `ended` (when it ended, ISO 8601).
    """

    number: int
    proposal: Proposal
    recipe: Mapping[str, Any]
    scores: Mapping[str, float]
    failure: Failure | None = None
    curve: tuple[Mapping[str, float], ...] = ()
    weights_sha256: str | None = None
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def configuration(self) -> Configuration:
        """The configuration that was evaluated."""
        return self.proposal.configuration

    @property
    def architecture(self) -> Architecture:
        """The architecture that was evaluated."""
        return self.proposal.architecture

    @property
    def hyperparameters(self) -> Record:
        """The searched hyperparameters that it was trained with."""
        return self.proposal.hyperparameters

    @property
    def completed(self) -> bool:
        """True if the evaluation gave all its scores."""
        return self.failure is None

    @property
    def root(self) -> int:
        """Number of the trial that started the network: its own, unless it resumed one."""
        return self.number if self.proposal.root is None else self.proposal.root

    @property
    def cut(self) -> bool:
        """True if it was stopped at the end of the search's time, before its last epoch.

        A completed one has the scores of its last finished epoch. It is never resumed.
        """
        return bool(self.measured.get("cut"))

    @property
    def epochs(self) -> int:
        """Total epoch budget, earlier stages included; 0 if unspecified.

        Of a trial that was cut, the epochs that it was trained for in all.
        """
        if self.cut:
            return int(self.curve[-1]["number"]) if self.curve else self.proposal.start_epoch
        return int(self.proposal.epochs or self.recipe.get("epochs", 0))

    @property
    def trained_epochs(self) -> int:
        """Epochs that this evaluation trained, without those of earlier stages.

        A failed evaluation that reported none counts as 0, a completed one as its budget.
        """
        whole = self.epochs if self.completed else 0
        last = self._reported if self.curve else whole
        return max(0, last - self.proposal.start_epoch)

    @property
    def last_epoch(self) -> int:
        """The last epoch that was trained: `epochs`, or before it if patience ended the training."""
        return self._reported if self.stopped_early else self.epochs

    @property
    def _reported(self) -> int:
        """The last epoch of the curve."""
        return int(self.curve[-1].get("number", len(self.curve))) if self.curve else 0

    @property
    def stopped_early(self) -> bool:
        """True if patience ended its training before the last epoch of its budget.

        It counts as trained for the whole budget. Resumed, it stays as it is.
        """
        ended = self.completed and not self.cut and bool(self.recipe.get("patience"))
        return ended and 0 < self._reported < self.epochs

    @property
    def scored_epoch(self) -> int:
        """The epoch whose weights and scores it has: with patience the best, else the last one."""
        last = self.last_epoch
        if not self.recipe.get("patience"):
            return last
        for record in self.curve:
            known = [name for name in self.scores if name in record]
            if known and all(record[name] == self.scores[name] for name in known):
                return int(record.get("number", last))
        return last

    @property
    def paused(self) -> bool:
        """True if its budget was less than the epochs of its recipe, so that it may be resumed.

        A recipe without a number of epochs has no last one.
        """
        epochs = self.proposal.epochs
        whole = self.recipe.get("epochs", inf)
        return self.completed and not self.cut and epochs is not None and epochs < whole

    @property
    def seconds(self) -> float:
        """Wall time of the evaluation."""
        return float(self.measured.get("seconds", 0.0))

    @property
    def training_seconds(self) -> float:
        """Time that the training takes: the published one of a table, else the wall time."""
        return float(self.measured.get("published_seconds", self.seconds))

    def _repr_html_(self) -> str:
        """A table for a notebook."""
        known = {name: METRICS.get(name, Metric(name)) for name in self.scores}
        rows = {
            "trial": str(self.number),
            **({} if self.failure is None else {"failed": str(self.failure)}),
            **{metric.label: metric.text(self.scores[name]) for name, metric in known.items()},
            "seconds": f"{self.seconds:.1f}",
            "configuration": str(self.configuration),
        }
        cells = (
            f"<tr><th>{escape(n)}</th><td>{escape(text)}</td></tr>" for n, text in rows.items()
        )
        return f"<table>{''.join(cells)}</table>"

    def resumed(self, epochs: int) -> Proposal:
        """The proposal to resume the training where this trial stopped, up to `epochs` in all."""
        stopped = self.proposal.epochs
        assert stopped is not None, "it was trained to its last epoch"
        return replace(
            self.proposal,
            epochs=epochs,
            resume_from=self.number,
            root=self.root,
            start_epoch=stopped,
        )

    def forked(self, configuration: Configuration, epochs: int) -> Proposal:
        """The proposal of a new network that starts from the weights where this trial stopped.

        Args:
            configuration: The configuration of the new network.
            epochs: Epochs after which its training stops, those of this trial included.
        """
        stopped = self.proposal.epochs
        assert stopped is not None, "it was trained to its last epoch"
        return Proposal(
            configuration,
            (self.number,),
            epochs,
            resume_from=self.number,
            start_epoch=stopped,
            inherited_epochs=stopped,
        )

    def after(self, epochs: int) -> Trial:
        """This trial as if its training had paused after `epochs`, read off its curve.

        A trial whose curve has no record of that epoch is returned unchanged, and so is one that
        ended there by patience.
        """
        for length, record in enumerate(self.curve, start=1):
            if record["number"] == epochs:
                if length == len(self.curve) and self.recipe.get("patience"):
                    return self
                known = {name: record[name] for name in self.scores if name in record}
                return replace(self, scores={**self.scores, **known}, curve=self.curve[:length])
        return self

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the journal and for messages of workers."""
        failure = self.failure
        return {
            "number": self.number,
            **self.proposal.to_dict(),
            "recipe": dict(self.recipe),
            "scores": dict(self.scores),
            "failure": failure
            and {
                "cause": failure.cause,
                "message": failure.message,
                "traceback": failure.traceback,
            },
            "curve": [dict(epoch) for epoch in self.curve],
            "weights_sha256": self.weights_sha256,
            "measured": dict(self.measured),
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Trial:
        """Read what `to_dict` wrote.

        Raises:
            ValueError: it is something else; names the field.
        """
        _TRIAL(fields, "trial")
        failure = fields["failure"]
        return cls(
            number=fields["number"],
            proposal=Proposal.from_dict(fields),
            recipe=fields["recipe"],
            scores=fields["scores"],
            failure=failure and Failure(**failure),
            curve=tuple(fields["curve"]),
            weights_sha256=fields["weights_sha256"],
            measured=fields["measured"],
        )


def checkpoint_name(number: int) -> str:
    """Name of the file with the weights of a trial."""
    return f"trial-{number:05d}.safetensors"


def paused_name(number: int) -> str:
    """Name of the file that a paused trial is resumed from."""
    return f"trial-{number:05d}.paused.safetensors"


def _hyperparameter(value: object, path: str) -> None:
    (schema.mapping(schema.scalar) if isinstance(value, Mapping) else schema.scalar)(value, path)


_NUMBER = schema.number(-1e300, 1e300)
_SCORES = schema.mapping(_NUMBER)  # their bounds are those of the run's metrics
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*([+-]\d\d:\d\d)?"
_TRIAL = schema.record(
    {
        "number": schema.whole(),
        "space": schema.text(pattern=NAME.pattern),
        "architecture": schema.anything,  # its space knows what it must be
        "hyperparameters": schema.mapping(_hyperparameter),
        "parents": schema.items(schema.whole()),
        "epochs": schema.maybe(schema.whole(1)),
        "resume_from": schema.maybe(schema.whole()),
        "root": schema.maybe(schema.whole()),
        "start_epoch": schema.whole(),
        "inherited_epochs": schema.whole(),
        "recipe": schema.mapping(schema.anything, epochs=schema.whole(1)),
        "scores": _SCORES,
        "failure": schema.maybe(
            schema.record(
                {
                    "cause": schema.one_of(get_args(Cause)),
                    "message": schema.lines(100_000),
                    "traceback": schema.lines(1_000_000),
                }
            )
        ),
        "curve": schema.items(schema.mapping(_NUMBER)),
        "weights_sha256": schema.maybe(schema.text(pattern="[0-9a-f]{64}")),
        "measured": schema.mapping(
            schema.anything,
            seconds=schema.number(0, 1e12),
            published_seconds=schema.number(0, 1e12),
            search_seconds=schema.number(0, 1e12),
            processor_seconds=schema.number(0, 1e12),
            memory_bytes=schema.whole(0),
            energy_wh=schema.number(0, 1e12),
            energy_source=schema.text(100),
            search_energy_wh=schema.number(0, 1e12),
            cut=schema.text(),
            ended=schema.text(40, _TIME),
        ),
    }
)
