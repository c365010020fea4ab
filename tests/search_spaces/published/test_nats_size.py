"""NATS-Bench's size space against NAS-Bench-201, whose costs are checked against published ones."""

from random import Random

import pytest
import torch

import search_spaces
from search_spaces import Task
from search_spaces.nats_size.space import CELL

SPACE = search_spaces.get("nats_size")


def test_every_choice_of_the_paper():
    assert SPACE.size == 32_768
    assert SPACE.format(SPACE.parse("64:8:16:56:32")) == "64:8:16:56:32"
    assert str(SPACE.known["widest"]) == (
        'nats_size:{"layer1":64,"layer2":64,"layer3":64,"layer4":64,"layer5":64}'
    )


@pytest.mark.parametrize(
    "text", ["64:64:64:64", "64:64:64:64:64:64", "64:64:64:64:12", "8:8:8:8:-8", "0:8:8:8:8", "a"]
)
def test_other_text_is_refused_in_one_line(text):
    with pytest.raises(ValueError, match="want") as error:
        SPACE.parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("channels", [8, 16])
def test_doubling_channels_is_the_network_of_the_topology_space(channels):
    """Same costs, and the same logits after copying the weights across in order."""
    topology = search_spaces.get("nasbench201", channels=channels, cells=1)
    sizes = (channels, 2 * channels, 2 * channels, 4 * channels, 4 * channels)
    sized, cell = SPACE.parse(":".join(map(str, sizes))), topology.parse(CELL)
    task = Task((3, 32, 32), 10)
    assert SPACE.cost(sized, task) == topology.cost(cell, task)
    ours, theirs = SPACE.compile(sized, task).eval(), topology.compile(cell, task).eval()
    mine = dict(ours.state_dict())
    values = iter(theirs.state_dict().values())
    ours.load_state_dict({name: next(values) for name in mine})
    x = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(ours(x), theirs(x), atol=1e-5)


def test_more_channels_cost_more():
    task = Task((3, 32, 32), 10)
    rng = Random(0)
    for _ in range(50):
        architecture = SPACE.sample(rng)
        cost = SPACE.cost(architecture, task)
        for neighbour in SPACE.neighbours(architecture):
            other = SPACE.cost(neighbour, task)
            grown = sum(neighbour.value.values()) > sum(architecture.value.values())
            assert (other.macs > cost.macs) == grown
