"""Predictions written to files."""

import numpy as np
import torch
from PIL import Image

from nas.bundles.predictions import Masks
from nas.winners.predict import Predicted
from nas.winners.prediction_output import write


def test_masks_of_files_with_one_name_are_all_written(tmp_path):
    files = ["x/a-2.png", "x/a.png", "y/a.png", "z/a.png"]
    masks = [Masks(("no", "yes"), torch.full((1, 2, 3), n, dtype=torch.uint8)) for n in range(4)]
    found = [Predicted((file,), None, mask) for file, mask in zip(files, masks, strict=True)]
    write(found, tmp_path)
    names = ["a-2.png", "a.png", "a-3.png", "a-4.png"]
    written = [int(np.asarray(Image.open(tmp_path / name)).max()) for name in names]
    assert written == [0, 1, 2, 3]
