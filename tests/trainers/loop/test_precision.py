"""Network, data and processor alone decide the floating-point type of a training."""

from random import Random

import pytest
import torch

from search_spaces import Task, get
from trainers.loop import precision

CPU = torch.device("cpu")


def chosen(space: str, shape: tuple[int, ...], **settings: int) -> str:
    opened = get(space, **settings)
    with torch.device("meta"):
        net = opened.compile(opened.sample(Random(0)), Task(shape, 10))
    return precision.choose("auto", net, shape, CPU)


@pytest.mark.parametrize("amx", [True, False])
def test_the_cpu_has_bfloat16_where_it_was_seen_to_gain(monkeypatch, amx):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    gains = "bfloat16" if amx else "float32"
    assert chosen("nasbench201", (3, 32, 32), channels=8, cells=1) == gains
    assert chosen("nasbench201", (1, 8, 8), channels=8, cells=1) == "float32"  # few pixels
    assert chosen("nasbench201", (3, 32, 32), channels=4, cells=1) == "float32"  # few channels
    assert chosen("mobile", (3, 32, 32)) == "float32"  # depthwise
    assert chosen("mlp", (3, 32, 32)) == "float32"  # no convolutions


@pytest.mark.parametrize("wanted", ["float32", "bfloat16"])
def test_what_is_asked_for_is_what_is_done(wanted):
    assert precision.choose(wanted, torch.nn.Linear(2, 2), (2,), CPU) == wanted
    linear = torch.nn.Linear(2, 2)
    with precision.autocast(CPU, wanted):
        assert linear(torch.ones(1, 2)).dtype == getattr(torch, wanted)
