"""Proposals: configurations to be evaluated, and their budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nas.core.configuration import Configuration
from search_spaces import Architecture, Record
from search_spaces.tree.values import freeze, thaw


@dataclass(frozen=True, slots=True)
class Proposal:
    """A configuration to evaluate, and for how many epochs.

    A network may be trained in stages, each a trial of its own: the first starts from initial
    weights, every later one resumes the weights and the optimiser's state of the one before. The
    trial that started the network (`root`) seeds all that is random in its training, so that a
    training that was paused ends as if it had never been paused.

    A fork starts a new network from the weights and the optimiser's state of another trial, with
    other hyperparameters or another architecture: it has `resume_from`, and no `root`.

    Attributes:
        configuration: The configuration to evaluate.
        parents: Numbers of the trials whose configurations it was derived from.
        epochs: Epochs after which the training stops, earlier stages included; None for those of
            the recipe.
        resume_from: Number of the trial whose training is resumed or forked; None for a network
            that starts from initial weights.
        root: Number of the trial that started the network; None if this trial does.
        start_epoch: Epochs that earlier stages trained; 0 from initial weights.
        inherited_epochs: Epochs of the trial that the network was forked from; 0 for a network
            that started from initial weights.

    Raises:
        ValueError: the stages contradict each other.
    """

    configuration: Configuration
    parents: tuple[int, ...] = ()
    epochs: int | None = None
    resume_from: int | None = None
    root: int | None = None
    start_epoch: int = 0
    inherited_epochs: int = 0

    def __post_init__(self) -> None:
        resumes, forks = self.resume_from is not None, self.is_fork
        if (self.root is not None) != (resumes and not forks) or (self.start_epoch > 0) != resumes:
            raise ValueError(
                f"proposal: want resume_from, root and start_epoch together, got "
                f"{self.resume_from}, {self.root} and {self.start_epoch}"
            )
        if not 0 <= self.inherited_epochs <= self.start_epoch:
            raise ValueError(
                f"proposal: want inherited_epochs from 0 to {self.start_epoch}, got "
                f"{self.inherited_epochs}"
            )
        if self.epochs is not None and self.epochs <= self.start_epoch:
            raise ValueError(f"proposal: want epochs above {self.start_epoch}, got {self.epochs}")

    @property
    def is_fork(self) -> bool:
        """True if it starts a new network from the weights of another trial."""
        inherits = self.inherited_epochs > 0
        return self.resume_from is not None and self.root is None and inherits

    @property
    def architecture(self) -> Architecture:
        """The architecture of the configuration."""
        return self.configuration.architecture

    @property
    def hyperparameters(self) -> Record:
        """The searched hyperparameters of the configuration."""
        return self.configuration.hyperparameters

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for the journal and for messages to workers."""
        value = self.configuration.value
        return {
            "space": self.configuration.space,
            "architecture": thaw(value["architecture"]),
            "hyperparameters": thaw(value["hyperparameters"]),
            "parents": list(self.parents),
            **{name: getattr(self, name) for name in STAGE},
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Proposal:
        """Read what `to_dict` wrote; other fields are ignored."""
        architecture = Architecture(fields["space"], fields["architecture"])
        return cls(
            Configuration.of(architecture, freeze(fields["hyperparameters"])),
            tuple(fields["parents"]),
            **{name: fields[name] for name in STAGE},
        )


# The fields that place a proposal among the stages of its network, and their defaults.
STAGE: dict[str, int | None] = {
    "epochs": None,
    "resume_from": None,
    "root": None,
    "start_epoch": 0,
    "inherited_epochs": 0,
}
