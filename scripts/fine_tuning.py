"""Compare learning rates for fine-tuning a trained network on other data, and no fine-tuning.

For each seed, trains the network of a bundle on other data: from its own weights at several shares
of the learning rate that it was trained with, and from initial weights at that learning rate, with
as many epochs. The weights of the best epoch on validation data are tested, as `nas retrain --data` does.

    python scripts/fine_tuning.py winner other-images --epochs 10 --seeds 3
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from statistics import mean

import torch
from torch import nn

import nas
import trainers
from nas.bundles.transfer import adapted
from trainers import Dataset, Recipe

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("bundle")
parser.add_argument("data")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--shares", type=float, nargs="+", default=[0.03, 0.1, 0.3, 1.0])
args = parser.parse_args()

torch.set_num_threads(1)
bundle = nas.open_bundle(args.bundle)
space = bundle.space()
before = replace(Recipe.from_dict(bundle.metrics["recipe"]), epochs=args.epochs)


def tested(net: nn.Module, data: Dataset, share: float, seed: int) -> float:
    """Train at a share of the learning rate; the test accuracy of the epoch that validates best."""
    recipe = replace(before, learning_rate=share * before.learning_rate)
    best, weights = -1.0, {}
    for epoch in trainers.train(net, data, recipe, seed=seed):
        if epoch.accuracy > best:
            best = epoch.accuracy
            weights = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net.load_state_dict(weights)
    return trainers.accuracy(net, data.test, data)


def ways(data: Dataset, seed: int) -> Iterator[tuple[str, float]]:
    """Every way to start, and its test accuracy."""
    classes, shape = len(data.classes), data.input_shape
    for share in args.shares:
        with trainers.seeded(trainers.derive_seed(seed, "weights")):
            net = adapted(bundle, classes=classes, same_classes=False, input_shape=shape)
        yield f"its weights, {share:g} of the rate", tested(net, data, share, seed)
    with trainers.seeded(trainers.derive_seed(seed, "weights")):
        net = space.compile(bundle.architecture, bundle.task_for(classes, shape))
    yield "from scratch", tested(net, data, 1.0, seed)


results: dict[str, list[float]] = {}
for seed in range(args.seeds):
    data = trainers.load(args.data, seed=seed)
    for way, accuracy in ways(data, seed):
        results.setdefault(way, []).append(accuracy)
        print(f"seed {seed}  {way:<28} {accuracy:.2%}", flush=True)
print(
    f"\n{len(data.train)} images to train on, {args.epochs} epochs; test accuracy, mean of {args.seeds}"
)
for way, found in results.items():
    print(f"{way:<28} {mean(found):.2%}  ({min(found):.2%} to {max(found):.2%})")
