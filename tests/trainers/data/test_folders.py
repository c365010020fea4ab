from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainers import load
from trainers.data.decoding import sensible_side


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
    splits = (data.train, data.validation, data.test)
    assert [len(split) for split in splits] == [13, 3, 4]
    assert sum(split.targets.bincount() for split in splits).tolist() == [10, 10]


def test_flips_are_off_unless_they_are_asked_for(tmp_path):
    data = load(fill(tmp_path))
    assert not data.flippable
    assert "flips off (--flip if mirrored images keep their labels)" in data.notes
    for flippable, word in ((True, "on"), (False, "off")):
        data = load(tmp_path, flippable=flippable)
        assert data.flippable == flippable
        assert f"flips {word}" in data.notes


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


def test_grey_folders_have_one_channel_unless_a_training_image_is_coloured(tmp_path):
    fill(tmp_path, mode="L")
    assert load(tmp_path).input_shape == (1, 8, 8)
    for number in range(5):  # of ten, two are for testing
        picture(0).save(tmp_path / "a" / f"0{number}.png")
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
    assert (images == 0x80).all(dim=(1, 2, 3)).sum() == 1
    assert "1 images of 16 bits reduced to their upper 8" in data.notes


def test_floats_are_refused_since_nobody_knows_which_is_white(tmp_path):
    fill(tmp_path)
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "a" / "faint.tif")
    refused(
        tmp_path, r"cannot read the image .*/a/faint.tif: want pixels of 8 or 16 bits, got floats"
    )


def test_images_of_different_sizes_become_squares_of_a_sensible_size(tmp_path):
    fill(tmp_path)
    for n in range(11):  # shorter sides: 10 times 8, 10 times 19, once 30
        picture(n, size=(19 if n else 30, 40)).save(tmp_path / "b" / f"{n:02d}.png")
    data = load(tmp_path)
    assert data.input_shape == (3, 16, 16)  # the median, 19, rounded down to a multiple of 8
    assert (
        "images of 8×8 to 30×40 pixels resized to 16×16 (--image-size for another size)"
        in data.notes
    )
    data = load(tmp_path, image_size=6)
    assert data.input_shape == (3, 6, 6)
    assert "images of 8×8 to 30×40 pixels resized to 6×6" in data.notes


@pytest.mark.parametrize(
    ("sizes", "side"),
    [([(4000, 3000), (3000, 4000)], 224), ([(5, 9)], 8), ([(64, 99), (80, 64)], 64)],
)
def test_sensible_sides(sizes, side):
    assert sensible_side(sizes) == side


def test_images_of_one_size_keep_it_and_so_do_other_parts(tmp_path):
    for n, c in enumerate("aabb"):
        (tmp_path / "train" / c).mkdir(parents=True, exist_ok=True)
        picture(n, size=(9, 7)).save(tmp_path / "train" / c / f"{n}.png")
        (tmp_path / "val" / c).mkdir(parents=True, exist_ok=True)
        picture(n, size=(18, 14)).save(tmp_path / "val" / c / f"{n}.png")
    fill(tmp_path / "test", count=1)
    data = load(tmp_path)
    assert data.input_shape == (3, 7, 9)
    assert "images of 9×7 to 18×14 pixels resized to 9×7 (--image-size for another size)" in (
        data.notes
    )


# Pixels of a 2×3 image (height × width) as a camera stores it, for each EXIF orientation of the
# upright image [[0, 1], [2, 3], [4, 5]].
STORED = {
    1: [[0, 1], [2, 3], [4, 5]],
    2: [[1, 0], [3, 2], [5, 4]],
    3: [[5, 4], [3, 2], [1, 0]],
    4: [[4, 5], [2, 3], [0, 1]],
    5: [[0, 2, 4], [1, 3, 5]],
    6: [[1, 3, 5], [0, 2, 4]],
    7: [[5, 3, 1], [4, 2, 0]],
    8: [[4, 2, 0], [5, 3, 1]],
}


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_images_are_turned_upright(tmp_path, suffix):
    upright = torch.tensor(STORED[1]).repeat_interleave(16, 0).repeat_interleave(16, 1) * 50
    for orientation, stored in STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        pixels = np.repeat(np.repeat(np.array(stored, np.uint8), 16, 0), 16, 1) * 50
        for c in "ab":
            (tmp_path / c).mkdir(exist_ok=True)
            file = tmp_path / c / f"{orientation}.{suffix}"
            options = {"webp": {"lossless": True}, "tif": {"compression": "tiff_lzw"}}
            Image.fromarray(pixels).save(file, exif=exif, **options.get(suffix, {}))
    data = load(tmp_path)
    assert data.input_shape[1:] == (48, 32)
    for split in (data.train, data.validation, data.test):
        assert (split.inputs.int() - upright).abs().max() <= 5  # of a JPEG


def test_damaged_exif_data_turn_nothing(tmp_path):
    fill(tmp_path)
    picture(0).save(tmp_path / "a" / "odd.jpg", exif=b"Exif\x00\x00nonsense")
    assert load(tmp_path).input_shape == (3, 8, 8)


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("train", "val", "test"),
        ("training", "valid", None),
        ("Train", "Validation", "Testing"),
        ("TRAIN", "dev", None),
        ("train", None, "test"),
    ],
)
def test_parts_by_the_names_that_people_give_them(tmp_path, train, validation, test):
    fill(tmp_path / train, count=10)
    for folder, count in ((validation, 2), (test, 3)):
        if folder:
            fill(tmp_path / folder, count=count)
    data = load(tmp_path)
    assert data.classes == ("a", "b")
    assert len(data.test) == (6 if test else 4)
    assert len(data.validation) == (4 if validation else round(0.2 * (20 if test else 16)))
    assert len(data.train) == 20 - (not test) * 4 - (not validation) * len(data.validation)
    assert f"test {'given' if test else 'split off'}" in data.notes
    if validation:
        assert "validation given" in data.notes
        assert torch.equal(data.validation.inputs[1], tensor(picture(1000 * ord("a") + 1)))


def tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


def test_two_folders_of_one_part_are_refused(tmp_path):
    for folder in ("train", "val", "valid"):
        fill(tmp_path / folder)
    refused(tmp_path, r"val and valid mean the same \(validation\); keep one$")


def test_parts_without_a_training_part_are_refused(tmp_path):
    for folder in ("val", "test"):
        fill(tmp_path / folder)
    refused(tmp_path, rf"want a folder {tmp_path}/train beside test, val; there is none$")


def test_a_class_may_be_called_train(tmp_path):
    fill(tmp_path)
    (tmp_path / "b").rename(tmp_path / "train")
    assert load(tmp_path).classes == ("a", "train")


def test_what_is_not_used_is_said(tmp_path):
    fill(tmp_path / "train")
    (tmp_path / "test").mkdir()  # as in a competition: without classes
    picture(0).save(tmp_path / "test" / "0.png")
    picture(0).save(tmp_path / "train" / "0.png")
    data = load(tmp_path)
    assert "not used: test, for want of class folders or a known name" in data.notes
    assert f"not used: 1 images in no class folder of {tmp_path / 'train'}" in data.notes
    assert len(data.test) == 4


def test_images_that_a_class_folder_has_in_vain_are_said(tmp_path):
    fill(tmp_path)
    fill(tmp_path / "b", "c")
    for name in ("a/phone.HEIC", "b/scan.dcm"):
        (tmp_path / name).write_bytes(b"not read")
    picture(0).save(tmp_path / "a" / "web.jfif", format="jpeg")
    data = load(tmp_path)
    assert f"not used: folders in class folders of {tmp_path}: b/c" in data.notes
    assert f"not used: files .dcm, .heic in class folders of {tmp_path}" in data.notes
    assert sum(map(len, (data.train, data.validation, data.test))) == 21


def test_what_systems_and_archives_leave_behind_is_ignored(tmp_path):
    fill(tmp_path)
    clean = load(tmp_path)
    fill(tmp_path / "__MACOSX")
    (tmp_path / "@eaDir").mkdir()
    for name in ("Thumbs.db", "a/Thumbs.db", "b/.DS_Store", "b/._00.png", ".DS_Store"):
        (tmp_path / name).write_bytes(b"not an image")
    data = load(tmp_path)
    assert (data.fingerprint, data.notes) == (clean.fingerprint, clean.notes)


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


def test_other_parts_may_lack_classes_and_add_none(tmp_path):
    fill(tmp_path / "train", "abc")
    fill(tmp_path / "val", "ab", count=2)
    (tmp_path / "val" / "e").mkdir()  # without images
    data = load(tmp_path)
    assert data.validation.targets.tolist() == [0, 0, 1, 1]
    assert "validation lacks the class c" in data.notes
    fill(tmp_path / "test", "abd", count=2)
    refused(tmp_path, rf"^data: {tmp_path}/test has classes that train lacks: d$")


def test_the_parent_of_a_data_set_is_refused_with_a_hint(tmp_path):
    fill(tmp_path / "unpacked" / "train")
    refused(tmp_path, rf"no images in {tmp_path}; .*; perhaps {tmp_path}/unpacked is meant$")


def test_nothing_of_validation_and_test_reaches_the_training_split(tmp_path):
    for part in ("train", "val", "test"):
        fill(tmp_path / part, count=4, mode="L")
    clean = load(tmp_path)
    for part in ("val", "test"):
        for number, file in enumerate(sorted((tmp_path / part).rglob("*.png"))):
            picture(number, size=(20 + number, 9)).save(file)  # in colour, of other sizes
    data = load(tmp_path)
    assert torch.equal(data.train.inputs, clean.train.inputs)
    assert torch.equal(data.mean, clean.mean)
    assert torch.equal(data.std, clean.std)
    assert data.input_shape == (1, 8, 8)
    for file in (tmp_path / "test" / "b").iterdir():
        file.unlink()
    assert load(tmp_path).targets == clean.targets


def test_nothing_of_a_test_split_that_is_drawn_reaches_the_training_split(tmp_path):
    fill(tmp_path, count=20, mode="L")
    clean = load(tmp_path)
    test = {image.numpy().tobytes() for image in clean.test.inputs}
    poisoned = 0
    for number, file in enumerate(sorted(tmp_path.rglob("*.png"))):
        if np.asarray(Image.open(file)).tobytes() in test:
            picture(number, size=(20 + number, 9)).save(file)
            poisoned += 1
    data = load(tmp_path)
    assert poisoned == len(data.test) == 8
    assert torch.equal(data.train.inputs, clean.train.inputs)
    assert torch.equal(data.validation.inputs, clean.validation.inputs)
    assert not torch.equal(data.test.inputs, clean.test.inputs)


def test_classes_with_too_few_images_to_split_are_for_training_alone(tmp_path):
    fill(tmp_path, "abf")
    without = load(tmp_path)
    fill(tmp_path, "c", count=2)
    fill(tmp_path, "e", count=1)
    data = load(tmp_path)
    for name, lacks in (("train", []), ("validation", [2, 3]), ("test", [2, 3])):
        counts = getattr(data, name).targets.bincount(minlength=5)
        assert (counts == 0).nonzero().flatten().tolist() == lacks
        if lacks:
            assert f"{name} lacks the classes c, e" in data.notes
            assert len(getattr(data, name)) == len(getattr(without, name))
    assert data.train.targets.bincount(minlength=5)[[2, 3]].tolist() == [2, 1]
    picture(0).save(tmp_path / "c" / "third.png")
    data = load(tmp_path)
    assert data.train.targets.bincount(minlength=5)[2] in (1, 2)


def test_one_class_alone_cannot_be_split(tmp_path):
    fill(tmp_path)
    fill(tmp_path, "c", count=2)
    for file in (tmp_path / "a").iterdir():
        file.unlink()
    picture(0).save(tmp_path / "a" / "only.png")
    refused(tmp_path, r"^data: want at least 2 classes of 3 examples or more to split them, got 1$")


def test_fewest_that_can_be_split(tmp_path):
    data = load(fill(tmp_path, count=3))
    for split in (data.train, data.validation, data.test):
        assert split.targets.bincount(minlength=2).tolist() == [1, 1]


def test_many_classes_of_three(tmp_path):
    data = load(fill(tmp_path, "abcdefghijklm", count=3))
    for split in (data.train, data.validation, data.test):
        assert split.targets.bincount(minlength=13).tolist() == [1] * 13
