# my_space.py
from torch import nn

from search_spaces import Choice, Integer, SearchSpace, Struct


def build(architecture, task):
    layers, channels = [], task.input_shape[0]
    for _ in range(architecture["depth"]):
        layers += [nn.Conv2d(channels, architecture["width"], 3, padding=1), nn.ReLU()]
        channels = architecture["width"]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, task.classes)
    )


space = SearchSpace(
    name="my_space",
    tree=Struct(depth=Integer(1, 4), width=Choice(8, 16, 32)),
    build=build,
)
