"""The energy of a search: of trials, failed ones included, of the search itself, and idle."""

import json
from dataclasses import replace
from time import process_time

import pytest

import nas
from nas.core.metrics import Metric
from nas.core.trial import Trial
from nas.engine.energy import EnergyAccount
from nas.estimators.energy import counters
from nas.estimators.energy.design_power import DesignPower, of_this_machine
from nas.estimators.energy.meter import Meter
from nas.runs.control.energy import RunEnergy, read_energy, write_energy
from nas.testing.faulty import proposal
from nas.views.terminal.run import document, overview
from tests.nas.estimators.test_energy import Machine

SETTINGS = {
    "space": "mlp",
    "strategy": "random",
    "objectives": ("score:max", "energy_wh"),
    "seed": 3,
}

# Spends energy of the emulated machine, fails now and then, and ends its process once.
SPENDS = """
import fcntl, os
from pathlib import Path

FILE = Path({root!r}) / "intel-rapl:0" / "energy_uj"

def score(job):
    with (FILE.parent / "name").open() as lock:  # of the emulated machine
        fcntl.flock(lock, fcntl.LOCK_EX)
        new = FILE.with_suffix(".new")
        new.write_text(str((int(FILE.read_text()) + 700_000) % {most}))
        new.replace(FILE)  # a reader never sees half of it
        with (Path({root!r}) / "spent.txt").open("a") as file:
            file.write(f"{{job.number}}\\n")
    x = sum(i * i for i in range(200_000))
    if job.number % 4 == 1:
        raise ValueError("no such network")
    if job.number == 6 and {ends}:
        os._exit(3)
    return {{"score": job.number}}
"""


@pytest.mark.parametrize("workers", [1, 3])
def test_sums_are_exact_however_many_workers(workers, tmp_path, monkeypatch):
    root = tmp_path / "powercap"
    Machine(root, most=3_000_000)  # it wraps around at every fourth trial
    monkeypatch.setattr(counters, "RAPL", root)
    file = tmp_path / "spends.py"
    file.write_text(SPENDS.format(root=str(root), most=3_000_000, ends=workers > 1))
    out = tmp_path / "run"
    for trials in (5, 9):  # resumed
        run = nas.search(
            **SETTINGS, evaluator=f"{file}:score", trials=trials, workers=workers, out=out
        )
    energy = read_energy(out, run.trials)
    spent = len((root / "spent.txt").read_text().split()) * 0.7 / 3600
    assert energy.source == "rapl"
    assert energy.wh == pytest.approx(spent, rel=1e-6)
    assert sum(trial.measured["energy_wh"] for trial in run.trials) == pytest.approx(
        energy.trials_wh, abs=1e-8
    )
    assert energy.search_wh > 0
    assert energy.idle_wh >= 0
    assert any(trial.measured["energy_wh"] > 0 for trial in run.failures)
    for trial in run.trials:
        assert trial.scores.get("energy_wh") == (
            trial.measured["energy_wh"] if trial.completed else None
        )


def test_the_preparation_of_an_evaluator_counts(tmp_path):
    class Prepared:
        metrics = (Metric("score", "maximize"),)

        def prepare(self, workspace):
            end = process_time() + 0.3
            while process_time() < end:
                pass

        def evaluate(self, job):
            return {"score": 1.0}

    run = nas.search(
        evaluator=Prepared(), space="mlp", objectives="score:max", trials=1, out=tmp_path / "run"
    )
    power = of_this_machine().thread_watts
    assert read_energy(run.path, run.trials).search_wh >= 0.3 * power / 3600


class Fixed:
    """A counter of a part that says what it is set to."""

    wraps_at = 0.0

    def __init__(self, part):
        self.part, self.source, self.now = part, {"gpu": "nvml"}.get(part, "rapl"), 0.0

    def joules(self):
        return self.now


def trial(number, seconds, ended=None, **measured):
    found = proposal()
    times = {"seconds": seconds, "ended": ended or "1970-01-01T00:01:40.000+00:00"}  # at 100 s
    return Trial(
        number=number,
        proposal=found,
        recipe={},
        scores={"score": 1.0},
        measured={**times, **measured},
    )


POWER = DesignPower(thread_watts=5.0, origin="as given")


def test_a_trial_has_the_share_of_its_processor_seconds():
    processor, gpu, now = Fixed("processor"), Fixed("gpu"), [90.0]
    meter = Meter([processor, gpu], clock=lambda: now[0], period=0)
    account = EnergyAccount(meter=meter, power=POWER, threads=4, sharing=lambda: 2)
    processor.now, gpu.now, now[0] = 800.0, 3_600.0, 100.0
    found = account.charge(trial(0, 10.0, processor_seconds=5.0))
    # 5 of 40 processor seconds of 800 J, and half of the GPU that two may share
    assert found.measured["energy_wh"] == pytest.approx((100 + 1_800) / 3600)
    assert found.measured["energy_source"] == "nvml+rapl"
    assert "energy_wh" not in found.scores
    assert account.total.wh == pytest.approx(4_400 / 3600)


def test_estimates_are_of_processor_seconds_and_memory():
    account = EnergyAccount(meter=Meter(reason="none"), power=POWER, scored=True)
    held = {"processor_seconds": 30.0, "memory_bytes": 4 * 10**9}
    found = account.charge(trial(0, 20.0, **held))
    assert found.scores["energy_wh"] == pytest.approx((30 * 5 + 20 * 4 * 0.375) / 3600)
    assert found.measured["energy_source"] == "estimated"
    crashed = account.charge(trial(1, 20.0))
    assert crashed.measured["energy_wh"] == pytest.approx(20 * 5 / 3600)
    assert "5 W a thread" in account.note
    assert account.note.endswith("none")


def test_energy_as_a_score_counts_earlier_stages():
    account = EnergyAccount(meter=Meter(), power=POWER, scored=True)
    first = account.charge(trial(0, 1.0, processor_seconds=36.0))
    later = replace(trial(1, 1.0, processor_seconds=72.0), proposal=first.proposal)
    resumed = replace(later, proposal=replace(later.proposal, resume_from=0, root=0, start_epoch=1))
    found = account.charge(resumed)
    assert found.measured["energy_wh"] == pytest.approx(0.1)
    assert found.scores["energy_wh"] == pytest.approx(0.15)


def test_energy_is_an_objective_and_a_limit_of_the_built_in_training(tmp_path):
    settings = {"space": "mlp", "recipe": {"epochs": 1, "batch_size": 256}, "strategy": "random"}
    objectives = {"objectives": ("accuracy", "energy_wh"), "limits": ("energy_wh<=1e-9",)}
    run = nas.search(**settings, **objectives, trials=2, out=tmp_path / "run")
    assert all(trial.scores["energy_wh"] > 0 for trial in run.trials)
    assert run.front == []


SLEEPS = """
def score(job):
    x = sum(i * i for i in range(1_000_000))
    return {"score": job.number}
"""


@pytest.mark.parametrize("workers", [1, 2])
def test_a_budget_of_energy_ends_within_one_trial_of_it(workers, tmp_path):
    file = tmp_path / "sleeps.py"
    file.write_text(SLEEPS)
    settings = {
        **SETTINGS,
        "evaluator": f"{file}:score",
        "thread_watts": 100.0,
        "grams_per_kwh": 500,
    }
    one = nas.search(**settings, trials=1, out=tmp_path / "one").trials[0].measured["energy_wh"]
    out, budget = tmp_path / "run", f"{6 * one * 1000:.6f}mWh"
    run = nas.search(**settings, budget=budget, workers=workers, max_pending=4, out=out)
    assert run.ending.reason == "energy"
    assert "mWh of" in run.ending.message
    most = max(trial.measured["energy_wh"] for trial in run.trials)
    spent = max(trial.measured["search_energy_wh"] for trial in run.trials)
    assert spent <= 6 * one + workers * most
    assert len(run.trials) >= 2
    energy = read_energy(out, run.trials)
    assert energy.grams == pytest.approx(0.5 * energy.wh)
    assert run.energy == energy
    (line,) = [line for line in overview(run) if str(line).startswith("energy: ")]
    assert "estimated), " in line
    assert "of CO2" in line
    assert document(run)["energy"]["source"] == "estimated"
    again = nas.search(**settings, budget=budget, workers=workers, max_pending=4, out=out)
    assert len(again.trials) - len(run.trials) <= 1


def test_after_a_kill_the_energy_is_that_of_the_trials(tmp_path):
    assert read_energy(tmp_path, []) is None
    trials = [
        trial(n, 1.0, energy_wh=2.0, energy_source="rapl", search_energy_wh=5.0 * (n + 1))
        for n in range(2)
    ]
    energy = read_energy(tmp_path, trials)
    assert (energy.trials_wh, energy.search_wh, energy.source) == (4.0, 6.0, "rapl")
    whole = RunEnergy(trials_wh=4.0, search_wh=1.0, idle_wh=7.0, source="rapl")
    write_energy(tmp_path, whole)
    assert read_energy(tmp_path, trials) == whole
    (tmp_path / "energy.json").write_text(json.dumps({"trials_wh": -1}))
    with pytest.raises(ValueError, match=r"energy.json: .*it may be removed"):
        read_energy(tmp_path, trials)
