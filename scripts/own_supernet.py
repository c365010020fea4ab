"""A search space of your own with a supernet, in one file, searched on digits.

Shows: a decorator says which modules mean the same in all networks; then one training serves them all, and
a trial is a forward pass. The command line takes it too:

    python scripts/own_supernet.py [--epochs 30] [--trials 100]
    nas search --space scripts/own_supernet.py:space --evaluator supernet:sampling=sandwich,epochs=30 --data digits
"""

import argparse

from torch import nn

import nas
from search_spaces import Choice, Integer, SearchSpace, Struct, shares


def keys(architecture):
    """A block of each number and kernel has weights of its own; of narrow ones, the first channels."""
    depth, kernel = architecture["depth"], architecture["kernel"]
    blocks = {str(number): f"block {number} {kernel}x{kernel}" for number in range(depth)}
    return {**blocks, str(depth + 2): "classifier"}  # after pooling


@shares(keys)
def build(architecture, task):
    """Blocks of convolutions that keep the resolution, then average and classify."""
    blocks, channels = [], task.input_shape[0]
    for _ in range(architecture["depth"]):
        width, kernel = architecture["width"], architecture["kernel"]
        convolution = nn.Conv2d(channels, width, kernel, padding="same", bias=False)
        blocks.append(nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU()))
        channels = width
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, task.outputs)]
    return nn.Sequential(*blocks, *head)


space = SearchSpace(
    name="plain",
    tree=Struct(depth=Integer(1, 5), width=Integer(8, 32, step=8), kernel=Choice(1, 3, 5)),
    build=build,
)

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--trials", type=int, default=60)
    given = parser.parse_args()
    run = nas.search(
        space=f"{__file__}:space",
        data="digits",
        evaluator=f"supernet:sampling=sandwich,epochs={given.epochs},trust=0",
        trials=given.trials,
        out="runs/own-supernet",
    )
    print(f"{space.size} architectures; the front of {len(run.trials)} trials:")
    for trial in run.front:
        scores = trial.scores
        print(
            f"{scores['supernet_accuracy']:.2%}  {scores['parameters']:>7,}  {trial.architecture}"
        )
