"""Populations that are trained in step, where weak members become forks of strong ones.

A generation is the same stage of all members. When its last trial has ended, the members are
ranked, and the next generation is proposed: a member that is not weak is resumed, a weak one is
replaced by a fork of a strong one. So a search depends neither on the number of workers nor on which
trials are fast. The next population begins when all trials of the last generation are proposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Protocol

from nas.core.candidates import Candidates, Exhausted
from nas.core.configuration import Configuration
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules.rungs import begin, require_stage
from nas.schedules.selection import Replacement, Selection, parse_frequencies
from nas.strategies import Strategy
from search_spaces import Architecture, Record

_TRIES = 10  # draws of hyperparameters that are outside the limits, or those of the source


class Explorer(Protocol):
    """Chooses the hyperparameters of forks."""

    def tell(self, trials: Sequence[Trial]) -> None:
        """Learn from the trials of a generation that has ended."""

    def explore(self, source: Trial, pending: Sequence[Proposal], rng: Random) -> Record:
        """The hyperparameters of a fork.

        Args:
            source: The trial that is forked.
            pending: The proposals of the same generation so far.
            rng: Decides everything random.
        """


class Populations:
    """Populations of the same size, one after the other, without end.

    When the strategy has nothing new to propose, the population being filled goes on with what it has.

    Args:
        strategy: Proposes the first members.
        candidates: The configurations it chooses from; their ledger has what was proposed.
        objectives: The objectives that decide who is weak and who is strong.
        epochs: Number of epochs of the recipe, to which every member is trained.
        explorer: Chooses the hyperparameters of forks.
        population: Number of members.
        every: Epochs between two comparisons.
        quantile: Share of the members that are weak, and as many are strong: above 0 to 0.5.
        mutate: Probability that a fork differs in a decision of the architecture too, 0 to 1.
        frequencies: Comparisons between those of each sub-population, such as "1+4".

    Raises:
        ValueError: a setting is not allowed.
    """

    def __init__(
        self,
        strategy: Strategy,
        candidates: Candidates,
        objectives: Objectives,
        epochs: int,
        *,
        explorer: Explorer,
        population: int,
        every: int,
        quantile: float,
        mutate: float,
        frequencies: str = "1",
    ) -> None:
        if not 0 <= mutate <= 1:
            raise ValueError(f"want mutate from 0 to 1, got {mutate}")
        if population < 2:
            raise ValueError(f"want a population of at least 2, got {population}")
        if every < 1:
            raise ValueError(f"want every of at least 1 epoch, got {every}")
        if epochs <= every:
            raise ValueError(f"want a recipe of more than {every} epochs (every), got {epochs}")
        if not 0 < quantile <= 0.5:
            raise ValueError(f"want a quantile above 0 to 0.5, got {quantile}")
        self._strategy = strategy
        self._candidates = candidates
        self._objectives = objectives
        self._explorer = explorer
        self._mutate = mutate
        self._levels = (*range(every, epochs, every), epochs)
        self._size = population
        parts = parse_frequencies(frequencies, size=population, comparisons=len(self._levels) - 1)
        self._selection = Selection(objectives, population, quantile, parts)
        self._seen = 0  # proposals that have been looked at
        self._open: list[Population] = []
        self._population_of: dict[int, Population] = {}  # by trial

    def ask(self, rng: Random) -> Proposal:
        """Propose the next stage of a member; else begin a new member."""
        return self.ask_within(rng, self._levels[-1])

    def ask_within(self, rng: Random, epochs: int) -> Proposal:
        """Do as `ask` does, with a stage of at most `epochs`."""
        self._read_proposals()
        if (proposal := self._next_stage(rng, epochs)) is not None:
            return proposal
        require_stage(self._levels[0], epochs)
        try:
            return begin(self._strategy.ask(rng), self._levels[0])
        except Exhausted:
            if not self._open or not self._open[-1].has_room:
                raise
            self._open[-1].close()
            self._end_generations()
            if (proposal := self._next_stage(rng, epochs)) is None:
                raise
            return proposal

    def tell(self, trial: Trial) -> None:
        """Record the stage of a member; tell the strategy of a new network."""
        self._read_proposals()
        population = self._population_of.pop(trial.number, None)  # none for a baseline
        if population is not None:
            population.tell(trial)
            self._end_generations()
        if trial.proposal.resume_from is None:
            self._strategy.tell(trial.after(self._levels[0]))

    def keep(self) -> set[int]:
        """Return the numbers of the trials that may be resumed or forked, or are."""
        return {number for population in self._open for number in population.keep()}

    def _next_stage(self, rng: Random, epochs: int) -> Proposal | None:
        """The proposal of a later stage; None if a new member is to begin.

        Raises:
            Exhausted: a generation has to end before anything can be proposed, or the stage trains
                more than `epochs`.
        """
        for population in self._open:
            if population.has_room:
                return None
            if population.waits:
                raise Exhausted("a generation of the population has not ended")
            if (slot := population.next_slot) is not None:
                before, level = population.stage
                require_stage(level - before, epochs)
                return self._proposal(population, slot, level, rng)
        return None

    def _proposal(self, population: Population, slot: int, level: int, rng: Random) -> Proposal:
        own, replacement = population.member(slot), population.replacements.get(slot)
        if replacement is None:
            assert own is not None, "a member that failed is replaced"
            return own.resumed(level)
        source = rng.choice(replacement.sources)
        vector = self._objectives.vector
        if own is not None and vector(own.scores) == vector(source.scores):
            return own.resumed(level)
        if replacement.settings is None:
            return source.forked(self._explored(source, population, rng), level)
        configuration = Configuration.of(source.architecture, replacement.settings.hyperparameters)
        if not self._candidates.space.is_feasible(configuration):
            configuration = source.configuration
        return source.forked(configuration, level)

    def _explored(self, source: Trial, population: Population, rng: Random) -> Configuration:
        """The configuration of a fork: another one within the limits, if it can be drawn."""
        tree = self._candidates.space.space.tree
        mutates = self._mutate > 0 and rng.random() < self._mutate and tree.size > 1
        for _ in range(_TRIES):
            found = self._explorer.explore(source, population.pending, rng)
            architecture = source.architecture
            if mutates:
                architecture = Architecture(
                    architecture.space, tree.mutate(architecture.value, rng)
                )
            configuration = Configuration.of(architecture, found)
            changed = configuration != source.configuration  # no number was at an end of its range
            if changed and self._candidates.space.is_feasible(configuration):
                return configuration
        return source.configuration

    def _read_proposals(self) -> None:
        """Assign the proposals of the ledger to populations.

        A replay has the next generation in its ledger before the present one has been told.
        """
        proposals = self._candidates.ledger.proposals
        while self._seen < len(proposals):
            number, proposal = self._seen, proposals[self._seen]
            if proposal.epochs is not None:  # else a baseline, which is trained to the end
                population = self._place_of(proposal)
                if population is None:
                    return
                population.add(number, proposal)
                self._population_of[number] = population
            self._seen += 1

    def _place_of(self, proposal: Proposal) -> Population | None:
        """The population that a proposal belongs to; None while its generation has not begun."""
        source = proposal.resume_from
        if source is None:
            return self._filling()
        population = next(p for p in self._open if p.has(source))
        population.close()
        return None if population.waits else population

    def _end_generations(self) -> None:
        """Let the explorer learn from generations that have ended, and drop finished populations."""
        for population in self._open:
            self._explorer.tell(population.take_ended())
        self._open = [population for population in self._open if not population.finished]

    def _filling(self) -> Population:
        """The population that new members go to."""
        if not self._open or not self._open[-1].has_room:
            made = Population(self._size, self._levels, self._selection)
            self._open.append(made)
        return self._open[-1]


class Population:
    """The members of one population, generation by generation.

    Slots number the members, from 0: the proposals of a generation are in their order.

    Args:
        size: Number of members.
        levels: Epochs after each generation, rising.
        selection: The rule that compares members.

    Attributes:
        pending: Proposals of the present generation.
        replacements: The forks that take the place of members of the generation before, by slot.
    """

    def __init__(self, size: int, levels: tuple[int, ...], selection: Selection) -> None:
        self.pending: list[Proposal] = []
        self.replacements: dict[int, Replacement] = {}
        self._size, self._selection = size, selection
        self._stages = list(pairwise((0, *levels)))
        self._generation = 0
        self._numbers: list[int] = []  # of the trials of the present generation, by slot
        self._ended: dict[int, Trial] = {}  # of the present generation
        self._before: list[Trial] = []  # the generation before, by slot
        self._dead = False  # nothing is left to go on from
        self._untaken: list[Trial] = []

    @property
    def has_room(self) -> bool:
        """True if it takes new members."""
        return self._generation == 0 and len(self._numbers) < self._size

    @property
    def waits(self) -> bool:
        """True if trials of a generation that is not the last have to end before the next begins."""
        full = len(self._numbers) == self._size
        return full and self._generation < len(self._stages) - 1

    @property
    def next_slot(self) -> int | None:
        """The slot to propose next; None in the first generation and after the last."""
        filled = len(self._numbers)
        return filled if self._generation > 0 and filled < self._size else None

    @property
    def stage(self) -> tuple[int, int]:
        """Epochs before and after the present generation."""
        return self._stages[self._generation]

    @property
    def finished(self) -> bool:
        """True if the last of its trials has ended."""
        last = self._generation == len(self._stages) - 1
        return self._dead or (last and not self.has_room and len(self._ended) == self._size)

    def has(self, number: int) -> bool:
        """True if a trial is of the generation before, or of the present one."""
        return number in self._numbers or any(t.number == number for t in self._before)

    def member(self, slot: int) -> Trial | None:
        """The trial of the generation before in a slot; None if it failed."""
        trial = self._before[slot]
        return trial if trial.completed else None

    def close(self) -> None:
        """Take no further new members."""
        if self.has_room:
            self._size = len(self._numbers)
            self._advance()

    def add(self, number: int, proposal: Proposal) -> None:
        """Record the proposal of its next slot."""
        self._numbers.append(number)
        self.pending.append(proposal)

    def tell(self, trial: Trial) -> None:
        """Record one of its trials that has ended."""
        self._ended[trial.number] = trial
        self._advance()

    def take_ended(self) -> list[Trial]:
        """The trials of the generation that has ended since the last call; empty if none has."""
        taken, self._untaken = self._untaken, []
        return taken

    def keep(self) -> set[int]:
        """Trials that may be resumed or forked, and those whose next stage has not ended."""
        stages = zip(self._numbers, self.pending, strict=True)
        used = {
            p.resume_from for n, p in stages if n not in self._ended and p.resume_from is not None
        }
        may = [] if self.next_slot is None else self._before
        if self._generation < len(self._stages) - 1:
            may = [*may, *self._ended.values()]
        return used | {trial.number for trial in may if trial.completed}

    def _advance(self) -> None:
        """Compare the members once the generation has ended, and begin the next."""
        if self.has_room or len(self._ended) < self._size:
            return
        self._untaken = [self._ended[number] for number in self._numbers]
        if not self.waits:  # it was the last
            return
        self._before = self._untaken
        self.replacements = self._selection.replacements(self._before, self._generation + 1)
        self._dead = not any(trial.completed for trial in self._before)
        self._generation += 1
        self._numbers, self.pending, self._ended = [], [], {}
