"""Rows and columns of TensorBoard's HParams page: decisions and metrics of each trial.

The page shows five decisions at first, those that are marked as different from run to run, and its
metrics to the right of them, outside of a window of 1280 pixels. So the most telling decisions carry
that mark, the others do not, and the name of a row has the trial's value of the first objective.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

from nas.analysis.decisions import RECIPE, Column, Decisions
from nas.core.metrics import Metric
from nas.core.trial import Trial
from nas.estimators.cost import COSTS
from nas.runs.header import Header
from search_spaces.tree.values import Scalar

FIRST = 5
_COSTS = frozenset(metric.name for metric in COSTS)
Plain = bool | float | str


def names(header: Header) -> tuple[str, ...]:
    """The metrics of the trials of a run, the most telling first.

    These are the objectives, the metrics with limits, what the evaluator measures, the seconds, what
    is known before an evaluation, and the epochs.
    """
    objectives = header.objectives
    limited = (constraint.metric for constraint in objectives.constraints)
    rest = [metric.name for metric in header.metrics]
    measured = [name for name in rest if name not in _COSTS]
    return tuple(
        dict.fromkeys((*objectives.names, *limited, *measured, "seconds", *rest, "epochs"))
    )


def experiment(decisions: Decisions, metrics: Iterable[str]) -> Any:
    """A summary with all columns, without which TensorBoard reads every run to find them.

    Args:
        decisions: The decisions of the search.
        metrics: The metrics, as `names` orders them.
    """
    first = set(decisions.first(FIRST))
    paths = {column.path for column in decisions.columns}
    columns = [_info(column, differs=column.path in first) for column in decisions.columns]
    for column in columns:
        if (name := column.name.removeprefix(RECIPE)) not in paths:
            column.display_name = name
    measured = [
        api_pb2.MetricInfo(name=api_pb2.MetricName(tag=f"trial/{tag}"), display_name=tag)
        for tag in metrics
    ]
    content = api_pb2.Experiment(hparam_infos=columns, metric_infos=measured)
    return _summary(metadata.EXPERIMENT_TAG, experiment=content)


def row_name(trial: Trial, first: Metric) -> str:
    """The name of the row of a trial: its number and its value of the first objective."""
    said = first.text(trial.scores[first.name]) if trial.completed else "failed"
    return f"{trial.number:05d}: {said}"


def start(trial: Trial, decisions: Decisions, first: Metric, when: float) -> Any:
    """A summary with the row of a trial.

    Args:
        trial: The trial.
        decisions: The decisions of the search.
        first: The first objective.
        when: Its start, in seconds since 1970.
    """
    columns = {column.path: column for column in decisions.columns}
    flat = decisions.flat(trial.proposal)
    content = plugin_data_pb2.SessionStartInfo(
        group_name=row_name(trial, first), start_time_secs=when
    )
    for path, option in flat.items():
        value = _cell(columns.get(path), option)
        if isinstance(value, bool):
            content.hparams[path].bool_value = value
        elif isinstance(value, float):
            content.hparams[path].number_value = value
        else:
            content.hparams[path].string_value = value
    return _summary(metadata.SESSION_START_INFO_TAG, session_start_info=content)


def end(trial: Trial, when: float) -> Any:
    """A summary with the status of a trial."""
    status = api_pb2.STATUS_SUCCESS if trial.completed else api_pb2.STATUS_FAILURE
    content = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=when)
    return _summary(metadata.SESSION_END_INFO_TAG, session_end_info=content)


def values(trial: Trial, metrics: Iterable[str]) -> Mapping[str, float]:
    """The metrics of a trial that are known, by name."""
    final = {"seconds": trial.seconds, "epochs": trial.last_epoch, **trial.scores}
    return {tag: float(final[tag]) for tag in metrics if tag in final}


def _summary(tag: str, **content: Any) -> Any:
    made = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(**content))
    value = Summary.Value(
        tag=tag,
        metadata=made,
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])


def _info(column: Column, *, differs: bool) -> Any:
    info = api_pb2.HParamInfo(name=column.path, differs=differs)
    kind = _kind(column)
    if kind is bool:
        info.type = api_pb2.DATA_TYPE_BOOL
        info.domain_discrete.extend([False, True])
    elif kind is float:
        info.type = api_pb2.DATA_TYPE_FLOAT64
        info.domain_interval.min_value = column.low
        info.domain_interval.max_value = column.high
    else:
        info.type = api_pb2.DATA_TYPE_STRING
        info.domain_discrete.extend(sorted(map(_text, column.options)))
    return info


def _kind(column: Column) -> type[Plain]:
    if column.options and all(isinstance(option, bool) for option in column.options):
        return bool
    return float if column.is_number else str


def _cell(column: Column | None, option: Scalar) -> Plain:
    kind = str if column is None else _kind(column)
    if kind is str:
        return _text(option)
    assert isinstance(option, bool | int | float)
    return kind(option)


def _text(option: Scalar) -> str:
    return "none" if option is None else str(option)
