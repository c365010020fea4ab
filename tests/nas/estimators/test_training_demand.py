"""Trials that run at a time: as many as there is memory for, and as train faster together."""

import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nas
from nas import executors
from nas.engine.session import Session
from nas.estimators.demand import MemoryDemand
from nas.executors import ResourceLimits
from nas.executors import autotune as worker_count
from nas.executors.memory_admission import MemoryAdmission
from nas.runs.settings import Settings
from nas.testing.faulty import NEED, blueprint, processes_left, proposal
from tests.nas.decided import decided

needs = st.builds(MemoryDemand, st.sampled_from(["cuda:0", "cuda:1"]), st.integers(0, 30))


@given(st.lists(needs, max_size=30), st.integers(1, 20), st.randoms())
def test_nobody_is_over_the_total_but_alone_and_nobody_overtakes(asked, total, random):
    packing = MemoryAdmission(total)
    training, begun = {}, []
    for place, need in enumerate(asked):
        packing.request(place, need)
    while len(begun) < len(asked):
        for place in packing.admit():
            training[place] = asked[place]
            begun.append(place)
        for device in ("cuda:0", "cuda:1"):
            there = [n.bytes for n in training.values() if n.device == device]
            assert sum(there) <= total or len(there) == 1
        assert training  # somebody always trains
        ended = random.choice(sorted(training))
        assert packing.release(ended) == training.pop(ended)
    for device in ("cuda:0", "cuda:1"):
        order = [place for place in begun if asked[place].device == device]
        assert order == sorted(order)


def trained(folder, what, **terms):
    made = executors.make("workers", blueprint(folder), ResourceLimits(workers=2, **terms))
    with closing(made) as executor:
        for number, each in enumerate(what):
            executor.submit(number, each)
        ended = [executor.wait() for _ in what]
        outcomes = {trial.number: trial for trial in ended}
        spent = executor.utilization()
    assert not processes_left(folder)
    return outcomes, spent


def test_a_trial_waits_for_memory_and_its_deadline_with_it(tmp_path):
    slow = [proposal("takes", 1.5)] * 2
    outcomes, spent = trained(tmp_path, slow, total_memory=NEED + NEED // 2, timeout=2.5)
    assert not any(o.failure for o in outcomes.values())
    first, second = sorted(o.measured["span"] for o in outcomes.values())
    assert first[1] <= second[0]
    assert max(o.measured["idle"] for o in outcomes.values()) > 0
    assert {o.measured["predicted_bytes"] for o in outcomes.values()} == {NEED}
    assert spent.idle > 0


def test_with_room_for_both_they_run_side_by_side(tmp_path):
    both = [proposal("meets", 1), proposal("meets", 0)]
    outcomes, _ = trained(tmp_path, both, total_memory=2 * NEED, timeout=60)
    assert not any(o.failure for o in outcomes.values())


@pytest.mark.parametrize("name", ["raises", "segfaults", "hangs_in_c"])
def test_what_goes_wrong_while_memory_is_predicted_costs_that_trial_only(name, tmp_path):
    what = [proposal(), proposal(f"need_{name}"), proposal()]
    outcomes, _ = trained(tmp_path, what, total_memory=NEED, timeout=3)
    causes = {"raises": None, "segfaults": "crashed", "hangs_in_c": "timeout"}
    failures = {n: o.failure and o.failure.cause for n, o in outcomes.items()}
    assert failures == {0: None, 1: causes[name], 2: None}


@pytest.mark.parametrize(
    ("rates", "most", "kept", "tried"),
    [
        ([100.0], 1, 1, [1]),
        ([100.0, 90.0], 2, 2, [1, 2]),
        ([100.0, 5.0], 2, 1, [1, 2]),
        ([100.0, 90.0, 8.0], 3, 2, [1, 2, 3]),
        ([100.0, 90.0, 80.0, 0.0], 4, 2, [1, 2, 4]),  # 0: no memory for so many
        ([0.0], 4, 1, [1]),
    ],
)
def test_as_many_as_train_faster_together(rates, most, kept, tried, tmp_path):
    made = blueprint(tmp_path, rates=rates)
    with closing(executors.make("workers", made, ResourceLimits(workers=4, auto=True))) as workers:
        best, found = worker_count.autotune_workers(workers, proposal().configuration, most)
        assert list(found) == tried
        assert best == kept
        for number in range(4):
            workers.submit(number, proposal("takes", 0.1))
        assert sorted(workers.wait().number for _ in range(4)) == [0, 1, 2, 3]
    assert not processes_left(tmp_path)


def test_a_worker_that_dies_while_it_is_rated_is_one_too_many(tmp_path):
    made = blueprint(tmp_path, rates=[100.0, -1.0])
    with closing(executors.make("workers", made, ResourceLimits(workers=2, auto=True))) as workers:
        assert worker_count.autotune_workers(workers, proposal().configuration, 2) == (
            1,
            {1: 100.0, 2: 0.0},
        )
        workers.submit(0, proposal())
        assert workers.wait().number == 0
    assert not processes_left(tmp_path)


SETTINGS = {"space": "mlp", "recipe": {"epochs": 1, "batch_size": 256}, "strategy": "random"}
SETTINGS |= {"max_parameters": 100_000}


def test_a_search_whose_workers_are_found_and_packed_is_the_same_search(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_count, "SECONDS", 0.2)
    lines = []
    cap = 30 << 20 if sys.platform == "linux" else None  # what predicts takes more, once
    terms = ResourceLimits(workers=2, auto=True, total_memory=1 << 20, memory=cap)
    session = Session(Settings(**SETTINGS), tmp_path / "found", limits=terms, notify=lines.append)
    assert len(list(session.run(4))) == 4
    assert session.limits.workers in (1, 2)
    assert "measuring which number, up to 2" in lines[0]
    assert f"workers: {session.limits.workers} of at most 2 (examples per second: 1: " in lines[1]
    plain = Session(Settings(**SETTINGS), tmp_path / "plain")
    assert len(list(plain.run(4))) == 4
    assert decided(tmp_path / "found") == decided(tmp_path / "plain")
    for trial in nas.open_run(tmp_path / "found").trials:
        assert trial.measured["predicted_bytes"] > 4 * 3 * trial.scores["parameters"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workers": "many"}, "workers: want a number or auto, got 'many'"),
        ({"workers": "--2"}, "workers: want a number or auto, got '--2'"),
        ({"workers": 2.5}, "workers: want a number or auto, got 2.5"),
        ({"workers": True}, "workers: want a number or auto, got True"),
        ({"total_memory": 9}, "total-memory: want at least 1MB, got 9 bytes"),
        ({"workers": "auto", "executor": "ray"}, "executor ray: it has no automatic number"),
        ({"workers": "auto", "address": "auto"}, "no executor can keep to these limits: "),
        (
            {"workers": "auto", "executor": "in-process"},
            "executor in-process: it has no .* want workers",
        ),
        ({"total_memory": 1 << 30, "executor": "ray"}, "executor ray: it has no total memory"),
    ],
)
def test_bad_terms_are_one_line(given, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        nas.search(**{"executor": None} | given, trials=1, out=tmp_path / "run")
