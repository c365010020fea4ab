"""Cost of the proposals of `predictor` with zero-cost proxies, beside that of the trials.

    python scripts/benchmark_proposals.py [--trials 12] [--epochs 12] [--seed 0] [--space NAME] [--json]

Searches of the built-in training on data that ship, over five spaces, with `predictor:proxies=auto`. Both
are CPU seconds of this process, on one thread: those inside `ask` (the proxies of candidates among them),
and all others.

Aim: proposals below 5 % of the trials.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import torch
from sklearn.datasets import load_breast_cancer

from nas.core.budgets.budget import Budget
from nas.core.proposal import Proposal
from nas.engine.session import Session
from nas.runs.settings import Settings
from nas.strategies.predictor import Predictor

SPACES: dict[str, dict[str, Any]] = {
    "nasbench201:channels=8,cells=1": {},
    "darts:channels=4,layers=3": {},
    "resnet": {},
    "mobile": {},
    "mlp": {"data": "breast_cancer"},
}


class Timed(Predictor):
    """The strategy with the CPU seconds of its proposals."""

    spent = 0.0
    asked = 0

    def ask(self, rng: Random) -> Proposal:
        """Propose, and add the time."""
        start = process_time()
        try:
            return super().ask(rng)
        finally:
            Timed.spent += process_time() - start
            Timed.asked += 1


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=12, help="of a trial")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--space", action="append", choices=[*SPACES])
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print(f"{'space':<32}{'a proposal':>12}{'a trial':>10}{'share':>8}{'measured':>10}")
    for space in arguments.space or SPACES:
        r = search(space, arguments.seed, arguments.trials, arguments.epochs)
        rows.append(r)
        print(
            f"{space:<32}{r['proposal']:>11.3f}s{r['trial']:>9.2f}s{r['share']:>8.1%}"
            f"{r['measured']:>10.1f}",
            flush=True,
        )
    if arguments.json:
        print(json.dumps(rows, indent=2))


def search(space: str, seed: int, trials: int, epochs: int) -> dict[str, Any]:
    """One search: CPU seconds of a proposal and of a trial, and networks measured for a proposal."""
    objects: dict[str, Any] = {"strategy": lambda *given: Timed(*given, proxies="auto")}
    settings: dict[str, Any] = {"space": space, "seed": seed, "strategy": "object:strategy"}
    settings["recipe"] = {"epochs": epochs}
    if "data" in SPACES[space]:
        data = load_breast_cancer()
        objects["data"] = (data.data.astype("float32"), data.target)
        settings["data"] = "object:data"
    Timed.spent, Timed.asked = 0.0, 0
    with TemporaryDirectory() as folder:
        session = Session(Settings(**settings), Path(folder) / "run", objects=objects)
        start = process_time()
        for _ in session.run(Budget(trials=trials)):
            pass
        took = process_time() - start - Timed.spent
        measured = len((Path(folder) / "run" / "proxies.jsonl").read_text().splitlines())
    return {
        "space": space,
        "proposal": Timed.spent / Timed.asked,
        "trial": took / trials,
        "share": Timed.spent / took,
        "measured": measured / Timed.asked,
    }


if __name__ == "__main__":
    main()
