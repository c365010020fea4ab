"""Image folders are decoded once, whatever they are called, and anew when a pixel changes."""

import logging

import numpy as np
import pytest
from PIL import Image

from trainers.data import cache, decoding
from trainers.data.sources import folders


@pytest.fixture
def pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(folders, "FEWEST_CACHED", 1)
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(3):
            pixels = rng.integers(256, size=(5, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{number}.png")
    return tmp_path / "set"


@pytest.fixture
def decodings(monkeypatch):
    """Count the times that a folder is decoded."""
    counted = []

    def decode(*arguments, **settings):
        counted.append(settings["size"])
        return decoding.decode(*arguments, **settings)

    monkeypatch.setattr(folders, "decode", decode)
    return counted


def pixels(folder, image_size=None):
    return np.array(folders.image_folder(folder, image_size).train.inputs)


def test_the_second_time_nothing_is_decoded(pictures, decodings):
    first = pixels(pictures)
    assert np.array_equal(pixels(pictures), first)
    moved = pictures.rename(pictures.with_name("elsewhere"))
    assert np.array_equal(pixels(moved), first)
    assert decodings == [(5, 4)]


def test_other_content_other_names_or_other_sizes_are_decoded_anew(pictures, decodings):
    first = pixels(pictures)
    assert pixels(pictures, 8).shape == (6, 3, 8, 8)
    Image.new("RGB", (4, 5)).save(pictures / "cat" / "1.png")
    changed = pixels(pictures)
    assert not changed[1].any()
    assert np.array_equal(changed[[0, 2, 3, 4, 5]], first[[0, 2, 3, 4, 5]])
    (pictures / "dog" / "0.png").rename(pictures / "dog" / "9.png")
    assert np.array_equal(pixels(pictures), changed[[0, 1, 2, 4, 5, 3]])
    assert decodings == [(5, 4), (8, 8), (5, 4), (5, 4)]


@pytest.mark.parametrize("damage", [b"", b"nonsense", None])
def test_a_damaged_file_is_made_again(pictures, decodings, damage):
    first = pixels(pictures)
    (file,) = cache.folder().iterdir()
    file.write_bytes(file.read_bytes()[:-1] if damage is None else damage)
    assert np.array_equal(pixels(pictures), first)
    assert np.array_equal(pixels(pictures), first)
    assert decodings == [(5, 4)] * 2


def test_where_nothing_can_be_kept_it_is_said_and_goes_on(pictures, decodings, caplog):
    cache.folder().parent.parent.mkdir()
    cache.folder().parent.write_text("a file, where a folder should be")
    with caplog.at_level(logging.WARNING):
        first = pixels(pictures)
    assert "not kept for the next time" in caplog.text
    assert np.array_equal(pixels(pictures), first)
    assert decodings == [(5, 4)] * 2


def test_writing_to_the_array_changes_no_file(pictures):
    first = pixels(pictures)
    folders.image_folder(pictures, None).train.inputs[:] = 0
    assert np.array_equal(pixels(pictures), first)
    assert not list(cache.folder().glob(".*"))
