"""A search space of your own, in one file, searched on digits.

Shows: a space is a tree of decisions and a function that builds a network. Sampling, mutation,
exact costs, limits, resuming and TensorBoard come for free. The command line takes it too:

    python scripts/own_space.py [--trials 15]
    nas search --space scripts/own_space.py:space --max-params 20000
"""

import argparse

from torch import nn

import nas
from search_spaces import Choice, Integer, SearchSpace, Struct

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU}


def build(architecture, task):
    """Blocks of convolutions that keep the resolution, then average and classify."""
    layers, channels = [], task.input_shape[0]
    for _ in range(architecture["depth"]):
        width, kernel = architecture["width"], architecture["kernel"]
        layers.append(nn.Conv2d(channels, width, kernel, padding="same", bias=False))
        layers.append(nn.BatchNorm2d(width))
        layers.append(ACTIVATIONS[architecture["activation"]]())
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, task.outputs)]
    return nn.Sequential(*layers, *head)


space = SearchSpace(
    name="plain",
    tree=Struct(
        depth=Integer(1, 5),
        width=Integer(8, 32, step=8),
        kernel=Choice(1, 3, 5),
        activation=Choice("relu", "gelu"),
    ),
    build=build,
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=15)
    trials = parser.parse_args().trials
    run = nas.search(
        space=f"{__file__}:space", trials=trials, max_params=20_000, out="runs/own-space"
    )
    print(f"{space.size} architectures; the front of {len(run.trials)} trials:")
    for trial in run.front:
        scores = trial.scores
        print(f"{scores['accuracy']:.2%}  {scores['parameters']:>7,}  {trial.architecture}")
