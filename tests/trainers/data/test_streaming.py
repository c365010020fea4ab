"""Images that are too many for the memory stay in files, and nothing else changes."""

import errno
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from threading import enumerate  # noqa: A004 - of threads
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from trainers import Recipe, Split, load, seeded, train
from trainers.data import cache
from trainers.data.sources import folders
from trainers.loop import streaming
from trainers.loop.batches import batches


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    """240 images of two classes."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(folders, "FEWEST_CACHED", 1)
    monkeypatch.setattr("trainers.loop.batches.BLOCK_BYTES", 2 * 32 * 3 * 64 * 4)  # two batches
    rng = np.random.default_rng(0)
    for label, name in ((0, "dark"), (1, "light")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(120):
            pixels = rng.integers(128 * label, 128 * label + 128, size=(8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{number}.png")
    return tmp_path / "set"


def losses(data, **settings):
    with seeded(0):
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 2))
    recipe = Recipe(epochs=3, batch_size=32, **settings)
    return [(e.train_loss, e.loss, e.accuracy) for e in train(net, data, recipe, seed=0)]


@pytest.fixture
def with_test_half(pictures):
    """The same, with an official test half."""
    for half, numbers in (("train", range(90)), ("test", range(90, 120))):
        for name in ("dark", "light"):
            (pictures / half / name).mkdir(parents=True)
            for number in numbers:
                file = f"{name}/{number}.png"
                (pictures / file).rename(pictures / half / file)
    for name in ("dark", "light"):
        (pictures / name).rmdir()
    return pictures


@pytest.mark.parametrize(("folder", "files"), [("pictures", 4), ("with_test_half", 3)])
def test_what_stays_in_files_is_learnt_with_the_same_losses(folder, files, request, monkeypatch):
    path = request.getfixturevalue(folder)
    in_memory = load(path)
    assert not in_memory.train.mapped
    assert len(list(cache.folder().iterdir())) == 1
    monkeypatch.setattr("trainers.data.assembly.MEMORY_SHARE", 0.0)
    for _ in range(2):  # written, then found
        streamed = load(path)
        assert streamed.train.mapped
        assert len(list(cache.folder().iterdir())) == files
    assert streamed.fingerprint == in_memory.fingerprint
    assert torch.equal(streamed.mean, in_memory.mean)
    assert torch.equal(streamed.std, in_memory.std)
    assert losses(streamed) == losses(in_memory)


def test_other_splits_have_other_files(pictures, monkeypatch):
    monkeypatch.setattr("trainers.data.assembly.MEMORY_SHARE", 0.0)
    one, other = load(pictures, seed=0), load(pictures, seed=1)
    assert one.fingerprint != other.fingerprint
    assert torch.equal(one.test.inputs, other.test.inputs)


def test_whoever_stops_in_the_middle_leaves_no_thread(pictures, monkeypatch):
    monkeypatch.setattr("trainers.data.assembly.MEMORY_SHARE", 0.0)
    found = batches(load(pictures), Recipe(batch_size=32), epoch=1, seed=0)
    next(found)
    assert any(thread.name.startswith("read ahead") for thread in enumerate())
    found.close()
    assert not any(thread.name.startswith("read ahead") for thread in enumerate())


def test_a_full_disk_is_told_before_anything_is_lost(pictures, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    in_memory = load(pictures).fingerprint
    monkeypatch.setattr("trainers.data.assembly.MEMORY_SHARE", 0.0)
    monkeypatch.setattr("os.posix_fallocate", full)
    assert load(pictures).fingerprint == in_memory
    assert "No space left on device" in caplog.text
    assert len(list(cache.folder().iterdir())) == 1  # nothing half written


def test_streamed_splits_are_merged_on_the_cpu_and_streamed():
    """Labels on meta stand for labels on a GPU."""
    digits = load("digits")
    train = Split(digits.train.inputs, digits.train.targets.to("meta"), mapped=True)
    small = digits.validation
    validation = Split(small.inputs, small.targets.to("meta"), mapped=True)
    data = replace(digits, train=train, validation=validation)
    everything = data.with_validation_in_train()
    assert everything.train.mapped
    assert everything.train.inputs.device == torch.device("cpu")
    assert len(everything.train) == len(train) + len(small)
    assert {everything.mean.device.type, everything.std.device.type} == {"meta"}


def test_the_reader_thread_only_indexes_the_file(pictures, monkeypatch):
    """On a GPU anything else it did there would disturb the capture of a step."""
    monkeypatch.setattr("trainers.data.assembly.MEMORY_SHARE", 0.0)
    data, submitted = load(pictures), []

    class Reader(ThreadPoolExecutor):
        def submit(self, work, *arguments):
            submitted.append((work, arguments))
            return super().submit(work, *arguments)

    monkeypatch.setattr("trainers.loop.streaming.ThreadPoolExecutor", Reader)
    assert len(list(batches(data, Recipe(batch_size=32), epoch=1, seed=0))) == 5
    assert len(submitted) > 1
    for work, (index,) in submitted:
        assert work == data.train.inputs.__getitem__
        assert index.device == data.train.inputs.device


class FakeGPU:
    """Copies that end as late as they may: when they are waited for."""

    def __init__(self):
        self.waiting = []  # copies that were begun and have not ended
        self.stream = "current"
        self.log = []

    def finish(self):
        for copy in self.waiting:
            copy()
        self.waiting.clear()

    @contextmanager
    def use(self, stream):
        before, self.stream = self.stream, stream
        yield
        self.stream = before


@pytest.fixture
def gpu(monkeypatch):
    """A GPU whose memory is the machine's."""
    gpu = FakeGPU()
    copy_ = torch.Tensor.copy_

    def copy(target, source, non_blocking=False):
        assert (non_blocking, gpu.stream) == (True, "copies")
        gpu.log.append("copy")
        gpu.waiting.append(lambda: copy_(target, source))
        return target

    class Event:
        def record(self):
            assert gpu.stream == "copies"

        def synchronize(self):
            gpu.log.append("wait")
            gpu.finish()

    current = SimpleNamespace(wait_event=lambda _: gpu.log.append("current waits"))
    monkeypatch.setattr(streaming, "_copy_stream", lambda _: "copies")
    monkeypatch.setattr(
        streaming, "_page_locked", lambda n, x: torch.empty(n, *x.shape[1:], dtype=x.dtype)
    )
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "stream", gpu.use)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: current)
    monkeypatch.setattr(torch.Tensor, "copy_", copy)
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)
    return gpu


@pytest.mark.parametrize("count", [1, 2, 5])
def test_two_buffers_hold_blocks_until_they_are_copied(gpu, count):
    inputs = torch.arange(60, dtype=torch.uint8).view(30, 2)
    indices = torch.arange(30).flip(0).split(6)[:count]
    upload = streaming.Upload(inputs, 6, torch.device("cpu"))
    found = list(streaming._in_turn(inputs, indices, upload))
    gpu.finish()
    for block, index in zip(found, indices, strict=True):
        assert torch.equal(block, inputs[index])
    copied = ["copy", "current waits"]
    assert gpu.log == ["wait", *["wait", *copied] * (count - 1), *copied]
