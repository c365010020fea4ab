"""The parts of a model card that depend on the task and on the kind of inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nas.bundles.bundle import Bundle
from nas.core.numbers import listed
from nas.core.schema import visible

MOST_NAMES = 20  # of outputs, in a sentence
MOST_COLUMNS = 100  # of a table of columns
MOST_CATEGORIES = 12  # of a column, in the table of columns
MOST_EXAMPLE = 12  # columns of a row that is written out


def targets_text(targets: Mapping[str, Any]) -> str:
    """The predictions of the network, as the end of a sentence."""
    names = targets["names"]
    some = listed(list(map(_text, names)), MOST_NAMES)
    if targets["task"] == "regression":
        units = list(zip(names, targets["mean"], targets["std"], strict=True))[:MOST_NAMES]
        spread = "; ".join(
            f"{_text(name)}: mean {mean:.6g}, standard deviation {std:.6g}"
            for name, mean, std in units
        )
        scale = f" ({spread})" if any(targets["mean"]) else ""  # unknown to an own evaluator
        return f"regression of {some} in the units of the training data{scale}"
    words = {
        "classification": f"one of {len(names)} classes ({some})",
        "multilabel": f"any of {len(names)} labels ({some})",
        "segmentation": f"one of {len(names)} classes for each pixel ({some})",
    }
    return words[targets["task"]]


def limit(targets: Mapping[str, Any]) -> str:
    """The limit of all predictions of a task, as the end of a sentence."""
    return {
        "classification": "an input of none of its classes is put in one all the same, even with a "
        "high score",
        "multilabel": "an input unlike all that it has seen is given labels all the same, even with "
        "high scores",
        "regression": "an input unlike all that it has seen is given values all the same, and they "
        "come without an error",
        "segmentation": "a pixel of none of its classes is put in one all the same",
    }[targets["task"]]


def inputs_text(bundle: Bundle, files: Sequence[str]) -> list[str]:
    """The paragraphs on the preprocessing."""
    plain = bundle.described["preprocessing"]
    done = ", and `preprocess` of `model.py` does it" if "model.py" in files else ""
    if plain["kind"] != "table":
        return [f"{plain['words']}. The numbers are in `architecture.json`{done}."]
    return [
        f"Rows of a table with the columns below, in any order; others are ignored. Numbers are "
        f"scaled by median and quartiles of the training rows, categories become 0 or 1{done}.",
        _columns(plain["table"]["columns"]),
    ]


def _columns(columns: Sequence[Mapping[str, Any]]) -> str:
    rows = [f"| {_text(c['name'])} | {_kind(c)} | {_missing(c)} |" for c in columns[:MOST_COLUMNS]]
    if len(columns) > MOST_COLUMNS:
        rows.append(f"| and {len(columns) - MOST_COLUMNS:,} more | | |")
    return "\n".join(["| column | type | missing values |", "|---|---|---|", *rows])


def _kind(column: Mapping[str, Any]) -> str:
    match column["kind"]:
        case "category":
            some = listed(list(map(_text, column["categories"])), MOST_CATEGORIES)
            others = "others together" if column["other"] else "others are none of them"
            return f"category: {some}; {others}"
        case "date":
            return f"date: {', '.join(part['name'] for part in column['parts'])}"
        case "flag":
            return "yes or no"
    return f"number, median {column['median']:.6g}"


def _missing(column: Mapping[str, Any]) -> str:
    return "known from training" if column["missing"] else "none in training"


def example(bundle: Bundle, files: Sequence[str]) -> str:
    """The code that runs the network, for a reader who has no toolkit."""
    if "model.py" not in files:
        return '```python\nimport nas\n\nmodel = nas.open_bundle(".")  # model.predict(inputs)\n```'
    plain = bundle.described["preprocessing"]
    is_image = plain["kind"] == "image"
    shown = {
        "classification": 'predict(net, x)[0]["label"]',
        "multilabel": 'predict(net, x)[0]["labels"]',
        "regression": "predict(net, x)[0]",
        "segmentation": "predict(net, x)[0]",
    }[bundle.described["targets"]["task"]]
    return "\n".join(
        [
            f"In this folder, with torch and safetensors installed{' (and pillow)' * is_image}:",
            "",
            "```python",
            *([] if plain["kind"] == "table" else ["import torch", ""]),
            "import model",
            "",
            'net = model.load("weights.safetensors")',
            *_example_inputs(bundle),
            f"print(model.{shown})",
            "```",
            "",
            "With this toolkit: `nas predict FOLDER INPUTS...`, or "
            "`nas.open_bundle(FOLDER).predict(inputs)`.",
        ]
    )


def _example_inputs(bundle: Bundle) -> list[str]:
    plain = bundle.described["preprocessing"]
    shape = ", ".join(map(str, bundle.task.input_shape))
    match plain["kind"]:
        case "image":
            return [f'x = torch.zeros(1, {shape})  # of a file: model.preprocess("image.png")']
        case "table":
            columns = plain["table"]["columns"]
            if len(columns) > MOST_EXAMPLE:
                return ['x = model.preprocess(model.rows("table.csv"))']
            row = {column["name"]: _cell(column) for column in columns}
            return [
                f"row = {row!r}",
                'x = model.preprocess([row])  # of a file: model.preprocess(model.rows("table.csv"))',
            ]
    return [f"x = model.preprocess(torch.zeros(1, {shape}))"]


def _cell(column: Mapping[str, Any]) -> object:
    """A value that a column may hold."""
    match column["kind"]:
        case "number":
            return column["median"]
        case "category":
            return column["categories"][0]
        case "date":
            return "2024-12-31"
    return "yes"


def _text(name: str) -> str:
    """A name in a table of Markdown."""
    return visible(name).replace("|", "\\|")
