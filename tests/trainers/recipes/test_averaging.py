"""The average follows the weights, and they meet every few steps and at the end of an epoch."""

import torch
from torch import nn

from trainers.recipes.averaging import EVERY, Average


def moved(net: nn.Linear, average: Average, steps: int) -> None:
    for _ in range(steps):
        with torch.no_grad():
            net.weight += 1.0
        average.follow()


def test_they_meet_where_the_formula_says():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(0.0)
    average = Average(net, 0.9, steps=2 * EVERY)
    moved(net, average, EVERY)
    kept = 0.9**EVERY * 0.5**3  # Jordan, §3.4: the cube of the share of the steps that are done
    torch.testing.assert_close(net.weight.item(), (1 - kept) * EVERY, rtol=1e-6, atol=0)
    before = net.weight.item()
    moved(net, average, EVERY)
    expected = 0.9**EVERY * before + (1 - 0.9**EVERY) * (before + EVERY)
    torch.testing.assert_close(net.weight.item(), expected, rtol=1e-6, atol=0)


def test_a_pause_at_a_meeting_changes_nothing():
    whole, parts = (nn.Linear(1, 1, bias=False) for _ in range(2))
    for net in (whole, parts):
        net.weight.data.fill_(0.0)
    average = Average(whole, 0.9, steps=14)
    moved(whole, average, 7)
    average.synchronise()
    moved(whole, average, 7)
    average.synchronise()
    for done in (0, 7):
        average = Average(parts, 0.9, steps=14, done=done)
        moved(parts, average, 7)
        average.synchronise()
    assert torch.equal(whole.weight, parts.weight)


def test_without_memory_nothing_is_averaged():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(0.0)
    average = Average(net, 0.0, steps=10)
    moved(net, average, 10)
    average.synchronise()
    assert net.weight.item() == 10
