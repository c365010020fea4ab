"""Parts that may run side by side: the path works, and survives what goes wrong."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import search_spaces
import trainers
from gpu_parts import breaking
from gpu_parts.breaking import plain
from gpu_parts.trial import Trial, evaluated, sampled, text_of
from nas.core.configuration import Configuration
from nas.core.proposal import Proposal
from nas.estimators import training_demand
from nas.evaluators.training import build
from search_spaces import Architecture, Record
from trainers import devices
from trainers.checkpoints import pausing
from trainers.checkpoints import weights as checkpoint
from trainers.loop import cuda_graph

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("torch", "torchvision", "numpy", "moocore", "optuna", "pebble", "scikit-learn")


def info(trial: Trial) -> None:
    """Versions, the card, and the memory of a context."""
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "missing"
    trial.put("versions", versions)
    trial.put("cores", os.cpu_count())
    if not trial.on_gpu:
        return
    free_before, total = torch.cuda.mem_get_info()
    properties = torch.cuda.get_device_properties(0)
    card = {"name": properties.name, "multiprocessors": properties.multi_processor_count}
    trial.put("card", {**card, "bytes": total, "cuda": torch.version.cuda})
    program = "import sys, torch; torch.ones(64, 64, device='cuda').mm(torch.ones(64, 64, device='cuda')); print(1, flush=True); sys.stdin.readline()"
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdout is not None
    child.stdout.readline()
    free_after, _ = torch.cuda.mem_get_info()
    child.communicate(b"\n")
    trial.put("context_bytes", free_before - free_after)  # roughly: other parts run beside it
    trial.put("predicted_context_bytes", training_demand.CONTEXT_BYTES)


def tests(trial: Trial) -> None:
    """The tests that need a GPU, each in a process of its own."""
    module = "tests/trainers/loop/test_cuda_graph.py"
    names = re.findall(r"^def (test_\w+)", (ROOT / module).read_text(), re.MULTILINE)
    if trial.tiny:
        names = names[:1]
    passed = {}
    for name in names:
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider"]
        done = subprocess.run(
            [*command, "-o", "addopts=", f"{module}::{name}"],
            cwd=ROOT,
            env={**os.environ, "NAS_GPU_TESTS": "1" if trial.on_gpu else "0"},
            capture_output=True,
            text=True,
        )
        passed[name] = True if done.returncode == 0 else done.stdout[-1500:] + done.stderr[-500:]
        trial.put("tests", passed)
    trial.put("failed", [name for name, result in passed.items() if result is not True])


def memory(trial: Trial) -> None:
    """The predicted memory of a training against its peak."""
    names = ["mlp", "nasbench201", "mobile", "resnet", "vit", "convnext", "regnet", "darts"]
    batch = 16 if trial.tiny else 256
    for name in names[:1] if trial.tiny else names:
        with trial.step(name):
            space, architecture, task = sampled(name)
            steps = 6 if trial.tiny else 40  # of which enough to be captured
            data = trial.dataset(steps * batch, task.input_shape)
            recipe = trainers.Recipe(epochs=1, batch_size=batch)
            device = trial.torch_device
            demand = training_demand.memory(space, architecture, task, recipe, data).bytes
            figures: dict[str, Any] = {"predicted": demand}
            trainers.memory.release()
            trainers.memory.forget_peak(device)
            before = torch.cuda.memory_reserved() if trial.on_gpu else 0
            net = build(space, architecture, task, 0).to(device)
            list(trainers.train(net, data, recipe, seed=0))
            if trial.on_gpu:
                figures["reserved"] = torch.cuda.max_memory_reserved() - before
                figures["allocated"] = torch.cuda.max_memory_allocated()
                figures["predicted/reserved"] = demand / max(1, figures["reserved"])
            del net
            trainers.memory.trim()
            figures["reserved after it"] = torch.cuda.memory_reserved() if trial.on_gpu else None
            trial.put(name, figures)


class Greedy(nn.Module):
    """Reports that memory is short for more than `most` examples, perhaps only in a capture."""

    def __init__(self, most: int, *, in_capture: bool = False) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))
        self.most, self.in_capture = most, in_capture

    def forward(self, x: Tensor) -> Tensor:
        captured = x.is_cuda and torch.cuda.is_current_stream_capturing()
        if self.training and len(x) > self.most and (captured or not self.in_capture):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 EiB")
        return self.layers(x)


def out_of_memory(trial: Trial) -> None:
    """Trainings that run out of memory are repeated with micro-batches, and cost only themselves."""
    batch = 32 if trial.tiny else 128
    data = trial.dataset((6 if trial.tiny else 24) * batch)
    for most in (batch, batch // 2, batch // 4, batch // 8):
        name = f"at most {most} of {batch}"
        with trial.step(name):
            trial.put(name, evaluated(data, lambda most=most: Greedy(most), batch_size=batch))
    with trial.step("in a capture"):
        net = Greedy(batch // 2, in_capture=True)
        trial.put("in a capture", evaluated(data, lambda: net, batch_size=batch))
    with trial.step("the next"):
        trial.put("the next", evaluated(data, plain, batch_size=batch, dropout=0.1))
    if not trial.on_gpu:
        return
    whole = evaluated(data, wide, batch_size=batch)
    trial.put("whole", whole)
    total = torch.cuda.get_device_properties(0).total_memory
    for share in (0.8, 0.45, 0.12):
        name = f"capped at {share} of its peak"
        with trial.step(name):
            trainers.memory.release()
            fraction = min(1.0, share * whole["peak_bytes"] / total)
            torch.cuda.set_per_process_memory_fraction(fraction)
            try:
                trial.put(name, evaluated(data, wide, batch_size=batch))
            finally:
                torch.cuda.set_per_process_memory_fraction(1.0)


def wide() -> nn.Module:
    """A network with large activations."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)]
    for _ in range(8):
        layers += [nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


def pause(trial: Trial) -> None:
    """A paused training against one without a pause, and that one against itself."""
    batch = 16 if trial.tiny else 64
    data = trial.dataset((4 if trial.tiny else 24) * batch)
    space, architecture, task = sampled("nasbench201:channels=4,cells=1")
    file = trial.file.with_suffix(".safetensors")

    def train(recipe: trainers.Recipe, pause_after: int | None = None) -> dict[str, Tensor]:
        net = build(space, architecture, task, 0).to(trial.torch_device)
        optimizer, epochs = trainers.make_optimizer(net, recipe), []
        for epoch in trainers.train(net, data, recipe, seed=3, optimizer=optimizer):
            epochs.append(epoch)
            if epoch.number == pause_after:
                break
        if pause_after is not None:
            checkpoint.save_sealed(file, pausing.state(net, optimizer, epochs))
            net = build(space, architecture, task, 0).to(trial.torch_device)
            optimizer = trainers.make_optimizer(net, recipe)
            pausing.restore(net, optimizer, checkpoint.load_sealed(file))
            rest = {"optimizer": optimizer, "done": pause_after}
            list(trainers.train(net, data, recipe, seed=3, **rest))
        return {name: tensor.clone() for name, tensor in net.state_dict().items()}

    recipes: dict[str, dict[str, Any]] = {
        "deterministic": {"deterministic": True, "dropout": 0.1},
        "sgd": {"averaging": 0.9, "dropout": 0.1},
        "adamw": {"optimizer": "adamw"},
    }
    for name, fields in recipes.items():
        with trial.step(name):
            epochs = 2 if trial.tiny else 4
            recipe = trainers.Recipe(epochs=epochs, batch_size=batch, **fields)
            one, again, paused = train(recipe), train(recipe), train(recipe, epochs // 2)
            trial.put(name, {"again": _equal(one, again), "paused": _equal(one, paused)})


def _equal(one: dict[str, Tensor], two: dict[str, Tensor]) -> dict[str, Any]:
    """Equality of weights in bits, and the largest relative difference of a tensor."""
    norms = [
        (one[n].float() - two[n].float()).norm() / (one[n].float().norm() + 1e-12) for n in one
    ]
    return {
        "equal bits": all(torch.equal(one[n], two[n]) for n in one),
        "difference": max(norms).item(),
    }


class Reading(nn.Module):
    """A network that cannot be captured, because it reads one of its values."""

    def __init__(self) -> None:
        super().__init__()
        self.net = plain()

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x) * (2.0 if x.sum().item() > 1e12 else 1.0)


def failed_capture(trial: Trial) -> None:
    """A network that cannot be captured leaves the process as it was, and memory does not grow."""
    batch = 8 if trial.tiny else 64
    data = trial.dataset(30 * batch)
    for number in range(2 if trial.tiny else 8):
        with trial.step(f"training {number}"):
            figures = evaluated(data, plain, batch_size=batch, dropout=0.1)
            if trial.on_gpu:
                figures["allocated"] = torch.cuda.memory_allocated()
                figures["reserved"] = torch.cuda.memory_reserved()
            trial.put(f"training {number}", figures)
    with trial.step("reading"):
        trial.put("reading", evaluated(data, Reading, batch_size=batch))
        trial.put("failed capture", cuda_graph.failed_capture())
        trial.put("damage", devices.damage())
    with trial.step("random numbers"):
        trial.put("random numbers", torch.rand(8, device=trial.torch_device).sum().item())
    with trial.step("the next"):
        trial.put("the next", evaluated(data, plain, batch_size=batch, dropout=0.1))


def sticky_error(trial: Trial) -> None:
    """Trials of one worker, of which the second breaks the context of its GPU."""
    space = search_spaces.load(f"{Path(breaking.__file__)}:space")
    executor = trial.workers(f"{Path(breaking.__file__)}:space", {"batch_size": 64}, 1)
    try:
        for number, broken in enumerate((False, True, False)):
            architecture = Architecture(space.name, Record({"broken": broken}))
            executor.submit(number, Proposal(Configuration.of(architecture)))
        for _ in range(3):
            ended = executor.wait()
            retried = ended.measured.get("retried", "")
            trial.put(f"trial {ended.number}", {"failure": text_of(ended), "retried": retried})
    finally:
        executor.close()
