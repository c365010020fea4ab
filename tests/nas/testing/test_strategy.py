"""Each clause of the contract of strategies refuses a strategy that breaks it, by its sentence."""

import random
from random import Random

import numpy as np
import pytest

import nas
from nas.core.candidates import Exhausted
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from search_spaces import Architecture


class Plain:
    """A strategy that keeps the contract, to be broken in one way."""

    def __init__(self, candidates, objectives):
        self.candidates, self.objectives = candidates, objectives
        self.told = []

    def ask(self, rng):
        return Proposal(self.candidates.sample(rng))

    def tell(self, trial):
        self.told.append(trial)


def test_a_strategy_of_a_users_own_passes():
    nas.testing.check_strategy(Plain)


class Outsider(Plain):
    def ask(self, rng):
        return Proposal(Configuration.of(Architecture("nasbench201", {"width": 3})))


class Repeating(Plain):
    def ask(self, rng):
        return Proposal(self.candidates.space.sample(Random(0)))


class RepeatingFunctions(Plain):
    """Proposes no architecture twice, but others of the same function."""

    def ask(self, rng):
        seen = {p.configuration for p in self.candidates.ledger.proposals}
        while (drawn := self.candidates.space.sample(rng)) in seen:
            pass
        return Proposal(drawn)


class Bare(Plain):
    def ask(self, rng):
        return self.candidates.sample(rng)


class Scheduling(Plain):
    def ask(self, rng):
        proposal = super().ask(rng)
        return Proposal(proposal.configuration, (), 9, resume_from=0, root=0, start_epoch=1)


class Writing(Plain):
    def ask(self, rng):
        proposal = super().ask(rng)
        self.candidates.ledger.add(proposal)
        return proposal


class Clairvoyant(Plain):
    def ask(self, rng):
        return Proposal(super().ask(rng).configuration, parents=(1_000,))


class Careless(Plain):
    def ask(self, rng):
        return Proposal(self.candidates.sample(Random(random.random())))


class CarelessWithNumpy(Plain):
    def ask(self, rng):
        return Proposal(self.candidates.sample(Random(np.random.random())))  # noqa: NPY002


class Owner(Plain):
    """Owns a generator that no seed reaches."""

    def ask(self, rng):
        return Proposal(self.candidates.sample(Random()))


class Deaf(Plain):
    """Ignores the generator that it is given."""

    def ask(self, rng):
        return super().ask(Random(len(self.candidates.ledger.proposals)))


class Counting(Plain):
    """Counts its own calls, which a resumed search does not repeat."""

    calls = 0

    def ask(self, rng):
        self.calls += 1
        return super().ask(Random(f"{rng.random()}{self.calls}"))


class Hasty(Plain):
    """Prefers what was fast."""

    def ask(self, rng):
        seconds = sum(trial.seconds * (i + 1) for i, trial in enumerate(self.told))
        return super().ask(Random(f"{rng.random()}{seconds}"))


class Boundless(Plain):
    def ask(self, rng):
        space = self.candidates.space.space
        while True:
            drawn = Configuration.of(
                space.sample(rng), self.candidates.space.sample_hyperparameters(rng)
            )
            if self.candidates.ledger.is_new(drawn):
                return Proposal(drawn)


class Reckless(Plain):
    """Mutates the best trial, whether or not it meets the constraints."""

    def ask(self, rng):
        completed = [trial for trial in self.told if trial.completed]
        if not completed:
            return super().ask(rng)
        best = min(completed, key=lambda trial: self.objectives.values(trial.scores))
        return Proposal(self.candidates.mutate(best.configuration, rng))


class Tempted(Plain):
    """Recommends the best trial, whether or not it meets the constraints."""

    def recommend(self):
        completed = (trial for trial in self.told if trial.completed)
        return min(completed, key=lambda trial: self.objectives.values(trial.scores))


class Partial(Plain):
    """Searches architectures only: hyperparameters are always the same."""

    def ask(self, rng):
        fixed = self.candidates.space.sample_hyperparameters(Random(0))
        while True:
            drawn = Configuration.of(self.candidates.sample(rng).architecture, fixed)
            if self.candidates.ledger.is_new(drawn):
                return Proposal(drawn)


class Fragile(Plain):
    def tell(self, trial):
        trial.scores["accuracy"]


class Hopeful(Plain):
    """Cannot go on where nothing has completed."""

    def ask(self, rng):
        if len(self.told) > 20:
            max(trial.scores["accuracy"] for trial in self.told if trial.completed)
        return super().ask(rng)


class Early(Plain):
    def ask(self, rng):
        if self.candidates.space.name == "tiny" and len(self.candidates.ledger.proposals) == 7:
            raise Exhausted("enough")
        return super().ask(rng)


class Stuck(Plain):
    def ask(self, rng):
        try:
            return super().ask(rng)
        except Exhausted:
            return self.told[0].proposal


class Inventive(Plain):
    """Recommends a trial that failed."""

    def recommend(self):
        return next(trial for trial in self.told if not trial.completed)


class Unmade(Plain):
    def __init__(self, candidates):
        super().__init__(candidates, None)


BROKEN = {
    Outsider: "proposes no member of the space: nasbench201:",
    Repeating: "proposes a configuration twice: nasbench201:",
    RepeatingFunctions: "or an equal function",
    Bare: "proposes no nas.core.proposal.Proposal but Configuration",
    Scheduling: "resumes trial 0: that is for schedules",
    Writing: "writes to the ledger of proposals",
    Clairvoyant: r"names \(1000,\) as parents of trial 0",
    Careless: "uses global randomness: the generator of random has changed",
    CarelessWithNumpy: "uses global randomness: the generator of numpy has changed",
    Owner: r"gives another search for the same seed \(trial 0 differs\)",
    Deaf: "gives the same search for another seed",
    Counting: "searches on differently after a resume",
    Hasty: "depends on the order in which 4 pending trials end, or on their seconds",
    Boundless: "proposes a configuration outside the limits on costs",
    Reckless: r"goes on where the constraint loss>=0.7 is violated, by [4-9]\d% on average",
    Tempted: "which violates the constraint loss>=0.7",
    Partial: "does not search hyperparameters: all 60 trials have the same optimizer",
    Fragile: "fails to learn from trial 0, which failed: KeyError: 'accuracy'",
    Hopeful: "fails to propose trial 21: ValueError: max",
    Early: "raises Exhausted after 7 of 12 candidates",
    Stuck: "proposes a configuration twice: tiny:",
    Inventive: "recommends trial 0, which is no completed trial that it was told",
    Unmade: "fails to be made from candidates and objectives: TypeError",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda cls: cls.__name__)
def test_each_clause_refuses_what_breaks_it(broken):
    with pytest.raises(AssertionError, match=f"^{broken.__name__} .*{BROKEN[broken]}") as error:
        nas.testing.check_strategy(broken)
    assert "\n" not in str(error.value)


def test_the_global_generators_are_as_before():
    state = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    with pytest.raises(AssertionError):
        nas.testing.check_strategy(Careless)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == state  # noqa: NPY002


def test_a_name_that_is_no_strategy_is_refused():
    with pytest.raises(ValueError, match="want a strategy"):
        nas.testing.check_strategy("annealed")
