"""Classification of image files by the network of a bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from nas.bundles.bundle import Bundle
from nas.evaluators.training import resolve
from trainers.data.decoding import decode, loaded

BATCH = 64


@dataclass(frozen=True, slots=True)
class Prediction:
    """The class of an image.

    Attributes:
        image: The path of the file.
        label: The name of the most probable class.
        probability: Its probability according to the network, 0..1, not calibrated.
        probabilities: The probabilities of all classes, by name.
    """

    image: str
    label: str
    probability: float
    probabilities: dict[str, float]


def predict(bundle: Bundle, images: Sequence[Path], *, device: str = "cpu") -> list[Prediction]:
    """Classify image files, read, turned upright and resized as in training.

    Pixels are given as they are, 0 to 255, to a network whose preprocessing is not known.

    Raises:
        ValueError: the device is missing, the network is not for images, or a file cannot
            be read; names it.
    """
    where, shape = resolve(device), bundle.task.input_shape
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise ValueError(f"{bundle.path}: want a network for images, got inputs {shape}")
    for image in images:
        if not image.is_file():
            raise ValueError(f"{image}: no such file")
    files = [str(image) for image in images]
    pixels = decode(
        len(files),
        lambda number: loaded(files[number]),
        files.__getitem__,
        grey=shape[0] == 1,
        size=(shape[1], shape[2]),
    )
    net, names = bundle.net().to(where), list(bundle.names)
    predictions = []
    with torch.inference_mode():
        for start in range(0, len(files), BATCH):
            x_BCHW = bundle.preprocess(pixels[start : start + BATCH])
            chances_BK = net(x_BCHW.to(where)).softmax(dim=1).cpu()
            for file, chances in zip(files[start:], chances_BK.tolist(), strict=False):
                best = max(range(len(names)), key=chances.__getitem__)
                by_name = dict(zip(names, chances, strict=True))
                predictions.append(Prediction(file, names[best], chances[best], by_name))
    return predictions
