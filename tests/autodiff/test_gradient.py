"""The backward sweep: what reaches which node, and what it refuses."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DtypeError, GraphError, ShapeError
from retrograd.graph.node import Gate, apply
from retrograd.graph.order import order

w, x, y, z = (rg.variable(n, v) for n, v in dict(w=5.0, x=3.0, y=2.0, z=4.0).items())


def test_one_node_gives_a_node_and_a_sequence_gives_a_list():
    f = x * y
    assert rg.evaluate(rg.gradient(f, x)) == 2.0
    assert rg.evaluate(rg.gradient(f, (x, y))) == [2.0, 3.0]
    assert rg.gradient(f, []) == []


def test_what_comes_back_from_several_consumers_is_summed():
    f = x * x + x * y + rg.exp(x)
    assert rg.evaluate(rg.gradient(f, x)) == pytest.approx(6.0 + 2.0 + np.exp(3.0))
    assert rg.evaluate(rg.gradient(x + x + x, x)) == 3.0


def test_a_fan_out_that_meets_again_is_counted_along_every_path():
    node = x
    for _ in range(20):
        node = node + node
    assert rg.evaluate(rg.gradient(node, x)) == 2.0**20
    assert len(order([rg.gradient(node, x)])) < 100


def test_the_gradient_in_a_value_in_between_is_as_if_it_were_given():
    v = x * y
    u = w + v
    f = u * z
    assert rg.evaluate(rg.gradient(f, [u, v, f, z])) == [4.0, 4.0, 1.0, 11.0]
    both = rg.gradient(f, [v, x])  # a node and what lies before it
    assert rg.evaluate(both) == [4.0, 8.0]


def test_an_output_is_its_own_derivative():
    assert rg.evaluate(rg.gradient(x, x)) == 1.0


def test_what_the_output_does_not_depend_on_gets_zeros_of_its_shape():
    batch = rg.variable("batch", shape=(rg.rows, 2))
    other = rg.variable("other", np.ones((2, 3), np.float32))
    f = rg.sum(batch)
    zero, none = rg.gradient(f, [other, rg.tanh(batch)])
    assert (zero.shape, zero.dtype) == ((2, 3), np.dtype("float32"))
    assert none.shape == (rg.rows, 2)
    values = rg.evaluate([zero, none], {batch: np.ones((4, 2))})
    assert np.array_equal(values[0], np.zeros((2, 3)))
    assert np.array_equal(values[1], np.zeros((4, 2)))


def test_a_gradient_has_the_shape_and_dtype_of_its_node_however_it_was_broadcast():
    single = rg.variable("a", np.ones((1, 3), np.float32))
    double = rg.variable("b", np.ones((2, 1, 3)))
    number = rg.variable("c", 2.0)
    total = rg.sum(single * double * number)
    found = rg.gradient(total, [single, double, number])
    assert [(d.shape, d.dtype.name) for d in found] == [
        ((1, 3), "float32"),
        ((2, 1, 3), "float64"),
        ((), "float64"),
    ]
    values = rg.evaluate(found)
    assert np.array_equal(values[0], np.full((1, 3), 4.0))
    assert np.array_equal(values[1], np.full((2, 1, 3), 2.0))
    assert values[2] == 6.0


def test_a_seed_gives_the_vector_jacobian_product():
    a = rg.variable("a", [1.0, 2.0, 3.0])
    jacobian = np.array([[1.0, 0, 0], [0, 4.0, 0], [0, 0, 9.0]]) * 3.0
    for seed in ([1.0, 0.0, 2.0], rg.constant([1.0, 0.0, 2.0])):
        found = rg.evaluate(rg.gradient(a**3, a, seed=seed))
        np.testing.assert_allclose(found, np.array([1.0, 0.0, 2.0]) @ jacobian)


def test_a_seed_takes_the_dtype_of_the_output():
    a = rg.variable("a", np.ones(3, np.float32))
    assert rg.gradient(a * 2, a, seed=np.ones(3)).dtype == np.float32


def test_a_gradient_is_a_node_that_can_be_differentiated_again():
    node = x**4
    for expected in (108.0, 108.0, 72.0, 24.0, 0.0):
        node = rg.gradient(node, x)
        assert rg.evaluate(node) == expected


def test_the_sweep_adds_no_more_nodes_than_a_small_multiple_of_the_graph():
    node = x
    for _ in range(200):
        node = rg.tanh(node * w + y)
    added = len(order(rg.gradient(node, [w, x, y]))) - len(order([node]))
    assert added < 10 * 200


def test_through_booleans_and_integers_no_gradient_passes():
    a = rg.variable("a", [1.5, -2.5])
    f = rg.sum(rg.cast(a > 0.0, "float64") + rg.cast(rg.cast(a, "int64"), "float64") + a)
    assert np.array_equal(rg.evaluate(rg.gradient(f, a)), [1, 1])


def test_a_gate_without_a_vjp_gets_no_gradient():
    floor = Gate(
        "floor",
        lambda x, out=None: np.floor(x, out=out),
        lambda x: (x.shape, x.dtype),
        lambda y, x, n_rows: 1,
    )
    assert rg.evaluate(rg.gradient(x * apply(floor, x), x)) == 3.0


def test_a_vjp_may_answer_in_a_wider_dtype_and_a_broadcast_shape():
    scale = Gate(
        "scale",
        lambda x, out=None: np.multiply(x, 3, out=out),
        lambda x: (x.shape, x.dtype),
        lambda y, x, n_rows: 1,
        lambda dy, y, x: (rg.broadcast_to(dy, (5, 2)) * np.full((5, 2), 0.6),),
    )
    a = rg.variable("a", np.ones(2, np.float32))
    da = rg.gradient(rg.sum(apply(scale, a)), a)
    assert (da.shape, da.dtype) == ((2,), np.dtype("float32"))
    np.testing.assert_allclose(rg.evaluate(da), [3, 3], rtol=1e-6)


@pytest.mark.parametrize(
    "make, error, message",
    [
        (
            lambda: rg.gradient(rg.exp(rg.constant([1.0, 2.0])), x),
            ShapeError,
            r"^gradient: exp \(2,\) is not a scalar; reduce it \(rg.sum, rg.mean\) or give a seed",
        ),
        (
            lambda: rg.gradient(rg.constant([1.0, 2.0]), x, seed=[1.0]),
            ShapeError,
            r"^gradient: the seed has shape \(1,\), the output \(2,\)",
        ),
        (lambda: rg.gradient(3.0, x), GraphError, "the output must be a node, got float"),
        (lambda: rg.gradient(x, [x, 3.0]), GraphError, "a node of wrt must be a node, got float"),
        (
            lambda: rg.gradient(x > 2.0, x),
            DtypeError,
            r"the output must be float32 or float64, <greater \(\) bool> is not",
        ),
        (
            lambda: rg.gradient(x, rg.variable("i", 1, dtype="int64")),
            DtypeError,
            r"a node of wrt must be float32 or float64, <variable 'i' \(\) int64> is not",
        ),
        (lambda: rg.gradient(x * 1j, x), DtypeError, "the output must be float32 or float64"),
    ],
)
def test_what_cannot_be_differentiated_says_why(make, error, message):
    with pytest.raises(error, match=message):
        make()
