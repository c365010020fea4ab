"""Compare schedules that adapt hyperparameters during training with those that do not.

    python scripts/adapted_settings.py digits --seeds 10 --to runs/adapted
    python scripts/adapted_settings.py digits --epochs 20 --every 2 --recipe schedule=constant

For each seed, every schedule trains the same network with the same searched hyperparameters and the same
number of epochs in all, copies included; the best trial by validation accuracy is tested once. Pairs of
the same seed are compared by Wilcoxon's signed-rank test, two-sided. A run that is there is not repeated.
"""

import argparse
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
import torch
from scipy.stats import wilcoxon

import nas
import trainers
from nas.analysis.statistics import half_width_of_mean
from nas.runs.option import parse_recipe
from trainers.checkpoints import weights

NETWORK = """fixed:mlp:{"activation":"relu","hidden":{"depth":2,"expansion":1,"width":64},"norm":"batch"}"""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("data")
parser.add_argument("--space", default=NETWORK)
parser.add_argument("--epochs", type=int, default=10, help="epochs of a whole training")
parser.add_argument("--members", type=int, default=8, help="whole trainings of a search")
parser.add_argument(
    "--every", type=int, default=1, help="epochs between comparisons of a population"
)
parser.add_argument("--seeds", type=int, default=10)
parser.add_argument("--first", type=int, default=0, help="first seed")
parser.add_argument("--tune", default="learning_rate,momentum,weight_decay,label_smoothing,dropout")
parser.add_argument("--recipe", default="", help="fixed fields, such as schedule=constant")
parser.add_argument("--schedules", default="random,asha,pbt,pb2", help="those to compare")
parser.add_argument("--to", type=Path, default=Path("runs/adapted"))
args = parser.parse_args()

SCHEDULES = {
    "random": "none",
    "asha": "asha:eta=3",
    "pbt": f"pbt:population={args.members},every={args.every}",
    "pb2": f"pb2:population={args.members},every={args.every}",
    "mfpbt": f"pbt:population={args.members},every={args.every},frequencies=1+4",
}
FIXED = parse_recipe(args.recipe, "--recipe")
names = args.schedules.split(",")


def searched(name: str, seed: int) -> nas.Run:
    """The run of one schedule with one seed."""
    return nas.search(
        space=args.space,
        data=args.data,
        strategy="random",
        schedule=SCHEDULES[name],
        tune=args.tune,
        epochs=args.epochs,
        recipe=FIXED,
        objectives=["accuracy"],
        budget=f"{args.members * args.epochs}epochs",
        seed=seed,
        out=args.to / f"{name}-{seed}",
    )


def scores(run: nas.Run, data: trainers.Dataset) -> tuple[float, float]:
    """Validation and test accuracy of the best trial, in percent."""
    best = run.best()
    net = run.space.compile(best.architecture, run.task)
    net.load_state_dict(weights.load(run.weights_path(best), best.weights_sha256))
    return 100 * best.scores["accuracy"], 100 * trainers.accuracy(net, data.test, data)


def compared(found: dict[str, np.ndarray], split: int) -> None:
    """Print the mean of each schedule, and its differences from those that do not adapt."""
    for name, values in found.items():
        column = values[:, split]
        text = f"{name:<8} {column.mean():6.2f} ± {half_width_of_mean(column) or 0:.2f}"
        for other in [each for each in ("random", "asha") if each in found]:
            difference = column - found[other][:, split]
            if difference.any():
                p = wilcoxon(difference).pvalue
                text += f"   {difference.mean():+.2f} from {other} (p {p:.3f})"
        print(text)


torch.set_num_threads(1)
data = trainers.load(args.data)
found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
for seed, name in product(range(args.first, args.first + args.seeds), names):
    start = process_time()
    run = searched(name, seed)
    found[name].append(scores(run, data))
    epochs = sum(trial.trained_epochs for trial in run.trials)
    validation, test = found[name][-1]
    seconds = process_time() - start
    print(
        f"{name}-{seed}: {len(run.trials)} trials, {epochs} epochs, {validation:.2f}, {test:.2f}, "
        f"{seconds:.0f} s",
        flush=True,
    )
arrays = {name: np.array(values) for name, values in found.items()}
for split, word in enumerate(("validation", "test")):
    print(f"\n{word} accuracy, %, mean of {args.seeds} seeds")
    compared(arrays, split)
