"""The operations on trees of decisions, as properties of random trees."""

import itertools
import json
import math
import pickle
from collections import Counter
from random import Random

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chisquare

import search_spaces
from search_spaces import Choice, Integer, Real, Record, Repeat, Struct
from search_spaces.tree.values import thaw

seeds = st.integers(0, 2**32).map(Random)


def finite_trees():
    scalars = st.lists(
        st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.sampled_from("abc")),
        min_size=1,
        max_size=4,
        unique=True,
    ).map(lambda options: Choice(*options))
    integers = st.tuples(st.integers(-4, 4), st.integers(0, 3), st.integers(1, 3)).map(
        lambda t: Integer(t[0], t[0] + t[1] * t[2], step=t[2])
    )

    def grow(children):
        structs = st.dictionaries(st.sampled_from("xyz"), children, max_size=2).map(
            lambda fields: Struct(**fields)
        )
        repeats = st.tuples(children, st.integers(0, 1), st.integers(0, 1)).map(
            lambda t: Repeat(t[0], t[1], t[1] + t[2])
        )
        tagged = st.tuples(children, children).map(
            lambda t: Choice(Struct(kind=Choice("p"), of=t[0]), Struct(kind=Choice("q"), of=t[1]))
        )
        return structs | repeats | tagged

    return st.recursive(scalars | integers, grow, max_leaves=5).filter(lambda t: t.size <= 300)


@given(finite_trees())
@settings(deadline=None)
def test_size_is_the_number_of_distinct_values(tree):
    values = list(tree)
    assert tree.size == tree.weight == len(values) == len(set(values))


@given(finite_trees(), seeds)
@settings(deadline=None)
def test_values_round_trip_through_json_and_pickle(tree, rng):
    value = tree.sample(rng)
    assert tree.check(json.loads(json.dumps(thaw(value)))) == value
    assert pickle.loads(pickle.dumps(value)) == value  # noqa: S301
    assert hash(pickle.loads(pickle.dumps(value))) == hash(value)  # noqa: S301


@given(finite_trees(), seeds)
@settings(deadline=None)
def test_mutants_are_other_values_and_keep_all_decisions_but_one(tree, rng):
    assume(tree.size > 1)
    value = tree.sample(rng)
    mutant = tree.mutate(value, rng)
    assert tree.check(mutant) == mutant != value
    before, after = tree.flat(value), tree.flat(mutant)
    changed = [p for p in before if p in after and before[p] != after[p]]
    structural = before.keys() != after.keys() or any(
        isinstance(d.node, Repeat) or any(isinstance(o, Struct) for o in d.node.options)
        for d in tree.decisions(value)
        if (d.path or "value") in changed and isinstance(d.node, Repeat | Choice)
    )
    assert structural or len(changed) == 1


@given(finite_trees(), seeds)
@settings(deadline=None, max_examples=50)
def test_decisions_are_counted_and_retaken_as_they_are_listed(tree, rng):
    value = tree.sample(rng)
    listed = list(tree.decisions(value))
    assert tree.count(value) == len(listed)
    for number, decision in enumerate(listed):
        assert tree.resample(value, number, Random(0)) == decision.resample(Random(0)) != value


@given(finite_trees(), seeds)
@settings(deadline=None, max_examples=50)
def test_neighbourhood_is_symmetric_and_distinct(tree, rng):
    value = tree.sample(rng)
    neighbours = list(tree.neighbours(value))
    assert len(neighbours) == len(set(neighbours))
    assert value not in neighbours
    for other in rng.sample(neighbours, min(5, len(neighbours))):
        assert tree.check(other) == other
        assert value in tree.neighbours(other)


@given(finite_trees(), seeds)
@settings(deadline=None)
def test_the_answers_of_a_value_build_it_again(tree, rng):
    value = tree.sample(rng)
    answers = {(d.path, d.node): d.answer for d in tree.decisions(value)}
    asked = []

    def choose(question):
        asked.append((question.path, question.node))
        return answers[question.path, question.node]

    assert tree.decide(choose) == value
    assert asked == list(answers)


@given(finite_trees())
@settings(deadline=None)
def test_the_weights_of_a_question_count_the_values_behind_each_answer(tree):
    behind = Counter()
    weights = {}
    for value in tree:
        answers = {(d.path, d.node): d.answer for d in tree.decisions(value)}
        given_so_far = ()

        def choose(question, answers=answers):
            nonlocal given_so_far
            weights[given_so_far] = list(question.weights)
            given_so_far += (answers[question.path, question.node],)
            behind[given_so_far] += 1
            return given_so_far[-1]

        tree.decide(choose)
    for answers, shares in weights.items():
        total = behind[answers] if answers else tree.size
        assert [behind[*answers, i] * sum(shares) for i in range(len(shares))] == [
            share * total for share in shares
        ]


def test_a_real_number_is_decided_by_where_it_lies():
    tree = Struct(rate=Real(0.001, 0.1, log=True), depth=Integer(2, 8, step=2))
    value = tree.decide(lambda q: 0.5 if not q.weights else len(q.weights) - 1)
    assert value == Record({"rate": 0.01, "depth": 8})
    assert [d.answer for d in tree.decisions(value)] == pytest.approx([0.5, 3])


@given(finite_trees(), seeds)
@settings(deadline=None)
def test_crossover_takes_every_shared_decision_from_a_parent(tree, rng):
    a, b = tree.sample(rng), tree.sample(rng)
    child = tree.crossover(a, b, rng)
    assert tree.check(child) == child
    assert tree.crossover(a, a, rng) == a
    of_a, of_b, of_child = map(tree.flat, (a, b, child))
    for path in of_child.keys() & of_a.keys() & of_b.keys():
        assert of_child[path] in (of_a[path], of_b[path])


@pytest.mark.parametrize(
    "tree",
    [
        Choice(1, 2, 3),
        Choice(None, Struct(kernel=Choice(3, 5), width=Integer(8, 32, step=8))),
        Repeat(Choice("a", "b", "c"), 0, 3),
        Struct(depth=Integer(1, 3), blocks=Repeat(Choice(None, Choice(1, 2)), 1, 2)),
    ],
)
def test_sampling_is_uniform_over_the_values(tree):
    rng, draws = Random(0), 300 * tree.size
    counts = Counter(tree.sample(rng) for _ in range(draws))
    observed = [counts[value] for value in tree]
    assert sum(observed) == draws
    assert chisquare(observed).pvalue > 1e-3


def test_real_numbers_stay_in_range_and_read_well():
    rate = Real(1e-4, 1.0, log=True)
    rng = Random(0)
    drawn = [rate.sample(rng) for _ in range(2000)]
    assert all(1e-4 <= x <= 1 and len(f"{x:g}") <= 9 for x in drawn)
    assert 0.4 < sum(x < 1e-2 for x in drawn) / 2000 < 0.6  # uniform in the logarithm
    assert all(rate.mutate(x, rng) != x for x in (1e-4, 1.0, 0.01))
    assert rate.size == math.inf
    assert Real(1, 2).check(1) == 1.0
    with pytest.raises(ValueError, match="finite tree"):
        iter(rate)


def test_ordinal_mutations_are_near():
    width = Integer(8, 256, step=8)
    rng = Random(0)
    steps = [abs(width.mutate(128, rng) - 128) // 8 for _ in range(1000)]
    assert min(steps) == 1
    assert sum(step <= 6 for step in steps) > 600
    assert list(width.neighbours(8)) == [16]
    assert list(width.neighbours(128)) == [120, 136]


def test_huge_trees_are_sampled_exactly():
    tree = Repeat(Struct(a=Integer(1, 1000), b=Integer(1, 1000)), 0, 400)
    assert tree.size > 10**2000
    assert tree.check(tree.sample(Random(0)))


SPACE = Struct(
    stages=Repeat(Struct(kernel=Choice(3, 5, 7), se=Choice(True, False)), 1, 3),
    head=Choice("linear", Struct(hidden=Integer(8, 64, step=8), dropout=Real(0, 0.5))),
)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            {"stages": [{"kernel": 3, "se": True}, {"kernel": 4, "se": True}], "head": "linear"},
            "stages[1].kernel: want one of 3, 5, 7, got 4",
        ),
        ({"stages": [], "head": "linear"}, "stages: want 1 to 3 items, got 0"),
        ({"stages": "abc", "head": "linear"}, "stages: want a list of 1 to 3 items, got 'abc'"),
        (
            {"stages": [{"kernel": 3, "se": 1}], "head": "linear"},
            "stages[0].se: want one of True, False, got 1",
        ),
        ({"stages": [{"kernel": 3, "se": True}]}, "got missing head"),
        ({"stages": [{"kernel": 3, "se": True}], "head": "linear", "x": 1}, "got unknown x"),
        (
            {"stages": [{"kernel": 3, "se": True}], "head": {"hidden": 9, "dropout": 0.1}},
            "head.hidden: want an integer from 8 to 64 in steps of 8, got 9",
        ),
        (
            {"stages": [{"kernel": 3, "se": True}], "head": {"hidden": 8, "dropout": 7}},
            "head.dropout: want a number from 0.0 to 0.5, got 7",
        ),
        ([], "value: want the fields stages, head, got []"),
    ],
)
def test_check_names_the_path_what_was_wanted_and_got(value, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        SPACE.check(value)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("scalars", list(itertools.permutations([1, True, 1.0], 2)))
def test_scalars_of_another_type_are_not_the_option(scalars):
    with pytest.raises(ValueError, match="want"):
        Choice(scalars[0], 7).check(scalars[1])
    with pytest.raises(ValueError, match="mistaken"):
        Choice(*scalars)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Choice(),
        lambda: Choice(1, 1),
        lambda: Choice(float("nan")),
        lambda: Choice(3, Integer(1, 5)),
        lambda: Choice(Struct(a=Choice(1, 2)), Struct(a=Choice(2, 3))),
        lambda: Choice(Repeat(Choice(1), 0, 2), Repeat(Choice(2), 0, 1)),
        lambda: Choice({1, 2}),
        lambda: Integer(3, 2),
        lambda: Integer(0, 10, step=3),
        lambda: Real(1, 1),
        lambda: Real(0, 1, log=True),
        lambda: Struct(a=3),
        lambda: Repeat(3, 0, 1),
        lambda: Repeat(Choice(1), 2, 1),
    ],
)
def test_trees_that_make_no_sense_are_refused(make):
    with pytest.raises(ValueError, match="want"):
        make()


def test_flat_view_shows_active_decisions_only():
    value = SPACE.check({"stages": [{"kernel": 3, "se": True}], "head": "linear"})
    assert SPACE.flat(value) == {
        "stages.length": 1,
        "stages[0].kernel": 3,
        "stages[0].se": True,
        "head": "linear",
    }
    other = value.replace("head", Record({"hidden": 8, "dropout": 0.25}))
    assert SPACE.flat(other)["head"] == "{hidden, dropout}"
    assert SPACE.flat(other)["head.hidden"] == 8


TAGGED = Choice(
    Struct(kind=Choice("free"), width=Integer(1, 5000), depth=Choice(1, 2)),
    Struct(kind=Choice("fixed"), depth=Choice(1, 2)),
    Struct(kind=Choice("tied"), depth=Choice(1, 2)),
)


def test_options_too_large_to_go_through_are_no_neighbours():
    of_free = list(TAGGED.neighbours(TAGGED.check({"kind": "free", "width": 7, "depth": 1})))
    assert [(n["width"], n["depth"]) for n in of_free] == [(6, 1), (8, 1), (7, 2)]
    of_fixed = list(TAGGED.neighbours(TAGGED.check({"kind": "fixed", "depth": 1})))
    assert [(n["kind"], n["depth"]) for n in of_fixed] == [("tied", 1), ("tied", 2), ("fixed", 2)]
    rng = Random(0)
    mutants = [TAGGED.mutate(of_fixed[0], rng) for _ in range(50)]
    assert "free" in {m["kind"] for m in mutants}  # a jump


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"kind": "tied", "depth": 3}, "depth: want one of 1, 2, got 3"),
        ({"kind": "free", "depth": 1, "width": 0}, "width: want an integer from 1 to 5000, got 0"),
        ({"kind": "loose", "depth": 1}, "value: want one of {kind=free, width, depth}, {"),
    ],
)
def test_check_says_what_is_wrong_in_the_option_that_was_meant(value, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        TAGGED.check(value)
    assert str(error.value).startswith(message)


WALKED = [
    Choice(*range(5)),
    Integer(2, 26, step=3),
    Repeat(Choice(1, 2, 3), 0, 3),
    Struct(a=Choice(1, 2), b=Repeat(Choice(Struct(x=Integer(0, 2)), "none"), 1, 2)),
    Choice(Struct(kind=Choice("p"), n=Choice(1, 2, 3)), Struct(kind=Choice("q")), "plain"),
]


@pytest.mark.parametrize("tree", WALKED, ids=repr)
def test_a_walk_goes_there_and_back_equally_often(tree):
    rng = Random(0)
    values = list(tree)
    moves = Counter((a, tree.walk_step(a, rng)) for a in values for _ in range(2_000))
    pairs = [(moves[a, b], moves[b, a]) for a, b in itertools.combinations(values, 2)]
    seen = [(there, back) for there, back in pairs if there + back]
    statistic = sum((there - back) ** 2 / (there + back) for there, back in seen)
    assert chi2.sf(statistic, len(seen)) > 1e-4
    reached = {values[0]}
    while more := {b for a, b in moves if a in reached} - reached:
        reached |= more
    assert reached == set(values)


@given(finite_trees(), seeds)
@settings(deadline=None)
def test_a_walk_stays_in_the_tree(tree, rng):
    value = tree.sample(rng)
    for _ in range(5):
        value = tree.walk_step(value, rng)
        assert tree.check(value) == value


TREES = {name: search_spaces.get(name).tree for name in search_spaces.SPACES} | {
    "vit per block": search_spaces.get("vit", per_block=True).tree,
    "same path twice": Choice("auto", Integer(1, 4), Choice(0.5, Real(0.6, 0.9))),
    "constant": Struct(a=Choice(1), b=Integer(2, 2), c=Repeat(Choice(1), 2, 2)),
    "in every option": Choice(
        Struct(kind=Choice("a"), inner=Choice(1, 2)), Struct(kind=Choice("b"), inner=Choice(2, 4))
    ),
    "repeated": Repeat(Struct(x=Choice(1, Repeat(Integer(1, 2), 1, 2))), 1, 3),
}


@pytest.mark.parametrize("name", TREES)
def test_all_decisions_are_those_of_sampled_values(name):
    tree, rng = TREES[name], Random(1)
    known = tree.all_decisions()
    samples = [list(tree.decisions(tree.sample(rng))) for _ in range(200)]
    for decisions in samples:
        assert all(decision.node in known[decision.path].nodes for decision in decisions)
        assert {path for path, d in known.items() if d.always} <= {d.path for d in decisions}


@given(finite_trees())
@example(TREES["in every option"])
@example(TREES["repeated"])
@example(TREES["constant"])
@example(Choice("auto", Integer(1, 4)))
def test_all_decisions_are_those_that_occur(tree):
    assume(tree.size <= 3000)
    values = [{d.path: d.node for d in tree.decisions(value)} for value in tree]
    occurring = {(d.path, d.node) for value in tree for d in tree.decisions(value)}
    known = tree.all_decisions()
    assert {(path, node) for path, d in known.items() for node in d.nodes} == occurring
    for path, decision in known.items():
        assert decision.always == all(path in active for active in values), path


def test_all_decisions_of_nasbench101_occur():
    tree, rng = TREES["nasbench101"], Random(0)
    seen = {d.path for _ in range(3000) for d in tree.decisions(_walk(tree, rng))}
    assert set(tree.all_decisions()) == seen
    assert [path for path, d in tree.all_decisions().items() if d.always] == ["vertices"]


def _walk(tree, rng):
    value = tree.sample(rng)
    for _ in range(rng.randrange(12)):
        value = tree.mutate(value, rng)
    return value
