import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from trainers import from_objects, load

RNG = np.random.default_rng(0)
LABELS = np.arange(40) % 4


def saved(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "data.npz", **arrays)
    return folder / "data.npz"


def pixels(*shape: int) -> Any:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def refused(path: Path, message: str, **options: int) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load(path, **options)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value) or options or "class" in message


@pytest.mark.parametrize(
    ("images", "shape"),
    [
        (pixels(40, 6, 5), (1, 6, 5)),
        (pixels(40, 6, 5, 3), (3, 6, 5)),
        (pixels(40, 6, 5, 1), (1, 6, 5)),
        (pixels(40, 3, 6, 5), (3, 6, 5)),
        (pixels(40, 1, 6, 5), (1, 6, 5)),
        (pixels(40, 4, 6, 5), (4, 6, 5)),
        (pixels(40, 6, 5).astype(np.int64), (1, 6, 5)),
        (pixels(40, 6, 5, 3) / 255, (3, 6, 5)),
        (RNG.normal(size=(40, 7)), (7,)),
        (pixels(40, 7), (7,)),
        (RNG.normal(size=(40, 2, 9)), (2, 9)),
    ],
    ids=lambda value: str(getattr(value, "shape", value)),
)
def test_layouts(tmp_path, images, shape):
    data = load(saved(tmp_path, images=images, labels=LABELS))
    assert data.input_shape == shape
    assert data.train.inputs.dtype == (torch.uint8 if len(shape) == 3 else torch.float32)
    assert len(data.mean) == len(data.std) == shape[0]
    assert (data.std > 0).all()


def test_pixels_arrive_unchanged_in_every_layout(tmp_path):
    nchw = pixels(40, 3, 6, 5)
    prints = {
        load(saved(tmp_path, x=x, y=LABELS)).fingerprint
        for x in (nchw, nchw.transpose(0, 2, 3, 1), nchw / 255, nchw.astype(np.int32), nchw * 1.0)
    }
    assert len(prints) == 1


def test_a_test_half_and_texts_as_labels(tmp_path):
    names = np.array(["cat", "ant", "dog", "bee"])[LABELS]
    vectors = RNG.normal(size=(40, 3)).astype(np.float32)
    path = saved(tmp_path, x_train=vectors, y_train=names, x_test=vectors[:4], y_test=names[:4])
    data = load(path)
    assert data.classes == ("ant", "bee", "cat", "dog")
    assert data.test.targets.tolist() == [2, 0, 3, 1]
    assert torch.equal(data.test.inputs, torch.from_numpy(vectors[:4]))


def test_a_constant_channel_has_std_1(tmp_path):
    vectors = np.ones((40, 2))
    assert load(saved(tmp_path, x=vectors, y=LABELS)).std.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": LABELS}, "want arrays x_train, .*; got a"),
        ({"x": pixels(40, 3)}, "want arrays x_train, .*; got x"),
        ({"x": pixels(39, 3), "y": LABELS}, "x has 39 examples, y has 40"),
        ({"x": pixels(40), "y": LABELS}, r"x: want numbers \[N,D\].* got uint8 \[40\]"),
        ({"x": pixels(40, 0), "y": LABELS}, r"x: want numbers .* got uint8 \[40, 0\]"),
        ({"x": pixels(40, 2, 2, 2, 2), "y": LABELS}, "x: want numbers"),
        ({"x": np.array(["a"] * 40)[:, None], "y": LABELS}, "x: want numbers"),
        (
            {"x": np.full((40, 2), np.nan), "y": LABELS},
            r"x: no column can be learnt from; .*'0' \(no values\)",
        ),
        (
            {"x": np.array([[0.0]] * 39 + [[np.inf]]), "y": LABELS},
            "x: 1 of 40 values are NaN, .* the first in example 39;",
        ),
        ({"x": np.full((40, 2), 1e300), "y": LABELS}, "x: 80 of 80 values are .* too large"),
        ({"x": pixels(40, 3), "y": LABELS[:, None, None]}, r"y: want whole numbers or texts \[N\]"),
        (
            {"x": np.array([{}] * 40)[:, None], "y": LABELS},
            "not an .npz file of undamaged plain arrays: Object arrays",
        ),
        ({"x": pixels(40, 3), "y": np.zeros(40, int)}, "want at least 2 classes, got 1"),
        (
            {
                "x_train": pixels(40, 3),
                "y_train": LABELS,
                "x_test": pixels(4, 3),
                "y_test": [9, 0, 1, 2],
            },
            "y_test has classes that y_train lacks: 9",
        ),
        (
            {
                "x_train": pixels(40, 3),
                "y_train": LABELS,
                "x_test": pixels(4, 2),
                "y_test": LABELS[:4],
            },
            r"examples of x_test and x_train differ in shape: \[2\] and \[3\]",
        ),
    ],
)
def test_wrong_arrays_are_refused_in_one_line(tmp_path, arrays, message):
    refused(saved(tmp_path, **arrays), message)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "data.npz"
    np.save(tmp_path / "one.npy", LABELS)
    contents = [
        b"",
        b"PK\x03\x04 torn",
        pickle.dumps({"x": 1}),
        (tmp_path / "one.npy").read_bytes(),
    ]
    whole = saved(tmp_path, x=pixels(40, 9), y=LABELS).read_bytes()
    for content in (*contents, whole[: len(whole) // 2]):
        path.write_bytes(content)
        refused(path, "is not an .npz file")


def test_vectors_cannot_be_resized(tmp_path):
    path = saved(tmp_path, x=pixels(40, 9), y=LABELS)
    refused(path, r"^image_size: want images, got vectors of shape \(9,\)$", image_size=8)


def test_an_array_that_claims_more_than_there_is_is_refused_before_memory_is_taken(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "|u1", "fortran_order": False, "shape": (10**13,)}
    )
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("images", "labels"):
            archive.writestr(f"{name}.npy", header.getvalue() + bytes(8))
    with pytest.raises(ValueError, match=r"images is to have 10,000,000,000,000 bytes"):
        load(path)


def test_flips_are_off_unless_they_are_asked_for(tmp_path):
    path = saved(tmp_path, x=pixels(40, 6, 5), y=LABELS)
    assert not load(path).flippable
    assert "flips off (--flip if mirrored images keep their labels)" in load(path).notes
    assert load(path, flippable=True).notes[-1] == "flips on"


def test_a_folder_of_npy_files_is_mapped(tmp_path):
    x, y = pixels(40, 3, 6, 6), LABELS
    arrays = {"x_train": x, "y_train": y, "x_val": x[:8], "y_val": y[:8], "test_images": x[:4]}
    folder = tmp_path / "arrays"
    folder.mkdir()
    for name, array in {**arrays, "test_labels": y[:4, None], "other": y}.items():
        np.save(folder / f"{name}.npy", array)
    data = load(folder)
    assert data.train.mapped
    assert torch.equal(data.train.inputs, torch.from_numpy(x))
    assert [len(split) for split in (data.train, data.validation, data.test)] == [40, 8, 4]
    assert "not used: other" in data.notes
    refused(folder / "x_train.npy", "is not an .npz file; .*; of .npy files, name their folder")
    for content in (b"", b"nonsense", pickle.dumps(x), (folder / "x_val.npy").read_bytes()[:200]):
        (folder / "x_val.npy").write_bytes(content)
        with pytest.raises(
            ValueError, match=r"x_val\.npy is not an \.npy file of an undam"
        ) as caught:
            load(folder)
        assert "\n" not in str(caught.value)
    (folder / "y_val.npy").unlink()
    (folder / "x_val.npy").unlink()
    (folder / "y_train.npy").unlink()
    refused(folder, "want arrays x_train, .*; got other, test_images, test_labels, x_train")


@pytest.mark.parametrize("name", ["w", "weights", "sample_weight", "Sample_Weight_train"])
def test_weights_of_examples(tmp_path, name):
    x, w = pixels(40, 3), np.arange(40)
    of_val = {"x_val": x[:4], "y_val": LABELS[:4], "x_test": x[:4], "y_test": LABELS[:4]}
    arrays = {"x": x, "y": LABELS, name: w[:, None], **of_val, "w_val": np.ones(4)}
    for data in (load(saved(tmp_path, **arrays)), from_objects(arrays)):
        assert data.train.weights.tolist() == w.tolist()
        assert data.validation.weights.tolist() == [1] * 4
        assert data.test.weights is None
    frames = {key: pd.DataFrame(a) if key[0] == "x" else a for key, a in arrays.items()}
    assert from_objects(frames).train.weights.tolist() == w.tolist()
    for odd, message in (
        (w[:9], r"want a weight of each of 40 examples, got int64 \[9\]"),
        (w - 1, "want finite weights of at least 0, some of them above, got -1 to 38"),
        (w * 0, "want finite weights of at least 0, some of them above, got 0 to 0"),
        (w * np.nan, "want finite weights of at least 0"),
        (np.array(["1"] * 40), "want a weight of each of 40 examples, got <U1"),
    ):
        for its in (arrays, frames):
            with pytest.raises(ValueError, match=f"^data: {name}: {message}"):
                from_objects({**its, name: odd})
    with pytest.raises(ValueError, match="want x of the test part too, got w_test alone"):
        from_objects({"x": x, "y": LABELS, "w_test": w})
    with pytest.raises(ValueError, match="want weights of the training part too, got those of val"):
        from_objects({"x": x, "y": LABELS, **of_val, "w_val": np.ones(4)})


def test_validation_without_weights_weighs_the_mean_where_it_is_trained_on():
    x, w = pixels(40, 3), np.arange(40)
    data = from_objects({"x": x, "y": LABELS, "w": w, "x_val": x[:4], "y_val": LABELS[:4]})
    assert data.validation.weights is None
    merged = data.with_validation_in_train().train.weights
    kept = data.train.weights
    assert merged.tolist() == [*kept.tolist(), *[pytest.approx(kept.mean().item())] * 4]


def test_flips_are_for_images():
    rows = np.arange(80.0).reshape(40, 2) / 7
    with pytest.raises(ValueError, match=r"^flip: want images, got inputs of shape \(2,\)"):
        from_objects((rows, LABELS), flippable=True)
