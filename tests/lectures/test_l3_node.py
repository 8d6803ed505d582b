"""L3: backpropagation inside a node, f = (w + x y) z, with the lecture's numbers."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.graph.order import order

w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())
v = x * y
u = w + v
f = u * z


def test_l3_1_the_node_is_three_primitive_gates():
    assert [node.gate.name for node in order([f]) if node.inputs] == ["multiply", "add", "multiply"]
    assert rg.evaluate((w + x * y) * z) == rg.evaluate(f)


def test_l3_2_its_values_are_6_11_and_44():
    assert rg.evaluate([v, u, f]) == [6.0, 11.0, 44.0]


@pytest.mark.parametrize(
    "node, expected",
    [(u, 4.0), (z, 11.0), (w, 4.0), (v, 4.0), (x, 8.0), (y, 12.0)],
    ids=["u", "z", "w", "v", "x", "y"],
)
def test_l3_3_its_gradients_are_those_of_the_lecture(node, expected):
    assert rg.evaluate(rg.gradient(f, node)) == expected


@pytest.mark.parametrize("node", [w, x, y, z], ids=["w", "x", "y", "z"])
def test_l3_4_a_nudge_of_an_input_moves_f_by_the_gradient_times_the_nudge(node):
    moved = rg.evaluate(f, {node: node.value + 0.001})
    assert moved == pytest.approx(44.0 + 0.001 * rg.evaluate(rg.gradient(f, node)), abs=1e-12)


def test_l3_4_w_at_5_001_gives_44_004():
    assert rg.evaluate(f, {w: 5.001}) == pytest.approx(44.004, abs=1e-12)


def test_l3_4_a_move_against_the_sign_of_the_gradient_lowers_f():
    for node in (w, x, y, z):
        down = node.value - 0.001 * np.sign(rg.evaluate(rg.gradient(f, node)))
        assert rg.evaluate(f, {node: down}) < 44.0


def test_l3_5_multiply_passes_the_other_operand_times_what_arrives():
    g = 7.0
    dx, dy = rg.evaluate(rg.gradient(g * (x * y), [x, y]))
    assert (dx, dy) == (g * 2.0, g * 3.0)


def test_l3_5_add_copies_what_arrives_to_both():
    assert rg.evaluate(rg.gradient(7.0 * (x + y), [x, y])) == [7.0, 7.0]


def test_l3_5_max_passes_all_to_the_larger_input_and_nothing_to_the_other():
    assert rg.evaluate(rg.gradient(7.0 * rg.maximum(x, y), [x, y])) == [7.0, 0.0]
    assert rg.evaluate(rg.gradient(7.0 * rg.maximum(y, x), [x, y])) == [7.0, 0.0]
    both = rg.variable("v", [1.0, 5.0, 2.0])
    assert np.array_equal(rg.evaluate(rg.gradient(7.0 * rg.max(both), both)), [0, 7, 0])


def test_l3_6_propagated_times_local_gradient_is_the_gradient():
    df_dv, dv_dx = rg.gradient(f, v), rg.gradient(v, x)
    assert rg.evaluate(df_dv * dv_dx) == rg.evaluate(rg.gradient(f, x)) == 8.0


def test_l3_6_where_a_value_feeds_several_consumers_what_comes_back_is_summed():
    consumers = [x * y, rg.exp(x), x * x]
    total = consumers[0] + consumers[1] + consumers[2]
    parts = rg.evaluate([rg.gradient(consumer, x) for consumer in consumers])
    assert rg.evaluate(rg.gradient(total, x)) == pytest.approx(sum(parts), rel=1e-15)


def test_l3_6_in_a_layer_the_sum_is_weighted_by_the_connecting_weights():
    a = rg.variable("a", [0.5, -1.0])
    W = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    e = np.array([0.1, -0.2, 0.3])
    arriving = rg.evaluate(rg.gradient(a @ W, a, seed=e))
    np.testing.assert_allclose(arriving, [sum(W[i] * e) for i in range(2)], rtol=1e-15)


def test_l3_7_the_error_of_a_network_is_half_the_sum_of_squares_over_its_outputs():
    out, t = rg.variable("x", [0.2, 0.9, -0.4]), np.array([0.0, 1.0, 0.0])
    E = 0.5 * rg.sum(rg.square(out - t))
    assert rg.evaluate(E) == pytest.approx(0.5 * (0.04 + 0.01 + 0.16))
    np.testing.assert_allclose(rg.evaluate(rg.gradient(E, out)), out.value - t, rtol=1e-15)


def test_l3_7_a_bias_is_the_weight_of_an_extra_input_of_one():
    rng = np.random.default_rng(0)
    X, W, b = rng.normal(size=(4, 3)), rng.normal(size=(3, 2)), rng.normal(size=2)
    W_node, b_node = rg.variable("W", W), rg.variable("b", b)
    wide = rg.variable("Wb", np.vstack([W, b]))
    plain = rg.sum(rg.tanh(X @ W_node + b_node))
    extra = rg.sum(rg.tanh(np.hstack([X, np.ones((4, 1))]) @ wide))
    assert rg.evaluate(plain) == pytest.approx(rg.evaluate(extra), rel=1e-14)
    dW, db, both = rg.evaluate([*rg.gradient(plain, [W_node, b_node]), rg.gradient(extra, wide)])
    np.testing.assert_allclose(both, np.vstack([dW, db]), rtol=1e-13)


def test_l3_8_once_the_next_layers_is_known_a_nodes_gradient_needs_only_its_own_values():
    """Each unit's delta by itself, in any order, from the deltas of the layer after it."""
    rng = np.random.default_rng(1)
    a, W, V = rng.normal(size=3), rng.normal(size=(3, 4)), rng.normal(size=(4, 2))
    z = rg.variable("z", a @ W)
    J = rg.sum(rg.square(rg.tanh(z) @ V))
    after = 2 * np.tanh(z.value) @ V  # dJ/d(output)
    found = rg.evaluate(rg.gradient(J, z))
    for j in rng.permutation(4):
        alone = (1 - np.tanh(z.value[j]) ** 2) * (V[j] @ after)
        assert found[j] == pytest.approx(alone, rel=1e-13)
