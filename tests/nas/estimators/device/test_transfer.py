"""A device is learnt from few networks and from other devices."""

import importlib.util
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from nas.estimators.device.transfer import Readings, fit_device, informative, known_device

OPERATIONS = 5
RNG = np.random.default_rng(0)
NETWORKS = np.hstack([np.ones((600, 1)), RNG.integers(0, 6, (600, OPERATIONS))])
READ = np.hstack([np.ones((600, 1)), RNG.integers(0, NETWORKS[:, 1:].astype(int) + 1)])
COUNTS = (NETWORKS, READ)  # what is executed, and what reaches the output


def device(seed, kind=0, noise=0.01):
    """Values of all networks: a constant, and a cost for each call of an operation."""
    rng = np.random.default_rng(seed)
    costs = np.array([2.0, 0.2, 1.0, 3.0, 0.4, 0.1]) * rng.uniform(0.5, 2.0, OPERATIONS + 1)
    values = 10 * rng.uniform(0.1, 10) * COUNTS[kind] @ costs
    return values * (1 + noise * rng.standard_normal(len(values)))


def readings(values, chosen):
    return Readings(counts=(NETWORKS[chosen], READ[chosen]), values=values[chosen])


SOURCES = [known_device(readings(device(seed), range(300))) for seed in range(1, 9)]


def test_devices_are_told_apart_by_what_they_leave_out():
    assert {source.kind for source in SOURCES} == {0}
    assert known_device(readings(device(1, kind=1), range(300))).kind == 1


@pytest.mark.parametrize("kind", [0, 1])
def test_ten_networks_and_other_devices_rank_all(kind):
    values = device(100, kind)
    chosen = informative(COUNTS, 10, SOURCES)
    assert len(set(chosen)) == 10
    model = fit_device(readings(values, chosen), SOURCES)
    estimates = model.estimate(COUNTS)
    assert model.weights[kind] > 0.9
    assert spearmanr(estimates, values)[0] > 0.98
    assert np.median(np.abs(estimates / values - 1)) < 0.05


def test_other_devices_help_where_measurements_are_few():
    values, errors = device(101), []
    for sources in (SOURCES, []):
        chosen = list(range(4))
        estimates = fit_device(readings(values, chosen), sources).estimate(COUNTS)
        errors.append(np.median(np.abs(estimates / values - 1)))
    assert errors[0] < errors[1] / 1.5


def test_the_scale_of_a_device_does_not_matter():
    values, chosen = device(102), list(range(10))
    one = fit_device(readings(values, chosen), SOURCES).estimate(COUNTS)
    other = fit_device(readings(1000 * values, chosen), SOURCES).estimate(COUNTS)
    assert other == pytest.approx(1000 * one)


def test_the_published_strings_of_the_benchmark_are_as_many_as_published():
    path = Path(__file__).parents[4] / "scripts/benchmark_device_profiles.py"
    spec = importlib.util.spec_from_file_location("benchmark_device_profiles", path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    labels = ["none", *script.OPERATIONS]
    cells = ("|{}~0|+|{}~0|{}~1|+|{}~0|{}~1|{}~2|".format(*c) for c in product(labels, repeat=6))
    assert len({script.published_string(cell) for cell in cells}) == 6_466
    dead = "|nor_conv_3x3~0|+|avg_pool_3x3~0|none~1|+|none~0|none~1|skip_connect~2|"
    executed, reaching = script.counts_of(dead)
    assert executed == [1, 1, 0, 1, 1, 3]
    assert reaching == [1, 1, 0, 0, 1, 1]  # the convolution at the first node reaches nothing
