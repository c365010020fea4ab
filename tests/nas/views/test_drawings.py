"""Drawings of architectures: nothing cut, no overlap, differences to the parent marked."""

import itertools
from random import Random

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from torch import nn

import search_spaces
from nas.core.numbers import short
from nas.views.drawings import Cell, describe
from nas.views.drawings.card import PIXELS, card_figure
from nas.views.drawings.figure import architecture_figure
from nas.views.drawings.layout import layout
from nas.views.drawings.stages import total
from nas.views.drawings.text import WIDTH, lines
from nas.views.theme import DARK, LIGHT
from search_spaces import Choice, Integer, SearchSpace, Struct, Task
from tests.drawn import SPACES, task_for


@pytest.fixture(scope="module", params=SPACES)
def mutant(request):
    """Space, drawing of a mutant with its parent, and the mutant, for every space."""
    space = search_spaces.load(SPACES[request.param])
    rng = Random(3)
    parent = space.sample(rng)
    child = space.mutate(parent, rng)
    return space, describe(space, child, task_for(space), parent=parent), child


def test_the_rows_of_a_network_add_up_to_its_cost(mutant):
    space, drawing, _ = mutant
    whole = total(drawing.stages)
    assert (whole.parameters, whole.macs) == (drawing.cost.parameters, drawing.cost.macs)
    pixels = task_for(space).input_shape[1:] if space.dense else ()
    assert whole.output_shape == (10, *pixels)


def test_what_a_mutation_changed_is_told(mutant):
    _, drawing, _ = mutant
    assert drawing.changes
    told = "\n".join(lines(drawing))
    assert all(change.path in told for change in drawing.changes)


def test_a_changed_edge_of_a_cell_is_marked_and_no_other():
    space = search_spaces.load(SPACES["nasbench201"])
    parent = space.parse("resnet")
    child = space.architecture({**parent.value, "2->3": "nor_conv_1x1"})
    drawing = describe(space, child, task_for(space), parent=parent)
    (cell,) = drawing.cells
    assert [cell.dag.edges[i] for i in cell.new_edges] == [(2, 3, "nor_conv_1x1")]
    assert [str(change) for change in drawing.changes] == ["2->3: skip_connect -> nor_conv_1x1"]
    told = list(lines(drawing))
    assert "  output = skip_connect(input) + nor_conv_1x1(2)*" in told
    changed = [row.name for stage in drawing.stages for row in stage.rows if row.changed]
    assert changed == ["Cell"] * 3
    alone = describe(space, child, task_for(space))
    assert not alone.changes
    assert not alone.cells[0].new_edges
    assert not any(row.changed for stage in alone.stages for row in stage.rows)


def test_a_terminal_of_80_columns_shows_all(mutant):
    _, drawing, _ = mutant
    assert all(len(line) <= WIDTH and line.isprintable() for line in lines(drawing))


def test_nothing_in_a_picture_is_cut_or_lies_on_another_text(mutant):
    space, drawing, _ = mutant
    check_texts(architecture_figure(drawing, DARK if space.name == "darts" else LIGHT))


FEW = ("nasbench201", "darts", "mlp")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.long) for name in SPACES]
)
def test_a_card_is_as_wide_as_tensorboard_shows_it_and_nothing_in_it_is_cut(name):
    space = search_spaces.load(SPACES[name])
    parent = space.sample(Random(3))
    drawing = describe(
        space,
        space.mutate(parent, Random(4)),
        task_for(space),
        title="trial 27, 93.06% (+1.20 ± 0.40 points of accuracy to its parent, trial 21)",
        parent=parent,
    )
    figure = card_figure(drawing)
    assert round(figure.bbox.width) == PIXELS == 350
    texts = check_texts(figure)
    assert texts[:3] == [
        "trial 27, 93.06% (+1.20 ± 0.40 points of",
        "accuracy to its parent, trial 21)",
        f"{drawing.cost.parameters:,} parameters, {short(drawing.cost.macs)} MACs",
    ]
    rows = [row for stage in drawing.stages for row in stage.rows if row.parameters]
    assert {short(row.parameters) for row in rows} <= {*texts}


def check_texts(figure):
    """Check that no text of a picture is cut or lies on another; return the texts."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    texts = [t for t in figure.findobj(Text) if t.get_text() and t.get_visible()]
    texts = [t for t in texts if t.axes is None or t in t.axes.texts]
    boxes = [t.get_window_extent(renderer) for t in texts]
    assert len(boxes) > 6
    for text, box in zip(texts, boxes, strict=True):
        assert min(box.x0, box.y0) >= 0, text
        assert max(box.x1 - figure.bbox.x1, box.y1 - figure.bbox.y1) <= 0, text
    for (a, one), (b, other) in itertools.combinations(zip(texts, boxes, strict=True), 2):
        across = min(one.x1, other.x1) - max(one.x0, other.x0)
        down = min(one.y1, other.y1) - max(one.y0, other.y0)
        assert across <= 1 or down <= 2, (a, b)
    return [text.get_text() for text in texts]


@pytest.mark.parametrize("name", ["nasbench201", "nasbench101", "darts"])
def test_boxes_of_cells_never_touch_and_lines_lead_down(name):
    space = search_spaces.load(SPACES[name])
    rng = Random(name)
    for _ in range(100):
        architecture = space.sample(rng)
        for name, dag in space.cells(architecture).items():
            placed = layout(Cell(name, dag))
            for line in placed.lines:
                layers = [placed.boxes[i].layer for i in line.boxes]
                assert layers == list(range(layers[0], layers[-1] + 1))
                assert len(layers) > 1
            by_layer = sorted(placed.boxes, key=lambda box: (box.layer, box.x))
            for left, right in itertools.pairwise(by_layer):
                if left.layer == right.layer:
                    assert right.x - left.x >= (left.width + right.width) / 2
            assert min(box.x - box.width / 2 for box in placed.boxes) >= -1e-9


def build(architecture, task):
    layers = [nn.Flatten()]
    features = task.input_shape[0]
    for _ in range(architecture["depth"]):
        layers += [nn.Linear(features, architecture["width"]), nn.ReLU()]
        features = architecture["width"]
    return nn.Sequential(*layers, nn.Linear(features, task.outputs))


OWN = SearchSpace(
    name="own", tree=Struct(depth=Integer(1, 4), width=Choice(8, 16)), build=build, inputs=(1,)
)


def test_a_space_of_the_users_own_is_drawn_without_an_edit():
    drawing = describe(OWN, OWN.architecture({"depth": 3, "width": 8}), Task((5,), 2))
    rows = [row for stage in drawing.stages for row in stage.rows]
    assert [(row.times, row.inside, row.parameters) for row in rows] == [
        (1, "linear > 8, relu", 48),
        (2, "linear > 8, relu", 144),
        (1, "linear > 2", 18),
    ]
    assert "  depth 3" in list(lines(drawing))


def test_a_network_that_cannot_be_looked_into_is_drawn_by_its_decisions():
    def refuse(architecture, task):
        raise RuntimeError("only on Sundays")

    space = SearchSpace(name="own", tree=OWN.tree, build=refuse)
    drawing = describe(space, space.architecture({"depth": 3, "width": 8}), Task((1, 8, 8), 2))
    assert (drawing.stages, drawing.cost) == ((), None)
    assert "  depth 3" in list(lines(drawing))
    assert architecture_figure(drawing) is not None


DEAD = "|nor_conv_1x1~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|nor_conv_1x1~2|"


def test_dead_parts_are_grey_and_said_to_be_dead():
    space = search_spaces.get("nasbench201")
    drawing = describe(space, space.parse(DEAD), None)
    (cell,) = drawing.cells
    assert {cell.dag.edges[n][:2] for n in cell.dead_edges} == {(0, 1), (2, 3)}
    assert {cell.dag.labels[n] for n in cell.dead_vertices} == {"1", "2"}
    told = list(lines(drawing))
    assert "  output = nor_conv_3x3(input) + ~nor_conv_1x1(2)" in told
    assert sum("dead" in line for line in told) == 1
    figure = architecture_figure(drawing)
    grey = {text.get_text() for text in figure.findobj(Text) if text.get_color() == LIGHT.faint}
    assert grey == {"nor_conv_1x1", "1", "2"}
    card = {text.get_text() for text in card_figure(drawing).findobj(Text)}
    assert {"input", "output", "conv 3x3"} < card
    assert card.isdisjoint({"conv 1x1", "1", "2"})  # which has live parts alone
    live = describe(space, space.simplified(space.parse(DEAD)), None)
    assert not any("dead" in line for line in lines(live))
