"""Once-for-All's subnets against the published numbers."""

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from torch import nn

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure

# Parameters, and MACs at 224x224 for 1000 classes, that the authors' own profiler (once-for-all,
# `ofa.utils.pytorch_utils.profile`) reports for subnets of the released supernets.
SUBNETS = json.loads((Path(__file__).parents[1] / "data" / "once_for_all.json").read_text())
SETTINGS = {
    "ofa_mbv3_d234_e346_k357_w1.0": {"base": "mobilenet_v3", "width": 1.0},
    "ofa_mbv3_d234_e346_k357_w1.2": {"base": "mobilenet_v3", "width": 1.2},
    "ofa_proxyless_d234_e346_k357_w1.3": {"base": "proxyless", "width": 1.3},
}
IMAGENET = Task((3, 224, 224), 1000)
SPACE = search_spaces.get("ofa")


def layer_macs(net, shape):
    """MACs of every convolution and linear layer, in order."""
    macs = []

    def look(module, _, y):
        weights = module.weight[0].numel() if isinstance(module, nn.Conv2d) else module.in_features
        macs.append(y.numel() * weights)

    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(look)
    net(torch.empty(1, *shape, device="meta"))
    return macs


@pytest.mark.parametrize(
    ("supernet", "subnet"),
    [(supernet, subnet) for supernet, subnets in SUBNETS.items() for subnet in subnets],
    ids=lambda value: value["label"] if isinstance(value, dict) else value,
)
def test_published_costs(supernet, subnet):
    """The profiler adds layers up in float32, so that half of its totals are rounded: so do we."""
    space = search_spaces.get("ofa", **SETTINGS[supernet])
    architecture = space.parse(json.dumps({name: subnet[name] for name in ("ks", "e", "d")}))
    cost = space.cost(architecture, IMAGENET)
    with torch.device("meta"):
        net = space.compile(architecture, IMAGENET).eval()
    assert cost.parameters == sum(p.numel() for p in net.parameters()) == subnet["params"]
    macs = layer_macs(net, IMAGENET.input_shape)
    assert cost.macs == sum(macs)
    total = np.float32(0)
    for layer in macs:
        total += np.float32(layer)
    assert int(total) == subnet["ofa_profile_macs_224"]


def test_the_space_is_as_large_as_the_paper_says():
    """Section 4.1: about 2 x 10^19."""
    assert SPACE.size == (9**2 + 9**3 + 9**4) ** 5
    assert search_spaces.get("ofa", base="proxyless").size == 9 * SPACE.size


@pytest.mark.parametrize("settings", list(SETTINGS.values())[1:])
def test_other_bases_on_small_images(settings):
    space = search_spaces.get("ofa", **settings)
    rng = Random(0)
    for shape in ((1, 8, 8), (2, 33, 21)):
        architecture = space.sample(rng)
        assert space.parse(space.format(architecture)) == architecture
        task = Task(shape, 4)
        seen = measure(lambda a=architecture, t=task: space.build(a, t), shape)
        assert space.cost(architecture, task) == seen


def test_one_number_stands_for_all_and_inactive_entries_are_ignored():
    short = SPACE.parse(
        '{"ks": 5, "e": [4, 4, 6, 6, 4, 4, 3, 3, 4, 4, 6, 3, 4, 4, 3, 6, 4, 4, 6, 6], "d": 2}'
    )
    assert short == SPACE.parse('{"ks": 5, "e": 4, "d": 2}')
    assert SPACE.flat(short)["stage1.length"] == 2
    written = json.loads(SPACE.format(short))
    assert written == {"ks": [5, 5, 3, 3] * 5, "e": [4, 4, 3, 3] * 5, "d": [2] * 5}
    assert SPACE.parse("ofa_min") == SPACE.parse('{"ks": 3, "e": 3, "d": 2}')


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("7", 'want {"ks": ..., "e": ..., "d": ...}, got'),
        ("nothing", 'want {"ks": ..., "e": ..., "d": ...}: '),
        ('{"ks": 7, "e": 6}', 'want {"ks": ..., "e": ..., "d": ...}, got'),
        ('{"ks": 4, "e": 6, "d": 4}', "ks: want 3, 5, 7, once or 20 times, got 4"),
        ('{"ks": [7, 7], "e": 6, "d": 4}', "ks: want 3, 5, 7, once or 20 times, got 2 entries"),
        ('{"ks": 7, "e": 6.0, "d": 4}', "e: want 3, 4, 6, once or 20 times, got 6.0"),
        ('{"ks": 7, "e": 6, "d": [4, 4, 4, 4, true]}', "d: want 2, 3, 4, once or 5 times, got True"),
        ('{"ks": 7, "e": 6, "d": [4, 4, 4, 4, [4]]}', "d: want 2, 3, 4, once or 5 times, got [4]"),
    ],
)  # fmt: skip
def test_bad_notation_is_refused_in_one_line(text, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        SPACE.parse(text)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


def test_other_bases_are_refused():
    with pytest.raises(
        ValueError, match="want base as one of mobilenet_v3, proxyless, got 'resnet'"
    ):
        search_spaces.get("ofa", base="resnet")
