"""CUDA graphs emulated on a CPU: a captured step is a list of operations on fixed memory.

As on a GPU, Python numbers are baked in, tensors are read and written where they were, a capture
changes nothing, and random numbers go on from replay to replay. Not emulated: streams side by side,
memory pools, and which kernels may be captured (`waits.py` is for that).
"""

import gc
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from trainers.loop import batches, cuda_graph, slot
from trainers.loop import train as loop
from trainers.loop.batch_step import make_step
from trainers.loop.batches import batch_sizes
from trainers.recipes.optimizers import make_optimizer

SYNCHRONISING = {"_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select"}


class Stream:
    """A stream in name only."""

    def __init__(self, *_):
        pass

    def wait_stream(self, _):
        pass


class Graph:
    """The operations of a step."""

    def __init__(self):
        self.operations = []
        self.replays = 0
        self.gpu = None
        self.captured_with = None  # stream and state of the generator
        self.replayed_with = set()

    def pool(self):
        return (0, id(self))

    def replay(self):
        self.replays += 1
        self.replayed_with.add(self.gpu.now)
        with torch.no_grad():
            for func, args, kwargs, outputs in self.operations:
                found = tree_leaves(func(*args, **kwargs))
                for number, tensor in outputs:
                    tensor.copy_(found[number])


class Recorder(TorchDispatchMode):
    """Records operations into a graph, and notes the memory that they change."""

    def __init__(self, graph):
        super().__init__()
        self.graph = graph
        self.before = {}  # address -> storage and its content before the capture
        self._made = set()
        self._kept = []  # keeps addresses from being reused

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = func._overloadpacket.__name__
        if name in SYNCHRONISING:
            raise RuntimeError("CUDA error: operation not permitted when stream is capturing")
        inputs = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        if func._schema.is_mutable or "batch_norm" in name:  # which hides what it changes
            for storage in (t.untyped_storage() for t in inputs):
                if storage.data_ptr() not in self._made:
                    self.before.setdefault(storage.data_ptr(), (storage, storage.clone()))
        out = func(*args, **kwargs)
        known = {t.untyped_storage().data_ptr() for t in inputs}
        outputs = []
        for number, tensor in enumerate(tree_leaves(out)):
            if isinstance(tensor, Tensor) and tensor.untyped_storage().data_ptr() not in known:
                self._made.add(tensor.untyped_storage().data_ptr())
                self._kept.append(tensor.detach())
                outputs.append((number, self._kept[-1]))
        if not func.is_view and name not in ("detach", "alias"):
            self.graph.operations.append((func, args, kwargs, outputs))
        return out


class Watcher(TorchDispatchMode):
    """Warns of operations that synchronise, as torch's synchronisation debug mode does."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._overloadpacket.__name__ in SYNCHRONISING:
            warnings.warn("called a synchronizing CUDA operation (emulated)", stacklevel=1)
        return func(*args, **(kwargs or {}))


class DefaultGenerator:
    """A generator whose numbers are drawn elsewhere: it notes the state that it has."""

    def __init__(self):
        self.state = object()

    def clone_state(self):
        return object()

    def graphsafe_get_state(self):
        return self.state

    def graphsafe_set_state(self, state):
        self.state = state


@dataclass
class Emulation:
    """The state of the emulated GPU.

    Attributes:
        watches: True if synchronising operations are found before a capture.
        steps: The steps that were made.
        captures: Arguments of each capture.
        collected: True if the garbage collector may run during a capture.
        devices: Devices that were made current.
    """

    watches: bool = True
    steps: list = field(default_factory=list)
    captures: list = field(default_factory=list)
    collected: bool = False
    devices: list = field(default_factory=list)
    streams: list = field(default_factory=lambda: [Stream()])
    watcher: Watcher | None = None
    generator: DefaultGenerator = field(default_factory=DefaultGenerator)

    def __post_init__(self):
        self.default_stream = self.streams[0]

    @property
    def now(self):
        """The current stream and the state of the generator."""
        return self.streams[-1], self.generator.state

    def make_step(self, eager, device, counts=None):
        step = make_step(eager, torch.device("cuda"), counts)
        if step is not eager:
            self.steps.append(step)
        return step

    @contextmanager
    def stream(self, stream):
        before = self.streams[:]
        self.streams[:] = [stream]
        try:
            yield
        finally:
            self.streams[:] = before

    def set_stream(self, stream):
        self.streams[:] = [stream]

    def set_sync_debug_mode(self, mode):
        if self.watcher is not None:
            self.watcher.__exit__(None, None, None)
            self.watcher = None
        if mode == "warn" and self.watches:
            self.watcher = Watcher()
            self.watcher.__enter__()

    @contextmanager
    def capture(self, graph, **settings):
        """`torch.cuda.graph` of torch 2.11: after an error its end raises one of its own, and
        leaves its stream current."""
        self.captures.append(settings)
        self.collected |= gc.isenabled()
        before = self.streams[:]
        self.streams[:] = [settings["stream"]]
        graph.gpu, graph.captured_with = self, self.now
        state = torch.get_rng_state()
        recorder = Recorder(graph)
        try:
            with recorder:
                yield
        except BaseException as error:
            raise RuntimeError(
                "CUDA error: operation failed due to a previous error during capture"
            ) from error
        finally:
            torch.set_rng_state(state)
            for storage, content in recorder.before.values():
                storage.copy_(content)
        self.streams[:] = before


@contextmanager
def emulated(**settings) -> Iterator[Emulation]:
    """Let `trainers.train` capture and replay its steps on the CPU inside the block."""
    gpu = Emulation(**settings)

    def with_tensor_rate(net, recipe):  # as on a GPU; in float64, to be equal to the number
        optimizer = make_optimizer(net, recipe)
        rate = torch.tensor(recipe.learning_rate, dtype=torch.float64)
        for group in optimizer.groups:
            group.learning_rate = rate
        return optimizer

    def as_on_a_gpu(examples, batch_size, device):
        return batch_sizes(examples, batch_size, torch.device("cuda"))

    cuda_graph._shared_stream.cache_clear()
    with (
        patch.multiple(
            torch.cuda,
            Stream=Stream,
            CUDAGraph=Graph,
            graph=gpu.capture,
            stream=gpu.stream,
            set_stream=gpu.set_stream,
            current_stream=lambda _=None: gpu.streams[-1],
            default_stream=lambda _=None: gpu.default_stream,
            default_generators=[gpu.generator],
            device=lambda device: nullcontext(gpu.devices.append(device)),
            get_sync_debug_mode=lambda: "default",
            set_sync_debug_mode=gpu.set_sync_debug_mode,
        ),
        patch.object(Tensor, "record_stream", lambda *_: None),
        patch.object(slot, "on_gpu", lambda _: True),
        patch.object(loop, "make_step", gpu.make_step),
        patch.object(loop, "batch_sizes", as_on_a_gpu),
        patch.object(batches, "batch_sizes", as_on_a_gpu),
        patch.object(loop, "make_optimizer", with_tensor_rate),
        patch.object(cuda_graph, "_failed_capture", ""),
        # The emulated GPU draws from the generator of the CPU.
        patch.object(cuda_graph, "host_random_state", random.getstate),
    ):
        yield gpu
    cuda_graph._shared_stream.cache_clear()


def compare(make, data, recipe):
    """Train two networks alike, one of them by captured steps of one size: they are bit-equal."""
    eager, captured = make(), make()
    expected = list(loop.train(eager, data, recipe, seed=1))
    with emulated() as gpu:
        found = list(loop.train(captured, data, recipe, seed=1))
    for name, tensor in eager.state_dict().items():
        assert torch.equal(tensor, captured.state_dict()[name]), name
    for one, other in zip(expected, found, strict=True):
        assert (one.train_loss, one.metrics) == (other.train_loss, other.metrics)
    (step,) = gpu.steps
    assert step.fallback == ""
    (graph,) = (c.graph for c in step._captured.values())
    steps = recipe.epochs * len(batch_sizes(len(data.train), recipe.batch_size, data.device))
    assert graph.replays == steps - cuda_graph.WARM_UP_STEPS
