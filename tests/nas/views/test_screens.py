"""Screens of 80 columns and 24 lines: what is shown fits, and no word of a notation is broken."""

import io
import re
import shlex
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from rich.console import Console
from rich.table import Table

import search_spaces
from nas.analysis.comparison import compare_runs
from nas.analysis.context import AnalysisContext
from nas.analysis.explanation.importance import Importance
from nas.analysis.progress import points_of
from nas.analysis.retraining.trust import _choose, assess
from nas.core.budgets.budget import Budget
from nas.core.metrics import METRICS, Metric
from nas.runs.control.confirmation import Candidate, Confirmation, write_confirmation
from nas.runs.run import Run
from nas.views.front_plot import front_figure, planes_of
from nas.views.plots import lineage_figure, progress_figure
from nas.views.scales import set_scale
from nas.views.tensorboard import gallery
from nas.views.tensorboard.pages import pages
from nas.views.tensorboard.serving import welcome
from nas.views.terminal.comparison import comparison_tables
from nas.views.terminal.explanation import importance_table
from nas.views.terminal.live import live_view
from nas.views.terminal.run import front_table, overview
from nas.views.terminal.trust import trust_tables
from nas.views.theme import LIGHT
from nas.views.wrapping import Wrapped, wrapped
from tests.nas.synthetic import write_run

UP = re.compile(r"\r?(?:\x1b\[2K(?:\x1b\[1A)?)+")  # before a frame of a live view is drawn again
STYLE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("a folder") / "of runs", 60)


def shown(part, **how):
    console = Console(file=io.StringIO(), width=80, **how)
    console.print(part)
    return console.file.getvalue()


def test_the_live_view_of_a_large_front_keeps_its_bar_and_prints_no_table_twice(run):
    page = io.StringIO()
    console = Console(file=page, force_terminal=True, width=80, height=24)
    view = live_view(Budget(trials=70), console, workers=lambda: 1)
    view.started(Run(run.path, run.space, trials=[]))
    for trial in run.trials:
        view.observed(trial)
    view._view.refresh()
    frame = STYLE.sub("", UP.split(page.getvalue())[-1]).splitlines()
    assert len(run.front) >= 8
    assert len(frame) <= 23
    assert all(len(line.rstrip()) <= 77 for line in frame)  # ^C finds room behind the last
    assert re.search(r"60/70 .*left", frame[-1])
    numbers = [line.split()[0] for line in frame[1:-2]]
    assert numbers == [str(trial.number) for trial in run.front[-15:]]
    view.ended(run)
    assert "trial" not in STYLE.sub("", UP.split(page.getvalue())[-1])  # erased


@pytest.mark.parametrize("width", [30, 34, 41])
def test_no_word_of_a_notation_is_broken_where_it_fits(width):
    space = search_spaces.load("nasbench201")
    for seed in range(20):
        text = space.format(space.sample(Random(seed)))
        lines = list(wrapped(text, width))
        assert "".join(lines) == text
        assert all(len(line) <= width for line in lines)
        words = [word for line in lines for word in re.findall(r"\w+~\d|\w+", line)]
        assert words == re.findall(r"\w+~\d|\w+", text)
    assert list(wrapped("one.two.three 0.05", 8)) == ["one.two.", "three", "0.05"]
    assert list(wrapped("nor_conv_3x3", 5)) == ["nor_c", "onv_3", "x3"]
    table = Table(width=width)
    table.add_column("a long title", no_wrap=True)
    table.add_column("architecture")
    table.add_row("1", Wrapped(text))
    assert "nor_conv_3x3~0" in shown(table) or "nor_conv_3x3~0" not in text


def test_the_table_of_a_front_breaks_no_word(run):
    table = front_table(run.front, run.objectives.metrics, run.space)
    for word in ("activation", "learning_rate"):
        assert shown(table).count(word) >= len(run.front)


def test_bars_of_importance_fill_the_width():
    shares = {
        "a": Importance(share=0.08, low=0.02, high=0.1),
        "b": Importance(share=0.02, low=0.0, high=0.04),
    }
    out = shown(importance_table(METRICS["accuracy"], shares, 10)).splitlines()
    assert out[2].rstrip().endswith("#" * 24 + "-" * 6)
    assert out[3].rstrip().endswith("  " + "#" * 6 + "-" * 6)
    assert "0% to 10.0%" in out[1]


def test_commands_are_whole_lines_and_their_purposes_are_within_80_columns(run):
    lines = [line for line in overview(run, run.space) if isinstance(line, str)]
    after = lines[lines.index("next:") + 1 :]
    commands = [line for line in after if line.startswith("  nas ")]
    assert len(commands) == 5
    assert all(len(line) <= 80 for line in after if line not in commands)
    for line in commands:
        assert shlex.split(line, comments=True)[2] == str(run.path)


def test_a_run_compared_with_itself_has_no_interval(run):
    out = "".join(map(shown, comparison_tables(compare_runs([run, Run(run.path)]))))
    assert "±" not in out.replace("± is", "")
    assert "counted once" in " ".join(out.split())


def confirm(run, number):
    mark = Candidate(trial=number, found=0.9, seeds=3, mean=0.8, half=0.01, p=None, worse=False)
    write_confirmation(
        run.path, Confirmation(trials=60, epochs=3, candidates=(mark,), recommended=number)
    )


def test_the_confirmed_winner_is_that_of_tensorboard_and_of_trust(run):
    context = AnalysisContext.of(run)
    number = next(t.number for t in run.trials if t.completed and t not in run.front)
    lineage = context.lineage(run.trials)
    assert all(not step.gain <= 0 for step in lineage.best_steps(100))
    assert context.winner(run.trials, run.front) == run.best()
    confirm(run, number)
    try:
        assert context.winner(run.trials, run.front) == run.trial(number)
        text = dict(pages(context, run.trials, run.front, lineage))
        assert text["1_best"].startswith(f"confirmed: trial {number} ")
        retrain = shlex.split(text["2_how_to_load"].splitlines()[-1])
        assert retrain == ["nas", "retrain", str(run.path), "--trial", str(number)]
        chosen = _choose(run, 3)
        assert number in [trial.number for trial in chosen]
        scores = [[0.5 + i / 10, 0.6 + i / 10] for i in range(3)]
        import numpy as np

        found = assess(chosen, np.array(scores), np.array(scores), (1, 4), 9, run.objectives)
        lines = "".join(map(shown, trust_tables(replace(found, confirmed=number))))
        assert f"confirmed winner: trial {number}, accuracy, %: " in lines
    finally:
        (run.path / "confirmation.json").unlink()


def test_the_page_on_loading_names_a_bundle_that_it_exports(run):
    context = AnalysisContext.of(run)
    front = [replace(trial, weights_sha256="0" * 64) for trial in run.front]
    text = dict(pages(context, run.trials, front, context.lineage(run.trials)))["2_how_to_load"]
    commands = [shlex.split(line) for line in text.splitlines() if " nas export " in line]
    assert commands[0][:4] == ["nas", "export", str(run.path), "--trial"]
    assert f'nas.load_bundle("{commands[0][-1]}")' in text
    assert int(commands[0][4]) == run.best().number
    assert len(commands) == len(front)


def overlapping(figure):
    """Pairs of labels of neighbouring ticks that overlap, and labels beyond the edge."""
    FigureCanvasAgg(figure).draw()
    found = []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            boxes = [
                label.get_window_extent() for label in axis.get_ticklabels() if label.get_text()
            ]
            shown = [box for box in boxes if axes.bbox.padded(2).overlaps(box.padded(14))]
            found += [(axes, a) for a, b in pairwise(shown) if a.overlaps(b)]
            found += [(axes, box) for box in shown if not figure.bbox.padded(1).contains(*box.p0)]
    return found


@pytest.mark.parametrize(("low", "high", "least"), [(18e3, 69e3, 3), (7e2, 9e6, 4), (3e3, 9e4, 3)])
def test_ticks_of_a_logarithmic_axis_are_several_and_do_not_collide(low, high, least):
    figure = LIGHT.figure(7.4, 4.9, fitted=True)
    axes = LIGHT.dress(figure.add_subplot())
    axes.plot([low, high], [0.1, 0.9], "o")
    set_scale(axes, "x", "log")
    assert not overlapping(figure)
    left, right = axes.get_xlim()
    assert sum(left <= tick <= right for tick in axes.get_xticks()) >= least


def test_the_best_value_and_the_hypervolume_have_scales_of_their_own(run):
    points = points_of(run.trials, run.objectives, run.header.hypervolume_reference)
    figure = progress_figure(points, run.objectives, METRICS["parameters"])
    assert not overlapping(figure)
    best, _, area, _ = figure.axes
    assert (best.get_ylabel(), area.get_ylabel()) == ("best accuracy", "hypervolume")
    assert area.get_ylim()[1] < 1.2 * points[-1].hypervolume + 0.05
    (legend,) = figure.legends
    assert not any(legend.get_window_extent().overlaps(axes.bbox) for axes in figure.axes)


def test_plots_of_trials_have_their_legend_beside_the_points(run):
    lineage = AnalysisContext.of(run).lineage(run.trials)
    plane = planes_of(run.header)[0]
    for figure in (
        front_figure(run.trials, run.front, plane),
        lineage_figure(run.trials, run.front, run.objectives, lineage),
    ):
        assert not overlapping(figure)
        (legend,) = figure.legends
        assert not legend.get_window_extent().overlaps(figure.axes[0].bbox)


def test_the_front_comes_before_the_networks_in_tensorboard_and_curves_are_not_smoothed(run):
    tags = ["search_front/after", "search_front_a_and_b/after", "search_networks/best"]
    assert tags == sorted(tags)
    assert "search_networks/" in Path(gallery.__file__).read_text()
    for trials in (60, 600):
        assert "?smoothing=0" in next(welcome(6006, trials))


def test_long_names_of_metrics_leave_room_for_architectures(run):
    names = [f"{part}_share_of_rare_classes" for part in ("first", "second", "third")]
    table = front_table([], [Metric(name, "maximize") for name in names], run.space)
    heads = [str(column.header).split("\n") for column in table.columns]
    assert [" ".join(head) for head in heads[1:4]] == [name.replace("_", " ") for name in names]
    assert max(len(line) for head in heads for line in head) <= 14
