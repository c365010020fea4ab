"""The functions of `model.py` around the network: loading, preprocessing, prediction."""

from __future__ import annotations

LOAD = '''\
def load(weights: str | Path) -> Model:
    """The trained network, in evaluation mode, with `weights` from a safetensors file."""
    from safetensors.torch import load_file

    model = Model()
    model.load_state_dict(load_file(weights))
    return model.eval()'''.splitlines()


def image(shape: tuple[int, ...]) -> list[str]:
    """`preprocess` of an image file."""
    channels, height, width = shape
    mode = "L" if channels == 1 else "RGB"
    return f'''\
def preprocess(image: str | Path) -> Tensor:
    """Read an image file as an input of `Model`: (1, {channels}, {height}, {width})."""
    from PIL import Image, ImageOps

    with Image.open(image) as opened:
        picture = ImageOps.exif_transpose(opened)  # upright
        if picture.mode.startswith("I"):  # the upper eight of sixteen bits
            picture = picture.point(lambda value: value * (1 / 256)).convert("L")
        pixels = picture.convert("{mode}").resize(({width}, {height}), Image.Resampling.BILINEAR)
    x_HWC = torch.frombuffer(bytearray(pixels.tobytes()), dtype=torch.uint8)
    x_BCHW = x_HWC.view(1, {height}, {width}, {channels}).permute(0, 3, 1, 2)
    mean, std = (torch.tensor(numbers).view(1, -1, 1, 1) for numbers in (MEAN, STD))
    return (x_BCHW - mean) / std'''.splitlines()


VALUES = '''\
def preprocess(values: Tensor) -> Tensor:
    """Normalise inputs of `Model`, one in each row: subtract the mean, divide by the deviation."""
    shape = (1, -1, *[1] * (values.dim() - 2))
    mean, std = (torch.tensor(numbers).view(shape) for numbers in (MEAN, STD))
    return (values - mean) / std'''.splitlines()

# Two definitions: the reading of a CSV file, and `preprocess` of its rows.
TABLE = (
    '''\
def rows(file: str | Path) -> list[dict[str, str]]:
    """The rows of a CSV file as texts by column; its first row has the names."""
    wanted = [column["name"] for column in TABLE["columns"]]
    for delimiter in (",", ";", "\\t", "|"):
        with open(file, encoding="utf-8-sig", newline="") as lines:
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
            names = [name.strip() for name in next(reader, [])]
            if set(wanted) <= set(names):
                return [dict(zip(names, row, strict=False)) for row in reader if row]
    raise ValueError(f"{file}: want the columns {', '.join(wanted)}")'''.splitlines(),
    '''\
def preprocess(rows: list[dict[str, object]]) -> Tensor:
    """Rows with the columns of the training table as inputs of `Model`, (B, features).

    Other columns are ignored. Values may be missing: None, NaN or an empty text.
    """
    file = Path(__file__).with_name("table.py")
    spec = importlib.util.spec_from_file_location("table_of_model", file)
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    return torch.tensor([table.encode_row(TABLE, row) for row in rows])'''.splitlines(),
)

PREDICT = {
    "classification": '''\
def predict(model: Model, x: Tensor) -> list[dict[str, object]]:
    """The label of each preprocessed input, its probability, and those of all CLASSES."""
    with torch.inference_mode():
        chances_BK = model(x).softmax(dim=1).tolist()
    found = []
    for chances in chances_BK:
        by_name = dict(zip(CLASSES, chances, strict=True))
        label = max(by_name, key=by_name.get)
        found.append({"label": label, "probability": by_name[label], "probabilities": by_name})
    return found'''.splitlines(),
    "multilabel": '''\
def predict(model: Model, x: Tensor) -> list[dict[str, object]]:
    """The labels of each preprocessed input with a probability above 0.5, and those of all LABELS."""
    with torch.inference_mode():
        chances_BK = model(x).sigmoid().tolist()
    found = []
    for chances in chances_BK:
        by_name = dict(zip(LABELS, chances, strict=True))
        labels = [name for name, chance in by_name.items() if chance > 0.5]
        found.append({"labels": labels, "probabilities": by_name})
    return found'''.splitlines(),
    "regression": '''\
def predict(model: Model, x: Tensor) -> list[dict[str, float]]:
    """The values of TARGETS in their own units, for each preprocessed input."""
    mean, std = (torch.tensor(numbers, dtype=torch.float64) for numbers in (TARGET_MEAN, TARGET_STD))
    with torch.inference_mode():
        values_BT = model(x).double() * std + mean
    return [dict(zip(TARGETS, values, strict=True)) for values in values_BT.tolist()]'''.splitlines(),
    "segmentation": '''\
def predict(model: Model, x: Tensor) -> Tensor:
    """The mask of each preprocessed input, uint8 (B, H, W): numbers of CLASSES."""
    with torch.inference_mode():
        return model(x).argmax(dim=1).to(torch.uint8)'''.splitlines(),
}
NAMES = {
    "classification": "CLASSES",
    "multilabel": "LABELS",
    "regression": "TARGETS",
    "segmentation": "CLASSES",
}
