"""The state of a training of the user's own: nested plain data in one sealed safetensors file.

Arrays and tensors are stored as their bytes (uint8 [n], named by number), the structure as JSON
(uint8, named `structure`). Nothing is ever pickled. Torch is imported only by states that hold
tensors.
"""

import json
import math
import sys
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors import numpy as safetensors

from trainers.checkpoints import sealed

if TYPE_CHECKING:
    from torch import Tensor

Bytes = npt.NDArray[np.uint8]
Place = tuple[object, ...]

STRUCTURE = "structure"
DEEPEST = 100  # levels of nesting
MOST_BITS = 10_000  # of a whole number: Python reads 4,300 digits at most
KINDS = "biufcmMSU"  # of numpy's types: no objects, no records
WANTED = (
    "want dicts, lists, tuples, numbers, bools, texts, None, torch tensors, numpy arrays or scalars"
)


def save_state(path: str | Path, state: object) -> None:
    """Write `state` to `path` in one step; `load_state` gives an equal one.

    The state consists of dicts with texts or whole numbers as keys (an `OrderedDict` becomes a
    dict), lists, tuples, numbers, bools, texts, None, dense torch tensors of any type and device,
    numpy arrays and numpy scalars. Each tensor is stored by itself, even where several share
    memory. Equal states give equal bytes.

    Raises:
        ValueError: Something else is in it; one line that names the path inside the state.
        OSError: The disk is full, the folder is missing, ...; the earlier file, if any, is
            untouched.
    """
    encoder = _Encoder()
    structure = json.dumps(encoder.encode(state), allow_nan=False)
    named = {str(number): array for number, array in enumerate(encoder.arrays)}
    named[STRUCTURE] = np.frombuffer(structure.encode(), np.uint8)
    content = safetensors.save(named, sealed.OPEN)
    if int.from_bytes(content[:8], "little") > sealed.MOST_HEADER:
        raise ValueError(f"state: want fewer arrays and tensors, got {len(encoder.arrays):,}")
    sealed.write_sealed(Path(path), content)


def load_state(path: str | Path) -> Any:
    """Read a file of `save_state`; tensors on the CPU, in the memory layout that they had.

    Raises:
        ValueError: The file is missing, damaged or no state, in one line that names it.
    """
    content = sealed.read_sealed(Path(path))
    try:
        arrays = safetensors.load(content)
        structure = json.loads(arrays[STRUCTURE].tobytes())
        return _decoded(structure, arrays)
    except (
        SafetensorError,
        LookupError,
        TypeError,
        ValueError,
        RuntimeError,
        MemoryError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"checkpoint {path}: not a state ({type(error).__name__}: {reason})"
        ) from error


@dataclass
class _Encoder:
    """Turns a state into JSON, and collects its arrays as bytes.

    Null, true, false, whole numbers, finite floats, texts and lists are themselves. Anything else
    is an object with one key that names its type.

    Keys and indices lead to each value (`place`); errors name them.
    """

    arrays: list[Bytes] = field(default_factory=list)

    def encode(self, value: object, place: Place = ()) -> Any:
        if len(place) > DEEPEST:
            raise ValueError(f"{_named(place[:9])}...: want at most {DEEPEST} levels of nesting")
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int:
            return _checked(value, place)
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, list | tuple) and type(value) in (list, tuple):
            items = [self.encode(item, (*place, key)) for key, item in enumerate(value)]
            return items if isinstance(value, list) else {"tuple": items}
        if isinstance(value, dict) and type(value) in (dict, OrderedDict):
            return {"dict": [self._pair(key, item, place) for key, item in value.items()]}
        if isinstance(value, np.generic) and value.dtype.kind in KINDS:
            return {"scalar": [value.dtype.str, value.tobytes().hex()]}
        if isinstance(value, np.ndarray):
            return {"array": [self._array(value, place), value.dtype.str, list(value.shape)]}
        torch = sys.modules.get("torch")  # no tensor is there before torch is
        if torch is not None and isinstance(value, torch.Tensor):
            number, stride = self._tensor(value, place)
            name = str(value.dtype).removeprefix("torch.")
            return {"tensor": [number, name, list(value.shape), stride]}
        raise _error(place, WANTED, value)

    def _pair(self, key: object, item: object, place: Place) -> list[Any]:
        if type(key) not in (str, int):
            raise _error(place, "want texts or whole numbers as keys", key)
        name = _checked(key, place) if isinstance(key, int) else key
        return [name, self.encode(item, (*place, key))]

    def _array(self, array: npt.NDArray[Any], place: Place) -> int:
        if type(array) not in (np.ndarray, np.memmap):
            raise _error(place, "want a plain numpy array", array)
        if array.dtype.kind not in KINDS:
            raise ValueError(
                f"{_named(place)}: want an array of numbers or texts, got {array.dtype}"
            )
        return self._add(np.frombuffer(array.tobytes(), np.uint8))

    def _tensor(self, tensor: "Tensor", place: Place) -> tuple[int, list[int]]:
        """The number and the strides of a copy that is dense in memory."""
        import torch

        odd = tensor.is_meta or tensor.is_quantized or tensor.is_nested
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or odd:
            raise _error(place, "want a plain tensor with values", tensor)
        if tensor.layout != torch.strided:
            raise ValueError(f"{_named(place)}: want a dense tensor, got {tensor.layout}")
        plain = tensor.detach().resolve_conj().resolve_neg().to("cpu", copy=True)
        flat = plain.as_strided((plain.numel(),), (1,)).view(torch.uint8)
        return self._add(flat.numpy()), list(plain.stride())

    def _add(self, array: Bytes) -> int:
        self.arrays.append(array)
        return len(self.arrays) - 1


def _named(place: Place) -> str:
    """The path as text: `state.optimizer.state[0].exp_avg`."""
    keys = (f".{k}" if isinstance(k, str) and k.isidentifier() else f"[{k!a}]" for k in place)
    return "state" + "".join(keys)


def _error(place: Place, wanted: str, value: object) -> ValueError:
    return ValueError(f"{_named(place)}: {wanted}, got {type(value).__name__}")


def _checked(number: int, place: Place) -> int:
    if number.bit_length() > MOST_BITS:
        raise ValueError(
            f"{_named(place)}: want whole numbers of at most {MOST_BITS:,} bits, got one of "
            f"{number.bit_length():,}"
        )
    return number


def _decoded(structure: Any, arrays: dict[str, npt.NDArray[Any]]) -> Any:
    """The value that was encoded as `structure`."""
    if isinstance(structure, list):
        return [_decoded(item, arrays) for item in structure]
    if not isinstance(structure, dict):
        return structure
    ((kind, content),) = structure.items()
    match kind:
        case "dict":
            return {key: _decoded(item, arrays) for key, item in content}
        case "tuple":
            return tuple(_decoded(item, arrays) for item in content)
        case "float":
            return float(content)
        case "scalar":
            dtype, digits = content
            return _array(np.frombuffer(bytes.fromhex(digits), np.uint8), dtype, [])[()]
        case "array":
            number, dtype, shape = content
            return _array(arrays[str(number)], dtype, shape)
        case "tensor":
            number, dtype, shape, stride = content
            return _tensor(arrays[str(number)], dtype, shape, stride)
    raise ValueError(f"want no {kind!r}")


def _array(content: Bytes, name: str, shape: list[int]) -> npt.NDArray[Any]:
    dtype = np.dtype(name)
    if dtype.kind not in KINDS:  # an array of objects would take bytes for addresses
        raise ValueError(f"want no array of {dtype}")
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != len(content):
        raise ValueError(f"want {len(content):,} bytes, got {dtype} {shape}")
    return np.ndarray(tuple(shape), dtype, content.tobytes()).copy()


def _tensor(content: Bytes, name: str, shape: list[int], stride: list[int]) -> "Tensor":
    import torch

    dtype = getattr(torch, name)
    if not isinstance(dtype, torch.dtype):
        raise ValueError(f"want no tensor of {name}")
    if not len(content) and 0 in shape:
        return torch.empty_strided(shape, stride, dtype=dtype)
    return torch.from_numpy(content.copy()).view(dtype).as_strided(shape, stride)
