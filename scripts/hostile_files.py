"""Checkpoints and bundles that mean harm: each made from a good one, each to be refused.

What would run if it were loaded as code leaves a mark, a folder that must not appear.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

Write = Callable[[Path], object]


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = str(mark)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.makedirs, (self.mark,)


def checkpoints(good: bytes, mark: Path) -> Iterator[tuple[str, Write]]:
    """Files in place of the weights `good`: what each is, and what writes it."""
    size = int.from_bytes(good[:8], "little")
    header, data = json.loads(good[8 : 8 + size]), good[8 + size :]
    first = next(name for name in header if name != "__metadata__")

    def packed(changed: object, body: bytes = data) -> Write:
        text = (changed if isinstance(changed, str) else json.dumps(changed)).encode()
        return _bytes(len(text).to_bytes(8, "little") + text + body)

    def entry(**fields: object) -> Write:
        return packed({**header, first: {**header[first], **fields}})

    for name, content in (
        ("empty", b""),
        ("zeros", bytes(64)),
        ("cut in its header", good[: 8 + size // 2]),
        ("cut by a byte", good[:-1]),
        ("a byte too long", good + b"\0"),
        ("a header of 2^63 bytes", (2**63).to_bytes(8, "little") + good[8:]),
        ("a header of 90 MB", (90_000_000).to_bytes(8, "little") + good[8:]),
        ("a pickle", pickle.dumps(Bomb(mark))),
        ("a pickle behind a length", (64).to_bytes(8, "little") + pickle.dumps(Bomb(mark)) * 3),
        ("what torch.save writes", _torch_zip(mark)),
        ("an npz of objects", _npz(mark)),
        ("a text", b"weights"),
        ("a shell script", b"#!/bin/sh\nmkdir " + os.fsencode(mark)),
    ):
        yield name, _bytes(content)
    yield "a header that is a list", packed([])
    yield "a header that is no JSON", packed("{" * size)
    yield "a header without a bottom", packed("[" * 100_000)
    yield "one tensor named twice", packed(json.dumps(header)[:-1] + f', "{first}": null}}')
    yield "an unknown type", entry(dtype="object")
    yield "a shape of 10^13", entry(shape=[10**13])
    yield "a shape beyond 64 bits", entry(shape=[2**40, 2**40])
    yield "a negative shape", entry(shape=[-1])
    yield "a shape of texts", entry(shape=["1"])
    yield "offsets beyond its end", entry(data_offsets=[0, 10**13])
    yield "negative offsets", entry(data_offsets=[-8, 8])
    yield "offsets backwards", entry(data_offsets=[8, 0])
    yield "offsets that overlap", entry(data_offsets=[0, len(data)])
    yield "no offsets", packed({**header, first: {"dtype": "F32", "shape": [1]}})
    yield "ten gigabytes of nothing", _sparse
    yield "a link to the good one", lambda path: _link(path, good)
    yield "a link to endless zeros", lambda path: path.symlink_to("/dev/zero")
    yield "a pipe", os.mkfifo
    yield "a folder", Path.mkdir
    yield "not there", lambda _: None


def bundles(good: Path, mark: Path) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Damages of a bundle, each with the function that inflicts it on a copy of `good`."""
    weights = (good / "weights.safetensors").read_bytes()
    for name, write in checkpoints(weights, mark):
        if name not in ("ten gigabytes of nothing",):  # to take its digest would be the work
            yield f"weights: {name}", _signed("weights.safetensors", write)
    for file in ("architecture.json", "metrics.json", "manifest.json"):
        for name, write in _files(good / file, mark):
            yield f"{file}: {name}", _signed(file, write)
    described = json.loads((good / "architecture.json").read_text())
    code = good.with_name("stranger.py")
    code.write_text(f"import os\nos.makedirs({str(mark)!r})\n")
    for name, fields in (
        ("a space in a file", {"space": f"{code}:space"}),
        ("a space in a file, fixed", {"space": f"fixed:{code}:space:x"}),
        ("an ensemble of a space in a file", {"space": f"ensemble:{code}:space"}),
        ("a space of no bounds", {"space": "mlp:max_layers=1000000000"}),
        ("a space that is not there", {"space": "../../mlp"}),
        ("another architecture", {"architecture": {"space": "mobile", "value": {}}}),
        ("10^13 parameters", {"classes": 10**6, "input_shape": [1, 10**4, 10**4]}),
        ("10^13 classes", {"classes": 10**13}),
        ("no classes", {"classes": True}),
        ("an input of 10^15", {"input_shape": [10**5, 10**5, 10**5]}),
        ("an input of four axes", {"input_shape": [1, 1, 8, 8]}),
    ):
        yield name, _signed("architecture.json", _json({**described, **fields}))
    manifest = json.loads((good / "manifest.json").read_text())
    digests = manifest["sha256"]
    for name, changed in (
        ("a name that leaves", {"../x": "0" * 64, **digests}),
        ("a name from the root", {"/etc/passwd": "0" * 64, **digests}),
        ("a digest too few", dict(list(digests.items())[1:])),
        ("digests of nothing", dict.fromkeys(digests)),
        ("digests of others", dict.fromkeys(digests, "0" * 64)),
        ("digests in short", {name: digest[:8] for name, digest in digests.items()}),
    ):
        write = _json({**manifest, "sha256": changed})
        yield (
            f"manifest: {name}",
            lambda folder, write=write: _over(folder / "manifest.json", write),
        )


def _files(good: Path, mark: Path) -> Iterator[tuple[str, Write]]:
    content = good.read_bytes()
    yield "a pickle", _bytes(pickle.dumps(Bomb(mark)))
    yield "cut", _bytes(content[: len(content) // 2])
    yield "a list", _bytes(b"[]")
    yield "no text", _bytes(b"\xff\xfe" + content)
    yield "a field of its own twice", _bytes(content.replace(b"{", b'{"a": 1, "a": 2, ', 1))
    yield "not a number", _bytes(content.replace(b"{", b'{"a": NaN, ', 1))
    yield "a link", lambda path: _link(path, content)
    yield "a pipe", os.mkfifo
    yield "a folder", Path.mkdir
    yield "ten gigabytes of nothing", _sparse


def _signed(name: str, write: Write) -> Callable[[Path], None]:
    """Put another file in place, and its digest where it can be had in the manifest."""

    def change(folder: Path) -> None:
        _over(folder / name, write)
        manifest = folder / "manifest.json"
        if name != manifest.name and (folder / name).is_file():
            document = json.loads(manifest.read_text())
            if (folder / name).stat().st_size < 10**9:
                digest = sha256((folder / name).read_bytes()).hexdigest()
                document["sha256"][name] = digest
            manifest.write_text(json.dumps(document))

    return change


def _over(path: Path, write: Write) -> None:
    path.unlink()
    write(path)


def _bytes(content: bytes) -> Write:
    return lambda path: path.write_bytes(content)


def _json(document: object) -> Write:
    return lambda path: path.write_text(json.dumps(document))


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 * 10**9)


def _link(path: Path, content: bytes) -> None:
    elsewhere = path.with_name(f"{path.name}.elsewhere")
    elsewhere.write_bytes(content)
    path.symlink_to(elsewhere)


def _npz(mark: Path) -> bytes:
    file = io.BytesIO()
    np.savez(file, weight=np.array([Bomb(mark)], dtype=object))
    return file.getvalue()


def _torch_zip(mark: Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Bomb(mark)))
        archive.writestr("archive/version", "3\n")
    return file.getvalue()


def copied(good: Path, to: Path) -> Path:
    """A copy of a bundle."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(good, to)
    return to
