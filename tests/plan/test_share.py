"""Common sub-expressions."""

import numpy as np

import retrograd as rg
from retrograd.graph.order import order
from retrograd.plan.share import share


def count(*outputs: rg.Node) -> int:
    return len(set(share(order(outputs)).values()))


def test_equal_expressions_become_one():
    x = rg.variable("x", 2.0)
    a, b = rg.exp(x * 3.0) + 1.0, rg.exp(x * 3.0) + 1.0
    same = share(order([a, b]))
    assert same[b] is a
    assert count(a, b) == count(a)


def test_what_differs_in_a_parameter_an_input_or_a_dtype_stays_apart():
    x, y = rg.variable("x", np.ones((2, 3))), rg.variable("y", np.ones((2, 3)))
    outputs = [
        rg.sum(x, axis=0),
        rg.sum(x, axis=1),
        rg.sum(y, axis=0),
        rg.sum(x, axis=0, keepdims=True),
        rg.cast(x, "float32"),
    ]
    assert count(*outputs) == len(order(outputs))
    assert count(x * 1.0, x * -1.0) == len(order([x * 1.0, x * -1.0]))


def test_zero_and_minus_zero_are_two_constants():
    x = rg.variable("x", 1.0)
    assert count(x / 0.0, x / -0.0) == 5
