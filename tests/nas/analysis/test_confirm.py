"""Races of the best trials of a search whose true scores and noise are known."""

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import nas
from nas.analysis.retraining import confirm as races
from nas.cli.main import main
from nas.confirming import limits_of
from nas.runs.control.confirmation import FILE
from nas.runs.options import read
from nas.views.terminal.confirmed import confirmed_lines
from nas.winners.from_trial import bundle_of
from search_spaces import Integer, Struct

SETTINGS = Struct(level=Integer(0, 200))


def truth(level):
    return 0.5 + level / 1000


def evaluator(noise):
    @nas.evaluator(
        metrics={"score": nas.Metric("score", "maximize", 0, 1), "cost": "minimize"},
        hyperparameters=SETTINGS,
    )
    def score(job):
        level = job.hyperparameters["level"]
        luck = Random(f"{job.seed}/{level}").gauss(0, noise)
        return {"score": truth(level) + luck, "cost": level}

    return score


def search(folder, *, noise=0.02, confirm=0.5, trials=40, objectives="score", seed=0):
    return nas.search(
        evaluator=evaluator(noise),
        objectives=objectives,
        strategy="random",
        trials=trials,
        confirm=confirm,
        seed=seed,
        out=folder,
    )


def status(arguments):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def test_the_interval_holds_and_luck_is_taken_off(tmp_path):
    """Most intervals of 20 searches have the true score; the best score is lucky."""
    held, luck, errors, picked, confirmed = 0, [], [], [], []
    for seed in range(20):
        run = search(tmp_path / str(seed), noise=0.03, seed=seed, trials=20)
        found, best = run.confirmation, run.best()
        level = run.best("recommended").hyperparameters["level"]
        held += abs(found.winner.mean - truth(level)) <= found.winner.half
        errors.append(found.winner.mean - truth(level))
        luck.append(best.scores["score"] - truth(best.hyperparameters["level"]))
        confirmed.append(truth(level))
        picked.append(truth(best.hyperparameters["level"]))
    assert held >= 18
    assert abs(sum(errors)) / 20 < 0.012  # of the winner; the luck of the best score is 0.03
    assert sum(luck) / 20 > 0.03
    assert sum(confirmed) >= sum(picked)


def test_a_race_without_noise_ends_after_two_rounds(tmp_path):
    found = search(tmp_path / "run", noise=0.0).confirmation
    best, *others = found.candidates
    assert (best.seeds, best.half) == (2, 0.0)
    assert best.mean == pytest.approx(best.found)
    assert all(each.worse and each.p == 0 and each.seeds == 2 for each in others)


def test_of_equals_the_one_that_is_better_in_the_other_objective_is_recommended(tmp_path):
    run = search(tmp_path / "run", noise=0.3, objectives="score,cost")
    found = run.confirmation
    best, winner = found.candidates[0], found.winner
    costs = {each.trial: run.trial(each.trial).scores["cost"] for each in found.candidates}
    assert costs[winner.trial] <= costs[best.trial]
    assert winner.mean <= best.mean


@pytest.mark.parametrize(
    ("trials", "share", "race"),
    [(7, 0.5, None), (8, 0.5, (2, 4)), (40, 0.15, (3, 6)), (200, 0.15, (5, 30)), (40, 0.0, None)],
)
def test_the_race_is_for_a_share_of_the_trials(tmp_path, trials, share, race):
    run = search(tmp_path / "run", trials=trials, confirm=0.0)
    found = races.Race.of(run, share)
    assert race == (found and (len(found.candidates), found.trainings))


def test_stored_trainings_are_used_and_other_trials_need_another_race(tmp_path):
    run = search(tmp_path / "run")
    (run.path / FILE).unlink()
    made = sorted((run.path / "further").iterdir())
    before = [path.read_bytes() for path in made]
    again = search(tmp_path / "run")
    assert [path.read_bytes() for path in made] == before
    assert again.confirmation.winner.mean > 0
    assert search(tmp_path / "run", trials=41, confirm=0.0).confirmation is None


def test_a_winner_is_named_where_all_other_candidates_failed(tmp_path):
    run = search(tmp_path / "run")
    found = run.confirmation
    alone = replace(found, candidates=(found.winner,))
    assert len(list(confirmed_lines(run, alone))) == 1


def test_a_damaged_confirmation_is_refused(tmp_path, capsys):
    run = search(tmp_path / "run")
    file = run.path / FILE
    fields = json.loads(file.read_text())
    file.write_text(json.dumps({**fields, "recommended": 39.5}))
    with pytest.raises(ValueError, match=r"confirmation.recommended: want .* may be removed"):
        _ = run.confirmation
    assert status(["show", str(run.path)]) == 2
    assert "may be removed" in capsys.readouterr().err


def test_an_evaluator_of_the_users_own_is_not_run_again_unasked(tmp_path):
    request = read({"evaluator": "own.py:score", "trials": 40})
    assert request.confirm_share == 0
    assert read({"trials": 40}).confirm_share == pytest.approx(0.15)
    assert limits_of(read({"trials": 26})).keep == 0  # too few trials for a race
    assert limits_of(read({"trials": 40})).keep == races.MOST
    timed = read({"budget": "100s"})
    assert timed.whole_budget.seconds == pytest.approx(85)
    assert replace(timed, confirm=0.0).whole_budget.seconds == pytest.approx(100)


def test_the_command_says_the_winner_and_exports_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = ["search", "--trials", "8", "--confirm", "0.5", "--epochs", "1", "--out", "run"]
    assert status(given) == 0
    out = capsys.readouterr()
    assert "confirming the winner: the best 2, up to 4 trainings with other seeds" in out.err
    assert "with 2 other seeds" in out.out
    assert "nas export run --select recommended" in out.out
    assert status(given) == 0  # complete: nothing is trained again
    assert "confirming" not in capsys.readouterr().err
    assert status(["report", "run", "--to", "report.html"]) == 0
    assert f"confirmed: trial {nas.open_run('run').confirmation.recommended} (" in Path(
        "report.html"
    ).read_text(encoding="utf-8")
    run = nas.open_run("run")
    winner = run.best("recommended")
    assert winner.number == run.confirmation.recommended
    assert run.weights_path(winner).exists()  # also of one that is not on the front
    confirmed = bundle_of(run, winner).metrics["confirmed"]
    assert (confirmed["metric"], confirmed["seeds"], confirmed["epochs"]) == ("accuracy", 2, 1)


def test_a_share_of_the_time_that_is_too_little_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(
        "import nas\n\n\n@nas.evaluator(metrics={'score': 'maximize'})\ndef score(job):\n    return 1.0\n"
    )
    given = ["search", "--evaluator", "own.py:score", "--space", "mlp", "--data", "digits"]
    assert status([*given, "--trials", "3", "--budget", "60s", "--confirm", "0.15"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "is not confirmed: 15% of this search are too little, about 27 whole trainings" in said
