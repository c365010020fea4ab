"""Ablation, trust, comparison and the report, on small runs that are trained."""

import json
import re
import shutil
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from math import ceil, sqrt
from pathlib import Path

import numpy as np
import pytest

import nas
from nas.analysis import comparison
from nas.analysis.explanation.evidence import space_of
from nas.analysis.retraining import ablation, trust
from nas.analysis.retraining.further import FurtherTrainings, TrainingRequest
from nas.analysis.retraining.worth import Alternative, assess
from nas.core.configuration import Configuration
from nas.core.failure import Failure
from nas.core.metrics import METRICS, Metric
from nas.core.objectives import Objectives
from nas.runs.journal import Journal
from nas.runs.run import Run
from nas.views.html.report import write_report
from nas.views.html.reproduction import command
from nas.views.terminal import explanation as tables
from search_spaces import Architecture
from tests.nas.explained import FRAGILE, SOURCE

SPACE = str(Path(__file__).parents[3] / SOURCE)
FRAGILE_SPACE = str(Path(__file__).parents[3] / FRAGILE)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Two seeds of evolution, and a random search, of 12 trials each."""
    folder = tmp_path_factory.mktemp("runs")
    settings = {"space": SPACE, "trials": 12, "epochs": 1, "learning_rate": 0.05, "augmentation": 0}
    return {
        name: nas.search(**settings, strategy=strategy, seed=seed, out=folder / name)
        for name, strategy, seed in [
            ("a", "evolution:population=6,tournament=2", 0),
            ("b", "evolution:population=6,tournament=2", 1),
            ("c", "random", 0),
        ]
    }


@pytest.fixture
def run(runs, tmp_path):
    """A copy that a test may damage."""
    shutil.copytree(runs["a"].path, tmp_path / "run")
    return Run(tmp_path / "run", SPACE)


def chosen(run):
    """A trial whose network sees its input, so that an ablation can lower its accuracy."""
    return next(t for t in run.trials if t.architecture["sight"] != "none")


def test_changes_take_one_decision_to_every_other_option(run):
    architecture = Architecture("explained", {"sight": "full", "depth": 2, "width": 16})
    configuration = Configuration.of(architecture)
    changes = ablation.alternatives_of(space_of(run), configuration)
    assert {(c.path, c.instead, c.same) for c in changes} == {
        ("sight", "whole", True),
        ("sight", "none", False),
        ("depth", "1", False),
        ("depth", "3", False),
        ("width", "8", False),
        ("width", "32", False),
    }
    one = ablation.alternatives_of(space_of(run), configuration, one=True)
    assert [c.path for c in one if not c.same] == ["sight", "depth", "width"]


def test_an_ablation_knows_what_sight_is_worth_and_is_not_trained_twice(run):
    made = []
    found = ablation.ablate(run, chosen(run), seeds=2, progress=made.append)
    assert made
    worth = {(w.alternative.path, w.alternative.instead): w for w in found.options}
    blind = worth["sight", "none"]
    assert blind.gain > 0.2
    assert blind.gain - blind.half > 0
    assert blind.costs == {"parameters": 0}
    same = next(w for w in found.options if w.alternative.same)
    assert (same.gain, same.half) == (0, 0)
    sight = next(d for d in found.decisions if d.path == "sight")
    assert sight.gain == pytest.approx((blind.gain + same.gain) / 2)
    assert sight.gain - sight.half > 0
    again = ablation.ablate(Run(run.path, SPACE), chosen(run), seeds=2, progress=pytest.fail)
    assert again.options == found.options
    more = []
    ablation.ablate(Run(run.path, SPACE), chosen(run), seeds=3, progress=more.append)
    others = sum(not w.alternative.same for w in found.options)
    own = [ceil(seeds * sqrt(others)) for seeds in (2, 3)]
    assert (found.own_seeds, len(made)) == (own[0], 2 * others + own[0])
    assert len(more) == others + own[1] - own[0]  # only the third seed, and more of its own
    others = ablation.ablate(run, chosen(run), seeds=2, first=ablation.first_seed(1))
    for before, after in zip(
        found.decisions, sorted(others.decisions, key=_place(found)), strict=True
    ):
        assert abs(before.gain - after.gain) <= np.hypot(before.half, after.half)


@pytest.mark.parametrize("noise", [0.06, 0.03])
def test_intervals_of_worth_hold_what_is_true_though_the_network_has_noise_of_its_own(noise):
    """Coverage of 95 %, whatever effect a seed has on all networks."""
    rng, held, halves = np.random.default_rng(4), [], []
    changes = [
        Alternative(path, "a", str(i), (path, i), False) for path in "vwxyz" for i in range(4)
    ]
    true = dict(zip(changes, rng.normal(0, 0.03, 20), strict=True))
    for _ in range(60):
        luck = rng.normal(0, 0.01, 14)
        own = 0.9 + luck + rng.normal(0, noise, 14)
        others = 0.9 - np.array(list(true.values()))[:, None] + luck + rng.normal(0, 0.03, (20, 14))
        others[:, 3:] = np.nan  # which is what --ablate trains
        _, decisions = assess(own, dict(zip(changes, others, strict=True)), changes, 20 * [{}])
        for found in decisions:
            mean = np.mean([worth for change, worth in true.items() if change.path == found.path])
            held.append(abs(found.gain - mean) <= found.half)
            halves.append(found.half)
    assert 0.9 < np.mean(held) < 0.99
    assert np.mean(halves) < 2.3 * np.hypot(noise / sqrt(14), np.hypot(0.01, 0.03 / 2) / sqrt(3))


def _place(found):
    order = [d.path for d in found.decisions]
    return lambda decision: order.index(decision.path)


def wants(run, count=2):
    return [TrainingRequest(chosen(run).configuration, 1, seed) for seed in range(count)]


def test_a_further_training_that_a_kill_cut_short_is_made_again(run):
    first = FurtherTrainings(run).trials(wants(run))
    journal = run.path / "further" / "epochs-0001-seed-0001.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-40])
    assert [w.seed for w in FurtherTrainings(run).missing(wants(run))] == [1]
    again = FurtherTrainings(run).trials(wants(run))
    assert {k: t.scores for k, t in again.items()} == {k: t.scores for k, t in first.items()}
    journal.write_bytes(whole.replace(b'"accuracy"', b'"acuracy"'))
    with pytest.raises(ValueError, match="line 1: damaged: its checksum does not match"):
        FurtherTrainings(run).trials(wants(run))


def test_what_failed_for_want_of_memory_is_made_again_when_asked_and_what_diverged_is_not(run):
    short, wild = wants(run)
    first = FurtherTrainings(run).trials([short, wild])
    for want, cause in ((short, "out-of-memory"), (wild, "diverged")):
        record_failure(run, first[want.key], want, cause)
    further = FurtherTrainings(run)
    assert further.missing([short, wild]) == []  # a report trains nothing
    assert further.missing([short, wild], retry=True) == [short]
    again = further.trials([short, wild], retry=True)
    assert again[short.key].scores == first[short.key].scores
    assert again[wild.key].failure.cause == "diverged"
    assert further.missing([short, wild], retry=True) == []


def record_failure(run, trial, want, cause):
    """Record a failure of a stored training, as if it had been repeated."""
    file = run.path / "further" / f"epochs-{want.epochs:04d}-seed-{want.seed:04d}.jsonl"
    journal = Journal(file)
    costs = {name: trial.scores[name] for name in ("parameters", "macs", "peak_activation_bytes")}
    failure, number = Failure(cause, "as it was invented"), sum(1 for _ in journal)
    journal.append(replace(trial, number=number, scores=costs, failure=failure, curve=()))
    journal.close()


def test_other_data_are_refused(run):
    header = json.loads((run.path / "run.json").read_text())
    header["data"]["fingerprint"] = "0" * 16
    (run.path / "run.json").write_text(json.dumps(header))
    with pytest.raises(ValueError, match="digits has changed since the search"):
        FurtherTrainings(Run(run.path, SPACE)).trials(wants(run))


def test_trust_of_a_run_is_kept(run):
    made = []
    found = trust.trust(run, networks=3, seeds=2, longer=2, progress=made.append)
    assert len(made) == 2 * 2 * len(found.members)
    again = trust.trust(Run(run.path, SPACE), networks=3, seeds=2, longer=2, progress=pytest.fail)
    assert again == found
    assert found.epochs == (1, 2)
    if len(run.front) > 1:
        ends = [m.trial.number for m in found.members]
        assert (ends[0], ends[-1]) == (run.front[0].number, run.front[-1].number)


BOTH = Objectives.parse(("accuracy", "parameters"))


class Picked:
    """The fields of a trial that an assessment reads."""

    def __init__(self, number, accuracy, parameters):
        self.number, self.scores = number, {"accuracy": accuracy, "parameters": parameters}


def test_trust_measures_noise_luck_and_differences_that_are_known():
    rng = np.random.default_rng(0)
    true, seeds, noise = np.array([0.80, 0.80, 0.90]), 200, 0.01
    brief = true[:, None] + rng.normal(0, noise, (3, seeds))
    long = 0.05 + true[:, None] + rng.normal(0, noise, (3, seeds))
    picked = [Picked(n, true[n] + 0.02, 100 * (n + 1)) for n in range(3)]
    found = trust.assess(picked, brief, long, (1, 4), 3, BOTH)
    assert found.noise == pytest.approx((noise, noise), rel=0.1)
    assert found.luck.mean == pytest.approx(0.02, abs=0.002)
    different = {(p.better, p.worse): p.different for p in found.pairs}
    assert different[2, 0]
    assert different[2, 1]
    assert sum(different.values()) == 2  # the first two are equal
    shares = [m.on_front for m in found.members]
    assert shares[0] == shares[2] == 1  # the smallest, and the best
    assert 0 < shares[1] < 1


def test_trust_in_an_error_is_that_in_the_share_of_right_answers_turned_round():
    rng = np.random.default_rng(3)
    brief, long = (0.8 + rng.normal(0, 0.02, (4, 3)) for _ in range(2))
    picked = [Picked(n, 0.8 + 0.01 * n, 100 * (n + 1)) for n in range(4)]
    right = trust.assess(picked, brief, long, (1, 4), 4, BOTH)
    for one in picked:
        one.scores["error"] = 1 - one.scores["accuracy"]
    error = Objectives((Metric("error", "minimize", 0, 1), METRICS["parameters"]))
    wrong = trust.assess(picked, 1 - brief, 1 - long, (1, 4), 4, error)
    assert wrong.luck.mean == pytest.approx(right.luck.mean)
    assert wrong.noise == pytest.approx(right.noise)
    assert [(p.better, p.worse) for p in wrong.pairs] == [(p.better, p.worse) for p in right.pairs]
    shares = [[m.on_front for m in found.members] for found in (wrong, right)]
    assert shares[0] == pytest.approx(shares[1], abs=0.05)  # drawn anew


def test_equal_scores_have_no_noise_and_what_differs_is_different():
    long = np.array([3 * [0.82], 3 * [0.7]])
    found = trust.assess([Picked(0, 0.82, 20), Picked(1, 0.7, 10)], long, long, (1, 2), 2, BOTH)
    assert found.noise == (0, 0)
    assert (found.members[0].long.half, found.pairs[0].p) == (0, 0)


def test_what_a_seed_does_to_all_is_no_noise_between_them():
    seeds = np.array([0.0, 0.1, 0.2, 0.05])
    rng = np.random.default_rng(1)
    long = 0.7 + seeds + rng.normal(0, 0.001, (2, 4)) + np.array([[0.0], [0.02]])
    found = trust.assess([Picked(0, 0.7, 10), Picked(1, 0.72, 20)], long, long, (1, 2), 2, BOTH)
    assert found.pairs[0].different
    assert found.noise[1] > 0.05


def test_trust_without_some_trainings_says_what_is_left():
    brief = np.array([[0.6, 0.7], [np.nan, 0.8], [np.nan, np.nan]])
    long = np.array([[0.8, 0.9], [np.nan, 0.8], [np.nan, np.nan]])
    picked = [Picked(n, 0.75, n + 1) for n in range(3)]
    found = trust.assess(picked, brief, long, (1, 4), 3, BOTH)
    assert [m.brief and m.brief.mean for m in found.members] == [pytest.approx(0.65), 0.8, None]
    assert [m.on_front is None for m in found.members] == [False, False, True]
    assert [(p.better, p.worse, p.difference.mean) for p in found.pairs] == [
        (0, 1, pytest.approx(0.1))  # with the seed that both have
    ]
    assert found.luck.mean == pytest.approx(0.75 - (0.65 + 0.8) / 2)
    found = trust.assess(picked, brief, np.full((3, 2), np.nan), (1, 4), 3, BOTH)
    assert (found.pairs, found.correlation, found.noise[1]) == ([], None, None)
    assert [(m.long, m.on_front) for m in found.members] == 3 * [(None, None)]


@pytest.mark.parametrize("same", [True, False])
def test_equal_networks_are_called_different_in_one_of_twenty_at_most(same):
    """The family-wise error of all pairs, by Holm's method."""
    rng = np.random.default_rng(2)
    called = 0
    for _ in range(200):
        true = np.full(4, 0.8) if same else np.array([0.6, 0.7, 0.8, 0.9])
        long = true[:, None] + rng.normal(0, 0.01, (4, 3))
        picked = [Picked(n, true[n], n + 1) for n in range(4)]
        called += any(p.different for p in trust._pairs(picked, long))
    assert called <= 20 if same else called == 200  # 10 are expected


def test_seeds_are_one_group_with_an_interval_and_other_settings_another(runs):
    found = comparison.compare_runs(list(runs.values()))
    assert [group.seeds for group in found.groups] == [(0, 1), (0,)]
    assert found.groups[0].differs == {}
    assert found.groups[1].differs == {"strategy": "random"}
    areas = [run.hypervolume() for run in (runs["a"], runs["b"])]
    assert found.groups[0].areas[-1].mean == pytest.approx(np.mean(areas))
    assert found.groups[0].areas[-1].half is not None
    assert found.groups[1].areas[-1].half is None
    assert found.groups[1].areas[-1].mean == pytest.approx(runs["c"].hypervolume())
    for group in found.groups:
        known = [mean.mean for mean in group.sizes if mean is not None]
        assert known == sorted(known)  # more is allowed
        assert known[-1] == pytest.approx(group.best.mean)


def test_one_run_is_no_comparison(runs):
    with pytest.raises(ValueError, match="want at least two runs to compare, got 1"):
        comparison.compare_runs([runs["a"]])


@pytest.fixture(scope="module")
def page(runs, tmp_path_factory):
    """The report of a run in a folder with a hostile name."""
    folder = tmp_path_factory.mktemp("page")
    hostile = folder / "<img src=x onerror=alert(1)>"
    shutil.copytree(runs["a"].path, hostile)
    run = Run(hostile, SPACE)
    ablation.ablate(run, run.best(), seeds=3)
    write_report(run, folder / "report.html")
    return folder / "report.html"


def test_a_report_is_one_small_file_that_lets_nothing_in(page):
    html = page.read_text()
    assert page.stat().st_size < 5e6
    assert "<img src=x" not in html
    assert "&lt;img src=x" in html
    policy = re.search('http-equiv="Content-Security-Policy" content="([^"]*)"', html)[1]
    assert policy.startswith("default-src 'none';")
    for tag in ("style", "script"):
        inside = re.search(f"<{tag}>(.*?)</{tag}>", html, re.DOTALL)[1]
        assert f"'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'" in policy
    assert not re.findall(r'(?:src|href)="(?!data:image/(?:svg|png))[^"]*"', html)
    for heading in (
        "Accuracy versus parameters",
        "The winner",
        "What matters",
        "Lineage",
        "Budget",
        "Best practices",
        "Not asked: did the winner beat",
    ):
        assert heading in html
    assert "Not trained yet: nas trust" in html
    assert "± " in html.partition("What every choice of the winner is worth")[2]


@pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this system")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_opens_from_disk_without_network_and_shows_what_is_pointed_at(page, scheme):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(color_scheme=scheme, offline=True)
        opened, said, asked = context.new_page(), [], []
        opened.on("console", lambda message: said.append(message.text))
        opened.on("pageerror", lambda error: said.append(str(error)))
        opened.on("request", lambda request: asked.append(request.url))
        opened.goto(page.as_uri())
        mark = opened.locator("#front .on-front").first
        mark.hover()
        shown = opened.locator("#details").text_content()
        assert f"trial {mark.get_attribute('data-trial')}: " in shown
        assert "parameters" in shown
        opened.locator("#front .trial").first.focus()
        assert opened.locator("#details").text_content() != shown
        widths = "images => images.map(image => image.naturalWidth)"
        drawn = opened.locator("picture img").evaluate_all(widths)
        assert len(drawn) == 5  # the confusion matrix is one
        assert min(drawn) > 100
        place = mark.bounding_box()
        picture = opened.locator("picture img").first.bounding_box()
        assert 0 < place["x"] - picture["x"] < picture["width"]
        assert 0 < place["y"] - picture["y"] < picture["height"]
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert opened.evaluate(wide)
        assert said == []
        assert all(url.startswith(("file:", "data:")) for url in asked)
        browser.close()


def test_the_command_of_a_report_makes_the_same_trials(runs, tmp_path, monkeypatch, capfd):
    import shlex

    from nas.cli.main import main

    words = shlex.split(command(runs["a"]))
    words[words.index("--trials") + 1] = "3"
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main(words[1:])
    assert end.value.code == 0, capfd.readouterr().err
    again = Run(tmp_path / words[-1])
    assert [t.scores for t in again.trials] == [t.scores for t in runs["a"].trials[:3]]
    assert again.settings == runs["a"].settings


@pytest.fixture(scope="module")
def fragile(tmp_path_factory):
    """A run in which some networks diverge with every seed and some with half of the seeds."""
    settings = {"epochs": 1, "learning_rate": 0.05, "batch_size": 256, "augmentation": 0}
    out = tmp_path_factory.mktemp("fragile") / "run"
    run = nas.search(space=FRAGILE_SPACE, strategy="random", trials=24, seed=0, out=out, **settings)
    assert {str(t.architecture["nerve"]) for t in run.failures} == {"weak", "broken"}
    return run


def weak(run):
    return next(t for t in run.trials if t.completed and t.architecture["nerve"] == "weak")


def test_trainings_that_diverge_are_left_out_of_an_ablation_and_told(fragile):
    calm = next(t for t in fragile.trials if t.architecture["nerve"] == "calm")
    found = ablation.ablate(fragile, calm, seeds=4)
    worth = {w.alternative.instead: w for w in found.options if w.alternative.path == "nerve"}
    assert (worth["broken"].gain, worth["broken"].half) == (None, None)
    failed = {name: [f.seed for f in found.failed if f.network == name] for name in NERVES}
    assert failed["nerve: broken"] == [0, 1, 2, 3]
    assert 0 < len(failed["nerve: weak"]) < 4
    assert {f.failure.cause for f in found.failed} == {"diverged"}
    kept = [seed for seed in range(4) if seed not in failed["nerve: weak"]]

    def mean(configuration, seeds):
        made = FurtherTrainings(fragile).trials(
            [TrainingRequest(configuration, 1, s) for s in seeds]
        )
        return np.mean([trial.scores["accuracy"] for trial in made.values()])

    own = mean(calm.configuration, range(found.own_seeds))
    assert found.score == pytest.approx(own)
    assert worth["weak"].gain == pytest.approx(own - mean(weak_of(found), kept))
    whole = next(w for w in found.options if w.alternative.path == "width")
    assert worth["weak"].half > whole.half
    nerve = next(d for d in found.decisions if d.path == "nerve")
    assert (nerve.options, nerve.gain) == (1, worth["weak"].gain)
    assert len(tables.ablation_document(found)["failed"]) == len(found.failed)


NERVES = ("nerve: weak", "nerve: broken")


def weak_of(found):
    return next(
        w.alternative.configuration for w in found.options if w.alternative.instead == "weak"
    )


def test_commands_go_on_where_trainings_diverge_and_end_where_all_do(fragile, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    trial = weak(fragile).number
    ablated = ["explain", fragile.path, "--ablate", "--trial", trial, "--one", "--seeds"]
    for arguments in ([*ablated, 4], ["trust", fragile.path]):
        status, out, err = nas_command(capfd, *arguments, "--space", FRAGILE_SPACE)
        assert status == 0, err
        assert "diverged: training loss is nan in epoch 1" in out
        assert re.search("[0-9]+ trainings failed and are left out of all means", out)
        assert max(map(len, out.splitlines())) <= 80
    status, out, _ = nas_command(capfd, *arguments, "--space", FRAGILE_SPACE, "--json")
    failed = json.loads(out)["failed"]
    assert status == 0
    assert {one["cause"] for one in failed} == {"diverged"}
    assert set(failed[0]) == {"network", "epochs", "seed", "cause", "message"}
    broken = next(t.number for t in fragile.trials if t.architecture["nerve"] == "broken")
    hopeless = ["explain", fragile.path, "--ablate", "--trial", broken, "--one", "--seeds", 2]
    status, out, err = nas_command(capfd, *hopeless, "--space", FRAGILE_SPACE)
    assert (status, out) == (2, "")
    assert f"nas: trial {broken}: all 3 trainings of its network failed (diverged: training" in err


def test_the_page_tells_trainings_that_diverged(fragile, tmp_path):
    trust.trust(fragile)  # which the command has made, if its test came before
    write_report(fragile, tmp_path / "report.html")
    html = (tmp_path / "report.html").read_text().partition("How far to trust the front")[2]
    assert "diverged: training loss is nan in epoch 1" in html
    assert "failed and are left out of all means and intervals" in html


def nas_command(capfd, *arguments):
    from nas.cli.main import main

    with pytest.raises(SystemExit) as end:
        main([str(a) for a in arguments])
    said = capfd.readouterr()
    return end.value.code, said.out, said.err


def test_commands_print_80_columns_and_one_document(run, runs, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    for arguments in (
        ["explain", run.path, "--ablate", "--seeds", 2, "--space", SPACE],
        ["trust", run.path, "--seeds", 2, "--networks", 2, "--longer", 2, "--space", SPACE],
        ["compare", runs["a"].path, runs["c"].path],
    ):
        status, out, err = nas_command(capfd, *arguments)
        assert status == 0, err
        assert max(map(len, out.splitlines())) <= 80
        assert "…" not in out
        if arguments[0] == "trust":  # which makes again what failed for want of memory
            want = TrainingRequest(run.front[0].configuration, 1, 0)
            known = FurtherTrainings(run).trials([want])
            record_failure(run, known[want.key], want, "out-of-memory")
        status, out, _ = nas_command(capfd, *arguments, "--json")
        assert status == 0
        assert json.loads(out).get("failed", []) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["explain", "absent"], "want the folder of a run, got absent"),
        (["explain", None, "--by", "shap"], "--by: want one of model, fanova, ped-anova"),
        (["explain", None, "--top", "0"], "--top: want at least 1, got 0"),
        (["explain", None, "--one"], "--trial and --one are options of an ablation: add --ablate"),
        (["explain", None, "--ablate", "--seeds", "0"], "--seeds: want 1 to 1000, got 0"),
        (["explain", None, "--ablate", "--seed", "-1"], "--seed: want 0 to 999, got -1"),
        (["trust", None, "--networks", "1"], "--networks: want 2 to 1000, got 1"),
        (["trust", None, "--longer", "1"], "--longer: want 2 to 1000, got 1"),
        (["compare", None], "want at least two runs to compare, got 1"),
        (["report", "absent"], "want the folder of a run, got absent"),
    ],
)
def test_bad_input_is_one_line_and_status_2(runs, capfd, arguments, message):
    named = ["--space", SPACE] if arguments[0] in ("explain", "trust") else []
    arguments = [runs["a"].path if a is None else a for a in arguments]
    arguments += named
    status, out, err = nas_command(capfd, *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
