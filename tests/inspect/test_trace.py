"""A trace keeps every value and gradient of the node function of the deep learning lecture (L3)."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import GraphError, ShapeError
from retrograd.inspect.trace import summary


@pytest.fixture
def lecture() -> dict[str, rg.Node]:
    w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
    v = x * y
    u = w + v
    return {"w": w, "x": x, "y": y, "z": z, "v": v, "u": u, "f": u * z}


def test_values_are_those_of_the_lecture(lecture):
    t = rg.trace(lecture["f"])
    assert [t.value(lecture[n]) for n in "vuf"] == [6.0, 11.0, 44.0]


def test_gradients_are_those_of_the_lecture(lecture):
    t = rg.trace(lecture["f"])
    expected = {"f": 1.0, "u": 4.0, "z": 11.0, "w": 4.0, "v": 4.0, "x": 8.0, "y": 12.0}
    assert {n: t.gradient(lecture[n]) for n in expected} == expected


def test_given_values_take_the_place_of_the_variables_own(lecture):
    t = rg.trace(lecture["f"], {lecture["w"]: 5.001})
    assert t.value(lecture["f"]) == pytest.approx(44.004, rel=1e-15)


def test_printed_it_is_a_table_in_order(lecture):
    lines = str(rg.trace(lecture["f"])).splitlines()
    assert lines[0].split() == ["node", "gate", "inputs", "value", "gradient"]
    assert lines[1].split() == ["w", "variable", "5", "4"]
    assert lines[5].split() == ["%4", "multiply", "x", "y", "6", "4"]
    assert lines[7].split() == ["%6", "multiply", "%5", "z", "44", "1"]
    assert len(lines) == 8


def test_the_pictures_carry_value_and_gradient(lecture):
    t = rg.trace(lecture["f"])
    assert '  n4 [label="×" shape=ellipse]' in t.to_dot()
    assert '  n4 -> n5 [label="6\\ngradient 4"]' in t.to_dot()
    assert '  n4 -->|"6<br/>gradient 4"| n5' in t.to_mermaid()
    assert t.to_svg().startswith("<svg")


def test_every_node_of_a_batch_is_kept_with_its_shape():
    X, W = rg.variable("X", shape=(rg.rows, 2)), rg.variable("W", np.ones((2, 3)))
    z = X @ W
    a = rg.relu(z)
    t = rg.trace(rg.sum(a), {X: [[1.0, 2.0], [-1.0, 0.0]]})
    np.testing.assert_array_equal(t.value(z), [[3.0] * 3, [-1.0] * 3])
    np.testing.assert_array_equal(t.gradient(z), [[1.0] * 3, [0.0] * 3])
    np.testing.assert_array_equal(t.gradient(W), [[1.0] * 3, [2.0] * 3])
    assert "(2, 3) -1 to 3" in str(t)


def test_the_gradient_is_zero_where_none_arrives():
    x = rg.variable("x", [1.0, -2.0])
    condition = x > 0.0
    step = rg.sign(x)
    t = rg.trace(rg.sum(rg.where(condition, x, 0.0) + step))
    np.testing.assert_array_equal(t.gradient(condition), [0.0, 0.0])
    np.testing.assert_array_equal(t.gradient(step), [1.0, 1.0])
    np.testing.assert_array_equal(t.gradient(x), [1.0, 0.0])


def test_an_output_that_is_no_scalar_is_an_error_that_says_what_to_do():
    x = rg.variable("x", [1.0, 2.0])
    with pytest.raises(ShapeError, match=r"x \(2,\) is not a scalar.*rg\.sum"):
        rg.trace(x)


def test_a_node_of_another_graph_is_an_error(lecture):
    t = rg.trace(lecture["f"])
    with pytest.raises(GraphError, match="not one of the nodes"):
        t.gradient(lecture["x"] * lecture["y"])


def test_something_that_is_no_node_is_an_error():
    with pytest.raises(GraphError, match="expected a node, got float"):
        rg.trace(1.0)


def test_a_missing_value_is_named():
    X = rg.variable("X", shape=(rg.rows, 2))
    with pytest.raises(GraphError, match="X"):
        rg.trace(rg.sum(X))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (44.0, "44"),
        (True, "1"),
        (np.zeros((0, 3)), "(0, 3) empty"),
        (np.ones((4, 3)), "(4, 3) all 1"),
        ([1.0, -2.5], "(2,) -2.5 to 1"),
        ([1.0, np.nan, np.inf], "(3,) 2 not finite"),
    ],
)
def test_a_summary_is_short(value, text):
    assert summary(value) == text


def test_variables_of_one_name_are_told_apart():
    first, second = rg.variable("w", 1.0), rg.variable("w", 2.0)
    odd = rg.variable("%2", 7.0)
    t = rg.trace(first * second * odd * 3.0 + 3.0 * odd)
    names = t.names()
    assert len({*names.values()}) == len(t.nodes)
    arrays = t.arrays()
    assert len(arrays) == 2 * len(t.nodes)
    for node, name in names.items():
        assert (arrays[name], arrays[f"d({name})"]) == (t.value(node), t.gradient(node))
    assert names[first] == "w" and names[second].startswith("w%")
