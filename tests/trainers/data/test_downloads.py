"""Torchvision's data sets, read for real from files written here; nothing is downloaded."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from trainers import load
from trainers.data.sources.torchvision import DATA_SETS

RNG = np.random.default_rng(0)


def write_mnist(root: Path, count: int = 60) -> dict[str, np.ndarray]:
    """The four files of MNIST in their own format, with `count` training and half as many test images."""
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    written = {}
    for part, n in (("train", count), ("t10k", count // 2)):
        images = RNG.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        labels = np.arange(n).astype(np.uint8) % 10
        header = struct.pack(">4i", 0x803, n, 28, 28)
        (raw / f"{part}-images-idx3-ubyte").write_bytes(header + images.tobytes())
        (raw / f"{part}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 0x801, n) + labels.tobytes()
        )
        written[part] = images
    return written


def test_mnist_from_its_own_files(tmp_path):
    written = write_mnist(tmp_path)
    data = load("MNIST", root=tmp_path)
    assert data.input_shape == (1, 28, 28)
    assert data.classes[7] == "7 - seven"
    assert not data.flippable
    assert torch.equal(data.test.inputs[:, 0], torch.from_numpy(written["t10k"]))
    assert data.test.targets.tolist() == [n % 10 for n in range(30)]
    assert (len(data.train), len(data.validation)) == (48, 12)
    assert data.validation.targets.bincount(minlength=10).min() >= 1


def test_image_files_by_name(tmp_path):
    from PIL import Image

    for c in ("AnnualCrop", "Forest", "River"):
        folder = tmp_path / "eurosat" / "2750" / c
        folder.mkdir(parents=True)
        for n in range(8):
            pixels = RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{n}.jpg")
    data = load("EuroSAT", root=tmp_path)
    assert data.input_shape == (3, 64, 64)
    assert data.classes == ("AnnualCrop", "Forest", "River")
    assert sum(map(len, (data.train, data.validation, data.test))) == 24
    assert load("eurosat", root=tmp_path, image_size=16).input_shape == (3, 16, 16)
    Image.new("RGB", (90, 50)).save(tmp_path / "eurosat" / "2750" / "Forest" / "0.jpg")
    data = load("eurosat", root=tmp_path)
    assert data.input_shape == (3, 64, 64)
    assert (
        "images of different sizes resized to 64×64 (--image-size for another size)" in data.notes
    )


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_name_is_one_of_torchvisions(name):
    assert hasattr(torchvision.datasets, DATA_SETS[name].cls)


@pytest.mark.parametrize("name", ["cifar10", "mnist", "svhn", "usps", "gtsrb", "dtd"])
def test_without_a_network_the_error_says_where_to_put_it(name, tmp_path, monkeypatch):
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")  # the discard port refuses
    with pytest.raises(
        ValueError, match=rf"^data: {name} is not in {tmp_path} and cannot be"
    ) as caught:
        load(name, root=tmp_path)
    assert "\n" not in str(caught.value)
