"""When two graphs count as equal: by what they compute, not by which nodes they are made of."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.graph.structure import LIMIT, Structure


def structure(*, name="x", factor=2.0, size=3, dtype="float32", output="y", axis=0, flip=False):
    x = rg.variable(name, shape=(rg.rows, size), dtype=dtype)
    w = rg.variable("w", shape=(size,), dtype=dtype)
    product = w * x if flip else x * w
    return Structure({name: x}, {"w": w}, {output: rg.sum(product * factor, axis=axis)})


def test_graphs_built_alike_are_equal():
    assert structure() == structure()
    assert hash(structure()) == hash(structure())


@pytest.mark.parametrize(
    "other",
    [
        {"name": "u"},
        {"factor": 2.5},
        {"factor": np.array([2.0, 2.0, 2.0])},
        {"size": 4},
        {"dtype": "float64"},
        {"output": "z"},
        {"axis": 1},
        {"flip": True},
    ],
)
def test_another_name_number_shape_dtype_parameter_or_order_is_another_structure(other):
    assert structure() != structure(**other)


def test_zero_and_minus_zero_are_two_constants():
    assert structure(factor=0.0) != structure(factor=-0.0)


def test_an_array_in_the_graph_counts_by_its_numbers():
    one, same, other = (np.arange(3.0) + shift for shift in (0, 0, 1))
    assert structure(factor=one) == structure(factor=same)
    assert structure(factor=one) != structure(factor=other)


def test_what_goes_in_counts_even_where_nothing_reads_it():
    x, w = rg.variable("x", shape=(rg.rows, 2)), rg.variable("w", shape=(2,))
    assert Structure({"x": x}, {}, {"y": x + 1.0}) != Structure({"x": x}, {"w": w}, {"y": x + 1.0})


def test_the_same_nodes_under_exchanged_names_are_another_structure():
    x, w = rg.variable("x", shape=(rg.rows, 2)), rg.variable("w", shape=(2,))
    y, z = x + w, x * w
    assert Structure({"x": x}, {"w": w}, {"a": y, "b": z}) != Structure(
        {"x": x}, {"w": w}, {"a": z, "b": y}
    )


def test_a_graph_with_a_large_array_is_equal_to_itself_only():
    large = np.ones(LIMIT // 4 + 1, np.float32)
    one, other = (structure(size=large.size, factor=large) for _ in range(2))
    assert not one.is_comparable
    assert one == one
    assert one != other
