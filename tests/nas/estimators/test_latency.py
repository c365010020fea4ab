"""Latency by repeated runs: known samples on a simulated clock; nothing here waits for a real one."""

from random import Random

import pytest
import torch
from torch import nn

from nas.estimators.latency import captured
from nas.estimators.latency.backends import measure_networks, random_batch
from nas.estimators.latency.timing import (
    LEAST_ROUNDS,
    MOST_ROUNDS,
    PRECISION,
    ROUNDS,
    TooNoisy,
    drift,
    measure_in_turn,
    median_interval,
)
from tests.trainers.loop.emulated import emulated
from tests.trainers.loop.test_emulated_graph import Reading


class Machine:
    """A simulated machine: a run takes its time at the speed of the moment, and delays occur."""

    def __init__(self, speed=lambda now: 1.0, delay=lambda rng: 0.0, seed=0):
        self.now = 0.0
        self.order = []
        self._speed, self._delay, self._rng = speed, delay, Random(seed)

    def network(self, name, seconds):
        def run():
            self.order.append(name)
            self.now += seconds / self._speed(self.now) + self._delay(self._rng)

        return run

    def measure(self, seconds_of, limit=2.0):
        runs = {name: self.network(name, seconds) for name, seconds in seconds_of.items()}
        clock = ("simulated", lambda: self.now)
        reference = self.network("reference", 0.0005)
        return measure_in_turn(runs, reference, clock=clock, seconds=limit, wall=lambda: self.now)


def test_on_a_quiet_machine_every_latency_is_exact_after_the_fewest_rounds():
    found = Machine().measure({"a": 0.001, "b": 0.003})
    assert [round(item.milliseconds, 9) for item in found.values()] == [1, 3]
    assert {item.rounds for item in found.values()} == {ROUNDS}
    assert all(item.noise == pytest.approx(0, abs=1e-9) for item in found.values())
    assert found["a"].reference == pytest.approx(0.0005)
    assert found["a"].check() is found["a"]


def test_networks_are_run_in_turn_and_each_several_times():
    machine = Machine()
    machine.measure({"a": 0.001, "b": 0.003})
    turns = "".join(name[0] for name in machine.order)
    assert turns == ("a" * 5 + "b" * 5 + "r" * 5) * (ROUNDS + 1)


def test_bursts_of_other_work_do_not_move_the_median():
    """A third of all runs takes up to 20 times as long; a mean of all would be four times too large."""
    bursts = Machine(delay=lambda rng: rng.choice([0, 0, 0.02 * rng.random()]))
    found = bursts.measure({"a": 0.001})["a"]
    assert found.milliseconds == pytest.approx(1, rel=0.02)
    assert not found.too_noisy


def test_drift_hits_all_alike_and_is_noticed():
    """The machine slows down by half: ratios stay, and no latency is a number to compare."""
    slowing = Machine(speed=lambda now: max(0.5, 1 - now / 2))
    found = slowing.measure({"a": 0.001, "b": 0.003})
    assert found["b"].median / found["a"].median == pytest.approx(3, rel=0.02)
    assert found["a"].drift > 0.1
    with pytest.raises(TooNoisy, match="the reference network drifted"):
        found["a"].check()


def test_too_much_noise_is_said_with_its_figures():
    noisy = Machine(delay=lambda rng: rng.expovariate(1 / 0.02))
    found = noisy.measure({"a": 0.001}, limit=0.2)["a"]
    assert found.noise > 0.1
    assert found.too_noisy.startswith("the machine is too noisy: ")
    assert f"to within {found.noise:.0%}" in found.too_noisy


def test_measuring_goes_on_until_it_is_precise_or_the_time_is_over():
    def jitter(rng):
        return 0.0002 * rng.random()

    assert Machine(delay=jitter).measure({"a": 0.0005}, limit=60)["a"].noise <= PRECISION
    short = Machine(delay=jitter).measure({"a": 0.0005}, limit=0)["a"]
    assert short.rounds == LEAST_ROUNDS
    rough = Machine(delay=lambda rng: rng.expovariate(10)).measure({"a": 0.001}, limit=1e9)["a"]
    assert rough.rounds == MOST_ROUNDS


def test_slow_networks_are_run_once_a_round():
    machine = Machine()
    machine.measure({"slow": 3.0})
    assert machine.order.count("slow") == 1 + LEAST_ROUNDS


@pytest.mark.parametrize(
    ("n", "rank"), [(6, 1), (8, 1), (9, 2), (12, 3), (20, 6), (50, 18), (100, 40)]
)
def test_ranks_of_the_interval_are_those_of_the_published_table(n, rank):
    """Conover 1999, Table A3, or any table of distribution-free intervals for the median."""
    assert median_interval(list(range(1, n + 1))) == (rank, n + 1 - rank)


def test_the_interval_encloses_the_median_as_often_as_it_says():
    rng = Random(0)
    hits = 0
    for _ in range(1000):
        low, high = median_interval([rng.expovariate(1) for _ in range(15)])
        hits += low <= 0.6931 <= high  # the median of the exponential distribution: ln 2
    assert 0.945 <= hits / 1000 <= 0.985  # exactly 0.9648


def test_drift_compares_the_halves():
    assert drift([1.0, 1.0, 1.0, 1.2, 1.2, 1.2]) == pytest.approx(0.2)
    assert drift([1.0, 2.0, 1.0, 2.0]) == 0


def test_a_captured_forward_pass_gives_the_outputs_of_the_network(monkeypatch):
    monkeypatch.setattr(captured, "on_gpu", lambda _: True)
    monkeypatch.setattr(captured.precision, "choose", lambda *_: "float32")
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 2)).eval()
    x, other = random_batch((3, 1, 4, 4)), random_batch((4, 1, 4, 4))[1:]
    with emulated() as gpu, torch.no_grad():
        run = captured.captured_run(net, x)
        assert torch.equal(run(x), net(x))
        assert torch.equal(run(other), net(other))
        assert len(gpu.captures) == 1


def test_a_network_that_waits_for_the_gpu_is_refused_before_it_is_captured(monkeypatch):
    monkeypatch.setattr(captured, "on_gpu", lambda _: True)
    with emulated() as gpu:
        with pytest.raises(ValueError, match="waits for the GPU: called a synchronizing"):
            captured.captured_run(Reading().eval(), random_batch((2, 1, 8, 8)))
        assert not gpu.captures


def test_a_graph_wants_a_gpu():
    net = nn.Linear(8, 2)
    with pytest.raises(ValueError, match="latency of a cuda-graph: want a GPU, got cpu"):
        measure_networks({"net": (net, (8,))}, backend="cuda-graph", seconds=0.01)


def test_networks_in_both_backends_and_in_their_own_mode_afterwards():
    net = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 2)).train()
    for backend in ("torch", "onnxruntime"):
        found = measure_networks({"net": (net, (8,))}, batch=3, backend=backend, seconds=0.01)
        latency = found["net"]
        assert (latency.batch, latency.clock) == (3, "cpu")
        assert 0 < latency.low <= latency.median <= latency.high < 1
    assert all(module.training for module in net.modules())
    assert torch.get_num_threads() == 1
