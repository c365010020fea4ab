"""A search whose trials run in workers uses no GPU itself, and asks others for its free memory."""

from dataclasses import replace

import pytest
import torch

import trainers
from nas.engine import executing
from nas.engine.session import Session
from nas.estimators import training_demand
from nas.evaluators import factories
from nas.executors import ResourceLimits
from nas.runs.settings import Settings
from trainers import Dataset, Split, devices, load

SETTINGS = {"space": "mlp", "recipe": {"epochs": 1, "batch_size": 256}, "strategy": "random"}
GPU = torch.device("cuda", 0)


@pytest.mark.parametrize(
    ("limits", "where"), [({"workers": 2}, "cpu"), ({"workers": 1}, "cuda:0")], ids=["2", "here"]
)
def test_only_a_search_that_trains_itself_has_data_on_the_gpu(limits, where, tmp_path, monkeypatch):
    asked = []

    def to(data, device):
        asked.append(device)
        return data

    monkeypatch.setattr(
        trainers.devices, "resolve", lambda name: torch.device(GPU if name == "auto" else name)
    )
    monkeypatch.setattr(trainers, "resolve", trainers.devices.resolve, raising=False)
    monkeypatch.setattr(Dataset, "to", to)
    session = Session(Settings(**SETTINGS), tmp_path / "run", limits=ResourceLimits(**limits))
    assert asked == [torch.device(where)]
    assert session.header.made["device"] == "cuda:0"
    assert session.problem.device == session.settings.device == "cuda"


def test_workers_share_the_memory_that_their_data_leave(monkeypatch):
    asked = []

    def free(gpus):
        asked.append(gpus)
        return [8 << 30, 6 << 30][: len(gpus)]

    data = load("digits")
    held = sum(s.device_bytes(0) for s in (data.train, data.validation, data.test))
    monkeypatch.setattr(training_demand, "_free", free)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    each = training_demand.CONTEXT_BYTES + held
    share = training_demand.SHARE
    assert training_demand.free_bytes(data, "cpu", 3) is None
    assert training_demand.free_bytes(data, "cuda:1", 3) == int(share * ((8 << 30) - 3 * each))
    assert training_demand.free_bytes(data, "cuda", 3) == int(share * ((6 << 30) - 2 * each))
    assert asked == [[1], [0, 1]]
    copies = each + 4 * sum(s.device_bytes(0) for s in (data.train, data.validation))
    found = training_demand.free_bytes(data, "cuda:1", 3, folds=5)
    assert found == int(share * ((8 << 30) - 3 * copies))


@pytest.mark.parametrize(
    ("executor", "asked"), [("workers", ("cuda", 3, 0)), ("slots", ("cuda:0", 1, 0))]
)
def test_the_free_memory_is_shared_by_those_that_can_run(executor, asked, tmp_path, monkeypatch):
    """With 64 workers allowed and 3 trials at a time, 3 processes have a context."""
    found = []

    def free_bytes(_, *arguments):
        found.append(arguments)
        return 1 << 30

    monkeypatch.setattr(training_demand, "free_bytes", free_bytes)
    settings = Settings(**SETTINGS, device="cpu", max_pending=3)
    limits = ResourceLimits(workers=64)
    session = Session(settings, tmp_path / "run", limits=limits, executor=executor)
    gpu = replace(session.problem, device="cuda", first_device="cuda:0")
    run = tmp_path / "run"
    made = executing.executor(executor, gpu, run, run / "checkpoints", limits, print)
    assert found == [asked]
    assert made._limits.total_memory == 1 << 30


def test_images_that_would_be_streamed_take_no_memory_of_a_gpu():
    inputs, targets = torch.zeros(10, 1, 8, 8, dtype=torch.uint8), torch.zeros(10)
    split = Split(inputs, targets, weights=torch.ones(10), mapped=True)
    assert split.device_bytes(free=2 * 640) == 640 + 40 + 40
    assert split.device_bytes(free=2 * 640 - 1) == 40 + 40


def test_the_free_memory_is_asked_by_another_process(tmp_path, monkeypatch):
    module = tmp_path / "torch.py"
    module.write_text("class cuda:\n    def mem_get_info(n):\n        return 100 + n, 200\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert training_demand._free([0, 3]) == [100, 103]
    module.write_text("raise RuntimeError('no driver')")
    with pytest.raises(ValueError, match="how much of it is free, got RuntimeError: no driver"):
        training_demand._free([0])


def test_a_worker_makes_its_gpu_current_and_loads_libraries_before_its_first_trial(
    tmp_path, monkeypatch
):
    dedicated, calls = [], []
    settings = Settings(**SETTINGS, device="cpu")
    made = factories.blueprint(settings, tmp_path, "cpu", metrics=())
    with monkeypatch.context() as patched:
        patched.setattr(devices, "dedicate", dedicated.append)
        made.make(slot=1)
    assert dedicated == [torch.device("cpu")]
    monkeypatch.setattr(torch.cuda, "set_device", calls.append)
    monkeypatch.setattr(devices, "load_libraries", calls.append)
    devices.dedicate(torch.device("cpu"))
    assert calls == []
    devices.dedicate(GPU)
    assert calls == [GPU, GPU]


def test_libraries_are_loaded_without_random_numbers():
    before = torch.get_rng_state()
    devices.load_libraries(torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), before)
