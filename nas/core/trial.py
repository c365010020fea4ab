"""Proposals, trials and the ways a trial can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Literal, get_args

from nas.core import schema
from search_spaces import Architecture, Record
from search_spaces.architecture import NAME
from search_spaces.tree.values import freeze, thaw

Cause = Literal["out-of-memory", "diverged", "timeout", "crashed", "invalid", "error"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial has no scores.

    What is too long for a journal is cut, and what a terminal would obey stands as its code.
    """

    cause: Cause
    message: str  # one line
    traceback: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", schema.visible(_whole(self.message[:_MESSAGE])))
        object.__setattr__(self, "traceback", _whole(self.traceback[-_TRACEBACK:]))

    def __str__(self) -> str:
        return f"{self.cause}: {self.message}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy asks to have evaluated.

    Its network may be trained in stages, each a trial of its own: the first begins, every other
    goes on from the weights and the optimiser's state of the one before. The trial that began it
    (`root`) decides all that is random in it, so that what is paused and continued ends as if it
    had never been paused.

    Raises:
        ValueError: the stages contradict each other.
    """

    architecture: Architecture
    hyperparameters: Record = field(default_factory=lambda: Record({}))  # those being searched
    parents: tuple[int, ...] = ()  # numbers of the trials it was made from
    epochs: int | None = None  # stop after so many in all; None for those of the recipe
    continues: int | None = None  # number of the trial that it goes on from
    root: int | None = None  # number of the trial that began, if it goes on from one
    done: int = 0  # epochs behind it when it begins

    def __post_init__(self) -> None:
        goes_on = self.continues is not None
        if (self.root is not None) != goes_on or (self.done > 0) != goes_on:
            raise ValueError(
                f"proposal: want continues, root and done together, got {self.continues}, "
                f"{self.root} and {self.done}"
            )
        if self.epochs is not None and self.epochs <= self.done:
            raise ValueError(f"proposal: want epochs above {self.done}, got {self.epochs}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One evaluation of one architecture.

    `measured` holds what another run of the same search would measure differently: seconds, and
    when it ended. All the rest is decided by the settings and the seed.
    """

    number: int  # from 0
    proposal: Proposal
    recipe: Mapping[str, Any]  # all hyperparameters it was trained with
    scores: Mapping[str, float]  # "accuracy", "parameters", ...; a failed trial has costs only
    failure: Failure | None = None
    curve: tuple[Mapping[str, float], ...] = ()  # a record for each epoch, earlier stages' first
    weights_sha256: str | None = None  # of the checkpoint, if one was written
    measured: Mapping[str, Any] = field(default_factory=dict)

    @property
    def architecture(self) -> Architecture:
        """What was evaluated."""
        return self.proposal.architecture

    @property
    def completed(self) -> bool:
        """Whether it has all its scores."""
        return self.failure is None

    @property
    def root(self) -> int:
        """The number of the trial that began its network: its own, unless it continues one."""
        return self.number if self.proposal.root is None else self.proposal.root

    @property
    def epochs(self) -> int:
        """Those after which it was to stop, earlier stages' included; 0 where nobody says."""
        return int(self.proposal.epochs or self.recipe.get("epochs", 0))

    @property
    def stopped_early(self) -> bool:
        """Whether it completed before the end of its recipe, so that it may be continued.

        A recipe that does not say its epochs has no end.
        """
        epochs = self.proposal.epochs
        return self.completed and epochs is not None and epochs < self.recipe.get("epochs", inf)

    def continuation(self, epochs: int) -> Proposal:
        """The proposal to go on from where this trial stopped, up to so many epochs in all."""
        done = self.proposal.epochs
        assert done is not None, "it was to be trained to the end"
        return replace(
            self.proposal, epochs=epochs, continues=self.number, root=self.root, done=done
        )

    def after(self, epochs: int) -> Trial:
        """This trial as it would have been told, had it stopped after so many epochs.

        It is what the curve says; a trial whose curve has no such record is returned as it is.
        """
        for length, record in enumerate(self.curve, start=1):
            if record["number"] == epochs:
                known = {name: record[name] for name in self.scores if name in record}
                return replace(self, scores={**self.scores, **known}, curve=self.curve[:length])
        return self

    @property
    def seconds(self) -> float:
        """Wall time of the evaluation."""
        return float(self.measured.get("seconds", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for one line of the journal."""
        failure = self.failure
        return {
            "number": self.number,
            **proposal_to_dict(self.proposal),
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
        if not isinstance(fields, Mapping):
            raise schema.refuse("trial", "an object", fields)
        fields = {**_STAGE, **fields}
        _TRIAL(fields, "trial")
        failure = fields["failure"]
        return cls(
            number=fields["number"],
            proposal=proposal_from_dict(fields),
            recipe=fields["recipe"],
            scores=fields["scores"],
            failure=failure and Failure(**failure),
            curve=tuple(fields["curve"]),
            weights_sha256=fields["weights_sha256"],
            measured=fields["measured"],
        )


def proposal_to_dict(proposal: Proposal) -> dict[str, Any]:
    """Plain data of a proposal."""
    return {
        "space": proposal.architecture.space,
        "architecture": thaw(proposal.architecture.value),
        "hyperparameters": thaw(proposal.hyperparameters),
        "parents": list(proposal.parents),
        **{name: getattr(proposal, name) for name in _STAGE},
    }


def proposal_from_dict(fields: Mapping[str, Any]) -> Proposal:
    """The proposal that `proposal_to_dict` took apart; other fields are left alone."""
    return Proposal(
        Architecture(fields["space"], fields["architecture"]),
        freeze(fields["hyperparameters"]),
        tuple(fields["parents"]),
        **{name: fields[name] for name in _STAGE},
    )


def checkpoint_name(number: int) -> str:
    """The file of a trial's weights."""
    return f"trial-{number:05d}.safetensors"


def paused_name(number: int) -> str:
    """The file of all that is needed to continue a trial that stopped early."""
    return f"trial-{number:05d}.paused.safetensors"


# What a trial of a run without a schedule says; journals of schema 1 do not say it.
_STAGE: dict[str, int | None] = {"epochs": None, "continues": None, "root": None, "done": 0}

_MESSAGE, _TRACEBACK = 1_000, 20_000  # characters


def _whole(text: str) -> str:
    """`text` without halves of characters, which no file can hold."""
    return text.encode(errors="backslashreplace").decode()


def _hyperparameter(value: object, path: str) -> None:
    (schema.mapping(schema.scalar) if isinstance(value, Mapping) else schema.scalar)(value, path)


_NUMBER = schema.number(-1e300, 1e300)
_SCORES = schema.mapping(
    _NUMBER,
    accuracy=schema.number(0, 1),
    parameters=schema.whole(),
    macs=schema.whole(),
    peak_activation_bytes=schema.whole(),
)
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*([+-]\d\d:\d\d)?"
_TRIAL = schema.record(
    {
        "number": schema.whole(),
        "space": schema.text(pattern=NAME.pattern),
        "architecture": schema.anything,  # its space knows what it must be
        "hyperparameters": schema.mapping(_hyperparameter),
        "parents": schema.items(schema.whole()),
        "epochs": schema.maybe(schema.whole(1)),
        "continues": schema.maybe(schema.whole()),
        "root": schema.maybe(schema.whole()),
        "done": schema.whole(),
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
            schema.anything, seconds=schema.number(0, 1e12), ended=schema.text(40, _TIME)
        ),
    }
)
