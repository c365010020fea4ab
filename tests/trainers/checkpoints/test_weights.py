import errno
import gc
import resource
import signal
import subprocess
import sys
import time

import pytest
import safetensors.torch
import torch
from torch import nn

from trainers.checkpoints import weights as checkpoint


def weights(value: float, size: int = 1000) -> dict[str, torch.Tensor]:
    return {"weight": torch.full((size,), value)}


def test_round_trip_of_every_kind_of_tensor(tmp_path):
    base = torch.arange(48.0).reshape(2, 3, 2, 4)
    state = {
        "channels_last": base.to(memory_format=torch.channels_last),
        "transposed": base[0, 0].T,
        "part": base[1],
        "tied": base,
        "tied too": base,
        "half": base.bfloat16(),
        "count": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "flags": base > 5,
    }
    digest = checkpoint.save(tmp_path / "w.safetensors", state)
    found = checkpoint.load(tmp_path / "w.safetensors", digest)
    assert found.keys() == state.keys()
    for name, tensor in state.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_files_are_those_of_safetensors_and_making_them_leaves_nothing_in_memory():
    def pack(sizes):
        for size in sizes:
            tensors = {"b": torch.ones(size), "a": torch.tensor(size), "c": torch.ones(2) > 0}
            packed = checkpoint.pack(tensors, {"k": "v"})
        return packed, tensors

    packed, tensors = pack(range(1, 20))
    assert packed == safetensors.torch.save(tensors, {"k": "v"})
    gc.collect()
    before = len(gc.get_objects())
    pack(range(100, 300))  # safetensors.torch leaves a ctypes type for each: 2,800 objects
    gc.collect()
    assert len(gc.get_objects()) - before < 50


def test_tied_network_round_trips(tmp_path):
    def tied(seed: int) -> nn.Module:
        torch.manual_seed(seed)
        net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
        net[1].weight = net[0].weight
        return net

    a, b = tied(0), tied(1)
    checkpoint.save(tmp_path / "w", a.state_dict())
    b.load_state_dict(checkpoint.load(tmp_path / "w"))
    assert b[1].weight is b[0].weight
    assert torch.equal(a(torch.ones(1, 4)), b(torch.ones(1, 4)))


def test_equal_weights_give_equal_files(tmp_path):
    x = torch.randn(2, 3, 4, 4)
    one = checkpoint.save(tmp_path / "a", {"x": x, "y": x[0]})
    two = checkpoint.save(
        tmp_path / "b", {"y": x[0], "x": x.contiguous(memory_format=torch.channels_last)}
    )
    assert one == two


def test_one_flipped_bit_is_refused(tmp_path):
    path = tmp_path / "w"
    digest = checkpoint.save(path, weights(1.0))
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^checkpoint {path}: damaged .*$"):
        checkpoint.load(path, digest)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x80\x04\x95"])
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "w"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"^checkpoint {path}: not a complete safetensors file"):
        checkpoint.load(path)


def test_truncated_and_missing_files_are_refused_by_name(tmp_path):
    path = tmp_path / "w"
    with pytest.raises(ValueError, match=rf"^checkpoint {path}: cannot be read .No such file"):
        checkpoint.load(path)
    checkpoint.save(path, weights(1.0))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=rf"^checkpoint {path}: not a complete"):
        checkpoint.load(path)


def test_what_is_no_dense_tensor_is_refused_and_leaves_nothing(tmp_path):
    for odd in (3.0, torch.eye(2).to_sparse()):
        with pytest.raises(ValueError, match=r"want dense tensors only, got .* for 'odd'"):
            checkpoint.save(tmp_path / "w", {"odd": odd})
    assert not list(tmp_path.iterdir())


def test_missing_folder_is_an_error_that_names_the_file(tmp_path):
    with pytest.raises(OSError, match="not saved") as caught:
        checkpoint.save(tmp_path / "none" / "w", weights(1.0))
    assert caught.value.filename == str(tmp_path / "none" / "w")


SAVE_FOREVER = """
import sys, torch
from trainers.checkpoints import weights as checkpoint
while True:
    for value in (1.0, 2.0):
        checkpoint.save(sys.argv[1], {"weight": torch.full((500_000,), value)})
        print("saved", flush=True)
"""


def test_a_kill_never_leaves_an_unreadable_file(tmp_path):
    path = tmp_path / "w"
    process = subprocess.Popen(
        [sys.executable, "-c", SAVE_FOREVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(3):
        process.stdout.readline()
    for _ in range(20):  # what any moment sees is what a kill at that moment leaves
        assert len(checkpoint.load(path)["weight"].unique()) == 1
    time.sleep(0.003)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert len(checkpoint.load(path)["weight"].unique()) == 1


def test_a_full_disk_keeps_the_old_file_and_leaves_no_other(tmp_path):
    path = tmp_path / "w"
    digest = checkpoint.save(path, weights(1.0))
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, unlimited[1]))
    try:
        with pytest.raises(OSError, match="not saved") as caught:
            checkpoint.save(path, weights(2.0, size=100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    assert caught.value.errno == errno.EFBIG
    assert torch.equal(checkpoint.load(path, digest)["weight"], weights(1.0)["weight"])
    assert [file.name for file in tmp_path.iterdir()] == ["w"]


def test_a_sealed_file_holds_its_own_digest_and_is_plain_safetensors(tmp_path):
    path = tmp_path / "w"
    state = weights(1.0) | {"count": torch.tensor(7)}
    checkpoint.save_sealed(path, state)
    for found in (checkpoint.load_sealed(path), checkpoint.load(path)):
        assert found.keys() == state.keys()
        assert all(torch.equal(found[name], state[name]) for name in state)


def test_a_sealed_file_notices_every_flipped_bit_and_every_cut(tmp_path):
    path = tmp_path / "w"
    checkpoint.save_sealed(path, weights(1.0, size=8))
    whole = path.read_bytes()
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= 1 << position % 8
        for content in (bytes(damaged), whole[:position]):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=rf"^checkpoint {path}: damaged "):
                checkpoint.load_sealed(path)
    path.unlink()
    with pytest.raises(ValueError, match=rf"^checkpoint {path}: cannot be read"):
        checkpoint.load_sealed(path)
