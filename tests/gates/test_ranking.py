"""Which entries are among the largest, held against a stable sort."""

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import OptionError, ShapeError


def sorted_mask(x, k, axis):
    """The k first of a stable sort, largest first: at a tie the first ones are taken."""
    mask = np.zeros(x.shape, bool)
    order = np.argsort(-x, axis, kind="stable")
    np.put_along_axis(mask, np.take(order, range(min(k, x.shape[axis])), axis), True, axis)
    return mask


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_the_mask_is_that_of_a_stable_sort(axis, dtype, engine):
    values = np.random.default_rng(0).integers(-3, 3, (6, 5, 4)).astype(dtype)  # many ties
    values[0, 0, 0], values[1, 1, 1] = np.inf, -np.inf
    x = rg.variable("x", shape=values.shape, dtype=dtype)
    for k in (0, 1, 3, 9):
        found = rg.evaluate(rg.top_k_mask(x, k, axis), {x: values}, engine=engine)
        np.testing.assert_array_equal(found, sorted_mask(values, k, axis))


@pytest.mark.parametrize("engine", ["numpy", "cpu"])
def test_it_works_row_by_row_and_k_may_be_known_only_when_it_runs(engine):
    values = np.random.default_rng(1).normal(size=(19, 33))
    x, k = rg.variable("x", shape=(rg.rows, 33)), rg.variable("k", shape=())
    mask = rg.top_k_mask(x, k)
    for number in (1, 7, 33):
        found = rg.evaluate(mask, {x: values, k: number}, engine=engine)
        np.testing.assert_array_equal(found, sorted_mask(values, number, 1))


def test_only_what_is_chosen_gets_a_gradient():
    x = rg.variable("x", np.array([[3.0, 1.0, 2.0]]))
    y = rg.where(rg.top_k_mask(x, 2), rg.square(x), 0.0)
    assert np.array_equal(rg.evaluate(rg.gradient(rg.sum(y), x)), [[6, 0, 4]])


def test_what_cannot_be_ranked_is_told():
    x = rg.variable("x", shape=(rg.rows, 3))
    with pytest.raises(ShapeError, match="top_k_mask: axis 0 has size `rows`"):
        rg.top_k_mask(x, 1, 0)
    with pytest.raises(ShapeError, match="top_k_mask: axis 2 is out of range for 2 dimensions"):
        rg.top_k_mask(x, 1, 2)
    for k in (-1, [1, 2], np.nan):
        with pytest.raises(OptionError, match="top_k_mask: k must be in"):
            rg.top_k_mask(x, k)
