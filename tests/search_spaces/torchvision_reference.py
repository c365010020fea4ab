"""Torchvision's networks as references: equal costs, and equal logits under equal weights."""

from typing import Any
from unittest.mock import patch

import torch
import torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.regnet import BlockParams

from search_spaces import SearchSpace, Task

IMAGENET = Task((3, 224, 224), outputs=1000)


def torchvision_network(name: str, **settings: Any) -> nn.Module:
    """Build the network on the meta device, without weights."""
    design = BlockParams.from_init_params

    def design_with_numbers(**options: Any) -> BlockParams:  # RegNet computes widths with tensors
        with torch.device("cpu"):
            return design(**options)

    with torch.device("meta"), patch.object(BlockParams, "from_init_params", design_with_numbers):
        return getattr(torchvision.models, name)(**settings).eval()


def torchvision_cost(name: str, **settings: Any) -> tuple[int, int]:
    """Parameters, and MACs at 224x224."""
    net = torchvision_network(name, **settings)
    image = torch.empty(1, *IMAGENET.input_shape, device="meta")
    torch.backends.mha.set_fastpath_enabled(False)  # it would hide the attention products
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net(image)
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    assert counter.get_total_flops() % 2 == 0
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops() // 2


def assert_equal_cost(space: SearchSpace, name: str, **settings: Any) -> None:
    cost = space.cost(space.parse(name), IMAGENET)
    assert (cost.parameters, cost.macs) == torchvision_cost(name, **settings)


def assert_equal_logits(space: SearchSpace, name: str) -> None:
    """Weights and statistics are random, of a size that keeps activations of the order of one."""
    rng = torch.Generator().manual_seed(0)
    theirs = torchvision_network(name)
    with torch.device("meta"):
        ours = space.compile(space.parse(name), IMAGENET).eval()
    state = theirs.state_dict()  # with the versions of its modules, which MNASNet asks for
    for key, tensor in state.items():
        state[key] = _random(key, tensor, rng)
    theirs.load_state_dict(state, assign=True)
    own = ours.state_dict()
    assert [t.shape for t in own.values()] == [t.shape for t in state.values()]
    ours.load_state_dict(dict(zip(own, state.values(), strict=True)), assign=True)
    image = torch.randn(1, *IMAGENET.input_shape, generator=rng)
    with torch.inference_mode():
        wanted, got = theirs(image), ours(image)
    assert wanted.std() > 0.01  # not trivial: the logits depend on what is compared
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-4)


def _random(key: str, tensor: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    if not tensor.is_floating_point():
        return torch.zeros(tensor.shape, dtype=tensor.dtype)
    draw = torch.randn(tensor.shape, generator=rng)
    if key.endswith("running_var"):
        return 0.5 + torch.rand(tensor.shape, generator=rng)
    if tensor.dim() == 1 and key.endswith("weight"):  # the scale of a norm
        return 0.8 + 0.1 * draw
    if tensor.dim() == 1:
        return 0.1 * draw
    if key.endswith("layer_scale"):
        return 0.3 + 0.1 * draw
    fan_in = tensor[0].numel()
    return draw * fan_in**-0.5
