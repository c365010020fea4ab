"""Energy counters and design power, of a machine that files and mocks emulate."""

from pathlib import Path

import pytest

from nas.estimators.energy import counters, design_power
from nas.estimators.energy.design_power import DesignPower
from nas.estimators.energy.meter import Meter
from nas.estimators.energy.spell import Spell

ZONES = {
    "intel-rapl:0": "package-0",
    "intel-rapl:0:0": "core",
    "intel-rapl:0:1": "dram",
    "intel-rapl:1": "package-1",
    "intel-rapl:1:0": "core",
    "intel-rapl:2": "psys",
    "intel-rapl-mmio:0": "package-0",
}


class Machine:
    """RAPL as Linux shows it: two packages with cores, one with memory; zones that count twice."""

    def __init__(self, root: Path, most: int = 1_000_000) -> None:
        self.root, self.most = root, most
        for zone, name in ZONES.items():
            (root / zone).mkdir(parents=True)
            (root / zone / "name").write_text(f"{name}\n")
            (root / zone / "max_energy_range_uj").write_text(f"{most}\n")
            (root / zone / "energy_uj").write_text("0\n")
        (root / "intel-rapl").mkdir()  # the kind itself
        (root / "intel-rapl" / "name").write_text("control\n")

    def spend(self, zone: str, microjoules: int) -> None:
        file = self.root / zone / "energy_uj"
        file.write_text(f"{(int(file.read_text()) + microjoules) % self.most}\n")


def test_packages_and_memory_are_read_and_nothing_twice(tmp_path):
    machine = Machine(tmp_path)
    found, reason = counters.rapl(tmp_path)
    assert [counter.folder.name for counter in found] == [
        "intel-rapl:0",
        "intel-rapl:0:1",
        "intel-rapl:1",
    ]
    assert reason == ""
    now = [0.0]
    meter = Meter(found, clock=lambda: now[0], period=0)
    for zone in ZONES:
        machine.spend(zone, 300_000)
    now[0] = 10.0
    meter.read()
    assert meter.total("processor") == pytest.approx(0.9)
    assert meter.joules("processor", 0.0, 5.0) == pytest.approx(0.45)
    assert meter.joules("processor", -5.0, 99.0) == pytest.approx(0.9)
    assert meter.total("gpu") == 0


def test_a_counter_that_wraps_around_goes_on(tmp_path):
    machine = Machine(tmp_path, most=1_000)
    meter = Meter(counters.rapl(tmp_path)[0], period=0)
    for _ in range(7):
        machine.spend("intel-rapl:1", 600)
        meter.read()
    assert meter.total("processor") == pytest.approx(7 * 600e-6)


def test_a_counter_is_read_in_the_meantime(tmp_path):
    machine = Machine(tmp_path, most=1_000)
    meter = Meter(counters.rapl(tmp_path)[0], period=0.001)
    machine.spend("intel-rapl:0", 900)
    while not meter.total("processor"):
        pass
    machine.spend("intel-rapl:0", 900)
    meter.read()
    meter.close()
    assert meter.total("processor") == pytest.approx(1_800e-6)


def test_a_reading_that_fails_is_made_up_for(tmp_path):
    machine = Machine(tmp_path)
    meter = Meter(counters.rapl(tmp_path)[0], period=0)
    file = tmp_path / "intel-rapl:0" / "energy_uj"
    file.rename(file.with_suffix(".gone"))
    meter.read()
    file.with_suffix(".gone").rename(file)
    machine.spend("intel-rapl:0", 500)
    meter.read()
    assert meter.total("processor") == pytest.approx(500e-6)


def test_a_machine_that_does_not_tell_says_why(tmp_path, monkeypatch):
    assert counters.rapl(tmp_path / "none") == (
        [],
        f"this machine has no RAPL counters in {tmp_path / 'none'}",
    )
    Machine(tmp_path)
    read_text = Path.read_text

    def refused(path, *arguments):
        if path.name == "energy_uj":
            raise PermissionError(13, "Permission denied", str(path))
        return read_text(path, *arguments)

    monkeypatch.setattr(Path, "read_text", refused)
    found, reason = counters.rapl(tmp_path)
    assert found == []
    assert reason == f"{tmp_path}/intel-rapl:0/energy_uj may be read by root only"


def test_gpus_are_those_that_the_process_sees(monkeypatch):
    spent = {"2": 5_000, "GPU-ab": 7_000}
    monkeypatch.setattr(counters, "millijoules", lambda name: spent[name])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-ab")
    found, reason = counters.nvml([0, 1])
    assert reason == ""
    meter = Meter(found, period=0)
    assert meter.source("gpu") == "nvml"
    spent["2"] += 1_000
    spent["GPU-ab"] += 500
    meter.read()
    assert meter.total("gpu") == 1.5


@pytest.mark.parametrize(
    ("error", "reason"),
    [(ImportError("no module"), "the extra energy"), (OSError("Not Supported"), "Not Supported")],
)
def test_a_gpu_that_does_not_tell_says_why(error, reason, monkeypatch):
    def fails(name):
        raise error

    monkeypatch.setattr(counters, "millijoules", fails)
    found, why = counters.nvml([0])
    assert found == []
    assert reason in why


@pytest.mark.parametrize(
    ("model", "watts"),
    [
        ("Intel(R) Xeon(R) Gold 6148 CPU @ 2.40GHz", 150 / 40),
        ("AMD EPYC 7763 64-Core Processor", 280 / 128),
        ("Intel(R) Core(TM) i7-8700 CPU @ 3.20GHz", design_power.DEFAULT),  # the K has 95 W
        ("Intel(R) Xeon(R) Processor", design_power.DEFAULT),
    ],
)
def test_design_power_is_that_of_the_model(model, watts, tmp_path, monkeypatch):
    file = tmp_path / "cpuinfo"
    file.write_text(f"processor\t: 0\nmodel name\t: {model}\nflags\t: fpu\n")
    monkeypatch.setattr(design_power, "CPUINFO", file)
    power = design_power.of_this_machine()
    assert power.thread_watts == watts
    assert model in power.origin
    assert design_power.of_this_machine(7.0).thread_watts == 7.0
    assert power.joules(10.0) == 10 * watts
    assert power.joules(0.0, 10.0, 8_000_000_000) == 30.0  # 3 W for 8 GB


def test_a_block_of_work_has_its_share_of_the_machine(tmp_path, monkeypatch):
    machine = Machine(tmp_path)
    monkeypatch.setattr(counters, "RAPL", tmp_path)
    with Spell() as spent:
        sum(range(1_000_000))
        machine.spend("intel-rapl:1", 360_000)
    assert spent.source == "rapl"
    assert 0 < spent.wh <= 0.36 / 3600


@pytest.mark.parametrize("thread_watts", [1.0, 10.0])
def test_predictions_are_estimated_by_their_processor_seconds(thread_watts):
    import torch

    from nas.estimators.energy.inference import of_predictions

    power = DesignPower(thread_watts=thread_watts, origin="as given")
    found = of_predictions(torch.nn.Linear(64, 10), (64,), meter=Meter(), power=power)
    assert found["source"] == "estimated"
    seconds = 3600 * found["wh"] / thread_watts / 1000
    assert 1e-7 < seconds < 1e-2
