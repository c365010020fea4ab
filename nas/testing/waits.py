"""A dispatch mode that finds the operations for which a GPU makes the host wait.

Such an operation cannot be in a CUDA graph. With a network on meta, which stands for the GPU, it
also finds tensors that are made on the host.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# The host must know a value or a size that the device computes.
SYNCHRONISING = {
    *("_local_scalar_dense", "is_nonzero", "equal", "nonzero", "nonzero_numpy", "argwhere"),
    *("masked_select", "_unique", "_unique2", "unique_dim", "unique_consecutive", "bincount"),
    *("histc", "allclose", "_linalg_check_errors", "linalg_eigvals", "to_dense", "coalesce"),
}
FROM_NUMBERS = {"lift_fresh", "lift", "lift_fresh_copy"}  # a copy from pageable memory
INDEXING = {"index", "index_put", "index_put_", "_unsafe_index"}


class Waits(TorchDispatchMode):
    """Counts all operations, and in `found` those that wait, by their description.

    Args:
        device: The device that stands for the GPU: "cpu" or "meta".
    """

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Counter[str] = Counter()
        self.operations = 0
        self._device = torch.device(device)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = func._overloadpacket.__name__
        self.operations += not func.is_view
        if name in SYNCHRONISING:
            self.found[f"{name} synchronises"] += 1
        if name == "repeat_interleave" and "output_size" not in kwargs:
            self.found["repeat_interleave without output_size synchronises"] += 1
        if name in FROM_NUMBERS:
            self.found["a tensor is made of Python numbers"] += 1
        if name in INDEXING:
            masks = [t for t in args[1] if t is not None and t.dtype in (torch.bool, torch.uint8)]
            if masks:
                self.found[f"{name} by a mask synchronises"] += 1
        out = func(*args, **kwargs)
        if self._device.type != "cpu":
            inputs = {t.device for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
            outputs = {t.device for t in tree_leaves(out) if isinstance(t, Tensor)}
            if outputs - {self._device}:
                self.found[f"{name} makes a tensor on the host"] += 1
            if len(inputs) > 1:
                self.found[f"{name} mixes devices"] += 1
        return out
