"""`nas show`, `nas plot` and their parts, on runs with synthetic scores."""

import csv
import io
import json
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from PIL import Image

from nas.analysis.decisions import Decisions
from nas.analysis.lineage import Lineage
from nas.analysis.progress import points_of
from nas.cli.main import main
from nas.core.numbers import duration, sparkline
from tests.nas.synthetic import write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Sixty trials; numbers 24 and 49 failed."""
    return write_run(tmp_path_factory.mktemp("runs") / "sixty", 60)


@pytest.fixture
def nas(capfd):
    def call(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        said = capfd.readouterr()
        return end.value.code, said.out, said.err

    return call


def lineage_of(run):
    return Lineage(
        run.trials, Decisions(run.space, run.header.hyperparameters), run.objectives.first
    )


def test_lineage_is_what_the_proposals_recorded(run):
    lineage = lineage_of(run)
    made = [trial for trial in run.trials if trial.proposal.parents]
    assert len(made) == 40  # the first population of 20 has no parents
    for trial in made:
        way = lineage.ancestry(trial.number)
        assert way[-1] == trial.number
        assert way == sorted(way)
        assert not run.trials[way[0]].proposal.parents
        step = lineage.step(trial.number)
        if step is not None:
            gain = trial.scores["accuracy"] - run.trials[way[-2]].scores["accuracy"]
            assert step.gain == pytest.approx(gain)
            assert step.changes
    gains = [step.gain for step in lineage.best_steps(5)]
    assert gains == sorted(gains, reverse=True)
    assert gains[0] == max(s.gain for t in made if (s := lineage.step(t.number)) is not None)


def test_progress_ends_where_the_run_is(run):

    points = points_of(run.trials, run.objectives, run.header.hypervolume_reference)
    last = points[-1]
    assert (last.trials, last.completed) == (60, 58)
    assert last.failed == {"diverged": 1, "out-of-memory": 1}
    assert last.hypervolume == pytest.approx(run.hypervolume())
    assert last.front_size == len(run.front)
    assert last.best == run.best().scores["accuracy"]
    assert last.seconds == pytest.approx(120)
    for earlier, later in pairwise(points):
        assert later.hypervolume >= earlier.hypervolume
        assert all(later.best_under[size] >= best for size, best in earlier.best_under.items())


def test_show_a_run_in_80_columns(nas, run):
    status, out, err = nas("show", run.path)
    assert (status, err) == (0, "")
    assert "spent: 2 min 0 s of training, 174 epochs, 2.0 s a trial" in out
    assert "failed: 1 x diverged: as it was invented" in out
    assert f"nas tensorboard {run.path}" in out
    told = [line for line in out.splitlines() if str(run.path) not in line]
    assert all(len(line) <= 80 for line in told)
    for trial in run.front:
        assert f"{trial.scores['parameters']:,}" in out


def test_show_a_trial_in_80_columns(nas, run):
    trial = next(t for t in run.front if t.proposal.parents)
    status, out, err = nas("show", run.path, trial.number)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert lines[0].startswith(f"trial {trial.number}: {trial.scores['accuracy']:.2%} validation")
    assert lines[0].endswith("on the front; 2.0 s")
    assert "curve of 3 epochs" in out
    assert "changed from its parent (*)" in out
    way = lineage_of(run).ancestry(trial.number)
    assert [line.split(":")[0] for line in lines if line.startswith("  trial ")] == [
        f"  trial {number}" for number in way
    ]
    total = next(line for line in lines if line.startswith("total"))
    assert f"{trial.scores['parameters']:,}" in total


def test_show_a_failed_trial_says_why(nas, run):
    _, out, _ = nas("show", run.path, 24)
    assert out.startswith("trial 24: failed, diverged: as it was invented; 2.0 s")


def test_show_a_trial_as_json(nas, run):
    status, out, _ = nas("show", run.path, 30, "--json")
    document = json.loads(out)
    assert status == 0
    assert set(document) == {
        *("number", "space", "architecture", "hyperparameters", "parents", "epochs", "resume_from"),
        *(
            "root",
            "start_epoch",
            "inherited_epochs",
            "recipe",
            "scores",
            "failure",
            "curve",
            "weights_sha256",
            "measured",
        ),
        *("notation", "layers", "parent", "violates", "gain", "changes", "ancestry", "children"),
        "phases",
        "mistakes",
    }
    assert document["number"] == 30
    assert sum(row["parameters"] for row in document["layers"]) == document["scores"]["parameters"]
    assert document["ancestry"][-1] == 30


def test_show_as_csv_has_every_trial_and_decision(nas, run):
    status, out, _ = nas("show", run.path, "--csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert status == 0
    assert [int(row["number"]) for row in rows] == list(range(60))
    assert [row["number"] for row in rows if row["on_front"] == "1"] == [
        str(number) for number in sorted(trial.number for trial in run.front)
    ]
    assert rows[24]["status"] == "diverged"
    assert rows[24]["accuracy"] == ""
    for row, trial in zip(rows, run.trials, strict=True):
        assert row["activation"] == trial.architecture["activation"]
        assert float(row["recipe.learning_rate"]) == trial.recipe["learning_rate"]
        assert run.space.parse(row["notation"]) == trial.architecture


def test_bad_requests_are_one_line(nas, run, tmp_path):
    for arguments, message in [
        (["show", run.path, 60], "want a trial from 0 to 59, got 60"),
        (["show", run.path, 3, "--csv"], "--csv prints all trials: drop --json and TRIAL"),
        (["plot", run.path, "--to", "x.gif"], "--to: want a folder, or a file .png, .svg, .pdf"),
        (["plot", run.path, "--to", "x.png", "--theme", "pink"], "--theme: want one of light"),
        (["plot", run.path, "--to", "x.png", "--what", "cats"], "--what: want one of front"),
        (["tensorboard", tmp_path / "absent"], "want the folder of a run"),
    ]:
        status, out, err = nas(*arguments)
        assert (status, out, err.count("\n")) == (2, "", 1), err
        assert message in err


def test_plot_writes_every_picture_as_png_and_svg(nas, run, tmp_path):
    status, out, _ = nas("plot", run.path, "--to", tmp_path / "pictures", "--theme", "dark")
    assert status == 0
    names = ["front", "progress", "lineage", "architecture"]
    files = [tmp_path / "pictures" / f"{name}{end}" for name in names for end in (".png", ".svg")]
    assert out.splitlines() == [str(file) for file in files]
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as image:
                assert image.width > 700
                assert image.convert("RGB").getpixel((2, 2)) == (0x15, 0x19, 0x1E)  # opaque
        else:
            assert ElementTree.parse(file).getroot().tag.endswith("svg")  # noqa: S314 - our own
    again = tmp_path / "front.svg"
    assert nas("plot", run.path, "--to", again, "--theme", "dark")[0] == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_numbers_as_people_read_them():
    assert [duration(s) for s in (7.46, 59.96, 75, 3725)] == [
        *("7.5 s", "1 min 0 s", "1 min 15 s", "1 h 2 min")
    ]
    assert sparkline([0.0, 0.5, 1.0], plain=True) == "_=#"
    assert sparkline([3.0]) == "\u2581"
    assert sparkline([]) == ""


def test_what_is_drawn_stands_out_from_the_page_in_both_themes():
    """Contrast of at least 3 (WCAG 2.2, 1.4.11), from the oldest trial to the newest."""
    from matplotlib.colors import to_rgb

    from nas.views.theme import THEMES

    def luminance(colour):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme in THEMES.values():
        page = luminance(to_rgb(theme.background))
        drawn = [*map(to_rgb, (theme.ink, theme.accent, theme.second)), *theme.ages().colors]
        for light in map(luminance, drawn):
            assert (max(page, light) + 0.05) / (min(page, light) + 0.05) >= 3, theme.name
