"""Proposals, trials and the ways a trial can fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from search_spaces import Architecture, Record
from search_spaces.values import freeze, thaw

Cause = Literal["out-of-memory", "diverged", "timeout", "crashed", "invalid", "error"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a trial has no scores."""

    cause: Cause
    message: str  # one line
    traceback: str = ""

    def __str__(self) -> str:
        return f"{self.cause}: {self.message}"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a strategy asks to have evaluated."""

    architecture: Architecture
    hyperparameters: Record = field(default_factory=lambda: Record({}))  # those being searched
    parents: tuple[int, ...] = ()  # numbers of the trials it was made from


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
    curve: tuple[Mapping[str, float], ...] = ()  # one record for each epoch
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
    def seconds(self) -> float:
        """Wall time of the evaluation."""
        return float(self.measured.get("seconds", 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Plain data for one line of the journal."""
        failure = self.failure
        return {
            "number": self.number,
            "space": self.architecture.space,
            "architecture": thaw(self.architecture.value),
            "hyperparameters": thaw(self.proposal.hyperparameters),
            "parents": list(self.proposal.parents),
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
        for name, kinds in _KINDS.items():
            if name not in fields:
                raise ValueError(f"trial: want the field {name}, got none")
            if not isinstance(fields[name], kinds) or isinstance(fields[name], bool):
                raise ValueError(
                    f"trial: {name} has the wrong type ({type(fields[name]).__name__})"
                )
        if unknown := fields.keys() - _KINDS.keys():
            raise ValueError(f"trial: unknown field {min(unknown)!r}")
        failure = fields["failure"]
        if failure is not None:
            if failure.keys() != {"cause", "message", "traceback"}:
                raise ValueError("trial: failure wants the fields cause, message, traceback")
            if failure["cause"] not in get_args(Cause):
                raise ValueError(f"trial: unknown cause of failure {failure['cause']!r}")
            failure = Failure(**failure)
        proposal = Proposal(
            Architecture(fields["space"], fields["architecture"]),
            freeze(fields["hyperparameters"]),
            tuple(fields["parents"]),
        )
        return cls(
            number=fields["number"],
            proposal=proposal,
            recipe=fields["recipe"],
            scores=fields["scores"],
            failure=failure,
            curve=tuple(fields["curve"]),
            weights_sha256=fields["weights_sha256"],
            measured=fields["measured"],
        )


def checkpoint_name(number: int) -> str:
    """The file of a trial's weights."""
    return f"trial-{number:05d}.safetensors"


_KINDS: dict[str, tuple[type, ...]] = {
    "number": (int,),
    "space": (str,),
    "architecture": (dict, list, str, int, float, type(None)),
    "hyperparameters": (dict,),
    "parents": (list,),
    "recipe": (dict,),
    "scores": (dict,),
    "failure": (dict, type(None)),
    "curve": (list,),
    "weights_sha256": (str, type(None)),
    "measured": (dict,),
}
