"""Walking graphs of any depth, and what a walk tells."""

import time

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ShapeError
from retrograd.graph.order import dependents, flops, order, rebuild, variables
from retrograd.graph.text import as_text

x, y = rg.variable("x", 2.0), rg.variable("y", 3.0)


def test_inputs_come_before_what_uses_them_and_each_node_once():
    a = x * y
    b = rg.exp(a) + a
    nodes = order([b, a])
    assert len(nodes) == len(set(nodes)) == 5
    assert all(nodes.index(i) < nodes.index(node) for node in nodes for i in node.inputs)


def test_what_an_output_does_not_need_is_left_out():
    unused = rg.exp(y)
    assert unused not in order([x * 2.0])
    assert variables([x * y + x]) == [x, y]
    assert order([]) == []


def test_dependents_are_the_sources_and_all_that_uses_them():
    a, b = x * 2.0, y * 2.0
    c = a + b
    assert dependents(order([c]), [x]) == {x, a, c}


def test_flops_count_a_shared_node_once():
    big = rg.variable("w", np.ones((10, 20)))
    h = rg.variable("h", shape=(rg.rows, 10)) @ big
    assert flops([h], n_rows=7) == 2 * 7 * 10 * 20
    assert flops([h + h], n_rows=7) == 2 * 7 * 10 * 20 + 7 * 20
    assert flops([h, h + h, rg.reshape(h, (rg.rows, 4, 5))], n_rows=7) == flops([h + h], n_rows=7)


def test_rebuild_replaces_a_node_and_shares_what_does_not_depend_on_it():
    kept = rg.exp(y)
    f = rg.tanh(x * 2.0) + kept
    z = rg.variable("z", 0.5)
    (g,) = rebuild([f], {x: z})
    assert rg.evaluate(g) == np.tanh(1.0) + np.exp(3.0)
    assert kept in order([g])
    assert x not in order([g])
    assert rebuild([kept], {x: z}) == [kept]


def test_rebuild_can_change_the_shape_and_the_dtype():
    f = rg.where(y > 1.0, rg.exp(x) * 3.0, x)
    (g,) = rebuild([f], {x: rg.variable("z", [1.0 + 1j, 2.0])})
    assert g.dtype == complex
    np.testing.assert_allclose(rg.evaluate(g), 3 * np.exp([1.0 + 1j, 2.0]))
    with pytest.raises(ShapeError, match="sizes 2 and 3 differ"):
        rebuild([x * y], {x: rg.constant([1.0, 2.0]), y: rg.constant([1.0, 2.0, 3.0])})


def test_rebuild_may_make_other_gates():
    def doubled(node, inputs):
        return rg.multiply(*inputs) * 2.0

    (g,) = rebuild([x * y], {x: rg.constant(5.0)}, make=doubled)
    assert rg.evaluate(g) == 30.0


def test_a_chain_of_a_hundred_thousand_gates_is_built_differentiated_run_shown_and_deleted():
    start, n = time.perf_counter(), 100_000
    node = x
    for _ in range(n):
        node = -node
    slope = rg.gradient(node, x)
    assert rg.evaluate([node, slope]) == [2.0, 1.0]
    assert repr(node) == "<negative () float64>"
    assert len(as_text([node]).splitlines()) == n + 1
    (again,) = rebuild([node], {x: y})
    assert len(order([again])) == n + 1
    assert flops([node]) == n
    del node, slope, again  # freed without recursion
    assert time.perf_counter() - start < 60
