"""Forward passes to be timed: in PyTorch on any device, in ONNX Runtime on the CPU, as CUDA graphs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from time import perf_counter, thread_time
from typing import Any

import torch
from torch import Tensor, nn

from nas.estimators.latency.captured import captured_run
from nas.estimators.latency.timing import SECONDS, Clock, Latency, Run, measure_in_turn
from trainers import determinism

REFERENCE_INPUT = (3, 16, 16)
LEAST_TIMED = 2e-4  # seconds: shorter calls are timed several at a time


def measure(
    runs: Mapping[str, Callable[[Tensor], Any]],
    inputs: Mapping[str, Tensor],
    *,
    threads: int = 1,
    seconds: float = SECONDS,
) -> dict[str, Latency]:
    """Measure networks of one device in turn: see `nas.estimators.latency.timing`.

    On the CPU with one thread the clock is that of the thread, which stops while another process
    has the core: the latency is that of a core of one's own. With several threads, and on other
    devices, it is the wall clock.

    Args:
        runs: Networks, or other functions of a batch, by name.
        inputs: The batch of each; all of one size, on one device.
        threads: Threads of the CPU.
        seconds: Time limit for each network.
    """
    x = next(iter(inputs.values()))
    reference = _reference().to(x.device)
    batch = torch.zeros(1, *REFERENCE_INPUT, device=x.device)
    done = _synchronization(x.device)
    bound = {name: _bound(run, inputs[name], done) for name, run in runs.items()}
    with determinism.threads(threads), torch.inference_mode():
        return measure_in_turn(
            bound,
            _bound(reference, batch, done),
            batch=len(x),
            clock=clock_of(x.device, threads),
            seconds=seconds,
        )


def measure_reference(device: torch.device | str) -> float:
    """Seconds of the reference network on a device now, on one thread: the speed of the machine."""
    network = _reference()
    return measure_networks({"": (network, REFERENCE_INPUT)}, device=device)[""].median


def measure_networks(
    networks: Mapping[str, tuple[nn.Module, tuple[int, ...]]],
    *,
    batch: int = 1,
    device: torch.device | str = "cpu",
    backend: str = "torch",
    threads: int = 1,
    seconds: float = SECONDS,
) -> dict[str, Latency]:
    """Measure networks in evaluation mode, in turn.

    Args:
        networks: Networks by name, each with the shape of one input, without the batch.
        batch: Inputs in the batch.
        device: The device; the networks are moved there. ONNX Runtime runs on the CPU.
        backend: "torch", "onnxruntime" (the extra `onnx`), or on a GPU "cuda-graph".
        threads: Threads of the CPU.
        seconds: Time limit for each network.

    Raises:
        ValueError: a network cannot be exported or captured, or a package or a GPU is missing.
    """
    where = torch.device("cpu" if backend == "onnxruntime" else device)
    inputs = {
        name: random_batch((batch, *shape)).to(where) for name, (_, shape) in networks.items()
    }
    with evaluating([net for net, _ in networks.values()]):
        runs = {
            name: _run(backend, net.to(where), inputs[name], threads)
            for name, (net, _) in networks.items()
        }
        return measure(runs, inputs, threads=threads, seconds=seconds)


def _run(backend: str, net: nn.Module, x: Tensor, threads: int) -> Callable[[Tensor], Any]:
    if backend == "onnxruntime":
        return onnx_run(net, tuple(x.shape[1:]), threads)
    return captured_run(net, x) if backend == "cuda-graph" else net


def measure_calls(
    calls: Mapping[str, Callable[[], Any]], device: torch.device, *, seconds: float
) -> dict[str, Latency]:
    """Measure short calls in turn, on one thread: each is repeated until the clock can tell.

    Args:
        calls: Calls by name, which take from microseconds.
        device: The device that they run on.
        seconds: Time limit for each.
    """
    clock, done = clock_of(device, 1), _synchronization(device)
    with determinism.threads(1), torch.inference_mode():
        counts = {name: _repeats(call, clock[1], done) for name, call in calls.items()}
        runs = {name: _repeated(call, counts[name], done) for name, call in calls.items()}
        reference, x = _reference().to(device), torch.zeros(1, *REFERENCE_INPUT, device=device)
        found = measure_in_turn(runs, _bound(reference, x, done), clock=clock, seconds=seconds)
    return {name: latency.divided(counts[name]) for name, latency in found.items()}


def random_batch(shape: tuple[int, ...]) -> Tensor:
    """Standard normal numbers, always the same for a shape."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def onnx_run(net: nn.Module, input_shape: tuple[int, ...], threads: int) -> Callable[[Tensor], Any]:
    """Export a network in evaluation mode to ONNX, and load it into ONNX Runtime.

    Raises:
        ValueError: the network cannot be exported, or a package is missing.
    """
    from nas.source import formats

    if not formats.has_onnx():
        raise ValueError(
            "latency in ONNX Runtime: want the extra onnx (pip install nas-toolkit[onnx])"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        formats.write_onnx(formats.exported(net, input_shape), path)
        return onnx_runner(path, threads)


def onnx_runner(file: Path, threads: int | None = None) -> Callable[[Tensor], Any]:
    """Load an ONNX file into ONNX Runtime, by default with as many threads as torch has."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(None, {"x": x.numpy()})[0]


def device_of(net: nn.Module) -> torch.device:
    """The device of the parameters and buffers of a network; the CPU if it has none."""
    tensor = next(chain(net.parameters(), net.buffers()), None)
    return torch.device("cpu") if tensor is None else tensor.device


def clock_of(device: torch.device, threads: int) -> tuple[str, Clock]:
    """The name of the clock for a device, and the clock."""
    if device.type == "cpu" and threads == 1:
        return "cpu", thread_time
    return "wall", perf_counter


@contextmanager
def evaluating(nets: list[nn.Module]) -> Iterator[None]:
    """Put networks into evaluation mode in the block."""
    modes = {module: module.training for net in nets for module in net.modules()}
    for net in nets:
        net.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


def _bound(run: Callable[[Tensor], Any], x: Tensor, done: Callable[[], None]) -> Run:
    def once() -> None:
        run(x)
        done()

    return once


def _repeated(call: Callable[[], Any], count: int, done: Callable[[], None]) -> Run:
    def several() -> None:
        for _ in range(count):
            call()
        done()

    return several


def _repeats(call: Callable[[], Any], clock: Clock, done: Callable[[], None]) -> int:
    """Number of calls that take about `LEAST_TIMED` seconds."""
    several = _repeated(call, 5, done)
    several()
    start = clock()
    several()
    return max(1, int(5 * LEAST_TIMED / max(clock() - start, 1e-7)))


def _synchronization(device: torch.device) -> Callable[[], None]:
    """Waits until the device has done what it was given."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    return lambda: None


def _reference() -> nn.Module:
    """A small network that is always the same: six convolutions of 16 channels."""
    with determinism.seeded(0):
        layers: list[nn.Module] = []
        for channels in (3, *[16] * 5):
            layers += [nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU()]
        return nn.Sequential(*layers).eval()
