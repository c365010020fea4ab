"""Networks for tables: the known ones, the embeddings by their equations, columns of two kinds."""

from random import Random

import pytest
import torch

import search_spaces
from search_spaces import Task
from search_spaces.cost.measure import measure
from search_spaces.tabular.network import (
    PBLD,
    PLR,
    Fourier,
    Join,
    NumericColumns,
    RadialBasis,
    Scaling,
    Split,
    tabular,
)
from search_spaces.tabular.space import CENTERS, KERNELS, default_for

SPACE = search_spaces.get("tabular")


def test_linear_is_one_linear_layer():
    net = SPACE.compile(SPACE.parse("linear"), Task((13,), 3))
    assert [type(layer) for layer in net] == [torch.nn.Linear]
    assert sum(p.numel() for p in net.parameters()) == 13 * 3 + 3


def test_mlp_has_the_shape_of_scikit_learns_default():
    from sklearn.neural_network import MLPClassifier

    x, y = torch.randn(9, 13).numpy(), [0, 1, 2] * 3
    model = MLPClassifier().partial_fit(x, y, classes=[0, 1, 2])
    weights = sum(array.size for array in (*model.coefs_, *model.intercepts_))
    assert SPACE.cost(SPACE.parse("mlp"), Task((13,), 3)).parameters == weights


def test_realmlp():
    """Holzmüller et al., 2024: 3 layers of 256, 16 frequencies and 4 features a column."""
    embedding = 16 + 16 + 16 * 3 + 3  # of a column: frequencies, phases, weights, biases
    features = 5 * 4 + 2
    layers = sum(i * o + o for i, o in ((features, 256), (256, 256), (256, 256), (256, 10)))
    cost = SPACE.cost(SPACE.parse("realmlp"), Task((7,), 10, numeric=5))
    assert cost.parameters == 5 * embedding + features + layers


def test_narrow_and_shallow_spaces_accept_what_they_do_not_search():
    narrow = search_spaces.load("tabular:max_width=16,max_depth=1")
    assert {narrow.sample(Random(n)).value["hidden"]["width"] for n in range(50)} == {16}
    assert list(narrow.known) == ["linear", "mlp"]
    assert narrow.parse("mlp").value["hidden"]["width"] == 100
    for settings in ("max_width=8", "max_width=1000", "max_depth=0"):
        with pytest.raises(ValueError, match="want 1"):
            search_spaces.load(f"tabular:{settings}")


def test_embeddings_by_their_equations():
    x = torch.randn(6, 2)
    pbld = PBLD(2, frequencies=3, size=4)
    got = pbld(x).view(6, 2, 4)
    for n in range(2):
        waves = torch.cos(x[:, n, None] * pbld.frequency[n] + pbld.phase[n])
        wanted = torch.cat([x[:, n, None], waves @ pbld.weight[n] + pbld.bias[n]], dim=1)
        torch.testing.assert_close(got[:, n], wanted)
    plr = PLR(2, frequencies=3, size=4)
    got = plr(x).view(6, 2, 4)
    for n in range(2):
        angles = x[:, n, None] * plr.frequency[n]
        waves = torch.cat([angles.sin(), angles.cos()], dim=1)
        torch.testing.assert_close(got[:, n], torch.relu(plr.linear(waves)))


@pytest.mark.parametrize("embedding", ["pbld", "plr"])
def test_only_numeric_columns_are_embedded(embedding):
    net = tabular(
        columns=7, numeric=5, outputs=2, embedding=embedding, scaling=True, hidden=None
    ).eval()
    x = torch.randn(3, 7)
    embed, scaling, linear = net
    assert isinstance(embed, NumericColumns)
    assert isinstance(scaling, Scaling)
    embedded = embed(x)
    assert embedded.shape == (3, 5 * 4 + 2)
    assert torch.equal(embedded[:, -2:], x[:, 5:])
    scaling.factor.data[-1] = 0.0
    torch.testing.assert_close(net(x), linear(embedded * scaling.factor))
    for numeric, kinds in ((0, [Scaling]), (7, [{"pbld": PBLD, "plr": PLR}[embedding], Scaling])):
        made = tabular(
            columns=7, numeric=numeric, outputs=2, embedding=embedding, scaling=True, hidden=None
        )
        assert [type(layer) for layer in made[:-1]] == kinds


def test_random_fourier_features_approximate_a_gaussian_kernel():
    """Rahimi & Recht, 2007, Claim 1; the kernel of `sklearn.svm.SVC` on standardised columns."""
    from sklearn.metrics.pairwise import rbf_kernel

    x = torch.randn(20, 7)
    with torch.no_grad():
        features = Fourier(7, features=50_000)(x)
    wanted = torch.from_numpy(rbf_kernel(x.numpy(), gamma=1 / 7))
    torch.testing.assert_close(2 * features @ features.T / 50_000, wanted, atol=0.03, rtol=0)


def test_fourier_features_are_of_all_columns():
    net = tabular(columns=7, numeric=0, outputs=2, embedding="fourier", scaling=False, hidden=None)
    assert [type(layer) for layer in net] == [Fourier, torch.nn.Linear]
    assert net(torch.randn(3, 7)).shape == (3, 2)


@pytest.mark.parametrize("kernel", KERNELS)
def test_similarities_are_the_kernels_of_gaussian_processes(kernel):
    """Rasmussen & Williams, 2006, equations 4.9 and 4.17; a Matérn kernel has √(2ν) r for its distance."""
    from sklearn.gaussian_process.kernels import RBF, Matern

    layer = RadialBasis(7, centers=5, kernel=kernel)
    nu = {"gaussian": float("inf"), "matern": 1.5, "exponential": 0.5}[kernel]
    x, scale = torch.randn(20, 7), 0.4
    with torch.no_grad():
        layer.scale.fill_(scale)
        got = layer(x)
    known = (
        RBF(1 / (scale * 2**0.5)) if nu == float("inf") else Matern((2 * nu) ** 0.5 / scale, nu=nu)
    )
    wanted = known(x.numpy(), layer.centers.detach().numpy())
    torch.testing.assert_close(got, torch.from_numpy(wanted).float(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kernel", KERNELS)
def test_kernel_machines_are_accepted_and_not_searched(kernel):
    hidden = {"kernel": kernel, "centers": CENTERS[0]}
    machine = SPACE.architecture({"embedding": "pbld", "scaling": True, "hidden": hidden})
    task = Task((9,), 3, numeric=4)
    seen = measure(lambda: SPACE.build(machine, task), (9,))
    assert SPACE.cost(machine, task) == seen
    assert SPACE.parse(str(machine)) == machine
    rng = Random(0)
    assert all(SPACE.mutate(machine, rng) in SPACE for _ in range(30))
    assert not any("kernel" in str(SPACE.sample(rng)) for _ in range(200))


def test_an_ensemble_is_the_sum_of_its_members():
    hidden = {"depth": 2, "width": 4, "residual": True, "activation": "selu", "norm": "layer"}
    net = tabular(
        columns=3,
        numeric=3,
        outputs=2,
        embedding="none",
        scaling=False,
        hidden={**hidden, "members": 8},
    )
    split, *body, join, last = net
    assert isinstance(split, Split)
    assert isinstance(join, Join)
    assert set(split.factor.flatten().tolist()) == {-1.0, 1.0}
    x = torch.randn(5, 3)
    members = [torch.nn.Sequential(*body)(x * split.factor[m]) for m in range(8)]
    weights = last.weight.view(2, 8, 4)
    wanted = last.bias + sum(y @ weights[:, m].T for m, y in enumerate(members))
    torch.testing.assert_close(net(x), wanted)


@pytest.mark.parametrize("numeric", [0, 4, 9, None])
def test_costs_for_columns_of_two_kinds(numeric):
    task, rng = Task((9,), 3, numeric=numeric), Random(0)
    for _ in range(12):
        architecture = SPACE.sample(rng)
        seen = measure(lambda a=architecture: SPACE.build(a, task), (9,))
        assert SPACE.cost(architecture, task) == seen


def test_the_default_for_a_table_follows_its_rows():
    few, many = (search_spaces.load(default_for(rows)) for rows in (300, 100_000))
    assert few.tree.size < many.tree.size == SPACE.tree.size
