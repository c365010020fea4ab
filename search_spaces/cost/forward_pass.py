"""One forward pass over shapes, in which known parts are repeated and new ones are recorded.

See `search_spaces.cost.parts`. A part is one call of a module, as the operations that it adds to the
analysis of memory. What has no key, or what the module does besides (it changes itself, reads or
hands out other tensors than its inputs and its output), is not recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from threading import get_ident
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from search_spaces.cost.liveness import Liveness
from search_spaces.cost.measure import CostCounter, passing
from search_spaces.cost.remembered_operations import RememberedOperations
from search_spaces.cost.signatures import module_signature
from search_spaces.cost.templates import LOCK, Templates

_MOST = 4_000  # parts that are remembered
_PLAIN = frozenset((int, float, bool, str, type(None)))

Operation = tuple[tuple[int, ...], int]  # storages that are read, bytes of the storage that is made


class Symbol(NamedTuple):
    """A tensor without numbers."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    dtype: torch.dtype
    storage: int  # its number in the pass, or, in a part, among inputs and operations


class Part(NamedTuple):
    """One call of a module. Storages below 0 are those of its inputs: -1 is the first."""

    macs: int
    operations: tuple[Operation, ...]
    output: Symbol


class Known:
    """The parts and layers known from earlier passes.

    Attributes:
        templates: The layers that were made.
        operations: The operations that were run.
        parts: The calls of modules; None for one that is never repeated.
    """

    def __init__(self) -> None:
        self.templates = Templates()
        self.operations = RememberedOperations()
        self.parts: dict[Hashable, Part | None] = {}


class _Recording(Liveness):
    """A liveness analysis that keeps its operations."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[Operation] = [((), 0)]

    def make(self, reads: Iterable[int], size: int) -> int:
        reads = tuple(reads)
        self.operations.append((reads, size))
        return super().make(reads, size)

    def repeat(self, operations: Iterable[Operation], inputs: Sequence[int], output: int) -> int:
        """Record the operations of a part; returns the number of its output."""
        start = now = self.time + 1
        last, sizes = self._last, self._sizes
        for local, size in operations:  # as `make` does, in less time
            reads = [start + r if r >= 0 else inputs[-1 - r] for r in local]
            self.operations.append((tuple(reads), size))
            for storage in reads:
                last[storage] = now
            sizes.append(size)
            last.append(now)
            now += 1
        return start + output if output >= 0 else inputs[-1 - output]


class Pass:
    """One forward pass, on the meta device where no part is known."""

    def __init__(self, known: Known, net: nn.Module) -> None:
        self._known, self._parts, self._net = known, known.parts, net
        self._new: list[tuple[Hashable, int, int, int]] = []  # key, first, last, output
        self._running = False
        self._memory = _Recording()
        self._counter: CostCounter

    def run(self, x: Tensor) -> tuple[int, int] | None:
        """Run the network.

        Returns:
            Its MACs and its peak memory; None if a tensor has left its part by another way than
            the output: then that part is never taken from memory again.
        """
        self._counter = CostCounter(x, self._memory, self._known.operations.run)
        try:
            if _is_chain(self._net):
                self._chain(self._net, self._symbol(x))
            else:
                self._call(self._net, (x,))
        except BaseException:
            for key, *_ in self._new:  # they are not seen to be good
                self._parts.pop(key, None)
            raise
        if self._has_escapes():
            return None
        return self._counter.macs, self._memory.peak()

    def _chain(self, chain: nn.Module, x: Any) -> Any:
        """Run modules one after the other; no tensor is made where all of them are known."""
        modules = cast(dict[str, nn.Module], chain._modules)
        for module in modules.values():  # `children` would leave out repeated ones
            if isinstance(x, Symbol):
                x = self._step(module, x)
            else:
                y = self._call(module, (x,))
                x = self._symbol(y) or y
        return x

    def _step(self, module: nn.Module, x: Symbol) -> Any:
        """Run one module of a chain; gives a symbol, or what is no tensor that was made here."""
        key = self._key(module, (x,))
        part = self._parts.get(key) if key is not None else None
        if part is not None:
            return self._repeat(part, (x,))
        start, macs = self._memory.time + 1, self._counter.macs
        if _is_chain(module):
            out = self._chain(module, x)
        else:
            y = self._call(module, (self._tensor(x),))
            out = self._symbol(y) or y
        if isinstance(out, Symbol) and key == self._key(module, (x,)):
            self._record(key, (x,), out, start, macs)
        return out

    def _call(self, module: nn.Module, args: tuple[Any, ...]) -> Any:
        """Call a module with tensors; parts inside it are looked up."""
        if self._running:
            return module(*args)
        self._running = True
        try:
            with _intercepted(self._intercept), passing(self._counter):
                return module(*args)
        finally:
            self._running = False

    def _intercept(self, call: Callable[..., Any], module: nn.Module, args: tuple[Any, ...]) -> Any:
        """Take a call of a module from memory, or make it and remember it."""
        with _uncounted():
            inputs = self._inputs(args) if module is not self._net else None
            key = self._key(module, inputs) if inputs is not None else None
            part = self._parts.get(key) if key is not None else None
            if inputs is not None and part is not None:
                return self._output(part, self._repeat(part, inputs), args)
        start, macs = self._memory.time + 1, self._counter.macs
        y = call(module, *args)
        if inputs is None or key is None:
            return y
        with _uncounted():
            symbol = self._symbol(y)
            unchanged = key == self._key(module, self._inputs(args) or ())
            if symbol is not None and unchanged:
                self._record(key, inputs, symbol, start, macs)
        return y

    def _inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        """The arguments with symbols for tensors; None if they are not recorded."""
        inputs = []
        for value in args:
            if type(value) in _PLAIN:
                inputs.append(value)
                continue
            symbol = self._symbol(value)
            if symbol is None:
                return None
            inputs.append(symbol)
        return tuple(inputs)

    def _key(self, module: nn.Module, inputs: tuple[Any, ...]) -> Hashable | None:
        signature = module_signature(module, self._known.templates.signature)
        if signature is None:
            return None
        if len(inputs) == 1 and type(inputs[0]) is Symbol:  # most
            return signature, inputs[0][:4]
        storages = [x.storage for x in inputs if type(x) is Symbol]
        equal = tuple([storages.index(storage) for storage in storages])
        plain = [x[:4] if type(x) is Symbol else (type(x), x) for x in inputs]
        return signature, tuple(plain), equal

    def _symbol(self, value: Any) -> Symbol | None:
        """The symbol of a tensor of this pass; None for everything else."""
        if type(value) is not Tensor or not value.is_meta:
            return None
        if (number := self._counter.number(value)) is None:
            return None
        offset = int(value.storage_offset())
        return Symbol(tuple(value.shape), value.stride(), offset, value.dtype, number)

    def _tensor(self, x: Symbol) -> Tensor:
        """A tensor that stands for a symbol."""
        made = torch.empty_strided(x.shape, x.stride, dtype=x.dtype, device="meta")
        self._counter.adopt(made, x.storage)
        return made

    def _output(self, part: Part, out: Symbol, args: tuple[Any, ...]) -> Tensor:
        """The tensor that a repeated call returns: an input, a view of one, or a new one."""
        place = -1 - part.output.storage
        if place < 0:
            return self._tensor(out)
        given: Tensor = args[place]
        if out == self._symbol(given):
            return given
        return given.as_strided(out.shape, out.stride, out.offset)

    def _repeat(self, part: Part, inputs: tuple[Any, ...]) -> Symbol:
        """Add the operations of a part to the pass; returns its output."""
        storages = [x.storage if type(x) is Symbol else 0 for x in inputs]
        made = self._memory.repeat(part.operations, storages, part.output.storage)
        self._counter.macs += part.macs
        shape, stride, offset, dtype, _ = part.output
        return Symbol(shape, stride, offset, dtype, made)

    def _record(
        self, key: Hashable, inputs: tuple[Any, ...], out: Symbol, start: int, macs: int
    ) -> None:
        """Remember what a call has added to the pass, unless it read what is not its own."""
        if key is None or key in self._parts:
            return
        if len(self._parts) >= _MOST:
            self._parts.clear()
        places = {x.storage: -1 - i for i, x in reversed([*enumerate(inputs)]) if type(x) is Symbol}

        def local(storage: int) -> int:
            return storage - start if storage >= start else places[storage]

        try:
            operations = tuple(
                (tuple(map(local, reads)), size) for reads, size in self._memory.operations[start:]
            )
            output = out._replace(storage=local(out.storage))
        except KeyError:
            return
        self._parts[key] = Part(self._counter.macs - macs, operations, output)
        self._new.append((key, start, self._memory.time, out.storage))

    def _has_escapes(self) -> bool:
        """True if a tensor inside a new part was read after the part; such parts are struck out."""
        operations = self._memory.operations
        escaped = False
        for key, start, last, output in self._new:
            later = (r for reads, _ in operations[last + 1 :] for r in reads)
            if any(start <= r <= last and r != output for r in later):
                self._parts[key] = None
                escaped = True
        return escaped


def _is_chain(module: nn.Module) -> bool:
    """True for an `nn.Sequential` that does nothing but call its modules."""
    return type(module) is nn.Sequential and not (
        module._forward_hooks or module._forward_pre_hooks or "forward" in vars(module)
    )


@contextmanager
def _uncounted() -> Iterator[None]:
    """Let no mode see operations, nor the attributes of tensors: what is done here is no part of the pass."""
    with torch._C.DisableTorchFunction(), torch._C._DisableTorchDispatch():
        yield


@contextmanager
def _intercepted(
    intercept: Callable[[Callable[..., Any], nn.Module, tuple[Any, ...]], Any],
) -> Iterator[None]:
    """Let `intercept` answer the calls of modules in this thread that have no keyword arguments."""
    thread = get_ident()
    with LOCK:
        before = cast(Callable[..., Any], nn.Module._call_impl)

        def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if kwargs or get_ident() != thread:
                return before(module, *args, **kwargs)
            return intercept(before, module, args)

        nn.Module._call_impl = call  # type: ignore[assignment,method-assign]
        try:
            yield
        finally:
            nn.Module._call_impl = before  # type: ignore[method-assign]
