"""Search for accuracy against the energy of a prediction, on measurements of a Raspberry Pi 5.

    python scripts/accuracy_and_energy.py --table nasbench201_tasks_latency_energy.csv.gz [--trials 300 --seeds 10]

The table has accuracies of the networks of NAS-Bench-201 and the millijoules of one inference. Each
search sees the networks that it asks for; the front of the whole table is known, and the share of
its hypervolume says how much of it a search has found.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from pathlib import Path
from statistics import mean, stdev

import moocore
import numpy as np

import nas
import search_spaces
from nas.evaluators.table import Table


def main() -> None:
    """Search with each strategy and seed; print the front of the first, and shares of hypervolume."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True, help="CSV file of the measurements")
    parser.add_argument("--accuracy", default="accuracy_cifar100", help="column of accuracies")
    parser.add_argument(
        "--energy", default="energy_mj_pi5_onnx_cifar100", help="column of mJ by inference"
    )
    parser.add_argument("--strategies", nargs="+", default=["nsga2", "random"])
    parser.add_argument("--trials", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    logging.getLogger("nas").setLevel(logging.ERROR)
    space = search_spaces.get("nasbench201")
    table = Table(options.table, space, "arch")
    accuracy, energy = table.column(options.accuracy), table.column(options.energy)

    @nas.evaluator(metrics={"accuracy": "maximize", "energy_mj": "minimize"})
    def measured(job: nas.Job) -> dict[str, float]:
        row = table.row(job.architecture)
        assert row is not None, f"{options.table} has no {job.architecture}"
        return {"accuracy": accuracy[row] / 100, "energy_mj": energy[row]}

    box = float(energy.min()), float(energy.max())
    whole = hypervolume(accuracy, energy, box)
    for strategy in options.strategies:
        shares = []
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                run = nas.search(
                    space="nasbench201",
                    evaluator=measured,
                    objectives=("accuracy", "energy_mj"),
                    strategy=strategy,
                    trials=options.trials,
                    seed=seed,
                    out=Path(folder) / "run",
                )
            front = np.array([[t.scores["accuracy"], t.scores["energy_mj"]] for t in run.front])
            shares.append(hypervolume(100 * front[:, 0], front[:, 1], box) / whole)
            if strategy == options.strategies[0] and seed == 0:
                for found, spent in sorted(front.tolist(), reverse=True):
                    print(f"{found:.2%} accuracy, {spent:.3g} mJ an inference")
        spread = f" ± {stdev(shares):.2%}" if len(shares) > 1 else ""
        print(
            f"{strategy}: {mean(shares):.2%}{spread} of the hypervolume of the table after "
            f"{options.trials} trials, {len(shares)} seeds"
        )


def hypervolume(accuracies: np.ndarray, millijoules: np.ndarray, box: tuple[float, float]) -> float:
    """The hypervolume of percents and of the logarithm of millijoules, from the least to the most."""
    least, most = np.log(box)
    points = np.column_stack([-accuracies / 100, (np.log(millijoules) - least) / (most - least)])
    return float(moocore.hypervolume(points, ref=[0.0, 1.0]))


if __name__ == "__main__":
    main()
