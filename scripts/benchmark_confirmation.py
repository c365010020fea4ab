"""Winners that searches confirm against those that they would pick by their best score.

    python scripts/benchmark_confirmation.py --searches 10 --seeds 10 --out runs/confirmation

Each search is the default one with another seed. The true score of a trial is the mean of trainings
with further seeds, as long as in the search. It goes on where it was stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from scipy import stats

import nas
from nas.analysis.retraining.retrained import train_again
from nas.core.trial import Trial

FIRST = 500_000  # of the further seeds: no race and no nas trust has them


def main() -> None:
    """Run the searches, train their winners, print a line for each and the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=10, help="trainings for a true score")
    parser.add_argument("--out", type=Path, default=Path("runs/confirmation"))
    options = parser.parse_args()
    held, gains, luck, shares, dead = [], [], [], [], []
    for seed in range(options.searches):
        run = nas.search(seed=seed, out=options.out / str(seed))
        found = run.confirmation
        assert found is not None, "the default search confirms its winner"
        best, winner = run.best(), run.best("recommended")
        true = _true_scores(run, [best, winner], options.seeds)
        half = found.winner.half
        assert half is not None, "two seeds at least"
        error = float(np.std(true[1], ddof=1)) / len(true[1]) ** 0.5
        held.append(abs(found.winner.mean - true[1].mean()) <= half)
        gains.append(true[1].mean() - true[0].mean())
        luck.append((best.scores["accuracy"] - true[0].mean(), found.winner.mean - true[1].mean()))
        shares.append(_seconds(run.path / "further", found.epochs) / _spent(run))
        dead.append(_dead_parameters(run, winner))
        print(
            f"seed {seed}: trial {winner.number} {found.winner.mean:.2%} ± {half:.2%}, true "
            f"{true[1].mean():.2%} ± {error:.2%}; best score: trial {best.number} "
            f"{best.scores['accuracy']:.2%}, true {true[0].mean():.2%}; {shares[-1]:.0%} of the time; "
            f"{dead[-1]:,} dead parameters",
            flush=True,
        )
    before, after = 100 * np.array(luck).T
    print(f"interval holds the true score: {sum(held)} of {len(held)}")
    print(f"printed less true score, points: best score {_text(before)}, confirmed {_text(after)}")
    print(f"true score, confirmed less best score, points: {_text(100 * np.array(gains))}")
    print(f"winners with dead parameters: {sum(map(bool, dead))} of {len(dead)}")
    print(f"time of the race, share of the search: {_text(100 * np.array(shares))} %")


def _true_scores(run: nas.Run, trials: list[Trial], seeds: int) -> list[np.ndarray]:
    networks = [(str(trial.number), trial.configuration) for trial in trials]
    both = [range(FIRST, FIRST + seeds)] * len(trials)
    (scores,), _ = train_again(run, networks, [trials[0].epochs], both)
    return [row[~np.isnan(row)] for row in scores]


def _dead_parameters(run: nas.Run, trial: Trial) -> int:
    """Number of parameters of a trial's network that cannot change its output."""
    from nas.estimators.effective import EffectiveParameters

    assert run.task is not None, "the default search trains networks"
    found = EffectiveParameters(run.space, run.task).estimate(trial.configuration)
    return int(trial.scores["parameters"] - found["effective_parameters"])


def _spent(run: nas.Run) -> float:
    return sum(trial.seconds for trial in run.trials)


def _seconds(folder: Path, epochs: int) -> float:
    """Seconds of the trainings of the race, whose seeds are the largest."""
    from nas.analysis.retraining.confirm import FIRST as RACE
    from nas.runs.journal import Journal

    files = sorted(folder.glob(f"epochs-{epochs:04d}-seed-*.jsonl"))
    race = [file for file in files if int(file.stem.rpartition("-")[2]) >= RACE]
    return sum(trial.seconds for file in race for trial in Journal(file))


def _text(values: np.ndarray) -> str:
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():+.2f} ± {half:.2f}"


if __name__ == "__main__":
    main()
