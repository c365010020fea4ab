"""The model card of a bundle, `README.md`, and the drawing in it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from nas.bundles import card_ensemble
from nas.bundles.bundle import Bundle
from nas.bundles.card_words import example, inputs_text, limit, targets_text
from nas.bundles.predictions import output_name
from nas.core.metrics import METRICS, Metric
from nas.core.numbers import energy
from nas.runs.settings import TRAINING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Step = tuple[str, str, tuple[int, ...], int]  # path, class, output shape, parameters
MOST_STEPS = 40  # parts in the drawing


def card(
    bundle: Bundle, metrics: Mapping[str, Any], parts: Sequence[Step], files: Sequence[str]
) -> str:
    """The text of the model card.

    Args:
        bundle: The network and all that is known of it.
        metrics: The contents of `metrics.json`.
        parts: The parts of the network; see `steps`.
        files: The names of the other files of the bundle.
    """
    task = bundle.task
    sections = [
        f"# {card_ensemble.title(metrics, bundle.architecture.space)} for {_data_name(metrics)}",
        f"A network that was found by architecture search, trained and ready to run: inputs "
        f"{'x'.join(map(str, task.input_shape))}; {targets_text(bundle.described['targets'])}.",
        *card_ensemble.paragraphs(metrics),
        _numbers(metrics),
        "## Run it",
        example(bundle, files),
        "## Inputs",
        *inputs_text(bundle, files),
        "## Architecture",
        card_ensemble.architectures(metrics)
        if "ensemble" in metrics
        else f"`{bundle.described['notation']}`",
        "![the network](architecture.png)",
        _table(parts),
        *(["![the search](pareto.png)"] if "pareto.png" in files else []),
        *_understood(metrics),
        *_judged(metrics),
        "## Limits",
        _limits(bundle, metrics),
        "## Files",
        _files(bundle, files),
        "`manifest.json` has the SHA-256 of each. `nas verify` checks them, and that every format "
        "gives the same outputs.",
    ]
    return "\n\n".join(sections) + "\n"


def _understood(metrics: Mapping[str, Any]) -> Iterator[str]:
    """A table of what the search understood, if it is known."""
    lines = metrics.get("understood", ())
    if lines:
        yield "## As the search understood it"
        rows = (f"| {subject} | {said} |" for subject, said in map(_cells, lines))
        yield "\n".join(["| | |", "|---|---|", *rows])


def _judged(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The comparison with baselines of a network as it was found, if it was asked for."""
    if metrics.get("gate") and metrics["validation"]:
        title, *lines = metrics["gate"]
        yield "## Against baselines"
        yield f"{title.removeprefix('gate: ')}. The architecture of this network, trained again:"
        yield "\n".join(f"- {line}" for line in lines)


def _cells(line: Sequence[str]) -> tuple[str, ...]:
    return tuple(cell.replace("|", "\\|") for cell in line)


def _data_name(metrics: Mapping[str, Any]) -> str:
    """The name of the data, without folders of this machine: a card is shown to others."""
    if metrics["data"] is None:
        return "the data of its evaluator"
    name: str = metrics["data"]["name"]
    return Path(name).name or name


_FILES = {
    "model.py": "the network in plain PyTorch: `Model`, `load`, `preprocess`, `predict`",
    "table.py": "the reading of values of a table, for `preprocess`; needs Python alone",
    "weights.safetensors": "its weights",
    "model.pt2": "the network and its weights for `torch.export.load`, batches of any size, to {}",
    "model.onnx": "the network and its weights for ONNX Runtime, from `x` to {}, batches of any "
    "size; `metadata_props` have the names of its outputs and the preprocessing",
    "model.onnx.data": "the weights of `model.onnx`, which are too large for one file",
    "hubconf.py": 'for `torch.hub.load(FOLDER, "model", source="local")`',
    "architecture.json": "the encoding, the targets, the preprocessing",
    "metrics.json": "all measurements, with recipe, seed, data and versions",
    "check.safetensors": "inputs and their outputs, for `nas verify`",
}


def _files(bundle: Bundle, files: Sequence[str]) -> str:
    name = output_name(bundle.described["targets"])
    output = f"`{name}` in the units of the targets" if name == "values" else f"`{name}`"
    known = [file for file in _FILES if file in files]
    return "\n".join(f"- `{file}`: {_FILES[file].format(output)}" for file in known)


def _numbers(metrics: Mapping[str, Any]) -> str:
    validation, test = metrics["validation"], metrics["test"]
    latency = metrics["latency"]
    rows = {
        **_scores(metrics, test or {}, "test {}"),
        **({"test examples": f"{test['examples']:,}"} if test else {"test scores": "not measured"}),
        **_scores(metrics, validation or {}, _place(metrics)),
        **_confirmed(metrics),
        **({} if validation else {"validation scores": "not measured: trained on that split too"}),
        "parameters": f"{metrics['parameters']:,}{_dead(metrics)}",
        "multiply-accumulates": f"{metrics['macs']:,}",
        "peak activation memory, float32": f"{metrics['peak_activation_bytes']:,} bytes",
        "weights": f"{metrics['weights_bytes']:,} bytes",
        "latency of one input": f"{1000 * latency['seconds']:.2f} ms (median of {latency['runs']}, "
        f"{latency['threads']} thread of this machine's CPU: {latency['machine']['machine']})"
        + (f"; {latency['too_noisy']}" if latency.get("too_noisy") else ""),
        **_energy(metrics),
    }
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join(["| | |", "|---|---|", *lines])


def _dead(metrics: Mapping[str, Any]) -> str:
    """The number of parameters of the architecture that was searched, where the network has fewer."""
    searched = metrics.get("searched_parameters")
    if searched is None:
        return ""
    return (
        f" (of {searched:,} that were searched: the others were in dead parts, which are left out)"
    )


def _energy(metrics: Mapping[str, Any]) -> dict[str, str]:
    """The rows with the energy of the training and of predictions, where they are known."""
    rows, training = {}, metrics.get("energy")
    if training is not None:
        grams = training["grams_per_kwh"]
        co2 = "" if grams is None else f", {grams * training['wh'] / 1000:.3g} g of CO2"
        rows["energy of the training"] = f"{energy(training['wh'])} ({training['source']}){co2}"
    if (inference := metrics.get("inference_energy")) is not None:
        said = f"{energy(inference['wh'])} ({inference['source']}, one input at a time)"
        rows["energy of 1,000 predictions"] = said
    return rows


def _confirmed(metrics: Mapping[str, Any]) -> dict[str, str]:
    """The row of a network whose architecture was trained again with other seeds in its search."""
    found = metrics.get("confirmed")
    if found is None or not metrics["validation"]:
        return {}
    metric = _known(metrics)[found["metric"]]
    half = "" if found["half"] is None else f" ± {metric.text(found['half'])}"
    name = f"validation {metric.label}, mean of {found['seeds']} trainings with other seeds"
    return {name: f"{metric.text(found['mean'])}{half}"}


def _scores(metrics: Mapping[str, Any], scores: Mapping[str, Any], name: str) -> dict[str, str]:
    """Values of metrics as text, by the name of a row."""
    known = _known(metrics)
    return {
        name.format(known[key].label): known[key].text(value)
        for key, value in scores.items()
        if key in known and value is not None
    }


def _known(metrics: Mapping[str, Any]) -> dict[str, Metric]:
    """All metrics by name, those of the search too."""
    own = [Metric.from_dict(fields) for fields in metrics.get("metrics", ())]
    return {**METRICS, **{metric.name: metric for metric in own}}


def _place(metrics: Mapping[str, Any]) -> str:
    """The name of a row with a score of the search."""
    return "validation {}" if _is_built_in(metrics) else "{}, by the evaluator of the search"


def _is_built_in(metrics: Mapping[str, Any]) -> bool:
    """True if they are scores of this toolkit: of its training, a fine-tuning, or an ensemble."""
    name: str = metrics.get("settings", {}).get("evaluator", TRAINING)
    selected = "selection" in metrics.get("ensemble", {})
    return name == TRAINING or selected or "fine_tuned_from" in metrics


def _recipe(metrics: Mapping[str, Any]) -> Iterator[str]:
    """The settings of the training; a schedule or a limit of time may have ended it early."""
    trained = (metrics["validation"] or {}).get("epochs")
    recipe = dict(metrics["recipe"])
    if "flip" in recipe and not (metrics["data"] or {}).get("flip", True):
        recipe["flip"] = "never"  # whatever the recipe has: images of these data are not flipped
    for key, value in recipe.items():
        is_part = key == "epochs" and trained is not None and trained < value
        yield f"{trained} of {value} epochs" if is_part else f"{key} {value}"


def _limits(bundle: Bundle, metrics: Mapping[str, Any]) -> str:
    data, made = metrics["data"], metrics["made"]
    recipe = ", ".join(_recipe(metrics))
    seed = metrics.get("retraining_seed", metrics.get("seed", 0))
    several = len(metrics["ensemble"]["members"]) > 1 if "ensemble" in metrics else False
    other = " (`metrics.json` has the recipe of each trial)" if several else ""
    digest = "" if data is None else f" (SHA-256 {data['fingerprint'][:16]}...)"
    lines = [
        f"Trained on {_data_name(metrics)}{digest} only: {limit(bundle.described['targets'])}.",
        "Scores were measured on held-out examples of the same data; on others they may be worse."
        if metrics["test"] or metrics["validation"] is None or _is_built_in(metrics)
        else "The scores are those that the evaluator of the search gave.",
        f"Trained with {recipe}{other}; seed {seed}; torch {made['versions']['torch']}.",
        *(f"{name} is not here: {why}." for name, why in metrics["not_written"].items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _table(parts: Sequence[Step]) -> str:
    rows = [
        f"| {path} | {kind} | {'x'.join(map(str, shape))} | {parameters:,} |"
        for path, kind, shape, parameters in parts
    ]
    return "\n".join(["| part | class | output shape | parameters |", "|---|---|---|---|", *rows])


def steps(net: nn.Module, input_shape: tuple[int, ...]) -> list[Step]:
    """The parts of a network in the order they run: its children, or theirs where one is a list."""
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
    """A network as a PNG file: one bar for each part, its length the number of parameters."""
    from matplotlib.figure import Figure

    drawn = [step for step in parts if len(step[2])][:MOST_STEPS]
    figure = Figure(figsize=(7, 0.6 + 0.22 * len(drawn)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    sizes = [step[3] for step in drawn]
    axes.barh(range(len(drawn)), [max(size, 1) for size in sizes], color="tab:blue", alpha=0.7)
    labels = [f"{path} {kind}  {'x'.join(map(str, s))}" for path, kind, s, _ in drawn]
    axes.set_yticks(range(len(drawn)), labels, fontsize=7)
    axes.invert_yaxis()
    axes.set(xscale="log", xlabel="parameters", title="from input to output")
    axes.minorticks_off()  # they take a third of the time
    return png(figure)


def png(figure: Figure) -> bytes:
    """A figure as a PNG file."""
    stream = io.BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
