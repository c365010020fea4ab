"""Runs and trials in a notebook."""

import base64
import io
import sys
from dataclasses import replace
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from PIL import Image

import nas
from nas.core.budgets.budget import Budget
from nas.views.notebook_progress import NotebookProgress, display_here
from nas.views.terminal.pace import Pace
from tests.nas.own import alone, three


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Three objectives; the name of its folder is hostile."""
    return nas.search(
        space="mlp", data="digits", evaluator=three, objectives=("f1", "delay", "parameters"),
        strategy="random", trials=12, out=tmp_path_factory.mktemp("own") / "<img src=x onerror=1>",
    )  # fmt: skip


class Tags(HTMLParser):
    """The tags of a document, each closed that has to be, and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text = [], [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("img", "br", "progress"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag != "progress":
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += f" {data}"


def test_a_run_is_a_table_of_its_front_and_a_picture(run):
    page = Tags(run._repr_html_())
    assert str(run.path) in page.text
    assert [tag for tag, _ in page.tags].count("tr") == 1 + min(15, len(run.front))
    for trial in run.front[-15:]:
        for metric in run.objectives.metrics:
            assert metric.text(trial.scores[metric.name]) in page.text
    (picture,) = (attributes for tag, attributes in page.tags if tag == "img")
    kind, _, content = picture["src"].partition(",")
    assert kind == "data:image/png;base64"
    assert picture["alt"] == "f1 versus delay, ms"
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert image.format == "PNG"
    assert repr(run) == f"Run({str(run.path)!r}, 12 trials)"


def test_a_trial_is_a_table_of_its_scores(run):
    trial = run.best()
    page = Tags(trial._repr_html_())
    rows = page.text.split("  ")
    assert f" trial {trial.number}" in page.text
    assert f"f1 {trial.scores['f1']:.4g}" in page.text
    assert f"parameters {trial.scores['parameters']:,}" in page.text
    assert "kind=" in rows[-1]


def test_a_run_without_networks_or_trials_is_shown_too(tmp_path):
    one = nas.search(evaluator=alone, strategy="random", trials=3, out=tmp_path / "alone")
    page = Tags(one._repr_html_())
    assert "error" in page.text
    (picture,) = (attributes for tag, attributes in page.tags if tag == "img")
    assert picture["alt"] == "error versus trial number"
    (tmp_path / "alone" / "trials.jsonl").write_text("")
    page = Tags(nas.open_run(tmp_path / "alone")._repr_html_())
    assert "0 trials, 0 failed" in page.text


class Clock:
    """Time that passes by a tenth of a second with each look."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 0.1
        return self.now


def test_progress_is_one_output_that_ends_with_the_last_trial(run):
    pages = []
    budget = Budget(trials=len(run.trials))
    view = NotebookProgress(pages.append, Pace(budget, lambda: 1), Clock())
    view.started(nas.Run(run.path, run.space, trials=run.trials[:2]))
    for trial in run.trials[2:]:
        view.observed(trial)
    assert 2 < len(pages) < len(run.trials) - 2  # not for every trial
    view.ended(run)
    first, last = Tags(pages[0]), Tags(pages[-1])
    assert dict(first.tags)["progress"] == {"value": f"{2 / 12:.4f}"}
    assert "2/12" in first.text
    assert dict(last.tags)["progress"] == {"value": "1.0000"}
    assert "12/12, 0 failed" in last.text
    assert all(f" {trial.number} " in f"{last.text} " for trial in run.front)


def test_the_energy_spent_and_its_budget_have_their_units(run):
    pace = Pace(Budget(watt_hours=0.1), lambda: 1)
    assert pace.text == "0 mWh/100mWh"
    pace.begin([replace(run.trials[0], measured={"search_energy_wh": 0.00844})])
    assert pace.text == "8.44 mWh/100mWh"


def test_a_script_has_no_display_and_a_kernel_has_one(monkeypatch):
    assert display_here() is None

    class ZMQInteractiveShell:
        """The name by which rich and tqdm know the shell of a kernel."""

    told = []
    handle = SimpleNamespace(update=lambda html: told.append(("update", html)))

    def display(html, *, display_id):
        assert display_id
        told.append(("display", html))
        return handle

    shown = SimpleNamespace(HTML=str, display=display)
    module = SimpleNamespace(get_ipython=ZMQInteractiveShell, display=shown)
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    show = display_here()
    for page in "abc":
        show(page)
    assert told == [("display", "a"), ("update", "b"), ("update", "c")]
    module.get_ipython = lambda: None
    assert display_here() is None
