"""`model.py` of a bundle: the network, its weights and its preprocessing in plain PyTorch."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from nas.bundles import model_parts
from nas.bundles.bundle import Bundle
from nas.source.definitions import import_lines
from nas.source.expressions import literal
from nas.source.network import Source, network_source
from nas.source.printing import WIDTH, flat, statement

MOST_NUMBERS = 5  # of a list as a literal; longer ones are read from architecture.json
MOST_NAMES = 20  # of outputs as literals
READ = 'DESCRIBED = json.loads(Path(__file__).with_name("architecture.json").read_text("utf-8"))'


def model_file(bundle: Bundle) -> str:
    """The source of `model.py`.

    Raises:
        nas.source.expressions.SourceError: the network has a value without a literal.
    """
    task = bundle.task
    space = bundle.space()

    def build(outputs: int) -> Any:
        return bundle.build(space, bundle.task_for(outputs))

    about = f"{_shapes(bundle)}; {bundle.metrics['parameters']:,} parameters."
    replaced = [part.path for part in bundle.dead_parts]
    source = network_source(build, task.input_shape, task.outputs, about=about, replaced=replaced)
    constants = [*_of_preprocessing(bundle), *_of_targets(bundle.described["targets"])]
    if any("DESCRIBED" in line for line in constants):
        constants = [READ, *constants]
    parts = [
        *source.parts,
        model_parts.LOAD,
        *_preprocess(bundle),
        model_parts.PREDICT[bundle.described["targets"]["task"]],
    ]
    lines = [*_head(bundle, source, constants), *constants]
    for part in parts:
        lines += ["", "", *part]
    return "\n".join(lines) + "\n"


def table_file(bundle: Bundle) -> str:
    """The source of `table.py`, which `model.py` reads rows of tables with; empty for other inputs."""
    if bundle.described["preprocessing"]["kind"] != "table":
        return ""
    from trainers.data.tables import encoding

    return inspect.getsource(encoding)


def _shapes(bundle: Bundle) -> str:
    """The shapes of inputs and outputs, in words."""
    task, targets = bundle.task, bundle.described["targets"]
    inputs = f"(B, {', '.join(map(str, task.input_shape))})"
    if targets["mean"]:
        return f"From inputs {inputs} to standardised values (B, outputs)"
    sides = f", {', '.join(map(str, task.input_shape[1:]))}" if task.dense else ""
    return f"From inputs {inputs} to logits (B, outputs{sides})"


def _preprocess(bundle: Bundle) -> Sequence[list[str]]:
    match bundle.described["preprocessing"]["kind"]:
        case "image":
            return [model_parts.image(bundle.task.input_shape)]
        case "table":
            return model_parts.TABLE
    return [model_parts.VALUES]


def _head(bundle: Bundle, source: Source, constants: Sequence[str]) -> list[str]:
    needed = ["from pathlib import Path", "import torch", "from torch import Tensor, nn"]
    needed += ["import json"] if READ in constants else []
    if bundle.described["preprocessing"]["kind"] == "table":
        needed += ["import csv", "import importlib.util"]
    imports = [*source.imports, *(ast.parse(line).body[0] for line in needed)]
    text = bundle.described["notation"]
    space = bundle.architecture.space
    shown = text if len(text) <= 2 * WIDTH else f"{text[: 2 * WIDTH - 4]} ..."
    summary = [f'"""A network of the space {space}, in plain PyTorch.', "", *_wrapped(shown), '"""']
    return [*summary, "", *import_lines(imports), ""]


def _wrapped(text: str) -> list[str]:
    """The lines of a docstring, cut anywhere: notations have few spaces."""
    text = text.replace("\\", "/").replace('"""', "'''")
    return [text[start : start + WIDTH].rstrip() for start in range(0, len(text), WIDTH)]


def _of_preprocessing(bundle: Bundle) -> list[str]:
    """The constants of `preprocess`."""
    plain = bundle.described["preprocessing"]
    if plain["kind"] == "table":
        return ['TABLE = DESCRIBED["preprocessing"]["table"]']
    return _pair("MEAN", "STD", "preprocessing", plain)


def _of_targets(targets: Mapping[str, Any]) -> list[str]:
    """The constants of `predict`: names, and the units of a regression."""
    title = model_parts.NAMES[targets["task"]]
    names = [f'{title} = DESCRIBED["targets"]["names"]']
    if len(targets["names"]) <= MOST_NAMES:
        value = literal(list(targets["names"]))
        names = statement(ast.Assign([ast.Name(title)], value), 0)
    if not targets["mean"]:
        return names
    return [*names, *_pair("TARGET_MEAN", "TARGET_STD", "targets", targets, exact=True)]


def _pair(
    first: str, second: str, where: str, plain: Mapping[str, Any], *, exact: bool = False
) -> list[str]:
    """Mean and standard deviation as literals; long ones are read from architecture.json."""
    rows = [plain["mean"], plain["std"]]
    if len(rows[0]) > MOST_NUMBERS:
        return [f'{first}, {second} = (DESCRIBED["{where}"][name] for name in ("mean", "std"))']
    texts = [flat(literal(tuple(v if exact else _short(v) for v in row))) for row in rows]
    both = f"{first}, {second} = {', '.join(texts)}"
    if len(both) <= WIDTH:
        return [both]
    return [f"{name} = {text}" for name, text in zip((first, second), texts, strict=True)]


def _short(value: float) -> float:
    """The number with the fewest digits that is the same in float32."""
    import numpy as np

    return float(str(np.float32(value)))
