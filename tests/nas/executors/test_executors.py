"""The contract every executor obeys. A new one joins by joining EXECUTORS."""

from types import SimpleNamespace

import pytest

from nas import executors
from nas.executors import EXECUTORS, on_ray
from nas.runs.resource_limits import ResourceLimits
from nas.testing import check_executor
from nas.testing.executor.outcomes import results_are_the_evaluators
from nas.testing.executor.subject import Subject

# Ray waits a second for what it has killed, and a busy machine may take longer.
RAYS_OWN = pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")


SLOW = {"ray": [RAYS_OWN, pytest.mark.long], "slots": [pytest.mark.long]}


@pytest.mark.parametrize("name", [pytest.param(n, marks=SLOW.get(n, [])) for n in EXECUTORS])
def test_contract(name):
    check_executor(name, quick=False)


def test_slots_keep_the_contract_where_a_fault_of_each_kind_is_injected():
    check_executor("slots")


@RAYS_OWN
def test_ray_gives_the_scores_of_the_evaluator(tmp_path):
    results_are_the_evaluators(Subject("ray", tmp_path, quick=True))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({}, "^Ray did not start on this machine: timed out$"),
        ({"address": "head:1"}, "^no Ray cluster at head:1: timed out$"),
    ],
)
def test_a_cluster_that_does_not_start_is_said_in_one_line(monkeypatch, limits, message):
    def init(**options):
        raise Exception("timed out\nmore")

    ray = SimpleNamespace(is_initialized=lambda: False, init=init)
    monkeypatch.setattr(on_ray, "_import", lambda own_cluster: ray)
    blueprint = SimpleNamespace(packed=lambda whole_project: b"", to_dict=dict)
    with pytest.raises(ValueError, match=message):
        on_ray.OnRay(blueprint, ResourceLimits(**limits)).submit(0, None)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"workers": 0}, "workers: want at least 1, got 0"),
        ({"timeout": 0}, "trial-timeout: want seconds above 0, got 0"),
        ({"timeout": float("nan")}, "trial-timeout: want seconds above 0, got nan"),
        ({"memory": 5}, "trial-memory: want at least 1MB, got 5 bytes"),
        ({"resources": {"CPU": 0}}, "resources: want CPU above 0, got 0"),
    ],
)
def test_limits_that_cannot_be(limits, message):
    with pytest.raises(ValueError, match=message):
        ResourceLimits(**limits)


def test_the_simplest_executor_that_will_do():
    assert executors.choose(None, ResourceLimits()) == "in-process"
    assert executors.choose(None, ResourceLimits(workers=2)) == "workers"
    assert executors.choose(None, ResourceLimits(timeout=9)) == "workers"
    assert executors.choose("workers", ResourceLimits()) == "workers"
    with pytest.raises(ValueError, match="it has no deadline; want workers or ray"):
        executors.choose("in-process", ResourceLimits(timeout=9))
    with pytest.raises(ValueError, match=r"want an executor \(in-process, workers.*\), got 'dask'"):
        executors.choose("dask", ResourceLimits())
