"""Trainings after a search: networks of a run again, with other seeds and for longer.

They are kept in the run's folder `further/`, a journal for each length and seed, so that each is
made once, whoever asks for it, and a kill loses only the training that was under way. One that
failed may be asked for again: the last record of a training counts. A seed
decides weights, order and augmentation, the same for all networks, so that networks are compared
with what is random in common.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from nas.analysis.explanation.evidence import space_of
from nas.core.configuration import Configuration
from nas.core.failure import Cause
from nas.core.joint_space import JointSpace
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.executors import guarded
from nas.runs.journal import Journal
from nas.runs.run import Run, writing

if TYPE_CHECKING:
    from nas.evaluators.training import Training


PASSING: frozenset[Cause] = frozenset({"out-of-memory", "timeout", "crashed"})  # of the machine


@dataclass(frozen=True, slots=True)
class Wanted:
    """One training: what, for how many epochs, and with which seed."""

    configuration: Configuration
    epochs: int
    seed: int

    @property
    def key(self) -> Hashable:
        """Equal for trainings that are the same."""
        return self.configuration, self.epochs, self.seed


class FurtherTrainings:
    """The trainings after the search of a run: looked up, or made.

    Args:
        run: Whose networks.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.path = run.path / "further"

    def missing(self, wanted: Sequence[Wanted], *, retry: bool = False) -> list[Wanted]:
        """Those that are yet to be made, each once; `retry`: what failed as in `PASSING` too.

        Raises:
            ValueError: a journal is damaged; names the line.
        """
        known = self._known(wanted)
        if retry:
            known = {
                k: t
                for k, t in known.items()
                if t.failure is None or t.failure.cause not in PASSING
            }
        distinct = {want.key: want for want in wanted if want.key not in known}
        return list(distinct.values())

    def trials(
        self,
        wanted: Sequence[Wanted],
        progress: Callable[[Trial], None] | None = None,
        *,
        retry: bool = False,
    ) -> dict[Hashable, Trial]:
        """All of `wanted` by their keys, the missing ones trained and recorded first.

        A trial's number is its place in its journal, and says nothing else.

        Raises:
            ValueError: the data or the space have changed since the search, another process is
                making trainings of the run, or a journal is damaged.
        """
        if self.missing(wanted, retry=retry):
            self.path.mkdir(exist_ok=True)
            with writing(self.path):
                for trial in self._make(self.missing(wanted, retry=retry)):
                    if progress is not None:
                        progress(trial)
        known = self._known(wanted)
        return {want.key: known[want.key] for want in wanted}

    def _known(self, wanted: Iterable[Wanted]) -> dict[Hashable, Trial]:
        found: dict[Hashable, Trial] = {}
        for epochs, seed in sorted({(want.epochs, want.seed) for want in wanted}):
            for trial in Journal(self._file(epochs, seed)):
                found[Wanted(trial.configuration, epochs, seed).key] = trial
        return found

    def _make(self, wanted: Sequence[Wanted]) -> Iterator[Trial]:
        from nas.evaluators import training

        space = space_of(self._run)
        with training.threads(self._run.settings.threads):
            for want in wanted:
                trial = self._train(want, space)
                with closing(Journal(self._file(want.epochs, want.seed))) as journal:
                    journal.append(trial)
                yield trial

    def _train(self, want: Wanted, space: JointSpace) -> Trial:
        evaluator = self._training(want.epochs, want.seed)
        trial = guarded.evaluate(evaluator, 0, Proposal(want.configuration))
        return replace(
            trial,
            number=sum(1 for _ in Journal(self._file(want.epochs, want.seed))),
            scores={**trial.scores, **asdict(space.cost(want.configuration))},
        )

    @cached_property
    def _training(self) -> Callable[[int, int], Training]:
        """Makes what trains for so many epochs with a seed; the data are read once."""
        from nas.evaluators import training

        run, settings = self._run, self._run.settings
        data = training.load_data(
            settings.data,
            seed=settings.data_seed,
            image_size=settings.image_size,
            device=settings.device,
        )
        if data.fingerprint != run.header.data["fingerprint"]:
            raise ValueError(f"{settings.data}: the data have changed since the search")

        def make(epochs: int, seed: int) -> Training:
            fixed = {**settings.recipe, "epochs": epochs}
            return training.Training(
                run.space, data, fixed=fixed, seed=seed_of(settings.seed, seed)
            )

        return make

    def _file(self, epochs: int, seed: int) -> Path:
        return self.path / f"epochs-{epochs:04d}-seed-{seed:04d}.jsonl"


def seed_of(search: int, seed: int) -> int:
    """What a training is seeded with: of the search and its own, and never what a trial had."""
    return int.from_bytes(sha256(f"{search}/further/{seed}".encode()).digest()[:6], "big")
