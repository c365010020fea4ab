"""The contract of fidelity schedules."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from nas import schedules
from nas.core import hyperparameters
from nas.core.candidates import Candidates, Exhausted
from nas.core.configuration import Configuration
from nas.core.constraints import Constraint
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial
from nas.schedules import Schedule
from nas.strategies import Strategy
from nas.strategies.preparing import Preparation, Prepares
from nas.testing import strategy as strategy_contract
from nas.testing.clauses import (
    completes,
    global_generators_untouched,
    name_of,
    other_global_seeds,
    require,
)
from nas.testing.searches import (
    EPOCHS,
    TINY,
    TINY_SIZE,
    Learning,
    Make,
    Searches,
    Shuffled,
    read,
)
from search_spaces import get

TRIALS = 45  # of a search that is compared with another
STOPS = (1, 14, 32)  # trials after which a search is interrupted
LONG = 400  # trials of the search in which checkpoints are counted
RESTARTS = 0.1  # share of resumed trials whose checkpoint may have been given up
GROWTH, SLACK = 1.5, 8  # of the number of checkpoints, from half a long search to its end

MakeSchedule = Callable[[Strategy, Candidates, Objectives, int], Schedule]


def check_schedule(
    schedule: str | Callable[..., Schedule], *, strategies: Sequence[str] = ("random", "evolution")
) -> None:
    """Check that a schedule keeps the contract of `nas.schedules.Schedule`.

    Clauses, each checked in small searches of simulated training for 9 epochs:

    - `ask` returns a proposal of a new network within the limits, or resumes a completed trial
      that is paused: with its configuration and parents, from the epoch at which it stopped.
      Or it forks such a trial (`trial.forked(configuration, epochs)`), with any configuration
      within the limits.
    - Each network is begun once, and each trial is resumed at most once; it may be forked too, as
      often as the schedule likes.
    - The same seed gives the same search; another seed gives another one.
    - A search that is interrupted and resumed from its journal equals an uninterrupted one; the
      order in which pending trials end, and their seconds, do not matter.
    - Failed trials are never resumed or forked, and end nothing.
    - The strategy is told each network that it proposed once, in order, with scores after equally
      many epochs; resumed trials and forks are not told.
    - Trials that neither the strategy nor the schedule proposed, such as baselines, are told to
      the strategy and, as they were trained to the end, not resumed.
    - `ask` raises `Exhausted` when there is nothing to begin or to resume, and not while a
      configuration is left.
    - `keep` has the trials that are being resumed or forked and those that may be, and does not
      grow with the length of the search. No fork is of another trial: without the weights of that
      one it fails.
    - The global generators of random, numpy and torch are neither used nor seeded.

    Args:
        schedule: A class or function that makes a schedule from (strategy, candidates, objectives,
            epochs), or the name of a registered schedule, with settings such as `asha:eta=2`.
        strategies: Names of strategies to wrap.

    Raises:
        AssertionError: a clause is broken; one sentence says which and how.
    """
    name, make = name_of(schedule), _maker(schedule)
    clauses = [(text, CLAUSES) for text in strategies]
    for text, checks in (*clauses, ("random", CLAUSES_OF_ONE_STRATEGY)):
        with TemporaryDirectory(prefix="nas-testing-") as folder:
            searches = Searches(name, _around(name, make, text), Path(folder))
            for clause in checks:
                with global_generators_untouched(name):
                    clause(searches)


def _maker(schedule: str | Callable[..., Schedule]) -> MakeSchedule:
    if isinstance(schedule, str):
        text = schedules.check_name(schedule)
        return lambda *arguments: schedules.make(text, *arguments)
    name, make_one = name_of(schedule), schedule

    def make(
        strategy: Strategy, candidates: Candidates, objectives: Objectives, epochs: int
    ) -> Schedule:
        with completes(name, "be made from a strategy, candidates, objectives and epochs"):
            return make_one(strategy, candidates, objectives, epochs)

    return make


def _around(name: str, make: MakeSchedule, strategy: str) -> Make:
    """A function that makes the schedule around a strategy, both watched."""
    make_strategy = strategy_contract.maker(strategy)

    def made(candidates: Candidates, objectives: Objectives) -> Checked:
        inner = Informed(make_strategy(candidates, objectives))
        return Checked(name, make(inner, candidates, objectives, EPOCHS), inner, candidates)

    return made


class Informed:
    """A strategy that remembers what it was told."""

    def __init__(self, strategy: Strategy) -> None:
        self._strategy = strategy
        self.told: list[Trial] = []

    def ask(self, rng: Random) -> Proposal:
        """Propose what the strategy proposes."""
        return self._strategy.ask(rng)

    def prepare(self, preparation: Preparation) -> None:
        """Prepare the strategy, if it is to be prepared."""
        if isinstance(self._strategy, Prepares):
            self._strategy.prepare(preparation)

    def tell(self, trial: Trial) -> None:
        """Remember the trial, and tell the strategy."""
        self.told.append(trial)
        self._strategy.tell(trial)


class Checked:
    """A schedule whose every proposal is checked.

    Args:
        name: The name by which sentences call it.
        schedule: The schedule.
        strategy: The strategy that it wraps.
        candidates: The candidates that both were made with.
    """

    def __init__(
        self, name: str, schedule: Schedule, strategy: Informed, candidates: Candidates
    ) -> None:
        self._name = name
        self._schedule = schedule
        self._candidates = candidates
        self._told: dict[int, Trial] = {}
        self.strategy = strategy

    def ask(self, rng: Random) -> Proposal:
        """Propose what the schedule proposes, once it is checked."""
        name, proposals = self._name, self._candidates.ledger.proposals
        number = len(proposals)
        with completes(name, f"propose trial {number}", allowed=Exhausted):
            proposal = self._schedule.ask(rng)
        strategy_contract.check_proposal(name, proposal, self._candidates, number)
        require(
            proposal.epochs is None or proposal.epochs <= EPOCHS,
            name,
            f"proposes {proposal.epochs} epochs, where the recipe has {EPOCHS}",
        )
        if proposal.resume_from is None:
            strategy_contract.check_configuration(name, proposal.configuration, self._candidates)
        else:
            self._check_resumed(proposal, proposal.resume_from)
        return proposal

    def prepare(self, preparation: Preparation) -> None:
        """Prepare the strategy, if it is to be prepared."""
        self.strategy.prepare(preparation)

    def tell(self, trial: Trial) -> None:
        """Tell the schedule."""
        self._told[trial.number] = trial
        strategy_contract.learn(self._name, self._schedule, trial)

    def keep(self) -> set[int]:
        """Return what the schedule keeps."""
        with completes(self._name, "name the trials whose checkpoints must be kept"):
            return self._schedule.keep()

    def _check_resumed(self, proposal: Proposal, number: int) -> None:
        name, before = self._name, self._told.get(number)
        require(before is not None, name, f"resumes trial {number}, which it was not told")
        assert before is not None
        require(before.completed, name, f"resumes trial {number}, which failed")
        require(before.paused, name, f"resumes trial {number}, which was trained to the end")
        if proposal.is_fork:
            self._check_forked(proposal, before)
            return
        earlier = self._candidates.ledger.proposals
        require(
            all(other.resume_from != number or other.is_fork for other in earlier),
            name,
            f"resumes trial {number} twice",
        )
        require(
            proposal == before.resumed(proposal.epochs or EPOCHS),
            name,
            f"resumes trial {number} as another network, or from another epoch: use "
            f"`trial.resumed(epochs)`",
        )

    def _check_forked(self, proposal: Proposal, before: Trial) -> None:
        name, configuration = self._name, proposal.configuration
        require(
            proposal == before.forked(configuration, proposal.epochs or EPOCHS),
            name,
            f"forks trial {before.number} from another epoch, or with other parents: use "
            f"`trial.forked(configuration, epochs)`",
        )
        strategy_contract.check_member(name, configuration, self._candidates)
        require(
            before.number in self.keep(),
            name,
            f"forks trial {before.number}, which `keep` had given up",
        )


# -- the clauses -------------------------------------------------------------------------------


def _seed_decides(searches: Searches) -> None:
    whole = searches.undisturbed(trials=TRIALS)
    with other_global_seeds():
        again = searches.run("again", TRIALS)
    searches.require_equal(again, whole, "gives another search for the same seed")
    require(
        searches.run("other", 5, seed=1) != whole[:5],
        searches.name,
        "gives the same search for another seed: `ask` must pass on the generator it is given",
    )


def _order_of_ends_is_irrelevant(searches: Searches) -> None:
    searches.require_equal(
        searches.run("shuffled", TRIALS, max_pending=4, executor=Shuffled),
        searches.undisturbed(4, TRIALS),
        "depends on the order in which pending trials end, or on their seconds",
    )


def _resumed_search_is_equal(searches: Searches) -> None:
    for max_pending in (1, 4):
        for trials in (*STOPS, TRIALS):
            found = searches.run(f"resumed-{max_pending}", trials, max_pending=max_pending)
        searches.require_equal(
            found,
            searches.undisturbed(max_pending, TRIALS),
            "searches on differently after a resume: its state must follow from the trials told "
            "and the ledger",
        )


def _limits_and_hyperparameters_are_kept(searches: Searches) -> None:
    tree = hyperparameters.tree(("optimizer", "momentum"), {})
    for objectives in (("accuracy",), ("accuracy", "parameters")):
        searches.run(
            f"limits-{len(objectives)}",
            objectives=objectives,
            constraints=[Constraint("parameters", "<=", 600_000)],
            hyperparameters=tree,
            max_pending=3,
        )


def _failures_are_survived(searches: Searches) -> None:
    failing = Learning(fails=lambda number: number % 3 == 1)
    searches.run("failing", 90, max_pending=3, evaluator=failing)
    searches.run("all-failing", evaluator=Learning(fails=lambda _: True))


def _exhausted_space_is_trained_to_its_end(searches: Searches) -> None:
    for max_pending in (1, 4):
        file = searches.folder / f"tiny-{max_pending}"

        def exhausted(path: Path, pending: int = max_pending) -> list[Trial]:
            with suppress(Exhausted):
                settings = {"space": TINY, "objectives": ("accuracy",), "max_pending": pending}
                searches.run(path.name, 200, **settings)
            return read(path)

        whole = exhausted(file)
        begun = sum(trial.proposal.resume_from is None for trial in whole)
        require(
            begun == TINY_SIZE,
            searches.name,
            f"raises Exhausted when it has begun {begun} of {TINY_SIZE} candidates",
        )
        lines = file.read_bytes().splitlines(keepends=True)
        for stop in (9, 11, 12, 13, 14, 15, len(whole)):
            part = searches.folder / f"tiny-{max_pending}-part"
            part.write_bytes(b"".join(lines[:stop]))
            breach = "ends an exhausted space differently after a resume"
            searches.require_equal(exhausted(part), whole, breach)


def _strategy_is_told_each_network_once(searches: Searches) -> None:
    known = list(get("nasbench201").known.values())[:2]
    baselines = [Proposal(Configuration.of(architecture)) for architecture in known]
    for file, first in (("told", []), ("baselines", baselines)):
        trials = searches.run(file, 80, objectives=("accuracy",), first=first)
        checked = searches.made[-1]
        assert isinstance(checked, Checked)
        begun = [trial for trial in trials if trial.proposal.resume_from is None]
        told = checked.strategy.told
        numbers = [trial.number for trial in told]
        require(
            numbers == [trial.number for trial in begun],
            searches.name,
            f"tells its strategy the trials {numbers}: want each network once, when it is begun",
        )
        lengths = {len(trial.curve) for trial in told}
        require(
            len(lengths) == 1,
            searches.name,
            f"tells its strategy scores after {' and '.join(map(str, sorted(lengths)))} epochs, "
            f"which cannot be compared: use `trial.after(epochs)`",
        )
        for seen, trial in zip(told, begun, strict=True):
            accuracy = trial.curve[len(seen.curve) - 1]["accuracy"]
            scores = {"accuracy": accuracy, "loss": 1 - accuracy}
            require(
                seen.scores == {**trial.scores, **scores},
                searches.name,
                f"tells its strategy other scores of trial {trial.number} than it had after "
                f"{len(seen.curve)} epochs",
            )


def _checkpoints_kept_are_few_and_those_needed(searches: Searches) -> None:
    for max_pending in (1, 5):
        kept = _Checkpoints(searches)
        settings = {"max_pending": max_pending, "objectives": ("accuracy",)}
        searches.run(f"long-{max_pending}", LONG, observe=kept.observe, **settings)
        require(
            kept.restarted <= RESTARTS * kept.resumed,
            searches.name,
            f"resumes {kept.restarted} of {kept.resumed} trials whose checkpoints `keep` had "
            f"given up",
        )
        half, whole = max(kept.counts[: LONG // 2]), max(kept.counts)
        require(
            whole <= GROWTH * half + SLACK,
            searches.name,
            f"keeps {half} checkpoints within {LONG // 2} trials and {whole} within {LONG}: `keep` "
            f"must not grow with the length of the search",
        )


class _Checkpoints:
    """The checkpoints for resuming that a search has, as its schedule keeps them.

    Attributes:
        counts: Their number after each trial.
        resumed: Number of trials that resumed another.
        restarted: Number of those whose checkpoint had been given up.
    """

    def __init__(self, searches: Searches) -> None:
        self.counts: list[int] = []
        self.resumed = self.restarted = 0
        self._searches = searches
        self._paused: set[int] = set()

    def observe(self, trial: Trial) -> None:
        if trial.proposal.resume_from is not None:
            self.resumed += 1
            self.restarted += trial.proposal.resume_from not in self._paused
        if trial.paused:
            self._paused.add(trial.number)
        checked = self._searches.made[-1]
        assert isinstance(checked, Checked)
        self._paused &= checked.keep()
        self.counts.append(len(self._paused))


CLAUSES = (
    _limits_and_hyperparameters_are_kept,
    _seed_decides,
    _order_of_ends_is_irrelevant,
    _resumed_search_is_equal,
    _failures_are_survived,
    _exhausted_space_is_trained_to_its_end,
)
CLAUSES_OF_ONE_STRATEGY = (
    _strategy_is_told_each_network_once,
    _checkpoints_kept_are_few_and_those_needed,
)
