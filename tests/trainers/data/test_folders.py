from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainers import load


def picture(seed: int, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    """`size` is width, height."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def fill(folder: Path, classes: str = "ab", count: int = 10, mode: str = "RGB") -> Path:
    for c in classes:
        (folder / c).mkdir(parents=True)
        for n in range(count):
            picture(1000 * ord(c) + n, mode=mode).save(folder / c / f"{n:02d}.png")
    return folder


def refused(path: Path, message: str, **options: int) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)


def test_a_flat_folder_is_cut_in_three(tmp_path):
    data = load(fill(tmp_path))
    assert data.classes == ("a", "b")
    assert data.input_shape == (3, 8, 8)
    assert data.flippable
    splits = (data.train, data.validation, data.test)
    assert [len(split) for split in splits] == [13, 3, 4]
    assert sum(split.targets.bincount() for split in splits).tolist() == [10, 10]
    assert not load(tmp_path, flippable=False).flippable


def test_an_official_test_half_is_kept_as_it_is(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", count=3)
    data = load(tmp_path)
    pixels = np.asarray(picture(1000 * ord("b") + 1)).transpose(2, 0, 1)
    assert data.test.targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert torch.equal(data.test.inputs[4], torch.from_numpy(pixels.copy()))
    assert len(data.train) + len(data.validation) == 20


def test_a_path_may_be_text(tmp_path):
    assert load(str(fill(tmp_path))).fingerprint == load(tmp_path).fingerprint


def test_grey_folders_have_one_channel_unless_one_image_is_coloured(tmp_path):
    fill(tmp_path, mode="L")
    assert load(tmp_path).input_shape == (1, 8, 8)
    picture(0).save(tmp_path / "a" / "00.png")
    assert load(tmp_path).input_shape == (3, 8, 8)


def test_exotic_modes_are_converted_and_other_files_ignored(tmp_path):
    fill(tmp_path)
    picture(1, mode="RGBA").save(tmp_path / "a" / "rgba.png")
    picture(2, mode="LA").save(tmp_path / "a" / "la.png")
    picture(3, mode="P").save(tmp_path / "a" / "palette.png", transparency=bytes([0, 9]))
    picture(4, mode="1").save(tmp_path / "a" / "bits.png")
    picture(5, mode="CMYK").save(tmp_path / "a" / "cmyk.jpg")
    picture(6).save(tmp_path / "b" / "anim.gif", save_all=True, append_images=[picture(7)])
    Image.fromarray(np.full((8, 8), 0x80FF, np.uint16)).save(tmp_path / "b" / "sixteen.png")
    for odd in (".DS_Store", "notes.txt", ".hidden.png"):
        (tmp_path / "a" / odd).write_text("not an image")
    (tmp_path / ".cache").mkdir()
    (tmp_path / "readme.md").write_text("two classes")
    data = load(tmp_path)
    splits = (data.train, data.validation, data.test)
    assert sum(map(len, splits)) == 27
    images = torch.cat([s.inputs for s in splits])
    assert (images == 0x80).all(dim=(1, 2, 3)).sum() == 1  # sixteen bits keep the upper eight


def test_images_of_different_sizes_want_image_size(tmp_path):
    fill(tmp_path)
    picture(0, size=(9, 7)).save(tmp_path / "a" / "05.png")
    refused(tmp_path, r"differ in size: .*/a/00.png is 8×8, .*/a/05.png is 9×7 .* pass image_size")
    assert load(tmp_path, image_size=6).input_shape == (3, 6, 6)


def test_damaged_images_are_named(tmp_path):
    fill(tmp_path)
    good = (tmp_path / "a" / "03.png").read_bytes()
    (tmp_path / "a" / "03.png").write_bytes(good[: len(good) // 2])
    refused(tmp_path, r"cannot read the image .*/a/03.png: ")
    (tmp_path / "a" / "03.png").write_bytes(b"")
    refused(tmp_path, r"cannot read the image .*/a/03.png: ")
    (tmp_path / "a" / "03.png").write_bytes(b"GIF89a and then nothing")
    refused(tmp_path, r"cannot read the image .*/a/03.png: ", image_size=8)


@pytest.mark.parametrize("side", [10_000, 14_000])
def test_huge_images_are_refused_by_name(tmp_path, side):
    fill(tmp_path)
    Image.new("1", (side, side)).save(tmp_path / "b" / "bomb.png")
    refused(tmp_path, r"cannot read the image .*/b/bomb.png: .*pixels", image_size=8)


def test_folders_that_hold_no_data_set(tmp_path):
    refused(tmp_path, rf"^data: no images in {tmp_path}; want")
    (tmp_path / "a").mkdir()
    refused(tmp_path, rf"^data: no images in {tmp_path}; want")
    picture(0).save(tmp_path / "a" / "0.png")
    refused(tmp_path, rf"^data: want at least 2 class folders in {tmp_path}, got 1 .a.$")
    (tmp_path / "b").mkdir()
    refused(tmp_path, rf"^data: no images directly in {tmp_path}/b ")


def test_classes_must_agree(tmp_path):
    fill(tmp_path / "train", "abc")
    refused(
        tmp_path, rf"^data: want a folder {tmp_path}/test beside {tmp_path}/train; there is none$"
    )
    fill(tmp_path / "test", "abd")
    refused(tmp_path, r"train and test differ in their classes: c, d$")


def test_too_few_images_to_split(tmp_path):
    fill(tmp_path)
    fill(tmp_path, "c", count=2)
    refused(tmp_path, r"^data: class 'c' has 2 training examples; want at least 3 of each class")
    picture(0).save(tmp_path / "c" / "third.png")
    data = load(tmp_path)
    assert data.train.targets.bincount().min() >= 1


def test_fewest_that_can_be_split(tmp_path):
    data = load(fill(tmp_path, count=3))
    for split in (data.train, data.validation, data.test):
        assert split.targets.bincount(minlength=2).tolist() == [1, 1]


def test_many_classes_of_three(tmp_path):
    data = load(fill(tmp_path, "abcdefghijklm", count=3))
    for split in (data.train, data.validation, data.test):
        assert split.targets.bincount(minlength=13).tolist() == [1] * 13
