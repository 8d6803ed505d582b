"""Pictures of graphs: what is in them, and that nothing in them stands over anything else."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from functools import reduce
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import FileError, MissingDependencyError, OptionError, UnknownNameError
from retrograd.graph.node import Node
from retrograd.inspect.sweep import shares, sweep
from retrograd.pictures import layout
from retrograd.pictures.layout import bounds, place
from retrograd.pictures.picture import MOST_NODES, Picture
from retrograd.pictures.scene import LAYER, lines

SVG = "{http://www.w3.org/2000/svg}"


def node_of_the_lecture() -> Node:
    w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    return (w + x * y) * z


def random_graph(seed: int, n_gates: int) -> Node:
    rng = np.random.default_rng(seed)
    nodes = [rg.variable(f"v{i}", float(rng.normal())) for i in range(6)]
    for _ in range(n_gates):
        a, b = (nodes[i] for i in rng.integers(max(0, len(nodes) - 12), len(nodes), 2))
        nodes.append([a + b, a * b, a - b, rg.tanh(a), rg.log1p(a * a)][rng.integers(5)])
    return reduce(lambda a, b: a + b, nodes[-4:])


def words_of(picture: Picture) -> list[str]:
    return [text.text or "" for text in ET.fromstring(picture.to_svg()).iter(f"{SVG}text")]


def test_the_picture_of_the_lectures_node_has_its_gates_values_and_gradients():
    picture = rg.trace(node_of_the_lecture()).picture()
    assert sorted(box.title for box in picture.scene.boxes) == sorted("wxyz××+")
    at = {
        picture.scene.boxes[wire.source].title: (*wire.value, *wire.gradient)
        for wire in picture.scene.wires
    }
    expected = dict(w=("5", "4"), x=("3", "8"), y=("2", "12"), z=("4", "11"))
    assert at == {**expected, "+": ("11", "4"), "×": ("44", "1")}
    shown = words_of(picture)
    assert all(shown.count(word) >= 1 for word in ("w", "44", "12", "11", "×", "+"))


def test_a_value_stands_over_its_wire_and_the_gradient_under_it():
    drawing = place(rg.trace(node_of_the_lecture()).picture().scene)
    starts = {track.points[0][1] for track in drawing.tracks}
    for words in drawing.words:
        _, top, _, bottom = bounds(words)
        near = [y for y in starts if abs(y - words.y) < 10]
        assert near
        assert bottom < near[0] if words.role == "value" else top > near[0]


@pytest.mark.parametrize(("seed", "n_gates"), itertools.product(range(4), (5, 15, 40)))
def test_no_box_or_word_stands_over_another(seed: int, n_gates: int):
    f = random_graph(seed, n_gates)
    scene = rg.trace(f).picture(level="nodes").scene
    drawing = place(scene)
    spots = [
        (s.x - s.width / 2, s.y - s.height / 2, s.x + s.width / 2, s.y + s.height / 2)
        for s in drawing.shapes
    ]
    spots += [bounds(words) for words in drawing.words]
    for a, b in itertools.combinations(spots, 2):
        assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], (a, b)
    for left, top, right, bottom in spots:
        assert left >= 0 and top >= 0 and right <= drawing.width and bottom <= drawing.height


@pytest.mark.parametrize("seed", range(4))
def test_no_wire_runs_through_a_box_or_over_words(seed: int):
    drawing = place(rg.trace(random_graph(seed, 30)).picture(level="nodes").scene)
    straight = [
        (a[0], b[0], a[1])
        for track in drawing.tracks
        for a, b in itertools.pairwise(track.points)
        if a[1] == b[1]
    ]
    for start, end, y in straight:
        for s in drawing.shapes:
            if abs(s.y - y) < s.height / 2 - 1e-6:
                assert end <= s.x - s.width / 2 + s.height / 2 or start >= s.x + s.width / 2 - 19
        for words in drawing.words:
            left, top, right, bottom = bounds(words)
            assert not (top < y < bottom and start < left and right < end)


def test_every_edge_of_the_graph_is_drawn_and_long_ones_bend_around():
    f = random_graph(0, 30)
    scene = rg.picture(f, level="nodes").scene
    drawing = place(scene)
    n_edges = sum(len(wire.ends) or 1 for wire in scene.wires)
    assert len(drawing.tracks) == n_edges
    for track in drawing.tracks:
        xs = [x for x, _ in track.points]
        assert xs == sorted(xs)


def test_the_first_operand_is_the_uppermost_where_order_matters():
    x, y = rg.variable("x", 3.0), rg.variable("y", 2.0)
    for f in (x - y, y - x):
        drawing = place(rg.picture(f).scene)
        ends = {track.points[0][1]: track.points[-1][1] for track in drawing.tracks[:2]}
        heights = {s.box.title: s.y for s in drawing.shapes}
        first, second = (str(node.name) for node in f.inputs)
        assert ends[heights[first]] < ends[heights[second]]


def test_what_comes_back_from_each_use_stands_at_its_end_and_sums_to_the_gradient():
    x = rg.variable("x", 0.5)
    t = rg.trace(x * x + rg.sin(x) / x)
    found = shares(*sweep(t.output))
    assert len(found) == 4 and {node for node, _, _ in found} == {x}
    assert sum(found.values()) == pytest.approx(t.gradient(x), rel=1e-15)
    assert {"0.5", "1.76", "−1.92"} <= set(words_of(t.picture()))
    ends = next(w.ends for w in t.picture().scene.wires if len(w.ends) > 1)
    assert sorted(end.share for end in ends) == ["0.5", "0.5", "1.76", "−1.92"]


@pytest.mark.parametrize("write", [Picture.to_dot, Picture.to_mermaid])
def test_as_text_each_edge_of_a_value_with_two_uses_has_what_comes_back_from_it(write):
    w, x, y = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0).items())
    edges = write(rg.picture(rg.trace((w + x * y) * w))).splitlines()
    of_w = [line for line in edges if "gradient" in line and "16" in line]
    assert len(of_w) == 2
    assert "gradient 5 of 16" in of_w[0] and "gradient 11 of 16" in of_w[1]
    assert any("gradient 10" in line and " of " not in line for line in edges)  # x: one use


def test_a_value_with_one_use_has_no_share():
    scene = rg.trace(node_of_the_lecture()).picture().scene
    assert not any(end.share for wire in scene.wires for end in wire.ends)


def test_an_array_is_shown_by_shape_and_range():
    assert lines(np.array([[1.0, -2.0, 0.5]])) == ("(1, 3)", "−2 to 1")
    assert lines([[np.nan, 1.0]]) == ("(1, 2)", "1 not finite")
    assert lines(np.zeros((0, 2))) == ("(0, 2)", "empty")
    assert lines(-0.0) == ("0",) and lines(1e-9) == ("1e−9",)


def test_a_graph_of_more_than_60_nodes_is_folded_into_its_layers():
    network = rg.MLP([3, 4, 4, 2], activation="tanh", output="softmax")
    v = network.variables()
    a: Node = rg.variable("X", np.ones((5, 3)))
    J = rg.sum(network.forward(a, v).output)
    for _ in range(MOST_NODES):
        J = J + 1.0
    t = rg.trace(J, dict(zip(v.values(), network.parameters.values(), strict=True)))
    assert len(t.nodes) > MOST_NODES
    scene = t.picture().scene
    layers = [box for box in scene.boxes if box.kind == LAYER]
    assert [box.title for box in layers] == ["layer 1", "layer 2", "layer 3"]
    assert [p.name for p in layers[0].parts] == ["W1 (3, 4)", "b1 (4,)"]
    assert all(part.value and part.gradient for box in layers for part in box.parts)
    assert [box.title for box in scene.boxes if box.kind != LAYER] == ["X"]
    assert len(t.picture(level="nodes").scene.boxes) == len(t.nodes)
    assert t.picture().to_svg()


def test_a_chain_without_products_is_folded_by_depth():
    a: Node = rg.variable("x", 0.5)
    for k in range(80):
        a = rg.sigmoid(rg.variable(f"w{k}", 0.5) * a)
    scene = rg.trace(a).picture().scene
    assert scene.boxes[0].title == "depths 1 to 20" and len(scene.boxes) == 8
    assert sum(len(box.parts) for box in scene.boxes) == 81


def test_a_graph_of_any_length_can_be_written_and_folded():
    a: Node = rg.variable("x", 0.5)
    for _ in range(20_000):
        a = -a
    assert len(rg.picture(a, level="nodes").to_dot().splitlines()) == 2 * 20_001 + 4
    assert len(rg.picture(a).scene.boxes) == 8


def test_a_very_deep_network_shares_boxes_among_neighbours():
    scene = rg.picture(rg.MLP([2] * 61).prediction()[0], level="layers").scene
    assert 10 <= len([box for box in scene.boxes if box.kind == LAYER]) <= 24


def test_a_network_is_drawn_by_its_layers_with_their_names_and_parameters():
    network = rg.Network(
        [rg.Dense(4, 8, activation="relu"), rg.LayerNorm(8), rg.Dense(8, 3)], output="softmax"
    )
    scene = rg.picture(network).scene
    titles = ["X", "1: dense, relu", "2: layer norm", "3: dense", "output: softmax"]
    assert [box.title for box in scene.boxes] == titles
    assert [p.name for p in scene.boxes[1].parts] == ["W1 (4, 8)", "b1 (8,)"]
    assert scene.wires[0].value == ("(rows, 4)",)
    assert network._repr_svg_() == rg.picture(network).to_svg()
    assert rg.picture(network, level="nodes").scene.boxes[0].kind != LAYER


def test_the_trace_of_a_network_is_drawn_by_its_layers_with_values_and_gradients():
    network = rg.MLP([4, 8, 3], activation="tanh", output="softmax")
    X, y = np.linspace(-1, 1, 24).reshape(6, 4), [0, 1, 2, 0, 1, 2]
    t = rg.trace(network, X, y)
    scene = rg.picture(t).scene
    layers = [box for box in scene.boxes if box.kind == LAYER]
    assert [box.title for box in layers] == ["1: dense, tanh", "2: dense", "loss"]
    wire = next(w for w in scene.wires if scene.boxes[w.source].title == "1: dense, tanh")
    assert wire.value == lines(t.layer(1).a)
    assert wire.gradient == lines(t.layer(1).e, with_shape=False)
    part = layers[1].parts[0]
    assert part.name == "W2 (8, 3)"
    assert part.gradient == " ".join(lines(t.layer(2).dW, with_shape=False))
    assert t._repr_svg_() == t.picture().to_svg()
    assert len(t.picture(level="nodes").scene.boxes) > len(scene.boxes)


def test_an_estimator_and_a_table_model_are_drawn_as_their_networks():
    X, y = np.linspace(-1, 1, 24).reshape(12, 2), [0, 1] * 6
    model = rg.MLPClassifier((3,), solver="lbfgs", max_iter=500, random_state=0).fit(X, y)
    assert [box.title for box in rg.picture(model).scene.boxes] == [
        "X", "1: dense, relu", "2: dense", "output: sigmoid",
    ]  # fmt: skip


def test_svg_is_well_formed_the_same_each_time_and_names_itself():
    first, second = (rg.trace(node_of_the_lecture()).to_svg() for _ in range(2))
    assert first == second
    root = ET.fromstring(first)
    assert root.tag == f"{SVG}svg" and root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None
    width, height = float(root.get("width") or 0), float(root.get("height") or 0)
    assert root.get("viewBox") == f"0 0 {width:g} {height:g}"


def test_svg_is_the_same_in_another_process():
    code = (
        "import retrograd as rg; w, x = rg.variable('w', 2.0), rg.variable('x', 3.0);"
        "print(rg.trace(w * x + rg.tanh(w) * x / w).to_svg())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    }
    assert len(runs) == 1


def test_names_with_signs_of_xml_dot_and_mermaid_are_quoted():
    x = rg.variable('a<b>&"c"\\', 1.0)
    picture = rg.trace(x * 2.0).picture()
    assert 'a<b>&"c"\\' in words_of(picture)
    assert 'label="a<b>&\\"c\\"\\\\"' in picture.to_dot()
    assert "#quot;c#quot;" in picture.to_mermaid()


def test_the_dot_has_words_at_the_edges():
    x = rg.variable("x", 2.0)
    assert rg.trace(x * x + 1.0).to_dot().splitlines() == [
        "digraph {",
        "  rankdir=LR",
        '  n0 [label="x" shape=box]',
        '  n1 [label="×" shape=ellipse]',
        '  n2 [label="1" shape=box]',
        '  n3 [label="+" shape=ellipse]',
        '  n0 -> n1 [label="2\\ngradient 2 of 4"]',
        '  n0 -> n1 [label="2\\ngradient 2 of 4"]',
        '  n1 -> n3 [label="4\\ngradient 1"]',
        "  n2 -> n3",
        "  out3 [shape=point]",
        '  n3 -> out3 [label="5\\ngradient 1"]',
        "}",
    ]


NODE = re.compile(r'  (n|out)\d+ \[(label="([^"\\]|\\.)*" )?shape=\w+\]')
EDGE = re.compile(r'  n\d+ -> (n|out)\d+( \[label="([^"\\]|\\.)*"\])?')


@pytest.mark.parametrize(
    "name", ['a "quoted" name', "back\\slash", "two\nlines", "w[0]", "Gewicht ü", "}", "<b>", "#"]
)
def test_dot_and_mermaid_are_valid_whatever_a_variable_is_called(name: str):
    picture = rg.picture(rg.variable(name, 1.0) * 2.0)
    first, rank, *rest, last = picture.to_dot().split("\n")
    assert (first, rank, last) == ("digraph {", "  rankdir=LR", "}")
    assert all(NODE.fullmatch(line) or EDGE.fullmatch(line) for line in rest)
    assert sum(bool(NODE.fullmatch(line)) for line in rest) == 4
    rest = picture.to_mermaid().split("\n")
    assert len(rest) == 1 + 3 + 3
    assert all(line.count('"') in (0, 2) for line in rest)
    assert ET.fromstring(picture.to_svg()) is not None


def test_a_picture_is_saved_in_the_format_of_its_suffix(tmp_path: Path):
    picture = rg.picture(node_of_the_lecture())
    starts = {"a.svg": "<svg", "a.dot": "digraph", "a.mmd": "flowchart", "a.GV": "digraph"}
    for name, start in starts.items():
        picture.save(tmp_path / name)
        assert (tmp_path / name).read_text("utf-8").startswith(start)
    with pytest.raises(OptionError, match=r"suffix is one of \.svg, \.dot"):
        picture.save(tmp_path / "a.png")
    with pytest.raises(FileError):
        picture.save(tmp_path / "nowhere" / "a.svg")


def test_without_the_library_dot_is_written_and_svg_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(layout, "is_available", lambda: False)
    picture = rg.picture(node_of_the_lecture())
    assert picture.to_dot() and picture._repr_svg_() is None
    with pytest.raises(MissingDependencyError, match=r"retrograd\[pictures\]"):
        picture.to_svg()


def test_a_picture_of_one_variable_and_of_two_graphs_apart_can_be_drawn():
    x, y = rg.variable("x", 1.0), rg.variable("y", 2.0)
    assert words_of(rg.picture(x)) == ["x"]
    assert words_of(rg.picture([rg.sin(x), rg.cos(y), rg.constant(3.0)])) == [
        "x", "y", "sin", "cos", "3",
    ]  # fmt: skip


def test_the_picture_of_an_ensemble_says_what_to_give():
    X = np.random.default_rng(0).normal(size=(20, 2))
    ensemble = rg.MLPEnsembleRegressor(2, hidden_layer_sizes=(2,), tol=1e9, max_iter=50)
    ensemble.fit(X, X[:, 0])
    with pytest.raises(OptionError, match="give one of its members, estimators_"):
        rg.picture(ensemble)


def test_what_has_no_graph_and_an_unknown_level_are_typed_errors():
    with pytest.raises(OptionError, match="expected a node, a trace, a network"):
        rg.picture([1.0, 2.0])
    with pytest.raises(UnknownNameError, match="known: auto, layers, nodes"):
        rg.picture(node_of_the_lecture(), level="gates")


def test_a_notebook_shows_traces_networks_and_pictures():
    t = rg.trace(node_of_the_lecture())
    for shown in (t._repr_svg_(), t.picture()._repr_svg_(), rg.MLP([2, 3, 1])._repr_svg_()):
        assert shown is not None and re.match(r"<svg xmlns", shown)


def two_ends() -> tuple[rg.Network, dict[str, np.ndarray], dict[str, np.ndarray]]:
    network = rg.Network(
        [
            rg.Inputs({"geometry": [rg.Dense(3, 4, "tanh")], "time": 1}),
            rg.Dense(5, 4, "tanh"),
            rg.Heads({"power": [rg.Dense(4, 1)], "kind": [rg.Dense(4, 2)]}),
        ],
        output={"kind": "softmax"},
    )
    X = {"geometry": np.linspace(-1, 1, 18).reshape(6, 3), "time": np.linspace(0, 2, 6)}
    return network, X, {"power": np.ones(6), "kind": np.array([0, 1] * 3)}


def test_each_named_input_has_a_box_and_each_head_its_name_over_its_wire():
    network, X, Y = two_ends()
    for scene in (rg.picture(network).scene, rg.picture(rg.trace(network, X, Y)).scene):
        titles = [box.title for box in scene.boxes]
        wires = {scene.boxes[wire.source].title: wire for wire in scene.wires}
        assert {"geometry", "time"} < set(titles) and not {"x", "X"} & set(titles)
        first = titles.index("1: inputs, tanh")
        assert [end.box for end in wires["geometry"].ends] == [first]
        assert [end.box for end in wires["time"].ends] == [first]
        heads = [w.value[0] for w in scene.wires if scene.boxes[w.source].title == "3: heads"]
        assert heads == ["power", "kind"]
    assert lines(X["geometry"]) == wires["geometry"].value
    assert wires["geometry"].gradient


@pytest.mark.parametrize("width", [368, 1000, 1800])
def test_a_picture_goes_on_in_further_rows_where_it_would_be_wider(width: int):
    network, X, Y = two_ends()
    for picture in (rg.picture(rg.trace(network, X, Y)), rg.picture(rg.MLP([3] + [8] * 70 + [1]))):
        root = ET.fromstring(picture.to_svg(width=width))
        assert float(root.get("width") or 0) <= width
        words = [text.text for text in root.iter(f"{SVG}text")]
        for box in picture.scene.boxes:
            assert words.count(box.title) >= 1
            assert all(part.name in words for part in box.parts)
        y = 0.0
        for row in root.findall(f"{SVG}svg"):  # one below the other, each as it is cut out
            assert float(row.get("y") or 0) == pytest.approx(y, abs=0.11)
            y += float(row.get("height") or 0)
            left, top, across, down = map(float, (row.get("viewBox") or "").split())
            for text in row.iter(f"{SVG}text"):
                assert left <= float(text.get("x") or 0) <= left + across
                assert top <= float(text.get("y") or 0) <= top + down
        assert y <= float(root.get("height") or 0) + 1
    assert len(root.findall(f"{SVG}svg")) > 5


@pytest.mark.parametrize("name", ["a\x07b", "a\x00b", "a\ud800b", "a\ufffeb", "a\nb", "<a>&'\""])
def test_a_name_with_signs_that_no_file_can_hold_is_drawn_without_them(name: str, tmp_path: Path):
    w = rg.variable(name, 2.0)
    picture = rg.trace(w * w).picture()
    words = [element.text for element in ET.fromstring(picture.to_svg()).iter() if element.text]
    kept = "".join(c if c in "\n<>&'\"" or c.isprintable() else "\ufffd" for c in name)
    assert kept in words
    for suffix in ("svg", "dot", "mmd"):
        picture.save(tmp_path / f"graph.{suffix}")
    assert "\ufffd" in picture.to_dot() or kept == name
    assert "<a>" not in picture.to_mermaid()
