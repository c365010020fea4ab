"""The commands `nas metrics`, `nas tasks` and `nas proxies`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import TYPE_CHECKING, Any

from nas.cli.console import print_json, results
from nas.cli.listings import settings as described
from nas.cli.listings.entries import Name
from nas.cli.options import Json

if TYPE_CHECKING:
    from nas.core.metrics import Metric

SOURCES = {  # headings of the metrics, by source
    "classification": "Classification, on the validation split",
    "multilabel": "Multi-label classification, on the validation split",
    "regression": "Regression, on the validation split",
    "segmentation": "Segmentation, on the validation split",
    "cost": "Costs, known before training",
    "estimate": "Estimates before training",
    "measurement": "Measurements of the trial",
}


def metrics(name: Name = None, json: Json = False) -> None:
    """List the metrics: the objectives and limits of a search; NAME describes one."""
    from nas.core.metrics import METRICS

    found = METRICS if name is None else {name: described.choose(METRICS, name, "a metric")}
    if json:
        documents = [metric_document(metric) for metric in found.values()]
        print_json(documents if name is None else documents[0])
        return
    for source, heading in SOURCES.items():
        if chosen := {key: about_metric(m) for key, m in found.items() if source in m.sources}:
            _print(chosen, heading)
    if name is None:
        print("nas proxies lists scores of untrained networks; they are metrics too.")


def metric_document(metric: Metric) -> dict[str, Any]:
    """Plain data of a metric: name, direction, low, high, unit, meaning and sources."""
    return {**metric.to_dict(), "meaning": metric.meaning, "sources": list(metric.sources)}


def tasks(name: Name = None, json: Json = False) -> None:
    """List the tasks of the built-in training and their metrics; NAME describes one."""
    found = {each["name"]: each for each in task_documents()}
    if name is not None:
        found = {name: described.choose(found, name, "a task")}
    if json:
        print_json(list(found.values()) if name is None else found[name])
        return
    for task in found.values():
        print(task["summary"])
        rows = {
            "name": task["name"],
            "loss": task["loss"],
            "metrics": ", ".join(task["metrics"]),
        }
        _print(rows)


def task_documents() -> list[dict[str, Any]]:
    """Plain data of the tasks: name, summary, loss, and metrics, the usual objective first."""
    from nas.evaluators.training_task import offered, summary
    from nas.runs.settings import TASKS

    found = []
    for name in TASKS:
        purpose, contract = (described.paragraphs(text)[0] for text in summary(name))
        found.append(
            {
                "name": name,
                "summary": purpose,
                "loss": contract,
                "metrics": list(offered(name)),
            }
        )
    return found


def proxies(name: Name = None, json: Json = False) -> None:
    """List the zero-cost proxies, scores of untrained networks; NAME describes one."""
    found = {each["name"]: each for each in proxy_documents()}
    if name is not None:
        found = {name: described.choose(found, name, "a proxy")}
    if json:
        print_json(list(found.values()) if name is None else found[name])
    elif name is not None:
        for paragraph in found[name]["about"]:
            print("\n".join(described.wrapped(paragraph)), end="\n\n")
        print(f"nas search --objectives {found[name]['scores'][0]} --evaluator proxies")
    else:
        _print({key: each["about"][0] for key, each in found.items()})


def proxy_documents() -> list[dict[str, Any]]:
    """Plain data of the proxies: name, scores and about, the paragraphs of the module."""
    from nas.estimators.proxies import PROXIES

    return [
        {
            "name": name,
            "scores": list(scores),
            "about": described.paragraphs(
                described.module_docstring(f"nas.estimators.proxies.{name}")
            ),
        }
        for name, scores in PROXIES.items()
    ]


def about_metric(metric: Metric) -> str:
    """The meaning, the direction, the bounds and the unit of a metric, in words."""
    low, high = metric.low, metric.high
    if isfinite(low) and isfinite(high):
        bounds = f", {low:g} to {high:g}"
    else:
        bounds = f", {low:g} or more" if isfinite(low) else ""
        bounds = f", at most {high:g}" if isfinite(high) else bounds
    unit = f", in {metric.unit}" if metric.unit else ""
    return f"{metric.meaning} To {metric.direction}{bounds}{unit}."


def _print(rows: Mapping[str, str], heading: str = "") -> None:
    """Print words and their explanations, with an empty line after them."""
    indent = max(map(len, rows)) + 4
    lines: Iterable[str] = [f"{heading}:"] if heading else []
    for word, text in rows.items():
        lines = [*lines, *described.definition(f"  {word}", text, indent)]
    results().print("\n".join(lines), soft_wrap=True)
    print()
