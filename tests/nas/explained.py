"""A small space whose choices are worth something, and runs in it."""

from torch import nn

from search_spaces import Choice, Integer, SearchSpace, Struct

SOURCE = "tests/nas/explained.py:space"


class Blind(nn.Module):
    """Sees nothing: whatever comes after it can only guess."""

    def forward(self, x):
        return 0 * x


def build(architecture, task):
    pixels = task.input_shape[0] * task.input_shape[1] * task.input_shape[2]
    sight = Blind() if architecture["sight"] == "none" else nn.Identity()
    layers, width = [nn.Flatten(), sight], pixels
    for _ in range(architecture["depth"]):
        layers += [nn.Linear(width, architecture["width"]), nn.ReLU()]
        width = architecture["width"]
    return nn.Sequential(*layers, nn.Linear(width, task.classes))


space = SearchSpace(
    name="explained",
    tree=Struct(
        sight=Choice("full", "whole", "none"), depth=Integer(1, 3), width=Choice(8, 16, 32)
    ),
    build=build,
    canonical_form=lambda a: (a["sight"] == "none", a["depth"], a["width"]),  # full is whole
)
