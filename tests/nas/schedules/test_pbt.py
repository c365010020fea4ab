"""Population based training: who is replaced by a fork of whom, and with which settings."""

import signal
import subprocess
import sys
from collections import Counter
from math import isclose
from random import Random

import pytest

import nas
from nas import schedules
from nas.analysis.phases import phases_of
from nas.bundles.read import open_bundle
from nas.core.candidates import Candidates
from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.fronts.front import front_of
from nas.core.fronts.pareto import dominates
from nas.core.hyperparameters import tree
from nas.core.joint_space import JointSpace
from nas.core.objectives import Objectives
from nas.core.proposal import Proposal
from nas.core.trial import Trial, paused_name
from nas.engine.session import Session
from nas.schedules.exploration import explored
from nas.strategies import make
from nas.testing.searches import TASK, Learning
from nas.views.terminal.run import epochs_of
from nas.views.terminal.trial import trial_document, trial_lines
from nas.winners.from_trial import bundle_of_network
from nas.winners.retrain import retrain
from scripts import population_toy, ray_nodes
from search_spaces import Choice, Integer, Real, Record, Struct, get
from search_spaces.tree.values import thaw
from tests.nas.decided import decided
from tests.nas.schedules.test_schedules import run
from trainers.checkpoints import pausing
from trainers.recipes.optimizers import SHARES

TUNED = tree(("learning_rate", "momentum"), {})
SPACE = get("nasbench201")


def generations(trials, size, count):
    """The trials of one population, by generation."""
    return [trials[size * i : size * (i + 1)] for i in range(count)]


def test_weak_members_become_forks_of_strong_ones_and_the_others_are_resumed(tmp_path):
    settings = {"objectives": ("accuracy",), "hyperparameters": TUNED}
    trials = run(tmp_path / "j", "pbt:population=8,quantile=0.25", trials=72, **settings)
    for before, after in zip(*(generations(trials, 8, 9)[i:] for i in (0, 1)), strict=False):
        order = sorted(before, key=lambda t: -t.scores["accuracy"])
        strong, weak = ({t.number for t in part} for part in (order[:2], order[-2:]))
        for own, trial in zip(before, after, strict=True):
            proposal = trial.proposal
            assert proposal.is_fork == (own.number in weak)
            if proposal.is_fork:
                assert proposal.resume_from in strong
                assert proposal.parents == (proposal.resume_from,)
                assert trial.root == trial.number
                source = trials[proposal.resume_from]
                assert trial.architecture == source.architecture
                assert trial.hyperparameters != source.hyperparameters
            else:
                assert proposal == own.resumed(own.epochs + 1)
    assert Counter(t.epochs for t in trials) == dict.fromkeys(range(1, 10), 8)
    assert sum(t.trained_epochs for t in trials) == 8 * 9  # copies included


def test_the_search_is_the_same_for_any_number_of_pending_trials(tmp_path):
    one, more = (
        run(tmp_path / str(n), "pbt:population=5,every=2", max_pending=n, hyperparameters=TUNED)
        for n in (1, 5)
    )
    assert one == more
    assert {t.epochs for t in one} == {2, 4, 6, 8, 9}
    assert sum(t.proposal.resume_from is None for t in one) == 15  # 60 trials: 25 a population


def test_members_that_failed_become_forks(tmp_path):
    failing = Learning(fails=lambda number: number in (1, 2, 5, *range(12, 16)))
    trials = run(
        tmp_path / "j", "pbt:population=4", trials=24, evaluator=failing, objectives=("accuracy",)
    )
    forks = [t.number for t in trials[:16] if t.proposal.is_fork]
    assert {5, 6} <= set(forks)  # of 0 or 3: 1 and 2 failed
    assert {trials[5].proposal.resume_from, trials[6].proposal.resume_from} <= {0, 3}
    assert 9 in forks
    assert all(t.proposal.resume_from is None for t in trials[16:20])  # none of 12 to 15 was left


def test_with_several_objectives_the_best_are_those_of_the_best_pareto_rank(tmp_path):
    both = ("accuracy", "parameters")
    trials = run(tmp_path / "j", "pbt:population=8", trials=16, objectives=both)
    vectors = {t.number: Objectives.parse(both).vector(t.scores) for t in trials}
    for fork in (t for t in trials if t.proposal.is_fork):
        source = vectors[fork.proposal.resume_from]
        assert not any(dominates(v, source) for v in list(vectors.values())[:8])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pbt:population=1", "want a population of at least 2, got 1"),
        ("pbt:every=0", "want every of at least 1 epoch, got 0"),
        ("pbt:every=9", r"want a recipe of more than 9 epochs \(every\), got 9"),
        ("pbt:quantile=0.6", "want a quantile above 0 to 0.5, got 0.6"),
        ("pbt:factor=0.8", "want a factor of at least 1, got 0.8"),
        ("pbt:mutate=-0.5", "want mutate from 0 to 1, got -0.5"),
        ("pbt:resample=2.0", "want resample from 0 to 1, got 2.0"),
        ("pbt:explore=lr", r"name some of learning_rate\+momentum, got lr"),
    ],
)
def test_settings_that_make_no_sense_are_refused(text, message):
    candidates = Candidates(JointSpace(SPACE, TASK, hyperparameters=TUNED))
    inner = make("random", candidates, Objectives())
    with pytest.raises(ValueError, match=message):
        schedules.make(text, inner, candidates, Objectives(), 9)


# -- exploration ------------------------------------------------------------------------------

MANY = Struct(
    rate=Real(0.01, 1.0, log=True),
    share=Real(0.0, 0.2),
    depth=Integer(2, 20, step=2),
    batch=Choice(16, 32, 64, 128),
    kind=Choice("a", "b", "c"),
    optimizer=Choice(
        Struct(name=Choice("sgd"), momentum=Real(0.5, 0.9)), Struct(name=Choice("adamw"))
    ),
)
START = Record(
    {
        "rate": 0.1,
        "share": 0.1,
        "depth": 10,
        "batch": 64,
        "kind": "b",
        "optimizer": Record({"name": "sgd", "momentum": 0.6}),
    }
)


def explorations(value=START, resample=0.0, only=frozenset(MANY.fields), draws=60):
    rng = Random(0)
    return [
        explored(MANY, value, rng, only=only, factor=1.5, resample=resample) for _ in range(draws)
    ]


def test_numbers_are_multiplied_or_divided_within_their_range():
    found = explorations()
    assert {v["rate"] for v in found} == {0.15, 0.06667}
    assert {v["share"] for v in found} == {0.15, 0.06667}
    assert {v["depth"] for v in found} == {6, 14}
    assert {v["batch"] for v in found} == {32, 128}
    assert {v["kind"] for v in found} == {"b"}
    assert {v["optimizer"]["momentum"] for v in found} == {0.9, 0.5}
    ends = START.replace("rate", 1.0).replace("batch", 128).replace("depth", 2)
    found = explorations(ends)
    assert {v["rate"] for v in found} == {1.0, 0.6667}
    assert {v["batch"] for v in found} == {64, 128}
    assert {v["depth"] for v in found} == {2, 4}


def test_what_is_resampled_is_drawn_from_the_whole_range():
    found = explorations(resample=1.0, draws=300)
    assert {v["kind"] for v in found} == {"a", "b", "c"}
    assert {v["depth"] for v in found} == set(range(2, 21, 2))
    assert {v["optimizer"]["name"] for v in found} == {"sgd", "adamw"}
    assert min(v["rate"] for v in found) < 0.02
    assert max(v["rate"] for v in found) > 0.5
    assert all(MANY.check(v) for v in found)


def test_only_the_hyperparameters_that_are_named_change():
    (found,) = explorations(resample=1.0, only=frozenset({"kind"}), draws=1)
    assert {name for name in START if found[name] != START[name]} <= {"kind"}


# -- real training ----------------------------------------------------------------------------

SETTINGS = {
    "space": "mlp",
    "strategy": "random",
    "schedule": "pbt:population=4,every=1",
    "epochs": 3,
    "max_params": 20_000,
    "batch_size": 256,
    "seed": 1,
    "tune": "learning_rate,momentum,optimizer,dropout",
    "objectives": ["accuracy"],
}


@pytest.fixture(scope="module")
def population(tmp_path_factory):
    return nas.search(**SETTINGS, trials=12, out=tmp_path_factory.mktemp("runs") / "whole")


def test_forks_go_on_from_the_weights_with_their_own_settings(population):
    """The journal has what the optimiser of each fork carried: not the settings of the source."""
    trials = population.trials
    forks = [t for t in trials if t.proposal.is_fork]
    assert len(forks) == 2
    share = SHARES["triangle"]
    for fork in forks:
        source, carried = trials[fork.proposal.resume_from], fork.measured["fork"]
        assert carried["of"] == source.number
        assert fork.curve[: source.epochs] == source.curve
        for name in ("optimizer", "momentum", "weight_decay"):
            assert carried[name] == fork.recipe[name]
        assert fork.recipe["learning_rate"] != source.recipe["learning_rate"]
        steps = -(-population.header.data["examples"]["train"] // 256)
        last = share(fork.epochs * steps / (3 * steps + 1))  # of the schedule: its multiplier moved
        assert isclose(carried["learning_rate"], fork.recipe["learning_rate"] * last)
        assert carried["state"] == (fork.recipe["optimizer"] == source.recipe["optimizer"])
    assert epochs_of(population) == 12
    assert not any("restarted" in t.measured for t in trials)


def test_the_settings_over_time_are_shown(population):
    fork = next(t for t in population.trials if t.proposal.is_fork)
    later = next(t for t in population.trials if t.proposal.resume_from == fork.number)
    last = next((t for t in population.trials if t.proposal.resume_from == later.number), later)
    source = fork.proposal.resume_from
    phases = phases_of(population.trials, last)
    found = [(p.start_epoch, p.end_epoch, p.trial.root, p.source) for p in phases]
    assert found[-1] == (
        fork.proposal.start_epoch,
        last.epochs,
        last.root,
        last.proposal.resume_from if last.proposal.is_fork else source,
    )
    text = " ".join(" ".join(trial_lines(population, last, population.space)).split())
    assert f"trial {last.number}, forked from trial {source}: " in text
    document = trial_document(population, last, population.space)
    assert document["phases"][-1]["hyperparameters"] == thaw(last.hyperparameters)
    whole = next(t for t in population.trials if t.proposal.resume_from is None)
    assert [(p.start_epoch, p.source) for p in phases_of(population.trials, whole)] == [(0, None)]
    assert "settings over time" not in "".join(trial_lines(population, whole, population.space))


@pytest.mark.long
def test_retraining_replays_the_settings(population, tmp_path):
    last = next(
        t for t in population.trials[8:] if len(phases_of(population.trials, t)) > 1 and t.completed
    )
    bundle, epochs = bundle_of_network(population, last), []
    retrained = retrain(bundle, tmp_path / "again", epochs=6, progress=epochs.append)
    phases = retrained.metrics["phases"]
    assert [p["end_epoch"] for p in phases] == [
        2 * p["end_epoch"] for p in bundle.metrics["phases"]
    ]
    peaks = [p["recipe"]["learning_rate"] for p in phases]
    ends = [p["end_epoch"] for p in phases]
    assert len(set(peaks)) > 1
    for epoch in epochs:
        peak = peaks[next(n for n, end in enumerate(ends) if epoch.number <= end)]
        steps = -(-(1_150 + 288) // 256)
        share = SHARES["triangle"](epoch.number * steps / (6 * steps + 1))
        assert isclose(epoch.learning_rate, peak * share)
    assert open_bundle(tmp_path / "again").metrics["phases"] == phases


@pytest.mark.parametrize("stop", [5, 8])
def test_a_stopped_search_continues_to_the_same_journal(population, tmp_path, stop):
    nas.search(**SETTINGS, trials=stop, out=tmp_path / "run")
    again = nas.search(**SETTINGS, trials=12, out=tmp_path / "run")
    assert decided(again.path) == decided(population.path)


@pytest.mark.long
@pytest.mark.parametrize("line", ["trial    3", "trial    5", "trial    8"])
def test_a_killed_search_continues_to_the_same_journal(population, tmp_path, line):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "nas", "search", "--space", "mlp", "--strategy", "random"]
    command += ["--schedule", SETTINGS["schedule"], "--epochs", "3", "--batch-size", "256"]
    command += ["--seed", "1", "--tune", SETTINGS["tune"], "--max-params", "20000"]
    command += ["--objectives", "accuracy", "--trials", "12", "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        for text in child.stderr:
            if text.startswith(line):
                break
        child.send_signal(signal.SIGKILL)
    assert 0 < len(nas.open_run(out).trials) < 12
    nas.search(**SETTINGS, trials=12, out=out)
    assert decided(out) == decided(population.path)


@pytest.mark.long
def test_any_number_of_workers_gives_the_same_journal(population, tmp_path):
    run = nas.search(**SETTINGS, trials=12, workers=3, out=tmp_path / "run")
    assert decided(run.path) == decided(population.path)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_two_nodes_of_a_ray_cluster_give_the_same_journal_and_weights(tmp_path, monkeypatch):
    """Forks are trained where their sources were not, from checkpoints in the folder of the run."""
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "PYTHONPATH"):
        monkeypatch.setenv(name, "")  # so that what the cluster sets is undone
    text = "pbt:population=4,frequencies=1+2,mutate=0.5"
    settings = {**SETTINGS, "schedule": text, "epochs": 4}
    alone = nas.search(**settings, trials=16, out=tmp_path / "alone")
    with ray_nodes.two_nodes() as (cluster, _):
        there = nas.search(
            **settings,
            trials=16,
            executor="ray",
            workers=2,
            address=cluster.address,
            out=tmp_path / "there",
        )
    assert any(trial.proposal.is_fork for trial in alone.trials)
    assert decided(there.path) == decided(alone.path)
    one, other = (
        {f.name: f.read_bytes() for f in (run.path / "checkpoints").iterdir()}
        for run in (alone, there)
    )
    assert one == other


def session(path, said):
    run = nas.open_run(path)
    return Session(run.settings, path, notify=said.append)


def test_a_fork_without_the_weights_of_its_source_fails_alone(population, tmp_path):
    fork = next(t for t in population.trials if t.proposal.is_fork)
    stopped = nas.search(**SETTINGS, trials=fork.number, out=tmp_path / "run")
    file = stopped.path / "checkpoints" / paused_name(fork.proposal.resume_from)
    file.write_bytes(file.read_bytes()[:-1])
    trials = list(session(stopped.path, []).run(12))
    failed = next(t for t in trials if t.number == fork.number)
    assert failed.failure.message.startswith(
        f"trial {fork.proposal.resume_from} has no state to fork"
    )
    (replacement,) = [t for t in trials if t.number == fork.number + 4]
    assert replacement.proposal.is_fork
    assert replacement.completed


def test_an_optimiser_that_carries_the_settings_of_the_source_is_found_out(
    population, tmp_path, monkeypatch
):
    fork = next(t for t in population.trials if t.proposal.is_fork)
    stopped = nas.search(**SETTINGS, trials=fork.number, out=tmp_path / "run")
    inherit = pausing.inherit

    def overwrite(net, optimizer, tensors, adapt=None):
        optimizer.groups[0].weight_decay = 0.123
        return inherit(net, optimizer, tensors, adapt)

    monkeypatch.setattr(pausing, "inherit", overwrite)
    (trial,) = session(stopped.path, []).run(fork.number + 1)
    assert "the optimiser of a fork has weight_decay 0.123" in trial.failure.message


def test_forks_of_another_architecture_inherit_the_weights_that_fit(tmp_path):
    settings = {**SETTINGS, "schedule": "pbt:population=4,mutate=1.0", "tune": "learning_rate"}
    trials = nas.search(**settings, trials=12, out=tmp_path / "run").trials
    forks = [t for t in trials if t.proposal.is_fork]
    assert len(forks) == 2
    for fork in forks:
        source = trials[fork.proposal.resume_from]
        assert fork.completed
        assert fork.architecture != source.architecture
        assert fork.scores["parameters"] <= 20_000
        assert fork.curve[: source.epochs] == source.curve
        found = fork.measured["fork"]["inherited"]
        assert found["whole"] + found["partly"] > 0
    again = nas.search(**settings, trials=5, out=tmp_path / "again")
    nas.search(**settings, trials=12, out=tmp_path / "again")
    assert decided(again.path) == decided(tmp_path / "run")


# -- a user's function --------------------------------------------------------------------------


def saving(job):
    """Counts epochs in its state, and the forks before it."""
    state = job.restore() or {"epochs": 0, "line": ()}
    line = (*state["line"], job.number)
    for epoch in range(job.start_epoch + 1, job.epochs + 1):
        job.report(epoch, accuracy=job.hyperparameters["x"])
    job.save({"epochs": job.epochs, "line": line})
    job.measured["line"] = list(line)
    return {"accuracy": job.hyperparameters["x"]}


def forgetful(job):
    return {"accuracy": job.hyperparameters["x"]}


def search(function, out):
    return nas.search(
        space="none",
        evaluator=nas.evaluator(
            function, metrics="accuracy", hyperparameters=Struct(x=Real(0.0, 1.0))
        ),
        objectives=["accuracy"],
        schedule="pbt:population=4",
        epochs=3,
        trials=12,
        out=out,
    )


def test_a_users_function_is_given_the_state_of_the_source(tmp_path):
    trials = search(saving, tmp_path / "run").trials
    forks = [t for t in trials if t.proposal.is_fork]
    assert forks
    for trial in trials:
        before = trial.proposal.resume_from
        line = [] if before is None else trials[before].measured["line"]
        assert trial.measured["line"] == [*line, trial.number]


def test_a_users_function_that_saves_nothing_is_told_so(tmp_path):
    trials = search(forgetful, tmp_path / "run").trials
    forks = [t for t in trials if t.proposal.is_fork]
    assert forks
    assert all("has no state to fork" in t.failure.message for t in forks)


# -- values ---------------------------------------------------------------------------------------


def stage(number, accuracy, proposal):
    scores = {"accuracy": accuracy, "parameters": 10.0}
    return Trial(number=number, proposal=proposal, recipe={"epochs": 9}, scores=scores)


def test_a_fork_is_another_network_than_its_source():
    configuration = Configuration.of(SPACE.known["resnet"])
    source = stage(3, 0.8, Proposal(configuration, epochs=2))
    proposal = source.forked(configuration, 4)
    assert Proposal.from_dict(proposal.to_dict()) == proposal
    fork = stage(7, 0.7, proposal)
    assert (proposal.start_epoch, proposal.inherited_epochs, fork.root) == (2, 2, 7)
    later = fork.resumed(6)
    assert (later.is_fork, later.root, later.inherited_epochs, later.start_epoch) == (
        False,
        7,
        2,
        4,
    )
    assert [t.number for t in front_of([source, fork], Objectives())] == [3]
    worse = stage(8, 0.6, source.resumed(4))  # the source itself goes on, and gets worse
    assert [t.number for t in front_of([source, fork, worse], Objectives())] == [7]
    failed = Failure("error", "x")
    assert (
        front_of(
            [Trial(number=9, proposal=proposal, recipe={}, scores={}, failure=failed)], Objectives()
        )
        == []
    )
    with pytest.raises(ValueError, match="want inherited_epochs from 0 to 2, got 3"):
        Proposal(configuration, epochs=4, resume_from=3, start_epoch=2, inherited_epochs=3)


def test_the_toy_problem_of_the_paper_is_solved_with_every_seed():
    """Figure 2: 1.2 is the best; constant settings and exploiting alone stay at 0.39."""
    assert min(population_toy.run("both", seed) for seed in range(100)) >= 1.19
    assert population_toy.run("constant", 0) == pytest.approx(0.39, abs=0.01)
    assert population_toy.run("exploit alone", 0) == pytest.approx(0.39, abs=0.01)
    alone = [population_toy.run("explore alone", seed) for seed in range(20)]
    assert sum(q >= 1.19 for q in alone) < 15
