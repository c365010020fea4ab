"""The optimisers are torch's, bit for bit; but they do not import its compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from trainers import Recipe, make_optimizer, seeded
from trainers.recipes.optimizers import set_learning_rate

RECIPES = {
    "sgd": Recipe(weight_decay=0.01),
    "sgd without nesterov": Recipe(nesterov=False),
    "sgd without momentum": Recipe(momentum=0.0),
    "adamw": Recipe(optimizer="adamw", weight_decay=0.01),
}


def network() -> nn.Module:
    with seeded(0):
        net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 5))
    return net.to(memory_format=torch.channels_last)


def torchs(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    groups = [
        {"params": [p for p in net.parameters() if p.dim() > 1]},
        {"params": [p for p in net.parameters() if p.dim() <= 1], "weight_decay": 0.0},
    ]
    shared = {"lr": recipe.learning_rate, "weight_decay": recipe.weight_decay, "fused": True}
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(groups, betas=(recipe.momentum, 0.999), **shared)
    nesterov = recipe.nesterov and recipe.momentum > 0
    return torch.optim.SGD(groups, momentum=recipe.momentum, nesterov=nesterov, **shared)


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_step_is_torchs(recipe):
    recipe = RECIPES[recipe]
    nets = network(), network()
    ours, theirs = make_optimizer(nets[0], recipe), torchs(nets[1], recipe)
    generator = torch.Generator().manual_seed(0)
    for rate in (0.3, 0.1, 0.01, 0.0):
        x = torch.randn(8, 3, 8, 8, generator=generator)
        set_learning_rate(ours, rate)
        for group in theirs.param_groups:
            group["lr"] = rate
        for net, optimizer in zip(nets, (ours, theirs), strict=True):
            optimizer.zero_grad()
            net(x).square().mean().backward()
            optimizer.step()
        for a, b in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
            assert torch.equal(a, b)
            kept = {k: v for k, v in theirs.state[b].items() if v is not None}
            assert ours.state.get(a, {}).keys() == kept.keys()


def test_what_has_no_gradient_stays_and_may_have_one_later():
    net = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    optimizer = make_optimizer(net, Recipe())
    before = net[1].weight.clone()
    net[0](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert torch.equal(net[1].weight, before)
    optimizer.zero_grad()
    assert net[0].weight.grad is None
    net[1](torch.ones(1, 2)).sum().backward()
    optimizer.step()
    assert not torch.equal(net[1].weight, before)


def test_training_does_not_import_torchs_compiler():
    program = """
import sys, torch, trainers
data = trainers.load("digits")
net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))
for epoch in trainers.train(net, data, trainers.Recipe(epochs=1, averaging=0.5), seed=0):
    assert epoch.accuracy > 0
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
