"""The model card: `README.md` of a bundle, and its pictures."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nas.bundles.contents import Contents
from nas.views.plots import front_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nas.core.trial import Trial
    from nas.runs.run import Run

Step = tuple[str, str, tuple[int, ...], int]  # path, class, shape of the output, parameters
MOST_STEPS = 40  # in the drawing


def card(
    contents: Contents, metrics: Mapping[str, Any], parts: Sequence[Step], files: Sequence[str]
) -> str:
    """The text of the model card.

    Args:
        contents: The network, and what is known of it.
        metrics: The contents of `metrics.json`.
        parts: See `steps`.
        files: What else is in the bundle.
    """
    task = contents.task
    sections = [
        f"# {contents.architecture.space} for {_data_name(metrics)}",
        f"A network that was found by architecture search, trained and ready to run: inputs "
        f"{'x'.join(map(str, task.input_shape))}, {task.classes} classes "
        f"({', '.join(contents.described['class_names'][:20])}).",
        _numbers(metrics),
        "## Run it",
        _example(contents, files),
        "## What it wants",
        f"{contents.described['preprocessing']['words']}. The numbers are in `architecture.json`"
        + (", and `preprocess` of `model.py` does it." if "model.py" in files else "."),
        "## What it is",
        f"`{contents.described['notation']}`",
        "![the network](architecture.png)",
        _table(parts),
        *(["![the search](pareto.png)"] if "pareto.png" in files else []),
        "## Limits",
        _limits(metrics),
        "## Files",
        "\n".join(f"- `{name}`: {_FILES[name]}" for name in _FILES if name in files),
        "`manifest.json` has the SHA-256 of each. `nas verify` checks them, and that every form "
        "gives the same logits.",
    ]
    return "\n\n".join(sections) + "\n"


def _data_name(metrics: Mapping[str, Any]) -> str:
    """What the data are called, without the folders that they lay in: a card is shown to others."""
    name: str = metrics["data"]["name"]
    return Path(name).name or name


_FILES = {
    "model.py": "the network in plain PyTorch: `Model`, `load`, `preprocess`",
    "weights.safetensors": "its weights",
    "model.pt2": "the same for `torch.export.load`, batches of any size",
    "model.onnx": "the same for ONNX Runtime, from `x` to `logits`, batches of any size",
    "model.onnx.data": "its weights, which are too large for one file with it",
    "hubconf.py": 'for `torch.hub.load(FOLDER, "model", source="local")`',
    "architecture.json": "the encoding, the classes, the preprocessing",
    "metrics.json": "all that was measured, with recipe, seed, data and versions",
    "check.safetensors": "inputs and their logits",
}


def _numbers(metrics: Mapping[str, Any]) -> str:
    validation, test = metrics["validation"], metrics["test"]
    latency = metrics["latency"]
    rows = {
        "test accuracy": f"{test['accuracy']:.2%} of {test['examples']}"
        if test
        else "not measured",
        "validation accuracy": f"{validation['accuracy']:.2%}" if validation else "trained on it",
        "parameters": f"{metrics['parameters']:,}",
        "multiply-accumulates": f"{metrics['macs']:,}",
        "peak activation memory, float32": f"{metrics['peak_activation_bytes']:,} bytes",
        "weights": f"{metrics['weights_bytes']:,} bytes",
        "latency of one input": f"{1000 * latency['seconds']:.2f} ms (median of {latency['runs']}, "
        f"{latency['threads']} thread of this machine's CPU: {latency['machine']['machine']})",
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _example(contents: Contents, files: Sequence[str]) -> str:
    if "model.py" not in files:
        return '```python\nimport nas\n\nmodel = nas.load_bundle(".")\n```'
    names = contents.described["class_names"]
    is_image = contents.described["preprocessing"]["kind"] == "image"
    shape = ", ".join(map(str, contents.task.input_shape))
    wanted = (
        'x = torch.zeros(1, SHAPE)  # for an image file: model.preprocess("image.png")'
        if is_image
        else "x = model.preprocess(torch.zeros(1, SHAPE))"
    ).replace("SHAPE", shape)
    return "\n".join(
        [
            "In this folder, with torch and safetensors installed (and pillow, for image files):",
            "",
            "```python",
            "import torch",
            "",
            "import model",
            "",
            'net = model.load("weights.safetensors")',
            wanted,
            f"names = {names[:1000]!r}",
            "with torch.inference_mode():",
            "    print(names[net(x).argmax().item()])",
            "```",
        ]
    )


def _limits(metrics: Mapping[str, Any]) -> str:
    data, made = metrics["data"], metrics["made"]
    recipe = ", ".join(f"{key} {value}" for key, value in metrics["recipe"].items())
    lines = [
        f"It knows {_data_name(metrics)} (SHA-256 {data['fingerprint'][:16]}...), and nothing else: what "
        f"is in no class is put in one all the same, and a high score is no proof.",
        "Accuracy was measured on held-out examples of the same data; on others it may be lower.",
        f"Trained with {recipe}; seed {metrics.get('seed', 0)}; torch {made['versions']['torch']}.",
        *(f"{form} is not here: {why}." for form, why in metrics["not_written"].items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _table(found: Sequence[Step]) -> str:
    rows = [
        f"| {path} | {kind} | {'x'.join(map(str, shape))} | {parameters:,} |"
        for path, kind, shape, parameters in found
    ]
    return "\n".join(["| part | is | gives | parameters |", "|---|---|---|---|", *rows])


def steps(net: nn.Module, input_shape: tuple[int, ...]) -> list[Step]:
    """The parts of a network in the order they run: its children, and theirs where it is a list."""
    parts: dict[nn.Module, str] = {}
    for name, child in net.named_children():
        inner = list(child.named_children()) if _is_list(child) else []
        parts |= {part: f"{name}.{key}" for key, part in inner} or {child: name}
    found: list[Step] = []

    def note(module: nn.Module, _: Any, output: Any) -> None:
        if isinstance(output, Tensor):
            count = sum(p.numel() for p in module.parameters())
            found.append((parts[module], type(module).__name__, tuple(output.shape[1:]), count))

    handles = [part.register_forward_hook(note) for part in parts]
    try:
        with torch.inference_mode():
            net(torch.zeros(1, *input_shape))
    finally:
        for handle in handles:
            handle.remove()
    return found


def _is_list(module: nn.Module) -> bool:
    return isinstance(module, nn.ModuleList) or type(module) is nn.Sequential


def drawing(parts: Sequence[Step]) -> bytes:
    """A network as a PNG: a bar for every part, as long as its parameters are many."""
    from matplotlib.figure import Figure

    found = [step for step in parts if len(step[2])][:MOST_STEPS]
    figure = Figure(figsize=(7, 0.6 + 0.22 * len(found)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    sizes = [step[3] for step in found]
    axes.barh(range(len(found)), [max(size, 1) for size in sizes], color="tab:blue", alpha=0.7)
    labels = [f"{path} {kind}  {'x'.join(map(str, s))}" for path, kind, s, _ in found]
    axes.set_yticks(range(len(found)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="parameters", title="from input to logits")
    axes.minorticks_off()  # a third of the time, for what no one reads
    return _png(figure)


def front_picture(run: Run, trial: Trial) -> bytes:
    """The front of the run as a PNG, with a trial marked."""
    figure = front_figure(run.trials, run.front)
    scores = trial.scores
    axes = figure.axes[0]
    axes.plot(
        [scores["parameters"]],
        [scores["accuracy"]],
        marker="*",
        markersize=18,
        color="gold",
        markeredgecolor="black",
        linestyle="none",
        label="this model",
        zorder=5,
    )
    axes.legend(loc="lower right")
    return _png(figure)


def _png(figure: Figure) -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
