"""Each clause of the contract of schedules refuses a schedule that breaks it, by its sentence."""

import random
from dataclasses import replace
from random import Random

import pytest

import nas
from nas.core.candidates import Exhausted
from nas.core.configuration import Configuration
from search_spaces import Record


class Halves:
    """Begins every network with 3 epochs and resumes whatever has reached the half, to be broken.

    It keeps the contract.
    """

    FIRST = 3

    def __init__(self, strategy, candidates, objectives, epochs):
        self.strategy, self.candidates, self.epochs = strategy, candidates, epochs
        self.trials = {}

    def resumed(self):
        return {p.resume_from for p in self.candidates.ledger.proposals}

    def best(self):
        """The trials that may be resumed now."""
        waiting = [t for n, t in self.trials.items() if t.paused and n not in self.resumed()]
        return [t for t in waiting if t.scores["accuracy"] > 0.4]

    def ask(self, rng):
        for trial in self.best():
            return trial.resumed(self.epochs)
        return replace(self.strategy.ask(rng), epochs=self.FIRST)

    def tell(self, trial):
        self.trials[trial.number] = trial
        if trial.proposal.resume_from is None:
            self.strategy.tell(trial.after(self.FIRST))

    def keep(self):
        running = {
            p.resume_from
            for n, p in enumerate(self.candidates.ledger.proposals)
            if p.resume_from is not None and n not in self.trials
        }
        return running | {trial.number for trial in self.best()}


def test_a_schedule_of_a_users_own_passes():
    nas.testing.check_schedule(Halves)


class Twice(Halves):
    def resumed(self):
        return set()


class Finished(Halves):
    """Resumes what was trained to the end."""

    def ask(self, rng):
        for trial in self.trials.values():
            if trial.completed and not trial.paused:
                last = trial.proposal.epochs
                return replace(
                    trial.proposal,
                    epochs=last + 1,
                    resume_from=trial.number,
                    root=trial.root,
                    start_epoch=last,
                )
        return super().ask(rng)


class Excessive(Halves):
    def ask(self, rng):
        return replace(super().ask(rng), epochs=self.epochs + 1)


class Foreign(Halves):
    """Resumes a trial with the architecture of another."""

    def ask(self, rng):
        proposal = super().ask(rng)
        if proposal.resume_from is not None and len(self.trials) > 1:
            other = next(t for n, t in self.trials.items() if n != proposal.resume_from)
            return replace(proposal, configuration=other.configuration)
        return proposal


class Adopting(Halves):
    """Forks what does well, which is allowed, and gives the forks no parents, which is not."""

    def fork(self, trial):
        return replace(trial.forked(trial.configuration, self.epochs), parents=())

    def ask(self, rng):
        for trial in self.best():
            return self.fork(trial)
        return replace(self.strategy.ask(rng), epochs=self.FIRST)


class Trespassing(Adopting):
    """Forks trials with configurations that are no members of the space."""

    def fork(self, trial):
        tuned = Configuration.of(trial.architecture, Record({"speed": 3}))
        return trial.forked(tuned, self.epochs)


class Spendthrift(Adopting):
    """Forks trials whose weights it gave up."""

    def fork(self, trial):
        return trial.forked(trial.configuration, self.epochs)

    def keep(self):
        return set()


class Premature(Halves):
    """Resumes a trial that has not ended."""

    def ask(self, rng):
        number = len(self.candidates.ledger.proposals)
        proposal = super().ask(rng)
        if number in self.trials or proposal.resume_from is not None or number < 2:
            return proposal
        last = self.candidates.ledger.proposals[-1]
        if last.resume_from is not None or number - 1 in self.trials:
            return proposal
        return replace(last, epochs=9, resume_from=number - 1, root=number - 1, start_epoch=3)


class Generous(Halves):
    """Resumes a trial that failed."""

    def best(self):
        waiting = [t for n, t in self.trials.items() if n not in self.resumed()]
        return [t for t in waiting if t.failure or (t.paused and t.scores["accuracy"] > 0.4)]

    def ask(self, rng):
        for trial in self.best():
            if trial.proposal.epochs < self.epochs:
                return trial.resumed(self.epochs)
        return super().ask(rng)


class Deaf(Halves):
    def ask(self, rng):
        return super().ask(Random(len(self.candidates.ledger.proposals)))


class Owner(Halves):
    def ask(self, rng):
        return super().ask(Random())


class Careless(Halves):
    def ask(self, rng):
        random.random()
        return super().ask(rng)


class Counting(Halves):
    """Resumes at every second call only: its own calls are not repeated."""

    calls = 0

    def best(self):
        return super().best() if self.calls % 2 else []

    def ask(self, rng):
        self.calls += 1
        return super().ask(rng)


class Hasty(Halves):
    """Resumes what was fast."""

    def best(self):
        return sorted(super().best(), key=lambda trial: trial.seconds)

    def ask(self, rng):
        seconds = sum(t.seconds * (n + 1) for n, t in self.trials.items())
        return super().ask(Random(f"{rng.random()}{seconds}"))


class Fragile(Halves):
    def tell(self, trial):
        trial.scores["accuracy"]
        super().tell(trial)


class Early(Halves):
    def ask(self, rng):
        if self.candidates.space.name == "tiny" and len(self.candidates.ledger.proposals) == 9:
            raise Exhausted("enough")
        return super().ask(rng)


class Forgetful(Halves):
    """Counts what it began by itself, which matters at the end of a space."""

    begun = 0

    def ask(self, rng):
        if self.candidates.space.name == "tiny":
            self.begun += 1
            return super().ask(Random(f"{rng.random()}{self.begun}"))
        return super().ask(rng)


class Chatty(Halves):
    """Tells the strategy resumed trials, too."""

    def tell(self, trial):
        super().tell(trial)
        if trial.proposal.resume_from is not None:
            self.strategy.tell(trial)


class Uneven(Halves):
    """Tells the strategy whatever epochs there are."""

    def ask(self, rng):
        proposal = super().ask(rng)
        odd = len(self.candidates.ledger.proposals) % 2
        return proposal if proposal.resume_from is not None else replace(proposal, epochs=3 + odd)

    def tell(self, trial):
        self.trials[trial.number] = trial
        if trial.proposal.resume_from is None:
            self.strategy.tell(trial)


class Lying(Halves):
    def tell(self, trial):
        super().tell(replace(trial, scores={**trial.scores, "parameters": 1}))


class Hoarding(Halves):
    def keep(self):
        return set(self.trials)


class Wasteful(Halves):
    def keep(self):
        return set()


class Unkept(Halves):
    def keep(self):
        raise KeyError("none")


BROKEN = {
    Twice: "resumes trial 0 twice",
    Finished: "proposes 10 epochs, where the recipe has 9",
    Excessive: "proposes 10 epochs, where the recipe has 9",
    Foreign: "as another network, or from another epoch",
    Adopting: r"forks trial \d+ from another epoch, or with other parents",
    Trespassing: "proposes no member of the space",
    Spendthrift: r"forks trial \d+, which `keep` had given up",
    Premature: "which it was not told",
    Generous: "which failed",
    Deaf: "gives the same search for another seed",
    Owner: "gives another search for the same seed",
    Careless: "uses global randomness: the generator of random has changed",
    Counting: "searches on differently after a resume",
    Hasty: "depends on the order in which pending trials end, or on their seconds",
    Fragile: r"fails to learn from trial \d+, which failed: KeyError",
    Early: "raises Exhausted when it has begun . of 12 candidates",
    Forgetful: "ends an exhausted space differently after a resume",
    Chatty: "want each network once, when it is begun",
    Uneven: "after 3 and 4 epochs, which cannot be compared|after 3 and 4 and 9 epochs",
    Lying: r"tells its strategy other scores of trial \d+ than it had after 3 epochs",
    Hoarding: "must not grow with the length of the search",
    Wasteful: "whose checkpoints `keep` had given up",
    Unkept: "fails to name the trials whose checkpoints must be kept: KeyError",
}


@pytest.mark.parametrize("broken", BROKEN, ids=lambda cls: cls.__name__)
def test_each_clause_refuses_what_breaks_it(broken):
    with pytest.raises(AssertionError, match=f"^{broken.__name__} .*({BROKEN[broken]})") as error:
        nas.testing.check_schedule(broken, strategies=["random"])
    assert "\n" not in str(error.value)
