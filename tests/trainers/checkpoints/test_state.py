import math
import subprocess
import sys
from collections import OrderedDict, defaultdict, namedtuple
from enum import IntEnum
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import nn

from trainers.checkpoints import sealed
from trainers.checkpoints.state import DEEPEST, load_state, save_state
from trainers.checkpoints.weights import save_sealed

DTYPES = [
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.complex64,
    torch.complex128,
    torch.int64,
    torch.int8,
    torch.uint8,
    torch.uint16,
    torch.bool,
]


def same(a, b):
    """Equal types, values, bits of floats, and memory layouts of tensors."""
    if type(a) is not type(b):
        return False
    if isinstance(a, torch.Tensor):
        layouts = a.dtype == b.dtype and a.shape == b.shape and a.stride() == b.stride()
        return layouts and bits(a) == bits(b)
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(x, b[key]) for key, x in a.items())
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float):
        return a.hex() == b.hex()
    return a == b


def bits(tensor):
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()


@st.composite
def tensors(draw):
    shape = draw(st.lists(st.integers(0, 3), max_size=4))
    values = torch.randint(-3, 3, shape, generator=torch.Generator().manual_seed(0))
    tensor = values.to(draw(st.sampled_from(DTYPES)))
    return tensor.permute(draw(st.permutations(range(len(shape)))))


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats().filter(lambda x: not math.isnan(x)) | st.just(math.nan),
    st.text(st.characters(codec=None)),
    tensors(),
    arrays.arrays(
        st.one_of(
            arrays.scalar_dtypes().filter(lambda dtype: dtype.kind in "biufcmM"),
            arrays.byte_string_dtypes(min_len=1),
            arrays.unicode_string_dtypes(min_len=1),
        ),
        arrays.array_shapes(min_dims=0, min_side=0, max_side=3),
    ),
    st.sampled_from(
        [np.float32(0.1), np.float64("nan"), np.int64(7), np.bool_(True), np.str_("é")]
    ),
)
states = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(states)
def test_round_trip(tmp_path, state):
    save_state(tmp_path / "a", state)
    found = load_state(tmp_path / "a")
    assert same(found, state)
    save_state(tmp_path / "b", found)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def network():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    return net.to(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    "make", [torch.optim.AdamW, torch.optim.SGD], ids=lambda make: make.__name__
)
def test_a_training_goes_on_bit_for_bit(tmp_path, make):
    options = {"momentum": 0.9} if make is torch.optim.SGD else {"amsgrad": True}
    x_BCHW = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    y_B = torch.arange(8) % 2

    def trained(steps, net, optimizer, schedule, rng):
        for _ in range(steps):
            noise = torch.randn(x_BCHW.shape, generator=rng)
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x_BCHW + 0.1 * noise), y_B).backward()
            optimizer.step()
            schedule.step()
        return net, optimizer, schedule, rng

    def fresh(seed):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            net = network()
        optimizer = make(net.parameters(), lr=torch.tensor(0.1), **options)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 9)
        return net, optimizer, schedule, torch.Generator().manual_seed(seed)

    whole = trained(6, *fresh(0))
    net, optimizer, schedule, rng = trained(4, *fresh(0))
    save_state(
        tmp_path / "state",
        {
            "net": net.state_dict(),
            "optimizer": optimizer.state_dict(),
            "schedule": schedule.state_dict(),
            "rng": rng.get_state(),
            "python": Random(3).getstate(),
            "numpy": np.random.default_rng(3).bit_generator.state,
        },
    )
    found = load_state(tmp_path / "state")
    net, optimizer, schedule, rng = fresh(1)
    net.load_state_dict(found["net"])
    optimizer.load_state_dict(found["optimizer"])
    schedule.load_state_dict(found["schedule"])
    rng.set_state(found["rng"])
    net, optimizer, *_ = trained(2, net, optimizer, schedule, rng)
    for a, b in zip(whole[0].state_dict().values(), net.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert same(optimizer.state_dict(), whole[1].state_dict())

    python, generator = Random(0), np.random.default_rng(0)
    python.setstate(found["python"])
    generator.bit_generator.state = found["numpy"]
    assert python.random() == Random(3).random()
    assert generator.random() == np.random.default_rng(3).random()


def test_parameters_views_and_conjugates_are_stored_as_their_values(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    complex_tensor = torch.tensor([1 + 2j, 3 - 4j])
    state = OrderedDict(
        parameter=nn.Parameter(base.clone()),
        column=base[:, 1],
        expanded=torch.ones(1).expand(5),
        conjugate=complex_tensor.conj(),
        negative=complex_tensor.conj().imag,
    )
    save_state(tmp_path / "state", state)
    found = load_state(tmp_path / "state")
    assert type(found) is dict
    for name, tensor in state.items():
        assert torch.equal(found[name], tensor.detach()), name
        assert not found[name].requires_grad
        found[name].add_(1)  # memory of its own


class Level(IntEnum):
    LOW = 1


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"optimizer": {"foo": object()}}, "state.optimizer.foo: want dicts, .*, got object"),
        ({"a b": [1, (2, {3})]}, r"state\['a b'\]\[1\]\[1\]: want .*, got set"),
        ({"a\nb": {0: b"x"}}, r"state\['a\\nb'\]\[0\]: want .*, got bytes"),
        ({"f": {1.5: 0}}, "state.f: want texts or whole numbers as keys, got float"),
        ({"f": {True: 0}}, "state.f: want texts or whole numbers as keys, got bool"),
        ({"level": Level.LOW}, "state.level: want .*, got Level"),
        ({"pair": Pair(1, 2)}, "state.pair: want .*, got Pair"),
        ({"d": defaultdict(int)}, "state.d: want .*, got defaultdict"),
        ({"n": [1 << 20_000]}, r"state.n\[0\]: want whole numbers of at most 10,000 bits"),
        ({"o": np.array([None])}, "state.o: want an array of numbers or texts, got object"),
        ({"r": np.zeros(2, "i4,f4")}, "state.r: want an array of numbers or texts, got"),
        ({"m": np.ma.masked_all(2)}, "state.m: want a plain numpy array, got MaskedArray"),
        ({"s": torch.eye(2).to_sparse()}, "state.s: want a dense tensor, got torch.sparse_coo"),
        ({"s": torch.empty(2, device="meta")}, "state.s: want a plain tensor with values"),
        (nn.Linear(1, 1), "state: want .*, got Linear"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_anything_else_is_one_line_that_names_its_place(tmp_path, state, message):
    with pytest.raises(ValueError, match=f"^{message}") as caught:
        save_state(tmp_path / "state", state)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_nesting_has_an_end(tmp_path):
    state = {}
    for _ in range(DEEPEST):
        state = {"a": [state]} if _ % 2 else {"a": state}
    with pytest.raises(ValueError, match=r"^state\.a.*: want at most 100 levels of nesting$"):
        save_state(tmp_path / "state", state)
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="want at most 100 levels of nesting"):
        save_state(tmp_path / "state", endless)
    state = 1
    for _ in range(DEEPEST):
        state = (state,)
    save_state(tmp_path / "state", state)
    assert load_state(tmp_path / "state") == state


def test_damage_is_refused_and_other_files_are(tmp_path):
    path = tmp_path / "state"
    save_state(path, {"weights": torch.ones(50), "epoch": 3})
    whole = path.read_bytes()
    for position in range(0, len(whole), 7):
        damaged = bytearray(whole)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"^checkpoint {path}: damaged"):
            load_state(path)
    path.write_bytes(whole[:-3])
    with pytest.raises(ValueError, match=f"^checkpoint {path}: damaged"):
        load_state(path)
    save_sealed(path, {"w": torch.ones(2)})
    with pytest.raises(ValueError, match=f"^checkpoint {path}: not a state"):
        load_state(path)
    with pytest.raises(ValueError, match="none: cannot be read"):
        load_state(tmp_path / "none")


@pytest.mark.parametrize(
    "structure",
    [
        '{"array": [0, "|O", [1]]}',
        '{"array": [0, "i4,O", [1]]}',
        '{"array": [0, "<f8", [1000000000000]]}',
        '{"array": [0, "<f8", [-1]]}',
        '{"array": [9, "<f8", [1]]}',
        '{"scalar": ["|O", "0000000000000000"]}',
        '{"tensor": [0, "float32", [2], [1000]]}',
        '{"tensor": [1, "float32", [1000000000000000], [1]]}',
        '{"tensor": [0, "float32", [2], [-1]]}',
        '{"tensor": [0, "load", [2], [1]]}',
        '{"dict": [[[], 1]]}',
        '{"dict": 3}',
        '{"eval": "1"}',
        "{}",
        "[" * 100_000,
        "[1",
        "\x00",
    ],
)
def test_a_sealed_file_of_a_stranger_runs_nothing(tmp_path, structure):
    from safetensors.numpy import save

    text = np.frombuffer(structure.encode(), np.uint8)
    content = save(
        {"0": np.zeros(8, np.uint8), "1": np.zeros(0, np.uint8), "structure": text}, sealed.OPEN
    )
    sealed.write_sealed(tmp_path / "state", content)
    with pytest.raises(ValueError, match="not a state") as caught:
        load_state(tmp_path / "state")
    assert "\n" not in str(caught.value)


def test_states_without_tensors_need_no_torch(tmp_path):
    program = (
        "import sys, numpy as np\n"
        "from trainers.checkpoints.state import load_state, save_state\n"
        "state = {'round': 3, 'best': float('-inf'), 'temperatures': np.arange(3.0)}\n"
        "save_state(sys.argv[1], state)\n"
        "assert str(load_state(sys.argv[1])) == str(state)\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "state")], check=True)
    assert load_state(tmp_path / "state")["round"] == 3
