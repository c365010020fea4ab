"""Energy of trials against multiply-accumulates times epochs, and a budget of energy kept.

    python scripts/energy_ranking.py [--space nats_size --trials 5 --epochs 1 2 3 4]

A search of each number of epochs gives trials whose energy is known; the rank correlation with
multiply-accumulates times epochs is printed. Then a search has the energy of half of them as budget.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path

from scipy.stats import spearmanr

import nas
from nas.core.trial import Trial


def main() -> None:
    """Search, correlate, and search within a budget."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--space", default="nats_size")
    parser.add_argument("--trials", type=int, default=5, help="trials of each number of epochs")
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2, 3, 4])
    parser.add_argument("--max-macs", type=int, default=12_000_000)
    options = parser.parse_args()
    logging.getLogger("nas").setLevel(logging.ERROR)
    settings = {"space": options.space, "strategy": "random", "confirm": 0, "seed": 0}
    settings |= {"max_macs": options.max_macs}
    with tempfile.TemporaryDirectory() as folder:
        trials: list[Trial] = []
        for seed, epochs in enumerate(options.epochs):
            given = settings | {"recipe": {"epochs": epochs}, "seed": seed}
            run = nas.search(**given, trials=options.trials, out=Path(folder) / str(epochs))
            trials += run.trials
        work = [trial.scores["macs"] * trial.epochs for trial in trials]
        energy = [trial.measured["energy_wh"] for trial in trials]
        print(
            f"{len(trials)} trials, {min(energy) * 1000:.3g} to {max(energy) * 1000:.3g} mWh "
            f"({trials[0].measured['energy_source']}): Spearman {spearmanr(work, energy).statistic:.3f} "
            f"with MACs times epochs"
        )
        budget = sum(energy) / 2
        given = settings | {"recipe": {"epochs": max(options.epochs)}}
        run = nas.search(**given, budget=f"{1000 * budget:.6f}mWh", out=Path(folder) / "budget")
        assert run.energy is not None
        most = max(trial.measured["energy_wh"] for trial in run.trials)
        print(
            f"budget {budget * 1000:.3g} mWh: {run.ending}; {run.energy.wh * 1000:.3g} mWh, "
            f"{abs(run.energy.wh - budget) / most:.2f} of the largest of {len(run.trials)} trials away"
        )


if __name__ == "__main__":
    main()
