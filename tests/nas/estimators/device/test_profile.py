"""Profiles of devices: measured, written, read, learnt from, and used in a search."""

import json
from dataclasses import replace
from random import Random

import pytest
from torch import nn

from nas.api import open_session, read_request
from nas.core.configuration import Configuration
from nas.estimators.device import calibrate as calibration
from nas.estimators.device.calibrate import calibrate
from nas.estimators.device.counts import CALLS, operation_counts
from nas.estimators.device.estimator import DeviceLatency
from nas.estimators.device.profile import FILE, DeviceProfile
from nas.estimators.latency.timing import Latency
from search_spaces import Choice, SearchSpace, Struct, Task

TASK = Task((1, 8, 8), 10)


def build(architecture, task):
    layers, channels = [], task.input_shape[0]
    for _ in range(architecture["depth"]):
        width = architecture["width"]
        layers += [nn.Conv2d(channels, width, architecture["kernel"], padding="same"), nn.ReLU()]
        channels = width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, task.outputs)
    )


SPACE = SearchSpace(
    name="plain",
    tree=Struct(depth=Choice(1, 2, 3), width=Choice(4, 8, 12), kernel=Choice(1, 3, 5)),
    build=build,
)


class Dead(nn.Module):
    """A convolution that is read, and one whose output nobody reads."""

    def __init__(self):
        super().__init__()
        self.read, self.dead = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(1, 8, 1)

    def forward(self, x):
        self.dead(x)
        return self.read(x).relu_()


def test_operations_are_counted_and_those_that_reach_the_output():
    executed, reaching = operation_counts(Dead, (1, 5, 5))
    assert executed["convolution 3x3"] == reaching["convolution 3x3"] == 25 * 9 * 4 / 1e6
    assert executed["convolution 1x1"] == 25 * 8 / 1e6
    assert "convolution 1x1" not in reaching
    assert executed["relu"] == reaching["relu"] > 0  # in place
    assert executed[CALLS] == reaching[CALLS] + 1


@pytest.fixture(scope="module")
def profile():
    """The profile of a device whose time is 1 ms and 100 ms for each million of multiply-accumulates."""

    def measured(networks, **_):
        return {name: latency(net) for name, (net, _) in networks.items()}

    def latency(net):
        executed, _ = operation_counts(lambda: net.to("meta"), TASK.input_shape)
        macs = sum(work for name, work in executed.items() if name.startswith("convolution"))
        seconds = (1 + 100 * macs) / 1e3
        interval = {"median": seconds, "low": seconds, "high": seconds, "reference": 1.0}
        return Latency(batch=1, rounds=9, drift=0.0, clock="cpu", **interval)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calibration, "measure_networks", measured)
        yield calibrate(SPACE, TASK, name="toy", networks=12)


def true_milliseconds(architecture):
    executed, _ = operation_counts(lambda: SPACE.compile(architecture, TASK), TASK.input_shape)
    return 1 + 100 * sum(work for name, work in executed.items() if name.startswith("convolution"))


def test_twelve_networks_give_the_latency_of_others(profile):
    assert len(profile.networks) == 12
    assert profile.errors["mape"] < 0.05
    assert "left out in turn" in profile.summary()
    estimator, rng = DeviceLatency(profile, SPACE, TASK), Random(0)
    for _ in range(10):
        architecture = SPACE.sample(rng)
        found = estimator.estimate(Configuration.of(architecture))["estimated_latency_ms"]
        assert found == pytest.approx(true_milliseconds(architecture), rel=0.1)


def test_a_profile_is_a_file_and_a_source(profile, tmp_path):
    path = tmp_path / "toy.json"
    profile.write(path)
    assert DeviceProfile.read(path) == profile
    assert profile.is_source
    assert len(profile.known(profile.features).coefficients) == 1 + len(profile.features)
    document = json.loads(path.read_text())
    for name, value in {"features": ["x"], "weights": [2, 0], "networks": []}.items():
        path.write_text(json.dumps(document | {name: value}))
        with pytest.raises(ValueError, match=str(path)):
            DeviceProfile.read(path)
    with pytest.raises(ValueError, match="no such file"):
        DeviceProfile.read(tmp_path / "none.json")


def test_a_profile_of_another_space_is_refused(profile):
    with pytest.raises(ValueError, match=r"was made for plain, .*; this search has other, inputs "):
        DeviceLatency(profile, replace(SPACE, name="other"), TASK)
    with pytest.raises(
        ValueError, match=r"10 outputs; this search has .*, 3 outputs; make one .* --classes 3 "
    ):
        DeviceLatency(profile, SPACE, Task((1, 8, 8), 3))


def test_a_search_keeps_within_the_latency_of_a_device(profile, tmp_path):
    path, limit = tmp_path / "toy.json", 5.0
    profile.write(path)
    given = {
        "space": SPACE,
        "epochs": 1,
        "strategy": "random",
        "device_profile": path,
        "out": tmp_path / "run",
    }
    with pytest.raises(ValueError, match="device_profile: want an objective or a limit"):
        open_session(read_request(given))
    limited = given | {"limits": f"estimated_latency_ms<={limit}"}
    for trial in open_session(read_request(limited)).run(2):
        assert trial.scores["estimated_latency_ms"] <= limit
        assert true_milliseconds(trial.architecture) <= 1.1 * limit
    assert DeviceProfile.read(tmp_path / "run" / FILE) == profile
    path.unlink()  # the run has it
    assert open_session(read_request(limited)).problem.estimated_latency.profile == profile
