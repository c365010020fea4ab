"""Reuse a winner: classify with it, then fine-tune it on other data.

Shows: a bundle gives back an ordinary `torch.nn.Module`; from there on it is plain PyTorch.

    python scripts/search.py && python scripts/reuse_winner.py runs/script-winner
"""

import argparse
from dataclasses import replace

import torch
from torch import nn

import nas
import trainers

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
parser.add_argument("bundle", nargs="?", default="runs/script-winner")
args = parser.parse_args()

# Classify: the test images of the data it was searched on, normalised as they were in training.
net = nas.load_bundle(args.bundle)
digits = trainers.load("digits")
images = trainers.normalise(digits.test.inputs[:8], digits.mean, digits.std)
with torch.inference_mode():
    print("predicted", net(images).argmax(dim=1).tolist())
print("labels   ", digits.test.targets[:8].tolist())
print(f"test accuracy {trainers.accuracy(net, digits.test, digits):.2%}")

# Fine-tune on other data: the same images upside down, and only "is it a 0?" to be told.
flipped = {
    name: trainers.Split(split.inputs.flip(2), (split.targets == 0).long())
    for name in ("train", "validation", "test")
    for split in [getattr(digits, name)]
}
other = replace(
    digits,
    name="upside-down zeros",
    targets=trainers.Targets(task="classification", names=("other", "0")),
    **flipped,
)
last = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)][-1]
parent, _, child = last.rpartition(".")
setattr(net.get_submodule(parent), child, nn.Linear(net.get_submodule(last).in_features, 2))
recipe = trainers.Recipe(epochs=3, learning_rate=0.05)
for epoch in trainers.train(net, other, recipe, seed=0):
    print(f"epoch {epoch.number}: validation accuracy {epoch.accuracy:.2%}")
print(f"test accuracy on {other.name}: {trainers.accuracy(net, other.test, other):.2%}")
