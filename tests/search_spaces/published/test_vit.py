"""Vision transformers on images of any shape, and AutoFormer's decisions."""

from random import Random

import pytest
import torch
from torch import nn

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure
from search_spaces.vit.space import plan

SPACE = search_spaces.get("vit")


@pytest.mark.parametrize(
    ("shape", "patch_16", "patch_32"),
    [
        ((3, 224, 224), (16, 196), (32, 49)),  # side in pixels, patches in the image
        ((3, 96, 100), (16, 6 * 7), (32, 3 * 4)),
        ((3, 32, 32), (3, 11 * 11), (5, 7 * 7)),
        ((2, 33, 21), (2, 17 * 11), (3, 11 * 7)),
        ((1, 8, 8), (1, 64), (2, 16)),
        ((1, 1, 1), (1, 1), (1, 1)),
    ],
)
def test_the_patch_follows_the_image(shape, patch_16, patch_32):
    for name, (side, count) in (("vit_b_16", patch_16), ("vit_b_32", patch_32)):
        architecture, task = SPACE.parse(name), Task(shape, 4)
        numbers = plan(architecture, task)
        assert (numbers.patch, numbers.patches) == (side, count)
        assert SPACE.cost(architecture, task) == measure(
            lambda a=architecture, t=task: SPACE.build(a, t), shape
        )


def test_large_patches_on_tiny_images_are_padded():
    task = Task((1, 5, 2), 4, small_images=False)
    architecture = SPACE.parse("vit_b_32")
    assert SPACE.cost(architecture, task) == measure(
        lambda: SPACE.build(architecture, task), task.input_shape
    )


def test_attention_is_that_of_torch():
    from search_spaces.vit.network import SelfAttention

    ours = SelfAttention(128, heads=2)
    theirs = nn.MultiheadAttention(128, 2, batch_first=True)
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(2, 5, 128)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0])


def test_every_block_has_decisions_of_its_own_in_autoformer():
    space = search_spaces.load("vit:per_block=true")
    architecture = space.sample(Random(0))
    assert 12 <= len(architecture["blocks"]) <= 16
    assert "blocks[3].heads" in space.flat(architecture)
    for name, known in space.known.items():
        assert space.canonical(known) == SPACE.canonical(SPACE.parse(name))
    # 3 heads on 192 features, 3.5 times as many inside: options of AutoFormer's tiny supernet.
    tiny = {"patch": 16, "width": 192, "blocks": [{"heads": 3, "ratio": 3.5}] * 13}
    cost = space.cost(space.architecture(tiny), Task((3, 224, 224), 1000))
    width, hidden = 192, 672
    block = 4 * width * width + 4 * width + 2 * width * hidden + hidden + width + 4 * width
    assert cost.parameters == 13 * block + (768 + 1 + 1 + 197 + 2) * width + 193 * 1000
