"""A message names the gate, the operands and the numbers."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DataError, DtypeError, GraphError, OptionError, ShapeError
from retrograd.gates import scatter_add, sum_to
from retrograd.graph.node import Gate, define

a = rg.variable("a", np.zeros((2, 3)))
b = rg.variable("b", np.zeros((4,)))
x = rg.variable("x", shape=(rg.rows, 3))
flag = rg.variable("flag", shape=(2,), dtype=bool)
z = rg.variable("z", [1j, 2j])

SHAPES = [
    (lambda: a + b, r"^add of a \(2, 3\) and b \(4,\): sizes 3 and 4 differ and none of them is 1"),
    (lambda: rg.exp(a) * b, r"^multiply of exp \(2, 3\) and b \(4,\): sizes 3 and 4"),
    (lambda: a * [1.0, 2.0], r"^multiply of a \(2, 3\) and constant \(2,\): sizes 3 and 2"),
    (lambda: x + a, r"^add of x \(rows, 3\) and a \(2, 3\): sizes rows and 2 differ"),
    (lambda: rg.where(flag, a, 0.0), r"^where of flag \(2,\) and a \(2, 3\) and constant \(\)"),
    (
        lambda: a @ rg.constant(np.zeros((4, 8))),
        r"^matmul of a \(2, 3\) and constant \(4, 8\): inner sizes differ: the first has 3 "
        r"columns, the second has 4 rows",
    ),
    (
        lambda: rg.constant(np.zeros((2, 1, 3))) @ rg.constant(np.zeros((4, 3, 1))),
        r"^matmul of .*: sizes 2 and 4 differ",
    ),
    (lambda: a @ 2.0, r"^matmul: both operands need a dimension, got <variable 'a' .*; use \*"),
    (lambda: rg.sum(a, 2), r"^sum: axis 2 is out of range for 2 dimensions"),
    (lambda: rg.mean(a, (0, -2)), r"^mean: axes \(0, -2\) name one axis twice"),
    (lambda: rg.max(a, -3), r"^max: axis -3 is out of range"),
    (lambda: rg.max(np.zeros((2, 0)), 1), r"^max: there is no largest entry along an axis of size"),
    (lambda: rg.sum(a, 0.5), r"^sum: an axis is an integer, got 0.5"),
    (lambda: rg.softmax(np.zeros((2, 0))), r"^softmax: needs an axis of at least one entry"),
    (lambda: rg.logsumexp(1.0), r"^logsumexp: needs an axis of at least one entry"),
    (lambda: rg.reshape(a, (4, 2)), r"^reshape of a \(2, 3\): \(2, 3\) cannot become \(4, 2\)"),
    (lambda: rg.reshape(x, (3, rg.rows)), r"^reshape of x \(rows, 3\): .* cannot become"),
    (lambda: rg.reshape(x, -1), r"^reshape of x \(rows, 3\): \(rows, 3\) cannot become \(rows,\)"),
    (lambda: rg.reshape(a, (-1, -1)), r"^reshape: only one size can be -1, got \(-1, -1\)"),
    (lambda: rg.reshape(a, (4, -1)), r"^reshape: \(2, 3\) cannot be cut into \[4\] and one more"),
    (lambda: rg.reshape(a, (2, -3)), r"^a size is at least 0, got -3 in shape"),
    (lambda: rg.reshape(a, (2.0, 3)), r"^a size is an integer or `rows`, got 2.0 in shape"),
    (lambda: rg.transpose(a, (0, 0)), r"^transpose: axes \(0, 0\) do not name each of 2 axes once"),
    (lambda: rg.transpose(a, (0, 2)), r"^transpose: axes \(0, 2\) do not name each of 2 axes"),
    (lambda: rg.broadcast_to(a, (3, 2)), r"^broadcast_to of a \(2, 3\): "),
    (lambda: rg.broadcast_to(a, (3,)), r"^broadcast_to of a .* cannot be broadcast to \(3,\)"),
    (lambda: sum_to(a, (2,)), r"^sum_to: \(2,\) does not broadcast to \(2, 3\)"),
    (lambda: sum_to(b, (1, 4)), r"^sum_to: \(1, 4\) does not broadcast to \(4,\)"),
    (lambda: rg.concatenate([]), r"^concatenate: there is nothing to join"),
    (lambda: rg.concatenate([1.0]), r"^concatenate: axis 0 is out of range for 0 dimensions"),
    (lambda: rg.concatenate([a, b]), r"^concatenate of a .* and b .*: sizes may differ only along"),
    (lambda: rg.concatenate([x, x]), r"^concatenate of x .*: axis 0 has size `rows`"),
    (lambda: rg.take(a, [0], 2), r"^take: axis 2 is out of range for 2 dimensions"),
    (lambda: scatter_add(a, [0, 1], 3, 2), r"^scatter_add: axis 2 is out of range"),
    (lambda: scatter_add(a, [0, 1, 2], 3), r"^scatter_add of .*: from axis 0 on, the values must"),
    (lambda: rg.cumsum(a, 2), r"^cumsum: axis 2 is out of range for 2 dimensions"),
    (lambda: rg.cumsum(1.0), r"^cumsum: axis -1 is out of range for 0 dimensions"),
    (lambda: a[2], r"^index: 2 is out of range for axis 0 of size 2"),
    (lambda: a[0, 0, 0], r"^index: 3 indices for 2 dimensions"),
    (lambda: a[..., ...], r"^index: only one ellipsis"),
    (lambda: x[0], r"^index: one row cannot be taken by number; use rg.take"),
    (lambda: x[1:], r"^index: rows can only be taken whole"),
]


@pytest.mark.parametrize("make, message", SHAPES)
def test_sizes_that_do_not_fit_are_a_shape_error_that_says_which(make, message):
    with pytest.raises(ShapeError, match=message):
        make()


DTYPES = [
    (lambda: rg.where(a, 1.0, 0.0), r"^where of a .*: the condition must be bool, it is float64"),
    (lambda: rg.cast(z, "float64"), r"^cast of z \(2,\): complex128 to float64 would lose the im"),
    (lambda: rg.cast(a, "float16"), r"^float16 is not a dtype that a node can have: bool, int64"),
    (lambda: rg.cast(a, "nonsense"), r"^'nonsense' is not a dtype; a node can have: bool, int64"),
    (lambda: rg.take(a, [0.5]), r"^take: indices must be integers, got float64"),
    (lambda: rg.take(a, rg.constant([0.0])), r"^take: indices must be int64, got <constant"),
    (lambda: rg.one_hot(a, 3), r"^one_hot: indices must be int64, got <variable 'a'"),
    (lambda: a[np.array([True, False])], r"^take: indices must be integers, got bool"),
    (lambda: a + "text", r"^constant: expected numbers, got <U4 from str"),
    (lambda: a + None, r"^constant: expected numbers, got object from NoneType"),
    (lambda: rg.exp([[1.0], [2.0, 3.0]]), r"^constant: not an array of numbers: "),
    (lambda: rg.exp([a, a]), r"^constant: expected numbers, got object from list"),
    (lambda: rg.constant(a), r"^constant: <variable 'a' \(2, 3\) float64> is a node already"),
]


@pytest.mark.parametrize("make, message", DTYPES)
def test_operands_of_a_wrong_kind_are_a_dtype_error_that_says_which(make, message):
    with pytest.raises(DtypeError, match=message):
        make()


@pytest.mark.parametrize("index", [0.5, True, "a", (slice(None), [0, 1]), (0, b)])
def test_an_index_that_is_none_is_an_option_error(index):
    with pytest.raises(OptionError, match=r"^index: .* is not an integer, a slice, None or"):
        a[index]


def test_indices_out_of_range_are_a_data_error_when_the_graph_runs():
    with pytest.raises(DataError, match=r"^take: index 2 is out of range for an axis of size 2"):
        rg.evaluate(rg.take(a, [0, 2]))
    with pytest.raises(DataError, match=r"^take: index -4 is out of range for an axis of size 3"):
        rg.evaluate(rg.take(a, [-4], axis=1))
    with pytest.raises(DataError, match=r"^scatter_add: index 9 is out of range for an axis of si"):
        rg.evaluate(scatter_add(a, [0, 9], 3))


def test_the_largest_of_no_rows_is_a_data_error():
    with pytest.raises(DataError, match=r"^max: there is no largest entry of no rows"):
        rg.evaluate(rg.max(x, axis=0), {x: np.zeros((0, 3))})
    assert rg.evaluate(rg.max(x, axis=1), {x: np.zeros((0, 3))}).shape == (0,)


def test_a_gate_cannot_be_defined_twice():
    with pytest.raises(GraphError, match="gate 'exp' is defined twice"):
        define(Gate("exp", np.exp, lambda x: (x.shape, x.dtype), lambda *_, n_rows: 0))


def test_where_refuses_the_identity_of_nodes_as_a_condition():
    x, y = rg.variable("x", 1.0), rg.variable("y", 1.0)
    with pytest.raises(DtypeError, match=r"use rg.equal\(x, y\)"):
        rg.where(x == y, 1.0, 2.0)
